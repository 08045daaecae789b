//! Who may see what shows calls, numbers or texts, and who may tell or order what.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use deflect_actions::link::Token;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::{Site, patience::Peer};
use crate::config::{Http, Scope};

/// Headers by which a proxy says that a request comes from elsewhere.
const FORWARDED: [&str; 4] = ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"];
/// Who asks without a token, on this machine.
const HERE: &str = "local";

/// The tokens of `[http]`, as hashes, and what each is good for.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Arc<Vec<Bearer>>);

#[derive(Debug)]
struct Bearer {
    name: String,
    digest: [u8; 32],
    scope: Scope,
    bucket: Mutex<Bucket>,
}

/// Requests that a token has left; it fills up evenly, to a minute's worth.
#[derive(Debug)]
struct Bucket {
    per_minute: f64,
    left: f64,
    at: Instant,
}

/// Who a guarded request is from: the name of its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client(pub String);

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// No token, or none that is good for this.
    Stranger,
    /// No token of the configuration is good for this: it is off.
    Off,
    /// Too many requests; the next one is taken after so many seconds.
    TooFast(u64),
}

impl Tokens {
    /// Those of the configuration.
    #[must_use]
    pub fn of(http: &Http) -> Self {
        let bearer = |token: &crate::config::Token| {
            Bearer::new(&token.name, token.secret.reveal(), token.scope, token.per_minute)
        };
        Self(Arc::new(http.tokens.iter().map(bearer).collect()))
    }

    /// With tokens, who bears one; without any, who asks on this machine, past no proxy.
    fn admit(
        &self,
        headers: &HeaderMap,
        from: SocketAddr,
        scope: Scope,
    ) -> Result<Client, Refused> {
        let is_off = || !self.0.iter().any(|bearer| bearer.scope == scope);
        if scope == Scope::Messages && is_off() {
            return Err(Refused::Off);
        }
        if self.0.is_empty() {
            let proxied = FORWARDED.iter().any(|name| headers.contains_key(*name));
            let here = from.ip().is_loopback() && !proxied;
            return here.then(|| Client(HERE.to_owned())).ok_or(Refused::Stranger);
        }
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let given = digest(token.trim());
        // All are compared, so that the time tells nothing.
        let fits = |one: &&Bearer| bool::from(one.digest.ct_eq(&given)) & (one.scope == scope);
        let found = self.0.iter().fold(None, |found, one| found.or(Some(one).filter(fits)));
        let bearer = found.ok_or(Refused::Stranger)?;
        let mut bucket = bearer.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(Instant::now()).map_err(Refused::TooFast)?;
        Ok(Client(bearer.name.clone()))
    }
}

impl Bearer {
    fn new(name: &str, secret: &str, scope: Scope, per_minute: u32) -> Self {
        let per_minute = f64::from(per_minute);
        let bucket = Mutex::new(Bucket { per_minute, left: per_minute, at: Instant::now() });
        Self { name: name.to_owned(), digest: digest(secret), scope, bucket }
    }
}

impl Bucket {
    /// `Err`: seconds until there is one again.
    fn take(&mut self, now: Instant) -> Result<(), u64> {
        let a_second = self.per_minute / 60.0;
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * a_second).min(self.per_minute);
        self.at = now;
        if self.left < 1.0 {
            return Err(((1.0 - self.left) / a_second).ceil() as u64);
        }
        self.left -= 1.0;
        Ok(())
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whoever reads the context of a call may not use up that of a link, and the other way round.
pub(super) async fn of_context(
    State(site): State<Site>,
    peer: ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let id = request.uri().path().rsplit('/').next().unwrap_or("");
    let scope = if Token::parse(id).is_some() { Scope::Context } else { Scope::Read };
    guard(State((site, scope)), peer, request, next).await
}

/// Lets through whom the tokens admit for this scope, and says who it is; the others get 401.
pub(super) async fn guard(
    State((site, scope)): State<(Site, Scope)>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    match site.tokens.admit(request.headers(), from, scope) {
        Ok(client) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(Refused::Stranger) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, challenge, "a token is needed\n").into_response()
        }
        Err(Refused::Off) => {
            let told = "off: no token of `[http] tokens` has this scope\n";
            (StatusCode::FORBIDDEN, told).into_response()
        }
        Err(Refused::TooFast(seconds)) => {
            let after = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, after, "too many requests\n").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn without_tokens_only_this_machine_and_no_proxy_is_admitted() {
        let open = Tokens::default();
        let (here, there) = ("127.0.0.1:9".parse().unwrap(), "192.0.2.1:9".parse().unwrap());
        let admits = |pairs: &[_], from| open.admit(&headers(pairs), from, Scope::Read).is_ok();
        assert!(admits(&[], here));
        assert!(!admits(&[], there));
        assert!(!admits(&[("x-forwarded-for", "192.0.2.1")], here));
        assert!(!admits(&[("authorization", "Bearer ")], there));
    }

    #[test]
    fn with_tokens_everybody_needs_one_that_is_good_for_it() {
        let tokens = Tokens(Arc::new(vec![
            Bearer::new("a", "one", Scope::Read, 60),
            Bearer::new("b", "two", Scope::Read, 60),
            Bearer::new("c", "told", Scope::Sources, 60),
        ]));
        let here = "127.0.0.1:9".parse().unwrap();
        let who = |value: &str, scope| {
            tokens.admit(&headers(&[("authorization", value)]), here, scope).ok().map(|who| who.0)
        };
        assert_eq!(who("Bearer told", Scope::Sources).as_deref(), Some("c"));
        assert_eq!(who("Bearer one", Scope::Read).as_deref(), Some("a"));
        assert_eq!(who("Bearer two", Scope::Read).as_deref(), Some("b"));
        assert_eq!(who("Bearer one", Scope::Sources), None);
        assert_eq!(who("Bearer told", Scope::Read), None);
        for value in ["Bearer three", "one", "Bearer "] {
            assert_eq!(who(value, Scope::Read), None, "{value}");
        }
        assert!(tokens.admit(&headers(&[]), here, Scope::Read).is_err());
    }

    #[test]
    fn a_token_is_good_for_so_many_requests_a_minute() {
        let start = Instant::now();
        let mut bucket = Bucket { per_minute: 30.0, left: 30.0, at: start };
        let taken = (0..40).filter(|_| bucket.take(start).is_ok()).count();
        assert_eq!(taken, 30);
        assert_eq!(bucket.take(start), Err(2));
        assert_eq!(bucket.take(start + Duration::from_secs(2)), Ok(()));
        assert!(bucket.take(start + Duration::from_secs(2)).is_err());
    }
}
