//! Every shape of keys: order, decoding, and bytes that are none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use uuid::Uuid;

use super::buf::INLINE_MAX;
use super::*;

fn bytes<K: Key>(key: Ref<'_, K>) -> Vec<u8> {
    KeyBuf::of::<K>(key).as_slice().to_vec()
}

fn back<K: Key>(bytes: &[u8]) -> Option<K> {
    let mut rest = bytes;
    K::decode(&mut rest).filter(|_| rest.is_empty())
}

#[test]
fn a_pair_never_collides_with_a_longer_first_part() {
    assert!(bytes::<(String, String)>(("a", "z")) < bytes::<(String, String)>(("a-b", "a")));
    assert!(bytes::<(String, String)>(("a", "\0")) != bytes::<(String, String)>(("a\0", "")));
}

#[test]
fn keys_beyond_the_inline_size_keep_every_byte() {
    let long = "x".repeat(INLINE_MAX * 3);
    let key = KeyBuf::of::<String>(&long).finish();
    assert_eq!(back::<String>(key.as_slice()), Some(long));
}

#[test]
fn the_bound_after_a_prefix_of_ff_is_the_end_of_the_key_space() {
    assert_eq!(after_prefix(&[0xFF, 0xFF]), None);
    assert_eq!(after_prefix(&[0x01, 0xFF]).unwrap().as_slice(), [0x02]);
}

type Shape = (String, (i64, i8), Option<Vec<u8>>, (bool, Uuid));

fn shape() -> impl Strategy<Value = Shape> {
    // Few distinct characters, so that prefixes of one another are common.
    let blob = || proptest::option::of(proptest::collection::vec(0u8..3, 0..3));
    ("[a\u{0}\u{ff}]{0,4}", -3i64..3, any::<i8>(), blob(), any::<bool>(), 0u128..3)
        .prop_map(|(a, b, c, d, e, f)| (a, (b, c), d, (e, Uuid::from_u128(f << 100))))
}

fn borrowed(key: &Shape) -> Ref<'_, Shape> {
    (&key.0, key.1, key.2.as_deref(), key.3)
}

fn encoded(key: &Shape) -> Vec<u8> {
    bytes::<Shape>(borrowed(key))
}

/// A property of every shape: the order of the bytes is that of the values, and decoding gives the
/// value back, whatever comes after it.
macro_rules! every_shape {
    ($($name:ident: $shape:ty, $values:expr, |$key:ident| $borrow:expr;)*) => {
        proptest! {$(
            #[test]
            fn $name(a in $values, b in $values, after in proptest::collection::vec(any::<u8>(), 0..3)) {
                let bytes_of = |$key: &$shape| bytes::<$shape>($borrow);
                let (mut x, y) = (bytes_of(&a), bytes_of(&b));
                prop_assert_eq!(x.cmp(&y), a.cmp(&b));
                let len = x.len();
                x.extend(&after);
                let mut rest = x.as_slice();
                prop_assert_eq!(<$shape>::decode(&mut rest), Some(a));
                prop_assert_eq!(rest, &x[len..]);
            }
        )*}
    };
}

/// Integers near the ends and near zero as often as any.
macro_rules! ints {
    ($ty:ty) => {
        prop_oneof![
            any::<$ty>(),
            (0..3 as $ty).prop_map(|at| <$ty>::MIN + at),
            (0..3 as $ty).prop_map(|at| <$ty>::MAX - at),
            (0..5 as $ty).prop_map(|at| at.wrapping_sub(2)),
        ]
    };
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a\u{0}\u{1}\u{ff}]{0,4}"]
}

fn blobs() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![any::<u8>(), 0u8..2, Just(0xFF)], 0..5)
}

fn durations() -> impl Strategy<Value = Duration> {
    (ints!(u64), 0..1_000_000_000u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos))
}

fn times() -> impl Strategy<Value = SystemTime> {
    let near = (-3i64..3, prop_oneof![Just(0), 0..1_000_000_000u32]);
    prop_oneof![near, (ints!(i64), 0..1_000_000_000u32)].prop_filter_map(
        "a platform has its own range",
        |(secs, nanos)| {
            let whole = Duration::from_secs(secs.unsigned_abs());
            let second = if secs < 0 {
                SystemTime::UNIX_EPOCH.checked_sub(whole)
            } else {
                SystemTime::UNIX_EPOCH.checked_add(whole)
            };
            second?.checked_add(Duration::from_nanos(nanos.into()))
        },
    )
}

