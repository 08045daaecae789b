//! What only the network tells of a configuration: whether the destinations of links work.

use std::{collections::BTreeMap, time::Duration};

use deflect_actions::destination::{CERTIFICATE_MS, Probe, probe};
use ivr_runtime::{
    diagnose::{self, Code, Finding, Notes, Span},
    flow::model::{Link, LinkKind},
};
use jiff::{Timestamp, tz::TimeZone};
use tokio::task::JoinSet;
use toml::de::DeTable;

use super::Snapshot;

/// A destination is given so long.
const WITHIN: Duration = Duration::from_secs(5);

/// Asks the destinations of all flows, each once: W01 for those that do not work or that nothing
/// is known of, W12 for those whose certificate ends soon.
pub async fn ask_destinations(snapshot: &Snapshot, now_ms: i64) -> Vec<Finding> {
    let links = snapshot.flows.iter().flat_map(|flow| &flow.links);
    let mut asking = JoinSet::new();
    let urls: std::collections::BTreeSet<String> =
        links.filter_map(|link| link.check_url.clone()).collect();
    for url in urls {
        asking.spawn(async move {
            let probe = probe(&url, WITHIN).await;
            (url, probe)
        });
    }
    let probes: BTreeMap<String, Probe> = asking.join_all().await.into_iter().collect();
    let mut findings = Vec::new();
    for (flow, source) in snapshot.flows.iter().zip(&snapshot.sources) {
        let notes = Notes::default();
        let tree = diagnose::tree(&source.text, &notes);
        for link in &flow.links {
            look(link, &probes, tree.get_ref(), &notes, now_ms);
        }
        drop(tree);
        let file = source.file.display().to_string();
        findings.extend(diagnose::findings(notes.into_problems(), &file, &source.text));
    }
    findings
}

fn look(
    link: &Link,
    probes: &BTreeMap<String, Probe>,
    tree: &DeTable<'_>,
    notes: &Notes,
    now_ms: i64,
) {
    let probe = link.check_url.as_ref().and_then(|url| probes.get(url));
    let Some(probe) = probe else {
        // Where a channel of others leads is not ours to ask.
        if matches!(link.kind, LinkKind::Static | LinkKind::Signed | LinkKind::Http { .. }) {
            let message = format!("whether the destination of `{}` works is not known", link.name);
            let help = "add `check_url = \"https://…\"`, which answers 2xx while it does";
            notes.note(Code::W01, place(tree, &link.name, "url"), message, help);
        }
        return;
    };
    let at = || place(tree, &link.name, "check_url");
    if !probe.ok {
        let why = match (probe.note, probe.status) {
            (_, Some(status)) => format!("its check answers {status}"),
            (Some("timeout"), _) => format!("its check does not answer in {} s", WITHIN.as_secs()),
            _ => "its check can't be reached".to_owned(),
        };
        let message = format!("the destination of `{}` does not work: {why}", link.name);
        notes.note(Code::W01, at(), message, "it is not offered until its check passes");
    }
    if let Some(until_ms) = probe.cert_until_ms.filter(|until| until - now_ms < CERTIFICATE_MS) {
        let until = Timestamp::from_millisecond(until_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let day = until.to_zoned(TimeZone::UTC).strftime("%F").to_string();
        let message =
            format!("the certificate of the destination of `{}` ends on {day}", link.name);
        let help = "renew it: in the last 14 days the link is not offered";
        notes.note(Code::W12, at(), message, help);
    }
}

/// The place of a key of a link, or of the link.
fn place(tree: &DeTable<'_>, link: &str, key: &str) -> Span {
    let links = tree.get("link").and_then(|links| links.get_ref().as_table());
    let Some((name, table)) = links.and_then(|links| links.get_key_value(link)) else {
        return 0..0;
    };
    let value = table.get_ref().as_table().and_then(|table| table.get(key));
    value.map_or_else(|| name.span(), toml::Spanned::span)
}
