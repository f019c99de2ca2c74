//! The serializer that keeps a row to the shape that its reader expects.
//!
//! It passes every call on to the codec's serializer, so the bytes are those of the codec, and stops at
//! the first call that the reader does not ask for.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{Field, Fields, Node, Scalar, Shape, Variant};

/// A row on its way to the codec.
pub(crate) struct Walk<'a> {
    shape: &'a Shape,
    /// Whether a part was written that the shape doesn't know.
    unknown: Cell<bool>,
    fault: RefCell<Option<Fault>>,
}

/// How a row that was written by a [`Walk`] came out.
pub(crate) enum Outcome {
    /// Its reader asks for just what was written.
    Agrees,
    /// What was written has to be read back, because the shape doesn't know all of it.
    Unknown,
    /// It was written otherwise than it is read. Where that is so by the kind of a value alone, reading it
    /// back may succeed still: `certain` is false.
    Disagrees { certain: bool, reason: String },
    /// The codec itself refused it.
    Refused,
}

/// A call that the reader doesn't ask for.
struct Fault {
    what: What,
    /// From the inside out.
    path: Vec<String>,
}

enum What {
    Skipped,
    Fewer { written: usize, read: usize },
    More { read: usize },
    Moved,
    NoLength,
    NoVariant,
    Kind { written: &'static str, read: &'static str },
    VariantName { written: &'static str, read: String },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped => f.write_str(
                "was left out when the row was written, and rows are read without names: remove \
                 #[serde(skip_serializing_if)], and give the API a type of its own",
            ),
            Self::Fewer { written, read } => write!(
                f,
                "is written with {written} fields and read with {read}: replace \
                 #[serde(skip_serializing)] by #[serde(skip)], and give the API a type of its own"
            ),
            Self::More { read } => write!(
                f,
                "is written with more than the {read} fields that are read: replace \
                 #[serde(skip_deserializing)] by #[serde(skip)], remove #[serde(tag)], and give the \
                 API a type of its own"
            ),
            Self::Moved => f.write_str(
                "is written in another place than it is read from: let Serialize and Deserialize \
                 name the fields in one order",
            ),
            Self::NoLength => f.write_str(
                "is a list or map whose length is not known before it is written: collect it first",
            ),
            Self::NoVariant => f.write_str(
                "has a variant that is never read: move variants with #[serde(skip)] to the end, \
                 and write none of them",
            ),
            Self::Kind { written, read } => write!(
                f,
                "is written as {written} and read as {read}: let Serialize and Deserialize agree"
            ),
            Self::VariantName { written, read } => write!(
                f,
                "is written as the variant {written} and read as {read}: move variants with \
                 #[serde(skip)] to the end"
            ),
        }
    }
}

impl<'a> Walk<'a> {
    pub(crate) fn new(shape: &'a Shape) -> Self {
        Self { shape, unknown: Cell::new(false), fault: RefCell::new(None) }
    }

    /// A row that is checked while it is written.
    pub(crate) fn row<'r, R: Serialize>(&'r self, row: &'r R) -> impl Serialize + 'r
    where
        'a: 'r,
    {
        Checked { value: row, at: At { walk: self, node: self.shape.node(0) } }
    }

    /// A row of which nothing is checked.
    pub(crate) fn anything<'r, R: Serialize>(&'r self, row: &'r R) -> impl Serialize + 'r
    where
        'a: 'r,
    {
        Checked { value: row, at: At { walk: self, node: &Node::Opaque } }
    }

    /// How it came out, now that the codec is done with it.
    pub(crate) fn outcome(self, written: bool) -> Outcome {
        match self.fault.into_inner() {
            Some(fault) => {
                let certain = !matches!(fault.what, What::Kind { .. } | What::VariantName { .. });
                let path: Vec<String> = fault.path.into_iter().rev().collect();
                let reason = match path.join(".").replace(".[]", "[]") {
                    path if path.is_empty() => format!("the row {}", fault.what),
                    path => format!("the field `{path}` {}", fault.what),
                };
                Outcome::Disagrees { certain, reason }
            }
            None if !written => Outcome::Refused,
            None if self.unknown.get() => Outcome::Unknown,
            None => Outcome::Agrees,
        }
    }
}

/// Where in a shape a value is written.
#[derive(Clone, Copy)]
struct At<'a> {
    walk: &'a Walk<'a>,
    node: &'a Node,
}

