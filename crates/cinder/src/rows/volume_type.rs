//! Volume types, and the QoS specs that they are bound to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::{OldRow, ReadView, RowError, Table};
use uuid::Uuid;

use crate::Pairs;

/// The extra spec that lets several use a volume at once.
pub(crate) const MULTIATTACH: &str = "multiattach";

/// What an extra spec says to mean yes.
const YES: &str = "<is> True";

/// A kind of volume that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_types", version = 2, migrate = VolumeType::from_old)]
#[table(unique(name = "created", on(created_at, id)))]
pub struct VolumeType {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// Its name; no two have the same.
    #[table(unique)]
    pub name: Box<str>,
    /// What people say about it.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: bool,
    /// What its volumes have to be like. Members see a few of them only, so filters see none.
    #[filterable(skip)]
    pub extra_specs: Pairs,
    /// Projects that may use it and have no [`TypeAccess`] yet: a row of version 1 has all of them here,
    /// and the first start moves them.
    #[filterable(skip)]
    pub unmoved_projects: Vec<Box<str>>,
    /// The QoS specs that it is bound to.
    #[filterable(skip)]
    #[table(index(name = "qos", some))]
    pub qos_specs_id: Option<Uuid>,
    /// How its volumes are encrypted.
    #[filterable(skip)]
    pub encryption: Option<Encryption>,
    /// When it was made, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}

impl VolumeType {
    /// Whether several may use a volume of this type at once.
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
            _ => Err(old.unknown(<Self as Table>::VERSION)),
        }
    }
}

/// The fields of version 1, in their order: before access had rows of its own.
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
/// A row of its own, because thousands of projects may have access to one type, and each request that looks at
/// the type would copy them all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Table)]
#[table(name = "block_type_access", key(volume_type_id, project_id))]
pub struct TypeAccess {
    /// The type.
    pub volume_type_id: Uuid,
    /// The project.
    pub project_id: Box<str>,
}

/// How the volumes of a type are encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The ID of this record.
    pub id: Uuid,
    /// What encrypts, such as `luks`.
    pub provider: Box<str>,
    /// Where: `front-end` or `back-end`.
    pub control_location: Box<str>,
    /// The cipher.
    pub cipher: Option<Box<str>>,
    /// The size of keys in bits.
    pub key_size: Option<i64>,
    /// When it was made, in unix nanoseconds.
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    pub updated_at: Option<i64>,
}

/// Limits on the speed of volumes, to which types are bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_qos")]
#[table(unique(name = "created", on(created_at, id)))]
pub struct QosSpecs {
    /// Its ID.
    #[table(key)]
    pub id: Uuid,
    /// Its name; no two have the same.
    #[table(unique)]
    pub name: Box<str>,
    /// Who holds volumes to it: `front-end`, `back-end` or `both`.
    pub consumer: Box<str>,
    /// The limits.
    pub specs: Pairs,
    /// When it was made, in unix nanoseconds.
    #[filterable(unit = "unix_ns")]
    pub created_at: i64,
    /// When it was last changed, in unix nanoseconds.
    #[filterable(skip)]
    pub updated_at: Option<i64>,
}

/// The type of volumes that a project makes without naming one.
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

    /// The shape of version 1, as directories have it recorded. It never changes.
    const RECORDED: &str = "1 {id: bytes, name: string, description: option<string>, \
        is_public: bool, extra_specs: map<string, string>, projects: list<string>, \
        qos_specs_id: option<bytes>, encryption: option<{id: bytes, provider: string, \
        control_location: string, cipher: option<string>, key_size: option<i64>, created_at: i64, \
        updated_at: option<i64>}>, created_at: i64, updated_at: option<i64>}";

    /// A table of rows of version 1, for their shape.
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
    fn version_1_of_types_has_the_shape_that_was_recorded() {
        let shape = Schema::new().table::<Version1>().shapes().next();
        assert_eq!(shape.map(|shape| shape.text).as_deref(), Some(RECORDED));
    }

    #[test]
    fn a_type_of_version_1_keeps_its_projects_until_they_move() {
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
