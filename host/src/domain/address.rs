//! Which addresses may be called. Names are resolved elsewhere; this is the verdict on what they resolve to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// Why an address is not an ordinary public one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// `0.0.0.0/8`, `::`.
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// RFC 1918.
    Private,
    /// `169.254.0.0/16`, `fe80::/10`; cloud metadata services live there.
    LinkLocal,
    /// `100.64.0.0/10` (RFC 6598).
    SharedCarrier,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Documentation (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// `fc00::/7` (RFC 4193).
    UniqueLocal,
    /// `168.63.129.16`: public by its number, but Azure answers it on the virtual machine's own host, with its secrets.
    Platform,
    /// Set aside by IANA or not assigned: protocols, benchmarking, discard, site-local, future use.
    Reserved,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::SharedCarrier => "carrier-grade NAT",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::UniqueLocal => "unique-local",
            Self::Platform => "cloud platform",
            Self::Reserved => "reserved",
        })
    }
}

/// An address that may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is no public address ({class})")]
pub struct ForbiddenAddress {
    /// The address.
    pub address: IpAddr,
    /// What it is.
    pub class: AddressClass,
}

/// Which addresses may be called: public ones, and the networks that an administrator opened.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    opened: Vec<IpNet>,
}

impl AddressPolicy {
    /// Opens these networks, whatever they are. An IPv4 network may be written in its mapped form.
    pub fn new(opened: impl IntoIterator<Item = IpNet>) -> Self {
        Self { opened: opened.into_iter().map(unmapped).collect() }
    }

    /// Whether an administrator opened this address. Only itself and its mapped form count: what a translated or tunnelled
    /// address (NAT64, 6to4) reaches is decided by somebody else's gateway.
    pub fn is_opened(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.opened.iter().any(|network| network.contains(&address))
    }

