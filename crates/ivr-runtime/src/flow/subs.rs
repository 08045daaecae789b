//! `sub`: the steps of another file, put in the place of the step that names it.
//!
//! Step `verify` with `file = "pin.toml"` becomes a step that goes on to `verify.ask`, if `ask` is
//! where that file starts. Its places are those of that file: each file is read as if it stood
//! behind all those before it, so that one number tells file and place.

use std::borrow::Cow;

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::Shared;
use crate::diagnose::{self, Code, Finding, Notes, Problem, Span, Table, Takes, Text, nearest};

/// Sub-flows in sub-flows.
const DEEPEST: usize = 8;
/// Keys of a step whose value leads somewhere.
const GO_KEYS: [&str; 15] = [
    "then",
    "no_input",
    "wrong",
    "otherwise",
    "if_fails",
    "if_missing",
    "if_not_offered",
    "if_ambiguous",
    "if_opted_out",
    "if_limited",
    "if_busy",
    "if_no_answer",
    "if_timeout",
    "go",
    "offer",
];
/// Keys of a step that hold a table of such.
const GO_TABLES: [&str; 2] = ["press", "on"];
/// What a sub-flow's step goes on to outside begins with this.
const EXIT: &str = "exit:";

/// The sub-flow files that a flow may name.
#[derive(Debug)]
pub(super) struct Subs<'t> {
    files: Vec<File<'t>>,
}

#[derive(Debug)]
struct File<'t> {
    name: &'t str,
    text: &'t str,
    /// The text behind as many spaces as there are bytes before it.
    padded: String,
    /// How many that are.
    at: usize,
}

/// A step that names a file, to be replaced.
struct Caller {
    /// Its name in the whole flow.
    name: Text,
    /// The files that led to it.
    chain: Vec<String>,
}

/// What the steps of a sub-flow are read with.
struct Inside<'c, 'a> {
    /// `verify`.
    prefix: &'c str,
    steps: &'c [String],
    exits: &'c [(String, Text)],
    params: &'c [(String, Spanned<DeValue<'a>>)],
    notes: &'c Notes,
}

impl<'t> Subs<'t> {
    pub fn new(text: &str, shared: &'t Shared) -> Self {
        let mut at = text.len() + 1;
        let files = shared.sub_files.iter().map(|(name, text)| {
            let padded = " ".repeat(at) + text;
            let file = File { name, text, padded, at };
            at += text.len() + 1;
            file
        });
        Self { files: files.collect() }
    }

    /// The texts of the files, for the revision of the flow.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.text)
    }

    /// Problems as they are told, each of its file.
    pub fn findings(&self, problems: Vec<Problem>, file: &str, text: &str) -> Vec<Finding> {
        let mut own = Vec::new();
        let mut of_subs: Vec<Vec<Problem>> = vec![Vec::new(); self.files.len()];
        for mut problem in problems {
            match self.files.iter().rposition(|sub| sub.at <= problem.span.start) {
                None => own.push(problem),
                Some(index) => {
                    let at = self.files[index].at;
                    problem.span = problem.span.start - at..problem.span.end.saturating_sub(at);
                    // One file may stand in several places: none of them is mended for all.
                    problem.fix = None;
                    // … and be read several times.
                    if !of_subs[index].contains(&problem) {
                        of_subs[index].push(problem);
                    }
                }
            }
        }
        let mut findings = diagnose::findings(own, file, text);
        for (sub, problems) in self.files.iter().zip(of_subs) {
            findings.extend(diagnose::findings(problems, sub.name, sub.text));
        }
        findings
    }

    /// Puts the steps of sub-flows in place of those that name them.
    pub fn expand<'a>(&'a self, tree: &mut DeTable<'a>, notes: &Notes) {
        let mut open: Vec<Caller> =
            callers(tree).map(|name| Caller { name, chain: Vec::new() }).collect();
        while let Some(caller) = open.pop() {
            open.extend(self.expand_one(tree, caller, notes));
        }
    }

    /// Returns the steps that name files in their turn.
    fn expand_one<'a>(
        &'a self,
        tree: &mut DeTable<'a>,
        caller: Caller,
        notes: &Notes,
    ) -> Vec<Caller> {
        let Caller { name, chain } = caller;
        let Some(of_caller) = steps_mut(tree).and_then(|steps| steps.remove(name.value.as_str()))
        else {
            return Vec::new();
        };
        let span = of_caller.span();
        let mut start = "hangup".to_owned();
        let mut more = Vec::new();
        if let Some(call) = of_caller.get_ref().as_table() {
            let call = Call::read(&name, call, notes);
            if let Some(file) = call.file.as_ref().and_then(|file| self.find(file, &chain, notes)) {
                let sub = diagnose::tree(&file.padded, notes).into_inner();
                let chain = [chain, vec![file.name.to_owned()]].concat();
                if let Some((first, steps)) = inlined(&name, &call, sub, notes) {
                    start = first;
                    let nested = steps.iter().filter(|(_, step)| is_sub(step));
                    more = nested
                        .map(|(key, _)| {
                            let name = Text { value: key.get_ref().to_string(), span: key.span() };
                            Caller { name, chain: chain.clone() }
                        })
                        .collect();
                    if let Some(all) = steps_mut(tree) {
                        all.extend(steps);
                    }
                }
            }
        }
        if let Some(steps) = steps_mut(tree) {
            steps.insert(
                Spanned::new(name.span.clone(), Cow::Owned(name.value)),
                Spanned::new(span.clone(), goes_to(start, &span)),
            );
        }
        more
    }

    fn find(&self, file: &Text, chain: &[String], notes: &Notes) -> Option<&File<'t>> {
        if chain.contains(&file.value) || chain.len() >= DEEPEST {
            let message = format!("the sub-flow `{}` leads back to itself", file.value);
            let help = "let a step of the flow name it again instead";
            notes.note(Code::E05, file.span.clone(), message, help);
            return None;
        }
        let found = self.files.iter().find(|sub| sub.name == file.value);
        if found.is_none() {
            let help = match nearest(&file.value, self.files.iter().map(|sub| sub.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "it stands in the folder of the flow, and has a table `[sub]`".to_owned(),
            };
            let message = format!("there is no sub-flow file `{}`", file.value);
            notes.note(Code::E01, file.span.clone(), message, help);
        }
        found
    }
}

