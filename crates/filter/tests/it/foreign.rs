//! Goal: types of the standard library in a row can be filtered, because the orphan rule lets no
//! user implement it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::Wrapping;
use std::path::PathBuf;

use statehold_filter::build::field;
use statehold_filter::{Dialect, Filter, Filterable, Options};

#[derive(Filterable)]
struct Address(IpAddr);

#[derive(Filterable)]
struct Peers {
    ports: BTreeMap<IpAddr, u16>,
    names: HashMap<Ipv4Addr, String>,
    sorted: Vec<(Ipv6Addr, bool)>,
}

#[derive(Filterable)]
struct Row {
    any: IpAddr,
    four: Ipv4Addr,
    six: Ipv6Addr,
    own: Address,
    many: Vec<IpAddr>,
    peer: SocketAddr,
    peers: Vec<SocketAddrV6>,
    path: PathBuf,
    os: OsString,
    shape: (u32, String, bool),
    wrapped: Wrapping<u8>,
    reverse: Reverse<String>,
}

#[test]
fn addresses_paths_and_tuples_are_filtered() {
    let six = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let row = Row {
        any: six.into(),
        four: Ipv4Addr::new(10, 0, 0, 7),
        six,
        own: Address(Ipv4Addr::LOCALHOST.into()),
        many: vec![Ipv4Addr::LOCALHOST.into(), six.into()],
        peer: (Ipv4Addr::LOCALHOST, 8080).into(),
        peers: vec![SocketAddrV6::new(six, 443, 0, 0)],
        path: "/srv/a".into(),
        os: "name".into(),
        shape: (3, "x".to_owned(), true),
        wrapped: Wrapping(7),
        reverse: Reverse("r".to_owned()),
    };
    let holds = |text: &str| {
        let options = Options::new().dialect(Dialect::Extended);
        let filter = Filter::<Row>::compile_with(text, &options);
        filter.unwrap_or_else(|error| panic!("{error}")).matches(&row)
    };
    for text in [
        "any == \"fe80::1\" and any == \"FE80:0:0:0:0:0:0:1\" and six starts with \"fe80:\"",
        "four == \"10.0.0.7\" and four matches `^10\\.` and four != \"10.0.0.8\" and four in [\"10.0.0.7\", \"1.1.1.1\"]",
        "own == \"127.0.0.1\" and \"127.0.0.1\" in many and many contains all [\"fe80::1\"]",
        "four contains \"0.0\" and four is not empty and own != \"localhost\"",
        "peer.ip == \"127.0.0.1\" and peer.port == 8080 and peer.port > 1024",
        "any peers as p { p.ip == \"FE80::1\" and p.port == 443 }",
        "path == \"/srv/a\" and path starts with \"/srv/\" and os == name",
        "shape.0 == 3 and shape.1 == x and shape.2 == true",
        "wrapped == 7 and reverse == r",
    ] {
        assert!(holds(text), "{text}");
    }
    assert!(Filter::<Row>::compile("shape.3 == 1").is_err());
}

#[test]
fn addresses_are_keys_of_maps_and_terms() {
    let six = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let row = Peers {
        ports: BTreeMap::from([(six.into(), 80), (Ipv4Addr::LOCALHOST.into(), 81)]),
        names: HashMap::from([(Ipv4Addr::LOCALHOST, "home".to_owned())]),
        sorted: vec![(Ipv6Addr::LOCALHOST, false), (six, true)],
    };
    let options = Options::new().dialect(Dialect::Extended);
    for text in [
        r#"ports["FE80:0::1"] == 80 and ports["127.0.0.1"] == 81"#,
        r#""fe80::1" in ports and "10.0.0.1" not in ports and "x" not in ports"#,
        r#"names["127.0.0.1"] == home and names is not empty"#,
        r#"sorted["fe80::1"] == true and sorted["::1"] == false"#,
        r#"any ports as ip, port { ip == "fe80:0::1" and port == 80 }"#,
        r#"all ports as ip, _ { ip != "10.0.0.1" }"#,
    ] {
        let filter = Filter::<Peers>::compile_with(text, &options);
        assert!(filter.unwrap_or_else(|error| panic!("{error}")).matches(&row), "{text}");
    }
    let expr = field("ports").contains(IpAddr::from(six)) & field("names").contains("127.0.0.1");
    assert_eq!(expr.to_string(), r#"ports contains "fe80::1" and names contains "127.0.0.1""#);
    assert!(Filter::<Peers>::compile_expr(&expr).unwrap_or_else(|e| panic!("{e}")).matches(&row));
}

#[cfg(unix)]
#[test]
fn non_utf8_paths_evaluate_like_missing_values() {
    use std::os::unix::ffi::OsStringExt as _;
    let path = PathBuf::from(OsString::from_vec(vec![b'/', 0xff]));
    for (text, answer) in [("0 == x", false), ("0 != x", true), ("0 is nil", true)] {
        let text = text.replacen('0', "path", 1);
        #[derive(Filterable)]
        struct Held {
            path: PathBuf,
        }
        let filter = Filter::<Held>::compile(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(filter.matches(&Held { path: path.clone() }), answer, "{text}");
    }
}
