//! `agent`: hands the caller to a voice bot over SIP. The bot gives back what it learned in
//! headers and the caller by its BYE; while it talks the keys are its own, and `max_minutes` end
//! what has no end.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Exit, Leave, Next, Turn,
    template::{fields, fill},
};
use crate::{
    call::{
        AgentRequest, Facts, Hidden, Input, Output, Record, TargetOutcome,
        desk::Context,
        targets::{self, Failure},
    },
    flow::model::{Agent, Flow, Go, Target},
};

/// Bytes of a header that goes to a bot.
const HEADER_LEN: usize = 200;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Talking {
    /// It rings.
    Calling { until: Duration },
    /// The bot has the caller.
    Connected { since: Duration, until: Duration },
}

/// One way in which the bot does not hand the caller back, for the linter and the proof.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub what: &'static str,
    /// At most so long until then.
    pub after: Duration,
    /// The step's own exit, or the target's.
    pub own: Option<Go>,
}

impl Talking {
    pub fn begin(step: &str, agent: &Agent, context: &mut Context<'_>) -> Result<Self, Leave> {
        let Some(target) = target(context.flow, agent) else {
            return Err(Leave::failed(agent.if_fails, "no target"));
        };
        if targets::is_closed(context.flow, target, context.at_ms(), context.facts) {
            return Err(failed(agent, target, Failure::Closed));
        }
        context.keys.flush();
        context.desk.push(Output::CallAgent(AgentRequest {
            step: step.to_owned(),
            target: agent.target,
            headers: headers(agent, context.facts),
            save: agent.save.clone(),
        }));
        // Of an earlier conversation nothing is left.
        for save in &agent.save {
            context.facts.learn(&save.field, "", false);
        }
        Ok(Self::Calling { until: context.now + targets::rings_at_most(target) })
    }

    pub fn handle_input(
        &mut self,
        agent: &Agent,
        context: &mut Context<'_>,
        input: &Input,
    ) -> Turn {
        use TargetOutcome::{
            Answered, Busy, Ended, Failed, HandedOver, HumanAnswered, NoAnswer, Ringing, SignalLost,
        };
        let Some(target) = target(context.flow, agent) else { return Turn::Stay };
        let outcome = match input {
            Input::AgentSaid(values) => {
                learn(agent, values, context.facts);
                return Turn::Stay;
            }
            Input::Target(outcome) => *outcome,
            _ => return Turn::Stay,
        };
        let not_reached = |failure| Turn::Leave(failed(agent, target, failure));
        match (*self, outcome) {
            (Self::Calling { .. }, Answered { .. }) => {
                let (now, at_ms) = (context.now, context.at_ms());
                *self = Self::Connected { since: now, until: now + longest(agent) };
                let target = target.name.clone();
                context.desk.record(Record::AgentAnswered { target, at_ms });
                Turn::Stay
            }
            (Self::Calling { .. }, Busy { status }) => not_reached(Failure::Busy { status }),
            (Self::Calling { .. }, NoAnswer { status }) => {
                not_reached(Failure::NoAnswer { status })
            }
            (Self::Calling { .. }, Failed { status }) => not_reached(Failure::Failed { status }),
            (Self::Calling { .. }, Ended { .. }) => not_reached(Failure::Failed { status: None }),
            (Self::Connected { since, .. }, Ended { .. }) => {
                let note = Some(talked(context.now, since));
                context.progress.served = true;
                Turn::Leave(Leave { note, ..Leave::next(agent.then) })
            }
            // It broke in the middle: it has handed nothing back.
            (Self::Connected { .. }, Busy { .. } | NoAnswer { .. } | Failed { .. }) => {
                let own = agent.exit(Failure::Failed { status: None }, target);
                Turn::Leave(Leave::failed(own, "broken_off"))
            }
            (_, Ringing | HandedOver { .. } | HumanAnswered | SignalLost)
            | (Self::Connected { .. }, Answered { .. }) => Turn::Stay,
        }
    }

    pub fn handle_timeout(&mut self, agent: &Agent, context: &mut Context<'_>) -> Turn {
        let now = context.now;
        let Some(target) = target(context.flow, agent) else { return Turn::Stay };
        match *self {
            Self::Calling { until } if until <= now => {
                context.desk.push(Output::StopForward);
                Turn::Leave(failed(agent, target, Failure::NoAnswer { status: None }))
            }
            Self::Connected { since, until } if until <= now => {
                context.desk.push(Output::StopForward);
                let own = agent.if_timeout.or(agent.if_fails);
                let note = Some(talked(now, since));
                Turn::Leave(Leave { note, ..Leave::by(Exit::Timeout, Next::WayOut(own)) })
            }
            Self::Calling { .. } | Self::Connected { .. } => Turn::Stay,
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        match self {
            Self::Calling { until } | Self::Connected { until, .. } => *until,
        }
    }

    /// The caller talks with the bot.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}

/// All the ways in which a bot may fail.
pub(crate) fn faults(flow: &Flow, agent: &Agent) -> Vec<Fault> {
    let Some(target) = target(flow, agent) else { return Vec::new() };
    let rings = targets::rings_at_most(target);
    let fault = |what, after, failure| Fault { what, after, own: agent.exit(failure, target) };
    let mut faults = vec![
        fault("agent busy", rings, Failure::Busy { status: 486 }),
        fault("agent does not answer", rings, Failure::NoAnswer { status: None }),
        fault("agent fails", rings + longest(agent), Failure::Failed { status: None }),
        Fault {
            what: "agent talks too long",
            after: rings + longest(agent),
            own: agent.if_timeout.or(agent.if_fails),
        },
    ];
    if target.hours.is_some() {
        faults.push(fault("agent closed", Duration::ZERO, Failure::Closed));
    }
    faults
}

/// How long the bot may talk.
fn longest(agent: &Agent) -> Duration {
    Duration::from_secs(60 * u64::from(agent.max_minutes))
}

fn target<'f>(flow: &'f Flow, agent: &Agent) -> Option<&'f Target> {
    flow.targets.get(usize::from(agent.target.0))
}

fn failed(agent: &Agent, target: &Target, failure: Failure) -> Leave {
    let status = failure.status().map_or_else(String::new, |status| format!(":{status}"));
    Leave::failed(agent.exit(failure, target), format!("{}{status}", failure.word()))
}

fn talked(now: Duration, since: Duration) -> String {
    format!("talked:{}s", now.saturating_sub(since).as_secs())
}

/// What the bot is told beside the target's own headers; one with an unknown field is left out.
fn headers(agent: &Agent, facts: &Facts) -> BTreeMap<String, Hidden> {
    let plain = |value: &str| {
        let fits = value.len() <= HEADER_LEN && !value.chars().any(char::is_control);
        fits.then(|| value.to_owned())
    };
    let rendered = agent.headers.iter().filter_map(|(name, template)| {
        let value = fill(template, |field| facts.field(field), plain)?;
        Some((name.clone(), Hidden(value)))
    });
    rendered.collect()
}

fn learn(agent: &Agent, values: &BTreeMap<String, String>, facts: &mut Facts) {
    for save in &agent.save {
        // Each of its messages may tell another one.
        let Some(told) = values.get(&save.field) else { continue };
        facts.learn(&save.field, &save.is.read(told).unwrap_or_default(), false);
    }
}

/// The fields that go to the bot.
pub(crate) fn told(agent: &Agent) -> impl Iterator<Item = &str> {
    agent.headers.values().flat_map(|template| fields(template))
}
