//! What stands at `/`, and what is said where nothing stands.

use axum::{
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};

use super::api::Problem;

/// Where to go from here. It names nothing that a stranger could use: what shows calls asks for a token.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>Carom</title>
<h1>Carom</h1>
<p>A call-deflection engine. There is no console here; <code>carom status</code>, <code>carom calls</code>
and <code>carom report</code> show what it does. By HTTP:
<ul>
<li><a href="/v1/openapi.json">/v1/openapi.json</a>: the API, as OpenAPI 3.1 (with any token)
<li><a href="/livez">/livez</a>, <a href="/readyz">/readyz</a>: whether it serves, and takes calls
<li><a href="/metrics">/metrics</a>: figures for Prometheus (with a token of scope <code>read</code>)
<li><a href="/sandbox">/sandbox</a>: texts of the local inbox (likewise)
</ul>
"#;

/// `GET /`.
pub(super) async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, "default-src 'none'")], Html(PAGE))
}

/// A path that is none.
pub(super) async fn nothing(uri: Uri) -> Response {
    match uri.path() {
        path if path.starts_with("/v1/") => {
            Problem::unknown("no such route; see /v1/openapi.json").into_response()
        }
        _ => (StatusCode::NOT_FOUND, "nothing is here; see /\n").into_response(),
    }
}
