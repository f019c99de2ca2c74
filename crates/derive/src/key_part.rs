//! Generates the code of `#[derive(KeyPart)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{
    Data, DataEnum, DeriveInput, Error, Field, Fields, Index, Path, Result, Type, parse_quote,
};

use crate::attributes::{Container, Member};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let krate = krate(input)?;
    match &input.data {
        Data::Enum(data) => unit_enum(input, data, &krate),
        Data::Struct(data) => newtype(input, &data.fields, &krate),
        Data::Union(_) => Err(Error::new(input.ident.span(), "a union can't be a key")),
    }
}

fn krate(input: &DeriveInput) -> Result<Path> {
    let mut krate: Path = parse_quote!(::statehold_store);
    for attribute in input.attrs.iter().filter(|own| own.path().is_ident("key_part")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("expected `crate`"));
            }
            krate = meta.value()?.parse()?;
            Ok(())
        })?;
    }
    Ok(krate)
}

fn unit_enum(input: &DeriveInput, data: &DataEnum, krate: &Path) -> Result<TokenStream> {
    // Keys are compared with constants of the enum, which a generic type does not have.
    if !input.generics.params.is_empty() || data.variants.is_empty() {
        let reason = "an enum of keys has variants and no generics";
        return Err(Error::new(input.ident.span(), reason));
    }
    // If a filter has other names, the schema rejects an index that serves it.
    let container = Container::parse(&input.attrs)?.or_serde(&input.attrs);
    let mut variants = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let reason = "an enum of keys has variants without fields: implement `KeyPart` by hand";
            return Err(Error::new(variant.ident.span(), reason));
        }
        let (ident, plain) = (&variant.ident, variant.ident.unraw().to_string());
        let member = Member::parse(&variant.attrs)?.or_serde(&variant.attrs);
        let filter_name = match (&member.rename, container.rename_all) {
            (Some(name), _) => name.value(),
            (None, Some(case)) => case.apply(&plain),
            (None, None) => plain.clone(),
        };
        let span = variant.ident.span();
        variants.push(quote_spanned! {span=>
            #krate::EnumVariant::new(Self::#ident, Self::#ident as i128, #plain, #filter_name)
        });
    }
    let ident = &input.ident;
    // Without explicit numbers a new variant would renumber those behind it, which stored keys
    // contain.
    let numbered = data.variants.iter().all(|variant| variant.discriminant.is_some());
    Ok(quote! {
        #[automatically_derived]
        impl #krate::EnumKey for #ident {
            const VARIANTS: &'static [#krate::EnumVariant<Self>] = &[#(#variants),*];
        }

        // Evaluated even if no table uses the enum, so that a number of too many bits is an error
        // here.
        const _: &[#krate::EnumVariant<#ident>] = <#ident as #krate::EnumKey>::VARIANTS;

        #[automatically_derived]
        impl #krate::KeyPart for #ident {
            type Shape = Self;
            const STABLE: bool = #numbered;

            fn part(&self) -> Self {
                *self
            }
        }

        #[automatically_derived]
        impl #krate::PartOf<Self> for #ident {
            fn append(self, out: &mut #krate::KeyBuf) {
                <Self as #krate::Key>::encode(self, out);
            }
        }
    })
}

fn newtype(input: &DeriveInput, fields: &Fields, krate: &Path) -> Result<TokenStream> {
    let values: Vec<(usize, &Field)> =
        fields.iter().enumerate().filter(|(_, field)| !is_marker(&field.ty)).collect();
    let (Fields::Unnamed(_), [(at, field)]) = (fields, values.as_slice()) else {
        let reason = "a struct that is a key has one field and no name for it, as in `struct Id(Uuid)`: \
                      implement `KeyPart` by hand";
        return Err(Error::new(input.ident.span(), reason));
    };
    let (ident, ty, at) = (&input.ident, &field.ty, Index::from(*at));
    let mut generics = input.generics.clone();
    // On the field's type: a bound on the parameter would reject markers.
    if !generics.params.is_empty() {
        generics.make_where_clause().predicates.push(parse_quote!(#ty: #krate::KeyPart));
    }
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::KeyPart for #ident #ty_generics #where_clause {
            type Shape = <#ty as #krate::KeyPart>::Shape;
            const STABLE: bool = <#ty as #krate::KeyPart>::STABLE;

            fn part(&self) -> #krate::Ref<'_, Self::Shape> {
                #krate::KeyPart::part(&self.#at)
            }
        }
    })
}

/// Returns whether the type is `PhantomData`, the marker of typed IDs.
fn is_marker(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "PhantomData")
}