impl<'a> At<'a> {
    fn to(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    fn child(self, id: super::Id) -> Self {
        self.to(self.walk.shape.node(id))
    }

    #[cold]
    fn fault<E: Error>(self, what: What) -> E {
        *self.walk.fault.borrow_mut() = Some(Fault { what, path: Vec::new() });
        E::custom("a row that can't be read back")
    }

    #[cold]
    fn kind<E: Error>(self, written: &'static str) -> E {
        let read = match self.node {
            Node::Scalar(scalar) => scalar.name(),
            Node::Option(_) => "an option",
            Node::Seq(_) => "a list",
            Node::Map(..) => "a map",
            Node::Fields(_) => "a struct or tuple",
            Node::Enum(_) => "an enum",
            Node::Opaque => "anything",
        };
        self.fault(What::Kind { written, read })
    }

    /// Adds a step to the path of a fault further in.
    #[cold]
    fn inside(self, step: impl FnOnce() -> String) {
        if let Some(fault) = &mut *self.walk.fault.borrow_mut() {
            fault.path.push(step());
        }
    }

    /// Whether anything may be written here. It is to be read back then.
    fn is_unknown(self) -> bool {
        let unknown = matches!(self.node, Node::Opaque);
        if unknown {
            self.walk.unknown.set(true);
        }
        unknown
    }

    #[inline]
    fn scalar<E: Error>(self, scalar: Scalar) -> Result<(), E> {
        match self.node {
            Node::Scalar(read) if *read == scalar => Ok(()),
            _ if self.is_unknown() => Ok(()),
            _ => Err(self.kind(scalar.name())),
        }
    }

    fn fields<E: Error>(self, written: &'static str) -> Result<Rest<'a>, E> {
        match self.node {
            Node::Fields(fields) => Ok(Rest::of(fields)),
            _ if self.is_unknown() => Ok(Rest::ANY),
            _ => Err(self.kind(written)),
        }
    }

    /// The variant at a position; `None` when nothing is known of it.
    fn variant<E: Error>(
        self,
        position: u32,
        name: &'static str,
    ) -> Result<Option<&'a Variant>, E> {
        match self.node {
            Node::Enum(variants) => {
                let variant = variants.get(position as usize);
                let variant = variant.ok_or_else(|| self.fault(What::NoVariant))?;
                match &variant.name {
                    Some(read) if **read != *name => {
                        let read = read.clone().into();
                        Err(self.fault(What::VariantName { written: name, read }))
                    }
                    _ => Ok(Some(variant)),
                }
            }
            _ if self.is_unknown() => Ok(None),
            _ => Err(self.kind("an enum")),
        }
    }

    fn content<E: Error>(
        self,
        position: u32,
        name: &'static str,
        written: &'static str,
    ) -> Result<Rest<'a>, E> {
        match self.variant(position, name)? {
            None => Ok(Rest::ANY),
            Some(variant) => self.child(variant.content).fields(written),
        }
    }
}

/// The fields that are still to be written.
#[derive(Clone, Copy)]
struct Rest<'a> {
    list: &'a [Field],
    next: usize,
    /// Whether the list is all that there is.
    whole: bool,
}

impl<'a> Rest<'a> {
    const ANY: Self = Self { list: &[], next: 0, whole: false };

    fn of(fields: &'a Fields) -> Self {
        Self { list: &fields.list, next: 0, whole: fields.whole }
    }

    #[inline]
    fn next<E: Error>(&mut self, at: At<'a>, key: Option<&'static str>) -> Result<At<'a>, E> {
        let position = self.next;
        self.next += 1;
        match self.list.get(position) {
            Some(Field { name: Some(name), node }) => {
                // Names may differ from those that are read, as `rename` allows, but not change places.
                if let Some(key) = key
                    && **name != *key
                    && self.list.iter().any(|field| field.name.as_deref() == Some(key))
                {
                    let fault = at.fault(What::Moved);
                    at.inside(|| key.to_owned());
                    return Err(fault);
                }
                Ok(at.child(*node))
            }
            Some(Field { node, .. }) => Ok(at.child(*node)),
            None if self.whole => Err(at.fault(What::More { read: self.list.len() })),
            None => Ok(at.to(&Node::Opaque)),
        }
    }

    fn end<E: Error>(self, at: At<'a>) -> Result<(), E> {
        if !self.whole {
            at.walk.unknown.set(true);
        } else if self.next != self.list.len() {
            return Err(at.fault(What::Fewer { written: self.next, read: self.list.len() }));
        }
        Ok(())
    }
}

/// A value that is checked while it is written.
struct Checked<'a, T: ?Sized> {
    value: &'a T,
    at: At<'a>,
}

impl<T: Serialize + ?Sized> Serialize for Checked<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Step { inner: serializer, at: self.at })
    }
}

/// The codec's serializer at a place of the shape.
struct Step<'a, S> {
    inner: S,
    at: At<'a>,
}

/// The parts of a value that has some.
struct Parts<'a, C> {
    inner: C,
    at: At<'a>,
    rest: Rest<'a>,
}

macro_rules! scalars {
    ($($method:ident($ty:ty) $scalar:ident)*) => {
        $(#[inline]
        fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.at.scalar(Scalar::$scalar)?;
            self.inner.$method(value)
        })*
    };
}