fn sockets() -> impl Strategy<Value = SocketAddr> {
    // Few values of each part, so that the later ones decide as often as the first.
    (prop_oneof![addresses(), Just(Ipv6Addr::LOCALHOST.into())], 0..3u16, 0..2u32, 0..2u32)
        .prop_map(|(address, port, flow, scope)| match address {
            IpAddr::V4(address) => SocketAddrV4::new(address, port).into(),
            IpAddr::V6(address) => SocketAddrV6::new(address, port, flow, scope).into(),
        })
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u128>().prop_map(|bits| IpAddr::V6(bits.into())),
    ]
}

/// What `derive(KeyPart)` writes, which is not at hand inside of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Level {
    Low = -70_000,
    Middle = 0,
    High = 300,
}

impl EnumKey for Level {
    const VARIANTS: &'static [EnumVariant<Self>] = &[
        EnumVariant::new(Self::Low, Self::Low as i128, "Low", "low"),
        EnumVariant::new(Self::Middle, Self::Middle as i128, "Middle", "middle"),
        EnumVariant::new(Self::High, Self::High as i128, "High", "high"),
    ];
}

impl PartOf<Self> for Level {
    fn append(self, out: &mut KeyBuf) {
        <Self as Key>::encode(self, out);
    }
}

fn levels() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Low), Just(Level::Middle), Just(Level::High)]
}

every_shape! {
    u8_keys: u8, ints!(u8), |key| *key;
    u16_keys: u16, ints!(u16), |key| *key;
    u32_keys: u32, ints!(u32), |key| *key;
    u64_keys: u64, ints!(u64), |key| *key;
    u128_keys: u128, ints!(u128), |key| *key;
    i8_keys: i8, ints!(i8), |key| *key;
    i16_keys: i16, ints!(i16), |key| *key;
    i32_keys: i32, ints!(i32), |key| *key;
    i64_keys: i64, ints!(i64), |key| *key;
    i128_keys: i128, ints!(i128), |key| *key;
    bool_keys: bool, any::<bool>(), |key| *key;
    uuid_keys: Uuid, any::<u128>().prop_map(Uuid::from_u128), |key| *key;
    text_keys: String, texts(), |key| key;
    byte_keys: Vec<u8>, blobs(), |key| key;
    optional_keys: Option<String>, proptest::option::of(texts()), |key| key.as_deref();
    nested_optional_keys: Option<Option<u8>>,
        proptest::option::of(proptest::option::of(any::<u8>())), |key| *key;
    pair_keys: (String, i16), (texts(), ints!(i16)), |key| (&key.0, key.1);
    triple_keys: (Vec<u8>, bool, String), (blobs(), any::<bool>(), texts()),
        |key| (&key.0, key.1, &key.2);
    char_keys: char, any::<char>(), |key| *key;
    array_keys: [u8; 3], any::<[u8; 3]>(), |key| key;
    time_keys: SystemTime, times(), |key| *key;
    duration_keys: Duration, durations(), |key| *key;
    ipv4_keys: Ipv4Addr, any::<u32>().prop_map(Ipv4Addr::from), |key| *key;
    ipv6_keys: Ipv6Addr, any::<u128>().prop_map(Ipv6Addr::from), |key| *key;
    address_keys: IpAddr, addresses(), |key| *key;
    socket_keys: SocketAddr, sockets(), |key| *key;
    enum_keys: Level, levels(), |key| *key;
    pair_with_an_enum_keys: (Level, String), (levels(), texts()), |key| (key.0, &key.1);
    quadruple_keys: (u8, String, Option<Vec<u8>>, i128),
        (any::<u8>(), texts(), proptest::option::of(blobs()), ints!(i128)),
        |key| (key.0, &key.1, key.2.as_deref(), key.3);
}

proptest! {
    #[test]
    fn byte_order_is_value_order(a in shape(), b in shape()) {
        prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
    }

    #[test]
    fn descending_part_reverses_its_own_order_only(
        a in shape(), b in shape(), next in any::<(u8, u8)>(),
    ) {
        let x = bytes::<(Desc<Shape>, u8)>((Desc(borrowed(&a)), next.0));
        let y = bytes::<(Desc<Shape>, u8)>((Desc(borrowed(&b)), next.1));
        prop_assert_eq!(x.cmp(&y), b.cmp(&a).then(next.0.cmp(&next.1)));
        prop_assert_eq!(back::<(Desc<Shape>, u8)>(&x), Some((Desc(a), next.0)));
    }

    #[test]
    fn decoding_returns_the_encoded_value(key in shape()) {
        prop_assert_eq!(back::<Shape>(&encoded(&key)), Some(key));
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = back::<Shape>(&raw);
    }
}
