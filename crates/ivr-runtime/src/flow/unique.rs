//! E08 over all flows: a called number leads to one flow.

use std::collections::{BTreeMap, btree_map::Entry};

use toml::Spanned;

use super::model::Flow;
use crate::diagnose::{self, Code, Finding, Notes, Span};

/// What a flow claims for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Claim<'a> {
    /// The key of `[flow]`.
    key: &'static str,
    /// Its value, or one of a list.
    value: &'a str,
}

impl Claim<'_> {
    fn words(&self) -> String {
        match self.key {
            "numbers" => format!("the number `{}`", self.value),
            "extensions" => format!("the extension `{}`", self.value),
            "prefixes" => format!("the prefix `{}`", self.value),
            "name" => format!("the name `{}`", self.value),
            _ => format!("`{} = true`", self.key),
        }
    }
}

/// Finds called numbers, extensions, prefixes, defaults and names that two flows claim. Each flow comes
/// with the name and the text of its file. A file is told of once for each file that has what it
/// claims, at the first such place.
pub fn check_unique(flows: &[(&str, &str, &Flow)]) -> Vec<Finding> {
    let mut owners: BTreeMap<Claim<'_>, usize> = BTreeMap::new();
    let mut findings = Vec::new();
    for (at, (file, text, flow)) in flows.iter().enumerate() {
        let mut taken: BTreeMap<usize, Vec<Claim<'_>>> = BTreeMap::new();
        for claim in claims(flow) {
            match owners.entry(claim.clone()) {
                Entry::Occupied(owner) => taken.entry(*owner.get()).or_default().push(claim),
                Entry::Vacant(free) => {
                    free.insert(at);
                }
            }
        }
        let notes = Notes::default();
        for (owner, claims) in taken {
            let Some((first, (owner, ..))) = claims.first().zip(flows.get(owner)) else { continue };
            let belong = if claims.len() == 1 { "belongs" } else { "belong" };
            let message = format!("{} {belong} to the flow in {owner} already", listed(&claims));
            let help = "leave it out of one of them";
            notes.note(Code::E08, place(text, first), message, help);
        }
        findings.extend(diagnose::findings(notes.into_problems(), file, text));
    }
    findings
}

fn claims(flow: &Flow) -> impl Iterator<Item = Claim<'_>> {
    let lists = [
        ("numbers", &flow.numbers),
        ("extensions", &flow.extensions),
        ("prefixes", &flow.prefixes),
    ];
    let listed = lists
        .into_iter()
        .flat_map(|(key, list)| list.iter().map(move |value| Claim { key, value: value.as_str() }));
    let default = flow.default.then_some(Claim { key: "default", value: "" });
    listed.chain(default).chain([Claim { key: "name", value: &flow.name }])
}

/// "the number `+44…`, the extension `100` and the name `Main line`".
fn listed(claims: &[Claim<'_>]) -> String {
    let words: Vec<String> = claims.iter().map(Claim::words).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}

/// Where a claim stands in the file.
fn place(text: &str, claim: &Claim<'_>) -> Span {
    let tree = diagnose::tree(text, &Notes::default());
    let value =
        tree.get_ref().get("flow").and_then(|flow| flow.get_ref().as_table()?.get(claim.key));
    let Some(value) = value else { return 0..0 };
    let list = value.get_ref().as_array().into_iter().flatten();
    let item = list.into_iter().find(|item| item.get_ref().as_str() == Some(claim.value));
    item.map_or_else(|| value.span(), Spanned::span)
}
