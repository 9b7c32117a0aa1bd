//! The identity: `y = x`, cut or padded with zeros where `N` and `M` differ; adjoint `x = y`,
//! padded or cut.
//!
//! ```text
//! (i) <- (i)
//! ```
//! One factor for each axis, as long as the longer side; the shorter side has an element for the
//! first values of it only.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::moves::{Moves, between};
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, real_typed};
use super::{Handle, OperatorError};
use adjoin_passes::placement::intersect;
use adjoin_passes::signature::{
    Binding, Cost, Factor, Laws, Linearity, Rule, Spread, Typing, letter,
};
use adjoin_passes::{Dtype, Signature};

const KIND: &str = "Identity";

/// An identity to be built.
#[derive(Clone, Debug)]
pub struct Identity {
    n: Dims,
    m: Option<Dims>,
    dtype: Dtype,
}

/// The identity on vectors of dims `n`.
pub fn identity(n: impl Into<Dims>) -> Identity {
    Identity { n: n.into(), m: None, dtype: Dtype::F64 }
}

impl Identity {
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
        if n.len() != m.len() {
            return dims::fail(KIND, format!("N {n:?} and M {m:?} must have as many axes"));
        }
        let (wide, tall) = (not_longer(&n, &m), not_longer(&m, &n));
        if !wide && !tall {
            let message =
                format!("N {n:?} is longer than M {m:?} on some axes and shorter on others");
            return dims::fail(KIND, message);
        }
        leaf(signature(self.dtype, n, m)?, |signature, tile| {
            let domain = tile.domain_box(&signature.rule, 0);
            let range = tile.range_box(&signature.rule, 0);
            let common = intersect(&domain, &range);
            let fills = (common == range, common == domain);
            let make = move |group| between(&domain, &range, &common, group);
            real_typed!(tile.domain, T => {
                Ok(tile::local(signature, tile, Moves::<T, _>::new(fills, make)))
            })
        })
    }
}

fn not_longer(a: &[usize], b: &[usize]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b)
}

fn signature(dtype: Dtype, n: Vec<usize>, m: Vec<usize>) -> Result<Signature, OperatorError> {
    let square = n == m;
    let laws = Laws {
        identity: square,
        self_adjoint: square,
        diagonal: square,
        permutation: square,
        projection: square,
        isometry: not_longer(&m, &n),
        co_isometry: not_longer(&n, &m),
        ..Laws::default()
    };
    Ok(Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        rule: cut_rule(KIND, &n, &m)?,
        domain: vec![m],
        range: vec![n],
        linearity: Linearity::Complex,
        laws,
        cost: Cost::default(),
    })
}

/// The rule of a range of dims `n` and a domain of dims `m` that agree from the first index on.
pub(super) fn cut_rule(kind: &str, n: &[usize], m: &[usize]) -> Result<Rule, OperatorError> {
    dims::check(kind, n)?;
    dims::check(kind, m)?;
    let mut rule = Rule { factors: vec![], domain: vec![vec![]], range: vec![vec![]] };
    for (d, (&n, &m)) in n.iter().zip(m).enumerate() {
        rule.factors.push(Factor::free(letter(d), n.max(m)));
        rule.range[0].push(first(kind, d, n, m)?);
        rule.domain[0].push(first(kind, d, m, n)?);
    }
    Ok(rule)
}

/// A dim that has the first `n` values of a factor.
fn first(kind: &str, factor: usize, n: usize, other: usize) -> Result<Binding, OperatorError> {
    if n >= other {
        return Ok(Binding::plain(factor));
    }
    dims::check_table(kind, other)?;
    let counts = (0..other).map(|i| usize::from(i < n));
    Ok(Binding::ragged(factor, Spread::from_counts(counts)))
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["N", "M", "dtype"],
    ignored: &["inplace", "forceflat", "name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = identity(given.need::<Dims>("N")?);
    given.set("M", &mut operator.m)?;
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
