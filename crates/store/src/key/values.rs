//! Shapes of times, addresses, sockets, characters and byte arrays.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, SystemTime};

use serde_json::Value;
#[cfg(feature = "planning")]
use statehold_filter::{Constant, Kind};

use super::json::json_by_serde;
use super::print::Hex;
use super::shapes::take;
use super::{Key, KeyBuf};

/// Nanoseconds in a second.
const SECOND: u32 = 1_000_000_000;

/// Whole seconds and the nanoseconds after them, in their order.
fn push_seconds(seconds: i64, nanos: u32, out: &mut KeyBuf) {
    i64::encode(seconds, out);
    u32::encode(nanos, out);
}

/// The nanoseconds of a filter's constant, split; `None` for the ends of what filters can tell apart,
/// because values beyond those count as the ends.
#[cfg(feature = "planning")]
fn nanoseconds(constant: &Constant) -> Option<(i64, u32)> {
    let Constant::Int(nanos) = *constant else { return None };
    // Filters clamp times beyond their range to its ends, so an end may mean any time beyond it.
    if nanos == i64::MAX || nanos <= -i64::MAX {
        return None;
    }
    let part = u32::try_from(nanos.rem_euclid(SECOND.into())).ok()?;
    Some((nanos.div_euclid(SECOND.into()), part))
}

impl Key for SystemTime {
    type Ref<'a> = Self;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        *self
    }

    json_by_serde!();

    fn encode(key: Self, out: &mut KeyBuf) {
        let (seconds, nanos) = match key.duration_since(Self::UNIX_EPOCH) {
            Ok(after) => (i128::from(after.as_secs()), after.subsec_nanos()),
            // Counted from the second before, so that nanoseconds go up.
            Err(before) => match (before.duration().as_secs(), before.duration().subsec_nanos()) {
                (seconds, 0) => (-i128::from(seconds), 0),
                (seconds, nanos) => (-i128::from(seconds) - 1, SECOND - nanos),
            },
        };
        // Clamped, which keeps the order: no known platform has times beyond 64 bits of seconds.
        let end = if seconds < 0 { i64::MIN } else { i64::MAX };
        push_seconds(i64::try_from(seconds).unwrap_or(end), nanos, out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let seconds = i64::decode(bytes)?;
        // A larger number would be a second encoding of a later time.
        let nanos = u32::decode(bytes).filter(|nanos| *nanos < SECOND)?;
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let second = if seconds < 0 {
            Self::UNIX_EPOCH.checked_sub(whole)?
        } else {
            Self::UNIX_EPOCH.checked_add(whole)?
        };
        second.checked_add(Duration::from_nanos(nanos.into()))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.duration_since(Self::UNIX_EPOCH) {
            Ok(after) => write!(f, "unix {}.{:09}", after.as_secs(), after.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                write!(f, "unix -{}.{:09}", before.as_secs(), before.subsec_nanos())
            }
        }
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let Some((seconds, nanos)) = nanoseconds(constant) else { return false };
        push_seconds(seconds, nanos, out);
        true
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        matches!(kind, Kind::Timestamp)
    }
}

impl Key for Duration {
    type Ref<'a> = Self;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        *self
    }

    json_by_serde!();

    fn encode(key: Self, out: &mut KeyBuf) {
        u64::encode(key.as_secs(), out);
        u32::encode(key.subsec_nanos(), out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let seconds = u64::decode(bytes)?;
        let nanos = u32::decode(bytes).filter(|nanos| *nanos < SECOND)?;
        Some(Self::new(seconds, nanos))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let Some((seconds, nanos)) = nanoseconds(constant) else { return false };
        // No key holds a negative duration.
        let Ok(seconds) = u64::try_from(seconds) else { return false };
        Self::encode(Self::new(seconds, nanos), out);
        true
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        matches!(kind, Kind::Duration)
    }
}

impl Key for char {
    type Ref<'a> = Self;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        *self
    }

    json_by_serde!();

    fn encode(key: Self, out: &mut KeyBuf) {
        u32::encode(key.into(), out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Self::from_u32(u32::decode(bytes)?)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let Constant::Char(value) = constant else { return false };
        Self::encode(*value, out);
        true
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        matches!(kind, Kind::Char)
    }
}

