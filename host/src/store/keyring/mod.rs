//! The keys that seal secrets at rest: a file that only the server's user can read, made at the first start.

mod file;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use parking_lot::RwLock;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;

use file::{Locked, Stamp};

use crate::domain::entropy::Entropy;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FORMAT: u8 = 1;
/// Format and key of a sealed value.
const HEAD_BYTES: usize = 1 + 4;

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
    /// No key that is new has an id.
    #[error("the key file has no room for another key")]
    Full,
    /// The value was changed, or belongs to another row.
    #[error("a sealed value cannot be opened: it was changed, or belongs to another row")]
    Broken,
}

struct Key {
    id: u32,
    bytes: SecretBox<[u8; KEY_BYTES]>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys as the file was when it was read.
#[derive(Debug, Clone)]
struct Known {
    keys: Arc<[Key]>,
    stamp: Option<Stamp>,
}

impl Known {
    fn sealing(&self) -> &Key {
        self.keys.first().expect("a key ring is never empty")
    }
}

/// The keys. The first seals, all open. What becomes of the file while the server runs is noticed when something is sealed,
/// and when something was sealed by a key that is not known yet.
#[derive(Debug)]
pub struct KeyRing {
    path: PathBuf,
    known: RwLock<Known>,
}

impl KeyRing {
    /// Reads the key file, or makes it when nothing was sealed yet.
    pub fn open_or_create(path: &Path, has_sealed: bool, entropy: &Entropy) -> Result<Self, KeyRingError> {
        if has_sealed {
            return Self::open_existing(path);
        }
        if let Some((keys, stamp)) = file::read(path)? {
            return Ok(Self::of(path, keys, stamp));
        }
        let keys = vec![Key::new(1, entropy)];
        let stamp = file::create(path, &keys)?;
        Ok(Self::of(path, keys, stamp))
    }

    /// Reads the key file, which must be there.
    pub fn open_existing(path: &Path) -> Result<Self, KeyRingError> {
        let (keys, stamp) = file::read(path)?.ok_or_else(|| KeyRingError::Missing { path: path.to_owned() })?;
        Ok(Self::of(path, keys, stamp))
    }

    fn of(path: &Path, keys: Vec<Key>, stamp: Stamp) -> Self {
        Self { path: path.to_owned(), known: RwLock::new(Known { keys: keys.into(), stamp: Some(stamp) }) }
    }

    /// The keys as the file is now. Should it be unreadable, those of before go on: a server does not stop for it.
    fn known(&self) -> Known {
        let stamp = Stamp::of(&self.path).ok();
        let known = self.known.read().clone();
        if stamp == known.stamp {
            return known;
        }
        let read = match file::read(&self.path) {
            Ok(Some((keys, stamp))) => Ok(Known { keys: keys.into(), stamp: Some(stamp) }),
            Ok(None) => Err(KeyRingError::Missing { path: self.path.clone() }),
            Err(error) => Err(error),
        };
        let next = match read {
            Ok(next) if are_others(&known.keys, &next.keys) => {
                tracing::error!(file = %self.path.display(), "the key file has other keys by the same ids; it is not used");
                Known { stamp, ..known }
            }
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the key file has changed and cannot be read; the keys of before are used");
                Known { stamp, ..known }
            }
        };
        *self.known.write() = next.clone();
        next
    }

