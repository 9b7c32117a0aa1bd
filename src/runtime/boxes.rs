//! Boxes of buffers, worked out once: packing into messages, unpacking, and copies between them.
//!
//! Elements are moved as reals, a complex one as two, so that a message may carry both.
//! In a message of two precisions a real in double precision is moved as two words, bit by bit.

use super::memory::Memory;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::boxes::{BoxCopy, Strided};
use adjoin_passes::Dtype;
use adjoin_passes::calls::{Slab, View};
use std::mem;
use std::ops::Range;

/// Boxes one after the other in a message.
pub(crate) struct Packing {
    pieces: Vec<Piece>,
    /// Whether its words are reals in double precision; else they have four bytes.
    double: bool,
    /// Whether there are elements of both precisions.
    mixed: bool,
    words: usize,
}

struct Piece {
    buffer: usize,
    /// The real with which the array of the box begins.
    first: usize,
    copy: BoxCopy,
    at: Range<usize>,
}

impl Packing {
    /// From boxes to a message.
    pub(crate) fn pack<'a>(slabs: impl IntoIterator<Item = &'a Slab>, dtypes: &[Dtype]) -> Self {
        let slabs: Vec<_> = slabs.into_iter().filter(|slab| !slab.is_empty()).collect();
        let is_double = |slab: &&Slab| dtypes[slab.buffer].is_double();
        let double = slabs.iter().all(is_double);
        let mixed = !double && slabs.iter().any(is_double);
        let mut packing = Packing { pieces: Vec::new(), double, mixed, words: 0 };
        for slab in slabs {
            let dtype = dtypes[slab.buffer];
            let words = group(dtype) * if mixed && dtype.is_double() { 2 } else { 1 };
            let at = packing.words..packing.words + slab.len() * words;
            packing.words = at.end;
            let (start, extents) = corner(&slab.region);
            let copy = BoxCopy::pack(&slab.extents, &start, &extents, words);
            let first = slab.offset * words;
            packing.pieces.push(Piece { buffer: slab.buffer, first, copy, at });
        }
        packing
    }

    /// From a message to boxes.
    pub(crate) fn unpack<'a>(slabs: impl IntoIterator<Item = &'a Slab>, dtypes: &[Dtype]) -> Self {
        let mut packing = Packing::pack(slabs, dtypes);
        for piece in &mut packing.pieces {
            piece.copy = piece.copy.reversed();
        }
        packing
    }

    /// Whether there are elements of both precisions, which cannot be added to what is there.
    pub(crate) fn is_mixed(&self) -> bool {
        self.mixed
    }

    /// Bytes of the message.
    pub(crate) fn bytes(&self) -> usize {
        self.words * if self.double { 8 } else { 4 }
    }

    /// Fills a message; its length and alignment are those of the packing.
    pub(crate) fn gather(&self, memories: &[Memory], message: &mut [u8]) {
        // An empty message need not be aligned.
        if self.words == 0 {
        } else if self.double {
            self.gather_as(memories, bytemuck::cast_slice_mut::<u8, f64>(message));
        } else {
            self.gather_as(memories, bytemuck::cast_slice_mut::<u8, f32>(message));
        }
    }

    fn gather_as<R: adjoin_kernels::host::Real>(&self, memories: &[Memory], message: &mut [R]) {
        for piece in &self.pieces {
            let from = &memories[piece.buffer].cast::<R>()[piece.first..];
            piece.copy.apply(from, &mut message[piece.at.clone()], Acc::Set);
        }
    }

    /// Writes or adds a message to the boxes.
    pub(crate) fn scatter(&self, message: &[u8], memories: &mut [Memory], acc: Acc) {
        if self.words == 0 {
        } else if self.double {
            self.scatter_as(bytemuck::cast_slice::<u8, f64>(message), memories, acc);
        } else {
            self.scatter_as(bytemuck::cast_slice::<u8, f32>(message), memories, acc);
        }
    }

    fn scatter_as<R: adjoin_kernels::host::Real>(
        &self,
        message: &[R],
        memories: &mut [Memory],
        acc: Acc,
    ) {
        for piece in &self.pieces {
            let to = &mut memories[piece.buffer].cast_mut::<R>()[piece.first..];
            piece.copy.apply(&message[piece.at.clone()], to, acc);
        }
    }
}

/// Copies between boxes of buffers.
pub(crate) struct Moves {
    /// A buffer, and the bytes of it that are filled with zeros.
    clear: Option<(usize, Range<usize>)>,
    direct: Vec<Direct>,
    /// All that is read, before anything is written, where boxes may overlap.
    staged: Option<(Packing, Packing, Memory)>,
}

struct Direct {
    /// The buffers, and the reals with which the arrays of the boxes begin.
    from: (usize, usize),
    to: (usize, usize),
    double: bool,
    copy: BoxCopy,
}

