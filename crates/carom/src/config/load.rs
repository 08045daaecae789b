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
    CallerId, CheckReport, Config, Control, Prompts, ProviderKind, Secret, SecretRef, Source,
    index::Index, own::Own, parse, texts, voice::Voice,
};

/// The configuration that runs without `-c`, and its name in messages.
const BUILT_IN: (&str, &str) = ("the built-in configuration", include_str!("builtin.toml"));
/// The flow that runs without a folder of flows.
const SAMPLE: (&str, &str) =
    ("the built-in flow", include_str!("../../../../config/flows/main.toml"));

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

/// The text of a flow, for the record of what was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowSource {
    /// Hash of the text.
    pub rev: String,
    /// Name of the flow.
    pub name: String,
    /// The file it was read from.
    pub file: PathBuf,
    /// The text itself.
    pub text: Arc<str>,
    /// The sub-flow files that it names, and those that they name, by the name written there.
    pub subs: BTreeMap<String, String>,
}

impl FlowSource {
    /// The flow as the store records it.
    #[must_use]
    pub fn served(&self) -> FlowServed {
        FlowServed {
            rev: self.rev.clone(),
            flow: self.name.clone(),
            file: self.file.display().to_string(),
            source: self.text.to_string(),
            subs: self.subs.clone(),
        }
    }
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
        let text = fs::read_to_string(path)?;
        let tree = diagnose::tree(&text, &Notes::default());
        let named = tree.get_ref().get("prompts").and_then(|folder| folder.get_ref().as_str());
        Ok(path.parent().unwrap_or(Path::new("")).join(named.unwrap_or("prompts")))
    }
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
    let served = match flows {
        [] => load_folder(config.flows_dir.as_deref(), &shared, &index, &mut own, &mut report),
        files => load_files(files, &shared, &index, &mut own, &mut report),
    };
    let Own { senders, sources, .. } = own;
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
            report.findings.push(unreadable(path, Code::E00, &why.to_string()));
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

/// What the flows are told of `carom.toml`.
fn shared(config: &Config) -> Shared {
    let senders = config.senders.iter().map(of_texts);
    let businesses = config.businesses.iter().map(|business| flow::Business {
        key: business.key.clone(),
        brand: business.brand.clone(),
    });
    Shared {
        targets: config.targets.clone(),
        hours: config.hours.clone(),
        senders: senders.collect(),
        sources: config.sources.iter().map(|source| source.name.clone()).collect(),
        systems: config.systems.iter().map(of_requests).collect(),
        signals: config.sources.iter().filter_map(|source| source.kind.signal()).collect(),
        providers: config.providers.iter().map(of_links).collect(),
        public_url: config.http.public_url.clone(),
        businesses: businesses.collect(),
        fallback: Some(config.fallback.clone()),
        calls_back: config.trunks.iter().any(|trunk| trunk.outbound.is_some()),
        confirms: config.trunks.iter().any(|trunk| trunk.caller_id == CallerId::Confirm),
        sockets: config.listeners.iter().map(super::Listener::socket).collect(),
        countries: config.limits.countries.clone(),
        sub_files: BTreeMap::new(),
        holiday_files: BTreeMap::new(),
    }
}

/// A sender as texts name it.
pub(super) fn of_texts(sender: &Sender) -> flow::Sender {
    flow::Sender {
        name: sender.name.clone(),
        from: sender.from.clone(),
        regions: sender.regions.clone(),
        channel: sender.channel.as_str().to_owned(),
        media: sender.media,
        business: sender.business.clone(),
    }
}

/// A system as lookups and actions name it.
fn of_requests(named: &super::NamedSystem) -> flow::System {
    flow::System {
        name: named.name.clone(),
        url: named.url.clone(),
        has_tokens: named.system.has_tokens(),
    }
}

/// A provider as links name it.
fn of_links(provider: &super::Provider) -> (String, String) {
    let kind = match provider.kind {
        ProviderKind::Liveperson { .. } => "liveperson",
        ProviderKind::Khoros { .. } => "khoros",
        // The others carry texts.
        _ => "",
    };
    (provider.name.clone(), kind.to_owned())
}

type Served = (Arc<Flow>, FlowSource);

fn load_folder(
    folder: Option<&Path>,
    shared: &Shared,
    prompts: &Index<'_>,
    own: &mut Own<'_>,
    report: &mut CheckReport,
) -> Vec<Served> {
    let Some(folder) = folder else {
        let (name, text) = SAMPLE;
        return load_flow(Path::new(name), text, shared, prompts, own, report)
            .into_iter()
            .collect();
    };
    let files = flow_files(folder);
    // A folder that is not there may have been told of where the file names it.
    if files.is_empty() && (folder.is_dir() || !report.has_errors()) {
        report.findings.push(unreadable(folder, Code::E01, "there is no flow file in it"));
    }
    load_files(&files, shared, prompts, own, report)
}

