//! Callers of another IVR: it asks whether they may be offered a text, and has it sent. What a
//! flow says of its own callers holds for them, too: their calls go through the same call machine,
//! without a phone (KH-13).

mod overrides;
mod way;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use deflect_actions::provider::Channel;
use ivr_runtime::{
    call::{Call, Facts, Input, OfferResponse, Output, Record, TextOutcome, TextRequest},
    flow::model::{Flow, StepId},
    key::Key,
};
use message_text::E164;
use tokio::time::Instant;

pub use self::overrides::Overrides;
use self::{
    overrides::Words,
    way::{Way, ways},
};
use super::{
    facts,
    fetch::{self, Question as Asked},
    frame::Frame,
    record::{Ledger, Remote},
    tasks::{self, Services, outcome_told},
};
use crate::{config::Snapshot, node::clock::wall_ms};

/// An offer is good for so long.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// Offers that wait for their invite at most; the oldest give way.
const WAITING: usize = 10_000;
/// Flows kept that begin with what they offer.
const FLOWS: usize = 256;
/// What is known of the caller is waited for this long.
const HISTORY: Duration = Duration::from_millis(300);
/// Into a prompt a key is pressed that accepts it.
const INTO_PROMPT: Duration = Duration::from_millis(1_500);
/// Outputs of one call.
const OUTPUTS: usize = 1_000;

/// Who asks about whom.
#[derive(Debug, Clone)]
pub struct Question {
    /// The person.
    pub number: E164,
    /// The number they called: it chooses the flow.
    pub called: String,
    /// What they call about.
    pub intent: Option<String>,
    /// Their language; one of the flow's.
    pub language: Option<String>,
    /// How long they would wait, seconds.
    pub wait_seconds: Option<u32>,
    /// What else the other IVR knows, as fields.
    pub fields: Vec<(String, String)>,
    /// Name of the token that asks.
    pub client: String,
}

/// Whether a person may be offered a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eligibility {
    /// Of the call that this counts as.
    pub call_id: String,
    /// Names the offer for [`RemoteCalls::invite`]; `None`: none may be made.
    pub offer_id: Option<String>,
    /// Why none may be made, as in `offer.reason`.
    pub reason: Option<String>,
    /// Channels to choose from, the recommended first.
    pub channels: Vec<Channel>,
    /// So long the offer is good.
    pub valid_for: Duration,
}

/// What came of an invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The call that this counts as.
    pub call_id: String,
    /// What became of the text.
    pub outcome: TextOutcome,
    /// The message that a provider accepted.
    pub message_id: Option<String>,
}

/// Why an offer is not taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOffer {
    /// It is unknown, used, or too old.
    Gone,
    /// Its flow has no text by that channel.
    OtherChannel,
    /// The flow would not offer a text about that; why.
    OtherIntent(String),
    /// The words that are wanted may not be sent; why.
    OtherText(String),
}

/// Flows that begin with what they offer, by revision and step.
type Flows = HashMap<(String, StepId), Arc<Flow>>;

/// Calls of other IVRs; clones share the offers that wait.
#[derive(Debug, Clone)]
pub struct RemoteCalls {
    services: Services,
    waiting: Arc<Mutex<HashMap<String, Waiting>>>,
    /// Calls share them.
    flows: Arc<Mutex<Flows>>,
}

#[derive(Debug)]
struct Waiting {
    question: Question,
    call: RemoteCall,
    ways: Vec<Way>,
    until: Instant,
}

/// A call without a phone.
#[derive(Debug)]
struct RemoteCall {
    machine: Call,
    ledger: Ledger,
    snapshot: Arc<Snapshot>,
    now: Duration,
    suppressed: Option<String>,
    /// Words in place of the flow's.
    words: Option<Words>,
}

/// A link that another IVR texts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedLink {
    /// What it texts.
    pub url: String,
    /// It is of no use any more then, ms UTC; `None`: nobody knows.
    pub until_ms: Option<i64>,
}

