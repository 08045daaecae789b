//! The routes of the API: one table, of which the router and the OpenAPI document are made.

use axum::routing::{MethodRouter, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    call_back::Booked,
    callbacks::{self, CallbackTold, CallbackWanted},
    calls,
    compat::{self, Broadcast, C2mEligibility, C2mInvite},
    counts::{self, Count},
    deflect::{self, Eligible, EligibleTold, Invite, InviteTold},
    engagement::{self, Engagement, EngagementTold},
    events::{self, Event, EventKept},
    messages::{self, MessageQueued, MessageTold, MessageWanted},
    opt_outs::{self, OptOut},
    outcomes::{self, Outcome},
    voicemails::{self, VoicemailTold},
};
use crate::{
    config::Scope,
    http::{
        Site, context,
        dialect::Dialect,
        sources::{self, Facts},
    },
};

/// Makes the schema of one type.
pub(crate) type Made = fn(&mut SchemaGenerator) -> Schema;

/// One method of one path.
pub(crate) struct Operation {
    /// As the router and OpenAPI write it.
    pub path: &'static str,
    /// `get`, `post`.
    pub method: &'static str,
    /// What a token needs; `None`: it depends on what is asked for.
    pub scope: Option<Scope>,
    /// One sentence.
    pub summary: &'static str,
    /// Its body.
    pub body: Option<Made>,
    /// The body may be a form, too.
    pub forms: bool,
    /// The answer may be XML, too, under this name.
    pub xml: Option<&'static str>,
    /// Whose API it is like.
    pub dialect: Dialect,
    /// Whether it takes an `Idempotency-Key`.
    pub key: Key,
    /// Names in the query, and what each says.
    pub query: &'static [(&'static str, &'static str)],
    /// Status, what it says, and the body that comes with it.
    pub answers: Vec<(u16, &'static str, Option<Made>)>,
    /// Type of the body that comes with 200, where it is no JSON.
    pub sends: Option<&'static str>,
    /// Who answers.
    pub route: MethodRouter<Site>,
}

/// Whether a request has an `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// It does the same however often it is told.
    Pointless,
    /// With one it is done once.
    Taken,
    /// Without one it is refused.
    Needed,
}

impl Operation {
    fn new(
        (method, path): (&'static str, &'static str),
        scope: Option<Scope>,
        summary: &'static str,
        route: MethodRouter<Site>,
    ) -> Self {
        Self {
            path,
            method,
            scope,
            summary,
            body: None,
            forms: false,
            xml: None,
            dialect: Dialect::Ours,
            key: Key::Pointless,
            query: &[],
            answers: Vec::new(),
            sends: None,
            route,
        }
    }

    fn post(
        path: &'static str,
        scope: Scope,
        summary: &'static str,
        to: MethodRouter<Site>,
    ) -> Self {
        Self::new(("post", path), Some(scope), summary, to)
    }

    fn get(
        path: &'static str,
        scope: Option<Scope>,
        summary: &'static str,
        to: MethodRouter<Site>,
    ) -> Self {
        Self::new(("get", path), scope, summary, to)
    }

    fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    fn form_too(self) -> Self {
        Self { forms: true, ..self }
    }

    fn xml_too(self, root: &'static str) -> Self {
        Self { xml: Some(root), ..self }
    }