impl Moves {
    pub(crate) fn new(
        clear: Option<&View>,
        moves: &[(Slab, Slab)],
        dtypes: &[Dtype],
    ) -> Result<Self, String> {
        let moves: Vec<_> = moves.iter().filter(|(from, _)| !from.is_empty()).collect();
        for (from, to) in &moves {
            if from.len() != to.len() || dtypes[from.buffer] != dtypes[to.buffer] {
                return Err("a copy between boxes that are not alike".into());
            }
        }
        let bytes = |elements: Range<usize>, dtype: Dtype| {
            elements.start * dtype.size()..elements.end * dtype.size()
        };
        let clear = clear.map(|view| (view.buffer, bytes(view.span(), view.dtype)));
        let written = |buffer| {
            moves.iter().any(|(_, to)| to.buffer == buffer)
                || clear.as_ref().is_some_and(|(cleared, _)| *cleared == buffer)
        };
        if !moves.iter().any(|(from, _)| written(from.buffer)) {
            let direct: Option<Vec<_>> = moves.iter().map(|(a, b)| direct(a, b, dtypes)).collect();
            if let Some(direct) = direct {
                return Ok(Moves { clear, direct, staged: None });
            }
        }
        let pack = Packing::pack(moves.iter().map(|(from, _)| from), dtypes);
        let unpack = Packing::unpack(moves.iter().map(|(_, to)| to), dtypes);
        let message = Memory::new(pack.bytes())?;
        Ok(Moves { clear, direct: Vec::new(), staged: Some((pack, unpack, message)) })
    }

    pub(crate) fn run(&mut self, memories: &mut [Memory]) {
        if let Some((pack, _, message)) = &mut self.staged {
            pack.gather(memories, message.bytes_mut());
        }
        if let Some((buffer, bytes)) = &self.clear {
            memories[*buffer].bytes_mut()[bytes.clone()].fill(0);
        }
        if let Some((_, unpack, message)) = &self.staged {
            unpack.scatter(message.bytes(), memories, Acc::Set);
        }
        for copy in &self.direct {
            let mut to = mem::take(&mut memories[copy.to.0]);
            let from = &memories[copy.from.0];
            if copy.double {
                copy.run::<f64>(from, &mut to);
            } else {
                copy.run::<f32>(from, &mut to);
            }
            memories[copy.to.0] = to;
        }
    }
}

impl Direct {
    fn run<R: adjoin_kernels::host::Real>(&self, from: &Memory, to: &mut Memory) {
        let (from, to) = (&from.cast::<R>()[self.from.1..], &mut to.cast_mut::<R>()[self.to.1..]);
        self.copy.apply(from, to, Acc::Set);
    }
}

/// A copy without a message between, if one of the boxes can take the other's shape.
fn direct(from: &Slab, to: &Slab, dtypes: &[Dtype]) -> Option<Direct> {
    let dtype = dtypes[from.buffer];
    let (from_start, from_extents) = corner(&from.region);
    let (to_start, to_extents) = corner(&to.region);
    let group = group(dtype);
    let copy = if from_extents == to_extents {
        let ends = ((&from.extents[..], &from_start[..]), (&to.extents[..], &to_start[..]));
        BoxCopy::between(ends.0, ends.1, &from_extents, group)
    } else {
        let shape = if contiguous(from) { to_extents } else { from_extents };
        let (a, b) = (place(from, &shape, group)?, place(to, &shape, group)?);
        BoxCopy::strided(
            &shape,
            Strided { offset: a.0, strides: &a.1 },
            Strided { offset: b.0, strides: &b.1 },
            group,
        )
    };
    let double = dtype.is_double();
    let place = |slab: &Slab| (slab.buffer, slab.offset * group);
    Some(Direct { from: place(from), to: place(to), double, copy })
}

/// Where a box of this shape begins and its strides, in reals.
fn place(slab: &Slab, shape: &[usize], group: usize) -> Option<(usize, Vec<isize>)> {
    let (start, extents) = corner(&slab.region);
    let strides = strides(&slab.extents);
    let offset: usize = start.iter().zip(&strides).map(|(i, s)| i * s).sum();
    let own = if extents == shape {
        strides
    } else if contiguous(slab) {
        self::strides(shape)
    } else {
        return None;
    };
    Some((offset * group, own.into_iter().map(|s| (s * group) as isize).collect()))
}

/// Whether the elements of the box follow one another.
fn contiguous(slab: &Slab) -> bool {
    let longer = slab.region.iter().position(|range| range.len() > 1);
    let after = longer.map_or(slab.region.len(), |axis| axis + 1);
    (after..slab.region.len()).all(|axis| slab.region[axis].len() == slab.extents[axis])
}

fn strides(extents: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis];
    }
    strides
}

fn corner(region: &[Range<usize>]) -> (Vec<usize>, Vec<usize>) {
    (region.iter().map(|r| r.start).collect(), region.iter().map(Range::len).collect())
}

