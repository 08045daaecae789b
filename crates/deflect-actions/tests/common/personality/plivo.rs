//! Plivo, as a gateway that the configuration describes (docs/configuration.md has the same).

use axum::http::HeaderMap;
use deflect_actions::provider::{
    Class, State,
    gateway::{Algorithm, Description, Hooks, Signing, plivo::Version},
};
use serde_json::json;

use super::{Event, OURS, P, Says, TOKEN};
use crate::common::{PUBLIC_URL, emulator::Hook, headers};

pub const ACCOUNT: &str = "MAXXXXXXXXXXXXXXXXXX";
pub const NONCE: &str = "05429567804466091622";

pub fn description(base: &str) -> Description {
    let place = |pointer: &str| Some(pointer.to_owned());
    let states = [
        ("sent", State::Sent),
        ("delivered", State::Delivered),
        ("read", State::Read),
        ("undelivered", State::Undelivered),
        ("failed", State::Failed),
        ("rejected", State::Failed),
    ];
    let codes = [
        ("30", Class::Blocked),
        ("40", Class::Config),
        ("50", Class::NotTextable),
        ("200", Class::OptedOut),
        ("900", Class::Funds),
    ];
    let body = json!({
        "src": "{from}", "dst": "{to}", "text": "{text}", "type": "sms", "method": "POST",
        "url": format!("{PUBLIC_URL}/webhooks/http/plivo?message={{reference}}"),
    });
    Description {
        method: "POST".parse().unwrap(),
        url: format!("{base}/v1/Account/{{account}}/Message/"),
        headers: vec![("Authorization".to_owned(), "Basic {basic}".to_owned())],
        body: body.to_string(),
        secret: TOKEN.to_owned(),
        account: ACCOUNT.to_owned(),
        id_at: place("/message_uuid/0"),
        errors: [(400, Class::Invalid)].into(),
        hooks: Some(Hooks {
            signing: Signing {
                algorithm: Algorithm::Plivo(Version::V3),
                header: Version::V3.header().to_owned(),
                timestamp_header: None,
                secret: TOKEN.to_owned(),
            },
            id_at: place("/MessageUUID"),
            reference_at: place("/message"),
            state_at: place("/Status"),
            states: states.map(|(word, state)| (word.to_owned(), state)).into(),
            code_at: place("/ErrorCode"),
            codes: codes.map(|(code, class)| (code.to_owned(), class)).into(),
            from_at: place("/From"),
            to_at: place("/To"),
            text_at: place("/Text"),
        }),
    }
}

/// A webhook of this event: a form, posted to the address that the message named.
pub fn hook(event: &Event<'_>) -> Hook {
    let (theirs, ours) = (event.number.trim_start_matches('+'), OURS.trim_start_matches('+'));
    let receipt = |status| vec![("From", ours), ("To", theirs), ("Status", status)];
    let code;
    let mut form = match event.says {
        Says::Sent => receipt("sent"),
        Says::Delivered => receipt("delivered"),
        Says::Read => receipt("read"),
        Says::Failed(why) => {
            code = P.code(why).1.to_string();
            let mut form = receipt("failed");
            form.push(("ErrorCode", &code));
            form
        }
        Says::Text(text) => vec![("From", theirs), ("To", ours), ("Text", text)],
    };
    form.extend([("MessageUUID", event.id), ("Type", "sms"), ("Units", "1")]);
    let url = reqwest::Url::parse_with_params("http://x", form).unwrap();
    let query = event.reference.map(|reference| format!("?message={reference}"));
    let path = format!("/webhooks/http/plivo{}", query.unwrap_or_default());
    let body = url.query().unwrap().as_bytes().to_vec();
    Hook { what: "", headers: headers_of(&path, &body), path, body }
}

/// The headers of a form, with both signatures.
pub fn headers_of(path: &str, body: &[u8]) -> HeaderMap {
    let (url, form) = (format!("{PUBLIC_URL}{path}"), deflect_actions::provider::form(body));
    let form = form.unwrap();
    let of = |version: Version| version.signature(TOKEN, &url, &form, NONCE);
    headers(&[
        ("Content-Type", "application/x-www-form-urlencoded"),
        (Version::V2.header(), &of(Version::V2)),
        (Version::V2.nonce_header(), NONCE),
        (Version::V3.header(), &of(Version::V3)),
        (Version::V3.nonce_header(), NONCE),
    ])
}
