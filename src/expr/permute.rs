//! The permutation of dims inside a Kronecker product: `y[i_axes] = x[i]`; its adjoint undoes it.

use super::op::Op;
use crate::ops::{LocalOperator, Operator, OperatorError, Patch, PatchMut, Tile};
use crate::ops::{Slice, SliceMut};
use adjoin_kernels::host::{Acc, Scalar};
use adjoin_passes::Dtype;
use adjoin_passes::signature::{
    Binding, Cost, Factor, Laws, Linearity, Rule, Signature, Typing, letter,
};
use std::ops::Range;
use std::sync::Arc;

/// The operator whose range has the dims `axes` of its domain, in that order.
pub(super) fn permute(dims: Vec<usize>, axes: Vec<usize>) -> Op {
    let permuted: Vec<_> = axes.iter().map(|&a| dims[a]).collect();
    let factor = |(d, &n): (usize, &usize)| Factor::free(letter(d), n);
    let factors = permuted.iter().enumerate().map(factor).collect();
    let mut domain = vec![Binding::plain(0); dims.len()];
    for (d, &axis) in axes.iter().enumerate() {
        domain[axis] = Binding::plain(d);
    }
    let range = (0..axes.len()).map(Binding::plain).collect();
    let signature = Signature {
        kind: "Transpose".into(),
        dtype: Dtype::F32,
        typing: Typing::Same,
        domain: vec![dims],
        range: vec![permuted],
        rule: Rule { factors, domain: vec![domain], range: vec![range] },
        linearity: Linearity::Complex,
        laws: Laws { isometry: true, co_isometry: true, permutation: true, ..Laws::default() },
        cost: Cost::default(),
    };
    Op::new(Arc::new(Permute { signature, axes }))
}

struct Permute {
    signature: Signature,
    axes: Vec<usize>,
}

struct LocalPermute {
    /// The tile, in the order of the range.
    tile: Vec<Range<usize>>,
    axes: Vec<usize>,
    at: Vec<usize>,
    strides: (Vec<usize>, Vec<usize>),
}

impl Operator for Permute {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn build(&self, tile: &Tile) -> Result<Box<dyn LocalOperator>, OperatorError> {
        let n = self.axes.len();
        Ok(Box::new(LocalPermute {
            tile: tile.factors.clone(),
            axes: self.axes.clone(),
            at: vec![0; n],
            strides: (vec![0; n], vec![0; n]),
        }))
    }
}

impl LocalOperator for LocalPermute {
    fn forward(
        &mut self,
        _: usize,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (from, into) = self.place(x[0].held, y[0].held);
        self.copy_any(&x[0], from, &mut y[0], into, acc, false)
    }

    fn adjoint(
        &mut self,
        _: usize,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (into, from) = self.place(x[0].held, y[0].held);
        self.copy_any(&y[0], from, &mut x[0], into, acc, true)
    }
}

impl LocalPermute {
    /// Sets the strides of both sides and finds where the tile begins in them.
    fn place(&mut self, x: &[Range<usize>], y: &[Range<usize>]) -> (usize, usize) {
        let n = self.axes.len();
        let (sx, sy) = &mut self.strides;
        let stride =
            |held: &[Range<usize>], d: usize| held[d + 1..].iter().map(Range::len).product();
        let mut begin = (0, 0);
        for d in 0..n {
            let axis = self.axes[d];
            sx[d] = stride(x, axis);
            sy[d] = stride(y, d);
            if !self.tile[d].is_empty() {
                begin.0 += (self.tile[d].start - x[axis].start) * sx[d];
                begin.1 += (self.tile[d].start - y[d].start) * sy[d];
            }
        }
        begin
    }

    fn copy_any(
        &mut self,
        from: &Patch<'_>,
        x: usize,
        into: &mut PatchMut<'_>,
        y: usize,
        acc: Acc,
        adjoint: bool,
    ) -> Result<(), OperatorError> {
        let n = self.axes.len();
        let batch = from.held[n..].iter().map(Range::len).product();
        match (from.data, into.data.reborrow()) {
            (Slice::F32(a), SliceMut::F32(b)) => self.copy(a, x, b, y, batch, acc, adjoint),
            (Slice::F64(a), SliceMut::F64(b)) => self.copy(a, x, b, y, batch, acc, adjoint),
            (Slice::C64(a), SliceMut::C64(b)) => self.copy(a, x, b, y, batch, acc, adjoint),
            (Slice::C128(a), SliceMut::C128(b)) => self.copy(a, x, b, y, batch, acc, adjoint),
            _ => return Err(OperatorError("a permutation between different types".into())),
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // Two places, a batch and two modes.
    fn copy<S: Scalar>(
        &mut self,
        from: &[S],
        mut x: usize,
        into: &mut [S],
        mut y: usize,
        batch: usize,
        acc: Acc,
        adjoint: bool,
    ) {
        acc.prepare(into);
        if self.tile.iter().any(Range::is_empty) {
            return;
        }
        let (domain, range) = &self.strides;
        let (sx, sy) = if adjoint { (range, domain) } else { (domain, range) };
        self.at.fill(0);
        loop {
            for k in 0..batch {
                into[y + k] += from[x + k];
            }
            let mut d = self.at.len();
            loop {
                if d == 0 {
                    return;
                }
                d -= 1;
                self.at[d] += 1;
                x += sx[d];
                y += sy[d];
                if self.at[d] < self.tile[d].len() {
                    break;
                }
                x -= sx[d] * self.at[d];
                y -= sy[d] * self.at[d];
                self.at[d] = 0;
            }
        }
    }
}
