//! Volume types, their specs, access lists, encryption and defaults.

use statehold_store::{Entry, KeyRange, Order, ReadView, Scan, Table as _, WriteTxn};
use uuid::Uuid;

use crate::{
    Pairs,
    access::actions::Rule,
    caller::{Caller, policy},
    config::Config,
    context::Context,
    error::{Error, Missing},
    id::parse_id,
    quota::{self, forget_type},
    rows::{
        DefaultType, Encryption, Group, MULTIATTACH, Task, TypeAccess, Volume, VolumeType, WorkItem,
    },
    totals,
    view::is_shown,
};

/// Returns the type with the ID or name `text`, if the caller may use it.
///
/// # Errors
/// [`Missing::VolumeType`] or [`Missing::VolumeTypeName`].
pub fn find_type<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    text: &str,
) -> Result<&'v Entry<VolumeType>, Error> {
    let id = parse_id(text);
    let row = match id {
        Some(id) => view.get::<VolumeType>(id),
        None => view.find(&VolumeType::BY_NAME, text),
    };
    let row = row.filter(|row| caller.is_admin() || row.is_open_to(view, &caller.project));
    let missing = || match id {
        Some(_) => Missing::VolumeType(text.into()),
        None => Missing::VolumeTypeName(text.into()),
    };
    Ok(row.ok_or_else(missing)?)
}

/// Returns the type with the ID `text`, if the caller may use it.
///
/// # Errors
/// [`Missing::VolumeType`].
pub fn get_type<'v>(
    view: &'v impl ReadView,
    caller: &Caller,
    text: &str,
) -> Result<&'v Entry<VolumeType>, Error> {
    caller.check(policy::TYPE_GET)?;
    let row = parse_id(text).and_then(|id| view.get::<VolumeType>(id));
    let row = row.filter(|row| caller.is_admin() || row.is_open_to(view, &caller.project));
    Ok(row.ok_or_else(|| Missing::VolumeType(text.into()))?)
}

/// Returns the type of a project's volumes that are created without one.
///
/// # Errors
/// [`Error::NoDefaultType`] before [`bootstrap`].
pub fn default_type<'v>(
    view: &'v impl ReadView,
    config: &Config,
    project: &str,
) -> Result<&'v Entry<VolumeType>, Error> {
    view.get::<DefaultType>(project)
        .and_then(|row| view.get::<VolumeType>(row.volume_type_id))
        .or_else(|| view.find(&VolumeType::BY_NAME, &config.default_type))
        .ok_or(Error::NoDefaultType)
}

/// Creates the default volume type with the ID `id`, unless it exists. Returns whether it was
/// created.
///
/// Corrects volumes that an earlier release marked as encrypted although it had no key for them:
/// their data was never encrypted, and `encrypted` MUST NOT claim otherwise. Moves access to types
/// to rows of its own. Recounts the totals of volumes and the usage of quota, because directories
/// of earlier releases have no totals.
///
/// Cost: reads all volumes, snapshots, backups and groups.
///
/// # Errors
/// [`Error::Store`].
pub fn bootstrap(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    id: Uuid,
) -> Result<bool, Error> {
    correct_encrypted_flags(txn, now)?;
    move_type_access(txn)?;
    totals::restore_totals(txn)?;
    quota::restore_usage(txn, config)?;
    if txn.find(&VolumeType::BY_NAME, &config.default_type).is_some() {
        return Ok(false);
    }
    let spec = TypeSpec { name: config.default_type.clone(), ..TypeSpec::default() };
    txn.upsert::<VolumeType>(spec.into_row(id, now))?;
    Ok(true)
}

/// Creates access rows for the projects that a type's row of an earlier release lists.
fn move_type_access(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let types: Vec<VolumeType> = txn
        .scan::<VolumeType>(&KeyRange::all(), Order::Ascending)
        .filter(|row| !row.unmoved_projects.is_empty())
        .map(|row| VolumeType::clone(row))
        .collect();
    for mut row in types {
        for project_id in std::mem::take(&mut row.unmoved_projects) {
            txn.upsert::<TypeAccess>(TypeAccess { volume_type_id: row.id, project_id })?;
        }
        txn.upsert::<VolumeType>(row)?;
    }
    Ok(())
}

