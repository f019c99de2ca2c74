//! Rewrites text of other languages to this one, for the replacements that hints suggest.
//!
//! These functions see text only: `explain` knows its position and its error.

use super::skip;
use crate::lex::{ident, is_boundary, is_pointer_char, is_space};
use crate::print::quote;
use crate::quantity::Quantity;

/// Maximum number of words that are joined to one quantity.
const QUANTITY_WORDS_MAX: usize = 8;

/// HTML's names and numbers of the characters in operators.
const ENTITIES: [(&str, &str); 16] = [
    ("&eq;", "=="),
    ("&equals;", "="),
    ("&ne;", "!="),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&le;", "<="),
    ("&ge;", ">="),
    ("&amp;", "&"),
    ("&vert;", "|"),
    ("&excl;", "!"),
    ("&#33;", "!"),
    ("&#38;", "&"),
    ("&#60;", "<"),
    ("&#61;", "="),
    ("&#62;", ">"),
    ("&#124;", "|"),
];

/// Returns whether `char` is part of an operator in some language.
pub(super) fn is_sign(char: char) -> bool {
    "=<>!&|~".contains(char)
}

/// Returns the operator at the beginning of `at` if a part of it is escaped as in HTML or a URL:
/// its source and its signs.
pub(super) fn escaped_operator(at: &str) -> Option<(&str, String)> {
    let (mut rest, mut signs, mut escaped) = (at, String::new(), false);
    loop {
        let entity =
            ENTITIES.iter().find_map(|(name, signs)| Some((rest.strip_prefix(name)?, *signs)));
        if let Some((next, meant)) = entity {
            signs.push_str(meant);
            (rest, escaped) = (next, true);
        } else if let Some(sign) = percent(rest).map(char::from).filter(|char| is_sign(*char)) {
            signs.push(sign);
            (rest, escaped) = (&rest[3..], true);
        } else if let Some(sign) = rest.chars().next().filter(|char| is_sign(*char)) {
            signs.push(sign);
            rest = &rest[1..];
        } else {
            break;
        }
    }
    escaped.then(|| (&at[..at.len() - rest.len()], signs))
}

/// Returns the byte that is encoded by `%XX` at the beginning.
fn percent(at: &str) -> Option<u8> {
    let digits = at.strip_prefix('%')?.get(..2)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// Decodes the escapes of URLs; `None` if there are none or the result is not UTF-8.
pub(super) fn from_url(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let (byte, length) = match percent(rest) {
            Some(byte) => (byte, 3),
            None => (if first == b'+' { b' ' } else { first }, 1),
        };
        bytes.push(byte);
        // A character of several bytes is copied byte by byte.
        let Some(next) = rest.get(length..) else {
            let whole = rest.chars().next().map_or(0, char::len_utf8);
            bytes.extend_from_slice(rest.as_bytes().get(1..whole)?);
            rest = &rest[whole..];
            continue;
        };
        rest = next;
    }
    String::from_utf8(bytes).ok().filter(|decoded| decoded != text)
}

/// Returns the first word of `at`, up to whitespace, a closing bracket or a comma.
fn word(at: &str) -> &str {
    let ends = |char| is_boundary(char) || matches!(char, ',' | ']');
    &at[..at.find(ends).unwrap_or(at.len())]
}

/// Joins a quantity of several words, as in `10 GiB`; returns the length of its source, and the
/// quantity.
pub(super) fn quantity_in_words(at: &str) -> Option<(usize, String)> {
    let first = word(at);
    if !first.starts_with(|char: char| char.is_ascii_digit() || char == '-') {
        return None;
    }
    let (mut joined, mut found) = (first.to_owned(), None);
    let mut rest = &at[first.len()..];
    for _ in 1..QUANTITY_WORDS_MAX {
        let next = skip(rest);
        let more = word(next);
        if next.len() == rest.len() || more.is_empty() {
            break;
        }
        rest = &next[more.len()..];
        // A date and a time of day are joined by a letter in RFC 3339.
        let time = format!("{joined}T{more}");
        joined.push_str(more);
        if let Some(whole) =
            [&joined, &time].into_iter().find(|whole| Quantity::read(whole).is_some())
        {
            // Not returned yet: more words may belong to it, as in `1 h 30 m`.
            found = Some((at.len() - rest.len(), whole.clone()));
        }
    }
    found
}

