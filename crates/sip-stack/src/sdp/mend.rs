//! Makes readable what devices send instead of a session description.

/// Keeps the lines that negotiation needs, as far as they can be read, and gives an m-line
/// without formats one.
pub(super) fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len() + 8);
    // Once each, before the first m-line.
    let mut seen = Vec::new();
    let mut in_media = false;
    for line in text.lines().map(str::trim) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        let words = value.split_ascii_whitespace().count();
        let number = |word: usize| {
            value.split_ascii_whitespace().nth(word).is_some_and(|w| w.parse::<u64>().is_ok())
        };
        let usable = match kind {
            "v" | "s" => !in_media,
            "o" => !in_media && words == 6 && number(2),
            "t" => !in_media && words == 2 && number(0) && number(1),
            "c" => words == 3,
            "m" => words >= 3,
            "a" => !value.is_empty(),
            _ => false,
        };
        if !usable || line.contains('\0') {
            continue;
        }
        if matches!(kind, "v" | "s" | "o") || (kind == "c" && !in_media) {
            if seen.contains(&kind) {
                continue;
            }
            seen.push(kind);
        }
        in_media |= kind == "m";
        mended.push_str(line);
        if kind == "m" && words == 3 {
            mended.push_str(" 0");
        }
        mended.push_str("\r\n");
    }
    mended
}