/// Marks volumes without a key as unencrypted.
fn correct_encrypted_flags(txn: &mut WriteTxn<'_>, now: i64) -> Result<(), Error> {
    let claims: Vec<Volume> = txn
        .scan::<Volume>(&KeyRange::all(), Order::Ascending)
        .filter(|row| row.encrypted && row.encryption_key_id.is_none())
        .map(|row| Volume::clone(row))
        .collect();
    for mut row in claims {
        row.encrypted = false;
        row.updated_at = Some(now);
        totals::put_volume(txn, row)?;
    }
    Ok(())
}

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
    fn into_row(self, id: Uuid, now: i64) -> VolumeType {
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

fn check_name(view: &impl ReadView, name: &str, own: Uuid) -> Result<(), Error> {
    match view.find(&VolumeType::BY_NAME, name) {
        Some(other) if other.id != own => {
            Err(Error::Conflict(format!("Volume Type {name} already exists.").into()))
        }
        _ => Ok(()),
    }
}

fn check_specs(specs: &Pairs) -> Result<(), Error> {
    let yes = |key: &str| specs.get(key).is_some_and(|value| **value == *"<is> True");
    // A shared volume behind a host's cache would return stale data to the other hosts.
    if yes(MULTIATTACH) && yes("cacheable") {
        return Err(Error::request(
            "Multiattach cannot be set with cacheable extra spec on the same volume type.",
        ));
    }
    Ok(())
}

/// A change of a type. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeChange {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
    /// Whether all projects may use it.
    pub is_public: Option<bool>,
}

/// Updates a type. Admins only. Its quotas refer to its ID, and follow to the new name.
///
/// # Errors
/// [`Error`] with the status 400, 404 or 409.
// Cinder: cinder/api/contrib/types_manage.py, VolumeTypesManageController._update.
pub fn update_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: TypeChange,
) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_UPDATE)?;
    if change == TypeChange::default() {
        return Err(Error::request(
            "Specify volume type name, description, is_public or a combination thereof.",
        ));
    }
    if change.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return Err(Error::request("Volume type name can not be empty."));
    }
    let mut row = VolumeType::clone(get_type(txn, cx.caller, id)?);
    if let Some(name) = change.name {
        check_name(txn, &name, row.id)?;
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    if let Some(is_public) = change.is_public {
        row.is_public = is_public;
    }
    write_type(txn, cx.now, row)
}

fn write_type(txn: &mut WriteTxn<'_>, now: i64, mut row: VolumeType) -> Result<(), Error> {
    row.updated_at = Some(now);
    txn.upsert::<VolumeType>(row)?;
    Ok(())
}

fn has_volumes(view: &impl ReadView, id: Uuid) -> bool {
    let range = KeyRange::exact(id);
    view.scan_by(&Volume::BY_OF_TYPE, &range, Order::Ascending).next().is_some()
}

/// Returns whether a pending retype gives a volume this type.
fn has_pending_retype(view: &impl ReadView, id: Uuid) -> bool {
    view.scan::<WorkItem>(&KeyRange::all(), Order::Ascending).any(
        |item| matches!(item.task, Task::RetypeVolume { volume_type, .. } if volume_type == id),
    )
}

/// Deletes a type and its limits. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 while volumes have the type, and for the default and the last
/// type.
// Cinder: cinder/volume/volume_types.py, destroy.
pub fn delete_type(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_DELETE)?;
    let row = VolumeType::clone(get_type(txn, cx.caller, id)?);
    if row.name == cx.config.default_type || txn.count::<VolumeType>() == 1 {
        return Err(Error::request(format!(
            "The volume type {} is a default volume type and cannot be deleted.",
            row.id
        )));
    }
    let range = KeyRange::exact(row.id);
    let grouped = txn.scan_by(&Group::BY_VOLUME_TYPE, &range, Order::Ascending).next().is_some();
    if grouped || has_volumes(txn, row.id) || has_pending_retype(txn, row.id) {
        return Err(Error::request("Target volume type is still in use."));
    }
    let projects: Vec<Box<str>> = txn
        .scan_by(&DefaultType::BY_OF_TYPE, &range, Order::Ascending)
        .map(|default| default.project_id.clone())
        .collect();
    for project in projects {
        txn.delete::<DefaultType>(&project)?;
    }
    TypeAccess::BY_KEY.delete_range(txn, &TypeAccess::BY_KEY.starting_with(row.id))?;
    forget_type(txn, row.id)?;
    txn.delete::<VolumeType>(row.id)?;
    Ok(())
}

/// Adds or replaces extra specs of a type. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 while volumes have the type.
// Cinder: cinder/api/contrib/types_extra_specs.py, VolumeTypeExtraSpecsController.create.
pub fn set_extra_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    put_specs(txn, cx, policy::TYPE_SPEC_CREATE, id, specs)
}

