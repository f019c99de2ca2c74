//! `statehold serve`: opens the store, listens, and drains on a signal.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use statehold_blockstorage::Config;
use statehold_store::{OpenError, Options, Store};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};

use crate::block_storage::{self, Cloud, CloudError, Setup};
use crate::cli::ServeArgs;
use crate::connection::Connections;
use crate::descriptors;
use crate::http;
use crate::logging;
use crate::metrics::Metrics;
use crate::private;
use crate::providers::local::{LocalNode, NodeStartError};
use crate::recovery;
use crate::schema::schema;
use crate::watcher;

/// How long requests under way may take once the server is to stop.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Connections that may wait to be accepted, as far as the system allows. One more is answered by
/// nobody, and its client tries again a second later: what happens when thousands come back at once.
const BACKLOG: u32 = 4096;

/// How long to wait when the system has no file left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the server did not start, or stopped.
#[derive(Debug)]
pub(crate) enum ServeError {
    Acl(http::AclError),
    Open(OpenError),
    Bootstrap(String),
    Bind { address: SocketAddr, flag: &'static str, source: io::Error },
    Cloud(CloudError),
    Node(NodeStartError),
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acl(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Bootstrap(reason) => write!(f, "can't prepare the store: {reason}"),
            Self::Bind { address, flag, source } => {
                write!(f, "can't listen on {address}: {source}; choose another with {flag}")
            }
            Self::Cloud(error) => error.fmt(f),
            Self::Node(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves until the process is told to stop.
pub(crate) fn run(args: &ServeArgs) -> Result<(), ServeError> {
    logging::start(args.log_level, args.log_format);
    descriptors::raise();
    let acl = args.acl.as_deref().map(http::Acl::load).transpose().map_err(ServeError::Acl)?;
    let metrics = Arc::new(Metrics::new(&args.data_dir));
    let options =
        Options::default().parked_max(args.limits.parked_max).observer(Arc::clone(&metrics) as _);
    let store = Store::open_with(&args.data_dir, &schema(), &options).map_err(ServeError::Open)?;
    let store = Arc::new(store);
    private::warn_if_shared(&args.data_dir);
    bootstrap(&store).map_err(|error| ServeError::Bootstrap(error.to_string()))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Io)?;
    let acl = acl.unwrap_or_default();
    let nomad = if args.no_nomad {
        None
    } else {
        let options = args.node.options();
        let node = LocalNode::start(&store, &args.data_dir, options, runtime.handle());
        Some((node.map_err(ServeError::Node)?, acl))
    };
    let cloud = args.block_storage.block_storage.map(|address| {
        let own = &args.block_storage;
        let config = Config { default_type: own.default_volume_type.clone(), ..Config::default() };
        let setup =
            Setup::new(&store, &args.data_dir, &own.backend, own.backup_dir.as_deref(), config);
        setup.map(|setup| (address, setup)).map_err(ServeError::Cloud)
    });
    let cloud = cloud.transpose()?;
    let served = runtime.block_on(listen(args, store, metrics, nomad, cloud));
    // What was not answered in time is dropped; nothing that was acknowledged is.
    runtime.shutdown_background();
    served
}

/// Puts the default namespace there, so that the first index is 1 and not "never written".
fn bootstrap(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    let mut txn = store.begin_write()?;
    statehold_volumes::bootstrap(&mut txn)?;
    txn.commit()?;
    Ok(())
}

/// An API: where it is served, and its connections.
struct Served {
    listener: TcpListener,
    address: SocketAddr,
    connections: Connections,
}

/// Serves Nomad's API for a node, if there is one, and Block Storage's with what it keeps, if that is
/// wanted.
async fn listen(
    args: &ServeArgs,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    nomad: Option<(LocalNode, http::Acl)>,
    cloud: Option<(SocketAddr, Setup)>,
) -> Result<(), ServeError> {
    let (stop, stopped) = watch::channel(false);
    recovery::start(&store, &stopped);
    let index = store.index();
    let limits = args.limits.of_requests();
    let base = http::Base::new(Arc::clone(&store), limits, Arc::clone(&metrics));
    let first = match nomad {
        None => None,
        Some((node, acl)) => {
            let (listener, address) = bind(args.bind, "--bind")?;
            watcher::start(&store, &node, &stopped);
            let app = http::App::new(base.clone(), node, acl, stopped.clone());
            let router = http::router(app);
            let connections = Connections::new(router, &args.limits, Arc::clone(&metrics));
            Some(Served { listener, address, connections })
        }
    };
    let second = match cloud {
        None => None,
        Some((address, setup)) => {
            let (listener, address) = bind(address, "--block-storage")?;
            let cloud = Cloud::new(base, address, args.block_storage.auth(), setup);
            tokio::spawn(block_storage::work(cloud.clone(), stopped));
            let router = block_storage::router(cloud);
            let connections = match &first {
                Some(first) => first.connections.beside(router),
                None => Connections::new(router, &args.limits, metrics),
            };
            Some(Served { listener, address, connections })
        }
    };
    // To standard output, so that whoever started the program knows the ports behind `:0`.
    let data_dir = args.data_dir.display();
    if let Some(Served { address, .. }) = &first {
        println!("statehold: listening on http://{address}");
        tracing::info!(%address, %data_dir, index, "serving");
    }
    if let Some(Served { address, .. }) = &second {
        println!("statehold: block storage on http://{address}");
        tracing::info!(%address, %data_dir, index, "serving block storage");
    }

    let permits = Arc::new(Semaphore::new(args.limits.connections_max.min(Semaphore::MAX_PERMITS)));
    let mut told = Signals::new()?;
    tokio::select! {
        () = accept(first.as_ref(), &permits) => {}
        () = accept(second.as_ref(), &permits) => {}
        () = told.next() => {}
    }
    tracing::info!("stopping: answering what waits");
    let drain = async { tokio::join!(drain(first), drain(second)) };
    // Parked queries are answered with current data instead of being cut off.
    stop.send_replace(true);
    tokio::select! {
        _ = drain => {}
        () = tokio::time::sleep(DRAIN_MAX) => {
            tracing::warn!("requests were still under way after {} s", DRAIN_MAX.as_secs());
        }
        () = told.next() => tracing::warn!("told again: stopping at once"),
    }
    Ok(())
}

/// Listens no more, and ends when what is under way is answered.
async fn drain(served: Option<Served>) {
    if let Some(Served { listener, connections, .. }) = served {
        drop(listener);
        connections.drain().await;
    }
}

/// Accepts connections, if any are to be served, until it is dropped.
async fn accept(served: Option<&Served>, permits: &Arc<Semaphore>) {
    let Some(Served { listener, connections, .. }) = served else {
        return std::future::pending().await;
    };
    loop {
        // Nobody closes it.
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

/// Listens on an address that a flag names; the address with its port.
fn bind(address: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), ServeError> {
    let listener =
        try_bind(address).map_err(|source| ServeError::Bind { address, flag, source })?;
    let address = listener.local_addr().map_err(ServeError::Io)?;
    Ok((listener, address))
}

fn try_bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that was killed can be started again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The signals that tell the process to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> Result<Self, ServeError> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(ServeError::Io)?,
            interrupt: signal(SignalKind::interrupt()).map_err(ServeError::Io)?,
        })
    }

    /// Ends when the process is told to stop.
    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn new() -> Result<Self, ServeError> {
        Ok(Self {})
    }

    /// Ends when the process is told to stop.
    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
