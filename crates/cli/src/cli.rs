//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use statehold_filter::Limits as FilterLimits;
use statehold_store::{HISTORY_BYTES_DEFAULT, HISTORY_DEFAULT, PARKED_MAX_DEFAULT};

use crate::filter_command::OnError;
use statehold_cinder_server::{
    Auth, BackendFlags, CurrentPolicy, Export, IdentityUrl, Keystone, KeystoneOptions,
    PolicyFileError, load_policy, mount_options,
};
use statehold_nomad_server::NodeOptions;
use statehold_server_core::duration::parse as parse_duration;
use statehold_server_core::limits::{ConnectionLimits, Limits};
use statehold_server_core::logging;
use statehold_server_core::site::{Links, PublicUrl, Site};

/// What `statehold filter` takes.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// The expression, such as `Schedulable == true and "us-1b" in Zones`.
    pub(crate) expression: String,
    /// Read the extended dialect: `<`, `in [..]`, `starts with`, sizes, durations, times and more.
    #[arg(long)]
    pub(crate) extended: bool,
    /// Treatment of a value that is not JSON, or that the expression has no answer for.
    ///
    /// A string, number, bool or null outside of an object has no answer; neither has a row that needs
    /// more than `--row-steps-max`. After text that is not JSON, `skip` resumes at the next line that
    /// begins with a value in its first column. Skipped values leave the exit status at 0 or 1.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) on_error: OnError,
    /// Maximum number of evaluation steps for one row; a row that needs more has no answer.
    ///
    /// A step is a clause, an element of a list, or 64 bytes of a string that is searched.
    #[arg(long, value_name = "STEPS", default_value_t = FilterLimits::ROW_STEPS)]
    pub(crate) row_steps_max: u64,
    /// Maximum number of evaluation steps for all rows; the run stops with the exit status 2 where they
    /// end, whatever `--on-error` is. Unlimited by default, because a shell can interrupt the run.
    #[arg(long, value_name = "STEPS")]
    pub(crate) steps_max: Option<u64>,
}

/// The largest request body by default, in bytes.
const BODY_MAX_DEFAULT: usize = 4 << 20;

/// Connections that may be open at the same time by default.
const CONNECTIONS_MAX_DEFAULT: usize = 10_000;

/// Connections, and parked requests, of one client address by default.
const PER_CLIENT_MAX_DEFAULT: usize = 10_000;

/// Writes that may be under way at the same time by default.
const WRITES_MAX_DEFAULT: usize = 1_000;

/// Bytes that request bodies may have together by default; so may answers that are not sent yet.
const IN_MEMORY_MAX_DEFAULT: usize = 256 << 20;

/// Bytes that the filters of waiting requests may have together by default.
const PARKED_BYTES_MAX_DEFAULT: usize = 128 << 20;

/// Tokens that are kept after the identity service vouched for them, by default.
const IDENTITY_CACHE_MAX_DEFAULT: usize = 1_024;

/// The longest name of a volume type, in characters.
const TYPE_NAME_MAX: usize = 255;

/// The longest name of an availability zone, in characters, as in requests.
const ZONE_MAX: usize = 255;

/// The largest head of a request by default, in bytes.
const HEAD_MAX_DEFAULT: u64 = 64 << 10;

/// The smallest that the head of a request may be limited to, which the protocol needs.
const HEAD_MAX_MIN: u64 = 8 << 10;

