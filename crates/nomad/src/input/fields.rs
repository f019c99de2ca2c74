//! Decoding of the fields of JSON objects, with errors that name the field.
//!
//! The messages are those of Go's encoding/json, which clients of Nomad know.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::{DecodeError, DecodeErrorKind};
use crate::{id::parse_id, rows::Labels};

type Result<T> = std::result::Result<T, DecodeError>;

/// Parses the first JSON value of a body.
pub(super) fn first_value(body: &[u8]) -> Result<Value> {
    // Nomad: command/agent/http.go, decodeBody.
    if body.is_empty() {
        return Err(DecodeError::new(DecodeErrorKind::Empty, "Request body is empty"));
    }
    match serde_json::Deserializer::from_slice(body).into_iter::<Value>().next() {
        Some(Ok(value)) => Ok(value),
        // Go: io.ErrUnexpectedEOF, as its decoder reports a truncated body.
        Some(Err(error)) if error.is_eof() => {
            Err(DecodeError::new(DecodeErrorKind::Syntax, "unexpected EOF"))
        }
        Some(Err(error)) => {
            Err(DecodeError::new(DecodeErrorKind::Syntax, format!("invalid JSON: {error}")))
        }
        // Go: io.EOF for a body of blanks alone.
        None => Err(DecodeError::new(DecodeErrorKind::Syntax, "EOF")),
    }
}

/// The fields of one object.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// The type of the object, for errors.
    kind: &'static str,
    /// The path to the object, each field followed by a dot.
    path: String,
    /// None if the object is `null`.
    map: Option<&'a Map<String, Value>>,
}

impl<'a> Fields<'a> {
    /// Returns the fields of a whole body.
    pub(super) fn of_body(kind: &'static str, value: &'a Value) -> Result<Self> {
        match value {
            // Go decodes `null` into a struct without an error, and leaves the fields at their zero
            // values.
            Value::Null => Ok(Self { kind, path: String::new(), map: None }),
            Value::Object(map) => Ok(Self { kind, path: String::new(), map: Some(map) }),
            other => Err(DecodeError::new(
                DecodeErrorKind::Type,
                format!(
                    "json: cannot unmarshal {} into Go value of type {kind}",
                    describe(other, kind)
                ),
            )),
        }
    }

    /// Returns the value of a field, unless it is absent or `null`. An exact match of the name
    /// takes precedence over one in another case.
    fn get(&self, name: &str) -> Option<&'a Value> {
        let map = self.map?;
        // Go matches field names case-insensitively, and prefers an exact match.
        let any_case = || {
            let mut all = map.iter();
            all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        map.get(name).or_else(any_case).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, value: &Value, wanted: &str) -> DecodeError {
        DecodeError::new(
            DecodeErrorKind::Type,
            format!(
                // Go: encoding/json, UnmarshalTypeError.Error.
                "json: cannot unmarshal {} into Go struct field {}.{}{name} of type {wanted}",
                describe(value, wanted),
                self.kind,
                self.path
            ),
        )
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn text(&self, name: &str) -> Result<Box<str>> {
        match self.get(name) {
            None => Ok(Box::default()),
            Some(Value::String(text)) => Ok(text.as_str().into()),
            Some(other) => Err(self.wrong(name, other, "string")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(name, other, "bool")),
        }
    }

    pub(super) fn int(&self, name: &str) -> Result<i64> {
        let Some(value) = self.get(name) else { return Ok(0) };
        // A fraction or a number beyond 64 bits is an error, as in Go, instead of being rounded.
        value.as_i64().ok_or_else(|| self.wrong(name, value, "int64"))
    }

    pub(super) fn count(&self, name: &str) -> Result<u64> {
        let Some(value) = self.get(name) else { return Ok(0) };
        value.as_u64().ok_or_else(|| self.wrong(name, value, "uint64"))
    }

    /// Decodes a UUID; an empty string is none.
    pub(super) fn id(&self, name: &str) -> Result<Option<Uuid>> {
        let text = self.text(name)?;
        // Clients send an empty string for an absent ID.
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |error| DecodeError::value(format_args!("{}{name}: {error}", self.path));
        parse_id(&text).map(Some).map_err(wrong)
    }

    /// Returns any JSON value, as a string.
    pub(super) fn json(&self, name: &str) -> Box<str> {
        self.get(name).map(|value| value.to_string().into()).unwrap_or_default()
    }

    /// Decodes a number or a name.
    pub(super) fn number_or_name<T>(
        &self,
        name: &str,
        number: impl FnOnce(i64) -> Result<T>,
        text: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.get(name) {
            None => Ok(None),
            // An empty name is Go's zero value of the field.
            Some(Value::String(found)) if found.is_empty() => Ok(None),
            Some(Value::String(found)) => text(found).map(Some),
            Some(value) => match value.as_i64() {
                Some(found) => number(found).map(Some),
                None => Err(self.wrong(name, value, "int")),
            },
        }
    }

    /// Decodes an object of strings, whose names are data.
    pub(super) fn labels(&self, name: &str) -> Result<Labels> {
        let mut labels = Labels::new();
        for (key, value) in self.map(name)? {
            let text = match value {
                // Go decodes `null` in a map into the zero value of the element.
                Value::Null => Box::default(),
                Value::String(text) => text.as_str().into(),
                other => return Err(self.wrong(name, other, "string")),
            };
            labels.insert(key.as_str().into(), text);
        }
        Ok(labels)
    }

    /// Returns the members of an object whose names are data.
    fn map(&self, name: &str) -> Result<impl Iterator<Item = (&'a String, &'a Value)> + use<'a>> {
        let map = match self.get(name) {
            None => None,
            // A map has no fields of its own, so its names keep their case.
            Some(Value::Object(map)) => Some(map),
            Some(other) => return Err(self.wrong(name, other, "map")),
        };
        Ok(map.into_iter().flatten())
    }

