//! `statehold serve`: opens the store, listens, and drains on a signal.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;

use statehold_store::{OpenError, Options, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::ServeArgs;
use crate::http;

/// Why the server did not start, or stopped.
#[derive(Debug)]
pub(crate) enum ServeError {
    Open(OpenError),
    Bootstrap(String),
    Bind { address: SocketAddr, source: io::Error },
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Bootstrap(reason) => write!(f, "can't prepare the store: {reason}"),
            Self::Bind { address, source } => {
                write!(f, "can't listen on {address}: {source}; choose another with --bind")
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves until the process is told to stop.
pub(crate) fn run(args: &ServeArgs) -> Result<(), ServeError> {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_max_level(LevelFilter::INFO)
        .init();
    let options = Options::default().parked_max(args.parked_max);
    let store = Store::open_with(&args.data_dir, &statehold_volumes::schema(), &options)
        .map_err(ServeError::Open)?;
    bootstrap(&store).map_err(|error| ServeError::Bootstrap(error.to_string()))?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Io)?
        .block_on(listen(args, store))
}

/// Puts the default namespace there, so that the first index is 1 and not "never written".
fn bootstrap(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    let mut txn = store.begin_write()?;
    statehold_volumes::bootstrap(&mut txn)?;
    txn.commit()?;
    Ok(())
}

async fn listen(args: &ServeArgs, store: Store) -> Result<(), ServeError> {
    let bind_error = |source| ServeError::Bind { address: args.bind, source };
    let listener = TcpListener::bind(args.bind).await.map_err(bind_error)?;
    let address = listener.local_addr().map_err(ServeError::Io)?;
    let (stop, stopped) = watch::channel(false);
    let index = store.index();
    let router = http::router(http::App::new(store, args.body_max, stopped));
    // To standard output, so that whoever started the program knows the port behind `:0`.
    println!("statehold: listening on http://{address}");
    tracing::info!(%address, data_dir = %args.data_dir.display(), index, "serving");
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            signal().await;
            tracing::info!("stopping: answering what waits");
            // Parked queries are answered with current data instead of being cut off.
            stop.send_replace(true);
        })
        .await
        .map_err(ServeError::Io)
}

/// Ends when the process is told to stop.
async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
