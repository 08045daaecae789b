//! What is known of the caller of a test when the call arrives.

use std::path::Path;

use ivr_runtime::{
    call::{Facts, Few, History, Told},
    flow::model::Flow,
    hours::OneOff,
    sim::seed_of,
};
use jiff::{Timestamp, Zoned};
use message_text::E164;

use super::file::{ArmIs, HoursAre, LinkSays, ShareIs, SourceSays, Test};
use crate::{
    config::{Snapshot, SourceKind},
    node::clock::wall_ms,
    switchboard::known_fields,
};

const HOUR_MS: i64 = 3_600_000;
/// Who calls where the test does not say it.
const SOMEBODY: &str = "+447700900456";
/// Of a caller whom the flow takes like any other.
const SEED: u64 = 0x5eed;

/// As the switchboard would gather them.
///
/// # Errors
/// What of the test can't be, with its place in `file`.
pub fn facts(snapshot: &Snapshot, test: &Test, flow: &Flow, file: &Path) -> Result<Facts, String> {
    let told = |key: &str, name: &str, why: String| test.places.told(file, key, name, &why);
    let called = test.called.clone().or_else(|| flow.numbers.first().cloned());
    let called = called.or_else(|| flow.extensions.first().cloned()).unwrap_or_default();
    let country = snapshot.config.country_of(&called);
    let caller = match test.caller.as_deref() {
        Some("anonymous") => None,
        number => {
            let number = number.unwrap_or(SOMEBODY);
            let parsed = E164::parse(number, &country);
            Some(parsed.map_err(|why| told("caller", "", format!("`{number}`: {why}")))?)
        }
    };
    let start_ms = match &test.at {
        None => wall_ms(),
        Some(at) => moment(at).ok_or_else(|| {
            let form = "write it as 2026-11-25T10:00[Europe/London]";
            told("at", "", format!("`{at}` is no moment; {form}"))
        })?,
    };
    let ago = |hours: &f64| start_ms - (hours * HOUR_MS as f64) as i64;
    let history = History {
        calls_ms: test.called_hours_ago.iter().map(ago).collect(),
        deflected_ms: test.deflected_hours_ago.iter().map(ago).collect(),
        declined_ms: test.declined_hours_ago.as_ref().map(ago),
        offered_ms: test.declined_hours_ago.as_ref().map(ago),
        failed_promise: test.failed_promise,
        opted_out: test.opted_out,
    };
    let business = snapshot.config.business(flow.business.as_deref());
    let business = business.map_or("", |business| business.key.as_str());
    let textable = caller.as_ref().is_some_and(|caller| {
        test.caller.is_none() || snapshot.texts.against(caller, business, &called, &[]).is_none()
    });
    let sources = sources(snapshot, test);
    let first = snapshot.source_of(flow).and_then(|source| sources.get(&source.name));
    let mut fields = known_fields(Some("rehearsed"), first, flow.round_wait, start_ms);
    // A withheld number has no history, and no visits either.
    let has_history = caller.is_some() && !test.history_unknown;
    if has_history {
        fields.insert("site_visits".to_owned(), test.site_visits.unwrap_or(0).to_string());
    } else if test.site_visits.is_some() {
        return Err(told("site_visits", "", "nothing is known of this caller".to_owned()));
    }
    let failing =
        |(name, says): (&String, &LinkSays)| (*says == LinkSays::Failing).then(|| name.clone());
    Ok(Facts {
        call_id: "rehearsed".into(),
        called,
        withheld: caller.is_none(),
        can_receive_text: Some(test.can_receive_text.unwrap_or(textable)),
        caller_seed: seed(test, flow, start_ms).map_err(|(key, why)| told(key, "", why))?,
        caller: caller.map(|caller| caller.to_string()),
        call_is: test.call_is.clone(),
        flags: Some(test.flags.clone()),
        history: has_history.then_some(history),
        headers: test.headers.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.clone())).collect(),
        attestation: test.attestation.clone(),
        targets_up: test.target_up.clone().into_iter().collect(),
        links_down: test.links.iter().filter_map(failing).collect(),
        one_offs: one_offs(test, start_ms),
        country,
        sources,
        fields,
        start_ms,
        ..Facts::default()
    })
}

fn moment(text: &str) -> Option<i64> {
    let zoned = text.parse::<Zoned>().map(|zoned| zoned.timestamp());
    zoned.or_else(|_| text.parse::<Timestamp>()).ok().map(Timestamp::as_millisecond)
}

/// What the sources tell: of those that ask a target by OPTIONS, what the test says of the target.
fn sources(snapshot: &Snapshot, test: &Test) -> Few<Told> {
    let told = |says: &SourceSays| Told {
        wait_seconds: says.wait_seconds,
        agents_available: says.agents_available,
        until_ms: i64::MAX,
        ..Told::default()
    };
    let mut sources: Few<Told> = Few::default();
    for source in &snapshot.config.sources {
        let SourceKind::Options { target } = &source.kind else { continue };
        let Some(up) = test.target_up.get(target) else { continue };
        let agents_available = (!up).then_some(0);
        sources.insert(
            source.name.clone(),
            told(&SourceSays { agents_available, wait_seconds: None }),
        );
    }
    for (name, says) in &test.sources {
        sources.insert(name.clone(), told(says));
    }
    sources
}

/// Closed or open for once, an hour ago and for a day.
fn one_offs(test: &Test, start_ms: i64) -> Vec<OneOff> {
    let one_off = |(hours, are): (&String, &HoursAre)| OneOff {
        hours: hours.clone(),
        open: *are == HoursAre::Open,
        from_ms: start_ms - HOUR_MS,
        until_ms: start_ms + 24 * HOUR_MS,
        because: "rehearsed".to_owned(),
    };
    test.hours.iter().map(one_off).collect()
}

/// A caller in the arm that the test wants, who hears the offers that a share of callers hear, or
/// none of those; the key that asks for what this flow does not have, and why.
fn seed(test: &Test, flow: &Flow, now_ms: i64) -> Result<u64, (&'static str, String)> {
    let inside = test.share != Some(ShareIs::Outside);
    let of = |arm| seed_of(flow, arm == ArmIs::Holdout, inside, now_ms);
    let percent = flow.holdout_percent;
    match test.arm {
        Some(arm) => of(arm).ok_or_else(|| match (arm, percent) {
            (ArmIs::Holdout, 0) => ("arm", "the flow has no control group".to_owned()),
            (ArmIs::On, 100) => ("arm", "every caller is in the control group".to_owned()),
            _ => ("share", no_such_caller(inside)),
        }),
        None => match of(ArmIs::On).or_else(|| of(ArmIs::Holdout)) {
            Some(seed) => Ok(seed),
            None if test.share.is_none() => Ok(SEED),
            None => Err(("share", no_such_caller(inside))),
        },
    }
}

fn no_such_caller(inside: bool) -> String {
    let what = if inside { "all offers that have one" } else { "no offer that has one" };
    format!("there is no caller who hears {what}")
}
