//! A system of the business that wants to know who asks: by a client certificate, by a token of
//! its authorization server (OAuth 2.0 client credentials, RFC 6749 §4.4), or by a signature.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Certificate, Client, Identity, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use tokio::{sync::Mutex, time::Instant};

use crate::{Clock, http};

/// What a token is good for where its server does not say.
const USUAL: Duration = Duration::from_secs(300);
/// A token is left alone so long before its end, or a tenth of its life, whichever is less.
const BEFORE_END: Duration = Duration::from_secs(30);
/// When it was signed, seconds since 1970.
const TIMESTAMP: &str = "X-Carom-Timestamp";
/// `v1=` and the HMAC-SHA256 in hexadecimal.
const SIGNATURE: &str = "X-Carom-Signature";

/// Who we are to a system.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Certificate chain and key, PEM.
    pub identity: Option<Vec<u8>>,
    /// Certificates that its own must come from, PEM; `None`: those the machine trusts.
    pub ca: Option<Vec<u8>>,
    /// Where we get a token.
    pub oauth: Option<Oauth>,
    /// Signs requests.
    pub hmac_key: Option<Vec<u8>>,
}

/// The client credentials of OAuth 2.0.
#[derive(Clone, PartialEq, Eq)]
pub struct Oauth {
    /// The token endpoint, https or loopback.
    pub token_url: String,
    /// Our name there.
    pub client_id: String,
    /// Our password there.
    pub client_secret: String,
    /// What we ask for; `None`: what the server gives.
    pub scope: Option<String>,
}

/// What keeps a system from being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCredentials {
    /// The client certificate or its key.
    #[error("there is no certificate with its key in it, as PEM")]
    Identity,
    /// The certificates that are trusted.
    #[error("there is no certificate in it, as PEM")]
    Ca,
    /// The system has no certificates to trust, or key and certificate do not belong together.
    #[error("it can't be used: key and certificate must belong together")]
    Client,
}

/// A system, ready to be asked. Clones share its token.
#[derive(Clone)]
pub struct System(Arc<Inner>);

/// Systems made so far.
static MADE: AtomicU64 = AtomicU64::new(1);

struct Inner {
    /// No other has the same, even after a reload.
    number: u64,
    credentials: Credentials,
    client: Client,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    value: String,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// A number; some servers write it as a text.
    #[serde(default)]
    expires_in: Value,
}

impl System {
    /// Reads certificates and keys.
    ///
    /// # Errors
    /// Which of them can't be used.
    pub fn new(credentials: Credentials) -> Result<Self, BadCredentials> {
        let mut builder = http::builder();
        if let Some(pem) = &credentials.identity {
            let identity = Identity::from_pem(pem).map_err(|_| BadCredentials::Identity)?;
            builder = builder.identity(identity);
        }
        if let Some(pem) = &credentials.ca {
            let trusted = Certificate::from_pem_bundle(pem).map_err(|_| BadCredentials::Ca)?;
            if trusted.is_empty() {
                return Err(BadCredentials::Ca);
            }
            builder = builder.tls_certs_only(trusted);
        }
        let client = builder.build().map_err(|_| BadCredentials::Client)?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Ok(Self(Arc::new(Inner { number, credentials, client, token: Mutex::default() })))
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    /// Whether requests bear a token of an authorization server.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        self.0.credentials.oauth.is_some()
    }

    /// The token for a request; asked for where there is none that is still good. Whoever comes
    /// meanwhile waits for the same one. `Err`: why there is none, in one word.
    pub(super) async fn token(&self, until: Instant) -> Result<Option<String>, String> {
        let Some(oauth) = &self.0.credentials.oauth else { return Ok(None) };
        let mut kept = tokio::time::timeout_at(until, self.0.token.lock())
            .await
            .map_err(|_| "token_timeout")?;
        let now = Instant::now();
        if let Some(token) = kept.as_ref().filter(|token| now < token.until) {
            return Ok(Some(token.value.clone()));
        }
        let granted = self.grant(oauth, until).await?;
        let seconds = granted.expires_in.as_f64();
        let seconds = seconds.or_else(|| granted.expires_in.as_str()?.parse().ok());
        let life = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        let life = life.map_or(USUAL, |seconds| Duration::from_secs_f64(seconds.min(1e6)));
        let good_until = now + life - BEFORE_END.min(life / 10);
        *kept = Some(Token { value: granted.access_token.clone(), until: good_until });
        Ok(Some(granted.access_token))
    }