/// Who sends the texts of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    AreOurs,
    /// The other IVR; it needs the link only.
    AreTheirs,
}

/// Where a call stops.
#[derive(Debug)]
enum Stop {
    /// A prompt waits for a key.
    AtPrompt,
    /// A text was handed over.
    Texted(TextOutcome, Option<String>),
    /// A text's link was handed over.
    Linked(Option<OfferedLink>),
    /// It is over, or goes where nobody can follow.
    Over,
}

impl RemoteCalls {
    /// Over the parts of a node.
    #[must_use]
    pub fn new(services: Services) -> Self {
        Self { services, waiting: Arc::default(), flows: Arc::default() }
    }

    /// Asks the flow of the called number whether it would offer this person a text.
    pub async fn ask(&self, snapshot: &Arc<Snapshot>, question: Question) -> Eligibility {
        let flow = snapshot.flow_for(&question.called);
        let region = question.number.region().to_owned();
        let ways = ways(flow, question.intent.as_deref(), &snapshot.texts, &region);
        let facts = self.facts(snapshot, flow, &question).await;
        let start = ways.first().map_or(flow.start, |way| way.at);
        let flow = self.beginning_with(flow, start);
        let remote = Remote {
            called: question.called.clone(),
            caller: question.number.clone(),
            client: question.client.clone(),
            language: facts.language.clone(),
            intent: question.intent.clone(),
        };
        let ledger = Ledger::remote(&remote, &flow, snapshot, &self.services);
        let mut call = RemoteCall {
            machine: Call::new(
                Duration::ZERO,
                flow,
                Facts { call_id: ledger.call_id.clone(), ..facts },
            ),
            ledger,
            snapshot: Arc::clone(snapshot),
            now: Duration::ZERO,
            suppressed: None,
            words: None,
        };
        self.services.store(call.ledger.started());
        let call_id = call.ledger.call_id.clone();
        let stop = if ways.is_empty() {
            Stop::Over
        } else {
            call.go_on(&self.services, Texts::AreOurs).await
        };
        let suppressed = call.suppressed.clone();
        if !matches!(stop, Stop::AtPrompt) || suppressed.is_some() {
            call.hang_up(&self.services);
            let none = || if ways.is_empty() { "no_offer" } else { "not_offered" }.to_owned();
            let reason = Some(suppressed.unwrap_or_else(none));
            let valid_for = Duration::ZERO;
            return Eligibility {
                call_id,
                offer_id: None,
                reason,
                channels: Vec::new(),
                valid_for,
            };
        }
        let first = ways.first().map(|way| way.at);
        let ways: Vec<_> = ways.into_iter().filter(|way| Some(way.at) == first).collect();
        let channels = ways.iter().map(|way| way.channel).collect();
        let until = Instant::now() + GOOD_FOR;
        self.keep(&call_id, Waiting { question, call, ways, until });
        Eligibility {
            offer_id: Some(call_id.clone()),
            call_id,
            reason: None,
            channels,
            valid_for: GOOD_FOR,
        }
    }

    /// Accepts an offer in the person's name, as it was made or as is wanted.
    ///
    /// # Errors
    /// No such offer waits, or it can't be had as wanted; then it waits on.
    pub async fn invite(&self, offer_id: &str, wanted: &Overrides) -> Result<Invited, NoOffer> {
        let other = self.about_something_else(offer_id, wanted).await?;
        let taken = self.take(other.as_deref().unwrap_or(offer_id), wanted);
        if let Some(other) = &other {
            // One of the two is of no use any more.
            self.give_up(if taken.is_ok() { offer_id } else { other });
        }
        let (mut waiting, keys) = taken?;
        let mut outcome = TextOutcome::Failed { class: "not_offered".to_owned() };
        let mut message_id = None;
        for key in keys {
            waiting.call.press(key);
            match waiting.call.go_on(&self.services, Texts::AreOurs).await {
                Stop::AtPrompt => {}
                Stop::Texted(came, message) => {
                    (outcome, message_id) = (came, message);
                    // What the flow makes of it, as far as it needs nobody.
                    waiting.call.go_on(&self.services, Texts::AreOurs).await;
                    break;
                }
                Stop::Linked(_) | Stop::Over => break,
            }
        }
        let call_id = waiting.call.ledger.call_id.clone();
        waiting.call.hang_up(&self.services);
        Ok(Invited { call_id, outcome, message_id })
    }

