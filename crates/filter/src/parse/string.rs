//! Decodes quoted strings: Go's escapes between double quotes, no escapes between backticks.

use crate::error::CompileErrorKind;
use crate::span::Span;

/// The error of a string, its range in the source, and the suggested fix.
pub(super) type StringError = (CompileErrorKind, Span, Option<String>);

/// Decodes a quoted string; `source` includes the quotes.
pub(super) fn decode(source: &str) -> Result<String, StringError> {
    let inner = source.get(1..source.len().saturating_sub(1)).unwrap_or_default();
    // Verbatim, unlike Go, which drops carriage returns from raw strings.
    if !source.starts_with('"') {
        return Ok(inner.to_owned());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut first_byte_escape = None;
    let mut at = 0;
    while let Some(char) = inner[at..].chars().next() {
        let start = at + 1;
        match char {
            '\\' => {
                let (piece, length) = escape(&inner[at..], start)?;
                match piece {
                    Piece::Char(char) => push(&mut bytes, char),
                    Piece::Byte(byte) => {
                        // A single byte above 0x7F may complete a character with the next one, so
                        // UTF-8 is checked at the end.
                        if byte > 0x7F {
                            first_byte_escape
                                .get_or_insert((Span::new(start, start + length), byte));
                        }
                        bytes.push(byte);
                    }
                }
                at += length;
            }
            // Go: an interpreted string literal must not contain a line break.
            '\n' => {
                let help = "write `\\n`, or use backticks".to_owned();
                let span = Span::new(start, start + 1);
                return Err((CompileErrorKind::LineBreakInString, span, Some(help)));
            }
            char => {
                push(&mut bytes, char);
                at += char.len_utf8();
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| {
        let (span, byte) = first_byte_escape.unwrap_or_default();
        let help = format!("for the character U+{byte:04X} write `\\u{byte:04x}`");
        (CompileErrorKind::EscapeNotUtf8, span, Some(help))
    })
}

/// Returns the offset in `source` of the byte at `offset` of the decoded string.
pub(crate) fn source_offset(source: &str, offset: usize) -> usize {
    if !source.starts_with('"') {
        return (offset + 1).min(source.len());
    }
    let mut decoded = 0;
    let mut at = 1;
    while decoded < offset && at < source.len() {
        let Some(char) = source[at..].chars().next() else { break };
        let (bytes, length) = match char {
            '\\' => match escape(&source[at..], at) {
                Ok((Piece::Char(char), length)) => (char.len_utf8(), length),
                Ok((Piece::Byte(_), length)) => (1, length),
                Err(_) => break,
            },
            char => (char.len_utf8(), char.len_utf8()),
        };
        decoded += bytes;
        at += length;
    }
    at.min(source.len())
}

fn push(bytes: &mut Vec<u8>, char: char) {
    bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

enum Piece {
    Char(char),
    Byte(u8),
}

/// Reads one escape at the start of `text`, which is at `start` of the source.
fn escape(text: &str, start: usize) -> Result<(Piece, usize), StringError> {
    let bytes = text.as_bytes();
    let simple = |char| Ok((Piece::Char(char), 2));
    // Go: strconv.UnquoteChar has the same escapes.
    match bytes.get(1) {
        Some(b'a') => simple('\u{7}'),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'v') => simple('\u{b}'),
        Some(b'\\') => simple('\\'),
        Some(b'"') => simple('"'),
        Some(b'0'..=b'7') => numeric(text, start, 1, 3, 8),
        Some(b'x') => numeric(text, start, 2, 2, 16),
        Some(b'u') => numeric(text, start, 2, 4, 16),
        Some(b'U') => numeric(text, start, 2, 8, 16),
        _ => {
            let length = 1 + text[1..].chars().next().map_or(0, char::len_utf8);
            let span = Span::new(start, start + length);
            let help = "write `\\\\` for a backslash, or put the text between backticks".to_owned();
            Err((CompileErrorKind::UnknownEscape, span, Some(help)))
        }
    }
}

/// Reads `digits` digits of `base` at `from`: a byte for octal and for two digits, else a
/// character.
fn numeric(
    text: &str,
    start: usize,
    from: usize,
    digits: usize,
    base: u32,
) -> Result<(Piece, usize), StringError> {
    let length = from + digits;
    let span = Span::new(start, start + length.min(text.len()));
    let number = text
        .get(from..length)
        .filter(|digits| digits.bytes().all(|digit| char::from(digit).is_digit(base)))
        .and_then(|digits| u32::from_str_radix(digits, base).ok());
    let Some(number) = number else {
        let help = format!("this escape takes {digits} digits of base {base}");
        return Err((CompileErrorKind::UnknownEscape, Span::new(start, start + from), Some(help)));
    };
    let piece = if digits <= 3 {
        u8::try_from(number).ok().map(Piece::Byte)
    } else {
        char::from_u32(number).map(Piece::Char)
    };
    piece.map(|piece| (piece, length)).ok_or((CompileErrorKind::EscapeRange, span, None))
}
