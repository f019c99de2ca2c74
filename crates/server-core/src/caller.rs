//! By whom limits are shared: the token of a caller, or the address that a connection comes from.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that name a site: a host chooses the rest itself, and would have as many
/// shares as it likes.
const SITE_BITS: u32 = 64;

/// A caller, as far as shares are concerned.
///
/// Only a checked identity counts: a name that a client chose freely would give it any number of shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerKey {
    /// All that comes from one address, or from one IPv6 network of 64 bits.
    Address(IpAddr),
    /// All that comes with one token, by a number that tells it from others in this process.
    Token(u64),
    /// The server itself.
    Server,
}

impl CallerKey {
    /// The caller at an address.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => {
                let mask = u128::MAX << (128 - SITE_BITS);
                let site = || IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask));
                v6.to_ipv4_mapped().map_or_else(site, IpAddr::V4)
            }
        })
    }

    /// The caller that `identity`, which was checked, belongs to.
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
    fn an_ipv6_host_has_one_share_whatever_address_it_takes() {
        let of = |text: &str| CallerKey::address(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_ne!(CallerKey::token("a"), CallerKey::token("b"));
    }
}