    /// Asks anew where an invite is about something else than was asked about; the other offer.
    async fn about_something_else(
        &self,
        offer_id: &str,
        wanted: &Overrides,
    ) -> Result<Option<String>, NoOffer> {
        let Some(intent) = &wanted.intent else { return Ok(None) };
        let (snapshot, question) = {
            let all = self.lock();
            let offered = all.get(offer_id).filter(|it| it.until > Instant::now());
            let offered = offered.ok_or(NoOffer::Gone)?;
            if offered.question.intent.as_ref() == Some(intent) {
                return Ok(None);
            }
            (Arc::clone(&offered.call.snapshot), offered.question.clone())
        };
        let question = Question { intent: Some(intent.clone()), ..question };
        let found = self.ask(&snapshot, question).await;
        let why = found.reason.unwrap_or_default();
        found.offer_id.map(Some).ok_or(NoOffer::OtherIntent(why))
    }

    /// Takes an offer that fits, and the keys that accept it.
    fn take(&self, offer_id: &str, wanted: &Overrides) -> Result<(Waiting, Vec<Key>), NoOffer> {
        let mut all = self.lock();
        let offered = all.get(offer_id).filter(|it| it.until > Instant::now());
        let offered = offered.ok_or(NoOffer::Gone)?;
        let way = offered.ways.iter().find(|way| wanted.fits(way)).ok_or(NoOffer::OtherChannel)?;
        let (flow, brand) = (offered.call.machine.flow(), &offered.call.ledger.brand);
        let words = wanted.words(flow, brand, way).map_err(NoOffer::OtherText)?;
        let keys = way.keys.clone();
        let mut waiting = all.remove(offer_id).ok_or(NoOffer::Gone)?;
        waiting.call.words = words;
        Ok((waiting, keys))
    }

    fn give_up(&self, offer_id: &str) {
        let given_up = self.lock().remove(offer_id);
        if let Some(mut waiting) = given_up {
            waiting.call.hang_up(&self.services);
        }
    }

    /// Accepts an offer in the person's name and returns its link, which the other IVR texts itself;
    /// `None`: its text has none, or the store fails.
    pub async fn link(&self, offer_id: &str) -> Option<OfferedLink> {
        let mut waiting = self.lock().remove(offer_id)?;
        let keys = waiting.ways.first().map(|way| way.keys.clone()).unwrap_or_default();
        let mut link = None;
        for key in keys {
            waiting.call.press(key);
            match waiting.call.go_on(&self.services, Texts::AreTheirs).await {
                Stop::AtPrompt => {}
                Stop::Linked(found) => {
                    link = found;
                    waiting.call.go_on(&self.services, Texts::AreTheirs).await;
                    break;
                }
                Stop::Texted(..) | Stop::Over => break,
            }
        }
        waiting.call.hang_up(&self.services);
        link
    }

    /// Ends the calls whose offers nobody took up.
    pub fn sweep(&self) {
        let now = Instant::now();
        let over: Vec<_> = {
            let mut all = self.lock();
            let ids: Vec<_> =
                all.iter().filter(|(_, it)| it.until <= now).map(|(id, _)| id.clone()).collect();
            ids.iter().filter_map(|id| all.remove(id)).collect()
        };
        for mut waiting in over {
            waiting.call.hang_up(&self.services);
        }
    }

