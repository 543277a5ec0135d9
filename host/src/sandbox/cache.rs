//! Compiled code on disk. Whatever is there may be lost or broken at any time: it is made again.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::{Digest as _, Sha256};

use super::code::Code;
use crate::domain::clock::{Clock, Millis};
use crate::domain::entropy::Entropy;
use crate::domain::plugin::Digest;

const EXTENSION: &str = "code";
/// Changes with the form of these files.
const FORMAT: &[u8; 8] = b"hwcode01";
const SEAL_BYTES: usize = 32;
const HEADER_BYTES: usize = FORMAT.len() + SEAL_BYTES;

/// Where compiled code is kept.
pub struct CacheSettings {
    /// The folder; it is made if it is not there.
    pub folder: PathBuf,
    /// Seals the files: what others put there is not run.
    pub key: SecretBox<[u8; 32]>,
    /// Most bytes in the folder.
    pub bytes_max: u64,
    /// For the names of files in the making.
    pub entropy: Entropy,
    /// Says what was used last.
    pub clock: Clock,
}

impl std::fmt::Debug for CacheSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheSettings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Cache {
    settings: CacheSettings,
    /// What code must have been made for.
    compatibility: [u8; 32],
    /// Held while the folder is made smaller.
    cleaning: Mutex<()>,
}

