use std::{fmt, time::Duration};

use super::{Malformed, Params, scan};

/// Session-Expires (RFC 4028 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SessionExpires {
    /// The session interval.
    pub interval: Duration,
    /// Who refreshes, when it is said.
    pub refresher: Option<Refresher>,
}

/// Who refreshes a session: a role in the request that carried the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Refresher {
    /// The sender of the request.
    Uac,
    /// The answerer of the request.
    Uas,
}

impl SessionExpires {
    /// Reads the value.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (seconds, params) = match text.split_once(';') {
            Some((seconds, params)) => (seconds, Params::parse(params)?),
            None => (text, Params::default()),
        };
        let refresher = match params.get("refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(Malformed("refresher is uac or uas")),
        };
        let seconds: u32 = scan::number(scan::trim(seconds))?;
        Ok(Self { interval: Duration::from_secs(seconds.into()), refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval.as_secs())?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_and_refresher_are_read_and_written() {
        let text = "1800;refresher=uas";
        let expires = SessionExpires::parse(text).unwrap();
        assert_eq!(expires.interval, Duration::from_secs(1800));
        assert_eq!(expires.refresher, Some(Refresher::Uas));
        assert_eq!(expires.to_string(), text);
        assert!(SessionExpires::parse("90;refresher=proxy").is_err());
        assert!(SessionExpires::parse("soon").is_err());
    }
}
