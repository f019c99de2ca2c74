//! Field types as parts of keys, for derived tables.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::key::{Key, Ref};
use crate::table::Entry;

/// A field type that can be a key or a part of one.
///
/// [`macro@crate::Table`] asks each key field for its part. [`macro@crate::KeyPart`] derives it for enums of
/// unit variants and for newtypes. Implement it for further types by converting to a value that has a key:
///
/// ```
/// use statehold_store::KeyPart;
///
/// struct Version { major: u16, minor: u16 }
///
/// impl KeyPart for Version {
///     type Shape = (u16, u16);
///     fn part(&self) -> (u16, u16) {
///         (self.major, self.minor)
///     }
/// }
/// ```
///
/// A [`SystemTime`] before 1970 has a key, which sorts before those of later times. No row can hold one,
/// because `serde` cannot serialise it: a write fails with
/// [`WriteError::Unstorable`](crate::WriteError::Unstorable), which names the type. Store such a time as a
/// signed integer:
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use serde::{Deserialize, Serialize};
/// use statehold_store::{KeyPart, Store, Table, WriteError};
///
/// #[derive(Clone, Debug, Serialize, Deserialize, Table)]
/// #[table(name = "events", key(at))]
/// struct Event {
///     at: SystemTime,
/// }
///
/// /// Nanoseconds since 1970, fewer than 0 before.
/// #[derive(Clone, Copy, Debug, Serialize, Deserialize, KeyPart)]
/// struct Moment(i64);
///
/// #[derive(Clone, Debug, Serialize, Deserialize, Table)]
/// #[table(name = "old_events", key(at))]
/// struct OldEvent {
///     at: Moment,
/// }
///
/// let early = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
/// let store = Store::in_memory(&Event::schema());
/// let error = store.begin_write()?.put(Event { at: early }).unwrap_err();
/// assert!(matches!(&error, WriteError::Unstorable { reason, .. } if reason.contains("SystemTime")));
///
/// let store = Store::in_memory(&OldEvent::schema());
/// store.begin_write()?.put(OldEvent { at: Moment(-1_000_000_000) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` can't be a key",
    label = "this field is a key or a part of one",
    note = "derive `KeyPart` for an enum of unit variants or a newtype, or implement it for a type of \
            yours, by a string or an integer that stands for its values",
    note = "an index of a list has `each`, for a key of each element: `#[table(index(each))]`"
)]
pub trait KeyPart {
    /// The shape of the key.
    type Shape: Key;

    /// Whether the bytes of keys stay the same when the type gets further values: `false` for an
    /// enum with a variant that has no number of its own.
    #[doc(hidden)]
    const STABLE: bool = true;

    /// The value as such a key.
    fn part(&self) -> Ref<'_, Self::Shape>;
}

macro_rules! copied {
    ($($ty:ty),*) => {$(
        impl KeyPart for $ty {
            type Shape = $ty;

            fn part(&self) -> $ty {
                *self
            }
        }
    )*};
}

copied!(bool, char, u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, Uuid);
copied!(SystemTime, Duration, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6);

macro_rules! non_zero {
    ($($int:ty),*) => {$(
        impl KeyPart for NonZero<$int> {
            type Shape = $int;

            fn part(&self) -> $int {
                // The key is that of the plain integer, so changing a field to `NonZero` moves no row.
                self.get()
            }
        }
    )*};
}

non_zero!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

// As 64 bits, so that keys are the same on every machine.
impl KeyPart for usize {
    type Shape = u64;

    fn part(&self) -> u64 {
        // Lossless: no supported platform has pointers of more than 64 bits.
        *self as u64
    }
}

impl KeyPart for isize {
    type Shape = i64;

    fn part(&self) -> i64 {
        // Lossless: no supported platform has pointers of more than 64 bits.
        *self as i64
    }
}

impl<const N: usize> KeyPart for [u8; N] {
    type Shape = Self;

    fn part(&self) -> &Self {
        self
    }
}

macro_rules! tuple {
    ($($part:ident $at:tt),*) => {
        impl<$($part: KeyPart),*> KeyPart for ($($part,)*) {
            type Shape = ($($part::Shape,)*);
            // One part whose bytes can change makes the whole key unstable.
            const STABLE: bool = $($part::STABLE)&&*;

            fn part(&self) -> Ref<'_, Self::Shape> {
                ($(self.$at.part(),)*)
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);

impl KeyPart for str {
    type Shape = String;

    fn part(&self) -> &str {
        self
    }
}

impl KeyPart for String {
    type Shape = Self;

    fn part(&self) -> &str {
        self
    }
}

impl KeyPart for [u8] {
    type Shape = Vec<u8>;

    fn part(&self) -> &[u8] {
        self
    }
}

impl KeyPart for Vec<u8> {
    type Shape = Self;

    fn part(&self) -> &[u8] {
        self
    }
}

macro_rules! pointer {
    ($($ty:ty),*) => {$(
        impl<T: KeyPart + ?Sized> KeyPart for $ty {
            type Shape = T::Shape;
            const STABLE: bool = T::STABLE;

            fn part(&self) -> Ref<'_, T::Shape> {
                (**self).part()
            }
        }
    )*};
}

pointer!(&T, Box<T>, Arc<T>);

impl<T: KeyPart + ToOwned + ?Sized> KeyPart for Cow<'_, T> {
    type Shape = T::Shape;
    const STABLE: bool = T::STABLE;

    fn part(&self) -> Ref<'_, T::Shape> {
        (**self).part()
    }
}

impl<R: KeyPart> KeyPart for Entry<R> {
    type Shape = R::Shape;
    const STABLE: bool = R::STABLE;

    fn part(&self) -> Ref<'_, R::Shape> {
        (**self).part()
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    type Shape = Option<T::Shape>;
    const STABLE: bool = T::STABLE;

    fn part(&self) -> Option<Ref<'_, T::Shape>> {
        self.as_ref().map(KeyPart::part)
    }
}

/// A text as indexes that fold keep it: in lower case. Look-ups in them take what this gives.
///
/// ```
/// assert_eq!(statehold_store::folded("Web-1"), statehold_store::folded("WEB-1"));
/// ```
pub fn folded(text: &str) -> String {
    // Unicode lower case without normalisation: `é` in two forms gives two keys.
    text.to_lowercase()
}
