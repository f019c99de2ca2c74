//! Parses `#[table(..)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Error, ExprPath, Field, Ident, LitInt, LitStr, Path, Result};

/// Attributes of the struct.
pub(super) struct Container {
    pub(super) name: LitStr,
    pub(super) version: u16,
    pub(super) migrate: Option<ExprPath>,
    /// The parts of a compound key; empty if a field is the key.
    pub(super) key: Vec<Part>,
    pub(super) indexes: Vec<IndexOptions>,
    /// Indexes declared by hand.
    pub(super) also: Vec<ExprPath>,
    pub(super) krate: Option<Path>,
}

/// Attributes of a field.
#[derive(Default)]
pub(super) struct Member {
    /// The span of `key`, if the field is the key.
    pub(super) key: Option<Span>,
    pub(super) indexes: Vec<IndexOptions>,
}

/// The role of a field in its table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The whole primary key.
    Key,
    /// The whole key of a secondary index.
    Indexed,
    Other,
}

/// A part of a key.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) field: Ident,
    pub(super) desc: bool,
    pub(super) fold: bool,
    pub(super) each: Option<Each>,
}

impl Part {
    pub(super) fn of(field: Ident) -> Self {
        Self { field, desc: false, fold: false, each: None }
    }

    /// Parses the rest of `field`, `desc(field)`, `each(fold(field))` and similar.
    fn parse(word: Ident, input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(syn::token::Paren) {
            return Ok(Self::of(word));
        }
        let content;
        syn::parenthesized!(content in input);
        let inner = Ident::parse_any(&content)?;
        let mut part = Self::parse(inner, &content)?;
        if !content.is_empty() {
            return Err(content.error("expected one field"));
        }
        let twice = match word.unraw().to_string().as_str() {
            "desc" => std::mem::replace(&mut part.desc, true),
            "fold" => std::mem::replace(&mut part.fold, true),
            "each" => part.each.replace(Each::Element).is_some(),
            "some" => part.each.replace(Each::Some).is_some(),
            _ => {
                let reason = "expected a field, or `desc`, `fold`, `each` or `some` of one";
                return Err(Error::new(word.span(), reason));
            }
        };
        if twice {
            let reason = "a part is in one order and one case, and has one of `each` and `some`";
            return Err(Error::new(word.span(), reason));
        }
        Ok(part)
    }
}

/// The values of a field that are keys, if not the field itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    Element,
    Some,
}

/// The options in `index(..)` or `unique(..)`.
#[derive(Default)]
pub(super) struct IndexOptions {
    pub(super) unique: bool,
    pub(super) name: Option<Ident>,
    pub(super) on: Vec<Part>,
    pub(super) each: Option<Each>,
    pub(super) fold: bool,
    pub(super) desc: bool,
    pub(super) when: Option<ExprPath>,
    pub(super) serves: Option<LitStr>,
}

impl Container {
    pub(super) fn parse(row: &Ident, attributes: &[Attribute]) -> Result<Self> {
        let (mut name, mut version, mut migrate, mut krate) = (None, None, None, None);
        let (mut key, mut indexes, mut also) = (Vec::new(), Vec::new(), Vec::new());
        for attribute in attributes.iter().filter(|own| own.path().is_ident("table")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    name = Some(meta.value()?.parse::<LitStr>()?);
                } else if meta.path.is_ident("version") {
                    version = Some(meta.value()?.parse::<LitInt>()?);
                } else if meta.path.is_ident("migrate") {
                    migrate = Some(meta.value()?.parse::<ExprPath>()?);
                } else if meta.path.is_ident("crate") {
                    krate = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("key") {
                    key = parts(&meta)?;
                    if let Some(part) = key.iter().find(|part| part.fold || part.each.is_some()) {
                        let reason = "a primary key has one value for each row, as the fields hold \
                                      it: `fold`, `each` and `some` are for indexes";
                        return Err(Error::new(part.field.span(), reason));
                    }
                } else if meta.path.is_ident("index") || meta.path.is_ident("unique") {
                    let options = IndexOptions::parse(&meta)?;
                    if options.on.is_empty() || options.name.is_none() {
                        let reason = "an index here needs `name = \"..\"` and `on(field, ..)`";
                        return Err(meta.error(reason));
                    }
                    indexes.push(options);
                } else if meta.path.is_ident("also") {
                    meta.parse_nested_meta(|inner| {
                        let path = inner.path.clone();
                        also.push(ExprPath { attrs: Vec::new(), qself: None, path });
                        Ok(())
                    })?;
                } else {
                    let known =
                        "`name`, `version`, `migrate`, `key`, `index`, `unique`, `also` or `crate`";
                    return Err(meta.error(format!("expected {known}")));
                }
                Ok(())
            })?;
        }
        let Some(name) = name else {
            let reason = "a table needs a name: `#[table(name = \"..\")]`";
            return Err(Error::new(row.span(), reason));
        };
        // Rows of a first version need no version in the declaration.
        let version_number = match &version {
            None => 1,
            Some(version) => version.base10_parse()?,
        };
        if version_number == 0 {
            return Err(Error::new_spanned(version, "versions begin with 1"));
        }
        if let Some(migrate) = &migrate
            && version_number == 1
        {
            let reason = "there is no version before 1 to migrate from: set `version = 2`";
            return Err(Error::new(migrate.span(), reason));
        }
        Ok(Self { name, version: version_number, migrate, key, indexes, also, krate })
    }
}

