//! The literal prefix of a pattern.
//!
//! Reads an anchor, then characters that match themselves. Anything else ends the prefix, so it may
//! be shorter than the pattern requires, never longer.

/// A prefix of every string that a pattern matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) text: String,
    /// Whether the pattern matches every string with this prefix.
    pub(super) exact: bool,
    /// Whether the pattern matches this string only.
    pub(super) whole: bool,
}

/// Returns the literal prefix of `pattern`; `None` if it is not anchored.
pub(super) fn of(pattern: &str) -> Option<Prefix> {
    let mut rest = pattern.strip_prefix('^').or_else(|| pattern.strip_prefix("\\A"))?;
    if has_alternatives(rest) {
        return None;
    }
    let mut text = String::new();
    while let Some((literal, after)) = literal(rest) {
        match after.as_bytes().first() {
            // The repeated character is optional, so the prefix ends before it.
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

/// Returns whether the pattern has a `|` that is not escaped; one in a class counts too.
fn has_alternatives(pattern: &str) -> bool {
    let mut escaped = false;
    pattern.bytes().any(|byte| {
        let found = byte == b'|' && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

/// Returns a character that matches itself, and the rest of the pattern.
fn literal(pattern: &str) -> Option<(char, &str)> {
    let mut chars = pattern.chars();
    let char = match chars.next()? {
        // A backslash before a letter is a class or an assertion, before punctuation a literal.
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
    fn prefix_ends_at_the_first_special_character() {
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
    fn alternatives_and_unanchored_patterns_have_no_prefix() {
        for pattern in ["web", "^a|b", "(^a)", "(?i)^a", "^a(b|c)", ""] {
            assert_eq!(of(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn only_an_unrestricted_prefix_is_exact() {
        assert!(of("^web").unwrap().exact);
        assert!(!of("^web-[0-9]").unwrap().exact);
        assert!(!of("^web+").unwrap().whole);
        assert!(of("^web$").unwrap().whole);
        assert!(!of("^web\\$").unwrap().whole);
        // Matches the empty string only.
        assert!(of("^$").unwrap().whole);
    }
}
