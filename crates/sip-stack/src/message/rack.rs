use std::fmt;

use super::{CSeq, Malformed, scan};

/// RAck: which reliable provisional response a PRACK acknowledges (RFC 3262 §7.2).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RAck {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The CSeq of the request it answered.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads the value.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (rseq, cseq) = scan::word(text);
        Ok(Self { rseq: scan::number(rseq)?, cseq: CSeq::parse(cseq)? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rack_names_the_response_and_its_request() {
        let rack = RAck::parse("776656 1  INVITE").unwrap();
        assert_eq!((rack.rseq, rack.cseq.seq), (776_656, 1));
        assert_eq!(rack.to_string(), "776656 1 INVITE");
        assert!(RAck::parse("1 INVITE").is_err());
    }
}
