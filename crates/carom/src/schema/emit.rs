//! From what tables take to JSON Schema.

use std::ops::RangeInclusive;

use ivr_runtime::diagnose::Takes;
use serde_json::{Map, Value, json};

use super::{
    docs::Words,
    learn::{Facts, Learned},
};

/// Not blank.
const SOMETHING: &str = "\\S";
/// A parameter of a sub-flow, in place of a value.
const PARAMETER: &str = "^\\{[A-Za-z0-9_]+\\}$";

/// The name of a language, which no key of a group is.
const LANGUAGE: &str = "^([A-Za-z]{2}|[A-Za-z0-9]+-[A-Za-z0-9-]+)$";

/// Makes schemas of the tables of one title.
pub(super) struct Emitter<'a> {
    words: &'a Words,
    title: &'a str,
}

impl<'a> Emitter<'a> {
    /// `title` is what the documents call the table.
    pub fn new(words: &'a Words, title: &'a str) -> Self {
        Self { words, title }
    }

    /// The table at a path: no key but those that it takes.
    pub fn table(&self, learned: &Learned, path: &[&str]) -> Value {
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        let Some(facts) = learned.at(&path) else { return json!(false) };
        let mut table = self.object(learned, &path, facts);
        for (key, value) in table["properties"].as_object_mut().into_iter().flatten() {
            if let (Some(told), Some(value)) =
                (self.words.of(self.title, key), value.as_object_mut())
            {
                value.insert("description".to_owned(), told.into());
            }
        }
        table
    }

    /// The keys of the whole file that are no tables.
    pub fn scalars(&self, learned: &Learned) -> Map<String, Value> {
        let mut table = self.table(learned, &["the file"]);
        let Some(properties) = table["properties"].as_object_mut() else { return Map::new() };
        let is_table =
            |value: &Value| value["type"] == "object" || value["items"]["type"] == "object";
        let mut properties = std::mem::take(properties);
        properties.retain(|_, value| !is_table(value) && *value != json!({}));
        properties
    }

    fn object(&self, learned: &Learned, path: &[String], facts: &Facts) -> Value {
        let of_key = |(key, takes): (&String, &Vec<Takes>)| {
            Some((key.clone(), self.key(learned, path, key, takes)?))
        };
        let properties: Map<String, Value> = facts.takes.iter().filter_map(of_key).collect();
        if facts.any_key {
            let mut values: Vec<Value> = Vec::new();
            for value in properties.into_iter().map(|(_, value)| value) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            return json!({ "type": "object", "additionalProperties": any_of(values) });
        }
        let required: Vec<&str> =
            facts.required().filter(|key| properties.contains_key(*key)).collect();
        let mut object = json!({
            "type": "object", "properties": properties, "additionalProperties": false,
        });
        if !required.is_empty() {
            object["required"] = json!(required);
        }
        object
    }

    /// `None`: the key is refused.
    fn key(&self, learned: &Learned, path: &[String], key: &str, takes: &[Takes]) -> Option<Value> {
        if takes.contains(&Takes::Nothing) {
            return None;
        }
        let below = |more: &[&str]| -> Value {
            let more = more.iter().map(|key| (*key).to_owned());
            let path: Vec<String> = path.iter().cloned().chain(more).collect();
            match learned.at(&path) {
                Some(facts) => self.object(learned, &path, facts),
                None => json!({ "type": "object" }),
            }
        };
        let exact = |takes: &&Takes| {
            !matches!(takes, Takes::Something | Takes::Text | Takes::Texts | Takes::Tables)
        };
        let exactly: Vec<&Takes> = takes.iter().filter(exact).collect();
        let is_form = exactly.iter().any(|takes| matches!(takes, Takes::Form(_)));
        let narrow = exactly.iter().any(|takes| {
            matches!(takes, Takes::Matching(_) | Takes::Words(_) | Takes::WordList(_))
        });
        let mut values = Vec::new();
        for takes in takes {
            values.extend(match takes {
                Takes::Form(name) => Some(json!({ "$ref": format!("#/definitions/{name}") })),
                _ if is_form => None,
                Takes::Text | Takes::Texts if narrow => None,
                Takes::Something | Takes::Nothing => None,
                Takes::Text => Some(text()),
                Takes::Matching(pattern) => Some(json!({ "type": "string", "pattern": pattern })),
                Takes::Words(words) => Some(json!({ "enum": words })),
                Takes::Texts => Some(json!({ "type": "array", "items": text() })),
                Takes::WordList(words) => {
                    Some(json!({ "type": "array", "minItems": 1, "items": { "enum": words } }))
                }
                Takes::Number(range) => Some(number(range)),
                Takes::Numbers(range) => {
                    Some(json!({ "type": "array", "minItems": 1, "items": number(range) }))
                }
                Takes::Decimal => Some(json!({ "type": "number" })),
                Takes::Flag => Some(json!({ "type": "boolean" })),
                Takes::Table => Some(below(&[key])),
                Takes::Tables => Some(json!({ "type": "array", "items": below(&[key, "[]"]) })),
            });
        }
        Some(any_of(values))
    }
}

