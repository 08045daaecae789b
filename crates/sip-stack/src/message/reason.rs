use std::fmt;

use super::{Malformed, Params, scan};

/// Reason (RFC 3326): why a request was sent, in the words of a protocol.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reason {
    /// `SIP`, `Q.850`, …
    pub protocol: String,
    /// The cause in that protocol.
    pub cause: Option<u16>,
    /// The text for people, without quotes.
    pub text: Option<String>,
}

impl Reason {
    /// Returns a reason in ISDN terms.
    pub fn q850(cause: u16, text: &str) -> Self {
        Self { protocol: "Q.850".into(), cause: Some(cause), text: Some(text.into()) }
    }

    /// Returns a reason in SIP terms.
    pub fn sip(cause: u16, text: &str) -> Self {
        Self { protocol: "SIP".into(), cause: Some(cause), text: Some(text.into()) }
    }

    /// Reads one element.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (protocol, params) = match text.split_once(';') {
            Some((protocol, params)) => (scan::trim(protocol), Params::parse(params)?),
            None => (scan::trim(text), Params::default()),
        };
        if !scan::is_token(protocol) {
            return Err(Malformed("protocol expected"));
        }
        let cause = params.get("cause").map(scan::number).transpose()?;
        let text = params.get("text").map(scan::unquote);
        Ok(Self { protocol: protocol.into(), cause, text })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if let Some(text) = &self.text {
            write!(f, ";text={}", scan::quote(text))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_and_text_are_read_and_written() {
        let text = r#"Q.850;cause=16;text="Terminated; \"ok\"""#;
        let reason = Reason::parse(text).unwrap();
        assert_eq!(reason.cause, Some(16));
        assert_eq!(reason.text.as_deref(), Some("Terminated; \"ok\""));
        assert_eq!(reason.to_string(), text);
        assert_eq!(Reason::parse("SIP").unwrap().cause, None);
        assert!(Reason::parse(";cause=1").is_err());
    }
}
