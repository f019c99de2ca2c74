//! Parses `#[filterable(..)]`.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, ExprPath, Ident, LitStr, Path, Result, Type};

use crate::case::Case;

/// Attributes of a struct or enum.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) rename_all: Option<Case>,
    pub(crate) computed: Vec<Computed>,
    pub(crate) krate: Option<Path>,
}

/// A field computed by a method.
pub(crate) struct Computed {
    pub(crate) name: LitStr,
    pub(crate) with: ExprPath,
    pub(crate) ty: Type,
    pub(crate) unit: Option<Ident>,
}

/// Attributes of a field or variant.
#[derive(Default)]
pub(crate) struct Member {
    pub(crate) rename: Option<LitStr>,
    pub(crate) skip: bool,
    pub(crate) flatten: Option<Flatten>,
    pub(crate) unit: Option<Ident>,
}

/// The way to the fields of an inner struct.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flatten {
    Own,
    Deref,
}

impl Container {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut container = Self::default();
        // Several attributes add up, so that `cfg_attr` can add one.
        for attribute in attributes.iter().filter(|own| own.path().is_ident("filterable")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename_all") {
                    container.rename_all = Some(case(&meta)?);
                } else if meta.path.is_ident("crate") {
                    container.krate = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("computed") {
                    container.computed.push(computed(&meta)?);
                } else {
                    return Err(meta.error("expected `rename_all`, `computed` or `crate`"));
                }
                Ok(())
            })?;
        }
        Ok(container)
    }

    /// Takes the case of an enum's variants from serde, unless `filterable` sets another.
    pub(crate) fn or_serde(mut self, attributes: &[Attribute]) -> Self {
        if self.rename_all.is_none() {
            let name = serde_text(attributes, "rename_all");
            // A case that serde does not know is reported by serde's own derive.
            self.rename_all = name.and_then(|name| Case::named(&name.value()).ok());
        }
        self
    }
}

impl Member {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut member = Self::default();
        for attribute in attributes.iter().filter(|own| own.path().is_ident("filterable")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    member.rename = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("skip") {
                    member.skip = true;
                } else if meta.path.is_ident("flatten") {
                    member.flatten = Some(flatten(&meta)?);
                } else if meta.path.is_ident("unit") {
                    member.unit = Some(unit(&meta)?);
                } else {
                    return Err(meta.error("expected `rename`, `skip`, `flatten` or `unit`"));
                }
                Ok(())
            })?;
            let named = member.rename.is_some() || member.unit.is_some();
            // A skipped field has no name or unit, and a flattened one is replaced by its own
            // fields.
            if member.skip && (named || member.flatten.is_some())
                || named && member.flatten.is_some()
            {
                return Err(Error::new_spanned(attribute, "these exclude each other"));
            }
        }
        Ok(member)
    }

    /// Takes the name of a variant from serde, unless `filterable` sets another.
    pub(crate) fn or_serde(mut self, attributes: &[Attribute]) -> Self {
        if self.rename.is_none() {
            self.rename = serde_text(attributes, "rename");
        }
        self
    }
}

fn case(meta: &ParseNestedMeta<'_>) -> Result<Case> {
    let name: LitStr = meta.value()?.parse()?;
    Case::named(&name.value()).map_err(|reason| Error::new(name.span(), reason))
}

/// Returns the variant of `Unit` for a name.
fn unit(meta: &ParseNestedMeta<'_>) -> Result<Ident> {
    let name: LitStr = meta.value()?.parse()?;
    let variant = match name.value().as_str() {
        "bytes" => "Bytes",
        "ns" => "Nanoseconds",
        "unix_ns" => "UnixNanoseconds",
        _ => {
            return Err(Error::new(name.span(), "unknown unit; there are bytes, ns, unix_ns"));
        }
    };
    Ok(Ident::new(variant, name.span()))
}

fn flatten(meta: &ParseNestedMeta<'_>) -> Result<Flatten> {
    if !meta.input.peek(syn::token::Paren) {
        return Ok(Flatten::Own);
    }
    meta.parse_nested_meta(|inner| {
        if inner.path.is_ident("deref") { Ok(()) } else { Err(inner.error("expected `deref`")) }
    })?;
    Ok(Flatten::Deref)
}

fn computed(meta: &ParseNestedMeta<'_>) -> Result<Computed> {
    let (mut name, mut with, mut ty, mut count) = (None, None, None, None);
    meta.parse_nested_meta(|inner| {
        if inner.path.is_ident("name") {
            name = Some(inner.value()?.parse()?);
        } else if inner.path.is_ident("with") {
            with = Some(inner.value()?.parse()?);
        } else if inner.path.is_ident("ty") {
            ty = Some(inner.value()?.parse()?);
        } else if inner.path.is_ident("unit") {
            count = Some(unit(&inner)?);
        } else {
            return Err(inner.error("expected `name`, `with`, `ty` or `unit`"));
        }
        Ok(())
    })?;
    match (name, with, ty) {
        (Some(name), Some(with), Some(ty)) => Ok(Computed { name, with, ty, unit: count }),
        _ => Err(meta.error("needs `name = \"..\"`, `with = Self::method` and `ty = Type`")),
    }
}

/// Returns the string of `#[serde(key = "..")]` or `#[serde(key(serialize = ".."))]`, ignoring all
/// other attributes.
fn serde_text(attributes: &[Attribute], key: &str) -> Option<LitStr> {
    let mut found = None;
    for attribute in attributes.iter().filter(|own| own.path().is_ident("serde")) {
        // Errors are ignored, because serde's own derive reports them.
        let _ = attribute.parse_nested_meta(|meta| {
            let wanted = meta.path.is_ident(key);
            if meta.input.peek(syn::Token![=]) {
                let value: Expr = meta.value()?.parse()?;
                if let (true, Some(text)) = (wanted, as_text(&value)) {
                    found = Some(text);
                }
            } else if meta.input.peek(syn::token::Paren) {
                meta.parse_nested_meta(|inner| {
                    let value: Expr = inner.value()?.parse()?;
                    // The name in output, because filters see the names that clients read.
                    if wanted && inner.path.is_ident("serialize") {
                        found = as_text(&value);
                    }
                    Ok(())
                })?;
            }
            Ok(())
        });
    }
    found
}

fn as_text(value: &Expr) -> Option<LitStr> {
    match value {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.clone()),
        _ => None,
    }
}
