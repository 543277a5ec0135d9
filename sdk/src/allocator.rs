//! Memory for small events without asking the host for any.
//!
//! Each event runs in a fresh instance, so what is freed is rarely worth finding again: blocks are cut from
//! the front of a static arena, and only an event that needs more makes the memory grow. Growing is a
//! system call in the host that stops its other threads.
//!
//! Beyond the arena blocks have one of a few sizes, and what is freed is kept for the next of its size: that is a tenth of the
//! code of a general allocator.

#![expect(unsafe_code, reason = "an allocator hands out addresses")]

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::{Cell, UnsafeCell};
use std::ptr;

/// Enough for an event of some tens of kilobytes.
const SIZE: usize = 256 * 1024;
const PAGE: usize = 64 * 1024;
/// Pages that the memory grows by at least: growing is what costs.
const PAGES: usize = 4;
/// What every address beyond the arena is a multiple of.
const ALIGN: usize = 16;
/// Four sizes for each power of two.
const SIZES: usize = 4 * 32;

#[repr(align(16))]
struct Arena {
    bytes: UnsafeCell<[u8; SIZE]>,
    used: Cell<usize>,
    /// What of the grown memory is not handed out yet.
    grown: Cell<(usize, usize)>,
    /// Freed blocks beyond the arena, by their size; each holds the address of the next.
    freed: [Cell<usize>; SIZES],
}

// SAFETY: this target has one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena {
    bytes: UnsafeCell::new([0; SIZE]),
    used: Cell::new(0),
    grown: Cell::new((0, 0)),
    freed: [const { Cell::new(0) }; SIZES],
};

/// The size of a block beyond the arena that holds so many bytes, and which of the sizes that is.
fn rounded(size: usize) -> (usize, usize) {
    let size = size.max(ALIGN);
    // A quarter of the power of two below it.
    let step = (1 << size.ilog2()) / 4;
    let rounded = size.next_multiple_of(step.max(ALIGN));
    let power = rounded.ilog2() as usize;
    (rounded, 4 * power + ((rounded >> (power - 2)) & 3))
}

impl Arena {
    /// How far into the arena a block starts, if it is in the arena.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        let offset = (block as usize).wrapping_sub(self.bytes.get() as usize);
        (offset < SIZE).then_some(offset)
    }

    /// Moves the end of a block; only the last block can grow or be given back.
    fn resize(&self, offset: usize, old: usize, new: usize) -> bool {
        let last = offset + old == self.used.get();
        let fits = new <= old || (last && new <= SIZE - offset);
        if last && fits {
            self.used.set(offset + new);
        }
        fits
    }

    /// A block beyond the arena; null if there is no memory.
    #[cold]
    fn beyond(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGN {
            return ptr::null_mut();
        }
        let (size, which) = rounded(layout.size());
        let known = self.freed[which].get();
        if known != 0 {
            // SAFETY: a freed block holds the address of the next.
            self.freed[which].set(unsafe { *(known as *const usize) });
            return known as *mut u8;
        }
        let (start, mut end) = self.grown.get();
        if end - start < size {
            let pages = (size - (end - start)).div_ceil(PAGE).max(PAGES);
            let old = memory_grow(0, pages);
            if old == usize::MAX {
                return ptr::null_mut();
            }
            // Nobody else grows it, so it goes on where it ended.
            end = memory_size(0) * PAGE;
            let start = if start == 0 { old * PAGE } else { start };
            self.grown.set((start + size, end));
            return start as *mut u8;
        }
        self.grown.set((start + size, end));
        start as *mut u8
    }
}

// SAFETY: blocks never overlap (`used` only goes back over the last one, and a block beyond the arena is either handed out or
// in the list of its size), and are aligned.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.bytes.get() as usize;
        let start = (base + self.used.get()).next_multiple_of(layout.align()) - base;
        if start <= SIZE && layout.size() <= SIZE - start {
            self.used.set(start + layout.size());
            // SAFETY: `start` is within the arena.
            return unsafe { self.bytes.get().cast::<u8>().add(start) };
        }
        self.beyond(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(offset) => {
                self.resize(offset, layout.size(), 0);
            }
            None => {
                let (_, which) = rounded(layout.size());
                // SAFETY: every block has room for an address.
                unsafe { *block.cast::<usize>() = self.freed[which].get() };
                self.freed[which].set(block as usize);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let fits = match self.offset(block) {
            Some(offset) => self.resize(offset, layout.size(), size),
            None => rounded(size) == rounded(layout.size()),
        };
        if fits {
            return block;
        }
        // SAFETY: the caller's layout with a size that the caller vouches for.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are live and apart from each other.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(size)) };
            // SAFETY: it is not used any more.
            unsafe { self.dealloc(block, layout) };
        }
        new
    }
}
