//! Bodies of several parts (RFC 2046 §5.1, RFC 5621): the session description is one of them,
//! beside what a carrier knows from its own network (ISUP, a location).

use std::ops::Range;

use bytes::Bytes;

use super::{HeaderName, Headers, Params};

/// Multiparts within multiparts that are looked into.
const DEPTH: usize = 3;

/// Replaces a body of several parts by its session description, and by nothing where there is
/// none and no part must be understood (RFC 5621 §3.4). Any other body stays as it is.
pub(crate) fn reduce(headers: &mut Headers, body: &mut Bytes) {
    let Some(content_type) = headers.first(HeaderName::ContentType) else { return };
    match session_part(content_type, body, DEPTH) {
        Some(Some(part)) => {
            *body = part;
            headers.set(HeaderName::ContentType, "application/sdp");
        }
        Some(None) => {
            *body = Bytes::new();
            headers.remove(HeaderName::ContentType);
        }
        None => {}
    }
}

/// `None`: these are no parts, or one of them must be understood and is not.
fn session_part(content_type: &str, body: &Bytes, depth: usize) -> Option<Option<Bytes>> {
    if depth == 0 {
        return None;
    }
    let boundary = boundary_of(content_type)?;
    let mut found = None;
    let mut count = 0;
    for range in parts(body, boundary) {
        let part = Part::read(body.slice(range));
        let (kind, _) = split(&part.content_type);
        count += usize::from(!kind.is_empty());
        let inner = if kind.eq_ignore_ascii_case("application/sdp") && part.is_session {
            Some(Some(part.content))
        } else {
            session_part(&part.content_type, &part.content, depth - 1)
        };
        match inner {
            Some(sdp) => found = found.or(sdp),
            None if part.is_required => return None,
            None => {}
        }
    }
    (count > 0).then_some(found)
}

fn split(value: &str) -> (&str, Params<'_>) {
    let (kind, params) = value.split_once(';').unwrap_or((value, ""));
    (kind.trim(), Params::unchecked(params))
}