    /// Decodes an object of objects; the outer names are data. A `null` member is skipped, because
    /// it carries no fields.
    pub(super) fn objects_by_name<T>(
        &self,
        name: &str,
        kind: &'static str,
        read: impl Fn(&str, &Fields<'a>) -> Result<T>,
    ) -> Result<BTreeMap<Box<str>, T>> {
        let mut objects = BTreeMap::new();
        for (key, value) in self.map(name)? {
            if let Some(fields) = self.nested(name, kind, value)? {
                objects.insert(key.as_str().into(), read(key, &fields)?);
            }
        }
        Ok(objects)
    }

    /// Like [`objects`](Self::objects), but skips a `null` in the list.
    pub(super) fn objects_or_null<T>(
        &self,
        name: &str,
        kind: &'static str,
        read: impl Fn(&Fields<'a>) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let items = self.list(name)?.map(|items| {
            let objects = items.iter().map(|item| self.nested(name, kind, item));
            // Go decodes such a member into a nil pointer, which Nomad skips.
            let found = objects.filter_map(Result::transpose);
            found.map(|fields| read(&fields?)).collect()
        });
        items.transpose()
    }

    /// Returns a list, none if it is absent.
    fn list(&self, name: &str) -> Result<Option<&'a [Value]>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.wrong(name, other, "[]")),
        }
    }

    /// Decodes a list of objects, none if it is absent. Fails for a `null` in it: if it were
    /// skipped, the request would contain less than the client sent.
    pub(super) fn objects<T>(
        &self,
        name: &str,
        kind: &'static str,
        read: impl Fn(&Fields<'a>) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(items) = self.list(name)? else { return Ok(None) };
        let mut objects = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let Some(fields) = self.nested(name, kind, item)? else {
                let text = format!("{}{name}[{at}] must not be null", self.path);
                return Err(DecodeError::new(DecodeErrorKind::Type, text));
            };
            objects.push(read(&fields)?);
        }
        Ok(Some(objects))
    }

    /// Decodes a string that is empty or one of `values`.
    ///
    /// A value outside an enumeration would match none of the cases that the operations check: a
    /// status of `Complete` would never count as ended.
    pub(super) fn one_of(&self, name: &str, values: &[&str]) -> Result<Box<str>> {
        let found = self.text(name)?;
        if found.is_empty() || values.contains(&&*found) {
            return Ok(found);
        }
        Err(DecodeError::value(format_args!(
            "invalid {}{name}: {found:?}; it must be one of {}",
            self.path,
            values.join(", ")
        )))
    }

    /// Decodes a list of strings.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<Box<str>>> {
        let items = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.wrong(name, other, "[]string")),
        };
        let text = |value: &Value| match value {
            Value::Null => Ok(Box::default()),
            Value::String(text) => Ok(text.as_str().into()),
            other => Err(self.wrong(name, other, "string")),
        };
        items.iter().map(text).collect()
    }

    /// Decodes a list of strings, none if it is absent.
    pub(super) fn optional_texts(&self, name: &str) -> Result<Option<Vec<Box<str>>>> {
        self.has(name).then(|| self.texts(name)).transpose()
    }

    /// Decodes an object, none if it is absent.
    pub(super) fn object(&self, name: &str, kind: &'static str) -> Result<Option<Fields<'a>>> {
        self.get(name).map_or(Ok(None), |value| self.nested(name, kind, value))
    }

    fn nested(
        &self,
        name: &str,
        kind: &'static str,
        value: &'a Value,
    ) -> Result<Option<Fields<'a>>> {
        match value {
            Value::Null => Ok(None),
            Value::Object(map) => {
                Ok(Some(Fields { kind, path: format!("{}{name}.", self.path), map: Some(map) }))
            }
            other => Err(self.wrong(name, other, kind)),
        }
    }

    /// Returns all fields that are strings.
    pub(super) fn as_labels(&self) -> Labels {
        let texts = self.map.into_iter().flatten().filter_map(|(key, value)| {
            value.as_str().map(|text| (key.as_str().into(), text.into()))
        });
        texts.collect()
    }
}

