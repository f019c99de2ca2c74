//! `fair`: the latency of an honest client alone, and beside 64 connections of another caller that
//! requests as much as it can. Each request of the honest client is measured in both states within
//! one run.
//!
//! The clients share the machine with the server, so part of the ratio is their own work. The last
//! columns are the average number of processors that server and clients used while the honest
//! client was measured beside the others.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::{Fixture, cpu_of, named_volume, volume_id};

/// Connections of the other caller.
const ATTACKERS: usize = 64;
/// Volumes in the store.
const VOLUMES: usize = 10_000;
/// Volumes of one large write: its body is close to the default of `--body-max`.
const LARGE: usize = 14_000;
/// Requests of the honest client for each line.
const REQUESTS: usize = 200;
/// The maximum time of a line; it then ends with fewer requests.
const LINE_MAX: Duration = Duration::from_secs(10);

/// The digests are of the words `greedy` and `honest`.
pub(crate) const TOKENS: &str = "
token = [
    { name = 'greedy', management = true, sha256 = '370aed697dc503aecee7d8faad5de775f4f7019c86e672e8d93f3df590527058' },
    { name = 'honest', management = true, sha256 = 'bf5b6382c2ea46ede3117c0250a9abf431ddf38fca4d50462e5834d09b1b33ef' },
]
";

pub(crate) const GREEDY: &str = "X-Nomad-Token: greedy\r\n";
pub(crate) const HONEST: &str = "X-Nomad-Token: honest\r\n";

/// A filter that tests each volume with twenty patterns, and selects none.
fn costly() -> String {
    let clause = "Name%20matches%20%22%5Enothing-%5B0-9%5D%2B%24%22";
    format!("/v1/volumes?type=csi&filter={}", [clause; 20].join("%20or%20"))
}

/// A request of the honest client, given its number.
type Ask = fn(&mut Client, usize);

const ASKS: [(&str, Ask); 5] = [
    ("read", |client, at| drop(client.get(&format!("/v1/volume/csi/{}", volume_id(at))))),
    ("page of 10", |client, _| drop(client.get("/v1/volumes?type=csi&per_page=10"))),
    ("filter, indexed", |client, _| {
        drop(client.get("/v1/volumes?type=csi&filter=PluginID%20%3D%3D%20%22p2%22"));
    }),
    ("filter, scanned", |client, _| {
        drop(client.get("/v1/volumes?type=csi&filter=ExternalID%20matches%20%2200%24%22"));
    }),
    ("register", |client, at| {
        client.register(&named_volume(&format!("honest-{at}"), &format!("h-{at}"), "p1"));
    }),
];

/// A request that an attacker repeats.
#[derive(Clone, Copy)]
enum Attack {
    /// A filter that tests each row.
    Filters,
    /// A long list whose reply stays unread; a closed connection is opened again.
    Unread,
    /// A long list that is read, compressed.
    Compressed,
    /// A write of thousands of rows.
    Writes,
}

const ATTACKS: [(&str, Attack); 4] = [
    ("costly filters", Attack::Filters),
    ("unread lists", Attack::Unread),
    ("compressed lists", Attack::Compressed),
    ("large writes", Attack::Writes),
];

