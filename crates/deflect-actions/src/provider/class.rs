//! Why a message was not sent, in one vocabulary for all providers.

/// Kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// No such number.
    Invalid,
    /// A landline, or another line that takes no texts.
    NotTextable,
    /// The number has opted out at the provider.
    OptedOut,
    /// Taken for spam or fraud.
    Blocked,
    /// The phone is off or away.
    Unreachable,
    /// Too many at once.
    RateLimited,
    /// The provider is broken, or not reached.
    ProviderDown,
    /// Wrong credentials.
    Auth,
    /// Wrong sender, country not enabled.
    Config,
    /// No money, account closed.
    Funds,
    /// The text is too long.
    TooLong,
    /// Its time is over.
    Expired,
    /// Anything else.
    Unknown,
}

impl Class {
    /// All.
    pub const ALL: [Self; 13] = [
        Self::Invalid,
        Self::NotTextable,
        Self::OptedOut,
        Self::Blocked,
        Self::Unreachable,
        Self::RateLimited,
        Self::ProviderDown,
        Self::Auth,
        Self::Config,
        Self::Funds,
        Self::TooLong,
        Self::Expired,
        Self::Unknown,
    ];

    /// The class of a word of the store.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }

    /// The word of the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotTextable => "not_textable",
            Self::OptedOut => "opted_out",
            Self::Blocked => "blocked",
            Self::Unreachable => "unreachable",
            Self::RateLimited => "rate_limited",
            Self::ProviderDown => "provider_down",
            Self::Auth => "auth",
            Self::Config => "config",
            Self::Funds => "funds",
            Self::TooLong => "too_long",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// Whether another sender may have more luck.
    #[must_use]
    pub fn others_may_try(self) -> bool {
        match self {
            Self::Blocked
            | Self::RateLimited
            | Self::ProviderDown
            | Self::Auth
            | Self::Config
            | Self::Funds
            | Self::Unknown => true,
            Self::Invalid
            | Self::NotTextable
            | Self::OptedOut
            | Self::Unreachable
            | Self::TooLong
            | Self::Expired => false,
        }
    }

    /// Whether it says that the person is not reached by that channel: another may.
    #[must_use]
    pub fn is_of_the_channel(self) -> bool {
        matches!(self, Self::Invalid | Self::NotTextable | Self::Unreachable | Self::TooLong)
    }

    /// Whether the same sender may be tried again later.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::RateLimited | Self::ProviderDown)
    }

    /// Whether the operator must mend something.
    #[must_use]
    pub fn needs_operator(self) -> bool {
        matches!(self, Self::Auth | Self::Config | Self::Funds)
    }
}
