//! Dense matrices: `y[i, o] = Σⱼ A[i, j] x[j, o]`, adjoint `x[j, o] = Σᵢ conj(A[i, j]) y[i, o]`.
//!
//! ```text
//! (i, o..) <- (j, o..)
//! ```
//! The matrix comes from a source, of which a rank reads its tile only.
//! Panels are ranges of rows whose part of the matrix fits into a cache; some hundreds of rows or
//! more are summed by themselves in the adjoint.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::panels::{Dealt, Paneled, Paneling, Turn, columns};
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, typed};
use super::{Handle, OperatorError};
use crate::data::Source;
use crate::elements::Element;
use adjoin_kernels::host::dense::{self, Matrix};
use adjoin_kernels::host::{Acc, crew};
use adjoin_passes::signature::{Binding, Cost, Factor, Laws, Linearity, Rule, Typing, letter};
use adjoin_passes::{Dtype, Signature};
use std::ops::Range;

const KIND: &str = "MatrixMult";

/// Bytes of the matrix in a panel: it and the next one stay in the second cache.
const PANEL: usize = 1 << 18;

/// A dense matrix to be built.
#[derive(Clone, Debug)]
pub struct MatrixMult {
    a: Source,
    otherdims: Dims,
    dtype: Option<Dtype>,
}

/// The operator of the matrix `a`, which has two dims.
pub fn matrix_mult(a: impl Into<Source>) -> MatrixMult {
    MatrixMult { a: a.into(), otherdims: Dims::default(), dtype: None }
}

impl MatrixMult {
    /// Dims that follow the one that is multiplied; none otherwise.
    pub fn otherdims(mut self, dims: impl Into<Dims>) -> Self {
        self.otherdims = dims.into();
        self
    }

    /// The type of the matrix, that of its source otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let a = tile::cast(KIND, self.a, self.dtype)?;
        let &[rows, cols] = a.dims() else {
            return dims::fail(KIND, format!("A has dims {:?}, and must have two", a.dims()));
        };
        let signature = signature(a.dtype(), rows, cols, &self.otherdims.0);
        leaf(signature, move |signature, tile| {
            let others = self.otherdims.0.len();
            let held = [tile.factors[0].clone(), tile.factors[others + 1].clone()];
            typed!(tile.arithmetic(a.dtype()), T => {
                let kernel = Dense::<T>::new(tile::read(KIND, &a, &held)?, &held);
                Ok(tile::local(signature, tile, Dealt::new(kernel)))
            })
        })
    }
}

fn signature(dtype: Dtype, rows: usize, cols: usize, others: &[usize]) -> Signature {
    let mut factors = vec![Factor::free("i", rows)];
    factors.extend(others.iter().enumerate().map(|(k, &n)| Factor::free(letter(k + 2), n)));
    factors.push(Factor::free("j", cols));
    let side = |first: usize| {
        std::iter::once(first).chain(1..=others.len()).map(Binding::plain).collect::<Vec<_>>()
    };
    let rule = Rule { domain: vec![side(others.len() + 1)], range: vec![side(0)], factors };
    let bytes = tile::count(&[rows, cols]) * dtype.size() as f64;
    let flops = tile::flops(dtype) * tile::count(&[rows, cols]) * tile::count(others);
    Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        domain: vec![[&[cols], others].concat()],
        range: vec![[&[rows], others].concat()],
        rule,
        linearity: Linearity::Complex,
        laws: Laws::default(),
        cost: Cost { flops, reads: bytes, holds: bytes, ..Cost::default() },
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["A", "otherdims", "dtype"],
    ignored: &["forceflat", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = matrix_mult(given.need::<Source>("A")?);
    given.set("otherdims", &mut operator.otherdims)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}

struct Dense<T> {
    a: Vec<T>,
    rows: usize,
    cols: usize,
    /// Rows of a panel.
    step: usize,
    /// Panels of a block.
    block: usize,
}

impl<T: Element> Dense<T> {
    fn new(a: Vec<T>, held: &[Range<usize>; 2]) -> Self {
        /// Rows of a block at least, so that its sum is small beside them.
        const ROWS: usize = 128;
        /// Blocks at most.
        const BLOCKS: usize = 16;
        let (rows, cols) = (held[0].len(), held[1].len());
        let row = (cols * size_of::<T>()).max(1);
        let step = (PANEL / row / 8 * 8).max(8);
        let least = ROWS.max(crew::LEAST / row).max(rows.div_ceil(BLOCKS));
        Dense { a, rows, cols, step, block: least.div_ceil(step) }
    }

    fn panel(&self, turn: Turn) -> Matrix<'_, T> {
        let (rows, all) = (self.rows(turn.panel), Matrix::new(&self.a, self.rows, self.cols));
        if turn.paired { all.paired(rows) } else { all.panel(rows) }
    }
}

impl<T: Element> Paneling for Dense<T> {
    fn count(&self) -> usize {
        self.rows.div_ceil(self.step).max(1)
    }

    fn rows(&self, panel: usize) -> Range<usize> {
        panel * self.step..((panel + 1) * self.step).min(self.rows)
    }

    fn block(&self) -> Option<usize> {
        Some(self.block)
    }

    fn work(&self, elements: usize) -> usize {
        self.cols * size_of::<T>() * elements
    }
}

impl<T: Element> Paneled for Dense<T> {
    type X = T;

    fn forward(&self, turn: Turn, x: &[T], y: &mut [T], acc: Acc) {
        let matrix = self.panel(turn);
        dense::apply(matrix, columns([(x.len(), matrix.cols), (y.len(), matrix.rows)]), x, y, acc);
    }

    fn adjoint(&self, turn: Turn, y: &[T], x: &mut [T], acc: Acc) {
        let matrix = self.panel(turn);
        dense::adjoint(
            matrix,
            columns([(x.len(), matrix.cols), (y.len(), matrix.rows)]),
            y,
            x,
            acc,
        );
    }
}
