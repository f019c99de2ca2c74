//! The command line: commands, flags and their defaults.

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
use statehold_server_core::limits::{
    BODY_MAX_DEFAULT, ConnectionLimits, HEAD_MAX_DEFAULT, IN_MEMORY_MAX_DEFAULT, Limits,
    PARKED_BYTES_MAX_DEFAULT, PER_CLIENT_MAX_DEFAULT, WRITES_MAX_DEFAULT,
};
use statehold_server_core::logging;
use statehold_server_core::site::{Links, PublicUrl, Site};

/// Arguments of `statehold filter`.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// The expression, such as `Schedulable == true and "us-1b" in Zones`.
    pub(crate) expression: String,
    /// Read the extended dialect: `<`, `in [..]`, `starts with`, sizes, durations, times and more.
    #[arg(long)]
    pub(crate) extended: bool,
    /// How to treat a value that is not JSON, or for which the expression has no result.
    ///
    /// A string, number, bool or null outside of an object has no result; neither has a row that needs
    /// more than `--row-steps-max`. After text that is not JSON, `skip` resumes at the next line that
    /// begins with a value in its first column. Skipped values leave the exit status at 0 or 1.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) on_error: OnError,
    /// Maximum number of evaluation steps for one row; a row that needs more has no result.
    ///
    /// A step is a clause, an element of a list, or 64 bytes of a string that is searched.
    #[arg(long, value_name = "STEPS", default_value_t = FilterLimits::ROW_STEPS)]
    pub(crate) row_steps_max: u64,
    /// Maximum number of evaluation steps for all rows; the run stops with the exit status 2 where they
    /// end, whatever `--on-error` is. Unlimited by default, because a shell can interrupt the run.
    #[arg(long, value_name = "STEPS")]
    pub(crate) steps_max: Option<u64>,
}

/// Default maximum of open connections.
const CONNECTIONS_MAX_DEFAULT: usize = 10_000;

/// Default maximum of cached tokens.
const IDENTITY_CACHE_MAX_DEFAULT: usize = 1_024;

/// Maximum length of a volume type's name, in characters, as in requests.
const TYPE_NAME_MAX: usize = 255;

/// Maximum length of an availability zone's name, in characters, as in requests.
const ZONE_MAX: usize = 255;

/// Minimum of `--head-max`: hyper's `max_buf_size` panics below it.
const HEAD_MAX_MIN: u64 = 8 << 10;

