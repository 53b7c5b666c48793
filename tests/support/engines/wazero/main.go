// Core outputs in wazero: see ../__init__.py for the lines that are spoken here.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

type function struct {
	module, name    string
	params, results []api.ValueType
}

var (
	in             = bufio.NewReaderSize(os.Stdin, 1<<16)
	out            = bufio.NewWriter(os.Stdout)
	ctx            = context.Background()
	code           []byte
	imports        []function
	exports        []function
	instance       api.Module
	errHost        = errors.New("the host failed")
	kinds          = map[rune]api.ValueType{'i': api.ValueTypeI32, 'I': api.ValueTypeI64, 'f': api.ValueTypeF32, 'd': api.ValueTypeF64}
	useInterpreter bool
	plain          bool
)

func say(words ...string) {
	out.WriteString(strings.Join(words, " "))
	out.WriteByte('\n')
	out.Flush()
}

func unhex(text string) []byte {
	if text == "-" {
		return nil
	}
	data, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return data
}

func types(text string) (found []api.ValueType) {
	for _, letter := range text {
		if letter != '-' {
			found = append(found, kinds[letter])
		}
	}
	return found
}

func numbers(words []string) []uint64 {
	found := make([]uint64, len(words))
	for i, word := range words {
		found[i], _ = strconv.ParseUint(word, 10, 64)
	}
	return found
}

func words(bits []uint64, types []api.ValueType) (found []string) {
	for i, type_ := range types {
		value := bits[i]
		if type_ == api.ValueTypeI32 || type_ == api.ValueTypeF32 {
			value &= 0xFFFF_FFFF
		}
		found = append(found, strconv.FormatUint(value, 10))
	}
	return found
}

func oneLine(err any) string {
	return strings.ReplaceAll(fmt.Sprint(err), "\n", " | ")
}

func instantiate() string {
	features := api.CoreFeaturesV2 | experimental.CoreFeaturesThreads | experimental.CoreFeaturesTailCall |
		experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling
	if plain {
		features = api.CoreFeaturesV2
	}
	config := wazero.NewRuntimeConfig()
	if useInterpreter {
		config = wazero.NewRuntimeConfigInterpreter()
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(features))
	builders := map[string]wazero.HostModuleBuilder{}
	for number, each := range imports {
		builder := builders[each.module]
		if builder == nil {
			builder = runtime.NewHostModuleBuilder(each.module)
			builders[each.module] = builder
		}
		builder.NewFunctionBuilder().WithGoFunction(host(number), each.params, each.results).Export(each.name)
	}
	for _, builder := range builders {
		if _, err := builder.Instantiate(ctx); err != nil {
			return "error " + oneLine(err)
		}
	}
	compiled, err := runtime.CompileModule(ctx, code)
	if err != nil {
		return "error " + oneLine(err)
	}
	instance, err = runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		return "trap " + oneLine(err)
	}
	return "ok"
}

func host(number int) api.GoFunc {
	return func(_ context.Context, stack []uint64) {
		each := imports[number]
		say(append([]string{"host", strconv.Itoa(number)}, words(stack, each.params)...)...)
		results := serve()
		if results == nil {
			panic(errHost)
		}
		copy(stack, numbers(*results))
	}
}

func call(rest []string) string {
	number, _ := strconv.Atoi(rest[0])
	each := exports[number]
	results, err := instance.ExportedFunction(each.name).Call(ctx, numbers(rest[1:])...)
	if err != nil {
		return "trap " + oneLine(err)
	}
	return strings.Join(append([]string{"done"}, words(results, each.results)...), " ")
}

// Commands until the host returns; nil if it failed.
func serve() *[]string {
	for {
		text, err := in.ReadString('\n')
		if err != nil {
			os.Exit(0)
		}
		fields := strings.Fields(text)
		word, rest := fields[0], fields[1:]
		switch word {
		case "load":
			code = unhex(rest[0])
		case "I":
			imports = append(imports, function{string(unhex(rest[0])), string(unhex(rest[1])), types(rest[2]), types(rest[3])})
		case "E":
			exports = append(exports, function{"", string(unhex(rest[0])), types(rest[1]), types(rest[2])})
		case "go":
			say(instantiate())
		case "call":
			say(call(rest))
		case "read":
			at := numbers(rest)
			data, _ := instance.Memory().Read(uint32(at[0]), uint32(at[1]))
			say("data", hex.EncodeToString(data))
		case "write":
			at := numbers(rest[:1])
			instance.Memory().Write(uint32(at[0]), unhex(rest[1]))
			say("ok")
		case "size":
			size := uint32(0)
			if memory := instance.Memory(); memory != nil {
				size = memory.Size()
			}
			say("data", strconv.FormatUint(uint64(size), 10))
		case "return":
			return &rest
		case "fail":
			return nil
		}
	}
}

func main() {
	for _, word := range os.Args[1:] {
		useInterpreter = useInterpreter || word == "interpreter"
		plain = plain || word == "plain"
	}
	serve()
}
