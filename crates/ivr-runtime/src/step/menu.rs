//! `menu`, and the half of `answer` and `offer` that plays a prompt and takes one key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Exit, Leave, Next, Turn, offer, set};
use crate::{
    call::{
        Input, OfferResponse, Output, Record,
        desk::{Asked, Context, Playback, Played},
        keys::{Gather, Gathered},
        speak,
    },
    flow::model::{Does, Flow, Go, Menu, Offer, Step, Text},
    key::Key,
};

/// A key that accepts a text counts only when its prompt has played for so long: scripted
/// callers press at once, people listen first (requirements §7.1).
pub(crate) const GUARD: Duration = Duration::from_secs(1);

/// `set` steps followed to see whether a key leads to a text.
const SETS_FOLLOWED: usize = 8;

/// A prompt that plays and the key that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    tries: u8,
    phase: Phase,
    /// A key that is down: which, and since when.
    onset: Option<(Key, Duration)>,
    /// The offer that is being spoken.
    offer: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Playing(Playback),
    Listening { prompt_since: Duration, gather: Gather },
}

/// What a key does in this step.
enum Meaning {
    Go(Go),
    Operator,
    Repeat,
    Wrong,
}

impl Running {
    /// Plays the prompt, or takes a key typed ahead in its place.
    pub fn begin(step: &Step, context: &mut Context<'_>) -> Result<Self, Leave> {
        let Some(menu) = step.does.menu() else { return Err(Leave::failed(None, "no menu")) };
        if let Some(intent) = &menu.intent {
            set::set_intent(intent, context);
        }
        if menu.flush {
            context.keys.flush();
        }
        if let Some(leave) = typed_ahead(step, menu, context) {
            return Err(leave);
        }
        let offer = match &step.does {
            Does::Offer(offer) => Some(offer::spoken(&step.name, offer, context)),
            _ => None,
        };
        let phase = Phase::play(menu, 1, context);
        Ok(Self { tries: 1, phase, onset: None, offer })
    }

    pub fn handle_input(&mut self, step: &Step, context: &mut Context<'_>, input: &Input) -> Turn {
        let Some(menu) = step.does.menu() else { return super::mismatch() };
        match *input {
            Input::KeyDown(key) => {
                self.onset = Some((key, context.now));
                self.barge_in(menu, context);
                Turn::Stay
            }
            Input::Key(key) => self.key(step, menu, context, key),
            _ => {
                let Phase::Playing(playback) = &self.phase else { return Turn::Stay };
                let played = playback.input(input);
                played.map_or(Turn::Stay, |played| self.played(step, menu, context, played))
            }
        }
    }

    pub fn handle_timeout(&mut self, step: &Step, context: &mut Context<'_>) -> Turn {
        let Some(menu) = step.does.menu() else { return super::mismatch() };
        match &mut self.phase {
            Phase::Playing(playback) => {
                let played = playback.timeout(context.now);
                played.map_or(Turn::Stay, |played| self.played(step, menu, context, played))
            }
            Phase::Listening { gather, .. } => match gather.handle_timeout(context.now) {
                Some(_) => self.missed(menu, context, Exit::Timeout),
                None => Turn::Stay,
            },
        }
    }

    pub fn poll_timeout(&self) -> Duration {
        match &self.phase {
            Phase::Playing(playback) => playback.poll_timeout(),
            // A gather that listens always has a deadline.
            Phase::Listening { prompt_since, gather } => {
                gather.poll_timeout().unwrap_or(*prompt_since)
            }
        }
    }

    pub fn tries(&self) -> u8 {
        self.tries
    }

    pub fn pending_offer(&self) -> Option<u32> {
        self.offer
    }

    /// A key went down: the prompt stops where the step lets it.
    fn barge_in(&mut self, menu: &Menu, context: &mut Context<'_>) {
        let Phase::Playing(playback) = &self.phase else { return };
        if menu.barge_in {
            context.desk.push(Output::StopPlay);
            self.phase = Phase::listen(playback.since, menu, context.now);
        }
    }

    /// The prompt is over.
    fn played(
        &mut self,
        step: &Step,
        menu: &Menu,
        context: &mut Context<'_>,
        played: Played,
    ) -> Turn {
        let Phase::Playing(playback) = &self.phase else { return Turn::Stay };
        match played {
            Played::ToTheEnd => {
                // The answer is `play`; what later tries play need not be.
                let is_answer = *menu.prompt(self.tries) == menu.play;
                if is_answer && matches!(step.does, Does::Answer { .. }) {
                    context.progress.answered_in_ivr = true;
                }
            }
            // The media side stopped it for a key we are about to hear of.
            Played::Stopped if menu.barge_in => {}
            Played::Stopped | Played::Failed => return self.prompt_failed(step, context),
        }
        self.phase = Phase::listen(playback.since, menu, context.now);
        match context.keys.take() {
            Some(key) => self.gathered(step, menu, context, key, context.now),
            None => Turn::Stay,
        }
    }

