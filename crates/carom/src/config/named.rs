//! Flows by name, as commands are given them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ivr_runtime::diagnose::{self, Notes, nearest};

use super::{Config, flow_files, flow_files::SAMPLE};

/// A flow of the configuration, whether it has errors or not.
struct Known {
    /// As `[flow]` has it.
    name: String,
    /// `None`: it is part of the program.
    file: Option<PathBuf>,
}

impl Known {
    /// The name of its file, without its end.
    fn stem(&self) -> Option<&str> {
        self.file.as_deref()?.file_stem()?.to_str()
    }
}

/// The flow files that are meant by what a command was given: paths are what they are, anything else is
/// the name of a flow of the configuration, or of its file. An empty list is the whole of the
/// configuration's flows.
///
/// # Errors
/// A name that no flow has; it tells those that there are.
pub fn flows_meant(config: Option<&Path>, given: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let (mut files, mut known) = (Vec::new(), None);
    for path in given {
        if is_path(path) {
            files.push(path.clone());
            continue;
        }
        let known = known.get_or_insert_with(|| flows(config));
        let name = path.to_string_lossy();
        let by_name = known.iter().find(|flow| flow.name == name);
        match by_name.or_else(|| known.iter().find(|flow| flow.stem() == Some(&*name))) {
            // The only one without a file is all that there is.
            Some(flow) => files.extend(flow.file.clone()),
            None => return Err(unknown(&name, known)),
        }
    }
    Ok(files)
}

/// What can't be the name of a flow, or leads to a file.
fn is_path(given: &Path) -> bool {
    given.exists()
        || given.components().count() > 1
        || given.extension().is_some_and(|e| e == "toml")
}

fn flows(config: Option<&Path>) -> Vec<Known> {
    let Some(config) = config else {
        let name = name_in(SAMPLE.1).unwrap_or_default();
        return vec![Known { name, file: None }];
    };
    let folder = Config::flows_folder(config).unwrap_or_default();
    let files = flow_files(&folder).into_iter();
    let known = files.filter_map(|file| {
        let name = name_in(&fs::read_to_string(&file).ok()?)?;
        Some(Known { name, file: Some(file) })
    });
    known.collect()
}

/// The name that a flow file gives its flow; sub-flows have none.
fn name_in(text: &str) -> Option<String> {
    let tree = diagnose::tree(text, &Notes::default());
    let flow = tree.get_ref().get("flow")?.get_ref().as_table()?;
    Some(flow.get("name")?.get_ref().as_str()?.to_owned())
}

fn unknown(name: &str, known: &[Known]) -> String {
    let there: Vec<String> = known
        .iter()
        .map(|flow| match &flow.file {
            Some(file) => format!("`{}` ({})", flow.name, file.display()),
            None => format!("`{}`", flow.name),
        })
        .collect();
    let near = nearest(name, known.iter().map(|flow| flow.name.as_str()));
    let near = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
    match there.as_slice() {
        [] => format!(
            "there is no flow and no file `{name}`, and no flow at all in the configuration"
        ),
        there => {
            format!(
                "there is no flow and no file `{name}`{near}; the flows are {}",
                there.join(", ")
            )
        }
    }
}