/// Serves Nomad's volumes API and OpenStack Block Storage from an embedded state store.
#[derive(Debug, Parser)]
#[command(name = "statehold", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the HTTP APIs from a data directory.
    Serve(Box<ServeArgs>),
    /// Print the JSON values on standard input that match a filter expression, one per line.
    ///
    /// The input is a stream of JSON values in any layout, as `jq` reads it: JSON lines, values over
    /// several lines, several on one. The elements of a top-level array are rows, read one by one.
    /// A row may have at most 64 MiB and 128 levels. Numbers are compared exactly, at any length; `null` is a
    /// missing value.
    ///
    /// The exit status is 0 if a row matched, 1 if none did, 2 if the expression is invalid or the run
    /// stopped: at a value that is not JSON or has no result, or after --steps-max steps.
    Filter(FilterArgs),
    /// Write a backup of a data directory that no server has open.
    Backup {
        /// The data directory.
        dir: PathBuf,
        /// The file to write; it must not exist. Only its owner can read it, because it holds secrets.
        file: PathBuf,
    },
    /// Replace the contents of a data directory with those of a backup.
    ///
    /// A directory that does not exist is created atomically: complete, or not at all.
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
    /// Print the contents of a data directory as lines of JSON, secrets included.
    Dump {
        /// The data directory.
        dir: PathBuf,
        /// The file to write instead of standard output; it must not exist. Only its owner can read it.
        file: Option<PathBuf>,
    },
    /// Replace the contents of a data directory with the lines of a dump on standard input.
    ///
    /// A directory that does not exist is created atomically: complete, or not at all.
    Load {
        /// The data directory; created when absent.
        dir: PathBuf,
        #[command(flatten)]
        args: RestoreArgs,
    },
    /// Print the index of a data directory, and the number of rows of each table.
    Inspect {
        /// The data directory.
        dir: PathBuf,
    },
    /// Write the unreadable rows of a data directory to a file, and remove them on request.
    Salvage(SalvageArgs),
    /// Work with the policy of Block Storage.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print every action and rule with its condition, as a file for `serve --policy`.
    Show {
        /// Print the policy of this file, merged into the defaults, instead of the defaults.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Empty the tables that have rows here and are absent from the backup or dump. Without it, such a table is
    /// an error.
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

    /// Delete the rows of a table that this build lacks, or omit them from a restore; repeatable and
    /// irreversible.
    #[arg(long, value_name = "TABLE")]
    pub(crate) drop_table: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SalvageArgs {
    /// The data directory.
    pub(crate) dir: PathBuf,

    /// The file to write, one row per line as JSON, key and record in base64; it must not exist. Only its
    /// owner can read it, because it holds secrets.
    #[arg(long, value_name = "FILE")]
    pub(crate) unreadable: PathBuf,

    /// Remove the rows from the data directory once they are in the file. Without it, nothing changes.
    #[arg(long)]
    pub(crate) remove: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on. Without --acl, every client that reaches it may do everything.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4646")]
    pub(crate) bind: SocketAddr,

    /// The directory of the state; created when absent.
    #[arg(long, value_name = "DIR", default_value = "statehold-data")]
    pub(crate) data_dir: PathBuf,

    /// Maximum number of commits that the journal keeps for clients of the change feed.
    #[arg(long, value_name = "COMMITS", default_value_t = HISTORY_DEFAULT)]
    pub(crate) history: u64,

    /// Maximum bytes of these commits; a commit beyond either limit drops the oldest ones. Commits that no
    /// checkpoint covers yet, usually up to 8 MiB, are always kept.
    #[arg(long, value_name = "BYTES", default_value_t = HISTORY_BYTES_DEFAULT)]
    pub(crate) history_bytes: u64,

    /// The access rules: a TOML file of tokens and policies. Without it, every client may do everything.
    #[arg(long, value_name = "FILE")]
    pub(crate) acl: Option<PathBuf>,

    /// Serve only Block Storage: no Nomad API, metrics at its address, and this machine is not a node.
    #[arg(
        long,
        requires = "block_storage",
        conflicts_with_all = [
            "bind", "acl", "node_name", "datacenter", "node_pool", "node_class", "node_meta",
            "host_volumes_dir", "host_volume_plugin_dir", "csi_dir_plugin", "lost_node_grace",
        ]
    )]
    pub(crate) no_nomad: bool,

    /// Format of the log lines on standard error.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Log level: error, warn, info, debug (one line per request) or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: tracing::Level,

    /// A file that holds the log level, read at startup and on SIGHUP.
    #[arg(long, value_name = "FILE", conflicts_with = "log_level")]
    pub(crate) log_level_file: Option<PathBuf>,

    /// Exit with an error when the disk refuses a write, so that a supervisor restarts the server
    /// elsewhere. Without it, the server keeps serving reads, and resumes writes once the disk accepts them.
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

/// Format of the log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// Human-readable lines.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
pub(crate) struct LimitArgs {
    /// Maximum size of a request body; a larger one gets 413.
    #[arg(long, value_name = "BYTES", default_value_t = BODY_MAX_DEFAULT)]
    pub(crate) body_max: usize,

    /// Maximum time to receive a request body; a slower one gets 408.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) body_wait_max: Duration,

