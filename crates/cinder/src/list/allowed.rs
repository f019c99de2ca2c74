//! The filters that callers may use, by resource and version.
//!
//! Members may use the filters of the table below: other keys are ignored before 3.31 and rejected
//! from then on. Admins may filter by any column; a filter by an unknown column selects nothing.

use serde::Serialize;

use crate::{caller::Caller, errors::Error, version::Microversion};

// Cinder: cinder/api/common.py, reject_invalid_filters; etc/cinder/resource_filters.json.
/// First version that rejects filters which a member may not use.
const REFUSED_SINCE: u16 = 31;

/// First version with `key~=part`, which matches a part of the value.
const LIKE_SINCE: u16 = 34;

/// The filters of one resource.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct AllowedFilters {
    /// The name of the resource in `/resource_filters`.
    pub resource: &'static str,
    /// The keys that members may filter by. A key with `~` allows matching a part.
    #[serde(rename = "filters")]
    pub keys: &'static [&'static str],
    /// Keys that are ignored for members before a version, by its minor number.
    #[serde(skip)]
    since: &'static [(&'static str, u16)],
    /// Keys that members may use only before 3.31.
    #[serde(skip)]
    before: &'static [&'static str],
}

macro_rules! allowed {
    ($($name:ident $resource:literal [$($key:literal)*] since [$($late:literal $minor:literal)*]
        before [$($early:literal)*])*) => {
        $(pub(crate) const $name: AllowedFilters = AllowedFilters {
            resource: $resource,
            keys: &[$($key),*],
            since: &[$(($late, $minor)),*],
            before: &[$($early),*],
        };)*

        /// The keys that members may filter by, as `/resource_filters` lists them.
        pub const RESOURCE_FILTERS: &[AllowedFilters] = &[$($name),*];
    };
}

allowed! {
    VOLUME "volume" [
        "name" "name~" "status" "metadata" "bootable" "migration_status" "availability_zone"
        "group_id" "size" "created_at" "updated_at" "consumes_quota"
    ] since ["group_id" 10 "created_at" 60 "updated_at" 60 "consumes_quota" 65 "glance_metadata" 4]
        before ["glance_metadata"]
    BACKUP "backup" ["name" "name~" "status" "volume_id"] since [] before []
    SNAPSHOT "snapshot" [
        "name" "name~" "status" "volume_id" "metadata" "availability_zone" "consumes_quota"
    ] since ["metadata" 22 "consumes_quota" 65] before []
    GROUP "group" ["name" "name~"] since [] before []
    GROUP_SNAPSHOT "group_snapshot" ["name" "name~" "status" "group_id"] since [] before []
    ATTACHMENT "attachment" ["volume_id" "status" "instance_id" "attach_status"] since [] before []
    MESSAGE "message" ["resource_uuid" "resource_type" "event_id" "request_id" "message_level"]
        since [] before []
    POOL "pool" ["name" "volume_type"] since [] before []
    VOLUME_TYPE "volume_type" ["is_public" "extra_specs"] since [] before []
}

/// The entry of resources that have no filters for members.
pub(crate) const NONE: AllowedFilters =
    AllowedFilters { resource: "", keys: &[], since: &[], before: &[] };

/// The interpretation of a filter's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterKey<'k> {
    /// Compares a column.
    Equal(&'k str),
    /// Matches a part of a column.
    Like(&'k str),
    /// Is ignored.
    Ignored,
}

impl AllowedFilters {
    /// Resolves the keys of a request, in their order.
    pub(super) fn resolve<'k>(
        &self,
        keys: &[&'k str],
        caller: &Caller,
        version: Microversion,
    ) -> Result<Vec<FilterKey<'k>>, Error> {
        let strict = version.at_least(REFUSED_SINCE);
        // Checked for admins as well, because the reference rejects such keys before it looks at
        // roles.
        let filtered = !self.resource.is_empty();
        if strict && filtered && keys.iter().any(|key| !key.is_ascii()) {
            return Err(Error::request("Filter keys can only contain ASCII characters."));
        }
        if strict && !caller.is_admin() {
            let unknown: Vec<_> = keys.iter().filter(|key| !self.accepts(key, version)).collect();
            if !unknown.is_empty() {
                return Err(invalid_filters(unknown.into_iter()));
            }
        }
        Ok(keys.iter().map(|key| self.resolve_key(key, caller, version)).collect())
    }

    fn accepts(&self, key: &str, version: Microversion) -> bool {
        match key.strip_suffix('~') {
            Some(_) => version.at_least(LIKE_SINCE) && self.keys.contains(&key),
            None => self.keys.contains(&key),
        }
    }

    fn resolve_key<'k>(
        &self,
        key: &'k str,
        caller: &Caller,
        version: Microversion,
    ) -> FilterKey<'k> {
        let column = match key.strip_suffix('~').filter(|_| version.at_least(LIKE_SINCE)) {
            Some(column) => FilterKey::Like(column),
            None => FilterKey::Equal(key),
        };
        if caller.is_admin() {
            return column;
        }
        // A member's key of a later version is ignored, not rejected: the reference deletes it from
        // the query.
        let early =
            self.since.iter().any(|(late, minor)| *late == key && !version.at_least(*minor));
        let known = self.accepts(key, version) || self.before.contains(&key);
        if early || !known { FilterKey::Ignored } else { column }
    }
}

fn invalid_filters<'k>(keys: impl Iterator<Item = &'k &'k str>) -> Error {
    let keys: Vec<&str> = keys.copied().collect();
    Error::request(format!("Invalid filters {} are found in query options.", keys.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Role;

    #[test]
    fn unknown_filters_are_rejected_for_members_since_3_31() {
        let of = |role, key: &'static str, minor| {
            let caller = Caller { role, ..Caller::default() };
            VOLUME.resolve(&[key], &caller, Microversion::new(minor)).map(|keys| keys[0])
        };
        assert_eq!(of(Role::Member, "foo", 30), Ok(FilterKey::Ignored));
        assert_eq!(of(Role::Admin, "foo", 30), Ok(FilterKey::Equal("foo")));
        let refusal = of(Role::Member, "foo", 31).unwrap_err().to_string();
        assert_eq!(refusal, "Invalid filters foo are found in query options.");
        assert_eq!(of(Role::Admin, "foo", 31), Ok(FilterKey::Equal("foo")));
        assert!(of(Role::Member, "name~", 33).is_err());
        assert_eq!(of(Role::Member, "name~", 34), Ok(FilterKey::Like("name")));
        assert_eq!(of(Role::Admin, "name~", 33), Ok(FilterKey::Equal("name~")));
        // Accepted, because the table has it, and ignored, because it came later.
        assert_eq!(of(Role::Member, "created_at", 59), Ok(FilterKey::Ignored));
        assert_eq!(of(Role::Admin, "created_at", 59), Ok(FilterKey::Equal("created_at")));
    }
}
