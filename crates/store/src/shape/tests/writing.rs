//! Rows that are written as they are read, and rows that aren't.

use super::*;

fn written<R: Serialize + DeserializeOwned>(row: &R) -> Outcome {
    let shape = explore::explore::<R>(Values::default()).unwrap();
    let walk = Walk::new(&shape);
    let config = bincode::config::standard();
    let checked = bincode::serde::encode_to_vec(walk.row(row), config);
    if let Ok(bytes) = &checked {
        assert_eq!(*bytes, bincode::serde::encode_to_vec(row, config).unwrap());
    }
    walk.outcome(checked.is_ok())
}

fn agrees<R: Serialize + DeserializeOwned>(row: &R) -> bool {
    matches!(written(row), Outcome::Agrees)
}

#[test]
fn rows_that_are_written_as_they_are_read_agree() {
    let kinds = [
        Some(Kind::Plain),
        Some(Kind::Sized(Meters(3))),
        Some(Kind::Both(1, "x".into())),
        Some(Kind::Named { a: 1, b: Some(Meters(2)) }),
        None,
    ];
    for kind in kinds {
        assert!(agrees(&Row {
            long_name: "a".into(),
            id: Uuid::nil(),
            kind,
            cache: vec![1],
            wait: Duration::from_secs(3),
            pair: Pair(1, "b".into()),
            nothing: Nothing,
            empty: Empty {},
        }));
    }
    let leaf = || Tree { name: "leaf".into(), below: vec![], best: None };
    let below = vec![leaf(), leaf()];
    assert!(agrees(&Tree { name: "root".into(), below, best: Some(Box::new(leaf())) }));
    let is = || Box::new(Expression::Is("x".into()));
    assert!(agrees(&Expression::And(is(), Box::new(Expression::Not(is())))));
    assert!(agrees(&Lists(vec![Lists(vec![]), Lists(vec![Lists(vec![])])])));
    assert!(agrees(&Address(IpAddr::V4(Ipv4Addr::LOCALHOST))));
    assert!(agrees(&(
        SystemTime::UNIX_EPOCH,
        Duration::from_millis(5),
        jiff::Timestamp::UNIX_EPOCH
    )));
    assert!(agrees(&HashMap::from([(1_u8, [0_u64; 3]), (2, [1; 3])])));
    assert!(agrees(&(NonZero::new(7_u8).unwrap(), Cow::Borrowed("x"), 'x', 1.5_f32)));
    assert!(agrees(&Guarded {
        before: 1,
        inside: Some(Password("sesame".into())),
        many: vec![],
        after: "x".into()
    }));
}

fn password() -> Password {
    Password("sesame".into())
}

/// Values in tuples behind one that no dummy is good for.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Tuples {
    pair: (Password, Option<u32>),
    claim: Claim,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Claim {
    None,
    By(Password, u16),
    Even(Even, u8),
}

/// An even number from 1000 on.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(try_from = "u64")]
struct Even(u64);

impl TryFrom<u64> for Even {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        let even = number >= 1000 && number.is_multiple_of(2);
        if even { Ok(Self(number)) } else { Err("not even") }
    }
}

#[test]
fn a_shape_learns_from_the_values_of_rows() {
    let hidden = Hidden { before: 1, password: password(), after: "x".into() };
    assert!(agrees(&hidden), "fields are seen behind a value that can't be guessed");
    let shape = explore::explore::<Tuples>(Values::default()).unwrap();
    assert_eq!(
        shape.text(),
        "1 {pair: (string, ..), claim: enum{None, By(string, ..), Even(u64, ..)}}"
    );
    let learn = |row: &Tuples| {
        let walk = Walk::new(shape.latest());
        let config = bincode::config::standard();
        let bytes = bincode::serde::encode_to_vec(walk.row(row), config);
        match walk.outcome(bytes.is_ok()) {
            Outcome::Unknown(values) => shape.learn::<Tuples>(values),
            Outcome::Agrees => {}
            _ => panic!("the row is refused"),
        }
        shape.latest().text()
    };
    assert_eq!(
        learn(&Tuples { pair: (password(), None), claim: Claim::None }),
        "1 {pair: (string, option<u32>), claim: enum{None, By(string, u16), Even(u64, ..)}}"
    );
    assert!(!shape.latest().is_whole());
    assert_eq!(
        learn(&Tuples { pair: (password(), None), claim: Claim::Even(Even(1000), 1) }),
        "1 {pair: (string, option<u32>), claim: enum{None, By(string, u16), Even(u64, u8)}}"
    );
    assert!(shape.latest().is_whole());
}

