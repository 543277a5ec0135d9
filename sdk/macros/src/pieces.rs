//! A schema in the making: text, and what only the compiler knows.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, GenericArgument, PathArguments, Type};

use crate::annotations::{Annotations, Choices};
use crate::json::quoted;

/// Parts of a schema, as tokens of `hookwright_sdk::config::Part`.
#[derive(Default)]
pub(crate) struct Pieces(Vec<Piece>);

enum Piece {
    Text(String),
    Tokens(TokenStream),
}

impl Pieces {
    pub(crate) fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.0.push(Piece::Text(text.to_owned())),
        }
    }

    pub(crate) fn part(&mut self, part: TokenStream) {
        self.0.push(Piece::Tokens(part));
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// A member of an object, behind those that there are.
    pub(crate) fn member(&mut self, name: &str, value: &str) {
        self.begin(name);
        self.text(value);
    }

    /// The name of a member whose value follows.
    pub(crate) fn begin(&mut self, name: &str) {
        self.part(quote!(::hookwright_sdk::config::Part::Next));
        self.text(&format!("{}:", quoted(name)));
    }

    /// The members of the schema of a value of this type.
    pub(crate) fn value(&mut self, ty: &Type, annotations: &Annotations) -> Result<(), Error> {
        let (shape, inner) = shape(ty);
        let none = Annotations::default();
        match (shape, inner.as_slice()) {
            (Shape::Optional, [inner]) => return self.value(inner, annotations),
            (Shape::List, [inner]) => {
                self.member("type", "\"array\"");
                self.begin("items");
                self.text("{");
                self.value(inner, annotations.items.as_deref().unwrap_or(&none))?;
                self.text("}");
            }
            (Shape::Map, [_, inner]) => {
                self.member("type", "\"object\"");
                if let Some(keys) = &annotations.keys {
                    self.begin("propertyNames");
                    self.text("{");
                    self.annotations(keys);
                    self.text("}");
                }
                self.begin("additionalProperties");
                self.text("{");
                self.value(inner, annotations.values.as_deref().unwrap_or(&none))?;
                self.text("}");
            }
            _ => self.part(quote! {
                ::hookwright_sdk::config::Part::All(<#ty as ::hookwright_sdk::config::Configuration>::SCHEMA)
            }),
        }
        for (wanted, said, name) in [
            (Shape::List, annotations.items.is_some(), "items"),
            (Shape::Map, annotations.values.is_some(), "values"),
            (Shape::Map, annotations.keys.is_some(), "keys"),
        ] {
            if said && shape != wanted {
                let what = if wanted == Shape::List { "a Vec" } else { "a BTreeMap" };
                return Err(Error::new_spanned(ty, format!("`{name}(…)` is for {what}")));
            }
        }
        self.annotations(annotations);
        Ok(())
    }

    pub(crate) fn annotations(&mut self, annotations: &Annotations) {
        for (name, value) in &annotations.keywords {
            self.member(name, value);
        }
        match &annotations.choices {
            Some(Choices::Listed(list)) => self.member("enum", &list.text()),
            Some(Choices::Named(list)) => {
                self.begin("enum");
                self.part(quote!(::hookwright_sdk::config::Part::Choices(&#list)));
            }
            None => {}
        }
        for (name, value) in &annotations.extend {
            self.member(name, &value.text());
        }
    }
}

impl ToTokens for Pieces {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => quote!(::hookwright_sdk::config::Part::Text(#text)),
            Piece::Tokens(part) => part.clone(),
        });
        tokens.extend(quote!(&[#(#pieces),*]));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Optional,
    List,
    Map,
    Other,
}

/// What kind of type it is by its name, and what it is made of.
pub(crate) fn shape(ty: &Type) -> (Shape, Vec<&Type>) {
    let Type::Path(path) = ty else { return (Shape::Other, Vec::new()) };
    let Some(last) = path.path.segments.last() else { return (Shape::Other, Vec::new()) };
    let shape = match last.ident.to_string().as_str() {
        "Option" => Shape::Optional,
        "Vec" => Shape::List,
        "BTreeMap" | "HashMap" => Shape::Map,
        _ => Shape::Other,
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return (shape, Vec::new()) };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    });
    (shape, types.collect())
}
