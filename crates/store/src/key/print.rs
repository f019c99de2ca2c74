//! Encoded keys in messages.

use std::fmt;

use super::Key;

/// Maximum length of a printed key in bytes: enough for a name, and short enough for a log line.
const PRINTED_MAX: usize = 200;

/// Prints the key that `bytes` encode for a message: at most [`PRINTED_MAX`] bytes and an ellipsis.
pub(crate) fn printed<K: Key>(bytes: &[u8]) -> Box<str> {
    let mut rest = bytes;
    let mut text = match K::decode(&mut rest) {
        Some(key) if rest.is_empty() => Printed(&key).to_string(),
        // Bytes that no key of this shape has, for example from a damaged file: print them as hex digits.
        _ => Hex(bytes).to_string(),
    };
    if text.len() > PRINTED_MAX {
        // A cut inside a character would panic.
        let end = (0..=PRINTED_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text.into()
}

/// Displays a key with [`Key::print`].
pub(super) struct Printed<'a, K>(pub(super) &'a K);

impl<K: Key> fmt::Display for Printed<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.print(f)
    }
}

/// Displays bytes as hex digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Desc, KeyBuf, Ref};

    fn print<K: Key>(key: Ref<'_, K>) -> Box<str> {
        printed::<K>(KeyBuf::of::<K>(key).as_slice())
    }

    #[test]
    fn every_shape_prints_as_its_value() {
        assert_eq!(&*print::<String>("a\"b"), r#""a\"b""#);
        assert_eq!(&*print::<Vec<u8>>(&[0, 0xAB]), "0x00ab");
        assert_eq!(&*print::<i64>(-7), "-7");
        assert_eq!(&*print::<(String, Desc<u8>, bool)>(("a", Desc(3), true)), r#"("a", 3, true)"#);
        assert_eq!(&*print::<Option<u8>>(None), "none");
        let id = uuid::Uuid::from_u128(1);
        assert_eq!(&*print::<Option<uuid::Uuid>>(Some(id)), id.to_string());
    }

    #[test]
    fn a_long_key_is_cut_at_a_character() {
        let text = print::<String>(&"é".repeat(PRINTED_MAX));
        assert!(text.len() <= PRINTED_MAX + '…'.len_utf8(), "{}", text.len());
        assert!(text.ends_with("é…"), "{text}");
    }

    #[test]
    fn bytes_of_another_shape_print_as_hex() {
        assert_eq!(&*printed::<u64>(&[1, 2]), "0x0102");
    }
}
