//! Request bodies: from bytes to the arguments of operations.
//!
//! A body that isn't of the right form is refused with the text that clients know, before anything
//! is looked up. Which members there may be depends on the version.

mod action;
mod attachment;
mod backup;
pub mod bodies;
mod consistency;
mod group;
mod group_type;
mod hints;
mod manage;
mod qos;
pub(crate) mod quota;
mod service;
mod snapshot;
#[cfg(test)]
mod tests;
mod transfer;
mod volume;
mod volume_type;

pub use self::{
    action::{VolumeAction, volume_action},
    attachment::{attachment_action, attachment_connector, attachment_spec},
    backup::{
        BackupAction, backup_action, backup_change, backup_record, backup_spec, restore_spec,
    },
    consistency::{
        cgsnapshot_spec, consistency_change, consistency_delete, consistency_element,
        consistency_source_spec, consistency_spec,
    },
    group::{
        GroupAction, group_action, group_change, group_snapshot_action, group_snapshot_spec,
        group_source_spec, group_spec,
    },
    group_type::{group_specs, group_type_change, group_type_spec},
    hints::scheduler_hints,
    manage::{manage_snapshot_spec, manage_volume_spec},
    qos::{qos_change, qos_keys, qos_spec},
    service::{CleanupRequest, ServiceRequest, cleanup_request, cluster_request, service_request},
    snapshot::{
        SnapshotAction, SnapshotMetadata, snapshot_action, snapshot_change, snapshot_metadata,
        snapshot_metadata_item, snapshot_spec,
    },
    transfer::{transfer_key, transfer_spec},
    volume::{metadata, metadata_item, volume_change, volume_spec},
    volume_type::{
        TypeAction, default_type_name, encryption_change, extra_spec, extra_specs, type_action,
        type_change, type_encryption, type_spec,
    },
};

use serde_json::Value;

use crate::{
    Pairs,
    errors::{Error, Missing},
    schema::{ITEMS_MAX, Members, Rule, pairs_of},
    version::Microversion,
};

/// An action of a request to `/action`, as one version introduced it. A later row of the same name replaces it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    /// The only member of the body.
    name: &'static str,
    /// The contract of its value.
    rule: &'static Rule,
    /// The first minor version that has it so.
    since: u16,
}

impl Action {
    /// An action of every version.
    const fn new(name: &'static str, rule: &'static Rule) -> Self {
        Self { name, rule, since: 0 }
    }

    /// An action of the versions from 3.`since` on.
    const fn since(name: &'static str, since: u16, rule: &'static Rule) -> Self {
        Self { name, rule, since }
    }
}

/// Returns the one action of the body of a request to `/action`, and its argument.
fn one_action(body: &[u8]) -> Result<(String, Value), Error> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    let Value::Object(members) = body else { return Err(Error::MalformedBody) };
    let mut members = members.into_iter();
    match (members.next(), members.next()) {
        (Some(action), None) => Ok(action),
        _ => Err(Error::MalformedBody),
    }
}

/// Returns the action of a body and the members of its argument; an argument of another type has none.
fn parse_action(
    body: &[u8],
    actions: &'static [Action],
    version: Microversion,
) -> Result<(&'static str, Members), Error> {
    let (name, argument) = one_action(body)?;
    let action = find_action(&name, actions, version)?;
    Ok((action.name, argument_of(action, argument, version)?))
}

/// Returns the row of an action that is in force in a version.
fn find_action<'a>(
    name: &str,
    actions: &'a [Action],
    version: Microversion,
) -> Result<&'a Action, Error> {
    let mut rows = actions.iter().filter(|action| action.name == name).peekable();
    if rows.peek().is_none() {
        return Err(Error::UnknownAction { action: name.into() });
    }
    // The argument of an action of a later version is not checked: to such a client the action is absent.
    // Cinder: cinder/api/openstack/wsgi.py, Resource.dispatch; the version is checked outside of the schema.
    let in_force = rows.rfind(|action| version.at_least(action.since));
    in_force.ok_or_else(|| Missing::Operation.into())
}

/// Checks the argument of an action against its table, and returns its members; null has none.
fn argument_of(action: &Action, argument: Value, version: Microversion) -> Result<Members, Error> {
    action.rule.check(action.name, &argument, version)?;
    match argument {
        Value::Object(members) => Ok(Members(members)),
        _ => Ok(Members::default()),
    }
}

/// Returns `key`, or `old` where only that is there.
fn either<'m>(members: &Members, key: &'m str, old: &'m str) -> &'m str {
    if members.has(old) && !members.has(key) { old } else { key }
}

/// Returns the one pair of a body, which must be about `key`.
fn one_pair(members: &Members, key: &str) -> Result<Pairs, Error> {
    if members.has(key) {
        Ok(pairs_of(&members.0))
    } else {
        Err(Error::request("Request body and URI mismatch"))
    }
}

/// Returns the items of a list that is written with commas, each once.
fn listed(members: &Members, name: &str) -> Result<Vec<Box<str>>, Error> {
    let text = members.text(name).unwrap_or_default();
    let mut items: Vec<Box<str>> = Vec::new();
    for item in text.split(',').map(str::trim) {
        if item.is_empty() || items.iter().any(|other| **other == *item) {
            continue;
        }
        if items.len() == ITEMS_MAX {
            return Err(Error::input(format!("{name} has more than {ITEMS_MAX} items.")));
        }
        items.push(item.into());
    }
    Ok(items)
}
