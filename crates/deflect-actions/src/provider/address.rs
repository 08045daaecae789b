//! The address that a webhook was posted to, as whoever signed it may have spelled it.

/// The address with its port, without it, and as it is.
pub(super) fn spellings(url: &str) -> [String; 3] {
    [with_port(url), without_port(url), url.to_owned()]
}

/// Scheme, host without port, port, and the rest from the first slash on.
fn parts(url: &str) -> Option<(&str, &str, Option<&str>, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // An IPv6 address has colons of its own.
    let host_end = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[host_end..].rfind(':') {
        Some(at) => {
            let (host, port) = authority.split_at(host_end + at);
            Some((scheme, host, Some(&port[1..]), tail))
        }
        None => Some((scheme, authority, None, tail)),
    }
}

fn with_port(url: &str) -> String {
    match parts(url) {
        Some((scheme, host, None, tail)) => {
            let port = if scheme == "https" { 443 } else { 80 };
            format!("{scheme}://{host}:{port}{tail}")
        }
        _ => url.to_owned(),
    }
}

fn without_port(url: &str) -> String {
    match parts(url) {
        Some((scheme, host, Some(_), tail)) => format!("{scheme}://{host}{tail}"),
        _ => url.to_owned(),
    }
}
