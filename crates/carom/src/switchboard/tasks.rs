//! What takes time: look-ups, texts, opt-outs, name resolution. Each is a task with a deadline of
//! its own that reports back as a [`Done`]; the switchboard never waits for one.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deflect_actions::{
    destination::Destinations,
    store::{OneOff, Row, Store, Writer},
    text::{self, TextOrder, TextService},
    web::Web,
};
use ivr_runtime::{
    call::{CallbackOutcome, Facts, Input, Report, TextOutcome, TextRequest, VoiceOutcome},
    flow::way::{AUTO, Way},
};
use message_text::{E164, NumberProblem};
use sip_stack::Uri;
use tokio::sync::oneshot;

use super::{Switchboard, frame::Frame, links, live::CallNo};
use crate::node::{LinkHealth, Mailbox, Sources, clock::wall_ms, rating};

/// A name is looked up this long.
const RESOLVE: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried at most.
const ADDRESSES: usize = 3;
/// An opt-out is waited for this long.
const OPT_OUT: Duration = Duration::from_secs(3);
/// A promise is written in this time, or the store is down.
const PROMISED: Duration = Duration::from_secs(5);

/// What tasks work with.
#[derive(Debug, Clone)]
pub struct Services {
    /// The database.
    pub store: Store,
    /// Takes rows without being waited for.
    pub writer: Writer,
    /// Sends texts.
    pub texts: TextService,
    /// Asks systems of the business.
    pub web: Web,
    /// Keeps what callers leave.
    pub mailbox: Mailbox,
    /// Knows which links work.
    pub links: LinkHealth,
    /// Asks whether somebody is there at links.
    pub destinations: Destinations,
    /// Know how long callers wait.
    pub sources: Sources,
    /// What the operator has set, refreshed by the node; `None` while the store can't say.
    pub marks: Arc<RwLock<Option<Arc<Marks>>>>,
    /// Where RTP streams begin.
    pub random: Arc<AtomicU64>,
}

/// What the operator has set, on whichever node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Flags.
    pub flags: Vec<String>,
    /// Hours that are closed or open for once, oldest first.
    pub one_offs: Vec<OneOff>,
}

/// A task is done.
#[derive(Debug)]
pub enum Done {
    /// What is known about the caller.
    Facts(CallNo, Box<Facts>),
    /// An input for the call machine.
    Input(CallNo, Input),
    /// What became of a message that was left, and who wants to know whether the caller hears of it.
    Voice(CallNo, VoiceOutcome, oneshot::Sender<bool>),
    /// What became of a booking, by its number.
    Booked(CallNo, u32, CallbackOutcome),
    /// The address of a target's URI, for an OPTIONS.
    Target(String, Option<SocketAddr>),
    /// The address of a name in a dialog.
    Hop(String, Option<IpAddr>),
    /// The address look-up of an attempt.
    Resolved(CallNo, u32, Vec<SocketAddr>),
}

impl Services {
    /// Hands a row to the writer; a full queue is counted there.
    pub fn store(&self, row: Row) {
        let _ = self.writer.try_write(row);
    }

    /// The caller's hash, now and under the previous secret.
    pub fn caller_keys(&self, business: &str, caller: &E164) -> (String, String) {
        self.store.keys().caller_keys(business, caller, wall_ms())
    }

    /// SSRC, first sequence number and first timestamp of a stream (RFC 3550 §5.1).
    pub fn rtp_start(&self) -> (u32, u16, u32) {
        rtp_start(self.number(), self.number())
    }

    /// The next number of a splitmix64 sequence.
    pub fn number(&self) -> u64 {
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// What the operator has set; `None` while the store can't say.
    pub fn marks(&self) -> Option<Arc<Marks>> {
        self.marks.read().ok().and_then(|marks| marks.clone())
    }
}

impl Switchboard {
    pub(super) fn on_done(&mut self, done: Done) {
        let no = match done {
            Done::Target(uri, found) => return self.ping(uri, found),
            Done::Hop(host, found) => return self.on_hop(&host, found),
            Done::Facts(no, facts) => {
                self.start_machine(no, *facts);
                no
            }
            Done::Input(no, input) => {
                self.tell(no, input);
                no
            }
            Done::Voice(no, outcome, knows) => {
                self.voice_done(no, outcome, knows);
                no
            }
            Done::Booked(no, number, outcome) => {
                self.booked(no, number, outcome);
                no
            }
            Done::Resolved(no, attempt, found) => {
                self.on_resolved(no, attempt, found);
                no
            }
        };
        self.reschedule(no);
    }

