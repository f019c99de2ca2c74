//! CPU time of a Block Storage server for each request, at three sizes of one project.
//!
//! `cargo bench -p statehold-cli --bench block_storage_http`; with `-- 12000` at that size only, with
//! `-- 12000 create` only the lines with `create` in their titles, and with `-- --test` at a small
//! size, to check the results only.
//!
//! The store is filled through the domain before the server opens it. Each line repeats one request
//! and divides the user and system time of the server's process by the number of requests, so that
//! the figure excludes the client and the other programs of the machine. Each reply is checked.

#![allow(clippy::unwrap_used, reason = "a bench that fails should stop")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests")]

#[path = "server/client.rs"]
#[allow(dead_code, reason = "shared with the other benches of the server")]
mod client;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use statehold_cinder::{
    Caller, Config, Context, FailureCause, Microversion, Outcome, Placement, QuotaDefaults, Role,
    SnapshotSpec, VolumeSpec, WorkItem, bootstrap, bootstrap_groups, create_snapshot,
    create_volume, finish_work, place_volume, start_work,
};
use statehold_store::{KeyRange, Order, ReadView, Store, WriteTxn};
use uuid::Uuid;

use client::Client;

/// The sizes: volumes of the project `p`.
const SIZES: [usize; 3] = [1_000, 12_000, 100_000];
/// The size of a trial.
const TRIAL: usize = 300;
/// Volumes of one transaction while the store is filled.
const BATCH: usize = 1_000;
/// One volume in so many has failed, belongs to another project, or has a snapshot, respectively.
const FAILED_EVERY: usize = 100;
const FOREIGN_EVERY: usize = 50;
const SNAPSHOT_EVERY: usize = 10;
/// Values of the metadata `k`.
const VALUES: usize = 100;
/// Maximum number of rows in a page.
const PAGE: usize = 1_000;
/// Minimum server time of a line: at a clock of hundredths of a second, an error of 3%.
const CPU_MIN: Duration = Duration::from_millis(300);
/// Maximum requests and time of a line.
const REQUESTS_MAX: usize = 2_000;
const LINE_MAX: Duration = Duration::from_secs(4);
/// Clients that create volumes concurrently, and the volumes that they create.
const CLIENTS: usize = 16;
const CREATES: usize = 2_000;
/// The interval between checks that all of them exist.
const SETTLE_EVERY: Duration = Duration::from_millis(50);
/// Linux counts CPU time in hundredths of a second.
const MILLISECONDS_PER_TICK: u64 = 10;
/// The time of the first volume, in unix nanoseconds.
const FIRST: i64 = 1_795_224_837_605_101_000;

/// The headers of stock clients; the first is an admin of the project `p`.
const HEADERS: &str = "X-Auth-Token: u:p\r\nOpenStack-API-Version: volume 3.70\r\n\
                       Content-Type: application/json\r\n";

/// A running server, killed when dropped.
struct Fixture {
    server: Child,
    address: String,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Fixture {
    fn start(dir: &Path) -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_statehold"))
            .args(["serve", "--bind", "127.0.0.1:0", "--block-storage", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let line = lines.by_ref().nth(1).unwrap().unwrap();
        let address = line.rsplit('/').next().unwrap().to_owned();
        Self { server, address }
    }

    fn client(&self) -> Client {
        Client::connect(&self.address, HEADERS)
    }

    /// Returns the CPU time that the server has used.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.server.id())).unwrap();
        // After the name, which ends with the last parenthesis, field 12 is user and 13 system
        // time.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * MILLISECONDS_PER_TICK)
    }
}

/// The server and its contents at one size.
struct World {
    fixture: Fixture,
    /// The full name of the back end.
    pool: String,
    volumes: usize,
    ids: Vec<Uuid>,
    _dir: tempfile::TempDir,
}

impl World {
    /// Creates a server with `volumes` volumes of the project `p`.
    fn new(volumes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // A first start creates the directory, and reports the name of its back end.
        let pool = {
            let fixture = Fixture::start(dir.path());
            let pools = get(&mut fixture.client(), "/v3/p/scheduler-stats/get_pools");
            pools["pools"][0]["name"].as_str().unwrap().to_owned()
        };
        let ids = fill(dir.path(), &pool, volumes);
        let fixture = Fixture::start(dir.path());
        let quotas = json!({"quota_set": {"volumes": -1, "gigabytes": -1}}).to_string();
        fixture.client().put("/v3/p/os-quota-sets/p", quotas.as_bytes());
        Self { fixture, pool, volumes, ids, _dir: dir }
    }

