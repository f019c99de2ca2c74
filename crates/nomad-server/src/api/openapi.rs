//! The OpenAPI document, from the table of routes.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use statehold_server_core::router::openapi;

use crate::acl::access::Rule;
use crate::api::Reply;
use crate::api::parameter::Kind;
use crate::api::reply;
use crate::api::reply::Meta;
use crate::api::route::{Answer, Operation, Route, Verb};
use crate::api::routes::ROUTES;
use crate::request::NomadRequest;

/// `GET /statehold/v1/openapi.json`
pub(crate) fn serve(call: &NomadRequest) -> Reply {
    let body = reply::render(&document(), call.query.pretty())?;
    Ok(reply::json_body(body, &Meta::at(call.app.store().index().max(1))))
}

/// The document.
pub(crate) fn document() -> Value {
    let operations = ROUTES.iter().flat_map(|route| {
        [Verb::Get, Verb::Put, Verb::Post, Verb::Delete].into_iter().filter_map(move |verb| {
            let answering = |operation: &&Operation| operation.verbs.contains(&verb);
            let all: Vec<_> = route.operations.iter().filter(answering).collect();
            (!all.is_empty()).then(|| operation(route, verb, &all))
        })
    });
    let api = openapi::Api {
        title: "Statehold",
        description: "Nomad's volumes and plugins API, and an API to feed it. \
                      `HEAD` is `GET` without a body. Errors are plain text. \
                      `x-filter-fields` of a list has the fields of its filters, by the value of `type`. \
                      `x-permission` is the permission that a token must have once there is an ACL."
            .to_owned(),
        server: "http://127.0.0.1:4646",
        security: json!([{}, { "token": [] }, { "bearer": [] }]),
        components: json!({
            "securitySchemes": {
                "token": { "type": "apiKey", "in": "header", "name": "X-Nomad-Token" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
            "headers": headers(),
        }),
        errors: json!({ "text/plain": { "schema": { "type": "string" } } }),
    };
    openapi::document(api, operations)
}

/// One method at a path: the operations that a value of `type=` chooses from.
fn operation(route: &Route, verb: Verb, all: &[&'static Operation]) -> openapi::Operation {
    let summaries: Vec<_> = all.iter().map(|operation| summary(operation)).collect();
    let first = all.first();
    openapi::Operation {
        method: verb.name(),
        path: route.path,
        id: first.map(|first| operation_id(route, verb, first)).unwrap_or_default(),
        summary: summaries.join(" "),
        permission: permission(all),
        is_open: first.is_some_and(|first| matches!(first.rule, Rule::Rows([]))),
        parameters: parameters(all),
        body: first.and_then(|first| first.body).map(|body| openapi::RequestBody {
            description: body.to_owned(),
            schema: json!({ "type": "object" }),
            is_required: true,
        }),
        replies: all.iter().flat_map(|operation| replies(operation)).collect(),
        errors: errors(route, all),
        filter_fields: filterable(all),
        ..openapi::Operation::default()
    }
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

/// The permission of an operation; by the value of `type=` if there are several.
fn permission(operations: &[&'static Operation]) -> Value {
    let rule = |operation: &Operation| serde_json::to_value(operation.rule).unwrap_or_default();
    match operations {
        [only] => rule(only),
        _ => operations
            .iter()
            .map(|operation| (operation.of_type.unwrap_or("*").to_owned(), rule(operation)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// The parameters of any of the operations, each once.
fn parameters(operations: &[&'static Operation]) -> Vec<Value> {
    let mut listed = Vec::new();
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
                listed.push(found.describe());
            }
        }
    }
    listed
}

/// The statuses of requests that fail.
fn errors(route: &Route, operations: &[&'static Operation]) -> Vec<StatusCode> {
    let any = |is: fn(&Operation) -> bool| operations.iter().any(|operation| is(operation));
    let reads_body = any(|operation| operation.body.is_some());
    let writes = any(Operation::writes);
    let blocks = any(|operation| operation.blocks);
    let is_typed = any(|operation| operation.of_type.is_some());
    let asks = any(|operation| {
        operation.parameters.iter().any(|group| group.iter().any(|one| one.kind == Kind::Header))
    });
    let possible = [
        (StatusCode::BAD_REQUEST, true),
        (StatusCode::FORBIDDEN, true),
        (StatusCode::NOT_FOUND, route.path.contains('{') || asks || is_typed),
        (StatusCode::REQUEST_TIMEOUT, reads_body),
        (StatusCode::CONFLICT, writes),
        (StatusCode::PAYLOAD_TOO_LARGE, reads_body),
        (StatusCode::MISDIRECTED_REQUEST, true),
        (StatusCode::TOO_MANY_REQUESTS, true),
        (StatusCode::INTERNAL_SERVER_ERROR, true),
        (StatusCode::NOT_IMPLEMENTED, reads_body || writes),
        (StatusCode::BAD_GATEWAY, writes || asks),
        (StatusCode::SERVICE_UNAVAILABLE, writes || blocks),
    ];
    possible.into_iter().filter(|(_, possible)| *possible).map(|(status, _)| status).collect()
}

/// The replies to requests that succeed, one for each media type.
fn replies(operation: &Operation) -> Vec<openapi::Reply> {
    let mut headers = vec!["X-Nomad-Index", "X-Nomad-KnownLeader", "X-Nomad-LastContact"];
    if matches!(operation.answer, Answer::List(_)) {
        headers.push("X-Nomad-NextToken");
    }
    let reply = |content| {
        let headers = headers.clone();
        openapi::Reply { status: StatusCode::OK, description: "Success.", headers, content }
    };
    let text = |about| json!({ "type": "string", "description": about });
    let json = |schema| reply(Some(("application/json", schema)));
    match operation.answer {
        Answer::Empty => vec![reply(None)],
        Answer::Text(kind, about) => vec![reply(Some((kind, text(about))))],
        Answer::Bytes(about) => {
            let schema = json!({ "type": "string", "format": "binary", "description": about });
            vec![reply(Some(("application/octet-stream", schema)))]
        }
        Answer::Object(about) => vec![json(json!({ "description": about }))],
        Answer::ObjectOrText(about) => {
            vec![json(json!({ "description": about })), reply(Some(("text/plain", text(about))))]
        }
        Answer::List(_) => vec![json(json!({
            "type": "array", "items": { "type": "object" }, "description": "The rows.",
        }))],
    }
}

/// The fields that filters can name, by the type that is listed.
fn filterable(operations: &[&'static Operation]) -> Value {
    let mut by_type = Map::new();
    for operation in operations {
        if let Answer::List(fields) = operation.answer
            && let Some(schema) = fields()
        {
            let of_type = operation.of_type.unwrap_or("*");
            by_type.insert(of_type.to_owned(), openapi::filter_fields(schema));
        }
    }
    if by_type.is_empty() { Value::Null } else { by_type.into() }
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
    fn the_document_describes_every_operation_completely() {
        let document = document();
        let mut ids = Vec::new();
        for route in ROUTES {
            for operation in route.operations {
                for verb in operation.verbs {
                    let described =
                        &document["paths"][openapi::document_path(route.path)][verb.name()];
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
        assert_eq!(openapi::dangling_references(&document()), [""; 0]);
    }
}
