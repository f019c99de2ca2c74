//! Reading the fields of JSON objects, with errors that name the field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::{DecodeError, DecodeErrorKind};
use crate::{id::parse_id, rows::Labels};

type Result<T> = std::result::Result<T, DecodeError>;

/// The first JSON value of a body.
pub(super) fn first_value(body: &[u8]) -> Result<Value> {
    if body.is_empty() {
        return Err(DecodeError::new(DecodeErrorKind::Empty, "Request body is empty"));
    }
    match serde_json::Deserializer::from_slice(body).into_iter::<Value>().next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) if error.is_eof() => {
            Err(DecodeError::new(DecodeErrorKind::Syntax, "unexpected EOF"))
        }
        Some(Err(error)) => {
            Err(DecodeError::new(DecodeErrorKind::Syntax, format!("invalid JSON: {error}")))
        }
        None => Err(DecodeError::new(DecodeErrorKind::Syntax, "EOF")),
    }
}

/// The fields of one object.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// What the object is, for errors.
    kind: &'static str,
    /// The fields that lead to the object, each followed by a dot.
    path: String,
    /// None where the object is `null`.
    map: Option<&'a Map<String, Value>>,
}

impl<'a> Fields<'a> {
    /// The fields of a whole body.
    pub(super) fn of_body(kind: &'static str, value: &'a Value) -> Result<Self> {
        match value {
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

    /// The value of a field, unless it is missing or `null`. The exact name wins over the same in
    /// another case.
    fn get(&self, name: &str) -> Option<&'a Value> {
        let map = self.map?;
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
        value.as_i64().ok_or_else(|| self.wrong(name, value, "int64"))
    }

    pub(super) fn count(&self, name: &str) -> Result<u64> {
        let Some(value) = self.get(name) else { return Ok(0) };
        value.as_u64().ok_or_else(|| self.wrong(name, value, "uint64"))
    }

    /// A UUID; an empty text is none.
    pub(super) fn id(&self, name: &str) -> Result<Option<Uuid>> {
        let text = self.text(name)?;
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |error| DecodeError::value(format_args!("{}{name}: {error}", self.path));
        parse_id(&text).map(Some).map_err(wrong)
    }

    /// Any JSON value, as text.
    pub(super) fn json(&self, name: &str) -> Box<str> {
        self.get(name).map(|value| value.to_string().into()).unwrap_or_default()
    }

    /// A number or a name.
    pub(super) fn number_or_name<T>(
        &self,
        name: &str,
        number: impl FnOnce(i64) -> Result<T>,
        text: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(found)) if found.is_empty() => Ok(None),
            Some(Value::String(found)) => text(found).map(Some),
            Some(value) => match value.as_i64() {
                Some(found) => number(found).map(Some),
                None => Err(self.wrong(name, value, "int")),
            },
        }
    }

    /// An object of texts, whose names are data.
    pub(super) fn labels(&self, name: &str) -> Result<Labels> {
        let mut labels = Labels::new();
        for (key, value) in self.map(name)? {
            let text = match value {
                Value::Null => Box::default(),
                Value::String(text) => text.as_str().into(),
                other => return Err(self.wrong(name, other, "string")),
            };
            labels.insert(key.as_str().into(), text);
        }
        Ok(labels)
    }

    /// An object whose names are data.
    fn map(&self, name: &str) -> Result<impl Iterator<Item = (&'a String, &'a Value)> + use<'a>> {
        let map = match self.get(name) {
            None => None,
            Some(Value::Object(map)) => Some(map),
            Some(other) => return Err(self.wrong(name, other, "map")),
        };
        Ok(map.into_iter().flatten())
    }

    /// An object of objects; the outer names are data. A `null` in it is left out: it names nothing.
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

    /// Like [`objects`](Self::objects), but a `null` in the list is left out.
    pub(super) fn objects_or_null<T>(
        &self,
        name: &str,
        kind: &'static str,
        read: impl Fn(&Fields<'a>) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let items = self.list(name)?.map(|items| {
            let objects = items.iter().map(|item| self.nested(name, kind, item));
            let found = objects.filter_map(Result::transpose);
            found.map(|fields| read(&fields?)).collect()
        });
        items.transpose()
    }

    /// A list, none when it is missing.
    fn list(&self, name: &str) -> Result<Option<&'a [Value]>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.wrong(name, other, "[]")),
        }
    }

    /// A list of objects, none when it is missing. A `null` in it is an error: left out, a request
    /// would ask for less than its client sent.
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

    /// A string that is empty or one of `values`.
    ///
    /// A value outside an enumeration would match none of the cases that the operations know: a status
    /// of `Complete` would never count as ended.
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

    /// A list of texts.
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

    /// A list of texts, none when it is missing.
    pub(super) fn optional_texts(&self, name: &str) -> Result<Option<Vec<Box<str>>>> {
        self.has(name).then(|| self.texts(name)).transpose()
    }

    /// An object, none when it is missing.
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

    /// All fields as texts, leaving out what isn't one.
    pub(super) fn as_labels(&self) -> Labels {
        let texts = self.map.into_iter().flatten().filter_map(|(key, value)| {
            value.as_str().map(|text| (key.as_str().into(), text.into()))
        });
        texts.collect()
    }
}

/// What is there instead. A number is shown only where one is wanted: elsewhere it may be a secret.
fn describe(value: &Value, wanted: &str) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
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
    fn bodies_that_are_not_json_are_told_apart() {
        let none = |body| text(body, |_| Ok(()));
        assert_eq!(none(""), "Request body is empty");
        assert_eq!(none("  "), "EOF");
        assert_eq!(none("{\"ID\":"), "unexpected EOF");
        assert!(none("{ID}").starts_with("invalid JSON: "), "{}", none("{ID}"));
        assert_eq!(none("[]"), "json: cannot unmarshal array into Go value of type Thing");
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let deep = "[".repeat(100_000);
        assert!(text(&deep, |_| Ok(())).starts_with("invalid JSON: recursion limit exceeded"));
    }

    #[test]
    fn fields_match_in_any_case_and_the_exact_name_wins() {
        let value = first_value(br#"{"fstype":"xfs","MOUNTFLAGS":["ro"],"FSType":"ext4"} junk"#);
        let value = value.unwrap();
        let fields = Fields::of_body("Thing", &value).unwrap();
        assert_eq!(&*fields.text("FSType").unwrap(), "ext4");
        assert_eq!(fields.texts("MountFlags").unwrap(), ["ro".into()]);
    }

    #[test]
    fn null_is_the_same_as_nothing() {
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
    fn secrets_never_get_into_errors() {
        let read = |fields: &Fields<'_>| fields.labels("Secrets").map(drop);
        assert_eq!(
            text(r#"{"Secrets":{"pin":1234}}"#, read),
            "json: cannot unmarshal number into Go struct field Thing.Secrets of type string"
        );
    }

    #[test]
    fn ids_are_read_strictly() {
        let read = |fields: &Fields<'_>| fields.id("NodeID").map(drop);
        assert_eq!(text(r#"{"NodeID":"abc"}"#, read), "NodeID: UUID must be 36 characters");
    }
}