    /// Maximum size of a request head; a larger one gets 431.
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = HEAD_MAX_DEFAULT,
        value_parser = clap::value_parser!(u64).range(HEAD_MAX_MIN..=(64 << 20))
    )]
    pub(crate) head_max: u64,

    /// Maximum time to receive a request head; then the connection is closed.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) head_wait_max: Duration,

    /// Maximum number of open connections; further ones wait to be accepted.
    #[arg(long, value_name = "CONNECTIONS", default_value_t = CONNECTIONS_MAX_DEFAULT)]
    pub(crate) connections_max: usize,

    /// Maximum number of open connections from one address; a further one gets 429 and is closed.
    #[arg(long, value_name = "CONNECTIONS", default_value_t = PER_CLIENT_MAX_DEFAULT)]
    pub(crate) connections_per_client_max: usize,

    /// Maximum number of waiting blocking queries; a further one gets 429.
    #[arg(long, value_name = "REQUESTS", default_value_t = PARKED_MAX_DEFAULT)]
    pub(crate) parked_max: usize,

    /// Maximum number of waiting blocking queries from one address; a further one gets 429.
    #[arg(long, value_name = "REQUESTS", default_value_t = PER_CLIENT_MAX_DEFAULT)]
    pub(crate) parked_per_client_max: usize,

    /// Maximum bytes of the filters and parameters of waiting blocking queries; a further one gets 429. One
    /// caller may use half of it.
    #[arg(long, value_name = "BYTES", default_value_t = PARKED_BYTES_MAX_DEFAULT)]
    pub(crate) parked_bytes_max: usize,

    /// Maximum number of writes in progress; a further one gets 429. One caller may use half of them.
    #[arg(long, value_name = "WRITES", default_value_t = WRITES_MAX_DEFAULT)]
    pub(crate) writes_max: usize,

    /// Maximum bytes of request bodies in memory; a further body gets 429. One caller may use half of it.
    #[arg(long, value_name = "BYTES", default_value_t = IN_MEMORY_MAX_DEFAULT)]
    pub(crate) bodies_max: usize,

    /// Maximum bytes of responses in memory that clients have not received yet; a further read gets 429. One
    /// caller may use half of it.
    #[arg(long, value_name = "BYTES", default_value_t = IN_MEMORY_MAX_DEFAULT)]
    pub(crate) unsent_max: usize,

    /// Maximum time for a client to read 64 KiB of a response; then the connection is closed.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) send_wait_max: Duration,

    /// Maximum computing time of a read, over all runs of a blocking query; a longer one gets 503.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) read_time_max: Duration,

    /// Maximum filter evaluation steps over all rows of a request; a request that needs more gets 400.
    #[arg(long, value_name = "STEPS", default_value_t = FilterLimits::CALL_STEPS)]
    pub(crate) filter_steps_max: u64,

    /// Maximum filter evaluation steps for one row; a request that needs more gets 400.
    #[arg(long, value_name = "STEPS", default_value_t = FilterLimits::ROW_STEPS)]
    pub(crate) filter_row_steps_max: u64,
}

impl LimitArgs {
    /// Returns the limits of connections.
    pub(crate) fn for_connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            // The flag's range ends at 64 MiB, so the conversion never saturates.
            head_max: usize::try_from(self.head_max).unwrap_or(usize::MAX),
            head_wait_max: self.head_wait_max,
            connections_per_client_max: self.connections_per_client_max,
            send_wait_max: self.send_wait_max,
        }
    }

    /// Returns the limits of a single request.
    pub(crate) fn for_requests(&self) -> Limits {
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

/// Names and addresses of the server, and the proxies and web pages it trusts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reach")]
pub(crate) struct ReachArgs {
    /// Accept requests whose Host has this name; repeatable, `*` accepts any. Without it, a server on
    /// loopback accepts localhost and IP addresses, and any other server every name.
    #[arg(long, value_name = "HOST", value_parser = statehold_server_core::site::allowed_host)]
    pub(crate) allowed_host: Vec<Box<str>>,

    /// The URL of the server as clients see it: links in replies begin with it, and web pages of its origin may
    /// write.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<PublicUrl>,

    /// Trust X-Forwarded-Host, -Proto, -Prefix and -For, and where one is absent the host, proto and for
    /// of Forwarded. Clients MUST reach the server through a proxy alone that sets or removes each of
    /// them, because they could claim any address otherwise.
    #[arg(long)]
    pub(crate) trust_proxy_headers: bool,

    /// Listen on an address that is not loopback although every client that reaches it may do everything.
    /// Without it, the server does not start.
    #[arg(long)]
    pub(crate) insecure_bind: bool,
}

impl ReachArgs {
    /// Returns the names of the API that is served at `address`.
    pub(crate) fn site(&self, address: SocketAddr) -> Site {
        let links = Links {
            public_url: self.public_url.clone(),
            trust_proxy_headers: self.trust_proxy_headers,
        };
        Site::new(address, &self.allowed_host, links)
    }
}

/// Parses a duration in Go's notation, which Nomad's operators use elsewhere.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a duration such as 30s or 1m30s".to_owned())
}

/// This machine as a node.
#[derive(Debug, Args)]
#[command(next_help_heading = "This machine as a node")]
pub(crate) struct NodeArgs {
    /// The node's name; the host name when absent.
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

    /// Node metadata as KEY=VALUE, matched by volume constraints; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) node_meta: Vec<(Box<str>, Box<str>)>,

