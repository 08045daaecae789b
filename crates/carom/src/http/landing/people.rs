//! What fetches a page: a browser, or a program that previews links (requirements §4.10). Some of
//! those have names like browsers: who opened a link is told by a button pressed, not by this.

use axum::http::{HeaderMap, Method};

/// Parts of the names by which programs say that they are some, in lower case.
const PROGRAMS: [&str; 31] = [
    "bot",
    "crawl",
    "spider",
    "preview",
    "slurp",
    "facebookexternalhit",
    "facebookcatalog",
    "whatsapp/",
    "telegram",
    "twitter",
    "skypeuri",
    "slack",
    "discord",
    "viber",
    "line-poker",
    "snapchat",
    "embedly",
    "google-",
    "googlemessages",
    "bingpreview",
    "curl/",
    "wget/",
    "python-",
    "go-http-client",
    "java/",
    "okhttp",
    "headless",
    "monitor",
    "scan",
    "axios/",
    "iframely",
];

/// Whether it looks like a browser that somebody led there.
pub(super) fn is_browser(method: &Method, headers: &HeaderMap) -> bool {
    if *method != Method::GET {
        return false;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let prefetched = ["purpose", "sec-purpose", "x-purpose", "x-moz"]
        .iter()
        .any(|name| ["prefetch", "preview"].iter().any(|word| text(name).contains(word)));
    let mode = text("sec-fetch-mode");
    let agent = text("user-agent").to_ascii_lowercase();
    !prefetched
        && (mode.is_empty() || mode == "navigate")
        && !agent.is_empty()
        && !PROGRAMS.iter().any(|part| agent.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) \
                          AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/604.1";

    fn browser(pairs: &[(&'static str, &str)]) -> bool {
        let headers = pairs.iter().map(|(name, value)| {
            (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap())
        });
        is_browser(&Method::GET, &headers.collect())
    }

    #[test]
    fn a_browser_that_was_led_there_is_told_from_previews() {
        assert!(browser(&[("user-agent", SAFARI)]));
        assert!(browser(&[("user-agent", SAFARI), ("sec-fetch-mode", "navigate")]));
        assert!(!is_browser(&Method::HEAD, &HeaderMap::new()));
        for agent in [
            "",
            "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
            "WhatsApp/2.24.1 A",
            "TelegramBot (like TwitterBot)",
            "Mozilla/5.0 (compatible; Googlebot/2.1)",
            "curl/8.5.0",
            "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0",
        ] {
            assert!(!browser(&[("user-agent", agent)]), "{agent}");
        }
        assert!(!browser(&[("user-agent", SAFARI), ("sec-purpose", "prefetch;prerender")]));
        assert!(!browser(&[("user-agent", SAFARI), ("x-moz", "prefetch")]));
        assert!(!browser(&[("user-agent", SAFARI), ("sec-fetch-mode", "no-cors")]));
    }
}
