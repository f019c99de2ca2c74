//! `load`: 1, 16 and 64 concurrent clients, for CSI volumes and for host volumes: requests per
//! second, latencies, and the server's CPU time for each request, which stays comparable on a busy
//! machine. The time of a woken query includes the read before it and the write.
//!
//! Clients and server share the machine. A client sends one request at a time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::{Fixture, VOLUMES, allocation, named_volume, volume, volume_id};

/// Clients of a line.
const CLIENTS: [usize; 3] = [1, 16, 64];
/// Requests of a line, of all its clients together, for a kind of weight 1.
const REQUESTS: usize = 8_000;
/// Clients that fill the store.
const FILLERS: usize = 32;
/// The parameters of the page that a client reads next.
const PAGE: &str = "per_page=100";
/// A filter on an ID or a name that no index serves, which selects a hundredth.
const CONTAINS: &str = "Name%20contains%20%22e-0042%22";
/// The same condition as a pattern.
const MATCHES: &str = "Name%20matches%20%22e-0042..%24%22";

/// A client of a line.
struct Worker<'f> {
    kind: &'static Kind,
    client: Client,
    /// Waits for the writes of the client.
    reader: Client,
    who: usize,
    filled: &'f Filled,
    /// The index after which its reader waits.
    index: u64,
    next_token: Option<String>,
}

/// A volume to register.
enum Wish<'w> {
    New(&'w str),
    /// One of the filled volumes, unchanged.
    Again(usize),
}

/// A kind of volume, and the requests that differ between kinds.
struct Kind {
    name: &'static str,
    list: &'static str,
    /// A condition that an index serves, which selects a hundredth.
    indexed: &'static str,
    /// Returns the path and the body that register a volume.
    register: fn(&Filled, Wish<'_>) -> (&'static str, Value),
    /// Returns the path of one of the filled volumes.
    one: fn(&Filled, at: usize) -> String,
    /// Requests that only this kind has.
    more: &'static [Row],
}

/// The result of a fill.
struct Filled {
    volumes: usize,
    node: String,
    dir: tempfile::TempDir,
    /// The IDs of host volumes.
    ids: Vec<String>,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "csi",
        list: "/v1/volumes?type=csi",
        indexed: "PluginID%20%3D%3D%20%22p2%22",
        register: |_, wish| {
            let volume = match wish {
                Wish::New(name) => named_volume(name, name, "p1"),
                Wish::Again(at) => volume(at),
            };
            ("/v1/volumes", json!({ "Volumes": [volume] }))
        },
        one: |filled, at| format!("/v1/volume/csi/{}", volume_id(at % filled.volumes)),
        more: &CSI_ROWS,
    },
    Kind {
        name: "host",
        list: "/v1/volumes?type=host",
        indexed: "Name%20%3D%3D%20%22volume-000042%22",
        register: |filled, wish| {
            let mut volume = json!({ "NodeID": filled.node, "HostPath": filled.dir.path() });
            match wish {
                Wish::New(name) => volume["Name"] = json!(name),
                Wish::Again(at) => {
                    volume["Name"] = json!(volume_id(at));
                    volume["ID"] = json!(filled.ids[at]);
                }
            }
            ("/v1/volume/host/register", json!({ "Volume": volume }))
        },
        one: |filled, at| format!("/v1/volume/host/{}", filled.ids[at % filled.ids.len()]),
        more: &[],
    },
];

/// A kind of request.
struct Row {
    name: &'static str,
    /// The factor by which fewer requests are sent than of the cheapest kind.
    weight: usize,
    /// Runs before the request, outside its time.
    before: fn(&mut Worker<'_>, usize),
    ask: fn(&mut Worker<'_>, usize),
}

const fn row(name: &'static str, weight: usize, ask: fn(&mut Worker<'_>, usize)) -> Row {
    Row { name, weight, before: |_, _| (), ask }
}

const ROWS: [Row; 10] = [
    row("register new", 1, |worker, at| {
        let name = format!("new-{}-{at}", worker.who);
        worker.register(Wish::New(&name));
    }),
    row("register again", 1, |worker, _| worker.again()),
    Row {
        name: "wake a query",
        weight: 2,
        before: |worker, _| {
            let path = (worker.kind.one)(worker.filled, worker.who);
            worker.index = worker.client.get(&path).index;
            // A query that arrives after the write is answered at once, which is no slower than a
            // wake-up.
            let path = format!("{path}?index={}&wait=60s", worker.index);
            worker.reader.send("GET", &path, b"");
        },
        ask: |worker, _| {
            worker.again();
            assert!(worker.reader.receive().index > worker.index);
        },
    },
    row("read one", 1, |worker, at| {
        let path = (worker.kind.one)(worker.filled, at);
        worker.client.get(&path);
    }),
    row("list all", 80, |worker, _| drop(worker.client.get(worker.kind.list))),
    row("prefix of 100", 4, |worker, _| worker.list("prefix=volume-0000")),
    row("filter, indexed", 4, |worker, _| worker.list(&format!("filter={}", worker.kind.indexed))),
    row("filter, contains", 20, |worker, _| worker.list(&format!("filter={CONTAINS}"))),
    row("filter, matches", 20, |worker, _| worker.list(&format!("filter={MATCHES}"))),
    row("page of 100", 4, |worker, _| {
        let token = worker.next_token.take();
        let token = token.map(|token| format!("&next_token={token}")).unwrap_or_default();
        let path = format!("{}&{PAGE}{token}", worker.kind.list);
        worker.next_token = worker.client.get(&path).next_token;
    }),
];

const CSI_ROWS: [Row; 2] = [
    row("claim and release", 2, |worker, at| {
        let volume = volume_id(at % worker.filled.volumes);
        worker.client.claim_and_release(&volume, &allocation(worker.who));
    }),
    row("status", 1, |worker, _| drop(worker.client.get("/statehold/v1/status"))),
];

impl Worker<'_> {
    fn register(&mut self, wish: Wish<'_>) {
        let (path, body) = (self.kind.register)(self.filled, wish);
        self.client.put(path, body.to_string().as_bytes());
    }

