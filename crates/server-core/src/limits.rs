//! The limits on requests, connections and memory, and counts per client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// Default maximum length of a request body, in bytes.
pub const BODY_MAX_DEFAULT: usize = 4 << 20;

/// Default maximum number of connections, and of blocking queries, of one client address.
pub const PER_CLIENT_MAX_DEFAULT: usize = 10_000;

/// Default maximum number of writes in progress.
pub const WRITES_MAX_DEFAULT: usize = 1_000;

/// Default maximum bytes of request bodies, and of unsent replies, in memory.
pub const IN_MEMORY_MAX_DEFAULT: usize = 256 << 20;

/// Default maximum bytes of the filters and parameters of waiting blocking queries.
pub const PARKED_BYTES_MAX_DEFAULT: usize = 128 << 20;

/// Default maximum length of the head of a request, in bytes.
pub const HEAD_MAX_DEFAULT: u64 = 64 << 10;

/// The limits on requests, each with its flag.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `--body-max`, in bytes.
    pub body_max: usize,
    /// `--body-wait-max`.
    pub body_wait_max: Duration,
    /// `--parked-per-client-max`.
    pub parked_per_client_max: usize,
    /// `--writes-max`.
    pub writes_max: usize,
    /// `--filter-steps-max`: evaluation steps of one request.
    pub filter_steps_max: u64,
    /// `--filter-row-steps-max`: evaluation steps of one row.
    pub filter_row_steps_max: u64,
    /// `--read-time-max`: computing time of one request.
    pub read_time_max: Duration,
    /// `--bodies-max`, in bytes.
    pub bodies_max: usize,
    /// `--unsent-max`, in bytes.
    pub unsent_max: usize,
    /// `--parked-bytes-max`, in bytes.
    pub parked_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_max: BODY_MAX_DEFAULT,
            body_wait_max: Duration::from_secs(60),
            parked_per_client_max: PER_CLIENT_MAX_DEFAULT,
            writes_max: WRITES_MAX_DEFAULT,
            filter_steps_max: statehold_filter::Limits::CALL_STEPS,
            filter_row_steps_max: statehold_filter::Limits::ROW_STEPS,
            read_time_max: Duration::from_secs(10),
            bodies_max: IN_MEMORY_MAX_DEFAULT,
            unsent_max: IN_MEMORY_MAX_DEFAULT,
            parked_bytes_max: PARKED_BYTES_MAX_DEFAULT,
        }
    }
}

impl Limits {
    /// Returns the limits on evaluating a client's filter.
    pub fn for_filters(&self) -> statehold_filter::Limits {
        statehold_filter::Limits {
            row_steps: self.filter_row_steps_max,
            call_steps: self.filter_steps_max,
            ..statehold_filter::Limits::default()
        }
    }
}

/// The limits on connections, each with its flag.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// `--head-max`, in bytes.
    pub head_max: usize,
    /// `--head-wait-max`.
    pub head_wait_max: Duration,
    /// `--connections-per-client-max`.
    pub connections_per_client_max: usize,
    /// `--send-wait-max`.
    pub send_wait_max: Duration,
}

/// Counts connections, or other things, per client address, up to a maximum. Clones share the counts.
#[derive(Clone, Debug)]
pub struct PerClient {
    max: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl PerClient {
    /// Creates counts with a maximum of `max` per client.
    pub fn new(max: usize) -> Self {
        Self { max, counts: Arc::default() }
    }

    /// Counts one more of `client` until the returned guard is dropped. Returns `None` at the maximum.
    pub fn enter(&self, client: IpAddr) -> Option<Counted> {
        let mut counts = self.counts.lock();
        let count = counts.get(&client).copied().unwrap_or_default();
        if count >= self.max {
            return None;
        }
        counts.insert(client, count + 1);
        Some(Counted { client, counts: self.clone() })
    }
}

/// Lowers the count of its client by one on drop.
#[derive(Debug)]
pub struct Counted {
    client: IpAddr,
    counts: PerClient,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.counts.lock();
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            // Otherwise the map would grow with every address that ever connected.
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_client_is_counted_up_to_the_maximum() {
        let (one, other) = (Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::new(10, 0, 0, 2).into());
        let limit = PerClient::new(2);
        let held = [limit.enter(one).unwrap(), limit.enter(one).unwrap()];
        assert!(limit.enter(one).is_none());
        let of_other = limit.enter(other);
        assert!(of_other.is_some());
        drop(held);
        assert!(limit.enter(one).is_some());
        drop(of_other);
        assert!(limit.counts.lock().is_empty(), "a client without a count keeps an entry");
    }
}
