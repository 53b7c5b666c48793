//! Prints sizes and offsets of every struct of the header, for a test that compares them with C's.

use meld_module::raw::*;
use std::mem::{offset_of, size_of};

macro_rules! print {
    ($($c:literal $name:ident { $($field:ident)* })*) => {
        $(
            println!("{} {}", $c, size_of::<$name>());
            $(println!("{}.{} {}", $c, stringify!($field), offset_of!($name, $field));)*
        )*
    };
}

fn main() {
    print! {
        "meld_head" Head { magic major minor size }
        "meld_bytes" Bytes { ptr len }
        "meld_owned" Owned { ptr len ctx drop }
        "meld_error" Error { size capacity length reserved text }
        "meld_message" Message { size version id topic sender payload attempt flags }
        "meld_host" Host { head ctx log extension }
        "meld_bus" Bus { head publish send request }
        "meld_jobs" Jobs { head report_progress checkpoint last_checkpoint is_cancelled log_line metric }
        "meld_kv" Kv { head get set remove keys }
        "meld_clock" Clock { head now monotonic }
        "meld_module" Module {
            head name version built_with commands topics flags state_schema create destroy execute handle_message
            get_state restore_state extension
        }
    }
}
