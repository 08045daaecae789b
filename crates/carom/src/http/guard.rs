//! Who may see what shows calls, numbers or texts, and who may tell or order what.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{ConnectInfo, Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use deflect_actions::{
    destination::{Claim, Keys},
    link::Token,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::{Site, dialect::Dialect, patience::Peer};
use crate::{
    config::{Http, Proof, Scope},
    node::clock::wall_ms,
};

/// Headers by which a proxy says that a request comes from elsewhere.
const FORWARDED: [&str; 4] = ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"];
/// The clock of who signs requests may be off by so much, seconds.
const SKEW_S: i64 = 300;
/// Bytes of a nonce.
const NONCE: usize = 128;
/// Who asks without a token, on this machine.
const HERE: &str = "local";

/// The tokens of `[http]`, as hashes, and what each is good for.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    bearers: Arc<Vec<Bearer>>,
    /// A proxy leads here from outside, and need not say so: nobody is known by where they ask from.
    public: bool,
}

#[derive(Debug)]
struct Bearer {
    name: String,
    proof: Proven,
    scope: Scope,
    bucket: Mutex<Bucket>,
}

/// How somebody proves who they are.
#[derive(Debug)]
enum Proven {
    /// By a token of this hash.
    Token([u8; 32]),
    /// By signing; when and what was signed of late, so that nothing counts twice.
    Signature(Keys, Mutex<BTreeSet<(i64, String)>>),
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
            let proof = match &token.proof {
                Proof::Bearer(secret) => Proven::Token(digest(secret.reveal())),
                Proof::Oauth(keys) => Proven::Signature(keys.keys(), Mutex::default()),
            };
            Bearer::new(&token.name, proof, token.scope, token.per_minute)
        };
        // Plain HTTP is for this machine only.
        let public = http.public_url.as_ref().is_some_and(|url| url.starts_with("https:"));
        if public && http.tokens.is_empty() {
            tracing::warn!(
                "`[http]` has a `public_url` and no `tokens`: nobody may use the API, /metrics and \
                 /sandbox"
            );
        }
        Self { bearers: Arc::new(http.tokens.iter().map(bearer).collect()), public }
    }

    /// With tokens, who bears one of the scope (`None`: of any); without any, who asks on this
    /// machine, past no proxy, where no public address leads here.
    fn admit(
        &self,
        headers: &HeaderMap,
        from: SocketAddr,
        scope: Option<Scope>,
        dialect: Dialect,
    ) -> Result<Client, Refused> {
        let is_off = || !self.bearers.iter().any(|bearer| bearer.is_good_for(scope));
        if scope == Some(Scope::Messages) && is_off() {
            return Err(Refused::Off);
        }
        if self.bearers.is_empty() {
            let proxied = FORWARDED.iter().any(|name| headers.contains_key(*name));
            let here = from.ip().is_loopback() && !proxied && !self.public;
            return here.then(|| Client(HERE.to_owned())).ok_or(Refused::Stranger);
        }
        self.bearer(headers, scope, dialect).ok_or(Refused::Stranger)?.takes_one()
    }

    /// Whose token this is, where it is good for the scope.
    fn bearer(
        &self,
        headers: &HeaderMap,
        scope: Option<Scope>,
        dialect: Dialect,
    ) -> Option<&Bearer> {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bare = value.filter(|it| dialect.takes_bare_keys() && !it.contains(' '));
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).or(bare);
        let given = digest(token.unwrap_or_default().trim());
        // All are compared, so that the time tells nothing.
        let fits = |one: &&Bearer| match &one.proof {
            Proven::Token(digest) => bool::from(digest.ct_eq(&given)) & one.is_good_for(scope),
            Proven::Signature(..) => false,
        };
        self.bearers.iter().fold(None, |found, one| found.or(Some(one).filter(fits)))
    }

    /// Who has signed the request, now and not before.
    fn admit_signed(
        &self,
        claim: &Claim,
        (method, addresses): (&str, &[String]),
        scope: Option<Scope>,
        now_s: i64,
    ) -> Result<Client, Refused> {
        let found = self.bearers.iter().find_map(|one| match &one.proof {
            Proven::Signature(keys, nonces) if one.is_good_for(scope) => {
                claim.is_by(keys, method, addresses).then_some((one, nonces))
            }
            _ => None,
        });
        let (bearer, nonces) = found.ok_or(Refused::Stranger)?;
        let at_s = claim.at_s().filter(|at| (now_s - SKEW_S..=now_s + SKEW_S).contains(at));
        let at_s = at_s.filter(|_| claim.nonce().len() <= NONCE).ok_or(Refused::Stranger)?;
        let used = (at_s, claim.nonce().to_owned());
        let mut nonces = nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if nonces.contains(&used) {
            return Err(Refused::Stranger);
        }
        let client = bearer.takes_one()?;
        *nonces = nonces.split_off(&(now_s - SKEW_S, String::new()));
        nonces.insert(used);
        Ok(client)
    }
}

