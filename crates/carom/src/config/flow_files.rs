//! The files of flows, and what they take from beside them: read and checked.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use deflect_actions::store::FlowServed;
use ivr_runtime::{
    diagnose::{self, Code, Notes, Severity},
    flow::{self, Shared, model::Flow},
};

use super::{CheckReport, index::Index, load::unreadable, own::Own};

/// The flow that runs without a folder of flows.
pub(super) const SAMPLE: (&str, &str) =
    ("the built-in flow", include_str!("../../../../config/flows/main.toml"));

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

pub(super) type Served = (Arc<Flow>, FlowSource);

pub(super) fn load_folder(
    folder: Option<&Path>,
    shared: &Shared,
    prompts: &Index<'_>,
    own: &mut Own<'_>,
    report: &mut CheckReport,
) -> Vec<Served> {
    let Some(folder) = folder else {
        let (name, text) = SAMPLE;
        return load_flow(Path::new(name), text, None, shared, prompts, own, report)
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

pub(super) fn load_files(
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
                let why = format!("the flow {} can't be read: {why}", file.display());
                report.findings.push(unreadable(file, Code::E00, &why));
                continue;
            }
        };
        if !is_sub(&text) {
            served.extend(load_flow(file, &text, None, shared, prompts, own, report));
        }
    }
    let names: Vec<String> =
        served.iter().map(|(_, source)| source.file.display().to_string()).collect();
    let all: Vec<(&str, &str, &Flow)> = names
        .iter()
        .zip(&served)
        .map(|(name, (flow, source))| (name.as_str(), &*source.text, &**flow))
        .collect();
    report.findings.extend(flow::check_unique(&all));
    served
}

/// A flow as it was served once, with the sub-flow files that it had then.
pub(super) fn load_served(
    flow: &FlowServed,
    shared: &Shared,
    prompts: &Index<'_>,
    own: &mut Own<'_>,
    report: &mut CheckReport,
) -> Vec<Served> {
    let (file, subs) = (Path::new(&flow.file), Some(flow.subs.clone()));
    load_flow(file, &flow.source, subs, shared, prompts, own, report).into_iter().collect()
}

/// `subs`: the sub-flow files that it names; `None`: those beside it.
fn load_flow(
    file: &Path,
    text: &str,
    subs: Option<BTreeMap<String, String>>,
    shared: &Shared,
    prompts: &Index<'_>,
    own: &mut Own<'_>,
    report: &mut CheckReport,
) -> Option<Served> {
    let name = file.display().to_string();
    let folder = file.parent().unwrap_or(Path::new(""));
    let sub_files = subs.unwrap_or_else(|| sub_files(text, folder));
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
