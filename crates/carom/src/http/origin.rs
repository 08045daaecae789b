//! Who asks, where a proxy stands between.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::config::Net;

/// Where a request comes from: the peer, or, where that is one of our `proxies`, whom they name in
/// `X-Forwarded-For`. Each proxy adds at the end whom it heard, so that the last one that is no proxy
/// of ours counts; what stands before it anybody may have written.
pub(super) fn origin(peer: IpAddr, headers: &HeaderMap, proxies: &[Net]) -> IpAddr {
    let is_ours = |addr: &IpAddr| proxies.iter().any(|net| net.contains(*addr));
    if !is_ours(&peer) {
        return peer;
    }
    let lists = headers.get_all("x-forwarded-for").iter().rev();
    let named = lists.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    let mut last = peer;
    for name in named {
        // Whoever wrote that is no proxy that keeps to the form.
        let Ok(addr) = name.trim().parse() else { break };
        last = addr;
        if !is_ours(&addr) {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, lists: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append("x-forwarded-for", list.parse().unwrap());
        }
        let proxies = ["127.0.0.0/8", "10.0.0.0/8"].map(|net| net.parse().unwrap());
        origin(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_our_proxies_are_believed_and_the_last_stranger_counts() {
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]), "192.0.2.1", "no proxy of ours");
        assert_eq!(from("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(from("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("127.0.0.1", &["198.51.100.7, 203.0.113.9"]), "203.0.113.9", "forged");
        assert_eq!(from("127.0.0.1", &["198.51.100.7", "203.0.113.9, 10.1.1.1"]), "203.0.113.9");
        assert_eq!(from("127.0.0.1", &["198.51.100.7, unknown, 10.1.1.1"]), "10.1.1.1");
    }
}
