//! What each metric means; docs/operations.md lists them.

use metrics::{describe_counter, describe_gauge, describe_histogram};

enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge, Histogram};

/// Name, kind, meaning with the labels.
const METRICS: &[(&str, Kind, &str)] = &[
    ("carom_calls_total", Counter, "Calls taken, by trunk"),
    ("carom_calls_refused_total", Counter, "Calls refused, by reason"),
    ("carom_calls_ended_total", Counter, "Calls ended, by reason and handled"),
    ("carom_calls", Gauge, "Calls between their INVITE and their end"),
    ("carom_call_seconds", Histogram, "From the INVITE to the end"),
    (
        "carom_sip_connections_dropped_total",
        Counter,
        "SIP connections of peers that were refused or hung up on, by reason",
    ),
    ("carom_sip_dropped_total", Counter, "SIP messages dropped without an answer, by reason"),
    ("carom_sip_legs", Gauge, "Legs of the SIP endpoint, for 32 s after their end, too"),
    ("carom_sip_transactions", Gauge, "SIP transactions"),
    (
        "carom_certificate_left_days",
        Gauge,
        "Until a certificate of ours ends, of a TLS listener or of `[http]`; below 0: since; by listener",
    ),
    ("carom_target_up", Gauge, "1: the target's address answers OPTIONS; by address"),
    (
        "carom_handovers_total",
        Counter,
        "Calls that were to go on without us, by how (`refer`, `redirect`) and outcome: `taken`, or `failed` and bridged",
    ),
    ("carom_prompts_missing_total", Counter, "Prompts that could not be played"),
    ("carom_callbacks_total", Counter, "Callbacks dialled or told to another system, by outcome"),
    ("carom_voicemails_total", Counter, "Messages that callers left"),
    ("carom_media_sessions", Gauge, "Media sessions: two of a call"),
    ("carom_rtp_packets_sent_total", Counter, "RTP packets sent by ended sessions"),
    ("carom_rtp_packets_received_total", Counter, "RTP packets accepted by ended sessions"),
    ("carom_rtp_packets_lost_total", Counter, "RTP packets that never came"),
    ("carom_rtp_packets_late_total", Counter, "RTP packets sent over 5 ms late"),
    ("carom_media_commands_lost_total", Counter, "Commands that a full media worker refused"),
    ("carom_media_events_lost_total", Counter, "Media events that found the queue full"),
    ("carom_texts_accepted_total", Counter, "Texts that a provider accepted"),
    ("carom_texts_ambiguous_total", Counter, "Texts written and not answered, by sender"),
    (
        "carom_text_attempts_failed_total",
        Counter,
        "Attempts that definitely failed, by sender and class",
    ),
    ("carom_sender_paused", Gauge, "1: the sender is left alone for a while; by sender"),
    (
        "carom_texts_fallen_over_total",
        Counter,
        "Texts that did not arrive and went to the next sender, by the first",
    ),
    (
        "carom_texts_unread_total",
        Counter,
        "Texts from phones, and receipts of message centres, that nobody could read",
    ),
    ("carom_limit_hits_total", Counter, "Texts that a limit kept from being sent, by rule"),
    ("carom_risk_lookups_total", Counter, "Numbers whose risk a provider was asked for, by result"),
    (
        "carom_line_lookups_total",
        Counter,
        "Numbers whose kind of line a provider was asked for, by result",
    ),
    (
        "carom_webhooks_untrusted_total",
        Counter,
        "Webhooks refused because they are not their provider's: by signature, password, path or address",
    ),
    ("carom_webhook_events_total", Counter, "Tries to tell a webhook an event, by outcome"),
    ("carom_webhook_events_lost_total", Counter, "Events that no webhook took for 3 days"),
    ("carom_destination_checks_total", Counter, "Questions whether somebody is there, by result"),
    ("carom_entries_total", Counter, "Visits of entry points, by entry and who: person, program"),
    (
        "carom_link_fetches_total",
        Counter,
        "Fetches of pages of links, by what: `browser`, `program`; who presses a button is a person, and nobody else",
    ),
    ("carom_link_up", Gauge, "1: the checks of the link pass; by link"),
    ("carom_links_redeemed_total", Counter, "Links that led somebody on, by link"),
    ("carom_link_apps_total", Counter, "Apps opened beside a link, by link"),
    ("carom_link_guesses_total", Counter, "Bad tokens of addresses that had tried too many"),
    ("carom_lookups_total", Counter, "Lookups and actions, by result"),
    ("carom_source_up", Gauge, "1: the source of waiting times answers; by source"),
    ("carom_source_wait_seconds", Gauge, "The wait that the source told last; by source"),
    ("carom_source_agents_available", Gauge, "Free agents that the source told last; by source"),
    (
        "carom_source_callers_waiting",
        Gauge,
        "Callers in the queue that the source told last; by source",
    ),
    ("carom_store_up", Gauge, "1: the database answers"),
    (
        "carom_store_clock_seconds",
        Gauge,
        "By how much this node's clock is ahead of PostgreSQL's; negative: behind",
    ),
    ("carom_store_retries_total", Counter, "Commits that failed and were tried again"),
    ("carom_store_rows_waiting", Gauge, "Rows that wait to be written"),
    ("carom_store_rows_lost_total", Counter, "Rows that found the store's queue full"),
    ("carom_store_rows_refused_total", Counter, "Rows that the database refused for good"),
    ("carom_reloads_total", Counter, "Reloads, by outcome"),
];

/// Tells the recorder.
pub fn describe() {
    for &(name, ref kind, meaning) in METRICS {
        match kind {
            Counter => describe_counter!(name, meaning),
            Gauge => describe_gauge!(name, meaning),
            Histogram => describe_histogram!(name, meaning),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn the_documentation_lists_every_metric_with_its_meaning() {
        let docs = include_str!("../../../../docs/operations.md");
        let rows: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `carom_")).collect();
        let expected: Vec<String> = METRICS
            .iter()
            .map(|(name, kind, meaning)| {
                let kind = match kind {
                    Counter => "counter",
                    Gauge => "gauge",
                    Histogram => "summary",
                };
                format!("| `{name}` | {kind} | {meaning} |")
            })
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn every_metric_of_the_code_is_described_and_no_other() {
        let mut used = BTreeSet::new();
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for name in fs::read_dir(crates).unwrap() {
            look(&name.unwrap().path().join("src"), &mut used);
        }
        let described: BTreeSet<_> = METRICS.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(used, described);
    }

    /// The names given to the macros in the sources under `path`.
    fn look(path: &Path, used: &mut BTreeSet<String>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                look(&entry.unwrap().path(), used);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(path).unwrap();
            for kind in ["counter!(", "gauge!(", "histogram!("] {
                for after in text.split(kind).skip(1) {
                    let name = after.trim_start().strip_prefix('"').and_then(|a| a.split_once('"'));
                    let name = name.map(|(name, _)| name.to_owned());
                    used.extend(name.filter(|name| name.starts_with("carom_")));
                }
            }
        }
    }
}