fn boundary_of(content_type: &str) -> Option<&str> {
    let (kind, params) = split(content_type);
    let kind = kind.get(..10).filter(|kind| kind.eq_ignore_ascii_case("multipart/"));
    let boundary = kind.and_then(|_| params.get("boundary"))?.trim_matches('"');
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// What lies between the delimiter lines; a last part that is never closed ends with the body.
fn parts(body: &[u8], boundary: &str) -> Vec<Range<usize>> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut begin = None;
    let mut line = 0;
    while line < body.len() {
        let end = body[line..].iter().position(|&b| b == b'\n').map_or(body.len(), |n| line + n);
        let text = body[line..end].trim_ascii_end();
        let rest = text.strip_prefix(delimiter.as_bytes());
        if let Some(rest @ (b"" | b"--")) = rest {
            if let Some(begin) = begin.take() {
                parts.push(begin..without_line_end(body, begin, line));
            }
            if rest == b"--" {
                return parts;
            }
            begin = Some((end + 1).min(body.len()));
        }
        line = end + 1;
    }
    parts.extend(begin.map(|begin| begin..body.len()));
    parts
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(body: &[u8], begin: usize, end: usize) -> usize {
    let part = &body[begin..end.max(begin)];
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    begin + part.strip_suffix(b"\r").unwrap_or(part).len()
}

struct Part {
    content_type: String,
    is_required: bool,
    /// The session of this dialog, not another one (RFC 3959); as it is written, not encoded.
    is_session: bool,
    content: Bytes,
}

/// Header lines of a part that are read.
const LINES: usize = 32;

impl Part {
    fn read(part: Bytes) -> Self {
        let mut read = Self {
            content_type: String::new(),
            is_required: false,
            is_session: true,
            content: Bytes::new(),
        };
        let mut at = 0;
        let mut headers: Vec<String> = Vec::new();
        while at < part.len() {
            let end = part[at..].iter().position(|&b| b == b'\n').map_or(part.len(), |n| at + n);
            let line = String::from_utf8_lossy(part[at..end].trim_ascii_end());
            at = (end + 1).min(part.len());
            if line.is_empty() {
                read.content = part.slice(at..);
                break;
            }
            if headers.len() == LINES {
                continue;
            }
            match headers.last_mut() {
                Some(folded) if line.starts_with([' ', '\t']) => folded.push_str(&line),
                _ => headers.push(line.into_owned()),
            }
        }
        for (name, value) in headers.iter().filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("Content-Type") || name.eq_ignore_ascii_case("c") {
                value.clone_into(&mut read.content_type);
            } else if name.eq_ignore_ascii_case("Content-Disposition") {
                // Only what says so is taken at its word: carriers leave it out where they mean
                // "optional", though its absence is "required".
                let (disposition, params) = split(value);
                let handling = params.get("handling").unwrap_or_default().trim_matches('"');
                read.is_required = handling.eq_ignore_ascii_case("required");
                read.is_session &= disposition.eq_ignore_ascii_case("session");
            } else if name.eq_ignore_ascii_case("Content-Transfer-Encoding") {
                let plain = ["7bit", "8bit", "binary"];
                read.is_session &= plain.iter().any(|plain| value.eq_ignore_ascii_case(plain));
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISUP: &str = "Content-Type: application/ISUP;version=itu-t92+\r\n\
         Content-Disposition: signal;handling=optional\r\n\r\n\x01\x11\x00\n--x\r\n";

    /// What the body becomes; `None`: it stays.
    fn reduced(content_type: &str, body: &str) -> Option<String> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let part = session_part(content_type, &body, DEPTH)?.unwrap_or_default();
        Some(String::from_utf8(part.to_vec()).unwrap())
    }

    #[test]
    fn the_session_description_is_found_among_other_parts() {
        let sdp = "Content-type: APPLICATION/SDP\r\n\r\nv=0\r\no=-\r\n";
        let cases = [
            format!("--b\r\n{sdp}\r\n--b\r\n{ISUP}\r\n--b--\r\n"),
            format!("a preamble\r\n--b  \r\n{ISUP}\r\n--b\r\n{sdp}\r\n--b--\r\nan epilogue"),
            format!("--b\n{}\n--b--", sdp.replace('\r', ""))
                .replace("v=0\no=-\n", "v=0\r\no=-\r\n"),
            format!("--b\r\n{sdp}"),
            format!(
                "--b\r\nContent-Type: multipart/mixed;\r\n boundary=\"in ner\"\r\n\r\n\
                 --in ner\r\n{sdp}\r\n--in ner--\r\n\r\n--b--\r\n"
            ),
        ];
        for body in &cases {
            let found = reduced("multipart/mixed;boundary=b", body);
            assert_eq!(found.as_deref(), Some("v=0\r\no=-\r\n"), "{body}");
        }
        let quoted = cases[0].replace("--b", "--a;b");
        assert!(reduced("Multipart/Mixed ; Boundary=\"a;b\"", &quoted).is_some());
    }

    #[test]
    fn what_cannot_be_taken_stays_as_it_is() {
        let sdp = "Content-Type: application/sdp\r\n\r\nv=0\r\n";
        let must = ISUP.replace("optional", "required");
        let deep = |n: usize| {
            let inner =
                |n| format!("Content-Type: multipart/mixed;boundary=b{n}\r\n\r\n--b{n}\r\n");
            format!("--b\r\n{}{sdp}", (0..n).map(inner).collect::<String>())
        };
        let cases = [
            ("multipart/mixed", format!("--b\r\n{sdp}\r\n--b--")),
            ("multipart/mixed;boundary=\"\"", format!("--\r\n{sdp}\r\n----")),
            ("multipart/mixed;boundary=c", format!("--b\r\n{sdp}\r\n--b--")),
            ("multipart/mixed;boundary=b", format!("--bb\r\n{sdp}\r\n--bb--")),
            ("multipart/mixed;boundary=b", format!("--b\r\n{sdp}\r\n--b\r\n{must}\r\n--b--")),
            ("multipart/mixed;boundary=b", format!("--b--\r\n--b\r\n{sdp}\r\n--b--")),
            ("multipart/mixed;boundary=b", "--b".to_owned()),
            ("multipart/mixed;boundary=b", "--b\r\n--b\r\n--b--".to_owned()),
            ("multipart/mixed;boundary=b", String::new()),
            ("application/sdp", "v=0\r\n".to_owned()),
        ];
        for (content_type, body) in &cases {
            assert_eq!(reduced(content_type, body), None, "{content_type} {body}");
        }
        assert_eq!(reduced("multipart/mixed;boundary=b", &deep(2)).as_deref(), Some("v=0\r\n"));
        assert_eq!(reduced("multipart/mixed;boundary=b", &deep(3)).as_deref(), Some(""));
    }

    #[test]
    fn parts_that_nobody_must_understand_are_no_body() {
        let none = [
            format!("--b\r\n{ISUP}\r\n--b--"),
            "--b\r\nContent-Type: application/sdp\r\nContent-Disposition: early-session\r\n\r\nv=0"
                .to_owned(),
            "--b\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w"
                .to_owned(),
        ];
        for body in &none {
            let found = reduced("multipart/mixed;boundary=b", body);
            assert_eq!(found.as_deref(), Some(""), "{body}");
        }
        let must = ISUP.replace("optional", "\"required\"");
        assert_eq!(reduced("multipart/mixed;boundary=b", &format!("--b\r\n{must}")), None);
    }
}
