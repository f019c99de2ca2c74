//! What a list request asks for: the page, the order, the filters.

use uuid::Uuid;

use super::{Listed, allowed::Key, condition::Condition, sort::Sort};
use crate::{
    caller::Caller, error::Error, id::parse_id, schema::boolean_text, version::Microversion,
    view::is_shown,
};

/// The most rows of one page; more are not refused but not given either.
pub const PAGE_ROWS_MAX: usize = 1000;

/// The greatest offset.
const OFFSET_MAX: i64 = 2_147_483_647;

/// From this version on lists tell how many rows there are in all.
const COUNT_SINCE: u16 = 45;

/// From this version on `bootable` has to be a boolean.
const BOOTABLE_SINCE: u16 = 2;

/// From this version on times are compared with operators.
const TIMES_SINCE: u16 = 60;

/// A list request, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ListRequest {
    /// Rows of this project alone; none is all projects.
    pub(super) project: Option<Box<str>>,
    pub(super) limit: usize,
    pub(super) offset: usize,
    pub(super) marker: Option<Marker>,
    pub(super) sort: Sort,
    pub(super) conditions: Vec<Condition>,
    pub(super) with_count: bool,
    pub(super) sees_all: bool,
    filter: Option<Box<str>>,
}

/// The row after which a page begins, as it was sent and as an ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) text: Box<str>,
    pub(super) id: Option<Uuid>,
}

impl ListRequest {
    /// Reads the parameters of a list of `T`, decoded and in their order.
    ///
    /// # Errors
    /// [`Error`] with the status 400 or 403.
    pub fn parse<T: Listed>(
        parameters: &[(String, String)],
        caller: &Caller,
        version: Microversion,
    ) -> Result<Self, Error> {
        caller.check(T::RULE)?;
        check_doubled(parameters)?;
        let counts = T::COUNTED && version.at_least(COUNT_SINCE);
        let get = |name: &str| {
            parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value)
        };
        let limit = match get("limit") {
            None => PAGE_ROWS_MAX,
            Some(text) => whole(text, "limit")?.min(PAGE_ROWS_MAX),
        };
        let offset = offset(get("offset"))?;
        let sort = Sort::parse::<T>(get("sort"), (get("sort_key"), get("sort_dir")), version)?;
        let flag = |name: &'static str| match get(name) {
            None => Ok(false),
            Some(text) => boolean_text(text)
                .ok_or_else(|| Error::input(format!("Invalid value '{text}' for '{name}'."))),
        };
        let with_count = counts && flag("with_count")?;
        let all_tenants = caller.is_admin() && flag("all_tenants")?;
        let taken = |key: &str| {
            matches!(
                key,
                "limit"
                    | "offset"
                    | "marker"
                    | "sort"
                    | "sort_key"
                    | "sort_dir"
                    | "all_tenants"
                    | "filter"
            ) || (counts && key == "with_count")
        };
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (key, value) in parameters.iter().filter(|(key, _)| !taken(key)) {
            keys.push(key.as_str());
            values.push(value.as_str());
        }
        let mut project = (!all_tenants).then(|| caller.project.clone());
        let mut conditions = Vec::new();
        for (key, value) in T::FILTERS.take(&keys, caller, version)?.into_iter().zip(values) {
            match key {
                Key::Dropped => {}
                Key::Equal("project_id" | "tenant_id") if all_tenants => {
                    project = Some(value.into());
                }
                Key::Equal(key) => {
                    let mut condition = condition(key, value, version)?;
                    if key == "extra_specs" && !caller.is_admin() {
                        // Or members could find out what they may not see.
                        condition.restrict(is_shown);
                    }
                    conditions.push(condition);
                }
                Key::Like(key) => conditions.push(Condition::like(key, value)),
            }
        }
        let marker = get("marker").map(|text| Marker { text: text.into(), id: parse_id(text) });
        let filter = get("filter").map(Box::from);
        let sees_all = false;
        Ok(Self { project, limit, offset, marker, sort, conditions, with_count, sees_all, filter })
    }

    /// States whether the caller of [`list()`](super::list()) sees all rows that the request selects, so that
    /// `visible` returns `true` for each: rows can then be counted and left out without a look at them.
    #[must_use]
    pub fn seeing_all(self, sees_all: bool) -> Self {
        Self { sees_all, ..self }
    }

    /// The text of the parameter `filter`, to be compiled by whoever keeps compiled filters.
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }
}

fn condition(key: &str, value: &str, version: Microversion) -> Result<Condition, Error> {
    Ok(match key {
        "metadata" | "glance_metadata" | "extra_specs" => Condition::pairs(key, value),
        "created_at" | "updated_at" if version.at_least(TIMES_SINCE) => {
            Condition::times(key, value)?
        }
        "host" | "cluster_name" => Condition::host(key, value),
        "bootable" => {
            let strict = version.at_least(BOOTABLE_SINCE);
            match (boolean_text(value), value) {
                (Some(value), _) if strict => Condition::bool(key, value),
                (None, _) if strict => {
                    return Err(Error::input(format!("'bootable = {value}'")));
                }
                (_, "False" | "false" | "FALSE") => Condition::bool(key, false),
                _ => Condition::bool(key, true),
            }
        }
        _ => Condition::equal(key, value),
    })
}

/// Refuses a parameter that is sent twice: one of its values would count and the other not.
///
/// The reference takes one of them as a filter, and refuses it in these words.
fn check_doubled(parameters: &[(String, String)]) -> Result<(), Error> {
    let mut doubled: Vec<&str> = Vec::new();
    for (at, (key, _)) in parameters.iter().enumerate() {
        let earlier = parameters.iter().take(at).any(|(other, _)| other == key);
        if earlier && !doubled.contains(&key.as_str()) {
            doubled.push(key);
        }
    }
    if doubled.is_empty() {
        return Ok(());
    }
    let keys = doubled.join(",");
    Err(Error::request(format!("Invalid filters {keys} are found in query options.")))
}

/// Reads an integer. One beyond 64 bits is the largest or the smallest of them: the reference's
/// integers have no end, so a caller that means "all" may send any.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(beyond))
}

fn whole(text: &str, name: &str) -> Result<usize, Error> {
    let number =
        integer(text).ok_or_else(|| Error::request(format!("{name} param must be an integer")))?;
    usize::try_from(number).map_err(|_| Error::request(format!("{name} param must be positive")))
}

fn offset(text: Option<&str>) -> Result<usize, Error> {
    let Some(text) = text else { return Ok(0) };
    let number = integer(text).ok_or_else(|| Error::request("offset param must be an integer"))?;
    if number > OFFSET_MAX {
        return Err(Error::request(format!("offset must be <= {OFFSET_MAX}")));
    }
    usize::try_from(number).map_err(|_| Error::request("offset must be >= 0"))
}