    /// Seals `plain` for one place (table, column and row) with a random nonce of `entropy`.
    pub fn seal(&self, place: &[u8], plain: &[u8], entropy: &Entropy) -> Vec<u8> {
        let known = self.known();
        let key = known.sealing();
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let sealed = cipher(key)
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place })
            .expect("sealing fits in memory");
        let mut out = Vec::with_capacity(HEAD_BYTES + NONCE_BYTES + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&key.id.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// A key for another purpose, made of the one that seals: another one when that is replaced.
    pub fn derived(&self, purpose: &str) -> SecretBox<[u8; KEY_BYTES]> {
        let known = self.known();
        let key = known.sealing().bytes.expose_secret();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        SecretBox::new(Box::new(mac.finalize().into_bytes().into()))
    }

    /// Opens what [`KeyRing::seal`] made for the same place.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyRingError> {
        let id = key_of(sealed)?;
        let rest = sealed.get(HEAD_BYTES..).ok_or(KeyRingError::Broken)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(KeyRingError::Broken)?;
        let mut keys = self.known.read().keys.clone();
        if !keys.iter().any(|key| key.id == id) {
            keys = self.known().keys;
        }
        let key = keys.iter().find(|key| key.id == id).ok_or(KeyRingError::UnknownKey(id))?;
        cipher(key)
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: place })
            .map_err(|_| KeyRingError::Broken)
    }

    /// Every key's id; the first seals.
    pub fn ids(&self) -> Vec<u32> {
        self.known().keys.iter().map(|key| key.id).collect()
    }

    /// Adds a key that opens and does not seal yet; gives its id, or that of one that was prepared before.
    pub fn prepare(&self, entropy: &Entropy) -> Result<u32, KeyRingError> {
        self.change(|mut keys| {
            if let Some(prepared) = prepared(&keys) {
                return Ok((keys[prepared].id, keys));
            }
            let key = Key::next(&keys, entropy)?;
            let id = key.id;
            keys.push(key);
            Ok((id, keys))
        })
    }

    /// Lets the key that was prepared seal, or else a new one; gives its id.
    pub fn rotate(&self, entropy: &Entropy) -> Result<u32, KeyRingError> {
        self.change(|mut keys| {
            let key = match prepared(&keys) {
                Some(prepared) => keys.remove(prepared),
                None => Key::next(&keys, entropy)?,
            };
            let id = key.id;
            keys.insert(0, key);
            Ok((id, keys))
        })
    }

    /// Takes keys away that seal nothing any more; gives their ids. The one that seals and one that is prepared stay.
    pub fn prune(&self, used: &[u32]) -> Result<Vec<u32>, KeyRingError> {
        self.change(|keys| {
            let sealing = keys[0].id;
            let (kept, gone): (Vec<_>, Vec<_>) =
                keys.into_iter().partition(|key| key.id >= sealing || used.contains(&key.id));
            Ok((gone.iter().map(|key| key.id).collect(), kept))
        })
    }

    fn change<T>(
        &self,
        change: impl FnOnce(Vec<Key>) -> Result<(T, Vec<Key>), KeyRingError>,
    ) -> Result<T, KeyRingError> {
        let mut file = Locked::wait(&self.path)?;
        let keys = file.read()?;
        let before = keys.iter().map(|key| key.id).collect::<Vec<_>>();
        let (told, keys) = change(keys)?;
        if !keys.iter().map(|key| key.id).eq(before) {
            file.replace(&keys)?;
        }
        Ok(told)
    }
}

impl Key {
    fn new(id: u32, entropy: &Entropy) -> Self {
        Self { id, bytes: SecretBox::new(Box::new(entropy.bytes())) }
    }

    /// A key with an id that none had before: the one that seals is never taken away, and has the highest of all that did.
    fn next(keys: &[Self], entropy: &Entropy) -> Result<Self, KeyRingError> {
        let last = keys.iter().map(|key| key.id).max().unwrap_or(0);
        Ok(Self::new(last.checked_add(1).ok_or(KeyRingError::Full)?, entropy))
    }
}

/// Where a key stands that was prepared to seal: made after the one that does.
fn prepared(keys: &[Key]) -> Option<usize> {
    keys.iter().position(|key| key.id > keys[0].id)
}

/// Whether an id stands for another key than before.
fn are_others(known: &[Key], next: &[Key]) -> bool {
    known
        .iter()
        .any(|old| next.iter().any(|new| new.id == old.id && new.bytes.expose_secret() != old.bytes.expose_secret()))
}

