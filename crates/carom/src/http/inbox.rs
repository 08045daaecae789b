//! The sandbox's inbox: what a phone would show, for trying things out. It shows numbers and
//! texts, and so it is guarded.

use std::fmt::Write as _;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::Site;

/// Messages shown at most.
const SHOWN: u32 = 50;

/// `GET /sandbox`.
pub(super) async fn page(State(site): State<Site>) -> Response {
    let messages = match site.store.inbox("sandbox", SHOWN).await {
        Ok(messages) => messages,
        Err(error) => {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response();
        }
    };
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sandbox inbox</title>\
         <style>body{font:1rem/1.5 sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}\
         article{border:1px solid #767676;border-radius:.5rem;padding:.5rem 1rem;margin:1rem 0}\
         </style><h1>Sandbox inbox</h1><p>Texts that the sandbox sender took. They never left this \
         machine.</p>",
    );
    if messages.is_empty() {
        page.push_str("<p>Nothing yet.</p>");
    }
    for message in messages {
        let to = message.to.unwrap_or_else(|| "erased".into());
        let text = message.text.unwrap_or_else(|| "erased".into());
        let (to, text) = (escaped(&to), escaped(&text));
        let sender = escaped(message.sender.as_deref().unwrap_or("-"));
        let _ = write!(page, "<article><p><b>To {to}</b> by {sender}</p><p>{text}</p></article>");
    }
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, page).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