/// A state store for control planes behind Nomad's volumes and plugins API.
#[derive(Debug, Parser)]
#[command(name = "statehold", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the HTTP API from a data directory.
    Serve(Box<ServeArgs>),
    /// Print the JSON values on standard input that match a filter expression, a line each.
    ///
    /// The input is a stream of JSON values in any layout, as `jq` reads it: JSON lines, values over
    /// several lines, several on one. The elements of an array at the top are rows, read one by one.
    /// One row may have 64 MiB and nest 128 levels. Numbers are compared exactly, however long; `null` is a
    /// missing value.
    ///
    /// The exit status is 0 if a row matched, 1 if none did, 2 if the expression is bad or the run
    /// stopped: at a value that is not JSON or has no answer, or at the end of its steps.
    Filter(FilterArgs),
    /// Write a backup of a data directory that no server has open.
    Backup {
        /// The data directory.
        dir: PathBuf,
        /// The file to write; it must not exist. It holds secrets, so that only its owner can read it.
        file: PathBuf,
    },
    /// Replace everything in a data directory by what a backup holds.
    ///
    /// A directory that does not exist is there as a whole afterwards, or not at all.
    Restore {
        /// The backup.
        file: PathBuf,
        /// The data directory; created when absent.
        dir: PathBuf,
        #[command(flatten)]
        args: RestoreArgs,
    },
    /// Check every checksum, row and index of a data directory.
    Verify {
        /// The data directory.
        dir: PathBuf,
    },
    /// Print everything in a data directory as lines of JSON, secrets included.
    Dump {
        /// The data directory.
        dir: PathBuf,
        /// The file to write instead of standard output; it must not exist. Only its owner can read it.
        file: Option<PathBuf>,
    },
    /// Replace everything in a data directory by the lines of a dump on standard input.
    ///
    /// A directory that does not exist is there as a whole afterwards, or not at all.
    Load {
        /// The data directory; created when absent.
        dir: PathBuf,
        #[command(flatten)]
        args: RestoreArgs,
    },
    /// Print what a data directory holds: the index, and each table with its rows.
    Inspect {
        /// The data directory.
        dir: PathBuf,
    },
    /// Write the rows of a data directory that can't be read to a file, and remove them on request.
    Salvage(SalvageArgs),
    /// Work with the policy of Block Storage.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print every action and rule with its condition, as a file for `serve --policy`.
    Show {
        /// Print the policy that this file puts in force instead of the defaults.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Empty tables that have rows here and that the backup or dump lacks. Without it that is an error.
    #[arg(long)]
    pub(crate) empty_missing: bool,

    #[command(flatten)]
    pub(crate) tables: TableArgs,
}

// No doc comment: it would replace that of the command which flattens it. Without a flag for it, a table that this
// build lacks is refused in a directory, a backup or a dump.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// Keep the rows of a table that this build lacks, as bytes; repeatable.
    #[arg(long, value_name = "TABLE")]
    pub(crate) keep: Vec<String>,

    /// Delete the rows of a table that this build lacks, or leave them out of a restore; repeatable. It
    /// can't be undone.
    #[arg(long, value_name = "TABLE")]
    pub(crate) drop_table: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SalvageArgs {
    /// The data directory.
    pub(crate) dir: PathBuf,

    /// The file to write, a row a line as JSON, key and record in base64; it must not exist. It holds
    /// secrets, so that only its owner can read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) unreadable: PathBuf,

    /// Remove the rows from the data directory when they are in the file. Without it nothing is changed.
    #[arg(long)]
    pub(crate) remove: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on. Without --acl, anyone who can reach it may do everything.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4646")]
    pub(crate) bind: SocketAddr,

    /// The directory that keeps the state; created when absent.
    #[arg(long, value_name = "DIR", default_value = "statehold-data")]
    pub(crate) data_dir: PathBuf,

    /// Maximum number of commits that the journal keeps for clients of the change feed.
    #[arg(long, value_name = "COMMITS", default_value_t = HISTORY_DEFAULT)]
    pub(crate) history: u64,

    /// Maximum bytes of these commits; a commit that passes either limit drops the oldest ones. Those that no
    /// checkpoint covers yet, usually up to 8 MiB, are kept in any case.
    #[arg(long, value_name = "BYTES", default_value_t = HISTORY_BYTES_DEFAULT)]
    pub(crate) history_bytes: u64,

    /// Who may do what: a TOML file of tokens and policies. Without it anyone may do everything.
    #[arg(long, value_name = "FILE")]
    pub(crate) acl: Option<PathBuf>,

    /// Serve Block Storage alone: no Nomad API, metrics at its address, and this machine is no node.
    #[arg(
        long,
        requires = "block_storage",
        conflicts_with_all = [
            "bind", "acl", "node_name", "datacenter", "node_pool", "node_class", "node_meta",
            "host_volumes_dir", "host_volume_plugin_dir", "csi_dir_plugin", "lost_node_grace",
        ]
    )]
    pub(crate) no_nomad: bool,

    /// How log lines are written to standard error.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug (a line for each request) or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: tracing::Level,

    /// A file that holds the log level instead, read at the start and on SIGHUP.
    #[arg(long, value_name = "FILE", conflicts_with = "log_level")]
    pub(crate) log_level_file: Option<PathBuf>,

    /// Exit with an error when the disk refuses a write, so that a supervisor restarts the server
    /// elsewhere. Without it the server answers reads, and writes again once the disk takes them.
    #[arg(long)]
    pub(crate) exit_on_write_failure: bool,

    #[command(flatten)]
    pub(crate) tables: TableArgs,

    #[command(flatten)]
    pub(crate) node: NodeArgs,

    #[command(flatten)]
    pub(crate) block_storage: BlockStorageArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

