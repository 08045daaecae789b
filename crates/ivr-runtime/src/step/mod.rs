//! What each kind of step does, one kind per file.
//!
//! A step has two halves: [`silent`] needs no answered call and may already leave the step;
//! [`aloud`] plays or listens. A step that stays is a [`Running`] machine of its own.

pub(crate) mod agent;
pub(crate) mod answer;
pub(crate) mod callback;
pub(crate) mod check;
pub(crate) mod collect;
pub(crate) mod decide;
pub(crate) mod destinations;
pub(crate) mod exits;
pub(crate) mod fetch;
pub(crate) mod menu;
pub(crate) mod number;
pub(crate) mod offer;
pub(crate) mod opt_out;
pub(crate) mod say;
pub(crate) mod set;
pub(crate) mod template;
pub(crate) mod text;
pub(crate) mod voicemail;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    call::{Input, desk::Context},
    flow::model::{Does, Go, Step, StepId},
    key::Key,
};

/// A step that plays, listens or waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Running {
    Say(say::Say),
    Checking(check::Checking),
    Menu(menu::Running),
    Text(Box<text::Sending>),
    Collect(collect::Collecting),
    Lookup(fetch::Waiting),
    Action(fetch::Acting),
    OptOut(opt_out::Asking),
    Voicemail(voicemail::Taking),
    Callback(callback::Booking),
    Agent(agent::Talking),
}

/// What the half of a step that makes no sound comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Silent {
    /// The step is over.
    Left(Leave),
    /// It waits; the call need not be answered for that.
    Stays(Running),
    /// It plays or listens: go on with [`aloud`].
    Done,
}

impl From<Option<Leave>> for Silent {
    fn from(leave: Option<Leave>) -> Self {
        leave.map_or(Self::Done, Self::Left)
    }
}

/// What a step makes of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    Stay,
    /// The half that makes no sound is over: go on with [`aloud`].
    Aloud,
    Leave(Leave),
}

/// The way a step is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leave {
    pub exit: Exit,
    pub note: Option<String>,
    pub next: Next,
}

/// `step.exit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Key(Key),
    Timeout,
    Wrong,
    Hangup,
    Error,
    Next,
}

/// Where then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// As the flow says.
    Go(Go),
    /// To the flow's person route.
    Human,
    /// There too; here where it has failed or was closed since the caller last chose.
    HumanOr(Go),
    /// Something failed: the step's own `if_*`, if it has one, else the way out.
    WayOut(Option<Go>),
}

impl Leave {
    pub fn by(exit: Exit, next: Next) -> Self {
        Self { exit, note: None, next }
    }

    pub fn next(go: Go) -> Self {
        Self::by(Exit::Next, Next::Go(go))
    }

    /// Something failed; `note` says what.
    pub fn failed(own: Option<Go>, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..Self::by(Exit::Error, Next::WayOut(own)) }
    }
}

impl Exit {
    /// The word of the store.
    pub fn label(self) -> String {
        match self {
            Self::Key(key) => key.to_string(),
            Self::Timeout => "timeout".into(),
            Self::Wrong => "wrong".into(),
            Self::Hangup => "hangup".into(),
            Self::Error => "error".into(),
            Self::Next => "next".into(),
        }
    }
}

/// The kind of a step, as `do` spells it.
pub(crate) fn kind(does: &Does) -> &'static str {
    match does {
        Does::Say { .. } => "say",
        Does::Menu(_) => "menu",
        Does::Answer { .. } => "answer",
        Does::Offer(_) => "offer",
        Does::Decide { .. } => "decide",
        Does::Set { .. } => "set",
        Does::Text(_) => "text",
        Does::Collect(_) => "collect",
        Does::Lookup(_) => "lookup",
        Does::Action(_) => "action",
        Does::Wait(_) => "wait",
        Does::Agent(_) => "agent",
        Does::OptOut { .. } => "opt-out",
        Does::Voicemail(_) => "voicemail",
        Does::Callback(_) => "callback",
    }
}

