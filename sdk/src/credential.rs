use crate::bindings::types::{self, CredentialPart, Placement};

/// A secret's place in a request. The plugin names the secret; the host fills in its value.
///
/// ```
/// use hookwright_sdk::Credential;
///
/// Credential::bearer().secret("token");
/// Credential::header("Authorization").literal("Key ").secret("key");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential(pub(crate) types::Credential);

impl Credential {
    /// `Authorization: Bearer VALUE`.
    pub fn bearer() -> Self {
        Self::at(Placement::Bearer)
    }

    /// `Authorization: Basic base64(USER:VALUE)`; no colon in `user`.
    pub fn basic(user: impl Into<String>) -> Self {
        Self::at(Placement::Basic(user.into()))
    }

    /// A header of this name.
    pub fn header(name: impl Into<String>) -> Self {
        Self::at(Placement::Header(name.into()))
    }

    /// A query parameter of this name.
    pub fn query(name: impl Into<String>) -> Self {
        Self::at(Placement::Query(name.into()))
    }

    /// A string in the JSON body at this JSON Pointer (RFC 6901). All but its last part must exist in the
    /// body, and the last must not.
    pub fn json_body(pointer: impl Into<String>) -> Self {
        Self::at(Placement::JsonBody(pointer.into()))
    }

    /// A field of this name appended to a form body.
    pub fn form_body(name: impl Into<String>) -> Self {
        Self::at(Placement::FormBody(name.into()))
    }

    /// Adds text as it stands.
    #[must_use]
    pub fn literal(self, text: impl Into<String>) -> Self {
        self.part(CredentialPart::Literal(text.into()))
    }

    /// Adds the value of the secret of this name, which must stand in `plugin.toml`.
    #[must_use]
    pub fn secret(self, name: impl Into<String>) -> Self {
        self.part(CredentialPart::Secret(name.into()))
    }

    fn at(placement: Placement) -> Self {
        Self(types::Credential { placement, value: Vec::new(), meta: Vec::new() })
    }

    fn part(mut self, part: CredentialPart) -> Self {
        self.0.value.push(part);
        self
    }
}
