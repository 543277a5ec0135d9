//! Where a plugin wants a secret: it knows the secret's name, never the secret.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a credential goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "in", rename_all = "snake_case")]
pub enum Placement {
    /// `Authorization: Bearer VALUE`.
    Bearer,
    /// `Authorization: Basic base64(USER:VALUE)`.
    Basic {
        /// USER, without a colon.
        name: String,
    },
    /// A header.
    Header {
        /// Its name.
        name: String,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
    },
    /// A string in a JSON body.
    JsonBody {
        /// JSON Pointer (RFC 6901).
        name: String,
    },
    /// A field of a form body.
    FormBody {
        /// Its name.
        name: String,
    },
}

/// One piece of a credential's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text as it stands.
    Literal(String),
    /// The name of a secret.
    Secret(String),
}

/// A secret's place in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    /// Where it goes.
    #[serde(flatten)]
    pub placement: Placement,
    /// Pieces of the value, joined without anything between them.
    pub value: Vec<Part>,
}

impl Credential {
    /// The names of the secrets it is made of.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.value.iter().filter_map(|part| match part {
            Part::Secret(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The value, with each secret looked up by name; the name of the first that is not set is the error.
    pub fn resolve<'a>(&'a self, secret: impl Fn(&str) -> Option<&'a str>) -> Result<String, &'a str> {
        let mut value = String::new();
        for part in &self.value {
            value.push_str(match part {
                Part::Literal(text) => text,
                Part::Secret(name) => secret(name).ok_or(name.as_str())?,
            });
        }
        Ok(value)
    }

    /// The value as people may see it.
    pub fn shown(&self) -> String {
        let part = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Secret(name) => format!("[secret:{name}]"),
        };
        self.value.iter().map(part).collect()
    }
}
