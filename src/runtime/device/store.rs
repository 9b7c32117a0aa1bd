//! Memories, and the lists through which work sees them; the lists are kept between runs.

use crate::elements::Slice;
use crate::ops::{Patch, PatchMut};
use crate::runtime::local::{Arg, LocalNode};
use crate::runtime::memory::{Memory, recycled};
use adjoin_passes::calls::View;
use std::mem;
use std::ops::Range;

/// The buffers of a device, and room for the lists of work on them.
#[derive(Default)]
pub(super) struct Store {
    pub(super) memories: Vec<Memory>,
    args: Vec<Arg<'static>>,
    inputs: Vec<Patch<'static>>,
    outputs: Vec<PatchMut<'static>>,
    taken: Vec<Memory>,
}

impl Store {
    /// Makes room, so that no run allocates.
    pub(super) fn reserve_local(&mut self, node: &LocalNode) {
        reserve(&mut self.args, node.args().len());
    }

    /// Makes room, so that no run allocates.
    pub(super) fn reserve_kernel(&mut self, inputs: &[View], outputs: &[View]) {
        reserve(&mut self.inputs, inputs.len());
        reserve(&mut self.outputs, outputs.len());
        reserve(&mut self.taken, outputs.len());
    }

    /// A node on all elements, or on some rows of its result.
    pub(super) fn local(
        &mut self,
        node: &mut LocalNode,
        rows: Option<&Range<usize>>,
    ) -> Result<(), String> {
        let memories = &mut self.memories;
        let mut args: Vec<Arg<'_>> = recycled(mem::take(&mut self.args));
        let (target, dtype, len) = (node.out().buffer, node.out().dtype, node.out().len());
        let elements = rows.map_or(0..len, |rows| elements(node.out(), rows));
        let mut out = mem::take(&mut memories[target]);
        for view in node.args() {
            let own = rows.is_none() || view.dims != node.out().dims;
            let part = if own { 0..view.len() } else { elements.clone() };
            let present = view.buffer != target;
            let whole = present.then(|| memories[view.buffer].slice(view.dtype, view.len()));
            args.push(whole.map(|whole| whole.range(part)));
        }
        let result = node.run(&args, out.slice_mut(dtype, len).range(elements));
        self.args = recycled::<Option<Slice<'_>>, _>(args);
        memories[target] = out;
        result
    }

    /// An operator on patches of the buffers.
    pub(super) fn kernel(
        &mut self,
        inputs: &[View],
        outputs: &[View],
        apply: impl FnOnce(&[Patch<'_>], &mut [PatchMut<'_>]) -> Result<(), String>,
    ) -> Result<(), String> {
        let memories = &mut self.memories;
        let mut taken = mem::take(&mut self.taken);
        taken.extend(outputs.iter().map(|view| mem::take(&mut memories[view.buffer])));
        let mut x: Vec<Patch<'_>> = recycled(mem::take(&mut self.inputs));
        let mut y: Vec<PatchMut<'_>> = recycled(mem::take(&mut self.outputs));
        x.extend(inputs.iter().map(|view| Patch {
            data: memories[view.buffer].slice(view.dtype, view.len()),
            held: &view.held,
        }));
        y.extend(outputs.iter().zip(&mut taken).map(|(view, memory)| PatchMut {
            data: memory.slice_mut(view.dtype, view.len()),
            held: &view.held,
        }));
        let result = apply(&x, &mut y);
        self.inputs = recycled(x);
        self.outputs = recycled(y);
        for (view, memory) in outputs.iter().zip(taken.drain(..)) {
            memories[view.buffer] = memory;
        }
        self.taken = taken;
        result
    }
}

/// Where the elements of some rows lie.
fn elements(view: &View, rows: &Range<usize>) -> Range<usize> {
    let all = view.held.first().map_or(1, Range::len).max(1);
    let each = view.len() / all;
    rows.start * each..rows.end * each
}

fn reserve<T>(list: &mut Vec<T>, count: usize) {
    list.clear();
    list.reserve_exact(count);
}
