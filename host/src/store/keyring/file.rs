//! The file of the key ring: read whole, changed by one at a time, and replaced at once, so that a server that reads it
//! meanwhile sees what was or what is, and nothing in between.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretBox};
use serde::{Deserialize, Serialize};

use super::{KEY_BYTES, Key, KeyRingError};

#[derive(Serialize, Deserialize)]
struct Content {
    /// The first seals; all open. One with a higher id than the first is prepared to seal.
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    id: u32,
    key: String,
}

/// Tells whether the file is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of the file as it is now.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn unusable(path: &Path, reason: &(impl ToString + ?Sized)) -> KeyRingError {
    KeyRingError::File { path: path.to_owned(), reason: reason.to_string() }
}

/// Reads the keys; none when there is no file.
pub(super) fn read(path: &Path) -> Result<Option<(Vec<Key>, Stamp)>, KeyRingError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, &error)),
    };
    read_open(path, &mut file).map(Some)
}

fn read_open(path: &Path, file: &mut File) -> Result<(Vec<Key>, Stamp), KeyRingError> {
    let metadata = file.metadata().map_err(|error| unusable(path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyRingError::Exposed { path: path.to_owned(), mode });
    }
    let content: Content = serde_json::from_reader(file).map_err(|_| unusable(path, "it is no key ring"))?;
    let key = |entry: Entry| {
        let bytes: [u8; KEY_BYTES] = STANDARD.decode(&entry.key).ok()?.try_into().ok()?;
        Some(Key { id: entry.id, bytes: SecretBox::new(Box::new(bytes)) })
    };
    let keys = content.keys.into_iter().map(key).collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty());
    let keys = keys.ok_or_else(|| unusable(path, "a key is not 32 bytes in base64, or there is none"))?;
    let is_twice = |(at, key): (usize, &Key)| keys[..at].iter().any(|other| other.id == key.id);
    if keys.iter().enumerate().any(is_twice) {
        return Err(unusable(path, "two keys have the same id"));
    }
    Ok((keys, Stamp::from(&metadata)))
}

/// Makes the file, which must not be there yet.
pub(super) fn create(path: &Path, keys: &[Key]) -> Result<Stamp, KeyRingError> {
    let write =
        || -> std::io::Result<Stamp> { write_new(path, keys)?.metadata().map(|metadata| Stamp::from(&metadata)) };
    write().map_err(|error| unusable(path, &error))
}

fn write_new(path: &Path, keys: &[Key]) -> std::io::Result<File> {
    let entry = |key: &Key| Entry { id: key.id, key: STANDARD.encode(key.bytes.expose_secret()) };
    let content = Content { keys: keys.iter().map(entry).collect() };
    let text = serde_json::to_string_pretty(&content).expect("a key file is plain data");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(file)
}

/// The file while nobody else changes it.
#[derive(Debug)]
pub(super) struct Locked {
    /// Where it is, behind links.
    path: PathBuf,
    /// Holds the lock.
    file: File,
}

impl Locked {
    /// Waits until nobody else changes the file.
    pub(super) fn wait(path: &Path) -> Result<Self, KeyRingError> {
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KeyRingError::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(unusable(path, &error)),
        };
        loop {
            let file = File::open(&path).map_err(|error| unusable(&path, &error))?;
            file.lock().map_err(|error| unusable(&path, &error))?;
            // Whoever had the lock may have put another file there.
            let is_there = |file: &File| Ok::<_, std::io::Error>(Stamp::from(&file.metadata()?) == Stamp::of(&path)?);
            if is_there(&file).map_err(|error| unusable(&path, &error))? {
                return Ok(Self { path, file });
            }
        }
    }

    /// What stands in it.
    pub(super) fn read(&mut self) -> Result<Vec<Key>, KeyRingError> {
        read_open(&self.path, &mut self.file).map(|(keys, _)| keys)
    }

    /// Puts a file with these keys in its place: written aside, for the same owner, on disk before it gets the name.
    pub(super) fn replace(self, keys: &[Key]) -> Result<(), KeyRingError> {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".new");
        let aside = PathBuf::from(aside);
        let replace = || -> std::io::Result<()> {
            // Left by one that was interrupted: nobody else is here.
            match std::fs::remove_file(&aside) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let new = write_new(&aside, keys)?.metadata()?;
            let old = self.file.metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                chown(&aside, Some(old.uid()), Some(old.gid()))?;
            }
            std::fs::rename(&aside, &self.path)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        replace().map_err(|error| unusable(&self.path, &error))
    }
}
