//! Search by the prefix of an ID, or by a part of a name, in one or all contexts.
//!
//! Nomad: `nomad/search_endpoint.go`, `Search.PrefixSearch` and `FuzzySearch`.

mod fuzzy;

use std::{fmt, str::FromStr};

use statehold_store::{HexPrefix, HexPrefixError, KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::{
    filters::list_node_pools,
    fmt::Quoted,
    list::{ALL_NAMESPACES, matches_namespace},
    rows::{Allocations, CsiPlugins, CsiVolumes, HostVolumes, Jobs, Namespaces, Nodes},
};

pub use self::fuzzy::{
    FUZZY_MIN_CHARS, FuzzyJobParts, FuzzyMatch, FuzzyMatches, fuzzy_search, fuzzy_search_in_jobs,
};

/// Maximum number of IDs that a search returns. Nomad: `nomad/search_endpoint.go`, `truncateLimit`.
pub const SEARCH_MATCHES_MAX: usize = 20;

/// A kind of resource to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SearchContext {
    /// Allocations, by UUID.
    Allocations,
    /// Deployments: always empty.
    Deployments,
    /// Evaluations: always empty.
    Evaluations,
    /// Host volumes, by UUID.
    HostVolumes,
    /// Jobs.
    Jobs,
    /// Namespaces, by name.
    Namespaces,
    /// Node pools, by name.
    NodePools,
    /// Nodes, by UUID.
    Nodes,
    /// CSI plugins.
    Plugins,
    /// Scaling policies: always empty.
    ScalingPolicies,
    /// Variables: always empty.
    Variables,
    /// CSI volumes.
    Volumes,
}

impl SearchContext {
    /// All contexts, ordered by name.
    pub const ALL: [Self; 12] = [
        Self::Allocations,
        Self::Deployments,
        Self::Evaluations,
        Self::HostVolumes,
        Self::Jobs,
        Self::Namespaces,
        Self::NodePools,
        Self::Nodes,
        Self::Plugins,
        Self::ScalingPolicies,
        Self::Variables,
        Self::Volumes,
    ];

    /// Returns whether this server never has resources of that kind. A search there returns no
    /// match, as in an empty Nomad cluster.
    pub fn is_always_empty(self) -> bool {
        matches!(
            self,
            Self::Deployments | Self::Evaluations | Self::ScalingPolicies | Self::Variables
        )
    }

    /// Returns the name that clients use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allocations => "allocs",
            Self::Deployments => "deployment",
            Self::Evaluations => "evals",
            Self::HostVolumes => "host_volumes",
            Self::Jobs => "jobs",
            Self::Namespaces => "namespaces",
            Self::NodePools => "node_pools",
            Self::Nodes => "nodes",
            Self::Plugins => "plugins",
            Self::ScalingPolicies => "scaling_policy",
            Self::Variables => "vars",
            Self::Volumes => "volumes",
        }
    }
}

/// A string that names no context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownContext {
    found: Box<str>,
}

impl fmt::Display for UnknownContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("context must be one of [")?;
        for (at, context) in SearchContext::ALL.into_iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { " " }, context.as_str())?;
        }
        write!(f, "] or 'all' for all contexts; got {}", Quoted(&self.found))
    }
}

impl std::error::Error for UnknownContext {}

impl FromStr for SearchContext {
    type Err = UnknownContext;

    fn from_str(text: &str) -> Result<Self, UnknownContext> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|context| context.as_str() == text);
        found.ok_or_else(|| UnknownContext { found: text.into() })
    }
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchMatches {
    /// The IDs, in order, at most [`SEARCH_MATCHES_MAX`].
    pub ids: Vec<String>,
    /// Whether more IDs match.
    pub truncated: bool,
}

impl SearchMatches {
    fn of(ids: impl Iterator<Item = impl ToString>) -> Self {
        let most = ids.take(SEARCH_MATCHES_MAX + 1);
        let mut ids: Vec<String> = most.map(|id| id.to_string()).collect();
        // One ID more than the limit was read, which shows whether more match.
        let truncated = ids.len() > SEARCH_MATCHES_MAX;
        ids.truncate(SEARCH_MATCHES_MAX);
        Self { ids, truncated }
    }
}

