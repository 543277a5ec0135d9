use crate::bindings::types::{self, CredentialPart, Placement};

/// A secret's place in a request. The plugin names the secret; the host fills in its value.
///
/// ```
/// use hookwright_sdk::{Credential, Request, Secret};
///
/// Request::post().credential(Credential::bearer(Secret::named("token")));
/// Request::post().credential(Credential::header("Authorization", Secret::after("Key ", "key")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential(pub(crate) types::Credential);

impl Credential {
    /// `Authorization: Bearer VALUE`.
    ///
    /// ```
    /// use hookwright_sdk::{Credential, Secret};
    ///
    /// Credential::bearer(Secret::named("token"));
    /// ```
    pub fn bearer(secret: Secret) -> Self {
        Self(secret.at(Placement::Bearer))
    }

    /// `Authorization: Basic base64(USER:VALUE)`. What cannot stand in `user` (a colon, control characters) is left out.
    ///
    /// ```
    /// use hookwright_sdk::{Credential, Secret};
    ///
    /// Credential::basic("robot@example.com", Secret::named("token"));
    /// ```
    pub fn basic(user: impl Into<String>, secret: Secret) -> Self {
        let mut user = user.into();
        user.retain(|letter| letter != ':' && !letter.is_control());
        Self(secret.at(Placement::Basic(user)))
    }

    /// A header of this name.
    ///
    /// ```
    /// use hookwright_sdk::{Credential, Secret};
    ///
    /// Credential::header("X-TrackerToken", Secret::named("token"));
    /// ```
    pub fn header(name: impl Into<String>, secret: Secret) -> Self {
        Self(secret.at(Placement::Header(name.into())))
    }

    /// A query parameter of this name.
    ///
    /// ```
    /// use hookwright_sdk::{Credential, Secret};
    ///
    /// Credential::query("key", Secret::named("key"));
    /// ```
    pub fn query(name: impl Into<String>, secret: Secret) -> Self {
        Self(secret.at(Placement::Query(name.into())))
    }
}

/// A secret by its name, which must stand in `plugin.toml`, and what stands around it.
///
/// ```
/// use hookwright_sdk::Secret;
///
/// // `key=KEY, token=TOKEN`
/// Secret::after("key=", "key").literal(", token=").secret("token");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret(Vec<CredentialPart>);

impl Secret {
    /// The secret of this name alone.
    ///
    /// ```
    /// hookwright_sdk::Secret::named("token");
    /// ```
    pub fn named(name: impl Into<String>) -> Self {
        Self(vec![CredentialPart::Secret(name.into())])
    }

    /// The secret of this name, behind text.
    ///
    /// ```
    /// hookwright_sdk::Secret::after("Key ", "key");
    /// ```
    pub fn after(text: impl Into<String>, name: impl Into<String>) -> Self {
        Self(vec![CredentialPart::Literal(text.into()), CredentialPart::Secret(name.into())])
    }

    /// Adds text as it stands.
    ///
    /// ```
    /// hookwright_sdk::Secret::named("token").literal("-suffix");
    /// ```
    #[must_use]
    pub fn literal(mut self, text: impl Into<String>) -> Self {
        self.0.push(CredentialPart::Literal(text.into()));
        self
    }

    /// Adds another secret.
    ///
    /// ```
    /// hookwright_sdk::Secret::named("user").literal(":").secret("password");
    /// ```
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>) -> Self {
        self.0.push(CredentialPart::Secret(name.into()));
        self
    }

    pub(crate) fn at(self, placement: Placement) -> types::Credential {
        types::Credential { placement, value: self.0, meta: Vec::new() }
    }
}
