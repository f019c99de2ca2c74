//! The rows of the filter benches, shaped like a volume in a list.

use std::collections::BTreeMap;

use serde::Serialize;
use statehold_filter::Filterable;

#[derive(Filterable, Serialize)]
#[filterable(rename_all = "PascalCase")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Topology {
    pub(crate) zone: String,
}

/// 24 fields, about 600 bytes including the heap.
#[derive(Filterable, Serialize)]
#[filterable(rename_all = "PascalCase")]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Volume {
    #[filterable(rename = "ID")]
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[filterable(rename = "ExternalID")]
    #[serde(rename = "ExternalID")]
    pub(crate) external_id: String,
    pub(crate) topologies: Vec<Topology>,
    pub(crate) access_mode: String,
    pub(crate) attachment_mode: String,
    pub(crate) current_readers: i64,
    pub(crate) current_writers: i64,
    pub(crate) schedulable: bool,
    #[filterable(rename = "PluginID")]
    #[serde(rename = "PluginID")]
    pub(crate) plugin_id: String,
    pub(crate) provider: String,
    pub(crate) controller_required: bool,
    pub(crate) controllers_healthy: i64,
    pub(crate) controllers_expected: i64,
    pub(crate) nodes_healthy: i64,
    pub(crate) nodes_expected: i64,
    pub(crate) resource_exhausted: Option<i64>,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
    pub(crate) create_time: i64,
    pub(crate) modify_time: i64,
    pub(crate) tags: Vec<String>,
    pub(crate) meta: BTreeMap<String, String>,
}

/// Returns the first `count` volumes; the fields repeat with different periods.
pub(crate) fn volumes(count: usize) -> Vec<Volume> {
    let number = |n: usize| i64::try_from(n).unwrap_or_default();
    let index = |n: usize| u64::try_from(n).unwrap_or_default();
    (0..count)
        .map(|n| Volume {
            id: format!("volume-{n:08}"),
            namespace: if n.is_multiple_of(2) { "default" } else { "prod" }.to_owned(),
            name: format!("{}-{n}", ["web", "db", "cache"][n % 3]),
            external_id: format!("vol-{n:017x}"),
            topologies: ["us-1a", "us-1b", "us-1c"][..n % 4]
                .iter()
                .map(|zone| Topology { zone: (*zone).to_owned() })
                .collect(),
            access_mode: "single-node-writer".to_owned(),
            attachment_mode: "file-system".to_owned(),
            current_readers: number(n % 5),
            current_writers: number(n % 2),
            schedulable: !n.is_multiple_of(7),
            plugin_id: format!("p{}", n % 4),
            provider: "ebs.csi.aws.com".to_owned(),
            controller_required: n.is_multiple_of(2),
            controllers_healthy: 1,
            controllers_expected: 2,
            nodes_healthy: number(n % 9),
            nodes_expected: 8,
            resource_exhausted: None,
            create_index: index(n),
            modify_index: index(n + 5),
            create_time: 1_700_000_000_000_000_000,
            modify_time: 1_700_000_000_000_000_000 + number(n),
            tags: ["bar", "baz", "foo"][..=n % 3].iter().map(|tag| (*tag).to_owned()).collect(),
            meta: [("env", ["prod", "dev"][n % 2]), ("team", "storage"), ("tier", "1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        })
        .collect()
}
