//! Patches of an operator's domain that hold other elements than its tile reaches.
//!
//! A tile reads patches that hold more ghost cells than it needs, and gathers into patches that
//! hold fewer than it reaches. A tile that cannot do so itself is given patches of its own: what it
//! reads is copied there, and of what it makes the elements that are held are copied out.

use super::memory::{Memory, recycled};
use super::tiles::{Application, SharedTile, apply_onto};
use crate::elements::{Slice, SliceMut};
use crate::ops::{LocalOperator, OperatorError, Patch, PatchMut, Tile};
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::boxes::BoxCopy;
use adjoin_passes::calls::View;
use adjoin_passes::placement::{Region, intersect, volume};
use adjoin_passes::{Dtype, Signature};
use std::mem;
use std::ops::Range;

/// For each part of the domain what is held and what the tile reaches, trailing dims included.
pub(super) struct Windows {
    adjoint: bool,
    parts: Vec<Window>,
}

struct Window {
    dtype: Dtype,
    held: Region,
    reached: Region,
}

impl Windows {
    /// The patches of an application that hold other elements than its tile reaches, if any does.
    pub fn of(signature: &Signature, tile: &Tile, call: &Application<'_>) -> Option<Windows> {
        let domain = if call.adjoint { call.outputs } else { call.inputs };
        let window = |(part, view): (usize, &&View)| {
            let mut reached = tile.domain_box(&signature.rule, part);
            reached.extend_from_slice(&view.held[reached.len()..]);
            Window { dtype: view.dtype, held: view.held.clone(), reached }
        };
        let parts: Vec<_> = domain.iter().enumerate().map(window).collect();
        parts.iter().any(Window::differs).then_some(Windows { adjoint: call.adjoint, parts })
    }

    /// The dims along which what is held differs from what is reached.
    pub fn dims(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter(|window| window.differs()).flat_map(
            |Window { held, reached, .. }| (0..held.len()).filter(|&dim| held[dim] != reached[dim]),
        )
    }

    /// The tile with patches of its own.
    pub fn around(self, tile: SharedTile) -> Result<Box<dyn LocalOperator>, String> {
        let own = self.parts.iter().map(|window| window.own(self.adjoint));
        let own: Vec<_> = own.collect::<Result<_, _>>()?;
        let (inputs, outputs) = (Vec::with_capacity(own.len()), Vec::with_capacity(own.len()));
        Ok(Box::new(Windowed { tile, own, inputs, outputs }))
    }
}

impl Window {
    /// A patch without elements may be any.
    fn differs(&self) -> bool {
        volume(&self.held) > 0 && volume(&self.reached) > 0 && self.held != self.reached
    }

    fn own(&self, adjoint: bool) -> Result<Option<Own>, String> {
        if !self.differs() {
            return Ok(None);
        }
        let common = intersect(&self.held, &self.reached);
        let extents: Vec<_> = common.iter().map(Range::len).collect();
        let place = |of: &Region| -> (Vec<usize>, Vec<usize>) {
            let dims = of.iter().map(Range::len);
            let start = of.iter().zip(&common).map(|(of, common)| common.start - of.start);
            if extents.contains(&0) {
                Default::default()
            } else {
                (dims.collect(), start.collect())
            }
        };
        let (held, reached) = (place(&self.held), place(&self.reached));
        let ends = if adjoint { (&reached, &held) } else { (&held, &reached) };
        let group = if self.dtype.is_complex() { 2 } else { 1 };
        let [from, to] = [ends.0, ends.1].map(|(dims, start)| (&dims[..], &start[..]));
        let whole = common == if adjoint { self.held.clone() } else { self.reached.clone() };
        if !whole && !adjoint {
            return Err(format!("{:?} is held where {:?} is read", self.held, self.reached));
        }
        Ok(Some(Own {
            dtype: self.dtype,
            reached: self.reached.clone(),
            memory: Memory::elements(self.dtype, volume(&self.reached))?,
            copy: BoxCopy::between(from, to, &extents, group),
            whole,
        }))
    }
}

/// A patch as the tile wants it.
struct Own {
    dtype: Dtype,
    reached: Region,
    memory: Memory,
    copy: BoxCopy,
    /// Whether the copy reaches all elements of the other patch.
    whole: bool,
}

/// A tile with patches of its own for some parts of the domain.
struct Windowed {
    tile: SharedTile,
    own: Vec<Option<Own>>,
    inputs: Vec<Patch<'static>>,
    outputs: Vec<PatchMut<'static>>,
}

impl LocalOperator for Windowed {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let mut patches: Vec<Patch<'_>> = recycled(mem::take(&mut self.inputs));
        for (own, patch) in self.own.iter_mut().zip(x) {
            patches.push(match own {
                None => *patch,
                Some(own) => own.filled(patch.data),
            });
        }
        let result = apply_onto(&self.tile, false, &patches, y, acc);
        self.inputs = recycled(patches);
        result
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let mut patches: Vec<PatchMut<'_>> = recycled(mem::take(&mut self.outputs));
        for (own, patch) in self.own.iter_mut().zip(x.iter_mut()) {
            patches.push(match own {
                None => PatchMut { data: patch.data.reborrow(), held: patch.held },
                Some(own) => own.cleared(),
            });
        }
        let result = apply_onto(&self.tile, true, y, &mut patches, acc);
        self.outputs = recycled(patches);
        for (own, patch) in self.own.iter().zip(x) {
            if let Some(own) = own {
                own.give(patch.data.reborrow(), acc);
            }
        }
        result
    }
}

impl Own {
    /// The patch with what another one holds.
    fn filled(&mut self, from: Slice<'_>) -> Patch<'_> {
        let to = self.memory.slice_mut(self.dtype, volume(&self.reached));
        copied(&self.copy, from, to, Acc::Set);
        let data = self.memory.slice(self.dtype, volume(&self.reached));
        Patch { data, held: &self.reached }
    }

    /// The patch with zeros.
    fn cleared(&mut self) -> PatchMut<'_> {
        self.memory.bytes_mut().fill(0);
        let data = self.memory.slice_mut(self.dtype, volume(&self.reached));
        PatchMut { data, held: &self.reached }
    }

    /// Writes what another patch holds, or adds it.
    fn give(&self, mut to: SliceMut<'_>, acc: Acc) {
        if acc == Acc::Set && !self.whole {
            zero(to.reborrow());
        }
        copied(&self.copy, self.memory.slice(self.dtype, volume(&self.reached)), to, acc);
    }
}

fn copied(copy: &BoxCopy, from: Slice<'_>, to: SliceMut<'_>, acc: Acc) {
    match (from.reals(), to.reals()) {
        (Slice::F32(from), SliceMut::F32(to)) => copy.apply(from, to, acc),
        (Slice::F64(from), SliceMut::F64(to)) => copy.apply(from, to, acc),
        _ => unreachable!("both patches are of the view's type"),
    }
}

fn zero(to: SliceMut<'_>) {
    match to.reals() {
        SliceMut::F32(to) => to.fill(0.0),
        SliceMut::F64(to) => to.fill(0.0),
        SliceMut::C64(_) | SliceMut::C128(_) => unreachable!("reals"),
    }
}
