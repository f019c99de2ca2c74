//! The OpenAPI document, from the tables of routes.

use std::sync::LazyLock;

use axum::http::StatusCode;
use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Value, json};
use statehold_cinder::Microversion;
use statehold_server_core::router::openapi;
use statehold_store::Snapshot;

use crate::api::operation::{Reply, Shape, of, ok};
use crate::api::routes;
use crate::api::routes::{Handler, Route, TABLES};
use crate::monitor;
use crate::request::{ApiError, CinderReply, CinderRequest, JSON};

/// The document. A path may end in `.json`, so that it is at `/v3/openapi.json` too.
pub(crate) static ROUTES: &[Route] =
    &[routes::read("/v3/openapi", "Returns this document.", serve)
        .open()
        .without_project()
        .reply(Reply(200, Shape::Whole(of::<Value>)))];

/// Built once: no option of the server changes it.
static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

fn serve(_: &Snapshot, _: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    CinderReply::json(StatusCode::OK, &*DOCUMENT)
}

/// Returns the document.
fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.contract = Contract::Serialize;
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut operations: Vec<_> = unrouted();
    operations
        .extend(TABLES.iter().copied().flatten().map(|route| operation(route, &mut generator)));
    let api = openapi::Api {
        title: "Statehold Block Storage",
        description: format!(
            "OpenStack's Block Storage API, version 3. Bodies are those of microversion {}; a description names \
             the first microversion of what is younger than 3.0. The ID of the token's project may follow `/v3/` in \
             every path but those of default types. `HEAD` is `GET` without a body. `x-filter-fields` of a list has \
             the fields of its parameter `filter`.",
            Microversion::MAX
        ),
        server: "http://127.0.0.1:8776",
        security: json!([{ "token": [] }]),
        components: json!({
            "securitySchemes": {
                "token": { "type": "apiKey", "in": "header", "name": "X-Auth-Token" },
            },
            "parameters": { "Microversion": microversion() },
            "schemas": generator.take_definitions(true),
        }),
        errors: json!({
            JSON: { "schema": {
                "description": "One member, named after the kind of error, or the error of the identity service.",
                "type": "object",
            } },
            // Of limits and rules that hold before a route is known, and of a state that changed.
            "text/plain": { "schema": { "type": "string" } },
            "text/html": {},
        }),
    };
    openapi::document(api, operations)
}

/// The header that selects the edition of the API.
fn microversion() -> Value {
    let (first, last) = (Microversion::MIN, Microversion::MAX);
    json!({
        "name": "OpenStack-API-Version", "in": "header",
        "description": format!("The microversion, {first} to {last}: {first} without it."),
        "schema": {
            "type": "string", "pattern": r"^volume (3\.(0|[1-9][0-9]?)|latest)$",
            "examples": [format!("volume {last}")],
        },
    })
}

/// Describes a route.
fn operation(route: &Route, generator: &mut SchemaGenerator) -> openapi::Operation {
    let mut parameters = vec![json!({ "$ref": "#/components/parameters/Microversion" })];
    if route.tagged {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "schema": { "type": "string" },
            "description": "The `ETag` of the state to replace, since microversion 3.15.",
        }));
    }
    parameters.extend(route.list.iter().flat_map(|list| list.describe()));
    parameters.extend(route.query.iter().map(|parameter| parameter.describe()));
    let since = route.since;
    let fields = route.list.and_then(|list| (list.fields)());
    let greeting = openapi::Reply {
        status: StatusCode::NO_CONTENT,
        description: "Without a token, under `--auth noauth`: `X-Auth-Token` has one to use.",
        headers: Vec::new(),
        content: None,
    };
    let replies = route.replies().map(|reply| self::reply(*reply, generator));
    openapi::Operation {
        method: verb(route.method),
        path: route.path,
        id: id(route.method, route.path),
        summary: route.summary.to_owned(),
        description: if since > 0 {
            format!("Since microversion 3.{since}.")
        } else {
            String::new()
        },
        parameters,
        path_values: route.body.map(|body| body.path_actions()).unwrap_or_default(),
        body: route.body.map(|body| openapi::RequestBody {
            description: String::new(),
            schema: body.json_schema(),
            is_required: body.is_required(),
        }),
        replies: replies.chain([greeting]).collect(),
        errors: errors(route),
        filter_fields: fields.map(openapi::filter_fields).unwrap_or_default(),
        ..openapi::Operation::default()
    }
}

fn reply(Reply(status, shape): Reply, generator: &mut SchemaGenerator) -> openapi::Reply {
    let kind = shape.kind().split(';').next().unwrap_or_default();
    openapi::Reply {
        status: StatusCode::from_u16(status).unwrap_or_default(),
        description: "Success.",
        headers: Vec::new(),
        // No 204 has a body of any type.
        content: (status != 204).then(|| (kind, shape.schema(generator))),
    }
}

