//! Rejects serde attributes whose rows cannot be read back.
//!
//! A store writes the fields of a row in order, without names and kinds. An attribute that omits
//! fields in one direction, or reads them by name, works in JSON and loses rows here. A macro does
//! not see the types of fields; the store probes them when a schema is built, and checks every row.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Field, Meta, Result, Token};

use super::attributes::Role;

/// The end of each message.
const REMEDY: &str = "keep the attribute on a type of its own for the API, and convert";

const KEY_LEFT_OUT: &str = "the primary key must be in the stored row, because the row is found by it \
                            when a store is opened: remove the attribute";

const INDEXED_LEFT_OUT: &str = "an indexed field must be in the stored row, because indexes are built \
                                from stored rows when a store is opened: remove the attribute or the \
                                index";

const KEY_READ_OTHERWISE: &str = "the primary key must be read back as it was written: change its value \
                                  before the row is written, or use `with` for a form that both \
                                  directions share";

/// Rejects attributes whose rows cannot be read back, on the struct and on its fields.
pub(super) fn check<'a>(
    attributes: &[Attribute],
    fields: impl IntoIterator<Item = (&'a Field, Role)>,
) -> Result<()> {
    let mut errors = Errors(None);
    each(attributes, |name, span| match name {
        "tag" | "untagged" | "content" => {
            let reason = "a row is stored without names, so it can't have a tag";
            errors.add(span, reason);
        }
        _ => {}
    });
    for (field, role) in fields {
        let (mut writing, mut reading) = (None, None);
        let (mut skipped, mut writer, mut reader) = (None, None, None);
        each(&field.attrs, |name, span| {
            match name {
            "flatten" => errors.add(
                span,
                "a row is stored without names, and flattened fields are read by them: \
                 use the struct as it is",
            ),
            "skip_serializing_if" => errors.add(
                span,
                "a row is stored without names, so a field that is left out shifts the ones after it: \
                 a `None` takes one byte",
            ),
            "skip_serializing" => writing = Some(span),
            "skip_deserializing" => reading = Some(span),
            "skip" => skipped = Some(span),
            "serialize_with" => writer = Some(span),
            "deserialize_with" => reader = Some(span),
            _ => {}
        }
        });
        // A key or index over a field that is not stored would change when the row is read back.
        let left_out = skipped.or(reading).or(writing).filter(|_| role != Role::Other);
        if let Some(span) = left_out {
            errors.add(
                span,
                match role {
                    Role::Key => KEY_LEFT_OUT,
                    Role::Indexed | Role::Other => INDEXED_LEFT_OUT,
                },
            );
            continue;
        }
        // A `serialize_with` beside it may be its inverse: the store checks each row.
        if let (Role::Key, Some(span), None) = (role, reader, writer) {
            errors.add(span, KEY_READ_OTHERWISE);
        }
        // Both together equal `skip`: the field is not stored.
        match (writing, reading) {
            (Some(span), None) => {
                errors.add(span, "the field is read and never written: use `skip` for both");
            }
            (None, Some(span)) => {
                errors.add(span, "the field is written and never read: use `skip` for both");
            }
            _ => {}
        }
    }
    errors.0.map_or(Ok(()), Err)
}

/// All errors, reported by one build.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, span: Span, reason: &str) {
        let error = Error::new(span, format!("{reason}; or {REMEDY}"));
        match &mut self.0 {
            None => self.0 = Some(error),
            Some(errors) => errors.combine(error),
        }
    }
}

/// Calls `found` with each word in `#[serde(..)]`. The compiler resolves `cfg_attr` before.
///
/// Attributes that cannot be parsed are ignored, because serde's own derive has the better error.
fn each(attributes: &[Attribute], mut found: impl FnMut(&str, Span)) {
    for attribute in attributes.iter().filter(|own| own.path().is_ident("serde")) {
        let Meta::List(list) = &attribute.meta else { continue };
        let Ok(words) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        else {
            continue;
        };
        for word in words {
            if let Some(name) = word.path().get_ident() {
                found(&name.to_string(), name.span());
            }
        }
    }
}
