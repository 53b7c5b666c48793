//! A handler of WASI 0.3: the request's body comes back in capitals by another component, with what was asked for.

wit_bindgen::generate!({ path: "wit", world: "user" });

use demo::words::api;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen::spawn_local, wit_future};

wasip3::http::service::export!(Handler);

struct Handler;

impl wasip3::exports::http::handler::Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let (done, finished) = wit_future::new(|| Ok(()));
        let (body, trailers) = Request::consume_body(request, finished);
        let lines = api::lines(body).await;
        let headers = Fields::new();
        let words = api::count(path.replace('/', " ")).await;
        headers.append("x-words", words.to_string().as_bytes()).map_err(|_| ErrorCode::InternalError(None))?;
        let (response, sent) = Response::new(headers, Some(lines), trailers);
        spawn_local(async move {
            _ = done.write(sent.await).await;
        });
        Ok(response)
    }
}
