//! Quota sets: the limits that clients read and set.
//!
//! Cinder: `cinder/api/contrib/quotas.py` and `quota_classes.py`.

use serde::{Serialize, ser::SerializeMap as _};
use serde_json::{Map, Value};
use statehold_store::{KeyRange, Order, ReadView, Table as _, WriteTxn};
use uuid::Uuid;

use super::usage::{Usage, class_limit, quota_limit, quota_resources, quota_usage};
use crate::{
    caller::{Caller, policy},
    config::Config,
    errors::Error,
    input::quota::{CLASS_LIMITS, QUOTA_CLASS_SET, QUOTA_SET},
    rows::{QuotaClassLimit, QuotaLimit, QuotaResource},
    schema::{SIZE_GIB_MAX, format::integer, parse_member},
    version::Microversion,
};

/// The limits of a project or class, and the usage if requested, by resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSet {
    id: Option<Box<str>>,
    limits: Vec<(String, i64, Option<Usage>)>,
}

/// A limit with its usage.
#[derive(Serialize)]
struct Used {
    limit: i64,
    in_use: i64,
    reserved: i64,
}

impl Serialize for QuotaSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, limit, usage) in &self.limits {
            match usage {
                None => map.serialize_entry(name, limit)?,
                Some(Usage { in_use, reserved }) => {
                    let used = Used { limit: *limit, in_use: *in_use, reserved: *reserved };
                    map.serialize_entry(name, &used)?;
                }
            }
        }
        if let Some(id) = &self.id {
            map.serialize_entry("id", id)?;
        }
        map.end()
    }
}

impl QuotaSet {
    /// Returns the limits of a project, with its usage if `usage` is set.
    ///
    /// # Errors
    /// [`Error::Policy`] for another project, unless the caller is an admin.
    pub fn of_project(
        view: &impl ReadView,
        config: &Config,
        caller: &Caller,
        project: &str,
        usage: bool,
    ) -> Result<Self, Error> {
        caller.check_in(policy::QUOTA_SHOW, project)?;
        let limits = quota_resources(view)
            .into_iter()
            .map(|resource| {
                let limit = quota_limit(view, config, project, resource);
                let used = usage.then(|| quota_usage(view, config, project, resource));
                (resource.name(view), limit, used)
            })
            .collect();
        Ok(Self { id: Some(project.into()), limits })
    }

    /// Returns the limits of projects without limits of their own.
    ///
    /// # Errors
    /// As [`QuotaSet::of_project`].
    pub fn defaults(
        view: &impl ReadView,
        config: &Config,
        caller: &Caller,
        project: &str,
    ) -> Result<Self, Error> {
        caller.check_in(policy::QUOTA_SHOW, project)?;
        Ok(Self { id: Some(project.into()), ..Self::class(view, config, super::DEFAULT_CLASS) })
    }

    /// Returns the limits of a class of projects.
    ///
    /// # Errors
    /// [`Error::Policy`].
    pub fn of_class(
        view: &impl ReadView,
        config: &Config,
        caller: &Caller,
        class: &str,
    ) -> Result<Self, Error> {
        caller.check(policy::QUOTA_CLASS_GET)?;
        Ok(Self { id: Some(class.into()), ..Self::class(view, config, class) })
    }

    fn class(view: &impl ReadView, config: &Config, class: &str) -> Self {
        let limits = quota_resources(view)
            .into_iter()
            .map(|resource| (resource.name(view), class_limit(view, config, class, resource), None))
            .collect();
        Self { id: None, limits }
    }

    /// Returns the set without its ID, for responses to updates.
    #[must_use]
    pub fn without_id(self) -> Self {
        Self { id: None, ..self }
    }
}

/// Returns the limits of a body, by resource.
fn limits(
    view: &impl ReadView,
    members: &Map<String, Value>,
    called: &str,
    read: impl Fn(&str, &Value) -> Result<i64, Error>,
) -> Result<Vec<(QuotaResource, i64)>, Error> {
    let known: Vec<_> =
        quota_resources(view).into_iter().map(|resource| (resource.name(view), resource)).collect();
    let (mut limits, mut unknown) = (Vec::new(), Vec::new());
    for (name, value) in members {
        match known.iter().find(|(known, _)| known == name) {
            Some((_, resource)) => limits.push((*resource, read(name, value)?)),
            None => unknown.push(name.as_str()),
        }
    }
    if !unknown.is_empty() {
        return Err(Error::input(format!("Bad key(s) in {called}: {}", unknown.join(", "))));
    }
    Ok(limits)
}

