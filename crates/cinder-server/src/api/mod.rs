//! The endpoints: one file for each resource, which lists its routes beside their handlers.

mod attachments;
mod backups;
mod consistency;
mod default_types;
mod dispatch;
mod extensions;
mod group_snapshots;
mod group_types;
mod groups;
mod list;
mod manage;
mod messages;
mod openapi;
mod operation;
pub(crate) mod pools;
mod qos;
mod quotas;
pub(crate) mod routes;
mod services;
mod snapshots;
mod transfers;
mod types;
mod versions;
pub(crate) mod volumes;

pub use dispatch::router;
