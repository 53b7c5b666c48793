//! A module that adds numbers: those of messages into a total that it keeps, those of a payload as a job.
//!
//! The same as `c/examples/tally.c`, with the same state. `cargo build --release --example tally`

#![forbid(unsafe_code)]

use meld_module::{Code, Failure, Host, KeepsState, Level, Message, Module, Result};

struct Tally {
    host: Host,
    total: u64,
}

fn parse(text: &[u8]) -> Result<u64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|each| each.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Failure::new(Code::Argument, "not a number"))
}

impl Tally {
    /// The sum of the payload's bytes. As a job it goes on from its checkpoint, which is "PLACE SUM".
    fn sum(&self, payload: &[u8]) -> Result<Vec<u8>> {
        const STEP: usize = 4096;
        let (mut place, mut sum) = (0usize, 0u64);
        let jobs = self.host.jobs();
        if let Some(kept) = jobs.map(|jobs| jobs.last_checkpoint()).transpose()?.flatten() {
            let kept = String::from_utf8_lossy(&kept).into_owned();
            let numbers = kept.split_once(' ').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            (place, sum) = numbers.ok_or_else(|| Failure::new(Code::State, "a checkpoint of another version"))?;
        }
        while place < payload.len() {
            let end = payload.len().min(place + STEP);
            sum += payload[place..end].iter().map(|&each| u64::from(each)).sum::<u64>();
            place = end;
            let Some(jobs) = jobs else { continue };
            jobs.report_progress(place as u64, payload.len() as u64, "adding")?;
            if jobs.is_cancelled()? {
                return Err(Failure::new(Code::Cancelled, format!("after {place} bytes")));
            }
            match jobs.checkpoint(format!("{place} {sum}").as_bytes()) {
                // outside a job there is nothing to keep it in, which is no reason to fail
                Err(failure) if failure.code != Code::State => return Err(failure),
                _ => {}
            }
        }
        Ok(sum.to_string().into_bytes())
    }
}

impl Module for Tally {
    fn create(host: Host, _config: &str) -> Result<Tally> {
        host.log(Level::Info, "counting from 0");
        Ok(Tally { host, total: 0 })
    }

    fn execute(&mut self, command: &str, payload: &[u8]) -> Result<Vec<u8>> {
        match command {
            "total" => Ok(self.total.to_string().into_bytes()),
            "sum" => self.sum(payload),
            _ => Err(Failure::new(Code::Unsupported, format!("no command {command}"))),
        }
    }

    fn handle_message(&mut self, message: &Message<'_>) -> Result<Vec<u8>> {
        let total = self.total.checked_add(parse(message.payload)?);
        self.total = total.ok_or_else(|| Failure::new(Code::Failed, "the total would be too large"))?;
        Ok(if message.wants_reply { self.total.to_string().into_bytes() } else { Vec::new() })
    }
}

impl KeepsState for Tally {
    fn state(&mut self) -> Result<Vec<u8>> {
        Ok(self.total.to_string().into_bytes())
    }

    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<()> {
        if schema != 1 {
            return Err(Failure::new(Code::Schema, format!("schema {schema} is not mine")));
        }
        self.total = parse(state)?;
        Ok(())
    }
}

meld_module::export!(
    Tally,
    name: "tally",
    version: "0.1.0",
    commands: ["total", "sum"],
    topics: ["numbers/*"],
    state: 1,
);
