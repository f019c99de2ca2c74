//! Volume types, and the QoS specs that they are bound to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;
use statehold_store::Table;
use uuid::Uuid;

use crate::Pairs;

/// The extra spec that lets several use a volume at once.
pub(crate) const MULTIATTACH: &str = "multiattach";

/// What an extra spec says to mean yes.
const YES: &str = "<is> True";

/// A kind of volume that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "block_types")]
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
    /// The projects that may use it when it isn't public.
    #[filterable(skip)]
    pub projects: BTreeSet<Box<str>>,
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

    /// Whether a project may use it.
    pub fn is_open_to(&self, project: &str) -> bool {
        self.is_public || self.projects.contains(project)
    }
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
