//! The types of fields as keys: their shapes, and types that are not keys.
//!
//! The compiler reports a type that is not a key at each place that needs it to be one. It prints
//! equal reports once, so all of these places have one span: that of the type. Types that certainly
//! are not keys are rejected before, with a suggested fix.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Error, GenericArgument, Path, PathArguments, Result, Type};

/// Returns `<ty as KeyPart>::name` with the spans of the type at both ends.
pub(super) fn member(ty: &Type, krate: &Path, name: &str) -> TokenStream {
    let (start, end) = ends(ty);
    let open = quote_spanned!(start=> <);
    let name = Ident::new(name, end);
    // A path with the span of the derive would be reported at the derive.
    let krate = at(krate.to_token_stream(), start);
    let part = quote_spanned!(start=> as #krate::KeyPart);
    let close = quote_spanned!(end=> >::);
    quote!(#open #ty #part #close #name)
}

/// Returns `path<arguments>` with the given spans at both ends.
pub(super) fn generic(
    path: &TokenStream,
    arguments: &TokenStream,
    start: Span,
    end: Span,
) -> TokenStream {
    let path = at(path.clone(), start);
    let (open, close) = (quote_spanned!(start=> <), quote_spanned!(end=> >));
    quote!(#path #open #arguments #close)
}

/// Returns the spans of the first and the last token.
pub(super) fn ends(ty: &Type) -> (Span, Span) {
    let mut spans = ty.to_token_stream().into_iter().map(|token| token.span());
    let start = spans.next().unwrap_or_else(Span::call_site);
    (start, spans.last().unwrap_or(start))
}

/// Sets the span of all tokens.
pub(super) fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let moved = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(moved).collect()
}

/// The place of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The primary key, or a part of it.
    Key,
    /// An index of one field.
    Index,
    /// A part of a compound index.
    Part,
    /// An index that already has the elements of a list.
    Element,
}

/// Rejects types of the standard library that are not keys.
///
/// # Errors
/// For the first such type, at its span.
pub(super) fn refuse<'a>(
    types: impl IntoIterator<Item = Result<&'a Type>>,
    place: Place,
) -> Result<()> {
    for ty in types {
        let ty = ty?;
        let reason = match kind(ty) {
            None => continue,
            Some(Kind::Float) => {
                "a float is not a key, because not all of its values have an order: use an integer, for \
                 example of thousandths, or a type of your own with `KeyPart`"
            }
            Some(Kind::List) => match place {
                Place::Index => {
                    "a list is not a key: write `index(each)` or `unique(each)` for a key of each element"
                }
                Place::Part => {
                    "a list is not a key: write `each(field)` in `on(..)` for a key of each element"
                }
                Place::Key | Place::Element => {
                    "a list is not a key: use a field with one value for each row"
                }
            },
            Some(Kind::Map) => {
                "a map is not a key: declare an index by hand that adds a key for each entry, and name it \
                 in `also(..)`"
            }
        };
        return Err(Error::new_spanned(ty, reason));
    }
    Ok(())
}

/// A class of types that are not keys.
enum Kind {
    Float,
    List,
    Map,
}

/// Returns the class of a type by its name, the only information of a macro; `None` for types that
/// may be keys.
fn kind(ty: &Type) -> Option<Kind> {
    match ty {
        // Bytes are a key: arrays and vectors of `u8` are stored as they are.
        Type::Array(array) => (!is_byte(&array.elem)).then_some(Kind::List),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let first = match &last.arguments {
                PathArguments::AngleBracketed(arguments) => {
                    arguments.args.iter().find_map(|argument| match argument {
                        GenericArgument::Type(ty) => Some(ty),
                        _ => None,
                    })
                }
                _ => None,
            };
            match (last.ident.to_string().as_str(), first) {
                ("f32" | "f64", None) => Some(Kind::Float),
                // A part of an `Option` is like its value.
                ("Option", Some(inner)) => kind(inner).filter(|kind| !matches!(kind, Kind::List)),
                ("Vec", Some(element)) => (!is_byte(element)).then_some(Kind::List),
                ("VecDeque" | "BTreeSet" | "HashSet", Some(_)) => Some(Kind::List),
                ("BTreeMap" | "HashMap", Some(_)) => Some(Kind::Map),
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_byte(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("u8"))
}
