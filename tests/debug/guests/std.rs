//! A provider in Rust, with what it uses of std linked in, DWARF and all.
use std::collections::BTreeMap;

fn squares_by_number(count: u32) -> BTreeMap<u32, u32> {
    (0..count).map(|number| (number.reverse_bits(), number * number)).collect()
}

#[inline(never)]
fn sum_of_values(squares: &BTreeMap<u32, u32>) -> u32 {
    squares.values().fold(0, |sum, square| sum.wrapping_add(*square))
}

#[export_name = "demo:debug/work@1.0.0#run"]
pub extern "C" fn exported_run(n: u32) -> u32 {
    sum_of_values(&squares_by_number(n % 50))
}

#[export_name = "demo:debug/work@1.0.0#fail"]
pub extern "C" fn exported_fail(n: u32) -> u32 {
    let numbers: Vec<u32> = (0..10).collect();
    match numbers.get(n as usize) {
        Some(number) => number * number,
        None => core::arch::wasm32::unreachable(),
    }
}

#[export_name = "demo:debug/extra@1.0.0#spare"]
pub extern "C" fn exported_spare(n: u32) -> u32 {
    let mut numbers: Vec<u32> = (0..n).map(u32::reverse_bits).collect();
    numbers.sort_unstable();
    numbers.first().copied().unwrap_or(n)
}
