//! Native modules for hosts made with meldpy, in Rust without unsafe code.
//!
//! Implement [`Module`] (and [`KeepsState`], if what it knows should outlive a reload) and name the type in
//! [`export!`]; build a `cdylib`. `examples/tally.rs` is one. The host runs it in a process of its own; what the header
//! `meld_module.h` says of ownership and threads is kept here by types, or checked by the host.

#![allow(unsafe_op_in_unsafe_fn)]

mod bytes;
#[doc(hidden)]
pub mod export;
mod host;
#[doc(hidden)]
pub mod raw;

pub use host::{Bus, Clock, Host, Jobs, Kv};

/// What a failure means to whoever asked; the words of `meld:host/types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// It was tried, and did not work.
    Failed = 1,
    /// The command, topic or payload is not what the callee understands.
    Argument = 2,
    /// Not now: in this state of its life, or on this thread, the callee cannot do that.
    State = 3,
    /// Somebody asked for an end.
    Cancelled = 4,
    /// The callee never does that.
    Unsupported = 5,
    /// The state to restore has a schema that the module does not know.
    Schema = 6,
    /// The caller was not granted that.
    Denied = 7,
    /// The receiver's mailbox is full.
    Busy = 8,
    /// No answer in time.
    Timeout = 9,
}

impl Code {
    /// What a number of the header means; one that is not known is a failure.
    pub fn from_number(number: i32) -> Code {
        use Code::*;
        let all = [Failed, Argument, State, Cancelled, Unsupported, Schema, Denied, Busy, Timeout];
        all.into_iter().find(|code| *code as i32 == number).unwrap_or(Failed)
    }
}

/// Why something did not work, with words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: Code,
    pub text: String,
}

impl Failure {
    pub fn new(code: Code, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into() }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, to: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(to, "{:?}: {}", self.code, self.text)
    }
}

impl std::error::Error for Failure {}

pub type Result<T> = core::result::Result<T, Failure>;

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Level {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// A message as its receiver sees it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'call> {
    /// Unique among the messages of one host, the same when a message is delivered again.
    pub id: u64,
    pub topic: &'call str,
    /// Empty for the program around the host.
    pub sender: &'call str,
    pub payload: &'call [u8],
    /// 1 at the first delivery.
    pub attempt: u32,
    pub wants_reply: bool,
}

/// What a host calls, one call at a time. A panic ends the process, and is a failed call to the host.
pub trait Module: Sized + 'static {
    /// The first call; `config` is a JSON object.
    fn create(host: Host, config: &str) -> Result<Self>;

    fn execute(&mut self, command: &str, payload: &[u8]) -> Result<Vec<u8>>;

    /// The result is for whoever waits, if somebody does.
    fn handle_message(&mut self, message: &Message<'_>) -> Result<Vec<u8>> {
        Err(Failure::new(Code::Unsupported, format!("no messages are taken, not of {} either", message.topic)))
    }

    /// The last call.
    fn shutdown(self) {}
}

/// A module whose knowledge is handed to the version that comes after it.
pub trait KeepsState: Module {
    /// In the schema that `export!` names.
    fn state(&mut self) -> Result<Vec<u8>>;

    /// After `create`, before all else. `Code::Schema` says that it cannot be: the old version goes on.
    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<()>;
}

/// Tells a host why it is not served.
///
/// # Safety
/// `why` is null or the place that the host provided, and `text` is static.
#[doc(hidden)]
pub unsafe fn refuse(why: *mut *const core::ffi::c_char, text: *const core::ffi::c_char) {
    if !why.is_null() {
        *why = text;
    }
}
