//! An enum: one of a few texts.

use quote::quote;
use syn::{Attribute, DataEnum, Error, Fields};

use crate::annotations::Annotations;
use crate::json::quoted;
use crate::names::{Spelling, said, visit};
use crate::object::Parts;
use crate::pieces::Pieces;

pub(crate) fn parts(
    attributes: &mut [Attribute],
    data: &mut DataEnum,
    annotations: &Annotations,
) -> Result<Parts, Error> {
    let spelling = Spelling::of(attributes)?.unwrap_or(Spelling::Snake);
    let (mut choices, mut default) = (Vec::new(), Pieces::default());
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "a choice is a name alone; for others write [config] in plugin.toml";
            return Err(Error::new_spanned(variant, message));
        }
        visit(&variant.attrs, |said, _| match said {
            "rename" => Ok(()),
            _ => Err(Error::new_spanned(
                variant,
                format!("`{said}` has no JSON Schema here; write [config] in plugin.toml"),
            )),
        })?;
        let name = match said(&variant.attrs, "rename")? {
            Some(name) => name.value(),
            None => spelling.spell(&variant.ident.to_string()),
        };
        if variant.attrs.iter().any(|attribute| attribute.path().is_ident("default")) {
            default.text(&quoted(&name));
        }
        choices.push(quoted(&name));
    }
    let mut schema = Pieces::default();
    schema.member("type", "\"string\"");
    schema.member("enum", &format!("[{}]", choices.join(",")));
    schema.annotations(annotations);
    Ok(Parts { schema, default, functions: quote!() })
}
