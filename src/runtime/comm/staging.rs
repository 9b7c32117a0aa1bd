//! Memory that communication reads and writes: aligned, zeroed, and never moved.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::Range;
use std::ptr::NonNull;

/// A cache line, and the alignment of every staging buffer.
pub(super) const LINE: usize = 64;

#[repr(align(64))]
struct Line;

/// An owned buffer, reached only through its regions.
pub(super) struct Staging {
    start: NonNull<u8>,
    len: usize,
}

/// A part of a [`Staging`], without a lifetime: whoever uses it keeps the owner alive.
#[derive(Clone, Copy)]
pub(super) struct Region {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a staging is plain memory; its unsafe accessors make the caller exclude races.
unsafe impl Send for Staging {}
// SAFETY: as for Send.
unsafe impl Sync for Staging {}
// SAFETY: as for Staging.
unsafe impl Send for Region {}
// SAFETY: as for Staging.
unsafe impl Sync for Region {}

impl Staging {
    pub(super) fn new(len: usize) -> Self {
        if len == 0 {
            return Staging { start: Region::EMPTY.start, len };
        }
        let layout = Self::layout(len);
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout));
        Staging { start, len }
    }

    pub(super) fn region(&self) -> Region {
        Region { start: self.start, len: self.len }
    }

    fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, LINE).expect("a buffer fits the address space")
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: `new` allocated it with the same layout.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.len)) }
        }
    }
}

impl Region {
    /// No bytes, aligned like a staging.
    pub(super) const EMPTY: Region = Region { start: NonNull::<Line>::dangling().cast(), len: 0 };

    pub(super) fn len(self) -> usize {
        self.len
    }

    #[cfg(feature = "mpi")]
    pub(super) fn pointer(self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The bytes `range` of this region.
    pub(super) fn part(self, range: Range<usize>) -> Region {
        assert!(range.start <= range.end && range.end <= self.len, "a part lies in its region");
        // SAFETY: the offset was checked to lie in the region, which is one allocation.
        let start = unsafe { self.start.add(range.start) };
        Region { start, len: range.end - range.start }
    }

    /// # Safety
    /// The owner lives for `'a`, and nobody writes the region meanwhile.
    pub(super) unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: the region lies in a zero-initialised allocation; the rest is the caller's.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// # Safety
    /// The owner lives for `'a`, and nobody else reads or writes the region meanwhile.
    pub(super) unsafe fn bytes_mut<'a>(self) -> &'a mut [u8] {
        // SAFETY: the region lies in a zero-initialised allocation; the rest is the caller's.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}
