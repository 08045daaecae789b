//! A configuration with its flows and prompts: read, checked, bundled.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use deflect_actions::{
    hooks,
    store::FlowServed,
    text::{Sender, TextConfig},
};
use ivr_runtime::{
    diagnose::{self, Code, Finding, Notes, Severity},
    flow::{
        self, Shared,
        model::{Does, Flow},
    },
};

use super::{
    CheckReport, Config, Control, FlowSource, Prompts, Secret, SecretRef, Source, costs, countries,
    flow_files::{Served, load_files, load_folder, load_served},
    index::Index,
    own::Own,
    parse,
    read::Table,
    shared::shared,
    texts,
    voice::Voice,
};

/// The configuration that runs without `-c`, and its name in messages.
const BUILT_IN: (&str, &str) = ("the built-in configuration", include_str!("builtin.toml"));
/// Everything a call is served with. It never changes; a reload swaps in another.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// `carom.toml`.
    pub config: Config,
    /// The flows, in the order of their files' names.
    pub flows: Vec<Arc<Flow>>,
    /// Sends a call that no flow takes to `[fallback]`.
    pub no_flow: Arc<Flow>,
    /// Where each flow came from.
    pub sources: Vec<FlowSource>,
    /// The prompts.
    pub prompts: Arc<Prompts>,
    /// What texts are sent by.
    pub texts: Arc<TextConfig>,
    /// The secrets that flows name, by how they name them.
    pub secrets: BTreeMap<String, Secret>,
    /// Warnings.
    pub report: CheckReport,
}

impl Config {
    /// Loads `path`, its flows and prompts; without a path, the built-in configuration.
    ///
    /// # Errors
    /// Everything that is wrong, if anything is.
    pub fn load(path: Option<&Path>) -> Result<Snapshot, Box<CheckReport>> {
        let (snapshot, report) = check(path, &[]);
        snapshot.ok_or_else(|| Box::new(report))
    }

    /// Reads `path` alone, whatever its flows and prompts are like; without a path, the built-in
    /// configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn alone(path: Option<&Path>) -> Result<Self, Box<CheckReport>> {
        let mut report = CheckReport::default();
        let read = read(path, &mut report);
        match read.filter(|_| !report.has_errors()) {
            Some((config, ..)) => Ok(config),
            None => Err(Box::new(report)),
        }
    }

    /// The control socket that `path` names, or the built-in configuration. Nothing else of the
    /// file counts, so that a running node is reached however broken its files are by now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn control_socket(path: Option<&Path>) -> std::io::Result<PathBuf> {
        let text = path.map_or_else(|| Ok(BUILT_IN.1.to_owned()), fs::read_to_string)?;
        let base = path.and_then(Path::parent).unwrap_or(Path::new(""));
        Ok(Control::socket_in(&text, base))
    }

    /// The folder of prompts of the configuration `path`, there or not. As with
    /// [`Config::control_socket`], nothing else of the file counts.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn prompts_folder(path: &Path) -> std::io::Result<PathBuf> {
        folder(path, "prompts")
    }

    /// The folder of flows of the configuration `path`, there or not; likewise.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn flows_folder(path: &Path) -> std::io::Result<PathBuf> {
        folder(path, "flows")
    }
}

/// The folder that `path` names under this key, or has by this name.
fn folder(path: &Path, key: &str) -> std::io::Result<PathBuf> {
    let text = fs::read_to_string(path)?;
    let tree = diagnose::tree(&text, &Notes::default());
    let named = tree.get_ref().get(key).and_then(|folder| folder.get_ref().as_str());
    Ok(path.parent().unwrap_or(Path::new("")).join(named.unwrap_or(key)))
}

impl Snapshot {
    /// The flow that takes calls to `called`; [`Snapshot::no_flow`] where none does.
    pub fn flow_for(&self, called: &str) -> &Arc<Flow> {
        flow::select(&self.flows, called).unwrap_or(&self.no_flow)
    }

    /// The source whose waiting times callers of a flow are told of where nothing names one: the
    /// flow's first, else the first of all flows.
    pub fn source_of(&self, flow: &Flow) -> Option<&Source> {
        let mut sources = self.config.sources.iter();
        let own = sources.clone().find(|source| source.flow.as_ref() == Some(&flow.name));
        own.or_else(|| sources.find(|source| source.flow.is_none()))
    }
}

/// Checks a configuration, and `flows` in place of those in its folder where there are any.
pub fn check(path: Option<&Path>, flows: &[PathBuf]) -> (Option<Snapshot>, CheckReport) {
    check_with(path, |config, shared, index, own, report| match flows {
        [] => load_folder(config.flows_dir.as_deref(), shared, index, own, report),
        files => load_files(files, shared, index, own, report),
    })
}