impl Bearer {
    fn new(name: &str, proof: Proven, scope: Scope, per_minute: u32) -> Self {
        let per_minute = f64::from(per_minute);
        let bucket = Mutex::new(Bucket { per_minute, left: per_minute, at: Instant::now() });
        Self { name: name.to_owned(), proof, scope, bucket }
    }

    fn is_good_for(&self, scope: Option<Scope>) -> bool {
        scope.is_none_or(|scope| self.scope == scope)
    }

    /// Takes one of its requests.
    fn takes_one(&self) -> Result<Client, Refused> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(Instant::now()).map_err(Refused::TooFast)?;
        Ok(Client(self.name.clone()))
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

/// What stands before a route.
#[derive(Clone)]
pub(super) struct Gate {
    pub site: Site,
    /// `None`: any will do.
    pub scope: Option<Scope>,
    pub dialect: Dialect,
}

/// Who reads calls reads what a link hands over as often as they like, and uses nothing up; a bot has
/// it once, and reads no calls. The handler is told the [`Scope`].
pub(super) async fn of_context(
    State(site): State<Site>,
    // As the handler reads it: `%41` is an A there, too.
    id: Result<Path<String>, PathRejection>,
    peer: ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let reads = site.tokens.bearer(request.headers(), Some(Scope::Read), Dialect::Ours).is_some();
    let is_link = id.is_ok_and(|Path(id)| Token::parse(&id).is_some());
    let scope = if is_link && !reads { Scope::Context } else { Scope::Read };
    request.extensions_mut().insert(scope);
    guard(State(Gate { site, scope: Some(scope), dialect: Dialect::Ours }), peer, request, next)
        .await
}

/// Whoever may ask for something may know what there is to ask for.
pub(super) async fn of_any(
    State(site): State<Site>,
    peer: ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    guard(State(Gate { site, scope: None, dialect: Dialect::Ours }), peer, request, next).await
}

/// Lets through whom the tokens admit for this scope, and says who it is; the others get 401.
pub(super) async fn guard(
    State(Gate { site, scope, dialect }): State<Gate>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let may_sign = dialect.takes_oauth() || scope.is_none();
    let claim = claim(&request).filter(|_| may_sign && !site.tokens.bearers.is_empty());
    let admitted = match claim {
        Some(claim) => {
            let snapshot = site.snapshot.load();
            let addresses = addresses(&request, snapshot.config.http.public_url.as_deref());
            let signed = (request.method().as_str(), addresses.as_slice());
            site.tokens.admit_signed(&claim, signed, scope, wall_ms() / 1_000)
        }
        None => site.tokens.admit(request.headers(), from, scope, dialect),
    };
    match admitted {
        Ok(client) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(Refused::Stranger) => {
            dialect.refuses(StatusCode::UNAUTHORIZED, "unauthorized", "a token is needed")
        }
        Err(Refused::Off) => {
            let message = "off: no token of `[http] tokens` has this scope";
            dialect.refuses(StatusCode::FORBIDDEN, "off", message)
        }
        Err(Refused::TooFast(seconds)) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut response = dialect.refuses(status, "too_many_requests", "too many requests");
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}

fn claim(request: &Request) -> Option<Claim> {
    Claim::parse(request.headers().get(header::AUTHORIZATION)?.to_str().ok()?)
}

/// What a client may have called the address of a request. The `Host` it names itself counts only
/// where we have no name of our own: else what was signed for another host would be good here.
fn addresses(request: &Request, public_url: Option<&str>) -> Vec<String> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let by_host = |host: &str| ["https", "http"].map(|scheme| format!("{scheme}://{host}"));
    let bases = match public_url {
        Some(url) => vec![url.to_owned()],
        None => host.into_iter().flat_map(by_host).collect(),
    };
    let bases = bases.into_iter();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    bases.map(|base| format!("{base}{path}")).collect()
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
        let admits = |pairs: &[_], from| {
            open.admit(&headers(pairs), from, Some(Scope::Read), Dialect::Ours).is_ok()
        };
        assert!(admits(&[], here));
        assert!(!admits(&[], there));
        assert!(!admits(&[("x-forwarded-for", "192.0.2.1")], here));
        assert!(!admits(&[("authorization", "Bearer ")], there));
        // A proxy that adds no header would make everybody one of this machine.
        let public = Tokens { public: true, ..Tokens::default() };
        assert!(public.admit(&headers(&[]), here, Some(Scope::Read), Dialect::Ours).is_err());
    }

