//! Digest authentication as a client (RFC 3261 §22, RFC 7616, RFC 8760): MD5 and SHA-256.

use std::fmt;

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::message::{HeaderName, Method, Response, scan};

/// Who we are to a target that asks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password; never printed.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Hash functions that challenges name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            _ if name.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex::encode(Md5::digest(text)),
            Self::Sha256 => hex::encode(Sha256::digest(text)),
        }
    }
}

/// A challenge that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    proxy: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// `None`: the form of RFC 2069, without qop.
    qop_auth: bool,
    /// The credentials were right, the nonce too old.
    pub stale: bool,
}

impl Challenge {
    /// Returns the first challenge of a 401 or 407 that this client can answer: servers put the
    /// one they like best on top (RFC 8760 §2.3).
    pub fn of(response: &Response) -> Option<Self> {
        let (name, proxy) = match response.status() {
            401 => (HeaderName::WwwAuthenticate, false),
            407 => (HeaderName::ProxyAuthenticate, true),
            _ => return None,
        };
        response.headers().all(name).find_map(|value| Self::parse(value, proxy))
    }

    fn parse(value: &str, proxy: bool) -> Option<Self> {
        let (scheme, rest) = value.trim_start().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let param = |name: &str| {
            scan::list(rest).find_map(|piece| {
                let (n, value) = piece.split_once('=')?;
                let value = value.trim();
                let plain = match value.strip_prefix('"') {
                    Some(_) => scan::unquote(value),
                    None => value.to_owned(),
                };
                n.trim().eq_ignore_ascii_case(name).then_some(plain)
            })
        };
        let algorithm = match param("algorithm") {
            Some(name) => Algorithm::named(&name)?,
            None => Algorithm::Md5,
        };
        let qop_auth = match param("qop") {
            // auth-int alone would need the body hashed; no server is known to insist.
            Some(qop) if !qop.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => {
                return None;
            }
            Some(_) => true,
            None => false,
        };
        let stale = param("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        let (realm, nonce, opaque) = (param("realm")?, param("nonce")?, param("opaque"));
        Some(Self { proxy, realm, nonce, opaque, algorithm, qop_auth, stale })
    }

    /// Whether both come from the same proxy, or from the peer itself.
    pub(crate) fn is_of_realm_of(&self, other: &Self) -> bool {
        (self.proxy, &self.realm) == (other.proxy, &other.realm)
    }

    /// Whether the answer to one has been the answer to the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.is_of_realm_of(other) && self.nonce == other.nonce
    }

    /// Returns the header that the answer goes into.
    pub fn header(&self) -> HeaderName {
        if self.proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization }
    }

    /// Returns the header's value for a request; `count` is how often this nonce was used, this
    /// time included.
    pub fn answer(
        &self,
        who: &Credentials,
        method: &Method,
        uri: &str,
        count: u32,
        cnonce: &str,
    ) -> String {
        let hash = |text: &str| self.algorithm.hash(text);
        let a1 = hash(&format!("{}:{}:{}", who.username, self.realm, who.password));
        let a2 = hash(&format!("{method}:{uri}"));
        let nonce = &self.nonce;
        let response = match self.qop_auth {
            true => hash(&format!("{a1}:{nonce}:{count:08x}:{cnonce}:auth:{a2}")),
            false => hash(&format!("{a1}:{nonce}:{a2}")),
        };
        let quote = scan::quote;
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri=\"{uri}\", response=\"{response}\", \
             algorithm={}",
            quote(&who.username),
            quote(&self.realm),
            quote(nonce),
            self.algorithm.as_str(),
        );
        if self.qop_auth {
            value.push_str(&format!(", qop=auth, nc={count:08x}, cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque={}", quote(opaque)));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(value: &str) -> Option<Challenge> {
        let mut response = Response::new(401, "");
        response.headers_mut().push(HeaderName::WwwAuthenticate, value);
        Challenge::of(&response)
    }

    fn response_of(value: &str) -> &str {
        value.split("response=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap()
    }

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        let who = Credentials { username: "Mufasa".into(), password: "Circle of Life".into() };
        let method = Method::Other("GET".into());
        for (algorithm, expected) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = challenge(&format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                 algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            ))
            .unwrap();
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let value = challenge.answer(&who, &method, "/dir/index.html", 1, cnonce);
            assert_eq!(response_of(&value), expected, "{algorithm}");
            assert!(value.contains("nc=00000001"), "{value}");
        }
    }

    #[test]
    fn without_qop_the_old_form_is_used() {
        let who = Credentials { username: "bob".into(), password: "zanzibar".into() };
        let challenge =
            challenge("Digest realm=\"biloxi.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"")
                .unwrap();
        let value = challenge.answer(&who, &Method::Invite, "sip:bob@biloxi.com", 1, "x");
        assert_eq!(response_of(&value), "bf57e4e0d0bffc0fbaedce64d59add5e");
        assert!(!value.contains("cnonce"), "{value}");
    }

    #[test]
    fn what_cannot_be_answered_is_passed_over() {
        assert_eq!(challenge("Basic realm=\"x\""), None);
        assert_eq!(challenge("Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512-256"), None);
        assert_eq!(challenge("Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\""), None);
        assert_eq!(challenge("Digest realm=\"x\""), None);
    }
}
