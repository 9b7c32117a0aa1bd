//! Memory of one buffer: bytes on a cache line, seen as elements of any type.

use crate::elements::{Slice, SliceMut};
use adjoin_passes::Dtype;
use adjoin_passes::calls::View;
use bytemuck::{Pod, Zeroable};

/// A cache line, and the alignment of every buffer.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Not a number in single and in double precision, so that reading what nobody wrote is seen.
const POISON: Line = Line([0xff; 64]);

/// Owned, aligned bytes.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    lines: Vec<Line>,
    len: usize,
}

impl Memory {
    /// So many bytes, poisoned, if there is so much memory.
    pub(crate) fn new(len: usize) -> Result<Self, String> {
        let mut lines = Vec::new();
        let count = len.div_ceil(size_of::<Line>());
        let refused = |_| format!("there is no memory for {len} bytes");
        lines.try_reserve_exact(count).map_err(refused)?;
        lines.resize(count, POISON);
        Ok(Memory { lines, len })
    }

    /// Memory for elements of a type, poisoned.
    pub(crate) fn elements(dtype: Dtype, count: usize) -> Result<Self, String> {
        let len = count.checked_mul(dtype.size());
        Memory::new(len.ok_or_else(|| format!("{count} elements are more than memory can hold"))?)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn poison(&mut self) {
        self.lines.fill(POISON);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }

    /// The bytes as elements of one type.
    pub(crate) fn cast<T: Pod>(&self) -> &[T] {
        bytemuck::cast_slice(self.bytes())
    }

    /// The bytes as elements of one type, to write.
    pub(crate) fn cast_mut<T: Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.bytes_mut())
    }

    /// The elements of a view.
    pub(crate) fn part(&self, view: &View) -> Slice<'_> {
        self.slice(view.dtype, view.span().end).range(view.span())
    }

    /// The elements of a view, to write.
    pub(crate) fn part_mut(&mut self, view: &View) -> SliceMut<'_> {
        self.slice_mut(view.dtype, view.span().end).range(view.span())
    }

    /// The first elements.
    pub(crate) fn slice(&self, dtype: Dtype, count: usize) -> Slice<'_> {
        Slice::of_bytes(&self.bytes()[..count * dtype.size()], dtype)
    }

    /// The first elements, to write.
    pub(crate) fn slice_mut(&mut self, dtype: Dtype, count: usize) -> SliceMut<'_> {
        SliceMut::of_bytes(&mut self.bytes_mut()[..count * dtype.size()], dtype)
    }
}

/// An empty vector with the memory of another, whose elements may have borrowed for another time.
pub(crate) fn recycled<A, B>(mut used: Vec<A>) -> Vec<B> {
    const { assert!(size_of::<A>() == size_of::<B>() && align_of::<A>() == align_of::<B>()) }
    used.clear();
    used.into_iter().map(|_| unreachable!("the vector is empty")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_memory_is_not_a_number() {
        let mut memory = Memory::elements(Dtype::C64, 3).unwrap();
        assert_eq!(memory.len(), 24);
        assert!(memory.cast::<f64>().iter().all(|x| x.is_nan()));
        assert!(memory.cast::<f32>().iter().all(|x| x.is_nan()));
        assert_eq!(memory.slice_mut(Dtype::F64, 2).len(), 2);
        assert_eq!(memory.bytes().as_ptr() as usize % 64, 0);
        assert!(Memory::elements(Dtype::F64, usize::MAX).is_err());
    }

    #[test]
    fn recycling_keeps_the_allocation() {
        let mut borrows: Vec<&'static str> = Vec::with_capacity(7);
        borrows.push("a");
        let start = borrows.as_ptr() as usize;
        let text = String::from("b");
        let mut again: Vec<&str> = recycled(borrows);
        again.push(&text);
        assert_eq!((again.as_ptr() as usize, again.capacity()), (start, 7));
    }
}
