//! Regular expressions: translates RE2 as in Go, the dialect of go-bexpr, to that of the `regex`
//! crates, and [searches](search).
//!
//! Both search without backtracking, so no pattern is slow. Constructs that differ are translated
//! to the form with the same meaning: `\d \w \s \b` are ASCII, `\Q..\E` is literal, `[` and `&&`
//! inside a class are characters, `{` that begins no repetition is a character, octal escapes are
//! characters. Constructs that RE2 rejects are rejected: `(?x)`, look-around, back-references,
//! `a**`, counts above 1,000.
//!
//! Groups lose their names and do not capture, because `matches` needs neither.

mod class;
mod search;

use std::fmt::Write as _;

pub(crate) use self::search::Pattern;

/// Maximum repetitions of one part, nested repetitions multiplied (Go: regexp/syntax/parse.go,
/// repeatIsValid).
const REPEAT_MAX: u32 = 1_000;
/// Bytes that a class of a Unicode property takes from the limit on compiled bytes, even if it
/// compiles to less: merging classes takes time, even if the result has few states.
const UNICODE_CLASS_BYTES: usize = 4 << 10;
/// Characters of a range that take one byte of that limit if case is ignored, because each is
/// looked up.
const FOLDED_PER_BYTE: usize = 16;
/// The approximate number of characters in Unicode.
const ALL_CHARACTERS: usize = 0x11_0000;
/// Maximum nesting of groups.
const GROUPS_MAX: usize = 100;

/// The reason why a pattern is rejected.
#[derive(Debug)]
pub(crate) enum PatternError {
    /// The pattern is not valid.
    Syntax {
        /// Start of the error, in bytes of the pattern.
        start: usize,
        /// End of the error, exclusive.
        end: usize,
        /// The error.
        reason: String,
        /// The suggested fix.
        help: Option<&'static str>,
    },
    /// The pattern compiles to more than the limit.
    TooLarge,
}

/// Translates and compiles a pattern to at most `size_max` bytes; `fold` ignores the case of
/// letters.
///
/// Also returns the bytes taken from the limit.
pub(crate) fn compile(
    pattern: &str,
    size_max: usize,
    fold: bool,
) -> Result<(Pattern, usize), PatternError> {
    let mut translator = Translator::new(pattern, size_max, fold);
    translator.run()?;
    let Translator { out: translated, size_left, .. } = translator;
    let compiled = Pattern::new(&translated, size_left, fold).map_err(|fault| match fault {
        // Positions in the translation have no meaning for the client.
        PatternError::Syntax { reason, help, .. } => {
            PatternError::Syntax { start: 0, end: pattern.len(), reason, help }
        }
        PatternError::TooLarge => PatternError::TooLarge,
    })?;
    let taken = size_max - size_left + compiled.bytes();
    Ok((compiled, taken))
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    /// The bytes left of the limit.
    size_left: usize,
    /// Whether case is ignored anywhere so far.
    folds: bool,
    /// Whether a `:]` may follow: searched for once, and not from every `[:`.
    posix_may_end: bool,
    groups: Vec<Group>,
    /// The part that a repetition would apply to.
    part: Option<Repeatable>,
}

/// An open group.
struct Group {
    start: usize,
    /// The maximum product of repetitions inside so far.
    repeats: u32,
}

#[derive(Clone, Copy)]
struct Repeatable {
    /// The product of the counted repetitions inside.
    repeats: u32,
    /// Whether it ends with a repetition.
    repeated: bool,
}

impl Repeatable {
    const ONE: Self = Self { repeats: 1, repeated: false };
}

impl<'p> Translator<'p> {
    fn new(pattern: &'p str, size_left: usize, folds: bool) -> Self {
        let whole = Group { start: 0, repeats: 1 };
        let out = String::with_capacity(pattern.len() + 16);
        let groups = vec![whole];
        Self { pattern, at: 0, out, size_left, folds, posix_may_end: true, groups, part: None }
    }

