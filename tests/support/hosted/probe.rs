//! A module that does what a test tells it, the hostile things included. It counts the messages `seq/…` of each sender,
//! whose payloads are numbers that must come one after another, and keeps what it saw in its state.

use std::cell::RefCell;
use std::collections::BTreeMap;

wit_bindgen::generate!({ path: "../../../../meldpy/host/wit", world: "hosted-module" });

use exports::meld::host::module::{Capabilities, Envelope, Failure, Guest, State};
use meld::host::types::FailureCode;
use meld::host::{bus, clock, jobs, kv, log};

#[derive(Default, Clone)]
struct Seen {
    /// By sender: the last number, how many came, how many were not the one after the last, how many came again.
    senders: BTreeMap<String, [u64; 4]>,
    config: String,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

struct Probe;

fn failure(code: FailureCode, text: &str) -> Failure {
    Failure { code, text: text.into() }
}

fn number(payload: &[u8]) -> Result<u64, Failure> {
    let text = std::str::from_utf8(payload).unwrap_or("");
    text.parse().map_err(|_| failure(FailureCode::Argument, "a number was expected"))
}

fn has(word: &str) -> bool {
    SEEN.with_borrow(|seen| seen.config.contains(word))
}

fn encoded() -> Vec<u8> {
    let lines = SEEN.with_borrow(|seen| {
        let rows = seen.senders.iter().map(|(name, [last, count, gaps, again])| format!("{name} {last} {count} {gaps} {again}"));
        rows.collect::<Vec<_>>()
    });
    lines.join("\n").into_bytes()
}

fn decode(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    SEEN.with_borrow_mut(|seen| {
        seen.senders.clear();
        for line in text.lines() {
            let mut parts: Vec<&str> = line.split(' ').collect();
            let numbers = parts.split_off(1);
            let row: Vec<u64> = numbers.iter().map(|n| n.parse().unwrap()).collect();
            seen.senders.insert(parts[0].into(), row.try_into().unwrap());
        }
    });
}

fn overflow(depth: u64) -> u64 {
    let block = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + block[(depth % 64) as usize]
}

fn count(message: &Envelope) -> Result<(), Failure> {
    let n = number(&message.payload)?;
    SEEN.with_borrow_mut(|seen| {
        let [last, count, gaps, again] = seen.senders.entry(format!("<{}>", message.sender)).or_default();
        if n <= *last {
            *again += 1;
        } else {
            *gaps += u64::from(n != *last + 1);
            *last = n;
        }
        *count += 1;
    });
    Ok(())
}

impl Guest for Probe {
    fn initialize(config: String) -> Result<(), Failure> {
        SEEN.with_borrow_mut(|seen| seen.config = config);
        match () {
            _ if has("trap-at-start") => panic!("as configured"),
            _ if has("fail-at-start") => Err(failure(FailureCode::Failed, "as configured")),
            _ => Ok(()),
        }
    }

    fn get_capabilities() -> Capabilities {
        let mut commands: Vec<String> = vec!["echo".into(), "seen".into(), "trap".into()];
        if has("health") {
            commands.push("health".into());
        }
        Capabilities {
            commands,
            topics: vec!["seq/*".into(), "poison".into(), "relay/*".into(), "slow".into()],
            state_schema: (!has("stateless")).then_some(if has("schema-2") { 2 } else { 1 }),
        }
    }