impl From<LogFormat> for logging::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub(crate) struct LimitArgs {
    /// The largest request body; a larger one is answered 413.
    #[arg(long, value_name = "BYTES", default_value_t = BODY_MAX_DEFAULT)]
    pub(crate) body_max: usize,

    /// How long a request may take to send its body; a slower one is answered 408.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) body_wait_max: Duration,

    /// The largest head of a request; a larger one is answered 431.
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = HEAD_MAX_DEFAULT,
        value_parser = clap::value_parser!(u64).range(HEAD_MAX_MIN..=(64 << 20))
    )]
    pub(crate) head_max: u64,

    /// How long a connection may take to send the head of a request before it is closed.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) head_wait_max: Duration,

    /// Connections that may be open at the same time; more wait to be accepted.
    #[arg(long, value_name = "CONNECTIONS", default_value_t = CONNECTIONS_MAX_DEFAULT)]
    pub(crate) connections_max: usize,

    /// Connections that may be open from one address; one more is answered 429 and closed.
    #[arg(long, value_name = "CONNECTIONS", default_value_t = PER_CLIENT_MAX_DEFAULT)]
    pub(crate) connections_per_client_max: usize,

    /// Requests that may wait in blocking queries at the same time; one more is answered 429.
    #[arg(long, value_name = "REQUESTS", default_value_t = PARKED_MAX_DEFAULT)]
    pub(crate) parked_max: usize,

    /// Requests of one address that may wait in blocking queries; one more is answered 429.
    #[arg(long, value_name = "REQUESTS", default_value_t = PER_CLIENT_MAX_DEFAULT)]
    pub(crate) parked_per_client_max: usize,

    /// Bytes that the filters and parameters of waiting requests may take; one more request is answered
    /// 429. One caller may have half of it.
    #[arg(long, value_name = "BYTES", default_value_t = PARKED_BYTES_MAX_DEFAULT)]
    pub(crate) parked_bytes_max: usize,

    /// Writes that may be in progress at the same time; one more is answered 429. One caller may have half of
    /// them.
    #[arg(long, value_name = "WRITES", default_value_t = WRITES_MAX_DEFAULT)]
    pub(crate) writes_max: usize,

    /// Bytes of request bodies that may be in memory; one more body is answered 429. One caller may have
    /// half of it.
    #[arg(long, value_name = "BYTES", default_value_t = IN_MEMORY_MAX_DEFAULT)]
    pub(crate) bodies_max: usize,

    /// Bytes of answers that may be in memory before their clients take them; one more read is answered
    /// 429. One caller may have half of it.
    #[arg(long, value_name = "BYTES", default_value_t = IN_MEMORY_MAX_DEFAULT)]
    pub(crate) unsent_max: usize,

    /// How long a client may take to read 64 KiB of its answer before its connection is closed.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) send_wait_max: Duration,

    /// How long a read may compute, all runs of a blocking query together; a longer one is answered 503.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) read_time_max: Duration,

    /// Evaluation steps of a filter for all rows of a request; one that needs more is answered 400.
    #[arg(long, value_name = "STEPS", default_value_t = FilterLimits::CALL_STEPS)]
    pub(crate) filter_steps_max: u64,

    /// Evaluation steps of a filter for one row; one that needs more is answered 400.
    #[arg(long, value_name = "STEPS", default_value_t = FilterLimits::ROW_STEPS)]
    pub(crate) filter_row_steps_max: u64,
}