    /// Looks the host of a SIP URI up; an address needs no look-up.
    pub(super) fn resolve(&mut self, no: CallNo, uri: &str) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut() else { return };
        call.lookups += 1;
        target.attempt = call.lookups;
        let (attempt, id) = (target.attempt, usize::from(target.id.0));
        let transport = call.flow.targets.get(id).map(|target| target.transport.as_str());
        match Place::of(uri, transport.unwrap_or(AUTO)) {
            Place::Nowhere => self.on_resolved(no, attempt, Vec::new()),
            Place::At(addr) => self.on_resolved(no, attempt, vec![addr]),
            Place::Named(host, port) => {
                let (done, families) = (self.done.clone(), self.families());
                tokio::spawn(async move {
                    let found = look_up(&host, port, families).await;
                    let _ = done.send(Done::Resolved(no, attempt, found));
                });
            }
        }
    }

    fn families(&self) -> Families {
        let has = |v4| self.wires.listeners().iter().any(|(_, at)| at.is_ipv4() == v4);
        Families { v4: has(true), v6: has(false) }
    }

    /// Looks a target's address up for an OPTIONS.
    pub(super) fn find_target(&mut self, uri: String) {
        match Place::of(&uri, self.transport_of(&uri)) {
            Place::Nowhere => self.ping(uri, None),
            Place::At(addr) => self.ping(uri, Some(addr)),
            Place::Named(host, port) => {
                let (done, families) = (self.done.clone(), self.families());
                tokio::spawn(async move {
                    let found = look_up(&host, port, families).await.first().copied();
                    let _ = done.send(Done::Target(uri, found));
                });
            }
        }
    }

    /// Looks up a name that a peer's Contact or route has.
    pub(super) fn look_up_hop(&self, host: String) {
        let (done, families) = (self.done.clone(), self.families());
        tokio::spawn(async move {
            let found = look_up(&host, 0, families).await.first().map(SocketAddr::ip);
            let _ = done.send(Done::Hop(host, found));
        });
    }

    pub(super) fn send_text(&mut self, no: CallNo, request: TextRequest) {
        let Some(call) = self.calls.get(&no) else { return };
        let number = request.offer;
        let order = match order(&Frame::of(call), request) {
            Ok(order) => order,
            Err(failed) => return self.tell(no, Input::Text(Report::new(number, failed))),
        };
        let (texts, done) = (self.services.texts.clone(), self.done.clone());
        let by = Arc::clone(&call.snapshot.texts);
        tokio::spawn(async move {
            let outcome = texts.send_by(by, order).await;
            let told = Report::new(number, outcome_told(outcome));
            let _ = done.send(Done::Input(no, Input::Text(told)));
        });
    }

    /// Commits a text that is sent when the call is long over. The promise of it is written before
    /// the call's end, which may be all that this node still writes.
    pub(super) fn follow_up(&mut self, no: CallNo, text: TextRequest, due_ms: i64, until_ms: i64) {
        let Some(call) = self.calls.get(&no) else { return };
        let Ok(order) = order(&Frame::of(call), text) else { return };
        let (texts, writer) = (self.services.texts.clone(), self.services.writer.clone());
        match texts.promise(&order, due_ms, until_ms) {
            Ok(row) => self.services.store(row),
            Err(error) => tracing::warn!(%error, call = order.call.call_id, "no follow-up"),
        }
        let store = self.services.store.clone();
        let (by, snapshot) = (Arc::clone(&call.snapshot.texts), Arc::clone(&call.snapshot));
        tokio::spawn(async move {
            // Until the promise is there it can't be taken back.
            writer.flush(PROMISED).await;
            let (call, step) = (order.call.call_id.clone(), order.step.clone());
            let outcome = texts.keep_promise(by, order, due_ms, until_ms).await;
            if outcome != text::TextOutcome::Queued {
                tracing::info!(call, step, ?outcome, "no follow-up");
            }
            // A link may have been opened during the call.
            rating::ask_when_due(&store, &snapshot.flows, &call).await;
        });
    }

    pub(super) fn record_opt_out(&mut self, no: CallNo, topic: String) {
        let Some(call) = self.calls.get(&no) else { return };
        let Some(caller) = call.ledger.caller.clone() else {
            return self.tell(no, Input::OptOut(false));
        };
        let (store, done) = (self.services.store.clone(), self.done.clone());
        let business = call.ledger.business.clone();
        tokio::spawn(async move {
            let recording = store.opt_out(&business, &caller, &topic, "call");
            let recorded = tokio::time::timeout(OPT_OUT, recording).await;
            let recorded = matches!(recorded, Ok(Ok(())));
            let _ = done.send(Done::Input(no, Input::OptOut(recorded)));
        });
    }
}

