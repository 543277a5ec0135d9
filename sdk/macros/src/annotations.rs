//! What `#[config(…)]` says of a value: JSON Schema's keywords, in the spelling of Rust.

use syn::parse::ParseStream;
use syn::{Attribute, Error, Expr, Ident, Lit, Meta, Token, parenthesized, token};

use crate::json::Json;
use crate::names::camel;

/// Keywords whose value is any JSON.
const KEYWORDS: [&str; 18] = [
    "title",
    "description",
    "examples",
    "format",
    "pattern",
    "min_length",
    "max_length",
    "minimum",
    "maximum",
    "exclusive_minimum",
    "exclusive_maximum",
    "multiple_of",
    "min_items",
    "max_items",
    "unique_items",
    "min_properties",
    "max_properties",
    "not",
];

#[derive(Default)]
pub(crate) struct Annotations {
    /// Keyword as JSON Schema spells it, and value as JSON text.
    pub(crate) keywords: Vec<(String, String)>,
    /// The only values that there may be.
    pub(crate) choices: Option<Choices>,
    pub(crate) default: Option<Given>,
    /// Of each item of a list.
    pub(crate) items: Option<Box<Annotations>>,
    /// Of each value of a map.
    pub(crate) values: Option<Box<Annotations>>,
    /// Of each key of a map.
    pub(crate) keys: Option<Box<Annotations>>,
    /// Members of the schema as they are.
    pub(crate) extend: Vec<(String, Json)>,
}

pub(crate) enum Choices {
    Listed(Json),
    /// A constant: an array of texts.
    Named(Expr),
}

/// Whether and how something may be left out.
pub(crate) enum Given {
    /// The type's own default.
    Usual,
    /// This value.
    Value(Json, Ident),
}

impl Annotations {
    /// Takes the attributes `config` off and gives what they say; a doc comment is the description.
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> Result<Self, Error> {
        let mut all = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("config")) {
            attribute.parse_args_with(|input: ParseStream<'_>| all.read(input))?;
        }
        attributes.retain(|attribute| !attribute.path().is_ident("config"));
        let told = documented(attributes);
        if !told.is_empty() && !all.has("description") {
            all.keywords.insert(0, ("description".to_owned(), crate::json::quoted(&told)));
        }
        Ok(all)
    }

    pub(crate) fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let mut all = Self::default();
        all.read(input)?;
        Ok(all)
    }

    pub(crate) fn has(&self, keyword: &str) -> bool {
        self.keywords.iter().any(|(name, _)| name == keyword)
    }

    fn read(&mut self, input: ParseStream<'_>) -> Result<(), Error> {
        while !input.is_empty() {
            self.read_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn read_one(&mut self, input: ParseStream<'_>) -> Result<(), Error> {
        let name: Ident = input.parse()?;
        let inner = |input: ParseStream<'_>| {
            let inner;
            parenthesized!(inner in input);
            Self::parse(&inner).map(|inner| Some(Box::new(inner)))
        };
        let value = |input: ParseStream<'_>| {
            input.parse::<Token![=]>()?;
            input.parse::<Json>()
        };
        match name.to_string().as_str() {
            "items" => self.items = inner(input)?,
            "values" => self.values = inner(input)?,
            "keys" => self.keys = inner(input)?,
            "default" if input.peek(Token![=]) => self.default = Some(Given::Value(value(input)?, name)),
            "default" => self.default = Some(Given::Usual),
            "choices" => {
                input.parse::<Token![=]>()?;
                let listed = input.peek(token::Bracket);
                self.choices =
                    Some(if listed { Choices::Listed(input.parse()?) } else { Choices::Named(input.parse()?) });
            }
            "extend" => match value(input)? {
                Json::Object(members) => self.extend.extend(members),
                _ => return Err(Error::new(name.span(), "`extend` is an object: {\"if\": {…}, \"then\": {…}}")),
            },
            keyword if KEYWORDS.contains(&keyword) => {
                self.keywords.retain(|(known, _)| *known != camel(keyword));
                self.keywords.push((camel(keyword), value(input)?.text()));
            }
            _ => {
                let known = KEYWORDS.join(", ");
                let message =
                    format!("`{name}` is none of {known}, default, choices, items(…), values(…), keys(…), extend");
                return Err(Error::new(name.span(), message));
            }
        }
        Ok(())
    }
}

/// The doc comment in one line.
fn documented(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    attributes.iter().filter_map(line).collect::<Vec<_>>().join(" ").trim().to_owned()
}
