//! What is refused at once: headers that every message needs, and those that must be read right
//! before anything can be done with a message (RFC 3261 §8.1.1, §16.3; RFC 4475).

use super::{CSeq, Cause, HeaderName, Malformed, Message, NameAddr, Request, Via, scan};
use crate::uri::Uri;

/// Checks a message in one pass over its lines.
pub(super) fn message(message: &Message) -> Result<(), Cause> {
    if let Message::Request(request) = message {
        request_uri(request)?;
    }
    let mut seen = Seen(0);
    for (name, value) in message.headers().known() {
        if !seen.add(name) {
            return Err(Cause::Repeated(name.clone()));
        }
        line(message, name, value)?;
    }
    let needed =
        [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
    let missing = needed.into_iter().find(|name| !seen.has(name));
    missing.map_or(Ok(()), |name| Err(Cause::Missing(name)))
}

fn request_uri(request: &Request) -> Result<(), Cause> {
    let uri = Uri::parse(request.uri()).map_err(Cause::RequestUri)?;
    // Headers in a Request-URI would be a way to slip in a Route (RFC 4475 §3.1.2.11).
    if uri.headers.is_some() {
        return Err(Cause::RequestUri(Malformed("headers in it")));
    }
    Ok(())
}

fn line(message: &Message, name: &HeaderName, value: &str) -> Result<(), Cause> {
    use HeaderName as Name;
    let checked = match name {
        Name::Via => scan::list(value).try_for_each(|via| Via::parse(via).map(drop)),
        Name::From | Name::To => NameAddr::parse(value).map(drop),
        // What a dialog would be built from. `*` is REGISTER's alone.
        Name::Contact | Name::RecordRoute | Name::Route => {
            scan::list(value).try_for_each(|value| {
                let all = *name == Name::Contact && value == "*";
                if all { Ok(()) } else { NameAddr::parse(value).map(drop) }
            })
        }
        Name::CallId if value.is_empty() || value.contains(scan::is_lws) => {
            Err(Malformed("one word expected"))
        }
        Name::CSeq => return cseq(message, value),
        Name::MaxForwards => scan::number::<u8>(value).map(drop),
        Name::Expires | Name::RSeq => scan::number::<u32>(value).map(drop),
        // RFC 3261 §20.17.
        Name::Date if !value.ends_with("GMT") => Err(Malformed("not in GMT")),
        _ => Ok(()),
    };
    checked.map_err(|why| Cause::Header(name.clone(), why))
}

fn cseq(message: &Message, value: &str) -> Result<(), Cause> {
    let cseq = CSeq::parse(value).map_err(|why| Cause::Header(HeaderName::CSeq, why))?;
    match message {
        Message::Request(request) if cseq.method != request.method => Err(Cause::MethodMismatch),
        Message::Request(_) | Message::Response(_) => Ok(()),
    }
}

/// Names seen so far, of those that are needed or may be there only once.
struct Seen(u16);

impl Seen {
    /// Notes a name; false if it may not be there again.
    fn add(&mut self, name: &HeaderName) -> bool {
        let bit = Self::bit(name);
        let again = self.0 & bit != 0;
        self.0 |= bit;
        !again || *name == HeaderName::Via
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.0 & Self::bit(name) != 0
    }

    fn bit(name: &HeaderName) -> u16 {
        match name {
            HeaderName::Via => 1,
            HeaderName::From => 1 << 1,
            HeaderName::To => 1 << 2,
            HeaderName::CallId => 1 << 3,
            HeaderName::CSeq => 1 << 4,
            HeaderName::MaxForwards => 1 << 5,
            HeaderName::ContentLength => 1 << 6,
            HeaderName::ContentType => 1 << 7,
            HeaderName::Expires => 1 << 8,
            HeaderName::Date => 1 << 9,
            HeaderName::SessionExpires => 1 << 10,
            _ => 0,
        }
    }
}
