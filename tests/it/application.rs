//! An application that embeds the Nomad domain: a derived table for the owners of volumes, in the store of the volumes.

use std::path::Path;

use serde::{Deserialize, Serialize};
use statehold::filter::Filterable;
use statehold::nomad::{self, CsiVolumes, bootstrap, input, parse_id, register, report_node};
use statehold::store::{CommitError, ReadView, Schema, Store, Table, WriteTxn};

/// A time in nanoseconds: the domain takes the clock as an argument.
pub(crate) const NOW: i64 = 1_736_191_825_846_395_400;

/// The owner of a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Table, Filterable)]
#[table(name = "owners", crate = statehold::store)]
#[filterable(crate = statehold::filter)]
pub(crate) struct Owner {
    #[table(key)]
    pub(crate) volume: String,
    #[table(index(serves = "team"))]
    pub(crate) team: String,
    pub(crate) budget: u64,
}

impl Owner {
    pub(crate) fn new(volume: &str, team: &str) -> Self {
        Self { volume: volume.into(), team: team.into(), budget: 0 }
    }
}

/// Returns the tables of the domain and of the application.
pub(crate) fn schema() -> Schema {
    nomad::schema().and(Owner::schema())
}

/// A node with the plugins of the volumes.
const NODE: &str = "fb2170a8-257d-3c64-b14d-bc06cc94e34c";
const REPORT: &[u8] = br#"{"CSINodePlugins": {
    "ebs": {"Healthy": true, "NodeInfo": {}}, "nfs": {"Healthy": true, "NodeInfo": {}}
}}"#;

/// Opens the store of a directory. A new one gets the default namespace, and a node with the plugins.
pub(crate) fn open(dir: &Path) -> Store {
    let store = Store::open(dir, &schema()).unwrap();
    write(&store, |txn| {
        if bootstrap(txn).unwrap() {
            let node = input::node_body(REPORT, parse_id(NODE).unwrap()).unwrap();
            report_node(txn, NOW, node).unwrap();
        }
    })
    .unwrap();
    store
}

/// Commits one transaction, and returns its index.
pub(crate) fn write(
    store: &Store,
    change: impl FnOnce(&mut WriteTxn<'_>),
) -> Result<u64, CommitError> {
    let mut txn = store.begin_write().unwrap();
    change(&mut txn);
    txn.commit()
}

/// Registers a volume of a plugin, as a request of Nomad's API does.
pub(crate) fn add_volume(txn: &mut WriteTxn<'_>, id: &str, plugin: &str) {
    let body = format!(
        r#"{{"Volumes": [{{"ID": "{id}", "PluginID": "{plugin}", "RequestedCapabilities": [
            {{"AccessMode": "single-node-writer", "AttachmentMode": "file-system"}}
        ]}}]}}"#
    );
    let body = input::register_body(body.as_bytes()).unwrap();
    register(txn, NOW, "default", body.volumes).unwrap();
}

/// Registers a volume together with its owner.
pub(crate) fn add_owned(txn: &mut WriteTxn<'_>, id: &str, plugin: &str, team: &str) {
    add_volume(txn, id, plugin);
    txn.put(Owner::new(id, team)).unwrap();
}

/// Returns the volume's plugin and the owner's team, each if its row exists.
pub(crate) fn read(view: &impl ReadView, id: &str) -> (Option<String>, Option<String>) {
    let plugin = view.get::<CsiVolumes>(("default", id)).map(|row| row.plugin_id.to_string());
    let team = Owner::BY_KEY.get(view, id).map(|owner| owner.team.clone());
    (plugin, team)
}
