//! Plugins: the manifest that each carries, and its versions.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::clock::Millis;
use super::described::{self, described};
use super::id::{PluginVersionId, ProjectId};
use super::pattern::Pattern;

/// The component's custom section that holds the manifest.
pub const MANIFEST_SECTION: &str = "hookwright:manifest";
/// Most characters of a plugin's name, and of its version.
pub const NAME_MAX_CHARS: usize = 64;

/// What a plugin says of itself: JSON in the custom section [`MANIFEST_SECTION`], put there by
/// `hookwright plugin build` from `plugin.toml` and `cases/`. Fields that this server does not know are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Manifest {
    /// `[a-z0-9-]`, at most 64 characters.
    pub name: String,
    /// The version, like `1.2.0`; a version's bytes never change.
    pub version: String,
    /// One line on what it does.
    #[serde(default)]
    pub summary: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// The event types it understands.
    #[serde(default)]
    pub events: Vec<Pattern>,
    /// JSON Schema of the configuration.
    #[serde(default = "empty_object")]
    pub config: serde_json::Value,
    /// The secrets it wants, by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, WantedSecret>,
    /// When it wants to see answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<Interpreter>,
    /// Golden cases: event and configuration, and the requests they must give.
    #[serde(default)]
    pub cases: Vec<serde_json::Value>,
    /// Whatever else stands there.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

fn empty_object() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// A secret that a plugin wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WantedSecret {
    /// What it is and where to get it.
    #[serde(default)]
    pub description: String,
    /// Whether the plugin is useless without it.
    #[serde(default = "yes")]
    pub required: bool,
}

const fn yes() -> bool {
    true
}

/// When a plugin wants to see answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Interpreter {
    /// Statuses, like `200`, or classes, like `2xx`.
    pub statuses: Vec<String>,
}

impl Interpreter {
    /// Whether it wants to see an answer of this status.
    fn wants(&self, status: u16) -> bool {
        let status = status.to_string();
        self.statuses.iter().any(|wanted| match wanted.strip_suffix("xx") {
            Some(class) => status.starts_with(class),
            None => *wanted == status,
        })
    }
}

/// What a version can do besides making requests. Stands beside its manifest, which need not be read for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// When it wants to see answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<Interpreter>,
    /// Whether it recalls what earlier answers taught it.
    #[serde(default)]
    pub recalls: bool,
}

impl Abilities {
    /// Whether it wants to see an answer of this status.
    pub fn interprets(&self, status: u16) -> bool {
        self.interpreter.as_ref().is_some_and(|interpreter| interpreter.wants(status))
    }
}

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// Not JSON of the right shape.
    #[error("the manifest cannot be read: {0}")]
    Shape(String),
    /// Not a name.
    #[error("`name` is 1 to 64 of a-z, 0-9 and -")]
    Name,
    /// Not a version.
    #[error("`version` is like 1.2.0: three numbers, and perhaps a pre-release behind a -")]
    Version,
    /// Not a name of a secret.
    #[error("the secret's name `{0}` is not 1 to 64 of a-z, 0-9, _ and -")]
    SecretName(String),
    /// Not a status.
    #[error("`{0}` is neither a status like 404 nor a class like 4xx")]
    Status(String),
    /// Not a schema of an object.
    #[error("`config` is not a JSON Schema of an object")]
    Config,
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidManifest> {
        let manifest: Self = serde_json::from_slice(json).map_err(|error| InvalidManifest::Shape(error.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks what the shape alone does not say.
    pub fn check(&self) -> Result<(), InvalidManifest> {
        if !is_name(&self.name) {
            return Err(InvalidManifest::Name);
        }
        if !is_version(&self.version) {
            return Err(InvalidManifest::Version);
        }
        if let Some(name) = self.secrets.keys().find(|name| !is_made_of(name, b"-_")) {
            return Err(InvalidManifest::SecretName(name.clone()));
        }
        let statuses = self.interpreter.iter().flat_map(|interpreter| &interpreter.statuses);
        for status in statuses {
            if !is_status(status) {
                return Err(InvalidManifest::Status(status.clone()));
            }
        }
        let is_object_schema =
            self.config.as_object().is_some_and(|schema| schema.get("type").is_none_or(|kind| kind == "object"));
        if is_object_schema { Ok(()) } else { Err(InvalidManifest::Config) }
    }
}

/// Whether a plugin may be called that: 1 to 64 of a-z, 0-9 and -.
pub fn is_name(text: &str) -> bool {
    is_made_of(text, b"-")
}

fn is_made_of(text: &str, extra: &[u8]) -> bool {
    (1..=NAME_MAX_CHARS).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || extra.contains(&b))
}

fn is_version(text: &str) -> bool {
    let (numbers, pre_release) = text.split_once('-').map_or((text, None), |(n, p)| (n, Some(p)));
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let numbers_fit = numbers.split('.').count() == 3 && numbers.split('.').all(number);
    let pre_release_fits = pre_release.is_none_or(|text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
    });
    text.len() <= NAME_MAX_CHARS && numbers_fit && pre_release_fits
}