/// The flow files of a folder, and the sub-flow files among them, in the order of their names.
pub fn flow_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        // Their tests stand beside them.
        .filter(|file| !file.to_string_lossy().ends_with(".flowtest.toml"))
        .collect();
    files.sort();
    files
}

fn load_files(
    files: &[PathBuf],
    shared: &Shared,
    prompts: &Index<'_>,
    own: &mut Own<'_>,
    report: &mut CheckReport,
) -> Vec<Served> {
    let mut served: Vec<Served> = Vec::new();
    for file in files {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(why) => {
                report.findings.push(unreadable(file, Code::E00, &why.to_string()));
                continue;
            }
        };
        if !is_sub(&text) {
            served.extend(load_flow(file, &text, shared, prompts, own, report));
        }
    }
    let names: Vec<String> =
        served.iter().map(|(_, source)| source.file.display().to_string()).collect();
    let all: Vec<(&str, &Flow)> =
        names.iter().zip(&served).map(|(name, (flow, _))| (name.as_str(), &**flow)).collect();
    report.findings.extend(flow::check_unique(&all));
    served
}

fn load_flow(
    file: &Path,
    text: &str,
    shared: &Shared,
    prompts: &Index<'_>,
    own: &mut Own<'_>,
    report: &mut CheckReport,
) -> Option<Served> {
    let name = file.display().to_string();
    let folder = file.parent().unwrap_or(Path::new(""));
    let sub_files = sub_files(text, folder);
    let mut shared =
        Shared { holiday_files: holiday_files(text, folder), sub_files, ..shared.clone() };
    let faults = own.read(&name, text, &mut shared);
    let sound = !faults.iter().any(|fault| fault.severity == Severity::Error);
    report.findings.extend(faults);
    let mut checked = flow::load(text, &name, &shared, prompts);
    for (sub, text) in &shared.sub_files {
        let path = folder.join(sub).display().to_string();
        let of_sub = checked.findings.iter_mut().filter(|finding| finding.file == *sub);
        of_sub.for_each(|finding| finding.file.clone_from(&path));
        report.add(&path, text, Vec::new());
    }
    report.add(&name, text, checked.findings);
    let flow = checked.flow.filter(|_| sound)?;
    let source = FlowSource {
        rev: flow.rev.clone(),
        name: flow.name.clone(),
        file: file.to_owned(),
        text: text.into(),
        subs: shared.sub_files,
    };
    Some((Arc::new(flow), source))
}

/// Contents of the sub-flow files that a flow names, and those that they name, by the name
/// written there.
pub fn sub_files(text: &str, folder: &Path) -> BTreeMap<String, String> {
    let (mut open, mut found) = (named_subs(text), BTreeMap::new());
    while let Some(name) = open.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let Ok(text) = fs::read_to_string(folder.join(&name)) else { continue };
        open.extend(named_subs(&text));
        found.insert(name, text);
    }
    found
}

fn named_subs(text: &str) -> Vec<String> {
    let tree = diagnose::tree(text, &Notes::default());
    let steps = tree.get_ref().get("step").and_then(|steps| steps.get_ref().as_table());
    let steps = steps.into_iter().flatten().filter_map(|(_, step)| step.get_ref().as_table());
    let named = steps.filter_map(|step| {
        let word = |key| step.get(key).and_then(|value| value.get_ref().as_str());
        word("file").filter(|_| word("do") == Some("sub"))
    });
    named.map(str::to_owned).collect()
}

/// A file that flows take steps from is no flow itself.
fn is_sub(text: &str) -> bool {
    let tree = diagnose::tree(text, &Notes::default());
    tree.get_ref().contains_key("sub") && !tree.get_ref().contains_key("flow")
}

/// Contents of the holiday files that a flow names, by the name written there.
fn holiday_files(text: &str, folder: &Path) -> BTreeMap<String, String> {
    let tree = diagnose::tree(text, &Notes::default());
    let hours = tree.get_ref().get("hours").and_then(|hours| hours.get_ref().as_table());
    let written = hours
        .into_iter()
        .flatten()
        .filter_map(|(_, table)| Some(table.get_ref().as_table()?.get("holidays")?.get_ref()));
    // Dates of a list are no names of files, and nothing is found by them.
    let names = written.flat_map(|written| match written.as_array() {
        Some(list) => list.iter().filter_map(|item| item.get_ref().as_str()).collect(),
        None => Vec::from_iter(written.as_str()),
    });
    let read = |name: &str| Some((name.to_owned(), holiday_file(&folder.join(name))?));
    names.filter_map(read).collect()
}

/// Content of a holiday file. Names of holidays may be in any encoding; dates are ASCII.
pub(super) fn holiday_file(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
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

fn unreadable(path: &Path, code: Code, why: &str) -> Finding {
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
    }
}
