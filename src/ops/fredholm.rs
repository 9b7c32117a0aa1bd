//! Fredholm integrals of the first kind: `d[k, i, z] = Σⱼ G[k, i, j] m[k, j, z]`, adjoint
//! `m[k, j, z] = Σᵢ conj(G[k, i, j]) d[k, i, z]`.
//!
//! ```text
//! (k, i, z) <- (k, j, z)
//! ```
//! A matrix for each slice, typically a frequency; a rank reads its tile of `G` only.
//! Panels are ranges of slices whose matrices fit into a cache.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::panels::{Dealt, Paneled, Paneling, Turn, columns};
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, typed};
use super::{Handle, OperatorError};
use crate::data::Source;
use crate::elements::Element;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::batched::{self, Matrices};
use adjoin_passes::signature::{Binding, Cost, Factor, Laws, Linearity, Rule, Typing, letter};
use adjoin_passes::{Dtype, Signature};
use std::ops::Range;

const KIND: &str = "Fredholm1";

/// Bytes of the matrices in a panel: it and the next one stay in the second cache.
const PANEL: usize = 1 << 18;

/// An integral to be built.
#[derive(Clone, Debug)]
pub struct Fredholm1 {
    g: Source,
    nz: Dims,
    kind: &'static str,
    dtype: Option<Dtype>,
}

/// The operator of the matrices `g`, which has three dims: slices, rows and columns.
pub fn fredholm1(g: impl Into<Source>) -> Fredholm1 {
    Fredholm1 { g: g.into(), nz: Dims(vec![1]), kind: KIND, dtype: None }
}

impl Fredholm1 {
    /// The length of the last axis of model and data, 1 otherwise.
    pub fn nz(mut self, nz: usize) -> Self {
        self.nz = Dims(vec![nz]);
        self
    }

    /// Any number of axes in the place of the last one, and the name of the operator in plans and
    /// messages.
    pub(super) fn seen_as(mut self, kind: &'static str, dims: Dims) -> Self {
        (self.kind, self.nz) = (kind, dims);
        self
    }

    /// The type of the matrices, that of their source otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let kind = self.kind;
        let g = tile::cast(kind, self.g, self.dtype)?;
        let &[slices, rows, cols] = g.dims() else {
            return dims::fail(kind, format!("G has dims {:?}, and must have three", g.dims()));
        };
        let signature = signature(kind, g.dtype(), [slices, rows, cols], &self.nz.0);
        leaf(signature, move |signature, tile| {
            let [k, i, .., j] = &tile.factors[..] else {
                return dims::fail(kind, "a tile has three factors or more");
            };
            let held = [k.clone(), i.clone(), j.clone()];
            typed!(tile.arithmetic(g.dtype()), T => {
                let kernel = Slices::<T>::new(tile::read(kind, &g, &held)?, &held);
                Ok(tile::local(signature, tile, Dealt::new(kernel)))
            })
        })
    }
}

fn signature(
    kind: &str,
    dtype: Dtype,
    [slices, rows, cols]: [usize; 3],
    nz: &[usize],
) -> Signature {
    let mut factors = vec![Factor::free("k", slices), Factor::free("i", rows)];
    factors.extend(nz.iter().enumerate().map(|(d, &n)| Factor::free(axis_name(d), n)));
    factors.push(Factor::free("j", cols));
    let side = |second: usize| {
        let factors = [0, second].into_iter().chain(2..nz.len() + 2);
        vec![factors.map(Binding::plain).collect()]
    };
    let bytes = tile::count(&[slices, rows, cols]) * dtype.size() as f64;
    let flops = tile::flops(dtype) * tile::count(&[slices, rows, cols]) * tile::count(nz);
    Signature {
        kind: kind.into(),
        dtype,
        typing: Typing::Same,
        domain: vec![[&[slices, cols], nz].concat()],
        range: vec![[&[slices, rows], nz].concat()],
        rule: Rule { domain: side(nz.len() + 2), range: side(1), factors },
        linearity: Linearity::Complex,
        laws: Laws::default(),
        cost: Cost { flops, reads: bytes, holds: bytes, ..Cost::default() },
    }
}

/// z, then the letters from l on.
fn axis_name(d: usize) -> String {
    if d == 0 { "z".into() } else { letter(d + 2) }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["G", "nz", "dtype"],
    ignored: &["saveGt", "usematmul", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = fredholm1(given.need::<Source>("G")?);
    given.set("nz", &mut operator.nz.0[0])?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}

struct Slices<T> {
    g: Vec<T>,
    /// The numbers of slices, rows and columns.
    extents: [usize; 3],
    /// Slices of a panel.
    step: usize,
}

impl<T: Element> Slices<T> {
    fn new(g: Vec<T>, held: &[Range<usize>; 3]) -> Self {
        let extents = held.each_ref().map(Range::len);
        let step = PANEL / (extents[1] * extents[2] * size_of::<T>()).max(1);
        Slices { g, extents, step: step.max(1) }
    }

    fn panel(&self, turn: Turn) -> Matrices<'_, T> {
        let ([_, rows, cols], slices) = (self.extents, self.rows(turn.panel));
        let data = &self.g[slices.start * rows * cols..];
        let (slices, paired) = (slices.len(), turn.paired);
        Matrices { data, slices, rows, cols, conj: false, paired }
    }
}

impl<T: Element> Paneling for Slices<T> {
    fn count(&self) -> usize {
        self.extents[0].div_ceil(self.step).max(1)
    }

    fn rows(&self, panel: usize) -> Range<usize> {
        panel * self.step..((panel + 1) * self.step).min(self.extents[0])
    }

    fn block(&self) -> Option<usize> {
        None
    }

    fn work(&self, elements: usize) -> usize {
        self.extents[2] * size_of::<T>() * elements
    }
}

impl<T: Element> Paneled for Slices<T> {
    type X = T;

    fn forward(&self, turn: Turn, x: &[T], y: &mut [T], acc: Acc) {
        let g = self.panel(turn);
        batched::apply(g, columns(sides(&g, x, y)), x, y, acc);
    }

    fn adjoint(&self, turn: Turn, y: &[T], x: &mut [T], acc: Acc) {
        let g = self.panel(turn);
        batched::adjoint(g, columns(sides(&g, x, y)), y, x, acc);
    }
}

/// What both sides have, and what one column has of it.
fn sides<T>(g: &Matrices<'_, T>, x: &[T], y: &[T]) -> [(usize, usize); 2] {
    [(x.len(), g.slices * g.cols), (y.len(), g.slices * g.rows)]
}
