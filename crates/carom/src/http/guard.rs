//! Who may see what shows calls, numbers or texts.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Site, patience::Peer};
use crate::config::{Http, Scope};

/// Headers by which a proxy says that a request comes from elsewhere.
const FORWARDED: [&str; 4] = ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"];

/// The tokens of `[http]`, as hashes, and what each is good for.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Vec<([u8; 32], Scope)>);

impl Tokens {
    /// Those of the configuration.
    #[must_use]
    pub fn of(http: &Http) -> Self {
        Self({
            let tokens = http.tokens.iter();
            tokens.map(|token| (digest(token.secret.reveal()), token.scope)).collect()
        })
    }

    /// With tokens, who bears one; without any, who asks on this machine, past no proxy.
    fn admit(&self, headers: &HeaderMap, from: SocketAddr, scope: Scope) -> bool {
        if self.0.is_empty() {
            let proxied = FORWARDED.iter().any(|name| headers.contains_key(*name));
            return from.ip().is_loopback() && !proxied;
        }
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = value.and_then(|value| value.strip_prefix("Bearer ")) else {
            return false;
        };
        let given = digest(token.trim());
        // All are compared, so that the time tells nothing.
        let fits = |(one, good_for): &([u8; 32], Scope)| {
            bool::from(one.ct_eq(&given)) & (*good_for == scope)
        };
        self.0.iter().fold(false, |found, one| found | fits(one))
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Lets through whom the tokens admit; the others get 401.
pub(super) async fn guard(
    State(site): State<Site>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let told = request.uri().path().starts_with("/v1/sources/");
    let scope = if told { Scope::Sources } else { Scope::Read };
    if site.tokens.admit(request.headers(), from, scope) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "a token is needed\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn without_tokens_only_this_machine_and_no_proxy_is_admitted() {
        let open = Tokens::default();
        let (here, there) = ("127.0.0.1:9".parse().unwrap(), "192.0.2.1:9".parse().unwrap());
        assert!(open.admit(&headers(&[]), here, Scope::Read));
        assert!(!open.admit(&headers(&[]), there, Scope::Read));
        assert!(!open.admit(&headers(&[("x-forwarded-for", "192.0.2.1")]), here, Scope::Read));
        assert!(!open.admit(&headers(&[("authorization", "Bearer ")]), there, Scope::Read));
    }

    #[test]
    fn with_tokens_everybody_needs_one() {
        let tokens = Tokens(vec![
            (digest("one"), Scope::Read),
            (digest("two"), Scope::Read),
            (digest("told"), Scope::Sources),
        ]);
        let here = "127.0.0.1:9".parse().unwrap();
        let bears =
            |value: &str| tokens.admit(&headers(&[("authorization", value)]), here, Scope::Read);
        let tells =
            |value: &str| tokens.admit(&headers(&[("authorization", value)]), here, Scope::Sources);
        assert!(tells("Bearer told") && !tells("Bearer one") && !bears("Bearer told"));
        assert!(bears("Bearer one") && bears("Bearer two"));
        assert!(!bears("Bearer three") && !bears("one") && !bears("Bearer "));
        assert!(!tokens.admit(&headers(&[]), here, Scope::Read));
    }
}
