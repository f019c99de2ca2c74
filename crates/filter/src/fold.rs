//! Case-insensitive comparison and search of strings.
//!
//! Each character counts as its simple lower-case form, one character for one, so nothing is
//! allocated: `ß` does not equal `ss`, and a final `ς` does not equal `σ`.

/// A string in lower case, prepared for search.
#[derive(Debug)]
pub(crate) struct Folded {
    chars: Box<[char]>,
    /// For each prefix of the string, the length of its longest proper suffix that is a prefix too.
    ends: Box<[u32]>,
}

impl Folded {
    pub(crate) fn new(text: &str) -> Self {
        let chars: Box<[char]> = text.chars().map(lower).collect();
        // The failure table of Knuth, Morris and Pratt: the search never reads a character twice.
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

    /// Returns whether `text` is equal, ignoring case.
    pub(crate) fn equals(&self, text: &str) -> bool {
        text.chars().map(lower).eq(self.chars.iter().copied())
    }

    /// Returns whether a substring of `text` is equal, ignoring case; reads each character once.
    pub(crate) fn is_within(&self, text: &str) -> bool {
        let mut matched = 0;
        self.chars.is_empty()
            || text.chars().any(|char| {
                matched = advance(&self.chars, &self.ends, matched, lower(char));
                matched == self.chars.len()
            })
    }

    /// Returns the bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.chars) + size_of_val(&*self.ends)
    }
}

/// Returns the number of characters matched after one more character, given the number before it.
fn advance(chars: &[char], ends: &[u32], mut matched: usize, char: char) -> usize {
    // Falls back to the next shorter prefix that still matches.
    while matched > 0 && chars.get(matched) != Some(&char) {
        matched = ends[matched - 1] as usize;
    }
    matched + usize::from(chars.get(matched) == Some(&char))
}

/// Returns the simple lower-case form of a character. Only `İ` has a longer form, whose first
/// character counts.
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
    fn letters_of_any_script_match_ignoring_case() {
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
    fn every_substring_is_found() {
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
