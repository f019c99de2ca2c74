//! Volume types: what kinds of volumes there are, and who may use them.

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

/// The type that a client calls `text`, by ID or by name, if the caller may use it.
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

/// The type that a client calls by its ID `text`, if the caller may use it.
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

/// The type of volumes that a project makes without naming one.
///
/// # Errors
/// [`Error::NoDefaultType`] when the cloud isn't set up.
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

/// Creates the type of volumes that name none, with the ID `id`, unless it exists. Returns whether it
/// was created.
///
/// Corrects volumes that an earlier release marked as encrypted although it had no key for them: their
/// data was never encrypted, and `encrypted` must not claim that it is. Moves access to types to rows of its own. Counts the totals of volumes and the
/// usage of quota anew, because directories of earlier releases have no totals.
///
/// Cost: looks at all volumes, snapshots, backups and groups.
///
/// # Errors
/// [`Error::Store`].
pub fn bootstrap(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    id: Uuid,
) -> Result<bool, Error> {
    withdraw_encryption(txn, now)?;
    move_access(txn)?;
    totals::restore_totals(txn)?;
    quota::restore_usage(txn, config)?;
    if txn.find(&VolumeType::BY_NAME, &config.default_type).is_some() {
        return Ok(false);
    }
    let spec = TypeSpec { name: config.default_type.clone(), ..TypeSpec::default() };
    txn.upsert::<VolumeType>(spec.into_row(id, now))?;
    Ok(true)
}

/// Gives the projects that may use a type rows of their own, where a row of an earlier release has them.
fn move_access(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
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

/// Marks volumes without a key as not encrypted.
fn withdraw_encryption(txn: &mut WriteTxn<'_>, now: i64) -> Result<(), Error> {
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

/// A volume type as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSpec {
    /// Its name.
    pub name: Box<str>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: bool,
    /// What its volumes have to be like.
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

/// Makes a type with the ID `id`. Admins only.
///
/// # Errors
/// [`Error`]; [`Error::Conflict`] when there is one of this name.
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
    if yes(MULTIATTACH) && yes("cacheable") {
        return Err(Error::request(
            "Multiattach cannot be set with cacheable extra spec on the same volume type.",
        ));
    }
    Ok(())
}

/// What is to be changed of a type. What is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeChange {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Option<Box<str>>>,
    /// Whether all projects may use it.
    pub is_public: Option<bool>,
}

/// Changes a type. Admins only. Quotas of the type go by its new name.
///
/// # Errors
/// [`Error`] with the status 400, 404 or 409.
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
    write(txn, cx.now, row)
}

fn write(txn: &mut WriteTxn<'_>, now: i64, mut row: VolumeType) -> Result<(), Error> {
    row.updated_at = Some(now);
    txn.upsert::<VolumeType>(row)?;
    Ok(())
}

fn in_use(view: &impl ReadView, id: Uuid) -> bool {
    let range = KeyRange::exact(id);
    view.scan_by(&Volume::BY_OF_TYPE, &range, Order::Ascending).next().is_some()
}

/// Whether a volume is about to get a type.
fn is_awaited(view: &impl ReadView, id: Uuid) -> bool {
    view.scan::<WorkItem>(&KeyRange::all(), Order::Ascending).any(
        |item| matches!(item.task, Task::RetypeVolume { volume_type, .. } if volume_type == id),
    )
}

/// Deletes a type, with its limits. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 when volumes have the type, or it is a default, or the last one.
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
    if grouped || in_use(txn, row.id) || is_awaited(txn, row.id) {
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

/// Adds to what the volumes of a type have to be like. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 when volumes have the type.
pub fn set_extra_specs(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    specs: Pairs,
) -> Result<(), Error> {
    put_specs(txn, cx, policy::TYPE_SPEC_CREATE, id, specs)
}

/// Like [`set_extra_specs`], for callers that may change extra specs.
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
    let mut row = specs_of(txn, cx, rule, id)?;
    row.extra_specs.extend(specs);
    check_specs(&row.extra_specs)?;
    write(txn, cx.now, row)
}

/// What the volumes of a type have to be like in one respect.
///
/// # Errors
/// [`Missing::VolumeType`] or [`Missing::ExtraSpec`], the latter also for what the caller may not see.
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

