//! Derive macros of Statehold; use them through the crates that re-export them.
//!
//! `#[derive(Filterable)]` is documented where it is used: on `statehold_filter::Filterable`, and
//! `#[derive(Table)]` and `#[derive(KeyPart)]` on `statehold_store::Table` and
//! `statehold_store::KeyPart`.

mod attributes;
mod case;
mod filterable;
mod key_part;
mod table;

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

/// Makes a struct the rows of a table, and itself the table: key, secondary indexes and version are
/// declared on its fields.
///
/// On the struct:
///
/// | attribute | meaning |
/// |---|---|
/// | `name = "volumes"` | the table's name in files and errors; has to be there |
/// | `version = 2` | the version of the fields; 1 without it |
/// | `migrate = path` | returns the row for one of an earlier version, also with another key: `fn(OldRow<'_>) -> Result<Self, RowError>`, or `-> Result<Option<Self>, RowError>` where `None` drops the row; `Table::migrate_row` has the recipe for a new key field |
/// | `key(a, b)` | a compound primary key of two to four fields |
/// | `index(name = "a_b", on(a, desc(b)), ..)` | a compound index of up to four parts: a field, or `desc`, `fold`, `each` or `some` of one, as in `on(pool, each(fold(tags)))`; one part may be `each` |
/// | `unique(name = "a_b", on(a, b), ..)` | the same, in which no two rows have one key |
/// | `also(CONST, ..)` | indexes that are declared by hand |
/// | `crate = some::path` | where `statehold_store` is found |
///
/// On a field: `key`, the primary key; `index` and `unique`, an index with the field's name, and in
/// parentheses what it is like:
///
/// | word | meaning |
/// |---|---|
/// | `name = "n"` | another name than the field's |
/// | `each` | a key for each element of a `Vec`, set or array |
/// | `some` | a key for the value of an `Option`; rows without one are not in the index. Without it `None` is a key like any other: a `unique` index then holds one row with `None` |
/// | `when = path` | only rows for which this `fn(&Self) -> bool` is true, on structs too |
/// | `fold` | texts in lower case, to be looked up with `folded(..)` |
/// | `desc` | the greatest first; look-ups take the part as `Desc(value)` |
/// | `serves = "ID"` | what filters call the field, on structs the first one: planners use the index |
///
/// Rows are stored as their fields in order, without names and kinds. So these serde attributes are refused,
/// here or, on types further in, when the table is added to a schema or a row is written:
/// `skip_serializing_if`, `skip_serializing` or `skip_deserializing` alone, `flatten`, `tag`, `untagged`, and types
/// such as `serde_json::Value`. `rename`, `default`, `skip`, `with`, `from`, `into` and `try_from` are fine, except
/// that the field of a key or of an index MUST NOT have `skip`, nor that of the primary key `deserialize_with` without
/// `serialize_with`: keys and indexes are built from the stored row when a store is opened. A row
/// that is an API's resource as well has a second struct with the API's attributes, and a `From` between them:
///
/// ```text
/// #[derive(Serialize, Deserialize, Table)]
/// #[table(name = "volumes")]
/// struct Volume { #[table(key)] id: String, note: Option<String> }
///
/// #[derive(Serialize)]
/// struct VolumeView<'a> {
///     id: &'a str,
///     #[serde(skip_serializing_if = "Option::is_none")]
///     note: Option<&'a str>,
/// }
///
/// impl<'a> From<&'a Volume> for VolumeView<'a> {
///     fn from(row: &'a Volume) -> Self { Self { id: &row.id, note: row.note.as_deref() } }
/// }
/// ```
///
/// Each index is a constant of the struct: `BY_` and its name in upper case. Fields are keys by
/// `KeyPart`: derive it for enums of unit variants and for newtypes, or implement it.
#[proc_macro_derive(Table, attributes(table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    table::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enum of unit variants, or a newtype, a key or a part of one.
///
/// **An enum** is a key of its own shape: look-ups take its values. It must be `Copy`, `Debug`, `Eq` and
/// `Hash`. A key is the number of the variant, so keys sort as the numbers do: an explicit
/// discriminant, or one more than that of the variant before. Numbers have 32 bits.
///
/// An index lives in memory, so its order follows the present numbers. A primary key is on disk: an enum in
/// one MUST give each variant an explicit number, and the numbers of variants that rows have MUST stay. With
/// gaps (`Ready = 20`) a new variant fits between two others.
///
/// An index on an enum can serve a filter that sees the same names: those of serde, or of
/// `#[filterable(..)]`. Filters that compare with `<` order the names, so they don't use it.
///
/// **A newtype** (`struct Id(Uuid)`, also with a `PhantomData`) is a key by its field: look-ups take a
/// value of the field, or a reference to the newtype where parts are taken.
///
/// `#[key_part(crate = some::path)]` is where `statehold_store` is found.
#[proc_macro_derive(KeyPart, attributes(key_part))]
pub fn derive_key_part(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    key_part::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
