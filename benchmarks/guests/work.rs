//! What programs in Rust do: collections, strings, iterators, all of it from the standard library and its allocator.
//! Each function returns a sum that depends on all of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1664525).wrapping_add(1013904223);
        self.0 >> 8
    }
}

fn words(count: u32, seed: u32) -> Vec<String> {
    let mut numbers = Numbers(seed);
    (0..count)
        .map(|_| {
            let length = 3 + numbers.next() % 6;
            (0..length).map(|_| char::from(b'a' + (numbers.next() % 6) as u8)).collect()
        })
        .collect()
}

fn folded(values: impl Iterator<Item = u32>) -> u32 {
    values.fold(0, |sum, value| sum.wrapping_mul(31).wrapping_add(value))
}

#[no_mangle]
pub extern "C" fn hash() -> u32 {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for word in words(20_000, 1) {
        *counts.entry(word).or_default() += 1;
    }
    counts.values().sum::<u32>() + counts.len() as u32
}

#[no_mangle]
pub extern "C" fn tree() -> u32 {
    let mut numbers = Numbers(2);
    let mut tree = BTreeMap::new();
    for number in 0..30_000 {
        tree.insert(numbers.next() % 50_000, number);
        tree.remove(&(numbers.next() % 50_000));
    }
    folded(tree.into_iter().map(|(key, value)| key ^ value))
}

#[no_mangle]
pub extern "C" fn sort() -> u32 {
    let mut all = words(20_000, 3);
    all.sort();
    all.dedup();
    folded(all.iter().map(|word| word.len() as u32 + u32::from(word.as_bytes()[0])))
}

#[no_mangle]
pub extern "C" fn text() -> u32 {
    let mut numbers = Numbers(4);
    let mut text = String::new();
    for line in 0..4_000 {
        writeln!(text, "{line}: {:>8} {:?} {:.3}", numbers.next(), line % 7 == 0, f64::from(numbers.next()) / 7.0).unwrap();
    }
    let found = text.lines().flat_map(|line| line.split(' ')).filter_map(|word| word.parse::<u32>().ok());
    folded(found) ^ text.chars().filter(|each| each.is_ascii_digit()).count() as u32
}

#[no_mangle]
pub extern "C" fn life() -> u32 {
    let (width, height) = (96, 96);
    let mut numbers = Numbers(5);
    let mut cells: Vec<bool> = (0..width * height).map(|_| numbers.next() % 3 == 0).collect();
    for _ in 0..40 {
        let alive = |x: usize, y: usize| usize::from(cells[(y % height) * width + x % width]);
        let after = (0..width * height).map(|at| {
            let (x, y) = (at % width + width, at / width + height);
            let around: usize = (0..9).filter(|each| *each != 4).map(|each| alive(x + each % 3 - 1, y + each / 3 - 1)).sum();
            around == 3 || around == 2 && cells[at]
        });
        cells = after.collect();
    }
    folded(cells.iter().map(|each| u32::from(*each)))
}
