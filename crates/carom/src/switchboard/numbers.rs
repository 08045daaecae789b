//! Who called whom, read from an INVITE as the trunk's settings say.

use message_text::E164;
use sip_stack::{
    message::{HeaderName, NameAddr, Request},
    uri::Uri,
};

use crate::config::{CalledHeader, CallerHeader, Trunk};

/// The two numbers of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// Called number: E.164 where it can be read as one, else the user part as it came.
    pub called: String,
    /// ISO code of the called number's country; the trunk's where the number does not tell.
    pub called_country: String,
    /// Caller; `None` where no header names a usable number.
    pub caller: Option<E164>,
    /// The caller asked for privacy (RFC 3323, RFC 3325).
    pub withheld: bool,
    /// Kinds of call that are never deflected (requirements X-07).
    pub call_is: Vec<String>,
    /// `urn:service:sos` or an emergency priority.
    pub emergency: bool,
}

/// Reads the parties of `invite`.
#[must_use]
pub fn parties(invite: &Request, trunk: &Trunk) -> Parties {
    let (called, region) = called(invite, trunk);
    let country = trunk.country_of(&called);
    let told = trunk.number_countries.get(&called).cloned();
    let called_country = told.or(region).unwrap_or_else(|| country.to_owned());
    let withheld = is_withheld(invite);
    let caller = caller_user(invite, trunk).and_then(|user| E164::parse(&user, country).ok());
    let priority = text(invite, HeaderName::Priority);
    let emergency = invite.uri().to_ascii_lowercase().starts_with("urn:service:sos")
        || priority.eq_ignore_ascii_case("emergency");
    let mut call_is = Vec::new();
    if priority.eq_ignore_ascii_case("psap-callback") {
        call_is.push("psap-callback".to_owned());
    }
    if emergency || invite.headers().first(HeaderName::ResourcePriority).is_some() {
        call_is.push("priority".to_owned());
    }
    if has_text_stream(invite) {
        call_is.push("relay-or-text-phone".to_owned());
    }
    if withheld || caller.is_none() {
        call_is.push("withheld".to_owned());
    }
    Parties { called, called_country, caller, withheld, call_is, emergency }
}

/// The called number, and its country where it tells.
fn called(invite: &Request, trunk: &Trunk) -> (String, Option<String>) {
    let user = trunk.called_from.iter().find_map(|header| match header {
        CalledHeader::RequestUri => user_of(invite.uri()),
        CalledHeader::To => name_addr_user(invite, HeaderName::To),
        CalledHeader::PCalledPartyId => name_addr_user(invite, HeaderName::PCalledPartyId),
        // The first entry of History-Info and the last Diversion name who was called first.
        CalledHeader::HistoryInfo => users(invite, HeaderName::HistoryInfo).into_iter().next(),
        CalledHeader::Diversion => users(invite, HeaderName::Diversion).pop(),
    });
    let user = user.unwrap_or_default();
    match E164::parse(&user, &trunk.country) {
        Ok(number) => (number.to_string(), Some(number.region().to_owned())),
        Err(_) => {
            let user = user.split(';').next().unwrap_or_default();
            // PostgreSQL refuses a row with a NUL, and no log wants a line end.
            (user.replace(char::is_control, ""), None)
        }
    }
}

fn caller_user(invite: &Request, trunk: &Trunk) -> Option<String> {
    trunk.caller_from.iter().find_map(|header| match header {
        CallerHeader::PAssertedIdentity if trunk.trusted => {
            users(invite, HeaderName::PAssertedIdentity).into_iter().next()
        }
        CallerHeader::RemotePartyId if trunk.trusted => {
            users(invite, HeaderName::RemotePartyId).into_iter().next()
        }
        CallerHeader::PAssertedIdentity | CallerHeader::RemotePartyId => None,
        CallerHeader::From => name_addr_user(invite, HeaderName::From),
    })
}

fn is_withheld(invite: &Request) -> bool {
    let privacy = text(invite, HeaderName::Privacy).to_ascii_lowercase();
    let asked = |value: &str| matches!(value.trim(), "id" | "user" | "header" | "full" | "uri");
    let rpid = invite.headers().values(HeaderName::RemotePartyId);
    privacy.split([';', ',']).any(asked)
        // The draft that Remote-Party-ID comes from says it in a parameter of its own.
        || rpid.filter_map(|value| NameAddr::parse(value).ok()).any(|party| {
            party.params.get("privacy").is_some_and(|value| {
                value.to_ascii_lowercase().trim_matches('"').split(['-', ',']).any(asked)
            })
        })
}

/// `m=text` is a text phone (RFC 4103): it needs a person, not a prompt.
fn has_text_stream(invite: &Request) -> bool {
    let body = invite.body();
    body.starts_with(b"m=text ") || body.windows(8).any(|window| window == b"\nm=text ")
}

fn text(invite: &Request, name: HeaderName) -> &str {
    invite.headers().first(name).unwrap_or_default().trim()
}

fn name_addr_user(invite: &Request, name: HeaderName) -> Option<String> {
    let value = invite.headers().first(name)?;
    user_of(NameAddr::parse(value).ok()?.uri_text)
}

fn users(invite: &Request, name: HeaderName) -> Vec<String> {
    let values = invite.headers().values(name);
    values.filter_map(|value| user_of(NameAddr::parse(value).ok()?.uri_text)).collect()
}

/// The user part of a `sip:`, `sips:` or `tel:` URI, with its parameters (`;phone-context`).
fn user_of(uri: &str) -> Option<String> {
    if let Some(number) = uri.strip_prefix("tel:") {
        return Some(number.to_owned()).filter(|number| !number.is_empty());
    }
    let user = Uri::parse(uri).ok()?.user_plain()?;
    Some(user).filter(|user| !user.is_empty())
}
