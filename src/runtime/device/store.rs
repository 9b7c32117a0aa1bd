//! Memories, and the lists through which work sees them; the lists are kept between runs.

use super::shared::Place;
use crate::elements::Slice;
use crate::ops::{Patch, PatchMut};
use crate::runtime::local::{Arg, LocalNode};
use crate::runtime::memory::{Memory, recycled};
use adjoin_passes::calls::View;
use num_complex::Complex64;
use std::mem;
use std::ops::Range;

/// The buffers of a device, and room for the lists of work on them.
#[derive(Default)]
pub(super) struct Store {
    pub(super) memories: Vec<Memory>,
    /// Which memories have room only for the elements that are done at a time.
    pub(super) passing: Vec<bool>,
    /// Where the memories are, while they are shared.
    pub(super) places: Vec<Place>,
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

    /// A node on all elements, or on some of its result's and of the arguments like it.
    pub(super) fn local(
        &mut self,
        node: &mut LocalNode,
        some: Option<&Range<usize>>,
    ) -> Result<(), String> {
        let memories = &mut self.memories;
        let mut args: Vec<Arg<'_>> = recycled(mem::take(&mut self.args));
        let target = node.out().buffer;
        let elements = some.map_or(0..node.out().len(), Range::clone);
        let passing = &self.passing;
        let mut out = mem::take(&mut memories[target]);
        for view in node.args() {
            let own = some.is_none() || view.dims != node.out().dims;
            let part = if own { 0..view.len() } else { elements.clone() };
            let present = view.buffer != target;
            args.push(present.then(|| {
                let span = span(view, &part, passing[view.buffer]);
                memories[view.buffer].slice(view.dtype, span.end).range(span)
            }));
        }
        let span = span(node.out(), &elements, passing[target]);
        let into = out.slice_mut(node.out().dtype, span.end).range(span);
        let result = node.run_from(elements.start, &args, into);
        self.args = recycled::<Option<Slice<'_>>, _>(args);
        memories[target] = out;
        result
    }

    /// An inner product from the sums of its blocks.
    pub(super) fn finish(&mut self, node: &LocalNode, sums: &[Complex64]) {
        let out = node.out();
        node.finish(sums, self.memories[out.buffer].part_mut(out));
    }

    /// Room for so many elements of a buffer whose values pass.
    pub(super) fn widen(&mut self, view: &View, elements: usize) -> Result<(), String> {
        let memory = &mut self.memories[view.buffer];
        if self.passing[view.buffer] && memory.len() < elements * view.dtype.size() {
            *memory = Memory::elements(view.dtype, elements)?;
        }
        Ok(())
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
        x.extend(
            inputs
                .iter()
                .map(|view| Patch { data: memories[view.buffer].part(view), held: &view.held }),
        );
        y.extend(
            outputs
                .iter()
                .zip(&mut taken)
                .map(|(view, memory)| PatchMut { data: memory.part_mut(view), held: &view.held }),
        );
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

/// Where some elements of a vector lie in its memory: at the beginning of one through which values
/// pass.
fn span(view: &View, some: &Range<usize>, passes: bool) -> Range<usize> {
    let first = if passes { 0 } else { view.offset + some.start };
    first..first + some.len()
}

/// Where the elements of some rows lie.
pub(super) fn elements(view: &View, rows: &Range<usize>) -> Range<usize> {
    let all = view.held.first().map_or(1, Range::len).max(1);
    let each = view.len() / all;
    rows.start * each..rows.end * each
}

pub(super) fn reserve<T>(list: &mut Vec<T>, count: usize) {
    list.clear();
    list.reserve_exact(count);
}
