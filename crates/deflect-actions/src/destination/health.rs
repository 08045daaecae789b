//! Whether a destination works: its `check_url` is fetched, and the end of its certificate read.

use std::{sync::OnceLock, time::Duration};

use reqwest::{Client, redirect::Policy, tls::TlsInfo};
use tokio::time::Instant;

/// A certificate that ends so soon is as bad as a failure, ms.
pub const CERTIFICATE_MS: i64 = 14 * 86_400_000;

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// A 2xx came in time.
    pub ok: bool,
    /// Its status, where there was one.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// The certificate ends then, ms UTC.
    pub cert_until_ms: Option<i64>,
    /// Why it is not well, in one word.
    pub note: Option<&'static str>,
}

/// Fetches `url`, for `within` at most.
pub async fn probe(url: &str, within: Duration) -> Probe {
    let begun = Instant::now();
    let failed = |note| Probe {
        ok: false,
        status: None,
        took: begun.elapsed(),
        cert_until_ms: None,
        note: Some(note),
    };
    let Some(client) = client() else { return failed("not_ready") };
    let response = match client.get(url).timeout(within).send().await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return failed("timeout"),
        Err(_) => return failed("unreachable"),
    };
    let certificate = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    let ok = response.status().is_success();
    Probe {
        ok,
        status: Some(response.status().as_u16()),
        took: begun.elapsed(),
        cert_until_ms: certificate.and_then(certificate_ends_ms),
        note: (!ok).then_some("status"),
    }
}

/// Connections are not kept: a certificate is shown when one begins.
fn client() -> Option<&'static Client> {
    static CLIENT: OnceLock<Option<Client>> = OnceLock::new();
    CLIENT
        .get_or_init(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
            Client::builder()
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .pool_max_idle_per_host(0)
                .tls_info(true)
                .build()
                .inspect_err(|error| tracing::error!(%error, "HTTP client cannot be built"))
                .ok()
        })
        .as_ref()
}

/// `notAfter` of a certificate (DER, RFC 5280 §4.1), ms UTC; `None`: it is no certificate.
#[must_use]
pub fn certificate_ends_ms(der: &[u8]) -> Option<i64> {
    let (_, certificate, _) = element(der)?;
    let (_, mut fields, _) = element(certificate)?;
    // [0] version, serial number, signature, issuer; then the validity.
    if fields.first() == Some(&0xa0) {
        fields = element(fields)?.2;
    }
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (_, validity, _) = element(fields)?;
    let (_, _, after) = element(validity)?;
    let (tag, time, _) = element(after)?;
    let text = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    // UTCTime has two digits of the year, of 1950 to 2049.
    let text = match tag {
        0x17 if text < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The first element of DER: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let len = octets
            .iter()
            .try_fold(0_usize, |len, octet| Some(len.checked_mul(256)? + usize::from(*octet)))?;
        (len, rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    /// Made with OpenSSL: they end on Jan  7 15:03:33 2031 GMT, and on Feb 18 15:03:33 2061 GMT.
    const CERTIFICATES: [(&str, i64); 2] = [
        (
            "MIIBbDCCAROgAwIBAgIUBH37hTONeBVl7QCetAy5rhsp9NswCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBeDAeFw0yNjExMjkxNTAzMzNaFw0zMTAxMDcxNTAzMzNaMAwxCjAIBgNVBAMMAXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS3z9omfKff6WqE4t0XOoU5U+WzU1wghZ8yU6PqRk8jL9LZUOUb8viBkxUMx85tvB3MUzTkULzgJYScZEbEAm3ko1MwUTAdBgNVHQ4EFgQUdCBnx7WVaZInN92HF99KZGyqNEMwHwYDVR0jBBgwFoAUdCBnx7WVaZInN92HF99KZGyqNEMwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAvpzAlECuHk0Qe0Vm5AhUwCihS2vQvjspz0uLbzgjNagIgGMuZgXP0TMhZvl76OUqnsL54C/ks0Z575DhIgcz+ThY=",
            1_925_564_613_000,
        ),
        (
            "MIIBbzCCARWgAwIBAgIUPtjuk/8Gk9D0zm85fAIg/0Fqm6AwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBeDAgFw0yNjExMjkxNTAzMzNaGA8yMDYxMDIxODE1MDMzM1owDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAgnhnviNlNettlQj/00VtxqiTWhHs3o6WEjgkRquRDG7jvOjdO1Wv6VEwedjlwRX0mkIL1uHrr+eJ1RKMzVzRCjUzBRMB0GA1UdDgQWBBQytg56l4hn0+IG33td/tvyZTj9EDAfBgNVHSMEGDAWgBQytg56l4hn0+IG33td/tvyZTj9EDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDAOb0yGlT1G5bdUgs1KcYw+sR6TiCABF+W78uOMBa/3QIgNIrdmID/WuVwa9kGiyGIj5ZVvalj/TzXIOSeb0nwEvg=",
            2_875_964_613_000,
        ),
    ];

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_its_forms() {
        for (der, ends) in CERTIFICATES {
            let der = STANDARD.decode(der).unwrap();
            assert_eq!(certificate_ends_ms(&der), Some(ends));
            for len in 0..der.len() {
                assert_ne!(
                    certificate_ends_ms(&der[..len]),
                    Some(ends - 1),
                    "no panic on what is cut short"
                );
            }
        }
        assert_eq!(certificate_ends_ms(b"\x30\x84\xff\xff\xff\xff"), None);
    }
}
