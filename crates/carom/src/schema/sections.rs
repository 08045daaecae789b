//! The tables of the files, and how their readers are shown them.

use std::collections::BTreeMap;

use ivr_runtime::{
    diagnose::{Asked, Takes},
    flow::{self, Shared},
};

use super::learn::{Learned, learn};
use crate::config;

/// How often a table stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `[flow]`.
    One,
    /// `[step.X]`.
    Named,
    /// `[[trunk]]`.
    Listed,
}

/// A table of a file.
#[derive(Debug)]
pub(super) struct Section {
    /// As in the file.
    pub name: &'static str,
    /// As in the documents.
    pub title: &'static str,
    /// One, or several.
    pub form: Form,
    /// Where its keys are.
    pub path: &'static [&'static str],
    /// The key that says which of several kinds it is.
    pub kind: Option<&'static str>,
    /// The kind of a table without that key.
    pub usual_kind: Option<&'static str>,
    /// Keys without which others are not looked at.
    heads: &'static [&'static str],
    /// Whether keys exclude each other.
    one_by_one: bool,
    file: File,
}

#[derive(Debug, Clone, Copy)]
enum File {
    Flow,
    Config,
}

const fn section(
    file: File,
    name: &'static str,
    title: &'static str,
    form: Form,
    path: &'static [&'static str],
) -> Section {
    Section {
        name,
        title,
        form,
        path,
        kind: None,
        usual_kind: None,
        heads: &[""],
        one_by_one: false,
        file,
    }
}

const fn of_kinds(section: Section, kind: &'static str) -> Section {
    Section { kind: Some(kind), ..section }
}

const fn in_flow(
    name: &'static str,
    title: &'static str,
    path: &'static [&'static str],
) -> Section {
    section(File::Flow, name, title, Form::Named, path)
}

const fn in_config(
    name: &'static str,
    title: &'static str,
    form: Form,
    path: &'static [&'static str],
) -> Section {
    section(File::Config, name, title, form, path)
}

/// The same in both kinds of files.
const SENDER: Section =
    in_config("sender", "[sender.X]", Form::Named, &["the file", "sender", "x"]);
const SOURCE: Section =
    of_kinds(in_config("source", "[source.X]", Form::Named, &["the file", "source", "x"]), "kind");

/// Tables of flow files.
pub(super) const FLOW: &[Section] = &[
    section(File::Flow, "flow", "[flow]", Form::One, &["the file", "flow"]),
    of_kinds(in_flow("step", "", &["the file", "step", "x"]), "do"),
    Section {
        usual_kind: Some("static"),
        ..of_kinds(in_flow("link", "[link.X]", &["the file", "link", "x"]), "kind")
    },
    Section {
        heads: &["", "field = \"x\"", "header = \"X-Y\"", "wait_over_seconds = 1"],
        one_by_one: true,
        ..in_flow("rule", "[rule.X] (one fact, or any_of/not)", &["the file", "rule", "x"])
    },
    in_flow("target", "[target.X]", &["the file", "target", "x"]),
    in_flow("hours", "[hours.X]", &["the file", "hours", "x"]),
    SENDER,
    SOURCE,
    in_flow("after_call", "[after_call.X]", &["the file", "after_call", "x"]),
];

/// Tables of `carom.toml`.
pub(super) const CONFIG: &[Section] = &[
    in_config("listener", "[[listener]]", Form::Listed, &["the file", "listener", "[]"]),
    in_config("trunk", "[[trunk]]", Form::Listed, &["the file", "trunk", "[]"]),
    in_config("media", "[media]", Form::One, &["the file", "media"]),
    in_config("fallback", "[fallback]", Form::One, &["the file", "fallback"]),
    in_config("target", "[target.X]", Form::Named, &["the file", "target", "x"]),
    in_config("hours", "[hours.X]", Form::Named, &["the file", "hours", "x"]),
    in_config("business", "[business.X]", Form::Named, &["the file", "business", "x"]),
    in_config("entry", "[entry.X]", Form::Named, &["the file", "entry", "x"]),
    SOURCE,
    in_config("system", "[system.X]", Form::Named, &["the file", "system", "x"]),
    Section {
        heads: &["", "signature = \"token\""],
        ..of_kinds(
            in_config("provider", "[provider.X]", Form::Named, &["the file", "provider", "x"]),
            "kind",
        )
    },
    SENDER,
    in_config("store", "[store]", Form::One, &["the file", "store"]),
    in_config("http", "[http]", Form::One, &["the file", "http"]),
    in_config("control", "[control]", Form::One, &["the file", "control"]),
    in_config("limits", "[limits]", Form::One, &["the file", "limits"]),
    in_config("privacy", "[privacy]", Form::One, &["the file", "privacy"]),
];

