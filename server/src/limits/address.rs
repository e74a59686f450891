//! Whose address a request comes from, when proxies stand in front of the server.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::config::Proxy;

/// Where a request comes from, to count by: an IPv4 address, or the /64 of an IPv6 address, all of
/// which one household or one machine has to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
            IpAddr::V4(address) => address.into(),
        })
    }
}

/// The client's address, from the peer of the connection and the lines of `X-Forwarded-For` in
/// their order. Each proxy appends whom it was called by, so the list is read from its end, and
/// only for as long as those who wrote it are trusted: what stands before that, anybody may have
/// made up.
pub fn client<'a>(
    peer: IpAddr,
    trusted: &[Proxy],
    forwarded: impl IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|proxy| proxy.contains(address));
    let mut client = peer.to_canonical();
    let entries = forwarded.into_iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
    for entry in entries {
        if !is_trusted(client) {
            break;
        }
        let Some(caller) = parse(entry) else { break };
        client = caller;
    }
    client
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::parse::<Ipv6Addr>);
    let address = match bare {
        Some(address) => address.ok().map(IpAddr::from),
        None => text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())),
    };
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> Vec<Proxy> {
        ["10.0.0.0/8", "2001:db8:1::/48"].map(|proxy| proxy.parse().unwrap()).to_vec()
    }

    fn of(peer: &str, lines: &[&str]) -> String {
        client(peer.parse().unwrap(), &proxies(), lines.iter().map(|line| line.as_bytes())).to_string()
    }

    #[test]
    fn the_first_address_from_the_right_that_is_no_proxy_is_the_client() {
        for (peer, lines, expected) in [
            ("10.0.0.1", &[][..], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.7,10.9.9.9 , 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            ("2001:db8:1::1", &["2001:db8:2::7"], "2001:db8:2::7"),
            ("10.0.0.1", &["[2001:db8:2::7]"], "2001:db8:2::7"),
            ("10.0.0.1", &["[2001:db8:2::7]:4711"], "2001:db8:2::7"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
        ] {
            assert_eq!(of(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn an_entry_that_cannot_be_read_ends_the_walk_at_the_last_good_one() {
        for entry in
            ["", "unknown", "_hidden", "198.51.100", "198.51.100.7:", "[::1", "[10.0.0.1]", "fe80::1%eth0", "\u{e9}"]
        {
            assert_eq!(of("10.0.0.1", &[&format!("6.6.6.6, {entry}, 10.0.0.2")]), "10.0.0.2", "{entry}");
        }
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_sends() {
        assert_eq!(of("198.51.100.7", &["6.6.6.6"]), "198.51.100.7");
        assert_eq!(of("::ffff:198.51.100.7", &["10.0.0.1"]), "198.51.100.7");
    }

    #[test]
    fn an_ipv6_address_counts_by_its_64_and_an_ipv4_address_by_itself() {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:198.51.100.7"), address("198.51.100.7"));
        assert_ne!(address("198.51.100.7"), address("198.51.100.8"));
    }

    /// Lines of addresses, some of them proxies, with anything in between.
    fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let address = any::<[u8; 4]>().prop_map(|octets| IpAddr::from(octets).to_string().into_bytes());
        let proxy = any::<[u8; 3]>().prop_map(|[a, b, c]| IpAddr::from([10, a, b, c]).to_string().into_bytes());
        let entry = prop_oneof![address, proxy, prop::collection::vec(any::<u8>(), 0..20)];
        let line = prop::collection::vec(entry, 0..5).prop_map(|entries| entries.join(&b","[..]));
        prop::collection::vec(line, 0..4)
    }

    proptest! {
        #[test]
        fn nothing_is_taken_from_the_header_of_somebody_untrusted(peer: [u8; 4], lines in lines()) {
            let peer = IpAddr::from(peer);
            let trusts = |address| proxies().iter().any(|proxy| proxy.contains(address));
            let client = client(peer, &proxies(), lines.iter().map(Vec::as_slice));
            if !trusts(peer) {
                prop_assert_eq!(client, peer);
            } else if client != peer {
                // Everybody behind the entry that was taken is a proxy of ours.
                let list = lines.join(&b","[..]);
                let entries: Vec<_> = list.rsplit(|byte| *byte == b',').map(parse).collect();
                let place = entries.iter().position(|entry| *entry == Some(client));
                let place = place.expect("the client stands in the header");
                prop_assert!(entries[..place].iter().all(|entry| entry.is_some_and(trusts)));
            }
        }
    }
}