/// What the calling step says.
struct Call<'a> {
    file: Option<Text>,
    with: Vec<(String, Spanned<DeValue<'a>>)>,
    with_at: Span,
    on: Vec<(String, Text)>,
    on_at: Span,
}

impl<'a> Call<'a> {
    fn read(name: &Text, table: &DeTable<'a>, notes: &Notes) -> Self {
        let title = format!("`[step.{}]`", name.value);
        let table_read = Table::new(notes, title, table, name.span.clone());
        table_read.text("do");
        table_read.flag("fallback");
        let file = table_read.required_text("file");
        let (with_at, on_at) = (table_read.place("with"), table_read.place("on"));
        let mut with = Vec::new();
        if let Some(values) = table_read.table("with", "`with`") {
            for key in values.keys() {
                values.takes(key, Takes::Form("plain"));
                if let Some(value) = values.value(key).filter(|value| !is_plain(value.get_ref())) {
                    values.wrong_type(key, value, "a text, a number, true or false");
                }
            }
        }
        // Once more past the reader, for the values live as long as the tree.
        let values = table.get("with").and_then(|with| with.get_ref().as_table());
        for (key, value) in values.into_iter().flatten() {
            if is_plain(value.get_ref()) {
                with.push((key.get_ref().to_string(), value.clone()));
            }
        }
        let mut on = Vec::new();
        if let Some(exits) = table_read.table("on", "`on`") {
            for key in exits.keys() {
                on.extend(exits.text(key).map(|to| (key.to_owned(), to)));
            }
        }
        table_read.unknown_keys();
        Self { file, with, with_at, on, on_at }
    }
}

fn is_plain(value: &DeValue<'_>) -> bool {
    matches!(value, DeValue::String(_) | DeValue::Integer(_) | DeValue::Boolean(_))
}

type Steps<'a> = Vec<(Spanned<Cow<'a, str>>, Spanned<DeValue<'a>>)>;

/// The steps of a sub-flow under their names in the whole flow, and the first of them.
fn inlined<'a>(
    name: &Text,
    call: &Call<'a>,
    sub: DeTable<'a>,
    notes: &Notes,
) -> Option<(String, Steps<'a>)> {
    let head = head(&sub, call, notes)?;
    let table = Table::new(notes, "the file", &sub, name.span.clone());
    table.value("sub");
    let steps: Vec<String> = table.tables("step").into_iter().map(|(step, _)| step.value).collect();
    table.unknown_keys();
    if !steps.contains(&head.start.value) {
        let message = format!("there is no step `{}` in this file", head.start.value);
        notes.note(Code::E01, head.start.span, message, "");
        return None;
    }
    let inside =
        Inside { prefix: &name.value, steps: &steps, exits: &call.on, params: &call.with, notes };
    let start = inside.full(&head.start.value);
    let all = sub.get("step")?.get_ref().as_table()?.clone();
    let renamed = all.into_iter().map(|(key, mut step)| {
        inside.rewrite(&mut step, false);
        let full = inside.full(key.get_ref());
        (Spanned::new(key.span(), Cow::Owned(full)), step)
    });
    Some((start, renamed.collect()))
}

struct Head {
    start: Text,
}

/// `[sub]`, and whether the calling step gives what it wants.
fn head(sub: &DeTable<'_>, call: &Call<'_>, notes: &Notes) -> Option<Head> {
    let Some(table) = sub.get("sub").and_then(|head| head.get_ref().as_table()) else {
        let file = call.file.as_ref()?;
        let message = format!("`{}` is no sub-flow: it has no table `[sub]`", file.value);
        notes.note(Code::E00, file.span.clone(), message, "add `[sub]` with `start = …`");
        return None;
    };
    let span = sub.get("sub").map_or(0..0, Spanned::span);
    let table = Table::new(notes, "`[sub]`", table, span);
    let start = table.required_text("start");
    let texts = |key| table.texts(key).unwrap_or_default();
    let (params, exits) = (texts("params"), texts("exits"));
    table.unknown_keys();
    let given = call.with.iter().map(|(name, _)| name.as_str());
    compare("parameter", "with", &params, given, call.with_at.clone(), notes);
    let led = call.on.iter().map(|(name, _)| name.as_str());
    compare("exit", "on", &exits, led, call.on_at.clone(), notes);
    start.map(|start| Head { start })
}

