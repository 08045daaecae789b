//! `[sender.X]` and `[source.X]` that a flow file brings for itself (requirements §6.2).

use std::collections::BTreeMap;

use deflect_actions::text::Sender;
use ivr_runtime::{
    diagnose::{self, Code, Finding, Notes, Span, Text},
    flow::Shared,
};
use toml::de::DeTable;

use super::{Config, Source, costs, read::Table, sender, shared, source};

/// `sender` or `source`, and its name.
type Named = (&'static str, String);

/// What flows bring, read one flow after the other.
pub(super) struct Own<'a> {
    config: &'a Config,
    /// Where each name stands, as `FILE:LINE`.
    taken: BTreeMap<Named, String>,
    /// The senders of all flows.
    pub senders: Vec<Sender>,
    /// The sources of all flows.
    pub sources: Vec<Source>,
    /// A sender could not be read.
    pub is_without_some: bool,
    /// Those of `carom.toml` that could not be read.
    broken: Vec<String>,
}

impl<'a> Own<'a> {
    /// `file` and `text` are those of `config`.
    pub fn new(config: &'a Config, file: &str, text: &str) -> Self {
        let tree = diagnose::tree(text, &Notes::default());
        let mut taken = BTreeMap::new();
        for kind in ["sender", "source"] {
            let tables = tree.get_ref().get(kind).and_then(|tables| tables.get_ref().as_table());
            for name in tables.into_iter().flat_map(DeTable::keys) {
                let named = (kind, name.get_ref().to_string());
                taken.insert(named, place(file, text, &name.span()));
            }
        }
        let is_read = |(kind, name): &Named| match *kind {
            "sender" => config.senders.iter().any(|sender| sender.name == *name),
            _ => config.sources.iter().any(|source| source.name == *name),
        };
        let broken = taken.keys().filter(|named| !is_read(named)).map(|(_, name)| name.clone());
        let (broken, senders, sources) = (broken.collect(), Vec::new(), Vec::new());
        Self { config, taken, senders, sources, is_without_some: false, broken }
    }

    /// Reads what a flow file brings, which `shared` then has before what all flows have; returns
    /// what is wrong with it.
    pub fn read(&mut self, file: &str, text: &str, shared: &mut Shared) -> Vec<Finding> {
        let notes = Notes::default();
        let tree = diagnose::tree(text, &notes);
        if notes.has_errors() || tree.get_ref().contains_key("config_version") {
            // A damaged file, and one that is no flow, is told of where flows are read.
            return Vec::new();
        }
        let head = tree.get_ref().get("flow").and_then(|flow| flow.get_ref().as_table());
        let word = |key| Some(head?.get(key)?.get_ref().as_str()?.to_owned());
        let (flow, business) = (word("name").unwrap_or_default(), word("business"));
        let root = Table::root(&notes, tree.get_ref(), self.config.base());
        let mut taken = |kind, name: &Text| {
            let stands = self.taken.entry((kind, name.value.clone()));
            let first = stands.or_insert_with(|| place(file, text, &name.span));
            let is_taken = *first != place(file, text, &name.span);
            if is_taken {
                let message = format!("`[{kind}.{}]` stands in {first} already", name.value);
                let help = "give it another name, or leave it out";
                notes.note(Code::E01, name.span.clone(), message, help);
            }
            is_taken
        };

        let config = self.config;
        let mut broken = self.broken.clone();
        let providers: Vec<&str> = config.providers.iter().map(|one| one.name.as_str()).collect();
        let businesses: Vec<&str> = config.businesses.iter().map(|one| one.key.as_str()).collect();
        let mut senders = Vec::new();
        for (name, table) in root.tables("sender") {
            let is_taken = taken("sender", &name);
            let of = name.value.clone();
            let read = sender::read(name.value, &table, &providers, &config.providers, &businesses);
            if let Some(sender) = &read {
                costs::advise(&table, sender, &config.providers, &config.limits);
            }
            table.finish();
            self.is_without_some |= read.is_none();
            broken.extend(read.is_none().then(|| of.clone()));
            senders.extend(read.filter(|_| !is_taken).map(|read| Sender {
                flow: Some(flow.clone()),
                business: read.business.or_else(|| business.clone()),
                ..read
            }));
        }
        let of_config = config.targets.iter().map(|target| target.name.value.as_str());
        let targets: Vec<&str> = root.names_under("target").into_iter().chain(of_config).collect();
        let mut sources = Vec::new();
        for (name, table) in root.tables("source") {
            let is_taken = taken("source", &name);
            let of = name.value.clone();
            let read = source::read(name.value, &table, &targets);
            table.finish();
            broken.extend(read.is_none().then_some(of));
            let read = read.filter(|_| !is_taken);
            sources.extend(read.map(|read| Source { flow: Some(flow.clone()), ..read }));
        }
        shared.broken.extend(broken);
        shared
            .senders
            .splice(0..0, senders.iter().map(|it| shared::of_texts(it, &config.providers)));
        shared.sources.splice(0..0, sources.iter().map(|source| source.name.clone()));
        shared.signals.extend(sources.iter().filter_map(|source| source.kind.signal()));
        self.senders.extend(senders);
        self.sources.extend(sources);
        diagnose::findings(notes.into_problems(), file, text)
    }
}

fn place(file: &str, text: &str, span: &Span) -> String {
    let before = text.get(..span.start).unwrap_or("");
    format!("{file}:{}", before.matches('\n').count() + 1)
}