/// Checks a configuration with one flow as it was served once.
pub fn check_served(path: Option<&Path>, flow: &FlowServed) -> (Option<Snapshot>, CheckReport) {
    check_with(path, |_, shared, index, own, report| load_served(flow, shared, index, own, report))
}

/// Checks a configuration, and the flows that `load` reads.
fn check_with(
    path: Option<&Path>,
    load: impl FnOnce(&Config, &Shared, &Index<'_>, &mut Own<'_>, &mut CheckReport) -> Vec<Served>,
) -> (Option<Snapshot>, CheckReport) {
    let mut report = CheckReport::default();
    let Some((config, name, text)) = read(path, &mut report) else { return (None, report) };
    let base = path.and_then(Path::parent).unwrap_or(Path::new(""));

    // A folder that is not there was told of where the file names it.
    let prompts_dir = config.prompts_dir.as_deref().filter(|dir| dir.is_dir());
    let (mut prompts, faults) = Prompts::load(prompts_dir);
    for fault in faults {
        report.findings.push(unreadable(&fault.path, Code::E07, &fault.cause.to_string()));
    }
    let shared = shared(&config);
    let index = Index { prompts: &prompts, voice: Voice::new(&config.tts) };
    let mut own = Own::new(&config, &name, &text);
    let served = load(&config, &shared, &index, &mut own, &mut report);
    let Own { senders, sources, is_without_some, .. } = own;
    if !is_without_some {
        report.findings.extend(of_all_senders(&config, &senders, &name, &text));
    }
    for (language, text, wav) in index.voice.into_spoken() {
        prompts.add_spoken(&language, &text, &wav);
    }
    if !report.has_errors() {
        let flows: Vec<&Flow> = served.iter().map(|(flow, _)| &**flow).collect();
        report.findings.extend(lost_ways(&config, &flows, &name, &text));
    }
    let secrets = secrets(&served, base, &mut report);
    let no_flow = no_flow(&config, &shared, &name, &text, &mut report);
    let config = with_own(config, senders, sources);
    if report.has_errors() {
        return (None, report);
    }
    let Some(no_flow) = no_flow else { return (None, report) };
    let (flows, sources): (Vec<_>, _) = served.into_iter().unzip();
    for language in flows.iter().chain([&no_flow]).flat_map(|flow: &Arc<Flow>| &flow.languages) {
        prompts.set.make(language);
    }
    let (prompts, texts) = (Arc::new(prompts), Arc::new(texts::config(&config, &flows)));
    let report_kept = report.clone();
    let snapshot =
        Snapshot { config, flows, no_flow, sources, prompts, texts, secrets, report: report_kept };
    (Some(snapshot), report)
}

/// What only all senders together tell: those of `carom.toml`, and what flows bring.
pub(super) fn of_all_senders(
    config: &Config,
    own: &[Sender],
    name: &str,
    text: &str,
) -> Vec<Finding> {
    let notes = Notes::default();
    let tree = diagnose::tree(text, &notes);
    let root = Table::root(&notes, tree.get_ref(), config.base());
    let senders: Vec<Sender> = config.senders.iter().chain(own).cloned().collect();
    // One that could not be read is told of already, and may be what is missed.
    if root.names_under("sender").len() == config.senders.len() {
        countries::refuse_without_sender(&root, &senders, &config.trunks);
    }
    costs::warn(&root, &senders, &config.providers, &config.limits);
    for (name, table) in root.tables("sender") {
        if let Some(sender) = config.senders.iter().find(|sender| sender.name == name.value) {
            costs::advise(&table, sender, &config.providers, &config.limits);
        }
    }
    drop(root);
    diagnose::findings(notes.into_problems(), name, text)
}

/// What flows bring stands behind what all of them have.
fn with_own(mut config: Config, senders: Vec<Sender>, sources: Vec<Source>) -> Config {
    config.senders.extend(senders);
    config.sources.extend(sources);
    config
}

/// Reads `carom.toml` with its name and text, as far as anything can run with it.
fn read(path: Option<&Path>, report: &mut CheckReport) -> Option<(Config, String, String)> {
    let (name, text) = match path.map(|path| (path, fs::read_to_string(path))) {
        None => (BUILT_IN.0.to_owned(), BUILT_IN.1.to_owned()),
        Some((path, Ok(text))) => (path.display().to_string(), text),
        Some((path, Err(why))) => {
            let why = format!("the configuration {} can't be read: {why}", path.display());
            report.findings.push(unreadable(path, Code::E00, &why));
            return None;
        }
    };
    let base = path.and_then(Path::parent).unwrap_or(Path::new(""));
    let (config, problems) = parse::text(&text, path, base);
    report.add(&name, &text, diagnose::findings(problems, &name, &text));
    Some((config?, name, text))
}