/// Describes the value for an error. A number is printed only where an integer is expected, because
/// elsewhere it may be a secret.
fn describe(value: &Value, wanted: &str) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        // Go quotes the number too, so that a client sees a fraction or an overflow.
        Value::Number(number) if wanted.contains("int") => format!("number {number}"),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(_) => "array".into(),
        Value::Object(_) => "object".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str, read: impl Fn(&Fields<'_>) -> Result<()>) -> String {
        let run = || {
            let value = first_value(body.as_bytes())?;
            read(&Fields::of_body("Thing", &value)?)
        };
        run().expect_err("an error").to_string()
    }

    #[test]
    fn malformed_bodies_have_distinct_errors() {
        let none = |body| text(body, |_| Ok(()));
        assert_eq!(none(""), "Request body is empty");
        assert_eq!(none("  "), "EOF");
        assert_eq!(none("{\"ID\":"), "unexpected EOF");
        assert!(none("{ID}").starts_with("invalid JSON: "), "{}", none("{ID}"));
        assert_eq!(none("[]"), "json: cannot unmarshal array into Go value of type Thing");
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let deep = "[".repeat(100_000);
        assert!(text(&deep, |_| Ok(())).starts_with("invalid JSON: recursion limit exceeded"));
    }

    #[test]
    fn field_names_match_in_any_case_and_exact_names_win() {
        let value = first_value(br#"{"fstype":"xfs","MOUNTFLAGS":["ro"],"FSType":"ext4"} junk"#);
        let value = value.unwrap();
        let fields = Fields::of_body("Thing", &value).unwrap();
        assert_eq!(&*fields.text("FSType").unwrap(), "ext4");
        assert_eq!(fields.texts("MountFlags").unwrap(), ["ro".into()]);
    }

    #[test]
    fn null_equals_an_absent_field() {
        let value = first_value(br#"{"A":null,"B":null,"C":null,"D":null}"#).unwrap();
        let fields = Fields::of_body("Thing", &value).unwrap();
        assert_eq!(&*fields.text("A").unwrap(), "");
        assert_eq!(fields.int("B").unwrap(), 0);
        assert!(fields.labels("C").unwrap().is_empty());
        assert!(fields.objects("D", "Other", |_| Ok(())).unwrap().is_none());
    }

    #[test]
    fn wrong_types_name_the_field_and_the_path() {
        let read = |fields: &Fields<'_>| {
            fields.objects("Volumes", "CSIVolume", |volume| volume.int("Capacity")).map(drop)
        };
        assert_eq!(
            text(r#"{"volumes":[{"Capacity":"10"}]}"#, read),
            "json: cannot unmarshal string into Go struct field CSIVolume.Volumes.Capacity of type int64"
        );
        assert_eq!(
            text(r#"{"volumes":[{"Capacity":1.5}]}"#, read),
            "json: cannot unmarshal number 1.5 into Go struct field CSIVolume.Volumes.Capacity of type int64"
        );
        assert_eq!(
            text(r#"{"volumes":[7]}"#, read),
            "json: cannot unmarshal number into Go struct field Thing.Volumes of type CSIVolume"
        );
    }

    #[test]
    fn errors_never_contain_secrets() {
        let read = |fields: &Fields<'_>| fields.labels("Secrets").map(drop);
        assert_eq!(
            text(r#"{"Secrets":{"pin":1234}}"#, read),
            "json: cannot unmarshal number into Go struct field Thing.Secrets of type string"
        );
    }

    #[test]
    fn ids_are_decoded_strictly() {
        let read = |fields: &Fields<'_>| fields.id("NodeID").map(drop);
        assert_eq!(text(r#"{"NodeID":"abc"}"#, read), "NodeID: UUID must be 36 characters");
    }
}
