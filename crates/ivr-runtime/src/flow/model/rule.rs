//! `[rule.X]`: named facts.

use serde::{Deserialize, Serialize};

use super::{HoursId, RuleId, TargetId};

/// `[rule.X]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `X`.
    pub name: String,
    /// The fact.
    pub fact: Fact,
}

/// One fact a rule tests; evaluated to true, false or unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// The called number is one of these (E.164).
    CalledNumber(Vec<String>),
    /// Now is outside these hours.
    OutsideHours(HoursId),
    /// Earlier calls of this caller to this business (the present one not counted).
    CallsInLast(InLast),
    /// Earlier calls of this caller that ended deflected.
    DeflectedInLast(InLast),
    /// A named flag is set.
    Flag(String),
    /// The caller's number is one a text can reach.
    CanReceiveText(bool),
    /// The last text to this caller did not arrive (24 h).
    FailedPromise(bool),
    /// The call's intent is one of these.
    Intent(Vec<String>),
    /// The call's language is one of these.
    Language(Vec<String>),
    /// The call is one of `psap-callback`, `priority`, `relay-or-text-phone`, `withheld`.
    CallIs(Vec<String>),
    /// The field is known; never unknown itself.
    Known(String),
    /// What a known field holds.
    Field {
        /// Its name.
        field: String,
        /// What is asked of it.
        test: FieldTest,
    },
    /// What the carrier vouches for of the caller's number: `A`, `B`, `C`, `failed`, `none`
    /// (RFC 8224, ATIS-1000074).
    Attestation(Vec<String>),
    /// Local time of day is in one of these spans, minutes since midnight; a span that ends
    /// before it begins goes over midnight.
    TimeOfDay {
        /// From (inclusive) and to (exclusive).
        spans: Vec<(u16, u16)>,
        /// IANA zone.
        zone: String,
    },
    /// The caller's number begins with one of these.
    CallerPrefix(Vec<String>),
    /// A header of the INVITE: there, or with one of these values.
    Header {
        /// Its name; case does not matter.
        name: String,
        /// `None`: any value will do.
        equals: Option<Vec<String>>,
    },
    /// One of the target's addresses answers our OPTIONS.
    TargetUp(TargetId),
    /// A source expects a longer wait than this, seconds.
    WaitOver {
        /// Its name.
        source: String,
        /// Seconds.
        seconds: u32,
    },
    /// How many agents a source says could take a call.
    AgentsAvailable {
        /// Its name.
        source: String,
        /// At most or at least.
        bound: Bound,
    },
    /// No offer was spoken to this caller for so long, ms.
    NotOfferedFor(i64),
    /// At least one holds (Kleene).
    AnyOf(Vec<RuleId>),
    /// Does not hold (Kleene).
    Not(RuleId),
}

/// A window and a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InLast {
    /// Length of the window, ms.
    pub window_ms: i64,
    /// `at_most` or `at_least`.
    pub bound: Bound,
}

/// A bound, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// `n <= x`.
    AtMost(u32),
    /// `n >= x`.
    AtLeast(u32),
}

impl Bound {
    /// How many there must be for more to make no difference.
    #[must_use]
    pub fn counts_to(self) -> u32 {
        match self {
            Self::AtMost(most) => most.saturating_add(1),
            Self::AtLeast(least) => least,
        }
    }

    /// Whether `count` keeps it.
    #[must_use]
    pub fn holds(self, count: u32) -> bool {
        match self {
            Self::AtMost(most) => count <= most,
            Self::AtLeast(least) => count >= least,
        }
    }
}

/// What is asked of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FieldTest {
    /// It is one of these.
    Equals(Vec<String>),
    /// It is a number, and at most this; unknown where it is none.
    AtMost(f64),
    /// It is a number, and at least this; unknown where it is none.
    AtLeast(f64),
}
