//! A source line as it may be shown: without the secrets in it, whatever the finding is about. It
//! goes by the look of the line, so that it also holds where the TOML is broken.

use std::ops::Range;

use super::nearest;

/// What stands for a secret.
const MASK: &str = "…";

/// A line with its secrets replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Masked {
    /// What may be shown.
    pub line: String,
    secrets: Vec<Range<usize>>,
}

impl Masked {
    /// Masks the values of secret keys and the passwords of addresses.
    pub fn new(line: &str) -> Self {
        let mut secrets = values(line);
        let apart = |a: &Range<usize>, b: &Range<usize>| a.end <= b.start || b.end <= a.start;
        for password in passwords(line) {
            if secrets.iter().all(|secret| apart(secret, &password)) {
                secrets.push(password);
            }
        }
        secrets.sort_by_key(|secret| secret.start);
        let mut shown = line.to_owned();
        for secret in secrets.iter().rev() {
            shown.replace_range(secret.clone(), MASK);
        }
        Self { line: shown, secrets }
    }

    /// Where the byte `at` of the line is in what is shown.
    pub fn place(&self, at: usize) -> usize {
        let mut shown = at;
        for secret in self.secrets.iter().rev() {
            if secret.end <= at {
                shown = shown + MASK.len() - secret.len();
            } else if secret.start < at {
                shown -= at - secret.start;
            }
        }
        shown
    }
}

/// The values of secret keys, but not the references `env:NAME` and `file:PATH`.
fn values(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut at, mut key) = (0, "");
    while let Some(next) = line[at..].chars().next() {
        match next {
            '"' | '\'' => {
                let (text, end) = quoted(line, at);
                (key, at) = (&line[text], end);
            }
            '=' if is_secret(key) => {
                at = line.len() - line[at + 1..].trim_start().len();
                let (value, end) = match line[at..].chars().next() {
                    Some('"' | '\'') => quoted(line, at),
                    // What stands in it has keys of its own.
                    Some('[' | '{') | None => continue,
                    Some(_) => (at..line.trim_end().len(), line.len()),
                };
                at = end;
                if !value.is_empty() && !is_reference(&line[value.clone()]) {
                    found.push(value);
                }
            }
            c if is_key_char(c) => {
                let end = line[at..].find(|c| !is_key_char(c)).map_or(line.len(), |n| at + n);
                (key, at) = (&line[at..end], end);
            }
            c => at += c.len_utf8(),
        }
    }
    found
}

/// The text in quotes at `at`, and where it ends; one that is not closed ends with the line.
fn quoted(line: &str, at: usize) -> (Range<usize>, usize) {
    let quotes = ["\"\"\"", "'''", "\"", "'"];
    let quote = quotes.into_iter().find(|quote| line[at..].starts_with(quote)).unwrap_or("\"");
    let start = at + quote.len();
    let mut escaped = false;
    for (n, c) in line[start..].char_indices() {
        if !escaped && line[start + n..].starts_with(quote) {
            return (start..start + n, start + n + quote.len());
        }
        escaped = !escaped && c == '\\' && quote.starts_with('"');
    }
    (start..line.len(), line.len())
}

/// The passwords of addresses such as `postgres://user:password@host`.
fn passwords(line: &str) -> impl Iterator<Item = Range<usize>> {
    line.match_indices("://").filter_map(|(at, found)| {
        let start = at + found.len();
        let end = line[start..].find(['"', '\'', ' ', '\t']).map_or(line.len(), |n| start + n);
        let user = &line[start..start + line[start..end].rfind('@')?];
        let colon = user.find(':')?;
        Some(start + colon + 1..start + user.len())
    })
}

/// Also when it is misspelled: an unknown key's value may be a secret all the same.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["secret", "password", "token"].iter().any(|word| key.contains(word))
        || ["number_key", "opt_out_key", "aead_key", "api_key"].contains(&key.as_str())
        || nearest(&key, ["secret", "password"]).is_some()
        // `then` is near to it, too.
        || (key.contains('k') && nearest(&key, ["token"]).is_some())
}

fn is_reference(value: &str) -> bool {
    ["env:", "file:"].iter().any(|kind| value.starts_with(kind))
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown_and_everything_else_is() {
        for (line, shown) in [
            (r#"secret = "hunter2""#, r#"secret = "…""#),
            (
                r#"  "secret"= 'hunter2' # old: token = "x""#,
                r#"  "secret"= '…' # old: token = "…""#,
            ),
            (
                r#"x = { kind = "a", secret = "hun\"ter2", urk = 1 }"#,
                r#"x = { kind = "a", secret = "…", urk = 1 }"#,
            ),
            (r#"provider.sms.auth_token="hunter2""#, r#"provider.sms.auth_token="…""#),
            (
                r#"tokens = [{ name = "a", secret = "h" }, { secret = "env:B" }]"#,
                r#"tokens = [{ name = "a", secret = "…" }, { secret = "env:B" }]"#,
            ),
            (r#"secret = "hunter2"#, r#"secret = "…"#),
            ("secret = hunter,2 # x", "secret = …"),
            (r#"secret = """hunter2"#, r#"secret = """…"#),
            (r#"secrte = "hunter2""#, r#"secrte = "…""#),
            (r#"tokn = "hunter2""#, r#"tokn = "…""#),
            (r#"number_key = "file:../var/a.key""#, r#"number_key = "file:../var/a.key""#),
            ("secret =", "secret ="),
            ("secret = \"\"", "secret = \"\""),
            (
                r#"url = "postgres://carom:hunter2@db/carom""#,
                r#"url = "postgres://carom:…@db/carom""#,
            ),
            (r#"url = "https://é:p@ss:w@h/" # é"#, r#"url = "https://é:…@h/" # é"#),
            (r#"url = "https://example.com/a?b=c""#, r#"url = "https://example.com/a?b=c""#),
        ] {
            assert_eq!(Masked::new(line).line, shown);
        }
        for key in ["then", "repeat_key", "operator_keys", "key", "account", "source", "sources"] {
            let line = format!("{key} = \"menu\"");
            assert_eq!(Masked::new(&line).line, line);
        }
    }

    #[test]
    fn a_place_in_the_line_is_found_again() {
        let line = r#"x = { token = "hunter2", secret = "é", kin = "b" }"#;
        let masked = Masked::new(line);
        for word in ["x", "token", "secret", "kin", "b"] {
            let (at, shown) = (line.find(word).unwrap(), masked.line.find(word).unwrap());
            assert_eq!(masked.place(at), shown, "{word}");
        }
        assert_eq!(masked.place(line.len()), masked.line.len());
        for at in (0..=line.len()).filter(|at| line.is_char_boundary(*at)) {
            assert!(masked.line.is_char_boundary(masked.place(at)), "{at}");
        }
    }
}
