//! A command of WASI 0.3: its arguments go through another component's stream, and that one to stdout.

wit_bindgen::generate!({ path: "wit", world: "user" });

use demo::words::api;
use wit_bindgen::spawn_local;

wasip3::cli::command::export!(Command);

struct Command;

impl wasip3::exports::cli::run::Guest for Command {
    async fn run() -> Result<(), ()> {
        let arguments = wasip3::cli::environment::get_arguments().join(" ");
        let count = api::count(arguments.clone()).await;
        let (mut writer, reader) = wit_stream::new();
        spawn_local(async move {
            for piece in arguments.into_bytes().chunks(5) {
                if !writer.write_all(piece.to_vec()).await.is_empty() {
                    break;
                }
            }
            writer.write_all(format!(" {count}\n").into_bytes()).await;
        });
        let lines = api::lines(reader).await;
        wasip3::cli::stdout::write_via_stream(lines).await.map_err(drop)
    }
}
