//! Which filters callers may use, by resource and version.
//!
//! Members may use what the table below has: what else they send is passed over before 3.31 and
//! refused from then on. Admins may use any column, and what is none gives an empty list.

use serde::Serialize;

use crate::{caller::Caller, error::Error, version::Microversion};

/// From this version on members are told of filters that they may not use.
const REFUSED_SINCE: u16 = 31;

/// From this version on `key~=part` looks for a part.
const LIKE_SINCE: u16 = 34;

/// The filters of one resource.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AllowedFilters {
    /// What `/resource_filters` calls the resource.
    pub resource: &'static str,
    /// What members may filter by. A `~` after a key allows to look for a part of it.
    #[serde(rename = "filters")]
    pub keys: &'static [&'static str],
    /// Keys that are passed over for members before a version, by its minor number.
    #[serde(skip)]
    since: &'static [(&'static str, u16)],
    /// Keys that members may use only before the version from which the list above holds.
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

        /// What members may filter by, as `/resource_filters` tells it.
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

/// What resources without plain filters for members have.
pub(crate) const NONE: AllowedFilters =
    AllowedFilters { resource: "", keys: &[], since: &[], before: &[] };

/// How a filter's key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'k> {
    /// As the name of a column.
    Equal(&'k str),
    /// As the name of a column that has to hold a part.
    Like(&'k str),
    /// Not at all.
    Dropped,
}

impl AllowedFilters {
    /// Says how the keys of a request are taken, in their order.
    pub(super) fn take<'k>(
        &self,
        keys: &[&'k str],
        caller: &Caller,
        version: Microversion,
    ) -> Result<Vec<Key<'k>>, Error> {
        let strict = version.at_least(REFUSED_SINCE);
        if strict && keys.iter().any(|key| !key.is_ascii()) {
            return Err(refused(keys.iter().filter(|key| !key.is_ascii())));
        }
        if strict && !caller.is_admin() {
            let unknown: Vec<_> = keys.iter().filter(|key| !self.knows(key, version)).collect();
            if !unknown.is_empty() {
                return Err(refused(unknown.into_iter()));
            }
        }
        Ok(keys.iter().map(|key| self.kind(key, caller, version)).collect())
    }

    fn knows(&self, key: &str, version: Microversion) -> bool {
        match key.strip_suffix('~') {
            Some(_) => version.at_least(LIKE_SINCE) && self.keys.contains(&key),
            None => self.keys.contains(&key),
        }
    }

    fn kind<'k>(&self, key: &'k str, caller: &Caller, version: Microversion) -> Key<'k> {
        let column = match key.strip_suffix('~').filter(|_| version.at_least(LIKE_SINCE)) {
            Some(column) => Key::Like(column),
            None => Key::Equal(key),
        };
        if caller.is_admin() {
            return column;
        }
        let early =
            self.since.iter().any(|(late, minor)| *late == key && !version.at_least(*minor));
        let known = self.knows(key, version) || self.before.contains(&key);
        if early || !known { Key::Dropped } else { column }
    }
}

fn refused<'k>(keys: impl Iterator<Item = &'k &'k str>) -> Error {
    let keys: Vec<&str> = keys.copied().collect();
    Error::request(format!("Invalid filters {} are found in query options.", keys.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Role;

    #[test]
    fn members_are_told_from_3_31_on_and_admins_never() {
        let of = |role, key: &'static str, minor| {
            let caller = Caller { role, ..Caller::default() };
            VOLUME.take(&[key], &caller, Microversion::new(minor)).map(|keys| keys[0])
        };
        assert_eq!(of(Role::Member, "foo", 30), Ok(Key::Dropped));
        assert_eq!(of(Role::Admin, "foo", 30), Ok(Key::Equal("foo")));
        let refusal = of(Role::Member, "foo", 31).unwrap_err().to_string();
        assert_eq!(refusal, "Invalid filters foo are found in query options.");
        assert_eq!(of(Role::Admin, "foo", 31), Ok(Key::Equal("foo")));
        assert!(of(Role::Member, "name~", 33).is_err());
        assert_eq!(of(Role::Member, "name~", 34), Ok(Key::Like("name")));
        assert_eq!(of(Role::Admin, "name~", 33), Ok(Key::Equal("name~")));
        // Accepted, because the table has it, and passed over, because it came later.
        assert_eq!(of(Role::Member, "created_at", 59), Ok(Key::Dropped));
        assert_eq!(of(Role::Admin, "created_at", 59), Ok(Key::Equal("created_at")));
    }
}
