//! How much there is: `/volumes/summary`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use super::Viewer;
use crate::rows::Volume;

/// From this version on the summary has the values of metadata.
const METADATA_SINCE: u16 = 36;

/// How many volumes there are, how large they are together, and which metadata they have.
#[derive(Clone, Debug, Serialize)]
pub struct VolumeSummary<'v> {
    total_count: usize,
    total_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<BTreeMap<&'v str, BTreeSet<&'v str>>>,
}

impl<'v> VolumeSummary<'v> {
    /// The volumes of the caller's project; of all projects when an admin asks for that.
    ///
    /// Cost: looks at all of them.
    pub fn new(view: &'v impl ReadView, viewer: Viewer<'_>, all_tenants: bool) -> Self {
        let all = all_tenants && viewer.caller.is_admin();
        let range = if all {
            KeyRange::<(String, i64, Uuid)>::all()
        } else {
            KeyRange::<(String, i64, Uuid)>::within(&viewer.caller.project)
        };
        let (mut total_count, mut total_size) = (0, 0);
        let mut metadata = BTreeMap::<&str, BTreeSet<&str>>::new();
        for volume in view.scan_by(&Volume::BY_PROJECT, &range, Order::Ascending) {
            total_count += 1;
            total_size += u64::from(volume.size);
            for (key, value) in &volume.metadata {
                metadata.entry(key).or_default().insert(value);
            }
        }
        let metadata = Some(metadata).filter(|_| viewer.version.at_least(METADATA_SINCE));
        Self { total_count, total_size, metadata }
    }
}
