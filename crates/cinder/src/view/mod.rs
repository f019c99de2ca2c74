//! The JSON that clients read: volumes, snapshots, types, groups and the rest.
//!
//! Views borrow from the store's rows and are created when a response is serialised. Their members
//! depend on the version of the request and on the caller. Only the view of a single attachment
//! contains the connection to the volume; no view contains a connector or a key.

mod attachment;
mod backup;
mod group;
mod message;
mod service;
mod snapshot;
mod summary;
mod transfer;
mod volume;
mod volume_type;

use serde::Serialize;
use serde::ser::SerializeSeq as _;
use uuid::Uuid;

use crate::{caller::Caller, version::Microversion};

pub(crate) use self::volume_type::is_shown;
pub use self::{
    attachment::{AttachmentStub, AttachmentView},
    backup::{BackupStub, BackupView},
    group::{
        CgSnapshotView, ConsistencyGroupView, GroupSnapshotStub, GroupSnapshotView, GroupStub,
        GroupTypeView, GroupView,
    },
    message::{DefaultTypeView, LimitsView, MessageView},
    service::{HostView, ServiceView},
    snapshot::{SnapshotStub, SnapshotView},
    summary::VolumeSummary,
    transfer::{QosAssociationView, QosView, TransferStub, TransferView},
    volume::{AttachedView, VolumeStub, VolumeView},
    volume_type::{EncryptionView, TypeAccessView, VolumeTypeView, shown_specs},
};

/// The request's part of a view.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'v> {
    /// The caller.
    pub caller: &'v Caller,
    /// The version of the request.
    pub version: Microversion,
    /// The base URL of the server, without a slash at the end: `http://127.0.0.1:8776`.
    pub base: &'v str,
    /// The project in the request's path, if any, which links repeat.
    pub project: Option<&'v str>,
}

/// The two links of an item.
#[derive(Clone, Copy, Debug)]
pub struct Links<'v> {
    viewer: Viewer<'v>,
    collection: &'static str,
    id: Uuid,
}

impl<'v> Viewer<'v> {
    pub(crate) fn links(self, collection: &'static str, id: Uuid) -> Links<'v> {
        Links { viewer: self, collection, id }
    }

    /// Returns the URL of a collection; `api` is empty for bookmarks.
    fn address(self, api: &str, collection: &str) -> String {
        let (base, project) = (self.base, self.project);
        match project {
            Some(project) => format!("{base}{api}/{project}/{collection}"),
            None => format!("{base}{api}/{collection}"),
        }
    }

    /// Returns the URL of the next page of a list, with a query from [`crate::next_query`].
    ///
    /// ```
    /// use statehold_cinder::{Caller, Microversion, Viewer};
    /// let (caller, base) = (Caller::default(), "http://127.0.0.1:8776");
    /// let viewer = Viewer { caller: &caller, version: Microversion::MAX, base, project: Some("p") };
    /// assert_eq!(viewer.next_page("volumes", "limit=1&marker=x"),
    ///     "http://127.0.0.1:8776/v3/p/volumes?limit=1&marker=x");
    /// ```
    pub fn next_page(self, path: &str, query: &str) -> String {
        format!("{}?{query}", self.address("/v3", path))
    }
}

impl Serialize for Links<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Link<'h> {
            rel: &'static str,
            href: &'h str,
        }
        let mut href = String::new();
        let mut links = serializer.serialize_seq(Some(2))?;
        for (rel, api) in [("self", "/v3"), ("bookmark", "")] {
            self.write_address(&mut href, api);
            links.serialize_element(&Link { rel, href: &href })?;
        }
        links.end()
    }
}

/// States what [`Serialize`] writes.
#[cfg(feature = "schemars")]
impl schemars::JsonSchema for Links<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Links".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "rel": { "enum": ["self", "bookmark"] },
                    "href": { "type": "string", "format": "uri" },
                },
                "required": ["rel", "href"],
            },
        })
    }
}

impl Links<'_> {
    /// Overwrites `href` with the URL of the item. Avoids `format!`, because a page has thousands
    /// of links.
    fn write_address(&self, href: &mut String, api: &str) {
        // Cinder: cinder/api/common.py, ViewBuilder._get_links; a bookmark lacks the version.
        let mut buffer = uuid::Uuid::encode_buffer();
        let id = &*self.id.hyphenated().encode_lower(&mut buffer);
        let Viewer { base, project, .. } = self.viewer;
        href.clear();
        href.push_str(base);
        href.push_str(api);
        for part in project.iter().copied().chain([self.collection, id]) {
            href.push('/');
            href.push_str(part);
        }
    }
}

/// Returns a member of a body: `None` is absent, `Some(None)` is null.
#[expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]
pub(crate) fn member_if<T>(shown: bool, value: Option<T>) -> Option<Option<T>> {
    shown.then_some(value)
}