    fn key(&mut self, step: &Step, menu: &Menu, context: &mut Context<'_>, key: Key) -> Turn {
        let onset = self.onset.take().filter(|(down, _)| *down == key);
        let down_at = onset.map_or(context.now, |(_, at)| at);
        self.barge_in(menu, context);
        match &self.phase {
            // No barge-in: the key waits for the end of the prompt.
            Phase::Playing(playback) => {
                if !guarded(step, menu, context, key, playback.since, down_at) {
                    context.keys.push(key);
                }
                Turn::Stay
            }
            Phase::Listening { .. } => self.gathered(step, menu, context, key, down_at),
        }
    }

    fn gathered(
        &mut self,
        step: &Step,
        menu: &Menu,
        context: &mut Context<'_>,
        key: Key,
        down_at: Duration,
    ) -> Turn {
        let Phase::Listening { gather, prompt_since } = &mut self.phase else { return Turn::Stay };
        if !matches!(gather.key(context.now, key), Some(Gathered::Keys(_))) {
            return Turn::Stay;
        }
        if guarded(step, menu, context, key, *prompt_since, down_at) {
            self.phase = Phase::play(menu, self.tries, context);
            return Turn::Stay;
        }
        match meaning(menu, context, key) {
            Meaning::Go(go) => Turn::Leave(self.chosen(step, menu, context, key, go)),
            Meaning::Operator => Turn::Leave(self.operator(step, context, key)),
            Meaning::Repeat => {
                self.phase = Phase::play(menu, self.tries, context);
                Turn::Stay
            }
            Meaning::Wrong => self.missed(menu, context, Exit::Wrong),
        }
    }

    /// Silence or a wrong key: once more, or on.
    fn missed(&mut self, menu: &Menu, context: &mut Context<'_>, why: Exit) -> Turn {
        context.keys.flush();
        if self.tries < menu.tries {
            self.tries += 1;
            self.phase = Phase::play(menu, self.tries, context);
            return Turn::Stay;
        }
        let (go, response) = match why {
            Exit::Wrong => (menu.wrong, OfferResponse::Declined),
            _ => (menu.no_input, OfferResponse::Timeout),
        };
        self.answer_offer(context, response, None);
        context.progress.pressed = None;
        forget_unless_offered(context);
        Turn::Leave(Leave::by(why, Next::Go(go)))
    }

    fn chosen(
        &mut self,
        step: &Step,
        menu: &Menu,
        context: &mut Context<'_>,
        key: Key,
        go: Go,
    ) -> Leave {
        let heard = menu.prompt(self.tries);
        let asked = |offer, context: &Context<'_>| Asked {
            key,
            step: step.name.clone(),
            prompt: speak::for_record(heard, context.facts),
            offer,
        };
        context.progress.pressed = Some(asked(self.offer, context));
        match &step.does {
            Does::Offer(Offer { accept, .. }) if accept.contains(&key) => {
                context.progress.asked = Some(asked(self.offer, context));
                self.answer_offer(context, OfferResponse::Accepted, Some(key));
            }
            Does::Offer(_) => {
                context.progress.asked = None;
                if self.offer.is_some() && leads_to_the_phone(context.flow, go) {
                    chose_phone(&step.name, context);
                }
                self.answer_offer(context, OfferResponse::Declined, Some(key));
            }
            _ => remember(asked(None, context), context),
        }
        Leave::by(Exit::Key(key), Next::Go(go))
    }

    fn operator(&mut self, step: &Step, context: &mut Context<'_>, key: Key) -> Leave {
        if self.offer.is_some() {
            chose_phone(&step.name, context);
        }
        context.progress.pressed = None;
        context.progress.asked = None;
        self.answer_offer(context, OfferResponse::Declined, Some(key));
        Leave::by(Exit::Key(key), Next::Human)
    }

    /// The caller heard nothing. An offer was then not made; anything else takes the way out.
    fn prompt_failed(&mut self, step: &Step, context: &mut Context<'_>) -> Turn {
        let own = match &step.does {
            Does::Offer(offer) => Some(offer.if_not_offered),
            _ => None,
        };
        if let Some(n) = self.offer.take() {
            let at_ms = context.at_ms();
            context.desk.record(Record::OfferResponse {
                n,
                response: OfferResponse::Suppressed,
                pressed: None,
                reason: Some("prompt_failed".into()),
                at_ms,
            });
        }
        Turn::Leave(Leave::failed(own, "prompt_failed"))
    }

    fn answer_offer(
        &mut self,
        context: &mut Context<'_>,
        response: OfferResponse,
        pressed: Option<Key>,
    ) {
        if let Some(n) = self.offer.take() {
            context.answer_offer(n, response, pressed);
        }
    }
}

