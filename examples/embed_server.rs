//! Mounts Nomad's volumes API into an axum application, beside a route and a table of its own.

use std::error::Error;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Router, routing::put};
use serde::{Deserialize, Serialize};
use statehold::store::{Store, Table, WriteTxn};
use statehold_nomad_server::{CurrentAcl, LocalNode, NodeOptions, NomadState, router};
use statehold_server_core::{Limits, Metrics, ServerState, StartWork, WriteQueue};
use tokio::{net::TcpListener, runtime::Handle, sync::watch};

/// A row of the application, in the store of the volumes.
#[derive(Serialize, Deserialize, Table)]
#[table(name = "owners", crate = statehold::store)]
struct Owner {
    #[table(key)]
    volume: String,
    team: String,
}

async fn put_owner(
    State(writes): State<WriteQueue>,
    Path((volume, team)): Path<(String, String)>,
) -> Result<(), String> {
    let write = |txn: &mut WriteTxn<'_>, _| {
        txn.put(Owner { volume, team }).map(drop).map_err(|error| error.to_string())
    };
    writes.own_writer().write_async(write).await.map(drop)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let schema = statehold_nomad::schema().and(Owner::schema());
    let store = Arc::new(Store::open(dir.path(), &schema)?);
    let mut txn = store.begin_write()?;
    statehold_nomad::bootstrap(&mut txn)?;
    txn.commit()?;

    let writes = WriteQueue::new(store);
    let (options, work) = (NodeOptions::default(), StartWork::default());
    let node = LocalNode::start(&writes, dir.path(), options, &work, &Handle::current())?;
    let metrics = Arc::new(Metrics::new(dir.path()));
    let state = ServerState::new(writes.clone(), Limits::default(), metrics);
    let (_stop, stopped) = watch::channel(false);
    let nomad = router(NomadState::new(state, node, CurrentAcl::default(), stopped));
    let owners = Router::new().route("/owners/{volume}/{team}", put(put_owner)).with_state(writes);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, owners.fallback_service(nomad)).into_future());
    ureq::put(format!("{url}/owners/web-data/storage")).send_empty()?;
    let mut list = ureq::get(format!("{url}/v1/volumes?type=csi")).call()?;
    println!("volumes: {}", list.body_mut().read_to_string()?);
    Ok(())
}