/// What a file is named after: the component, and what it was compiled for.
#[derive(Clone, Copy)]
struct Key([u8; 32]);

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Cache {
    /// A cache for code of an engine with this [`super::engine::compatibility`]. A folder that cannot be used is a warning:
    /// then everything is compiled again.
    pub(super) fn open(settings: CacheSettings, compatibility: [u8; 32]) -> Self {
        let cache = Self { settings, compatibility, cleaning: Mutex::new(()) };
        if let Err(error) = cache.prepare() {
            tracing::warn!(%error, folder = %cache.settings.folder.display(), "compiled plugins cannot be kept");
        }
        cache
    }

    fn prepare(&self) -> std::io::Result<()> {
        let folder = &self.settings.folder;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        // What a crash left half written. Another server may be writing into the same folder, and tries again.
        for entry in fs::read_dir(folder)?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn key(&self, digest: Digest) -> Key {
        Key(Sha256::new()
            .chain_update(FORMAT)
            .chain_update(self.compatibility)
            .chain_update(digest.0)
            .finalize()
            .into())
    }

    fn path(&self, key: Key) -> PathBuf {
        self.settings.folder.join(key.to_string()).with_extension(EXTENSION)
    }

    fn seal(&self, key: Key, code: &[u8]) -> Hmac<Sha256> {
        let secret = self.settings.key.expose_secret();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        // Bound to its name: another component's code is not this one's.
        mac.update(&key.0);
        mac.update(code);
        mac
    }

    /// The code of a component, if it is there, whole, and of this server. Reads a file.
    pub(super) fn load(&self, digest: Digest) -> Option<Code> {
        let key = self.key(digest);
        let path = self.path(key);
        match self.read(key, &path) {
            Ok(code) => Some(code),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, file = %path.display(), "a compiled plugin cannot be used and is made again");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    fn read(&self, key: Key, path: &Path) -> std::io::Result<Code> {
        let broken = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        let mut file = fs::File::open(path)?;
        if file.metadata()?.len() > self.settings.bytes_max {
            return Err(broken("it is larger than the cache may be"));
        }
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header)?;
        let (format, seal) = header.split_at(FORMAT.len());
        if format != FORMAT {
            return Err(broken("it has another form"));
        }
        let mut code = Vec::new();
        file.read_to_end(&mut code)?;
        self.seal(key, &code).verify_slice(seal).map_err(|_| broken("its seal is broken"))?;
        self.note_use(&file);
        Ok(Code::of_cache(code))
    }

    /// What was used last is kept longest. No more than a hint, so it may fail.
    fn note_use(&self, file: &fs::File) {
        let now = Duration::from_millis(self.settings.clock.now().since(Millis(0)));
        let _ = file.set_modified(SystemTime::UNIX_EPOCH + now);
    }

    /// Keeps the code of a component. Whoever reads at the same time sees all of it or nothing.
    pub(super) fn store(&self, digest: Digest, code: &Code) {
        let key = self.key(digest);
        let path = self.path(key);
        if let Err(error) = self.write(key, &path, code.bytes()) {
            tracing::warn!(%error, file = %path.display(), "a compiled plugin cannot be kept");
        }
    }

    fn write(&self, key: Key, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let seal: [u8; SEAL_BYTES] = self.seal(key, code).finalize().into_bytes().into();
        let unfinished = self.settings.folder.join(format!("{:032x}.new", self.settings.entropy.id()));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            file.write_all(FORMAT)?;
            file.write_all(&seal)?;
            file.write_all(code)?;
            self.note_use(&file);
            fs::rename(&unfinished, path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written?;
        self.make_room()
    }

    /// Forgets what was not used for longest until the rest fits.
    fn make_room(&self) -> std::io::Result<()> {
        let _one_at_a_time = self.cleaning.lock();
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.settings.folder)?.flatten() {
            let is_ours = entry.path().extension().is_some_and(|extension| extension == EXTENSION);
            if let (true, Ok(metadata)) = (is_ours, entry.metadata()) {
                files.push((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), entry.path()));
            }
        }
        let mut total: u64 = files.iter().map(|(.., bytes, _)| bytes).sum();
        files.sort_unstable();
        for (.., bytes, path) in files {
            if total <= self.settings.bytes_max {
                break;
            }
            fs::remove_file(path)?;
            total -= bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stage {
        folder: tempfile::TempDir,
        clock: Clock,
    }

    impl Stage {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), clock: Clock::manual(Millis(1_769_860_800_000)) }
        }

        fn folder(&self) -> PathBuf {
            self.folder.path().join("cache")
        }

        fn cache(&self, key: u8, compatibility: u8, bytes_max: u64) -> Cache {
            let settings = CacheSettings {
                folder: self.folder(),
                key: SecretBox::new(Box::new([key; 32])),
                bytes_max,
                entropy: Entropy::System,
                clock: self.clock.clone(),
            };
            Cache::open(settings, [compatibility; 32])
        }

        fn file(&self) -> PathBuf {
            let mut files = fs::read_dir(self.folder()).unwrap();
            let file = files.next().unwrap().unwrap().path();
            assert!(files.next().is_none());
            file
        }
    }

    fn code(bytes: &[u8]) -> Code {
        Code::of_compiler(bytes.to_vec())
    }

    fn loaded(cache: &Cache, digest: Digest) -> Option<Vec<u8>> {
        cache.load(digest).map(|code| code.bytes().to_vec())
    }

    const A: Digest = Digest([1; 32]);
    const B: Digest = Digest([2; 32]);

    #[test]
    fn what_was_kept_is_there_for_the_same_component_key_and_engine_only() {
        let stage = Stage::new();
        let cache = stage.cache(1, 1, 1000);
        cache.store(A, &code(b"compiled"));
        assert_eq!(loaded(&cache, A).as_deref(), Some(&b"compiled"[..]));
        assert_eq!(loaded(&cache, B), None);
        assert_eq!(loaded(&stage.cache(1, 2, 1000), A), None);
        assert_eq!(loaded(&stage.cache(1, 1, 1000), A).as_deref(), Some(&b"compiled"[..]));
        assert_eq!(loaded(&stage.cache(2, 1, 1000), A), None, "another key");
        assert_eq!(fs::read_dir(stage.folder()).unwrap().count(), 0, "and what it cannot use is gone");
    }

    #[test]
    fn nobody_else_can_read_or_change_it() {
        let stage = Stage::new();
        fs::create_dir(stage.folder()).unwrap();
        fs::set_permissions(stage.folder(), Permissions::from_mode(0o755)).unwrap();
        stage.cache(1, 1, 1000).store(A, &code(b"compiled"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&stage.folder()), mode(&stage.file())), (0o700, 0o600));
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let stage = Stage::new();
        let cache = stage.cache(1, 1, 1000);
        cache.store(A, &code(b"compiled"));
        let file = stage.file();
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            for broken in [&changed[..], &whole[..at]] {
                fs::write(&file, broken).unwrap();
                assert_eq!(loaded(&cache, A), None, "byte {at}");
                assert!(!file.exists());
            }
        }
        fs::write(&file, &whole).unwrap();
        assert!(loaded(&cache, A).is_some());
    }

    #[test]
    fn the_code_of_one_component_is_not_taken_for_anothers() {
        let stage = Stage::new();
        let cache = stage.cache(1, 1, 1000);
        cache.store(A, &code(b"compiled"));
        fs::rename(stage.file(), cache.path(cache.key(B))).unwrap();
        assert_eq!(loaded(&cache, B), None);
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let stage = Stage::new();
        let cache = stage.cache(1, 1, 2 * (HEADER_BYTES as u64 + 10));
        let Clock::Manual(time) = &stage.clock else { unreachable!("it is set by hand") };
        let later = || time.fetch_add(1_000_000_000_000, std::sync::atomic::Ordering::SeqCst);
        for digest in [A, B] {
            cache.store(digest, &code(&[0; 10]));
            later();
            assert!(loaded(&cache, digest).is_some());
        }
        later();
        assert!(loaded(&cache, A).is_some());
        cache.store(Digest([3; 32]), &code(&[0; 10]));
        assert_eq!((loaded(&cache, A).is_some(), loaded(&cache, B).is_some()), (true, false));
        cache.store(Digest([4; 32]), &code(&[0; 100]));
        assert_eq!(fs::read_dir(stage.folder()).unwrap().count(), 0, "what fits in no way is not kept");
    }

    #[test]
    fn a_crash_leaves_nothing_for_long() {
        let stage = Stage::new();
        drop(stage.cache(1, 1, 1000));
        fs::write(stage.folder().join("0.new"), "half").unwrap();
        drop(stage.cache(1, 1, 1000));
        assert_eq!(fs::read_dir(stage.folder()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_no_reason_to_stop() {
        let stage = Stage::new();
        fs::write(stage.folder(), "a file").unwrap();
        let cache = stage.cache(1, 1, 1000);
        cache.store(A, &code(b"compiled"));
        assert_eq!(loaded(&cache, A), None);
    }
}
