//! Copies of a plugin's loaded code, one for each thread that runs it often. Threads that share one slow each other down:
//! each instance counts its references to the code, and the counters travel from processor to processor.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// Runs of one plugin on one thread after which it gets a copy: making one takes as long as some hundred runs.
const OFTEN: u32 = 256;

thread_local! {
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The number of this thread, counted from the first that ran a plugin.
fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    PLACE.with(|place| {
        let number = place.get().unwrap_or_else(|| NEXT.fetch_add(1, Relaxed));
        place.set(Some(number));
        number
    })
}

/// Bytes that all copies together may take.
#[derive(Debug)]
pub(super) struct Room(AtomicUsize);

impl Room {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(bytes)))
    }

    fn take(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        self.0.try_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).ok()?;
        Some(Taken { room: self.clone(), bytes })
    }
}

#[derive(Debug)]
struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes, Relaxed);
    }
}

/// What one thread has. In a cache line of its own, so that counting disturbs no other thread.
#[repr(align(128))]
struct Seat<T> {
    runs: AtomicU32,
    /// None: it stays with the first.
    copy: OnceLock<Option<(T, Taken)>>,
}

/// Something that is made once and copied for threads that use it often.
pub(super) struct Copies<T> {
    first: T,
    /// Whether a thread has the first for its own.
    is_first_taken: OnceLock<()>,
    seats: Box<[Seat<T>]>,
    bytes: usize,
    room: Arc<Room>,
}

impl<T> Copies<T> {
    /// For so many threads, each copy so large.
    pub(super) fn new(first: T, threads: usize, bytes: usize, room: Arc<Room>) -> Self {
        let seats = (0..threads.max(1)).map(|_| Seat { runs: AtomicU32::new(0), copy: OnceLock::new() }).collect();
        Self { first, is_first_taken: OnceLock::new(), seats, bytes, room }
    }

    /// The one for this thread; `make` makes a copy, if it can.
    pub(super) fn here(&self, make: impl FnOnce() -> Option<T>) -> &T {
        let seat = &self.seats[place() % self.seats.len()];
        let copy = match seat.copy.get() {
            Some(copy) => copy,
            None if seat.runs.fetch_add(1, Relaxed) + 1 < OFTEN => return &self.first,
            None => seat.copy.get_or_init(|| {
                if self.is_first_taken.set(()).is_ok() {
                    return None;
                }
                let taken = self.room.take(self.bytes)?;
                Some((make()?, taken))
            }),
        };
        copy.as_ref().map_or(&self.first, |(copy, _)| copy)
    }

    /// How large one is, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The one that was there first.
    pub(super) fn first(&self) -> &T {
        &self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "the first";
    const COPY: &str = "a copy";

    /// What a new thread has after so many runs.
    fn after(runs: u32, copies: &Copies<&'static str>) -> &'static str {
        let run = || (0..runs).map(|_| *copies.here(|| Some(COPY))).last().unwrap();
        std::thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    /// Threads count from anywhere, so these have seats enough for all tests of a process.
    fn copies(room: &Arc<Room>) -> Copies<&'static str> {
        Copies::new(FIRST, 4096, 10, room.clone())
    }

    #[test]
    fn each_further_thread_that_runs_it_often_gets_a_copy() {
        let copies = copies(&Room::new(100));
        assert_eq!(after(OFTEN - 1, &copies), FIRST);
        assert_eq!(after(OFTEN, &copies), FIRST, "the first is its own from now on");
        assert_eq!(after(OFTEN, &copies), COPY);
        assert_eq!(after(OFTEN - 1, &copies), FIRST, "not often enough");
    }

    #[test]
    fn copies_take_no_more_room_than_there_is_and_give_it_back() {
        let room = Room::new(19);
        let some = copies(&room);
        let got: Vec<_> = (0..3).map(|_| after(OFTEN, &some)).collect();
        assert_eq!(got, [FIRST, COPY, FIRST], "20 of 19 bytes");
        drop(some);
        let others = copies(&room);
        let got: Vec<_> = (0..3).map(|_| after(OFTEN, &others)).collect();
        assert_eq!(got, [FIRST, COPY, FIRST]);
    }
}
