//! A code formatter: one command, and a dependency that is fused into it when it is loaded.

wit_bindgen::generate!({ path: ["../../../../meldpy/host/wit", "../lang"], world: "demo:lang/formatter", generate_all });

use demo::lang::parse::{Kind, parse};
use exports::meld::host::module::{Capabilities, Envelope, Failure, Guest, State};
use meld::host::log;
use meld::host::types::FailureCode;

struct Formatter;

fn failure(code: FailureCode, text: &str) -> Failure {
    Failure { code, text: text.into() }
}

/// A list to a line, each as far in as it is deep.
fn format(source: &str) -> Result<String, String> {
    let (mut out, mut depth) = (String::new(), 0);
    for token in parse(source)? {
        match token.kind {
            Kind::Open => {
                if depth > 0 {
                    out += "\n";
                    out += &"  ".repeat(depth);
                }
                out += "(";
                depth += 1;
            }
            Kind::Close => {
                out += ")";
                depth -= 1;
            }
            Kind::Atom => {
                if !out.ends_with('(') && !out.is_empty() {
                    out += " ";
                }
                out += &token.text;
            }
        }
    }
    Ok(out + "\n")
}

impl Guest for Formatter {
    fn initialize(_config: String) -> Result<(), Failure> {
        Ok(())
    }
    fn get_capabilities() -> Capabilities {
        Capabilities { commands: vec!["format".into()], topics: vec![], state_schema: None }
    }
    fn execute(command: String, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        if command != "format" {
            return Err(failure(FailureCode::Argument, "there is one command: format"));
        }
        let source = String::from_utf8(payload).map_err(|_| failure(FailureCode::Argument, "not UTF-8"))?;
        let text = format(&source).map_err(|reason| failure(FailureCode::Argument, &reason))?;
        log::log(log::Level::Info, &format!("formatted {} bytes", source.len()));
        Ok(text.into_bytes())
    }
    fn handle_message(_message: Envelope) -> Result<Vec<u8>, Failure> {
        Err(failure(FailureCode::Unsupported, "it takes no messages"))
    }
    fn shutdown() {}
    fn get_state() -> Result<State, Failure> {
        Err(failure(FailureCode::Unsupported, "it has no state"))
    }
    fn restore_state(_state: State) -> Result<(), Failure> {
        Err(failure(FailureCode::Schema, "it has no state"))
    }
}

export!(Formatter);
