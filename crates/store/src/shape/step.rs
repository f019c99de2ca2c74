//! The calls of a [`Walk`](super::Walk): each is checked against the shape and passed to the codec.

use std::fmt;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::write::{AN_OPTION, At, Rest, What};
use super::{Node, Scalar};

/// A value that is checked while it is written.
pub(super) struct Checked<'a, T: ?Sized> {
    pub(super) value: &'a T,
    pub(super) at: At<'a>,
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

/// The parts of a compound value.
struct Parts<'a, C> {
    inner: C,
    at: At<'a>,
    rest: Rest<'a>,
}

/// The elements of a list or map, whose bytes begin with their number.
struct Elements<'a, C> {
    inner: C,
    at: At<'a>,
    announced: usize,
    written: usize,
}

impl<C> Elements<'_, C> {
    /// Rejects a number of elements other than the announced one: the reader would take the bytes after the
    /// list for elements, or elements for the bytes after it.
    #[inline]
    fn check<E: serde::ser::Error>(&self) -> Result<(), E> {
        let Self { announced, written, .. } = *self;
        // bincode writes the announced number before the elements, and never corrects it.
        if announced == written {
            return Ok(());
        }
        Err(self.at.fault(What::Length { announced, written }))
    }
}

macro_rules! scalars {
    ($($method:ident($ty:ty) $scalar:ident $($add:ident)?;)*) => {
        $(#[inline]
        fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            // Checked before the codec writes, so that a refused value leaves no bytes of its own.
            self.at.scalar(Scalar::$scalar)?;
            $(self.at.seen(|values| values.$add(value.into()));)?
            self.inner.$method(value)
        })*
    };
}

impl<'a, S: Serializer> Serializer for Step<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Elements<'a, S::SerializeSeq>;
    type SerializeTuple = Parts<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'a, S::SerializeTupleVariant>;
    type SerializeMap = Elements<'a, S::SerializeMap>;
    type SerializeStruct = Parts<'a, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'a, S::SerializeStructVariant>;

    scalars! {
        serialize_bool(bool) Bool;
        serialize_i8(i8) I8 integer;
        serialize_i16(i16) I16 integer;
        serialize_i32(i32) I32 integer;
        serialize_i64(i64) I64 integer;
        serialize_i128(i128) I128 integer;
        serialize_u8(u8) U8 integer;
        serialize_u16(u16) U16 integer;
        serialize_u32(u32) U32 integer;
        serialize_u64(u64) U64 integer;
        serialize_u128(u128) U128;
        serialize_f32(f32) F32;
        serialize_f64(f64) F64;
        serialize_char(char) Char;
        serialize_str(&str) String string;
        serialize_bytes(&[u8]) Bytes bytes;
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        match self.at.node {
            Node::Option(_) => self.inner.serialize_none(),
            // The probe could not see this part, so the read-back decides.
            _ if self.at.is_unknown() => self.inner.serialize_none(),
            _ => Err(self.at.kind(AN_OPTION)),
        }
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let at = match self.at.node {
            Node::Option(inner) => self.at.child(*inner),
            _ if self.at.is_unknown() => self.at,
            _ => return Err(self.at.kind(AN_OPTION)),
        };
        self.inner.serialize_some(&Checked { value, at })
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.at.scalar(Scalar::Unit)?;
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.at.scalar(Scalar::Unit)?;
        self.inner.serialize_unit_struct(name)
    }

    #[inline]
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

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        // It adds no byte, so it has no node.
        self.inner.serialize_newtype_struct(name, &Checked { value, at: self.at })
    }

    #[inline]
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

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let at = match self.at.node {
            Node::Seq(element) => self.at.child(*element),
            _ if self.at.is_unknown() => self.at,
            _ => return Err(self.at.kind("a list")),
        };
        let announced = len.ok_or_else(|| self.at.fault(What::NoLength))?;
        Ok(Elements { inner: self.inner.serialize_seq(len)?, at, announced, written: 0 })
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let rest = self.at.fields("a tuple")?;
        Ok(Parts { inner: self.inner.serialize_tuple(len)?, at: self.at, rest })
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let rest = self.at.fields("a tuple")?;
        Ok(Parts { inner: self.inner.serialize_tuple_struct(name, len)?, at: self.at, rest })
    }

    #[inline]
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

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        match self.at.node {
            Node::Map(..) => {}
            _ if self.at.is_unknown() => {}
            _ => return Err(self.at.kind("a map")),
        }
        let announced = len.ok_or_else(|| self.at.fault(What::NoLength))?;
        let inner = self.inner.serialize_map(len)?;
        Ok(Elements { inner, at: self.at, announced, written: 0 })
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let rest = self.at.fields("a struct")?;
        Ok(Parts { inner: self.inner.serialize_struct(name, len)?, at: self.at, rest })
    }

    #[inline]
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

    #[inline]
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.at.scalar(Scalar::String)?;
        self.at.seen(|values| values.string(&value.to_string()));
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<C: SerializeSeq> SerializeSeq for Elements<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.written += 1;
        let result = self.inner.serialize_element(&Checked { value, at: self.at });
        if result.is_err() {
            self.at.inside(|| "[]".to_owned());
        }
        result
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.check()?;
        self.inner.end()
    }
}

impl<C: SerializeMap> SerializeMap for Elements<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.written += 1;
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

    #[inline]
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

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.check()?;
        self.inner.end()
    }
}

macro_rules! tuples {
    ($($trait:ident $method:ident)*) => {
        $(impl<C: $trait> $trait for Parts<'_, C> {
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
        $(impl<C: $trait> $trait for Parts<'_, C> {
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
