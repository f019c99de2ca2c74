//! Scheduler hints: the back ends that a volume may be placed at.

use serde_json::json;
use statehold_cinder::{SchedulerHints, Volume, disabled_hosts};
use statehold_store::ReadView;
use uuid::Uuid;

use crate::api::pools::pool_capabilities;
use crate::backend::host_query::matches;
use crate::backend::scheduler::Backend;
use crate::state::CinderState;
use statehold_server_core::clock::now;

/// Returns whether the hints of a volume allow a back end.
pub(crate) fn allow(
    state: &CinderState,
    view: &impl ReadView,
    row: &Volume,
    backend: &Backend,
) -> bool {
    let Some(hints) = view.get::<SchedulerHints>(row.id) else { return true };
    // Volumes of other projects count as absent, so that a hint reveals nothing about them.
    let has = |id: &Uuid| {
        let other = view.get::<Volume>(*id).filter(|other| other.project_id == row.project_id);
        let host = other.and_then(|other| other.host.as_deref());
        host.and_then(|host| state.backends().of(host))
            .is_some_and(|own| own.name() == backend.name())
    };
    let same = hints.same_host.is_empty() || hints.same_host.iter().any(has);
    same && !hints.different_host.iter().any(has)
        && hints.query.as_deref().is_none_or(|query| fits(view, query, backend))
}

/// Returns whether a back end matches a query, by the attributes of Cinder's host state.
// Cinder: cinder/scheduler/host_manager.py, BackendState and PoolState.
fn fits(view: &impl ReadView, query: &str, backend: &Backend) -> bool {
    let capabilities = pool_capabilities(view, now(), backend);
    let mut host = capabilities.clone();
    let disabled = disabled_hosts(view).contains(backend.service_host());
    let service = json!({
        "host": backend.service_host(), "availability_zone": backend.zone(), "disabled": disabled,
    });
    if let Some(members) = host.as_object_mut() {
        members.extend([
            ("host".to_owned(), json!(backend.host())),
            ("backend_id".to_owned(), json!(backend.host())),
            ("capabilities".to_owned(), capabilities),
            ("service".to_owned(), service),
        ]);
    }
    // The client restricted the choice: a query without an answer must not widen it.
    matches(query, &host).unwrap_or_else(|_| {
        tracing::debug!(query, "a scheduler hint's query has no answer: no back end matches it");
        false
    })
}