impl LimitArgs {
    /// The limits of connections.
    pub(crate) fn of_connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            head_max: usize::try_from(self.head_max).unwrap_or(usize::MAX),
            head_wait_max: self.head_wait_max,
            connections_per_client_max: self.connections_per_client_max,
            send_wait_max: self.send_wait_max,
        }
    }

    /// The limits of what requests may ask for.
    pub(crate) fn of_requests(&self) -> Limits {
        Limits {
            body_max: self.body_max,
            body_wait_max: self.body_wait_max,
            parked_per_client_max: self.parked_per_client_max,
            writes_max: self.writes_max,
            filter_steps_max: self.filter_steps_max,
            filter_row_steps_max: self.filter_row_steps_max,
            read_time_max: self.read_time_max,
            bodies_max: self.bodies_max,
            unsent_max: self.unsent_max,
            parked_bytes_max: self.parked_bytes_max,
        }
    }
}

/// Who may reach the server, and by which names.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reach")]
pub(crate) struct ReachArgs {
    /// Take requests whose Host has this name; repeatable, `*` is any. Without it a server on loopback
    /// takes localhost and IP addresses, and another one every name.
    #[arg(long, value_name = "HOST", value_parser = statehold_server_core::site::allowed_host)]
    pub(crate) allowed_host: Vec<Box<str>>,

    /// The URL that clients reach the server at: links in replies begin with it, and web pages from there
    /// may write.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<PublicUrl>,

    /// Trust X-Forwarded-Host, X-Forwarded-Proto and X-Forwarded-For. Clients MUST reach the server
    /// through a proxy alone that sets them, because they could claim any address otherwise.
    #[arg(long)]
    pub(crate) trust_proxy_headers: bool,

    /// Listen on an address that is not loopback although every caller there may do everything. Without
    /// it the server does not start.
    #[arg(long)]
    pub(crate) insecure_bind: bool,
}

impl ReachArgs {
    /// The names of an API that is served at `address`.
    pub(crate) fn site(&self, address: SocketAddr) -> Site {
        let links = Links {
            public_url: self.public_url.clone(),
            trust_proxy_headers: self.trust_proxy_headers,
        };
        Site::new(address, &self.allowed_host, links)
    }
}

/// A duration as Go writes it.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a duration such as 30s or 1m30s".to_owned())
}

/// What the machine is as a node.
#[derive(Debug, Args)]
#[command(next_help_heading = "This machine as a node")]
pub(crate) struct NodeArgs {
    /// The node's name; the machine's own when absent.
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,

    /// The node's datacenter.
    #[arg(long, value_name = "NAME", default_value = "dc1")]
    pub(crate) datacenter: String,

    /// The node's pool.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) node_pool: String,

    /// The node's class.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) node_class: String,

    /// Something that operators say about the node, for the constraints of volumes; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) node_meta: Vec<(Box<str>, Box<str>)>,

    /// Where host volumes are made; `host_volumes` in the data directory when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) host_volumes_dir: Option<PathBuf>,

    /// Where the programs are that host-volume plugins are; `host_volume_plugins` in the data
    /// directory when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) host_volume_plugin_dir: Option<PathBuf>,

    /// How long allocations of a node that is down or was removed count as running; then they are
    /// lost, and their claims are released.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        value_parser = duration
    )]
    pub(crate) lost_node_grace: Duration,

    /// Serve a storage provider of this plugin ID that keeps volumes and snapshots as sparse files in
    /// the data directory; repeatable.
    #[arg(long, value_name = "ID")]
    pub(crate) csi_dir_plugin: Vec<String>,
}