/// Like [`set_extra_specs`], for callers with the permission to update extra specs.
///
/// # Errors
/// As [`set_extra_specs`].
pub fn update_extra_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    put_specs(txn, cx, policy::TYPE_SPEC_UPDATE, id, specs)
}

fn put_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    let mut row = find_unused_type(txn, cx, rule, id)?;
    row.extra_specs.extend(specs);
    check_specs(&row.extra_specs)?;
    write_type(txn, cx.now, row)
}

/// Returns one extra spec of a type.
///
/// # Errors
/// [`Missing::VolumeType`] or [`Missing::ExtraSpec`], the latter also for a spec that is hidden
/// from the caller.
pub fn get_extra_spec<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<&'v str, Error> {
    let row = get_type(view, cx.caller, id)?;
    cx.caller.check(policy::TYPE_SPEC_GET)?;
    let sensitive = cx.caller.allows(policy::TYPE_SPEC_SENSITIVE);
    let value = row.extra_specs.get(key).filter(|_| sensitive || is_shown(key));
    let missing = || {
        let volume_type = row.id.to_string().into();
        Error::from(Missing::ExtraSpec { volume_type, key: key.into() })
    };
    value.map(|value| &**value).ok_or_else(missing)
}

/// Deletes an extra spec of a type. Admins only.
///
/// # Errors
/// As [`set_extra_specs`], and [`Missing::ExtraSpec`].
pub fn delete_extra_spec(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = find_unused_type(txn, cx, policy::TYPE_SPEC_DELETE, id)?;
    if row.extra_specs.remove(key).is_none() {
        let volume_type = row.id.to_string().into();
        return Err(Missing::ExtraSpec { volume_type, key: key.into() }.into());
    }
    write_type(txn, cx.now, row)
}

fn find_unused_type(
    view: &impl ReadView,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
) -> Result<VolumeType, Error> {
    cx.caller.check(rule)?;
    let row = VolumeType::clone(get_type(view, cx.caller, id)?);
    // Volumes were placed by the old specs, which a change would break.
    if has_volumes(view, row.id) {
        return Err(Error::request("Volume Type is currently in use."));
    }
    Ok(row)
}

/// Returns the projects with access to a private type, in order. Admins only.
///
/// # Errors
/// [`Missing::AccessList`] for a public type.
pub fn type_access<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<Scan<'v, TypeAccess>, Error> {
    cx.caller.check(policy::TYPE_ACCESS_GET)?;
    let row = get_type(view, cx.caller, id)?;
    if row.is_public {
        return Err(Missing::AccessList.into());
    }
    Ok(view.scan::<TypeAccess>(&TypeAccess::BY_KEY.starting_with(row.id), Order::Ascending))
}

/// Grants a project access to a private type, or revokes it. Admins only.
///
/// # Errors
/// [`Error`]: 400 for a public type, 409 if the project has access already, 404 if it has none to
/// revoke.
// Cinder: cinder/volume/volume_types.py, add_volume_type_access and remove_volume_type_access.
pub fn set_type_access(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    project: &str,
    allowed: bool,
) -> Result<(), Error> {
    let rule = if allowed { policy::TYPE_ACCESS_ADD } else { policy::TYPE_ACCESS_REMOVE };
    cx.caller.check(rule)?;
    let row = VolumeType::clone(get_type(txn, cx.caller, id)?);
    if row.is_public {
        return Err(Error::request(
            "Type access modification is not applicable to public volume type.",
        ));
    }
    let has = txn.get::<TypeAccess>((row.id, project)).is_some();
    if allowed && has {
        let text =
            format!("Volume type access for {} / {project} combination already exists.", row.id);
        return Err(Error::Conflict(text.into()));
    }
    if !allowed && !has {
        let (volume_type, project) = (row.id.to_string().into(), project.into());
        return Err(Missing::TypeAccess { volume_type, project }.into());
    }
    if allowed {
        let (volume_type_id, project_id) = (row.id, project.into());
        txn.upsert::<TypeAccess>(TypeAccess { volume_type_id, project_id })?;
    } else {
        txn.delete::<TypeAccess>((row.id, project))?;
    }
    write_type(txn, cx.now, row)
}

/// Sets the encryption of a type's volumes. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 if it is set already, or volumes have the type.
// Cinder: cinder/api/contrib/volume_type_encryption.py, VolumeTypeEncryptionController.create.
pub fn set_encryption(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    encryption: Encryption,
) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_ENCRYPTION_CREATE)?;
    let mut row = VolumeType::clone(get_type(txn, cx.caller, id)?);
    if row.encryption.is_some() {
        let id = row.id;
        return Err(Error::request(format!(
            "Volume type encryption for type {id} already exists."
        )));
    }
    check_encryption(txn, &row, "create")?;
    row.encryption = Some(encryption);
    write_type(txn, cx.now, row)
}

