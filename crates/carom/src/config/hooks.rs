//! Webhooks of one address are one queue: it is signed with one secret.

use deflect_actions::hooks::Hook;
use ivr_runtime::diagnose::Code;

use super::{Business, Http, read::Table};

/// Which of two secrets signs an event would be chance.
pub(super) fn refuse_two_secrets(root: &Table<'_>, http: &Http, businesses: &[Business]) {
    let replies = businesses.iter().flat_map(|business| &business.replies);
    let mut seen: Vec<&Hook> = Vec::new();
    for (section, hook) in http
        .webhooks
        .iter()
        .map(|hook| ("http", hook))
        .chain(replies.map(|reply| ("business", &reply.hook)))
    {
        // Events of the two kinds wait in queues of their own.
        let of_one = |other: &&&Hook| {
            other.url == hook.url && other.kinds.is_empty() == hook.kinds.is_empty()
        };
        match seen.iter().find(of_one) {
            Some(other) if other.secret != hook.secret => {
                let message = format!("webhooks of one address have two secrets: {}", hook.url);
                let help =
                    "give them one secret, or each an address of its own, such as `…?of=care`";
                root.note(Code::E00, section, message, help);
            }
            Some(_) => {}
            None => seen.push(hook),
        }
    }
}
