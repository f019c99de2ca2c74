//! Enums of unit variants as keys, by `derive(KeyPart)`.

use std::fmt;
use std::hash::Hash;

use serde_json::Value;
#[cfg(feature = "planning")]
use statehold_filter::{Constant, Kind};

use super::{Key, KeyBuf, PartOf};

/// An enum of unit variants that is a key. Implemented by [`derive(KeyPart)`](macro@crate::KeyPart).
///
/// A key is the variant's number, four bytes big endian with the sign bit flipped.
pub trait EnumKey: PartOf<Self> + Copy + fmt::Debug + Eq + Hash + Send + Sync + 'static {
    /// Every variant.
    const VARIANTS: &'static [EnumVariant<Self>];
}

/// A variant of an [`EnumKey`].
#[derive(Clone, Copy, Debug)]
pub struct EnumVariant<E> {
    value: E,
    number: i32,
    name: &'static str,
    #[cfg_attr(not(feature = "planning"), expect(dead_code, reason = "for filters alone"))]
    filter_name: &'static str,
}

impl<E: Copy> EnumVariant<E> {
    /// Creates a variant from its discriminant, its Rust name and its name in filters.
    ///
    /// # Panics
    /// If the discriminant has more than 32 bits; in a derived constant this is a compile error.
    #[expect(clippy::cast_possible_truncation, reason = "checked; `try_from` is not const")]
    pub const fn new(
        value: E,
        discriminant: i128,
        name: &'static str,
        filter_name: &'static str,
    ) -> Self {
        let number = discriminant as i32;
        assert!(number as i128 == discriminant, "the numbers of variants in keys have 32 bits");
        Self { value, number, name, filter_name }
    }
}

fn variant<E: EnumKey>(has: impl Fn(&EnumVariant<E>) -> bool) -> Option<&'static EnumVariant<E>> {
    E::VARIANTS.iter().find(|variant| has(variant))
}

impl<E: EnumKey> Key for E {
    type Ref<'a> = Self;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        *self
    }

    fn to_json(&self) -> Value {
        variant::<E>(|own| own.value == *self).map_or(Value::Null, |own| own.name.into())
    }

    fn from_json(json: &Value) -> Option<Self> {
        let name = json.as_str()?;
        variant::<E>(|own| own.name == name).map(|own| own.value)
    }

    fn encode(key: Self, out: &mut KeyBuf) {
        // The derive lists every variant, so a value without an entry is impossible.
        let number = variant::<E>(|own| own.value == key).map_or(0, |own| own.number);
        i32::encode(number, out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let number = i32::decode(bytes)?;
        variant::<E>(|own| own.number == number).map(|own| own.value)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(variant::<E>(|own| own.value == *self).map_or("?", |own| own.name))
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let Constant::Text(text) = constant else { return false };
        let found = variant::<E>(|own| *own.filter_name == **text);
        if let Some(found) = found {
            i32::encode(found.number, out);
        }
        found.is_some()
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        // A filter enum with names that the key lacks is a different enum, whose values have no key.
        let known = |name: &&str| variant::<E>(|own| own.filter_name == *name).is_some();
        matches!(kind, Kind::Enum(names) if names.iter().all(known))
    }

    fn orders_as_filters() -> bool {
        // Filters compare enums by name, so their order is not the order of the numbers.
        false
    }
}
