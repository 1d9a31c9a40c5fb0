//! Which addresses may be reached: the guard against server-side request forgery.
//!
//! Feeds and pages name URLs that we fetch, so whoever writes a feed could make us read services inside our own network.
//! The guard judges addresses, never names: names are resolved first, each address is judged, and the connection goes to
//! an address that passed ([`crate::Resolve`] says where names come from). Looking at names or literals alone was
//! rejected, since one DNS record undoes it.
//!
//! Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates), RFC 6052 and RFC 8215
//! (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

const FORBIDDEN_V4: [(Ipv4Net, &str); 17] = [
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved for protocols"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
    // Public by number, but answered by the host below a virtual machine: the metadata service of Azure.
    (v4(168, 63, 129, 16, 32), "cloud metadata"),
    // AS112 answers for private reverse zones.
    (v4(192, 31, 196, 0, 24), "AS112"),
];

/// Inside 2000::/3; everything outside is refused as a whole.
const FORBIDDEN_V6: [(Ipv6Net, &str); 5] = [
    (v6(0x2001, 0, 32), "Teredo"),
    (v6(0x2001, 0, 23), "reserved for protocols"),
    (v6(0x2001, 0xdb8, 32), "documentation"),
    (v6(0x2002, 0, 16), "6to4"),
    (v6(0x3fff, 0, 20), "documentation"),
];

const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// Forms outside 2000::/3, only to say more than "not global".
const NAMED_V6: [(Ipv6Net, &str); 6] = [
    (v6(0x64, 0xff9b, 32), "NAT64"),
    (v6(0x100, 0, 64), "discard-only"),
    (v6(0xfc00, 0, 7), "unique local"),
    (v6(0xfe80, 0, 10), "link-local"),
    (v6(0xfec0, 0, 10), "site-local"),
    (v6(0xff00, 0, 8), "multicast"),
];

/// Judges addresses: globally reachable ones pass, and those of the allow-list.
#[derive(Clone, Debug, Default)]
pub struct AddressGuard {
    allow: Vec<IpNet>,
}

impl AddressGuard {
    /// Makes a guard that lets the networks of `allow` pass, whatever they are.
    #[must_use]
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Judges one address.
    ///
    /// An IPv4 address inside IPv6 (mapped, compatible, 6to4, Teredo, NAT64) is refused in any case: no public service
    /// needs it, and each form is a way around the list.
    ///
    /// # Errors
    /// The kind of address, in words, where it must not be reached.
    pub fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        if self.allow.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        match address {
            IpAddr::V4(address) => kind_of(&FORBIDDEN_V4, |net| net.contains(&address)),
            IpAddr::V6(address) => check_v6(address),
        }
    }
}

fn kind_of<N>(table: &[(N, &'static str)], contains: impl Fn(&N) -> bool) -> Result<(), &'static str> {
    table
        .iter()
        .find(|(net, _)| contains(net))
        .map_or(Ok(()), |(_, kind)| Err(*kind))
}

fn check_v6(address: Ipv6Addr) -> Result<(), &'static str> {
    if GLOBAL_V6.contains(&address) {
        return kind_of(&FORBIDDEN_V6, |net| net.contains(&address));
    }
    if address.is_loopback() {
        return Err("loopback");
    }
    if address.is_unspecified() {
        return Err("unspecified");
    }
    if address.to_ipv4().is_some() {
        return Err("IPv4 within IPv6");
    }
    kind_of(&NAMED_V6, |net| net.contains(&address)).and(Err("not global unicast"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn check(address: &str) -> Result<(), &'static str> {
        AddressGuard::default().check(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_pass() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn special_addresses_are_refused_by_kind() {
        for (address, kind) in [
            ("0.0.0.0", "this network"),
            ("0.1.2.3", "this network"),
            ("10.1.2.3", "private"),
            ("100.64.0.1", "carrier-grade NAT"),
            ("100.100.100.200", "carrier-grade NAT"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("168.63.129.16", "cloud metadata"),
            ("169.254.169.254", "link-local"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "reserved for protocols"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "6to4 relay"),
            ("192.168.1.1", "private"),
            ("198.19.255.255", "benchmarking"),
            ("198.51.100.7", "documentation"),
            ("203.0.113.7", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::127.0.0.1", "IPv4 within IPv6"),
            ("::ffff:127.0.0.1", "IPv4 within IPv6"),
            ("::ffff:8.8.8.8", "IPv4 within IPv6"),
            ("64:ff9b::7f00:1", "NAT64"),
            ("64:ff9b:1::a00:1", "NAT64"),
            ("100::1", "discard-only"),
            ("2001::1", "Teredo"),
            ("2001:10::1", "reserved for protocols"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::", "6to4"),
            ("3fff::1", "documentation"),
            ("5f00::1", "not global unicast"),
            ("fc00::1", "unique local"),
            ("fd00:ec2::254", "unique local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            assert_eq!(check(address), Err(kind), "{address}");
        }
    }

    #[test]
    fn the_allow_list_opens_only_its_own_networks() {
        let guard = AddressGuard::new(vec![
            "127.0.0.0/30".parse().unwrap(),
            "fd00::/16".parse().unwrap(),
        ]);
        assert_eq!(guard.check("127.0.0.1".parse().unwrap()), Ok(()));
        assert_eq!(guard.check("fd00::7".parse().unwrap()), Ok(()));
        assert_eq!(guard.check("127.0.0.4".parse().unwrap()), Err("loopback"));
        assert_eq!(
            guard.check("::ffff:127.0.0.1".parse().unwrap()),
            Err("IPv4 within IPv6")
        );
    }
}
