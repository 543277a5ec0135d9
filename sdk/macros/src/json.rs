//! JSON as it stands in an attribute: `["a", {"b": 1.5}]`.

use std::fmt::Write as _;

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, Lit, LitStr, Token, braced, bracketed, token};

pub(crate) enum Json {
    Text(LitStr),
    /// A number as it is written, and where.
    Number(String, Span),
    Bool(bool),
    Null,
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Parse for Json {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let inner;
        if input.peek(token::Bracket) {
            bracketed!(inner in input);
            return Ok(Self::List(inner.parse_terminated(Self::parse, Token![,])?.into_iter().collect()));
        }
        if input.peek(token::Brace) {
            braced!(inner in input);
            return Ok(Self::Object(inner.parse_terminated(member, Token![,])?.into_iter().collect()));
        }
        if input.peek(Ident) && input.fork().parse::<Ident>()? == "null" {
            input.parse::<Ident>()?;
            return Ok(Self::Null);
        }
        let sign = if input.parse::<Option<Token![-]>>()?.is_some() { "-" } else { "" };
        match input.parse::<Lit>()? {
            Lit::Str(text) if sign.is_empty() => Ok(Self::Text(text)),
            Lit::Bool(value) if sign.is_empty() => Ok(Self::Bool(value.value)),
            Lit::Int(number) => Ok(Self::Number(format!("{sign}{}", number.base10_digits()), number.span())),
            Lit::Float(number) => Ok(Self::Number(format!("{sign}{}", number.base10_digits()), number.span())),
            other => Err(Error::new_spanned(other, "this is no JSON")),
        }
    }
}

fn member(input: ParseStream<'_>) -> Result<(String, Json), Error> {
    let name: LitStr = input.parse()?;
    input.parse::<Token![:]>()?;
    Ok((name.value(), input.parse()?))
}

impl Json {
    /// As JSON text.
    pub(crate) fn text(&self) -> String {
        let joined = |parts: Vec<String>| parts.join(",");
        match self {
            Self::Text(text) => quoted(&text.value()),
            Self::Number(text, _) => text.clone(),
            Self::Bool(value) => value.to_string(),
            Self::Null => "null".to_owned(),
            Self::List(items) => format!("[{}]", joined(items.iter().map(Self::text).collect())),
            Self::Object(members) => format!("{{{}}}", joined(members.iter().map(written).collect())),
        }
    }
}

fn written((name, value): &(String, Json)) -> String {
    format!("{}:{}", quoted(name), value.text())
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            letter if letter.is_control() => {
                write!(out, "\\u{:04x}", u32::from(letter)).expect("text can be written to");
            }
            letter => out.push(letter),
        }
    }
    out + "\""
}
