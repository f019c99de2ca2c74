//! Several clients at once: requests a second, and how long the slowest hundredth takes.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::fixture::{Fixture, named_volume, volume_id};

/// How much is asked.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) clients: usize,
    pub(crate) requests: usize,
}

/// What every client asks for, with the number of the client and of the request.
type Ask = fn(&mut Client, usize, usize);

const ASKS: [(&str, Ask); 5] = [
    ("read", |client, _, at| drop(client.get(&format!("/v1/volume/csi/{}", volume_id(at))))),
    ("page of 10", |client, _, _| drop(client.get("/v1/volumes?type=csi&per_page=10"))),
    ("register", |client, who, at| {
        let id = format!("load-{who}-{}", at % 100);
        client.register(&named_volume(&id, &id, "p1"));
    }),
    ("claim and release", |client, who, at| {
        client.claim_and_release(&volume_id(at), &crate::fixture::allocation(who));
    }),
    ("status", |client, _, _| {
        drop(client.get("/statehold/v1/status"));
    }),
];

/// Prints a line for each kind of request.
pub(crate) fn print(fixture: &Fixture, scale: Scale) {
    println!("\n{} clients, {} requests each", scale.clients, scale.requests);
    for (name, ask) in ASKS {
        let begun = Instant::now();
        let mut times = run(fixture, scale, ask);
        let took = begun.elapsed();
        times.sort_unstable();
        let percentile = |percent: usize| times[(times.len() - 1) * percent / 100];
        let rate = times.len() as f64 / took.as_secs_f64();
        println!(
            "{name:<20} {rate:>9.0} a second  p50 {:>8.1?}  p99 {:>8.1?}",
            percentile(50),
            percentile(99)
        );
    }
}

fn run(fixture: &Fixture, scale: Scale, ask: Ask) -> Vec<Duration> {
    std::thread::scope(|threads| {
        let clients: Vec<_> = (0..scale.clients)
            .map(|who| {
                threads.spawn(move || {
                    let mut client = fixture.client();
                    let time = |at| {
                        let begun = Instant::now();
                        ask(&mut client, who, at);
                        begun.elapsed()
                    };
                    (0..scale.requests).map(time).collect::<Vec<_>>()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}
