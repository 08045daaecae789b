//! Names of what can be wrong.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is not served.
    Error,
    /// It is served.
    Warning,
    /// It is served, and nothing is wrong with it: advice.
    Note,
}

/// Which rule of the linter was broken; the numbers are those of docs/flow-language.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Code {
    /// A sender whose texts the cap on spending does not count.
    A01,
    /// Account data that a link of a lower level names, and never gets.
    A02,
    /// Not TOML, an unknown key, a missing key, or a value of the wrong kind.
    E00,
    /// A name that leads nowhere, or to two things.
    E01,
    /// A step that reaches no end.
    E02,
    /// A caller who can't reach a person.
    E03,
    /// A failure without a way out.
    E04,
    /// A loop without a bound.
    E05,
    /// A step that nothing leads to.
    E06,
    /// A prompt that is missing or unfit.
    E07,
    /// A number or address that can't be served, or may not be dialled.
    E08,
    /// A message that can't be sent as it stands.
    E09,
    /// A sender or channel that can't be used.
    E10,
    /// A link or follow-up that can't keep what it promises.
    E11,
    /// Opening hours that can't be told.
    E12,
    /// A secret in the open, or an address that is not https.
    E13,
    /// A line without a person, by mistake or for protected calls too.
    E14,
    /// A key with two meanings, or too many.
    E15,
    /// A line in which nobody can tell when a person answers.
    E16,
    /// A field that nothing sets.
    E17,
    /// An opt-out list of another key.
    E18,
    /// Known, but not available yet.
    N01,
    /// A destination that does not work, or is not known to.
    W01,
    /// A link to a home page.
    W02,
    /// A link nobody is said to stand behind.
    W03,
    /// A menu with many options, or behind many others.
    W04,
    /// A prompt that names a key the menu lacks.
    W05,
    /// Offers without a control group.
    W06,
    /// A text without a word before or after it.
    W07,
    /// A link that does not declare the intent it is offered for.
    W08,
    /// A message that may be longer than one SMS.
    W09,
    /// Something that nothing uses.
    W10,
    /// A message after a call that is sent at night, too.
    W11,
    /// A destination whose certificate ends soon.
    W12,
    /// A certificate of ours that ends soon, or has ended.
    W13,
    /// A target's `mode` that no call of the flow can have.
    W14,
    /// Texts whose cost nothing bounds.
    W15,
    /// A text that callers of a trunk are never sent.
    W16,
    /// Fewer media ports than the calls at once may need.
    W17,
    /// An address of a public shortener.
    W18,
}

impl Code {
    /// Errors begin with E or N, warnings with W, advice with A.
    pub fn severity(self) -> Severity {
        match self {
            Self::A01 | Self::A02 => Severity::Note,
            Self::W01
            | Self::W02
            | Self::W03
            | Self::W04
            | Self::W05
            | Self::W06
            | Self::W07
            | Self::W08
            | Self::W09
            | Self::W10
            | Self::W11
            | Self::W12
            | Self::W13
            | Self::W14
            | Self::W15
            | Self::W16
            | Self::W17
            | Self::W18 => Severity::Warning,
            Self::E00
            | Self::E01
            | Self::E02
            | Self::E03
            | Self::E04
            | Self::E05
            | Self::E06
            | Self::E07
            | Self::E08
            | Self::E09
            | Self::E10
            | Self::E11
            | Self::E12
            | Self::E13
            | Self::E14
            | Self::E15
            | Self::E16
            | Self::E17
            | Self::E18
            | Self::N01 => Severity::Error,
        }
    }
}

impl Code {
    /// What is wrong where it is told, in a line.
    pub fn what(self) -> &'static str {
        match self {
            Self::A01 => "a sender whose texts `spend_per_day` does not count",
            Self::A02 => "account data that a link below level L2 never gets",
            Self::E00 => "not TOML, an unknown key, a missing key, or a value of the wrong kind",
            Self::E01 => "a name that leads nowhere, or to two things; a target out of reach",
            Self::E02 => "a step that reaches no end",
            Self::E03 => "a caller who can't reach a person",
            Self::E04 => "a failure without a way out",
            Self::E05 => "a loop without a bound",
            Self::E06 => "a step that nothing leads to",
            Self::E07 => "a prompt that is missing or unfit",
            Self::E08 => "a number or address that can't be served, or may not be dialled",
            Self::E09 => "a message that can't be sent as it stands",
            Self::E10 => "a sender or channel that can't be used",
            Self::E11 => "a link or follow-up that can't keep what it promises",
            Self::E12 => "opening hours that can't be told",
            Self::E13 => "a secret in the open, or an address that is not https",
            Self::E14 => "a line without a person, by mistake or for protected calls too",
            Self::E15 => "a key with two meanings, or too many",
            Self::E16 => "a line in which nobody can tell when a person answers",
            Self::E17 => "a field that nothing sets",
            Self::E18 => "an opt-out list that was written with another key",
            Self::N01 => "known, but not available yet",
            Self::W01 => "a destination that does not work, or is not known to",
            Self::W02 => "a link to a home page (generic-destination)",
            Self::W03 => "a link nobody is said to stand behind",
            Self::W04 => "a menu with many options, or behind many others",
            Self::W05 => "a prompt that names a key the menu lacks",
            Self::W06 => "offers without a control group",
            Self::W07 => "a text without a word before or after it",
            Self::W08 => "a link that does not declare the intent it is offered for",
            Self::W09 => "a message that may be longer than one SMS",
            Self::W10 => "something that nothing uses",
            Self::W11 => "a message after a call without hours at which it is not sent",
            Self::W12 => "a destination whose certificate ends within 14 days",
            Self::W13 => "a certificate of a listener that ends within 21 days, or has ended",
            Self::W14 => "a `mode` of a target that no call of the flow can have",
            Self::W15 => "texts whose cost nothing bounds",
            Self::W16 => "a text that callers of a trunk are never sent",
            Self::W17 => "fewer media ports than the calls at once may need",
            Self::W18 => "an address of a public shortener",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
