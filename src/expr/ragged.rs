//! Which elements of a family's patches belong to one of its blocks.

use crate::ops::{Patch, PatchMut, Slice, SliceMut};
use std::ops::Range;

/// One side of a block inside that side of its family.
#[derive(Clone, Debug)]
pub(super) struct BlockSide {
    /// Where its elements begin in the flat part that all blocks make; none for a shared side.
    pub offset: Option<usize>,
    /// How many dims the parts of the family have.
    pub family_dims: Vec<usize>,
    /// The dims of the block's parts.
    pub shapes: Vec<Vec<usize>>,
    /// What the block's patches hold: all of its dims, and the batch of the moment.
    held: Vec<Vec<Range<usize>>>,
}

impl BlockSide {
    pub fn new(offset: Option<usize>, family: &[Vec<usize>], shapes: &[Vec<usize>]) -> Self {
        BlockSide {
            offset,
            family_dims: family.iter().map(Vec::len).collect(),
            shapes: shapes.to_vec(),
            held: shapes.iter().map(|dims| dims.iter().map(|&n| 0..n).collect()).collect(),
        }
    }

    /// Takes over the batch of what the family's patches hold; how many elements it has.
    fn batch<'a>(&mut self, held: impl Fn(usize) -> &'a [Range<usize>]) -> usize {
        let mut size = 1;
        for (i, (mine, dims)) in self.held.iter_mut().zip(&self.shapes).enumerate() {
            let part = if self.offset.is_some() { 0 } else { i };
            let batch = &held(part)[self.family_dims[part]..];
            mine.truncate(dims.len());
            mine.extend(batch.iter().cloned());
            size = batch.iter().map(Range::len).product();
        }
        size
    }

    /// Appends the block's patches to `out`.
    pub fn read<'a>(&'a mut self, family: &[Patch<'a>], out: &mut Vec<Patch<'a>>) {
        let batch = self.batch(|i| family[i].held);
        let Some(offset) = self.offset else {
            out.extend(family.iter().zip(&self.held).map(|(p, held)| Patch { data: p.data, held }));
            return;
        };
        let mut rest = skip(family[0].data, (offset - family[0].held[0].start) * batch);
        for (dims, held) in self.shapes.iter().zip(&self.held) {
            let n = dims.iter().product::<usize>() * batch;
            out.push(Patch { data: first(rest, n), held });
            rest = skip(rest, n);
        }
    }

    /// Appends the block's patches to `out`.
    pub fn write<'a>(&'a mut self, family: &'a mut [PatchMut<'_>], out: &mut Vec<PatchMut<'a>>) {
        let batch = self.batch(|i| family[i].held);
        let Some(offset) = self.offset else {
            let whole = family.iter_mut().zip(&self.held);
            out.extend(whole.map(|(p, held)| PatchMut { data: p.data.reborrow(), held }));
            return;
        };
        let begin = (offset - family[0].held[0].start) * batch;
        let mut rest = split(family[0].data.reborrow(), begin).1;
        for (dims, held) in self.shapes.iter().zip(&self.held) {
            let (data, others) = split(rest, dims.iter().product::<usize>() * batch);
            out.push(PatchMut { data, held });
            rest = others;
        }
    }
}

/// An empty list in the memory of another, so that a steady state allocates nothing.
pub(super) fn emptied<'a>(mut patches: Vec<Patch<'_>>) -> Vec<Patch<'a>> {
    patches.clear();
    patches.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

/// The same for patches to write.
pub(super) fn emptied_mut<'a>(mut patches: Vec<PatchMut<'_>>) -> Vec<PatchMut<'a>> {
    patches.clear();
    patches.into_iter().map(|_| unreachable!("the list is empty")).collect()
}

/// Zeros what a patch holds.
pub(super) fn zero(patch: &mut PatchMut<'_>) {
    match patch.data.reborrow() {
        SliceMut::F32(s) => s.fill(0.0),
        SliceMut::F64(s) => s.fill(0.0),
        SliceMut::C64(s) => s.fill(num_complex::Complex::default()),
        SliceMut::C128(s) => s.fill(num_complex::Complex::default()),
    }
}

fn first(slice: Slice<'_>, n: usize) -> Slice<'_> {
    match slice {
        Slice::F32(s) => Slice::F32(&s[..n]),
        Slice::F64(s) => Slice::F64(&s[..n]),
        Slice::C64(s) => Slice::C64(&s[..n]),
        Slice::C128(s) => Slice::C128(&s[..n]),
    }
}

fn skip(slice: Slice<'_>, n: usize) -> Slice<'_> {
    match slice {
        Slice::F32(s) => Slice::F32(&s[n..]),
        Slice::F64(s) => Slice::F64(&s[n..]),
        Slice::C64(s) => Slice::C64(&s[n..]),
        Slice::C128(s) => Slice::C128(&s[n..]),
    }
}

fn split(slice: SliceMut<'_>, n: usize) -> (SliceMut<'_>, SliceMut<'_>) {
    macro_rules! halves {
        ($s:ident, $variant:ident) => {{
            let (a, b) = $s.split_at_mut(n);
            (SliceMut::$variant(a), SliceMut::$variant(b))
        }};
    }
    match slice {
        SliceMut::F32(s) => halves!(s, F32),
        SliceMut::F64(s) => halves!(s, F64),
        SliceMut::C64(s) => halves!(s, C64),
        SliceMut::C128(s) => halves!(s, C128),
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // What a patch of one dim holds.
mod tests {
    use super::*;

    #[test]
    fn emptied_lists_keep_their_memory() {
        let held = [0..1];
        let patches = vec![Patch { data: Slice::F64(&[1.0]), held: &held }; 3];
        let (at, capacity) = (patches.as_ptr().cast::<u8>(), patches.capacity());
        let empty: Vec<Patch<'static>> = emptied(patches);
        assert_eq!((empty.len(), empty.capacity()), (0, capacity));
        assert_eq!(empty.as_ptr().cast::<u8>(), at);
    }
}
