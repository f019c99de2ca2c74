//! Text compared without regard to the case of letters.
//!
//! Each character counts as its simple lower-case form: one character for one, so that nothing has to be
//! allocated. `ß` is not `ss`, and a final `ς` is not `σ`.

/// A text in lower case.
#[derive(Debug)]
pub(crate) struct Folded {
    chars: Box<[char]>,
    /// For each beginning of the text, the length of the longest end of it that is a beginning too.
    ends: Box<[u32]>,
}

impl Folded {
    pub(crate) fn new(text: &str) -> Self {
        let chars: Box<[char]> = text.chars().map(lower).collect();
        let mut ends: Vec<u32> = Vec::with_capacity(chars.len());
        let mut matched = 0;
        for (at, char) in chars.iter().enumerate() {
            if at > 0 {
                matched = advance(&chars, &ends, matched, *char);
            }
            ends.push(u32::try_from(matched).unwrap_or(0));
        }
        Self { chars, ends: ends.into() }
    }

    /// Whether `text` is the same but for case.
    pub(crate) fn equals(&self, text: &str) -> bool {
        text.chars().map(lower).eq(self.chars.iter().copied())
    }

    /// Whether a part of `text` is the same but for case; each character is looked at once.
    pub(crate) fn is_within(&self, text: &str) -> bool {
        let mut matched = 0;
        self.chars.is_empty()
            || text.chars().any(|char| {
                matched = advance(&self.chars, &self.ends, matched, lower(char));
                matched == self.chars.len()
            })
    }

    /// The bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.chars) + size_of_val(&*self.ends)
    }
}

/// How many characters are matched after one more, when `matched` were before it.
fn advance(chars: &[char], ends: &[u32], mut matched: usize, char: char) -> usize {
    while matched > 0 && chars.get(matched) != Some(&char) {
        matched = ends[matched - 1] as usize;
    }
    matched + usize::from(chars.get(matched) == Some(&char))
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

    #[test]
    fn every_part_of_a_text_is_found_in_it() {
        let text = "aAbaabaaabaabaabcab";
        for start in 0..text.len() {
            for end in start..text.len() {
                assert!(Folded::new(&text[start..end]).is_within(text), "{start}..{end}");
            }
        }
        for part in ["bb", "aaaa", "aabaabaabaab", "cb", "abcabc"] {
            assert!(!Folded::new(part).is_within(text), "{part}");
        }
    }
}
