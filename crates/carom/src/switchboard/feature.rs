//! A person on the target leg has a link sent: by the feature code, pressed on the bridge, or by a
//! client of the API. Digits of the bridge are held only as long as they may begin the code, and
//! written nowhere.

use std::time::Duration;

use dtmf_detector::Digit;
use ivr_runtime::{call::Input, key::Key};
use rtp_media::worker::Command;
use tokio::sync::oneshot;

use super::{
    Switchboard,
    arrive::key_of,
    live::{CallNo, Side, TargetState},
};

/// Keys further apart are not one code.
const APART: Duration = Duration::from_secs(3);
/// A key that was held back is relayed as one of this length.
const RELAYED_MS: u32 = 100;

/// What became of a link that was to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkOrder {
    /// It is on its way.
    Sent,
    /// It is not, and why.
    Refused(String),
    /// There is no such call.
    NoCall,
}

/// The keys of a target leg that may be the first of its code.
#[derive(Debug, Default)]
pub struct Pressed {
    held: Vec<Digit>,
    last: Duration,
}

impl Pressed {
    /// When the keys that are held can't begin the code any more.
    pub fn poll_timeout(&self) -> Option<Duration> {
        (!self.held.is_empty()).then_some(self.last + APART)
    }

    /// A key more; `true`: it completes the code. What can't belong to it any more is let go of.
    fn press(
        &mut self,
        now: Duration,
        digit: Digit,
        code: &[Key],
        mut let_go: impl FnMut(Digit),
    ) -> bool {
        if self.poll_timeout().is_some_and(|until| until <= now) {
            self.held.drain(..).for_each(&mut let_go);
        }
        self.last = now;
        self.held.push(digit);
        let begins = |held: &[Digit]| {
            held.len() <= code.len()
                && held.iter().zip(code).all(|(d, key)| key_of(*d) == Some(*key))
        };
        while !begins(&self.held) {
            let_go(self.held.remove(0));
        }
        let complete = self.held.len() == code.len();
        if complete {
            self.held.clear();
        }
        complete
    }
}

impl Switchboard {
    /// The worker of a target leg whose agents have a code is to tell its keys.
    pub(super) fn listen_for_code(&mut self, no: CallNo) {
        let Some(call) = self.calls.get(&no) else { return };
        let Some(target) = call.target.as_ref().filter(|target| target.agent.is_none()) else {
            return;
        };
        let facts = call.flow.targets.get(usize::from(target.id.0));
        if facts.is_some_and(|facts| !facts.feature_code.is_empty()) {
            let session = target.media.session;
            self.media_to(session, Command::ListenKeys(true));
        }
    }

    /// A key of the target leg, of which only the code is for us.
    pub(super) fn on_target_key(&mut self, no: CallNo, digit: Digit) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut().filter(|t| t.state == TargetState::Answered) else {
            return;
        };
        let Some(facts) = call.flow.targets.get(usize::from(target.id.0)) else { return };
        if facts.feature_code.is_empty() || target.quiet {
            return;
        }
        let mut others = Vec::new();
        let complete =
            target.pressed.press(now, digit, &facts.feature_code, |key| others.push(key));
        self.relay_held(no, others);
        if complete {
            self.tell(no, Input::SendLink);
        }
        self.reschedule(no);
    }

    /// Keys that nothing followed were meant for the caller.
    pub(super) fn on_keys_timeout(&mut self, no: CallNo) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(target) = call.target.as_mut() else { return };
        if target.pressed.poll_timeout().is_some_and(|until| until <= now) {
            let held = std::mem::take(&mut target.pressed.held);
            self.relay_held(no, held);
        }
    }

    fn relay_held(&mut self, no: CallNo, keys: Vec<Digit>) {
        let Some(call) = self.calls.get(&no) else { return };
        let session = call.caller.media.session;
        let events = call.caller.media.talk.current();
        let events = events.is_some_and(|agreed| agreed.telephone_event.is_some());
        for digit in keys {
            match events {
                true => {
                    let duration_ms = RELAYED_MS;
                    self.media_to(session, Command::SendKey { digit, duration_ms });
                }
                false => self.relay_key_as_info(no, Side::Caller, digit, RELAYED_MS),
            }
        }
    }

    /// A client of the API wants a link sent.
    pub(super) fn order_link(
        &mut self,
        call_id: &str,
        confirmed: bool,
        reply: oneshot::Sender<LinkOrder>,
    ) {
        let found = self.calls.iter().find(|(_, call)| call.call_id == call_id);
        let Some(no) = found.map(|(no, _)| *no) else {
            let _ = reply.send(LinkOrder::NoCall);
            return;
        };
        let input = if confirmed { Input::SendLinkConfirmed } else { Input::SendLink };
        self.tell(no, input);
        self.reschedule(no);
        let told = self.calls.get_mut(&no).and_then(|call| call.link_order.take());
        let _ = reply.send(told.unwrap_or(LinkOrder::NoCall));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_is_kept_and_every_other_key_goes_on_in_order() {
        let code: Vec<Key> = "*77".chars().map(|c| Key::try_from(c).unwrap()).collect();
        let typed = |keys: &str, gap: Duration| {
            let (mut pressed, mut relayed, mut sent) = (Pressed::default(), String::new(), 0);
            for (n, key) in (1u32..).zip(keys.chars()) {
                let digit = Digit::try_from(key).unwrap();
                let let_go = |digit: Digit| relayed.push(digit.as_char());
                sent += u32::from(pressed.press(gap * n, digit, &code, let_go));
            }
            (relayed, sent)
        };
        let soon = Duration::from_millis(400);
        assert_eq!(typed("*77", soon), (String::new(), 1));
        assert_eq!(typed("*77*77", soon), (String::new(), 2));
        assert_eq!(typed("1**77", soon), ("1*".into(), 1));
        assert_eq!(typed("*7*77", soon), ("*7".into(), 1));
        assert_eq!(typed("*71", soon), ("*71".into(), 0));
        assert_eq!(typed("123", soon), ("123".into(), 0));
        assert_eq!(typed("*77", APART * 2), ("*77".into(), 0), "too slow");
    }
}
