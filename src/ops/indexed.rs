//! Operators that pick along one axis: `y[.., i, ..] = x[.., table[i], ..]`, adjoint
//! `x[.., j, ..] = Σ y[.., i, ..]` over the `i` with `table[i] = j`.
//!
//! ```text
//! table ascending:  (i) <- (i)     the range has as many elements of i as the table has
//! otherwise:        (i) <- (j)     a tile selects what falls into both of its ranges
//! ```
//! The laws follow from the table.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Kernel, View, ViewMut, real_typed};
use super::{Handle, OperatorError};
use crate::elements::Element;
use adjoin_kernels::host::{Acc, index};
use adjoin_passes::signature::{
    Binding, Cost, Factor, Laws, Linearity, Rule, Spread, Typing, letter,
};
use adjoin_passes::{Dtype, Signature};
use std::marker::PhantomData;

/// Which indices of an axis are picked.
pub trait Pick {
    /// The operator's name.
    const KIND: &'static str;

    /// The indices of an axis of `n`.
    fn table(&self, n: usize) -> Vec<usize>;
}

/// An operator to be built that picks along one axis.
#[derive(Clone, Debug)]
pub struct Picked<P> {
    dims: Dims,
    axis: isize,
    dtype: Dtype,
    pub(super) pick: P,
}

impl<P: Pick> Picked<P> {
    pub(super) fn new(dims: Dims, pick: P) -> Self {
        Picked { dims, axis: -1, dtype: Dtype::F64, pick }
    }

    /// The axis, the last one otherwise.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let dims = self.dims.0;
        let axis = axis(P::KIND, self.axis, &dims)?;
        let table = self.pick.table(dims[axis]);
        indexed(P::KIND, self.dtype, dims, axis, table)
    }

    /// The line of the registry.
    pub(super) const fn entry(
        parameters: &'static [&'static str],
        build: fn(&Arguments) -> Result<Handle, RegistryError>,
    ) -> Entry {
        Entry { name: P::KIND, parameters, ignored: &["name"], build }
    }

    /// With what was given besides dims and what is picked.
    pub(super) fn with(mut self, given: &Arguments) -> Result<Handle, RegistryError> {
        given.set("axis", &mut self.axis)?;
        given.set("dtype", &mut self.dtype)?;
        Ok(self.build()?)
    }
}

/// The axis of an operator that picks along one, checked.
pub(super) fn axis(kind: &str, axis: isize, dims: &[usize]) -> Result<usize, OperatorError> {
    dims::check(kind, dims)?;
    let axis = dims::axis(kind, axis, dims)?;
    dims::check_table(kind, dims[axis])?;
    Ok(axis)
}

/// The operator that picks the indices `table` of an axis, each of them on the axis.
pub(super) fn indexed(
    kind: &str,
    dtype: Dtype,
    dims: Vec<usize>,
    axis: usize,
    table: Vec<usize>,
) -> Result<Handle, OperatorError> {
    leaf(signature(kind, dtype, dims, axis, &table), move |signature, tile| {
        let rows = tile.range_box(&signature.rule, 0)[axis].clone();
        let table = table[rows].to_vec();
        real_typed!(tile.domain, T => {
            let kernel = Rows::<T> { table, axis, elements: PhantomData };
            Ok(tile::local(signature, tile, kernel))
        })
    })
}

fn signature(
    kind: &str,
    dtype: Dtype,
    dims: Vec<usize>,
    axis: usize,
    table: &[usize],
) -> Signature {
    let mut counts = vec![0; dims[axis]];
    for &i in table {
        counts[i] += 1;
    }
    let mut range = dims.clone();
    range[axis] = table.len();
    let laws = laws(&counts, table);
    let rule = if table.is_sorted() {
        ragged(&dims, axis, counts)
    } else {
        dense(&dims, axis, table.len())
    };
    Signature {
        kind: kind.into(),
        dtype,
        typing: Typing::Same,
        domain: vec![dims],
        range: vec![range],
        rule,
        linearity: Linearity::Complex,
        laws,
        cost: Cost { holds: size_of_val(table) as f64, ..Cost::default() },
    }
}

fn laws(counts: &[usize], table: &[usize]) -> Laws {
    let distinct = counts.iter().all(|&c| c <= 1);
    let bijective = distinct && table.len() == counts.len();
    let identity = bijective && table.is_sorted();
    let involution = bijective && (0..table.len()).all(|i| table[table[i]] == i);
    Laws {
        co_isometry: distinct,
        isometry: bijective,
        permutation: bijective,
        self_adjoint: involution,
        identity,
        diagonal: identity,
        projection: identity,
        ..Laws::default()
    }
}

fn ragged(dims: &[usize], axis: usize, counts: Vec<usize>) -> Rule {
    let mut rule = Rule::elementwise(dims);
    rule.range[0][axis] = Binding::ragged(axis, Spread::from_counts(counts));
    rule
}

fn dense(dims: &[usize], axis: usize, rows: usize) -> Rule {
    let mut rule = Rule::elementwise(dims);
    rule.factors[axis].size = rows;
    rule.factors.push(Factor::free(letter(dims.len()), dims[axis]));
    rule.domain[0][axis] = Binding::plain(dims.len());
    rule
}

struct Rows<T> {
    /// The indices of the tile's range.
    table: Vec<usize>,
    axis: usize,
    elements: PhantomData<fn() -> T>,
}

impl<T: Element> Kernel for Rows<T> {
    type X = T;
    type Y = T;

    fn forward(&mut self, x: View<T>, y: ViewMut<T>, acc: Acc) {
        let window = tile::window(&x.held[self.axis]);
        index::gather(&self.table, window, x.inner(self.axis + 1), x.data, y.data, acc);
    }

    fn adjoint(&mut self, y: View<T>, x: ViewMut<T>, acc: Acc) {
        let window = tile::window(&x.held[self.axis]);
        index::scatter(&self.table, window, y.inner(self.axis + 1), y.data, x.data, acc);
    }
}
