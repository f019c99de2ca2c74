//! The identity by which limits and turns are shared: a caller's token, or the address of its connection.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::{IpAddr, Ipv6Addr};

/// The network bits of an IPv6 address. A host chooses the other bits itself: counted by full address, it
/// would have any number of shares.
const SITE_BITS: u32 = 64;

/// A caller, as the unit of fair shares.
///
/// Only a validated identity counts, because a client that chose its name freely would have any number of
/// shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerKey {
    /// All requests from one address, or from one IPv6 network of 64 bits.
    Address(IpAddr),
    /// All requests with one token, by a hash that is stable within this process.
    Token(u64),
    /// The server itself.
    Server,
}

impl CallerKey {
    /// Returns the caller at an address; an IPv4-mapped address counts as its IPv4 address.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => {
                // A dual-stack socket reports IPv4 clients as mapped addresses, which all lie in one /64.
                let mask = u128::MAX << (128 - SITE_BITS);
                let site = || IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask));
                v6.to_ipv4_mapped().map_or_else(site, IpAddr::V4)
            }
        })
    }

    /// Returns the caller of `identity`, which MUST have been validated.
    pub fn token(identity: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        identity.hash(&mut hasher);
        Self::Token(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_caller() {
        let key = |text: &str| CallerKey::address(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::3"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::3"), key("2001:db8:1:3::3"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
        assert_ne!(CallerKey::token("a"), CallerKey::token("b"));
    }
}
