//! The totals of volumes: `/volumes/summary`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::Serialize;
use statehold_store::{KeyRange, Order, ReadView};

use super::Viewer;
use crate::{
    rows::{self, Volume},
    totals,
};

/// First version whose summary contains metadata.
const METADATA_SINCE: u16 = 36;

/// The number of volumes, their total size, and their metadata.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct VolumeSummary<'v> {
    total_count: u64,
    total_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<BTreeMap<&'v str, BTreeSet<&'v str>>>,
}

impl<'v> VolumeSummary<'v> {
    /// Returns the summary of the caller's project, or of all projects if an admin requests it.
    ///
    /// Cost: one row for the totals, and one seek for each distinct metadata pair.
    pub fn new(view: &'v impl ReadView, viewer: Viewer<'_>, all_tenants: bool) -> Self {
        // A member's flag is ignored, not rejected, as in lists.
        let all = all_tenants && viewer.caller.is_admin();
        let project = (!all).then_some(&*viewer.caller.project);
        let total = totals::total(view, None, project);
        let shown = viewer.version.at_least(METADATA_SINCE);
        Self {
            total_count: total.volumes,
            total_size: total.volume_gib,
            metadata: shown.then(|| metadata(view, project)),
        }
    }
}

/// Returns the metadata of a project's volumes, or of all, with all values of each key.
fn metadata<'v>(
    view: &'v impl ReadView,
    project: Option<&str>,
) -> BTreeMap<&'v str, BTreeSet<&'v str>> {
    let mut found = BTreeMap::<&str, BTreeSet<&str>>::new();
    let mut after = Bound::Unbounded;
    // Each step skips all volumes with the same pair, so equal pairs cost one seek.
    while let Some((volume, pair)) = next_pair(view, project, after.as_ref()) {
        let mut pairs = volume.metadata.iter();
        if let Some((key, value)) =
            pairs.find(|(key, value)| rows::metadata_pair(key, value) == pair)
        {
            found.entry(key).or_default().insert(value);
        }
        after = Bound::Excluded(pair);
    }
    found
}

/// Returns the first volume after a pair in an index of metadata pairs, and its pair.
fn next_pair<'v>(
    view: &'v impl ReadView,
    project: Option<&str>,
    after: Bound<&String>,
) -> Option<(&'v Volume, String)> {
    let after = after.map(String::as_str);
    if let Some(project) = project {
        let range =
            Volume::BY_PROJECT_METADATA.starting_with_between(project, after, Bound::Unbounded);
        let rows = view.scan_by_keyed(&Volume::BY_PROJECT_METADATA, &range, Order::Ascending);
        return first(rows).map(|row| (&**row.entry(), row.key().1));
    }
    let range = KeyRange::<String>::between(after, Bound::Unbounded);
    let rows = view.scan_by_keyed(&Volume::BY_METADATA, &range, Order::Ascending);
    first(rows).map(|row| (&**row.entry(), row.key()))
}

fn first<I: Iterator>(mut rows: I) -> Option<I::Item> {
    rows.next()
}