impl NodeArgs {
    pub(crate) fn options(&self) -> NodeOptions {
        NodeOptions {
            name: self.node_name.clone(),
            datacenter: self.datacenter.clone(),
            pool: self.node_pool.clone(),
            class: self.node_class.clone(),
            meta: self.node_meta.iter().cloned().collect(),
            volumes: self.host_volumes_dir.clone(),
            plugins: self.host_volume_plugin_dir.clone(),
            csi_dir_plugins: self.csi_dir_plugin.clone(),
            address: None,
        }
    }
}

/// The second API.
#[derive(Debug, Args)]
#[command(next_help_heading = "Block Storage")]
pub(crate) struct BlockStorageArgs {
    /// Serve OpenStack's Block Storage API too, at this address; 127.0.0.1:8776 when none is given.
    /// Whoever reaches it is an admin, unless --auth says otherwise.
    #[arg(
        long,
        value_name = "ADDR",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:8776"
    )]
    pub(crate) block_storage: Option<SocketAddr>,

    /// Keep volumes as sparse files in a directory, as a back end of this name; repeatable. Without
    /// any there is one, `local`, in `block_storage` in the data directory.
    #[arg(long, value_name = "NAME=DIR", value_parser = backend, requires = "block_storage")]
    pub(crate) backend: Vec<(Box<str>, PathBuf)>,

    /// Serve the volumes of a back end as files of an NFS export that hosts mount; repeatable.
    /// The back end's directory MUST be the exported one.
    #[arg(long, value_name = "NAME=HOST:/PATH", value_parser = export, requires = "block_storage")]
    pub(crate) export: Vec<(Box<str>, Export)>,

    /// Options that hosts mount a back end's export with, as after mount -o; repeatable.
    #[arg(
        long,
        value_name = "NAME=OPTIONS",
        value_parser = export_options,
        requires = "block_storage"
    )]
    pub(crate) export_options: Vec<(Box<str>, Box<str>)>,

    /// Keep backups of volumes in this directory. [default: `block_storage_backups` in the data
    /// directory]
    #[arg(long, value_name = "DIR", requires = "block_storage")]
    pub(crate) backup_dir: Option<PathBuf>,

    /// The type of volumes that name none and whose project has no default; made when it is absent.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "__DEFAULT__",
        value_parser = type_name,
        requires = "block_storage"
    )]
    pub(crate) default_volume_type: Box<str>,

    /// The availability zone of volumes that name none, and of back ends without --backend-zone.
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "nova",
        value_parser = zone,
        requires = "block_storage"
    )]
    pub(crate) availability_zone: Box<str>,

    /// Put a back end into an availability zone; repeatable. Volumes of the zone are created there alone.
    #[arg(long, value_name = "NAME=ZONE", value_parser = backend_zone, requires = "block_storage")]
    pub(crate) backend_zone: Vec<(Box<str>, Box<str>)>,

    /// Who callers of Block Storage are. noauth, the default: whoever their token USER:PROJECT says,
    /// all of them admins. keystone: whoever the identity service says, with the roles admin, member
    /// or reader.
    #[arg(long, value_name = "MODE", requires = "block_storage")]
    pub(crate) auth: Option<AuthMode>,

    /// Authorize requests by this TOML file, action = condition or roles, read at the start and on SIGHUP.
    /// Actions that it leaves out keep their defaults, which `statehold policy show` prints.
    #[arg(long, value_name = "FILE", requires = "block_storage")]
    pub(crate) policy: Option<PathBuf>,

    /// The role whose service tokens (X-Service-Token) may detach volumes from instances: that of the compute
    /// service.
    #[arg(long, value_name = "ROLE", default_value = "service", requires = "identity_url")]
    pub(crate) service_role: Box<str>,

    /// No compute service uses this server: owners may delete the attachments of instances.
    #[arg(long, requires = "identity_url")]
    pub(crate) no_compute: bool,

    /// The identity service that knows the tokens: http://HOST:PORT, or with /v3 behind it.
    // Whoever names one and forgets --auth must not have a server that is open to all.
    #[arg(long, value_name = "URL", requires = "auth", required_if_eq("auth", "keystone"))]
    pub(crate) identity_url: Option<IdentityUrl>,

    /// Tokens that were found good and are not asked about again for a while.
    #[arg(
        long,
        value_name = "TOKENS",
        default_value_t = IDENTITY_CACHE_MAX_DEFAULT,
        requires = "identity_url"
    )]
    pub(crate) identity_cache_max: usize,

    /// How long a token that was found good is not asked about again; never longer than it is good.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        value_parser = duration,
        requires = "identity_url"
    )]
    pub(crate) identity_cache_ttl: Duration,

    /// How long the identity service may take to answer; then a request is answered 503.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration,
        requires = "identity_url"
    )]
    pub(crate) identity_wait_max: Duration,
}

