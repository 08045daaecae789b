//! W02: a link leads to a home page. W03: nobody is said to stand behind a link (LP-04).

use super::{Lint, urls};
use crate::diagnose::Code;

pub(super) fn check(lint: &Lint<'_>) {
    for link in lint.flow.links.iter().filter(|link| !link.url.is_empty()) {
        let rest = link.url.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.strip_prefix(urls::host(rest)).unwrap_or("");
        if path.trim_matches('/').is_empty() {
            let message = format!("the link `{}` leads to a home page", link.name);
            let help = "lead callers to the page that serves what they called for";
            lint.note(Code::W02, lint.place("link", &link.name, "url"), message, help);
        }
        if link.staffing.is_none() {
            let message =
                format!("whether somebody is there at the link `{}` is yours to see to", link.name);
            let help =
                "write `staffing = \"operator\"` or `\"self-service\"` to say who answers there";
            lint.note(Code::W03, lint.header("link", &link.name), message, help);
        }
    }
}