    fn like(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    fn key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    fn query(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }

    fn tells<T: JsonSchema>(mut self, status: u16, what: &'static str) -> Self {
        self.answers.push((status, what, Some(SchemaGenerator::subschema_for::<T>)));
        self
    }

    fn sends(self, kind: &'static str, what: &'static str) -> Self {
        Self { sends: Some(kind), ..self.says(200, what) }
    }

    fn says(mut self, status: u16, what: &'static str) -> Self {
        self.answers.push((status, what, None));
        self
    }
}

const C2M_VERSION: &[(&str, &str)] = &[("v", "Of LivePerson's API: `2.0`, or left out")];

/// All of them.
pub(in crate::http) fn operations() -> Vec<Operation> {
    use Operation as Op;
    vec![
        Op::post(
            "/v1/eligibility",
            Scope::Deflect,
            "Whether a caller of another IVR may be offered a text",
            post(deflect::eligibility),
        )
        .takes::<Eligible>()
        .form_too()
        .xml_too("eligibility")
        .tells::<EligibleTold>(200, "Whether, and which"),
        Op::post(
            "/v1/invite",
            Scope::Deflect,
            "Has the text of an offer sent",
            post(deflect::invite),
        )
        .takes::<Invite>()
        .form_too()
        .xml_too("invite")
        .key(Key::Taken)
        .tells::<InviteTold>(200, "A provider has it")
        .tells::<InviteTold>(202, "It waits, or may have arrived")
        .tells::<InviteTold>(409, "They want no texts, or the same invite is under way")
        .tells::<InviteTold>(422, "They can't be texted")
        .tells::<InviteTold>(429, "A limit holds; or too many requests, see Retry-After")
        .tells::<InviteTold>(502, "No provider takes it"),
        Op::get(
            "/v1/messages/{id}",
            Some(Scope::Deflect),
            "State and times of a text",
            get(messages::message),
        )
        .xml_too("message")
        .tells::<MessageTold>(200, "Where it is"),
        Op::post(
            "/v1/messages",
            Scope::Messages,
            "Sends a text of the business's own; off unless a token has this scope",
            post(messages::send),
        )
        .takes::<MessageWanted>()
        .key(Key::Needed)
        .tells::<MessageQueued>(202, "It is in the outbox"),
        Op::post(
            "/v1/callbacks",
            Scope::Callbacks,
            "Has somebody called back",
            post(callbacks::callback),
        )
        .takes::<CallbackWanted>()
        .key(Key::Taken)
        .tells::<CallbackTold>(201, "It is booked"),
        Op::post(
            "/v1/events",
            Scope::Report,
            "Tells what happened before a call: visits, contacts by entry points",
            post(events::event),
        )
        .takes::<Event>()
        .key(Key::Taken)
        .tells::<EventKept>(200, "It is kept"),
        Op::post(
            "/v1/outcomes",
            Scope::Report,
            "Tells what became of a person",
            post(outcomes::outcome),
        )
        .takes::<Outcome>()
        .key(Key::Taken)
        .tells::<Booked>(200, "It is stored, and this became of the callback that is asked for")
        .says(204, "It is stored"),
        Op::post(
            "/v1/external-counts",
            Scope::Report,
            "Tells contacts of other channels by day",
            post(counts::counts),
        )
        .takes::<Vec<Count>>()
        .says(204, "All are stored"),
        Op::post(
            "/v1/optouts",
            Scope::OptOuts,
            "Records that somebody wants no texts",
            post(opt_outs::add),
        )
        .takes::<OptOut>()
        .says(204, "It holds"),
        Op::post(
            "/v1/optouts/remove",
            Scope::OptOuts,
            "Records that somebody wants texts again",
            post(opt_outs::remove),
        )
        .takes::<OptOut>()
        .says(204, "It holds"),
        Op::post(
            "/v1/sources/{name}",
            Scope::Sources,
            "Tells how long a queue is",
            post(sources::tell),
        )
        .takes::<Facts>()
        .says(204, "It is taken"),
        Op::get(
            "/v1/context/{id}",
            None,
            "The way of a call so far (scope read), or who comes by a link (scope read; once: context)",
            get(context::context),
        )
        .says(200, "What is known"),
        Op::post(
            "/v1/calls/{call}/human",
            Scope::Agents,
            "Tells that a person has taken a running call",
            post(calls::human),
        )
        .says(204, "It is known"),
        Op::post(
            "/v1/calls/{call}/send-link",
            Scope::Agents,
            "Has the link of a call's target sent to its caller",
            post(calls::send_link),
        )
        .query(&[("number_confirmed", "`true`: they have said that the number is right")])
        .tells::<calls::LinkSent>(202, "It is on its way"),
        Op::get(
            "/v1/voicemails",
            Some(Scope::Read),
            "The newest 100 messages that callers left",
            get(voicemails::list),
        )
        .tells::<Vec<VoicemailTold>>(200, "Newest first"),
        Op::get(
            "/v1/voicemails/{id}/sound",
            Some(Scope::Read),
            "The sound of a message; of the node that has it",
            get(voicemails::sound),
        )
        .sends("audio/wav", "Mono, 8 kHz, 16 bit"),
        Op::post(
            "/api/account/{account}/eligibility",
            Scope::Deflect,
            "LivePerson Connect To Messaging: eligibility",
            post(compat::c2m_eligibility),
        )
        .like(Dialect::C2m)
        .query(C2M_VERSION)
        .takes::<C2mEligibility>()
        .tells::<compat::C2mTold>(200, "Whether, and by which channels"),
        Op::post(
            "/api/account/{account}/invite",
            Scope::Deflect,
            "LivePerson Connect To Messaging: invite",
            post(compat::c2m_invite),
        )
        .like(Dialect::C2m)
        .query(C2M_VERSION)
        .takes::<C2mInvite>()
        .tells::<compat::C2mInvited>(200, "It is sent, or may have been"),
        Op::post(
            "/api/account/{account}/external/engagement",
            Scope::Deflect,
            "LivePerson IVR Engagement: a link that the IVR texts itself",
            post(engagement::engagement),
        )
        .like(Dialect::Engagement)
        .query(&[("v", "Of LivePerson's API: `1.0`, or left out")])
        .takes::<Engagement>()
        .tells::<EngagementTold>(200, "Whether, and the link"),
        Op::post(
            "/rest/v1/broadcast/instant",
            Scope::Deflect,
            "Khoros Flow: a broadcast to one person",
            post(compat::broadcast),
        )
        .like(Dialect::Flow)
        .takes::<Broadcast>()
        .tells::<compat::BroadcastTold>(200, "It is sent, or may have been"),
    ]
}
