//! The pages themselves: small, without script, nothing of others on them, and usable with a
//! screen reader, a keyboard or a small phone (WCAG 2.2 AA).

use std::{collections::BTreeSet, fmt::Write as _, sync::LazyLock};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use deflect_actions::link::{Button, Does, Page};
use sha2::{Digest, Sha256};

use super::words::{self, Words};

/// Contrast 7:1 and more; buttons of 48 px and more; one column, whatever the width.
const STYLE: &str = "*{box-sizing:border-box}body{font:1.125rem/1.5 system-ui,sans-serif;\
    color:#1a1a1a;background:#fff;max-width:34rem;margin:0 auto;padding:1.5rem}\
    h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.125rem;margin-top:2.5rem}\
    button,.call{display:block;width:100%;min-height:3rem;margin:.75rem 0;padding:.75rem 1rem;\
    font:inherit;font-weight:600;text-align:center;text-decoration:none;border-radius:.5rem;\
    border:2px solid #0b3d91;background:#0b3d91;color:#fff;cursor:pointer}\
    .call,.second{background:#fff;color:#0b3d91}\
    fieldset{border:0;margin:0;padding:0}legend{font-weight:600;padding:0}\
    .rate label{display:inline-flex;align-items:center;min-width:3rem;min-height:3rem;\
    margin-right:.75rem}.rate input{width:1.5rem;height:1.5rem;margin:0 .5rem 0 0}\
    :focus-visible{outline:3px solid #b35900;outline-offset:3px}\
    @media(prefers-color-scheme:dark){body{color:#f2f2f2;background:#121212}\
    button{border-color:#9ec1ff;background:#9ec1ff;color:#0a0a0a}\
    .call,.second{background:#121212;color:#9ec1ff;border:2px solid #9ec1ff}\
    :focus-visible{outline-color:#ffb366}}";

/// Only the style above is taken; nothing else is loaded, and nobody may frame the page.
static STYLE_HASH: LazyLock<String> =
    LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE.as_bytes())));

/// What is shown of a page.
pub(super) struct Shown<'a> {
    pub page: &'a Page,
    /// Path of the page, for its forms.
    pub path: &'a str,
    /// Ask how it went.
    pub ask: bool,
    /// Offer to call back.
    pub calls_back: bool,
    /// Said above everything else.
    pub notice: Option<Notice>,
}

/// What is said on a page that is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Notice {
    Invited,
    NotInvited,
    CallBack,
    NoCallBack,
    Thanks,
}

/// Why there is no page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refused {
    Unknown,
    Gone,
    Elsewhere,
    Busy,
}

/// Whose page it would be.
#[derive(Debug, Clone, Default)]
pub(super) struct Owner {
    pub brand: String,
    pub language: String,
    pub phone: Option<String>,
}

/// The page with its buttons.
pub(super) fn shown(shown: &Shown<'_>) -> Response {
    let words = words::of(&shown.page.language);
    let mut body = String::new();
    if let Some(notice) = shown.notice {
        let said = match notice {
            Notice::Invited => words.invited,
            Notice::NotInvited => words.not_invited,
            Notice::CallBack => words.will_call,
            Notice::NoCallBack => words.will_not_call,
            Notice::Thanks => words.thanks,
        };
        let _ = write!(body, "<p role=\"status\"><strong>{said}</strong></p>");
    }
    let _ = write!(body, "<p>{}</p>", words.asked_for);
    if let Some(topic) = &shown.page.topic {
        let _ = write!(body, "<p>{} {}</p>", words.about, escaped(&plain(topic)));
    }
    for (n, button) in shown.page.buttons.iter().enumerate() {
        let label = label(button, shown.page.buttons.len() > 1, words);
        let _ = write!(
            body,
            "<form method=\"post\" action=\"{}\"><button name=\"to\" value=\"{n}\">{}</button>",
            shown.path,
            escaped(&label)
        );
        if button.app_url.is_some() {
            let _ = write!(
                body,
                "<button class=\"second\" name=\"app\" value=\"{n}\">{}</button>",
                words.app
            );
        }
        body.push_str("</form>");
    }
    if shown.ask {
        rating(&mut body, shown.path, words);
    }
    call(&mut body, shown.page.phone.as_deref(), words);
    if shown.calls_back {
        let _ = write!(
            body,
            "<form method=\"post\" action=\"{}/callback\"><button class=\"second\">{}</button></form>",
            shown.path, words.call_back
        );
    }
    let to = shown.page.buttons.iter().flat_map(|button| {
        [Some(button.url.as_str()), button.app_url.as_deref()].into_iter().flatten()
    });
    answer(StatusCode::OK, &shown.page.brand, words, &body, &schemes(to))
}

