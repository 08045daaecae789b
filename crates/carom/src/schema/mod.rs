//! JSON Schema of flow files, sub-flow files and `carom.toml`, for editors.
//!
//! The readers of the files are the only place that says what a key takes. They are shown files
//! with every key in every form, and what they ask is written down ([`learn`]); the schema is made
//! of that ([`emit`]), with the words of the documents for those who hover over a key.

mod docs;
mod emit;
mod learn;
mod sections;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::{
    docs::Words,
    emit::{Emitter, with_params},
    sections::{CONFIG, FLOW, Section, call_of_sub, head_of_sub, learned},
};

/// Which files a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Flow files.
    Flow,
    /// Files that flows take steps from (`do = "sub"`).
    SubFlow,
    /// `carom.toml`.
    Config,
}

/// The schema (JSON Schema, draft 7) of a kind of files.
#[must_use]
pub fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Flow => flow(),
        Kind::SubFlow => sub_flow(),
        Kind::Config => config(),
    }
}

fn flow() -> Value {
    let words = Words::of_flows();
    let mut definitions = emit::forms();
    let mut properties = Map::new();
    let version = json!({ "type": "integer", "minimum": 1, "maximum": 1 });
    properties.insert("version".to_owned(), version);
    for section in FLOW {
        let words = match section.name {
            "sender" | "source" => &Words::of_config(),
            _ => &words,
        };
        properties.extend(table(section, words, &mut definitions));
    }
    document("A Carom flow", properties, definitions, &["version", "flow"])
}

/// Steps with a head of their own; parameters may stand in place of numbers.
fn sub_flow() -> Value {
    let words = Words::of_flows();
    let mut definitions = emit::forms();
    let mut properties = Map::new();
    for section in FLOW.iter().filter(|section| section.name == "step") {
        properties.extend(table(section, &words, &mut definitions));
    }
    definitions.values_mut().for_each(with_params);
    let head = Emitter::new(&words, "[sub]").table(&head_of_sub(), &["`[sub]`"]);
    properties.insert("sub".to_owned(), head);
    document("Steps of Carom flows", properties, definitions, &["sub", "step"])
}

fn config() -> Value {
    let words = Words::of_config();
    let mut definitions = emit::forms();
    let top = sections::top_of_config();
    let mut properties = Emitter::new(&words, "carom.toml, top level").scalars(&top);
    for section in CONFIG {
        let words = match section.name {
            "target" | "hours" => &Words::of_flows(),
            _ => &words,
        };
        properties.extend(table(section, words, &mut definitions));
    }
    let needed = ["config_version", "listener", "trunk", "fallback", "business"];
    document("The configuration of Carom", properties, definitions, &needed)
}

/// The property of a section; its kinds become definitions.
fn table(
    section: &Section,
    words: &Words,
    definitions: &mut Map<String, Value>,
) -> Map<String, Value> {
    let mut kinds = Vec::new();
    for (kind, learned) in learned(section) {
        let (name, title) = match &kind {
            None => (section.name.to_owned(), section.title.to_owned()),
            Some(kind) if section.name == "step" => (format!("step_{kind}"), kind.clone()),
            Some(kind) => (format!("{}_{kind}", section.name), section.title.to_owned()),
        };
        let mut table = Emitter::new(words, &title).table(&learned, section.path);
        if let (Some(kind), Some(key)) = (&kind, section.kind) {
            table["properties"][key]["const"] = json!(kind);
            if let Some(tag) = table["properties"][key].as_object_mut() {
                tag.remove("enum");
            }
            let required = table["required"].as_array().into_iter().flatten().cloned();
            let required: BTreeSet<String> =
                required.filter_map(|key| key.as_str().map(str::to_owned)).collect();
            let named = (section.usual_kind != Some(kind)).then(|| key.to_owned());
            table["required"] = json!(required.into_iter().chain(named).collect::<BTreeSet<_>>());
        }
        kinds.push(json!({ "$ref": format!("#/definitions/{name}") }));
        definitions.insert(name, table);
    }
    // What a sub-flow gives its caller is read elsewhere than the other steps.
    if section.name == "step" {
        let mut call = Emitter::new(words, "sub").table(&call_of_sub(), &["`[step.x]`"]);
        call["properties"]["do"] = json!({ "const": "sub" });
        call["required"] = json!(["do", "file"]);
        kinds.push(json!({ "$ref": "#/definitions/step_sub" }));
        definitions.insert("step_sub".to_owned(), call);
    }
    let one = match kinds.as_slice() {
        [one] => one.clone(),
        _ => json!({ "oneOf": kinds }),
    };
    let value = match section.form {
        sections::Form::One => one,
        sections::Form::Named => json!({ "type": "object", "additionalProperties": one }),
        sections::Form::Listed => json!({ "type": "array", "minItems": 1, "items": one }),
    };
    Map::from_iter([(section.name.to_owned(), value)])
}

fn document(
    title: &str,
    properties: Map<String, Value>,
    definitions: Map<String, Value>,
    required: &[&str],
) -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "definitions": definitions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_take_is_learned_with_its_bounds() {
        let schema = schema(Kind::Flow);
        let menu = &schema["definitions"]["step_menu"];
        assert_eq!(menu["properties"]["tries"]["minimum"], 1);
        assert_eq!(menu["properties"]["tries"]["maximum"], 5);
        assert_eq!(menu["properties"]["do"]["const"], "menu");
        assert_eq!(menu["additionalProperties"], false);
        let required = |of: &str| {
            let keys = schema["definitions"][of]["required"].as_array().unwrap();
            keys.iter().map(|key| key.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(required("step_menu"), ["do", "no_input", "play", "press"]);
        assert_eq!(required("target"), ["sip"]);
        assert_eq!(schema["definitions"]["hours"]["required"], Value::Null);
        let telegram = &schema["definitions"]["link_telegram"]["properties"];
        assert!(telegram.get("bot").is_some() && telegram.get("skill").is_none());
        assert_eq!(required("link_telegram"), ["bot", "kind"]);
        assert_eq!(required("link_static"), ["url"]);
    }
}
