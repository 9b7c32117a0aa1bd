//! Nodes as steps of a tape, with the same bits.

use super::LocalNode;
use adjoin_kernels::host::tape::Step;
use adjoin_passes::calls::View;
use adjoin_passes::ir::{Map, Op};

impl LocalNode {
    /// The node as a step, if it is one on vectors of its result's type: `a` is its number, and
    /// `place` says where vectors are.
    pub(crate) fn step(&self, a: usize, mut place: impl FnMut(&View) -> usize) -> Option<Step> {
        let vectors = match self.number() {
            Some(number) if !number.dims.is_empty() => return None,
            Some(_) => &self.args[1..],
            None => &self.args[..],
        };
        if !vectors.iter().all(|view| self.is_alike(view)) {
            return None;
        }
        let y = place(&self.out);
        Some(match (&self.op, vectors) {
            (Op::Map(Map::Mul), [d, x]) => Step::Weigh { conj: false, d: place(d), x: place(x), y },
            (Op::Scale, [x]) => Step::Scale { a, x: place(x), y },
            (Op::Axpy, [x, z]) => Step::Axpy { a, x: place(x), z: place(z), y },
            (Op::Add, [x, z]) => Step::Add { x: place(x), z: place(z), y },
            (Op::Sub, [x, z]) => Step::Sub { x: place(x), z: place(z), y },
            _ => return None,
        })
    }

    /// The number by which the node scales.
    pub(crate) fn number(&self) -> Option<&View> {
        self.args.first().filter(|_| matches!(self.op, Op::Scale | Op::Axpy))
    }

    /// Whether an argument is a vector like the result, and overlaps it wholly or not at all.
    fn is_alike(&self, view: &View) -> bool {
        let out = &self.out;
        let apart = view.buffer != out.buffer || view.offset == out.offset;
        view.dims == out.dims && view.dtype == out.dtype && apart
    }
}
