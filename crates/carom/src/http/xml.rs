//! The small XML that VoiceXML reads, where it is asked for in place of JSON.

use std::collections::BTreeMap;

use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::MAX_BODY;

const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");
/// What errors stand under.
const PROBLEM: &str = "problem";

/// Answers in XML, under `root`, where that is asked for: errors too.
pub(super) async fn as_asked(
    State(root): State<&'static str>,
    request: Request,
    next: Next,
) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|it| it.to_str().ok());
    let wanted = accept.is_some_and(|accept| accept.contains("xml"));
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !wanted || kind.is_none_or(|kind| kind != "application/json") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let members: BTreeMap<String, Value> = match serde_json::from_slice(&body) {
        Ok(members) => members,
        Err(_) => return Response::from_parts(parts, body.into()),
    };
    let root = if members.contains_key("error") { PROBLEM } else { root };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, XML);
    Response::from_parts(parts, written(root, &members).into())
}

fn written(root: &str, members: &BTreeMap<String, Value>) -> String {
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root}>");
    for (name, value) in members {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        xml.push_str(&format!("<{name}>{text}</{name}>"));
    }
    xml.push_str(&format!("</{root}>"));
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_elements_and_what_is_not_there_is_left_out() {
        let members = serde_json::json!({
            "eligible": true, "reason": null, "why": "a < b & c", "channels": ["sms", "whatsapp"],
        });
        let members = serde_json::from_value(members).unwrap();
        assert_eq!(
            written("eligibility", &members),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><eligibility>\
             <channels>sms whatsapp</channels><eligible>true</eligible>\
             <why>a &lt; b &amp; c</why></eligibility>"
        );
    }
}