/// How callers of the second API are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthMode {
    Noauth,
    Keystone,
}

impl BlockStorageArgs {
    /// The flags that declare back ends.
    pub(crate) fn backends(&self) -> BackendFlags {
        BackendFlags {
            dirs: self.backend.clone(),
            default_zone: self.availability_zone.clone(),
            zones: self.backend_zone.clone(),
            exports: self.export.clone(),
            export_options: self.export_options.clone(),
        }
    }

    /// Whether every caller is an admin.
    pub(crate) fn is_open(&self) -> bool {
        self.auth != Some(AuthMode::Keystone)
    }

    /// Reads the policy file, if there is one.
    pub(crate) fn current_policy(&self) -> Result<CurrentPolicy, PolicyFileError> {
        let policy = self.policy.as_deref().map(load_policy).transpose()?;
        Ok(policy.map(CurrentPolicy::new).unwrap_or_default())
    }

    pub(crate) fn auth(&self) -> Auth {
        match &self.identity_url {
            Some(url) if self.auth == Some(AuthMode::Keystone) => {
                Auth::Keystone(Box::new(Keystone::new(&KeystoneOptions {
                    url: url.clone(),
                    tokens_max: self.identity_cache_max,
                    ttl: self.identity_cache_ttl,
                    wait_max: self.identity_wait_max,
                    service_role: self.service_role.to_lowercase().into(),
                    no_compute: self.no_compute,
                })))
            }
            _ => Auth::Open,
        }
    }
}

/// The name of a volume type.
fn type_name(text: &str) -> Result<Box<str>, String> {
    if text.trim().is_empty() || text.chars().count() > TYPE_NAME_MAX {
        return Err(format!("wanted 1 to {TYPE_NAME_MAX} characters that are not all blank"));
    }
    Ok(text.into())
}

/// A back end's name and its directory.
fn backend(text: &str) -> Result<(Box<str>, PathBuf), String> {
    match text.split_once('=') {
        Some((name, dir)) if !name.is_empty() && !dir.is_empty() && !name.contains(['@', '#']) => {
            Ok((name.into(), dir.into()))
        }
        _ => Err("wanted NAME=DIR, the name without @ and #".to_owned()),
    }
}

/// An availability zone.
fn zone(text: &str) -> Result<Box<str>, String> {
    let printable = text.chars().all(|c| !c.is_control());
    if !printable || text.trim().is_empty() || text.chars().count() > ZONE_MAX {
        return Err(format!("wanted 1 to {ZONE_MAX} printable characters that are not all blank"));
    }
    Ok(text.into())
}

/// A back end's name and its availability zone.
fn backend_zone(text: &str) -> Result<(Box<str>, Box<str>), String> {
    let (name, own) = text.split_once('=').ok_or("wanted NAME=ZONE, NAME as in --backend")?;
    Ok((name.into(), zone(own)?))
}

/// A back end's name and its export.
fn export(text: &str) -> Result<(Box<str>, Export), String> {
    let (name, own) = text.split_once('=').ok_or("wanted NAME=HOST:/PATH, NAME as in --backend")?;
    Ok((name.into(), own.parse()?))
}

/// A back end's name and the options of its mount.
fn export_options(text: &str) -> Result<(Box<str>, Box<str>), String> {
    let (name, own) = text.split_once('=').ok_or("wanted NAME=OPTIONS, NAME as in --backend")?;
    Ok((name.into(), mount_options(own)?))
}

/// A key and a value.
fn pair(text: &str) -> Result<(Box<str>, Box<str>), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("wanted KEY=VALUE".to_owned()),
    }
}
