//! `statehold serve`: opens the store, listens, and drains on a signal.

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use statehold_cinder::Config;
use statehold_nomad::Namespaces;
use statehold_store::{CommitError, OpenError, Options, ReadView as _, Store};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tracing::level_filters::LevelFilter;

use crate::cli::ServeArgs;
use crate::descriptors;
use crate::schema::{LackingTable, schema, with_tables};
use crate::signals::{Request, Signals};
use statehold_cinder_server::{
    CinderMetrics, CinderStartError, CinderState, CurrentPolicy, PolicyFileError, Setup,
    load_policy, run_worker,
};
use statehold_nomad_server::{
    Acl, AclError, CurrentAcl, LocalNode, NodeOptions, NodeStartError, NomadState,
    start_claim_reaper, start_plugin_prober,
};
use statehold_server_core::clock::now;
use statehold_server_core::connection::Connections;
use statehold_server_core::fs::private;
use statehold_server_core::logging;
use statehold_server_core::metrics::Metrics;
use statehold_server_core::recovery;
use statehold_server_core::start_work::StartWork;
use statehold_server_core::state::ServerState;
use statehold_server_core::write_queue::WriteQueue;

/// Maximum time for requests in flight to finish after a signal to stop.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Maximum number of connections that wait to be accepted; the kernel may lower it. It drops the SYN of a
/// further one, whose client retries after a second, as when thousands of clients reconnect at once.
const BACKLOG: u32 = 4096;

