//! Volume types and their QoS specs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{OldRow, ReadView, RowError, Table};
use uuid::Uuid;

use crate::Pairs;

/// The extra spec that allows several attachments of a volume at once.
pub(crate) const MULTIATTACH: &str = "multiattach";

/// The value of an extra spec that enables it.
// Cinder: cinder/scheduler/filters/extra_specs_ops.py: `<is>` compares with a boolean.
const YES: &str = "<is> True";

/// A type of volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_types", version = 2, migrate = VolumeType::from_old)]
#[table(unique(name = "created", on(created_at, id)))]
pub struct VolumeType {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// Its unique name.
    #[table(unique)]
    pub name: Box<str>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: bool,
    /// Properties that its volumes require. Members see only a few of them, so filters cannot read
    /// them.
    #[filterable(skip)]
    pub extra_specs: Pairs,
    /// Projects with access that have no [`TypeAccess`] row yet: a row of version 1 lists all of
    /// them here, and the first start moves them.
    #[filterable(skip)]
    pub unmoved_projects: Vec<Box<str>>,
    /// Its QoS specs.
    #[filterable(skip)]
    #[table(index(name = "qos", some))]
    pub qos_specs_id: Option<Uuid>,
    /// The encryption of its volumes.
    #[filterable(skip)]
    pub encryption: Option<Encryption>,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}

impl VolumeType {
    /// Returns whether volumes of this type allow several attachments at once.
    pub fn is_multiattach(&self) -> bool {
        self.extra_specs.get(MULTIATTACH).is_some_and(|value| **value == *YES)
    }

    /// Returns whether a project may use it.
    pub fn is_open_to(&self, view: &impl ReadView, project: &str) -> bool {
        self.is_public || view.get::<TypeAccess>((self.id, project)).is_some()
    }

    fn from_old(old: OldRow<'_>) -> Result<Self, RowError> {
        match old.version() {
            1 => old.read::<VolumeTypeV1>().map(Self::from),
            // A newer release's row is refused, because guessing its fields would lose data.
            _ => Err(old.unknown(<Self as Table>::VERSION)),
        }
    }
}

/// The fields of version 1, in their order: before each access had a row of its own.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
struct VolumeTypeV1 {
    id: Uuid,
    name: Box<str>,
    description: Option<Box<str>>,
    is_public: bool,
    extra_specs: Pairs,
    projects: BTreeSet<Box<str>>,
    qos_specs_id: Option<Uuid>,
    encryption: Option<Encryption>,
    created_at: i64,
    updated_at: Option<i64>,
}

impl From<VolumeTypeV1> for VolumeType {
    fn from(old: VolumeTypeV1) -> Self {
        Self {
            id: old.id,
            name: old.name,
            description: old.description,
            is_public: old.is_public,
            extra_specs: old.extra_specs,
            unmoved_projects: old.projects.into_iter().collect(),
            qos_specs_id: old.qos_specs_id,
            encryption: old.encryption,
            created_at: old.created_at,
            updated_at: old.updated_at,
        }
    }
}

/// A project's access to a private type.
///
/// It has a row of its own, because thousands of projects may have access to one type, and each
/// request that reads the type would copy them all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_type_access", key(volume_type_id, project_id))]
pub struct TypeAccess {
    /// The type.
    pub volume_type_id: Uuid,
    /// The project.
    pub project_id: Box<str>,
}

/// The encryption settings of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The ID of this record.
    pub id: Uuid,
    /// The encryption provider, such as `luks`.
    pub provider: Box<str>,
    /// `front-end` or `back-end`.
    pub control_location: Box<str>,
    /// The cipher.
    pub cipher: Option<Box<str>>,
    /// The key size in bits.
    pub key_size: Option<i64>,
    /// Creation time, in Unix nanoseconds.
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    pub updated_at: Option<i64>,
}

/// Limits on the speed of volumes; types refer to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_qos")]
#[table(unique(name = "created", on(created_at, id)))]
pub struct QosSpecs {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// Its unique name.
    #[table(unique)]
    pub name: Box<str>,
    /// The enforcing side: `front-end`, `back-end` or `both`.
    pub consumer: Box<str>,
    /// The limits.
    pub specs: Pairs,
    /// Creation time, in Unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// Time of the last change, in Unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}

/// The type of a project's volumes that are created without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_default_types")]
pub struct DefaultType {
    /// The project.
    #[table(key)]
    pub project_id: Box<str>,
    /// The type.
    #[table(index(name = "of_type"))]
    pub volume_type_id: Uuid,
}

#[cfg(test)]
mod tests {
    use statehold_store::Schema;

    use super::*;

    /// The shape of version 1, as data directories have it recorded. It never changes.
    const RECORDED: &str = "1 {id: bytes, name: string, description: option<string>, \
        is_public: bool, extra_specs: map<string, string>, projects: list<string>, \
        qos_specs_id: option<bytes>, encryption: option<{id: bytes, provider: string, \
        control_location: string, cipher: option<string>, key_size: option<i64>, created_at: i64, \
        updated_at: option<i64>}>, created_at: i64, updated_at: option<i64>}";

    /// A table with rows of version 1, to compute their shape.
    struct Version1;

    impl Table for Version1 {
        const NAME: &'static str = "block_types";
        const VERSION: u16 = 1;
        type Key = Uuid;
        type Row = VolumeTypeV1;

        fn key(row: &VolumeTypeV1) -> Uuid {
            row.id
        }
    }

    #[test]
    fn type_version_1_has_its_recorded_shape() {
        let shape = Schema::new().table::<Version1>().shapes().next();
        assert_eq!(shape.map(|shape| shape.text).as_deref(), Some(RECORDED));
    }

    #[test]
    fn type_version_1_keeps_its_projects_until_they_move() {
        let old = VolumeTypeV1 {
            id: Uuid::nil(),
            name: "ssd".into(),
            description: None,
            is_public: false,
            extra_specs: Pairs::new(),
            projects: ["p".into(), "q".into()].into(),
            qos_specs_id: None,
            encryption: None,
            created_at: 1,
            updated_at: None,
        };
        let row = VolumeType::from(old);
        assert_eq!(row.unmoved_projects, ["p".into(), "q".into()]);
    }
}
