//! Which countries are texted and called back, and that a sender serves each that is texted (E10,
//! requirements §4.3).

use std::collections::BTreeSet;

use deflect_actions::text::Sender;
use ivr_runtime::diagnose::{Code, Span};

use super::{Limits, Trunk, read::Table};

/// Left out, those texted are the countries of trunks and their numbers, and those called back are
/// those texted.
pub(super) fn settle(limits: &mut Limits, trunks: &[(Trunk, Span)]) {
    if limits.countries.is_empty() {
        let all: BTreeSet<&String> = trunks.iter().flat_map(|(trunk, _)| of(trunk)).collect();
        limits.countries = all.into_iter().cloned().collect();
    }
    if limits.callback_countries.is_empty() {
        limits.callback_countries.clone_from(&limits.countries);
    }
}

/// Numbers of a country that is texted, and that no sender serves, would get no text. `trunks` are
/// all those of the file.
pub(super) fn refuse_without_sender(root: &Table<'_>, senders: &[Sender], trunks: &[Trunk]) {
    let served = |country: &String| senders.iter().any(|sender| sender.regions.contains(country));
    if senders.is_empty() {
        return;
    }
    let limits = root.table("limits");
    if let Some(limits) = limits.filter(|limits| limits.has("countries")) {
        for country in limits.countries("countries").unwrap_or_default() {
            if !served(&country) {
                let message = format!("`countries`: no sender serves {country}");
                let help = "add it to the `regions` of a sender, or leave the country out; one that \
                            is called back only belongs into `callback_countries`";
                limits.note(Code::E10, "countries", message, help);
            }
        }
        return;
    }
    let mut told = BTreeSet::new();
    let places = root.array_of_tables("trunk");
    for (trunk, table) in trunks.iter().zip(&places) {
        for country in of(trunk).filter(|country| !served(country)) {
            if told.insert(country) {
                let message =
                    format!("callers of `{}` are in {country}, which no sender serves", trunk.name);
                let help = "add it to the `regions` of a sender, or name the countries that are \
                            texted: `[limits] countries = […]`";
                root.notes().note(Code::E10, table.span(), message, help);
            }
        }
    }
}

/// Where the lines of a trunk are.
fn of(trunk: &Trunk) -> impl Iterator<Item = &String> {
    trunk.number_countries.values().chain([&trunk.country])
}
