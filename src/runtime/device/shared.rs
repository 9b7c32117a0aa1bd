//! The memories of a device as several hands see them, each its own elements of what is written.

use super::store::Store;
use crate::elements::{Slice, SliceMut};
use adjoin_passes::calls::View;
use std::marker::PhantomData;
use std::ops::Range;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Where a memory begins, and its bytes.
#[derive(Clone, Copy)]
pub(super) struct Place(*mut u8, usize);

// SAFETY: a place is only followed through `Shared`, whose users keep to their own elements.
unsafe impl Send for Place {}

/// All memories, while a store is borrowed.
pub(super) struct Shared<'a> {
    places: &'a [Place],
    passing: &'a [bool],
    store: PhantomData<&'a mut Store>,
}

// SAFETY: the elements that are lent are those that nobody else writes, as callers promise.
unsafe impl Sync for Shared<'_> {}

impl Store {
    /// Makes room, so that sharing does not allocate.
    pub(super) fn reserve_places(&mut self) {
        self.places.clear();
        self.places.reserve(self.memories.len());
    }

    /// The memories for several hands.
    pub(super) fn share(&mut self) -> Shared<'_> {
        self.places.clear();
        let place = |bytes: &mut [u8]| Place(bytes.as_mut_ptr(), bytes.len());
        self.places.extend(self.memories.iter_mut().map(|memory| place(memory.bytes_mut())));
        Shared { places: &self.places, passing: &self.passing, store: PhantomData }
    }
}

impl Shared<'_> {
    /// Some elements of a vector to read; where values pass, those that begin with a hand's own.
    ///
    /// # Safety
    /// Nobody writes them while what is returned lives.
    pub(super) unsafe fn read(&self, view: &View, some: Range<usize>, own: usize) -> Slice<'_> {
        let (start, bytes) = self.bytes(view, &some, own);
        // SAFETY: `bytes` has checked that the elements are there, and the caller's duty.
        Slice::of_bytes(unsafe { from_raw_parts(start, bytes) }, view.dtype)
    }

    /// Some elements of a vector to write; where values pass, those that begin with a hand's own.
    ///
    /// # Safety
    /// Nobody else reads or writes them while what is returned lives.
    #[allow(clippy::mut_from_ref)] // That is what it is for.
    pub(super) unsafe fn write(&self, view: &View, some: Range<usize>, own: usize) -> SliceMut<'_> {
        let (start, bytes) = self.bytes(view, &some, own);
        // SAFETY: as above.
        SliceMut::of_bytes(unsafe { from_raw_parts_mut(start, bytes) }, view.dtype)
    }

    /// Where the first of some elements is; where values pass, of those that begin with a hand's own.
    ///
    /// # Panics
    /// If they are not all there.
    pub(super) fn start(&self, view: &View, some: Range<usize>, own: usize) -> *mut u8 {
        self.bytes(view, &some, own).0
    }

    /// Where the first of some elements is, and how many bytes they are.
    fn bytes(&self, view: &View, some: &Range<usize>, own: usize) -> (*mut u8, usize) {
        let (Place(start, bytes), size) = (self.places[view.buffer], view.dtype.size());
        let first = if self.passing[view.buffer] { own } else { view.offset + some.start };
        let end = first + some.len();
        assert!(first <= end && end * size <= bytes, "elements of the memory");
        (start.wrapping_add(first * size), some.len() * size)
    }
}
