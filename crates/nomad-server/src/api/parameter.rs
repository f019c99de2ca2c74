//! The parameters of the API, shared by request parsing, the documentation and the OpenAPI document.

pub(crate) use statehold_server_core::router::{Kind, Parameter};

/// Parameters of every request.
pub(crate) const COMMON: &[Parameter] = &[
    Parameter::text("region", "The region; the only one is `global`."),
    Parameter::new("pretty", Kind::Flag, "Indents the JSON, unless `0`."),
];

/// The namespace of a request.
pub(crate) const NAMESPACE: &[Parameter] = &[Parameter::text(
    "namespace",
    "The namespace; `default` when absent. Lists accept `*` for all.",
)];

/// Parameters of every read that can block.
pub(crate) const BLOCKING: &[Parameter] = &[
    Parameter::new(
        "stale",
        Kind::Flag,
        "Accepted for compatibility and ignored: there is one server.",
    ),
    Parameter::new(
        "index",
        Kind::Count,
        "Waits until the index of the result is greater than this; 0 does not wait.",
    ),
    Parameter::new(
        "wait",
        Kind::Duration,
        "Maximum time to wait: 5m when absent, at most 10m, plus up to a sixteenth of it.",
    ),
];

/// Parameters of every list.
pub(crate) const PAGING: &[Parameter] = &[
    Parameter::text("filter", "An expression that rows must satisfy."),
    Parameter::new("per_page", Kind::Count, "Maximum rows per page; all when 0 or absent."),
    Parameter::text(
        "next_token",
        "Start of the page: `X-Nomad-NextToken` of the previous page, with the same parameters.",
    ),
    Parameter::text("reverse", "`true` for descending order."),
];

/// Parameters of deregistering and deleting.
pub(crate) const FORCE: &[Parameter] = &[Parameter::new(
    "force",
    Kind::Flag,
    "Proceeds although the volume is claimed, if every claiming allocation has ended.",
)];

/// Parameters of deleting a host volume.
pub(crate) const FORCE_GONE: &[Parameter] = &[Parameter::new(
    "force",
    Kind::Flag,
    "Proceeds although the node can't be asked to delete it.",
)];

/// Parameters of detaching.
pub(crate) const NODE: &[Parameter] = &[Parameter::text("node", "The ID of the node.")];

/// Parameters of a list that a provider returns.
pub(crate) const PROVIDER_PAGE: &[Parameter] = &[
    Parameter::text("plugin_id", "The plugin: its ID, or a unique prefix of it."),
    Parameter::new(
        "per_page",
        Kind::Count,
        "Maximum entries per page; the provider decides when 0.",
    ),
    Parameter::text("next_token", "Start of the page: `NextToken` of the previous page."),
];

/// The parameters of a health check.
pub(crate) const HEALTH: &[Parameter] =
    &[Parameter::text("type", "`client` or `server`: returns only the health of that part.")];

/// The parameters of a request for metrics.
pub(crate) const TELEMETRY: &[Parameter] =
    &[Parameter::text("format", "`prometheus` for Prometheus' text format; JSON otherwise.")];

/// Parameters of deleting a snapshot.
pub(crate) const SNAPSHOT: &[Parameter] = &[
    Parameter::text("plugin_id", "Required: the plugin's ID, or a unique prefix of it."),
    Parameter::text("snapshot_id", "Required: the snapshot's ID at the provider."),
];

/// Parameters of a request whose provider may need secrets.
pub(crate) const SECRETS: &[Parameter] = &[Parameter::header(
    "X-Nomad-CSI-Secrets",
    "Secrets for the provider only: `name=value`, separated by commas.",
)];