/// The id of the key that sealed a value.
pub(super) fn key_of(sealed: &[u8]) -> Result<u32, KeyRingError> {
    let (&format, rest) = sealed.split_first().ok_or(KeyRingError::Broken)?;
    let id = rest.first_chunk::<4>().ok_or(KeyRingError::Broken)?;
    if format != FORMAT {
        return Err(KeyRingError::Broken);
    }
    Ok(u32::from_be_bytes(*id))
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes.expose_secret().into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

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

    fn ring(path: &Path) -> KeyRing {
        KeyRing::open_or_create(path, false, &Entropy::System).unwrap()
    }

    #[test]
    fn a_new_key_seals_from_then_on_also_where_it_was_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let (server, other) = (ring(&path), ring(&path));
        let old = server.seal(b"x", b"old", &Entropy::System);
        assert_eq!(other.rotate(&Entropy::System).unwrap(), 2);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let new = other.seal(b"x", b"new", &Entropy::System);
        assert_eq!((key_of(&old).unwrap(), key_of(&new).unwrap()), (1, 2));
        // This one has read nothing since.
        assert_eq!(server.open(b"x", &new).unwrap(), b"new");
        assert_eq!(server.open(b"x", &old).unwrap(), b"old");
        assert_eq!(other.rotate(&Entropy::System).unwrap(), 3);
        assert_eq!(key_of(&server.seal(b"x", b"", &Entropy::System)).unwrap(), 3);
        assert_eq!(server.ids(), [3, 2, 1]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_prepared_key_opens_and_seals_only_after_the_turn() {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring(&folder.path().join("keys"));
        assert_eq!(ring.prepare(&Entropy::System).unwrap(), 2);
        assert_eq!(ring.prepare(&Entropy::System).unwrap(), 2, "one is enough");
        assert_eq!(key_of(&ring.seal(b"x", b"", &Entropy::System)).unwrap(), 1);
        assert_eq!(ring.prune(&[]).unwrap(), [] as [u32; 0]);
        assert_eq!(ring.rotate(&Entropy::System).unwrap(), 2);
        assert_eq!(ring.ids(), [2, 1]);
    }

    #[test]
    fn keys_that_are_used_stay_and_ids_never_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring(&folder.path().join("keys"));
        let old = ring.seal(b"x", b"", &Entropy::System);
        ring.rotate(&Entropy::System).unwrap();
        ring.rotate(&Entropy::System).unwrap();
        assert_eq!(ring.prune(&[1, 3]).unwrap(), [2]);
        assert_eq!(ring.ids(), [3, 1]);
        assert_eq!((ring.prune(&[]).unwrap(), ring.ids()), (vec![1], vec![3]));
        assert!(matches!(ring.open(b"x", &old), Err(KeyRingError::UnknownKey(1))));
        assert_eq!((ring.rotate(&Entropy::System).unwrap(), ring.ids()), (4, vec![4, 3]));
    }

    #[test]
    fn a_file_that_cannot_be_used_any_more_leaves_the_keys_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let ring = ring(&path);
        let sealed = ring.seal(b"x", b"secret", &Entropy::System);
        let whole = std::fs::read(&path).unwrap();
        let other = folder.path().join("other");
        self::ring(&other);
        for (what, bytes) in
            [("nothing", Vec::new()), ("noise", b"noise".to_vec()), ("another", std::fs::read(other).unwrap())]
        {
            std::fs::write(&path, bytes).unwrap();
            let meanwhile = ring.seal(b"x", b"secret", &Entropy::System);
            for sealed in [&sealed, &meanwhile] {
                assert_eq!(ring.open(b"x", sealed).unwrap(), b"secret", "{what}");
            }
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(ring.rotate(&Entropy::System), Err(KeyRingError::Missing { .. })));
        assert_eq!(ring.open(b"x", &ring.seal(b"x", b"secret", &Entropy::System)).unwrap(), b"secret");
        std::fs::write(&path, whole).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(ring.rotate(&Entropy::System).unwrap(), 2);
    }

    #[test]
    fn many_that_change_the_file_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        ring(&path);
        let rotating: Vec<_> = (0..8)
            .map(|_| {
                let ring = ring(&path);
                std::thread::spawn(move || ring.rotate(&Entropy::System).unwrap())
            })
            .collect();
        let mut ids: Vec<_> = rotating.into_iter().map(|thread| thread.join().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(ring(&path).ids(), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn a_link_to_the_file_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("keys"), folder.path().join("link"));
        ring(&path);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(ring(&link).rotate(&Entropy::System).unwrap(), 2);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(ring(&path).ids(), [2, 1]);
    }
}