/// Prints a line for each attack and each request of the honest client.
pub(crate) fn print(trial: bool) {
    let fixture = Fixture::with(HONEST, |command, dir| {
        let file = dir.join("acl.toml");
        std::fs::write(&file, TOKENS).unwrap();
        command.arg("--acl").arg(file);
    });
    let (volumes, large, requests) = if trial { (100, 10, 2) } else { (VOLUMES, LARGE, REQUESTS) };
    fixture.fill(volumes);
    let body = large_write(large);
    println!(
        "\nfair: an honest client alone, and beside {ATTACKERS} connections of one other caller"
    );
    println!(
        "attack            request             alone p50       p99   beside p50       p99   p50 x   p99 x   attacks  server  clients"
    );
    for (attack_name, attack) in ATTACKS {
        for (name, ask) in ASKS {
            let alone = measure(&fixture, requests, ask);
            let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
            let beside = std::thread::scope(|threads| {
                for _ in 0..if trial { 2 } else { ATTACKERS } {
                    threads.spawn(|| run(&fixture, attack, &body, &over, &done));
                }
                // Each attacker has completed a request, unless its requests are not meant to end.
                let begun = Instant::now();
                while done.load(Ordering::Relaxed) < ATTACKERS && begun.elapsed() < LINE_MAX / 4 {
                    std::thread::yield_now();
                }
                done.store(0, Ordering::Relaxed);
                let cpu = || [fixture.cpu(), cpu_of(std::process::id())];
                let (before, begun) = (cpu(), Instant::now());
                let beside = measure(&fixture, requests, ask);
                let (after, took) = (cpu(), begun.elapsed());
                over.store(true, Ordering::Relaxed);
                let processors = |at: usize| {
                    after[at].saturating_sub(before[at]).as_secs_f64() / took.as_secs_f64()
                };
                (beside, [processors(0), processors(1)])
            });
            let done = done.load(Ordering::Relaxed);
            print_line(attack_name, name, alone, beside, done);
        }
    }
}

fn print_line(
    attack: &str,
    ask: &str,
    alone: Latency,
    (beside, [server, clients]): (Latency, [f64; 2]),
    done: usize,
) {
    let ratio = |beside: Duration, alone: Duration| beside.as_secs_f64() / alone.as_secs_f64();
    println!(
        "{attack:<17} {ask:<17} {:>11.1?} {:>9.1?}  {:>11.1?} {:>9.1?} {:>7.1} {:>7.1} {done:>9} {server:>7.1} {clients:>8.1}",
        alone.p50,
        alone.p99,
        beside.p50,
        beside.p99,
        ratio(beside.p50, alone.p50),
        ratio(beside.p99, alone.p99),
    );
}

#[derive(Clone, Copy)]
struct Latency {
    p50: Duration,
    p99: Duration,
}

/// Measures requests of the honest client.
fn measure(fixture: &Fixture, requests: usize, ask: Ask) -> Latency {
    let mut client = fixture.client();
    let begun = Instant::now();
    let mut times = Vec::with_capacity(requests);
    while times.len() < requests && (times.is_empty() || begun.elapsed() < LINE_MAX) {
        let sent = Instant::now();
        ask(&mut client, times.len() % 100);
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    let percentile = |percent: usize| times[(times.len() - 1) * percent / 100];
    Latency { p50: percentile(50), p99: percentile(99) }
}

/// Attacks until `over` is set.
fn run(fixture: &Fixture, attack: Attack, body: &[u8], over: &AtomicBool, done: &AtomicUsize) {
    let costly = costly();
    let mut client = fixture.client_as(GREEDY);
    while !over.load(Ordering::Relaxed) {
        match attack {
            Attack::Filters => {
                client.send("GET", &costly, b"");
                client.receive_any();
            }
            Attack::Unread => {
                client.send("GET", "/v1/volumes?type=csi", b"");
                // The reply has begun.
                client.wait_for_reply();
                client = fixture.client_as(GREEDY);
            }
            Attack::Compressed => {
                client.send_with("GET", "/v1/volumes?type=csi", "Accept-Encoding: gzip\r\n", b"");
                client.receive_any();
            }
            Attack::Writes => {
                client.send("PUT", "/v1/volumes", body);
                client.receive_any();
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Returns the body of a write of volumes that no other request names.
fn large_write(volumes: usize) -> Vec<u8> {
    let volume = |at| named_volume(&format!("large-{at:06}"), &format!("large-{at:06}"), "p1");
    let volumes: Vec<Value> = (0..volumes).map(volume).collect();
    json!({ "Volumes": volumes }).to_string().into_bytes()
}