    /// The system did not take this token: it is asked for no more.
    /// Whoever holds it longer than `until` is getting another.
    pub(super) async fn forget(&self, refused: &str, until: Instant) {
        let Ok(mut kept) = tokio::time::timeout_at(until, self.0.token.lock()).await else {
            return;
        };
        // Another may have got a new one meanwhile.
        if kept.as_ref().is_some_and(|token| token.value == refused) {
            *kept = None;
        }
    }

    async fn grant(&self, oauth: &Oauth, until: Instant) -> Result<Granted, String> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(oauth.scope.as_deref().map(|scope| ("scope", scope)));
        let request = self
            .0
            .client
            .post(&oauth.token_url)
            .timeout(until.saturating_duration_since(Instant::now()))
            .basic_auth(coded(&oauth.client_id), Some(coded(&oauth.client_secret)))
            .form(&form);
        let response = request.send().await.map_err(|error| {
            if error.is_timeout() { "token_timeout" } else { "token_unreachable" }
        })?;
        if !response.status().is_success() {
            return Err(format!("token_{}", response.status().as_u16()));
        }
        let body = tokio::time::timeout_at(until, http::body(response)).await;
        let body = body.map_err(|_| "token_timeout")?.ok_or("token_garbage")?;
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| "token_garbage")?;
        if granted.access_token.is_empty() || granted.access_token.contains(char::is_control) {
            return Err("token_garbage".to_owned());
        }
        Ok(granted)
    }

    /// Signs a request: HMAC-SHA256 of `TIMESTAMP.METHOD.PATH?QUERY.BODY`.
    pub(super) fn signed(
        &self,
        request: RequestBuilder,
        method: &str,
        url: &Url,
        body: &[u8],
    ) -> RequestBuilder {
        let Some(key) = &self.0.credentials.hmac_key else { return request };
        let at_s = Clock::default().now_ms() / 1_000;
        let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length of key is taken");
        mac.update(format!("{at_s}.{method}.{}{query}.", url.path()).as_bytes());
        mac.update(body);
        let signature = hex::encode(mac.finalize().into_bytes());
        request.header(TIMESTAMP, at_s.to_string()).header(SIGNATURE, format!("v1={signature}"))
    }
}

/// As in a form (RFC 6749 §2.3.1), for names and passwords of HTTP Basic.
fn coded(text: &str) -> String {
    let mut coded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => coded.push('+'),
            b'*' | b'-' | b'.' | b'_' => coded.push(char::from(byte)),
            plain if plain.is_ascii_alphanumeric() => coded.push(char::from(plain)),
            other => coded.push_str(&format!("%{other:02X}")),
        }
    }
    coded
}

impl PartialEq for System {
    fn eq(&self, other: &Self) -> bool {
        self.0.credentials == other.0.credentials
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("has_tokens", &self.has_tokens()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_coded_as_in_forms() {
        assert_eq!(coded("a b:c+d~é*"), "a+b%3Ac%2Bd%7E%C3%A9*");
    }

    #[test]
    fn what_is_no_certificate_is_told_apart() {
        let none = Credentials { identity: None, ca: None, oauth: None, hmac_key: None };
        let of = |credentials| System::new(credentials).map(|_| ()).unwrap_err();
        let junk = Some(b"junk".to_vec());
        let identity = Credentials { identity: junk.clone(), ..none.clone() };
        assert_eq!(of(identity), BadCredentials::Identity);
        assert_eq!(of(Credentials { ca: junk, ..none }), BadCredentials::Ca);
    }
}
