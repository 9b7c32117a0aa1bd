//! Sums along one axis: `y[..] = Σⱼ x[.., j, ..]`, adjoint `x[.., j, ..] = y[..]`.
//!
//! ```text
//! (i..) <- (i.., j)
//! ```
//! An array of one dim is seen as a column `[n, 1]`, so that its sum is an array `[1]`.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Kernel, View, ViewMut, real_typed};
use super::{Handle, OperatorError};
use crate::elements::Element;
use adjoin_kernels::host::{Acc, sums};
use adjoin_passes::signature::{Binding, Cost, Factor, Laws, Linearity, Rule, Typing, letter};
use adjoin_passes::{Dtype, Signature};
use std::marker::PhantomData;

const KIND: &str = "Sum";

/// A sum to be built.
#[derive(Clone, Debug)]
pub struct Sum {
    dims: Dims,
    axis: isize,
    dtype: Dtype,
}

/// The sum of arrays of `dims` along an axis.
pub fn sum(dims: impl Into<Dims>) -> Sum {
    Sum { dims: dims.into(), axis: -1, dtype: Dtype::F64 }
}

impl Sum {
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
        let mut dims = self.dims.0;
        dims::check(KIND, &dims)?;
        let axis = dims::axis(KIND, self.axis, &dims)?;
        if dims.len() == 1 {
            dims.push(1);
        }
        leaf(signature(self.dtype, dims, axis), move |signature, tile| {
            real_typed!(tile.domain, T => {
                let kernel = Along::<T> { axis, elements: PhantomData };
                Ok(tile::local(signature, tile, kernel))
            })
        })
    }
}

fn signature(dtype: Dtype, dims: Vec<usize>, axis: usize) -> Signature {
    let mut range = dims.clone();
    range.remove(axis);
    let mut rule = Rule::elementwise(&range);
    rule.factors.push(Factor::free(letter(range.len()), dims[axis]));
    rule.domain[0].insert(axis, Binding::plain(range.len()));
    Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        cost: Cost { flops: tile::count(&dims), ..Cost::default() },
        domain: vec![dims],
        range: vec![range],
        rule,
        linearity: Linearity::Complex,
        laws: Laws::default(),
    }
}

struct Along<T> {
    axis: usize,
    elements: PhantomData<fn() -> T>,
}

impl<T: Element> Kernel for Along<T> {
    type X = T;
    type Y = T;

    fn forward(&mut self, x: View<T>, y: ViewMut<T>, acc: Acc) {
        let n = x.held[self.axis].len();
        sums::sum(n, x.inner(self.axis + 1), x.data, y.data, acc);
    }

    fn adjoint(&mut self, y: View<T>, x: ViewMut<T>, acc: Acc) {
        let n = x.held[self.axis].len();
        sums::spread(n, y.inner(self.axis), y.data, x.data, acc);
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "axis", "dtype"],
    ignored: &["forceflat", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = sum(given.need::<Dims>("dims")?);
    given.set("axis", &mut operator.axis)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
