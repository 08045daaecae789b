//! From bytes to spans.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Cause, HeaderName, Headers, MAX_MESSAGE_BYTES, Malformed, Message, Method, ParseError, Request,
    Response, check,
    headers::Spans,
    scan::{self, is_lws},
};

/// Lines that a message may have; far beyond what real ones do.
const MAX_LINES: usize = 256;

/// The longest Request-URI taken, in bytes.
const MAX_URI_BYTES: usize = 2_048;

/// What a start line says, apart from the text that [`Headers`] keeps.
enum Start {
    Request(Method),
    Response(u16),
}

pub(super) fn message(bytes: &[u8]) -> Result<Message, ParseError> {
    let bytes = skip_line_ends(bytes);
    if bytes.is_empty() {
        return Err(ParseError::unanswerable(Cause::KeepAlive));
    }
    let (mut message, fault) = split(bytes).map_err(ParseError::unanswerable)?;
    let fault = match fault {
        Some(fault) => Err(fault),
        None => check::message(&message).and_then(|()| cut_body(&mut message)),
    };
    fault.map_err(|cause| refusal(cause, message.clone()))?;
    Ok(message)
}

/// A message as it is saved: text and body apart, so that text stays readable.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    head: String,
    body: Vec<u8>,
}

impl Saved {
    pub(super) fn from_wire(wire: &[u8]) -> Self {
        let at = head_end(wire).unwrap_or(wire.len());
        Self { head: String::from_utf8_lossy(&wire[..at]).into_owned(), body: wire[at..].to_vec() }
    }

    /// Reads without the checks of the network: what was saved may still be being built.
    pub(super) fn restore(self) -> Result<Message, ParseError> {
        let (mut message, fault) = split(self.head.as_bytes()).map_err(ParseError::unanswerable)?;
        match &mut message {
            Message::Request(request) => request.body = self.body.into(),
            Message::Response(response) => response.body = self.body.into(),
        }
        fault.map_or(Ok(message), |cause| Err(ParseError::unanswerable(cause)))
    }
}

/// Skips what keeps a NAT binding open (RFC 3261 §7.5, RFC 5626 §3.5.1).
fn skip_line_ends(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Returns where the body starts: after the first empty line.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(offset) = bytes[from..].iter().position(|&b| b == b'\n') {
        let at = from + offset + 1;
        match &bytes[at..] {
            [b'\r', b'\n', ..] => return Some(at + 2),
            [b'\n', ..] => return Some(at + 1),
            _ => from = at,
        }
    }
    None
}