impl Phase {
    fn play(menu: &Menu, tries: u8, context: &mut Context<'_>) -> Self {
        match context.play(menu.prompt(tries), menu.barge_in) {
            Some(playback) => Self::Playing(playback),
            None => Self::listen(context.now, menu, context.now),
        }
    }

    fn listen(prompt_since: Duration, menu: &Menu, now: Duration) -> Self {
        let mut gather = Gather::one_key(Duration::from_millis(u64::from(menu.timeout_ms)));
        gather.listen(now);
        Self::Listening { prompt_since, gather }
    }
}

/// Listed keys first, then the flow's operator keys, then the repeat key. A key whose text no
/// sender can carry is none of this call (EX-26).
fn meaning(menu: &Menu, context: &Context<'_>, key: Key) -> Meaning {
    let (flow, intent) = (context.flow, context.facts.intent.as_deref());
    let barred =
        |text: &Text| flow.needs_media(intent) && flow.carriers(&text.via, intent).is_empty();
    match menu.press.get(&key) {
        Some(go) if text_behind(flow, *go).is_some_and(barred) => Meaning::Wrong,
        Some(go) => Meaning::Go(*go),
        None if flow.operator_keys.contains(&key) => Meaning::Operator,
        None if menu.repeat_key == Some(key) => Meaning::Repeat,
        None => Meaning::Wrong,
    }
}

/// A key typed before the prompt answers a menu unheard, but no prompt that asks for a text.
/// An offer that is passed over this way was not made.
fn typed_ahead(step: &Step, menu: &Menu, context: &mut Context<'_>) -> Option<Leave> {
    let key = context.keys.take()?;
    let now = context.now;
    if guarded(step, menu, context, key, now, now) {
        context.keys.flush();
        return None;
    }
    let mut unheard =
        Running { tries: 1, phase: Phase::listen(now, menu, now), onset: None, offer: None };
    let leave = match meaning(menu, context, key) {
        Meaning::Go(go) => unheard.chosen(step, menu, context, key, go),
        Meaning::Operator => unheard.operator(step, context, key),
        Meaning::Repeat | Meaning::Wrong => {
            context.keys.flush();
            return None;
        }
    };
    if let Does::Offer(offer) = &step.does {
        offer::passed_over(&step.name, offer, context);
    }
    Some(leave)
}

/// The key would accept a text and came too soon after the start of its prompt.
fn guarded(
    step: &Step,
    menu: &Menu,
    context: &Context<'_>,
    key: Key,
    prompt_since: Duration,
    down_at: Duration,
) -> bool {
    let accepts = match &step.does {
        Does::Offer(offer) => offer.accept.contains(&key),
        // After an accepted offer the keys only choose how.
        _ if already_accepted(context) => false,
        _ => menu.press.get(&key).is_some_and(|go| text_behind(context.flow, *go).is_some()),
    };
    accepts && down_at < prompt_since + GUARD
}

/// The text that a key leads to, at once or through `set` steps.
fn text_behind(flow: &Flow, mut go: Go) -> Option<&Text> {
    for _ in 0..SETS_FOLLOWED {
        let Go::Step(id) = go else { return None };
        match &flow.steps.get(usize::from(id.0))?.does {
            Does::Text(text) => return Some(text),
            Does::Set { then, .. } => go = *then,
            _ => return None,
        }
    }
    None
}

fn already_accepted(context: &Context<'_>) -> bool {
    context.progress.asked.as_ref().is_some_and(|asked| asked.offer.is_some())
}

/// A menu's key may ask for a text; an accepted offer asks for it already.
fn remember(asked: Asked, context: &mut Context<'_>) {
    if !already_accepted(context) {
        context.progress.asked = Some(asked);
    }
}

/// A person, or the line to one.
fn leads_to_the_phone(flow: &Flow, go: Go) -> bool {
    match go {
        Go::Target(_) => true,
        Go::Step(id) => {
            let step = flow.steps.get(usize::from(id.0));
            step.is_some_and(|step| matches!(step.does, Does::Wait(_)))
        }
        Go::HangUp => false,
    }
}

/// Who chooses the phone keeps it: no offer follows in this call (IC-01).
fn chose_phone(step: &str, context: &mut Context<'_>) {
    if !context.facts.chose_phone_at.iter().any(|known| known == step) {
        context.facts.chose_phone_at.push(step.to_owned());
    }
}

fn forget_unless_offered(context: &mut Context<'_>) {
    if !already_accepted(context) {
        context.progress.asked = None;
    }
}
