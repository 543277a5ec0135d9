//! `#[configuration]`, for plugins: see `hookwright_sdk::configuration`.
//!
//! The schema is made while the plugin is compiled, as constants that only a custom section of the module holds: nothing of
//! it is there when the plugin runs.

mod annotations;
mod choice;
mod json;
mod names;
mod object;
mod pieces;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser as _;
use syn::{Data, DeriveInput, Error};

use annotations::Annotations;

/// See `hookwright_sdk::configuration`.
#[proc_macro_attribute]
pub fn configuration(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(arguments.into(), item.into()).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    let annotations = Annotations::parse.parse2(arguments)?;
    let mut item: DeriveInput = syn::parse2(item)?;
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a configuration has no parameters"));
    }
    let parts = match &mut item.data {
        Data::Struct(fields) => object::parts(&item.ident, &mut item.attrs, fields, &annotations)?,
        Data::Enum(variants) => choice::parts(&mut item.attrs, variants, &annotations)?,
        Data::Union(_) => return Err(Error::new_spanned(&item, "a configuration is a struct or an enum")),
    };
    let object::Parts { schema, default, functions } = parts;
    let (name, attributes) = (&item.ident, derived(&item)?);
    Ok(quote! {
        #attributes
        #item

        impl ::hookwright_sdk::config::Configuration for #name {
            const SCHEMA: &'static [::hookwright_sdk::config::Part] = #schema;
            const DEFAULT: &'static [::hookwright_sdk::config::Part] = #default;
        }

        #functions
    })
}

/// How it is read, unless its author says so.
fn derived(item: &DeriveInput) -> Result<TokenStream, Error> {
    let mut has_own = false;
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        attribute.parse_nested_meta(|meta| {
            has_own |= meta.path.segments.last().is_some_and(|segment| segment.ident == "Deserialize");
            Ok(())
        })?;
    }
    let derive = (!has_own).then(|| quote!(#[derive(::hookwright_sdk::config::serde::Deserialize)]));
    let unknown = matches!(item.data, Data::Struct(_)).then(|| quote!(deny_unknown_fields,));
    let spelled = names::Spelling::of(&item.attrs)?.is_none() && matches!(item.data, Data::Enum(_));
    let spelling = spelled.then(|| quote!(rename_all = "snake_case",));
    Ok(quote! {
        #derive
        #[serde(crate = "::hookwright_sdk::config::serde", #unknown #spelling)]
    })
}
