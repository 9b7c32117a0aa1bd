//! Zero: `y = 0`, adjoint `x = 0`.
//!
//! Where range and domain have as many axes their indices go together, as those of the identity,
//! so that splits of one side become splits of the other; otherwise `(i..) <- (j..)`.

use super::dims::{self, Dims};
use super::identity::cut_rule;
use super::leaf::leaf;
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, Kernel, View, ViewMut, real_typed};
use super::{Handle, OperatorError};
use crate::elements::Element;
use adjoin_kernels::host::Acc;
use adjoin_passes::signature::{Binding, Cost, Factor, Laws, Linearity, Rule, Typing, letter};
use adjoin_passes::{Dtype, Signature};
use std::marker::PhantomData;

const KIND: &str = "Zero";

/// A zero to be built.
#[derive(Clone, Debug)]
pub struct Zero {
    n: Dims,
    m: Option<Dims>,
    dtype: Dtype,
}

/// The zero on vectors of dims `n`.
pub fn zero(n: impl Into<Dims>) -> Zero {
    Zero { n: n.into(), m: None, dtype: Dtype::F64 }
}

impl Zero {
    /// The dims of the domain, where they differ from those of the range.
    pub fn m(mut self, m: impl Into<Dims>) -> Self {
        self.m = Some(m.into());
        self
    }

    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let n = self.n.0;
        let m = self.m.map_or_else(|| n.clone(), |m| m.0);
        leaf(signature(self.dtype, n, m)?, |signature, tile| {
            real_typed!(tile.domain, T => {
                Ok(tile::local(signature, tile, Nothing::<T>(PhantomData)))
            })
        })
    }
}

fn signature(dtype: Dtype, n: Vec<usize>, m: Vec<usize>) -> Result<Signature, OperatorError> {
    let square = n == m;
    Ok(Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        rule: rule(&n, &m)?,
        domain: vec![m],
        range: vec![n],
        linearity: Linearity::Complex,
        laws: Laws {
            zero: true,
            self_adjoint: square,
            diagonal: square,
            projection: square,
            ..Laws::default()
        },
        cost: Cost::default(),
    })
}

fn rule(n: &[usize], m: &[usize]) -> Result<Rule, OperatorError> {
    if n.len() == m.len() {
        return cut_rule(KIND, n, m);
    }
    dims::check(KIND, n)?;
    dims::check(KIND, m)?;
    let sizes = n.iter().chain(m).enumerate();
    Ok(Rule {
        factors: sizes.map(|(f, &size)| Factor::free(letter(f), size)).collect(),
        domain: vec![(n.len()..n.len() + m.len()).map(Binding::plain).collect()],
        range: vec![(0..n.len()).map(Binding::plain).collect()],
    })
}

struct Nothing<T>(PhantomData<fn() -> T>);

impl<T: Element> Kernel for Nothing<T> {
    type X = T;
    type Y = T;

    fn forward(&mut self, _x: View<T>, y: ViewMut<T>, acc: Acc) {
        acc.prepare(y.data);
    }

    fn adjoint(&mut self, _y: View<T>, x: ViewMut<T>, acc: Acc) {
        acc.prepare(x.data);
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["N", "M", "dtype"],
    ignored: &["forceflat", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = zero(given.need::<Dims>("N")?);
    given.set("M", &mut operator.m)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