/// Reads the secrets that flows name; files are found from the configuration's folder.
fn secrets(served: &[Served], base: &Path, report: &mut CheckReport) -> BTreeMap<String, Secret> {
    let mut secrets = BTreeMap::new();
    for (flow, source) in served {
        let of_steps = flow.steps.iter().filter_map(|step| step.does.request()?.token.as_ref());
        let of_links = flow.links.iter().filter_map(|link| link.secret.as_ref());
        let of_callbacks = flow.steps.iter().filter_map(|step| match &step.does {
            Does::Callback(callback) => Some(&callback.deliver.as_ref()?.secret),
            _ => None,
        });
        let signs: Vec<&String> = of_callbacks.clone().collect();
        for named in of_steps.chain(of_links).chain(of_callbacks) {
            let resolved = SecretRef::parse(named, base).and_then(|reference| reference.resolve());
            let usable = resolved.map_err(|why| why.to_string()).and_then(|secret| {
                match signs.contains(&named) && hooks::key(secret.reveal()).is_err() {
                    true => Err("what follows `whsec_` is no base64".to_owned()),
                    false => Ok(secret),
                }
            });
            match usable {
                Ok(secret) => {
                    secrets.insert(named.clone(), secret);
                }
                Err(why) => {
                    let at = source.text.find(named.as_str()).unwrap_or(0);
                    let notes = Notes::default();
                    notes.note(Code::E13, at..at + named.len(), why, "");
                    let file = source.file.display().to_string();
                    let found = diagnose::findings(notes.into_problems(), &file, &source.text);
                    report.add(&file, &source.text, found);
                }
            }
        }
    }
    secrets
}

/// Ways out of shared targets that lead nowhere in any flow.
fn lost_ways(config: &Config, flows: &[&Flow], name: &str, text: &str) -> Vec<Finding> {
    let notes = Notes::default();
    let steps = || flows.iter().flat_map(|flow| &flow.steps).map(|step| step.name.as_str());
    let targets = || config.targets.iter().map(|target| target.name.value.as_str());
    let known = || steps().chain(targets()).chain(["hangup"]);
    for target in &config.targets {
        let ways = [&target.if_busy, &target.if_no_answer, &target.if_fails, &target.when_closed];
        for way in ways.into_iter().flatten() {
            if known().any(|known| known == way.value) {
                continue;
            }
            let message = format!("`{}` is no step of any flow, and no target here", way.value);
            let help = diagnose::nearest(&way.value, known())
                .map_or_else(String::new, |near| format!("did you mean `{near}`?"));
            notes.note(Code::E01, way.span.clone(), message, help);
        }
    }
    diagnose::findings(notes.into_problems(), name, text)
}

/// The way of a call that no flow takes: straight to `[fallback]`, unanswered.
fn no_flow(
    config: &Config,
    shared: &Shared,
    name: &str,
    text: &str,
    report: &mut CheckReport,
) -> Option<Arc<Flow>> {
    let target = &config.fallback;
    // Nobody knows whom it is for; it texts nobody, so that the first business will do.
    let business = config.businesses.first().map(|business| business.key.as_str());
    let business = business.map_or_else(String::new, |key| format!("business = {key:?}\n"));
    let flow_text = format!(
        "version = 1\n[flow]\nname = \"no flow\"\ndefault = true\nstart = \"forward\"\n\
         human = {target:?}\n{business}[step.forward]\ndo = \"set\"\nthen = {target:?}\n"
    );
    let checked = flow::load(&flow_text, name, shared, &flow::AnyPrompt);
    for fault in checked.findings.iter().filter(|f| f.severity == Severity::Error) {
        let at = text.find("[fallback]").unwrap_or(0);
        let notes = Notes::default();
        let message = format!("the fallback must work without any flow: {}", fault.message);
        notes.note(fault.code, at..at + "[fallback]".len(), message, fault.help.as_str());
        report.findings.extend(diagnose::findings(notes.into_problems(), name, text));
    }
    checked.flow.map(Arc::new)
}

pub(super) fn unreadable(path: &Path, code: Code, why: &str) -> Finding {
    Finding {
        code,
        severity: code.severity(),
        file: path.display().to_string(),
        line: 1,
        column: 1,
        span: 0..0,
        message: why.to_owned(),
        help: String::new(),
        fix: None,
        more: Vec::new(),
    }
}