/// Removes the commas between thousands, as in `1,000`; returns the length of the source, and the
/// number.
pub(super) fn thousands(at: &str) -> Option<(usize, String)> {
    let length = at.find(is_boundary).unwrap_or(at.len());
    let mut groups = at[..length].strip_prefix('-').unwrap_or(&at[..length]).split(',');
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().filter(|group| digits(group) && (1..=3).contains(&group.len()))?;
    let mut more = groups.peekable();
    let grouped = more.peek().is_some() && more.all(|group| digits(group) && group.len() == 3);
    // A number of this language has no leading zero, so `0,100` is no number with thousands.
    (grouped && !first.starts_with('0')).then(|| (length, at[..length].replace(',', "")))
}

/// Returns the bracketed text at the beginning of `at`, up to the closing bracket.
pub(super) fn bracketed(at: &str) -> Option<&str> {
    let open = at.chars().next()?;
    let close = match open {
        '(' => ')',
        '{' => '}',
        '[' => ']',
        _ => return None,
    };
    let (mut depth, mut quote) = (0_usize, None);
    for (offset, char) in at.char_indices() {
        match quote {
            Some(mark) => quote = (char != mark).then_some(mark),
            None if matches!(char, '"' | '`') => quote = Some(char),
            None if char == open => depth += 1,
            None if char == close => depth -= 1,
            None => {}
        }
        if depth == 0 {
            return Some(&at[..=offset]);
        }
    }
    None
}

/// Returns a pointer for a name that cannot be bare; dots separate its parts.
pub(super) fn pointer_to(name: &str) -> Option<String> {
    let path = name.strip_prefix('/').map_or_else(|| name.replace('.', "/"), str::to_owned);
    let segments =
        path.split('/').all(|part| !part.is_empty() && part.chars().all(is_pointer_char));
    segments.then(|| quote(&format!("/{path}")))
}

/// Returns the length of a name with a sigil of another language, as in `$Name`, `${Name}` and
/// `.Name`, and the name.
pub(super) fn without_sigil(at: &str) -> Option<(usize, &str)> {
    if let Some(inner) = at.strip_prefix("${") {
        let (rest, name) = ident(inner).ok()?;
        return rest.starts_with('}').then_some((name.len() + 3, name));
    }
    let (_, name) = ident(at.strip_prefix(['$', '.'])?).ok()?;
    Some((name.len() + 1, name))
}

/// Returns the length of `words` at the beginning, in any letter case and with any whitespace
/// between them, if they end there.
pub(super) fn spelled(at: &str, words: &str) -> Option<usize> {
    let mut rest = at;
    for (number, word) in words.split(' ').enumerate() {
        if number > 0 {
            let next = skip(rest);
            if next.len() == rest.len() {
                return None;
            }
            rest = next;
        }
        if !rest.get(..word.len())?.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = &rest[word.len()..];
    }
    let ends = |char| is_boundary(char) || matches!(char, '(' | '[' | '"' | '`' | '\'');
    // A value may follow a sign directly.
    let sign = words.ends_with(|char: char| !char.is_ascii());
    (sign || rest.chars().next().is_none_or(ends)).then(|| at.len() - rest.len())
}

/// Returns the regular expression between slashes, with the flags behind the last one.
pub(super) fn slashed(text: &str) -> Option<String> {
    let (pattern, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
    let known = flags.chars().all(|flag| "ims".contains(flag));
    match (pattern.is_empty() || !known, flags) {
        (true, _) => None,
        (false, "") => Some(pattern.replace("\\/", "/")),
        (false, flags) => Some(format!("(?{flags}){}", pattern.replace("\\/", "/"))),
    }
}

/// Returns the operator and value for SQL's `like`; `None` for an escape of SQL and for a shell
/// pattern.
pub(super) fn from_like(pattern: &str, folds: bool) -> Option<String> {
    if pattern.contains(['\\', '*', '?']) {
        return None;
    }
    // Without wildcards `like` is equality.
    if !folds && !pattern.contains(['%', '_']) {
        return Some(format!("== {}", quote(pattern)));
    }
    let inner = pattern.trim_matches('%');
    let mut regex = String::from(if folds { "(?i)" } else { "" });
    if !pattern.starts_with('%') {
        regex.push('^');
    }
    for char in inner.chars() {
        match char {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            // Special characters of the pattern language, which `like` reads as themselves.
            '.' | '+' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|' => {
                regex.push('\\');
                regex.push(char);
            }
            other => regex.push(other),
        }
    }
    if !pattern.ends_with('%') {
        regex.push('$');
    }
    Some(format!("matches {}", quote(&regex)))
}

