//! DTMF keys from tones, RFC 4733 events and SIP INFO, merged into one stream.