/// Splits into start line, header lines and all that follows. A fault that still leaves a
/// message to answer comes beside it.
fn split(bytes: &[u8]) -> Result<(Message, Option<Cause>), Cause> {
    let too_large = bytes.len() > MAX_MESSAGE_BYTES;
    let bytes = &bytes[..bytes.len().min(MAX_MESSAGE_BYTES)];
    let end = head_end(bytes);
    let (head, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    let text = match std::str::from_utf8(head) {
        Ok(text) => {
            // Room to add or replace a line or two without a second allocation.
            let mut owned = String::with_capacity(text.len() + 128);
            owned.push_str(text);
            owned
        }
        Err(_) => String::from_utf8_lossy(head).into_owned(),
    };
    let mut headers = Headers { text, lines: Vec::with_capacity(24), ..Headers::default() };
    let (start, line_fault) = start_line(&mut headers)?;
    let head_fault = header_lines(&mut headers).err();
    let unended = end.is_none().then_some(Cause::HeaderLine(Malformed("no empty line")));
    let large = too_large.then_some(Cause::TooLarge);
    let fault = large.or(line_fault).or(head_fault).or(unended);
    let body = Bytes::copy_from_slice(body);
    let message = match start {
        Start::Request(method) => Message::Request(Request { method, headers, body }),
        Start::Response(status) => Message::Response(Response { status, headers, body }),
    };
    Ok((message, fault))
}

/// Reads the start line. Single spaces separate its parts (RFC 3261 §7.1, §7.2).
fn start_line(headers: &mut Headers) -> Result<(Start, Option<Cause>), Cause> {
    let no_line = Cause::StartLine(Malformed("no line end"));
    let line_end = headers.text.find('\n').ok_or(no_line)?;
    let line = &headers.text[..line_end];
    let line = line.strip_suffix('\r').unwrap_or(line);
    if let Some(rest) = line.strip_prefix("SIP/") {
        return status_line(rest, line.len()).map(|(status, reason)| {
            headers.target = reason.into();
            (Start::Response(status), None)
        });
    }
    let (method, rest) = line.split_once(' ').ok_or(Cause::StartLine(Malformed("one word")))?;
    if !scan::is_token(method) {
        return Err(Cause::StartLine(Malformed("no method")));
    }
    // From here on it is a request that can be answered.
    let start = Start::Request(Method::from_token(method));
    let from = method.len() + 1;
    let stray = Some(Cause::StartLine(Malformed("stray space, or no SIP version")));
    let Some((uri, version)) = rest.rsplit_once(' ') else { return Ok((start, stray)) };
    let fault = match version.get(..4) {
        Some(sip) if sip.eq_ignore_ascii_case("SIP/") && &version[4..] == "2.0" => None,
        Some(sip) if sip.eq_ignore_ascii_case("SIP/") => Some(Cause::Version),
        _ => stray.clone(),
    };
    let fault = if uri.contains(is_lws) { stray } else { fault };
    let fault = if uri.len() > MAX_URI_BYTES { Some(Cause::UriTooLong) } else { fault };
    headers.target = (from..from + uri.len()).into();
    Ok((start, fault))
}

/// Reads `2.0 200 OK` of a status line that is `len` bytes long.
fn status_line(rest: &str, len: usize) -> Result<(u16, std::ops::Range<usize>), Cause> {
    let rest = rest.strip_prefix("2.0 ").ok_or(Cause::Version)?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let three = (status.len() == 3).then(|| scan::number(status).ok()).flatten();
    let status = three.filter(|status| (100..700).contains(status));
    let status = status.ok_or(Cause::StartLine(Malformed("no status")))?;
    if reason.contains('\r') {
        return Err(Cause::StartLine(Malformed("stray carriage return")));
    }
    Ok((status, len - reason.len()..len))
}

/// Fills the table of lines. On a fault the lines before it are there to answer with.
fn header_lines(headers: &mut Headers) -> Result<(), Cause> {
    let fault = |what| Err(Cause::HeaderLine(Malformed(what)));
    let mut at = headers.text.find('\n').map_or(headers.text.len(), |end| end + 1);
    let head_len = headers.text.len();
    while at < head_len {
        let (end, next, folded) = line_extent(&headers.text[..head_len], at);
        if end == at {
            break; // the empty line
        }
        let line = &headers.text[at..end];
        // Names are short; bytes are quicker than a search for a char.
        let Some(colon) = line.bytes().position(|b| b == b':') else { return fault("no colon") };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let spelling = name.trim_end_matches([' ', '\t']);
        if !scan::is_token(spelling) {
            return fault("no name");
        }
        if !folded && line.contains('\r') {
            return fault("stray carriage return");
        }
        if headers.lines.len() == MAX_LINES {
            return fault("too many lines");
        }
        let spelling_span = at..at + spelling.len();
        let trimmed = scan::trim(value);
        let lead = value.len() - value.trim_start_matches(is_lws).len();
        let value_start = at + name.len() + 1 + lead;
        let mut value_span = value_start..value_start + trimmed.len();
        let known = HeaderName::known(spelling);
        if folded && trimmed.contains(['\r', '\n']) {
            let unfolded = unfold(trimmed);
            let Some(unfolded) = unfolded else { return fault("stray carriage return") };
            let start = headers.text.len();
            headers.text.push_str(&unfolded);
            value_span = start..headers.text.len();
        }
        headers.lines.push(Spans {
            known,
            spelling: spelling_span.into(),
            raw: (at..end).into(),
            value: value_span.into(),
        });
        at = next;
    }
    Ok(())
}

/// Returns the end of the logical line at `at` without its line end, the start of the next one,
/// and whether it is folded (RFC 3261 §7.3.1).
fn line_extent(text: &str, at: usize) -> (usize, usize, bool) {
    let head = text.as_bytes();
    let (mut from, mut folded) = (at, false);
    loop {
        let newline = text[from..].find('\n').map(|offset| from + offset);
        let next = newline.map_or(head.len(), |at| at + 1);
        let mut end = newline.unwrap_or(head.len());
        if newline.is_some() && end > at && head[end - 1] == b'\r' {
            end -= 1;
        }
        let continues = end > at && matches!(head.get(next), Some(b' ' | b'\t'));
        if !continues {
            return (end, next, folded);
        }
        (from, folded) = (next, true);
    }
}

/// Turns each fold into one space; `None` if a carriage return stands alone.
fn unfold(value: &str) -> Option<String> {
    let mut unfolded = String::with_capacity(value.len());
    for (index, line) in value.split('\n').enumerate() {
        let line = if index == 0 { line } else { line.trim_start_matches([' ', '\t']) };
        let line = line.strip_suffix('\r').unwrap_or(line).trim_end_matches([' ', '\t']);
        if line.contains('\r') {
            return None;
        }
        if index > 0 {
            unfolded.push(' ');
        }
        unfolded.push_str(line);
    }
    Some(unfolded)
}

/// Cuts what follows the body; refuses a body shorter than promised (RFC 3261 §18.3).
fn cut_body(message: &mut Message) -> Result<(), Cause> {
    let Some(length) = message.headers().first(HeaderName::ContentLength) else { return Ok(()) };
    let malformed = |why| Cause::Header(HeaderName::ContentLength, why);
    let length: usize = scan::number(length).map_err(malformed)?;
    let body = match message {
        Message::Request(request) => &mut request.body,
        Message::Response(response) => &mut response.body,
    };
    if length > body.len() {
        return Err(Cause::Truncated);
    }
    body.truncate(length);
    Ok(())
}

/// Keeps a faulty request when it can be answered: there is a Via to answer along, and it is no
/// ACK, which is never answered.
fn refusal(cause: Cause, message: Message) -> ParseError {
    let request = match message {
        Message::Request(request) => {
            let answerable = request.method != Method::Ack && request.headers.has(HeaderName::Via);
            answerable.then(|| Box::new(request))
        }
        Message::Response(_) => None,
    };
    ParseError { cause, request }
}
