//! A struct: an object with a member for each field.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, DataStruct, Error, Field, Fields, Ident, Type, parse_quote};

use crate::annotations::{Annotations, Given};
use crate::json::{Json, quoted};
use crate::names::{Spelling, said, title, visit};
use crate::pieces::{Pieces, Shape, shape};

/// What is made of an item.
pub(crate) struct Parts {
    pub(crate) schema: Pieces,
    pub(crate) default: Pieces,
    /// What serde calls for what was left out.
    pub(crate) functions: TokenStream,
}

pub(crate) fn parts(
    name: &Ident,
    attributes: &mut [Attribute],
    data: &mut DataStruct,
    annotations: &Annotations,
) -> Result<Parts, Error> {
    let Fields::Named(fields) = &mut data.fields else {
        return Err(Error::new_spanned(name, "a configuration has fields with names"));
    };
    let spelling = Spelling::of(attributes)?;
    visit(attributes, |said, _| match said {
        "default" => Err(Error::new_spanned(name, "say of each field what it is by default: #[config(default = …)]")),
        "rename_all" => Ok(()),
        _ => Err(Error::new_spanned(name, format!("`{said}` has no JSON Schema here; write [config] in plugin.toml"))),
    })?;
    let (mut properties, mut required, mut functions) = (Pieces::default(), Vec::new(), Vec::new());
    for field in &mut fields.named {
        let mut annotations = Annotations::take(&mut field.attrs)?;
        let called = called(field, spelling)?;
        properties.begin(&called);
        properties.text("{");
        if !annotations.has("title") {
            annotations.keywords.insert(0, ("title".to_owned(), quoted(&title(&called))));
        }
        properties.value(&field.ty, &annotations)?;
        match &annotations.default {
            None if shape(&field.ty).0 == Shape::Optional => {}
            None => required.push(quoted(&called)),
            Some(Given::Usual) => {
                let ty = &field.ty;
                properties.part(quote! {
                    ::hookwright_sdk::config::Part::Default(<#ty as ::hookwright_sdk::config::Configuration>::DEFAULT)
                });
                field.attrs.push(parse_quote!(#[serde(default)]));
            }
            Some(Given::Value(json, at)) => {
                properties.member("default", &json.text());
                let own = field.ident.as_ref().expect("a name");
                let function = format_ident!("default_of_{}", own.to_string().trim_start_matches("r#"));
                let path = format!("{name}::{function}");
                field.attrs.push(parse_quote!(#[serde(default = #path)]));
                let (ty, value) = (&field.ty, value(json, &field.ty, at)?);
                functions.push(quote!(fn #function() -> #ty { #value }));
            }
        }
        properties.text("}");
    }
    let mut schema = Pieces::default();
    schema.member("type", "\"object\"");
    schema.member("additionalProperties", "false");
    if !required.is_empty() {
        schema.member("required", &format!("[{}]", required.join(",")));
    }
    schema.begin("properties");
    schema.text("{");
    schema.append(properties);
    schema.text("}");
    schema.annotations(annotations);
    let functions = quote! {
        impl #name {
            #(#functions)*
        }
    };
    Ok(Parts { schema, default: Pieces::default(), functions })
}

/// A field's name in JSON.
fn called(field: &Field, spelling: Option<Spelling>) -> Result<String, Error> {
    let own = field.ident.as_ref().expect("a name").to_string();
    visit(&field.attrs, |said, _| match said {
        "rename" => Ok(()),
        "default" => Err(Error::new_spanned(field, "write #[config(default)] or #[config(default = …)]")),
        _ => Err(Error::new_spanned(field, format!("`{said}` has no JSON Schema here; write [config] in plugin.toml"))),
    })?;
    if let Some(name) = said(&field.attrs, "rename")? {
        return Ok(name.value());
    }
    let own = own.trim_start_matches("r#");
    Ok(spelling.map_or_else(|| own.to_owned(), |spelling| spelling.spell(own)))
}

/// A default as a value of the field's type.
fn value(json: &Json, ty: &Type, at: &Ident) -> Result<TokenStream, Error> {
    let (shape, inner) = shape(ty);
    let list = |items: &[Json], ty: &Type| items.iter().map(|item| value(item, ty, at)).collect::<Result<Vec<_>, _>>();
    Ok(match (json, shape, inner.as_slice()) {
        (_, Shape::Optional, _) => {
            return Err(Error::new_spanned(ty, "what has a default is always there: write the type without Option"));
        }
        (Json::List(items), Shape::List, [inner]) => {
            let items = list(items, inner)?;
            quote!(::std::vec![#(#items),*])
        }
        (Json::Object(members), Shape::Map, [_, inner]) => {
            let names = members.iter().map(|(name, _)| name);
            let values = members.iter().map(|(_, item)| value(item, inner, at)).collect::<Result<Vec<_>, _>>()?;
            quote!([#((::std::string::String::from(#names), #values)),*].into_iter().collect())
        }
        (Json::Text(text), Shape::Other, _) if is(ty, "String") => quote!(::std::string::String::from(#text)),
        (Json::Bool(value), Shape::Other, _) => quote!(#value),
        (Json::Number(number, span), Shape::Other, _) => {
            let number: TokenStream = number.parse().map_err(|_| Error::new(*span, "this is no number of Rust"))?;
            quote!(#number)
        }
        _ => {
            let message = "this is no value of the field's type; of an enum, mark the variant with #[default] and write \
                           #[config(default)]";
            return Err(Error::new(at.span(), message));
        }
    })
}

fn is(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == name))
}