/// Returns the word behind `is` for a word of another language for an absent or empty value.
pub(super) fn absent_word(word: &str) -> Option<&'static str> {
    match &*word.to_ascii_lowercase() {
        "null" | "nil" | "none" | "undefined" => Some("nil"),
        "empty" | "blank" => Some("empty"),
        _ => None,
    }
}

/// Returns whether a key in brackets is an index from the end, a range or a wildcard, which lists
/// here do not have.
pub(super) fn is_slice(key: &str) -> bool {
    let signs = |char: char| char.is_ascii_digit() || matches!(char, '-' | ':' | '*');
    key.chars().all(signs) && key.contains(['-', ':', '*'])
}

/// Returns the whitespace character at the beginning of `at`, or a space.
pub(super) fn gap(at: &str) -> char {
    at.chars().next().filter(|char| is_space(*char)).unwrap_or(' ')
}

/// Returns the run up to whitespace or a closing bracket: the text that is meant as one value.
pub(super) fn bare(at: &str) -> &str {
    let end = at.find(is_boundary).unwrap_or(at.len());
    if end == 0 { &at[..at.chars().next().map_or(0, char::len_utf8)] } else { &at[..end] }
}

/// Returns the run up to whitespace, a closing bracket or a sign: the text that is meant as one
/// name.
pub(super) fn name_at(at: &str) -> &str {
    let run = bare(at);
    &run[..run.find(is_sign).unwrap_or(run.len())]
}

/// Opening and closing quotes of other languages: JSON in JSON, shells, URLs, HTML and word
/// processors.
const FOREIGN_QUOTES: [(&str, &str); 18] = [
    ("\\\\\\\"", "\\\\\\\""),
    ("\\u0022", "\\u0022"),
    ("\\u0027", "\\u0027"),
    ("\\\"", "\\\""),
    ("\\'", "\\'"),
    ("\\`", "\\`"),
    ("'''", "'''"),
    ("''", "''"),
    ("'", "'"),
    ("%22", "%22"),
    ("%27", "%27"),
    ("&quot;", "&quot;"),
    ("&apos;", "&apos;"),
    ("&#34;", "&#34;"),
    ("&#39;", "&#39;"),
    ("\u{ab}", "\u{bb}"),
    ("\u{201c}", "\u{201d}"),
    ("\u{2018}", "\u{2019}"),
];

/// Reads a value in quotes of another language; returns its source, and the text inside.
///
/// A value without its closing quote ends with its word.
pub(super) fn transcribed(at: &str) -> Option<(&str, String)> {
    FOREIGN_QUOTES.iter().find_map(|(open, close)| {
        let inside = at.strip_prefix(open)?;
        // Two quotes alone are an empty string.
        if *open == "''" && (inside.is_empty() || inside.starts_with(is_boundary)) {
            return None;
        }
        let Some(end) = closing(inside, close) else {
            let word = &inside[..inside.find(is_boundary).unwrap_or(inside.len())];
            let meant = word.trim_end_matches(['\\', '"', '\'', '`']);
            let whole = &at[..open.len() + word.len()];
            return (!meant.is_empty()).then(|| (whole, meant.to_owned()));
        };
        let meant = &inside[..end];
        // A backslash in shells and most languages, a doubled quote in SQL.
        let meant = if *open == "'" {
            meant.replace("\\'", "'").replace("''", "'")
        } else {
            meant.to_owned()
        };
        Some((&at[..open.len() + end + close.len()], meant))
    })
}

/// Returns the position of the closing quote, past those escaped by a backslash or a second quote.
fn closing(inside: &str, close: &str) -> Option<usize> {
    if close != "'" {
        return inside.find(close);
    }
    let (mut escaped, mut doubled) = (false, false);
    inside.char_indices().find_map(|(at, char)| {
        let quote = char == '\'' && !escaped;
        escaped = char == '\\' && !escaped;
        let second = std::mem::replace(&mut doubled, false);
        // A doubled quote is one quote in SQL.
        doubled = quote && !second && inside[at + 1..].starts_with('\'');
        (quote && !second && !doubled).then_some(at)
    })
}
