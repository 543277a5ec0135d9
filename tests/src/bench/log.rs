//! The file of the durable relay: records are appended, and whoever appended one is told when it is on disk.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{mpsc, oneshot};

/// The file is made this long at first and then used over again from its start, as databases do it with their logs: a
/// wait for the disk is dearer when the file grows with it.
const FILE_BYTES: u64 = 256 << 20;
/// Zeros are written in pieces of so many bytes.
const PIECE_BYTES: usize = 1 << 20;
/// Of the length before each record.
const LENGTH_BYTES: usize = 8;

#[derive(Debug)]
pub(super) struct Log {
    file: File,
    /// What waits for the disk.
    open: Mutex<Open>,
    filled: Condvar,
    commits: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    bytes: BytesMut,
    records: Vec<Record>,
}

#[derive(Debug)]
struct Record {
    length: usize,
    on_disk: oneshot::Sender<()>,
}

/// Records that went to the disk together.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Bytes,
    records: Vec<Record>,
}

impl Log {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).truncate(true).write(true).open(path)?;
        let zeros = vec![0; PIECE_BYTES];
        for at in (0..FILE_BYTES).step_by(PIECE_BYTES) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, open: Mutex::default(), filled: Condvar::new(), commits: AtomicU64::new(0) })
    }

    /// Told once it is on disk; dropped if it never will be.
    pub(super) fn append(&self, record: &[u8]) -> oneshot::Receiver<()> {
        let (on_disk, told) = oneshot::channel();
        let mut open = self.open.lock();
        open.bytes.extend_from_slice(&(record.len() as u64).to_le_bytes());
        open.bytes.extend_from_slice(record);
        open.records.push(Record { length: record.len(), on_disk });
        // Otherwise the writer has not slept since.
        if open.records.len() == 1 {
            self.filled.notify_one();
        }
        told
    }

    /// Writes whatever waits, all of it with one wait for the disk, until nobody takes the batches any more.
    pub(super) fn write(&self, batches: &mpsc::Sender<Batch>) -> io::Result<()> {
        let mut at = 0;
        loop {
            let Open { bytes, records } = self.filled();
            self.file.write_all_at(&bytes, at)?;
            self.file.sync_data()?;
            at += bytes.len() as u64;
            if at >= FILE_BYTES {
                at = 0;
            }
            self.commits.fetch_add(1, Ordering::Relaxed);
            // As a whole, because waking a task from another thread is dear.
            if batches.blocking_send(Batch { bytes: bytes.freeze(), records }).is_err() {
                return Ok(());
            }
        }
    }

    /// How often it has waited for the disk.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn filled(&self) -> Open {
        let mut open = self.open.lock();
        self.filled.wait_while(&mut open, |open| open.records.is_empty());
        let next =
            Open { bytes: BytesMut::with_capacity(open.bytes.len()), records: Vec::with_capacity(open.records.len()) };
        std::mem::replace(&mut open, next)
    }
}

impl Batch {
    /// Tells everyone who waits, and gives the records.
    pub(super) fn tell(mut self) -> Vec<Bytes> {
        let told = |Record { length, on_disk }| {
            // Whoever does not wait any more has gone away.
            let _ = on_disk.send(());
            let mut record = self.bytes.split_to(LENGTH_BYTES + length);
            record.split_off(LENGTH_BYTES)
        };
        self.records.into_iter().map(told).collect()
    }
}
