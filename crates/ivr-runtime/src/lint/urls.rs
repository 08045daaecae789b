//! E13: what a caller is sent to, and what is asked, is https.

/// What is wrong with an address of the web, and how to mend it. Plain http is for this machine.
pub(crate) fn problem(url: &str) -> Option<(String, &'static str)> {
    const HELP: &str = "write `https://…`; plain http is for 127.0.0.1 only";
    let host = match url.split_once("://") {
        Some(("https", rest)) => host(rest),
        Some(("http", rest)) if is_loopback(host(rest)) => host(rest),
        _ => return Some((format!("`{url}` is not https"), HELP)),
    };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some((format!("`{url}` has a blank in it"), "write `%20` for it"));
    }
    if host.contains('@') {
        let help = "an address with a password in it is no place to send callers to";
        return Some(("the address holds a user or a password".to_owned(), help));
    }
    if host.is_empty() || host.contains('{') {
        return Some((format!("`{url}` has no host"), "its host can't come from a field"));
    }
    None
}

/// Host and port.
pub(crate) fn host(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or("")
}

fn is_loopback(host_port: &str) -> bool {
    if let Some(rest) = host_port.strip_prefix('[') {
        return rest.starts_with("::1]");
    }
    let host = host_port.split(':').next().unwrap_or("");
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}