/// The pause after a failed accept: when descriptors run out, a retry at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the server did not start, or stopped.
#[derive(Debug)]
pub(crate) enum ServeError {
    Acl(AclError),
    Policy(PolicyFileError),
    Open(OpenError),
    /// The command line names a table of this build, or one table twice.
    Tables(String),
    Bootstrap(String),
    Bind {
        address: SocketAddr,
        flag: &'static str,
        source: io::Error,
    },
    Cinder(CinderStartError),
    Node(NodeStartError),
    /// The file of the log level can't be read.
    LogLevel {
        path: PathBuf,
        reason: String,
    },
    /// The disk refused a write, and `--exit-on-write-failure` is set.
    Write(CommitError),
    /// The address is not loopback, and every caller there would have every right.
    Insecure {
        address: SocketAddr,
        flag: &'static str,
        remedy: &'static str,
    },
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acl(error) => error.fmt(f),
            Self::Policy(error) => error.fmt(f),
            // The store's own message names methods, which a shell lacks.
            Self::Open(OpenError::UnknownTable { path, name }) => {
                write!(f, "{}: {}", path.display(), LackingTable(name))
            }
            Self::Open(error) => error.fmt(f),
            Self::Tables(reason) => f.write_str(reason),
            Self::Bootstrap(reason) => write!(f, "can't prepare the store: {reason}"),
            Self::Bind { address, flag, source } => {
                write!(f, "can't listen on {address}: {source}; choose another with {flag}")
            }
            Self::Cinder(error) => error.fmt(f),
            Self::Node(error) => error.fmt(f),
            Self::LogLevel { path, reason } => {
                write!(f, "can't use the log level in {}: {reason}", path.display())
            }
            Self::Write(error) => write!(f, "exiting because a write failed: {error}"),
            Self::Insecure { address, flag, remedy } => write!(
                f,
                "{flag} {address} is not loopback, and every caller there could do everything; {remedy}, \
                 or accept that with --insecure-bind"
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves until a signal stops the process.
///
/// # Errors
/// Returns [`ServeError`] if the server did not start, or if `--exit-on-write-failure` ended it.
pub(crate) fn run(args: &ServeArgs) -> Result<(), ServeError> {
    logging::start(args.log_level, args.log_format.into()).map_err(ServeError::Io)?;
    let served = start(args);
    logging::flush();
    served
}

fn start(args: &ServeArgs) -> Result<(), ServeError> {
    if let Some(path) = &args.log_level_file {
        read_log_level(path)?;
    }
    // Before anything listens: the limit holds for all connections of the process.
    descriptors::raise();
    check_exposure(args)?;
    let acl = args.acl.as_deref().map(Acl::load).transpose().map_err(ServeError::Acl)?;
    // The files are read before the store is opened, so that a mistake in one leaves the directory unlocked.
    let policy = args.block_storage.current_policy().map_err(ServeError::Policy)?;
    let cinder_metrics = CinderMetrics::default();
    let mut metrics = Metrics::new(&args.data_dir);
    // Without Block Storage its metrics would all be zero, so they are not exposed.
    if args.block_storage.block_storage.is_some() {
        metrics = metrics.with(|registry| cinder_metrics.register(registry));
    }
    let metrics = Arc::new(metrics);
    let options = Options::default()
        .history(args.history)
        .history_bytes(args.history_bytes)
        .parked_max(args.limits.parked_max)
        .observer(Arc::clone(&metrics) as _);
    let schema = with_tables(schema(), &args.tables).map_err(ServeError::Tables)?;
    let store = Store::open_with(&args.data_dir, &schema, &options).map_err(ServeError::Open)?;
    let store = Arc::new(store);
    // A warning alone: the operator may share an existing directory on purpose.
    private::warn_if_shared(&args.data_dir, "data directory");
    let work = StartWork::default();
    prepare(&store, &work)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Io)?;
    let acl = CurrentAcl::new(acl.unwrap_or_default());
    let writes = WriteQueue::new(Arc::clone(&store));
    let nomad = if args.no_nomad {
        None
    } else {
        let options = NodeOptions { address: Some(args.bind), ..args.node.options() };
        let node = LocalNode::start(&writes, &args.data_dir, options, &work, runtime.handle());
        Some((node.map_err(ServeError::Node)?, acl))
    };
    let cloud = args.block_storage.block_storage.map(|address| {
        let own = &args.block_storage;
        let flags = own.backends();
        let config = Config {
            default_type: own.default_volume_type.clone(),
            zones: flags.all_zones(),
            default_zone: flags.default_zone.clone(),
            ..Config::default()
        };
        let setup = Setup::open(&args.data_dir, &flags, own.backup_dir.as_deref(), config)
            .map(Arc::new)
            .map_err(ServeError::Cinder)?;
        let (prepared, to, counts) =
            (Arc::clone(&setup), Arc::clone(&store), cinder_metrics.clone());
        work.run(&store, "prepare Block Storage", move || prepared.prepare(&to, &counts))
            .map_err(ServeError::Cinder)?;
        Ok((address, (setup, cinder_metrics), policy))
    });
    let cloud = cloud.transpose()?;
    let served = runtime.block_on(listen(args, writes, metrics, work, nomad, cloud));
    // Drops the requests that were not answered in time; every acknowledged write is durable.
    runtime.shutdown_background();
    // Explicit, because a blocking task may outlive the runtime and hold the last handle until the process ends.
    if let Err(error) = store.close() {
        tracing::warn!(%error, "the store could not be closed: its next start reads the journal");
    }
    served
}

/// Refuses addresses other than loopback without access control, unless `--insecure-bind` allows them; logs each
/// that is open.
fn check_exposure(args: &ServeArgs) -> Result<(), ServeError> {
    let nomad = (!args.no_nomad && args.acl.is_none()).then_some((
        args.bind,
        "--bind",
        "name tokens and policies with --acl",
    ));
    let own = &args.block_storage;
    let cloud = own.block_storage.filter(|_| own.is_open()).map(|address| {
        (address, "--block-storage", "check tokens with --auth keystone and --identity-url")
    });
    for (address, flag, remedy) in nomad.into_iter().chain(cloud) {
        if address.ip().is_loopback() {
            continue;
        }
        if !args.reach.insecure_bind {
            return Err(ServeError::Insecure { address, flag, remedy });
        }
        tracing::warn!(%address, flag, "every caller that reaches this address may do everything; {remedy}");
    }
    // The tokens of one API do not protect the other one, which serves the same machine.
    if args.acl.is_some()
        && let Some((address, ..)) = cloud
    {
        tracing::warn!(
            %address,
            "--acl does not cover Block Storage: every caller there is an admin without --auth keystone"
        );
    }
    Ok(())
}

/// Writes the rows that every store must have.
///
/// On a full disk, a store that has them is served, and the write is retried; a new store has nothing to serve, so
/// the error is returned.
fn prepare(store: &Arc<Store>, work: &StartWork) -> Result<(), ServeError> {
    let failed = |reason: String| ServeError::Bootstrap(reason);
    // A store without the default namespace can't serve any request, so its first write must succeed now.
    let is_new = store.snapshot().count::<Namespaces>() == 0;
    if is_new {
        return bootstrap(store).map_err(|error| failed(error.to_string()));
    }
    let to = Arc::clone(store);
    let step = move || bootstrap(&to).map_err(|error| error.to_string());
    work.run(store, "note lost nodes", step).map_err(failed)
}

/// Creates the default namespace if it is missing, and records the nodes that were lost while the server was
/// stopped.
fn bootstrap(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    let mut txn = store.begin_write()?;
    statehold_nomad::bootstrap(&mut txn)?;
    statehold_nomad::record_lost_nodes(&mut txn, now())?;
    txn.commit()?;
    Ok(())
}

/// An API that is served: its listener, and its connections.
struct Served {
    listener: TcpListener,
    address: SocketAddr,
    connections: Connections,
}

/// Serves Nomad's API if `nomad` is present, and Block Storage if `cloud` is, until a signal or a write failure.
async fn listen(
    args: &ServeArgs,
    writes: WriteQueue,
    metrics: Arc<Metrics>,
    work: StartWork,
    nomad: Option<(LocalNode, CurrentAcl)>,
    cloud: Option<(SocketAddr, (Arc<Setup>, CinderMetrics), CurrentPolicy)>,
) -> Result<(), ServeError> {
    let (stop, stopped) = watch::channel(false);
    let store = Arc::clone(writes.store());
    // First, because an earlier signal would end the process without draining.
    let mut signals = Signals::new()?;
    recovery::start(&store, &args.data_dir, work, &stopped);
    let keeper = nomad.as_ref().map(|(node, _)| node.host_volumes().clone());
    let current_acl = nomad.as_ref().map(|(_, acl)| acl.clone()).unwrap_or_default();
    let policy = cloud.as_ref().map(|(_, _, policy)| policy.clone()).unwrap_or_default();
    let reporting = (Arc::clone(&store), Arc::clone(&metrics));
    let index = store.index();
    let limits = args.limits.for_requests();
    let base = ServerState::new(writes.clone(), limits, Arc::clone(&metrics));
    let first = match nomad {
        None => None,
        Some((node, acl)) => {
            // Before the background work, which would run for nothing if the address is in use.
            let (listener, address) = bind(args.bind, "--bind")?;
            start_claim_reaper(&writes, &node, args.node.lost_node_grace, &stopped);
            start_plugin_prober(&writes, &node, &stopped);
            let base = base.with_site(args.reach.site(address));
            let app = NomadState::new(base, node, acl, stopped.clone());
            app.serve_at(address);
            let router = statehold_nomad_server::router(app);
            let connections =
                Connections::new(router, &args.limits.for_connections(), Arc::clone(&metrics));
            Some(Served { listener, address, connections })
        }
    };
    let second = match cloud {
        None => None,
        Some((address, setup, policy)) => {
            let (listener, address) = bind(address, "--block-storage")?;
            let base = base.with_site(args.reach.site(address));
            let access = (args.block_storage.auth(), policy);
            let cloud = CinderState::new(base, address, access, setup);
            tokio::spawn(run_worker(cloud.clone(), stopped));
            let router = statehold_cinder_server::router(cloud);
            // Both APIs share one set of limits: a client is the same one at either address.
            let connections = match &first {
                Some(first) => first.connections.with_router(router),
                None => Connections::new(router, &args.limits.for_connections(), metrics),
            };
            Some(Served { listener, address, connections })
        }
    };
    let data_dir = args.data_dir.display();
    if let Some(Served { address, .. }) = &first {
        announce(&format!("statehold: listening on http://{address}"));
        tracing::info!(%address, %data_dir, index, "serving");
    }
    if let Some(Served { address, .. }) = &second {
        announce(&format!("statehold: block storage on http://{address}"));
        tracing::info!(%address, %data_dir, index, "serving block storage");
    }

    let permits = Arc::new(Semaphore::new(args.limits.connections_max.min(Semaphore::MAX_PERMITS)));
    let failure = {
        let (store, metrics) = &reporting;
        let mut accepting = pin!(async {
            tokio::join!(accept(first.as_ref(), &permits), accept(second.as_ref(), &permits))
        });
        let mut failed = pin!(recovery::wait_for_failure(store));
        loop {
            tokio::select! {
                _ = &mut accepting => break None,
                failure = &mut failed, if args.exit_on_write_failure => break Some(failure),
                request = signals.next() => match request {
                    Request::Stop => break None,
                    Request::Reload => reload(args, &current_acl, &policy),
                    Request::Report => report(store, metrics),
                },
            }
        }
    };
    tracing::info!("shutting down: draining in-flight requests");
    let drain = async { tokio::join!(drain(first), drain(second)) };
    // Parked queries are answered with current data instead of being cut off.
    stop.send_replace(true);
    tokio::select! {
        _ = drain => {}
        () = tokio::time::sleep(DRAIN_MAX) => {
            tracing::warn!("requests were still in flight after {} s", DRAIN_MAX.as_secs());
        }
        () = signals.stop() => tracing::warn!("second signal received: exiting without draining"),
    }
    // While the runtime still runs, because it reaps the plugins.
    if let Some(keeper) = keeper {
        keeper.stop().await;
    }
    failure.map_or(Ok(()), |failure| Err(ServeError::Write(failure)))
}

/// Prints the address that the server listens on, because the program that started it may not know the port
/// behind `:0`. A closed standard output does not stop the server: the log has the address too.
fn announce(line: &str) {
    let mut to = io::stdout().lock();
    if let Err(error) = writeln!(to, "{line}").and_then(|()| to.flush()) {
        tracing::warn!(%error, "can't write the address to standard output");
    }
}

/// Reads the ACL file, the policy file and the log level again.
///
/// A file that can't be read changes nothing, because a server without its ACL would accept every caller.
fn reload(args: &ServeArgs, current: &CurrentAcl, policy: &CurrentPolicy) {
    if let Some(path) = &args.acl {
        match Acl::load(path) {
            Ok(acl) => {
                current.replace(acl);
                tracing::info!(file = %path.display(), "reloaded the ACL file");
            }
            Err(error) => tracing::error!(%error, "the ACL stays as it was"),
        }
    }
    if let Some(path) = &args.block_storage.policy {
        match load_policy(path) {
            Ok(new) => {
                policy.replace(new);
                tracing::info!(file = %path.display(), "reloaded the policy file");
            }
            Err(error) => tracing::error!(%error, "the policy stays as it was"),
        }
    }
    match &args.log_level_file {
        Some(path) => match read_log_level(path) {
            Ok(()) => tracing::info!(level = logging::level(), "reloaded the log level"),
            Err(error) => tracing::error!(%error, "the log level stays as it was"),
        },
        // Block Storage's `os-services/set-log` may have changed it, and the reload resets it.
        None => logging::set_level(LevelFilter::from_level(args.log_level)),
    }
}

fn read_log_level(path: &Path) -> Result<(), ServeError> {
    let failed = |reason: String| ServeError::LogLevel { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let level = text.trim().parse().map_err(|_| {
        failed(format!("{:?} is not error, warn, info, debug or trace", text.trim()))
    })?;
    logging::set_level(LevelFilter::from_level(level));
    Ok(())
}

/// Logs the status of the server, for operators without access to its API.
fn report(store: &Store, metrics: &Metrics) {
    let failure = store.failure().map(|failure| failure.to_string());
    tracing::info!(
        index = store.index(),
        writable = failure.is_none(),
        failure,
        connections = metrics.connections(),
        parked = store.parked(),
        uptime_seconds = metrics.uptime().as_secs(),
        log_lines_dropped = logging::dropped_lines(),
        "status"
    );
}

/// Closes the listener, and waits until the requests in flight are answered.
async fn drain(served: Option<Served>) {
    if let Some(Served { listener, connections, .. }) = served {
        // First, so that a load balancer sends its next connections elsewhere.
        drop(listener);
        connections.drain().await;
    }
}

/// Accepts connections until it is dropped; never ends if `served` is absent.
async fn accept(served: Option<&Served>, permits: &Arc<Semaphore>) {
    let Some(Served { listener, connections, .. }) = served else {
        return std::future::pending().await;
    };
    loop {
        // The semaphore is never closed. The permit precedes the accept, so that excess connections stay in the
        // backlog instead of using descriptors.
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, client)) => connections.serve(socket, client, permit),
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Listens on the address of a flag, and returns the address with its actual port.
fn bind(address: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), ServeError> {
    let listener =
        try_bind(address).map_err(|source| ServeError::Bind { address, flag, source })?;
    let address = listener.local_addr().map_err(ServeError::Io)?;
    Ok((listener, address))
}

fn try_bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of a killed server stay in TIME_WAIT, and would refuse its address to the next one.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