/// The half that makes no sound.
pub(crate) fn silent(id: StepId, step: &Step, context: &mut Context<'_>) -> Silent {
    match &step.does {
        Does::Decide { case, otherwise } => Silent::Left(decide::run(case, *otherwise, context)),
        Does::Set { intent, language, consent, flag, then } => {
            let changes = set::Changes { intent, language, consent, flag };
            Silent::Left(set::run(&step.name, &changes, *then, context))
        }
        Does::Offer(offer) => match offer::settle(&step.name, offer, context) {
            offer::Settled::Made => Silent::Done,
            offer::Settled::Skipped(leave) => Silent::Left(leave),
            offer::Settled::Asking(until) => {
                Silent::Stays(Running::Checking(check::Checking::until(until)))
            }
        },
        Does::Answer { menu, needs, if_missing } => {
            answer::missing(menu, needs, *if_missing, context).into()
        }
        Does::Text(text) => text::refuse(text, context).into(),
        Does::Lookup(lookup) => match fetch::begin_lookup(id, &step.name, lookup, context) {
            Ok(waiting) => Silent::Stays(Running::Lookup(waiting)),
            Err(leave) => Silent::Left(leave),
        },
        Does::Action(action) if action.confirm.is_none() => {
            match fetch::Acting::begin(&step.name, action, context) {
                Ok(acting) => Silent::Stays(Running::Action(acting)),
                Err(leave) => Silent::Left(leave),
            }
        }
        Does::Callback(callback) => match callback::Booking::find(&step.name, callback, context) {
            Ok(finding) => Silent::Stays(Running::Callback(finding)),
            Err(leave) => Silent::Left(leave),
        },
        Does::Say { .. }
        | Does::Menu(_)
        | Does::Collect(_)
        | Does::Action(_)
        | Does::Wait(_)
        | Does::Agent(_)
        | Does::Voicemail(_)
        | Does::OptOut { .. } => Silent::Done,
    }
}

/// Begins the half that is heard; the call is answered.
pub(crate) fn aloud(step: &Step, context: &mut Context<'_>) -> Result<Running, Leave> {
    match &step.does {
        Does::Say { play, then } => say::Say::begin(play, *then, context).map(Running::Say),
        Does::Menu(_) | Does::Answer { .. } | Does::Offer(_) => {
            menu::Running::begin(step, context).map(Running::Menu)
        }
        Does::Text(text) => {
            let sending = text::Sending::begin(&step.name, text, context);
            sending.map(Box::new).map(Running::Text)
        }
        Does::OptOut { play, .. } => Ok(Running::OptOut(opt_out::Asking::begin(play, context))),
        Does::Collect(collect) => {
            collect::Collecting::begin(collect, context).map(Running::Collect)
        }
        Does::Action(action) => {
            fetch::Acting::begin(&step.name, action, context).map(Running::Action)
        }
        Does::Decide { otherwise: then, .. } | Does::Set { then, .. } => Err(Leave::next(*then)),
        Does::Lookup(lookup) => Err(Leave::next(lookup.then)),
        Does::Callback(callback) => {
            Ok(Running::Callback(callback::Booking::begin(callback, context)))
        }
        Does::Voicemail(voicemail) => {
            voicemail::Taking::begin(&step.name, voicemail, context).map(Running::Voicemail)
        }
        Does::Agent(agent) => agent::Talking::begin(&step.name, agent, context).map(Running::Agent),
        // The call runs it itself: it goes on while other steps do.
        Does::Wait(wait) => Err(Leave::failed(wait.if_fails, "no line")),
    }
}

impl Running {
    /// An input for the step; keys it does not want stay in the buffer.
    pub fn handle_input(&mut self, step: &Step, context: &mut Context<'_>, input: &Input) -> Turn {
        match (self, &step.does) {
            (Self::Say(say), Does::Say { then, .. }) => say.handle_input(*then, context, input),
            (Self::Checking(checking), Does::Offer(offer)) => {
                checking.handle_input(&step.name, offer, context, input)
            }
            (Self::Menu(menu), _) => menu.handle_input(step, context, input),
            (Self::Text(sending), Does::Text(text)) => {
                sending.handle_input(&step.name, text, context, input)
            }
            (Self::OptOut(asking), does @ Does::OptOut { .. }) => {
                asking.handle_input(does, context, input)
            }
            (Self::Collect(collecting), Does::Collect(collect)) => {
                collecting.handle_input(collect, context, input)
            }
            (Self::Lookup(waiting), Does::Lookup(lookup)) => {
                fetch::lookup_input(waiting, lookup, context, input)
            }
            (Self::Action(acting), Does::Action(action)) => {
                acting.handle_input(&step.name, action, context, input)
            }
            (Self::Voicemail(taking), Does::Voicemail(voicemail)) => {
                taking.handle_input(&step.name, voicemail, context, input)
            }
            (Self::Callback(booking), Does::Callback(callback)) => {
                booking.handle_input(&step.name, callback, context, input)
            }
            (Self::Agent(talking), Does::Agent(agent)) => {
                talking.handle_input(agent, context, input)
            }
            // A state of another flow revision; `Call::resume` refuses those.
            _ => mismatch(),
        }
    }

