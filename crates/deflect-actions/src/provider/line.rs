//! Kinds of lines, as providers name them, and whether texts reach them.

/// `None`: nobody can say of such a line.
pub(super) fn takes_texts(kind: &str) -> Option<bool> {
    let plain: String = kind.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.to_ascii_lowercase().as_str() {
        "mobile" | "nonfixedvoip" | "personal" | "personalnumber" => Some(true),
        "landline" | "fixedline" | "tollfree" | "premium" | "premiumrate" | "sharedcost"
        | "uan" | "voicemail" | "pager" => Some(false),
        // Some of these take texts, some do not.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_02_the_words_of_both_providers_are_understood_and_others_say_nothing() {
        for (kind, expected) in [
            // Twilio Lookup v2, `line_type_intelligence`.
            ("mobile", Some(true)),
            ("nonFixedVoip", Some(true)),
            ("landline", Some(false)),
            ("tollFree", Some(false)),
            ("fixedVoip", None),
            ("unknown", None),
            // Telnyx, `carrier.type`.
            ("fixed line", Some(false)),
            ("premium rate", Some(false)),
            ("fixed line or mobile", None),
            ("voip", None),
            ("", None),
        ] {
            assert_eq!(takes_texts(kind), expected, "{kind}");
        }
    }
}
