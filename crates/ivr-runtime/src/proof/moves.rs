//! What can happen next to a call: by the caller's choice, or by everybody else's.
//!
//! Every failure of every step and target is one of the moves; a rule may hold or not, whatever
//! it tests.

mod digits;
mod text;
mod voicemail;
mod wait;

use super::{
    lengths::Lengths,
    state::{Asked, Cause, End, Move, Place, State},
};
use crate::{
    call::{emergency, route::Way, targets::Failure},
    flow::{
        model::{Action, Agent, Callback, Does, Flow, Go, Menu, Step, StepId, TargetId},
        way_out::Failed,
    },
    key::Key,
    step::{agent, callback, fetch, opt_out},
};

/// A caller takes so long for a key.
const KEY_MS: u64 = 1_000;

/// All moves of a state; none of one that is an end.
pub(super) fn moves(flow: &Flow, lengths: Lengths<'_>, state: &State) -> Vec<Move> {
    let mut from = From { flow, lengths, state, moves: Vec::new() };
    match state.place {
        Place::Target(id) => from.target(id),
        Place::Ringing(id) => from.ringing(id),
        Place::Line(_) | Place::End(_) => {}
        Place::Step(id) | Place::Playing(id, _) | Place::Asking(id, _) | Place::Doing(id, _) => {
            if let Some(step) = flow.steps.get(usize::from(id.0)) {
                from.step(id, step);
            }
        }
    }
    if !state.noticed && is_aloud(flow, state.place) {
        // The notice comes before the first sound of a call.
        let notice = lengths.of(&emergency::notice(""));
        for next in &mut from.moves {
            next.ms += notice;
            next.to.noticed = true;
        }
    }
    from.moves
}

/// Something is heard there: a call that is not answered yet is answered for it.
fn is_aloud(flow: &Flow, place: Place) -> bool {
    match place {
        Place::Playing(..) => true,
        Place::Step(id) => flow.steps.get(usize::from(id.0)).is_some_and(|step| {
            matches!(step.does, Does::Say { .. } | Does::Wait(_) | Does::Agent(_))
        }),
        Place::Asking(..)
        | Place::Doing(..)
        | Place::Target(_)
        | Place::Ringing(_)
        | Place::Line(_)
        | Place::End(_) => false,
    }
}

struct From<'a> {
    flow: &'a Flow,
    lengths: Lengths<'a>,
    state: &'a State,
    moves: Vec<Move>,
}

