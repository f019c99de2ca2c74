//! The tests of the Nomad domain, in one program because linking each file separately is slow.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bodies;
mod common;
mod durable;
mod feed_order;
mod filters;
mod flat;
mod host_volumes;
mod migration;
mod model;
mod model_host;
mod plugins;
mod providers;
mod release;
mod search;
mod shapes;
mod sticky;
mod views;
mod volumes;
