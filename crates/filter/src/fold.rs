//! Text compared without regard to the case of letters.
//!
//! Each character counts as its simple lower-case form: one character for one, so that nothing has to be
//! allocated. `ß` is not `ss`, and a final `ς` is not `σ`.

/// A text in lower case.
#[derive(Debug)]
pub(crate) struct Folded(Box<str>);

impl Folded {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.chars().map(lower).collect())
    }

    /// Whether `text` is the same but for case.
    pub(crate) fn equals(&self, text: &str) -> bool {
        text.chars().map(lower).eq(self.0.chars())
    }

    /// Whether a part of `text` is the same but for case.
    pub(crate) fn is_within(&self, text: &str) -> bool {
        let Some(first) = self.0.chars().next() else { return true };
        text.char_indices()
            .filter(|(_, char)| lower(*char) == first)
            .any(|(at, _)| self.begins(&text[at..]))
    }

    fn begins(&self, text: &str) -> bool {
        let mut chars = text.chars().map(lower);
        self.0.chars().all(|own| chars.next() == Some(own))
    }
}

/// The simple lower-case form of a character; only `İ` has a longer one, of which this is the first.
fn lower(char: char) -> char {
    if char.is_ascii() {
        char.to_ascii_lowercase()
    } else {
        char.to_lowercase().next().unwrap_or(char)
    }
}

#[cfg(test)]
mod tests {
    use super::Folded;

    #[test]
    fn letters_of_any_script_are_the_same_in_both_cases() {
        for (own, other) in [("WEB-1", "web-1"), ("Ångström", "åNGSTRÖM"), ("ДА", "да"), ("İ", "i")]
        {
            assert!(Folded::new(own).equals(other), "{own} {other}");
            assert!(Folded::new(own).is_within(&format!("x{other}{other}y")), "{own} {other}");
        }
        assert!(!Folded::new("a").equals("ab"));
        assert!(!Folded::new("ab").equals("a"));
        assert!(!Folded::new("aab").is_within("AAAA"));
        assert!(Folded::new("aab").is_within("aAAb"));
        assert!(Folded::new("").is_within(""));
    }
}