    /// Directory of host volumes; `host_volumes` in the data directory when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) host_volumes_dir: Option<PathBuf>,

    /// Directory of host-volume plugin executables; `host_volume_plugins` in the data directory when absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) host_volume_plugin_dir: Option<PathBuf>,

    /// How long allocations of a node that is down or was removed count as running; after it, they are lost
    /// and their claims are released.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        value_parser = duration
    )]
    pub(crate) lost_node_grace: Duration,

    /// Serve a storage provider with this plugin ID that keeps volumes and snapshots as sparse files in the
    /// data directory; repeatable.
    #[arg(long, value_name = "ID")]
    pub(crate) csi_dir_plugin: Vec<String>,
}

impl NodeArgs {
    /// Returns the options of the node; the caller sets its address.
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
            // Known only to `serve`, which may bind to port 0.
            address: None,
        }
    }
}

/// The flags of Block Storage.
#[derive(Debug, Args)]
#[command(next_help_heading = "Block Storage")]
pub(crate) struct BlockStorageArgs {
    /// Serve OpenStack's Block Storage API too, at this address; 127.0.0.1:8776 without a value. Every client
    /// that reaches it is an admin, unless --auth is `keystone`.
    #[arg(
        long,
        value_name = "ADDR",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:8776"
    )]
    pub(crate) block_storage: Option<SocketAddr>,

    /// Add a back end of this name that keeps volumes as sparse files in a directory; repeatable. [default: one
    /// back end, `local`, in `block_storage` in the data directory]
    #[arg(long, value_name = "NAME=DIR", value_parser = backend, requires = "block_storage")]
    pub(crate) backend: Vec<(Box<str>, PathBuf)>,

    /// Serve the volumes of a back end as files of an NFS export that hosts mount; repeatable.
    /// The back end's directory MUST be the exported one.
    #[arg(long, value_name = "NAME=HOST:/PATH", value_parser = export, requires = "block_storage")]
    pub(crate) export: Vec<(Box<str>, Export)>,

    /// Mount options for a back end's export, as after `mount -o`; repeatable.
    #[arg(
        long,
        value_name = "NAME=OPTIONS",
        value_parser = export_options,
        requires = "block_storage"
    )]
    pub(crate) export_options: Vec<(Box<str>, Box<str>)>,

    /// Directory of volume backups. [default: `block_storage_backups` in the data directory]
    #[arg(long, value_name = "DIR", requires = "block_storage")]
    pub(crate) backup_dir: Option<PathBuf>,

    /// The type of volumes that name none and whose project has no default; created when it is absent.
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

    /// Assign a back end to an availability zone; repeatable. It holds the volumes of that zone only.
    #[arg(long, value_name = "NAME=ZONE", value_parser = backend_zone, requires = "block_storage")]
    pub(crate) backend_zone: Vec<(Box<str>, Box<str>)>,

    /// How Block Storage callers are authenticated. `noauth` (default): the token `USER:PROJECT` is trusted as
    /// is and every caller is an admin. `keystone`: the identity service validates tokens; callers have its
    /// roles admin, member or reader.
    #[arg(long, value_name = "MODE", requires = "block_storage")]
    pub(crate) auth: Option<AuthMode>,

    /// Authorize requests by this TOML file, action = condition or roles, read at startup and on SIGHUP.
    /// Omitted actions keep their defaults, which `statehold policy show` prints.
    #[arg(long, value_name = "FILE", requires = "block_storage")]
    pub(crate) policy: Option<PathBuf>,

    /// The role of the compute service, whose service tokens (X-Service-Token) may detach volumes from
    /// instances.
    #[arg(long, value_name = "ROLE", default_value = "service", requires = "identity_url")]
    pub(crate) service_role: Box<str>,

    /// Let owners delete the attachments of instances, because no compute service uses this server.
    #[arg(long, requires = "identity_url")]
    pub(crate) no_compute: bool,

    /// The identity service that validates tokens: http://HOST:PORT or http://HOST:PORT/v3.
    // Requires --auth, because a server with the flag forgotten would be open to all.
    #[arg(long, value_name = "URL", requires = "auth", required_if_eq("auth", "keystone"))]
    pub(crate) identity_url: Option<IdentityUrl>,

    /// Maximum number of validated tokens to cache.
    #[arg(
        long,
        value_name = "TOKENS",
        default_value_t = IDENTITY_CACHE_MAX_DEFAULT,
        requires = "identity_url"
    )]
    pub(crate) identity_cache_max: usize,

    /// How long a validated token is cached, at most until it expires. A revoked token stays valid for this
    /// long.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        value_parser = duration,
        requires = "identity_url"
    )]
    pub(crate) identity_cache_ttl: Duration,

    /// Maximum time for the identity service to answer; then the request gets 503.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration,
        requires = "identity_url"
    )]
    pub(crate) identity_wait_max: Duration,
}

