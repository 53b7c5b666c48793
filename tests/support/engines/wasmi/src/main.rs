//! Core outputs in wasmi: see ../__init__.py for the lines that are spoken here.

use std::io::{BufRead, Write};
use wasmi::{AsContextMut, Caller, Config, Engine, Error, Func, FuncType, Linker, Memory, Module, Store, Val, ValType};

#[derive(Clone)]
struct Function {
    module: String,
    name: String,
    params: Vec<char>,
    results: Vec<char>,
}

/// What host functions must reach: the exports in the order in which they were listed.
#[derive(Default)]
struct State {
    exports: Vec<(Func, Function)>,
    memory: Option<Memory>,
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.replace('\n', " | ")).unwrap();
    out.flush().unwrap();
}

fn unhex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(word: &str) -> String {
    String::from_utf8(unhex(word)).unwrap()
}

fn types(word: &str) -> Vec<char> {
    word.chars().filter(|letter| *letter != '-').collect()
}

fn val_types(letters: &[char]) -> Vec<ValType> {
    letters
        .iter()
        .map(|letter| match letter {
            'i' => ValType::I32,
            'I' => ValType::I64,
            'f' => ValType::F32,
            _ => ValType::F64,
        })
        .collect()
}

fn to_val(letter: char, word: &str) -> Val {
    let bits: u64 = word.parse().unwrap();
    match letter {
        'i' => Val::I32(bits as u32 as i32),
        'I' => Val::I64(bits as i64),
        'f' => Val::F32(f32::from_bits(bits as u32).into()),
        _ => Val::F64(f64::from_bits(bits).into()),
    }
}

fn to_word(value: &Val) -> String {
    match value {
        Val::I32(value) => (*value as u32).to_string(),
        Val::I64(value) => (*value as u64).to_string(),
        Val::F32(value) => value.to_bits().to_string(),
        Val::F64(value) => value.to_bits().to_string(),
        _ => unreachable!("the Canonical ABI has no other core types"),
    }
}

fn line() -> Vec<String> {
    let mut text = String::new();
    if std::io::stdin().lock().read_line(&mut text).unwrap() == 0 {
        std::process::exit(0);
    }
    text.split_whitespace().map(str::to_string).collect()
}

fn host(mut caller: Caller<State>, number: usize, function: &Function, args: &[Val], out: &mut [Val]) -> Result<(), Error> {
    let words: Vec<String> = args.iter().map(to_word).collect();
    say(format!("host {number} {}", words.join(" ")).trim_end());
    match serve(&mut caller) {
        None => Err(Error::new("the host failed")),
        Some(words) => {
            for (i, letter) in function.results.iter().enumerate() {
                out[i] = to_val(*letter, &words[i]);
            }
            Ok(())
        }
    }
}

/// Commands until the host returns; None if it failed.
fn serve(mut context: impl AsContextMut<Data = State>) -> Option<Vec<String>> {
    loop {
        let words = line();
        let rest = &words[1..];
        match words[0].as_str() {
            "call" => {
                let (func, function) = context.as_context().data().exports[rest[0].parse::<usize>().unwrap()].clone();
                let args: Vec<Val> = function.params.iter().zip(&rest[1..]).map(|(l, w)| to_val(*l, w)).collect();
                let mut results: Vec<Val> = function.results.iter().map(|l| to_val(*l, "0")).collect();
                match func.call(&mut context, &args, &mut results) {
                    Ok(()) => {
                        let words: Vec<String> = results.iter().map(to_word).collect();
                        say(format!("done {}", words.join(" ")).trim_end());
                    }
                    Err(error) => say(&format!("trap {error}")),
                }
            }
            "read" => {
                let memory = context.as_context().data().memory.unwrap();
                let (at, size): (usize, usize) = (rest[0].parse().unwrap(), rest[1].parse().unwrap());
                let found = hex(&memory.data(context.as_context())[at..at + size]);
                say(&format!("data {found}"));
            }
            "write" => {
                let memory = context.as_context().data().memory.unwrap();
                memory.write(&mut context, rest[0].parse().unwrap(), &unhex(&rest[1])).unwrap();
                say("ok");
            }
            "size" => {
                let memory = context.as_context().data().memory;
                say(&format!("data {}", memory.map_or(0, |memory| memory.data_size(context.as_context()))));
            }
            "return" => return Some(rest.to_vec()),
            _ => return None,
        }
    }
}

fn main() {
    let (mut code, mut imports, mut exports) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let words = line();
        match words[0].as_str() {
            "load" => code = unhex(&words[1]),
            "I" => imports.push(Function {
                module: text(&words[1]),
                name: text(&words[2]),
                params: types(&words[3]),
                results: types(&words[4]),
            }),
            "E" => exports.push(Function {
                module: String::new(),
                name: text(&words[1]),
                params: types(&words[2]),
                results: types(&words[3]),
            }),
            _ => break,
        }
    }
    let engine = Engine::new(&Config::default());
    let module = match Module::new(&engine, &code[..]) {
        Ok(module) => module,
        Err(error) => return say(&format!("error {error}")),
    };
    let mut store = Store::new(&engine, State::default());
    let mut linker = Linker::new(&engine);
    for (number, function) in imports.into_iter().enumerate() {
        let type_ = FuncType::new(val_types(&function.params), val_types(&function.results));
        let (module, name) = (function.module.clone(), function.name.clone());
        linker
            .func_new(&module, &name, type_, move |caller, args, out| host(caller, number, &function, args, out))
            .unwrap();
    }
    let instance = match linker.instantiate_and_start(&mut store, &module) {
        Ok(instance) => instance,
        Err(error) => return say(&format!("error {error}")),
    };
    let found = exports.into_iter().map(|each| (instance.get_func(&store, &each.name).unwrap(), each)).collect();
    let memory = instance.get_memory(&store, "memory");
    *store.data_mut() = State { exports: found, memory };
    say("ok");
    serve(&mut store);
}
