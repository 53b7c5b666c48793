// Core outputs in Chicory: see ../__init__.py for the lines that are spoken here.
import com.dylibso.chicory.runtime.HostFunction;
import com.dylibso.chicory.runtime.ImportValues;
import com.dylibso.chicory.runtime.Instance;
import com.dylibso.chicory.wasm.Parser;
import com.dylibso.chicory.wasm.WasmModule;
import com.dylibso.chicory.wasm.types.FunctionType;
import com.dylibso.chicory.wasm.types.ValType;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

public final class Driver {
    record Function(String module, String name, String params, String results) {}

    static final class HostFailed extends RuntimeException {}

    static final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    static final List<Function> imports = new ArrayList<>();
    static final List<Function> exports = new ArrayList<>();
    static byte[] code;
    static Instance instance;

    static void say(String line) {
        System.out.print(line + "\n");
        System.out.flush();
    }

    static String unhex(String text) {
        return text.equals("-") ? "" : new String(HexFormat.of().parseHex(text), StandardCharsets.UTF_8);
    }

    static String letters(String text) {
        return text.equals("-") ? "" : text;
    }

    static List<ValType> types(String letters) {
        List<ValType> found = new ArrayList<>();
        for (char letter : letters.toCharArray()) {
            found.add(switch (letter) {
                case 'i' -> ValType.I32;
                case 'I' -> ValType.I64;
                case 'f' -> ValType.F32;
                default -> ValType.F64;
            });
        }
        return found;
    }

    static String words(String letters, long[] bits) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < letters.length(); i++) {
            boolean narrow = letters.charAt(i) == 'i' || letters.charAt(i) == 'f';
            text.append(' ').append(Long.toUnsignedString(narrow ? bits[i] & 0xFFFF_FFFFL : bits[i]));
        }
        return text.toString();
    }

    static long[] numbers(String letters, List<String> words) {
        long[] found = new long[words.size()];
        for (int i = 0; i < found.length; i++) {
            long bits = Long.parseUnsignedLong(words.get(i));
            found[i] = letters.charAt(i) == 'i' ? (int) bits : bits;
        }
        return found;
    }

    static long[] host(int number, long[] args) {
        Function each = imports.get(number);
        say("host " + number + words(each.params(), args));
        List<String> results = serve();
        if (results == null) {
            throw new HostFailed();
        }
        return numbers(each.results(), results);
    }

    static String go() {
        ImportValues.Builder given = ImportValues.builder();
        for (int i = 0; i < imports.size(); i++) {
            int number = i;
            Function each = imports.get(i);
            FunctionType type = FunctionType.of(types(each.params()), types(each.results()));
            given.addFunction(new HostFunction(each.module(), each.name(), type, (guest, args) -> host(number, args)));
        }
        WasmModule module = Parser.parse(code);
        instance = Instance.builder(module).withImportValues(given.build()).withStart(false).build();
        return "ok";
    }

    static String call(List<String> rest) {
        Function each = exports.get(Integer.parseInt(rest.get(0)));
        long[] results = instance.export(each.name()).apply(numbers(each.params(), rest.subList(1, rest.size())));
        return "done" + words(each.results(), results);
    }

    static String attempt(String kind, java.util.function.Supplier<String> action) {
        try {
            return action.get();
        } catch (RuntimeException | StackOverflowError error) {
            return kind + " " + String.valueOf(error.getMessage()).lines().findFirst().orElse(error.toString());
        }
    }

    // Commands until the host returns; null if it failed.
    static List<String> serve() {
        while (true) {
            String line;
            try {
                line = in.readLine();
            } catch (IOException error) {
                line = null;
            }
            if (line == null) {
                System.exit(0);
            }
            List<String> words = Arrays.asList(line.split(" "));
            List<String> rest = words.subList(1, words.size());
            switch (words.get(0)) {
                case "load" -> code = HexFormat.of().parseHex(rest.get(0));
                case "I" -> imports.add(new Function(
                        unhex(rest.get(0)), unhex(rest.get(1)), letters(rest.get(2)), letters(rest.get(3))));
                case "E" -> exports.add(new Function(
                        "", unhex(rest.get(0)), letters(rest.get(1)), letters(rest.get(2))));
                case "go" -> say(attempt("error", Driver::go));
                case "call" -> say(attempt("trap", () -> call(rest)));
                case "read" -> say("data " + HexFormat.of().formatHex(instance.memory()
                        .readBytes(Integer.parseUnsignedInt(rest.get(0)), Integer.parseInt(rest.get(1)))));
                case "write" -> {
                    byte[] data = HexFormat.of().parseHex(rest.size() > 1 ? rest.get(1) : "");
                    instance.memory().write(Integer.parseUnsignedInt(rest.get(0)), data);
                    say("ok");
                }
                case "size" -> say("data " + (instance.memory() == null ? 0 : instance.memory().pages() * 65536L));
                case "return" -> {
                    return rest;
                }
                case "fail" -> {
                    return null;
                }
                default -> throw new IllegalStateException(line);
            }
        }
    }

    public static void main(String[] args) {
        serve();
    }
}
