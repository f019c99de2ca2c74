//! Search by a part of a name.
//!
//! Nomad: `nomad/search_endpoint.go`, `Search.FuzzySearch` and `fuzzyMatchesJob`.

use serde::Serialize;
use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use super::{SEARCH_MATCHES_MAX, SearchContext};
use crate::{
    filters::list_node_pools,
    list::matches_namespace,
    rows::{Allocations, CsiPlugins, CsiVolumes, HostVolumes, Job, Jobs, Namespaces, Nodes},
};

/// Minimum number of characters of the searched string, because shorter ones match nearly every
/// name.
pub const FUZZY_MIN_CHARS: usize = 2;

/// A resource whose name contains the searched string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FuzzyMatch {
    /// The name; for a volume its ID, by which clients read it.
    #[serde(rename = "ID")]
    pub id: String,
    /// The IDs that locate it: for a node its own, for a job its namespace and its ID.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
}

/// The best matches of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FuzzyMatches {
    /// At most [`SEARCH_MATCHES_MAX`], best first.
    pub matches: Vec<FuzzyMatch>,
    /// Whether more resources match.
    pub truncated: bool,
}

/// Returns the resources of a context whose name contains `text`, in either case, in namespaces
/// that `sees` accepts. Cost: reads every row of the context.
///
/// Matches are ordered by the position of the string in the name, then by the length of the name. A
/// volume matches by its name or its ID, a host volume by its name or the start of its ID. Contexts
/// that are always empty return no match.
pub fn fuzzy_search(
    view: &impl ReadView,
    namespace: &str,
    context: SearchContext,
    text: &str,
    sees: impl Fn(&str) -> bool,
) -> FuzzyMatches {
    let mut found = MatchCollector::new(text);
    let visible = |found: &str| matches_namespace(namespace, found) && sees(found);
    let order = Order::Ascending;
    match context {
        // The scope of a match is Nomad's: the IDs that a client needs to open it.
        SearchContext::Nodes => {
            for node in view.scan::<Nodes>(&KeyRange::<Uuid>::all(), order) {
                found.add(&node.name, || vec![node.id.to_string()]);
            }
        }
        SearchContext::NodePools => {
            for pool in list_node_pools(view) {
                found.add(&pool.name, || vec![pool.name.to_string()]);
            }
        }
        SearchContext::Plugins => {
            for plugin in view.scan::<CsiPlugins>(&KeyRange::<String>::all(), order) {
                found.add(&plugin.id, Vec::new);
            }
        }
        SearchContext::Namespaces => {
            let rows = view.scan::<Namespaces>(&KeyRange::<String>::all(), order);
            // A namespace is its own scope, so only `sees` decides.
            for row in rows.filter(|row| sees(&row.name)) {
                found.add(&row.name, Vec::new);
            }
        }
        SearchContext::Jobs => {
            let all = KeyRange::<(String, String)>::all();
            let rows = view.scan::<Jobs>(&all, order);
            for job in rows.filter(|job| visible(&job.namespace)) {
                found.add(&job.id, || vec![job.namespace.to_string(), job.id.to_string()]);
            }
        }
        SearchContext::Allocations => {
            let rows = view.scan::<Allocations>(&KeyRange::<Uuid>::all(), order);
            for row in rows.filter(|row| visible(&row.namespace)) {
                found.add(&row.name, || vec![row.namespace.to_string(), row.id.to_string()]);
            }
        }
        SearchContext::Volumes => {
            let rows = view.scan::<CsiVolumes>(&KeyRange::<(String, String)>::all(), order);
            for row in rows.filter(|row| visible(&row.namespace)) {
                // Users see the ID of a volume next to its name, so they search for either.
                let at = [found.position_in(&row.name), found.position_in(&row.id)];
                found.add_at(at, &*row.id, &row.namespace);
            }
        }
        SearchContext::HostVolumes => {
            let rows = view.scan::<HostVolumes>(&KeyRange::<(String, Uuid)>::all(), order);
            for row in rows.filter(|row| visible(&row.namespace)) {
                let id = row.id.to_string();
                // A match inside an ID is noise: two hexadecimal digits are in half of all IDs.
                let at =
                    [found.position_in(&row.name), found.position_in(&id).filter(|at| *at == 0)];
                found.add_at(at, id, &row.namespace);
            }
        }
        SearchContext::Deployments
        | SearchContext::Evaluations
        | SearchContext::ScalingPolicies
        | SearchContext::Variables => {}
    }
    found.best()
}

/// The matching parts of jobs, from [`fuzzy_search_in_jobs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FuzzyJobParts {
    /// Task groups; their scope is the namespace and the job.
    pub groups: FuzzyMatches,
    /// Tasks; their scope is the namespace, the job and the group.
    pub tasks: FuzzyMatches,
}

/// Like [`fuzzy_search`], for the task groups and tasks of jobs. Cost: reads every job.
///
/// Only these parts of a job are stored: groups by name, and tasks that run storage plugins, which
/// have the ID of the plugin as their name.
pub fn fuzzy_search_in_jobs(
    view: &impl ReadView,
    namespace: &str,
    text: &str,
    sees: impl Fn(&str) -> bool,
) -> FuzzyJobParts {
    let (mut groups, mut tasks) = (MatchCollector::new(text), MatchCollector::new(text));
    let all = KeyRange::<(String, String)>::all();
    let rows = view.scan::<Jobs>(&all, Order::Ascending);
    let visible = |job: &Job| matches_namespace(namespace, &job.namespace) && sees(&job.namespace);
    for job in rows.filter(|job| visible(job)) {
        let scope = || vec![job.namespace.to_string(), job.id.to_string()];
        for group in &job.groups {
            groups.add(&group.name, scope);
            for plugin in &group.plugins {
                tasks.add(&plugin.id, || [scope(), vec![group.name.to_string()]].concat());
            }
        }
    }
    FuzzyJobParts { groups: groups.best(), tasks: tasks.best() }
}

struct MatchCollector {
    text: String,
    /// Each with the position of the string in its name.
    matches: Vec<(usize, FuzzyMatch)>,
}

impl MatchCollector {
    fn new(text: &str) -> Self {
        Self { text: text.to_lowercase(), matches: Vec::new() }
    }

    /// Returns the position of the string in `name`.
    fn position_in(&self, name: &str) -> Option<usize> {
        name.to_lowercase().find(&self.text)
    }

    fn add(&mut self, name: &str, scope: impl FnOnce() -> Vec<String>) {
        if let Some(at) = self.position_in(name) {
            self.matches.push((at, FuzzyMatch { id: name.to_owned(), scope: scope() }));
        }
    }

    /// Adds a volume if the string is at one of these positions; the first position counts.
    fn add_at(&mut self, positions: [Option<usize>; 2], id: impl Into<String>, namespace: &str) {
        if let Some(at) = positions.into_iter().flatten().min() {
            self.matches
                .push((at, FuzzyMatch { id: id.into(), scope: vec![namespace.to_owned()] }));
        }
    }

    fn best(mut self) -> FuzzyMatches {
        self.matches.sort_by(|(at, a), (other_at, b)| {
            // The ID and the scope break ties, so that the order is the same on every replica.
            (at, a.id.len(), &a.id, &a.scope).cmp(&(other_at, b.id.len(), &b.id, &b.scope))
        });
        let truncated = self.matches.len() > SEARCH_MATCHES_MAX;
        self.matches.truncate(SEARCH_MATCHES_MAX);
        FuzzyMatches {
            matches: self.matches.into_iter().map(|(_, found)| found).collect(),
            truncated,
        }
    }
}
