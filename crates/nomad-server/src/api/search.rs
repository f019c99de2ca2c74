//! `/v1/search` and `/v1/search/fuzzy`, with which the command line completes and finds IDs.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use statehold_nomad::{
    ALL_NAMESPACES, FUZZY_MIN_CHARS, FuzzyMatch, FuzzyMatches, Namespaces, SEARCH_MATCHES_MAX,
    SearchContext, SearchMatches, fuzzy_search, fuzzy_search_in_jobs, input, search_while,
};
use statehold_store::{KeyRange, Order, ReadView};

use crate::acl::access::{Access, Capability, Level};
use crate::api::Reply;
use crate::api::params::Read;
use crate::error::ApiError;
use crate::request::NomadRequest;
use statehold_server_core::meter::Meter;

/// The context that selects all contexts.
const ALL: &str = "all";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SearchReply {
    /// `null` for contexts that are always empty here, as in an empty Nomad.
    matches: BTreeMap<&'static str, Option<Vec<String>>>,
    truncations: BTreeMap<&'static str, bool>,
    index: u64,
    last_contact: u64,
    known_leader: bool,
    next_token: &'static str,
}

/// `PUT /v1/search`
// Nomad: nomad/search_endpoint.go, Search.PrefixSearch.
pub(crate) async fn run(mut call: NomadRequest) -> Reply {
    let body = call.parse(input::search_body).await?;
    let read = Read::of(&call.query)?;
    let namespace = call.query.namespace_or(&body.namespace);
    let seen = contexts_seen(&call.access, &body.context, namespace)?;
    call.app
        .large_object(&call, &read, |view, render, meter| {
            let (mut matches, mut truncations) = (BTreeMap::new(), BTreeMap::new());
            for context in &seen {
                let (access, prefix) = (&call.access, &body.prefix);
                let found = visible_matches(view, access, *context, namespace, prefix, meter);
                let ids = (!context.is_always_empty()).then_some(found.ids);
                matches.insert(context.as_str(), ids);
                truncations.insert(context.as_str(), found.truncated);
            }
            render.json(&SearchReply {
                matches,
                truncations,
                index: view.index(),
                last_contact: 0,
                known_leader: true,
                next_token: "",
            })
        })
        .await
}

/// Returns the requested contexts that the caller may see.
///
/// # Errors
/// 400 for an unknown context, 403 if the caller may see none of those requested.
// Nomad: nomad/search_endpoint.go, filteredSearchContexts and sufficientSearchPerms.
fn contexts_seen(
    access: &Access,
    context: &str,
    namespace: &str,
) -> Result<Vec<SearchContext>, ApiError> {
    let contexts = match context {
        "" | ALL => SearchContext::ALL.to_vec(),
        context => vec![context.parse()?],
    };
    let may_see = |context: &SearchContext| may_see(access, *context, namespace);
    let seen: Vec<_> = contexts.into_iter().filter(may_see).collect();
    if seen.is_empty() { Err(ApiError::denied()) } else { Ok(seen) }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FuzzySearchReply {
    matches: BTreeMap<&'static str, Vec<FuzzyMatch>>,
    truncations: BTreeMap<&'static str, bool>,
    index: u64,
    last_contact: u64,
    known_leader: bool,
    next_token: &'static str,
}

/// `PUT /v1/search/fuzzy`
// Nomad: nomad/search_endpoint.go, Search.FuzzySearch.
pub(crate) async fn fuzzy(mut call: NomadRequest) -> Reply {
    let body = call.parse(input::search_body).await?;
    let read = Read::of(&call.query)?;
    let chars = body.text.chars().count();
    if chars < FUZZY_MIN_CHARS {
        return Err(ApiError::bad_request(format!(
            "fuzzy search query must be at least {FUZZY_MIN_CHARS} characters, got {chars}"
        )));
    }
    let namespace = call.query.namespace_or(&body.namespace);
    let seen = contexts_seen(&call.access, &body.context, namespace)?;
    call.app
        .large_object(&call, &read, |view, render, meter| {
            let (mut matches, mut truncations) = (BTreeMap::new(), BTreeMap::new());
            let metered = RefCell::new(&mut *meter);
            let mut add = |context, found: FuzzyMatches| {
                // Nomad omits contexts without matches.
                if !found.matches.is_empty() {
                    matches.insert(context, found.matches);
                }
                truncations.insert(context, found.truncated);
            };
            for context in &seen {
                let needed = needed(*context).unwrap_or(Capability::ANY);
                // The search calls it for each row, so it is also the place to meter the search.
                let sees = |namespace: &str| {
                    metered.borrow_mut().goes_on(false) && call.access.has(namespace, needed)
                };
                let found = fuzzy_search(view, namespace, *context, &body.text, sees);
                add(context.as_str(), found);
                // Nomad: nomad/search_endpoint.go, fuzzyMatchesJob: a search of jobs also matches their parts.
                if *context == SearchContext::Jobs {
                    let parts = fuzzy_search_in_jobs(view, namespace, &body.text, sees);
                    add("groups", parts.groups);
                    add("tasks", parts.tasks);
                }
            }
            render.json(&FuzzySearchReply {
                matches,
                truncations,
                index: view.index(),
                last_contact: 0,
                known_leader: true,
                next_token: "",
            })
        })
        .await
}

/// Returns the capabilities of which a token needs one to find objects of a context in a namespace; `None` for objects
/// without a namespace.
// Nomad: nomad/search_endpoint.go, filteredSearchContexts.
fn needed(context: SearchContext) -> Option<&'static [Capability]> {
    match context {
        SearchContext::Volumes => Some(&[
            Capability::CsiListVolume,
            Capability::CsiReadVolume,
            Capability::CsiMountVolume,
            Capability::ListJobs,
        ]),
        SearchContext::HostVolumes => Some(&[Capability::HostVolumeRead]),
        SearchContext::Allocations
        | SearchContext::Deployments
        | SearchContext::Evaluations
        | SearchContext::Jobs
        | SearchContext::ScalingPolicies
        | SearchContext::Variables => Some(&[Capability::ListJobs, Capability::ReadJob]),
        _ => None,
    }
}

