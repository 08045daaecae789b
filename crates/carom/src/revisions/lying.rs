//! Flows as they lie in the files now, well or broken.

use std::{fs, path::PathBuf};

use deflect_actions::store::FlowServed;
use ivr_runtime::diagnose::{self, Notes};

use crate::config::{Config, flow_files, sub_files};

/// A flow as it lies in the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lying {
    /// The flow's file.
    pub file: PathBuf,
    /// What is in it and in its sub-flow files; `rev` is empty.
    pub now: FlowServed,
}

impl Lying {
    /// Whether a revision is what lies here.
    #[must_use]
    pub fn is(&self, served: &FlowServed) -> bool {
        (&self.now.source, &self.now.subs) == (&served.source, &served.subs)
    }
}

/// The flows in the folder of a configuration, by the name each gives itself. A file that is too
/// broken to say has none.
#[must_use]
pub fn lying(config: &Config) -> Vec<Lying> {
    let files = config.flows_dir.as_deref().map(flow_files).unwrap_or_default();
    files.into_iter().filter_map(read).collect()
}

fn read(file: PathBuf) -> Option<Lying> {
    let source = fs::read_to_string(&file).ok()?;
    let tree = diagnose::tree(&source, &Notes::default());
    let flow = tree.get_ref().get("flow")?.get_ref().as_table()?.get("name")?;
    let flow = flow.get_ref().as_str()?.to_owned();
    drop(tree);
    let subs = sub_files(&source, file.parent()?);
    let named = file.display().to_string();
    Some(Lying { file, now: FlowServed { rev: String::new(), flow, file: named, source, subs } })
}
