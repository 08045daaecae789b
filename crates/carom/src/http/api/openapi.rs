//! `/v1/openapi.json`: the OpenAPI 3.1 document, made of the table of routes and the types of the
//! bodies.

use std::sync::LazyLock;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    Told,
    compat::C2mErrorTold,
    engagement::RefusedTold,
    routes::{Key, Operation, operations},
};
use crate::http::dialect::Dialect;

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);

/// The document.
pub(in crate::http) fn document() -> &'static Value {
    &DOCUMENT
}

fn make() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = SchemaGenerator::new(settings);
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let told = described(&operation, &mut generator);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = told;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Carom",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What other systems order, ask and tell. Fields are only added.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A secret of `[http] tokens`; without tokens only this machine asks.",
            } },
        },
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut answers = Map::new();
    let xml = "application/xml";
    for (status, what, body) in &operation.answers {
        let mut answer = json!({ "description": what });
        if let Some(schema) = body {
            answer["content"] = content(&json!(schema(generator)), operation.xml.is_some(), xml);
        }
        if let Some(kind) = operation.sends.filter(|_| *status == 200) {
            answer["content"] = json!({ kind: {} });
        }
        answers.insert(status.to_string(), answer);
    }
    let refusal = problem(operation.dialect, generator);
    // What tells of its own why it was not done may be refused before it comes to that.
    for (_, answer) in answers.iter_mut().filter(|(status, _)| status.as_str() >= "4") {
        for (_, content) in answer["content"].as_object_mut().into_iter().flatten() {
            content["schema"] = json!({ "anyOf": [content["schema"], refusal] });
        }
    }
    let problem = content(&refusal, operation.xml.is_some(), xml);
    for (status, what) in [
        ("401", "A token of the scope is needed"),
        ("429", "Too many requests; see Retry-After"),
        ("4XX", "It is not done"),
        ("5XX", "It can't be done now"),
    ] {
        let answer = || json!({ "description": what, "content": problem });
        answers.entry(status).or_insert_with(answer);
    }
    let scope = operation.scope.map_or("read or context", crate::config::Scope::as_str);
    let mut told = json!({
        "operationId": id(operation),
        "summary": operation.summary,
        "description": format!("Scope: {scope}."),
        "responses": answers,
    });
    let mut parameters: Vec<Value> = operation
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(operation.query.iter().map(|(name, what)| {
        json!({ "name": name, "in": "query", "description": what, "schema": { "type": "string" } })
    }));
    if operation.key != Key::Pointless {
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": operation.key == Key::Needed,
            "description": "Told again with the same key, it is done once and answered as before.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        }));
    }
    if !parameters.is_empty() {
        told["parameters"] = json!(parameters);
    }
    if let Some(schema) = operation.body {
        let schema = json!(schema(generator));
        let form = "application/x-www-form-urlencoded";
        told["requestBody"] =
            json!({ "required": true, "content": content(&schema, operation.forms, form) });
    }
    told
}

/// What an error says.
fn problem(dialect: Dialect, generator: &mut SchemaGenerator) -> Value {
    let schema = match dialect {
        Dialect::Plain | Dialect::Ours | Dialect::Flow => generator.subschema_for::<Told>(),
        Dialect::C2m => generator.subschema_for::<C2mErrorTold>(),
        Dialect::Engagement => generator.subschema_for::<RefusedTold>(),
    };
    json!(schema)
}

/// JSON, and where it may be so the same in another form.
fn content(schema: &Value, other: bool, kind: &str) -> Value {
    let mut content = json!({ "application/json": { "schema": schema } });
    if other {
        content[kind] = json!({ "schema": schema });
    }
    content
}

/// `post_v1_optouts_remove`.
fn id(operation: &Operation) -> String {
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", operation.method, words.join("_"))
}