fn may_see(access: &Access, context: SearchContext, namespace: &str) -> bool {
    match context {
        SearchContext::NodePools => access.level(Level::Read, |policy| policy.node),
        SearchContext::Plugins => access.level(Level::List, |policy| policy.plugin),
        SearchContext::Nodes => access.level(Level::Read, |policy| policy.node),
        SearchContext::Namespaces => access.has_somewhere(Capability::ANY),
        _ => needed(context).is_some_and(|needed| {
            if namespace == ALL_NAMESPACES {
                access.has_somewhere(needed)
            } else {
                access.has(namespace, needed)
            }
        }),
    }
}

/// Returns the matches of a context that the caller may see.
fn visible_matches<V: ReadView>(
    view: &V,
    access: &Access,
    context: SearchContext,
    namespace: &str,
    prefix: &str,
    meter: &mut Meter,
) -> SearchMatches {
    let mut goes_on = || meter.goes_on(false);
    if access.is_unlimited() {
        return search_while(view, namespace, context, prefix, &mut goes_on);
    }
    if context == SearchContext::Namespaces {
        let names = KeyRange::<String>::prefix(prefix);
        let rows = view.scan::<Namespaces>(&names, Order::Ascending);
        let seen = rows.filter(|row| access.has(&row.name, Capability::ANY));
        return truncate_matches(
            seen.map(|row| row.name.to_string()).take(SEARCH_MATCHES_MAX + 1).collect(),
        );
    }
    match needed(context) {
        Some(needed) if namespace == ALL_NAMESPACES => {
            // Namespace by namespace, so that hidden rows do not use up the maximum number of matches.
            let mut ids = Vec::new();
            let rows = view.scan::<Namespaces>(&KeyRange::all(), Order::Ascending);
            for row in rows.filter(|row| access.has(&row.name, needed)) {
                let found = search_while(view, &row.name, context, prefix, &mut goes_on);
                ids.extend(found.ids);
                if found.truncated || ids.len() > SEARCH_MATCHES_MAX {
                    ids.truncate(SEARCH_MATCHES_MAX);
                    return SearchMatches { ids, truncated: true };
                }
            }
            truncate_matches(ids)
        }
        _ => search_while(view, namespace, context, prefix, &mut goes_on),
    }
}

/// Truncates IDs to the maximum number of matches, and notes whether there were more.
fn truncate_matches(mut ids: Vec<String>) -> SearchMatches {
    let truncated = ids.len() > SEARCH_MATCHES_MAX;
    ids.truncate(SEARCH_MATCHES_MAX);
    SearchMatches { ids, truncated }
}
