//! Finding things by a part of their name.

use serde::Serialize;
use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use super::{SEARCH_MATCHES_MAX, SearchContext, search};
use crate::{
    list::wants_namespace,
    rows::{Allocations, CsiPlugins, Jobs, Namespaces, Nodes},
};

/// Fewest characters of a text that names are searched for: a shorter one is in nearly all of them.
pub const FUZZY_MIN_CHARS: usize = 2;

/// Something whose name has the text in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FuzzyMatch {
    /// The name.
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
/// The earlier the text is in a name the better, then the shorter the name. Volumes and other things
/// that Nomad does not search by name are found by the start of their ID.
pub fn fuzzy_search(
    view: &impl ReadView,
    namespace: &str,
    context: SearchContext,
    text: &str,
    sees: impl Fn(&str) -> bool,
) -> FuzzyMatches {
    let mut found = Found { text: text.to_lowercase(), matches: Vec::new() };
    let visible = |found: &str| wants_namespace(namespace, found) && sees(found);
    match context {
        SearchContext::Nodes => {
            for node in view.scan::<Nodes>(&KeyRange::<Uuid>::all(), Order::Ascending) {
                found.add(&node.name, || vec![node.id.to_string()]);
            }
        }
        SearchContext::Plugins => {
            for plugin in view.scan::<CsiPlugins>(&KeyRange::<String>::all(), Order::Ascending) {
                found.add(&plugin.id, Vec::new);
            }
        }
        SearchContext::Namespaces => {
            let rows = view.scan::<Namespaces>(&KeyRange::<String>::all(), Order::Ascending);
            for row in rows.filter(|row| sees(&row.name)) {
                found.add(&row.name, Vec::new);
            }
        }
        SearchContext::Jobs => {
            let all = KeyRange::<(String, String)>::all();
            let rows = view.scan::<Jobs>(&all, Order::Ascending);
            for job in rows.filter(|job| visible(&job.namespace)) {
                found.add(&job.id, || vec![job.namespace.to_string(), job.id.to_string()]);
            }
        }
        SearchContext::Allocations => {
            let rows = view.scan::<Allocations>(&KeyRange::<Uuid>::all(), Order::Ascending);
            for row in rows.filter(|row| visible(&row.namespace)) {
                found.add(&row.name, || vec![row.namespace.to_string(), row.id.to_string()]);
            }
        }
        _ => {
            let by_id = search(view, namespace, context, text);
            let matches = by_id.ids.into_iter();
            let matches = matches.map(|id| FuzzyMatch { id, scope: Vec::new() }).collect();
            return FuzzyMatches { matches, truncated: by_id.truncated };
        }
    }
    found.best()
}

struct Found {
    text: String,
    /// With the place of the text in each name.
    matches: Vec<(usize, FuzzyMatch)>,
}

impl Found {
    fn add(&mut self, name: &str, scope: impl FnOnce() -> Vec<String>) {
        if let Some(at) = name.to_lowercase().find(&self.text) {
            self.matches.push((at, FuzzyMatch { id: name.to_owned(), scope: scope() }));
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