/// Everything that the file names is given, and nothing else.
fn compare<'g>(
    what: &str,
    key: &str,
    named: &[Text],
    given: impl Iterator<Item = &'g str> + Clone,
    at: Span,
    notes: &Notes,
) {
    for name in named {
        if !given.clone().any(|one| one == name.value) {
            let message = format!("the {what} `{}` of the sub-flow is missing", name.value);
            notes.note(Code::E00, at.clone(), message, format!("add it to `{key}`"));
        }
    }
    for one in given {
        if !named.iter().any(|name| name.value == one) {
            let message = format!("the sub-flow has no {what} `{one}`");
            let known = named.iter().map(|name| name.value.as_str());
            let help =
                nearest(one, known).map_or(String::new(), |near| format!("did you mean `{near}`?"));
            notes.note(Code::E00, at.clone(), message, help);
        }
    }
}

impl<'a> Inside<'_, 'a> {
    fn full(&self, step: &str) -> String {
        format!("{}.{step}", self.prefix)
    }

    /// Fills in parameters and makes names those of the whole flow; `leads`: a text leads somewhere.
    fn rewrite(&self, value: &mut Spanned<DeValue<'a>>, leads: bool) {
        let span = value.span();
        match value.get_mut() {
            DeValue::String(text) => {
                let whole = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                let param = whole.and_then(|name| self.param(name));
                if let Some(param) = param {
                    *value.get_mut() = param.get_ref().clone();
                    return;
                }
                *text = Cow::Owned(self.filled(text));
                if leads {
                    *text = Cow::Owned(self.led(text, span));
                }
            }
            DeValue::Array(list) => list.iter_mut().for_each(|item| self.rewrite(item, leads)),
            DeValue::Table(table) => {
                for (key, inner) in table.iter_mut() {
                    let key = key.get_ref().as_ref();
                    let leads = leads || GO_KEYS.contains(&key) || GO_TABLES.contains(&key);
                    self.rewrite(inner, leads);
                }
            }
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }

    fn param(&self, name: &str) -> Option<&Spanned<DeValue<'a>>> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn filled(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in self.params {
            let value = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) => number.to_string(),
                DeValue::Boolean(flag) => flag.to_string(),
                _ => continue,
            };
            filled = filled.replace(&format!("{{{name}}}"), &value);
        }
        filled
    }

    /// Where a name of the sub-flow leads in the whole flow: a step of its own, an exit, or what
    /// the flow and the configuration have.
    fn led(&self, name: &str, span: Span) -> String {
        if let Some(exit) = name.strip_prefix(EXIT) {
            let to = self.exits.iter().find(|(known, _)| known == exit);
            if to.is_none() {
                let message = format!("nothing says where the exit `{exit}` leads");
                let help = "name it in `exits` of `[sub]`, and in `on` of the step that calls";
                self.notes.note(Code::E01, span, message, help);
            }
            return to.map_or_else(|| "hangup".to_owned(), |(_, to)| to.value.clone());
        }
        match self.steps.iter().any(|step| step == name) {
            true => self.full(name),
            false => name.to_owned(),
        }
    }
}

/// The steps that name a sub-flow.
fn callers(tree: &DeTable<'_>) -> impl Iterator<Item = Text> {
    let steps = tree.get("step").and_then(|steps| steps.get_ref().as_table());
    let subs = steps.into_iter().flatten().filter(|(_, step)| is_sub(step));
    subs.map(|(key, _)| Text { value: key.get_ref().to_string(), span: key.span() })
        .collect::<Vec<_>>()
        .into_iter()
}

fn is_sub(step: &Spanned<DeValue<'_>>) -> bool {
    let does = step.get_ref().as_table().and_then(|step| step.get("do"));
    does.and_then(|does| does.get_ref().as_str()) == Some("sub")
}

fn steps_mut<'t, 'a>(tree: &'t mut DeTable<'a>) -> Option<&'t mut DeTable<'a>> {
    match tree.get_mut("step")?.get_mut() {
        DeValue::Table(steps) => Some(steps),
        _ => None,
    }
}

/// A step that does nothing but go on.
fn goes_to<'a>(to: String, span: &Span) -> DeValue<'a> {
    let word = |text: String| Spanned::new(span.clone(), DeValue::String(Cow::Owned(text)));
    let mut table = DeTable::new();
    for (key, value) in [
        ("do", word("decide".to_owned())),
        ("case", Spanned::new(span.clone(), DeValue::Array(DeArray::new()))),
        ("otherwise", word(to)),
    ] {
        table.insert(Spanned::new(span.clone(), Cow::Borrowed(key)), value);
    }
    DeValue::Table(table)
}
