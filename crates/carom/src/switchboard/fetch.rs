//! Questions of a flow to systems of the business.

use std::time::Duration;

use deflect_actions::web::{Answer, Ask};
use ivr_runtime::{
    call::{FetchOutcome, FetchRequest, Input},
    flow::model::Method,
};

use super::{Switchboard, live::CallNo, tasks::Done};
use crate::node::clock::wall_ms;

impl Switchboard {
    pub(super) fn fetch(&mut self, no: CallNo, request: FetchRequest) {
        if let Some(link) = request.link.clone() {
            return self.check_link(no, &link, request);
        }
        let Some(call) = self.calls.get_mut(&no) else { return };
        call.line.note(wall_ms(), "ask", format!("{} asks", request.step));
        let id = request.id;
        let token = match &request.token {
            None => None,
            Some(named) => match call.snapshot.secrets.get(named) {
                Some(secret) => Some(secret.reveal().to_owned()),
                None => {
                    let outcome = FetchOutcome::Failed { why: "not_ready".to_owned() };
                    return self.tell(no, Input::Fetched { id, outcome });
                }
            },
        };
        let ask = Ask {
            post: request.method == Method::Post,
            url: request.url.0,
            token,
            body: request.body.into_iter().map(|(name, value)| (name, value.0)).collect(),
            idempotency_key: request.idempotency_key,
            within: Duration::from_millis(u64::from(request.timeout_ms)),
            keep: Duration::from_secs(u64::from(request.cache_seconds)),
            who: request.step,
            save: request.save.into_iter().map(|save| (save.field, save.pointer)).collect(),
        };
        let (web, done) = (self.services.web.clone(), self.done.clone());
        tokio::spawn(async move {
            let outcome = match web.ask(ask).await {
                Answer::Values(values) => FetchOutcome::Values(values),
                Answer::Failed(why) => FetchOutcome::Failed { why },
            };
            let _ = done.send(Done::Input(no, Input::Fetched { id, outcome }));
        });
    }
}
