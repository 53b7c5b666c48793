//! The table that `export!` makes, used as a host uses it, with a host that answers from memory.

use meld_module::raw;
use meld_module::{Code, Failure, Host, KeepsState, Level, Message, Module, Result};
use std::cell::RefCell;
use std::ffi::{c_char, c_void, CStr};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

static SHUT_DOWN: AtomicU32 = AtomicU32::new(0);

struct Probe {
    host: Host,
    kept: Vec<u8>,
}

impl Module for Probe {
    fn create(host: Host, config: &str) -> Result<Probe> {
        host.log(Level::Warn, config);
        match config {
            "fail" => Err(Failure::new(Code::Argument, "no good")),
            "panic" => panic!("created badly"),
            _ => Ok(Probe { host, kept: Vec::new() }),
        }
    }

    fn execute(&mut self, command: &str, payload: &[u8]) -> Result<Vec<u8>> {
        match command {
            "echo" => Ok(payload.to_vec()),
            "panic" => panic!("at {}", payload.len()),
            "long" => Err(Failure::new(Code::Busy, "é".repeat(100))),
            "get" => {
                let kv = self.host.kv().ok_or_else(|| Failure::new(Code::Denied, "no kv"))?;
                kv.set("key", payload)?;
                assert_eq!(kv.keys("")?, ["key", "kez"]);
                Ok(kv.get("key")?.unwrap_or_default())
            }
            "bus" => Err(Failure::new(Code::Denied, format!("{}", self.host.bus().is_some()))),
            _ => Err(Failure::new(Code::Unsupported, command)),
        }
    }

    fn handle_message(&mut self, message: &Message<'_>) -> Result<Vec<u8>> {
        Ok(format!("{message:?}").into_bytes())
    }

    fn shutdown(self) {
        SHUT_DOWN.fetch_add(1, Ordering::SeqCst);
    }
}

impl KeepsState for Probe {
    fn state(&mut self) -> Result<Vec<u8>> {
        Ok(self.kept.clone())
    }

    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<()> {
        assert_eq!(schema, 7, "only schema 7");
        self.kept = state.to_vec();
        Ok(())
    }
}

meld_module::export!(Probe, name: "probe", version: "1.2.3", commands: ["echo", "panic"], topics: ["a/*"], state: 7);

// ---- a host ----
thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static VALUE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}
static DROPPED: AtomicU32 = AtomicU32::new(0);

unsafe fn bytes(of: raw::Bytes) -> Vec<u8> {
    if of.len == 0 { Vec::new() } else { std::slice::from_raw_parts(of.ptr, of.len as usize).to_vec() }
}
unsafe extern "C" fn log(_: *mut c_void, level: i32, text: raw::Bytes) {
    LOG.with_borrow_mut(|log| log.push(format!("{level} {}", String::from_utf8(bytes(text)).unwrap())));
}
unsafe extern "C" fn dropped(ctx: *mut c_void) {
    drop(Box::from_raw(ctx as *mut Vec<u8>));
    DROPPED.fetch_add(1, Ordering::SeqCst);
}
unsafe extern "C" fn get(
    _: *mut c_void, _key: raw::Bytes, out: *mut raw::Owned, found: *mut i32, _: *mut raw::Error,
) -> i32 {
    let mut value = Box::new(VALUE.with_borrow(Vec::clone));
    *found = 1;
    let (ptr, len) = (value.as_mut_ptr(), value.len() as u64);
    *out = raw::Owned { ptr, len, ctx: Box::into_raw(value) as *mut c_void, drop: Some(dropped) };
    0
}
unsafe extern "C" fn set(_: *mut c_void, _key: raw::Bytes, value: raw::Bytes, error: *mut raw::Error) -> i32 {
    if value.len > 10 {
        let text = b"too long";
        std::ptr::copy_nonoverlapping(text.as_ptr(), (*error).text as *mut u8, text.len());
        (*error).length = text.len() as u32;
        return Code::Busy as i32;
    }
    VALUE.with_borrow_mut(|kept| *kept = bytes(value));
    0
}
unsafe extern "C" fn remove(_: *mut c_void, _: raw::Bytes, _: *mut raw::Error) -> i32 {
    77
}
unsafe extern "C" fn keys(
    _: *mut c_void, _: raw::Bytes, visit: raw::Visit, visitor: *mut c_void, _: *mut raw::Error,
) -> i32 {
    for key in ["key", "kez"] {
        visit(visitor, raw::Bytes { ptr: key.as_ptr(), len: 3 });
    }
    0
}
static KV: raw::Kv = raw::Kv { head: raw::Head::of::<raw::Kv>(), get, set, remove, keys };
static SHORT_BUS: raw::Head = raw::Head { magic: raw::MAGIC, major: 1, minor: 0, size: 16 };
unsafe extern "C" fn extension(_: *mut c_void, id: *const c_char) -> *const c_void {
    match CStr::from_ptr(id).to_bytes() {
        b"meld.kv/1" => &KV as *const raw::Kv as *const c_void,
        b"meld.bus/1" => &SHORT_BUS as *const raw::Head as *const c_void,
        _ => null(),
    }
}

