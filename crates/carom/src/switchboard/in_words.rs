//! What the machine records, in words of the time line.

use ivr_runtime::call::{AGENT_INITIATED, Record};

/// The kind of a record on the time line.
pub(super) fn kind(record: &Record) -> &'static str {
    match record {
        Record::StepEntered { .. } | Record::StepLeft { .. } => "step",
        Record::Offer { .. } | Record::OfferResponse { .. } => "offer",
        Record::ForwardStarted { .. }
        | Record::ForwardAnswered { .. }
        | Record::ForwardFailed { .. }
        | Record::AgentAnswered { .. }
        | Record::HumanAnswered { .. }
        | Record::HumanEnded { .. } => "forward",
        Record::End { .. } => "end",
        _ => "call",
    }
}

/// The record as an engineer reads it; `None` where it says nothing new.
pub fn in_words(record: &Record) -> Option<String> {
    Some(match record {
        Record::Arm { holdout: false } | Record::Answered { .. } => return None,
        Record::Arm { holdout: true } => "in the control group: no offer".to_owned(),
        Record::StepEntered { step, kind, .. } => format!("{step} ({kind})"),
        Record::StepLeft { exit, note, tries, .. } => {
            let note = note.as_ref().map_or(String::new(), |note| format!(", {note}"));
            let tries = if *tries > 1 { format!(", {tries} tries") } else { String::new() };
            format!("  left by {exit}{note}{tries}")
        }
        Record::Offer { step, stage, response, reason, .. } => {
            let why = reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
            format!("{step} at {stage}: {}{why}", response.as_str())
        }
        Record::OfferResponse { response, .. } => response.as_str().to_owned(),
        Record::Outcome { kind, .. } => kind.clone(),
        Record::Intent { intent } => format!("intent {intent}"),
        Record::Language { language } => format!("language {language}"),
        Record::Flag { name } => format!("flag {name} set"),
        Record::Consent { name, .. } => format!("consent {name} given"),
        Record::FollowUp { name, due_ms: Some(due_ms), .. } => {
            let due = jiff::Timestamp::from_millisecond(*due_ms).unwrap_or_default();
            format!("{name} follows at {due:.0}")
        }
        Record::FollowUp { name, why_not: None, .. } => {
            format!("{name} follows when a link has been opened")
        }
        Record::FollowUp { name, why_not, .. } => {
            format!("{name} does not follow: {}", why_not.as_deref().unwrap_or("unknown"))
        }
        Record::ForwardStarted { target, .. } => format!("calling {target}"),
        Record::ForwardAnswered { target, .. } | Record::AgentAnswered { target, .. } => {
            format!("{target} answered")
        }
        Record::ForwardFailed { target, why, status, .. } => {
            let status = status.map_or(String::new(), |status| format!(" ({status})"));
            format!("{target}: {why}{status}")
        }
        Record::SendLink { why_not: None, .. } => format!("a link is sent, {AGENT_INITIATED}"),
        Record::SendLink { why_not: Some(why), .. } => {
            format!("no link is sent, {AGENT_INITIATED}: {why}")
        }
        Record::HumanAnswered { .. } => "a person answered".to_owned(),
        Record::HumanEnded { .. } => "the person is gone".to_owned(),
        Record::Bypassed { why } => format!("flow left: {why}"),
        Record::End { reason, handled, .. } => {
            format!("{}, {}", reason.as_str(), handled.as_str())
        }
    })
}
