//! The reader for what derives `Deserialize`.

use std::borrow::Cow;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer as _, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{Error, quoted};
use super::reader::{Kind, Reader};
use crate::text::join;

impl<'a> Reader<'a> {
    /// What comes next is another thing than what is wanted.
    fn wrong(&mut self, expected: &dyn Expected) -> Error {
        let kind = match self.kind() {
            Ok(kind) => kind,
            Err(error) => return error,
        };
        let start = self.at;
        let found = match kind {
            Kind::Null => "null".to_owned(),
            Kind::True => "boolean `true`".to_owned(),
            Kind::False => "boolean `false`".to_owned(),
            Kind::List => "sequence".to_owned(),
            Kind::Map => "map".to_owned(),
            Kind::Text => match self.text() {
                Ok(text) => quoted(&text),
                Err(error) => return error,
            },
            Kind::Number => match self.number() {
                Ok(number) => {
                    let what = if number.contains(['.', 'e', 'E']) { "floating point" } else { "integer" };
                    join(&[what, " `", number, "`"])
                }
                Err(error) => return error,
            },
        };
        // Just into it, so that the place is the value's.
        Error::found(&found, expected).at(start + 1)
    }

    fn integer<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        if self.kind()? != Kind::Number {
            return Err(self.wrong(&visitor));
        }
        let start = self.at;
        let number = self.number()?;
        let end = self.at;
        let read = if let Ok(value) = number.parse::<u64>() {
            visitor.visit_u64(value)
        } else if let Ok(value) = number.parse::<i64>() {
            visitor.visit_i64(value)
        } else {
            self.at = start;
            return Err(self.wrong(&visitor));
        };
        read.map_err(|error: Error| error.at(end))
    }

    fn float<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let start = self.at;
        let number = self.number()?;
        let is_integer = !number.contains(['.', 'e', 'E']) && number != "-0";
        if is_integer && (number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok()) {
            self.at = start;
            return self.integer(visitor);
        }
        let value: f64 = number.parse().unwrap_or(f64::INFINITY);
        if value.is_infinite() {
            return Err(self.error("number out of range"));
        }
        visitor.visit_f64(value).map_err(|error: Error| error.at(self.at))
    }

    fn string<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        if self.kind()? != Kind::Text {
            return Err(self.wrong(&visitor));
        }
        let read = match self.text()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        };
        read.map_err(|error: Error| error.at(self.at))
    }

    fn list<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        if self.kind()? != Kind::List {
            return Err(self.wrong(&visitor));
        }
        self.open()?;
        let mut items = Items { reader: self, is_first: true, has_ended: false };
        let made = visitor.visit_seq(&mut items);
        let has_ended = items.has_ended;
        let made = made.map_err(|error: Error| error.at(self.at))?;
        // What was not asked for: a tuple's type has fewer items than the list.
        if !has_ended && self.item(false)? {
            return Err(self.error("trailing characters"));
        }
        Ok(made)
    }

    fn map<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        if self.kind()? != Kind::Map {
            return Err(self.wrong(&visitor));
        }
        self.open()?;
        let made = visitor.visit_map(Members { reader: self, is_first: true });
        made.map_err(|error: Error| error.at(self.at))
    }
}

impl<'a> Deserializer<'a> for &mut Reader<'a> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind()? {
            Kind::Null => self.deserialize_unit(visitor),
            Kind::True | Kind::False => self.deserialize_bool(visitor),
            Kind::Number => self.float(visitor),
            Kind::Text => self.string(visitor),
            Kind::List => self.list(visitor),
            Kind::Map => self.map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let read = match self.kind()? {
            Kind::True => {
                self.word("true")?;
                visitor.visit_bool(true)
            }
            Kind::False => {
                self.word("false")?;
                visitor.visit_bool(false)
            }
            _ => return Err(self.wrong(&visitor)),
        };
        read.map_err(|error: Error| error.at(self.at))
    }

    fn deserialize_i8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.integer(visitor)
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.kind()? == Kind::Number { self.float(visitor) } else { Err(self.wrong(&visitor)) }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.string(visitor)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.string(visitor)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.string(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.kind()? == Kind::Null {
            self.word("null")?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.kind()? != Kind::Null {
            return Err(self.wrong(&visitor));
        }
        self.word("null")?;
        visitor.visit_unit().map_err(|error: Error| error.at(self.at))
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.map(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.kind()? == Kind::List { self.list(visitor) } else { self.map(visitor) }
    }

    /// A name, or a map with a name and its content.
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.kind()? {
            Kind::Text => {
                let name = self.text()?;
                visitor.visit_enum(IntoEnum(&name)).map_err(|error: Error| error.at(self.at))
            }
            Kind::Map => {
                self.open()?;
                let Some(name) = self.key(true)? else { return Err(self.error("expected value")) };
                let made = visitor.visit_enum(Variant { reader: self, name: &name })?;
                if self.key(false)?.is_some() { Err(self.error("expected `}`")) } else { Ok(made) }
            }
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i128 u128 char bytes byte_buf unit_struct tuple_struct
    }
}

struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    is_first: bool,
    has_ended: bool,
}

impl<'a> SeqAccess<'a> for &mut Items<'_, 'a> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.has_ended || !self.reader.item(self.is_first)? {
            self.has_ended = true;
            return Ok(None);
        }
        self.is_first = false;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

struct Members<'r, 'a> {
    reader: &'r mut Reader<'a>,
    is_first: bool,
}

impl<'a> MapAccess<'a> for Members<'_, 'a> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(key) = self.reader.key(self.is_first)? else { return Ok(None) };
        self.is_first = false;
        let at = self.reader.at;
        let made = match key {
            Cow::Borrowed(key) => seed.deserialize(serde::de::value::BorrowedStrDeserializer::new(key)),
            Cow::Owned(key) => seed.deserialize(key.into_deserializer()),
        };
        made.map(Some).map_err(|error: Error| error.at(at))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant without content.
struct IntoEnum<'r>(&'r str);

impl<'a> EnumAccess<'a> for IntoEnum<'_> {
    type Error = Error;
    type Variant = Alone;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Alone), Error> {
        Ok((seed.deserialize(self.0.into_deserializer())?, Alone))
    }
}

struct Alone;

impl<'a> VariantAccess<'a> for Alone {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, _seed: T) -> Result<T::Value, Error> {
        Err(serde::de::Error::custom("it is a name without content"))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _length: usize, _visitor: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("it is a name without content"))
    }

    fn struct_variant<V: Visitor<'a>>(self, _fields: &'static [&'static str], _visitor: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("it is a name without content"))
    }
}

/// A variant with content.
struct Variant<'r, 'a> {
    reader: &'r mut Reader<'a>,
    name: &'r str,
}

impl<'a> EnumAccess<'a> for Variant<'_, 'a> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let at = self.reader.at;
        let name = seed.deserialize(self.name.into_deserializer()).map_err(|error: Error| error.at(at))?;
        Ok((name, self))
    }
}

impl<'a> VariantAccess<'a> for Variant<'_, 'a> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self.reader)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        self.reader.list(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.reader.map(visitor)
    }
}