fn any_of(mut values: Vec<Value>) -> Value {
    match values.len() {
        0 => json!({}),
        1 => values.remove(0),
        _ => json!({ "anyOf": values }),
    }
}

fn text() -> Value {
    json!({ "type": "string", "pattern": SOMETHING })
}

fn number(range: &RangeInclusive<u32>) -> Value {
    json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
}

/// Values whose readers look at them by themselves, by the names that they give them.
pub(super) fn forms() -> Map<String, Value> {
    let sound = json!({ "$ref": "#/definitions/sound" });
    let sounds = json!({ "type": "array", "minItems": 1, "items": sound });
    let group = json!({ "$ref": "#/definitions/group" });
    let by_language = json!({ "$ref": "#/definitions/by_language" });
    let entry = json!({ "anyOf": [sound, group, by_language] });
    let some = json!({ "type": "array", "minItems": 1, "items": entry });
    let of_a_try = json!({ "$ref": "#/definitions/prompts" });
    let by_try = json!({ "type": "array", "minItems": 1, "maxItems": 4, "items": of_a_try });
    let case = json!({
        "type": "object",
        "properties": { "if": text(), "go": text() },
        "required": ["if", "go"],
        "additionalProperties": false,
    });
    let forms = [
        ("sound", text()),
        ("sounds", json!({ "anyOf": [sound, sounds] })),
        (
            "group",
            json!({
                "type": "object",
                "properties": {
                    "play": { "$ref": "#/definitions/sounds" },
                    "needs": { "type": "array", "items": text() },
                },
                "required": ["play"],
                "additionalProperties": false,
            }),
        ),
        (
            "by_language",
            json!({
                "type": "object",
                "minProperties": 1,
                "patternProperties": { LANGUAGE: { "$ref": "#/definitions/sounds" } },
                "additionalProperties": false,
            }),
        ),
        ("prompt", json!({ "anyOf": [sound, by_language] })),
        ("prompts", json!({ "anyOf": [sound, group, by_language, some] })),
        ("prompts_by_try", by_try),
        ("cases", json!({ "type": "array", "items": case })),
        ("spans", json!({ "type": "string" })),
        ("holidays", json!({ "anyOf": [text(), { "type": "array", "items": text() }] })),
        ("plain", json!({ "type": ["string", "integer", "boolean"] })),
    ];
    forms.into_iter().map(|(name, form)| (name.to_owned(), form)).collect()
}

/// Lets a parameter stand in place of each number, flag and word.
pub(super) fn with_params(value: &mut Value) {
    let plain = matches!(value["type"].as_str(), Some("integer" | "number" | "boolean"))
        || value.get("enum").is_some();
    if plain {
        let told = value.as_object_mut().and_then(|object| object.remove("description"));
        let parameter = json!({ "type": "string", "pattern": PARAMETER });
        *value = json!({ "anyOf": [value.take(), parameter] });
        if let Some(told) = told {
            value["description"] = told;
        }
        return;
    }
    match value {
        Value::Array(values) => values.iter_mut().for_each(with_params),
        Value::Object(values) => values.values_mut().for_each(with_params),
        _ => {}
    }
}
