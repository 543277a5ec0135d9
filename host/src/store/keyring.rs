//! The keys that seal secrets at rest: a file that only the server's user can read, made at the first start.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::domain::entropy::Entropy;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FORMAT: u8 = 1;

/// Why a key ring cannot be used or a value cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file is missing and must not be.
    #[error(
        "the database holds secrets sealed by a key file that is missing: {path}; put it back, or start with an empty database"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the key file {path} cannot be used: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others may read it.
    #[error("the key file {path} can be read by others (mode {mode:o}); run `chmod 600` on it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key that sealed a value is not in the ring.
    #[error("a value was sealed with key {0}, which is not in the key file")]
    UnknownKey(u32),
    /// The value was changed, or belongs to another row.
    #[error("a sealed value cannot be opened: it was changed, or belongs to another row")]
    Broken,
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    /// The first seals; all open.
    keys: Vec<KeyEntry>,
}

#[derive(Serialize, Deserialize)]
struct KeyEntry {
    id: u32,
    key: String,
}

struct Key {
    id: u32,
    bytes: SecretBox<[u8; KEY_BYTES]>,
}

/// The keys. The first seals, all open.
pub struct KeyRing {
    keys: Vec<Key>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys.iter().map(|key| key.id).collect::<Vec<_>>()).finish()
    }
}

impl KeyRing {
    /// Reads the key file, or makes it when nothing was sealed yet.
    pub fn open_or_create(path: &Path, has_sealed: bool, entropy: &Entropy) -> Result<Self, KeyRingError> {
        match std::fs::read(path) {
            Ok(bytes) => Self::read(path, &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if has_sealed {
                    return Err(KeyRingError::Missing { path: path.to_owned() });
                }
                Self::create(path, entropy)
            }
            Err(error) => Err(KeyRingError::File { path: path.to_owned(), reason: error.to_string() }),
        }
    }

    fn read(path: &Path, bytes: &[u8]) -> Result<Self, KeyRingError> {
        let unusable = |reason: &str| KeyRingError::File { path: path.to_owned(), reason: reason.to_owned() };
        let mode = std::fs::metadata(path).map_err(|error| unusable(&error.to_string()))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyRingError::Exposed { path: path.to_owned(), mode });
        }
        let file: KeyFile = serde_json::from_slice(bytes).map_err(|_| unusable("it is no key ring"))?;
        let keys = file
            .keys
            .into_iter()
            .map(|entry| {
                let bytes: [u8; KEY_BYTES] = STANDARD.decode(&entry.key).ok()?.try_into().ok()?;
                Some(Key { id: entry.id, bytes: SecretBox::new(Box::new(bytes)) })
            })
            .collect::<Option<Vec<_>>>()
            .filter(|keys| !keys.is_empty())
            .ok_or_else(|| unusable("a key is not 32 bytes in base64, or there is none"))?;
        Ok(Self { keys })
    }

    fn create(path: &Path, entropy: &Entropy) -> Result<Self, KeyRingError> {
        let mut bytes = [0; KEY_BYTES];
        entropy.fill(&mut bytes);
        let file = KeyFile { keys: vec![KeyEntry { id: 1, key: STANDARD.encode(bytes) }] };
        let text = serde_json::to_string_pretty(&file).expect("a key file is plain data");
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| KeyRingError::File { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { keys: vec![Key { id: 1, bytes: SecretBox::new(Box::new(bytes)) }] })
    }

    /// Seals `plain` for one place (table, column and row) with a random nonce of `entropy`.
    pub fn seal(&self, place: &[u8], plain: &[u8], entropy: &Entropy) -> Vec<u8> {
        let key = self.keys.first().expect("a key ring is never empty");
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let sealed = cipher(key)
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place })
            .expect("sealing fits in memory");
        let mut out = Vec::with_capacity(1 + 4 + NONCE_BYTES + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&key.id.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// A key for another purpose, made of the one that seals: another one when that is replaced.
    pub fn derived(&self, purpose: &str) -> SecretBox<[u8; KEY_BYTES]> {
        let key = self.keys.first().expect("a key ring is never empty");
        let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes.expose_secret()).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        SecretBox::new(Box::new(mac.finalize().into_bytes().into()))
    }

    /// Opens what [`KeyRing::seal`] made for the same place.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyRingError> {
        let (&format, rest) = sealed.split_first().ok_or(KeyRingError::Broken)?;
        let (id, rest) = rest.split_first_chunk::<4>().ok_or(KeyRingError::Broken)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(KeyRingError::Broken)?;
        if format != FORMAT {
            return Err(KeyRingError::Broken);
        }
        let id = u32::from_be_bytes(*id);
        let key = self.keys.iter().find(|key| key.id == id).ok_or(KeyRingError::UnknownKey(id))?;
        cipher(key)
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: place })
            .map_err(|_| KeyRingError::Broken)
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes.expose_secret().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_only_in_its_place_and_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let entropy = Entropy::seeded(1);
        let ring = KeyRing::open_or_create(&path, false, &entropy).unwrap();
        let mut sealed = ring.seal(b"webhooks/1", b"secret", &entropy);
        assert_eq!(ring.open(b"webhooks/1", &sealed).unwrap(), b"secret");
        assert!(matches!(ring.open(b"webhooks/2", &sealed), Err(KeyRingError::Broken)));
        let again = KeyRing::open_or_create(&path, true, &entropy).unwrap();
        assert_eq!(again.open(b"webhooks/1", &sealed).unwrap(), b"secret");
        *sealed.last_mut().unwrap() ^= 1;
        assert!(matches!(ring.open(b"webhooks/1", &sealed), Err(KeyRingError::Broken)));
    }

    #[test]
    fn a_key_for_each_purpose_is_the_same_at_every_start() {
        let folder = tempfile::tempdir().unwrap();
        let ring = |name: &str, seed| {
            KeyRing::open_or_create(&folder.path().join(name), false, &Entropy::seeded(seed)).unwrap()
        };
        let derived = |ring: &KeyRing, purpose| *ring.derived(purpose).expose_secret();
        let first = derived(&ring("keys", 1), "a");
        assert_eq!(derived(&ring("keys", 2), "a"), first);
        assert_ne!(derived(&ring("keys", 2), "b"), first);
        assert_ne!(derived(&ring("other", 2), "a"), first);
    }

    #[test]
    fn a_missing_or_exposed_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let entropy = Entropy::seeded(1);
        assert!(matches!(KeyRing::open_or_create(&path, true, &entropy), Err(KeyRingError::Missing { .. })));
        KeyRing::open_or_create(&path, false, &entropy).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(KeyRing::open_or_create(&path, true, &entropy), Err(KeyRingError::Exposed { .. })));
    }
}
