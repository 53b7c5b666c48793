//! Bytes and errors at the border: what is borrowed becomes a slice for the call, what is owned a `Vec`.

use crate::raw;
use crate::{Code, Failure};
use core::ffi::c_void;

/// Borrowed bytes as a slice.
///
/// # Safety
/// `bytes` is as the header says, and the slice is not kept beyond the call.
pub unsafe fn slice<'call>(bytes: raw::Bytes) -> &'call [u8] {
    if bytes.ptr.is_null() || bytes.len == 0 {
        return &[];
    }
    core::slice::from_raw_parts(bytes.ptr, bytes.len as usize)
}

/// Borrowed text as a string.
///
/// # Safety
/// As for `slice`.
pub unsafe fn text<'call>(bytes: raw::Bytes) -> Result<&'call str, Failure> {
    core::str::from_utf8(slice(bytes)).map_err(|_| Failure::new(Code::Argument, "a text is not UTF-8"))
}

/// Something of ours, lent to the host.
pub fn lend(bytes: &[u8]) -> raw::Bytes {
    raw::Bytes { ptr: bytes.as_ptr(), len: bytes.len() as u64 }
}

unsafe extern "C" fn drop_vec(ctx: *mut c_void) {
    drop(Box::from_raw(ctx as *mut Vec<u8>));
}

/// Gives a `Vec` away; whoever has it calls `drop_vec`.
///
/// # Safety
/// `out` is the place that the host provided for a result.
pub unsafe fn give(out: *mut raw::Owned, bytes: Vec<u8>) {
    let mut boxed = Box::new(bytes);
    let (ptr, len) = (boxed.as_mut_ptr(), boxed.len() as u64);
    out.write(raw::Owned { ptr, len, ctx: Box::into_raw(boxed) as *mut c_void, drop: Some(drop_vec) });
}

/// Room for what the host gives.
pub fn nothing() -> raw::Owned {
    raw::Owned { ptr: core::ptr::null_mut(), len: 0, ctx: core::ptr::null_mut(), drop: None }
}

/// What the host gave, copied, and dropped as it wants.
///
/// # Safety
/// `owned` was filled by the host.
pub unsafe fn take(owned: raw::Owned) -> Vec<u8> {
    let copied = slice(raw::Bytes { ptr: owned.ptr, len: owned.len }).to_vec();
    if let Some(drop) = owned.drop {
        drop(owned.ctx);
    }
    copied
}

/// Writes a text into the caller's room, cut between characters.
///
/// # Safety
/// `error` is null or as the header says.
pub unsafe fn put_error(error: *mut raw::Error, text: &str) {
    let Some(error) = error.as_mut() else { return };
    if error.text.is_null() {
        return;
    }
    let mut length = text.len().min(error.capacity as usize);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    core::ptr::copy_nonoverlapping(text.as_ptr(), error.text as *mut u8, length);
    error.length = length as u32;
}

/// Calls the host with room for an error's text; its code and text become a `Failure`.
pub fn asked(call: impl FnOnce(*mut raw::Error) -> i32) -> Result<(), Failure> {
    let mut room = [0u8; 512];
    let mut error = raw::Error {
        size: core::mem::size_of::<raw::Error>() as u32,
        capacity: room.len() as u32,
        length: 0,
        reserved: 0,
        text: room.as_mut_ptr() as *mut _,
    };
    let code = call(&mut error);
    if code == raw::OK {
        return Ok(());
    }
    let length = (error.length as usize).min(room.len());
    let said = String::from_utf8_lossy(&room[..length]).into_owned();
    Err(Failure { code: Code::from_number(code), text: said })
}
