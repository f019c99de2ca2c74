//! What clients see: the JSON of volumes, snapshots, types, groups and the rest.
//!
//! The views borrow from the store's rows and are made when an answer is written. Which members they
//! have depends on the version that the request speaks and on who asks. Only the view of one attachment shows how
//! a volume is reached, and none shows a connector or a key.

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

/// What a view depends on beside the row.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'v> {
    /// Who asks.
    pub caller: &'v Caller,
    /// The version that the request speaks.
    pub version: Microversion,
    /// Where the server is reached, without a slash at the end: `http://127.0.0.1:8776`.
    pub base: &'v str,
    /// The project of the request's path, if it has one, which links have too.
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

    /// The address of a collection in the API, or outside of it as bookmarks have it.
    fn address(self, api: &str, collection: &str) -> String {
        let (base, project) = (self.base, self.project);
        match project {
            Some(project) => format!("{base}{api}/{project}/{collection}"),
            None => format!("{base}{api}/{collection}"),
        }
    }

    /// The address of the next page of a list, whose query is from [`crate::next_query`].
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

impl Links<'_> {
    /// Writes the address of the item over `href`. Without `format!`, because a page has thousands of links.
    fn write_address(&self, href: &mut String, api: &str) {
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

/// A member that is there or not, and null or not.
#[expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]
pub(crate) fn when<T>(there: bool, value: Option<T>) -> Option<Option<T>> {
    there.then_some(value)
}
