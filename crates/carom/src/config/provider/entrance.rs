//! Where the webhooks of a provider are let in, beside what it proves them by: for providers that
//! prove no more than a password (requirements §7).

use std::net::IpAddr;

use ivr_runtime::diagnose::Code;
use subtle::ConstantTimeEq as _;

use super::super::{net::Net, read::Table, secret::Secret};

/// The keys of a provider for it.
const KEYS: [&str; 2] = ["webhook_path", "webhook_from"];
/// Characters of a secret segment, at least: those of 96 bits in base64.
const SHORTEST: usize = 16;
/// Characters of a secret segment, at most.
const LONGEST: usize = 128;

/// What the webhooks of a provider must show before anything else of them is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entrance {
    /// A segment of the path that nobody else knows; `None`: there is none.
    pub path: Option<Secret>,
    /// Where they come from; empty: anywhere.
    pub from: Vec<Net>,
}

impl Entrance {
    /// What follows `/` in the path where it is rightly begun, without the secret segment; `None`:
    /// it is another. Compared in constant time.
    #[must_use]
    pub fn behind<'a>(&self, tail: &'a str) -> Option<&'a str> {
        let Some(path) = &self.path else { return Some(tail) };
        let (segment, rest) = tail.split_once('/').unwrap_or((tail, ""));
        let known = segment.as_bytes().ct_eq(path.reveal().as_bytes());
        bool::from(known).then_some(rest)
    }

    /// Whether they may come from `addr`.
    #[must_use]
    pub fn admits(&self, addr: IpAddr) -> bool {
        self.from.is_empty() || self.from.iter().any(|net| net.contains(addr))
    }

    /// The secret segment with a slash before it, or nothing.
    #[must_use]
    pub fn segment(&self) -> String {
        self.path.as_ref().map_or_else(String::new, |path| format!("/{}", path.reveal()))
    }
}

pub(super) fn read(table: &Table<'_>, has_webhooks: bool) -> Entrance {
    if !has_webhooks {
        for key in KEYS.into_iter().filter(|key| table.has(key)) {
            table.value(key);
            let message = format!("`{key}` is for providers with webhooks");
            table.note(Code::E00, key, message, "leave it out here");
        }
        return Entrance::default();
    }
    let path = table.secret_value(KEYS[0]);
    let from = table.parsed_list(KEYS[1]).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if let Some(path) = &path
        && (!(SHORTEST..=LONGEST).contains(&path.reveal().len())
            || !path.reveal().bytes().all(plain))
    {
        let message = format!(
            "`webhook_path` is not {SHORTEST} to {LONGEST} letters, digits, `-`, `.`, `_` and `~`"
        );
        table.note(Code::E13, "webhook_path", message, "`openssl rand -hex 16` makes one");
    }
    Entrance { path, from }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_segment_is_let_in() {
        let open = Entrance::default();
        assert_eq!((open.behind("status"), open.behind("")), (Some("status"), Some("")));
        let path = Some(Secret::from("0123456789abcdef".to_owned()));
        let from = vec!["198.51.100.0/24".parse().unwrap()];
        let closed = Entrance { path, from };
        assert_eq!(closed.behind("0123456789abcdef"), Some(""));
        assert_eq!(closed.behind("0123456789abcdef/status"), Some("status"));
        for tail in [
            "",
            "status",
            "0123456789abcdeF",
            "0123456789abcdef0/status",
            "status/0123456789abcdef",
        ] {
            assert_eq!(closed.behind(tail), None, "{tail}");
        }
        assert!(closed.admits("198.51.100.7".parse().unwrap()));
        assert!(!closed.admits("198.51.101.7".parse().unwrap()));
    }
}
