//! Character classes and single-character escapes.

use super::{ALL_CHARACTERS, PatternError, Translator, UNICODE_CLASS_BYTES, push_literal};

impl Translator<'_> {
    /// Reads a class from `[` to `]` and returns its translation.
    pub(super) fn class(&mut self) -> Result<String, PatternError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::from("[");
        if self.rest().starts_with('^') {
            self.at += 1;
            out.push('^');
        }
        let first = self.at;
        loop {
            let Some(char) = self.peek() else {
                return Err(self.syntax_error(start, start + 1, "this class is not closed"));
            };
            // A `]` in the first position is a character.
            if char == ']' && self.at > first {
                self.at += 1;
                out.push(']');
                return Ok(out);
            }
            if let Some((class, length)) = self.posix_class()? {
                // A negated class has almost all characters, each of which is folded.
                if class.starts_with("[:^") {
                    self.take_folded(ALL_CHARACTERS)?;
                }
                out.push_str(&class);
                self.at += length;
            } else if let Some((class, length)) = self.perl_or_unicode_class(self.at)? {
                if class.starts_with("[^") {
                    self.take_folded(ALL_CHARACTERS)?;
                }
                out.push_str(&class);
                self.at += length;
            } else {
                self.range(start, &mut out)?;
            }
        }
    }

    /// Reads one character, or a range of two.
    fn range(&mut self, class: usize, out: &mut String) -> Result<(), PatternError> {
        let start = self.at;
        let low = self.class_char(class)?;
        push_literal(out, low);
        let mut ahead = self.rest().chars();
        if ahead.next() == Some('-') && ahead.next().is_some_and(|next| next != ']') {
            self.at += 1;
            let high = self.class_char(class)?;
            if high < low {
                return Err(self.syntax_error(start, self.at, "the range is in the wrong order"));
            }
            self.take_folded((high as usize) - (low as usize))?;
            out.push('-');
            push_literal(out, high);
        }
        Ok(())
    }

    fn class_char(&mut self, class: usize) -> Result<char, PatternError> {
        match self.peek() {
            None => Err(self.syntax_error(class, class + 1, "this class is not closed")),
            Some('\\') => {
                let (char, length) = self.char_escape(self.at)?;
                self.at += length;
                Ok(char)
            }
            Some(char) => {
                self.at += char.len_utf8();
                Ok(char)
            }
        }
    }

    /// Reads `[:alpha:]` and similar, inside a class.
    fn posix_class(&mut self) -> Result<Option<(String, usize)>, PatternError> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        let Some(inner) = self.rest().strip_prefix("[:") else { return Ok(None) };
        if !self.posix_may_end {
            return Ok(None);
        }
        let Some(end) = inner.find(":]") else {
            self.posix_may_end = false;
            return Ok(None);
        };
        let name = inner[..end].strip_prefix('^').unwrap_or(&inner[..end]);
        let length = end + 4;
        if NAMES.contains(&name) {
            return Ok(Some((self.rest()[..length].to_owned(), length)));
        }
        Err(self.syntax_error(self.at, self.at + length, "unknown class"))
    }

    /// Reads `\d`, `\pL`, `\p{Greek}` and similar; Perl classes are ASCII, as in Go.
    pub(super) fn perl_or_unicode_class(
        &mut self,
        at: usize,
    ) -> Result<Option<(String, usize)>, PatternError> {
        let rest = &self.pattern[at..];
        let mut chars = rest.chars();
        if chars.next() != Some('\\') {
            return Ok(None);
        }
        let perl = match chars.next() {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            // Go: regexp/syntax/perl_groups.go has no vertical tab in `\s`, unlike this crate.
            Some('s') => "[\\t\\n\\f\\r ]",
            Some('S') => "[^\\t\\n\\f\\r ]",
            Some(sign @ ('p' | 'P')) => return self.unicode_class(at, sign == 'P').map(Some),
            _ => return Ok(None),
        };
        Ok(Some((perl.to_owned(), 2)))
    }

    fn unicode_class(&mut self, at: usize, upper: bool) -> Result<(String, usize), PatternError> {
        let rest = &self.pattern[at + 2..];
        self.take(UNICODE_CLASS_BYTES)?;
        self.take_folded(ALL_CHARACTERS)?;
        let unknown =
            |length: usize| self.syntax_error(at, at + 2 + length, "unknown Unicode class");
        let (name, length) = if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').ok_or_else(|| unknown(rest.len()))?;
            (&inner[..end], end + 2)
        } else {
            let length = rest.chars().next().ok_or_else(|| unknown(0))?.len_utf8();
            (&rest[..length], length)
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !upper),
            None => (name, upper),
        };
        // Only the spelling of Go: the crate would also match names loosely.
        let spelled = name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let class = format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' });
        if !spelled || regex_automata::util::syntax::parse(&class).is_err() {
            return Err(unknown(length));
        }
        Ok((class, length + 2))
    }

    /// Reads an escape of one character, with its length.
    pub(super) fn char_escape(&self, at: usize) -> Result<(char, usize), PatternError> {
        let rest = &self.pattern[at..];
        let simple = |char| Ok((char, 2));
        match rest[1..].chars().next() {
            None => Err(self.syntax_error(at, at + 1, "a backslash at the end")),
            Some('a') => simple('\u{7}'),
            Some('f') => simple('\u{c}'),
            Some('n') => simple('\n'),
            Some('r') => simple('\r'),
            Some('t') => simple('\t'),
            Some('v') => simple('\u{b}'),
            Some('x') => self.hex_escape(at),
            Some(first @ '0'..='7') => {
                let more = rest[2..].bytes().take(2).take_while(|byte| matches!(byte, b'0'..=b'7'));
                let more = more.count();
                // Go reads `\0` and two or three octal digits; a single digit is a back-reference.
                if first != '0' && more == 0 {
                    return Err(self.syntax_error(at, at + 2, "back-references are not supported"));
                }
                let code = u32::from_str_radix(&rest[1..2 + more], 8).unwrap_or_default();
                Ok((char::from_u32(code).unwrap_or_default(), 2 + more))
            }
            Some(char) if char.is_ascii() && !char.is_ascii_alphanumeric() => simple(char),
            Some(char) => {
                let end = at + 1 + char.len_utf8();
                let fault = self.syntax_error(at, end, "unknown escape");
                Err(match char {
                    'u' => super::with_help(fault, "write `\\x{..}` for a character by its number"),
                    _ => fault,
                })
            }
        }
    }

    /// Reads `\x7F` and `\x{10FFFF}`.
    fn hex_escape(&self, at: usize) -> Result<(char, usize), PatternError> {
        let rest = &self.pattern[at + 2..];
        let (digits, length) = match rest.strip_prefix('{') {
            Some(inner) => {
                let end = inner.find('}').unwrap_or(0);
                (&inner[..end], end + 4)
            }
            None => (rest.get(..2).unwrap_or_default(), 4),
        };
        let valid = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        valid
            .then(|| u32::from_str_radix(digits, 16).ok())
            .flatten()
            .and_then(char::from_u32)
            .map(|char| (char, length))
            .ok_or_else(|| {
                self.syntax_error(at, at + length.min(4), "bad escape of a character by number")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::compile;

    fn found(pattern: &str, text: &str) -> bool {
        compile(pattern, 1 << 20, false)
            .is_ok_and(|(regex, _)| regex.is_match(text.as_bytes(), &mut |_| true) == Some(true))
    }

    #[test]
    fn perl_classes_are_ascii() {
        assert!(found(r"^\d\w\s\b", "1a b") && !found(r"\d", "\u{661}") && !found(r"\w", "é"));
        assert!(found(r"[\D]", "é") && found(r"\S", "\u{a0}"));
        assert!(!found(r"é\b", "é"));
    }

    #[test]
    fn class_syntax_of_this_crate_is_literal() {
        assert!(found("^[a&&b]$", "&") && found("^[[a]$", "[") && found("^[a~~b]$", "~"));
        assert!(found("^[[a-z]]$", "q]") && found("^[]a]$", "]") && found("^[a-]$", "-"));
        assert!(found("^[[:alpha:]]$", "q") && found(r"^[\d-z]$", "-"));
    }

    #[test]
    fn patterns_that_re2_rejects_are_rejected() {
        for pattern in [
            "a**",
            "a{2}{3}",
            "a{1001}",
            "(a{32}){32}",
            "(?x)a",
            "(?=a)",
            r"\1",
            r"\u2603",
            r"\C",
            "[a--b]",
            "(",
            ")",
            "*",
            "(?i-)",
            r"\p{greek}",
            "[[:nope:]]",
            r"\8",
            r"\_a\E",
        ] {
            assert!(compile(pattern, 1 << 20, false).is_err(), "{pattern}");
        }
    }

    #[test]
    fn quoted_sections_and_lone_braces_are_literal() {
        assert!(found(r"^\Qa.b\E+$", "a.bb") && found(r"\Qa|", "a|") && found("^w{,1}$", "w{,1}"));
        assert!(found(r"^\123\x{53}\x53$", "SSS") && found("^}]$", "}]"));
        assert!(found("(?U)a+?", "aa") && found("(?P<a>x)(?P<a>y)", "xy"));
    }

    #[test]
    fn patterns_above_the_size_limit_are_rejected() {
        assert!(matches!(
            compile(r"\pL{1000}", 1 << 16, false),
            Err(super::PatternError::TooLarge)
        ));
    }
}
