//! What the handlers and the workers share.

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
use crate::backend::declared::{BackendFlags, DeclareError};
use crate::backend::scheduler::Backends;
use crate::backup::BackupRepository;
use crate::metrics::CinderMetrics;
use crate::monitor;
use crate::policy::CurrentPolicy;
use statehold_server_core::clock::now;
use statehold_server_core::host::host_name;
use statehold_server_core::state::ServerState;

/// The directory of backups in the data directory, unless another one is named.
const BACKUPS: &str = "block_storage_backups";

/// The state that handlers and workers share. Clones share it.
#[derive(Clone, Debug)]
pub struct CinderState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    app: ServerState,
    address: SocketAddr,
    auth: Auth,
    policy: CurrentPolicy,
    setup: Arc<Setup>,
    metrics: CinderMetrics,
    /// Told whenever there may be work.
    queued: Notify,
}

/// What is there before anything is served.
#[derive(Debug)]
pub struct Setup {
    config: Config,
    backends: Backends,
    vault: BackupRepository,
}

/// Why the API can't be served.
#[derive(Debug)]
pub enum CinderStartError {
    /// The flags declare no valid back ends.
    Declare(DeclareError),
    /// The directory of a back end can not be used.
    Backend {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The directory of backups can not be used.
    Backups {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The rows that every store has could not be written.
    Bootstrap(Error),
    /// The store takes no writes.
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
            Self::Bootstrap(error) => write!(f, "can't prepare the store: {error}"),
            Self::Begin(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CinderStartError {}

impl Setup {
    /// Opens the back ends and the backups.
    pub fn open(
        data_dir: &Path,
        flags: &BackendFlags,
        backup_dir: Option<&Path>,
        config: Config,
    ) -> Result<Self, CinderStartError> {
        let declared = flags.declared(data_dir).map_err(CinderStartError::Declare)?;
        if !declared.iter().any(|own| own.zone == config.default_zone) {
            tracing::warn!(
                zone = &*config.default_zone,
                "no back end is in the zone of volumes that name none; choose it with --availability-zone"
            );
        }
        let backends = Backends::open(&host_name(), &config.default_zone, declared)
            .map_err(|(dir, source)| CinderStartError::Backend { dir, source })?;
        let dir = backup_dir.map_or_else(|| data_dir.join(BACKUPS), Path::to_owned);
        let vault = BackupRepository::open(&dir)
            .map_err(|source| CinderStartError::Backups { dir, source })?;
        Ok(Self { config, backends, vault })
    }

    /// Creates the default type, registers the services, and puts back into the queue what was under way. May be
    /// called again after an error.
    pub fn prepare(&self, store: &Store, metrics: &CinderMetrics) -> Result<(), CinderStartError> {
        let (config, backends) = (&self.config, &self.backends);
        let mut txn = store.begin_write().map_err(CinderStartError::Begin)?;
        bootstrap(&mut txn, config, now(), Uuid::new_v4()).map_err(CinderStartError::Bootstrap)?;
        bootstrap_groups(&mut txn, now(), Uuid::new_v4()).map_err(CinderStartError::Bootstrap)?;
        let services =
            register_services(&mut txn, backends).map_err(CinderStartError::Bootstrap)?;
        let given_up: Vec<_> = exhausted_work(&txn).map(|item| item.task.name()).collect();
        let resumed = resume_work(&mut txn, config, now(), Uuid::new_v4)
            .map_err(|error| CinderStartError::Bootstrap(error.into()))?;
        txn.commit().map_err(CinderStartError::Commit)?;
        // Now, because another run has other IDs after a commit that failed.
        for (backend, service) in backends.all().zip(services) {
            backend.registered(service);
        }
        for task in given_up {
            metrics.count_failed(task);
        }
        backends.drop_left_behind(&store.snapshot());
        if resumed > 0 {
            tracing::info!(resumed, "what was under way with volumes is taken up again");
        }
        Ok(())
    }
}

/// Notes the services that there are: the back ends, and this server for the rest. The IDs of those of the back
/// ends, in their order.
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
    /// Creates the state of an API that is served at `address`.
    pub fn new(
        app: ServerState,
        address: SocketAddr,
        (auth, policy): (Auth, CurrentPolicy),
        (setup, metrics): (Arc<Setup>, CinderMetrics),
    ) -> Self {
        let queued = Notify::new();
        let cloud = Self(Arc::new(Shared { app, address, auth, policy, setup, metrics, queued }));
        // Weak, because the state holds the metrics.
        let shared = Arc::downgrade(&cloud.0);
        cloud.app().metrics().refresh_with(move || {
            if let Some(shared) = shared.upgrade() {
                monitor::refresh_gauges(&Self(shared));
            }
        });
        cloud
    }

    /// The metrics of Block Storage.
    pub(crate) fn metrics(&self) -> &CinderMetrics {
        &self.0.metrics
    }

    /// The policy in force, for a request that begins.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.0.policy.get()
    }

    pub(crate) fn app(&self) -> &ServerState {
        &self.0.app
    }

    /// How callers are known.
    pub(crate) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    /// The address that it is served at.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.setup.config
    }

    pub(crate) fn backends(&self) -> &Backends {
        &self.0.setup.backends
    }

    /// Where backups are.
    pub(crate) fn vault(&self) -> &BackupRepository {
        &self.0.setup.vault
    }

    /// Told whenever there may be work.
    pub(crate) fn queued(&self) -> &Notify {
        &self.0.queued
    }
}