impl Section {
    fn header(&self) -> String {
        match self.form {
            Form::One => format!("[{}]", self.name),
            Form::Named => format!("[{}.x]", self.name),
            Form::Listed => format!("[[{}]]", self.name),
        }
    }

    fn ask(&self, text: &str) -> Vec<Asked> {
        match self.file {
            // The other tables are read after `[flow]` only.
            File::Flow if self.name == "flow" => flow::asked(text, &Shared::default()),
            File::Flow => flow::asked(&format!("[flow]\n{text}"), &Shared::default()),
            File::Config => config::asked(text),
        }
    }

    fn learned(&self, kind: Option<&str>) -> Learned {
        let mut all = Learned::default();
        for head in self.heads {
            let kind_line = match (self.kind, kind) {
                (Some(key), Some(kind)) => format!("{key} = {kind:?}"),
                _ => String::new(),
            };
            let ask =
                |keys: &str| self.ask(&format!("{}\n{kind_line}\n{head}\n{keys}\n", self.header()));
            let of_head = head.split(' ').next().filter(|key| !key.is_empty());
            let given: Vec<&str> = self.kind.into_iter().chain(of_head).collect();
            all.merge(learn(&ask, self.path, &given, self.one_by_one));
        }
        all
    }
}

/// What a section takes; several where it has kinds.
pub(super) fn learned(section: &Section) -> BTreeMap<Option<String>, Learned> {
    let Some(key) = section.kind else {
        return BTreeMap::from([(None, section.learned(None))]);
    };
    let any = section.ask(&format!("{}\n{key} = \"\"\n", section.header()));
    let mut of_any = Learned::default();
    of_any.add(any);
    let takes = of_any.at(section.path).and_then(|facts| facts.takes.get(key));
    let words = takes.into_iter().flatten().find_map(|takes| match takes {
        Takes::Words(words) => Some(words.clone()),
        _ => None,
    });
    let kinds = words.unwrap_or_default().into_iter();
    kinds.map(|kind| (Some(kind.clone()), section.learned(Some(&kind)))).collect()
}

/// Keys of `carom.toml` that stand in no table.
pub(super) fn top_of_config() -> Learned {
    let scalars = |keys: &str| {
        // Tables have sections of their own.
        let lines = keys.lines().filter(|line| {
            let key = line.split(' ').next().unwrap_or_default().trim_matches('"');
            !CONFIG.iter().any(|section| section.name == key)
        });
        config::asked(&lines.collect::<Vec<_>>().join("\n"))
    };
    learn(&scalars, &["the file"], &[], false)
}

/// A step that takes steps from a file.
pub(super) fn call_of_sub() -> Learned {
    let ask = |keys: &str| {
        let text = format!("[flow]\n[step.x]\ndo = \"sub\"\n{keys}\n");
        flow::asked(&text, &Shared::default())
    };
    learn(&ask, &["`[step.x]`"], &["do"], false)
}

/// `[sub]` of such a file.
pub(super) fn head_of_sub() -> Learned {
    let ask = |keys: &str| {
        let file = ("x.toml".to_owned(), format!("[sub]\n{keys}\n"));
        let shared = Shared { sub_files: [file].into(), ..Shared::default() };
        flow::asked("[flow]\n[step.x]\ndo = \"sub\"\nfile = \"x.toml\"\n", &shared)
    };
    learn(&ask, &["`[sub]`"], &[], false)
}
