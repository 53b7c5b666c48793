//! Knows nothing of WASI: a stream in, a stream out.

wit_bindgen::generate!({ path: "wit", world: "provider" });

use exports::demo::words::api::Guest;
use wit_bindgen::{StreamReader, StreamResult, spawn_local};

struct Words;

impl Guest for Words {
    async fn lines(mut text: StreamReader<u8>) -> StreamReader<u8> {
        let (mut out, result) = wit_stream::new();
        spawn_local(async move {
            loop {
                let (status, chunk) = text.read(Vec::with_capacity(8)).await;
                let shown = chunk.iter().map(|b| if *b == b' ' { b'\n' } else { b.to_ascii_uppercase() });
                if !out.write_all(shown.collect()).await.is_empty() || matches!(status, StreamResult::Dropped) {
                    break;
                }
            }
        });
        result
    }

    async fn count(text: String) -> u32 {
        text.split_whitespace().count() as u32
    }
}

export!(Words);
