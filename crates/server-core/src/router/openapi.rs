//! OpenAPI documents, from the operations that an API derives from its table of routes.
//!
//! Invariant: the document is a function of its arguments, so that a test can compare it with a committed copy.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use statehold_filter::{Kind as FieldKind, Schema};

/// The version of OpenAPI that documents are of.
const VERSION: &str = "3.1.0";

/// Deepest nesting of filter fields that is written down; below it a field is any value.
const DEPTH_MAX: usize = 4;

/// The name of the component that describes every error of an API.
const ERROR: &str = "Error";

/// The part of a document that no operation has.
#[derive(Debug)]
pub struct Api {
    /// The title.
    pub title: &'static str,
    /// The conventions that all operations share.
    pub description: String,
    /// The default base URL.
    pub server: &'static str,
    /// The security requirement of operations that need a token.
    pub security: Value,
    /// The Components Object without `responses`.
    pub components: Value,
    /// The contents of every error, by media type.
    pub errors: Value,
}

/// One method at one path.
#[derive(Debug, Default)]
pub struct Operation {
    /// The method in lower case.
    pub method: &'static str,
    /// The pattern of the path, as its route has it.
    pub path: &'static str,
    /// A name that no other operation has.
    pub id: String,
    /// The effect, in one sentence.
    pub summary: String,
    /// Conditions that the summary leaves out; empty if there are none.
    pub description: String,
    /// The permission that the caller must have, in the words of the API; null if the document does not state it.
    pub permission: Value,
    /// Whether callers without a token are admitted.
    pub is_open: bool,
    /// Parameter Objects of the query and the headers. Those of the path follow from [`path`](Self::path).
    pub parameters: Vec<Value>,
    /// The values of the last placeholder of the path; empty if it stands for any.
    pub path_values: Vec<&'static str>,
    /// The body that the operation reads.
    pub body: Option<RequestBody>,
    /// The replies to requests that succeed. Those with the same status are merged.
    pub replies: Vec<Reply>,
    /// The statuses of requests that fail.
    pub errors: Vec<StatusCode>,
    /// The fields that filters can name, by the type that is listed; null if the operation is no list.
    pub filter_fields: Value,
}

/// A JSON body that an operation reads.
#[derive(Debug)]
pub struct RequestBody {
    /// A description for readers; empty if the schema says all.
    pub description: String,
    /// The JSON Schema.
    pub schema: Value,
    /// Whether a request without a body fails.
    pub is_required: bool,
}

/// A reply to a request that succeeds.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The meaning.
    pub description: &'static str,
    /// The names of headers among the components.
    pub headers: Vec<&'static str>,
    /// The media type and the JSON Schema of the body; null for a body that no schema describes. `None` for replies
    /// without a media type.
    pub content: Option<(&'static str, Value)>,
}

/// Returns the document of an API.
pub fn document(api: Api, operations: impl IntoIterator<Item = Operation>) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let item = paths.entry(document_path(operation.path)).or_insert_with(|| json!({}));
        let method = operation.method;
        item[method] = describe(operation);
    }
    let mut components = api.components;
    components["responses"] = json!({
        ERROR: { "description": "The cause, and how to correct it.", "content": api.errors },
    });
    json!({
        "openapi": VERSION,
        "info": {
            "title": api.title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": api.description,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": api.server }],
        "security": api.security,
        "paths": paths,
        "components": components,
    })
}

/// Returns a pattern as OpenAPI writes it, which has no placeholder for the rest of a path.
pub fn document_path(pattern: &str) -> String {
    pattern.replace("{*}", "{rest}")
}

fn describe(operation: Operation) -> Value {
    let path_parameters = operation.path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        let name = if name == "*" { "rest" } else { name };
        Some(
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        )
    });
    let mut parameters: Vec<Value> = path_parameters.collect();
    if let (Some(last), false) = (parameters.last_mut(), operation.path_values.is_empty()) {
        last["schema"]["enum"] = json!(operation.path_values);
    }
    parameters.extend(operation.parameters);
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses(operation.replies, &operation.errors),
    });
    if !operation.description.is_empty() {
        described["description"] = operation.description.into();
    }
    if operation.is_open {
        // No scheme at all; elsewhere the server's options decide whether a token is needed.
        described["security"] = json!([]);
    }
    for (name, value) in
        [("x-permission", operation.permission), ("x-filter-fields", operation.filter_fields)]
    {
        if !value.is_null() {
            described[name] = value;
        }
    }
    if let Some(body) = operation.body {
        described["requestBody"] = json!({
            "required": body.is_required,
            "content": { "application/json": { "schema": body.schema } },
        });
        if !body.description.is_empty() {
            described["requestBody"]["description"] = body.description.into();
        }
    }
    described
}

fn responses(replies: Vec<Reply>, errors: &[StatusCode]) -> Value {
    let mut by_status = BTreeMap::<String, Vec<Reply>>::new();
    for reply in replies {
        by_status.entry(reply.status.as_str().to_owned()).or_default().push(reply);
    }
    let merged = by_status.into_iter().map(|(status, replies)| (status, merge(&replies)));
    let error = json!({ "$ref": format!("#/components/responses/{ERROR}") });
    let errors = errors.iter().map(|status| (status.as_str().to_owned(), error.clone()));
    Value::Object(errors.chain(merged).collect())
}

