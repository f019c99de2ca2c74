//! Derive macros of Statehold; use them through the crates that re-export them.
//!
//! The macros are documented at their re-exports: `#[derive(Filterable)]` at
//! `statehold_filter::Filterable`, `#[derive(Table)]` and `#[derive(KeyPart)]` at
//! `statehold_store::Table` and `statehold_store::KeyPart`.

mod attributes;
mod case;
mod filterable;
mod key_part;
mod table;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Filterable` for a struct or enum: expressions select each field by its name.
///
/// On a struct with named fields:
///
/// | attribute | where | meaning |
/// |---|---|---|
/// | `rename_all = "PascalCase"` | struct | names of all fields; also `camelCase`, `snake_case`, `kebab-case`, `SCREAMING_SNAKE_CASE`, `SCREAMING-KEBAB-CASE`, `lowercase`, `UPPERCASE` |
/// | `computed(name = "N", with = Self::n, ty = bool)` | struct | an additional field; `with` takes `&self` and returns a scalar by value or a reference to any filterable type; `ty` is its type without the reference; `unit = ".."` as on fields |
/// | `crate = some::path` | struct | the path of `statehold_filter` |
/// | `rename = "ID"` | field | the name of this field |
/// | `skip` | field | not selectable |
/// | `unit = "bytes"` | field of integers | the unit of the integers, so that `10GiB` is a value; also `ns` (a duration: `1h30m`) and `unix_ns` (a time: `2026-01-02T03:04:05Z`), both in nanoseconds |
/// | `flatten` | field | the fields of this struct are selected like those of the outer one; also through `Arc` and `Box` |
/// | `flatten(deref)` | field | like `flatten`, for the target of any other pointer |
///
/// A tuple struct with one field filters like that field. An enum of unit variants is text: the
/// variant's name as serde writes it, or as `rename_all` and `rename` set it.
#[proc_macro_derive(Filterable, attributes(filterable))]
pub fn derive_filterable(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    filterable::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Implements `Table` for a struct, whose values are the rows: key, secondary indexes and version
/// are declared on its fields.
///
/// On the struct:
///
/// | attribute | meaning |
/// |---|---|
/// | `name = "volumes"` | the table's name in files and errors; required |
/// | `version = 2` | the version of the fields; 1 by default |
/// | `migrate = path` | returns the row for one of an earlier version, also with another key: `fn(OldRow<'_>) -> Result<Self, RowError>`, or `-> Result<Option<Self>, RowError>` where `None` drops the row; `Table::migrate_row` has the recipe for a new key field |
/// | `key(a, b)` | a compound primary key of two to four fields |
/// | `index(name = "a_b", on(a, desc(b)), ..)` | a compound index of up to four parts: a field, or `desc`, `fold`, `each` or `some` of one, as in `on(pool, each(fold(tags)))`; one part may be `each` |
/// | `unique(name = "a_b", on(a, b), ..)` | like `index`, but no two rows may share a key |
/// | `also(CONST, ..)` | indexes declared by hand |
/// | `crate = some::path` | the path of `statehold_store` |
///
/// On a field: `key`, the primary key; `index` and `unique`, an index with the field's name.
/// Options of an index, in parentheses:
///
/// | word | meaning |
/// |---|---|
/// | `name = "n"` | a name other than the field's |
/// | `each` | a key for each element of a `Vec`, set or array |
/// | `some` | a key for the value of an `Option`; rows without one are not in the index. Without it `None` is a key like any other: a `unique` index then holds one row with `None` |
/// | `when = path` | only rows for which this `fn(&Self) -> bool` is true, on structs too |
/// | `fold` | strings in lower case, looked up with `folded(..)` |
/// | `desc` | the greatest first; look-ups take the part as `Desc(value)` |
/// | `serves = "ID"` | the name of the field in filters, on structs of the first one: planners use the index |
///
/// A row is stored as its fields in order, without names and kinds. These serde attributes are
/// therefore rejected, here or, on types inside the row, when the table is added to a schema or a
/// row is written: `skip_serializing_if`, `skip_serializing` or `skip_deserializing` alone,
/// `flatten`, `tag`, `untagged`, and types such as `serde_json::Value`. `rename`, `default`,
/// `skip`, `with`, `from`, `into` and `try_from` are allowed, except that the field of a key or of
/// an index MUST NOT have `skip`, nor that of the primary key `deserialize_with` without
/// `serialize_with`: keys and indexes are built from the stored row when a store is opened. For a
/// row that is also a resource of an API, declare a second struct with the attributes of the API,
/// and a `From` between them:
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
/// Each index is a constant of the struct: `BY_` and its name in upper case. The types of key
/// fields MUST implement `KeyPart`: derive it for enums of unit variants and for newtypes, or
/// implement it.
#[proc_macro_derive(Table, attributes(table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    table::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Implements `KeyPart` for an enum of unit variants or a newtype, for use as a key or a part of
/// one.
///
/// **An enum** is a key of its own type: look-ups take its values. It must be `Copy`, `Debug`, `Eq`
/// and `Hash`. Its key is the number of the variant, so keys sort by number: an explicit
/// discriminant, or one more than that of the variant before. Numbers have 32 bits.
///
/// An index is in memory, so its order follows the current numbers. A primary key is on disk: an
/// enum in one MUST give each variant an explicit number, and the numbers of variants in stored
/// rows MUST NOT change. With gaps (`Ready = 20`) a new variant fits between two others.
///
/// An index on an enum can serve a filter that sees the same names: those of serde, or of
/// `#[filterable(..)]`. A filter that compares with `<` orders by name, so it never uses the index.
///
/// **A newtype** (`struct Id(Uuid)`, also with a `PhantomData`) is a key by its field: look-ups
/// take a value of the field, or a reference to the newtype where parts are accepted.
///
/// `#[key_part(crate = some::path)]` is the path of `statehold_store`.
#[proc_macro_derive(KeyPart, attributes(key_part))]
pub fn derive_key_part(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    key_part::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