    /// Returns the number of snapshots of volumes of the project `p`.
    fn snapshots(&self) -> usize {
        (0..self.volumes).filter(|&at| has_snapshot(at)).count()
    }
}

fn fails(at: usize) -> bool {
    at % FAILED_EVERY == 3
}

fn has_snapshot(at: usize) -> bool {
    at.is_multiple_of(SNAPSHOT_EVERY) && !fails(at)
}

fn size(at: usize) -> u32 {
    1 + u32::try_from(at % 7).unwrap()
}

/// Creates the volumes and snapshots as a server does, some of them in another project; returns the
/// IDs of those of the project `p`.
fn fill(dir: &Path, pool: &str, volumes: usize) -> Vec<Uuid> {
    let schema = statehold_nomad::schema().and(statehold_cinder::schema());
    let store = Store::open(dir, &schema).unwrap();
    let quotas = QuotaDefaults { volumes: -1, snapshots: -1, gigabytes: -1, ..Default::default() };
    let config = Config { quotas, ..Config::default() };
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &config, FIRST, Uuid::new_v4()).unwrap();
    bootstrap_groups(&mut txn, FIRST, Uuid::new_v4()).unwrap();
    txn.commit().unwrap();
    let numbers: Vec<usize> = (0..volumes).collect();
    let mut ids = Vec::new();
    for batch in numbers.chunks(BATCH) {
        let mut txn = store.begin_write().unwrap();
        for &at in batch {
            ids.push(create(&mut txn, &config, ("p", pool, at)));
            if at.is_multiple_of(FOREIGN_EVERY) {
                create(&mut txn, &config, ("q", pool, at));
            }
        }
        txn.commit().unwrap();
    }
    assert_eq!(store.snapshot().count::<WorkItem>(), 0);
    ids
}

fn create(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    (project, pool, at): (&str, &str, usize),
) -> Uuid {
    let caller = Caller {
        user: "u".into(),
        project: project.into(),
        role: Role::Admin,
        ..Caller::default()
    };
    let now = FIRST + i64::try_from(at).unwrap() * 1_000_000;
    let version = Microversion::MAX;
    let cx = Context { config, caller: &caller, version, now, request_id: "req-1" };
    let id = Uuid::new_v4();
    let spec = VolumeSpec {
        // Numbers in another order than that of creation.
        name: Some(format!("v{}", at * 7919 % 1_000_003).into()),
        size: Some(size(at)),
        metadata: [("k".into(), format!("v{}", at % VALUES).into())].into(),
        ..VolumeSpec::default()
    };
    create_volume(txn, &cx, id, spec).unwrap();
    work(txn, &cx, pool, fails(at));
    if has_snapshot(at) && project == "p" {
        let spec = SnapshotSpec { volume_id: id.to_string().into(), ..SnapshotSpec::default() };
        create_snapshot(txn, &cx, Uuid::new_v4(), spec).unwrap();
        work(txn, &cx, pool, false);
    }
    id
}

/// Completes the only item of work in the queue.
fn work(txn: &mut WriteTxn<'_>, cx: &Context<'_>, pool: &str, fails: bool) {
    let waiting = txn.scan::<WorkItem>(&KeyRange::all(), Order::Ascending).next();
    let item = WorkItem::clone(waiting.unwrap());
    let item = start_work(txn, cx.now, item.kind, item.target).unwrap().unwrap();
    if item.kind == statehold_cinder::WorkTarget::Volume {
        let placement = Placement { host: pool.into(), ..Placement::default() };
        place_volume(txn, cx.now, item.target, placement).unwrap();
    }
    let outcome = if fails {
        Outcome::Failed { cause: FailureCause::Unknown, message: Uuid::new_v4() }
    } else {
        Outcome::DONE
    };
    assert!(finish_work(txn, cx.config, cx.now, &item, &outcome).unwrap());
}

fn get(client: &mut Client, path: &str) -> Value {
    serde_json::from_slice(&client.get(path).body).unwrap()
}

fn rows(body: &Value) -> usize {
    body["volumes"].as_array().unwrap().len()
}