/// Takes away something that the volumes of a type had to be like. Admins only.
///
/// # Errors
/// As [`set_extra_specs`], and [`Missing::ExtraSpec`].
pub fn delete_extra_spec(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    key: &str,
) -> Result<(), Error> {
    let mut row = specs_of(txn, cx, policy::TYPE_SPEC_DELETE, id)?;
    if row.extra_specs.remove(key).is_none() {
        let volume_type = row.id.to_string().into();
        return Err(Missing::ExtraSpec { volume_type, key: key.into() }.into());
    }
    write(txn, cx.now, row)
}

fn specs_of(
    view: &impl ReadView,
    cx: &Context<'_>,
    rule: Rule,
    id: &str,
) -> Result<VolumeType, Error> {
    cx.caller.check(rule)?;
    let row = VolumeType::clone(get_type(view, cx.caller, id)?);
    if in_use(view, row.id) {
        return Err(Error::request("Volume Type is currently in use."));
    }
    Ok(row)
}

/// Returns the projects that may use a private type, in their order. Admins only.
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

/// Lets a project use a private type, or no longer. Admins only.
///
/// # Errors
/// [`Error`]: 400 for a public type, 409 for one that has access already, 404 for one that has none.
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
    write(txn, cx.now, row)
}

/// Says how the volumes of a type are encrypted, from then on. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 when it is said already, or volumes have the type.
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
    write(txn, cx.now, row)
}

fn check_encryption(view: &impl ReadView, row: &VolumeType, verb: &str) -> Result<(), Error> {
    // A volume that waits for the type would get it after the check of its own request.
    if in_use(view, row.id) || is_awaited(view, row.id) {
        return Err(Error::request(format!("Cannot {verb} encryption specs. Volume type in use.")));
    }
    Ok(())
}

/// What is to be changed in how the volumes of a type are encrypted; what is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionChange {
    /// What encrypts.
    pub provider: Option<Box<str>>,
    /// Where: `front-end` or `back-end`.
    pub control_location: Option<Box<str>>,
    /// The cipher.
    pub cipher: Option<Box<str>>,
    /// The size of keys in bits.
    pub key_size: Option<i64>,
}

/// Changes how the volumes of a type are encrypted, from then on. Admins only.
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
    write(txn, cx.now, row)
}

/// Forgets how the volumes of a type are encrypted. Admins only.
///
/// # Errors
/// [`Missing::Encryption`], or [`Error`] with the status 400 when volumes have the type.
pub fn delete_encryption(txn: &mut WriteTxn<'_>, cx: &Context<'_>, id: &str) -> Result<(), Error> {
    cx.caller.check(policy::TYPE_ENCRYPTION_DELETE)?;
    let mut row = VolumeType::clone(get_type(txn, cx.caller, id)?);
    check_encryption(txn, &row, "delete")?;
    if row.encryption.take().is_none() {
        return Err(Missing::Encryption { volume_type: row.id.to_string().into() }.into());
    }
    write(txn, cx.now, row)
}

/// Sets the type of volumes that a project makes without naming one; with none, forgets it. Admins
/// only.
///
/// # Errors
/// [`Error`] with the status 400 for a type that doesn't exist.
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
    check_default(cx, rule, project)?;
    let Some(volume_type) = volume_type else {
        txn.delete::<DefaultType>(project)?;
        return Ok(());
    };
    let found = find_type(txn, cx.caller, volume_type);
    let volume_type_id = found.map_err(|error| Error::request(error.to_string()))?.id;
    let project_id = project.into();
    txn.upsert::<DefaultType>(DefaultType { project_id, volume_type_id })?;
    Ok(())
}

fn check_default(cx: &Context<'_>, rule: Rule, project: &str) -> Result<(), Error> {
    const SINCE: u16 = 62;
    if !cx.version.at_least(SINCE) {
        return Err(Missing::Operation.into());
    }
    cx.caller.check_in(rule, project)
}

/// The type of volumes that a project makes without naming one, if one was set for it. Admins only.
///
/// # Errors
/// [`Missing::DefaultType`].
pub fn find_default_type<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    project: &str,
) -> Result<&'v Entry<DefaultType>, Error> {
    check_default(cx, policy::DEFAULT_TYPE_GET, project)?;
    let row = view.get::<DefaultType>(project);
    Ok(row.ok_or_else(|| Missing::DefaultType(project.into()))?)
}

/// All projects for which a default type was set. Admins only.
///
/// # Errors
/// [`Error::Policy`].
pub fn default_types<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
) -> Result<impl Iterator<Item = &'v Entry<DefaultType>>, Error> {
    check_default(cx, policy::DEFAULT_TYPE_GET_ALL, &cx.caller.project)?;
    Ok(view.scan::<DefaultType>(&KeyRange::all(), Order::Ascending))
}
