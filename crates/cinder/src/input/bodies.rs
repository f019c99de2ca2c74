//! The bodies that requests may have, described for documents.
//!
//! Each constant names the table that the reader of its request checks, so that neither can change without the
//! other.

use serde_json::{Value, json};

use super::{
    Action, action, attachment, backup, consistency, group, group_type, manage, qos, quota,
    service, snapshot, transfer, volume, volume_type,
};
use crate::schema::{Rule, json::since};

/// The body of a request.
///
/// ```
/// use statehold_cinder::input::bodies;
/// let schema = bodies::VOLUME_CREATE.json_schema();
/// assert_eq!(schema["required"][0], "volume");
/// assert_eq!(schema["properties"]["volume"]["additionalProperties"], false);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Body(Form);

#[derive(Clone, Copy, Debug)]
enum Form {
    /// The table is about the whole body.
    Whole(&'static Rule),
    /// The table is about a member of the body, which may have others.
    Member(&'static str, &'static Rule),
    /// The same, where the body may be absent.
    MaybeMember(&'static str, &'static Rule),
    /// The only member of the body is an action.
    Action(&'static [Action]),
    /// The path names an action, and the body is its argument.
    ArgumentOf(&'static [Action]),
}

impl Body {
    /// Returns whether a request without a body fails.
    pub fn is_required(self) -> bool {
        !matches!(self.0, Form::MaybeMember(..))
    }

    /// Returns the JSON Schema of the body in the newest version. Cost: one pass over the table.
    pub fn json_schema(self) -> Value {
        match self.0 {
            Form::Whole(rule) => rule.json_schema(),
            Form::Member(key, rule) | Form::MaybeMember(key, rule) => json!({
                "type": "object", "properties": { key: rule.json_schema() }, "required": [key],
            }),
            Form::Action(actions) => {
                json!({ "oneOf": newest(actions).map(action_schema).collect::<Vec<_>>() })
            }
            Form::ArgumentOf(actions) => json!({ "anyOf": newest(actions).map(|(action, first)| {
                let mut schema = action.rule.json_schema();
                schema["title"] = action.name.into();
                describe(&mut schema, first);
                schema
            }).collect::<Vec<_>>() }),
        }
    }

    /// Returns the names of the actions that the last segment of the path may be.
    pub fn path_actions(self) -> Vec<&'static str> {
        match self.0 {
            Form::ArgumentOf(actions) => newest(actions).map(|(action, _)| action.name).collect(),
            _ => Vec::new(),
        }
    }
}

/// Returns the newest row of each action, with the first version of the action.
fn newest(actions: &'static [Action]) -> impl Iterator<Item = (&'static Action, u16)> {
    actions.iter().filter_map(|action| {
        let mut rows = actions.iter().filter(|row| row.name == action.name);
        let first = rows.next().map_or(0, |first| first.since);
        rows.all(|later| later.since <= action.since).then_some((action, first))
    })
}

fn action_schema((action, first): (&Action, u16)) -> Value {
    let name = action.name;
    let mut schema = json!({
        "type": "object", "title": name,
        "properties": { name: action.rule.json_schema() },
        "required": [name], "additionalProperties": false,
    });
    describe(&mut schema, first);
    schema
}

fn describe(schema: &mut Value, first: u16) {
    if first > 0 {
        schema["description"] = since(first).into();
    }
}

macro_rules! bodies {
    ($($name:ident $form:ident($($part:expr),*) $doc:literal)*) => {
        $(
            #[doc = $doc]
            pub const $name: Body = Body(Form::$form($($part),*));
        )*

        /// Every body with its name.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, Body)] = &[$((stringify!($name), $name)),*];
    };
}

bodies! {
    VOLUME_CREATE Whole(&volume::CREATE) "`POST /volumes`."
    VOLUME_UPDATE Whole(&volume::UPDATE) "`PUT /volumes/{id}`."
    VOLUME_ACTION Action(action::ACTIONS) "`POST /volumes/{id}/action`."
    METADATA Whole(&volume::METADATA) "`POST` and `PUT /volumes/{id}/metadata`, and those of snapshots."
    METADATA_ITEM Whole(&volume::METADATA_ITEM) "`PUT /volumes/{id}/metadata/{key}`, and that of snapshots."
    SNAPSHOT_CREATE Whole(&snapshot::CREATE) "`POST /snapshots`."
    SNAPSHOT_UPDATE Whole(&snapshot::UPDATE) "`PUT /snapshots/{id}`."
    SNAPSHOT_ACTION Action(snapshot::ACTIONS) "`POST /snapshots/{id}/action`."
    MANAGE_VOLUME Whole(&manage::VOLUME) "`POST /manageable_volumes`."
    MANAGE_SNAPSHOT Whole(&manage::SNAPSHOT) "`POST /manageable_snapshots`."
    ATTACHMENT_CREATE Whole(&attachment::CREATE) "`POST /attachments`."
    ATTACHMENT_UPDATE Whole(&attachment::UPDATE) "`PUT /attachments/{id}`."
    ATTACHMENT_ACTION Action(attachment::ACTIONS) "`POST /attachments/{id}/action`."
    BACKUP_CREATE Whole(&backup::CREATE) "`POST /backups`."
    BACKUP_UPDATE Whole(&backup::UPDATE) "`PUT /backups/{id}`."
    BACKUP_RESTORE Whole(&backup::RESTORE) "`POST /backups/{id}/restore`."
    BACKUP_IMPORT Whole(&backup::IMPORT) "`POST /backups/import_record`."
    BACKUP_ACTION Action(backup::ACTIONS) "`POST /backups/{id}/action`."
    TRANSFER_CREATE Whole(&transfer::CREATE) "`POST /volume-transfers`."
    TRANSFER_ACCEPT Whole(&transfer::ACCEPT) "`POST /volume-transfers/{id}/accept`."
    TYPE_CREATE Whole(&volume_type::CREATE) "`POST /types`."
    TYPE_UPDATE Whole(&volume_type::UPDATE) "`PUT /types/{id}`."
    TYPE_ACTION Action(volume_type::ACTIONS) "`POST /types/{id}/action`."
    EXTRA_SPECS Whole(&volume_type::EXTRA_SPECS) "`POST /types/{id}/extra_specs`."
    EXTRA_SPEC Whole(&volume_type::EXTRA_SPEC)
        "`PUT /types/{id}/extra_specs/{key}` and `/group_types/{id}/group_specs/{key}`."
    ENCRYPTION_CREATE Whole(&volume_type::ENCRYPT) "`POST /types/{id}/encryption`."
    ENCRYPTION_UPDATE Whole(&volume_type::ENCRYPT_CHANGE) "`PUT /types/{id}/encryption/{id}`."
    DEFAULT_TYPE Whole(&volume_type::DEFAULT) "`PUT /default-types/{project}`."
    QOS_CREATE Whole(&qos::CREATE) "`POST /qos-specs`."
    QOS_UPDATE Whole(&qos::UPDATE) "`PUT /qos-specs/{id}`."
    QOS_DELETE_KEYS Whole(&qos::UNSET) "`PUT /qos-specs/{id}/delete_keys`."
    QUOTA_SET Whole(&quota::QUOTA_SET) "`PUT /os-quota-sets/{project}`."
    QUOTA_CLASS_SET Whole(&quota::QUOTA_CLASS_SET) "`PUT /os-quota-class-sets/{class}`."
    GROUP_TYPE_CREATE Whole(&group_type::CREATE) "`POST /group_types`."
    GROUP_TYPE_UPDATE Whole(&group_type::UPDATE) "`PUT /group_types/{id}`."
    GROUP_SPECS Whole(&group_type::GROUP_SPECS) "`POST /group_types/{id}/group_specs`."
    GROUP_CREATE Whole(&group::CREATE) "`POST /groups`."
    GROUP_UPDATE Whole(&group::UPDATE) "`PUT /groups/{id}`."
    GROUP_ACTION Action(group::ACTIONS) "`POST /groups/{id}/action`."
    GROUP_CREATE_FROM Action(group::SOURCE_ACTIONS) "`POST /groups/action`."
    GROUP_SNAPSHOT_CREATE Whole(&group::SNAPSHOT) "`POST /group_snapshots`."
    GROUP_SNAPSHOT_ACTION Action(group::SNAPSHOT_ACTIONS) "`POST /group_snapshots/{id}/action`."
    CONSISTENCY_CREATE Member("consistencygroup", &consistency::CREATE) "`POST /consistencygroups`."
    CONSISTENCY_CREATE_FROM Member("consistencygroup-from-src", &consistency::SOURCE)
        "`POST /consistencygroups/create_from_src`."
    CONSISTENCY_UPDATE Member("consistencygroup", &consistency::UPDATE)
        "`PUT /consistencygroups/{id}/update`."
    CONSISTENCY_DELETE MaybeMember("consistencygroup", &consistency::DELETE)
        "`POST /consistencygroups/{id}/delete`."
    CGSNAPSHOT_CREATE Member("cgsnapshot", &consistency::SNAPSHOT) "`POST /cgsnapshots`."
    SERVICE_UPDATE ArgumentOf(service::ACTIONS) "`PUT /os-services/{action}`."
    CLUSTER_UPDATE ArgumentOf(service::CLUSTER_ACTIONS) "`PUT /clusters/{action}`."
    CLEANUP Whole(&service::CLEANUP) "`POST /workers/cleanup`."
}
