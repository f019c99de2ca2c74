//! The literal beginning of a pattern.
//!
//! Only what is plain to see is taken: an anchor, then characters that mean themselves. Anything else ends the
//! prefix, so the answer may say less than the pattern, never more.

/// What every text begins with that a pattern matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) text: String,
    /// Whether every text that begins so is matched.
    pub(super) exact: bool,
    /// Whether the text itself is the only one that is matched.
    pub(super) whole: bool,
}

/// The literal beginning of `pattern`; `None` when it can match anywhere in a text.
pub(super) fn of(pattern: &str) -> Option<Prefix> {
    let mut rest = pattern.strip_prefix('^').or_else(|| pattern.strip_prefix("\\A"))?;
    if has_alternatives(rest) {
        return None;
    }
    let mut text = String::new();
    while let Some((literal, after)) = literal(rest) {
        match after.as_bytes().first() {
            // The character may be left out, so it says nothing.
            Some(b'*' | b'?' | b'{') => break,
            Some(b'+') => {
                text.push(literal);
                rest = after;
                break;
            }
            _ => text.push(literal),
        }
        rest = after;
    }
    let whole = matches!(rest, "$" | "\\z");
    Some(Prefix { text, exact: rest.is_empty(), whole })
}

/// Whether a `|` stands anywhere but behind a backslash; one in a class counts too.
fn has_alternatives(pattern: &str) -> bool {
    let mut escaped = false;
    pattern.bytes().any(|byte| {
        let found = byte == b'|' && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

/// A character that means itself, and what follows.
fn literal(pattern: &str) -> Option<(char, &str)> {
    let mut chars = pattern.chars();
    let char = match chars.next()? {
        '\\' => chars.next().filter(char::is_ascii_punctuation)?,
        '^' | '$' | '.' | '[' | ']' | '(' | ')' | '{' | '}' | '*' | '+' | '?' | '|' => return None,
        char => char,
    };
    Some((char, chars.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_pattern_stops_being_plain() {
        for (pattern, text) in [
            ("^web-[0-9]+$", "web-"),
            ("^web", "web"),
            ("\\Aweb", "web"),
            ("^we?b", "w"),
            ("^web*", "we"),
            ("^web+c", "web"),
            ("^web{2}", "we"),
            ("^a\\.b\\d", "a.b"),
            ("^a\\*", "a*"),
            ("^(?i)web", ""),
            ("^\u{e9}t\u{e9}.", "\u{e9}t\u{e9}"),
            ("^", ""),
        ] {
            assert_eq!(of(pattern).unwrap().text, text, "{pattern}");
        }
    }

    #[test]
    fn alternatives_and_patterns_without_anchor_have_no_prefix() {
        for pattern in ["web", "^a|b", "(^a)", "(?i)^a", "^a(b|c)", ""] {
            assert_eq!(of(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn only_a_bare_prefix_says_all() {
        assert!(of("^web").unwrap().exact);
        assert!(!of("^web-[0-9]").unwrap().exact);
        assert!(!of("^web+").unwrap().whole);
        assert!(of("^web$").unwrap().whole);
        assert!(!of("^web\\$").unwrap().whole);
        // An empty text is what this matches.
        assert!(of("^$").unwrap().whole);
    }
}
