//! Questions of a flow to systems of the business, and to the destinations of its links.

use std::time::Duration;

use deflect_actions::{
    destination::{Context, Destination},
    web::{Answer, Ask},
};
use ivr_runtime::{
    call::{FetchOutcome, FetchRequest, Input},
    flow::model::Method,
};

use super::{
    Switchboard,
    frame::Frame,
    links,
    live::CallNo,
    tasks::{Done, Services},
};
use crate::node::clock::wall_ms;

/// A question, ready to be asked.
pub(super) enum Question {
    /// A system of the business.
    System(Ask),
    /// Whether somebody is there at a link.
    Link {
        name: String,
        destination: Box<Destination>,
        url: String,
        context: Box<Context>,
        within: Duration,
    },
}

impl Question {
    /// `None`: a secret or a provider that it needs is not there.
    pub fn of(frame: &Frame<'_>, services: &Services, request: FetchRequest) -> Option<Self> {
        let within = Duration::from_millis(u64::from(request.timeout_ms));
        if let Some(name) = request.link {
            let destination = Box::new(links::destination(frame, &name)?);
            let handed = request.body.iter();
            let handed = handed.map(|(name, value)| (name.clone(), value.0.clone())).collect();
            let context = Box::new(Context { handed, ..links::context(frame, services) });
            return Some(Self::Link {
                name,
                destination,
                url: request.url.0.clone(),
                context,
                within,
            });
        }
        let secret = |named: &String| frame.snapshot.secrets.get(named);
        let token = match &request.token {
            None => None,
            Some(named) => Some(secret(named)?.reveal().to_owned()),
        };
        let system = match &request.system {
            None => None,
            Some(name) => {
                let systems = &frame.snapshot.config.systems;
                Some(systems.iter().find(|known| known.name == *name)?.system.clone())
            }
        };
        Some(Self::System(Ask {
            post: request.method == Method::Post,
            url: request.url.take(),
            token,
            system,
            body: request.body.into_iter().map(|(name, value)| (name, value.take())).collect(),
            idempotency_key: request.idempotency_key,
            within,
            keep: Duration::from_secs(u64::from(request.cache_seconds)),
            who: request.step,
            save: request.save.into_iter().map(|save| (save.field, save.pointer)).collect(),
        }))
    }

    pub async fn ask(self, services: &Services) -> FetchOutcome {
        match self {
            Self::System(ask) => match services.web.ask(ask).await {
                Answer::Values(values) => FetchOutcome::Values(values),
                Answer::Failed(why) => FetchOutcome::Failed { why },
            },
            Self::Link { name, destination, url, context, within } => {
                let asked =
                    services.destinations.check(&name, &destination, &url, &context, within);
                links::told(asked.await)
            }
        }
    }
}

/// What is told where nothing could be asked.
pub(super) fn not_ready() -> FetchOutcome {
    FetchOutcome::Failed { why: "not_ready".to_owned() }
}

impl Switchboard {
    pub(super) fn fetch(&mut self, no: CallNo, request: FetchRequest) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let whom = request.link.as_ref().map_or_else(String::new, |link| format!(" for {link}"));
        call.line.note(wall_ms(), "ask", format!("{} asks{whom}", request.step));
        let id = request.id;
        let Some(question) = Question::of(&Frame::of(call), &self.services, request) else {
            return self.tell(no, Input::Fetched { id, outcome: not_ready() });
        };
        let (services, done) = (self.services.clone(), self.done.clone());
        tokio::spawn(async move {
            let outcome = question.ask(&services).await;
            let _ = done.send(Done::Input(no, Input::Fetched { id, outcome }));
        });
    }
}
