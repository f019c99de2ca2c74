//! OpenStack's Block Storage API, and what does its work.
//!
//! [`routes`] is the table of everything that there is; [`dispatch`] sends each request to the
//! handler that the table names, for the caller that [`auth`] knows by the token and the [`policy`] in
//! force. Handlers parse, call the domain and render, in one transaction. [`worker`] takes what they queue
//! to the back ends: a [`driver`] each, of which [`localdir`] keeps volumes as sparse files, and [`backends`]
//! chooses where a volume goes. Backups are in a [`vault`].

mod attachments;
mod auth;
mod backends;
mod backups;
mod call;
mod cloud;
mod consistency;
mod declared;
mod default_types;
mod dispatch;
mod driver;
mod export;
mod extensions;
mod group_snapshots;
mod group_types;
mod group_work;
mod groups;
mod hints;
mod host_query;
mod list;
mod localdir;
mod manage;
mod messages;
mod monitor;
mod policy;
mod pools;
mod qos;
mod quotas;
mod routes;
mod services;
mod snapshots;
mod transfers;
mod types;
mod vault;
mod versions;
mod volumes;
mod worker;

pub(crate) use auth::{Auth, IdentityUrl, Keystone, KeystoneOptions};
pub(crate) use cloud::{Cloud, CloudError, Setup};
pub(crate) use declared::BackendFlags;
pub(crate) use dispatch::router;
pub(crate) use export::{Export, mount_options};
pub(crate) use policy::{CurrentPolicy, PolicyFileError, load as load_policy, show as show_policy};
pub(crate) use worker::run as work;
