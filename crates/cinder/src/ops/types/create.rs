//! Creating volume types.

use crate::{
    Pairs,
    caller::policy,
    context::Context,
    errors::Error,
    rows::{MULTIATTACH, VolumeType},
};
use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

/// A request for a volume type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSpec {
    /// Its name.
    pub name: Box<str>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: bool,
    /// Properties that its volumes require.
    pub extra_specs: Pairs,
}

impl Default for TypeSpec {
    fn default() -> Self {
        Self { name: "".into(), description: None, is_public: true, extra_specs: Pairs::new() }
    }
}

impl TypeSpec {
    pub(super) fn into_row(self, id: Uuid, now: i64) -> VolumeType {
        VolumeType {
            id,
            name: self.name,
            description: self.description,
            is_public: self.is_public,
            extra_specs: self.extra_specs,
            unmoved_projects: Vec::new(),
            qos_specs_id: None,
            encryption: None,
            created_at: now,
            updated_at: None,
        }
    }
}

/// Creates a type with the ID `id`. Admins only.
///
/// # Errors
/// [`Error`]; [`Error::Conflict`] if the name is taken.
// Cinder: cinder/volume/volume_types.py, create.
pub fn create_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: TypeSpec,
) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_CREATE)?;
    check_name(txn, &spec.name, id)?;
    check_specs(&spec.extra_specs)?;
    txn.upsert::<VolumeType>(spec.into_row(id, cx.now))?;
    Ok(())
}

pub(super) fn check_name(view: &impl ReadView, name: &str, own: Uuid) -> Result<(), Error> {
    match view.find(&VolumeType::BY_NAME, name) {
        Some(other) if other.id != own => {
            Err(Error::Conflict(format!("Volume Type {name} already exists.").into()))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_specs(specs: &Pairs) -> Result<(), Error> {
    let yes = |key: &str| specs.get(key).is_some_and(|value| **value == *"<is> True");
    // A shared volume behind a host's cache would return stale data to the other hosts.
    if yes(MULTIATTACH) && yes("cacheable") {
        return Err(Error::request(
            "Multiattach cannot be set with cacheable extra spec on the same volume type.",
        ));
    }
    Ok(())
}
