//! A provider in Rust on `core` alone, with what it uses of that linked in, DWARF and all.
#![no_std]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

fn mixed_numbers(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| number.reverse_bits() ^ number.wrapping_mul(number))
}

#[inline(never)]
fn sum_of_sorted(numbers: &mut [u32]) -> u32 {
    numbers.sort_unstable();
    numbers.chunks(3).fold(0, |sum, chunk| sum.rotate_left(1) ^ chunk.iter().copied().max().unwrap_or(sum))
}

#[export_name = "demo:debug/work@1.0.0#run"]
pub extern "C" fn exported_run(n: u32) -> u32 {
    let mut numbers = [0; 40];
    for (place, number) in numbers.iter_mut().zip(mixed_numbers(n)) {
        *place = number;
    }
    sum_of_sorted(&mut numbers)
}

#[export_name = "demo:debug/work@1.0.0#fail"]
pub extern "C" fn exported_fail(n: u32) -> u32 {
    let mut numbers = [0; 10];
    numbers.iter_mut().zip(mixed_numbers(n)).for_each(|(place, number)| *place = number);
    numbers[n as usize]
}

#[export_name = "demo:debug/extra@1.0.0#spare"]
pub extern "C" fn exported_spare(n: u32) -> u32 {
    mixed_numbers(n).filter(|number| number % 3 == 1).take(7).sum()
}
