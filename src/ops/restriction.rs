//! Selection along one axis: `y[.., i, ..] = x[.., iava[i], ..]`, adjoint
//! `x[.., j, ..] = Σ y[.., i, ..]` over the `i` with `iava[i] = j`.
//!
//! ```text
//! iava ascending:  (i) <- (i)
//! otherwise:       (i) <- (j)
//! ```
//! The indices are read when the operator is made, since its rule depends on them.

use super::dims::{self, Dims};
use super::indexed;
use super::registry::{Arguments, Entry, FromValue, RegistryError, Value};
use super::tile;
use super::{Handle, OperatorError};
use crate::data::Source;
use adjoin_passes::Dtype;

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
    const EXPECTED: &'static str = "an array or a list of whole numbers";
    fn from_value(value: &Value) -> Option<Self> {
        // Numbers in a list are reals, as those of other arrays.
        let whole = |item: &Value| match item {
            Value::Number(x) if x.fract() == 0.0 => Some(*x as isize),
            item => isize::from_value(item),
        };
        match value {
            Value::Array(source) => Some(Indices::Source(source.clone())),
            Value::List(items) => items.iter().map(whole).collect::<Option<_>>().map(Indices::List),
            one => whole(one).map(|index| Indices::List(vec![index])),
        }
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
        let axis = indexed::axis(KIND, self.axis, &dims)?;
        let iava = resolved(&self.iava, dims[axis])?;
        indexed::indexed(KIND, self.dtype, dims, axis, iava)
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
