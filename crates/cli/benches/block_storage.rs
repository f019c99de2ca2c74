//! Block Storage over its socket: 10,000 volumes, one server process and one client process.
//!
//! `cargo bench -p statehold-cli --bench block_storage`
//!
//! Single requests first, one after the other; `floor` is a request with almost no work: the
//! availability zones. Then a table: requests per second of several concurrent clients, and the
//! 99th percentile of their latency.

#![allow(clippy::unwrap_used, reason = "a bench that fails should stop")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests")]

#[path = "server/client.rs"]
#[allow(dead_code, reason = "shared with the other bench of the server")]
mod client;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use serde_json::{Value, json};

use client::Client;

/// Volumes in the store.
const VOLUMES: usize = 10_000;
/// Those of them that a filter by metadata selects.
const SELECTED: usize = VOLUMES / 100;
/// Maximum number of rows in a page.
const PAGE: usize = 1000;
/// Clients that fill the store, and that send requests concurrently.
const CLIENTS: usize = 16;
/// Requests of each concurrent client.
const REQUESTS: usize = 500;

/// The headers of stock clients.
const HEADERS: &str = "X-Auth-Token: u:p\r\nOpenStack-API-Version: volume 3.70\r\n\
                       Content-Type: application/json\r\n";

/// `metadata={'k': 'v7'}`, and the same condition in the filter language.
const BY_METADATA: &str = "/v3/p/volumes?metadata=%7B%27k%27%3A%20%27v7%27%7D";
const BY_FILTER: &str = "/v3/p/volumes?filter=metadata.k%20%3D%3D%20%22v7%22";

/// A running server, killed when dropped.
struct Fixture {
    server: Child,
    address: String,
    ids: Vec<String>,
    _dir: tempfile::TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Fixture {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_statehold"))
            .args(["serve", "--bind", "127.0.0.1:0", "--block-storage", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let line = lines.by_ref().nth(1).unwrap().unwrap();
        let address = line.rsplit('/').next().unwrap().to_owned();
        let mut fixture = Self { server, address, ids: Vec::new(), _dir: dir };
        fixture.fill();
        fixture
    }

    fn client(&self) -> Client {
        Client::connect(&self.address, HEADERS)
    }

    fn fill(&mut self) {
        let mut client = self.client();
        let quotas = json!({"quota_set": {"volumes": -1, "gigabytes": -1}}).to_string();
        client.put("/v3/p/os-quota-sets/p", quotas.as_bytes());
        let next = AtomicUsize::new(0);
        self.ids = std::thread::scope(|threads| {
            let fillers: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    threads.spawn(|| {
                        let (mut client, mut ids) = (self.client(), Vec::new());
                        loop {
                            let at = next.fetch_add(1, Ordering::Relaxed);
                            if at >= VOLUMES {
                                return ids;
                            }
                            ids.push(create(&mut client, at));
                        }
                    })
                })
                .collect();
            fillers.into_iter().flat_map(|filler| filler.join().unwrap()).collect()
        });
        self.settle();
    }

    /// Waits until no volume waits for its back end.
    fn settle(&self) {
        let mut client = self.client();
        while rows(&client.get("/v3/p/volumes?status=creating&limit=1").body) > 0 {
            std::thread::yield_now();
        }
    }
}

/// Requests a volume and returns its ID.
fn create(client: &mut Client, at: usize) -> String {
    let metadata = json!({ "k": format!("v{}", at % SELECTED) });
    let body = json!({ "volume": { "size": 1, "name": format!("v{at}"), "metadata": metadata } });
    client.send("POST", "/v3/p/volumes", body.to_string().as_bytes());
    let made: Value = serde_json::from_slice(&client.receive().body).unwrap();
    made["volume"]["id"].as_str().unwrap().to_owned()
}

fn rows(body: &[u8]) -> usize {
    serde_json::from_slice::<Value>(body).unwrap()["volumes"].as_array().unwrap().len()
}

fn requests(c: &mut Criterion) {
    let fixture = Fixture::start();
    let mut client = fixture.client();
    let mut group = c.benchmark_group("block_storage");
    group.bench_function("floor", |b| {
        b.iter(|| assert!(!client.get("/v3/p/os-availability-zone").body.is_empty()));
    });
    group.bench_function("show", |b| {
        let mut at = 0;
        b.iter(|| {
            at = (at + 1) % VOLUMES;
            let path = format!("/v3/p/volumes/{}", fixture.ids[at]);
            assert!(client.get(&path).body.len() > 500);
        });
    });
    let lists = [
        ("list_of_10", "/v3/p/volumes?limit=10", 10),
        ("detail_page_of_1000", "/v3/p/volumes/detail?limit=1000", PAGE),
        ("metadata", BY_METADATA, SELECTED),
        ("filter", BY_FILTER, SELECTED),
    ];
    for (name, path, count) in lists {
        let found = client.get(path).body;
        assert_eq!(rows(&found), count, "{path}");
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(client.get(path).body.len(), found.len()));
        });
    }
    group.sample_size(30);
    group.bench_function("create", |b| {
        let mut at = VOLUMES;
        b.iter(|| {
            at += 1;
            create(&mut client, at)
        });
    });
    group.finish();
}

/// A request of a client, given its number.
type Ask = fn(&Fixture, &mut Client, usize);

const ASKS: [(&str, Ask); 3] = [
    ("show", |fixture, client, at| {
        drop(client.get(&format!("/v3/p/volumes/{}", fixture.ids[at % VOLUMES])));
    }),
    ("list of 10", |_, client, _| drop(client.get("/v3/p/volumes?limit=10"))),
    ("create", |_, client, at| drop(create(client, at))),
];

/// Prints a line for each kind of request.
fn load(fixture: &Fixture, requests: usize) {
    println!("\n{CLIENTS} clients, {requests} requests each");
    for (name, ask) in ASKS {
        let begun = Instant::now();
        let mut times: Vec<Duration> = std::thread::scope(|threads| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|who| {
                    threads.spawn(move || {
                        let mut client = fixture.client();
                        let time = |at| {
                            let begun = Instant::now();
                            ask(fixture, &mut client, who * requests + at);
                            begun.elapsed()
                        };
                        (0..requests).map(time).collect::<Vec<_>>()
                    })
                })
                .collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        times.sort_unstable();
        let percentile = |percent: usize| times[(times.len() - 1) * percent / 100];
        println!(
            "{name:<12} {rate:>9.0} a second  p50 {:>8.1?}  p99 {:>8.1?}",
            percentile(50),
            percentile(99)
        );
    }
}

criterion_group!(benches, requests);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    let trial = std::env::args().any(|arg| arg == "--test");
    load(&Fixture::start(), if trial { 2 } else { REQUESTS });
}
