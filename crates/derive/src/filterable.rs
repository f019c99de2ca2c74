//! Generates the code of `#[derive(Filterable)]`.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DataEnum, DeriveInput, Error, Fields, FieldsNamed, Generics, Ident, Path, Result, Type,
    parse_quote,
};

use crate::attributes::{Container, Flatten, Member};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let container = Container::parse(&input.attrs)?;
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => record(input, fields, &container),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                Ok(newtype(input, &fields.unnamed[0].ty, &container))
            }
            _ => Err(Error::new(
                input.ident.span(),
                "a struct needs named fields, or exactly one without a name",
            )),
        },
        Data::Enum(data) => unit_enum(input, data, &container.or_serde(&input.attrs)),
        Data::Union(_) => Err(Error::new(input.ident.span(), "a union can't be filtered")),
    }
}

fn krate(container: &Container) -> Path {
    container.krate.clone().unwrap_or_else(|| parse_quote!(::statehold_filter))
}

/// Adds the bound `Filterable` to each type parameter.
fn bounded(generics: &Generics, krate: &Path) -> Generics {
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#krate::Filterable));
    }
    generics
}

/// A field of a record: its schema entry and the code that reads it.
struct Slot {
    schema: TokenStream,
    read: TokenStream,
}

fn record(input: &DeriveInput, fields: &FieldsNamed, container: &Container) -> Result<TokenStream> {
    let krate = krate(container);
    let mut slots = Vec::new();
    let mut names = HashSet::new();
    let mut take = |name: &str, span: Span| {
        // A name selects one field, so a second one would be unreachable.
        if names.insert(name.to_owned()) {
            Ok(())
        } else {
            Err(Error::new(span, format!("two fields are named `{name}`")))
        }
    };
    for field in &fields.named {
        let member = Member::parse(&field.attrs)?;
        let (Some(ident), false) = (&field.ident, member.skip) else { continue };
        let (ty, span) = (&field.ty, field.ty.span());
        if let Some(flatten) = member.flatten {
            slots.push(flattened(ident, ty, flatten, &krate));
            continue;
        }
        let plain = ident.unraw().to_string();
        // The spans of names and types place the compiler's errors at the field, not at the derive.
        let (name, at) = match (&member.rename, container.rename_all) {
            (Some(name), _) => (name.value(), name.span()),
            (None, Some(case)) => (case.apply(&plain), ident.span()),
            (None, None) => (plain, ident.span()),
        };
        take(&name, at)?;
        let unit = with_unit(member.unit.as_ref(), ty, &krate)?;
        slots.push(Slot {
            schema: quote_spanned!(span=> #krate::Field::new(#name, <#ty as #krate::Filterable>::KIND) #unit),
            read: quote_spanned!(span=> <#ty as #krate::Filterable>::datum(&self.#ident)),
        });
    }
    for computed in &container.computed {
        let (name, with, ty) = (&computed.name, &computed.with, &computed.ty);
        take(&name.value(), name.span())?;
        let (ty_span, with_span) = (ty.span(), with.span());
        let unit = with_unit(computed.unit.as_ref(), ty, &krate)?;
        slots.push(Slot {
            schema: quote_spanned!(ty_span=> #krate::Field::new(#name, <#ty as #krate::Filterable>::KIND) #unit),
            read: quote_spanned!(with_span=> #krate::IntoDatum::into_datum((#with)(self))),
        });
    }
    let schema = slots.iter().map(|slot| &slot.schema);
    let reads = slots.iter().map(|slot| &slot.read);
    let index = 0..slots.len();
    let (ident, title) = (&input.ident, input.ident.unraw().to_string());
    let generics = bounded(&input.generics, &krate);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Filterable for #ident #ty_generics #where_clause {
            const KIND: #krate::Kind = #krate::Kind::Record(|| {
                const { &#krate::Schema::new(#title, const { &[#(#schema),*] }) }
            });
            #[inline]
            fn datum(&self) -> #krate::Datum<'_> {
                #krate::Datum::Record(self)
            }
            #[inline]
            fn accept<V: #krate::RowVisitor>(&self, visitor: V) -> bool {
                visitor.visit_record(self)
            }
        }

        #[automatically_derived]
        impl #impl_generics #krate::Record for #ident #ty_generics #where_clause {
            // Inlined, so that `text` and the other typed reads become jump tables of their own.
            #[allow(clippy::inline_always)]
            #[inline(always)]
            fn field(&self, slot: usize) -> #krate::Datum<'_> {
                match slot {
                    #(#index => #reads,)*
                    _ => #krate::Datum::Missing,
                }
            }
            fn named(&self, name: &str) -> ::core::option::Option<#krate::Datum<'_>> {
                <Self as #krate::Filterable>::KIND.schema()?.read(self, name)
            }
        }
    })
}