    fn run(&mut self) -> Result<(), PatternError> {
        while let Some(char) = self.peek() {
            match char {
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.at += 1;
                    self.out.push('|');
                    self.part = None;
                }
                '[' => {
                    let class = self.class()?;
                    self.atom(&class);
                }
                '*' | '+' | '?' => self.repeat(char)?,
                // RE2: a brace that begins no count is a literal.
                '{' => match self.counts() {
                    Some((min, max, length)) => self.repeat_counted(min, max, length)?,
                    None => self.literal(),
                },
                '\\' => self.escape()?,
                '^' | '$' | '.' => {
                    self.at += 1;
                    self.atom(char.encode_utf8(&mut [0; 4]));
                }
                _ => self.literal(),
            }
        }
        match self.groups.last() {
            Some(group) if self.groups.len() > 1 => {
                Err(self.syntax_error(group.start, group.start + 1, "this group is not closed"))
            }
            _ => Ok(()),
        }
    }

    /// Takes bytes from the limit.
    fn take(&mut self, bytes: usize) -> Result<(), PatternError> {
        self.size_left = self.size_left.checked_sub(bytes).ok_or(PatternError::TooLarge)?;
        Ok(())
    }

    /// Takes the cost of ignoring the case of `characters` characters, if case is ignored.
    fn take_folded(&mut self, characters: usize) -> Result<(), PatternError> {
        self.take(if self.folds { characters / FOLDED_PER_BYTE } else { 0 })
    }

    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Writes a part that a repetition may follow.
    fn atom(&mut self, translated: &str) {
        self.out.push_str(translated);
        self.part = Some(Repeatable::ONE);
    }

    /// Copies the next character as a literal.
    fn literal(&mut self) {
        if let Some(char) = self.peek() {
            self.at += char.len_utf8();
            push_literal(&mut self.out, char);
            self.part = Some(Repeatable::ONE);
        }
    }

    fn open(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        if self.groups.len() > GROUPS_MAX {
            return Err(self.syntax_error(start, start + 1, "groups are nested too deep"));
        }
        if let Some(flags) = self.rest().strip_prefix("(?") {
            // The name is dropped, because Go accepts duplicate names and the crate does not.
            if let Some(name) = flags.strip_prefix("P<").or_else(|| flags.strip_prefix('<')) {
                let end = name.find('>').unwrap_or(name.len());
                let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                if end == 0 || end == name.len() || !name[..end].bytes().all(word) {
                    let end = self.pattern.len() - name.len() + end;
                    let look_behind = name.starts_with(['=', '!']);
                    let reason =
                        if look_behind { "look-around is not supported" } else { "bad group name" };
                    return Err(self.syntax_error(start, end, reason));
                }
                self.at = self.pattern.len() - name.len() + end + 1;
            } else {
                return self.open_flags(start, flags);
            }
        } else {
            self.at += 1;
        }
        self.out.push_str("(?:");
        self.groups.push(Group { start, repeats: 1 });
        self.part = None;
        Ok(())
    }

    /// Reads `(?flags)` and `(?flags:`.
    fn open_flags(&mut self, start: usize, flags: &str) -> Result<(), PatternError> {
        let end = flags.find([':', ')']).unwrap_or(flags.len());
        let (on, off) = match flags[..end].split_once('-') {
            Some((on, off)) => (on, Some(off)),
            None => (&flags[..end], None),
        };
        let known = |flags: &str| flags.bytes().all(|flag| b"imsU".contains(&flag));
        if end == flags.len() || !known(on) || !off.is_none_or(|off| !off.is_empty() && known(off))
        {
            let reason = match flags.chars().next() {
                Some('=' | '!') => "look-around is not supported",
                Some('P') => "back-references are not supported",
                Some('#') => "comments are not supported",
                _ => "unknown or unfinished flags after `(?`",
            };
            let end = start + 2 + flags.chars().next().map_or(0, char::len_utf8);
            return Err(self.syntax_error(start, end, reason));
        }
        // Greediness does not affect whether a pattern is found.
        let keep = |flags: &str| flags.replace('U', "");
        let (on, off) = (keep(on), keep(off.unwrap_or_default()));
        // Set for the rest of the pattern, beyond the scope of the flag: an upper bound of the
        // cost.
        self.folds |= on.contains('i');
        let minus = if off.is_empty() { "" } else { "-" };
        self.at = start + 2 + end + 1;
        if flags[end..].starts_with(':') {
            let _ = write!(self.out, "(?{on}{minus}{off}:");
            self.groups.push(Group { start, repeats: 1 });
            self.part = None;
        } else if !on.is_empty() || !off.is_empty() {
            let _ = write!(self.out, "(?{on}{minus}{off})");
            self.part = None;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), PatternError> {
        if self.groups.len() < 2 {
            return Err(self.syntax_error(self.at, self.at + 1, "no group is open here"));
        }
        self.at += 1;
        self.out.push(')');
        let repeats = self.groups.pop().map_or(1, |group| group.repeats);
        self.note_repeats(repeats);
        self.part = Some(Repeatable { repeats, repeated: false });
        Ok(())
    }

    /// Records a product of repetitions in the open group.
    fn note_repeats(&mut self, repeats: u32) {
        if let Some(group) = self.groups.last_mut() {
            group.repeats = group.repeats.max(repeats);
        }
    }

    fn repeat(&mut self, operator: char) -> Result<(), PatternError> {
        let part = self.repeatable(1)?;
        self.at += 1;
        self.out.push(operator);
        self.end_repeat(part.repeats);
        Ok(())
    }

    fn repeat_counted(
        &mut self,
        min: u32,
        max: Option<u32>,
        length: usize,
    ) -> Result<(), PatternError> {
        let part = self.repeatable(length)?;
        let largest = max.unwrap_or(min).max(min);
        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX) {
            return Err(self.syntax_error(self.at, self.at + length, "a count is at most 1000"));
        }
        if max.is_some_and(|max| max < min) {
            return Err(self.syntax_error(
                self.at,
                self.at + length,
                "the counts are in the wrong order",
            ));
        }
        let repeats = part.repeats.saturating_mul(largest.max(1));
        // Go: regexp/syntax/parse.go, repeatIsValid, limits the product of nested counts too.
        if repeats > REPEAT_MAX {
            let reason = "nested counts multiply to more than 1000";
            return Err(self.syntax_error(self.at, self.at + length, reason));
        }
        self.out.push_str(&self.pattern[self.at..self.at + length]);
        self.at += length;
        self.note_repeats(repeats);
        self.end_repeat(repeats);
        Ok(())
    }

    /// Returns the part that a repetition at this position applies to.
    fn repeatable(&self, length: usize) -> Result<Repeatable, PatternError> {
        match self.part {
            Some(part) if !part.repeated => Ok(part),
            Some(_) => {
                Err(self.syntax_error(self.at, self.at + length, "a repetition of a repetition"))
            }
            None => {
                Err(self.syntax_error(self.at, self.at + length, "there is nothing to repeat here"))
            }
        }
    }

    fn end_repeat(&mut self, repeats: u32) {
        if self.peek() == Some('?') {
            // Laziness does not affect whether a pattern is found.
            self.at += 1;
        }
        self.part = Some(Repeatable { repeats, repeated: true });
    }

    /// Reads `{n}`, `{n,}` or `{n,m}` with its length; `None` for literal text.
    fn counts(&self) -> Option<(u32, Option<u32>, usize)> {
        let inner = self.rest().strip_prefix('{')?;
        // Stops where a count must end, so that many `{` are not each followed to the end of the
        // pattern.
        let end = inner.find(|char: char| char != ',' && !char.is_ascii_digit())?;
        if !inner[end..].starts_with('}') {
            return None;
        }
        let number = |text: &str| {
            // Go: regexp/syntax/parse.go, parseInt, rejects leading zeros: `{01}` is literal.
            let plain = text == "0" || !text.starts_with('0');
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            (plain && digits).then(|| text.parse().unwrap_or(u32::MAX))
        };
        let (min, max) = match inner[..end].split_once(',') {
            None => {
                let count = number(&inner[..end])?;
                (count, Some(count))
            }
            Some((min, "")) => (number(min)?, None),
            Some((min, max)) => (number(min)?, Some(number(max)?)),
        };
        Some((min, max, end + 2))
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let rest = self.rest();
        if let Some(quoted) = rest.strip_prefix("\\Q") {
            let (text, length) = match quoted.split_once("\\E") {
                Some((text, _)) => (text, text.len() + 4),
                None => (quoted, rest.len()),
            };
            for char in text.chars() {
                push_literal(&mut self.out, char);
                self.part = Some(Repeatable::ONE);
            }
            self.at += length;
            return Ok(());
        }
        let translated = match rest.as_bytes().get(1) {
            Some(b'A') => "\\A",
            Some(b'z') => "\\z",
            // Go: word boundaries are those of ASCII words.
            Some(b'b') => "(?-u:\\b)",
            Some(b'B') => "(?-u:\\B)",
            Some(b'C') => {
                let fault = self.syntax_error(self.at, self.at + 2, "`\\C` is not supported");
                return Err(with_help(fault, "write `(?s:.)` for any character"));
            }
            Some(b'Z') => {
                let fault = self.syntax_error(self.at, self.at + 2, "`\\Z` is not supported");
                return Err(with_help(fault, "write `\\z` for the end of the text"));
            }
            _ => {
                let class = self.perl_or_unicode_class(self.at)?;
                let (class, length) = if let Some(class) = class {
                    class
                } else {
                    let (char, length) = self.char_escape(self.at)?;
                    let mut literal = String::new();
                    push_literal(&mut literal, char);
                    (literal, length)
                };
                self.at += length;
                self.atom(&class);
                return Ok(());
            }
        };
        self.at += 2;
        self.atom(translated);
        Ok(())
    }

    fn syntax_error(&self, start: usize, end: usize, reason: &str) -> PatternError {
        let end = end.min(self.pattern.len());
        PatternError::Syntax { start, end, reason: reason.to_owned(), help: None }
    }
}

fn with_help(fault: PatternError, help: &'static str) -> PatternError {
    match fault {
        PatternError::Syntax { start, end, reason, .. } => {
            PatternError::Syntax { start, end, reason, help: Some(help) }
        }
        PatternError::TooLarge => PatternError::TooLarge,
    }
}

/// Writes `char` as a literal, valid in a class and outside.
fn push_literal(out: &mut String, char: char) {
    if char.is_ascii_alphanumeric() || matches!(char, '_' | ' ') || !char.is_ascii() {
        out.push(char);
    } else {
        let _ = write!(out, "\\x{{{:X}}}", u32::from(char));
    }
}