    /// The verdict on one address.
    pub fn check(&self, address: IpAddr) -> Result<(), ForbiddenAddress> {
        match class_of(address) {
            Some(class) if !self.is_opened(address) => Err(ForbiddenAddress { address, class }),
            _ => Ok(()),
        }
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

/// What an address is, when it is not an ordinary public one. Addresses that carry an IPv4 address (mapped, NAT64,
/// 6to4, Teredo) are judged by what they carry.
pub fn class_of(address: IpAddr) -> Option<AddressClass> {
    match address {
        IpAddr::V4(v4) => class_of_v4(v4),
        IpAddr::V6(v6) => class_of_v6(v6),
    }
}

fn class_of_v4(address: Ipv4Addr) -> Option<AddressClass> {
    use AddressClass as C;
    let [a, b, c, d] = address.octets();
    Some(match (a, b, c, d) {
        (0, ..) => C::Unspecified,
        (127, ..) => C::Loopback,
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) => C::Private,
        (169, 254, ..) => C::LinkLocal,
        (100, 64..=127, ..) => C::SharedCarrier,
        (224..=239, ..) => C::Multicast,
        (255, 255, 255, 255) => C::Broadcast,
        (192, 0, 2, _) | (198, 51, 100, _) | (203, 0, 113, _) => C::Documentation,
        (168, 63, 129, 16) => C::Platform,
        // IETF protocol assignments, the former 6to4 relay anycast, benchmarking, and class E.
        (192, 0, 0, _) | (192, 88, 99, _) | (198, 18..=19, ..) | (240..=255, ..) => C::Reserved,
        _ => return None,
    })
}

fn class_of_v6(address: Ipv6Addr) -> Option<AddressClass> {
    use AddressClass as C;
    let s = address.segments();
    let low_v4 = || Ipv4Addr::from((u32::from(s[6]) << 16) | u32::from(s[7]));
    if address.is_unspecified() {
        return Some(C::Unspecified);
    }
    if address.is_loopback() {
        return Some(C::Loopback);
    }
    // ::ffff:0:0/96 mapped; ::/96 compatible (deprecated, never public by itself).
    if s[..5] == [0; 5] && s[5] == 0xffff {
        return class_of_v4(low_v4());
    }
    if s[..6] == [0; 6] {
        return Some(class_of_v4(low_v4()).unwrap_or(C::Reserved));
    }
    // NAT64: the well-known prefix (RFC 6052) carries an IPv4 address; the local one (RFC 8215) leads into one's own net.
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return class_of_v4(low_v4());
    }
    if s[0] == 0x64 && s[1] == 0xff9b && s[2] == 1 {
        return Some(C::Reserved);
    }
    match s[0] {
        // 6to4 (RFC 3056) carries its IPv4 address in the next 32 bits.
        0x2002 => class_of_v4(Ipv4Addr::from((u32::from(s[1]) << 16) | u32::from(s[2]))),
        // Teredo (RFC 4380) tunnels to whatever the last 32 bits, inverted, say: never a webhook's address.
        0x2001 if s[1] == 0 => Some(C::Reserved),
        0x2001 if s[1] == 0xdb8 => Some(C::Documentation),
        // The rest of 2001::/23 is for protocols.
        0x2001 if s[1] < 0x200 => Some(C::Reserved),
        0x3fff if s[1] < 0x1000 => Some(C::Documentation),
        0xfc00..=0xfdff => Some(C::UniqueLocal),
        0xfe80..=0xfebf => Some(C::LinkLocal),
        0xff00..=0xffff => Some(C::Multicast),
        // Global unicast is 2000::/3; everything else is not assigned.
        0x2000..=0x3fff => None,
        _ => Some(C::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use AddressClass as C;

    use super::*;

    fn class(address: &str) -> Option<AddressClass> {
        class_of(address.parse().unwrap())
    }

    #[test]
    fn each_class_is_known_by_its_edges() {
        let cases: &[(Option<AddressClass>, &[&str])] = &[
            (Some(C::Private), &["10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1"]),
            (Some(C::Loopback), &["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]),
            (Some(C::LinkLocal), &["169.254.0.1", "169.254.169.254", "fe80::1", "febf::1", "::ffff:a9fe:a9fe"]),
            (Some(C::SharedCarrier), &["100.64.0.0", "100.100.100.200", "100.127.255.255", "::ffff:100.64.0.1"]),
            (Some(C::Multicast), &["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"]),
            (
                Some(C::Broadcast),
                &["255.255.255.255", "::ffff:255.255.255.255", "64:ff9b::ffff:ffff", "2002:ffff:ffff::1"],
            ),
            (Some(C::Unspecified), &["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"]),
            (Some(C::Platform), &["168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::1"]),
            (Some(C::Documentation), &["192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1"]),
            (Some(C::UniqueLocal), &["fc00::1", "fd00::1", "fdff:ffff::1", "fd12:3456:789a::1"]),
            (
                Some(C::Private),
                &["::ffff:10.0.0.1", "::ffff:192.168.1.1", "64:ff9b::a00:1", "2002:a00:1::1", "2002:c0a8:101::1"],
            ),
            (
                Some(C::Reserved),
                &[
                    "2001::1",
                    "2001:0:4136:e378::1",
                    "64:ff9b:1::1",
                    "240.0.0.1",
                    "198.18.0.1",
                    "192.0.0.8",
                    "4000::1",
                    "::8.8.8.8",
                ],
            ),
            (
                None,
                &[
                    "8.8.8.8",
                    "1.1.1.1",
                    "172.15.255.255",
                    "172.32.0.0",
                    "100.63.255.255",
                    "100.128.0.0",
                    "2606:4700::1",
                    "2001:4860:4860::8888",
                    "64:ff9b::808:808",
                    "2002:808:808::1",
                ],
            ),
        ];
        for (expected, addresses) in cases {
            for address in *addresses {
                assert_eq!(class(address), *expected, "{address}");
            }
        }
    }

    #[test]
    fn opened_networks_may_be_called_also_in_mapped_form() {
        let policy = policy(&["127.0.0.0/8", "fd00::/8"]);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "fd00::1", "8.8.8.8"] {
            assert!(policy.check(address.parse().unwrap()).is_ok(), "{address}");
        }
        for address in ["::1", "10.0.0.1", "fc00::1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"] {
            assert!(policy.check(address.parse().unwrap()).is_err(), "{address}");
        }
    }

    #[test]
    fn a_network_may_be_written_in_mapped_form() {
        let policy = policy(&["::ffff:10.1.0.0/112"]);
        for address in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"] {
            assert!(policy.check(address.parse().unwrap()).is_ok(), "{address}");
        }
        for address in ["10.0.255.255", "10.2.0.0", "::ffff:10.2.0.0", "192.168.0.1"] {
            assert!(policy.check(address.parse().unwrap()).is_err(), "{address}");
        }
    }

    #[test]
    fn all_of_ipv6_does_not_open_ipv4_and_the_other_way_round() {
        let (v6, v4) = (policy(&["::/0"]), policy(&["0.0.0.0/0"]));
        for (address, by_v6, by_v4) in [
            ("::1", true, false),
            ("fe80::1", true, false),
            ("127.0.0.1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("255.255.255.255", false, true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!((v6.check(address).is_ok(), v4.check(address).is_ok()), (by_v6, by_v4), "{address}");
        }
    }

    fn policy(opened: &[&str]) -> AddressPolicy {
        AddressPolicy::new(opened.iter().map(|network| network.parse().unwrap()))
    }
}
