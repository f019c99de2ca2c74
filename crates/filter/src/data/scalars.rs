//! [`Filterable`] for scalars, strings and the pointers around them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8,
    NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128, NonZeroUsize, Saturating, Wrapping,
};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::datum::{Datum, Filterable, RowVisitor};
use crate::int128::Int128;
use crate::quantity::{nanoseconds, unix_nanoseconds};
use crate::schema::Kind;

macro_rules! scalar {
    ($($type:ty => $kind:expr, |$value:ident| $datum:expr;)*) => {$(
        impl Filterable for $type {
            const KIND: Kind = $kind;
            #[inline]
            fn datum(&self) -> Datum<'_> {
                let $value = *self;
                $datum
            }
        }
    )*};
}

scalar! {
    bool => Kind::Bool, |value| Datum::Bool(value);
    i8 => Kind::Int(8), |value| Datum::Int(value.into());
    i16 => Kind::Int(16), |value| Datum::Int(value.into());
    i32 => Kind::Int(32), |value| Datum::Int(value.into());
    i64 => Kind::Int(64), |value| Datum::Int(value);
    i128 => Kind::Int(128), |value| Datum::Int128(Int128::from(value));
    isize => Kind::Int(64), |value| Datum::Int(value as i64);
    u16 => Kind::Uint(16), |value| Datum::Uint(value.into());
    u32 => Kind::Uint(32), |value| Datum::Uint(value.into());
    u64 => Kind::Uint(64), |value| Datum::Uint(value);
    u128 => Kind::Uint(128), |value| Datum::Int128(Int128::from(value));
    usize => Kind::Uint(64), |value| Datum::Uint(value as u64);
    NonZeroI8 => Kind::Int(8), |value| Datum::Int(value.get().into());
    NonZeroI16 => Kind::Int(16), |value| Datum::Int(value.get().into());
    NonZeroI32 => Kind::Int(32), |value| Datum::Int(value.get().into());
    NonZeroI64 => Kind::Int(64), |value| Datum::Int(value.get());
    NonZeroI128 => Kind::Int(128), |value| Datum::Int128(Int128::from(value.get()));
    NonZeroIsize => Kind::Int(64), |value| Datum::Int(value.get() as i64);
    NonZeroU8 => Kind::Uint(8), |value| Datum::Uint(value.get().into());
    NonZeroU16 => Kind::Uint(16), |value| Datum::Uint(value.get().into());
    NonZeroU32 => Kind::Uint(32), |value| Datum::Uint(value.get().into());
    NonZeroU64 => Kind::Uint(64), |value| Datum::Uint(value.get());
    NonZeroU128 => Kind::Uint(128), |value| Datum::Int128(Int128::from(value.get()));
    NonZeroUsize => Kind::Uint(64), |value| Datum::Uint(value.get() as u64);
    f32 => Kind::Float32, |value| Datum::Float32(value);
    f64 => Kind::Float, |value| Datum::Float(value);
    char => Kind::Char, |value| Datum::Char(value);
    Uuid => Kind::Uuid, |value| Datum::Uuid(value);
    Ipv4Addr => Kind::Address, |value| Datum::Ipv4(value);
    Ipv6Addr => Kind::Address, |value| Datum::Ipv6(value);
    IpAddr => Kind::Address, |value| match value {
        IpAddr::V4(value) => Datum::Ipv4(value),
        IpAddr::V6(value) => Datum::Ipv6(value),
    };
    Duration => Kind::Duration, |value| Datum::Int(nanoseconds(value));
    SystemTime => Kind::Timestamp, |value| Datum::Int(unix_nanoseconds(value));
}

impl Filterable for u8 {
    const KIND: Kind = Kind::Uint(8);
    #[inline]
    fn datum(&self) -> Datum<'_> {
        Datum::Uint((*self).into())
    }
    fn as_bytes(bytes: &[Self]) -> Option<&[u8]> {
        Some(bytes)
    }
}

impl Filterable for str {
    const KIND: Kind = Kind::Text;
    #[inline]
    fn datum(&self) -> Datum<'_> {
        Datum::Text(self)
    }
}

impl Filterable for String {
    const KIND: Kind = Kind::Text;
    #[inline]
    fn datum(&self) -> Datum<'_> {
        Datum::Text(self)
    }
}

/// Paths and strings of the operating system are text; one that is not UTF-8 evaluates like a
/// missing value.
macro_rules! os_text {
    ($($type:ty),*) => {$(
        impl Filterable for $type {
            const KIND: Kind = Kind::Option(&Kind::Text);
            #[inline]
            fn datum(&self) -> Datum<'_> {
                self.to_str().map_or(Datum::Missing, Datum::Text)
            }
        }
    )*};
}

os_text!(Path, PathBuf, OsStr, OsString);

macro_rules! wrapper {
    ($($type:ident),*) => {$(
        impl<T: Filterable> Filterable for $type<T> {
            const KIND: Kind = T::KIND;
            #[inline]
            fn datum(&self) -> Datum<'_> {
                self.0.datum()
            }
        }
    )*};
}

wrapper!(Wrapping, Saturating, Reverse);

impl<T: Filterable> Filterable for Option<T> {
    const KIND: Kind = Kind::Option(&T::KIND);
    #[inline]
    fn datum(&self) -> Datum<'_> {
        self.as_ref().map_or(Datum::Null, Filterable::datum)
    }
}

macro_rules! pointer {
    ($($type:ty),*) => {$(
        impl<T: Filterable + ?Sized> Filterable for $type {
            const KIND: Kind = T::KIND;
            #[inline]
            fn datum(&self) -> Datum<'_> {
                (**self).datum()
            }
            // Passed on, so that a struct behind a pointer is visited as itself.
            #[inline]
            fn accept<V: RowVisitor>(&self, visitor: V) -> bool {
                (**self).accept(visitor)
            }
        }
    )*};
}

pointer!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: Filterable + ToOwned + ?Sized> Filterable for Cow<'_, T> {
    const KIND: Kind = T::KIND;
    #[inline]
    fn datum(&self) -> Datum<'_> {
        (**self).datum()
    }
}