fn is_status(text: &str) -> bool {
    match text.as_bytes() {
        [b'1'..=b'5', b'x', b'x'] => true,
        [b'1'..=b'5', b, c] => b.is_ascii_digit() && c.is_ascii_digit(),
        _ => false,
    }
}

/// SHA-256 of a component, of what a plugin was given or of what it made: what makes them the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.is_ascii())?;
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected `sha256:` and 64 hexadecimal digits"))
    }
}

described!(
    Digest,
    described::text(
        "SHA-256 of the bytes.",
        "^sha256:[0-9a-f]{64}$",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A limit that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitHit {
    /// The setting's name.
    pub limit: String,
    /// What was used or asked for.
    pub used: u64,
    /// What is allowed.
    pub allowed: u64,
}

/// What went wrong with a plugin: as it was checked, compiled or run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, ToSchema)]
#[error("{message}")]
pub struct PluginFailure {
    /// For programs. As it ran: `plugin.timeout`, `plugin.out_of_memory`, `plugin.crashed`, `plugin.output_too_large`,
    /// `plugin.bad_output`, `plugin.too_many_recalls`, `plugin.incompatible`, `plugin.failed`; `host.no_memory` when the
    /// server could not read what it remembers. As it was checked also `plugin.too_large`,
    /// `plugin.not_a_component`, `plugin.bad_manifest`, `plugin.forbidden_import`, `plugin.compile_limit`,
    /// `plugin.case_failed`, `plugin.interrupted`.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// The limit that was reached, with what was used and what is allowed.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitHit>,
}

impl PluginFailure {
    /// A failure that reached no limit.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), limit: None }
    }

    /// A limit that was reached.
    pub fn limit(code: &str, message: impl Into<String>, limit: &str, used: u64, allowed: u64) -> Self {
        let limit = LimitHit { limit: limit.to_owned(), used, allowed };
        Self { limit: Some(limit), ..Self::new(code, message) }
    }
}

/// How far a version is on its way to being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginState {
    /// It is being looked at.
    Checking,
    /// It may be used.
    Ready,
    /// It may not.
    Refused(PluginFailure),
}

impl PluginState {
    /// The state's name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Ready => "ready",
            Self::Refused(_) => "refused",
        }
    }
}

/// Why a version is not run for the time being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pause {
    /// Since when.
    pub since: Millis,
    /// What was wrong, for people.
    pub reason: String,
}

/// A version of a plugin without its bytes.
#[derive(Debug, Clone)]
pub struct PluginVersion {
    /// Its id.
    pub id: PluginVersionId,
    /// The project that has it.
    pub project: ProjectId,
    /// What it says of itself.
    pub manifest: Manifest,
    /// What it can do besides making requests.
    pub abilities: Abilities,
    /// What its bytes are.
    pub digest: Digest,
    /// How many bytes.
    pub size_bytes: u64,
    /// Whether it may be used.
    pub state: PluginState,
    /// When it was uploaded.
    pub created_at: Millis,
    /// Why it is not run for the time being.
    pub paused: Option<Pause>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_keeps_fields_it_does_not_know() {
        let json = br#"{"name":"slack","version":"0.1.0","events":["ticket.*"],"later":{"x":1}}"#;
        let manifest = Manifest::parse(json).unwrap();
        assert_eq!(manifest.rest["later"]["x"], 1);
        assert_eq!(serde_json::to_value(&manifest).unwrap()["later"]["x"], 1);
    }

    #[test]
    fn answers_are_interpreted_by_status_or_class() {
        let abilities = |statuses: &[&str]| {
            let statuses = statuses.iter().map(|status| (*status).to_owned()).collect();
            Abilities { interpreter: Some(Interpreter { statuses }), recalls: false }
        };
        let some = abilities(&["2xx", "404"]);
        assert!(some.interprets(200) && some.interprets(299) && some.interprets(404));
        assert!(!some.interprets(400) && !some.interprets(302));
        assert!(!abilities(&[]).interprets(200) && !Abilities::default().interprets(200));
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::of(b"x");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        for text in ["sha256:", "1.0.0", &digest.to_string()[7..], &digest.to_string().replace('a', "é")] {
            assert_eq!(Digest::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_versions_secrets_and_statuses_are_checked() {
        let parse = |json: &str| Manifest::parse(json.as_bytes());
        assert_eq!(parse(r#"{"name":"Slack","version":"0.1.0"}"#), Err(InvalidManifest::Name));
        assert_eq!(parse(r#"{"name":"slack","version":"1"}"#), Err(InvalidManifest::Version));
        assert!(parse(r#"{"name":"slack","version":"1.0.0-beta.1"}"#).is_ok());
        assert!(matches!(
            parse(r#"{"name":"a","version":"1.0.0","secrets":{"A B":{}}}"#),
            Err(InvalidManifest::SecretName(_))
        ));
        assert!(matches!(
            parse(r#"{"name":"a","version":"1.0.0","interpreter":{"statuses":["9xx"]}}"#),
            Err(InvalidManifest::Status(_))
        ));
        assert_eq!(parse(r#"{"name":"a","version":"1.0.0","config":{"type":"array"}}"#), Err(InvalidManifest::Config));
        assert!(matches!(parse("{"), Err(InvalidManifest::Shape(_))));
    }
}