    /// Registers the volume of its number again.
    fn again(&mut self) {
        self.register(Wish::Again(self.who % self.filled.volumes));
    }

    fn list(&mut self, query: &str) {
        self.client.get(&format!("{}&{query}", self.kind.list));
    }
}

/// Prints a line for each kind of volume, each kind of request and each number of clients.
pub(crate) fn print(trial: bool) {
    let (volumes, requests) = if trial { (130, 2) } else { (VOLUMES, REQUESTS) };
    println!("\nload: {volumes} volumes of each kind");
    println!("kind  request           clients   a second        p50        p99   CPU each");
    for kind in &KINDS {
        let fixture = Fixture::empty();
        let filled = fill(&fixture, kind, volumes);
        for row in ROWS.iter().chain(kind.more) {
            for clients in CLIENTS {
                line(&fixture, &filled, kind, row, (clients, requests));
            }
        }
    }
}

fn line(
    fixture: &Fixture,
    filled: &Filled,
    kind: &'static Kind,
    row: &Row,
    (clients, requests): (usize, usize),
) {
    let each = (requests / row.weight / clients).max(1);
    let workers: Vec<_> = (0..clients)
        .map(|who| Worker {
            kind,
            client: fixture.client(),
            reader: fixture.client(),
            who,
            filled,
            index: 0,
            next_token: None,
        })
        .collect();
    let (cpu, begun) = (fixture.cpu(), Instant::now());
    let mut times = std::thread::scope(|threads| {
        let run = |mut worker: Worker<'_>| {
            let time = |at: usize| {
                // Names of new volumes differ between lines.
                let at = clients * REQUESTS + at;
                (row.before)(&mut worker, at);
                let begun = Instant::now();
                (row.ask)(&mut worker, at);
                begun.elapsed()
            };
            (0..each).map(time).collect::<Vec<_>>()
        };
        let running: Vec<_> =
            workers.into_iter().map(|worker| threads.spawn(move || run(worker))).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let took = begun.elapsed();
    let cpu: Duration = fixture.cpu().saturating_sub(cpu) / u32::try_from(times.len()).unwrap();
    times.sort_unstable();
    let percentile = |percent: usize| times[(times.len() - 1) * percent / 100];
    let rate = times.len() as f64 / took.as_secs_f64();
    println!(
        "{:<5} {:<17} {clients:>7} {rate:>10.0} {:>10.1?} {:>10.1?} {cpu:>10.1?}",
        kind.name,
        row.name,
        percentile(50),
        percentile(99),
    );
}

/// Registers volumes of a kind; for CSI volumes also the node and the plugins.
fn fill(fixture: &Fixture, kind: &Kind, volumes: usize) -> Filled {
    let nodes: Value = serde_json::from_slice(&fixture.client().get("/v1/nodes").body).unwrap();
    let node = nodes[0]["ID"].as_str().unwrap().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let mut filled = Filled { volumes, node, dir, ids: Vec::new() };
    if kind.name == "csi" {
        fixture.fill(volumes);
        return filled;
    }
    let mut ids = vec![String::new(); volumes];
    let share = volumes.div_ceil(FILLERS);
    std::thread::scope(|threads| {
        for (filler, ids) in ids.chunks_mut(share).enumerate() {
            let (mut client, filled) = (fixture.client(), &filled);
            threads.spawn(move || {
                for (at, id) in ids.iter_mut().enumerate() {
                    let name = volume_id(filler * share + at);
                    let (path, body) = (kind.register)(filled, Wish::New(&name));
                    let reply = client.put(path, body.to_string().as_bytes());
                    let reply: Value = serde_json::from_slice(&reply.body).unwrap();
                    reply["Volume"]["ID"].as_str().unwrap().clone_into(id);
                }
            });
        }
    });
    filled.ids = ids;
    filled
}