impl From<'_> {
    fn step(&mut self, id: StepId, step: &Step) {
        match (self.state.place, &step.does) {
            (Place::Step(_), does) => self.entered(id, step, does),
            (Place::Playing(_, n), does) => self.playing(id, does, n),
            (Place::Asking(_, n), Does::Collect(collect)) => self.asking_digits(id, collect, n),
            (Place::Doing(_, n), Does::Collect(collect)) => self.checked(id, step, collect, n),
            (Place::Asking(..), Does::Action(action)) => self.asking_a_yes(id, step, action),
            (Place::Doing(..), Does::Action(action)) => self.acting(id, step, action),
            (Place::Asking(..), Does::OptOut { confirm, no_input, .. }) => {
                self.asking_to_opt_out(id, step, *confirm, *no_input);
            }
            (Place::Doing(..), Does::OptOut { then, if_fails, .. }) => {
                let within = ms(opt_out::RECORD_WITHIN);
                self.go(Cause::So("recorded"), within, step, *then);
                self.way_out(Cause::Failure("not recorded"), within, Failed::Step(id), *if_fails);
            }
            (Place::Asking(_, n), Does::Callback(callback)) => {
                self.asking_to_be_called(id, step, callback, n);
            }
            (Place::Doing(_, n), Does::Callback(callback)) => self.booking(id, callback, n),
            (Place::Asking(..), Does::Voicemail(voicemail)) => self.asking_to_speak(id, voicemail),
            (Place::Doing(_, n), Does::Voicemail(voicemail)) => {
                self.keeping(id, step, voicemail, n)
            }
            (Place::Asking(_, n), does) => {
                if let Some(menu) = does.menu() {
                    self.asking(id, step, menu, n);
                }
            }
            (
                Place::Doing(..)
                | Place::Target(_)
                | Place::Ringing(_)
                | Place::Line(_)
                | Place::End(_),
                _,
            ) => {}
        }
    }

    fn entered(&mut self, id: StepId, step: &Step, does: &Does) {
        match does {
            Does::Say { play, then } => {
                let lasts = self.lengths.of(play);
                self.go(Cause::So("said"), lasts, step, *then);
                self.way_out(Cause::Failure("prompt fails"), lasts, Failed::Step(id), None);
            }
            Does::Set { then, .. } => self.go(Cause::So("set"), 0, step, *then),
            Does::Decide { case, otherwise } => {
                for (_, to) in case {
                    self.go(Cause::So("rule holds"), 0, step, *to);
                }
                self.go(Cause::So("otherwise"), 0, step, *otherwise);
            }
            Does::Answer { needs, if_missing, .. } => {
                if !needs.is_empty() {
                    let cause = Cause::Failure("field missing");
                    match if_missing {
                        Some(to) => self.go(cause, 0, step, *to),
                        None => self.way_out(cause, 0, Failed::Step(id), None),
                    }
                }
                self.to(Cause::So("given"), 0, Place::Playing(id, 1));
            }
            Does::Offer(offer) => {
                let asked = self.asked_for_at_most(&[offer.link]);
                self.go(Cause::So("not offered"), asked, step, offer.if_not_offered);
                if !self.state.route.is_past_human(self.flow) {
                    let human = Go::Target(self.flow.human);
                    self.go(Cause::So("promise broken"), 0, step, human);
                }
                self.to(Cause::So("offered"), asked, Place::Playing(id, 1));
            }
            Does::Menu(_) | Does::Collect(_) | Does::OptOut { .. } | Does::Voicemail(_) => {
                self.to(Cause::So("entered"), 0, Place::Playing(id, 1));
            }
            Does::Callback(callback) => {
                let found = ms(callback::FIND_WITHIN);
                self.to(Cause::So("there is room"), found, Place::Playing(id, 1));
                let full = Cause::Failure("no room");
                self.way_out(full, found, Failed::Step(id), callback.if_fails);
            }
            Does::Action(action) if action.confirm.is_some() => {
                self.to(Cause::So("entered"), 0, Place::Playing(id, 1));
            }
            Does::Action(action) => self.acting(id, step, action),
            Does::Lookup(lookup) => {
                let lasts = self.fetching(lookup.request.timeout_ms, lookup.wait_prompt.as_ref());
                self.go(Cause::So("answered"), lasts, step, lookup.then);
                self.way_out(
                    Cause::Failure("lookup fails"),
                    lasts,
                    Failed::Step(id),
                    lookup.if_fails,
                );
            }
            Does::Text(text) => self.text(id, step, text),
            Does::Wait(wait) => self.wait(id, step, wait),
            Does::Agent(agent) => self.agent(id, step, agent),
        }
    }

    /// The bot hands the caller back, or fails in one of its ways.
    fn agent(&mut self, id: StepId, step: &Step, agent: &Agent) {
        let faults = agent::faults(self.flow, agent);
        let longest = faults.iter().map(|fault| ms(fault.after)).max().unwrap_or(0);
        self.go(Cause::So("agent hands back"), longest, step, agent.then);
        for fault in faults {
            let cause = Cause::Failure(fault.what);
            self.way_out(cause, ms(fault.after), Failed::Step(id), fault.own);
        }
    }

    fn playing(&mut self, id: StepId, does: &Does, n: u8) {
        let (play, own) = match does {
            Does::Offer(offer) => (offer.menu.prompt(n), Some(offer.if_not_offered)),
            Does::Menu(menu) | Does::Answer { menu, .. } => (menu.prompt(n), None),
            Does::Collect(collect) => (collect.prompt(n), None),
            Does::OptOut { play, if_fails, .. } => (play, *if_fails),
            Does::Voicemail(voicemail) => (&voicemail.play, voicemail.if_fails),
            Does::Callback(callback) => (&callback.play, callback.if_fails),
            Does::Action(Action { confirm: Some(play), if_fails, .. }) => (play, *if_fails),
            Does::Say { .. }
            | Does::Decide { .. }
            | Does::Set { .. }
            | Does::Text(_)
            | Does::Lookup(_)
            | Does::Wait(_)
            | Does::Agent(_)
            | Does::Action(_) => return,
        };
        let slot = match does {
            Does::Callback(_) => self.lengths.of(&callback::next_slot()),
            _ => 0,
        };
        let lasts = self.lengths.of(play) + slot;
        self.to(Cause::So("heard"), lasts, Place::Asking(id, n));
        self.way_out(Cause::Failure("prompt fails"), lasts, Failed::Step(id), own);
    }

    fn asking(&mut self, id: StepId, step: &Step, menu: &Menu, n: u8) {
        for (key, to) in &menu.press {
            let asked = match &step.does {
                Does::Offer(offer) if offer.accept.contains(key) => Asked::ByOffer,
                Does::Offer(_) => Asked::Nothing,
                _ if self.state.asked == Asked::ByOffer => Asked::ByOffer,
                _ => Asked::ByMenu,
            };
            self.pressed(*key, Place::of(*to), asked);
        }
        let human = Place::Target(self.flow.human);
        for key in self.flow.operator_keys.iter().filter(|key| !menu.press.contains_key(key)) {
            self.pressed(*key, human, Asked::Nothing);
        }
        let repeat = menu.repeat_key.filter(|key| !menu.press.contains_key(key));
        if let Some(key) = repeat.filter(|key| !self.flow.operator_keys.contains(key)) {
            self.pressed(key, Place::Playing(id, n), self.state.asked);
        }
        let waited = u64::from(menu.timeout_ms);
        for (cause, ms, to) in
            [(Cause::Wrong, KEY_MS, menu.wrong), (Cause::Silence, waited, menu.no_input)]
        {
            if n < menu.tries {
                self.to(cause, ms, Place::Playing(id, n + 1));
            } else {
                self.go(cause, ms, step, to);
                self.forget_what_a_menu_asked();
            }
        }
    }

    fn asking_a_yes(&mut self, id: StepId, step: &Step, action: &Action) {
        let Ok(yes) = Key::try_from('1') else { return };
        let asked = self.state.asked;
        if !self.flow.operator_keys.contains(&yes) {
            // What failed before is not forgiven by it.
            let doing = self.plain(Cause::Key(yes), Place::Doing(id, 1));
            self.push(Move { ms: KEY_MS, keys: 1, ..doing });
        }
        for key in &self.flow.operator_keys {
            self.pressed(*key, Place::Target(self.flow.human), asked);
        }
        for (cause, ms) in [(Cause::Wrong, KEY_MS), (Cause::Silence, ms(fetch::CONFIRM))] {
            let mut state = self.state.clone();
            if cause == Cause::Wrong {
                state.route.forgive();
            }
            match action.no_input {
                Some(to) => self.go(cause, ms, step, to),
                None => {
                    let failed = Failed::Step(id);
                    let way = state.route.way_out(self.flow, failed, action.if_fails);
                    self.failed(cause, ms, way, state);
                }
            }
        }
    }

    /// Yes, no, or to a person.
    fn asking_to_be_called(&mut self, id: StepId, step: &Step, callback: &Callback, n: u8) {
        let Ok(yes) = Key::try_from('1') else { return };
        let numbers = self.lengths.of(&callback::own_prompts());
        let doing = self.plain(Cause::Key(yes), Place::Doing(id, n));
        // The number is read back, and confirmed.
        self.push(Move { ms: KEY_MS * 2 + numbers, keys: 2, ..doing });
        for key in &self.flow.operator_keys {
            self.pressed(*key, Place::Target(self.flow.human), self.state.asked);
        }
        for (cause, ms) in [(Cause::Wrong, KEY_MS), (Cause::Silence, ms(callback::ANSWER))] {
            match callback.no_input {
                Some(to) => self.go(cause, ms, step, to),
                None => {
                    let state = self.state.clone();
                    let failed = Failed::Step(id);
                    let way = state.route.way_out(self.flow, failed, callback.if_fails);
                    self.failed(cause, ms, way, state);
                }
            }
        }
    }

    /// It is booked or it fails, or somebody else has the time and the next one is offered.
    fn booking(&mut self, id: StepId, callback: &Callback, n: u8) {
        let within = ms(callback::BOOK_WITHIN);
        self.kept(Cause::So("booked"), within, callback.then);
        self.way_out(Cause::Failure("not booked"), within, Failed::Step(id), callback.if_fails);
        if n < callback::TRIES {
            self.to(Cause::So("taken meanwhile"), within, Place::Asking(id, n + 1));
            self.to(Cause::So("slot taken"), within, Place::Playing(id, n + 1));
        }
    }

    fn acting(&mut self, id: StepId, step: &Step, action: &Action) {
        let lasts = self.fetching(action.request.timeout_ms, action.wait_prompt.as_ref());
        self.go(Cause::So("done"), lasts, step, action.then);
        let fails = Cause::Failure("action fails");
        self.way_out(fails, lasts, Failed::Step(id), action.if_fails);
    }

    fn asking_to_opt_out(&mut self, id: StepId, step: &Step, confirm: Key, no_input: Go) {
        let doing = self.plain(Cause::Key(confirm), Place::Doing(id, 1));
        self.push(Move { ms: KEY_MS, keys: 1, ..doing });
        self.go(Cause::Wrong, KEY_MS, step, no_input);
        self.go(Cause::Silence, ms(opt_out::FIRST_KEY), step, no_input);
    }

    fn target(&mut self, id: TargetId) {
        let Some(target) = self.flow.targets.get(usize::from(id.0)) else { return };
        self.to(Cause::So("open"), 0, Place::Ringing(id));
        if target.hours.is_some() {
            let mut closed = self.state.clone();
            closed.route.target_closed(self.flow, id);
            self.target_fails(&closed, id, "closed", Failure::Closed);
        }
    }

    fn ringing(&mut self, id: TargetId) {
        for (why, failure) in [
            ("busy", Failure::Busy { status: 486 }),
            ("no answer", Failure::NoAnswer { status: None }),
            ("fails", Failure::Failed { status: None }),
        ] {
            self.target_fails(self.state, id, why, failure);
        }
    }

    fn target_fails(&mut self, state: &State, id: TargetId, why: &'static str, failure: Failure) {
        let Some(target) = self.flow.targets.get(usize::from(id.0)) else { return };
        let mut state = state.clone();
        state.route.target_failed(id, None);
        let own = failure.own_exit(target);
        let way = state.route.way_out(self.flow, Failed::Target(id), own);
        self.failed(Cause::Failure(why), 0, way, state);
    }

    // ---------------------------------------------------------------- moves

    fn push(&mut self, mut next: Move) {
        let to = &mut next.to;
        match to.place {
            // Whoever asks for a person was not served in the flow.
            Place::Target(_) => to.kept = false,
            Place::End(End::HungUp) if to.kept => to.place = Place::End(End::Kept),
            _ => {}
        }
        self.moves.push(next);
    }

    /// What the caller asked for will be done, or was taken down.
    fn kept(&mut self, cause: Cause, ms: u64, then: Go) {
        let mut next = self.plain(cause, Place::of(then));
        (next.to.kept, next.to.failing) = (true, false);
        self.push(Move { ms, ..next });
    }

    /// Nothing but the place changes, at once.
    fn plain(&self, cause: Cause, place: Place) -> Move {
        let failing = self.state.failing && matches!(cause, Cause::So(_) | Cause::Silence);
        let to = State { place, failing, ..self.state.clone() };
        let keys = u32::from(cause == Cause::Wrong);
        Move { cause, ms: 0, keys, to }
    }

    fn to(&mut self, cause: Cause, ms: u64, place: Place) {
        let next = self.plain(cause, place);
        self.push(Move { ms, ..next });
    }

    /// As the step says; the end of a failure may be by its leave.
    fn go(&mut self, cause: Cause, ms: u64, step: &Step, to: Go) {
        let mut next = self.plain(cause, Place::of(to));
        if let Cause::Failure(_) = cause {
            next.to.failing = true;
        }
        if to == Go::HangUp && next.to.failing && !step.fallback {
            next.to.place = Place::End(End::ByLeave);
        }
        self.push(Move { ms, ..next });
    }

    /// The caller chose by key: what failed before may be tried again.
    fn pressed(&mut self, key: Key, place: Place, asked: Asked) {
        let mut next = self.plain(Cause::Key(key), place);
        next.to.route.forgive();
        next.to.asked = asked;
        self.push(Move { ms: KEY_MS, keys: 1, ..next });
    }

    fn forget_what_a_menu_asked(&mut self) {
        if let Some(last) = self.moves.last_mut()
            && last.to.asked == Asked::ByMenu
        {
            last.to.asked = Asked::Nothing;
        }
    }

    fn way_out(&mut self, cause: Cause, ms: u64, failed: Failed, own: Option<Go>) {
        let way = self.state.route.way_out(self.flow, failed, own);
        self.failed(cause, ms, way, self.state.clone());
    }

    fn failed(&mut self, cause: Cause, ms: u64, way: Way, state: State) {
        let place = match way {
            Way::Go(Go::HangUp) => Place::End(End::ByLeave),
            Way::Go(go) => Place::of(go),
            Way::Apology => Place::End(End::Apology),
        };
        let keys = u32::from(cause == Cause::Wrong);
        let failing = !cause.is_callers();
        self.push(Move { cause, ms, keys, to: State { place, failing, ..state } });
    }

    /// At most so long; what is being said meanwhile is said to its end.
    fn fetching(
        &self,
        timeout_ms: u32,
        wait_prompt: Option<&Vec<crate::flow::model::PromptItem>>,
    ) -> u64 {
        let said = wait_prompt.map_or(0, |play| ms(fetch::HINT) + self.lengths.of(play));
        said.max(u64::from(timeout_ms) + ms(fetch::GRACE))
    }
}

fn ms(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
