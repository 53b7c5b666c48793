//! The functions of the table, one set for each type that is a `Module`, and the macro that makes the table.
//!
//! A panic stops here and becomes `MELD_E_PANIC`, after which the host ends the process: nothing can be said of a value
//! that was being changed when its code panicked.

use crate::bytes::{give, put_error, slice, text};
use crate::raw;
use crate::{Failure, Host, KeepsState, Message, Module, Result};
use core::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

fn words(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else {
        panic.downcast_ref::<String>().map_or("a panic without a text", String::as_str)
    }
}

/// Runs what a call does; its failure or panic becomes a code and a text.
unsafe fn guarded(error: *mut raw::Error, call: impl FnOnce() -> Result<()>) -> i32 {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => raw::OK,
        Ok(Err(Failure { code, text })) => {
            put_error(error, &text);
            code as i32
        }
        Err(panic) => {
            put_error(error, words(&*panic));
            raw::E_PANIC
        }
    }
}

/// # Safety
/// Called by the host as the header says; so for all that follow.
pub unsafe extern "C" fn create<M: Module>(
    host: *const raw::Host,
    config: raw::Bytes,
    out: *mut *mut raw::Instance,
    error: *mut raw::Error,
) -> i32 {
    guarded(error, || {
        let module = M::create(Host::new(host), text(config)?)?;
        *out = Box::into_raw(Box::new(module)) as *mut raw::Instance;
        Ok(())
    })
}

/// # Safety
/// As for `create`.
pub unsafe extern "C" fn destroy<M: Module>(instance: *mut raw::Instance) {
    // a panic has nowhere to be told, and the process ends after this anyway
    let _ = catch_unwind(AssertUnwindSafe(|| Box::from_raw(instance as *mut M).shutdown()));
}

/// # Safety
/// As for `create`.
pub unsafe extern "C" fn execute<M: Module>(
    instance: *mut raw::Instance,
    command: raw::Bytes,
    payload: raw::Bytes,
    out: *mut raw::Owned,
    error: *mut raw::Error,
) -> i32 {
    let module = &mut *(instance as *mut M);
    guarded(error, || {
        give(out, module.execute(text(command)?, slice(payload))?);
        Ok(())
    })
}

/// # Safety
/// As for `create`.
pub unsafe extern "C" fn handle_message<M: Module>(
    instance: *mut raw::Instance,
    message: *const raw::Message,
    out: *mut raw::Owned,
    error: *mut raw::Error,
) -> i32 {
    let module = &mut *(instance as *mut M);
    let raw = &*message;
    guarded(error, || {
        let message = Message {
            id: raw.id,
            topic: text(raw.topic)?,
            sender: text(raw.sender)?,
            payload: slice(raw.payload),
            attempt: raw.attempt,
            wants_reply: raw.flags & raw::MESSAGE_WANTS_REPLY != 0,
        };
        give(out, module.handle_message(&message)?);
        Ok(())
    })
}

/// # Safety
/// As for `create`.
pub unsafe extern "C" fn get_state<M: KeepsState>(
    instance: *mut raw::Instance,
    out: *mut raw::Owned,
    error: *mut raw::Error,
) -> i32 {
    let module = &mut *(instance as *mut M);
    guarded(error, || {
        give(out, module.state()?);
        Ok(())
    })
}

/// # Safety
/// As for `create`.
pub unsafe extern "C" fn restore_state<M: KeepsState>(
    instance: *mut raw::Instance,
    schema: u32,
    state: raw::Bytes,
    error: *mut raw::Error,
) -> i32 {
    let module = &mut *(instance as *mut M);
    guarded(error, || module.restore(schema, slice(state)))
}

/// Makes a type the module of this library: its table, and the one symbol that hosts look for.
///
/// ```
/// # struct Echo;
/// # impl meld_module::Module for Echo {
/// #     fn create(_: meld_module::Host, _: &str) -> meld_module::Result<Echo> { Ok(Echo) }
/// #     fn execute(&mut self, _: &str, payload: &[u8]) -> meld_module::Result<Vec<u8>> { Ok(payload.to_vec()) }
/// # }
/// meld_module::export!(Echo, name: "echo", version: "0.1.0", commands: ["echo"], topics: []);
/// ```
///
/// With `state: 1` at the end the type has to be `KeepsState`, and 1 is the schema of its state.
#[macro_export]
macro_rules! export {
    ($module:ty, name: $name:literal, version: $version:literal, commands: [$($command:literal),* $(,)?],
     topics: [$($topic:literal),* $(,)?] $(, state: $schema:literal)? $(,)?) => {
        #[no_mangle]
        pub extern "C" fn meld_module_entry(
            major: u32,
            _minor: u32,
            why: *mut *const ::core::ffi::c_char,
        ) -> *const $crate::raw::Module {
            use $crate::raw;
            const fn text(of: &'static str) -> *const ::core::ffi::c_char {
                of.as_ptr() as *const ::core::ffi::c_char
            }
            static COMMANDS: raw::Texts<{ 1 + $crate::count!($($command)*) }> =
                raw::Texts([$(text(concat!($command, "\0")),)* ::core::ptr::null()]);
            static TOPICS: raw::Texts<{ 1 + $crate::count!($($topic)*) }> =
                raw::Texts([$(text(concat!($topic, "\0")),)* ::core::ptr::null()]);
            #[allow(unused_mut)]
            static TABLE: raw::Module = {
                let mut table = raw::Module {
                    head: raw::Head::of::<raw::Module>(),
                    name: text(concat!($name, "\0")),
                    version: text(concat!($version, "\0")),
                    built_with: text(concat!("Rust with meld-module ", $crate::version!(), "\0")),
                    commands: COMMANDS.0.as_ptr(),
                    topics: TOPICS.0.as_ptr(),
                    flags: 0,
                    state_schema: 0,
                    create: $crate::export::create::<$module>,
                    destroy: $crate::export::destroy::<$module>,
                    execute: $crate::export::execute::<$module>,
                    handle_message: Some($crate::export::handle_message::<$module>),
                    get_state: None,
                    restore_state: None,
                    extension: None,
                };
                $(
                    table.flags = raw::MODULE_KEEPS_STATE;
                    table.state_schema = $schema;
                    table.get_state = Some($crate::export::get_state::<$module>);
                    table.restore_state = Some($crate::export::restore_state::<$module>);
                )?
                table
            };
            if major == raw::MAJOR {
                return &TABLE;
            }
            unsafe { $crate::refuse(why, text("this module was built with version 1 of meld_module.h\0")) };
            ::core::ptr::null()
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! count {
    () => { 0 };
    ($first:literal $($rest:literal)*) => { 1 + $crate::count!($($rest)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! version {
    () => {
        "0.1.0"
    };
}
