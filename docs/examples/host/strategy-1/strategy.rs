//! A strategy that is swapped while prices come in: it buys below the average of what it saw, and keeps count and sum
//! as its state, which any later version goes on with.

use std::cell::Cell;

wit_bindgen::generate!({ path: "../../../../meldpy/host/wit", world: "hosted-module" });

use exports::meld::host::module::{Capabilities, Envelope, Failure, Guest, State};
use meld::host::bus;
use meld::host::types::FailureCode;

thread_local! {
    static SEEN: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

struct Strategy;

fn failure(code: FailureCode, text: &str) -> Failure {
    Failure { code, text: text.into() }
}

fn numbers<const N: usize>(data: &[u8]) -> Option<[u64; N]> {
    let text = std::str::from_utf8(data).ok()?;
    let found: Option<Vec<u64>> = text.split(' ').map(|each| each.parse().ok()).collect();
    found?.try_into().ok()
}

impl Guest for Strategy {
    fn initialize(_config: String) -> Result<(), Failure> {
        Ok(())
    }
    fn get_capabilities() -> Capabilities {
        Capabilities { commands: vec!["seen".into()], topics: vec!["prices/*".into()], state_schema: Some(1) }
    }
    fn execute(command: String, _payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let (count, sum) = SEEN.get();
        match command.as_str() {
            "seen" => Ok(format!("{count} {sum}").into_bytes()),
            _ => Err(failure(FailureCode::Argument, "there is one command: seen")),
        }
    }
    fn handle_message(message: Envelope) -> Result<Vec<u8>, Failure> {
        let [price] = numbers(&message.payload).ok_or(failure(FailureCode::Argument, "a price was expected"))?;
        let (count, sum) = SEEN.get();
        let word = if count > 0 && price * count < sum { "buy" } else { "wait" };
        SEEN.set((count + 1, sum + price));
        bus::publish("orders/new", format!("average {word} {price}").as_bytes())?;
        Ok(word.into())
    }
    fn shutdown() {}
    fn get_state() -> Result<State, Failure> {
        let (count, sum) = SEEN.get();
        Ok(State { schema: 1, data: format!("{count} {sum}").into_bytes() })
    }
    fn restore_state(state: State) -> Result<(), Failure> {
        let [count, sum] = numbers(&state.data).ok_or(failure(FailureCode::Schema, "two numbers were expected"))?;
        SEEN.set((count, sum));
        Ok(())
    }
}

export!(Strategy);
