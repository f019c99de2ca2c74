//! What the fields of rows are as parts of keys, for derived tables.

use std::borrow::Cow;
use std::sync::Arc;

use uuid::Uuid;

use crate::key::{Key, Ref};

/// A type of fields that can be a key or a part of one.
///
/// [`macro@crate::Table`] asks each field of a key for its part. Implement it for types of your own by
/// what stands for them:
///
/// ```
/// use statehold_store::KeyPart;
///
/// enum Status { Ready, Down }
///
/// impl KeyPart for Status {
///     type Shape = u8;
///     fn part(&self) -> u8 {
///         match self { Status::Ready => 0, Status::Down => 1 }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` can't be a key",
    label = "this field is a key or a part of one",
    note = "derive `KeyPart` for an enum of unit variants or a newtype; implement it for other types, by \
            a string or an integer that stands for their values"
)]
pub trait KeyPart {
    /// The shape of the key.
    type Shape: Key;

    /// The value as such a key.
    fn part(&self) -> Ref<'_, Self::Shape>;
}

macro_rules! copied {
    ($($ty:ty),*) => {$(
        impl KeyPart for $ty {
            type Shape = $ty;

            fn part(&self) -> $ty {
                *self
            }
        }
    )*};
}

copied!(bool, u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, Uuid);

impl KeyPart for str {
    type Shape = String;

    fn part(&self) -> &str {
        self
    }
}

impl KeyPart for String {
    type Shape = Self;

    fn part(&self) -> &str {
        self
    }
}

impl KeyPart for [u8] {
    type Shape = Vec<u8>;

    fn part(&self) -> &[u8] {
        self
    }
}

impl KeyPart for Vec<u8> {
    type Shape = Self;

    fn part(&self) -> &[u8] {
        self
    }
}

macro_rules! pointer {
    ($($ty:ty),*) => {$(
        impl<T: KeyPart + ?Sized> KeyPart for $ty {
            type Shape = T::Shape;

            fn part(&self) -> Ref<'_, T::Shape> {
                (**self).part()
            }
        }
    )*};
}

pointer!(&T, Box<T>, Arc<T>);

impl<T: KeyPart + ToOwned + ?Sized> KeyPart for Cow<'_, T> {
    type Shape = T::Shape;

    fn part(&self) -> Ref<'_, T::Shape> {
        (**self).part()
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    type Shape = Option<T::Shape>;

    fn part(&self) -> Option<Ref<'_, T::Shape>> {
        self.as_ref().map(KeyPart::part)
    }
}

/// A text as indexes that fold keep it: in lower case. Look-ups in them take what this gives.
///
/// ```
/// assert_eq!(statehold_store::folded("Web-1"), statehold_store::folded("WEB-1"));
/// ```
pub fn folded(text: &str) -> String {
    text.to_lowercase()
}
