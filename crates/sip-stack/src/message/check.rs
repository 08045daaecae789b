//! What is refused at once: headers that every message needs, and those that must be read right
//! before anything can be done with a message (RFC 3261 §8.1.1, §16.3; RFC 4475).

use super::{CSeq, Cause, HeaderName, Headers, Malformed, Message, NameAddr, Request, Via, scan};
use crate::uri::Uri;

/// Headers that a message has at most once, of those that this stack reads.
const SINGLE: [HeaderName; 10] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::MaxForwards,
    HeaderName::ContentLength,
    HeaderName::ContentType,
    HeaderName::Expires,
    HeaderName::Date,
    HeaderName::SessionExpires,
];

pub(super) fn message(message: &Message) -> Result<(), Cause> {
    let headers = message.headers();
    for name in SINGLE {
        if headers.all(name.clone()).nth(1).is_some() {
            return Err(Cause::Repeated(name));
        }
    }
    if let Message::Request(request) = message {
        request_uri(request)?;
    }
    vias(headers)?;
    address(headers, HeaderName::From)?;
    address(headers, HeaderName::To)?;
    call_id(headers)?;
    let cseq = present(headers, HeaderName::CSeq)
        .and_then(|text| CSeq::parse(text).map_err(|why| Cause::Header(HeaderName::CSeq, why)))?;
    if let Message::Request(request) = message
        && cseq.method != request.method
    {
        return Err(Cause::MethodMismatch);
    }
    contacts(headers)?;
    number::<u8>(headers, HeaderName::MaxForwards)?;
    number::<u32>(headers, HeaderName::Expires)?;
    number::<u32>(headers, HeaderName::RSeq)?;
    date(headers)
}

fn request_uri(request: &Request) -> Result<(), Cause> {
    let uri = Uri::parse(request.uri()).map_err(Cause::RequestUri)?;
    // Headers in a Request-URI would be a way to slip in a Route (RFC 4475 §3.1.2.11).
    if uri.headers.is_some() {
        return Err(Cause::RequestUri(Malformed("headers in it")));
    }
    Ok(())
}

fn vias(headers: &Headers) -> Result<(), Cause> {
    present(headers, HeaderName::Via)?;
    for value in headers.values(HeaderName::Via) {
        Via::parse(value).map_err(|why| Cause::Header(HeaderName::Via, why))?;
    }
    Ok(())
}

fn address(headers: &Headers, name: HeaderName) -> Result<(), Cause> {
    let text = present(headers, name.clone())?;
    NameAddr::parse(text).map(drop).map_err(|why| Cause::Header(name, why))
}

fn call_id(headers: &Headers) -> Result<(), Cause> {
    let text = present(headers, HeaderName::CallId)?;
    if text.is_empty() || text.contains(scan::is_lws) {
        return Err(Cause::Header(HeaderName::CallId, Malformed("one word expected")));
    }
    Ok(())
}

/// Contact and the routes: what a dialog would be built from. `*` is REGISTER's alone.
fn contacts(headers: &Headers) -> Result<(), Cause> {
    for name in [HeaderName::Contact, HeaderName::RecordRoute, HeaderName::Route] {
        for value in headers.values(name.clone()) {
            if !(name == HeaderName::Contact && value == "*") {
                NameAddr::parse(value).map_err(|why| Cause::Header(name.clone(), why))?;
            }
        }
    }
    Ok(())
}

/// A Date is in GMT (RFC 3261 §20.17).
fn date(headers: &Headers) -> Result<(), Cause> {
    match headers.first(HeaderName::Date) {
        Some(date) if !date.ends_with("GMT") => {
            Err(Cause::Header(HeaderName::Date, Malformed("not in GMT")))
        }
        Some(_) | None => Ok(()),
    }
}

fn number<T: std::str::FromStr>(headers: &Headers, name: HeaderName) -> Result<(), Cause> {
    let Some(text) = headers.first(name.clone()) else { return Ok(()) };
    scan::number::<T>(text).map(drop).map_err(|why| Cause::Header(name, why))
}

fn present(headers: &Headers, name: HeaderName) -> Result<&str, Cause> {
    headers.first(name.clone()).ok_or(Cause::Missing(name))
}
