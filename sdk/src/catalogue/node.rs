//! A payload as a tree, read once for all event types: code made for each struct apart would be most of a
//! plugin's size.

use std::borrow::Cow;

use crate::json::{Error, Kind, Reader, plain};
use crate::text::separated;

/// What names an object, in the order in which people would rather read it.
const NAMES: [&str; 5] = ["name", "title", "key", "email", "id"];

pub(crate) enum Node<'a> {
    Null,
    /// Also numbers and booleans.
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl Node<'_> {
    /// A field of an object; none if it is null.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.entries()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .filter(|value| !matches!(value, Self::Null))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        let fields = if let Self::Map(fields) = self { fields.as_slice() } else { &[] };
        fields.iter().map(|(key, value)| (key.as_ref(), value))
    }

    pub(crate) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// What stands for it in a line of text: itself, an object's name, or all of a list.
    pub(crate) fn label(&self) -> Option<String> {
        let label = match self {
            Self::Null => return None,
            Self::Text(text) => text.to_string(),
            Self::Map(_) => NAMES.iter().find_map(|name| match self.field(name) {
                Some(Self::Text(text)) => Some(text.to_string()),
                _ => None,
            })?,
            Self::List(items) => separated(&items.iter().filter_map(Self::label).collect::<Vec<_>>(), ", "),
        };
        Some(label).filter(|label| !label.is_empty())
    }
}

impl<'a> Node<'a> {
    /// Reads a text that holds it alone.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        let mut reader = Reader::new(text);
        let node = Self::read(&mut reader)?;
        reader.end()?;
        Ok(node)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(match reader.kind()? {
            Kind::Null => {
                reader.word("null")?;
                Self::Null
            }
            Kind::True => {
                reader.word("true")?;
                Self::Text(Cow::Borrowed("true"))
            }
            Kind::False => {
                reader.word("false")?;
                Self::Text(Cow::Borrowed("false"))
            }
            Kind::Number => {
                let number = reader.number()?;
                Self::Text(plain(number).ok_or_else(|| reader.error("number out of range"))?)
            }
            Kind::Text => Self::Text(reader.text()?),
            Kind::List => {
                reader.open()?;
                let mut items = Vec::new();
                while reader.item(items.is_empty())? {
                    items.push(Self::read(reader)?);
                }
                Self::List(items)
            }
            Kind::Map => {
                reader.open()?;
                let mut fields = Vec::new();
                while let Some(key) = reader.key(fields.is_empty())? {
                    fields.push((key, Self::read(reader)?));
                }
                Self::Map(fields)
            }
        })
    }
}
