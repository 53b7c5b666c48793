//! The oracle for what the embedded engine's binding cannot do: WASI 0.3, and host functions that complete later.
//!
//! `wasi3 run FILE [ARGUMENT...]`        a command of WASI 0.3 or 0.2; the exit code is the guest's, 134 for a trap
//! `wasi3 handle FILE METHOD PATH BODY`  a handler of `wasi:http` 0.3 is given one request; prints its response
//! `wasi3 play FILE < SCRIPT`            calls of exports, some at once, with host functions that complete now, later,
//!                                       or never; see `play`

mod host;
mod play;

use wasmtime::error::Context;
use wasmtime::{Result, bail, format_err};
use bytes::Bytes;
use host::{Host, engine, linker};
use http_body_util::{BodyExt, Full};
use std::io::Write;
use std::process::ExitCode;
use wasmtime::Store;
use wasmtime::component::Component;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::Service;

/// What a command is called, wherever its file lies.
const PROGRAM: &str = "program";

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (outcome, file) = match words[1..] {
        ["run", file, ..] => (run(file, &arguments[3..]).await, file),
        ["handle", file, method, path, body] => (handle(file, method, path, body).await, file),
        ["play", file] => (play::play(file).await, file),
        _ => bail!("run FILE [ARGUMENT...] | handle FILE METHOD PATH BODY | play FILE"),
    };
    std::io::stdout().flush()?;
    match outcome {
        Ok(code) => Ok(code),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(ExitCode::from(exit.0 as u8)),
            None => {
                eprintln!("{file}: {error:?}");
                Ok(ExitCode::from(134))
            }
        },
    }
}

async fn run(file: &str, arguments: &[String]) -> Result<ExitCode> {
    let engine = engine()?;
    let component = Component::from_file(&engine, file)?;
    let linker = linker(&engine)?;
    let program = [PROGRAM.to_owned()];
    let mut store = Store::new(&engine, Host::new(&[&program, arguments].concat()));
    let newer = component
        .component_type()
        .exports(&engine)
        .any(|(name, _)| name.starts_with("wasi:cli/run@0.3"));
    let succeeded = if newer {
        let command =
            wasmtime_wasi::p3::bindings::Command::instantiate_async(&mut store, &component, &linker).await?;
        store
            .run_concurrent(async |store| command.wasi_cli_run().call_run(store).await)
            .await??
            .is_ok()
    } else {
        let command =
            wasmtime_wasi::p2::bindings::Command::instantiate_async(&mut store, &component, &linker).await?;
        command.wasi_cli_run().call_run(&mut store).await?.is_ok()
    };
    Ok(ExitCode::from(u8::from(!succeeded)))
}

async fn handle(file: &str, method: &str, path: &str, body: &str) -> Result<ExitCode> {
    let engine = engine()?;
    let component = Component::from_file(&engine, file)?;
    let linker = linker(&engine)?;
    let mut store = Store::new(&engine, Host::new(&[]));
    let service = Service::instantiate_async(&mut store, &component, &linker).await?;
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://localhost{path}"))
        .header("content-type", "text/plain")
        .body(Full::new(Bytes::from(body.to_owned())).map_err(never))?;
    let (request, sent) = Request::from_http(&mut store.data_mut().hooks, request);
    let (parts, body) = store
        .run_concurrent(async |store| -> Result<_> {
            let (response, sent) = tokio::join!(
                async {
                    let response = service
                        .handle(store, request)
                        .await?
                        .map_err(|code| format_err!("the handler failed: {code:?}"))?;
                    let response = store.with(|store| response.into_http(store, async { Ok(()) }))?;
                    let (parts, body) = response.into_parts();
                    let body = body.collect().await.map_err(|e| format_err!("the body failed: {e:?}"))?;
                    wasmtime::error::Ok((parts, body.to_bytes()))
                },
                sent,
            );
            sent.map_err(|e| format_err!("the request's body failed: {e:?}"))?;
            response
        })
        .await
        .context("the event loop ended")??;
    println!("{}", parts.status.as_u16());
    let mut headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    println!("{}\n", headers.join("\n"));
    println!("{}", String::from_utf8_lossy(&body));
    Ok(ExitCode::SUCCESS)
}

fn never(error: std::convert::Infallible) -> wasmtime_wasi_http::Error {
    match error {}
}
