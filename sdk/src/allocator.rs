//! Memory for small events without asking the host for any.
//!
//! Each event runs in a fresh instance, so what is freed is rarely worth finding again: blocks are cut from
//! the front of a static arena, and only an event that needs more makes the memory grow. Growing is a
//! system call in the host that stops its other threads.

#![expect(unsafe_code, reason = "an allocator hands out addresses")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::ptr;

/// Enough for an event of some tens of kilobytes.
const SIZE: usize = 256 * 1024;

#[repr(align(16))]
struct Arena {
    bytes: UnsafeCell<[u8; SIZE]>,
    used: Cell<usize>,
}

// SAFETY: this target has one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { bytes: UnsafeCell::new([0; SIZE]), used: Cell::new(0) };

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
}

// SAFETY: blocks of the arena never overlap (`used` only goes back over the last one), are aligned, and never
// reach `System`; all others are `System`'s.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.bytes.get() as usize;
        let start = (base + self.used.get()).next_multiple_of(layout.align()) - base;
        if start <= SIZE && layout.size() <= SIZE - start {
            self.used.set(start + layout.size());
            // SAFETY: `start` is within the arena.
            return unsafe { self.bytes.get().cast::<u8>().add(start) };
        }
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(offset) => {
                self.resize(offset, layout.size(), 0);
            }
            // SAFETY: not from the arena, so from `System`.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(block) else {
            // SAFETY: not from the arena, so from `System`.
            return unsafe { System.realloc(block, layout, size) };
        };
        if self.resize(offset, layout.size(), size) {
            return block;
        }
        // SAFETY: the caller's layout with a size that the caller vouches for.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are live, apart from each other, and the old one is the smaller.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size()) };
        }
        new
    }
}
