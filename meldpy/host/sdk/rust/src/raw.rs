//! `meld_module.h` in Rust's words: its numbers and structs, in its order. Nothing is decided here.
//!
//! A test compiles the header and compares every size and offset.

use core::ffi::{c_char, c_void};

pub const MAJOR: u32 = 1;
pub const MINOR: u32 = 0;
pub const MAGIC: u32 = 0x444C_454D;

pub const OK: i32 = 0;
pub const E_PANIC: i32 = 100;
pub const MESSAGE_WANTS_REPLY: u32 = 1;
pub const MODULE_KEEPS_STATE: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Head {
    pub magic: u32,
    pub major: u32,
    pub minor: u32,
    pub size: u32,
}

impl Head {
    pub const fn of<T>() -> Head {
        Head { magic: MAGIC, major: MAJOR, minor: MINOR, size: core::mem::size_of::<T>() as u32 }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub ptr: *const u8,
    pub len: u64,
}

#[repr(C)]
pub struct Owned {
    pub ptr: *mut u8,
    pub len: u64,
    pub ctx: *mut c_void,
    pub drop: Option<unsafe extern "C" fn(*mut c_void)>,
}

#[repr(C)]
pub struct Error {
    pub size: u32,
    pub capacity: u32,
    pub length: u32,
    pub reserved: u32,
    pub text: *mut c_char,
}

#[repr(C)]
pub struct Message {
    pub size: u32,
    pub version: u32,
    pub id: u64,
    pub topic: Bytes,
    pub sender: Bytes,
    pub payload: Bytes,
    pub attempt: u32,
    pub flags: u32,
}

type Ctx = *mut c_void;
pub type OneText = unsafe extern "C" fn(Ctx, Bytes, *mut Error) -> i32;
pub type TwoTexts = unsafe extern "C" fn(Ctx, Bytes, Bytes, *mut Error) -> i32;
pub type Visit = unsafe extern "C" fn(*mut c_void, Bytes);

#[repr(C)]
pub struct Host {
    pub head: Head,
    pub ctx: Ctx,
    pub log: unsafe extern "C" fn(Ctx, i32, Bytes),
    pub extension: unsafe extern "C" fn(Ctx, *const c_char) -> *const c_void,
}

#[repr(C)]
pub struct Bus {
    pub head: Head,
    pub publish: TwoTexts,
    pub send: unsafe extern "C" fn(Ctx, Bytes, Bytes, Bytes, *mut Error) -> i32,
    pub request: unsafe extern "C" fn(Ctx, Bytes, Bytes, Bytes, u64, *mut Owned, *mut Error) -> i32,
}

#[repr(C)]
pub struct Jobs {
    pub head: Head,
    pub report_progress: unsafe extern "C" fn(Ctx, u64, u64, Bytes, *mut Error) -> i32,
    pub checkpoint: OneText,
    pub last_checkpoint: unsafe extern "C" fn(Ctx, *mut Owned, *mut i32, *mut Error) -> i32,
    pub is_cancelled: unsafe extern "C" fn(Ctx, *mut i32, *mut Error) -> i32,
    pub log_line: OneText,
    pub metric: unsafe extern "C" fn(Ctx, Bytes, f64, *mut Error) -> i32,
}

#[repr(C)]
pub struct Kv {
    pub head: Head,
    pub get: unsafe extern "C" fn(Ctx, Bytes, *mut Owned, *mut i32, *mut Error) -> i32,
    pub set: TwoTexts,
    pub remove: OneText,
    pub keys: unsafe extern "C" fn(Ctx, Bytes, Visit, *mut c_void, *mut Error) -> i32,
}

#[repr(C)]
pub struct Clock {
    pub head: Head,
    pub now: unsafe extern "C" fn(Ctx) -> u64,
    pub monotonic: unsafe extern "C" fn(Ctx) -> u64,
}

pub type Instance = c_void;

#[repr(C)]
pub struct Module {
    pub head: Head,
    pub name: *const c_char,
    pub version: *const c_char,
    pub built_with: *const c_char,
    pub commands: *const *const c_char,
    pub topics: *const *const c_char,
    pub flags: u32,
    pub state_schema: u32,
    pub create: unsafe extern "C" fn(*const Host, Bytes, *mut *mut Instance, *mut Error) -> i32,
    pub destroy: unsafe extern "C" fn(*mut Instance),
    pub execute: unsafe extern "C" fn(*mut Instance, Bytes, Bytes, *mut Owned, *mut Error) -> i32,
    pub handle_message: Option<unsafe extern "C" fn(*mut Instance, *const Message, *mut Owned, *mut Error) -> i32>,
    pub get_state: Option<unsafe extern "C" fn(*mut Instance, *mut Owned, *mut Error) -> i32>,
    pub restore_state: Option<unsafe extern "C" fn(*mut Instance, u32, Bytes, *mut Error) -> i32>,
    pub extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
}

/// The table holds static texts and functions only.
unsafe impl Sync for Module {}

/// Static texts with a null behind the last, as a static.
#[repr(transparent)]
pub struct Texts<const N: usize>(pub [*const c_char; N]);
unsafe impl<const N: usize> Sync for Texts<N> {}
