//! Selection along one axis: `y[.., i, ..] = x[.., iava[i], ..]`, adjoint
//! `x[.., j, ..] = Σ y[.., i, ..]` over the `i` with `iava[i] = j`.
//!
//! ```text
//! iava ascending:  (i) <- (i)     the range has as many elements of i as iava has
//! otherwise:       (i) <- (j)     a tile selects what falls into both of its ranges
//! ```
//! The indices are read when the operator is made, since its rule depends on them.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, FromValue, RegistryError, Value};
use super::tile::{self, Kernel, View, ViewMut, real_typed};
use super::{Handle, OperatorError};
use crate::data::Source;
use crate::elements::Element;
use adjoin_kernels::host::{Acc, index};
use adjoin_passes::signature::{
    Binding, Cost, Factor, Laws, Linearity, Rule, Spread, Typing, letter,
};
use adjoin_passes::{Dtype, Signature};
use std::marker::PhantomData;

const KIND: &str = "Restriction";

/// Indices of an axis; negative ones count from its end.
#[derive(Clone, Debug)]
pub enum Indices {
    /// In memory.
    List(Vec<isize>),
    /// An array of one dim, of whole numbers.
    Source(Source),
}

impl<const N: usize> From<[isize; N]> for Indices {
    fn from(indices: [isize; N]) -> Self {
        Indices::List(indices.to_vec())
    }
}

impl From<Vec<isize>> for Indices {
    fn from(indices: Vec<isize>) -> Self {
        Indices::List(indices)
    }
}

impl From<Source> for Indices {
    fn from(source: Source) -> Self {
        Indices::Source(source)
    }
}

impl FromValue for Indices {
    const EXPECTED: &'static str = "an array of whole numbers";
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Array(source) = value {
            return Some(Indices::Source(source.clone()));
        }
        Vec::from_value(value).map(Indices::List)
    }
}

/// A selection to be built.
#[derive(Clone, Debug)]
pub struct Restriction {
    dims: Dims,
    iava: Indices,
    axis: isize,
    dtype: Dtype,
}

/// The operator that selects the indices `iava` of arrays of `dims`.
pub fn restriction(dims: impl Into<Dims>, iava: impl Into<Indices>) -> Restriction {
    Restriction { dims: dims.into(), iava: iava.into(), axis: -1, dtype: Dtype::F64 }
}

impl Restriction {
    /// The axis along which is selected, the last one otherwise.
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
        dims::check(KIND, &dims)?;
        let axis = dims::axis(KIND, self.axis, &dims)?;
        dims::check_table(KIND, dims[axis])?;
        let iava = resolved(&self.iava, dims[axis])?;
        leaf(signature(self.dtype, dims, axis, &iava), move |signature, tile| {
            let rows = tile.range_box(&signature.rule, 0)[axis].clone();
            let table = iava[rows].to_vec();
            real_typed!(tile.domain, T => {
                let kernel = Rows::<T> { table, axis, elements: PhantomData };
                Ok(tile::local(signature, tile, kernel))
            })
        })
    }
}

/// The indices, each of them in `0..n`.
fn resolved(indices: &Indices, n: usize) -> Result<Vec<usize>, OperatorError> {
    let list = match indices {
        Indices::List(list) => list.clone(),
        Indices::Source(source) => listed(source)?,
    };
    let resolve = |i: isize| {
        let at = if i < 0 { i.checked_add_unsigned(n) } else { Some(i) };
        match at.and_then(|at| usize::try_from(at).ok()).filter(|&at| at < n) {
            Some(at) => Ok(at),
            None => dims::fail(KIND, format!("iava has {i}, which is outside of an axis of {n}")),
        }
    };
    list.into_iter().map(resolve).collect()
}

fn listed(source: &Source) -> Result<Vec<isize>, OperatorError> {
    let &[len] = source.dims() else {
        return dims::fail(KIND, format!("iava has dims {:?}, and must have one", source.dims()));
    };
    dims::check_table(KIND, len)?;
    if source.dtype().is_complex() {
        return dims::fail(KIND, "iava has complex numbers, and must have whole ones");
    }
    let whole = |x: f64| match x {
        x if x.fract() == 0.0 && x.abs() < 9e15 => Ok(x as isize),
        x => dims::fail(KIND, format!("iava has {x}, which is no whole number")),
    };
    tile::read::<f64>(KIND, source, std::slice::from_ref(&(0..len)))?
        .into_iter()
        .map(whole)
        .collect()
}

fn signature(dtype: Dtype, dims: Vec<usize>, axis: usize, iava: &[usize]) -> Signature {
    let n = dims[axis];
    let ascending = iava.is_sorted();
    let mut counts = vec![0; n];
    for &i in iava {
        counts[i] += 1;
    }
    let distinct = counts.iter().all(|&c| c <= 1);
    let bijective = distinct && iava.len() == n;
    let mut range = dims.clone();
    range[axis] = iava.len();
    let rule = if ascending { ragged(&dims, axis, counts) } else { dense(&dims, axis, iava.len()) };
    Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        domain: vec![dims],
        range: vec![range],
        rule,
        linearity: Linearity::Complex,
        laws: Laws {
            co_isometry: distinct,
            isometry: bijective,
            permutation: bijective,
            identity: bijective && ascending,
            self_adjoint: bijective && ascending,
            diagonal: bijective && ascending,
            projection: bijective && ascending,
            ..Laws::default()
        },
        cost: Cost { holds: size_of_val(iava) as f64, ..Cost::default() },
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

    fn forward(&mut self, _panel: usize, x: View<T>, y: ViewMut<T>, acc: Acc) {
        let window = tile::window(&x.held[self.axis]);
        index::gather(&self.table, window, x.inner(self.axis + 1), x.data, y.data, acc);
    }

    fn adjoint(&mut self, _panel: usize, y: View<T>, x: ViewMut<T>, acc: Acc) {
        let window = tile::window(&x.held[self.axis]);
        index::scatter(&self.table, window, y.inner(self.axis + 1), y.data, x.data, acc);
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "iava", "axis", "dtype"],
    ignored: &["inplace", "forceflat", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = restriction(given.need::<Dims>("dims")?, given.need::<Indices>("iava")?);
    given.set("axis", &mut operator.axis)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
