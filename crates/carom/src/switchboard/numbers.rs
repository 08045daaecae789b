//! Who called whom, read from an INVITE as the trunk's settings say.

use ivr_runtime::call::Facts;
use message_text::E164;
use sip_stack::{
    message::{HeaderName, NameAddr, Request},
    uri::Uri,
};

use crate::config::{CalledHeader, CallerHeader, CallerId, Trunk};

/// The two numbers of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// Called number: E.164 where it can be read as one, else the user part as it came.
    pub called: String,
    /// ISO code of the called number's country; the trunk's where the number does not tell.
    pub called_country: String,
    /// Caller; `None` where no header names a usable number.
    pub caller: Option<E164>,
    /// The caller asked for privacy (RFC 3323, RFC 3325), or their number is not to be believed: it
    /// is ours to act on as little as one that is not there.
    pub withheld: bool,
    /// The caller is to say whether the number is right before it is texted.
    pub to_confirm: bool,
    /// Kinds of call that are never deflected (requirements X-07).
    pub call_is: Vec<String>,
    /// `urn:service:sos` or an emergency priority.
    pub emergency: bool,
    /// What the carrier vouches for of the caller's number: `A`, `B`, `C`, `failed` or `none`.
    pub attestation: &'static str,
}

/// Reads the parties of `invite`.
#[must_use]
pub fn parties(invite: &Request, trunk: &Trunk) -> Parties {
    let (called_user, called_by_relay) = without_relay(called_user(invite, trunk), trunk);
    let (called, region) = called(&called_user, trunk);
    let country = trunk.country_of(&called);
    let told = trunk.number_countries.get(&called).cloned();
    let called_country = told.or(region).unwrap_or_else(|| country.to_owned());
    let attestation = attestation(invite, trunk);
    let full = attestation == "A";
    let doubted =
        attestation == "failed" || (trunk.caller_id == CallerId::RequireAttested && !full);
    let to_confirm = trunk.caller_id == CallerId::Confirm && !full;
    let withheld = is_withheld(invite) || doubted;
    let (caller_user, calls_by_relay) =
        without_relay(caller_user(invite, trunk).unwrap_or_default(), trunk);
    let caller = E164::parse(&caller_user, country).ok();
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
    if has_text_stream(invite) || called_by_relay || calls_by_relay {
        call_is.push("relay-or-text-phone".to_owned());
    }
    let tests = |caller: &E164| trunk.test_callers.iter().any(|own| own == caller.as_str());
    if caller.as_ref().is_some_and(tests) {
        call_is.push(Facts::TEST_CALL.to_owned());
    }
    if withheld || caller.is_none() {
        call_is.push("withheld".to_owned());
    }
    Parties {
        called,
        called_country,
        caller,
        withheld,
        to_confirm,
        call_is,
        emergency,
        attestation,
    }
}

/// What the carrier that checked the caller's signature says of it: the `verstat` parameter of
/// the number (3GPP TS 24.229 §7.2A.20) and `Attestation-Info` or `P-Attestation-Indicator`
/// (ATIS-1000082). Anyone can write these, so that only a trusted trunk is believed.
fn attestation(invite: &Request, trunk: &Trunk) -> &'static str {
    if !trunk.trusted {
        return "none";
    }
    let headers = invite.headers();
    let identities = [HeaderName::PAssertedIdentity, HeaderName::From];
    let verstat = identities.into_iter().flat_map(|name| headers.values(name)).find_map(|value| {
        // The caller's own display name may hold anything.
        let party = NameAddr::parse(value).ok()?;
        let uri = party.uri_text;
        let Some(at) = uri.to_ascii_lowercase().find(";verstat=") else {
            return party.params.get("verstat").map(|told| told.trim_matches('"').to_owned());
        };
        let told = &uri[at + ";verstat=".len()..];
        Some(told[..told.find([';', '@', '?']).unwrap_or(told.len())].to_owned())
    });
    let level = ["Attestation-Info", "P-Attestation-Indicator"].into_iter().find_map(|name| {
        headers.first(HeaderName::from_token(name)).map(|level| level.trim().to_ascii_uppercase())
    });
    match (verstat.as_deref(), level.as_deref()) {
        (Some(verstat), _) if verstat.starts_with("TN-Validation-Failed") => "failed",
        (Some("No-TN-Validation"), _) => "none",
        (_, Some("A")) | (Some("TN-Validation-Passed-A"), _) => "A",
        (_, Some("B")) | (Some("TN-Validation-Passed-B"), _) => "B",
        (_, Some("C")) | (Some("TN-Validation-Passed-C"), _) => "C",
        // Full attestation is what a number that passed had, unless it is said.
        (Some("TN-Validation-Passed"), None) => "A",
        _ => "none",
    }
}

