//! A whole server on back ends in memory: its API, its worker, its backups.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use statehold_cinder::{Config, Volume, WorkItem};
use statehold_cinder_server::backend::{BackendSpec, Driver as _};
use statehold_cinder_server::{
    Auth, CinderMetrics, CinderStartError, CinderState, CurrentPolicy, Setup, router, run_worker,
};
use statehold_server_core::{Limits, Metrics, ServerState, WriteQueue};
use statehold_store::{ReadView as _, Store};
use tokio::sync::watch;
use uuid::Uuid;

use crate::memory_driver::MemoryDriver;

const GIB: u64 = 1 << 30;

/// The deadline of the work that a request queues.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    store: Arc<Store>,
    router: axum::Router,
    stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Serves back ends `a`, `b` and so on.
    fn start(drivers: &[&MemoryDriver]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::in_memory(&statehold_cinder::schema()));
        let specs = drivers.iter().zip(["a", "b"]).map(|(driver, name)| BackendSpec {
            name: name.into(),
            zone: "nova".into(),
            driver: Box::new((*driver).clone()),
        });
        let setup =
            Setup::with_backends(specs, &dir.path().join("backups"), Config::default()).unwrap();
        let metrics = CinderMetrics::default();
        setup.prepare(&store, &metrics).unwrap();
        let core = ServerState::new(
            WriteQueue::new(Arc::clone(&store)),
            Limits::default(),
            Arc::new(Metrics::new(dir.path())),
        );
        let address = SocketAddr::from(([127, 0, 0, 1], 8776));
        let access = (Auth::Open, CurrentPolicy::default());
        let state = CinderState::new(core, address, access, (Arc::new(setup), metrics));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(run_worker(state.clone(), stopped));
        Self { store, router: router(state), stop, _dir: dir }
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/v3{path}"))
            .header("host", "localhost")
            .header("x-auth-token", "user:project")
            .header("openstack-api-version", "volume 3.70")
            .header("content-type", "application/json")
            .body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) });
        let service = TowerToHyperService::new(self.router.clone());
        let reply = service.call(request.unwrap()).await.unwrap();
        let status = reply.status();
        let body = to_bytes(Body::new(reply.into_body()), 1 << 20).await.unwrap();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        (status, serde_json::from_slice(&body).unwrap_or_else(|_| text()))
    }

    /// Sends a request that succeeds, and waits until the work that it queues is finished.
    async fn work(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.call(method, path, &body).await;
        assert!(status.is_success(), "{method} {path}: {status} {reply}");
        let mut index = 0;
        loop {
            let deadline = tokio::time::sleep(PATIENCE);
            let count = self.store.blocking_async(index, deadline, |view| view.count::<WorkItem>());
            let result = count.await.unwrap();
            if result.value == 0 {
                break;
            }
            assert!(result.index > index, "{method} {path}: work takes longer than {PATIENCE:?}");
            index = result.index;
        }
        reply.as_object().and_then(|reply| reply.values().next()).cloned().unwrap_or_default()
    }

    /// Creates a resource, waits until it is available, and returns its ID.
    async fn create(&self, path: &str, body: Value) -> Uuid {
        let created = self.work("POST", path, body).await;
        let id = created["id"].as_str().unwrap().parse().unwrap();
        self.expect(path, id, "available").await;
        id
    }

    async fn expect(&self, path: &str, id: Uuid, status: &str) -> Value {
        let (_, reply) = self.call("GET", &format!("{path}/{id}"), &Value::Null).await;
        let row = reply.as_object().and_then(|reply| reply.values().next()).unwrap();
        assert_eq!(row["status"], status, "{path}/{id}: {row}");
        row.clone()
    }

    async fn act(&self, volume: Uuid, action: Value) {
        self.work("POST", &format!("/volumes/{volume}/action"), action).await;
        self.expect("/volumes", volume, "available").await;
    }

    async fn delete(&self, path: &str, id: Uuid) {
        self.work("DELETE", &format!("{path}/{id}"), Value::Null).await;
        let (status, _) = self.call("GET", &format!("{path}/{id}"), &Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}/{id}");
    }

    fn host(&self, volume: Uuid) -> Box<str> {
        self.store.snapshot().get::<Volume>(volume).unwrap().host.clone().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_runs_on_back_ends_without_paths() {
    let [a, b] = [MemoryDriver::default(), MemoryDriver::default()];
    let server = Server::start(&[&a, &b]);
    let volume = server.create("/volumes", json!({"volume": {"size": 1}})).await;
    // Of back ends with as much free space the first one is chosen.
    assert!(server.host(volume).ends_with("@a#a"));
    a.write(volume, GIB - 4, b"then");

    let snapshot = server.create("/snapshots", json!({"snapshot": {"volume_id": volume}})).await;
    let backup = server.create("/backups", json!({"backup": {"volume_id": volume}})).await;
    a.write(volume, GIB - 4, b"next");
    let of_snapshot = json!({"volume": {"snapshot_id": snapshot, "size": 2}});
    let of_snapshot = server.create("/volumes", of_snapshot).await;
    let clone = server.create("/volumes", json!({"volume": {"source_volid": volume}})).await;
    assert_eq!(a.read(of_snapshot, GIB - 4), *b"then");
    assert_eq!(a.read(clone, GIB - 4), *b"next");

    server.act(volume, json!({"revert": {"snapshot_id": snapshot}})).await;
    assert_eq!(a.read(volume, GIB - 4), *b"then");
    server.act(volume, json!({"os-extend": {"new_size": 3}})).await;
    assert_eq!(a.open_volume(volume).unwrap().size(), 3 * GIB);
    a.write(volume, 3 * GIB - 4, b"more");
    let backup_of = json!({"backup": {"volume_id": volume, "incremental": true}});
    let incremental = server.create("/backups", backup_of).await;

    let restore = |volume: Uuid| json!({"restore": {"volume_id": volume}});
    server.work("POST", &format!("/backups/{backup}/restore"), restore(clone)).await;
    server.expect("/volumes", clone, "available").await;
    assert_eq!(a.read(clone, GIB - 4), *b"then");
    let new = json!({"volume": {"size": 3, "backup_id": incremental}});
    let restored = server.create("/volumes", new).await;
    // By now the other back end has more free space.
    assert!(server.host(restored).ends_with("@b#b"));
    assert_eq!(b.read(restored, GIB - 4), *b"then");
    assert_eq!(b.read(restored, 3 * GIB - 4), *b"more");

    let to = server.host(restored);
    server.act(clone, json!({"os-migrate_volume": {"host": to}})).await;
    assert!(server.host(clone).ends_with("@b#b"));
    // The worker begins the next work with a volume once the original is deleted.
    server.act(clone, json!({"os-extend": {"new_size": 2}})).await;
    assert!(!a.has_volume(clone).unwrap());
    assert_eq!(b.read(clone, GIB - 4), *b"then");

    b.create_unmanaged("disk", GIB + 1);
    let managed = json!({"volume": {"host": to, "ref": {"source-name": "disk"}}});
    let managed = server.work("POST", "/manageable_volumes", managed).await;
    let managed = managed["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(server.expect("/volumes", managed, "available").await["size"], 2);

    for backup in [incremental, backup] {
        server.delete("/backups", backup).await;
    }
    server.delete("/snapshots", snapshot).await;
    for volume in [volume, of_snapshot, clone, restored, managed] {
        server.delete("/volumes", volume).await;
    }
    for driver in [&a, &b] {
        assert_eq!(driver.list_objects().unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_shows_the_properties_of_its_driver() {
    let a = MemoryDriver::default();
    let server = Server::start(&[&a]);
    let volume = server.create("/volumes", json!({"volume": {"size": 1}})).await;
    let (_, pools) =
        server.call("GET", "/scheduler-stats/get_pools?detail=true", &json!(null)).await;
    let pool = &pools["pools"][0]["capabilities"];
    assert_eq!(pool["storage_protocol"], "memory", "{pool}");
    assert_eq!(pool["location_info"], "memory:memory");
    assert_eq!(
        (&pool["total_capacity_gb"], &pool["free_capacity_gb"]),
        (&json!(100.0), &json!(99.0))
    );
    let body = json!({"os-initialize_connection": {"connector": {"host": "h"}}});
    let (_, reply) = server.call("POST", &format!("/volumes/{volume}/action"), &body).await;
    let info = &reply["connection_info"];
    assert_eq!(info["driver_volume_type"], "memory", "{info}");
    assert_eq!(info["data"]["image"], format!("volume-{volume}"));
}

#[test]
fn a_back_end_needs_a_name_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    for names in [["a", "a"], ["a", "b#c"], ["", "b"]] {
        let specs = names.map(|name| BackendSpec {
            name: name.into(),
            zone: "nova".into(),
            driver: Box::new(MemoryDriver::default()),
        });
        let error = Setup::with_backends(specs, dir.path(), Config::default()).unwrap_err();
        assert!(matches!(error, CinderStartError::BackendName(_)), "{names:?}: {error}");
    }
}
