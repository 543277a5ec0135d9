//! Servers that are known by a name: where they are, the token for them, and the project to work in. Kept in a file that only
//! its owner can read.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use super::Failure;

/// Most characters of a profile's name.
const NAME_MAX_CHARS: usize = 64;

/// A server, and as whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) url: Url,
    #[serde(serialize_with = "exposed", deserialize_with = "secret")]
    pub(super) token: SecretString,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) project: Option<String>,
}

/// Into the file, and nowhere else.
fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// All of them, and which is used when none is named.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profiles {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<String>,
    #[serde(default)]
    pub(super) profiles: BTreeMap<String, Profile>,
}

/// `hookwright/config.toml` where the settings of this user's programs are.
pub(super) fn path() -> Result<PathBuf, Failure> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let settings = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    let settings = settings.ok_or("there is no place for profiles: neither XDG_CONFIG_HOME nor HOME is set")?;
    Ok(settings.join("hookwright/config.toml"))
}

/// Whether a text can be a profile's name.
pub(super) fn check_name(name: &str) -> Result<String, String> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=NAME_MAX_CHARS).contains(&name.len()) && name.chars().all(is_fine) {
        return Ok(name.to_owned());
    }
    Err(format!("is 1 to {NAME_MAX_CHARS} letters, digits, `-`, `_` and `.`"))
}

impl Profiles {
    /// What is in the file; nothing when there is none. A file that others can read is refused: its tokens may be known.
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let told = |error: &dyn std::fmt::Display| Failure::from(format!("{}: {error}", path.display()));
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            read => read.map_err(|error| told(&error))?,
        };
        let mode = std::fs::metadata(path).map_err(|error| told(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(told(&"others can read the tokens in it; after `chmod 600` it is used again"));
        }
        // Where it is wrong, its message would show the line, and a token may stand there.
        toml::from_str(&text).map_err(|error: toml::de::Error| told(&error.message()))
    }

    /// Replaces the file, whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<(), Failure> {
        let folder = path.parent().ok_or("the file has no folder")?;
        let written = || -> std::io::Result<()> {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            // Made with the mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(toml::to_string(self).map_err(std::io::Error::other)?.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        written().map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// The one of this name.
    pub(super) fn named(&self, name: &str) -> Result<&Profile, Failure> {
        self.profiles.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
            format!("there is no profile `{name}` ({known}); `hookwright login --profile {name}` makes it").into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_kept_and_only_their_owner_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hookwright/config.toml");
        assert!(Profiles::load(&path).unwrap().profiles.is_empty());
        let profile = Profile {
            url: "https://hooks.example.com/".parse().unwrap(),
            token: "hwt_secret".into(),
            project: Some("qa".to_owned()),
        };
        let profiles = Profiles { current: Some("prod".to_owned()), profiles: [("prod".to_owned(), profile)].into() };
        profiles.save(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Profiles::load(&path).unwrap();
        assert_eq!(read.named("prod").unwrap().token.expose_secret(), "hwt_secret");
        assert!(!format!("{read:?}").contains("hwt_secret"));
        assert!(read.named("dev").unwrap_err().to_string().contains("prod"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Profiles::load(&path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_mistake_in_the_file_shows_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "[profiles.prod]\nurl = \"https://a.example\"\ntoken = \"hwt_secret\" x\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let told = Profiles::load(&path).unwrap_err().to_string();
        assert!(!told.contains("hwt_secret"), "{told}");
    }

    #[test]
    fn names_are_plain() {
        assert!(check_name("prod-1.eu_west").is_ok());
        assert!(check_name("").is_err() && check_name("a b").is_err() && check_name(&"a".repeat(65)).is_err());
    }
}
