//! A command of WASI 0.2, which uses what a toolkit has for it and nothing async.

wit_bindgen::generate!({ path: "wit", world: "older" });

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", demo::words::plain::lines(&arguments.join(" ")));
}