    #[test]
    fn with_tokens_everybody_needs_one_that_is_good_for_it() {
        let bearers = Arc::new(vec![
            Bearer::new("a", Proven::Token(digest("one")), Scope::Read, 60),
            Bearer::new("b", Proven::Token(digest("two")), Scope::Read, 60),
            Bearer::new("c", Proven::Token(digest("told")), Scope::Sources, 60),
        ]);
        let tokens = Tokens { bearers, public: false };
        let here = "127.0.0.1:9".parse().unwrap();
        let any = |value: &str, scope| {
            let headers = headers(&[("authorization", value)]);
            tokens.admit(&headers, here, scope, Dialect::Ours).ok().map(|who| who.0)
        };
        let who = |value: &str, scope| any(value, Some(scope));
        assert_eq!(who("Bearer told", Scope::Sources).as_deref(), Some("c"));
        assert_eq!(who("Bearer one", Scope::Read).as_deref(), Some("a"));
        assert_eq!(who("Bearer two", Scope::Read).as_deref(), Some("b"));
        assert_eq!(who("Bearer one", Scope::Sources), None);
        assert_eq!(who("Bearer told", Scope::Read), None);
        for value in ["Bearer three", "one", "Bearer "] {
            assert_eq!(who(value, Scope::Read), None, "{value}");
            assert_eq!(any(value, None), None, "{value}");
        }
        assert_eq!(any("Bearer one", None).as_deref(), Some("a"));
        assert_eq!(any("Bearer told", None).as_deref(), Some("c"));
        assert!(tokens.admit(&headers(&[]), here, Some(Scope::Read), Dialect::Ours).is_err());
    }

    #[test]
    fn a_bare_key_is_taken_where_flow_s_clients_ask() {
        let one = Bearer::new("a", Proven::Token(digest("one")), Scope::Deflect, 60);
        let tokens = Tokens { bearers: Arc::new(vec![one]), public: false };
        let here = "127.0.0.1:9".parse().unwrap();
        let admits = |value: &str, dialect| {
            let headers = headers(&[("authorization", value)]);
            tokens.admit(&headers, here, Some(Scope::Deflect), dialect).is_ok()
        };
        assert!(admits("one", Dialect::Flow) && admits("Bearer one", Dialect::Flow));
        assert!(!admits("two", Dialect::Flow) && !admits("Basic one", Dialect::Flow));
        assert!(!admits("one", Dialect::Ours) && !admits("one", Dialect::C2m));
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
