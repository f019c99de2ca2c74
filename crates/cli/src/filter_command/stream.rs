//! The rows of a stream of JSON values, one at a time.
//!
//! The stream is read like `jq` reads it: values of any kind, separated by white space or not, over any number of
//! lines. The elements of a top-level array are rows, read one by one, so that memory is bounded by the largest row
//! and not by an array or a line.
//!
//! After input that is not JSON, reading resumes at the next line that begins with a value in its first column. A
//! line of JSON lines does; an indented line inside of a pretty-printed value does not, so that a part of a broken
//! value is not mistaken for a row.
//!
//! Invariant: two calls of [`Rows::next`] consume at least one byte or end the stream.

use std::fmt;
use std::io::{self, BufRead};

/// Maximum number of bytes of one row, because a row is held in memory as a whole.
pub(super) const ROW_BYTES_MAX: usize = 64 << 20;
/// Maximum nesting of lists and objects in a row, as in [`statehold_filter::Json`].
const NESTING_MAX: usize = 128;

/// The position of a row in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The line on which it begins, counted from 1.
    Line(usize),
    /// Its number in a top-level array, counted from 1.
    Element(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Element(at) => write!(f, "element {at} of the array"),
        }
    }
}

/// The reason why the stream has no row here.
#[derive(Debug)]
pub(super) enum StreamError {
    /// The input that begins on this line is not JSON.
    Json { line: usize, reason: &'static str },
    /// The stream can't be read any further.
    Io(io::Error),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { line, reason } => write!(f, "line {line}: not JSON: {reason}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// The tokens that are valid next between rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// A top-level value.
    Top,
    /// A value in an array, or its end.
    First,
    /// A comma or the end of an array.
    Comma,
    /// A value in an array, after a comma.
    Element,
    /// Any of these, after input that was not JSON.
    Anything,
}

/// The rows of a stream.
pub(super) struct Rows<R> {
    input: R,
    /// Bytes that are read again before the input, from `at` on.
    again: Vec<u8>,
    at: usize,
    /// The row that is being read.
    row: Vec<u8>,
    line: usize,
    between: Between,
    elements: usize,
    begun: bool,
    /// Whether the next byte is the first of a line.
    line_begins: bool,
    row_bytes_max: usize,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(input: R) -> Self {
        Self::with_max(input, ROW_BYTES_MAX)
    }

    fn with_max(input: R, row_bytes_max: usize) -> Self {
        Self {
            input,
            again: Vec::new(),
            at: 0,
            row: Vec::new(),
            line: 1,
            between: Between::Top,
            elements: 0,
            begun: false,
            line_begins: true,
            row_bytes_max,
        }
    }

    /// Returns the bytes of the next row and its position, or `None` at the end.
    ///
    /// The structure of a row is checked. The caller MUST check its strings and numbers.
    pub(super) fn next(&mut self) -> Option<Result<(&[u8], Place), StreamError>> {
        match self.advance() {
            Ok(Some(place)) => Some(Ok((&self.row, place))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }

    fn advance(&mut self) -> Result<Option<Place>, StreamError> {
        self.row.clear();
        if !self.begun {
            self.begun = true;
            self.skip_mark()?;
        }
        loop {
            let line = self.line;
            let Some(byte) = self.peek()? else {
                return match self.between {
                    Between::Top | Between::Anything => Ok(None),
                    _ => {
                        // Reported once: the next call returns the end.
                        self.between = Between::Top;
                        Err(StreamError::Json { line, reason: "the array is not closed" })
                    }
                };
            };
            match (byte, self.between) {
                (b' ' | b'\t' | b'\r' | b'\n', _) => self.bump(),
                (b'[', Between::Top) => {
                    self.bump();
                    (self.between, self.elements) = (Between::First, 0);
                }
                // Not after a comma: JSON allows no trailing one.
                (b']', Between::First | Between::Comma | Between::Anything) => {
                    self.bump();
                    self.between = Between::Top;
                }
                (b',', Between::Comma | Between::Anything) => {
                    self.bump();
                    self.between = Between::Element;
                }
                (_, Between::Comma) if self.line_begins => {
                    // The line of the array was truncated; this line is a row of its own.
                    self.between = Between::Anything;
                    let reason = "expected `,` or `]` after an element";
                    return Err(StreamError::Json { line, reason });
                }
                (_, Between::Comma) => {
                    return Err(self.resume(line, "expected `,` or `]` after an element"));
                }
                (_, between) => {
                    if let Err(fault) = self.read_row() {
                        return Err(match fault {
                            Fault::Text(reason) => self.resume(line, reason),
                            Fault::Io(error) => StreamError::Io(error),
                        });
                    }
                    if between == Between::Top {
                        // A bare word is skipped to the end of its line, like other invalid input.
                        if byte.is_ascii_alphabetic() && !is_literal(&self.row) {
                            return Err(self.resume(line, "expected a value"));
                        }
                        return Ok(Some(Place::Line(line)));
                    }
                    self.between = Between::Comma;
                    self.elements += 1;
                    return Ok(Some(Place::Element(self.elements)));
                }
            }
        }
    }

    /// Skips a byte-order mark, which Windows programs write.
    fn skip_mark(&mut self) -> Result<(), StreamError> {
        for expected in [0xef, 0xbb, 0xbf] {
            if self.peek()? != Some(expected) {
                // An incomplete mark is invalid input, and is read again as such.
                self.again = std::mem::take(&mut self.row);
                self.at = 0;
                return Ok(());
            }
            self.take();
        }
        self.row.clear();
        Ok(())
    }

    /// Reads the value that begins here.
    fn read_row(&mut self) -> Result<(), Fault> {
        let mut open: Vec<u8> = Vec::new();
        let mut expect = Expect::Value;
        loop {
            let Some(byte) = self.peek()? else {
                return Err(Fault::Text("the value is not closed"));
            };
            if self.row.len() >= self.row_bytes_max {
                return Err(Fault::Text("the value is larger than 64 MiB; split it"));
            }
            match (byte, expect) {
                (b' ' | b'\t' | b'\r' | b'\n', _) => self.take(),
                (b'{' | b'[', Expect::Value | Expect::ValueOrEnd) => {
                    if open.len() == NESTING_MAX {
                        return Err(Fault::Text("the value is nested too deep"));
                    }
                    self.take();
                    // The closing byte: in ASCII, `}` and `]` are two after `{` and `[`.
                    open.push(byte + 2);
                    expect = if byte == b'{' { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                    continue;
                }
                (b'"', Expect::Key | Expect::KeyOrEnd) => {
                    self.string()?;
                    expect = Expect::Colon;
                    continue;
                }
                (b':', Expect::Colon) => {
                    self.take();
                    expect = Expect::Value;
                    continue;
                }
                (b',', Expect::CommaOrEnd) => {
                    self.take();
                    let in_object = open.last() == Some(&b'}');
                    expect = if in_object { Expect::Key } else { Expect::Value };
                    continue;
                }
                (b'}' | b']', Expect::CommaOrEnd | Expect::KeyOrEnd | Expect::ValueOrEnd)
                    if open.last() == Some(&byte) =>
                {
                    self.take();
                    open.pop();
                    expect = Expect::CommaOrEnd;
                }
                (b'"', Expect::Value | Expect::ValueOrEnd) => {
                    self.string()?;
                    expect = Expect::CommaOrEnd;
                }
                (b'-' | b'0'..=b'9' | b'a'..=b'z', Expect::Value | Expect::ValueOrEnd) => {
                    self.word()?;
                    expect = Expect::CommaOrEnd;
                }
                (_, Expect::Value | Expect::ValueOrEnd) => {
                    return Err(Fault::Text("expected a value"));
                }
                (_, Expect::Key | Expect::KeyOrEnd) => {
                    return Err(Fault::Text("expected a key in quotes"));
                }
                (_, Expect::Colon) => return Err(Fault::Text("expected `:` after the key")),
                (_, Expect::CommaOrEnd) => {
                    return Err(Fault::Text("expected `,` or the end of the list or object"));
                }
            }
            if open.is_empty() && expect == Expect::CommaOrEnd {
                return Ok(());
            }
        }
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.take();
        let mut escaped = false;
        loop {
            match self.peek()? {
                // JSON allows no line break in a string, so a truncated line ends here and not at the next quote.
                None | Some(b'\n') => return Err(Fault::Text("a string is not closed")),
                Some(byte) => {
                    if self.row.len() >= self.row_bytes_max {
                        return Err(Fault::Text("the value is larger than 64 MiB; split it"));
                    }
                    self.take();
                    match byte {
                        b'"' if !escaped => return Ok(()),
                        _ => escaped = byte == b'\\' && !escaped,
                    }
                }
            }
        }
    }

    /// Reads a number, `true`, `false` or `null`, up to the first byte that can't belong to one.
    fn word(&mut self) -> Result<(), Fault> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_alphanumeric() && !b"+-.".contains(&byte) {
                break;
            }
            if self.row.len() >= self.row_bytes_max {
                return Err(Fault::Text("the value is larger than 64 MiB; split it"));
            }
            self.take();
        }
        Ok(())
    }

    /// Skips to the next line that begins with a value, and returns the error of the input before it.
    fn resume(&mut self, line: usize, reason: &'static str) -> StreamError {
        if let Err(error) = self.skip_lines(line) {
            return StreamError::Io(error);
        }
        // The skipped input may have held brackets, so the state of the array is unknown.
        if self.between != Between::Top {
            self.between = Between::Anything;
        }
        StreamError::Json { line, reason }
    }

    fn skip_lines(&mut self, line: usize) -> io::Result<()> {
        // The input is read again from its second byte, because its later lines may be rows.
        let taken = self.row.len();
        if taken > 0 {
            if self.again.get(..self.at).is_some_and(|before| before.ends_with(&self.row)) {
                self.at -= taken;
            } else {
                self.row.extend_from_slice(self.again.get(self.at..).unwrap_or_default());
                (self.again, self.at) = (std::mem::take(&mut self.row), 0);
            }
            self.line = line;
        }
        self.bump();
        loop {
            let mut begins = false;
            while let Some(byte) = self.peek()? {
                self.bump();
                if byte == b'\n' {
                    begins = true;
                    break;
                }
            }
            if !begins {
                return Ok(());
            }
            match self.peek()? {
                Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b'a'..=b'z') | None => return Ok(()),
                // In an array, a line may also begin with the separator of the next element.
                Some(b']' | b',') if self.between != Between::Top => return Ok(()),
                Some(_) => {}
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        match self.again.get(self.at) {
            Some(byte) => Ok(Some(*byte)),
            None => Ok(self.input.fill_buf()?.first().copied()),
        }
    }

    /// Appends the peeked byte to the row.
    fn take(&mut self) {
        if let Some(byte) = self.consume() {
            self.row.push(byte);
        }
    }

    /// Skips the peeked byte.
    fn bump(&mut self) {
        self.consume();
    }

    fn consume(&mut self) -> Option<u8> {
        let byte = if let Some(byte) = self.again.get(self.at) {
            self.at += 1;
            *byte
        } else {
            // The peek has filled the buffer.
            let byte = self.input.fill_buf().ok()?.first().copied()?;
            self.input.consume(1);
            byte
        };
        self.line_begins = byte == b'\n';
        self.line += usize::from(self.line_begins);
        Some(byte)
    }
}

/// The tokens that are valid next inside of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// Returns whether a word is a literal of JSON.
fn is_literal(word: &[u8]) -> bool {
    [&b"true"[..], b"false", b"null"].contains(&word)
}

/// The reason why a row can't be read.
enum Fault {
    Text(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<io::Error> for StreamError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
