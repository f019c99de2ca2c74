//! JSON with exact numbers.
//!
//! `serde_json::Value` reads an integer beyond 64 bits and each number with a fraction as a float,
//! so neighbouring numbers become equal. [`Json`] keeps the digits.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde_json::value::RawValue;

use crate::datum::{Datum, Filterable};
use crate::decimal::Decimal;
use crate::int128::{Int128, JsonInteger};
use crate::schema::Kind;

/// Maximum nesting of lists and objects in a [`Json`].
const NESTING_MAX: usize = 128;

/// A JSON value with exact numbers, filtered without a schema.
///
/// Numbers are compared by value, independent of length and notation: `1e2` equals 100, and numbers
/// beyond any float stay distinct. Exponents are clamped to 2^60. If an object repeats a key, the
/// last value counts.
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, Json};
///
/// let row: Json = r#"{"serial": 18446744073709551617}"#.parse().unwrap();
/// assert!(Filter::<Json>::compile("serial == 18446744073709551617")?.matches(&row));
/// assert!(!Filter::<Json>::compile("serial == 18446744073709551616")?.matches(&row));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Json(JsonNode);

#[derive(Clone, Debug)]
enum JsonNode {
    Null,
    Bool(bool),
    JsonInteger(JsonInteger),
    Int128(Int128),
    Decimal(Box<Decimal>),
    Text(String),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

/// The error for a string that is not one JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    offset: usize,
    reason: &'static str,
}

impl JsonError {
    /// Returns the byte offset of the first error.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.offset)
    }
}

impl Error for JsonError {}

impl Json {
    /// Reads one value with nothing but whitespace around it.
    ///
    /// Cost: linear in the length; recurses at most 128 levels.
    ///
    /// # Errors
    /// [`JsonError`] if the input is not one JSON value, is nested deeper than 128 levels, or has a
    /// string that is not UTF-8.
    pub fn from_slice(text: &[u8]) -> Result<Self, JsonError> {
        let mut reader = JsonReader { text, at: 0 };
        let value = reader.value(NESTING_MAX)?;
        reader.space();
        if reader.at < text.len() {
            Err(reader.error_at("unexpected text after the value"))
        } else {
            Ok(value)
        }
    }
}

impl FromStr for Json {
    type Err = JsonError;

    fn from_str(text: &str) -> Result<Self, JsonError> {
        Self::from_slice(text.as_bytes())
    }
}

impl Filterable for Json {
    const KIND: Kind = Kind::Any;
    fn datum(&self) -> Datum<'_> {
        match &self.0 {
            JsonNode::Null => Datum::Null,
            JsonNode::Bool(value) => Datum::Bool(*value),
            JsonNode::JsonInteger(value) => Datum::JsonInteger(*value),
            JsonNode::Int128(value) => Datum::Int128(*value),
            JsonNode::Decimal(value) => Datum::Decimal(value),
            JsonNode::Text(text) => Datum::Text(text),
            JsonNode::List(list) => list.datum(),
            JsonNode::Map(map) => map.datum(),
        }
    }
}

struct JsonReader<'t> {
    text: &'t [u8],
    at: usize,
}

impl JsonReader<'_> {
    fn value(&mut self, nesting: usize) -> Result<Json, JsonError> {
        self.space();
        Ok(Json(match self.peek() {
            Some(b'{') => self.object(nesting)?,
            Some(b'[') => self.list(nesting)?,
            Some(b'"') => JsonNode::Text(self.string()?),
            _ => self.word()?,
        }))
    }

    fn object(&mut self, nesting: usize) -> Result<JsonNode, JsonError> {
        let inside = self.open(nesting)?;
        let mut map = BTreeMap::new();
        if self.closes(b'}') {
            return Ok(JsonNode::Map(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error_at("expected a key in quotes"));
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.error_at("expected `:`"));
            }
            self.at += 1;
            // The last of equal keys wins, as in `serde_json`.
            map.insert(key, self.value(inside)?);
            if !self.continues(b'}')? {
                return Ok(JsonNode::Map(map));
            }
        }
    }

    fn list(&mut self, nesting: usize) -> Result<JsonNode, JsonError> {
        let inside = self.open(nesting)?;
        let mut list = Vec::new();
        if self.closes(b']') {
            return Ok(JsonNode::List(list));
        }
        loop {
            list.push(self.value(inside)?);
            if !self.continues(b']')? {
                return Ok(JsonNode::List(list));
            }
        }
    }

    fn open(&mut self, nesting: usize) -> Result<usize, JsonError> {
        let inside = nesting.checked_sub(1).ok_or_else(|| self.error_at("nested too deep"))?;
        self.at += 1;
        Ok(inside)
    }

    /// Skips the end of a list or object that is empty, and returns whether it was.
    fn closes(&mut self, end: u8) -> bool {
        self.space();
        let closes = self.peek() == Some(end);
        self.at += usize::from(closes);
        closes
    }

    /// Skips a comma or the end, and returns whether another value follows.
    fn continues(&mut self, end: u8) -> Result<bool, JsonError> {
        self.space();
        let continues = match self.peek() {
            Some(b',') => true,
            Some(found) if found == end => false,
            _ => return Err(self.error_at("expected `,` or the end of the list or object")),
        };
        self.at += 1;
        Ok(continues)
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                // The escaped byte is never the end; serde_json checks the escape below.
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(self.error_at("this string is not closed")),
            }
        }
        self.at += 1;
        let token = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_slice(token)
            .map_err(|_| JsonError { offset: start, reason: "this is not a JSON string" })
    }

    /// Reads a number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<JsonNode, JsonError> {
        let start = self.at;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        while self.peek().is_some_and(is_part) {
            self.at += 1;
        }
        let token = self.text.get(start..self.at).unwrap_or_default();
        let fault = JsonError { offset: start, reason: "expected a value" };
        // A raw value keeps the digits, which a parsed number would round.
        let read: &RawValue = serde_json::from_slice(token).map_err(|_| fault.clone())?;
        Ok(match read.get() {
            "null" => JsonNode::Null,
            "true" => JsonNode::Bool(true),
            "false" => JsonNode::Bool(false),
            digits => number(digits).ok_or(fault)?,
        })
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn error_at(&self, reason: &'static str) -> JsonError {
        JsonError { offset: self.at.min(self.text.len()), reason }
    }
}

fn number(digits: &str) -> Option<JsonNode> {
    // The common case first: it needs neither the halves nor the digits of the others.
    if let Some(integer) = json_integer(digits) {
        return Some(JsonNode::JsonInteger(integer));
    }
    if let Some(wide) = Int128::read(digits) {
        return Some(JsonNode::Int128(wide.of_json()));
    }
    let decimal = Decimal::read(digits)?;
    // A point or an exponent does not rule out an integer.
    Some(match decimal.to_integer() {
        None => JsonNode::Decimal(decimal.into()),
        Some(wide) => match wide.to_json_integer() {
            Some(integer) => JsonNode::JsonInteger(integer),
            None => JsonNode::Int128(wide.of_json()),
        },
    })
}

/// Reads an integer of 64 bits.
fn json_integer(digits: &str) -> Option<JsonInteger> {
    digits.parse().map(JsonInteger::Int).or_else(|_| digits.parse().map(JsonInteger::Uint)).ok()
}
