//! The state that handlers and workers share, and its preparation at startup.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use statehold_cinder::{
    Config, Error, Policy, Service, bootstrap, bootstrap_groups, exhausted_work, register_service,
    resume_work,
};
use statehold_store::{BeginError, CommitError, Store, WriteTxn};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::auth::Auth;
use crate::backend::declared::{self, BackendFlags, DeclareError};
use crate::backend::scheduler::{BackendSpec, Backends};
use crate::backup::BackupRepository;
use crate::metrics::CinderMetrics;
use crate::monitor;
use crate::policy::CurrentPolicy;
use statehold_server_core::clock::now;
use statehold_server_core::host::host_name;
use statehold_server_core::state::ServerState;

/// The directory of backups in the data directory, unless `--backup-dir` names another.
const BACKUPS: &str = "block_storage_backups";

/// The state that handlers and workers share. Clones refer to the same state.
#[derive(Clone, Debug)]
pub struct CinderState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    core: ServerState,
    address: SocketAddr,
    auth: Auth,
    policy: CurrentPolicy,
    setup: Arc<Setup>,
    metrics: CinderMetrics,
    /// Notified after each write, because the write may have queued work.
    queued: Notify,
}

/// The back ends and the backup repository, which are opened before the server accepts requests.
#[derive(Debug)]
pub struct Setup {
    config: Config,
    backends: Backends,
    backups: BackupRepository,
}