/// Returns the IDs that start with `prefix`, in one namespace or in [`ALL_NAMESPACES`].
///
/// UUIDs match by hexadecimal digits in either case, with or without hyphens; a string that cannot
/// start a UUID matches none.
pub fn search(
    view: &impl ReadView,
    namespace: &str,
    context: SearchContext,
    prefix: &str,
) -> SearchMatches {
    search_while(view, namespace, context, prefix, || true)
}

/// Like [`search`], as long as `goes_on` returns true; it is called for each row read. A search
/// that was cut off returns only some of the matches.
pub fn search_while(
    view: &impl ReadView,
    namespace: &str,
    context: SearchContext,
    prefix: &str,
    mut goes_on: impl FnMut() -> bool,
) -> SearchMatches {
    let (names, keys) = (KeyRange::<String>::prefix(prefix), named(namespace, prefix));
    let order = Order::Ascending;
    match context {
        SearchContext::Volumes => {
            let rows = view.scan::<CsiVolumes>(&keys, order).take_while(|_| goes_on());
            // For all namespaces the key range does not cover the prefix.
            let rows = rows.filter(|row| row.id.starts_with(prefix));
            SearchMatches::of(rows.map(|row| &*row.id))
        }
        SearchContext::Jobs => {
            let rows = view.scan::<Jobs>(&keys, order).take_while(|_| goes_on());
            let rows = rows.filter(|row| row.id.starts_with(prefix));
            SearchMatches::of(rows.map(|row| &*row.id))
        }
        SearchContext::Plugins => {
            // Plugins, namespaces, pools and nodes are few, so their scans are not cut off.
            SearchMatches::of(view.scan::<CsiPlugins>(&names, order).map(|row| &*row.id))
        }
        SearchContext::Namespaces => {
            SearchMatches::of(view.scan::<Namespaces>(&names, order).map(|row| &*row.name))
        }
        SearchContext::NodePools => {
            let pools = list_node_pools(view).into_iter();
            // Pools have no table: they are derived from the nodes.
            let names = pools.map(|pool| pool.name).filter(|name| name.starts_with(prefix));
            SearchMatches::of(names)
        }
        SearchContext::Deployments
        | SearchContext::Evaluations
        | SearchContext::ScalingPolicies
        | SearchContext::Variables => SearchMatches::default(),
        SearchContext::Allocations => {
            let Ok(ids) = hex(prefix) else { return SearchMatches::default() };
            let rows = view.scan::<Allocations>(&ids, order).take_while(|_| goes_on());
            let rows = rows.filter(|row| matches_namespace(namespace, &row.namespace));
            SearchMatches::of(rows.map(|row| row.id))
        }
        SearchContext::HostVolumes => {
            // Not an error: a search over all contexts passes the same string to each.
            let Ok(prefix) = HexPrefix::parse(prefix) else { return SearchMatches::default() };
            if namespace == ALL_NAMESPACES {
                let ids = KeyRange::<Uuid>::hex(&prefix);
                let rows = view.scan_by(&HostVolumes::BY_ID, &ids, order);
                return SearchMatches::of(rows.take_while(|_| goes_on()).map(|row| row.id));
            }
            // A scan of one namespace, so that volumes of others do not wake its readers.
            let ids = KeyRange::<(String, Uuid)>::starting_with_hex(namespace, &prefix);
            let rows = view.scan::<HostVolumes>(&ids, order);
            let rows = rows.take_while(|_| goes_on());
            SearchMatches::of(rows.map(|row| row.id))
        }
        SearchContext::Nodes => {
            let Ok(ids) = hex(prefix) else { return SearchMatches::default() };
            SearchMatches::of(view.scan::<Nodes>(&ids, order).map(|row| row.id))
        }
    }
}

/// Returns the key range of a namespace whose second part starts with `prefix`; for all namespaces,
/// every key.
fn named(namespace: &str, prefix: &str) -> KeyRange<(String, String)> {
    if namespace == ALL_NAMESPACES {
        return KeyRange::<(String, String)>::all();
    }
    KeyRange::<(String, String)>::starting_with_prefix(namespace, prefix)
}

fn hex(prefix: &str) -> Result<KeyRange<Uuid>, HexPrefixError> {
    HexPrefix::parse(prefix).map(|prefix| KeyRange::<Uuid>::hex(&prefix))
}
