//! Parameters as declared: what the reading of a request, its documentation and the OpenAPI document
//! have in common.

/// A query parameter, or a header, of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What it means, a sentence.
    pub(crate) doc: &'static str,
}

/// What a parameter's value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Digits that a UUID starts with, hyphens optional, an even number of them.
    EvenHex,
    /// The spellings of a boolean that Go takes.
    Flag,
    /// A whole number of at least 0.
    Count,
    /// A duration as Go writes it.
    Duration,
    /// Any text, in a header of that name.
    Header,
}

impl Parameter {
    pub(crate) const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, doc }
    }

    pub(crate) const fn text(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Text, doc)
    }

    pub(crate) const fn header(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::Header, doc)
    }

    pub(crate) const fn even_hex(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::EvenHex, doc)
    }
}

/// What every request takes.
pub(crate) const COMMON: &[Parameter] = &[
    Parameter::text("region", "The region; the only one is `global`."),
    Parameter::new("pretty", Kind::Flag, "Indented JSON, unless `0`."),
];

/// The namespace of a request.
pub(crate) const NAMESPACE: &[Parameter] = &[Parameter::text(
    "namespace",
    "The namespace, `default` when absent; lists take `*` for all.",
)];

/// What every read takes that can block.
pub(crate) const BLOCKING: &[Parameter] = &[
    Parameter::new("stale", Kind::Flag, "Taken for compatibility: there is one server."),
    Parameter::new(
        "index",
        Kind::Count,
        "Answer when the index of what is read is greater than this; 0 does not block.",
    ),
    Parameter::new(
        "wait",
        Kind::Duration,
        "Answer after this time at the latest: 5m when absent, at most 10m, plus up to a sixteenth.",
    ),
];

/// What every list takes.
pub(crate) const PAGING: &[Parameter] = &[
    Parameter::text("filter", "An expression that rows have to satisfy."),
    Parameter::new("per_page", Kind::Count, "Rows of a page; all when 0 or absent."),
    Parameter::text(
        "next_token",
        "Where the page begins: `X-Nomad-NextToken` of the page before, with the same parameters.",
    ),
    Parameter::text("reverse", "`true` for descending order."),
];

/// What deregistering and deleting takes.
pub(crate) const FORCE: &[Parameter] = &[Parameter::new(
    "force",
    Kind::Flag,
    "Also when it is claimed, if every allocation that claims it has ended.",
)];

/// What deleting a host volume takes.
pub(crate) const FORCE_GONE: &[Parameter] =
    &[Parameter::new("force", Kind::Flag, "Also when its node can't be asked to remove it.")];

/// What detaching takes.
pub(crate) const NODE: &[Parameter] = &[Parameter::text("node", "The ID of the node.")];

/// What a list of a provider's things takes.
pub(crate) const PROVIDER_PAGE: &[Parameter] = &[
    Parameter::text("plugin_id", "The plugin: its ID, or the beginning of only one's."),
    Parameter::new(
        "per_page",
        Kind::Count,
        "Entries of a page; as many as the provider likes when 0.",
    ),
    Parameter::text("next_token", "Where the page begins: `NextToken` of the page before."),
];

/// The parameters of a health check.
pub(crate) const HEALTH: &[Parameter] =
    &[Parameter::text("type", "`client` or `server`: only the health of that part.")];

/// The parameters of a request for metrics.
pub(crate) const TELEMETRY: &[Parameter] =
    &[Parameter::text("format", "`prometheus` for Prometheus' text; JSON otherwise.")];

/// What removing a snapshot takes.
pub(crate) const SNAPSHOT: &[Parameter] = &[
    Parameter::text("plugin_id", "Required: the plugin's ID, or the beginning of only one's."),
    Parameter::text("snapshot_id", "Required: the provider's ID of the snapshot."),
];

/// What a request takes whose provider may want secrets.
pub(crate) const SECRETS: &[Parameter] = &[Parameter::header(
    "X-Nomad-CSI-Secrets",
    "For the provider only: `name=value`, separated by commas.",
)];