    fn execute(command: String, payload: Vec<u8>) -> Result<Vec<u8>, Failure> {
        match command.as_str() {
            "echo" => Ok(payload),
            "seen" => Ok(encoded()),
            "health" if has("ill") => Err(failure(FailureCode::Failed, "not well")),
            "health" => Ok(vec![]),
            "fail" => Err(failure(FailureCode::Failed, "as asked")),
            "trap" => panic!("as asked"),
            "spin" => loop {
                std::hint::black_box(0);
            },
            "overflow" => Ok(overflow(0).to_string().into_bytes()),
            "bomb" => {
                let mut all = Vec::new();
                loop {
                    all.push(std::hint::black_box(vec![1u8; 1 << 20]));
                }
            }
            "work" => {
                let mut sum = 0u64;
                for i in 0..number(&payload)? {
                    sum = std::hint::black_box(sum.wrapping_mul(31) + i);
                }
                Ok(sum.to_string().into_bytes())
            }
            "publish" => bus::publish(&String::from_utf8_lossy(&payload), b"1").map(|()| vec![]),
            "flood" => {
                let mut sent = 0u64;
                while bus::publish("seq/flood", (sent + 1).to_string().as_bytes()).is_ok() {
                    sent += 1;
                }
                Ok(sent.to_string().into_bytes())
            }
            "ask" => bus::request(&String::from_utf8_lossy(&payload), "seen", b"", 1000),
            "set" => kv::set("key", &payload).map(|()| vec![]),
            "get" => kv::get("key").map(Option::unwrap_or_default),
            "keys" => kv::keys("").map(|keys| keys.join(",").into_bytes()),
            "clock" => Ok(clock::now().to_string().into_bytes()),
            "log" => {
                log::log(log::Level::Warn, &String::from_utf8_lossy(&payload));
                Ok(vec![])
            }
            "count-to" => {
                let total = number(&payload)?;
                let mut at = jobs::last_checkpoint().map_or(Ok(0), |kept| number(&kept))?;
                jobs::log_line(&format!("from {at}"));
                while at < total {
                    if jobs::is_cancelled() {
                        return Err(failure(FailureCode::Cancelled, "as asked"));
                    }
                    at += 1;
                    jobs::report_progress(at, total, "counting");
                    jobs::checkpoint(at.to_string().as_bytes())?;
                }
                jobs::metric("counted", at as f64);
                Ok(at.to_string().into_bytes())
            }
            "read" => {
                let path = String::from_utf8_lossy(&payload).into_owned();
                std::fs::read(&path).map_err(|error| failure(FailureCode::Failed, &error.to_string()))
            }
            "write" => {
                let path = String::from_utf8_lossy(&payload).into_owned();
                std::fs::write(&path, "written").map_err(|error| failure(FailureCode::Failed, &error.to_string()))?;
                Ok(vec![])
            }
            "copy-large" => {
                let path = String::from_utf8_lossy(&payload).into_owned();
                let data = std::fs::read(&path).map_err(|error| failure(FailureCode::Failed, &error.to_string()))?;
                let out = format!("{path}.out");
                std::fs::write(&out, data).map_err(|error| failure(FailureCode::Failed, &error.to_string()))?;
                Ok(out.into_bytes())
            }
            "link" => {
                let path = String::from_utf8_lossy(&payload).into_owned();
                let (from, to) = path.split_once('\n').unwrap();
                std::fs::hard_link(from, to).map_err(|error| failure(FailureCode::Failed, &error.to_string()))?;
                Ok(vec![])
            }
            "environment" => {
                let all: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
                Ok(all.join("\n").into_bytes())
            }
            "connect" => {
                let address = String::from_utf8_lossy(&payload).into_owned();
                std::net::TcpStream::connect(address).map_err(|error| failure(FailureCode::Failed, &error.to_string()))?;
                Ok(vec![])
            }
            _ => Err(failure(FailureCode::Argument, "unknown command")),
        }
    }

    fn handle_message(message: Envelope) -> Result<Vec<u8>, Failure> {
        if message.topic.starts_with("seq/") {
            count(&message)?;
            if has("relay-all") {
                bus::publish("relay/seq", &message.payload)?;
            }
            return Ok(encoded());
        }
        match message.topic.as_str() {
            "seen" => Ok(encoded()),
            "poison" => panic!("as sent"),
            "refuse" => Err(failure(FailureCode::Argument, "as sent")),
            "slow" => {
                let mut sum = 0u64;
                for i in 0..number(&message.payload)? {
                    sum = std::hint::black_box(sum.wrapping_mul(31) + i);
                }
                Ok(sum.to_string().into_bytes())
            }
            "relay/seq" => count(&message).map(|()| vec![]),
            "ask" => bus::request(&String::from_utf8_lossy(&message.payload), "seen", b"", 1000),
            _ => Err(failure(FailureCode::Argument, "unknown topic")),
        }
    }

    fn shutdown() {
        if has("trap-at-end") {
            panic!("as configured");
        }
    }

    fn get_state() -> Result<State, Failure> {
        match () {
            _ if has("trap-at-get-state") => panic!("as configured"),
            _ if has("fail-at-get-state") => Err(failure(FailureCode::Failed, "as configured")),
            _ => Ok(State { schema: if has("schema-2") { 2 } else { 1 }, data: encoded() }),
        }
    }

    fn restore_state(state: State) -> Result<(), Failure> {
        match () {
            _ if has("trap-at-restore") => panic!("as configured"),
            _ if has("spin-at-restore") => loop {
                std::hint::black_box(0);
            },
            _ if has("schema-2-only") && state.schema != 2 => Err(failure(FailureCode::Schema, "only schema 2")),
            _ => {
                decode(&state.data);
                Ok(())
            }
        }
    }
}

export!(Probe);
