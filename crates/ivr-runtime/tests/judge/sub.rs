//! Sub-flows, by the flow language: "the steps are read as if they stood in the flow".

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{NOWHERE, kind, word};

/// The flow with the steps of its sub-flows, as `STEP.NAME`, in it.
pub(super) fn written_out(flow: &Table, files: &BTreeMap<String, String>) -> Table {
    let mut flow = flow.clone();
    let Some(steps) = flow.get("step").and_then(Value::as_table) else { return flow };
    let mut written = Table::new();
    for (name, step) in steps {
        let step = step.as_table().expect("a step is a table");
        match kind(step) {
            "sub" => enter(name, step, files, &mut written),
            _ => drop(written.insert(name.clone(), Value::Table(step.clone()))),
        }
    }
    flow.insert("step".to_owned(), Value::Table(written));
    flow
}

/// The step leads to the first one of its file, and they to where its exits lead.
fn enter(name: &str, step: &Table, files: &BTreeMap<String, String>, written: &mut Table) {
    let mut text = word(step, "file").and_then(|file| files.get(file)).expect("its file").clone();
    for (parameter, value) in step.get("with").and_then(Value::as_table).into_iter().flatten() {
        let bare = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text = text.replace(&format!("{{{parameter}}}"), &bare);
    }
    let sub: Table = text.parse().expect("TOML");
    let steps = sub["step"].as_table().expect("steps");
    let exits = step.get("on").and_then(Value::as_table);
    let lead = |to: &str| match to.strip_prefix("exit:") {
        Some(exit) => {
            let to = exits.and_then(|exits| exits.get(exit)).and_then(Value::as_str);
            to.unwrap_or(NOWHERE).to_owned()
        }
        None if steps.contains_key(to) => format!("{name}.{to}"),
        None => to.to_owned(),
    };
    let start = lead(sub["sub"]["start"].as_str().expect("a start"));
    let way_in = [("do", "decide"), ("otherwise", start.as_str())];
    let way_in: Table = way_in.into_iter().map(|(k, v)| (k.into(), Value::from(v))).collect();
    written.insert(name.to_owned(), Value::Table(way_in));
    for (inner, step) in steps {
        let step = step.as_table().expect("a step is a table");
        assert_ne!(kind(step), "sub", "the judge knows no sub-flow of a sub-flow");
        let mut step = step.clone();
        for (key, value) in &mut step {
            match value {
                Value::String(to) if leads(key) => *to = lead(to),
                Value::Table(press) if key == "press" => {
                    for to in press.iter_mut().map(|(_, to)| to) {
                        *to = Value::String(lead(to.as_str().expect("a go")));
                    }
                }
                Value::Array(cases) if key == "case" => {
                    for go in cases.iter_mut().filter_map(|case| case.get_mut("go")) {
                        *go = Value::String(lead(go.as_str().expect("a go")));
                    }
                }
                _ => {}
            }
        }
        written.insert(format!("{name}.{inner}"), Value::Table(step));
    }
}

/// Keys that say where to go.
fn leads(key: &str) -> bool {
    ["then", "no_input", "wrong", "otherwise"].contains(&key) || key.starts_with("if_")
}
