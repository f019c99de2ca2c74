//! Tokens of the language, without their meaning.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, digit0, digit1, one_of, satisfy};
use nom::combinator::opt;
use nom::multi::many0_count;
use nom::sequence::{delimited, pair, preceded, terminated};
use nom::{IResult, Parser};

/// The rest of the input and the token. A failure carries no reason, because the grammar knows it.
pub(crate) type Token<'t, T = &'t str> = IResult<&'t str, T, ()>;

/// Matches space, tab, carriage return and line feed: the only whitespace.
pub(crate) fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

// go-bexpr: grammar/grammar.peg has the same character classes.
fn is_ident_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '/')
}

/// Returns whether `text` is a name: usable behind a dot or at the beginning of a selector.
pub(crate) fn is_ident(text: &str) -> bool {
    matches!(ident(text), Ok(("", _)))
}

/// Returns whether `text` is an index behind a dot.
pub(crate) fn is_index(text: &str) -> bool {
    matches!(index(text), Ok(("", _)))
}

/// Matches letters and numbers of any script, and `-_.~:|`.
pub(crate) fn is_pointer_char(char: char) -> bool {
    matches!(char, '-' | '_' | '.' | '~' | ':' | '|') || category::is_letter_or_number(char)
}

/// Returns whether `char` may follow a value or selector.
pub(crate) fn is_boundary(char: char) -> bool {
    is_space(char) || matches!(char, ')' | '}')
}

/// Returns the input that `parser` reads, verbatim.
fn written<'t>(at: &'t str, mut parser: impl Parser<&'t str, Error = ()>) -> Token<'t> {
    let (rest, _) = parser.parse(at)?;
    Ok((rest, &at[..at.len() - rest.len()]))
}

pub(crate) fn space0(at: &str) -> Token<'_> {
    take_while(is_space).parse(at)
}

pub(crate) fn space1(at: &str) -> Token<'_> {
    take_while1(is_space).parse(at)
}

/// Reads a word and the whitespace required behind it.
pub(crate) fn word<'t>(word: &'static str) -> impl Fn(&'t str) -> Token<'t> {
    move |at| terminated(tag(word), space1).parse(at)
}

/// Reads whitespace, a word, and the whitespace required behind it.
pub(crate) fn infix<'t>(infix: &'static str) -> impl Fn(&'t str) -> Token<'t> {
    move |at| preceded(space1, word(infix)).parse(at)
}

/// Reads a sign with optional whitespace on both sides.
pub(crate) fn sign<'t>(sign: &'static str) -> impl Fn(&'t str) -> Token<'t> {
    move |at| delimited(space0, tag(sign), space0).parse(at)
}

/// Reads a letter, then letters, digits, `_` and `/`.
pub(crate) fn ident(at: &str) -> Token<'_> {
    let first = satisfy(|char| char.is_ascii_alphabetic());
    written(at, pair(first, take_while(is_ident_char)))
}

/// Reads an index behind a dot.
pub(crate) fn index(at: &str) -> Token<'_> {
    digit1.parse(at)
}

/// Reads a decimal number without exponent or leading zeros.
pub(crate) fn number(at: &str) -> Token<'_> {
    // Only `0` itself begins with a zero, as in go-bexpr.
    let whole = alt((tag("0").map(drop), pair(one_of("123456789"), digit0).map(drop)));
    written(at, (opt(char('-')), whole, opt(pair(char('.'), digit1))))
}

/// Reads a JSON pointer in double quotes and returns it without them.
pub(crate) fn pointer(at: &str) -> Token<'_> {
    let segment = pair(char('/'), take_while1(is_pointer_char));
    let (rest, quoted) = written(at, (char('"'), many0_count(segment), char('"')))?;
    Ok((rest, quoted.trim_matches('"')))
}

/// Reads a closed quoted string, quotes included, without decoding it.
pub(crate) fn quoted(at: &str) -> Token<'_> {
    // An escape is skipped, not decoded, so that an escaped quote does not end the string.
    let escaped = pair(char('\\'), satisfy(|_| true)).map(drop);
    let plain = take_while1(|char| char != '"' && char != '\\').map(drop);
    let double = (char('"'), many0_count(alt((escaped, plain))), char('"')).map(drop);
    let raw = (char('`'), take_while(|char| char != '`'), char('`')).map(drop);
    written(at, alt((double, raw)))
}

mod category {
    //! Unicode categories L and N.

    use std::sync::LazyLock;

    use regex_automata::meta::Regex;

    /// Decides the characters that std classifies differently: `is_alphanumeric` includes marks and
    /// symbols that count as alphabetic.
    static LETTER_OR_NUMBER: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[\p{L}\p{N}]$").ok());

    pub(super) fn is_letter_or_number(char: char) -> bool {
        if char.is_ascii() {
            return char.is_ascii_alphanumeric();
        }
        let mut buffer = [0; 4];
        // Std first: most characters never reach the regular expression.
        char.is_alphanumeric()
            && LETTER_OR_NUMBER
                .as_ref()
                .is_some_and(|regex| regex.is_match(&*char.encode_utf8(&mut buffer)))
    }
}