/// Merges replies with one status: a client cannot foresee which of them it gets.
fn merge(replies: &[Reply]) -> Value {
    let mut merged = json!({});
    let (mut descriptions, mut contents) = (Vec::new(), BTreeMap::<&str, Vec<&Value>>::new());
    for reply in replies {
        if !descriptions.contains(&reply.description) {
            descriptions.push(reply.description);
        }
        for name in &reply.headers {
            let reference = format!("#/components/headers/{name}");
            merged["headers"][*name] = json!({ "$ref": reference });
        }
        if let Some((kind, schema)) = &reply.content {
            let schemas = contents.entry(kind).or_default();
            if !schemas.contains(&schema) {
                schemas.push(schema);
            }
        }
    }
    merged["description"] = descriptions.join(" ").into();
    for (kind, schemas) in contents {
        merged["content"][kind] = match schemas.as_slice() {
            // A body that no schema describes may be empty, which is no JSON.
            schemas if schemas.iter().any(|schema| schema.is_null()) => json!({}),
            [only] => json!({ "schema": only }),
            all => json!({ "schema": { "anyOf": all } }),
        };
    }
    merged
}

/// Returns the JSON Schema of a row as filters see it.
pub fn filter_fields(schema: &'static Schema) -> Value {
    object(schema, DEPTH_MAX)
}

fn object(schema: &'static Schema, depth: usize) -> Value {
    let mut properties = Map::new();
    fields(schema, depth, &mut properties);
    json!({ "type": "object", "properties": properties })
}

fn fields(schema: &'static Schema, depth: usize, into: &mut Map<String, Value>) {
    for field in schema.fields() {
        match field.kind().schema() {
            Some(inner) if field.is_flattened() => fields(inner, depth, into),
            _ => {
                into.insert(field.name().to_owned(), kind(field.kind(), depth));
            }
        }
    }
}

/// Returns the JSON Schema of the values of a kind as filters see them.
fn kind(kind: FieldKind, depth: usize) -> Value {
    let Some(below) = depth.checked_sub(1) else { return json!({}) };
    match kind.required() {
        FieldKind::Bool => json!({ "type": "boolean" }),
        FieldKind::Int(_) | FieldKind::Uint(_) | FieldKind::Duration => {
            json!({ "type": "integer" })
        }
        FieldKind::Float | FieldKind::Float32 => json!({ "type": "number" }),
        FieldKind::Text | FieldKind::Char | FieldKind::Timestamp => json!({ "type": "string" }),
        FieldKind::Enum(texts) => json!({ "type": "string", "enum": texts }),
        FieldKind::Uuid => json!({ "type": "string", "format": "uuid" }),
        // Of both versions: JSON Schema has a format for each and none for either.
        FieldKind::Address => {
            json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
        }
        FieldKind::List(inner) => {
            json!({ "type": ["array", "null"], "items": self::kind(*inner, below) })
        }
        FieldKind::Map(_, inner) => {
            let values = self::kind(*inner, below);
            json!({ "type": ["object", "null"], "additionalProperties": values })
        }
        FieldKind::Record(schema) => object(schema(), below),
        _ => json!({}),
    }
}

/// Returns the references of a document that lead nowhere.
///
/// ```
/// use serde_json::json;
/// use statehold_server_core::router::openapi::dangling_references;
///
/// let document = json!({ "a": { "$ref": "#/b" }, "b": { "$ref": "#/c" } });
/// assert_eq!(dangling_references(&document), ["#/c"]);
/// ```
pub fn dangling_references(document: &Value) -> Vec<&str> {
    let (mut dangling, mut queued) = (Vec::new(), vec![document]);
    while let Some(value) = queued.pop() {
        if let Some(target) = value.get("$ref").and_then(Value::as_str)
            && document.pointer(target.trim_start_matches('#')).is_none()
        {
            dangling.push(target);
        }
        match value {
            Value::Object(members) => queued.extend(members.values()),
            Value::Array(values) => queued.extend(values),
            _ => {}
        }
    }
    dangling
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: StatusCode, content: Option<(&'static str, Value)>) -> Reply {
        Reply { status, description: "Success.", headers: Vec::new(), content }
    }

    #[test]
    fn replies_with_one_status_are_merged() {
        let json = |schema| Some(("application/json", schema));
        let replies = vec![
            reply(StatusCode::OK, json(json!({ "type": "array" }))),
            reply(StatusCode::OK, json(json!({ "type": "object" }))),
            reply(StatusCode::OK, None),
            reply(StatusCode::ACCEPTED, json(json!({ "type": "object" }))),
            reply(StatusCode::ACCEPTED, json(Value::Null)),
        ];
        let responses = responses(replies, &[StatusCode::NOT_FOUND]);
        let of = |status: &str| responses[status]["content"]["application/json"].clone();
        assert_eq!(
            of("200"),
            json!({ "schema": { "anyOf": [{ "type": "array" }, { "type": "object" }] } })
        );
        assert_eq!(of("202"), json!({}));
        assert_eq!(responses["404"]["$ref"], "#/components/responses/Error");
    }

    #[test]
    fn parameters_of_the_path_follow_from_its_pattern() {
        let operation = Operation { path: "/a/{id}/{*}", ..Operation::default() };
        let described = describe(operation);
        let names: Vec<_> = described["parameters"].as_array().unwrap().iter().collect();
        assert_eq!(names.len(), 2);
        assert_eq!((&names[0]["name"], &names[1]["name"]), (&json!("id"), &json!("rest")));
        assert_eq!(document_path("/a/{id}/{*}"), "/a/{id}/{rest}");
    }
}