/// A line of the table: its title, its path, and the check of its reply.
type Line = (&'static str, String, Box<dyn Fn(&Value)>);

fn line(title: &'static str, path: &str, holds: impl Fn(&Value) + 'static) -> Line {
    (title, format!("/v3/p/{path}"), Box::new(holds))
}

/// A list of `count` rows.
fn list(title: &'static str, path: &str, count: usize) -> Line {
    line(title, path, move |body| assert_eq!(rows(body), count))
}

fn lines(world: &World) -> Vec<Line> {
    let (volumes, page) = (world.volumes, world.volumes.min(PAGE));
    let failed = (0..volumes).filter(|&at| fails(at)).count();
    let foreign = volumes.div_ceil(FOREIGN_EVERY);
    let of_value = (0..volumes).filter(|at| at % VALUES == 7).count().min(PAGE);
    let gib: u64 = (0..volumes).map(|at| u64::from(size(at))).sum();
    let like = (0..volumes).filter(|at| (at * 7919 % 1_000_003).to_string().contains("777"));
    let like = like.count();
    let (snapshots, offset) = (world.snapshots(), volumes * 3 / 4);
    let at = world.ids[volumes / 2];
    let marker = world.ids[volumes / 4];
    let host = world.pool.split('#').next().unwrap();
    let pool = world.pool.replace('#', "%23");
    let sorted = move |body: &Value| {
        assert_eq!(rows(body), 10);
        let names: Vec<&str> =
            (0..10).map(|at| body["volumes"][at]["name"].as_str().unwrap()).collect();
        assert!(names.is_sorted_by(|a, b| a >= b), "{names:?}");
    };
    vec![
        line("floor: zones", "os-availability-zone", |body| {
            assert!(body["availabilityZoneInfo"].is_array());
        }),
        line("show", &format!("volumes/{at}"), |body| assert!(body["volume"].is_object())),
        list("limit=10", "volumes?limit=10", 10),
        line("sort=name&limit=10&with_count", "volumes?sort=name&limit=10&with_count=true", {
            move |body| {
                sorted(body);
                assert_eq!(body["count"], volumes);
            }
        }),
        line("sort=name&limit=10", "volumes?sort=name&limit=10", sorted),
        list("sort=name, second page", &format!("volumes?sort=name&limit=10&marker={at}"), 10),
        list("sort=name, all projects", "volumes?sort=name&limit=10&all_tenants=1", 10),
        list("sort=size", "volumes?sort=size", page),
        list("sort=size&limit=10", "volumes?sort=size&limit=10", 10),
        list("sort=updated_at&limit=10", "volumes?sort=updated_at&limit=10", 10),
        list("name~=777&limit=100", "volumes?name~=777&limit=100", like.min(100)),
        list("name=...", &format!("volumes?name=v{}", 500 % volumes * 7919 % 1_000_003), 1),
        list("metadata={k: v7}", "volumes?metadata=%7B%27k%27%3A%20%27v7%27%7D", of_value),
        line("summary", "volumes/summary", move |body| {
            let summary = &body["volume-summary"];
            assert_eq!(
                (&summary["total_count"], &summary["total_size"]),
                (&volumes.into(), &gib.into())
            );
            assert_eq!(summary["metadata"]["k"].as_array().unwrap().len(), VALUES);
        }),
        line("summary, all projects", "volumes/summary?all_tenants=1", move |body| {
            assert_eq!(body["volume-summary"]["total_count"], volumes + foreign);
        }),
        line("pools with detail", "scheduler-stats/get_pools?detail=true", move |body| {
            let allocated = &body["pools"][0]["capabilities"]["allocated_capacity_gb"];
            assert!(allocated.as_u64().unwrap() > gib);
        }),
        line("os-hosts/HOST", &format!("os-hosts/{host}"), move |body| {
            let total = &body["host"][0]["resource"];
            assert_eq!(total["volume_count"], (volumes + foreign).to_string());
            assert_eq!(total["snapshot_count"], snapshots.to_string());
        }),
        line("quota set with usage", "os-quota-sets/p?usage=true", move |body| {
            assert_eq!(body["quota_set"]["volumes"]["in_use"], volumes);
        }),
        line("limits", "limits", move |body| {
            assert_eq!(body["limits"]["absolute"]["totalVolumesUsed"], volumes);
        }),
        list("detail page of 1,000", "volumes/detail?limit=1000", page),
        list("offset=3/4&limit=10", &format!("volumes?offset={offset}&limit=10"), 10),
        list("marker=1/4&limit=10", &format!("volumes?marker={marker}&limit=10"), 10),
        list("status=error", "volumes?status=error", failed.min(PAGE)),
        list("status=available&limit=10", "volumes?status=available&limit=10", 10),
        line("status=error, with_count", "volumes?status=error&limit=1&with_count=true", {
            move |body| assert_eq!(body["count"], failed)
        }),
        line(
            "host=HOST&limit=10, with_count",
            &format!("volumes?host={pool}&limit=10&with_count=true"),
            move |body| assert_eq!(body["count"], volumes),
        ),
        line("snapshots, with_count", "snapshots?limit=1&with_count=true", move |body| {
            assert_eq!(body["count"], snapshots);
        }),
    ]
}

/// Requests `path` until the server has used enough time; returns its time for each request.
fn measure(world: &World, trial: bool, mut ask: impl FnMut(&mut Client)) -> Duration {
    let mut client = world.fixture.client();
    let (begun, before) = (Instant::now(), world.fixture.cpu());
    let mut requests = 0;
    loop {
        ask(&mut client);
        requests += 1;
        let used = world.fixture.cpu().saturating_sub(before);
        let over = requests >= REQUESTS_MAX || begun.elapsed() >= LINE_MAX || used >= CPU_MIN;
        if trial || over {
            return used / u32::try_from(requests).unwrap();
        }
    }
}

/// Prints the lines whose titles contain `part`.
fn print(volumes: usize, part: &str, trial: bool) {
    let world = World::new(volumes);
    println!("\n{volumes} volumes: CPU of the server for each request");
    let show = |title: &str, used: Duration| {
        println!("{title:<36} {:>9.3} ms", used.as_secs_f64() * 1000.0);
    };
    for (title, path, holds) in lines(&world).into_iter().filter(|line| line.0.contains(part)) {
        let answer = get(&mut world.fixture.client(), &path);
        holds(&answer);
        let length = answer.to_string().len();
        let used = measure(&world, trial, |client| {
            // Free space may change; everything else must stay equal.
            let got = client.get(&path).body.len();
            assert!(got.abs_diff(length) <= 16, "{path}: {got} bytes after {length}");
        });
        show(title, used);
    }
    if !"create".contains(part) {
        return;
    }
    // Last, because it changes the counts. The time includes that of the worker: files and commits.
    let begun = Instant::now();
    let creates = if trial { CLIENTS } else { CREATES };
    let used = create_together(&world, creates);
    let rate = creates as f64 / begun.elapsed().as_secs_f64();
    show(&format!("create, {CLIENTS} clients, {rate:.0}/s"), used);
}

/// Creates `creates` volumes with several clients and waits until they exist; returns the server's
/// time for each.
fn create_together(world: &World, creates: usize) -> Duration {
    let before = world.fixture.cpu();
    std::thread::scope(|threads| {
        for client in 0..CLIENTS {
            threads.spawn(move || {
                let mut connection = world.fixture.client();
                for at in (client..creates).step_by(CLIENTS) {
                    let metadata = json!({ "k": "v1" });
                    let name = format!("new{at}");
                    let body = json!({"volume": {"size": 1, "name": name, "metadata": metadata}});
                    connection.send("POST", "/v3/p/volumes", body.to_string().as_bytes());
                    assert_eq!(connection.receive().status, 202);
                }
            });
        }
    });
    let mut client = world.fixture.client();
    while rows(&get(&mut client, "/v3/p/volumes?status=creating&limit=1")) > 0 {
        // The figure includes these checks, which is why there are few.
        std::thread::sleep(SETTLE_EVERY);
    }
    world.fixture.cpu().saturating_sub(before) / u32::try_from(creates).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let trial = arguments.iter().any(|argument| argument == "--test");
    let size = arguments.iter().find_map(|argument| argument.parse::<usize>().ok());
    let title =
        |argument: &&String| !argument.starts_with("--") && argument.parse::<usize>().is_err();
    let part = arguments.iter().find(title).map_or("", String::as_str);
    match (trial, size) {
        (true, _) => print(TRIAL, part, true),
        (false, Some(volumes)) => print(volumes, part, false),
        (false, None) => SIZES.iter().for_each(|&volumes| print(volumes, part, false)),
    }
}
