//! Generates the code of `#[derive(Table)]`.

mod attributes;
mod key_part;
mod readable;

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, Path, Result, Type, parse_quote};

use self::attributes::{Container, Each, IndexOptions, Member, Part};
use self::key_part::Place;

/// Maximum number of parts of a compound key.
const PARTS_MAX: usize = 4;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "a table's rows are structs"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(input.ident.span(), "a table's rows need named fields"));
    };
    // Constants of indexes name the row type, which a generic row would not determine.
    if !input.generics.params.is_empty() {
        let reason = "a table's rows have one type: no generics, no lifetimes";
        return Err(Error::new_spanned(&input.generics, reason));
    }
    let container = Container::parse(&input.ident, &input.attrs)?;
    let members = fields.named.iter().map(|field| Member::parse(&field.attrs));
    let members = members.collect::<Result<Vec<_>>>()?;
    let roles =
        fields.named.iter().zip(&members).map(|(field, own)| (field, container.role(field, own)));
    readable::check(&input.attrs, roles)?;
    let krate = container.krate.clone().unwrap_or_else(|| parse_quote!(::statehold_store));
    let row = Row { ident: &input.ident, fields: fields.named.iter().collect(), krate: &krate };

    let (mut key, mut indexes) = (container.key.clone(), Vec::new());
    for (field, member) in fields.named.iter().zip(members) {
        let Some(ident) = &field.ident else { continue };
        if let Some(span) = member.key {
            if !key.is_empty() {
                let reason =
                    "the key is declared twice; a compound one is `key(a, b)` on the struct";
                return Err(Error::new(span, reason));
            }
            key.push(Part::of(ident.clone()));
        }
        for options in member.indexes {
            indexes.push(row.field_index(ident, options)?);
        }
    }
    for options in &container.indexes {
        indexes.push(row.compound_index(options)?);
    }
    if key.is_empty() {
        let reason =
            "a table needs a key: `#[table(key)]` on a field, or `#[table(key(a, b))]` here";
        return Err(Error::new(input.ident.span(), reason));
    }
    let mut names = HashSet::new();
    for index in &indexes {
        // An inherent constant would shadow that of the trait, without a warning.
        if index.constant() == "BY_KEY" {
            let reason = "`BY_KEY` is the primary key: give this index another `name`";
            return Err(Error::new(index.name.span(), reason));
        }
        // Compared by constant, because names that differ in case only share one.
        if !names.insert(index.constant()) {
            let constant = index.constant();
            let reason = format!("two indexes are named `{constant}`: give one a `name`");
            return Err(Error::new(index.name.span(), reason));
        }
    }
    key_part::refuse(key.iter().map(|part| row.key_type(part)), Place::Key)?;
    row.implement(input, &container, &key, &indexes)
}

/// The struct of the rows.
struct Row<'a> {
    ident: &'a Ident,
    fields: Vec<&'a Field>,
    krate: &'a Path,
}

/// A declared index.
struct Index {
    name: Ident,
    /// The spans at which the compiler reports a type that is not a key.
    span: (Span, Span),
    /// The type of the constant.
    ty: TokenStream,
    make: TokenStream,
}

impl Index {
    fn constant(&self) -> Ident {
        format_ident!("BY_{}", self.name.to_string().to_uppercase(), span = self.span.1)
    }
}

