//! New offers within a call: each leg answers its peer's for itself, since the media run through
//! us, and a change of direction is passed on to the other leg, so that a held party knows.

use std::time::Duration;

use ivr_runtime::call::{Input, TargetOutcome};
use sip_stack::{
    endpoint::{LegId, ReofferMethod},
    message::{Headers, Request},
    offer_answer::AnswerKind,
    sdp::Direction,
};

use super::{
    Switchboard,
    live::{CallNo, CallerState, Live, Media, Side, TargetState},
};
use crate::node::clock::wall_ms;

/// A leg that could not take our offer is asked again after this long.
const AGAIN: Duration = Duration::from_millis(250);
/// The status of an offer of ours that gave way to the peer's (RFC 3261 §14.2).
const GAVE_WAY: u16 = 491;

impl Switchboard {
    /// The peer of a leg wants to change the session, or asks for an offer.
    pub(super) fn on_offer(&mut self, leg: LegId, sdp: Option<&[u8]>, request: &Request) {
        let now = self.now();
        let Some((no, side)) = self.current(leg) else {
            return self.endpoint.refuse_offer(now, leg, 488);
        };
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(media) = call.media_mut(side) else { return };
        let reply = match sdp {
            Some(sdp) => media.take_offer(sdp),
            None => media.make_offer().ok_or(491),
        };
        match reply {
            Ok(ours) => {
                self.endpoint.accept_offer(now, leg, ours);
                if sdp.is_some() {
                    // The answer says what a new offer of ours would.
                    media.reoffer_at = None;
                    self.session_changed(no, side);
                    self.align(no, side.other());
                }
            }
            Err(status) => self.endpoint.refuse_offer(now, leg, status),
        }
        if side == Side::Target {
            let moved = self.has_moved(no);
            self.tell_if_human(no, request.headers(), moved);
        }
    }

    /// Whether the target's media goes to another address by now.
    fn has_moved(&mut self, no: CallNo) -> bool {
        let call = self.calls.get_mut(&no);
        call.and_then(|call| call.media_mut(Side::Target)).is_some_and(Media::moved)
    }

    pub(super) fn tell_if_human(&mut self, no: CallNo, headers: &Headers, moved: bool) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        if !call.hears_human(headers, moved) {
            return;
        }
        match &mut call.target {
            // Its 200 will say so (`hears_human`).
            Some(target) if target.state != TargetState::Answered => target.person = true,
            _ => self.tell(no, Input::Target(TargetOutcome::HumanAnswered)),
        }
    }

    /// The peer's word on an offer of ours.
    pub(super) fn on_offer_answered(&mut self, leg: LegId, status: u16, sdp: Option<&[u8]>) {
        let now = self.now();
        let Some((no, side)) = self.current(leg) else { return };
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(media) = call.media_mut(side) else { return };
        let asked = std::mem::take(&mut media.asked);
        let agreed = (200..300).contains(&status)
            && sdp.is_some_and(|sdp| media.conclude(sdp, AnswerKind::Final));
        if agreed {
            self.session_changed(no, side);
            if asked {
                // The peer wanted to say something, and this is it.
                self.align(no, side.other());
                if side == Side::Target {
                    let moved = self.has_moved(no);
                    self.tell_if_human(no, &Headers::default(), moved);
                }
            }
        } else {
            media.talk.withdraw();
            if status == GAVE_WAY {
                media.reoffer_at = Some(now + AGAIN);
                return self.reschedule(no);
            }
            call.line.note(wall_ms(), "sip", format!("{side}: our offer was refused ({status})"));
        }
        // Something else may be wanted since that offer went out.
        self.align(no, side);
    }

    /// Offers again where an earlier try found the leg busy.
    pub(super) fn reoffer_due(&mut self, no: CallNo) {
        let now = self.now();
        for side in [Side::Caller, Side::Target] {
            let media = self.calls.get_mut(&no).and_then(|call| call.media_mut(side));
            let due = media.and_then(|media| media.reoffer_at.take_if(|at| *at <= now));
            if due.is_some() {
                self.reoffer(no, side);
            }
        }
    }

    fn session_changed(&mut self, no: CallNo, side: Side) {
        self.configure(no, side);
        let bridged = self.calls.get(&no).and_then(|call| call.target.as_ref());
        if bridged.is_some_and(|t| t.state != TargetState::Calling && !t.quiet) {
            // Whether keys are events or INFO may have changed.
            self.bridge(no);
        }
    }

    /// Offers a leg what it should be offered by now, unless that is agreed or on its way.
    pub(super) fn align(&mut self, no: CallNo, side: Side) {
        let Some(call) = self.calls.get_mut(&no) else { return };
        let Some(wish) = wish_for(call, side) else { return };
        let media = call.media_mut(side).filter(|media| !media.talk.awaits_answer());
        let Some(media) = media else { return };
        if std::mem::replace(&mut media.talk.local_mut().direction, wish) != wish {
            self.reoffer(no, side);
        }
    }

    fn reoffer(&mut self, no: CallNo, side: Side) {
        let now = self.now();
        let Some(call) = self.calls.get_mut(&no) else { return };
        let leg = match side {
            Side::Caller => Some(call.caller.leg),
            Side::Target => call.target.as_ref().and_then(|target| target.leg),
        };
        let (Some(leg), Some(media)) = (leg, call.media_mut(side)) else { return };
        let sent = media.talk.offer().is_ok_and(|offer| {
            let sent = self.endpoint.reoffer(now, leg, Some(offer), ReofferMethod::Invite).is_ok();
            if !sent {
                media.talk.withdraw();
            }
            sent
        });
        media.reoffer_at = (!sent).then(|| now + AGAIN);
        self.reschedule(no);
    }
}

/// Which way media should flow on a leg: as the other one's peer wants it. A hold is its target's: it
/// holds the caller while that target is heard, and nothing that plays in its place.
fn wish_for(call: &Live, side: Side) -> Option<Direction> {
    let target = call.target.as_ref().filter(|target| target.state == TargetState::Answered);
    let is_up = matches!(call.caller.state, CallerState::Answered | CallerState::Confirmed);
    let wish = match side {
        Side::Caller => {
            let heard = target.filter(|target| !target.quiet);
            heard.map_or(Direction::SendRecv, |target| target.media.wish)
        }
        Side::Target => target.map(|_| call.caller.media.wish)?,
    };
    (is_up && !call.over).then_some(wish)
}
