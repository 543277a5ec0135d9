//! How things are called in JSON.

use syn::{Attribute, Error, LitStr};

/// What `#[serde(rename_all = "…")]` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
}

impl Spelling {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Option<Self>, Error> {
        let Some(name) = said(attributes, "rename_all")? else { return Ok(None) };
        Ok(Some(match name.value().as_str() {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            _ => return Err(Error::new_spanned(name, "this spelling is not known here")),
        }))
    }

    /// A name, as `snake_case` or `PascalCase`, in this spelling.
    pub(crate) fn spell(self, name: &str) -> String {
        let words = words(name);
        let capital = |word: &String| word[..1].to_uppercase() + &word[1..];
        match self {
            Self::Lower => words.concat(),
            Self::Upper => words.concat().to_uppercase(),
            Self::Pascal => words.iter().map(capital).collect(),
            Self::Camel => words[..1].iter().cloned().chain(words[1..].iter().map(capital)).collect(),
            Self::Snake => words.join("_"),
            Self::ScreamingSnake => words.join("_").to_uppercase(),
            Self::Kebab => words.join("-"),
        }
    }
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    for letter in name.chars() {
        if (letter == '_' || letter.is_uppercase()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if letter != '_' {
            words.last_mut().expect("there is one").extend(letter.to_lowercase());
        }
    }
    words
}

/// What a form calls a field by itself: `list_id` is `List id`.
pub(crate) fn title(name: &str) -> String {
    let text = words(name).join(" ");
    text[..1].to_uppercase() + &text[1..]
}

/// `max_length` as `maxLength`.
pub(crate) fn camel(name: &str) -> String {
    Spelling::Camel.spell(name)
}

/// The value of `#[serde(KEY = "…")]`.
pub(crate) fn said(attributes: &[Attribute], key: &str) -> Result<Option<LitStr>, Error> {
    let mut found = None;
    visit(attributes, |name, value| {
        if name == key {
            found = value;
        }
        Ok(())
    })?;
    Ok(found)
}

/// All that `#[serde(…)]` says: names, with values where there are some.
pub(crate) fn visit(
    attributes: &[Attribute],
    mut each: impl FnMut(&str, Option<LitStr>) -> Result<(), Error>,
) -> Result<(), Error> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            let value = if meta.input.peek(syn::Token![=]) { Some(meta.value()?.parse()?) } else { None };
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            each(&name, value)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_serde_spells_them() {
        for (spelling, field, variant) in [
            (Spelling::Lower, "inreview", "inreview"),
            (Spelling::Camel, "inReview", "inReview"),
            (Spelling::Kebab, "in-review", "in-review"),
            (Spelling::Snake, "in_review", "in_review"),
            (Spelling::ScreamingSnake, "IN_REVIEW", "IN_REVIEW"),
            (Spelling::Pascal, "InReview", "InReview"),
        ] {
            assert_eq!((spelling.spell("in_review"), spelling.spell("InReview")), (field.into(), variant.into()));
        }
        assert_eq!(title("list_id"), "List id");
    }
}
