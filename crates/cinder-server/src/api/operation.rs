//! The description of a route for the OpenAPI document: parameters, body, and the replies of requests that succeed.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};
use statehold_cinder::ListResource;
use statehold_filter::{Kind as FieldKind, Schema};
use statehold_server_core::router::{Kind, Parameter};

use crate::api::list::Collection;
use crate::request;

/// Returns the JSON Schema of a type, which may refer to the definitions of a generator.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Value;

/// Returns the JSON Schema of the values that `T` serialises to.
pub(crate) fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// A reply of a request that succeeds: its status and its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply(pub(crate) u16, pub(crate) Shape);

/// The body of a reply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// No body, of the media type that clients know.
    Empty,
    /// No body, of the media type of JSON.
    Done,
    /// An object with at least one member of this name.
    Member(&'static str, SchemaOf),
    /// An object with these members at least.
    Object(&'static [&'static str]),
    /// A page of a list.
    Page(Collection, SchemaOf),
    /// Any JSON.
    Whole(SchemaOf),
}

impl Shape {
    /// Returns the media type.
    pub(crate) const fn kind(self) -> &'static str {
        if matches!(self, Self::Empty) { request::NO_BODY } else { request::JSON }
    }

    /// Returns the JSON Schema; null without a body.
    pub(crate) fn schema(self, generator: &mut SchemaGenerator) -> Value {
        match self {
            Self::Empty | Self::Done => Value::Null,
            Self::Whole(of) => of(generator),
            Self::Object(names) => json!({ "type": "object", "required": names }),
            Self::Member(name, of) => json!({
                "type": "object", "properties": { name: of(generator) }, "required": [name],
            }),
            Self::Page(place, of) => {
                let rows = place.rows;
                let mut schema = json!({
                    "type": "object",
                    "properties": { rows: { "type": "array", "items": of(generator) } },
                    "required": [rows],
                });
                if let Some(links) = place.links {
                    schema["properties"][links] = json!({
                        "type": "array",
                        "description": "The address of the next page; absent on the last page.",
                        "items": { "type": "object", "required": ["rel", "href"] },
                    });
                }
                schema
            }
        }
    }
}

/// No body: work is queued, or done.
pub(crate) const EMPTY: Reply = Reply(202, Shape::Empty);
/// No body: work is queued, or done.
pub(crate) const DONE: Reply = Reply(202, Shape::Done);
/// No body.
pub(crate) const OK_EMPTY: Reply = Reply(200, Shape::Empty);
/// No body.
pub(crate) const OK_DONE: Reply = Reply(200, Shape::Done);

/// Creates a 200 with one member.
pub(crate) const fn ok(name: &'static str, of: SchemaOf) -> Reply {
    Reply(200, Shape::Member(name, of))
}

/// Creates a 202 with one member.
pub(crate) const fn accepted(name: &'static str, of: SchemaOf) -> Reply {
    Reply(202, Shape::Member(name, of))
}

/// Creates a 200 with an object that has these members at least.
pub(crate) const fn ok_object(names: &'static [&'static str]) -> Reply {
    Reply(200, Shape::Object(names))
}

/// The parameters of a list that follow from its resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListParameters {
    /// The keys that members may filter by.
    filters: &'static [&'static str],
    sort_keys: &'static [&'static str],
    is_counted: bool,
    has_projects: bool,
    /// The fields that the filter language sees.
    pub(crate) fields: fn() -> Option<&'static Schema>,
}

impl ListParameters {
    pub(crate) const fn new<T: ListResource>() -> Self {
        Self {
            filters: T::FILTERS.keys,
            sort_keys: T::SORT_KEYS,
            is_counted: T::COUNTED,
            has_projects: T::BY_PROJECT.is_some(),
            fields: || FieldKind::schema(T::KIND),
        }
    }

    /// Returns the Parameter Objects of the list.
    pub(crate) fn describe(&self) -> Vec<Value> {
        let mut all: Vec<Value> = PAGING.iter().map(Parameter::describe).collect();
        let keys = self.sort_keys;
        all.push(json!({
            "name": "sort_key", "in": "query", "schema": { "type": "string", "enum": keys },
            "description": "The key to sort by. `sort` replaces it.",
        }));
        let optional = [(self.is_counted, &WITH_COUNT), (self.has_projects, &ALL_TENANTS)];
        let optional = optional.iter().filter(|(has, _)| *has).map(|(_, found)| found.describe());
        all.extend(optional);
        all.extend(self.filters.iter().map(|key| {
            let about = match key.strip_suffix('~') {
                Some(key) => format!("Returns the rows whose `{key}` contains it, since microversion 3.34."),
                None => format!("Returns the rows with this `{key}`."),
            };
            json!({ "name": key, "in": "query", "schema": { "type": "string" }, "description": about })
        }));
        all
    }
}

