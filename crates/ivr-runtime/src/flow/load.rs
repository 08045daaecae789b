//! From the text of a flow file to a flow that can be served.

use sha2::{Digest, Sha256};

use super::{PromptIndex, Shared, model::Flow, numbers, play, read, subs::Subs};
use crate::{
    diagnose::{self, Asked, Code, Finding, Notes, Table},
    lint,
};

/// Longer files are refused, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// What became of a flow file.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The flow; `None` where it has an error.
    pub flow: Option<Flow>,
    /// Errors and warnings in the order of the file.
    pub findings: Vec<Finding>,
}

/// Reads and checks a flow file. `file_name` stands in the findings.
pub fn load(text: &str, file_name: &str, shared: &Shared, prompts: &dyn PromptIndex) -> Checked {
    let notes = Notes::default();
    let subs = Subs::new(text, shared);
    let flow = read(text, &subs, shared, prompts, &notes).filter(|_| !notes.has_errors());
    Checked { flow, findings: subs.findings(notes.into_problems(), file_name, text) }
}

/// What the reader of flow files asks of a text, whatever is wrong with it; sub-flow files are
/// those of `shared`.
pub fn asked(text: &str, shared: &Shared) -> Vec<Asked> {
    let notes = Notes::recording();
    let subs = Subs::new(text, shared);
    let mut tree = diagnose::tree(text, &notes);
    subs.expand(tree.get_mut(), &notes);
    let root = Table::new(&notes, "the file", tree.get_ref(), 0..0);
    // What it reads is not needed, only how.
    let _ = read::flow(&root, shared, String::new());
    drop(root);
    notes.into_asked()
}

fn read(
    text: &str,
    subs: &Subs<'_>,
    shared: &Shared,
    prompts: &dyn PromptIndex,
    notes: &Notes,
) -> Option<Flow> {
    if text.len() > MAX_BYTES {
        let message = format!("the file is longer than {MAX_BYTES} bytes");
        notes.note(Code::E00, 0..0, message, "split the flow");
        return None;
    }
    let mut tree = diagnose::tree(text, notes);
    if notes.has_errors() {
        // What is left of a damaged file would be judged for what it does not say.
        return None;
    }
    if let Some((key, _)) = tree.get_ref().get_key_value("config_version") {
        let help = "`carom check -c FILE` checks a configuration and its flows";
        notes.note(Code::E00, key.span(), "this is a configuration, not a flow", help);
        return None;
    }
    subs.expand(tree.get_mut(), notes);
    let root = Table::new(notes, "the file", tree.get_ref(), 0..0);
    let mut rev = Sha256::new();
    [text].into_iter().chain(subs.texts()).for_each(|text| rev.update(text.as_bytes()));
    let rev = hex::encode(rev.finalize());
    let flow = read::flow(&root, shared, rev);
    root.finish();
    let mut flow = flow?;
    for step in &mut flow.steps {
        play::look_up_clips(&mut step.does, &flow.languages, prompts);
    }
    numbers::settle(&mut flow, prompts);
    lint::check(&flow, tree.get_ref(), shared, prompts, notes);
    Some(flow)
}
