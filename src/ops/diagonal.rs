//! Weights: `y = d ∘ x`, adjoint `x = conj(d) ∘ y`.
//!
//! The weights have the dims of the vectors, or lie along one axis and are the same along the
//! others.
//! Every factor passes; real weights make it self-adjoint.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Each, Kernel, View, ViewMut, typed};
use super::{Elementwise, Handle, OperatorError};
use crate::data::Source;
use crate::elements::Element;
use adjoin_kernels::host::{Acc, diagonal as kernel};
use adjoin_passes::signature::{Cost, Laws, Linearity, Rule, Typing};
use adjoin_passes::{Dtype, Signature};
use std::sync::Arc;

const KIND: &str = "Diagonal";

/// Weights to be built.
#[derive(Clone, Debug)]
pub struct Diagonal {
    diag: Source,
    dims: Option<Dims>,
    axis: isize,
    dtype: Option<Dtype>,
}

/// The operator of the weights `diag`.
pub fn diagonal(diag: impl Into<Source>) -> Diagonal {
    Diagonal { diag: diag.into(), dims: None, axis: -1, dtype: None }
}

impl Diagonal {
    /// The dims of the vectors, those of the weights otherwise.
    pub fn dims(mut self, dims: impl Into<Dims>) -> Self {
        self.dims = Some(dims.into());
        self
    }

    /// The axis along which weights of one dim lie, the last one otherwise.
    pub fn axis(mut self, axis: isize) -> Self {
        self.axis = axis;
        self
    }

    /// The type of the weights, that of their source otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let diag = tile::cast(KIND, self.diag, self.dtype)?;
        let dims = self.dims.map_or_else(|| diag.dims().to_vec(), |d| d.0);
        let axis =
            if diag.dims() == dims { None } else { Some(weighed(diag.dims(), &dims, self.axis)?) };
        let dtype = diag.dtype();
        leaf(signature(dtype, &dims, diag.dims()), move |signature, tile| {
            let held = match axis {
                Some(axis) => &tile.factors[axis..=axis],
                None => &tile.factors[..],
            };
            let before = axis.map_or(held.len(), |axis| axis + 1);
            typed!(tile.arithmetic(dtype), T => {
                let (d, each) = (tile::read(KIND, &diag, held)?, axis.is_none());
                let kernel = Weights::<T> { d: d.into(), before, each };
                Ok(tile::local(signature, tile, kernel))
            })
        })
    }
}

/// The axis of `dims` along which the weights lie.
fn weighed(diag: &[usize], dims: &[usize], axis: isize) -> Result<usize, OperatorError> {
    let axis = dims::axis(KIND, axis, dims)?;
    if *diag == [dims[axis]] {
        return Ok(axis);
    }
    dims::fail(KIND, format!("diag is {diag:?} and does not fit axis {axis} of dims {dims:?}"))
}

fn signature(dtype: Dtype, dims: &[usize], diag: &[usize]) -> Signature {
    let bytes = tile::count(diag) * dtype.size() as f64;
    let flops = tile::flops(dtype) / 2.0 * tile::count(dims);
    Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        domain: vec![dims.to_vec()],
        range: vec![dims.to_vec()],
        rule: Rule::elementwise(dims),
        linearity: Linearity::Complex,
        laws: Laws { diagonal: true, self_adjoint: !dtype.is_complex(), ..Laws::default() },
        cost: Cost { flops, reads: bytes, holds: bytes, ..Cost::default() },
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["diag", "dims", "axis", "dtype"],
    ignored: &["forceflat", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = diagonal(given.need::<Source>("diag")?);
    given.set("dims", &mut operator.dims)?;
    given.set("axis", &mut operator.axis)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}

struct Weights<T> {
    d: Arc<[T]>,
    /// The dims up to the last one that has weights.
    before: usize,
    /// Whether every element has a weight of its own.
    each: bool,
}

impl<T: Element> Kernel for Weights<T> {
    type X = T;
    type Y = T;

    fn forward(&mut self, x: View<T>, y: ViewMut<T>, acc: Acc) {
        kernel::apply(&self.d, false, x.inner(self.before), x.data, y.data, acc);
    }

    fn adjoint(&mut self, y: View<T>, x: ViewMut<T>, acc: Acc) {
        kernel::apply(&self.d, true, y.inner(self.before), y.data, x.data, acc);
    }

    fn elements(&self) -> Option<Arc<dyn Elementwise>> {
        self.each.then(|| Arc::new(Own(self.d.clone())) as Arc<dyn Elementwise>)
    }
}

/// A weight for each element.
struct Own<T>(Arc<[T]>);

impl<T: Element> Each for Own<T> {
    type X = T;

    fn each(&self, adjoint: bool, start: usize, group: usize, x: &[T], y: &mut [T]) {
        let d = &self.0[start..start + x.len() / group];
        kernel::apply(d, adjoint, group, x, y, Acc::Set);
    }

    fn weights(&self) -> Option<&[T]> {
        Some(&self.0)
    }
}