    /// A deadline of the step may have passed.
    pub fn handle_timeout(&mut self, step: &Step, context: &mut Context<'_>) -> Turn {
        match (self, &step.does) {
            (Self::Say(say), Does::Say { .. }) => say.handle_timeout(context),
            (Self::Checking(checking), Does::Offer(offer)) => {
                checking.handle_timeout(&step.name, offer, context)
            }
            (Self::Menu(menu), _) => menu.handle_timeout(step, context),
            (Self::Text(sending), Does::Text(text)) => {
                sending.handle_timeout(&step.name, text, context)
            }
            (Self::OptOut(asking), does @ Does::OptOut { .. }) => {
                asking.handle_timeout(does, context)
            }
            (Self::Collect(collecting), Does::Collect(collect)) => {
                collecting.handle_timeout(collect, context)
            }
            (Self::Lookup(waiting), Does::Lookup(lookup)) => {
                fetch::lookup_timeout(waiting, lookup, context)
            }
            (Self::Action(acting), Does::Action(action)) => acting.handle_timeout(action, context),
            (Self::Voicemail(taking), Does::Voicemail(voicemail)) => {
                taking.handle_timeout(&step.name, voicemail, context)
            }
            (Self::Callback(booking), Does::Callback(callback)) => {
                booking.handle_timeout(callback, context)
            }
            (Self::Agent(talking), Does::Agent(agent)) => talking.handle_timeout(agent, context),
            _ => mismatch(),
        }
    }

    /// The step's next deadline; there always is one.
    pub fn poll_timeout(&self) -> Duration {
        match self {
            Self::Say(say) => say.poll_timeout(),
            Self::Checking(checking) => checking.poll_timeout(),
            Self::Menu(menu) => menu.poll_timeout(),
            Self::Text(sending) => sending.poll_timeout(),
            Self::OptOut(asking) => asking.poll_timeout(),
            Self::Collect(collecting) => collecting.poll_timeout(),
            Self::Lookup(waiting) => fetch::poll_timeout(waiting),
            Self::Action(acting) => acting.poll_timeout(),
            Self::Voicemail(taking) => taking.poll_timeout(),
            Self::Callback(booking) => booking.poll_timeout(),
            Self::Agent(talking) => talking.poll_timeout(),
        }
    }

    /// How often the prompt was played.
    pub fn tries(&self) -> u8 {
        match self {
            Self::Menu(menu) => menu.tries(),
            Self::Collect(collecting) => collecting.tries(),
            Self::Callback(booking) => booking.tries(),
            _ => 1,
        }
    }

    /// A key would be acted on now.
    pub fn awaits_key(&self) -> bool {
        match self {
            Self::Menu(_) | Self::Collect(_) => true,
            Self::OptOut(asking) => asking.awaits_key(),
            Self::Action(acting) => acting.awaits_key(),
            Self::Text(sending) => sending.asks(),
            Self::Voicemail(taking) => taking.is_speaking(),
            Self::Callback(booking) => booking.awaits_key(),
            Self::Say(_) | Self::Lookup(_) | Self::Checking(_) | Self::Agent(_) => false,
        }
    }

    /// The caller waits for an answer of somebody else.
    pub fn waits_for_others(&self) -> bool {
        match self {
            Self::Lookup(_) | Self::Checking(_) => true,
            Self::Action(acting) => !acting.awaits_key(),
            Self::Text(sending) => sending.waits(),
            Self::OptOut(asking) => !asking.awaits_key(),
            Self::Voicemail(taking) => taking.is_being_kept(),
            Self::Callback(booking) => booking.waits(),
            Self::Say(_) | Self::Menu(_) | Self::Collect(_) | Self::Agent(_) => false,
        }
    }

    /// The offer that is being spoken.
    pub fn pending_offer(&self) -> Option<u32> {
        match self {
            Self::Menu(menu) => menu.pending_offer(),
            _ => None,
        }
    }
}

fn mismatch() -> Turn {
    Turn::Leave(Leave::failed(None, "state of another step"))
}
