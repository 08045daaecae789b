//! States of a message; they move forward only.

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Committed; nobody tries.
    Queued,
    /// Somebody tries.
    Claimed,
    /// A provider has it.
    Accepted,
    /// A carrier has it.
    Sent,
    /// The phone has it.
    Delivered,
    /// It was read.
    Read,
    /// The carrier or the phone did not take it.
    Undelivered,
    /// It was not sent.
    Failed,
    /// Written to a provider, and no answer.
    Ambiguous,
    /// Accepted, and no word since.
    Unknown,
    /// Taken back.
    Canceled,
}

use State::{
    Accepted, Ambiguous, Canceled, Claimed, Delivered, Failed, Queued, Read, Sent, Undelivered,
    Unknown,
};

impl State {
    /// All, in the order of the schema.
    pub const ALL: [Self; 11] = [
        Queued,
        Claimed,
        Accepted,
        Sent,
        Delivered,
        Read,
        Undelivered,
        Failed,
        Ambiguous,
        Unknown,
        Canceled,
    ];

    /// The word of the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Queued => "queued",
            Claimed => "claimed",
            Accepted => "accepted",
            Sent => "sent",
            Delivered => "delivered",
            Read => "read",
            Undelivered => "undelivered",
            Failed => "failed",
            Ambiguous => "ambiguous",
            Unknown => "unknown",
            Canceled => "canceled",
        }
    }

    /// The state of a word of the store.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The state that a provider means by a word of ours; `None`: only we can tell it, or none.
    #[must_use]
    pub fn told(word: &str) -> Option<Self> {
        Self::parse(word).filter(|state| !matches!(state, Queued | Claimed | Ambiguous | Canceled))
    }

    /// States that give way to this one. An ambiguous message gives way to any evidence; a
    /// failure is final unless the message arrives after all.
    #[must_use]
    pub fn follows(self) -> &'static [Self] {
        match self {
            Queued => &[],
            Claimed | Ambiguous | Canceled => &[Queued],
            Accepted => &[Queued, Claimed, Ambiguous],
            Sent => &[Queued, Claimed, Accepted, Ambiguous],
            Delivered => {
                &[Queued, Claimed, Accepted, Sent, Ambiguous, Unknown, Undelivered, Failed]
            }
            Read => &[
                Queued,
                Claimed,
                Accepted,
                Sent,
                Delivered,
                Ambiguous,
                Unknown,
                Undelivered,
                Failed,
            ],
            Undelivered | Failed => &[Queued, Claimed, Accepted, Sent, Ambiguous, Unknown],
            Unknown => &[Accepted, Sent],
        }
    }

    /// Whether a provider must have had it.
    pub(crate) fn proves_acceptance(self) -> bool {
        matches!(self, Accepted | Sent | Delivered | Read | Undelivered | Unknown)
    }

    /// Whether nothing more is to be expected.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Delivered | Read | Undelivered | Failed | Unknown | Canceled)
    }

    /// The column that holds its moment.
    pub(crate) fn column(self) -> Option<&'static str> {
        match self {
            Sent => Some("sent_ms"),
            Delivered => Some("delivered_ms"),
            Read => Some("read_ms"),
            Undelivered | Failed => Some("failed_ms"),
            Queued | Claimed | Accepted | Ambiguous | Unknown | Canceled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_states_give_way_to_each_other_but_failure_and_arrival() {
        for one in State::ALL {
            assert_eq!(State::parse(one.as_str()), Some(one));
            // What a gateway's word may mean has states that give way to it.
            assert!(State::told(one.as_str()).is_none_or(|told| !told.follows().is_empty()));
            for other in one.follows() {
                assert!(!other.follows().contains(&one), "{one:?} {other:?}");
            }
        }
        assert_eq!(["queued", "claimed", "ambiguous", "canceled"].map(State::told), [None; 4]);
        assert_eq!(State::told("delivered"), Some(Delivered));
    }
}
