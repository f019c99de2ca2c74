//! List requests: the page, the order and the filters.

use uuid::Uuid;

use super::{ListResource, allowed::FilterKey, condition::Condition, sort::Sort};
use crate::{
    caller::Caller, errors::Error, id::parse_id, schema::boolean_text, version::Microversion,
    view::is_shown,
};

/// Maximum number of rows of a page. A larger `limit` is reduced to it, not rejected.
// Cinder: cinder/api/common.py, the option `osapi_max_limit`; _get_limit_param.
pub const PAGE_ROWS_MAX: usize = 1000;

/// Maximum offset.
// Cinder: cinder/api/common.py, _get_offset_param.
const OFFSET_MAX: i64 = 2_147_483_647;

/// First version whose lists return the number of all rows on request.
const COUNT_SINCE: u16 = 45;

/// First version that requires a boolean for `bootable`.
const BOOTABLE_SINCE: u16 = 2;

/// First version that compares times with operators.
const TIMES_SINCE: u16 = 60;

/// First version that filters by `consumes_quota`, and requires a boolean for it.
// Cinder: cinder/api/microversions.py, USE_QUOTA.
const QUOTA_SINCE: u16 = 65;

/// A validated list request.
#[derive(Clone, Debug, PartialEq)]
pub struct ListRequest {
    /// Selects rows of this project; none is all projects.
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

/// The row after which a page begins: the parameter, and the ID that it parses to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) text: Box<str>,
    pub(super) id: Option<Uuid>,
}

impl ListRequest {
    /// Parses the parameters of a list of `T`, which are decoded and in the order of the query.
    ///
    /// # Errors
    /// [`Error`] with the status 400 or 403.
    pub fn parse<T: ListResource>(
        parameters: &[(String, String)],
        caller: &Caller,
        version: Microversion,
    ) -> Result<Self, Error> {
        caller.check(T::RULE)?;
        check_repeated(parameters)?;
        let counts = T::COUNTED && version.at_least(COUNT_SINCE);
        // The last value counts, as in the reference's query dictionaries.
        let get = |name: &str| {
            parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| &**value)
        };
        let limit = match get("limit") {
            None => PAGE_ROWS_MAX,
            Some(text) => parse_non_negative(text, "limit")?.min(PAGE_ROWS_MAX),
        };
        let offset = parse_offset(get("offset"))?;
        let sort = Sort::parse::<T>(get("sort"), (get("sort_key"), get("sort_dir")), version)?;
        // A non-boolean value is rejected only where the flag has a meaning: `all_tenants` of a
        // member has none.
        let with_count = counts && get("with_count").map_or(Ok(false), count_flag)?;
        let all_tenants =
            caller.is_admin() && get("all_tenants").map_or(Ok(false), T::ALL_PROJECTS.reader())?;
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
        for (key, value) in T::FILTERS.resolve(&keys, caller, version)?.into_iter().zip(values) {
            match key {
                FilterKey::Ignored => {}
                FilterKey::Equal("project_id" | "tenant_id") if all_tenants => {
                    project = Some(value.into());
                }
                FilterKey::Equal(key) => {
                    let mut condition = parse_condition::<T>(key, value, version)?;
                    if key == "extra_specs" && !caller.is_admin() {
                        // Otherwise a member could probe for specs that are hidden from members.
                        condition.restrict(is_shown);
                    }
                    conditions.push(condition);
                }
                FilterKey::Like(key) => conditions.push(Condition::like(key, value)),
            }
        }
        let marker = get("marker").map(|text| Marker { text: text.into(), id: parse_id(text) });
        let filter = get("filter").map(Box::from);
        let sees_all = false;
        Ok(Self { project, limit, offset, marker, sort, conditions, with_count, sees_all, filter })
    }

    /// Sets whether the caller of [`list()`](super::list()) sees all rows that the request selects,
    /// so that `visible` returns `true` for each. Such rows can be counted and skipped without
    /// being read.
    #[must_use]
    pub fn seeing_all(self, sees_all: bool) -> Self {
        Self { sees_all, ..self }
    }

    /// Returns the parameter `filter`, uncompiled, so that callers can cache compiled filters.
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }
}

