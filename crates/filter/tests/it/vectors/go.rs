//! A model of Go's values: the types of `types.json`, as data without a schema.
//!
//! Uses the public traits only, as any foreign data model would.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value as Json;
use statehold_filter::{Datum, Filterable, Key, KeyKind, Kind, List, Map, Record};

#[derive(Deserialize)]
pub(crate) struct Types {
    sets: HashMap<String, Set>,
    structs: HashMap<String, Struct>,
}

#[derive(Deserialize)]
struct Set {
    r#type: Option<Type>,
}

#[derive(Deserialize)]
struct Struct {
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    go_name: String,
    selector: Option<String>,
    exported: bool,
    r#type: Type,
}

#[derive(Clone, Default, Deserialize)]
pub(crate) struct Type {
    kind: String,
    name: Option<String>,
    r#struct: Option<String>,
    elem: Option<Box<Type>>,
    key: Option<Box<Type>>,
}

impl Type {
    fn of_kind(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    /// Reads a type in Go's syntax.
    fn parse(text: &str) -> Self {
        let boxed = |text| Some(Box::new(Self::parse(text)));
        if let Some(elem) = text.strip_prefix("[]") {
            return Self { elem: boxed(elem), ..Self::of_kind("slice") };
        }
        if let Some(elem) = text.strip_prefix('*') {
            return Self { elem: boxed(elem), ..Self::of_kind("ptr") };
        }
        if let Some((key, elem)) = text.strip_prefix("map[").and_then(|rest| rest.split_once(']')) {
            return Self { key: boxed(key), elem: boxed(elem), ..Self::of_kind("map") };
        }
        match text {
            "interface {}" => Self::of_kind("interface"),
            "main.NamedStr" => Self { name: Some(text.to_owned()), ..Self::of_kind("string") },
            name if name.starts_with("main.") => {
                Self { r#struct: Some(name.to_owned()), ..Self::of_kind("struct") }
            }
            kind => Self::of_kind(kind),
        }
    }

    fn elem(&self) -> &Self {
        self.elem.as_deref().unwrap()
    }

    /// Returns the common kind of the elements of a list of this type.
    fn as_element(&self) -> Kind {
        match self.kind.as_str() {
            "bool" => Kind::Bool,
            "int" | "int8" | "int16" | "int32" | "int64" => Kind::Int(64),
            "uint" | "uint16" | "uint32" | "uint64" => Kind::Uint(64),
            "uint8" => Kind::Uint(8),
            "float32" => Kind::Float32,
            "float64" => Kind::Float,
            "string" => Kind::Text,
            "interface" => Kind::Any,
            "ptr" => match self.elem().as_element() {
                scalar if scalar.is_scalar() => scalar,
                _ => Kind::Opaque,
            },
            _ => Kind::Opaque,
        }
    }

    fn as_key(&self) -> KeyKind {
        match self.kind.as_str() {
            "string" if self.name.is_none() => KeyKind::Text,
            "string" | "interface" => KeyKind::Mixed,
            "bool" => KeyKind::Bool,
            "int" => KeyKind::Int(64),
            "uint8" => KeyKind::Uint(8),
            "float64" => KeyKind::Float,
            other => panic!("no key kind for {other}"),
        }
    }
}

/// A value.
#[derive(Debug)]
pub(crate) enum Go {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Float32(f32),
    Text(String),
    List(GoList),
    Map(GoMap),
    Struct(GoStruct),
    /// A kind without operators.
    Opaque,
}

#[derive(Debug)]
pub(crate) struct GoList {
    items: Vec<Go>,
    element: Kind,
    nil: bool,
    bytes: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(crate) struct GoMap {
    entries: Vec<(String, Go)>,
    key: KeyKind,
    nil: bool,
}

#[derive(Debug)]
pub(crate) struct GoStruct(Vec<(String, Go)>);

impl Types {
    /// Returns the type of a set's documents; `None` if they are JSON.
    pub(crate) fn set(&self, name: &str) -> Option<&Type> {
        self.sets.get(name)?.r#type.as_ref()
    }

    pub(crate) fn build(&self, ty: &Type, json: &Json) -> Go {
        match ty.kind.as_str() {
            "bool" => Go::Bool(json.as_bool().unwrap()),
            "int" | "int8" | "int16" | "int32" | "int64" => Go::Int(json.as_i64().unwrap()),
            "uint" | "uint8" | "uint16" | "uint32" | "uint64" => Go::Uint(json.as_u64().unwrap()),
            "float64" => Go::Float(float(json)),
            #[expect(clippy::cast_possible_truncation)]
            "float32" => Go::Float32(float(json) as f32),
            "string" => Go::Text(json.as_str().unwrap().to_owned()),
            "json.Number" => number(json.as_str().unwrap()),
            "ptr" => self.pointer(ty.elem(), json),
            "interface" => self.dynamic(json),
            "slice" | "array" => self.list(ty, json),
            "map" => self.map(ty, json),
            "chan" => {
                let length = json.get("$chan_len").and_then(Json::as_u64);
                let items = (0..length.unwrap_or(0)).map(|_| Go::Opaque).collect();
                let nil = length.is_none();
                Go::List(GoList { items, element: Kind::Opaque, nil, bytes: None })
            }
            "struct" => self.structure(ty, json),
            "complex128" | "func" | "uintptr" => Go::Opaque,
            other => panic!("no model of {other}"),
        }
    }

    fn pointer(&self, target: &Type, json: &Json) -> Go {
        if json.is_null() {
            return Go::Null;
        }
        let Some(inner) = json.get("$ptr") else { return self.build(target, json) };
        // pointerstructure follows a pointer to a pointer in the path, but go-bexpr cannot compare
        // it at the end.
        match self.build(target, inner) {
            end @ (Go::Null | Go::Struct(_)) => end,
            _ => Go::Opaque,
        }
    }

    fn dynamic(&self, json: &Json) -> Go {
        match json.get("$type").and_then(Json::as_str) {
            None => Go::Null,
            Some(ty) => self.build(&Type::parse(ty), &json["$value"]),
        }
    }

    fn list(&self, ty: &Type, json: &Json) -> Go {
        let elem = ty.elem();
        let items = json.as_array().map_or(&[][..], Vec::as_slice);
        // go-bexpr compares numbers inside lists as text.
        let built = |item: &Json| match item.get("$type").and_then(Json::as_str) {
            Some("json.Number") => Go::Text(item["$value"].as_str().unwrap().to_owned()),
            _ => self.build(elem, item),
        };
        let byte = |item: &Json| item.as_u64().and_then(|byte| u8::try_from(byte).ok());
        let bytes = (ty.kind == "slice" && elem.kind == "uint8")
            .then(|| items.iter().filter_map(byte).collect());
        Go::List(GoList {
            items: items.iter().map(built).collect(),
            element: elem.as_element(),
            nil: json.is_null(),
            bytes,
        })
    }

    fn map(&self, ty: &Type, json: &Json) -> Go {
        let key = ty.key.as_ref().unwrap().as_key();
        let entries = json.as_object().into_iter().flatten();
        let mut entries: Vec<_> =
            entries.map(|(key, value)| (key.clone(), self.build(ty.elem(), value))).collect();
        entries.sort_by(|(first, _), (second, _)| first.cmp(second));
        Go::Map(GoMap { entries, key, nil: json.is_null() })
    }

    fn structure(&self, ty: &Type, json: &Json) -> Go {
        let fields = ty.r#struct.as_ref().and_then(|name| self.structs.get(name));
        let mut built = Vec::new();
        for field in fields.map_or(&[][..], |own| &own.fields) {
            let Some(selector) = &field.selector else { continue };
            if selector.contains('|') {
                // pointerstructure: get.go, getStruct: a look-up that scans past such a tag fails.
                break;
            }
            if field.exported {
                let value = self.build(&field.r#type, &json[&field.go_name]);
                built.push((selector.clone(), value));
            }
        }
        Go::Struct(GoStruct(built))
    }
}

fn float(json: &Json) -> f64 {
    match json.get("$float").and_then(Json::as_str) {
        Some(word) => word.parse().unwrap(),
        None => json.as_f64().unwrap(),
    }
}

fn number(text: &str) -> Go {
    let float = || text.parse().map(Go::Float);
    text.parse().map(Go::Int).or_else(|_| float()).unwrap_or(Go::Opaque)
}

impl Filterable for Go {
    const KIND: Kind = Kind::Any;
    fn datum(&self) -> Datum<'_> {
        match self {
            Self::Null => Datum::Null,
            Self::Bool(value) => Datum::Bool(*value),
            Self::Int(value) => Datum::Int(*value),
            Self::Uint(value) => Datum::Uint(*value),
            Self::Float(value) => Datum::Float(*value),
            Self::Float32(value) => Datum::Float32(*value),
            Self::Text(value) => Datum::Text(value),
            Self::List(list) => Datum::List(list),
            Self::Map(map) => Datum::Map(map),
            Self::Struct(fields) => Datum::Record(fields),
            Self::Opaque => Datum::Opaque,
        }
    }
}

impl List for GoList {
    fn len(&self) -> usize {
        self.items.len()
    }
    fn is_nil(&self) -> bool {
        self.nil
    }
    fn element(&self) -> Kind {
        self.element
    }
    fn get(&self, index: usize) -> Option<Datum<'_>> {
        self.items[..].get(index).map(Filterable::datum)
    }
    fn any<'a>(&'a self, test: &mut dyn FnMut(usize, Datum<'a>) -> bool) -> bool {
        self.items.iter().enumerate().any(|(index, item)| test(index, item.datum()))
    }
    fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }
}

impl Map for GoMap {
    fn len(&self) -> usize {
        self.entries.len()
    }
    fn is_nil(&self) -> bool {
        self.nil
    }
    fn key(&self) -> KeyKind {
        self.key
    }
    fn get(&self, key: &Key) -> Option<Datum<'_>> {
        let wanted = match key {
            Key::Text(text) => text.to_string(),
            Key::Int(number) => number.to_string(),
            Key::Uint(number) => number.to_string(),
            Key::Bool(value) => value.to_string(),
            Key::Float(number) => number.to_string(),
            _ => return None,
        };
        self.entries.iter().find(|(own, _)| *own == wanted).map(|(_, value)| value.datum())
    }
    fn any<'a>(&'a self, test: &mut dyn FnMut(Datum<'a>, Datum<'a>) -> bool) -> bool {
        self.entries.iter().any(|(key, value)| test(key.datum(), value.datum()))
    }
}

impl Record for GoStruct {
    fn field(&self, _: usize) -> Datum<'_> {
        Datum::Missing
    }
    fn named(&self, name: &str) -> Option<Datum<'_>> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.datum())
    }
}