    /// The flow as if it began with `start`.
    fn beginning_with(&self, flow: &Flow, start: StepId) -> Arc<Flow> {
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        // Of revisions that are served no more only what runs is kept.
        if flows.len() >= FLOWS {
            flows.clear();
        }
        let known = flows.entry((flow.rev.clone(), start));
        Arc::clone(known.or_insert_with(|| Arc::new(Flow { start, ..flow.clone() })))
    }

    fn keep(&self, id: &str, waiting: Waiting) {
        let oldest = {
            let mut all = self.lock();
            let full = all.len() >= WAITING;
            let oldest = all.iter().min_by_key(|(_, it)| it.until).map(|(id, _)| id.clone());
            let oldest = oldest.filter(|_| full).and_then(|id| all.remove(&id));
            all.insert(id.to_owned(), waiting);
            oldest
        };
        if let Some(mut oldest) = oldest {
            oldest.call.hang_up(&self.services);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn facts(&self, snapshot: &Snapshot, flow: &Flow, question: &Question) -> Facts {
        let business = snapshot.config.business(flow.business.as_deref());
        let business = business.map_or("", |business| business.key.as_str());
        let marks = self.services.marks();
        let (now, number) = (wall_ms(), &question.number);
        let keys = self.services.caller_keys(business, number);
        let since = now - facts::WINDOW_MS;
        let history = self.services.store.history(business, number, "", since, HISTORY).await;
        let untextable = history.as_ref().is_some_and(|history| history.untextable);
        let visits = facts::visits(history.as_ref());
        let textable = snapshot.texts.against(number, business, &question.called, &[]).is_none();
        let first = flow.languages.first().cloned().unwrap_or_default();
        let language = question.language.clone().filter(|it| flow.languages.contains(it));
        let wait = question.wait_seconds;
        let mut fields = facts::known_fields(Some(&keys.0), None, flow.round_wait, now);
        let told = wait.into_iter().flat_map(|seconds| flow.round_wait.fields(seconds));
        fields.extend(visits.into_iter().chain(told).chain(question.fields.iter().cloned()));
        let mut sources = self.services.sources.told();
        if let (Some(seconds), Some(first)) = (wait, snapshot.source_of(flow)) {
            // The other IVR knows its queue better than we do.
            let told = sources.entry(first.name.clone()).or_default();
            (told.wait_seconds, told.until_ms) = (Some(seconds), i64::MAX);
        }
        Facts {
            trunk: question.client.clone(),
            called: question.called.clone(),
            caller: Some(number.to_string()),
            caller_seed: facts::seed(number.as_str()),
            can_receive_text: Some(textable && !untextable),
            country: number.region().to_owned(),
            attestation: Some("none".to_owned()),
            links_down: self.services.links.down(flow),
            fields,
            sources: sources.into_iter().collect(),
            one_offs: facts::one_offs(marks.as_deref()),
            flags: marks.map(|marks| marks.flags.clone()),
            start_ms: now,
            history: history.map(facts::told),
            intent: question.intent.clone(),
            language: language.unwrap_or(first),
            ..Facts::default()
        }
    }
}

impl RemoteCall {
    /// Lets the call go on until it needs a key, has handed a text over, or is over.
    async fn go_on(&mut self, services: &Services, texts: Texts) -> Stop {
        let mut inputs = VecDeque::new();
        for _ in 0..OUTPUTS {
            while let Some(output) = self.machine.poll_output() {
                match output {
                    Output::Record(record) => self.note(&record, services),
                    Output::Answer => inputs.push_back(Input::Answered),
                    Output::Play { .. } if self.machine.awaits_key() => return Stop::AtPrompt,
                    Output::Play { id, .. } => {
                        inputs.push_back(Input::PlayDone { id, completed: true });
                    }
                    Output::Fetch(request) => {
                        let id = request.id;
                        let asked = Asked::of(&self.frame(), services, request);
                        let outcome = match asked {
                            Some(asked) => asked.ask(services).await,
                            None => fetch::not_ready(),
                        };
                        inputs.push_back(Input::Fetched { id, outcome });
                    }
                    Output::SendText(request) if texts == Texts::AreTheirs => {
                        let link = self.link_of(request, services).await;
                        let outcome = match &link {
                            Some(_) => TextOutcome::Accepted { sender: self.ledger.trunk.clone() },
                            None => TextOutcome::Failed { class: "no_link".to_owned() },
                        };
                        self.machine.handle_input(self.now, Input::Text(outcome));
                        return Stop::Linked(link);
                    }
                    Output::SendText(mut request) => {
                        match self.words.take() {
                            Some(words) if words.step == request.step => {
                                request.message = words.text
                            }
                            Some(_) => return Stop::Over,
                            None => {}
                        }
                        let id = services.texts.message_id();
                        let outcome = match tasks::order(&self.frame(), request) {
                            Ok(order) => {
                                let by = Arc::clone(&self.snapshot.texts);
                                let sent = services.texts.send_as(id.clone(), by, order).await;
                                outcome_told(sent)
                            }
                            Err(_) => TextOutcome::Failed { class: "no_token".to_owned() },
                        };
                        self.machine.handle_input(self.now, Input::Text(outcome.clone()));
                        let accepted = matches!(outcome, TextOutcome::Accepted { .. });
                        return Stop::Texted(outcome, accepted.then_some(id));
                    }
                    Output::Forward { .. }
                    | Output::CallAgent(_)
                    | Output::Reject { .. }
                    | Output::HangUp => {
                        return Stop::Over;
                    }
                    _ => {}
                }
            }
            match inputs.pop_front() {
                Some(input) => self.machine.handle_input(self.now, input),
                None => {
                    let Some(until) = self.machine.poll_timeout() else { return Stop::Over };
                    self.now = self.now.max(until);
                    self.machine.handle_timeout(self.now);
                }
            }
        }
        Stop::Over
    }

    /// The link of a text that we do not send; its page is kept without a message.
    async fn link_of(&self, request: TextRequest, services: &Services) -> Option<OfferedLink> {
        let order = tasks::order(&self.frame(), request).ok()?;
        let url = order.link.clone()?;
        let mut until_ms = order.not_after_ms;
        if let Some(page) = &order.page {
            let kept = services.store.keep_page(&self.ledger.call_id, page).await;
            kept.inspect_err(|error| tracing::warn!(%error, "a link is not kept")).ok()?;
            until_ms = Some(until_ms.map_or(page.expires_ms, |until| until.min(page.expires_ms)));
        }
        Some(OfferedLink { url, until_ms })
    }

    fn press(&mut self, key: Key) {
        self.now += INTO_PROMPT;
        self.machine.handle_input(self.now, Input::KeyDown(key));
        self.machine.handle_input(self.now, Input::Key(key));
    }

    fn hang_up(&mut self, services: &Services) {
        self.machine.handle_input(self.now, Input::HungUp);
        while let Some(output) = self.machine.poll_output() {
            if let Output::Record(record) = output {
                self.note(&record, services);
            }
        }
    }

    fn note(&mut self, record: &Record, services: &Services) {
        let suppressed = match record {
            Record::Offer { response: OfferResponse::Suppressed, reason, .. }
            | Record::OfferResponse { response: OfferResponse::Suppressed, reason, .. } => reason,
            _ => &None,
        };
        if let Some(reason) = suppressed {
            self.suppressed.get_or_insert_with(|| reason.clone());
        }
        for row in self.ledger.take(record, &self.snapshot.prompts) {
            services.store(row);
        }
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            ledger: &self.ledger,
            flow: self.machine.flow(),
            snapshot: &self.snapshot,
            withheld: false,
        }
    }
}