fn group(dtype: Dtype) -> usize {
    if dtype.is_complex() { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(len: usize) -> Memory {
        let mut memory = Memory::elements(Dtype::F64, len).unwrap();
        let values = memory.cast_mut::<f64>().iter_mut().enumerate();
        values.for_each(|(i, x)| *x = i as f64);
        memory
    }

    /// The box from one corner to another.
    fn slab<const N: usize>(
        buffer: usize,
        extents: [usize; N],
        from: [usize; N],
        to: [usize; N],
    ) -> Slab {
        let region = from.into_iter().zip(to).map(|(from, to)| from..to).collect();
        Slab { buffer, offset: 0, extents: extents.to_vec(), region }
    }

    fn copied(from: &Slab, to: &Slab) -> (bool, Vec<f64>) {
        let mut memories = vec![numbered(12), Memory::elements(Dtype::F64, 12).unwrap()];
        memories[1].bytes_mut().fill(0);
        let dtypes = [Dtype::F64; 2];
        let mut moves = Moves::new(None, &[(from.clone(), to.clone())], &dtypes).unwrap();
        moves.run(&mut memories);
        (moves.staged.is_some(), memories[1].cast::<f64>().to_vec())
    }

    #[test]
    fn boxes_of_different_shapes_keep_their_order() {
        let (staged, y) = copied(&slab(0, [3, 4], [1, 1], [3, 3]), &slab(1, [12], [2], [6]));
        assert_eq!((staged, &y[2..6]), (false, &[5.0, 6.0, 9.0, 10.0][..]));
        let (staged, y) = copied(&slab(0, [12], [0], [4]), &slab(1, [4, 3], [1, 0], [3, 2]));
        assert_eq!((staged, y), (false, vec![0., 0., 0., 0., 1., 0., 2., 3., 0., 0., 0., 0.]));
        let (staged, y) =
            copied(&slab(0, [3, 4], [0, 0], [2, 3]), &slab(1, [4, 3], [0, 1], [3, 3]));
        assert_eq!((staged, y), (true, vec![0., 0., 1., 0., 2., 4., 0., 5., 6., 0., 0., 0.]));
    }

    #[test]
    fn a_copy_within_a_buffer_reads_before_it_writes() {
        let mut memories = vec![numbered(6)];
        let dtypes = [Dtype::F64];
        let shift = (slab(0, [6], [0], [5]), slab(0, [6], [1], [6]));
        Moves::new(None, &[shift], &dtypes).unwrap().run(&mut memories);
        assert_eq!(memories[0].cast::<f64>(), [0., 0., 1., 2., 3., 4.]);
    }

    #[test]
    fn messages_add_complex_elements_as_pairs() {
        let dtypes = [Dtype::C64];
        let mut memories = vec![Memory::elements(Dtype::C64, 4).unwrap()];
        memories[0].cast_mut::<f32>().copy_from_slice(&[1., 2., 3., 4., 5., 6., 7., 8.]);
        let pieces = [slab(0, [2, 2], [0, 1], [2, 2]), slab(0, [4], [0], [1])];
        let pack = Packing::pack(&pieces, &dtypes);
        let mut message = Memory::new(pack.bytes()).unwrap();
        pack.gather(&memories, message.bytes_mut());
        assert_eq!(message.cast::<f32>(), [3., 4., 7., 8., 1., 2.]);
        let unpack = Packing::unpack(&pieces, &dtypes);
        unpack.scatter(message.bytes(), &mut memories, Acc::Add);
        assert_eq!(memories[0].cast::<f32>(), [2., 4., 6., 8., 5., 6., 14., 16.]);
    }

    /// The number in double precision has an odd number of words before it in the second message.
    #[test]
    fn messages_of_both_precisions_keep_every_bit() {
        let dtypes = [Dtype::F64, Dtype::F32, Dtype::C128];
        let mut memories = dtypes.map(|dtype| Memory::elements(dtype, 2).unwrap());
        memories[0].cast_mut::<f64>().copy_from_slice(&[1.0 + 1e-15, -1e300]);
        memories[1].cast_mut::<f32>().copy_from_slice(&[0.1, f32::INFINITY]);
        memories[2].cast_mut::<f64>().copy_from_slice(&[3., f64::MIN_POSITIVE, -0., 1e-320]);
        let pieces = [slab(0, [2], [1], [2]), slab(1, [2], [0], [1]), slab(2, [2], [0], [2])];
        let pack = Packing::pack(&pieces, &dtypes);
        assert!(pack.is_mixed());
        let mut message = vec![0; 4 + pack.bytes()];
        assert_eq!(message.len(), 4 + 8 + 4 + 32);
        pack.gather(&memories, &mut message[4..]);
        let mut others = dtypes.map(|dtype| Memory::elements(dtype, 2).unwrap());
        for memory in &mut others {
            memory.bytes_mut().fill(0);
        }
        Packing::unpack(&pieces, &dtypes).scatter(&message[4..], &mut others, Acc::Set);
        assert_eq!(others[0].cast::<f64>(), [0.0, -1e300]);
        assert_eq!(others[1].cast::<f32>(), [0.1, 0.0]);
        assert_eq!(others[2].bytes(), memories[2].bytes());
    }
}