/// Reads a limit of a project as Python's `int` does.
// Cinder: cinder/api/api_utils.py, validate_integer.
fn project_limit(name: &str, value: &Value) -> Result<i64, Error> {
    const MAX: i64 = SIZE_GIB_MAX as i64;
    let limit = match value {
        Value::String(text) => integer(text),
        value => value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)),
    };
    match limit {
        None => Err(Error::request(format!("{name} must be an integer"))),
        Some(..-1) => Err(Error::request(format!("{name} must be >= -1"))),
        Some(limit) => i64::try_from(limit)
            .ok()
            .filter(|limit| *limit <= MAX)
            .ok_or_else(|| Error::request(format!("{name} must be <= {MAX}"))),
    }
}

/// Sets limits of a project from the body of a request.
///
/// # Errors
/// [`Error`] with the status 400 or 403, such as for a limit below the usage.
pub fn set_quotas(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    caller: &Caller,
    project: &str,
    body: &[u8],
) -> Result<(), Error> {
    caller.check_in(policy::QUOTA_UPDATE, project)?;
    let mut members = parse_member(body, "quota_set", &QUOTA_SET, Microversion::MAX)?.0;
    // Clients return the set that they read, with the ID of the project.
    members.retain(|name, _| name != "tenant_id" && name != "id");
    let limits = limits(txn, &members, "quota set", project_limit)?;
    for &(resource, limit) in &limits {
        let Usage { in_use, reserved } = quota_usage(txn, config, project, resource);
        let used = in_use + reserved;
        // Cinder: cinder/api/contrib/quotas.py, QuotaSetsController._validate_existing_resource.
        if limit >= 0 && used > limit {
            let name = resource.name(txn);
            return Err(Error::request(format!(
                "Quota {name} limit must be equal or greater than existing resources. Current \
                 usage is {used} and the requested limit is {limit}."
            )));
        }
    }
    for (QuotaResource { kind, volume_type }, limit) in limits {
        let project_id = project.into();
        txn.upsert::<QuotaLimit>(QuotaLimit { project_id, kind, volume_type, limit })?;
    }
    Ok(())
}

/// Deletes the limits of a project, which returns to those of its class.
///
/// # Errors
/// [`Error::Policy`].
pub fn reset_quotas(txn: &mut WriteTxn<'_>, caller: &Caller, project: &str) -> Result<(), Error> {
    caller.check_in(policy::QUOTA_DELETE, project)?;
    QuotaLimit::BY_KEY.delete_range(txn, &QuotaLimit::BY_KEY.starting_with(project))?;
    Ok(())
}

/// Sets limits of a class from the body of a request.
///
/// # Errors
/// [`Error`] with the status 400 or 403.
pub fn set_class_quotas(
    txn: &mut WriteTxn<'_>,
    caller: &Caller,
    class: &str,
    body: &[u8],
) -> Result<(), Error> {
    caller.check(policy::QUOTA_CLASS_UPDATE)?;
    let members = parse_member(body, "quota_class_set", &QUOTA_CLASS_SET, Microversion::MAX)?.0;
    // Keys before values: Cinder reports an unknown key even if a value is invalid.
    limits(txn, &members, "quota class set", |_, _| Ok(0))?;
    let checked = Value::Object(members);
    CLASS_LIMITS.check("quota_class_set", &checked, Microversion::MAX)?;
    let Value::Object(members) = checked else { return Err(Error::MalformedBody) };
    let limits = limits(txn, &members, "quota class set", |name, value| {
        let limit = match value {
            // The pattern allows one newline at the end, as `$` of Python does.
            Value::String(text) => text.trim_end().parse().ok(),
            value => value.as_i64(),
        };
        limit.ok_or_else(|| Error::request(format!("{name} must be an integer")))
    })?;
    for (resource, limit) in limits {
        let QuotaResource { kind, volume_type } = resource;
        let class = class.into();
        txn.upsert::<QuotaClassLimit>(QuotaClassLimit { class, kind, volume_type, limit })?;
    }
    Ok(())
}

/// Deletes the limits and usage of a deleted volume type.
pub(crate) fn forget_type(txn: &mut WriteTxn<'_>, volume_type: Uuid) -> Result<(), Error> {
    use crate::rows::QuotaUsage;
    let range = KeyRange::<Uuid>::exact(volume_type);
    // The scans need a view of their own while the transaction deletes.
    let view = txn.freeze();
    for row in view.scan_by(&QuotaLimit::BY_OF_TYPE, &range, Order::Ascending) {
        txn.delete::<QuotaLimit>((&row.project_id, row.kind.as_str(), row.volume_type))?;
    }
    for row in view.scan_by(&QuotaClassLimit::BY_OF_TYPE, &range, Order::Ascending) {
        txn.delete::<QuotaClassLimit>((&row.class, row.kind.as_str(), row.volume_type))?;
    }
    for row in view.scan_by(&QuotaUsage::BY_OF_TYPE, &range, Order::Ascending) {
        txn.delete::<QuotaUsage>((&row.project_id, row.kind.as_str(), row.volume_type))?;
    }
    Ok(())
}
