//! E08: targets are SIP addresses, and none is a number that must not be dialled.

use message_text::{E164, LineType};

/// Emergency and crisis numbers, and the test number beside them, that mean the same wherever a
/// trunk leads. A PBX may well have an extension 100 or 110; those are refused by country.
const EMERGENCY: [&str; 6] = ["000", "112", "911", "933", "988", "999"];

/// More of them, by country (ITU list, and libphonenumber's).
const EMERGENCY_IN: [(&str, &[&str]); 12] = [
    ("AU", &["106"]),
    ("BR", &["190", "192", "193"]),
    ("CH", &["117", "118", "143", "144"]),
    ("CN", &["110", "119", "120", "122"]),
    ("DE", &["110"]),
    ("ES", &["091", "092", "061", "062", "080"]),
    ("FR", &["15", "17", "18", "114", "115", "119"]),
    ("GB", &["101", "111", "116123"]),
    ("IN", &["100", "101", "102", "108"]),
    ("IT", &["113", "115", "118"]),
    ("JP", &["110", "118", "119"]),
    ("NZ", &["111"]),
];

/// What is wrong with a target's address, and how to mend it.
pub(crate) fn problem(address: &str) -> Option<(String, &'static str)> {
    const FORM: &str = "write it as `sip:queue@pbx.example.net` or `sip:192.0.2.1:5060`";
    let scheme_end = address.find(':').unwrap_or(0);
    let (scheme, rest) = address.split_at(scheme_end);
    if scheme.eq_ignore_ascii_case("tel") {
        let message = format!("`{scheme}:` targets are not served");
        return Some((message, FORM));
    }
    if !["sip", "sips"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Some((format!("`{address}` is no SIP address"), FORM));
    }
    let (user, host, params) = parts(&rest[1..]);
    if let Some(transport) = transport_in(params)
        && !["udp", "tcp", "tls"].iter().any(|known| transport.eq_ignore_ascii_case(known))
    {
        let message = format!("`transport={transport}` is not served");
        return Some((message, "write `;transport=udp`, `tcp` or `tls`, or none of them"));
    }
    if !is_host_port(host) || user.is_some_and(|user| !is_user(user)) {
        return Some((format!("`{address}` is no SIP address"), FORM));
    }
    if user.is_some_and(is_emergency) {
        let message = format!("`{address}` is an emergency number");
        return Some((message, "name the extension or queue of a person instead"));
    }
    None
}

/// Whether an address is to be reached by TLS, by its scheme.
pub(crate) fn is_sips(address: &str) -> bool {
    address.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("sips"))
}

/// The transport that an address names.
pub(crate) fn transport(address: &str) -> Option<&str> {
    transport_in(parts(address.split_once(':')?.1).2)
}

/// Where an address leads, an IPv6 address in its brackets.
pub(crate) fn host(address: &str) -> Option<&str> {
    let (_, host, _) = parts(address.split_once(':')?.1);
    match host.find(']') {
        Some(end) => host.get(..=end),
        None => host.split(':').next(),
    }
}

/// User, host with port, and parameters with headers, of an address without its scheme.
fn parts(rest: &str) -> (Option<&str>, &str, &str) {
    let (user, host) = match rest.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    let (host, params) = host.split_at(host.find([';', '?']).unwrap_or(host.len()));
    (user, host, params)
}

fn transport_in(params: &str) -> Option<&str> {
    let params = params.split('?').next()?.split(';');
    params
        .filter_map(|param| param.split_once('='))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("transport").then_some(value))
}

/// Why an address must not be dialled where calls come from these countries (ISO codes): it is
/// an emergency number there, costs extra, or leads into another country.
pub(crate) fn refused_in(address: &str, countries: &[String]) -> Option<(String, &'static str)> {
    const PERSON: &str = "name the extension or queue of a person instead";
    let (user, _) = address.split_once(':')?.1.rsplit_once('@')?;
    let digits = dialled(user);
    let listed = |country: &str| countries.iter().any(|listed| listed == country);
    if EMERGENCY_IN
        .iter()
        .any(|(country, numbers)| listed(country) && numbers.contains(&digits.as_str()))
    {
        return Some((format!("`{address}` is an emergency number"), PERSON));
    }
    if !digits.bytes().all(|b| b.is_ascii_digit() || b == b'+') {
        return None;
    }
    let mut read = countries.iter().filter_map(|country| E164::parse(&digits, country).ok());
    if read.clone().any(|number| number.line_type() == LineType::Premium) {
        return Some((format!("`{address}` is a premium number"), PERSON));
    }
    // Only these say their country: what else reads as a number may be one of the PBX's own.
    let global = ["+", "00", "011"].iter().any(|prefix| digits.starts_with(prefix));
    let abroad = read.find(|number| global && !listed(number.region()))?;
    let message = format!("`{address}` is a number of {}", abroad.region());
    Some((message, "add the country to `[limits] countries` in carom.toml, if it is meant"))
}

fn is_emergency(user: &str) -> bool {
    EMERGENCY.contains(&dialled(user).as_str())
}

/// The user part as a PBX reads it: without escapes, parameters, password, visual separators.
fn dialled(user: &str) -> String {
    let user = unescaped(user.split([';', ':']).next().unwrap_or(""));
    user.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect()
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        plain.extend(code.map(char::from));
        plain.push_str(part.get(2..).unwrap_or(""));
    }
    plain
}

/// RFC 3261 §25.1, user and password.
fn is_user(user: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()%&=+$,;?/:".contains(&b);
    !user.is_empty() && user.bytes().all(allowed)
}

fn is_host_port(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else { return false };
        let port_ok = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return host.parse::<std::net::Ipv6Addr>().is_ok() && port_ok;
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    is_host(host) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A host name (RFC 1123) or an IPv4 address.
fn is_host(host: &str) -> bool {
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if numeric {
        return host.parse::<std::net::Ipv4Addr>().is_ok();
    }
    let label = |label: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        edge(label.chars().next())
            && edge(label.chars().last())
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}