/// How Block Storage callers are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthMode {
    Noauth,
    Keystone,
}

impl BlockStorageArgs {
    /// Returns the flags that declare back ends.
    pub(crate) fn backends(&self) -> BackendFlags {
        BackendFlags {
            dirs: self.backend.clone(),
            default_zone: self.availability_zone.clone(),
            zones: self.backend_zone.clone(),
            exports: self.export.clone(),
            export_options: self.export_options.clone(),
        }
    }

    /// Returns whether every caller is an admin.
    pub(crate) fn is_open(&self) -> bool {
        self.auth != Some(AuthMode::Keystone)
    }

    /// Reads the policy file, if one is named.
    pub(crate) fn current_policy(&self) -> Result<CurrentPolicy, PolicyFileError> {
        let policy = self.policy.as_deref().map(load_policy).transpose()?;
        Ok(policy.map(CurrentPolicy::new).unwrap_or_default())
    }

    /// Returns the authentication of callers.
    pub(crate) fn auth(&self) -> Auth {
        match &self.identity_url {
            Some(url) if self.auth == Some(AuthMode::Keystone) => {
                Auth::Keystone(Box::new(Keystone::new(&KeystoneOptions {
                    url: url.clone(),
                    tokens_max: self.identity_cache_max,
                    ttl: self.identity_cache_ttl,
                    wait_max: self.identity_wait_max,
                    // Role names ignore case. oslo.policy: oslo_policy/_checks.py, RoleCheck.
                    service_role: self.service_role.to_lowercase().into(),
                    no_compute: self.no_compute,
                })))
            }
            _ => Auth::Open,
        }
    }
}

/// Parses the name of a volume type.
fn type_name(text: &str) -> Result<Box<str>, String> {
    if text.trim().is_empty() || text.chars().count() > TYPE_NAME_MAX {
        return Err(format!("wanted 1 to {TYPE_NAME_MAX} characters that are not all blank"));
    }
    Ok(text.into())
}

/// Parses a back end's name and its directory.
fn backend(text: &str) -> Result<(Box<str>, PathBuf), String> {
    match text.split_once('=') {
        // A host is written `machine@name#pool`, so neither sign may be in the name.
        Some((name, dir)) if !name.is_empty() && !dir.is_empty() && !name.contains(['@', '#']) => {
            Ok((name.into(), dir.into()))
        }
        _ => Err("wanted NAME=DIR, the name without @ and #".to_owned()),
    }
}

/// Parses an availability zone.
fn zone(text: &str) -> Result<Box<str>, String> {
    // Zones are shown in listings and logs, which a control character would break.
    let printable = text.chars().all(|c| !c.is_control());
    if !printable || text.trim().is_empty() || text.chars().count() > ZONE_MAX {
        return Err(format!("wanted 1 to {ZONE_MAX} printable characters that are not all blank"));
    }
    Ok(text.into())
}

/// Parses a back end's name and its availability zone.
fn backend_zone(text: &str) -> Result<(Box<str>, Box<str>), String> {
    let (name, own) = text.split_once('=').ok_or("wanted NAME=ZONE, NAME as in --backend")?;
    Ok((name.into(), zone(own)?))
}

/// Parses a back end's name and its export.
fn export(text: &str) -> Result<(Box<str>, Export), String> {
    let (name, own) = text.split_once('=').ok_or("wanted NAME=HOST:/PATH, NAME as in --backend")?;
    Ok((name.into(), own.parse()?))
}

/// Parses a back end's name and its mount options.
fn export_options(text: &str) -> Result<(Box<str>, Box<str>), String> {
    let (name, own) = text.split_once('=').ok_or("wanted NAME=OPTIONS, NAME as in --backend")?;
    Ok((name.into(), mount_options(own)?))
}

/// Parses a key and a value.
fn pair(text: &str) -> Result<(Box<str>, Box<str>), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("wanted KEY=VALUE".to_owned()),
    }
}
