//! Result types of computed fields.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::datum::{Datum, Filterable};
use crate::quantity::{nanoseconds, unix_nanoseconds};

/// The result of a computed field: a scalar by value, or a reference to anything [`Filterable`].
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, Filterable};
///
/// #[derive(Filterable)]
/// #[filterable(computed(name = "Schedulable", with = Self::schedulable, ty = bool))]
/// #[filterable(computed(name = "Zone", with = Self::zone, ty = str))]
/// struct Volume {
///     healthy: u32,
///     #[filterable(skip)]
///     place: String,
/// }
///
/// impl Volume {
///     fn schedulable(&self) -> bool {
///         self.healthy > 0
///     }
///     fn zone(&self) -> Option<&str> {
///         self.place.strip_prefix("zone/")
///     }
/// }
///
/// let filter = Filter::<Volume>::compile(r#"Schedulable == true and Zone == "eu-1""#)?;
/// assert!(filter.matches(&Volume { healthy: 1, place: "zone/eu-1".to_owned() }));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub trait IntoDatum<'a> {
    /// Returns the value in the evaluator's form.
    fn into_datum(self) -> Datum<'a>;
}

impl<'a> IntoDatum<'a> for Datum<'a> {
    fn into_datum(self) -> Self {
        self
    }
}

impl<'a, T: Filterable + ?Sized> IntoDatum<'a> for &'a T {
    #[inline]
    fn into_datum(self) -> Datum<'a> {
        self.datum()
    }
}

impl<'a, T: IntoDatum<'a>> IntoDatum<'a> for Option<T> {
    #[inline]
    fn into_datum(self) -> Datum<'a> {
        self.map_or(Datum::Null, T::into_datum)
    }
}

macro_rules! by_value {
    ($($type:ty => |$value:ident| $datum:expr;)*) => {$(
        impl<'a> IntoDatum<'a> for $type {
            #[inline]
            fn into_datum(self) -> Datum<'a> {
                let $value = self;
                $datum
            }
        }
    )*};
}

by_value! {
    bool => |value| Datum::Bool(value);
    i8 => |value| Datum::Int(value.into());
    i16 => |value| Datum::Int(value.into());
    i32 => |value| Datum::Int(value.into());
    i64 => |value| Datum::Int(value);
    i128 => |value| Datum::Int128(value.into());
    isize => |value| Datum::Int(value as i64);
    u8 => |value| Datum::Uint(value.into());
    u16 => |value| Datum::Uint(value.into());
    u32 => |value| Datum::Uint(value.into());
    u64 => |value| Datum::Uint(value);
    u128 => |value| Datum::Int128(value.into());
    usize => |value| Datum::Uint(value as u64);
    NonZeroU32 => |value| Datum::Uint(value.get().into());
    NonZeroU64 => |value| Datum::Uint(value.get());
    f32 => |value| Datum::Float32(value);
    f64 => |value| Datum::Float(value);
    char => |value| Datum::Char(value);
    Uuid => |value| Datum::Uuid(value);
    Ipv4Addr => |value| Datum::Ipv4(value);
    Ipv6Addr => |value| Datum::Ipv6(value);
    IpAddr => |value| match value {
        IpAddr::V4(value) => Datum::Ipv4(value),
        IpAddr::V6(value) => Datum::Ipv6(value),
    };
    // Saturates: a duration beyond 292 years exceeds 64 bits of nanoseconds.
    Duration => |value| Datum::Int(nanoseconds(value));
    SystemTime => |value| Datum::Int(unix_nanoseconds(value));
}