/// A form that hands the statement over when its button is pressed.
pub(super) fn hand_over(page: &Page, to: &str, statement: &str) -> Response {
    let words = words::of(&page.language);
    let body = format!(
        "<form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"assertion\" \
         value=\"{}\"><button>{}</button></form>",
        escaped(to),
        escaped(statement),
        words.go
    );
    let mut with_call = body;
    call(&mut with_call, page.phone.as_deref(), words);
    answer(StatusCode::OK, &page.brand, words, &with_call, &schemes([to].into_iter()))
}

/// Why there is no page, and the way to a person.
pub(super) fn refused(why: Refused, owner: &Owner) -> Response {
    let words = words::of(&owner.language);
    let (status, said) = match why {
        Refused::Unknown => (StatusCode::NOT_FOUND, words.unknown),
        Refused::Gone => (StatusCode::GONE, words.gone),
        Refused::Elsewhere => (StatusCode::FORBIDDEN, words.elsewhere),
        Refused::Busy => (StatusCode::TOO_MANY_REQUESTS, words.busy),
    };
    let mut body = format!("<p>{said}</p>");
    call(&mut body, owner.phone.as_deref(), words);
    let mut response = answer(status, &owner.brand, words, &body, &BTreeSet::new());
    if let Refused::Busy = why {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    response
}

/// The way to a person (IC-09).
fn call(body: &mut String, phone: Option<&str>, words: &Words) {
    let _ = write!(body, "<h2>{}</h2>", words.rather_call);
    match phone.filter(|phone| phone.starts_with('+')) {
        Some(phone) => {
            let phone = escaped(phone);
            let _ =
                write!(body, "<a class=\"call\" href=\"tel:{phone}\">{} {phone}</a>", words.call);
        }
        None => {
            let _ = write!(body, "<p>{}</p>", words.call_again);
        }
    }
}

/// The one question (EX-15).
fn rating(body: &mut String, path: &str, words: &Words) {
    let _ = write!(
        body,
        "<form class=\"rate\" method=\"post\" action=\"{path}/rating\"><h2>{}</h2><fieldset>\
         <legend>{} – {}</legend>",
        words.question, words.least, words.most
    );
    for n in 1..=5 {
        let _ = write!(
            body,
            "<label><input type=\"radio\" name=\"rating\" value=\"{n}\" required>{n}</label>"
        );
    }
    let _ = write!(body, "</fieldset><button class=\"second\">{}</button></form>", words.send);
}

fn label(button: &Button, of_several: bool, words: &Words) -> String {
    match button.does {
        Does::Telegram => "Telegram".to_owned(),
        Does::Messenger => "Messenger".to_owned(),
        Does::Whatsapp => "WhatsApp".to_owned(),
        Does::Apple => "Apple Messages".to_owned(),
        Does::Invite => words.write.to_owned(),
        Does::Go | Does::HandOver if of_several => {
            let name = plain(&button.link);
            let mut letters = name.chars();
            let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
            format!("{first}{}", letters.as_str())
        }
        Does::Go | Does::HandOver => words.go.to_owned(),
    }
}

/// A name as people read it.
fn plain(name: &str) -> String {
    name.replace(['_', '-'], " ")
}

fn answer(
    status: StatusCode,
    brand: &str,
    words: &Words,
    body: &str,
    forms_to: &BTreeSet<String>,
) -> Response {
    let (lang, brand) = (words.lang, escaped(brand));
    let title = if brand.is_empty() { words.go.to_owned() } else { brand };
    let page = format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}\
         </main></body></html>"
    );
    let forms: String = forms_to.iter().map(|scheme| format!(" {scheme}:")).collect();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'{forms}; base-uri 'none'; \
         frame-ancestors 'none'",
        *STYLE_HASH
    );
    let mut response =
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    keep_to_itself(response)
}

/// No copy is kept, no site is told where its visitor comes from, no search engine lists it.
pub(super) fn keep_to_itself(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    response
}

/// What the forms of a page may lead to. Where a destination leads on to another site, browsers ask
/// the policy (CSP 3 §6.4.2) about that one too: which that is only the destination knows, so any
/// of the same scheme, or by https.
fn schemes<'a>(to: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let schemes = to.filter_map(|url| Some(url.split_once(':')?.0.to_ascii_lowercase()));
    schemes.chain(["https".to_owned()]).collect()
}

/// Scheme, host and port of an address.
pub(super) fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
    Some(format!("{scheme}://{host}"))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
