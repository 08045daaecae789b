//! Content lines (RFC 5545 §3.1).

/// A property of a component, unfolded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Of the file, from 1, where it begins.
    pub number: usize,
    /// In upper case.
    pub name: String,
    /// Names in upper case, values without quotes.
    pub params: Vec<(String, String)>,
    pub value: String,
}

impl Line {
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The lines of a file; an error is the number of one that has no colon.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, usize> {
    let mut unfolded: Vec<(usize, String)> = Vec::new();
    let numbered = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    for (number, line) in numbered.filter(|(_, line)| !line.is_empty()) {
        match (line.strip_prefix([' ', '\t']), unfolded.last_mut()) {
            (Some(more), Some((_, begun))) => begun.push_str(more),
            _ => unfolded.push((number, line.to_owned())),
        }
    }
    unfolded.iter().map(|(number, line)| read(*number, line).ok_or(*number)).collect()
}

fn read(number: usize, line: &str) -> Option<Line> {
    let (head, value) = split_once_unquoted(line, ':')?;
    let mut parts = Vec::new();
    let mut rest = head;
    while let Some((part, more)) = split_once_unquoted(rest, ';') {
        parts.push(part);
        rest = more;
    }
    parts.push(rest);
    let (name, params) = parts.split_first()?;
    let params = params.iter().filter_map(|param| {
        let (name, value) = param.split_once('=')?;
        Some((name.trim().to_ascii_uppercase(), value.trim_matches('"').to_owned()))
    });
    let params = params.collect();
    Some(Line {
        number,
        name: name.trim().to_ascii_uppercase(),
        params,
        value: value.trim().to_owned(),
    })
}

fn split_once_unquoted(text: &str, at: char) -> Option<(&str, &str)> {
    let mut quoted = false;
    let (found, _) = text.char_indices().find(|&(_, c)| {
        quoted ^= c == '"';
        c == at && !quoted
    })?;
    Some((&text[..found], &text[found + at.len_utf8()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kh_07_folded_lines_are_one_and_colons_in_quotes_part_nothing() {
        let text = "\u{feff}summary;X=\"a:b;c\";LANGUAGE=en:New\r\n  Year: 1\r\n\r\n\t January\r\n\
                    DTSTART:20260101\n";
        let lines = lines(text).unwrap();
        assert_eq!(lines.len(), 2);
        let [summary, start] = &lines[..] else { panic!() };
        assert_eq!((summary.number, summary.name.as_str()), (1, "SUMMARY"));
        assert_eq!(summary.value, "New Year: 1 January");
        assert_eq!((summary.param("X"), summary.param("LANGUAGE")), (Some("a:b;c"), Some("en")));
        assert_eq!((start.number, start.value.as_str()), (5, "20260101"));
        assert_eq!(super::lines("BEGIN:VCALENDAR\nnothing\n"), Err(2));
    }
}
