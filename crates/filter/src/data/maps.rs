//! [`Filterable`] for maps, and the types that can be their keys.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use crate::coerce::canonical_uuid;
use crate::datum::{Datum, Filterable, Map};
use crate::schema::{Key, KeyKind, Kind};

/// A type that can be the key of a map: strings, integers, bools, [`IpAddr`] and [`Uuid`].
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use statehold_filter::{Filter, Filterable};
///
/// #[derive(Filterable)]
/// struct Node {
///     ports: BTreeMap<u16, String>,
/// }
///
/// let filter = Filter::<Node>::compile("ports.8080 == http")?;
/// assert!(filter.matches(&Node { ports: BTreeMap::from([(8080, "http".to_owned())]) }));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub trait MapKey: Filterable + Sized {
    /// The kind that a selector's part is converted to.
    const KEY: KeyKind;

    /// Looks up a key in a hash map.
    fn in_hash<'m, V, S: BuildHasher>(map: &'m HashMap<Self, V, S>, key: &Key) -> Option<&'m V>
    where
        Self: Eq + Hash;

    /// Looks up a key in an ordered map.
    fn in_btree<'m, V>(map: &'m BTreeMap<Self, V>, key: &Key) -> Option<&'m V>
    where
        Self: Ord;
}

macro_rules! text_key {
    ($($type:ty),*) => {$(
        impl MapKey for $type {
            const KEY: KeyKind = KeyKind::Text;
            fn in_hash<'m, V, S: BuildHasher>(
                map: &'m HashMap<Self, V, S>,
                key: &Key,
            ) -> Option<&'m V> {
                let Key::Text(text) = key else { return None };
                map.get::<str>(text)
            }
            fn in_btree<'m, V>(map: &'m BTreeMap<Self, V>, key: &Key) -> Option<&'m V> {
                let Key::Text(text) = key else { return None };
                map.get::<str>(text)
            }
        }
    )*};
}

text_key!(String, &str, Box<str>, Rc<str>, Arc<str>, Cow<'_, str>);

/// Implements [`MapKey`] for types that are built from the looked-up key and compared as
/// themselves.
macro_rules! value_key {
    ($($type:ty => $kind:expr, |$key:ident| $own:expr;)*) => {$(
        impl MapKey for $type {
            const KEY: KeyKind = $kind;
            fn in_hash<'m, V, S: BuildHasher>(
                map: &'m HashMap<Self, V, S>,
                $key: &Key,
            ) -> Option<&'m V> {
                let own: Option<Self> = $own;
                map.get(&own?)
            }
            fn in_btree<'m, V>(map: &'m BTreeMap<Self, V>, $key: &Key) -> Option<&'m V> {
                let own: Option<Self> = $own;
                map.get(&own?)
            }
        }
    )*};
}

macro_rules! number_key {
    ($($type:ty => $kind:ident, $bits:expr;)*) => {
        value_key! {$(
            $type => KeyKind::$kind($bits), |key| match key {
                // A number too large for the type is a key that the map cannot have.
                Key::$kind(number) => Self::try_from(*number).ok(),
                _ => None,
            };
        )*}
    };
}

number_key! {
    i8 => Int, 8;
    i16 => Int, 16;
    i32 => Int, 32;
    i64 => Int, 64;
    isize => Int, 64;
    u8 => Uint, 8;
    u16 => Uint, 16;
    u32 => Uint, 32;
    u64 => Uint, 64;
    usize => Uint, 64;
}

value_key! {
    bool => KeyKind::Bool, |key| if let Key::Bool(own) = key { Some(*own) } else { None };
    IpAddr => KeyKind::Address, |key| address(key);
    Ipv4Addr => KeyKind::Address, |key| address(key);
    Ipv6Addr => KeyKind::Address, |key| address(key);
    Uuid => KeyKind::Uuid, |key| if let Key::Text(text) = key { canonical_uuid(text) } else { None };
}

/// Reads an address in any notation of the standard library.
fn address<A: FromStr>(key: &Key) -> Option<A> {
    let Key::Text(text) = key else { return None };
    text.parse().ok()
}

impl<K: MapKey + Eq + Hash, V: Filterable, S: BuildHasher> Map for HashMap<K, V, S> {
    fn len(&self) -> usize {
        Self::len(self)
    }
    fn key(&self) -> KeyKind {
        K::KEY
    }
    fn get(&self, key: &Key) -> Option<Datum<'_>> {
        K::in_hash(self, key).map(Filterable::datum)
    }
    fn any<'a>(&'a self, test: &mut dyn FnMut(Datum<'a>, Datum<'a>) -> bool) -> bool {
        self.iter().any(|(key, value)| test(key.datum(), value.datum()))
    }
}

impl<K: MapKey + Eq + Hash, V: Filterable, S: BuildHasher> Filterable for HashMap<K, V, S> {
    const KIND: Kind = Kind::Map(K::KEY, &V::KIND);
    fn datum(&self) -> Datum<'_> {
        Datum::Map(self)
    }
}

impl<K: MapKey + Ord, V: Filterable> Map for BTreeMap<K, V> {
    fn len(&self) -> usize {
        Self::len(self)
    }
    fn key(&self) -> KeyKind {
        K::KEY
    }
    fn get(&self, key: &Key) -> Option<Datum<'_>> {
        K::in_btree(self, key).map(Filterable::datum)
    }
    fn any<'a>(&'a self, test: &mut dyn FnMut(Datum<'a>, Datum<'a>) -> bool) -> bool {
        self.iter().any(|(key, value)| test(key.datum(), value.datum()))
    }
}

impl<K: MapKey + Ord, V: Filterable> Filterable for BTreeMap<K, V> {
    const KIND: Kind = Kind::Map(K::KEY, &V::KIND);
    fn datum(&self) -> Datum<'_> {
        Datum::Map(self)
    }
}

/// Orders the key of a pair against a looked-up one; `None` if they differ in kind.
pub(super) fn key_order(own: &Datum<'_>, key: &Key) -> Option<Ordering> {
    match (own, key) {
        (Datum::Text(own), Key::Text(key)) => Some((**own).cmp(key)),
        (Datum::Int(own), Key::Int(key)) => Some(own.cmp(key)),
        (Datum::Uint(own), Key::Uint(key)) => Some(own.cmp(key)),
        (Datum::Bool(own), Key::Bool(key)) => Some(own.cmp(key)),
        (Datum::Uuid(own), Key::Text(key)) => canonical_uuid(key).map(|key| own.cmp(&key)),
        (Datum::Ipv4(own), Key::Text(_)) => address(key).map(|key| IpAddr::from(*own).cmp(&key)),
        (Datum::Ipv6(own), Key::Text(_)) => address(key).map(|key| IpAddr::from(*own).cmp(&key)),
        _ => None,
    }
}
