use std::fmt;

use serde::{Deserialize, Serialize};

/// The table of known names: variant, full form, compact form.
macro_rules! names {
    ($($variant:ident $full:literal $($compact:literal)?;)*) => {
        /// A header name (RFC 3261 §7.3.1); compact forms (§7.3.3) are the same name.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "each variant is the header of its name")]
        pub enum HeaderName {
            $($variant,)*
            /// A name this stack has no use for; compared without case.
            Other(Box<str>),
        }

        impl HeaderName {
            /// Returns the full spelling, as this stack writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $full,)*
                    Self::Other(name) => name,
                }
            }

            /// Returns the known name of this spelling, full or compact, in any case.
            pub(crate) fn known(spelling: &str) -> Option<Self> {
                // Compared only where length and first letter fit: a message has many lines.
                let first = spelling.bytes().next()?.to_ascii_lowercase();
                let shape = (spelling.len(), first);
                $(
                    if shape == ($full.len(), $full.as_bytes()[0].to_ascii_lowercase())
                        && spelling.eq_ignore_ascii_case($full)
                        $(|| shape == (1, $compact.as_bytes()[0]))?
                    {
                        return Some(Self::$variant);
                    }
                )*
                None
            }
        }
    };
}

names! {
    Via "Via" "v";
    From "From" "f";
    To "To" "t";
    CallId "Call-ID" "i";
    CSeq "CSeq";
    MaxForwards "Max-Forwards";
    Contact "Contact" "m";
    ContentLength "Content-Length" "l";
    ContentType "Content-Type" "c";
    Route "Route";
    RecordRoute "Record-Route";
    Accept "Accept";
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" "u";
    Authorization "Authorization";
    CallInfo "Call-Info";
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" "e";
    Date "Date";
    Diversion "Diversion";
    Event "Event" "o";
    Expires "Expires";
    HistoryInfo "History-Info";
    Identity "Identity" "y";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    PAssertedIdentity "P-Asserted-Identity";
    PCalledPartyId "P-Called-Party-ID";
    PPreferredIdentity "P-Preferred-Identity";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    RSeq "RSeq";
    Reason "Reason";
    ReferTo "Refer-To" "r";
    ReferredBy "Referred-By" "b";
    RemotePartyId "Remote-Party-ID";
    Replaces "Replaces";
    Require "Require";
    ResourcePriority "Resource-Priority";
    RetryAfter "Retry-After";
    Server "Server";
    SessionExpires "Session-Expires" "x";
    Subject "Subject" "s";
    SubscriptionState "Subscription-State";
    Supported "Supported" "k";
    Timestamp "Timestamp";
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    UserToUser "User-to-User";
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
    XCaromCall "X-Carom-Call";
    XCaromContext "X-Carom-Context";
}

impl HeaderName {
    /// Returns the name of this spelling.
    pub fn from_token(spelling: &str) -> Self {
        Self::known(spelling).unwrap_or_else(|| Self::Other(spelling.into()))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(a), Self::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName {}

impl From<&str> for HeaderName {
    fn from(spelling: &str) -> Self {
        Self::from_token(spelling)
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_and_full_names_are_the_same_in_any_case() {
        for (full, compact) in [("call-id", "I"), ("VIA", "v"), ("Content-Length", "L")] {
            assert_eq!(HeaderName::from_token(full), HeaderName::from_token(compact));
        }
        assert_eq!(HeaderName::from("X-a"), HeaderName::from("x-A"));
        assert_ne!(HeaderName::from("X-a"), HeaderName::from("Via"));
    }
}
