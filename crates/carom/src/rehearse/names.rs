//! Whether what a test names is there.

use std::path::Path;

use ivr_runtime::{
    diagnose::nearest,
    flow::{
        PromptIndex as _,
        model::{Does, Fact, Flow, Link},
    },
};

use super::{
    file::{LinkSays, Test},
    turns::TextsAre,
};
use crate::config::Snapshot;

/// What a call can be beside usual.
const CALL_IS: [&str; 5] =
    ["priority", "psap-callback", "relay-or-text-phone", "test-call", "withheld"];
/// What a carrier can say of a caller's number.
const ATTESTED: [&str; 5] = ["A", "B", "C", "failed", "none"];

/// Looks for names, and notes those that are not there.
struct Names<'a> {
    test: &'a Test,
    file: &'a Path,
    faults: Vec<String>,
}

/// What a test names and the flow, or its configuration, does not have.
pub fn unknown(snapshot: &Snapshot, test: &Test, flow: &Flow, file: &Path) -> Vec<String> {
    let mut names = Names { test, file, faults: Vec::new() };
    let steps = |fits: fn(&Does) -> bool| {
        flow.steps.iter().filter(move |step| fits(&step.does)).map(|step| step.name.as_str())
    };
    let targets = || flow.targets.iter().map(|target| target.name.as_str());
    let facts = || flow.rules.iter().map(|rule| &rule.fact);

    let senders = flow.senders.iter().map(|sender| sender.name.as_str());
    names.known("senders", "sender", test.senders.keys(), senders);
    if let TextsAre::BySteps(texts) = &test.text {
        names.known(
            "text",
            "`text` step",
            texts.keys(),
            steps(|does| matches!(does, Does::Text(_))),
        );
    }
    let asked = steps(|does| does.request().is_some());
    names.known("answers", "`lookup` or `action` step", test.answers.keys(), asked);
    let agents = steps(|does| matches!(does, Does::Agent(_)));
    names.known("agents", "`agent` step", test.agents.keys(), agents);
    names.known("targets", "target", test.targets.keys(), targets());
    names.known("target_up", "target", test.target_up.keys(), targets());
    let hours = flow.hours.iter().map(|hours| hours.name.as_str());
    names.known("hours", "opening hours", test.hours.keys(), hours);
    let of_flow = |of: &Option<String>| of.as_ref().is_none_or(|of| *of == flow.name);
    let sources = snapshot.config.sources.iter().filter(|source| of_flow(&source.flow));
    let sources = sources.map(|source| source.name.as_str());
    names.known("sources", "source", test.sources.keys(), sources);
    let flags = facts().filter_map(|fact| match fact {
        Fact::Flag(name) => Some(name.as_str()),
        _ => None,
    });
    names.known("flags", "rule that asks for the flag", &test.flags, flags);
    let headers: Vec<String> = facts()
        .filter_map(|fact| match fact {
            Fact::Header { name, .. } => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    let given: Vec<String> = test.headers.keys().map(|name| name.to_ascii_lowercase()).collect();
    let headers = headers.iter().map(String::as_str);
    names.known("headers", "rule that asks for the header", &given, headers);
    names.known("call_is", "kind of call", &test.call_is, CALL_IS.into_iter());
    names.known("attestation", "attestation", &test.attestation, ATTESTED.into_iter());
    let links = flow.links.iter().map(|link| link.name.as_str());
    names.known("links", "link", test.links.keys(), links);
    for (name, says) in &test.links {
        let link = flow.links.iter().find(|link| link.name == *name);
        if let Some(why) = link.and_then(|link| never_says(link, *says)) {
            names.fault("links", name, &why);
        }
    }
    names.prompts(snapshot, flow);
    names.faults
}

/// Why a destination can't say so.
fn never_says(link: &Link, says: LinkSays) -> Option<String> {
    let name = &link.name;
    match says {
        LinkSays::Failing => {
            let why = format!("`[link.{name}]` has no `check_url` that could fail");
            link.check_url.is_none().then_some(why)
        }
        LinkSays::Available | LinkSays::NotAvailable | LinkSays::Down => {
            let why = format!("nobody asks the destination of `[link.{name}]`");
            link.check().is_none().then_some(why)
        }
    }
}

impl Names<'_> {
    fn fault(&mut self, key: &str, name: &str, why: &str) {
        self.faults.push(self.test.places.told(self.file, key, name, why));
    }

    fn known<'n>(
        &mut self,
        key: &str,
        what: &str,
        named: impl IntoIterator<Item = &'n String>,
        known: impl Iterator<Item = &'n str>,
    ) {
        let known: Vec<&str> = known.collect();
        for name in named.into_iter().filter(|name| !known.contains(&name.as_str())) {
            let near = nearest(name, known.iter().copied());
            let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
            self.fault(key, name, &format!("there is no {what} `{name}`{near}"));
        }
    }

    fn prompts(&mut self, snapshot: &Snapshot, flow: &Flow) {
        for name in &self.test.missing_prompts {
            let sound = name.strip_suffix(".wav").unwrap_or(name);
            let prompts = &snapshot.prompts;
            if flow.languages.iter().any(|language| prompts.has(language, sound).is_some()) {
                continue;
            }
            let mut near = flow.languages.iter().filter_map(|of| prompts.nearest(of, sound));
            let near = near.next().map_or_else(String::new, |n| format!(": did you mean `{n}`?"));
            self.fault("missing_prompts", name, &format!("there is no prompt `{name}`{near}"));
        }
    }
}