/// The user part without what a text relay puts before it; whether one did (requirements §7.7).
fn without_relay(user: String, trunk: &Trunk) -> (String, bool) {
    let digits = user.strip_prefix('+').unwrap_or(&user);
    let rest = trunk.relay_prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix.as_str()));
    match rest.filter(|rest| !rest.is_empty()) {
        Some(rest) => (rest.to_owned(), true),
        None => (user, false),
    }
}

fn called_user(invite: &Request, trunk: &Trunk) -> String {
    let user = trunk.called_from.iter().find_map(|header| match header {
        CalledHeader::RequestUri => user_of(invite.uri()),
        CalledHeader::To => name_addr_user(invite, HeaderName::To),
        CalledHeader::PCalledPartyId => name_addr_user(invite, HeaderName::PCalledPartyId),
        // The first entry of History-Info and the last Diversion name who was called first.
        CalledHeader::HistoryInfo => users(invite, HeaderName::HistoryInfo).into_iter().next(),
        CalledHeader::Diversion => users(invite, HeaderName::Diversion).pop(),
    });
    user.unwrap_or_default()
}

/// The called number, and its country where it tells.
fn called(user: &str, trunk: &Trunk) -> (String, Option<String>) {
    match E164::parse(user, &trunk.country) {
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

#[cfg(test)]
mod tests {
    use sip_stack::message::Message;

    use super::*;
    use crate::config::Config;

    #[test]
    fn x_07_a_relay_s_prefix_and_a_number_of_the_operator_are_told_and_the_prefix_is_none_of_it() {
        let snapshot = Config::load(None).unwrap();
        let mut trunk = snapshot.config.trunks[0].clone();
        trunk.relay_prefixes = vec!["18001".into(), "18002".into()];
        trunk.test_callers = vec!["+447700900777".into()];
        let read = |from: &str, to: &str| {
            let text = format!(
                "INVITE sip:{to}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
                 From: <sip:{from}@192.0.2.2>;tag=1\r\nTo: <sip:{to}@192.0.2.1>\r\n\
                 Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            );
            let Message::Request(invite) = Message::parse(text.as_bytes()).unwrap() else {
                panic!("a request was written");
            };
            let who = parties(&invite, &trunk);
            let caller = who.caller.map(|caller| caller.to_string()).unwrap_or_default();
            (who.called, caller, who.call_is.join(" "))
        };
        let (line, mobile) = ("+442079460018", "+447700900001");
        let relay = "relay-or-text-phone";
        for (from, to, told) in [
            (mobile, line, (line, mobile, "")),
            (mobile, "1800102079460018", (line, mobile, relay)),
            (mobile, "18002442079460018", (line, mobile, relay)),
            ("1800107700900001", line, (line, mobile, relay)),
            (mobile, "18001", ("18001", mobile, "")),
            ("+447700900777", line, (line, "+447700900777", Facts::TEST_CALL)),
        ] {
            let (called, caller, call_is) = read(from, to);
            assert_eq!((called.as_str(), caller.as_str(), call_is.as_str()), told, "{from} {to}");
        }
    }

    #[test]
    fn x_07_a_text_stream_in_the_offer_is_a_text_phone() {
        let snapshot = Config::load(None).unwrap();
        let audio = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=m=text \r\nc=IN IP4 192.0.2.2\r\n\
                     t=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
        for (media, is_text_phone) in [
            ("", false),
            ("m=text 4002 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n", true),
            ("m=video 4002 RTP/AVP 99\r\na=m=text 1\r\n", false),
        ] {
            let text = format!(
                "INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
                 From: <sip:+447700900001@192.0.2.2>;tag=1\r\nTo: <sip:100@192.0.2.1>\r\n\
                 Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{audio}{media}",
                audio.len() + media.len()
            );
            let Message::Request(invite) = Message::parse(text.as_bytes()).unwrap() else {
                panic!("a request was written");
            };
            let told = parties(&invite, &snapshot.config.trunks[0]).call_is;
            assert_eq!(told == ["relay-or-text-phone"], is_text_phone, "{media}: {told:?}");
        }
    }

    #[test]
    fn what_a_trusted_carrier_vouches_for_is_told() {
        let snapshot = Config::load(None).unwrap();
        let mut trunk = snapshot.config.trunks[0].clone();
        trunk.trusted = true;
        let invite = |pai: &str, more: &str| {
            let text = format!(
                "INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
                 From: <sip:+12155551212@192.0.2.2;user=phone>;tag=1\r\nTo: <sip:100@192.0.2.1>\r\n\
                 Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
                 P-Asserted-Identity: <{pai}>\r\n{more}Content-Length: 0\r\n\r\n"
            );
            match Message::parse(text.as_bytes()).unwrap() {
                Message::Request(request) => request,
                Message::Response(_) => panic!("a request was written"),
            }
        };
        let number = |verstat: &str| format!("sip:+12155551212{verstat}@192.0.2.2;user=phone");
        for (pai, more, level) in [
            (number(""), "", "none"),
            (number(";verstat=TN-Validation-Passed"), "", "A"),
            (number(";verstat=TN-Validation-Passed"), "Attestation-Info: C\r\n", "C"),
            (number(";verstat=TN-Validation-Passed-B"), "", "B"),
            (number(";verstat=TN-Validation-Failed"), "Attestation-Info: A\r\n", "failed"),
            (number(";verstat=TN-Validation-Failed-C"), "", "failed"),
            (number(";verstat=No-TN-Validation"), "P-Attestation-Indicator: A\r\n", "none"),
            (number(""), "P-Attestation-Indicator: b\r\n", "B"),
            ("tel:+12155551212;verstat=TN-Validation-Passed".to_owned(), "", "A"),
            // A caller may call himself what he likes.
            (
                "sip:+12155551212@192.0.2.2>;x=1, \";verstat=TN-Validation-Passed\" <sip:a@b"
                    .to_owned(),
                "",
                "none",
            ),
        ] {
            assert_eq!(attestation(&invite(&pai, more), &trunk), level, "{pai} {more}");
        }
        for (caller_id, verstat, withheld, to_confirm) in [
            (CallerId::Accept, "", false, false),
            (CallerId::Accept, ";verstat=TN-Validation-Failed", true, false),
            (CallerId::Confirm, ";verstat=TN-Validation-Passed", false, false),
            (CallerId::Confirm, ";verstat=TN-Validation-Passed-B", false, true),
            (CallerId::Confirm, ";verstat=TN-Validation-Failed", true, true),
            (CallerId::RequireAttested, ";verstat=TN-Validation-Passed", false, false),
            (CallerId::RequireAttested, ";verstat=TN-Validation-Passed-B", true, false),
            (CallerId::RequireAttested, "", true, false),
        ] {
            trunk.caller_id = caller_id;
            let who = parties(&invite(&number(verstat), ""), &trunk);
            let told = (who.withheld, who.to_confirm);
            assert_eq!(told, (withheld, to_confirm), "{caller_id:?} {verstat}");
            assert!(who.caller.is_some(), "it routes");
        }
        trunk.trusted = false;
        let passed = invite(&number(";verstat=TN-Validation-Passed"), "");
        assert_eq!(attestation(&passed, &trunk), "none", "anyone can write it");
    }
}
