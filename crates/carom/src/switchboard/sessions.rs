//! Which call each media session belongs to.

use std::collections::HashMap;

use rtp_media::session::SessionId;

use super::live::{CallNo, Side};

/// The media sessions of all calls, and how many each call has: it is over when none is left.
#[derive(Debug, Default)]
pub struct Sessions {
    owners: HashMap<SessionId, (CallNo, Side)>,
    counts: HashMap<CallNo, u32>,
}

impl Sessions {
    /// A new session of a call.
    pub fn insert(&mut self, session: SessionId, no: CallNo, side: Side) {
        if self.owners.insert(session, (no, side)).is_none() {
            *self.counts.entry(no).or_default() += 1;
        }
    }

    /// Whose it is.
    pub fn get(&self, session: SessionId) -> Option<(CallNo, Side)> {
        self.owners.get(&session).copied()
    }

    /// It is closed, or was never opened.
    pub fn remove(&mut self, session: SessionId) {
        let Some((no, _)) = self.owners.remove(&session) else { return };
        if let Some(count) = self.counts.get_mut(&no) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&no);
            }
        }
    }

    /// Whether a call has any.
    pub fn of(&self, no: CallNo) -> bool {
        self.counts.contains_key(&no)
    }

    /// Those of a call; looks at all, so it is for what goes wrong.
    pub fn all_of(&self, no: CallNo) -> Vec<SessionId> {
        let own = self.owners.iter().filter(|(_, owner)| owner.0 == no);
        own.map(|(session, _)| *session).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Gives back the room of a busier time.
    pub fn shrink(&mut self) {
        super::shrink(&mut self.owners);
        super::shrink(&mut self.counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_sessions_until_the_last_is_gone() {
        let mut sessions = Sessions::default();
        let (one, other) = (CallNo(1), CallNo(2));
        sessions.insert(SessionId(10), one, Side::Caller);
        sessions.insert(SessionId(11), one, Side::Target);
        sessions.insert(SessionId(12), other, Side::Caller);
        assert_eq!(sessions.get(SessionId(11)), Some((one, Side::Target)));
        sessions.remove(SessionId(10));
        sessions.remove(SessionId(10));
        assert!(sessions.of(one));
        assert_eq!(sessions.all_of(one), [SessionId(11)]);
        sessions.remove(SessionId(11));
        assert!(!sessions.of(one));
        assert!(sessions.of(other));
        assert_eq!(sessions.len(), 1);
    }
}
