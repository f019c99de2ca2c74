//! Text of other languages, rewritten as this language has it: the replacements that hints name.
//!
//! Everything here is about text alone: `explain` knows where it stands and which error it belongs to.

use super::skip;
use crate::lex::{ident, is_boundary, is_pointer_char, is_space};
use crate::print::quote;
use crate::quantity::Quantity;

/// Maximum number of words that are joined to one quantity.
const QUANTITY_WORDS_MAX: usize = 8;

/// HTML's names and numbers of the characters that operators consist of.
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

/// Whether operators of any language consist of `char`.
pub(super) fn is_sign(char: char) -> bool {
    "=<>!&|~".contains(char)
}

/// The operator that `at` begins with, if a part of it is escaped as in HTML or a URL: its source and its signs.
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

/// The byte that `%XX` at the beginning stands for.
fn percent(at: &str) -> Option<u8> {
    let digits = at.strip_prefix('%')?.get(..2)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// A text without the escapes of URLs; `None` if it has none or they are not UTF-8.
pub(super) fn from_url(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let (byte, length) = match percent(rest) {
            Some(byte) => (byte, 3),
            None => (if first == b'+' { b' ' } else { first }, 1),
        };
        bytes.push(byte);
        // A character of more bytes is copied byte by byte.
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

/// The first word of `at`, up to whitespace, a closing bracket or a comma.
fn word(at: &str) -> &str {
    let ends = |char| is_boundary(char) || matches!(char, ',' | ']');
    &at[..at.find(ends).unwrap_or(at.len())]
}

/// A quantity that is written in more than one word, as in `10 GiB`: the length of its source, and itself.
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
        // A date and a time of day are joined by a letter.
        let time = format!("{joined}T{more}");
        joined.push_str(more);
        if let Some(whole) =
            [&joined, &time].into_iter().find(|whole| Quantity::read(whole).is_some())
        {
            found = Some((at.len() - rest.len(), whole.clone()));
        }
    }
    found
}

/// A number with commas between its thousands, as in `1,000`: the length of its source, and itself.
pub(super) fn thousands(at: &str) -> Option<(usize, String)> {
    let length = at.find(is_boundary).unwrap_or(at.len());
    let mut groups = at[..length].strip_prefix('-').unwrap_or(&at[..length]).split(',');
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().filter(|group| digits(group) && (1..=3).contains(&group.len()))?;
    let mut more = groups.peekable();
    let grouped = more.peek().is_some() && more.all(|group| digits(group) && group.len() == 3);
    (grouped && !first.starts_with('0')).then(|| (length, at[..length].replace(',', "")))
}

/// The brackets that `at` begins with, up to the closing one.
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

/// A name that can't be written bare, as a pointer; dots separate its parts.
pub(super) fn pointer_to(name: &str) -> Option<String> {
    let path = name.strip_prefix('/').map_or_else(|| name.replace('.', "/"), str::to_owned);
    let segments =
        path.split('/').all(|part| !part.is_empty() && part.chars().all(is_pointer_char));
    segments.then(|| quote(&format!("/{path}")))
}

/// The name behind a sigil of another language, as in `$Name`, `${Name}` and `.Name`, and the length of its source.
pub(super) fn without_sigil(at: &str) -> Option<(usize, &str)> {
    if let Some(inner) = at.strip_prefix("${") {
        let (rest, name) = ident(inner).ok()?;
        return rest.starts_with('}').then_some((name.len() + 3, name));
    }
    let (_, name) = ident(at.strip_prefix(['$', '.'])?).ok()?;
    Some((name.len() + 1, name))
}

/// The length of `words` at the beginning, in any case and with any whitespace between them, where nothing else follows.
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
    // A value may stand right behind a sign.
    let sign = words.ends_with(|char: char| !char.is_ascii());
    (sign || rest.chars().next().is_none_or(ends)).then(|| at.len() - rest.len())
}

/// The regular expression between slashes, with the flags behind the last one.
pub(super) fn slashed(text: &str) -> Option<String> {
    let (pattern, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
    let known = flags.chars().all(|flag| "ims".contains(flag));
    match (pattern.is_empty() || !known, flags) {
        (true, _) => None,
        (false, "") => Some(pattern.replace("\\/", "/")),
        (false, flags) => Some(format!("(?{flags}){}", pattern.replace("\\/", "/"))),
    }
}

/// The operator and value for SQL's `like`; `None` for an escape of SQL and for a shell's pattern.
pub(super) fn from_like(pattern: &str, folds: bool) -> Option<String> {
    if pattern.contains(['\\', '*', '?']) {
        return None;
    }
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

/// The word for something absent or empty that another language has after `is`.
pub(super) fn absent_word(word: &str) -> Option<&'static str> {
    match &*word.to_ascii_lowercase() {
        "null" | "nil" | "none" | "undefined" => Some("nil"),
        "empty" | "blank" => Some("empty"),
        _ => None,
    }
}

/// Whether a key in brackets is an index from the end, a range or a wildcard, which no list has.
pub(super) fn is_slice(key: &str) -> bool {
    let signs = |char: char| char.is_ascii_digit() || matches!(char, '-' | ':' | '*');
    key.chars().all(signs) && key.contains(['-', ':', '*'])
}

/// The whitespace that `at` begins with, or a space.
pub(super) fn gap(at: &str) -> char {
    at.chars().next().filter(|char| is_space(*char)).unwrap_or(' ')
}

/// The run up to whitespace or a closing bracket: the text that is meant as one value.
pub(super) fn bare(at: &str) -> &str {
    let end = at.find(is_boundary).unwrap_or(at.len());
    if end == 0 { &at[..at.chars().next().map_or(0, char::len_utf8)] } else { &at[..end] }
}

/// The run up to whitespace, a closing bracket or a sign, meant as one name.
pub(super) fn name_at(at: &str) -> &str {
    let run = bare(at);
    &run[..run.find(is_sign).unwrap_or(run.len())]
}

/// Quotes of other languages, each with its closing one: JSON in JSON, shells, URLs, HTML and word processors.
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

/// A value in quotes of another language: all of it, and the text inside.
///
/// A value whose closing quote is missing ends with its word.
pub(super) fn transcribed(at: &str) -> Option<(&str, String)> {
    FOREIGN_QUOTES.iter().find_map(|(open, close)| {
        let inside = at.strip_prefix(open)?;
        // Two quotes alone are the empty string.
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
        let meant = if *open == "'" {
            meant.replace("\\'", "'").replace("''", "'")
        } else {
            meant.to_owned()
        };
        Some((&at[..open.len() + end + close.len()], meant))
    })
}

/// Where the closing quote stands, past those that a backslash or a second quote escapes.
fn closing(inside: &str, close: &str) -> Option<usize> {
    if close != "'" {
        return inside.find(close);
    }
    let (mut escaped, mut doubled) = (false, false);
    inside.char_indices().find_map(|(at, char)| {
        let quote = char == '\'' && !escaped;
        escaped = char == '\\' && !escaped;
        let second = std::mem::replace(&mut doubled, false);
        // Two of them are one in SQL.
        doubled = quote && !second && inside[at + 1..].starts_with('\'');
        (quote && !second && !doubled).then_some(at)
    })
}
