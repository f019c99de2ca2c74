//! `held`: the memory that clients can force the server to hold, and the delay that large requests
//! of one caller cause to another. Each line is an attack that once succeeded; the flags have their
//! defaults.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::client::Client;
use crate::fair::{GREEDY, HONEST, TOKENS};
use crate::fixture::{Fixture, named_volume};

/// Sizes of the attacks.
struct Sizes {
    volumes: usize,
    unread: usize,
    bodies: usize,
    parked: usize,
    writes: usize,
    rows: usize,
    woken: usize,
}

const SIZES: Sizes = Sizes {
    volumes: 300_000,
    unread: 60,
    bodies: 300,
    parked: 1_000,
    writes: 12,
    rows: 15_000,
    woken: 5_000,
};
/// The smallest sizes, to check that everything runs.
const TRIAL: Sizes =
    Sizes { volumes: 200, unread: 2, bodies: 2, parked: 2, writes: 2, rows: 10, woken: 4 };

/// Bytes of an incomplete body, and those that are sent.
const BODY: usize = 4 << 20;
const SENT: usize = BODY - 1024;

/// Volumes that the woken lists read.
const LISTED: usize = 1_000;

/// Prints a line for each attack.
pub(crate) fn print(trial: bool) {
    let sizes = if trial { TRIAL } else { SIZES };
    raise_descriptors();
    println!("\nheld: memory in MiB, before and with the attack");
    let fixture = start();
    fixture.fill(sizes.volumes);
    memory(&fixture, "lists unread", sizes.unread, || {
        let mut client = fixture.client_as(GREEDY);
        client.send("GET", "/v1/volumes?type=csi", b"");
        client
    });
    drop(fixture);
    let fixture = start();
    memory(&fixture, "bodies cut short", sizes.bodies, || {
        let mut client = fixture.client_as(GREEDY);
        client.send_part("PUT", "/v1/volumes", BODY, &vec![b' '; SENT]);
        client
    });
    memory(&fixture, "filters parked", sizes.parked, || {
        let clauses: Vec<String> =
            (0..1_000).map(|at| format!("ID%20%3D%3D%20%22volume-{at}%22")).collect();
        let filter = clauses.join("%20or%20");
        let mut client = fixture.client_as(GREEDY);
        client.send(
            "GET",
            &format!("/v1/volumes?type=csi&index=1000000&wait=10m&filter={filter}"),
            b"",
        );
        client
    });
    drop(fixture);
    println!("\nheld: waits of an honest client's request, alone and beside the attack");
    large_writes(&sizes);
    woken_lists(&sizes);
}

fn start() -> Fixture {
    Fixture::with(HONEST, |command, dir| {
        let file = dir.join("acl.toml");
        std::fs::write(&file, TOKENS).unwrap();
        command.arg("--acl").arg(file);
    })
}

/// Opens the connections of an attack, and prints the memory once it no longer grows.
fn memory(fixture: &Fixture, name: &str, count: usize, open: impl Fn() -> Client) {
    let before = fixture.memory() >> 20;
    let clients: Vec<Client> = (0..count).map(|_| open()).collect();
    let (mut most, mut since) = (fixture.memory(), Instant::now());
    let begun = Instant::now();
    while since.elapsed() < Duration::from_secs(2) && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(50));
        let now = fixture.memory();
        if now > most + (1 << 20) {
            (most, since) = (now, Instant::now());
        }
    }
    let refused = refused(fixture);
    println!(
        "{name:<18} {count:>6} connections  {before:>6} {:>6}   refused: {refused}",
        most >> 20
    );
    drop(clients);
}

/// Returns the requests that limits rejected, by reason.
fn refused(fixture: &Fixture) -> String {
    let metrics = String::from_utf8(fixture.client().get("/metrics").body).unwrap();
    let counts = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("statehold_http_refused_total{reason=\"")?;
        let (reason, count) = rest.split_once("\"} ")?;
        (count != "0").then(|| format!("{reason} {count}"))
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// A write of one row beside large ones.
fn large_writes(sizes: &Sizes) {
    let fixture = start();
    fixture.fill(10);
    let one = |client: &mut Client| {
        let sent = Instant::now();
        client.register(&named_volume("one", "one", "p1"));
        sent.elapsed()
    };
    let mut honest = fixture.client();
    let alone = (0..20).map(|_| one(&mut honest)).max().unwrap();
    let bodies: Vec<Vec<u8>> =
        (0..sizes.writes).map(|at| large_write(&format!("w{at}"), sizes.rows)).collect();
    let begun = Instant::now();
    let mut clients: Vec<Client> = bodies
        .iter()
        .map(|body| {
            let mut client = fixture.client_as(GREEDY);
            client.send("PUT", "/v1/volumes", body);
            client
        })
        .collect();
    let beside = one(&mut honest);
    let done =
        clients.iter_mut().map(Client::receive_any).filter(|reply| reply.status == 200).count();
    println!(
        "a write of one row, beside {} of {} rows: {alone:.1?}, {beside:.1?}; {done} large writes took {:.1?}",
        sizes.writes,
        sizes.rows,
        begun.elapsed()
    );
}

fn large_write(name: &str, rows: usize) -> Vec<u8> {
    let volume = |at| named_volume(&format!("{name}-{at}"), &format!("{name}-{at}"), "p1");
    let volumes: Vec<Value> = (0..rows).map(volume).collect();
    json!({ "Volumes": volumes }).to_string().into_bytes()
}

/// A page beside lists that one commit woke.
fn woken_lists(sizes: &Sizes) {
    let fixture = start();
    fixture.fill(LISTED);
    let page = |client: &mut Client| {
        let sent = Instant::now();
        client.get("/v1/volumes?type=csi&per_page=100");
        sent.elapsed()
    };
    let mut honest = fixture.client();
    let alone = (0..20).map(|_| page(&mut honest)).max().unwrap();
    let index = honest.get("/v1/volumes?type=csi").index;
    let waiting: Vec<Client> = (0..sizes.woken)
        .map(|_| {
            let mut client = fixture.client_as(GREEDY);
            client.send("GET", &format!("/v1/volumes?type=csi&index={index}&wait=10m"), b"");
            client
        })
        .collect();
    Fixture::wait_until_parked(&mut honest, u64::try_from(waiting.len()).unwrap());
    honest.register(&named_volume("one", "one", "p1"));
    let beside = (0..20).map(|_| page(&mut honest)).max().unwrap();
    println!("a page of 100, beside {} woken lists: {alone:.1?}, {beside:.1?}", waiting.len());
}

/// Raises the limit of open files to the system's maximum.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}
