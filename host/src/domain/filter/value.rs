//! What a payload is to a filter: arrays and objects that are shared, never copied.

use std::fmt;
use std::sync::Arc;

use rhai::{Dynamic, ImmutableString};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON array.
#[derive(Debug, Clone)]
pub(super) struct List(Arc<[Dynamic]>);

impl List {
    pub(super) fn items(&self) -> &[Dynamic] {
        &self.0
    }

    /// The element at this index; negative ones count from the end.
    pub(super) fn get(&self, index: i64) -> Dynamic {
        let length = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        let index = if index < 0 { length.saturating_add(index) } else { index };
        usize::try_from(index).ok().and_then(|index| self.0.get(index)).map_or(Dynamic::UNIT, Clone::clone)
    }
}

impl From<Vec<Dynamic>> for List {
    fn from(items: Vec<Dynamic>) -> Self {
        Self(items.into())
    }
}

/// A field of an object.
pub(super) type Field = (Box<str>, Dynamic);

/// A JSON object: its fields by name, in order, so that each is found by halving.
#[derive(Debug, Clone)]
pub(super) struct Object(Arc<[Field]>);

impl Object {
    /// Of several fields with one name the last one counts, as in most readers of JSON.
    fn new(mut fields: Vec<Field>) -> Self {
        fields.reverse();
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        fields.dedup_by(|(later, _), (kept, _)| later == kept);
        Self(fields.into())
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.0
    }

    pub(super) fn get(&self, name: &str) -> Option<&Dynamic> {
        let found = self.0.binary_search_by(|(field, _)| (**field).cmp(name)).ok()?;
        self.0.get(found).map(|(_, value)| value)
    }
}

/// An object of texts.
pub(super) fn of_texts<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Dynamic {
    Dynamic::from(Object::new(fields.map(|(name, text)| (name.into(), text.into())).collect()))
}

/// What JSON says; `()` for what is none.
pub(super) fn of_json(bytes: &[u8]) -> Dynamic {
    serde_json::from_slice::<Json>(bytes).map_or(Dynamic::UNIT, |json| json.0)
}

struct Json(Dynamic);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Self)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Dynamic, E> {
        #[expect(clippy::cast_precision_loss, reason = "as JSON numbers are, where no integer holds them")]
        let value = i64::try_from(value).map_or_else(|_| (value as f64).into(), Into::into);
        Ok(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Dynamic, E> {
        Ok(ImmutableString::from(value).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dynamic, A::Error> {
        let mut items = Vec::new();
        while let Some(Json(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Dynamic::from(List::from(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dynamic, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, Json(value))) = map.next_entry::<Box<str>, Json>()? {
            fields.push((name, value));
        }
        Ok(Dynamic::from(Object::new(fields)))
    }
}
