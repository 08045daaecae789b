//! E.164 numbers, GSM-7 and UCS-2 segments, message templates.