#[test]
fn incompletable_shape_is_probed_a_limited_number_of_times() {
    let shape = explore::explore::<Versioned>(Values::default()).unwrap();
    for _ in 0..3 * PROBES_MAX {
        shape.learn::<Versioned>(Values::default());
    }
    assert!(matches!(written(&Versioned::New(3)), Outcome::Unknown(_)));
    assert_eq!(shape.latest().text(), "1 (bool, ?)");
}

fn disagrees<R: Serialize + DeserializeOwned>(row: &R) -> (bool, String) {
    match written(row) {
        Outcome::Disagrees { certain, reason } => (certain, reason),
        _ => panic!("the row is accepted"),
    }
}

#[derive(Serialize, Deserialize)]
struct SkipsIf {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SkipsWriting {
    id: String,
    #[serde(skip_serializing, default)]
    #[expect(dead_code, reason = "it is not written")]
    note: String,
}

#[derive(Serialize, Deserialize)]
struct SkipsReading {
    id: String,
    #[serde(skip_deserializing)]
    note: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
struct TaggedStruct {
    id: String,
}

#[derive(Serialize, Deserialize, Debug)]
enum SkipsVariant {
    First,
    #[serde(skip)]
    #[expect(dead_code, reason = "it moves the ones after it")]
    Skipped,
    Second,
    Third,
}

#[derive(Serialize, Deserialize)]
struct Swapped {
    #[serde(rename(serialize = "b", deserialize = "a"))]
    a: String,
    #[serde(rename(serialize = "a", deserialize = "b"))]
    b: String,
}

#[derive(Serialize, Deserialize)]
struct WritesSigned {
    #[serde(serialize_with = "signed")]
    size: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn signed<S: Serializer>(size: &u32, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64((*size).into())
}

#[derive(Deserialize)]
struct NoLength(#[expect(dead_code, reason = "only written")] Vec<u8>);

impl Serialize for NoLength {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        to.serialize_seq(None)?.end()
    }
}

#[test]
fn rows_that_are_written_otherwise_than_read_are_refused() {
    let skips = |note: Option<&str>| SkipsIf { id: "a".into(), note: note.map(str::to_owned) };
    assert!(agrees(&skips(Some("x"))));
    let (certain, reason) = disagrees(&Wrap { inner: vec![skips(Some("x")), skips(None)] });
    assert!(certain && reason.starts_with("the field `inner[].note` was left out"), "{reason}");
    let (certain, reason) = disagrees(&SkipsWriting { id: "a".into(), note: "b".into() });
    assert!(certain && reason.contains("1 fields and read with 2"), "{reason}");
    let (certain, reason) = disagrees(&SkipsReading { id: "a".into(), note: "b".into() });
    assert!(certain && reason.contains("more than the 1"), "{reason}");
    assert!(disagrees(&TaggedStruct { id: "a".into() }).0);
    let (certain, reason) = disagrees(&(1_u8, NoLength(vec![])));
    assert!(
        certain && reason.starts_with("the field `1` is a list or map whose length"),
        "{reason}"
    );
    let (certain, reason) = disagrees(&Swapped { a: "a".into(), b: "b".into() });
    assert!(certain && reason.starts_with("the field `b` is written in another place"), "{reason}");
    assert!(agrees(&SkipsVariant::First));
    assert!(!disagrees(&SkipsVariant::Second).0, "reading it back finds another variant");
    assert!(disagrees(&SkipsVariant::Third).0);
    let (certain, reason) = disagrees(&WritesSigned { size: 1 });
    assert!(!certain && reason.starts_with("the field `size` is written as i64 and read as u32"));
}
