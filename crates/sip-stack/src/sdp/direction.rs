use serde::{Deserialize, Serialize};

/// Which way media flows, seen from the one who says it (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Both ways; the default.
    #[default]
    SendRecv,
    /// The sayer sends only.
    SendOnly,
    /// The sayer receives only.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// Returns the direction that sends and receives as told.
    pub fn from_flags(send: bool, recv: bool) -> Self {
        match (send, recv) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Returns the direction of this attribute name.
    pub fn from_attribute(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.as_str() == name)
    }

    /// Returns the attribute name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether the sayer sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the sayer receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// Returns the same flow seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self::from_flags(self.receives(), self.sends())
    }

    /// Returns what both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::from_flags(self.sends() && other.sends(), self.receives() && other.receives())
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

    #[test]
    fn what_is_sent_here_is_received_there() {
        for (here, there) in
            [(SendRecv, SendRecv), (SendOnly, RecvOnly), (RecvOnly, SendOnly), (Inactive, Inactive)]
        {
            assert_eq!(here.reversed(), there);
        }
        assert_eq!(SendOnly.and(RecvOnly), Inactive);
        assert_eq!(SendRecv.and(RecvOnly), RecvOnly);
    }
}