impl Row<'_> {
    fn implement(
        &self,
        input: &DeriveInput,
        container: &Container,
        key: &[Part],
        indexes: &[Index],
    ) -> Result<TokenStream> {
        let Self { ident, krate, .. } = self;
        let (vis, name, version) = (&input.vis, &container.name, container.version);
        let (key_shape, key_value) = self.key_of(key)?;
        let key_ref = self.key_ref(key)?;
        let mut stable = Vec::new();
        for part in key {
            let ty = &self.field(&part.field)?.ty;
            let is_stable = key_part::member(ty, krate, "STABLE");
            stable.push(quote_spanned! {ty.span()=>
                const _: () = assert!(
                    #is_stable,
                    "an enum in a primary key needs a number for each variant, as in `Ready = 10`: \
                     stored keys hold it"
                );
            });
        }
        let constants = indexes.iter().map(|index| {
            let (constant, ty, make) = (index.constant(), &index.ty, &index.make);
            let doc = format!("The index `{}`.", index.name);
            quote_spanned! {index.span.0=>
                #[doc = #doc]
                #vis const #constant: #ty = #make;
            }
        });
        let declared = indexes.iter().map(|index| {
            let constant = index.constant();
            quote_spanned!(index.span.0=> set.add(&Self::#constant);)
        });
        let also = container.also.iter().map(|index| quote!(set.add(&#index);));
        let migrate = container.migrate.as_ref().map(|migrate| {
            quote! {
                fn migrate_row(
                    old: #krate::OldRow<'_>,
                ) -> ::core::result::Result<::core::option::Option<Self>, #krate::RowError> {
                    #krate::IntoMigrated::<Self>::into_migrated(#migrate(old))
                }
            }
        });
        let key_fields = key.iter().map(|part| part.field.unraw().to_string());
        let key_span = match key {
            [part] => key_part::ends(&self.field(&part.field)?.ty).0,
            parts => parts[0].field.span(),
        };
        // The spans are the user's, so lints would report the generated code as the user's own.
        let lints = quote! {
            #[allow(unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery)]
        };
        let keyed = quote_spanned! {key_span=>
            type Key = #key_shape;

            fn key(row: &Self) -> #key_ref {
                #key_value
            }
        };
        Ok(quote! {
            #[automatically_derived]
            #[allow(dead_code, reason = "an index may be there for a planner alone")]
            #lints
            impl #ident {
                #(#constants)*
            }

            #(#stable)*

            #[automatically_derived]
            #lints
            impl #krate::Table for #ident {
                const NAME: &'static str = #name;
                const VERSION: u16 = #version;
                const KEY_FIELDS: &'static [&'static str] = &[#(#key_fields),*];
                type Row = Self;

                #keyed

                #migrate

                fn indexes(set: &mut #krate::IndexSet<Self>) {
                    #(#declared)*
                    #(#also)*
                    // Without indexes the parameter is unused.
                    let _ = set;
                }
            }
        })
    }

    fn field(&self, name: &Ident) -> Result<&Field> {
        let name = name.unraw();
        let own = |field: &Field| Some(field.ident.as_ref()?.unraw());
        self.fields
            .iter()
            .find(|field| own(field).is_some_and(|own| own == name))
            .copied()
            .ok_or_else(|| {
                let names: Vec<String> =
                    self.fields.iter().filter_map(|field| Some(own(field)?.to_string())).collect();
                let reason = format!("no field is named `{name}`; there are {}", names.join(", "));
                Error::new(name.span(), reason)
            })
    }

    /// Returns the shape and the value of a key of several parts.
    fn key_of(&self, parts: &[Part]) -> Result<(TokenStream, TokenStream)> {
        let (mut shapes, mut values) = (Vec::new(), Vec::new());
        for part in parts {
            let (shape, value) = self.part(part)?;
            shapes.push(shape);
            values.push(value);
        }
        match (shapes.as_slice(), values.as_slice()) {
            ([shape], [value]) => Ok((shape.clone(), value.clone())),
            _ if parts.len() > PARTS_MAX => {
                let reason = format!("a key has at most {PARTS_MAX} parts");
                Err(Error::new(parts[PARTS_MAX].field.span(), reason))
            }
            // At the first part, because the tuple type is not in the source.
            _ => {
                let span = parts[0].field.span();
                Ok((quote_spanned!(span=> (#(#shapes,)*)), quote_spanned!(span=> (#(#values,)*))))
            }
        }
    }

    /// Returns the borrowed form of the primary key, each part with the span of its field, for
    /// errors.
    fn key_ref(&self, parts: &[Part]) -> Result<TokenStream> {
        let krate = self.krate;
        let refs = parts.iter().map(|part| {
            let shape = self.part(part)?.0;
            let (start, end) = key_part::ends(&self.field(&part.field)?.ty);
            Ok(key_part::generic(&quote!(#krate::Ref), &quote!('_, #shape), start, end))
        });
        let refs = refs.collect::<Result<Vec<_>>>()?;
        let span = parts[0].field.span();
        Ok(if let [only] = refs.as_slice() {
            only.clone()
        } else {
            quote_spanned!(span=> (#(#refs,)*))
        })
    }

    /// Returns the type of the values of a key part: that of its field, or of its elements.
    fn key_type(&self, part: &Part) -> Result<&Type> {
        let ty = &self.field(&part.field)?.ty;
        match part.each {
            None => Ok(ty),
            Some(each) => element(ty, each).ok_or_else(|| {
                let reason = match each {
                    Each::Element => "`each` needs a `Vec`, a set or an array",
                    Each::Some => "`some` needs an `Option`",
                };
                Error::new_spanned(ty, reason)
            }),
        }
    }

    /// Returns the shape and the value of one part of a key. The tokens have the span of the
    /// field's type, so that a type that is not a key is reported there.
    fn part(&self, part: &Part) -> Result<(TokenStream, TokenStream)> {
        let krate = self.krate;
        let field = self.field(&part.field)?;
        let (ident, ty) = (&field.ident, self.key_type(part)?);
        let span = key_part::ends(ty).0;
        let source = if part.each.is_some() {
            let element = element_name(part);
            quote_spanned!(span=> #element)
        } else {
            quote_spanned!(span=> &row.#ident)
        };
        let (mut shape, mut value) = if part.fold {
            (quote!(::std::string::String), quote_spanned!(span=> &*#krate::folded(#source)))
        } else {
            let member = |name| key_part::member(ty, krate, name);
            let (shape, part) = (member("Shape"), member("part"));
            (shape, quote_spanned!(span=> #part(#source)))
        };
        if part.desc {
            let (start, end) = key_part::ends(ty);
            shape = key_part::generic(&quote!(#krate::Desc), &shape, start, end);
            value = quote_spanned!(start=> #krate::Desc(#value));
        }
        Ok((shape, value))
    }

    fn compound_index(&self, options: &IndexOptions) -> Result<Index> {
        let place = if options.on.iter().any(|part| part.each == Some(Each::Element)) {
            Place::Element
        } else if options.name.is_some() && options.on.len() > 1 {
            Place::Part
        } else {
            Place::Index
        };
        key_part::refuse(options.on.iter().map(|part| self.key_type(part)), place)?;
        // A name that is not declared has no span, so it gets that of the field.
        let name = options.name.clone().unwrap_or_else(|| options.on[0].field.unraw());
        let (start, end) = match options.on.as_slice() {
            [part] => key_part::ends(self.key_type(part)?),
            // The parts differ in type, so an error that concerns none of them is reported at the
            // index.
            _ => (name.span(), name.span()),
        };
        let (shape, value) = self.key_of(&options.on)?;
        let mut add = quote_spanned!(start=> keys.add(#value););
        // One loop for each part with several values, of which only one may be a list.
        for part in options.on.iter().filter(|part| part.each.is_some()) {
            let (element, field) = (element_name(part), &self.field(&part.field)?.ident);
            add = quote_spanned!(start=> for #element in row.#field.iter() { #add });
        }
        if let Some(when) = &options.when {
            add = quote!(if #when(row) { #add });
        }
        Ok(self.index(name, (start, end), options, &shape, &add))
    }

    fn field_index(&self, ident: &Ident, options: IndexOptions) -> Result<Index> {
        let IndexOptions { each, desc, fold, .. } = options;
        let on = vec![Part { field: ident.clone(), desc, fold, each }];
        self.compound_index(&IndexOptions { on, ..options })
    }

    fn index(
        &self,
        name: Ident,
        (start, end): (Span, Span),
        options: &IndexOptions,
        shape: &TokenStream,
        add: &TokenStream,
    ) -> Index {
        let (krate, row) = (self.krate, self.ident);
        let text = name.to_string();
        let kind = Ident::new(if options.unique { "unique" } else { "non_unique" }, end);
        let path = key_part::at(quote!(#krate::Index), start);
        let mut arguments =
            Group::new(Delimiter::Parenthesis, quote!(#text, |row: &#row, keys| { #add }));
        arguments.set_span(end);
        // The shape is inferred from the constant's type, so that a type that is not a key is
        // reported once.
        let mut make = quote_spanned!(start=> #path::#kind #arguments);
        let fields = options.on.iter().map(|part| part.field.unraw().to_string());
        make.extend(quote_spanned!(end=> .on_fields(&[#(#fields),*])));
        if let Some(selector) = &options.serves {
            // At the selector, so that a row that is not filterable is reported there.
            make.extend(quote_spanned!(selector.span()=> .serves(#selector)));
        }
        let ty = key_part::generic(&quote!(#krate::Index), &quote!(Self, #shape), start, end);
        Index { name, span: (start, end), ty, make }
    }
}

/// Returns the variable for an element of a part's field.
fn element_name(part: &Part) -> Ident {
    format_ident!("each_{}", part.field.unraw())
}

/// Returns the `T` of a `Vec<T>`, a set of `T`, a `[T; N]`, a `Box<[T]>`, or of an `Option<T>`.
fn element(ty: &Type, each: Each) -> Option<&Type> {
    match ty {
        Type::Array(array) if each == Each::Element => Some(&array.elem),
        Type::Slice(slice) if each == Each::Element => Some(&slice.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return None;
            };
            let mut types = arguments.args.iter().filter_map(|argument| match argument {
                syn::GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            // A macro sees names only: a type alias is not recognised.
            let (first, second) = (types.next()?, types.next());
            let option = last.ident == "Option";
            let pointer = last.ident == "Box" || last.ident == "Arc" || last.ident == "Rc";
            match each {
                Each::Some if option => Some(first),
                Each::Element if pointer => element(first, each),
                Each::Element if !option && second.is_none() => Some(first),
                _ => None,
            }
        }
        _ => None,
    }
}