/// The parameters of every list with pages.
const PAGING: &[Parameter] = &[
    Parameter::new("limit", Kind::Count, "Maximum rows of the page; at most 1000."),
    Parameter::new("offset", Kind::Count, "The number of rows to skip."),
    Parameter::text("marker", "The ID of the row after which the page begins."),
    Parameter::text("sort", "Keys, separated by commas, each with `:asc` or `:desc`."),
    Parameter::text("sort_dir", "`asc` or `desc`, for `sort_key`."),
    FILTER,
];

const WITH_COUNT: Parameter =
    Parameter::flag("with_count", "Adds the number of all rows, since microversion 3.45.");
pub(crate) const ALL_TENANTS: Parameter = Parameter::flag(
    "all_tenants",
    "Includes the rows of all projects; ignored unless an admin calls.",
);
pub(crate) const FILTER: Parameter =
    Parameter::text("filter", "An expression of the filter language that rows must satisfy.");
pub(crate) const CASCADE: Parameter =
    Parameter::flag("cascade", "Deletes the snapshots of the volume too.");
pub(crate) const FORCE: Parameter = Parameter::flag(
    "force",
    "Deletes the volume in any status; admins only, since microversion 3.23.",
);
pub(crate) const FORCE_QOS: Parameter =
    Parameter::flag("force", "Deletes the QoS specs although volume types have them.");
pub(crate) const VOL_TYPE: Parameter =
    Parameter::text("vol_type_id", "Required: the ID of the volume type.");
pub(crate) const USAGE: Parameter = Parameter::flag("usage", "Adds the usage to each quota.");
pub(crate) const PROJECT_ID: Parameter = Parameter::text(
    "project_id",
    "The project; admins only, since microversion 3.39. Otherwise that of the caller.",
);
pub(crate) const TENANT_ID: Parameter = Parameter::text("tenant_id", "Like `project_id`.");
pub(crate) const IS_PUBLIC: Parameter =
    Parameter::text("is_public", "A boolean, or `None` for public and private types; admins only.");
pub(crate) const VOLUMES: Parameter =
    Parameter::flag("list_volume", "Adds the volumes of each group, since microversion 3.25.");
pub(crate) const HOST: Parameter = Parameter::text("host", "The host, with or without a back end.");
pub(crate) const BINARY: Parameter = Parameter::text("binary", "The binary of the service.");
pub(crate) const DETAIL: Parameter = Parameter::flag("detail", "Adds the capabilities.");
pub(crate) const POOL: Parameter =
    Parameter::text("name", "The name of the pool, since microversion 3.28.");
pub(crate) const POOL_TYPE: Parameter = Parameter::text(
    "volume_type",
    "Returns the pools that fit this volume type, since microversion 3.35.",
);
pub(crate) const RESOURCE: Parameter = Parameter::text("resource", "The resource to filter.");

/// The parameters of lists of the objects of a back end.
pub(crate) const MANAGEABLE: &[Parameter] = &[
    Parameter::text("host", "The pool: `host@backend#pool`."),
    Parameter::text("cluster", "The cluster, of which there is none; since microversion 3.17."),
    Parameter::new("limit", Kind::Count, "Maximum rows of the page; at most 1000."),
    Parameter::new("offset", Kind::Count, "The number of rows to skip."),
    Parameter::text("marker", "The reference after which the page begins."),
    Parameter::text("sort", "`reference` or `size`, with `:asc` or `:desc`."),
    FILTER,
];

/// The filters of lists of clusters.
pub(crate) const CLUSTER: &[Parameter] = &[
    Parameter::text("name", "The name."),
    BINARY,
    Parameter::flag("is_up", "Whether it is up."),
    Parameter::flag("disabled", "Whether it is disabled."),
    Parameter::new("num_hosts", Kind::Count, "The number of hosts."),
    Parameter::new("num_down_hosts", Kind::Count, "The number of hosts that are down."),
    Parameter::text("replication_status", "The status of replication, since microversion 3.26."),
    Parameter::flag("frozen", "Whether it is frozen, since microversion 3.26."),
    Parameter::text("active_backend_id", "The active back end, since microversion 3.26."),
];