/// Filters compare addresses by value, as `==` and `in` do; their other operators see text, which has
/// another order, and use no index.
macro_rules! address {
    ($ty:ty, |$key:ident, $out:ident| $encode:expr, |$bytes:ident| $decode:expr, $filtered:expr) => {
        impl Key for $ty {
            type Ref<'a> = Self;
            type First = Self;

            fn borrowed(&self) -> Self::Ref<'_> {
                *self
            }

            json_by_serde!();

            fn encode($key: Self, $out: &mut KeyBuf) {
                $encode
            }

            fn decode($bytes: &mut &[u8]) -> Option<Self> {
                $decode
            }

            fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }

            #[cfg(feature = "planning")]
            fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
                let Constant::Address(address) = *constant else { return false };
                let own: Option<Self> = ($filtered)(address);
                if let Some(own) = own {
                    Self::encode(own, out);
                }
                own.is_some()
            }

            #[cfg(feature = "planning")]
            fn holds(kind: Kind) -> bool {
                matches!(kind, Kind::Address)
            }

            fn orders_as_filters() -> bool {
                false
            }
        }
    };
}

address!(
    Ipv4Addr,
    |key, out| out.push(&key.octets()),
    |bytes| <[u8; 4]>::decode(bytes).map(Self::from),
    |address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
);
address!(
    Ipv6Addr,
    |key, out| out.push(&key.octets()),
    |bytes| <[u8; 16]>::decode(bytes).map(Self::from),
    |address| match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
);
address!(
    IpAddr,
    |key, out| match key {
        Self::V4(address) => {
            // The first byte separates the families: all IPv4 keys sort before all IPv6 keys.
            out.push(&[4]);
            Ipv4Addr::encode(address, out);
        }
        Self::V6(address) => {
            out.push(&[6]);
            Ipv6Addr::encode(address, out);
        }
    },
    |bytes| match take(bytes, 1)? {
        [4] => Ipv4Addr::decode(bytes).map(Self::V4),
        [6] => Ipv6Addr::decode(bytes).map(Self::V6),
        _ => None,
    },
    Some
);

/// Sockets: the address, then the port; of version 6 also the flow and the scope, so that no two are one key.
macro_rules! socket {
    ($ty:ty, $ip:ty, |$key:ident, $out:ident| $encode:expr, |$bytes:ident| $decode:expr) => {
        impl Key for $ty {
            type Ref<'a> = Self;
            type First = Self;

            fn borrowed(&self) -> Self::Ref<'_> {
                *self
            }

            json_by_serde!();

            fn encode($key: Self, $out: &mut KeyBuf) {
                $encode
            }

            fn decode($bytes: &mut &[u8]) -> Option<Self> {
                $decode
            }

            fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }

            // An index of sockets serves conditions on the address, with which its keys begin.
            #[cfg(feature = "planning")]
            fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
                <$ip>::encode_constant(constant, out)
            }

            #[cfg(feature = "planning")]
            fn holds(kind: Kind) -> bool {
                <$ip>::holds(kind)
            }

            fn orders_as_filters() -> bool {
                false
            }
        }
    };
}

socket!(
    SocketAddrV4,
    Ipv4Addr,
    |key, out| {
        Ipv4Addr::encode(*key.ip(), out);
        u16::encode(key.port(), out);
    },
    |bytes| Some(Self::new(Ipv4Addr::decode(bytes)?, u16::decode(bytes)?))
);
socket!(
    SocketAddrV6,
    Ipv6Addr,
    |key, out| {
        Ipv6Addr::encode(*key.ip(), out);
        u16::encode(key.port(), out);
        u32::encode(key.flowinfo(), out);
        u32::encode(key.scope_id(), out);
    },
    |bytes| {
        let (ip, port) = (Ipv6Addr::decode(bytes)?, u16::decode(bytes)?);
        Some(Self::new(ip, port, u32::decode(bytes)?, u32::decode(bytes)?))
    }
);
socket!(
    SocketAddr,
    IpAddr,
    |key, out| match key {
        Self::V4(socket) => {
            out.push(&[4]);
            SocketAddrV4::encode(socket, out);
        }
        Self::V6(socket) => {
            out.push(&[6]);
            SocketAddrV6::encode(socket, out);
        }
    },
    |bytes| match take(bytes, 1)? {
        [4] => SocketAddrV4::decode(bytes).map(Self::V4),
        [6] => SocketAddrV6::decode(bytes).map(Self::V6),
        _ => None,
    }
);

impl<const N: usize> Key for [u8; N] {
    type Ref<'a> = &'a Self;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        self
    }

    fn to_json(&self) -> Value {
        self.as_slice().into()
    }

    fn from_json(json: &Value) -> Option<Self> {
        let bytes: Vec<u8> = serde::Deserialize::deserialize(json).ok()?;
        bytes.try_into().ok()
    }

    fn encode(key: &Self, out: &mut KeyBuf) {
        out.push(key);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes, N)?.try_into().ok()
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(self), f)
    }
}
