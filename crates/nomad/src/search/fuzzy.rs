//! Finding things by a part of their name.

use serde::Serialize;
use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use super::{SEARCH_MATCHES_MAX, SearchContext};
use crate::{
    filters::list_node_pools,
    list::wants_namespace,
    rows::{Allocations, CsiPlugins, CsiVolumes, HostVolumes, Job, Jobs, Namespaces, Nodes},
};

/// Fewest characters of a text that names are searched for: a shorter one is in nearly all of them.
pub const FUZZY_MIN_CHARS: usize = 2;

/// Something whose name contains the searched text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FuzzyMatch {
    /// The name; of a volume its ID, by which clients read it.
    #[serde(rename = "ID")]
    pub id: String,
    /// The IDs that lead to it: of a node its own, of a job its namespace and its ID.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
}

/// The best matches of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FuzzyMatches {
    /// At most [`SEARCH_MATCHES_MAX`], the best first.
    pub matches: Vec<FuzzyMatch>,
    /// Whether there are more.
    pub truncated: bool,
}

/// Finds the things of a context whose name has `text` in it, in either case, of namespaces that
/// `sees` allows. Reads every row of the context.
///
/// The earlier the text is in a name the better, then the shorter the name. A volume is found by a part of its
/// name or ID, a host volume by a part of its name or the start of its ID. Contexts that are always empty hold
/// nothing.
pub fn fuzzy_search(
    view: &impl ReadView,
    namespace: &str,
    context: SearchContext,
    text: &str,
    sees: impl Fn(&str) -> bool,
) -> FuzzyMatches {
    let mut found = Found::new(text);
    let visible = |found: &str| wants_namespace(namespace, found) && sees(found);
    let order = Order::Ascending;
    match context {
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
                let at = [found.place_in(&row.name), found.place_in(&row.id)];
                found.add_at(at, &*row.id, &row.namespace);
            }
        }
        SearchContext::HostVolumes => {
            let rows = view.scan::<HostVolumes>(&KeyRange::<(String, Uuid)>::all(), order);
            for row in rows.filter(|row| visible(&row.namespace)) {
                let id = row.id.to_string();
                // Hex digits inside an ID mean nothing: two of them are in half of all IDs.
                let at = [found.place_in(&row.name), found.place_in(&id).filter(|at| *at == 0)];
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

/// The parts of jobs that [`fuzzy_search_in_jobs`] finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FuzzyJobParts {
    /// Task groups; their scope is the namespace and the job.
    pub groups: FuzzyMatches,
    /// Tasks; their scope is the namespace, the job and the group.
    pub tasks: FuzzyMatches,
}

/// Finds the task groups and tasks of jobs like [`fuzzy_search`]. Reads every job.
///
/// Of the parts of a job only these are known here: groups by their names, and tasks that are storage plugins,
/// which have the ID of the plugin as their name.
pub fn fuzzy_search_in_jobs(
    view: &impl ReadView,
    namespace: &str,
    text: &str,
    sees: impl Fn(&str) -> bool,
) -> FuzzyJobParts {
    let (mut groups, mut tasks) = (Found::new(text), Found::new(text));
    let all = KeyRange::<(String, String)>::all();
    let rows = view.scan::<Jobs>(&all, Order::Ascending);
    let visible = |job: &Job| wants_namespace(namespace, &job.namespace) && sees(&job.namespace);
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

struct Found {
    text: String,
    /// With the place of the text in each name.
    matches: Vec<(usize, FuzzyMatch)>,
}

impl Found {
    fn new(text: &str) -> Self {
        Self { text: text.to_lowercase(), matches: Vec::new() }
    }

    /// Returns where the text is in `name`.
    fn place_in(&self, name: &str) -> Option<usize> {
        name.to_lowercase().find(&self.text)
    }

    fn add(&mut self, name: &str, scope: impl FnOnce() -> Vec<String>) {
        if let Some(at) = self.place_in(name) {
            self.matches.push((at, FuzzyMatch { id: name.to_owned(), scope: scope() }));
        }
    }

    /// Adds a volume if the text is at one of these places; the best one counts.
    fn add_at(&mut self, places: [Option<usize>; 2], id: impl Into<String>, namespace: &str) {
        if let Some(at) = places.into_iter().flatten().min() {
            self.matches
                .push((at, FuzzyMatch { id: id.into(), scope: vec![namespace.to_owned()] }));
        }
    }

    fn best(mut self) -> FuzzyMatches {
        self.matches.sort_by(|(at, a), (other_at, b)| {
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
