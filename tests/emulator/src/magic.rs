//! Numbers that choose what befalls a message.

use std::time::Duration;

use crate::{Does, How, Personality, Says, Tell};

/// What befalls a message, by the last three digits of its number; any other is taken and delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Magic {
    /// Refused: no such number.
    Invalid,
    /// Refused: a landline, or nobody on WhatsApp.
    Landline,
    /// Refused: they opted out at the provider.
    OptedOut,
    /// Refused: too many at once, without a word of when to come again.
    RateLimited,
    /// Refused: the sender or the template.
    Config,
    /// Refused: taken for spam.
    Blocked,
    /// Refused: no money.
    Funds,
    /// Refused: wrong credentials.
    Auth,
    /// Refused: the provider is broken.
    Down,
    /// The connection is closed before anything is taken.
    Resets,
    /// Taken, and never answered.
    Hangs,
    /// Taken, and the connection closed before the answer.
    TakesAndResets,
    /// Answered 200 with something else, and not taken.
    Garbage,
    /// Refused: too many at once, with a `Retry-After` of two seconds.
    Busy,
    /// The first three requests for the number are refused as the provider is broken; then it is taken.
    Burst,
    /// Taken, and answered after two seconds.
    Slow,
    /// Refused: texts to that country are not enabled.
    Country,
    /// Refused: no way leads there.
    Unroutable,
    /// SMPP: the centre says goodbye instead of an answer.
    Unbinds,
    /// Taken, delivered and read.
    Read,
    /// Taken; no receipt ever comes.
    NoReceipt,
    /// Taken; the receipt comes after [`LATE`].
    LateReceipt,
    /// Taken; each receipt comes twice.
    Twice,
    /// Taken; "delivered" comes before "sent".
    Reordered,
    /// Taken; the receipt comes before the answer.
    Early,
    /// Taken; a receipt for a message that nobody knows comes before its own.
    Unknown,
    /// Taken; its only receipt is signed by somebody else.
    Forged,
    /// Taken; its only receipt is six minutes old.
    Stale,
    /// Taken; the handset is off: not delivered.
    HandsetOff,
    /// Taken; the carrier calls it spam.
    Spam,
    /// Taken; the carrier says that it is a landline.
    LandlineLater,
    /// Taken; all receipts come in one webhook, where the provider has such.
    Batched,
    /// Taken; called failed, and delivered after all.
    FailedThenDelivered,
}

/// How long a receipt takes that is late.
pub const LATE: Duration = Duration::from_secs(20);
/// How many requests a burst refuses.
pub const BURST: usize = 3;
/// Twilio's own numbers for tests, with what befalls a text to them.
const TWILIO: [(&str, Magic); 5] = [
    ("+15005550001", Magic::Invalid),
    ("+15005550002", Magic::Unroutable),
    ("+15005550003", Magic::Country),
    ("+15005550004", Magic::OptedOut),
    ("+15005550009", Magic::Landline),
];

impl Magic {
    /// All, with the digits that choose them.
    pub const ALL: [(Self, &str); 33] = [
        (Self::Invalid, "901"),
        (Self::Landline, "902"),
        (Self::OptedOut, "903"),
        (Self::RateLimited, "904"),
        (Self::Config, "905"),
        (Self::Blocked, "906"),
        (Self::Funds, "907"),
        (Self::Auth, "908"),
        (Self::Down, "909"),
        (Self::Resets, "910"),
        (Self::Hangs, "911"),
        (Self::TakesAndResets, "912"),
        (Self::Garbage, "913"),
        (Self::Busy, "914"),
        (Self::Burst, "915"),
        (Self::Slow, "916"),
        (Self::Country, "917"),
        (Self::Unroutable, "918"),
        (Self::Unbinds, "919"),
        (Self::Read, "921"),
        (Self::NoReceipt, "922"),
        (Self::LateReceipt, "923"),
        (Self::Twice, "924"),
        (Self::Reordered, "925"),
        (Self::Early, "926"),
        (Self::Unknown, "927"),
        (Self::Forged, "928"),
        (Self::Stale, "929"),
        (Self::HandsetOff, "930"),
        (Self::Spam, "931"),
        (Self::LandlineLater, "932"),
        (Self::Batched, "933"),
        (Self::FailedThenDelivered, "934"),
    ];