/// The statuses of requests that fail.
fn errors(route: &Route) -> Vec<StatusCode> {
    let writes = matches!(route.run, Handler::Write(_));
    let possible = [
        (StatusCode::BAD_REQUEST, true),
        (StatusCode::UNAUTHORIZED, true),
        (StatusCode::FORBIDDEN, true),
        (StatusCode::NOT_FOUND, true),
        // Of microversions that do not exist.
        (StatusCode::NOT_ACCEPTABLE, true),
        (StatusCode::REQUEST_TIMEOUT, writes),
        (StatusCode::CONFLICT, writes),
        (StatusCode::PRECONDITION_FAILED, route.tagged),
        // Of bodies, and of quotas.
        (StatusCode::PAYLOAD_TOO_LARGE, writes),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, writes),
        (StatusCode::MISDIRECTED_REQUEST, true),
        (StatusCode::TOO_MANY_REQUESTS, true),
        (StatusCode::INTERNAL_SERVER_ERROR, true),
        (StatusCode::NOT_IMPLEMENTED, writes),
        (StatusCode::SERVICE_UNAVAILABLE, true),
    ];
    possible.into_iter().filter(|(_, possible)| *possible).map(|(status, _)| status).collect()
}

/// The statuses of requests that fail before a token is read.
fn limits() -> impl Iterator<Item = StatusCode> {
    [
        StatusCode::MISDIRECTED_REQUEST,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
    ]
    .into_iter()
}

/// The endpoints that no table has, because they are answered before a token is read.
fn unrouted() -> Vec<openapi::Operation> {
    let get = |path, id: &str, summary: &str, replies: Vec<(u16, &'static str, Value)>| {
        let replies = replies.into_iter().map(|(status, kind, schema)| openapi::Reply {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            description: "Success.",
            headers: Vec::new(),
            content: Some((kind, schema)),
        });
        openapi::Operation {
            method: "get",
            path,
            id: id.to_owned(),
            summary: summary.to_owned(),
            is_open: true,
            replies: replies.collect(),
            errors: limits().collect(),
            ..openapi::Operation::default()
        }
    };
    let mut unused = SchemaGenerator::default();
    let versions = ok("versions", of::<Vec<Value>>).1.schema(&mut unused);
    let text = json!({ "type": "string" });
    vec![
        get(
            "/",
            "listVersions",
            "Lists the versions of the API.",
            vec![(300, JSON, versions.clone())],
        ),
        get(
            "/v3",
            "redirectToVersion",
            "Redirects to `/v3/`.",
            vec![(302, "text/plain", text.clone())],
        ),
        get("/v3/", "showVersion", "Shows version 3 of the API.", vec![(200, JSON, versions)]),
        get(
            monitor::HEALTHCHECK,
            "checkHealth",
            "Returns 200 while the store takes writes.",
            vec![(200, "text/plain", text.clone())],
        ),
        openapi::Operation {
            is_open: false,
            errors: [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]
                .into_iter()
                .chain(limits())
                .collect(),
            ..get(
                monitor::METRICS,
                "metrics",
                "Returns the server's metrics for Prometheus.",
                vec![(200, "application/openmetrics-text", text)],
            )
        },
    ]
}

fn verb(method: &str) -> &'static str {
    match method {
        "POST" => "post",
        "PUT" => "put",
        "DELETE" => "delete",
        _ => "get",
    }
}

/// The name of an operation: the method and the words of the path, as in `getVolumesIdMetadata`.
fn id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches(routes::PREFIX).split(|c: char| !c.is_alphanumeric());
    let words = words.map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    verb(method).to_owned() + &words.collect::<String>()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::expect_file;

    use super::*;

    /// After a change of a table: `UPDATE_EXPECT=1 cargo test -p statehold-cinder-server openapi`.
    #[test]
    fn the_document_in_docs_is_the_one_that_is_served() {
        let document = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        expect_file!["../../../../docs/openapi-block-storage.json"].assert_eq(&document);
    }

    #[test]
    fn every_route_is_described_under_a_name_of_its_own() {
        let document = document();
        let mut ids = BTreeSet::new();
        for route in TABLES.iter().copied().flatten() {
            let described = &document["paths"][route.path][verb(route.method)];
            let about = format!("{} {}", route.method, route.path);
            assert!(route.summary.ends_with('.'), "{about}");
            assert_eq!(described["summary"], route.summary, "{about}");
            assert!(ids.insert(described["operationId"].to_string()), "{about}");
            // Only methods with a body read one, and actions alone may have none.
            let reads = matches!(route.method, "POST" | "PUT");
            let always_fails = route.path == "/v3/os-hosts/{host}";
            assert_eq!(route.body.is_some(), reads && !always_fails, "{about}");
        }
    }

    #[test]
    fn each_reference_leads_somewhere() {
        assert_eq!(openapi::dangling_references(&document()), [""; 0]);
    }
}
