//! Derive macros of Statehold; use them through the crates that re-export them.
//!
//! `#[derive(Filterable)]` is documented where it is used: on `statehold_filter::Filterable`.

mod attributes;
mod case;
mod filterable;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct or enum open to filter expressions: each field is selected by its name.
///
/// On a struct with named fields:
///
/// | attribute | where | meaning |
/// |---|---|---|
/// | `rename_all = "PascalCase"` | struct | names of all fields; also `camelCase`, `snake_case`, `kebab-case`, `SCREAMING_SNAKE_CASE`, `SCREAMING-KEBAB-CASE`, `lowercase`, `UPPERCASE` |
/// | `computed(name = "N", with = Self::n, ty = bool)` | struct | a further field; `with` takes `&self`, gives a scalar by value or a reference to anything filterable; `ty` is its type without the reference; `unit = ".."` as on fields |
/// | `crate = some::path` | struct | where `statehold_filter` is found |
/// | `rename = "ID"` | field | the name of this field |
/// | `skip` | field | not selectable |
/// | `unit = "bytes"` | field of integers | what they count, so that `10GiB` is a value for it; also `ns` (a duration: `1h30m`) and `unix_ns` (a time: `2026-01-02T03:04:05Z`), both in nanoseconds |
/// | `flatten` | field | the fields of this struct count as the outer's own; also through `Arc` and `Box` |
/// | `flatten(deref)` | field | the same for the target of any other pointer |
///
/// A tuple struct with one field is what that field is. An enum of unit variants is text: the variant's
/// name as serde writes it, or as `rename_all` and `rename` say.
#[proc_macro_derive(Filterable, attributes(filterable))]
pub fn derive_filterable(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    filterable::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