/// What is ordered for a call; an error is what the caller hears.
pub(super) fn order(call: &Frame<'_>, request: TextRequest) -> Result<TextOrder, TextOutcome> {
    let to = match (&request.to, &call.ledger.caller, call.withheld) {
        // Typed by the caller, and found to be a mobile number.
        (Some(typed), _, _) => typed.0.parse(),
        (None, Some(caller), false) => Ok(caller.clone()),
        _ => Err(NumberProblem::Withheld),
    };
    let (link, page) = links::of_text(call, &request).map_err(|error| {
        tracing::error!(%error, "no token for a link");
        TextOutcome::Failed { class: "no_token".to_owned() }
    })?;
    let text = request.message.replace("{link}", &link).replace("{brand}", &call.ledger.brand);
    let prompt_hash = call.snapshot.prompts.hash(&request.language, &request.prompt);
    Ok(TextOrder {
        call: call.ledger.started_row(),
        offer: call.ledger.offer(request.offer),
        to,
        via: request.via,
        text,
        brand: call.ledger.brand.clone(),
        link: Some(link).filter(|link| !link.is_empty()),
        link_token: page.as_ref().map(|page| page.token.as_str().to_owned()),
        language: request.language,
        step: request.step,
        asked_in: request.asked_in,
        purpose: request.purpose,
        links: request.links.into_iter().map(|link| link.name).collect(),
        page,
        ordered: None,
        not_after_ms: request.not_after_ms,
        // An opt-out from a topic is one from texts of that intent.
        topic: call.ledger.intent.clone().unwrap_or_default(),
        pressed: request.pressed.map(|key| key.to_string()),
        prompt_id: request.prompt,
        prompt_hash,
        accept_within_ms: request.accept_within_ms,
        attempt_ms: request.attempt_ms,
        allow_one_duplicate: request.allow_one_duplicate,
        valid_minutes: request.valid_minutes,
        repeat_after_minutes: request.repeat_after_minutes,
        max_segments: request.max_segments,
    })
}

/// Where a SIP URI leads.
enum Place {
    Nowhere,
    At(SocketAddr),
    Named(String, u16),
}

impl Place {
    fn of(text: &str, transport: &str) -> Self {
        let Ok(uri) = Uri::parse(text) else { return Self::Nowhere };
        let port = uri.port.unwrap_or(Way::to(text, transport).default_port());
        match uri.ip() {
            Some(ip) => Self::At(SocketAddr::new(ip, port)),
            None => Self::Named(uri.host.to_owned(), port),
        }
    }
}

/// Address families that a listener of ours can send to.
#[derive(Debug, Clone, Copy)]
struct Families {
    v4: bool,
    v6: bool,
}

/// The addresses that can be reached from here, in the resolver's order (RFC 6724).
async fn look_up(host: &str, port: u16, families: Families) -> Vec<SocketAddr> {
    let found = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((host, port))).await;
    let Ok(Ok(found)) = found else { return Vec::new() };
    let reached = |at: &SocketAddr| if at.is_ipv4() { families.v4 } else { families.v6 };
    found.filter(reached).take(ADDRESSES).collect()
}

pub(super) fn outcome_told(outcome: text::TextOutcome) -> TextOutcome {
    match outcome {
        text::TextOutcome::Accepted { sender } => TextOutcome::Accepted { sender },
        text::TextOutcome::Queued => TextOutcome::Queued,
        text::TextOutcome::Failed { class } => TextOutcome::Failed { class },
        text::TextOutcome::Ambiguous => TextOutcome::Ambiguous,
        text::TextOutcome::OptedOut => TextOutcome::OptedOut,
        text::TextOutcome::Limited { rule } => TextOutcome::Limited { rule },
        text::TextOutcome::NotTextable { reason } => TextOutcome::NotTextable { reason },
        text::TextOutcome::Duplicate => TextOutcome::Duplicate,
    }
}

/// A seed that differs from start to start.
#[must_use]
pub fn start_seed() -> u64 {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        // Worse than random, better than none: it only has to differ between starts.
        let mut hasher = DefaultHasher::new();
        (wall_ms(), std::process::id()).hash(&mut hasher);
        return hasher.finish();
    }
    u64::from_ne_bytes(bytes)
}

/// The sequence number is below 2^15, so that what is lost at the start hides no wrap from a peer
/// by SRTP (RFC 3711 §3.3.1).
fn rtp_start(random: u64, more: u64) -> (u32, u16, u32) {
    (random as u32, (random >> 32) as u16 & 0x7FFF, more as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_far_from_the_wrap_of_its_numbers() {
        assert_eq!(rtp_start(u64::MAX, u64::MAX), (u32::MAX, 0x7FFF, u32::MAX));
        assert_eq!(rtp_start(0x1234_0000_0001, 2), (1, 0x1234, 2));
    }
}