impl Container {
    /// Returns the role of a field in the table.
    pub(super) fn role(&self, field: &Field, own: &Member) -> Role {
        // A part of several may be a type with one value, which is equal in each row and needs no
        // bytes.
        let alone = |parts: &[Part]| match parts {
            [part] => field.ident.as_ref().is_some_and(|own| own.unraw() == part.field.unraw()),
            _ => false,
        };
        if own.key.is_some() || alone(&self.key) {
            Role::Key
        } else if !own.indexes.is_empty() || self.indexes.iter().any(|index| alone(&index.on)) {
            Role::Indexed
        } else {
            Role::Other
        }
    }
}

impl Member {
    pub(super) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut member = Self::default();
        for attribute in attributes.iter().filter(|own| own.path().is_ident("table")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("key") {
                    member.key = Some(meta.path.span());
                } else if meta.path.is_ident("index") || meta.path.is_ident("unique") {
                    let options = IndexOptions::parse(&meta)?;
                    if !options.on.is_empty() {
                        return Err(meta.error("`on` is for indexes on the struct"));
                    }
                    member.indexes.push(options);
                } else {
                    return Err(meta.error("expected `key`, `index` or `unique`"));
                }
                Ok(())
            })?;
        }
        Ok(member)
    }
}

impl IndexOptions {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let mut options = Self { unique: meta.path.is_ident("unique"), ..Self::default() };
        if !meta.input.peek(syn::token::Paren) {
            return Ok(options);
        }
        meta.parse_nested_meta(|inner| {
            if inner.path.is_ident("name") {
                options.name = Some(identifier(&inner.value()?.parse::<LitStr>()?)?);
            } else if inner.path.is_ident("on") {
                options.on = parts(&inner)?;
            } else if inner.path.is_ident("each") {
                options.each = Some(Each::Element);
            } else if inner.path.is_ident("some") {
                options.each = Some(Each::Some);
            } else if inner.path.is_ident("fold") {
                options.fold = true;
            } else if inner.path.is_ident("desc") {
                options.desc = true;
            } else if inner.path.is_ident("when") {
                options.when = Some(inner.value()?.parse()?);
            } else if inner.path.is_ident("serves") {
                options.serves = Some(inner.value()?.parse()?);
            } else {
                let known = "`name`, `on`, `each`, `some`, `fold`, `desc`, `when` or `serves`";
                return Err(inner.error(format!("expected {known}")));
            }
            Ok(())
        })?;
        let first = options.on.first();
        let folds = options.fold || first.is_some_and(|part| part.fold);
        // A row without a value for a later part has no key, so the index lacks it.
        let drops = options.on.iter().skip(1).any(|part| part.each.is_some());
        // An index that serves a filter MUST contain every row that the filter can match.
        if let Some(serves) = &options.serves
            && (options.when.is_some() || folds || drops)
        {
            let reason = "an index that folds, or leaves rows out by `when` or by `each` or `some` of \
                          a later part, can't serve filters";
            return Err(Error::new(serves.span(), reason));
        }
        let of_a_field = options.each.is_some() || options.fold || options.desc;
        if first.is_some() && of_a_field {
            let reason = "apply it to a part: `on(desc(a), fold(b), each(c))`";
            return Err(meta.error(reason));
        }
        let mut lists = options.on.iter().filter(|part| part.each == Some(Each::Element));
        if let (Some(_), Some(second)) = (lists.next(), lists.next()) {
            let reason = "an index has the elements of one list: those of two would be multiplied";
            return Err(Error::new(second.field.span(), reason));
        }
        Ok(options)
    }
}

/// Parses the name of a constant. Keywords are allowed, because `BY_` precedes them.
fn identifier(name: &LitStr) -> Result<Ident> {
    let reason =
        "an index's name is a word of letters, digits and `_`, as a constant is called by it";
    let mut ident = Ident::parse_any
        .parse_str(&name.value())
        .map_err(|_| Error::new(name.span(), reason))?
        .unraw();
    ident.set_span(name.span());
    Ok(ident)
}

/// Parses the parts of a compound key: `(a, desc(b), fold(c))`.
fn parts(meta: &ParseNestedMeta<'_>) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    meta.parse_nested_meta(|inner| {
        let Some(word) = inner.path.get_ident().cloned() else {
            return Err(inner.error("expected a field"));
        };
        parts.push(Part::parse(word, inner.input)?);
        Ok(())
    })?;
    if parts.is_empty() {
        return Err(meta.error("expected the names of fields"));
    }
    Ok(parts)
}