/// Returns the code that sets the unit of a field in its schema.
///
/// Types that certainly contain no integers are rejected here; others when the schema is built, a
/// compile error too.
fn with_unit(unit: Option<&Ident>, ty: &Type, krate: &Path) -> Result<Option<TokenStream>> {
    const NO_INTEGERS: [&str; 7] = ["String", "str", "bool", "char", "f32", "f64", "Uuid"];
    const OWN_UNIT: [&str; 2] = ["Duration", "SystemTime"];
    let Some(unit) = unit else { return Ok(None) };
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
    {
        let name = last.ident.to_string();
        if NO_INTEGERS.contains(&name.as_str()) {
            let message = format!("a unit applies to integers, and `{name}` has none");
            return Err(Error::new(unit.span(), message));
        }
        if OWN_UNIT.contains(&name.as_str()) {
            let message = format!("`{name}` has a unit of its own; leave this one out");
            return Err(Error::new(unit.span(), message));
        }
    }
    Ok(Some(quote_spanned!(unit.span()=> .with_unit(#krate::Unit::#unit))))
}

/// Returns the slot of a field that is replaced by its own fields.
fn flattened(ident: &Ident, ty: &Type, flatten: Flatten, krate: &Path) -> Slot {
    let span = ty.span();
    let (ty, read) = match flatten {
        Flatten::Own => (quote!(#ty), quote!(&self.#ident)),
        Flatten::Deref => (quote!(<#ty as ::core::ops::Deref>::Target), quote!(&*self.#ident)),
    };
    Slot {
        schema: quote_spanned!(span=> #krate::Field::flatten(<#ty as #krate::Filterable>::KIND)),
        read: quote_spanned!(span=> <#ty as #krate::Filterable>::datum(#read)),
    }
}

fn newtype(input: &DeriveInput, inner: &Type, container: &Container) -> TokenStream {
    let krate = krate(container);
    let ident = &input.ident;
    let generics = bounded(&input.generics, &krate);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Filterable for #ident #ty_generics #where_clause {
            const KIND: #krate::Kind = <#inner as #krate::Filterable>::KIND;
            #[inline]
            fn datum(&self) -> #krate::Datum<'_> {
                <#inner as #krate::Filterable>::datum(&self.0)
            }
            #[inline]
            fn accept<V: #krate::RowVisitor>(&self, visitor: V) -> bool {
                <#inner as #krate::Filterable>::accept(&self.0, visitor)
            }
        }
    }
}

fn unit_enum(input: &DeriveInput, data: &DataEnum, container: &Container) -> Result<TokenStream> {
    let krate = krate(container);
    if let Some(computed) = container.computed.first() {
        return Err(Error::new(computed.name.span(), "an enum has no computed fields"));
    }
    let (mut variants, mut names) = (Vec::new(), Vec::new());
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "only enums of unit variants can be filtered";
            return Err(Error::new(variant.ident.span(), message));
        }
        // The names that serde writes, because clients of an API see those.
        let member = Member::parse(&variant.attrs)?.or_serde(&variant.attrs);
        if member.skip || member.flatten.is_some() || member.unit.is_some() {
            return Err(Error::new(variant.ident.span(), "a variant can only be renamed"));
        }
        let plain = variant.ident.unraw().to_string();
        names.push(match (&member.rename, container.rename_all) {
            (Some(name), _) => name.value(),
            (None, Some(case)) => case.apply(&plain),
            (None, None) => plain,
        });
        variants.push(&variant.ident);
    }
    let ident = &input.ident;
    let name = if variants.is_empty() {
        // An empty match is exhaustive only by value.
        quote!(match *value {})
    } else {
        quote!(match value { #(#ident::#variants => #names,)* })
    };
    Ok(quote! {
        #[automatically_derived]
        impl #krate::Filterable for #ident {
            const KIND: #krate::Kind = #krate::Kind::Enum(&[#(#names),*]);
            #[inline]
            fn datum(&self) -> #krate::Datum<'_> {
                let value = self;
                #krate::Datum::Text(#name)
            }
        }

        #[automatically_derived]
        impl<'a> #krate::IntoDatum<'a> for #ident {
            #[inline]
            fn into_datum(self) -> #krate::Datum<'a> {
                let value = &self;
                #krate::Datum::Text(#name)
            }
        }
    })
}
