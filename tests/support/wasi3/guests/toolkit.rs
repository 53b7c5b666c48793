//! What a toolkit for two generations of WASI is: one module with the interfaces of both, here as it prints.

wit_bindgen::generate!({ path: "wit", world: "toolkit" });

use exports::demo::words::{api, plain};
use wit_bindgen::StreamReader;

struct Toolkit;

impl plain::Guest for Toolkit {
    fn lines(text: String) -> String {
        println!("lines of {text:?}, for {} words", std::env::args().count());
        text.to_uppercase().replace(' ', "\n")
    }
}

impl api::Guest for Toolkit {
    async fn lines(text: StreamReader<u8>) -> StreamReader<u8> {
        text
    }

    async fn count(text: String) -> u32 {
        println!("words of {text:?}");
        text.split_whitespace().count() as u32
    }
}

export!(Toolkit);
