//! A payload as a tree, read once for all event types: code made for each struct apart would be most of a
//! plugin's size.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What names an object, in the order in which people would rather read it.
const NAMES: [&str; 5] = ["name", "title", "key", "email", "id"];

pub(crate) enum Node<'a> {
    Null,
    /// Also numbers and booleans.
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<(Node<'a>, Node<'a>)>),
}

impl Node<'_> {
    /// A field of an object; none if it is null.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.entries()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .filter(|value| !matches!(value, Self::Null))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        let fields = if let Self::Map(fields) = self { fields.as_slice() } else { &[] };
        fields.iter().filter_map(|(key, value)| match key {
            Self::Text(key) => Some((key.as_ref(), value)),
            _ => None,
        })
    }

    pub(super) fn items(&self) -> &[Self] {
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
            Self::List(items) => items.iter().filter_map(Self::label).collect::<Vec<_>>().join(", "),
        };
        Some(label).filter(|label| !label.is_empty())
    }

    fn written(value: impl fmt::Display) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::written(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::written(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::written(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::written(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }
}
