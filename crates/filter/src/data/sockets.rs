//! [`Filterable`] for socket addresses: a struct with the fields `ip` and `port`.
//!
//! Not a string, because conditions test one of the two: every port of a host, or every host of a
//! port.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::datum::{Datum, Filterable, Record};
use crate::schema::{Field, Kind, Schema};

static SCHEMA: Schema =
    Schema::new("socket", &[Field::new("ip", Kind::Address), Field::new("port", Kind::Uint(16))]);

macro_rules! socket {
    ($($type:ty => |$socket:ident| $ip:expr;)*) => {$(
        impl Record for $type {
            fn field(&self, slot: usize) -> Datum<'_> {
                let $socket = self;
                match slot {
                    0 => $ip,
                    1 => Datum::Uint(self.port().into()),
                    _ => Datum::Missing,
                }
            }
            fn named(&self, name: &str) -> Option<Datum<'_>> {
                SCHEMA.read(self, name)
            }
        }

        impl Filterable for $type {
            const KIND: Kind = Kind::Record(|| &SCHEMA);
            fn datum(&self) -> Datum<'_> {
                Datum::Record(self)
            }
        }
    )*};
}

socket! {
    SocketAddrV4 => |socket| Datum::Ipv4(*socket.ip());
    SocketAddrV6 => |socket| Datum::Ipv6(*socket.ip());
    SocketAddr => |socket| match socket {
        Self::V4(socket) => Datum::Ipv4(*socket.ip()),
        Self::V6(socket) => Datum::Ipv6(*socket.ip()),
    };
}
