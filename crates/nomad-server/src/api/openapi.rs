//! The OpenAPI document, from the table of routes.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use statehold_filter::{Kind as FieldKind, Schema};

use crate::acl::access::Rule;
use crate::api::Reply;
use crate::api::parameter::{Kind, Parameter};
use crate::api::reply;
use crate::api::reply::Meta;
use crate::api::route::{Answer, Operation, Route, Verb};
use crate::api::routes::ROUTES;
use crate::request::NomadRequest;

/// The version of OpenAPI that the document is of.
const VERSION: &str = "3.1.0";

/// Deepest nesting of fields that is written down; below it a field is any object.
const DEPTH_MAX: usize = 4;

/// `GET /statehold/v1/openapi.json`
pub(crate) fn serve(call: &NomadRequest) -> Reply {
    let body = reply::render(&document(), call.query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(call.app.store().index().max(1))))
}

/// The document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES.iter().filter(|route| !route.operations.is_empty()) {
        let mut item = Map::new();
        for verb in [Verb::Get, Verb::Put, Verb::Post, Verb::Delete] {
            let mut operations =
                route.operations.iter().filter(|operation| operation.verbs.contains(&verb));
            if let Some(first) = operations.next() {
                let rest: Vec<_> = operations.collect();
                item.insert(verb.name().to_owned(), operation(route, verb, first, &rest));
            }
        }
        paths.insert(path(route), item.into());
    }
    json!({
        "openapi": VERSION,
        "info": {
            "title": "Statehold",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Nomad's volumes and plugins API, and an API to feed it. \
                            `HEAD` is `GET` without a body. Errors are plain text. \
                            `x-filter-fields` of a list has the fields of its filters, by the value of `type`.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:4646" }],
        "security": [{}, { "token": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "apiKey", "in": "header", "name": "X-Nomad-Token" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
            "headers": headers(),
            "responses": { "Error": {
                "description": "The cause, and how to correct it.",
                "content": { "text/plain": { "schema": { "type": "string" } } },
            } },
        },
    })
}

/// The path as OpenAPI writes it, which knows no placeholder for the rest.
fn path(route: &Route) -> String {
    route.path.replace("{*}", "{rest}")
}

/// What one method does at a path: `first`, and `others` that a value of `type=` chooses.
fn operation(
    route: &Route,
    verb: Verb,
    first: &'static Operation,
    others: &[&'static Operation],
) -> Value {
    let all = || std::iter::once(first).chain(others.iter().copied());
    let summaries: Vec<_> = all().map(summary).collect();
    let mut described = json!({
        "operationId": operation_id(route, verb, first),
        "summary": summaries.join(" "),
        "parameters": parameters(route, &all().collect::<Vec<_>>()),
        "responses": responses(route, &all().collect::<Vec<_>>()),
    });
    if matches!(first.rule, Rule::Rows([])) {
        // No scheme at all, where elsewhere it depends on the server.
        described["security"] = json!([]);
    }
    if let Some(fields) = filterable(&all().collect::<Vec<_>>()) {
        described["x-filter-fields"] = fields;
    }
    if let (Some(body), Some(members)) = (first.body, described.as_object_mut()) {
        let body = json!({
            "required": true,
            "description": body,
            "content": { "application/json": { "schema": { "type": "object" } } },
        });
        members.insert("requestBody".to_owned(), body);
    }
    described
}

/// The operation's name; with the method and the path's length where several have it.
fn operation_id(route: &Route, verb: Verb, operation: &Operation) -> String {
    let mut id = operation.id.to_owned();
    if operation.verbs.len() > 1 && operation.verbs.first() != Some(&verb) {
        id.push_str("By");
        id.push_str(&verb.name().to_uppercase());
    }
    let namesakes = ROUTES.iter().filter(|other| {
        other.operations.iter().any(|found| found.id == operation.id && other.path < route.path)
    });
    match namesakes.count() {
        0 => id,
        before => format!("{id}{}", before + 1),
    }
}

fn summary(operation: &'static Operation) -> String {
    match operation.of_type {
        Some(of_type) => format!("With `type={of_type}`: {}", operation.summary),
        None => operation.summary.to_owned(),
    }
}

/// The parameters of the path and of any of the operations, each once.
fn parameters(route: &Route, operations: &[&'static Operation]) -> Vec<Value> {
    let mut listed: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let name = if name == "*" { "rest" } else { name };
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    let types: Vec<_> = operations.iter().filter_map(|operation| operation.of_type).collect();
    if !types.is_empty() {
        listed.push(json!({
            "name": "type", "in": "query", "description": "The kind of objects to list.",
            "schema": { "type": "string", "enum": types },
        }));
    }
    let mut seen = Vec::new();
    for declared in operations.iter().flat_map(|operation| operation.parameters.iter().copied()) {
        for found in declared {
            if !seen.contains(&found.name) {
                seen.push(found.name);
                listed.push(parameter(found));
            }
        }
    }
    listed
}

fn parameter(declared: &Parameter) -> Value {
    let schema = match declared.kind {
        Kind::Text | Kind::Header => json!({ "type": "string" }),
        Kind::EvenHex => json!({ "type": "string", "pattern": "^[0-9A-Fa-f-]*$" }),
        // As Go reads it, and an empty value.
        Kind::Flag => json!({ "type": ["boolean", "string"] }),
        Kind::Count => json!({ "type": "integer", "minimum": 0 }),
        Kind::Duration => json!({ "type": "string", "examples": ["5m", "1h30m"] }),
    };
    let place = if declared.kind == Kind::Header { "header" } else { "query" };
    json!({ "name": declared.name, "in": place, "description": declared.doc, "schema": schema })
}

fn responses(route: &Route, operations: &[&'static Operation]) -> Value {
    let mut responses = Map::new();
    responses.insert("200".to_owned(), success(operations));
    let any = |is: fn(&Operation) -> bool| operations.iter().any(|operation| is(operation));
    let reads_body = any(|operation| operation.body.is_some());
    let writes = any(Operation::writes);
    let blocks = any(|operation| operation.blocks);
    let asks = any(|operation| {
        operation.parameters.iter().any(|group| group.iter().any(|one| one.kind == Kind::Header))
    });
    for (status, possible) in [
        (StatusCode::BAD_REQUEST, true),
        (StatusCode::FORBIDDEN, true),
        (StatusCode::NOT_FOUND, route.path.contains('{')),
        (StatusCode::REQUEST_TIMEOUT, reads_body),
        (StatusCode::CONFLICT, writes),
        (StatusCode::PAYLOAD_TOO_LARGE, reads_body),
        (StatusCode::MISDIRECTED_REQUEST, true),
        (StatusCode::TOO_MANY_REQUESTS, true),
        (StatusCode::INTERNAL_SERVER_ERROR, true),
        (StatusCode::NOT_IMPLEMENTED, reads_body),
        (StatusCode::BAD_GATEWAY, writes || asks),
        (StatusCode::SERVICE_UNAVAILABLE, writes || blocks),
    ] {
        if possible {
            let error = json!({ "$ref": "#/components/responses/Error" });
            responses.insert(status.as_str().to_owned(), error);
        }
    }
    responses.into()
}

/// What a request gets that went well.
fn success(operations: &[&'static Operation]) -> Value {
    let mut described = json!({ "description": "Success.", "headers": {} });
    let names = ["X-Nomad-Index", "X-Nomad-KnownLeader", "X-Nomad-LastContact"];
    let lists = operations.iter().any(|operation| matches!(operation.answer, Answer::List(_)));
    for name in names.into_iter().chain(lists.then_some("X-Nomad-NextToken")) {
        described["headers"][name] = json!({ "$ref": format!("#/components/headers/{name}") });
    }
    let schemas: Vec<(&str, Value)> =
        operations.iter().filter_map(|operation| content(operation.answer)).collect();
    let (kind, schema) = match schemas.as_slice() {
        [] => return described,
        [(kind, only)] => (*kind, only.clone()),
        [(kind, _), ..] => {
            let all: Vec<_> = schemas.iter().map(|(_, schema)| schema).collect();
            (*kind, json!({ "anyOf": all }))
        }
    };
    described["content"] = json!({ kind: { "schema": schema } });
    described
}

/// The media type and the schema of an answer.
fn content(answer: Answer) -> Option<(&'static str, Value)> {
    match answer {
        Answer::Empty => None,
        Answer::Text(about) => {
            Some(("text/plain", json!({ "type": "string", "description": about })))
        }
        Answer::Bytes(about) => Some((
            "application/octet-stream",
            json!({ "type": "string", "format": "binary", "description": about }),
        )),
        Answer::Object(about) => Some(("application/json", json!({ "description": about }))),
        Answer::List(_) => Some((
            "application/json",
            json!({ "type": "array", "items": { "type": "object" }, "description": "The rows." }),
        )),
    }
}

/// What filters can ask for, by the type that is listed.
fn filterable(operations: &[&'static Operation]) -> Option<Value> {
    let mut by_type = Map::new();
    for operation in operations {
        if let Answer::List(fields) = operation.answer
            && let Some(schema) = fields()
        {
            let of_type = operation.of_type.unwrap_or("*");
            by_type.insert(of_type.to_owned(), object(schema, DEPTH_MAX));
        }
    }
    (!by_type.is_empty()).then(|| by_type.into())
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

/// Values of a kind as filters see them, as JSON Schema.
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

/// The headers that replies have.
fn headers() -> Value {
    let header = |about: &str, schema: Value| json!({ "description": about, "schema": schema });
    json!({
        "X-Nomad-Index": header(
            "The index of the result, at least 1, or of the change; pass it as `index` to wait for \
             the next change.",
            json!({ "type": "integer", "minimum": 1 }),
        ),
        "X-Nomad-KnownLeader": header("`true`: there is one server.", json!({ "type": "boolean" })),
        "X-Nomad-LastContact": header("0: there is one server.", json!({ "type": "integer" })),
        "X-Nomad-NextToken": header(
            "Start of the next page; absent on the last page.",
            json!({ "type": "string" }),
        ),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    /// After a change of the table: `UPDATE_EXPECT=1 cargo test -p statehold-nomad-server openapi`.
    #[test]
    fn the_document_in_docs_is_the_one_that_is_served() {
        let document = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        expect_file!["../../../../docs/openapi.json"].assert_eq(&document);
    }

    #[test]
    fn every_operation_is_in_the_document_with_parameters_responses_and_errors() {
        let document = document();
        let mut ids = Vec::new();
        for route in ROUTES {
            for operation in route.operations {
                for verb in operation.verbs {
                    let described = &document["paths"][path(route)][verb.name()];
                    let about = format!("{} {}", verb.name(), route.path);
                    let id = described["operationId"].as_str().expect(&about);
                    let summary = described["summary"].as_str().expect(&about);
                    assert!(summary.contains(operation.summary) && !summary.is_empty(), "{about}");
                    let named: Vec<_> = described["parameters"]
                        .as_array()
                        .expect(&about)
                        .iter()
                        .map(|parameter| parameter["name"].as_str().expect(&about))
                        .collect();
                    for declared in operation.parameters.iter().copied().flatten() {
                        assert!(named.contains(&declared.name), "{about}: {}", declared.name);
                    }
                    assert_eq!(described.get("requestBody").is_some(), operation.body.is_some());
                    let responses = &described["responses"];
                    for status in ["200", "400", "403", "421", "429", "500"] {
                        assert!(responses.get(status).is_some(), "{about}: {status}");
                    }
                    let fails = operation.writes() || operation.blocks;
                    assert!(!fails || responses.get("503").is_some(), "{about}");
                    if operation.of_type.is_none() {
                        ids.push(id.to_owned());
                    }
                }
            }
        }
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "an operation's name is that of another one");
    }

    #[test]
    fn each_reference_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                        let found = document.pointer(target.trim_start_matches('#'));
                        assert!(found.is_some(), "{target}");
                    }
                    members.values().for_each(|value| check(value, document));
                }
                Value::Array(values) => values.iter().for_each(|value| check(value, document)),
                _ => {}
            }
        }
        let document = document();
        check(&document, &document);
    }
}