/// The reason why Block Storage cannot start.
#[derive(Debug)]
pub enum CinderStartError {
    /// The flags declare no valid back ends.
    Declare(DeclareError),
    /// The directory of a back end cannot be used.
    Backend {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The directory of backups cannot be used.
    Backups {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Two back ends have this name, or it is empty, or contains `@` or `#`.
    BackendName(Box<str>),
    /// The rows that every store has could not be written.
    Bootstrap(Error),
    /// The store accepts no writes.
    Begin(BeginError),
    /// The first commit failed.
    Commit(CommitError),
}

impl fmt::Display for CinderStartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declare(error) => error.fmt(f),
            Self::Backend { dir, source } => {
                let dir = dir.display();
                write!(f, "can't keep volumes in {dir}: {source}; choose others with --backend")
            }
            Self::Backups { dir, source } => {
                let dir = dir.display();
                write!(f, "can't keep backups in {dir}: {source}; choose another with --backup-dir")
            }
            Self::BackendName(name) => write!(
                f,
                "can't name a back end {name:?}; choose a name without @ and # that no other back end has"
            ),
            Self::Bootstrap(error) => write!(f, "can't prepare the store: {error}"),
            Self::Begin(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CinderStartError {}

impl Setup {
    /// Opens the back ends that `flags` declare and the backup repository, and locks their directories.
    ///
    /// # Errors
    /// [`CinderStartError::Declare`], [`CinderStartError::Backend`] or [`CinderStartError::Backups`].
    pub fn open(
        data_dir: &Path,
        flags: &BackendFlags,
        backup_dir: Option<&Path>,
        config: Config,
    ) -> Result<Self, CinderStartError> {
        let declared = flags.declared(data_dir).map_err(CinderStartError::Declare)?;
        // Not an error: every request may name a zone, or every volume type.
        if !declared.iter().any(|own| own.zone == config.default_zone) {
            tracing::warn!(
                zone = &*config.default_zone,
                "no back end is in the default availability zone; choose another with --availability-zone"
            );
        }
        let specs = declared::open(declared)
            .map_err(|(dir, source)| CinderStartError::Backend { dir, source })?;
        let backup_dir = backup_dir.map_or_else(|| data_dir.join(BACKUPS), Path::to_owned);
        Self::with_backends(specs, &backup_dir, config)
    }

    /// Opens the backups, for back ends of any driver.
    ///
    /// # Errors
    /// [`CinderStartError::BackendName`] and [`CinderStartError::Backups`].
    pub fn with_backends(
        backends: impl IntoIterator<Item = BackendSpec>,
        backup_dir: &Path,
        config: Config,
    ) -> Result<Self, CinderStartError> {
        let backends = Backends::new(&host_name(), &config.default_zone, backends)
            .map_err(CinderStartError::BackendName)?;
        let backups = BackupRepository::open(backup_dir)
            .map_err(|source| CinderStartError::Backups { dir: backup_dir.to_owned(), source })?;
        Ok(Self { config, backends, backups })
    }

    /// Creates the default types, registers the services, and queues interrupted work again. Servers MUST call it
    /// before the first worker starts; it may be called again after an error.
    ///
    /// # Errors
    /// [`CinderStartError::Bootstrap`], [`CinderStartError::Begin`] or [`CinderStartError::Commit`].
    pub fn prepare(&self, store: &Store, metrics: &CinderMetrics) -> Result<(), CinderStartError> {
        let (config, backends) = (&self.config, &self.backends);
        let mut txn = store.begin_write().map_err(CinderStartError::Begin)?;
        bootstrap(&mut txn, config, now(), Uuid::new_v4()).map_err(CinderStartError::Bootstrap)?;
        bootstrap_groups(&mut txn, now(), Uuid::new_v4()).map_err(CinderStartError::Bootstrap)?;
        let services =
            register_services(&mut txn, backends).map_err(CinderStartError::Bootstrap)?;
        // Before they are failed, because that deletes their items.
        let exhausted: Vec<_> = exhausted_work(&txn).map(|item| item.task.name()).collect();
        let resumed = resume_work(&mut txn, config, now(), Uuid::new_v4)
            .map_err(|error| CinderStartError::Bootstrap(error.into()))?;
        txn.commit().map_err(CinderStartError::Commit)?;
        // After the commit, because a second call after a failed commit generates other IDs.
        for (backend, service) in backends.all().zip(services) {
            backend.set_service(service);
        }
        for task in exhausted {
            metrics.count_failed(task);
        }
        backends.delete_stale_volumes(&store.snapshot());
        if resumed > 0 {
            tracing::info!(resumed, "queued interrupted work again");
        }
        Ok(())
    }
}

/// Registers a volume service for each back end, and a scheduler and a backup service for this server. Returns the IDs
/// of the volume services in the order of the back ends.
fn register_services(txn: &mut WriteTxn<'_>, backends: &Backends) -> Result<Vec<Uuid>, Error> {
    let (machine, zone) = (backends.machine(), backends.default_zone());
    for binary in [Service::SCHEDULER, Service::BACKUP] {
        register_service(txn, now(), Uuid::new_v4(), (binary, machine, zone))?;
    }
    let of_back_ends = backends.all().map(|backend| {
        let service = (Service::VOLUME, backend.service_host(), backend.zone());
        register_service(txn, now(), Uuid::new_v4(), service)
    });
    of_back_ends.collect()
}

impl CinderState {
    /// Creates the state of an API that is served at `address`, and lets its gauges follow the store.
    pub fn new(
        core: ServerState,
        address: SocketAddr,
        (auth, policy): (Auth, CurrentPolicy),
        (setup, metrics): (Arc<Setup>, CinderMetrics),
    ) -> Self {
        let queued = Notify::new();
        let state = Self(Arc::new(Shared { core, address, auth, policy, setup, metrics, queued }));
        // Weak: the state holds the metrics, so a strong reference would keep both alive for ever.
        let shared = Arc::downgrade(&state.0);
        state.core().metrics().refresh_with(move || {
            if let Some(shared) = shared.upgrade() {
                monitor::refresh_gauges(&Self(shared));
            }
        });
        state
    }

    /// Returns the metrics of Block Storage.
    pub(crate) fn metrics(&self) -> &CinderMetrics {
        &self.0.metrics
    }

    /// Returns the policy in force. A request MUST call it once, so that a reload does not change its policy midway.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.0.policy.get()
    }

    /// Returns the state that both APIs share: the store, the limits and the metrics.
    pub(crate) fn core(&self) -> &ServerState {
        &self.0.core
    }

    /// Returns how callers are authenticated.
    pub(crate) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    /// Returns the address at which the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.setup.config
    }

    pub(crate) fn backends(&self) -> &Backends {
        &self.0.setup.backends
    }

    /// Returns the backup repository.
    pub(crate) fn backups(&self) -> &BackupRepository {
        &self.0.setup.backups
    }

    /// Returns the signal that wakes the workers.
    pub(crate) fn queued(&self) -> &Notify {
        &self.0.queued
    }
}
