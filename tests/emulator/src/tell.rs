//! What a provider tells of a message after it took it.

use std::time::Duration;

use crate::Says;

/// One webhook, or one `deliver_sm` for each thing said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tell {
    /// How long after it was taken.
    pub after: Duration,
    /// What; more than one thing goes in one webhook where the provider has such.
    pub says: Vec<Says<'static>>,
    /// How.
    pub how: How,
}

impl Tell {
    /// Says it, as it is, so much later.
    #[must_use]
    pub fn plainly(after: Duration, says: Says<'static>) -> Self {
        Self { after, says: vec![says], how: How::AsIs }
    }
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As the provider tells such things.
    AsIs,
    /// And once more, as it is not sure that it was heard.
    Twice,
    /// Before the request for the message is answered.
    BeforeTheAnswer,
    /// Of a message that nobody sent.
    OfNobody,
    /// Signed with another key, or with a wrong password.
    Forged,
    /// With a moment of six minutes ago.
    Stale,
}
