//! "Did you mean": the nearest of the known words.

/// Longer words are not compared: nobody mistypes them by a letter.
const MAX_CHARS: usize = 64;

/// Returns the word nearest to `word`, if it is near enough to be meant.
pub fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word: Vec<char> = word.chars().take(MAX_CHARS + 1).collect();
    if word.len() > MAX_CHARS {
        return None;
    }
    let near = words.into_iter().filter_map(|known| {
        let chars: Vec<char> = known.chars().collect();
        let fits = chars.len() <= MAX_CHARS && word.len().abs_diff(chars.len()) <= 3;
        let apart = fits.then(|| distance(&word, &chars))?;
        (apart <= 1 + chars.len() / 4 && apart < chars.len()).then_some((apart, known))
    });
    near.min_by_key(|(apart, _)| *apart).map(|(_, known)| known)
}

/// Returns the one word that `word` must have been meant for: a letter or two away, every other
/// much further.
pub fn surely<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // In a short word two letters are another word.
    let may_be_apart = match word.chars().count() {
        0..=3 => return None,
        4..=6 => 1,
        _ => 2,
    };
    one_within(word, words, may_be_apart)
}

/// As [`surely`], where nothing but these words can have been meant: short ones may have one letter
/// wrong, too, and capitals do not count.
pub fn surely_one_of<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let words: Vec<&str> = words.into_iter().collect();
    let same = words.iter().find(|known| known.eq_ignore_ascii_case(word));
    let short = || match word.chars().count() {
        3 => one_within(word, words.iter().copied(), 1),
        _ => surely(word, words.iter().copied()),
    };
    same.copied().or_else(short)
}

/// The one word that is at most so far away, while every other is further by more than a letter.
fn one_within<'w>(
    word: &str,
    words: impl IntoIterator<Item = &'w str>,
    may_be_apart: usize,
) -> Option<&'w str> {
    let chars: Vec<char> = word.chars().take(MAX_CHARS + 1).collect();
    let mut by_distance: Vec<(usize, &str)> = words
        .into_iter()
        .filter(|known| known.len() <= MAX_CHARS)
        .map(|known| (distance(&chars, &known.chars().collect::<Vec<_>>()), known))
        .collect();
    by_distance.sort_unstable();
    by_distance.dedup();
    let (apart, near) = *by_distance.first()?;
    let next = by_distance.get(1).map_or(usize::MAX, |(apart, _)| *apart);
    (apart <= may_be_apart && next > apart + 1 && chars.len() <= MAX_CHARS).then_some(near)
}

/// Letters to change, add, remove or swap with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_nothing_else_is_sure() {
        let keys = ["tries", "timeout_ms", "no_input", "play", "press", "repeat_key"];
        for (word, meant) in [
            ("timeout_s", Some("timeout_ms")),
            ("no_imput", Some("no_input")),
            ("trys", None),
            ("tris", Some("tries")),
            ("plays", Some("play")),
            ("foo", None),
            ("repeat", None),
        ] {
            assert_eq!(surely(word, keys), meant, "{word}");
        }
        assert_eq!(surely("agent1", ["agents", "agent2", "night"]), None, "two are as near");
    }
}