impl<'a, S: Serializer> Serializer for Step<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<'a, S::SerializeSeq>;
    type SerializeTuple = Parts<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'a, S::SerializeTupleVariant>;
    type SerializeMap = Parts<'a, S::SerializeMap>;
    type SerializeStruct = Parts<'a, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'a, S::SerializeStructVariant>;

    scalars! {
        serialize_bool(bool) Bool
        serialize_i8(i8) I8
        serialize_i16(i16) I16
        serialize_i32(i32) I32
        serialize_i64(i64) I64
        serialize_i128(i128) I128
        serialize_u8(u8) U8
        serialize_u16(u16) U16
        serialize_u32(u32) U32
        serialize_u64(u64) U64
        serialize_u128(u128) U128
        serialize_f32(f32) F32
        serialize_f64(f64) F64
        serialize_char(char) Char
        serialize_str(&str) String
        serialize_bytes(&[u8]) Bytes
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        match self.at.node {
            Node::Option(_) => self.inner.serialize_none(),
            _ if self.at.is_unknown() => self.inner.serialize_none(),
            _ => Err(self.at.kind("an option")),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let at = match self.at.node {
            Node::Option(inner) => self.at.child(*inner),
            _ if self.at.is_unknown() => self.at,
            _ => return Err(self.at.kind("an option")),
        };
        self.inner.serialize_some(&Checked { value, at })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.at.scalar(Scalar::Unit)?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.at.scalar(Scalar::Unit)?;
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        position: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        if let Some(known) = self.at.variant(position, variant)? {
            self.at.child(known.content).scalar(Scalar::Unit)?;
        }
        self.inner.serialize_unit_variant(name, position, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        // No byte of its own, and so no node.
        self.inner.serialize_newtype_struct(name, &Checked { value, at: self.at })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        position: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let mut rest = self.at.content(position, variant, "one value")?;
        let at = rest.next(self.at, None)?;
        rest.end(self.at)?;
        let result =
            self.inner.serialize_newtype_variant(name, position, variant, &Checked { value, at });
        if result.is_err() {
            self.at.inside(|| variant.to_owned());
        }
        result
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let at = match self.at.node {
            Node::Seq(element) => self.at.child(*element),
            _ if self.at.is_unknown() => self.at,
            _ => return Err(self.at.kind("a list")),
        };
        if len.is_none() {
            return Err(self.at.fault(What::NoLength));
        }
        Ok(Parts { inner: self.inner.serialize_seq(len)?, at, rest: Rest::ANY })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let rest = self.at.fields("a tuple")?;
        Ok(Parts { inner: self.inner.serialize_tuple(len)?, at: self.at, rest })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let rest = self.at.fields("a tuple")?;
        Ok(Parts { inner: self.inner.serialize_tuple_struct(name, len)?, at: self.at, rest })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        position: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let rest = self.at.content(position, variant, "a tuple")?;
        let inner = self.inner.serialize_tuple_variant(name, position, variant, len)?;
        Ok(Parts { inner, at: self.at, rest })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        match self.at.node {
            Node::Map(..) => {}
            _ if self.at.is_unknown() => {}
            _ => return Err(self.at.kind("a map")),
        }
        if len.is_none() {
            return Err(self.at.fault(What::NoLength));
        }
        Ok(Parts { inner: self.inner.serialize_map(len)?, at: self.at, rest: Rest::ANY })
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let rest = self.at.fields("a struct")?;
        Ok(Parts { inner: self.inner.serialize_struct(name, len)?, at: self.at, rest })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        position: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let rest = self.at.content(position, variant, "a struct")?;
        let inner = self.inner.serialize_struct_variant(name, position, variant, len)?;
        Ok(Parts { inner, at: self.at, rest })
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.at.scalar(Scalar::String)?;
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<C: SerializeSeq> SerializeSeq for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let result = self.inner.serialize_element(&Checked { value, at: self.at });
        if result.is_err() {
            self.at.inside(|| "[]".to_owned());
        }
        result
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

impl<'a, C: SerializeMap> SerializeMap for Parts<'a, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let at = match self.at.node {
            Node::Map(key, _) => self.at.child(*key),
            _ => self.at,
        };
        let result = self.inner.serialize_key(&Checked { value, at });
        if result.is_err() {
            self.at.inside(|| "[]".to_owned());
        }
        result
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let at = match self.at.node {
            Node::Map(_, value) => self.at.child(*value),
            _ => self.at,
        };
        let result = self.inner.serialize_value(&Checked { value, at });
        if result.is_err() {
            self.at.inside(|| "[]".to_owned());
        }
        result
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

macro_rules! tuples {
    ($($trait:ident $method:ident)*) => {
        $(impl<'a, C: $trait> $trait for Parts<'a, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let position = self.rest.next;
                let at = self.rest.next(self.at, None)?;
                let result = self.inner.$method(&Checked { value, at });
                if result.is_err() {
                    self.at.inside(|| position.to_string());
                }
                result
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.rest.end(self.at)?;
                self.inner.end()
            }
        })*
    };
}

tuples! {
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! structs {
    ($($trait:ident)*) => {
        $(impl<'a, C: $trait> $trait for Parts<'a, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let at = self.rest.next(self.at, Some(key))?;
                let result = self.inner.serialize_field(key, &Checked { value, at });
                if result.is_err() {
                    self.at.inside(|| key.to_owned());
                }
                result
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                let fault = self.at.fault(What::Skipped);
                self.at.inside(|| key.to_owned());
                Err(fault)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.rest.end(self.at)?;
                self.inner.end()
            }
        })*
    };
}

structs! { SerializeStruct SerializeStructVariant }
