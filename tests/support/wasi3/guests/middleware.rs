//! Stands before a handler of WASI 0.3: marks the request and the response, and hands both bodies on, piece by piece.

wit_bindgen::generate!({
    path: "chain-wit",
    world: "middleware",
    with: { "wasi:http/types@0.3.2": wasip3::http::types, "wasi:http/handler@0.3.2": generate },
});

use wasi::http::handler;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::{StreamReader, StreamResult, spawn_local};
use wasip3::{wit_future, wit_stream};

wasip3::http::service::export!(Middleware);

struct Middleware;

/// The same body, with a mark before it.
fn marked(mark: &'static str, mut body: StreamReader<u8>) -> StreamReader<u8> {
    let (mut out, result) = wit_stream::new();
    spawn_local(async move {
        out.write_all(mark.into()).await;
        loop {
            let (status, chunk) = body.read(Vec::with_capacity(64)).await;
            if !out.write_all(chunk).await.is_empty() || matches!(status, StreamResult::Dropped) {
                break;
            }
        }
    });
    result
}

fn counted(headers: &Fields) -> Result<Fields, ErrorCode> {
    let headers = headers.clone();
    let so_far = headers.get("x-hops").first().map_or(0, |value| value.len());
    headers.set("x-hops", &["+".repeat(so_far + 1).into_bytes()]).map_err(|_| ErrorCode::LoopDetected)?;
    Ok(headers)
}

impl wasip3::exports::http::handler::Guest for Middleware {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let (method, path) = (request.get_method(), request.get_path_with_query());
        let headers = counted(&request.get_headers())?;
        let (_, finished) = wit_future::new(|| Ok(()));
        let (body, trailers) = Request::consume_body(request, finished);
        let (onward, _sent) = Request::new(headers, Some(marked("> ", body)), trailers, None);
        _ = onward.set_method(&method);
        _ = onward.set_path_with_query(path.as_deref());

        let answer = handler::handle(onward).await?;
        let headers = counted(&answer.get_headers())?;
        let (_, finished) = wit_future::new(|| Ok(()));
        let (body, trailers) = Response::consume_body(answer, finished);
        let (response, _sent) = Response::new(headers, Some(marked("< ", body)), trailers);
        Ok(response)
    }
}