    /// The digits that choose it.
    #[must_use]
    pub fn end(self) -> &'static str {
        Self::ALL.into_iter().find(|(magic, _)| *magic == self).unwrap().1
    }

    /// What a number chooses.
    #[must_use]
    pub fn of(number: &str) -> Option<Self> {
        let documented = TWILIO.into_iter().find(|(one, _)| *one == number).map(|(_, magic)| magic);
        let by_end = || Self::ALL.into_iter().find(|(_, end)| number.ends_with(end));
        documented.or_else(|| by_end().map(|(magic, _)| magic))
    }

    /// What the provider does with the `n`th request for that number, 0 the first.
    pub(crate) fn does(self, is: Personality, n: usize) -> Does {
        match self {
            Self::Hangs => Does::Hang,
            Self::TakesAndResets => Does::TakeAndReset,
            Self::Resets => Does::Reset,
            Self::Garbage => Does::Garbage,
            Self::Unbinds => Does::Unbind,
            Self::Slow => Does::Slow(Duration::from_secs(2)),
            Self::Busy => {
                let (status, code) = is.code(Self::RateLimited);
                Does::Refuse(status, code, Some(2))
            }
            Self::Burst if n < BURST => Does::Fail(Self::Down),
            refusal if refusal.refuses() => Does::Fail(refusal),
            _ => Does::Accept,
        }
    }

    fn refuses(self) -> bool {
        matches!(
            self,
            Self::Invalid
                | Self::Landline
                | Self::OptedOut
                | Self::RateLimited
                | Self::Config
                | Self::Blocked
                | Self::Funds
                | Self::Auth
                | Self::Down
                | Self::Country
                | Self::Unroutable
        )
    }

    /// What is told of a message that was taken; `None`: what is told of any other.
    pub(crate) fn tells(self) -> Option<Vec<Tell>> {
        let (soon, later) = (Duration::from_millis(100), Duration::from_millis(400));
        let tell = |after, says| Tell { after, says: vec![says], how: How::AsIs };
        let (sent, delivered) = (tell(soon, Says::Sent), tell(later, Says::Delivered));
        let only = |tell: Tell, how| vec![Tell { how, ..tell }];
        Some(match self {
            Self::NoReceipt => vec![],
            Self::Read => vec![sent, delivered, tell(2 * later, Says::Read)],
            Self::LateReceipt => vec![tell(LATE, Says::Delivered)],
            Self::Twice => [only(sent, How::Twice), only(delivered, How::Twice)].concat(),
            Self::Reordered => vec![tell(soon, Says::Delivered), tell(later, Says::Sent)],
            Self::Early => only(delivered, How::BeforeTheAnswer),
            Self::Unknown => [only(sent, How::OfNobody), vec![delivered]].concat(),
            Self::Forged => only(delivered, How::Forged),
            Self::Stale => only(delivered, How::Stale),
            Self::HandsetOff => vec![sent, tell(later, Says::Failed(self))],
            Self::Spam => vec![sent, tell(later, Says::Failed(Self::Blocked))],
            Self::LandlineLater => vec![sent, tell(later, Says::Failed(Self::Landline))],
            Self::Batched => {
                let says = vec![Says::Sent, Says::Delivered];
                vec![Tell { after: later, says, how: How::AsIs }]
            }
            Self::FailedThenDelivered => {
                vec![tell(soon, Says::Failed(Self::HandsetOff)), tell(later, Says::Delivered)]
            }
            refusal if refusal.refuses() => vec![tell(soon, Says::Failed(refusal))],
            _ => return None,
        })
    }
}
