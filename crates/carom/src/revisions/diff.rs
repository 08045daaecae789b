//! How two revisions of a flow differ, line by line.

use std::{collections::BTreeSet, path::Path};

use deflect_actions::store::FlowServed;
use similar::{ChangeTag, TextDiff};

/// Lines around a change.
const CONTEXT: usize = 3;

/// How much changed, in lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that came.
    pub added: usize,
    /// Lines that went.
    pub removed: usize,
}

/// Counts the lines that differ, those of sub-flow files too.
#[must_use]
pub fn counts(old: &FlowServed, new: &FlowServed) -> Counts {
    let mut counts = Counts::default();
    for (_, old, new) in pairs(old, new) {
        for change in TextDiff::from_lines(old, new).iter_all_changes() {
            match change.tag() {
                ChangeTag::Insert => counts.added += 1,
                ChangeTag::Delete => counts.removed += 1,
                ChangeTag::Equal => {}
            }
        }
    }
    counts
}

/// The differences as a unified diff of each file, as `patch` takes it; empty where there are
/// none. `old_name` and `new_name` stand behind the names of the files.
#[must_use]
pub fn unified(old: &FlowServed, new: &FlowServed, old_name: &str, new_name: &str) -> String {
    let of_file = |(file, old, new): (String, &str, &str)| {
        let diff = TextDiff::from_lines(old, new);
        let (old_name, new_name) = (format!("{file}\t{old_name}"), format!("{file}\t{new_name}"));
        diff.unified_diff().context_radius(CONTEXT).header(&old_name, &new_name).to_string()
    };
    pairs(old, new).filter(|(_, old, new)| old != new).map(of_file).collect()
}

/// The files of two revisions with both texts; a file that one of them lacks is empty there.
fn pairs<'a>(
    old: &'a FlowServed,
    new: &'a FlowServed,
) -> impl Iterator<Item = (String, &'a str, &'a str)> {
    let name = |served: &FlowServed| {
        let file = Path::new(&served.file).file_name();
        file.map(|file| file.to_string_lossy().into_owned())
    };
    let main = name(new).or_else(|| name(old)).unwrap_or_else(|| new.flow.clone());
    let subs: BTreeSet<&String> = old.subs.keys().chain(new.subs.keys()).collect();
    let of_sub = move |name: &'a String| {
        let text = |served: &'a FlowServed| served.subs.get(name).map_or("", String::as_str);
        (name.clone(), text(old), text(new))
    };
    [(main, &*old.source, &*new.source)].into_iter().chain(subs.into_iter().map(of_sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(source: &str, pin: Option<&str>) -> FlowServed {
        FlowServed {
            rev: String::new(),
            flow: "Main".into(),
            file: "flows/main.toml".into(),
            source: source.into(),
            subs: pin.map(|pin| ("pin.toml".to_owned(), pin.to_owned())).into_iter().collect(),
        }
    }

    #[test]
    fn differences_are_told_by_file_and_counted_in_lines() {
        let old = served("a\nb\nc\n", Some("1\n"));
        let new = served("a\nB\nc\nd\n", None);
        assert_eq!(counts(&old, &new), Counts { added: 2, removed: 2 });
        assert_eq!(counts(&old, &old), Counts::default());
        assert_eq!(unified(&new, &new, "x", "y"), "");
        assert_eq!(
            unified(&old, &new, "r1", "r2"),
            "--- main.toml\tr1\n+++ main.toml\tr2\n@@ -1,3 +1,4 @@\n a\n-b\n+B\n c\n+d\n\
             --- pin.toml\tr1\n+++ pin.toml\tr2\n@@ -1 +0,0 @@\n-1\n"
        );
    }
}
