//! How types that are written as text are described to clients.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};

/// Text of this form (ECMA-262), with an example.
pub(super) fn text(description: &str, pattern: &str, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .examples([example])
        .into()
}

/// A time.
pub(super) fn time() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("A time (RFC 3339). Shown in UTC, with milliseconds."))
        .examples(["2026-01-31T12:00:00.000Z"])
        .into()
}

/// A schema that is written out.
pub(super) fn json(schema: serde_json::Value) -> RefOr<Schema> {
    serde_json::from_value(schema).expect("it is a schema")
}

/// Describes a type by what this expression gives.
macro_rules! described {
    ($name:ident, $schema:expr) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $schema
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

pub(super) use described;