/// Parses a boolean of a query, whose case does not count.
pub fn parse_flag(text: &str) -> Option<bool> {
    boolean_text(&text.to_ascii_lowercase())
}

fn count_flag(text: &str) -> Result<bool, Error> {
    named_flag("with_count", text)
}

/// Parses a boolean of a query; the refusal names its parameter.
///
/// # Errors
/// [`Error`] with the status 400.
// Cinder: cinder/utils.py, get_bool_param.
pub fn named_flag(name: &str, text: &str) -> Result<bool, Error> {
    parse_flag(text)
        .ok_or_else(|| Error::request(format!("Value '{text}' for '{name}' is not a boolean.")))
}

/// The reading of `all_tenants`, which the lists of the reference differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllProjects {
    /// Another value than a boolean is refused, as a parameter is.
    Strict,
    /// Another value is refused in the words of backups.
    Backups,
    /// Another value is false.
    Loose,
}

impl AllProjects {
    fn reader(self) -> fn(&str) -> Result<bool, Error> {
        match self {
            Self::Strict => |text| named_flag("all_tenants", text),
            // Cinder: cinder/backup/api.py, API.get_all.
            Self::Backups => |text| {
                parse_flag(text).ok_or_else(|| {
                    Error::request(format!("all_tenants must be a boolean, got '{text}'."))
                })
            },
            Self::Loose => |text| Ok(parse_flag(text).unwrap_or(false)),
        }
    }
}

fn parse_condition<T: ListResource>(
    key: &str,
    value: &str,
    version: Microversion,
) -> Result<Condition, Error> {
    // A list that has no such filter compares the column with the text, as with that of any other key.
    let known = T::FILTERS.keys.contains(&key);
    Ok(match key {
        "metadata" | "glance_metadata" | "extra_specs" => Condition::pairs(key, value),
        "created_at" | "updated_at" if known && version.at_least(TIMES_SINCE) => {
            Condition::times(key, value)?
        }
        // Admins may compare the column before the filter came.
        // Cinder: cinder/api/common.py, process_general_filtering renames the filter.
        "consumes_quota" if known && version.at_least(QUOTA_SINCE) => {
            Condition::bool(key, named_flag("use_quota", value)?)
        }
        "host" | "cluster_name" => Condition::host(key, value),
        "bootable" if known => {
            let strict = version.at_least(BOOTABLE_SINCE);
            // Before 3.2 every value but these three spellings means true. Cinder:
            // cinder/volume/api.py, API._check_boolean_filter_value.
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

/// Rejects a repeated parameter, because only one of its values would take effect.
///
/// The reference takes one of them for a filter, and rejects it with this message.
fn check_repeated(parameters: &[(String, String)]) -> Result<(), Error> {
    let mut repeated: Vec<&str> = Vec::new();
    for (at, (key, _)) in parameters.iter().enumerate() {
        let earlier = parameters.iter().take(at).any(|(other, _)| other == key);
        if earlier && !repeated.contains(&key.as_str()) {
            repeated.push(key);
        }
    }
    if repeated.is_empty() {
        return Ok(());
    }
    let keys = repeated.join(",");
    Err(Error::request(format!("Invalid filters {keys} are found in query options.")))
}

/// Parses an integer. One beyond 64 bits becomes the largest or smallest of them: integers of the
/// reference are unbounded, so a client that means "all" may send any.
fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(beyond))
}

fn parse_non_negative(text: &str, name: &str) -> Result<usize, Error> {
    let number = parse_integer(text)
        .ok_or_else(|| Error::request(format!("{name} param must be an integer")))?;
    usize::try_from(number).map_err(|_| Error::request(format!("{name} param must be positive")))
}

fn parse_offset(text: Option<&str>) -> Result<usize, Error> {
    let Some(text) = text else { return Ok(0) };
    let number = parse_integer(text).ok_or_else(|| Error::request("offset must be an integer"))?;
    if number > OFFSET_MAX {
        return Err(Error::request(format!("offset must be <= {OFFSET_MAX}")));
    }
    usize::try_from(number).map_err(|_| Error::request("offset must be >= 0"))
}