fn check_encryption(view: &impl ReadView, row: &VolumeType, verb: &str) -> Result<(), Error> {
    // A volume with a pending retype would get the type after its own request was checked.
    if has_volumes(view, row.id) || has_pending_retype(view, row.id) {
        return Err(Error::request(format!("Cannot {verb} encryption specs. Volume type in use.")));
    }
    Ok(())
}

/// A change of a type's encryption. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionChange {
    /// The encryption provider.
    pub provider: Option<Box<str>>,
    /// `front-end` or `back-end`.
    pub control_location: Option<Box<str>>,
    /// The cipher.
    pub cipher: Option<Box<str>>,
    /// The key size in bits.
    pub key_size: Option<i64>,
}

/// Updates the encryption of a type. Admins only.
///
/// # Errors
/// As [`delete_encryption`].
pub fn update_encryption(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    change: EncryptionChange,
) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_ENCRYPTION_UPDATE)?;
    let mut row = VolumeType::clone(get_type(txn, cx.caller, id)?);
    check_encryption(txn, &row, "update")?;
    let Some(own) = row.encryption.as_mut() else {
        return Err(Missing::Encryption { volume_type: row.id.to_string().into() }.into());
    };
    own.provider = change.provider.unwrap_or_else(|| own.provider.clone());
    own.control_location = change.control_location.unwrap_or_else(|| own.control_location.clone());
    own.cipher = change.cipher.or_else(|| own.cipher.take());
    own.key_size = change.key_size.or(own.key_size);
    own.updated_at = Some(cx.now);
    write_type(txn, cx.now, row)
}

/// Deletes the encryption of a type. Admins only.
///
/// # Errors
/// [`Missing::Encryption`], or [`Error`] with the status 400 while volumes have the type.
pub fn delete_encryption(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_ENCRYPTION_DELETE)?;
    let mut row = VolumeType::clone(get_type(txn, cx.caller, id)?);
    check_encryption(txn, &row, "delete")?;
    if row.encryption.take().is_none() {
        return Err(Missing::Encryption { volume_type: row.id.to_string().into() }.into());
    }
    write_type(txn, cx.now, row)
}

/// Sets the type of a project's volumes that are created without one; `None` removes it. Admins
/// only.
///
/// # Errors
/// [`Error`] with the status 400 if the type does not exist.
// Cinder: cinder/api/v3/default_types.py, DefaultTypesController.
pub fn set_default_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    project: &str,
    volume_type: Option<&str>,
) -> Result<(), Error> {
    let rule = match volume_type {
        Some(_) => policy::DEFAULT_TYPE,
        None => policy::DEFAULT_TYPE_UNSET,
    };
    check_default_policy(cx, rule, project)?;
    let Some(volume_type) = volume_type else {
        txn.delete::<DefaultType>(project)?;
        return Ok(());
    };
    let found = find_type(txn, cx.caller, volume_type);
    // The reference answers 400 here, not 404, because the type is part of the body.
    let volume_type_id = found.map_err(|error| Error::request(error.to_string()))?.id;
    let project_id = project.into();
    txn.upsert::<DefaultType>(DefaultType { project_id, volume_type_id })?;
    Ok(())
}

fn check_default_policy(cx: &Context<'_>, rule: Rule, project: &str) -> Result<(), Error> {
    const SINCE: u16 = 62;
    if !cx.version.at_least(SINCE) {
        return Err(Missing::Operation.into());
    }
    cx.caller.check_in(rule, project)
}

/// Returns a project's default type, if one is set. Admins only.
///
/// # Errors
/// [`Missing::DefaultType`].
pub fn find_default_type<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    project: &str,
) -> Result<&'v Entry<DefaultType>, Error> {
    check_default_policy(cx, policy::DEFAULT_TYPE_GET, project)?;
    let row = view.get::<DefaultType>(project);
    Ok(row.ok_or_else(|| Missing::DefaultType(project.into()))?)
}

/// Returns the default types of all projects. Admins only.
///
/// # Errors
/// [`Error::Policy`].
pub fn default_types<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
) -> Result<impl Iterator<Item = &'v Entry<DefaultType>>, Error> {
    check_default_policy(cx, policy::DEFAULT_TYPE_GET_ALL, &cx.caller.project)?;
    Ok(view.scan::<DefaultType>(&KeyRange::all(), Order::Ascending))
}
