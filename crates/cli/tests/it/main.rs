//! The tests of the program over its socket, in one program because each further one would be linked anew.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod acl;
mod bad_input;
mod block_storage;
mod block_storage_auth;
mod block_storage_backups;
mod block_storage_concurrency;
mod block_storage_crashes;
mod block_storage_groups;
mod block_storage_operation;
mod block_storage_policy;
mod block_storage_recorded;
mod block_storage_refusals;
mod block_storage_resources;
mod block_storage_services;
mod blocking;
mod cli_transcripts;
mod cloud;
mod common;
mod concurrency;
mod crashes;
mod csi_crashes;
mod csi_provider;
mod csi_volumes;
mod documented_session;
mod durability;
mod fair;
mod filter_command;
mod full_disk;
mod group_claims;
mod host_volumes;
mod limits;
mod lists;
mod maintenance;
mod nomad_compat;
mod nomad_endpoints;
mod observed;
mod private_files;
mod protocol;
mod protocol_details;
mod recording;
mod search;
mod start_and_stop;
mod streams;
mod web_pages;
