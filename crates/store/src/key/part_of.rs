//! Borrowed forms of the parts of a key, for lookups.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{Desc, Key, KeyBuf};
use crate::key_part::KeyPart;

/// A value that lookups accept as a key, or a part of one, of the shape `K`.
///
/// Implemented for references to everything that is a [`KeyPart`] (`&str`, `&String`, `&Box<str>`,
/// `&Option<String>`, and further types by `derive(KeyPart)`), for numbers, strings and other values of the
/// standard library by value, and for `Option`, [`Desc`] and tuples of such values.
///
/// [`Missing`] is the `None` of an optional key, because the type of a plain `None` cannot be inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of the shape `{K}`",
    note = "pass the field itself by reference, `&row.name`, or a value of its type",
    note = "for the key of a row without a value pass `Missing`"
)]
pub trait PartOf<K: Key> {
    /// Appends the encoded value to `out`.
    #[doc(hidden)]
    fn append(self, out: &mut KeyBuf);
}

impl<P: KeyPart + ?Sized> PartOf<P::Shape> for &P {
    fn append(self, out: &mut KeyBuf) {
        // A field encodes through its key form, so that lookups and stored keys cannot differ.
        P::Shape::encode(self.part(), out);
    }
}

impl<K: Key, P: PartOf<K>> PartOf<Option<K>> for Option<P> {
    fn append(self, out: &mut KeyBuf) {
        match self {
            None => Option::<K>::encode(None, out),
            Some(part) => {
                out.push_some();
                part.append(out);
            }
        }
    }
}

impl<K: Key, P: PartOf<K>> PartOf<Desc<K>> for Desc<P> {
    fn append(self, out: &mut KeyBuf) {
        let mut part = KeyBuf::default();
        // Encoded into a buffer of its own, because only this part is complemented.
        self.0.append(&mut part);
        out.push_complement(part.as_slice());
    }
}

macro_rules! by_value {
    ($($ty:ty),*) => {$(
        impl PartOf<$ty> for $ty {
            fn append(self, out: &mut KeyBuf) {
                <$ty>::encode(self, out);
            }
        }
    )*};
}

by_value!(bool, char, u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, Uuid);
by_value!(SystemTime, Duration, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6);

macro_rules! owned {
    ($($ty:ty: $shape:ty),* $(,)?) => {$(
        impl PartOf<$shape> for $ty {
            fn append(self, out: &mut KeyBuf) {
                (&self).append(out);
            }
        }
    )*};
}

owned! {
    String: String, Box<str>: String, Arc<str>: String, Vec<u8>: Vec<u8>,
    NonZero<u8>: u8, NonZero<u16>: u16, NonZero<u32>: u32, NonZero<u64>: u64, NonZero<u128>: u128,
    NonZero<i8>: i8, NonZero<i16>: i16, NonZero<i32>: i32, NonZero<i64>: i64, NonZero<i128>: i128,
}

impl<const N: usize> PartOf<[u8; N]> for [u8; N] {
    fn append(self, out: &mut KeyBuf) {
        out.push(&self);
    }
}

// Literals of bytes, `b"abc"`, are references to arrays.
impl<const N: usize> PartOf<Vec<u8>> for &[u8; N] {
    fn append(self, out: &mut KeyBuf) {
        Vec::<u8>::encode(self, out);
    }
}

/// The `None` of an optional key or key part, in lookups.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_store::{Missing, ReadView, Store, Table};
///
/// #[derive(Serialize, Deserialize, Table)]
/// #[table(name = "volumes")]
/// struct Volume {
///     #[table(key)]
///     id: u64,
///     #[table(index)]
///     owner: Option<String>,
/// }
///
/// let store = Store::in_memory(&Volume::schema());
/// let mut txn = store.begin_write()?;
/// txn.put(Volume { id: 1, owner: Some("ann".into()) })?;
/// txn.put(Volume { id: 2, owner: None })?;
/// let free = Volume::BY_OWNER.exact(Missing);
/// assert_eq!(txn.first_by(&Volume::BY_OWNER, &free).map(|volume| volume.id), Some(2));
/// assert_eq!(txn.find(&Volume::BY_OWNER, Some("ann")).map(|volume| volume.id), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing;

impl<K: Key> PartOf<Option<K>> for Missing {
    fn append(self, out: &mut KeyBuf) {
        // Only the byte of `None`, which every optional shape shares.
        Option::<K>::encode(None, out);
    }
}

/// The first parts of a key of the shape `K`: one part, or a tuple of fewer parts than `K` has.
///
/// [`crate::KeyRange::starting_with`] takes it. `Count` is the number of parts, which is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the beginning of a key of the shape `{K}`",
    note = "pass its first part, or a tuple of its first parts, one less than all at most"
)]
pub trait KeyPrefix<K: Key, Count> {
    /// The shape of the next part.
    type Next: Key;

    /// Appends the encoded parts to `out`.
    #[doc(hidden)]
    fn append_parts(self, out: &mut KeyBuf);
}

/// The number of parts of a [`KeyPrefix`].
#[derive(Debug)]
pub struct Count<const PARTS: usize>;

macro_rules! one_part {
    ($($shape:ty, $next:ident, $($more:ident)*);* $(;)?) => {$(
        impl<P: PartOf<A>, A: Key, $($more: Key),*> KeyPrefix<$shape, Count<1>> for P {
            type Next = $next;

            fn append_parts(self, out: &mut KeyBuf) {
                self.append(out);
            }
        }
    )*};
}

one_part! {
    (A, B), B, B;
    (A, B, C), B, B C;
    (A, B, C, D), B, B C D;
}

macro_rules! parts {
    ($($count:literal: ($($part:ident $own:ident $at:tt),*) of $shape:ty, $next:ident $($more:ident)*);* $(;)?) => {$(
        impl<$($part: PartOf<$own>, $own: Key,)* $next: Key, $($more: Key),*>
            KeyPrefix<$shape, Count<$count>> for ($($part,)*)
        {
            type Next = $next;

            fn append_parts(self, out: &mut KeyBuf) {
                $(self.$at.append(out);)*
            }
        }
    )*};
}

parts! {
    2: (P A 0, Q B 1) of (A, B, C), C;
    2: (P A 0, Q B 1) of (A, B, C, D), C D;
    3: (P A 0, Q B 1, R C 2) of (A, B, C, D), D;
}

macro_rules! whole {
    ($($part:ident $own:ident $at:tt),*) => {
        impl<$($part: PartOf<$own>, $own: Key),*> PartOf<($($own,)*)> for ($($part,)*) {
            fn append(self, out: &mut KeyBuf) {
                $(self.$at.append(out);)*
            }
        }
    };
}

whole!(P A 0, Q B 1);
whole!(P A 0, Q B 1, R C 2);
whole!(P A 0, Q B 1, R C 2, S D 3);
