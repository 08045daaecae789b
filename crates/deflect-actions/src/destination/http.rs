//! `http`: an address that is asked, with pointers to what its answer says (RFC 6901).

use serde_json::Value;

use super::{Availability, Offer, address, json, seconds};
use crate::http;

/// Where it says what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointers {
    /// Whether somebody is there.
    pub available: String,
    /// Where.
    pub url: String,
    /// For so many seconds.
    pub valid: String,
}

pub(super) async fn check(pointers: &Pointers, url: &str) -> Result<Availability, String> {
    let client = http::client().ok_or("not_ready")?;
    let answer = json(client.get(url)).await?;
    read(pointers, &answer)
}

fn read(pointers: &Pointers, answer: &Value) -> Result<Availability, String> {
    match answer.pointer(&pointers.available).map(is_yes) {
        Some(Some(true)) => {}
        Some(Some(false)) => return Ok(Availability::NotAvailable),
        Some(None) | None => return Err("garbage".to_owned()),
    }
    let url = address(answer.pointer(&pointers.url)).ok_or("garbage")?;
    let valid_for = seconds(answer.pointer(&pointers.valid));
    Ok(Availability::Available(Offer { url: Some(url), valid_for, ..Offer::default() }))
}

/// Yes or no, as programs say it.
fn is_yes(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::Number(number) => Some(number.as_f64()? > 0.0),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "available" | "open" => Some(true),
            "false" | "no" | "not available" | "unavailable" | "closed" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn lp_01_an_answer_says_yes_with_an_address_and_how_long_it_is_good() {
        let pointers = Pointers {
            available: "/chat/open".into(),
            url: "/chat/url".into(),
            valid: "/chat/seconds".into(),
        };
        let told = |answer: Value| read(&pointers, &answer);
        let url = "https://chat.example/1";
        assert_eq!(
            told(json!({"chat": {"open": true, "url": url, "seconds": "90"}})),
            Ok(Availability::Available(Offer {
                url: Some(url.into()),
                valid_for: Some(Duration::from_secs(90)),
                ..Offer::default()
            }))
        );
        assert_eq!(told(json!({"chat": {"open": "closed"}})), Ok(Availability::NotAvailable));
        assert_eq!(told(json!({"chat": {"open": 0}})), Ok(Availability::NotAvailable));
        for garbage in [
            json!({}),
            json!({"chat": {"open": "perhaps", "url": url}}),
            json!({"chat": {"open": true}}),
            json!({"chat": {"open": true, "url": ""}}),
            json!({"chat": {"open": true, "url": "x".repeat(2_001)}}),
        ] {
            assert_eq!(told(garbage), Err("garbage".into()));
        }
    }
}