fn host() -> &'static raw::Host {
    Box::leak(Box::new(raw::Host { head: raw::Head::of::<raw::Host>(), ctx: null_mut(), log, extension }))
}
fn lend(text: &[u8]) -> raw::Bytes {
    raw::Bytes { ptr: text.as_ptr(), len: text.len() as u64 }
}
fn table() -> &'static raw::Module {
    let mut why = null();
    unsafe { &*meld_module_entry(1, 0, &mut why) }
}

/// A code with its text, or what was given, dropped as its owner wants.
fn called(call: impl FnOnce(*mut raw::Owned, *mut raw::Error) -> i32) -> std::result::Result<Vec<u8>, (i32, String)> {
    let mut room = [0u8; 32];
    let mut error = raw::Error { size: 32, capacity: 31, length: 0, reserved: 0, text: room.as_mut_ptr() as *mut c_char };
    let mut out = raw::Owned { ptr: null_mut(), len: 0, ctx: null_mut(), drop: None };
    let code = call(&mut out, &mut error);
    if code != 0 {
        return Err((code, String::from_utf8(room[..error.length as usize].to_vec()).unwrap()));
    }
    let given = unsafe { bytes(raw::Bytes { ptr: out.ptr, len: out.len }) };
    if let Some(drop) = out.drop {
        unsafe { drop(out.ctx) };
    }
    Ok(given)
}

fn created(config: &str) -> std::result::Result<*mut c_void, (i32, String)> {
    let mut instance = null_mut();
    called(|_, error| unsafe { (table().create)(host(), lend(config.as_bytes()), &mut instance, error) })?;
    Ok(instance)
}

fn execute(instance: *mut c_void, command: &str, payload: &[u8]) -> std::result::Result<Vec<u8>, (i32, String)> {
    called(|out, error| unsafe { (table().execute)(instance, lend(command.as_bytes()), lend(payload), out, error) })
}

#[test]
fn the_table_says_what_export_was_told() {
    let text = |of| unsafe { CStr::from_ptr(of) }.to_str().unwrap();
    let table = table();
    assert_eq!((text(table.name), text(table.version)), ("probe", "1.2.3"));
    assert!(text(table.built_with).starts_with("Rust with meld-module"));
    let commands = unsafe { std::slice::from_raw_parts(table.commands, 3) };
    assert_eq!((text(commands[0]), text(commands[1]), commands[2]), ("echo", "panic", null()));
    assert_eq!((table.flags, table.state_schema), (raw::MODULE_KEEPS_STATE, 7));
    let mut why = null();
    assert!(meld_module_entry(2, 0, &mut why).is_null());
    assert!(text(why).contains("version 1"));
    assert!(meld_module_entry(2, 0, null_mut()).is_null());
}

#[test]
fn a_life_from_create_to_shutdown() {
    let instance = created("{}").unwrap();
    assert_eq!(LOG.with_borrow(|log| log.last().unwrap().clone()), "3 {}");
    assert_eq!(execute(instance, "echo", b"abc").unwrap(), b"abc");
    assert_eq!(execute(instance, "echo", b"").unwrap(), b"");
    assert_eq!(execute(instance, "what", b""), Err((5, "what".into())));
    assert_eq!(execute(instance, "long", b""), Err((8, "é".repeat(15))));
    let state = table().restore_state.unwrap();
    called(|_, error| unsafe { state(instance, 7, lend(b"kept"), error) }).unwrap();
    let kept = called(|out, error| unsafe { table().get_state.unwrap()(instance, out, error) });
    assert_eq!(kept.unwrap(), b"kept");
    let message = raw::Message {
        size: std::mem::size_of::<raw::Message>() as u32,
        version: 1, id: 9, topic: lend(b"a/b"), sender: lend(b""), payload: lend(b"\x01"), attempt: 2, flags: 1,
    };
    let reply = called(|out, error| unsafe { table().handle_message.unwrap()(instance, &message, out, error) });
    let said = r#"Message { id: 9, topic: "a/b", sender: "", payload: [1], attempt: 2, wants_reply: true }"#;
    assert_eq!(String::from_utf8(reply.unwrap()).unwrap(), said);
    let before = SHUT_DOWN.load(Ordering::SeqCst);
    unsafe { (table().destroy)(instance) };
    assert_eq!(SHUT_DOWN.load(Ordering::SeqCst), before + 1);
}

#[test]
fn failures_and_panics_are_codes() {
    assert_eq!(created("fail"), Err((2, "no good".into())));
    assert_eq!(created("panic"), Err((raw::E_PANIC, "created badly".into())));
    let instance = created("{}").unwrap();
    assert_eq!(execute(instance, "panic", b"12"), Err((raw::E_PANIC, "at 2".into())));
    let not_text = called(|out, error| unsafe { (table().execute)(instance, lend(b"\xff"), lend(b""), out, error) });
    assert_eq!(not_text, Err((2, "a text is not UTF-8".into())));
}

#[test]
fn what_the_host_lends() {
    let instance = created("{}").unwrap();
    let before = DROPPED.load(Ordering::SeqCst);
    assert_eq!(execute(instance, "get", b"value").unwrap(), b"value");
    assert_eq!(DROPPED.load(Ordering::SeqCst), before + 1);
    assert_eq!(execute(instance, "get", b"much too long"), Err((8, "too long".into())));
    // a table that is shorter than the one known here is none
    assert_eq!(execute(instance, "bus", b""), Err((7, "false".into())));
}
