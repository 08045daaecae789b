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
