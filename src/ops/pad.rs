//! Padding with zeros: `y[i + before] = x[i]` along each axis, zero elsewhere; adjoint
//! `x[i] = y[i + before]`.
//!
//! ```text
//! (i) <- (i)
//! ```
//! The samples that are added belong to the first and the last sample of their axis.

use super::dims::{self, Dims};
use super::leaf::leaf;
use super::moves::{Moves, between};
use super::registry::{Arguments, Entry, RegistryError};
use super::tile::{self, real_typed};
use super::{Handle, OperatorError};
use adjoin_passes::placement::{Region, intersect};
use adjoin_passes::signature::{Binding, Cost, Laws, Linearity, Rule, Spread, Typing};
use adjoin_passes::{Dtype, Signature};

const KIND: &str = "Pad";

/// For each axis how many samples are added before and after: `[3, 0]` or `[[2, 1], [1, 5]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<[usize; 2]>);

impl From<[usize; 2]> for Pairs {
    fn from(pair: [usize; 2]) -> Self {
        Pairs(vec![pair])
    }
}

impl<const N: usize> From<[[usize; 2]; N]> for Pairs {
    fn from(pairs: [[usize; 2]; N]) -> Self {
        Pairs(pairs.to_vec())
    }
}

impl From<Vec<[usize; 2]>> for Pairs {
    fn from(pairs: Vec<[usize; 2]>) -> Self {
        Pairs(pairs)
    }
}

/// A padding to be built.
#[derive(Clone, Debug)]
pub struct Pad {
    dims: Dims,
    widths: Pairs,
    dtype: Dtype,
}

/// The operator that adds `pad` zeros before and after each axis of arrays of `dims`.
pub fn pad(dims: impl Into<Dims>, pad: impl Into<Pairs>) -> Pad {
    Pad { dims: dims.into(), widths: pad.into(), dtype: Dtype::F64 }
}

impl Pad {
    /// The type of the operator, `f64` otherwise.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let (dims, pairs) = (self.dims.0, self.widths.0);
        let signature = signature(self.dtype, dims, &pairs)?;
        leaf(signature, move |signature, tile| {
            let domain = moved(tile.domain_box(&signature.rule, 0), &pairs);
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

/// Where the samples of a box are after padding.
fn moved(held: Region, pairs: &[[usize; 2]]) -> Region {
    let shift =
        |(r, [before, _]): (std::ops::Range<usize>, &[usize; 2])| r.start + before..r.end + before;
    held.into_iter().zip(pairs).map(shift).collect()
}

fn signature(
    dtype: Dtype,
    dims: Vec<usize>,
    pairs: &[[usize; 2]],
) -> Result<Signature, OperatorError> {
    if pairs.len() != dims.len() {
        let message = format!("pad {pairs:?} must have a pair for each axis of dims {dims:?}");
        return dims::fail(KIND, message);
    }
    dims::check(KIND, &dims)?;
    let mut rule = Rule::elementwise(&dims);
    let mut range = dims.clone();
    for (d, &[before, after]) in pairs.iter().enumerate() {
        let n = dims[d];
        let padded = n.checked_add(before).and_then(|n| n.checked_add(after));
        let Some(padded) = padded else {
            return dims::fail(KIND, format!("pad {pairs:?} is more than can be addressed"));
        };
        if padded == n {
            continue;
        }
        if n == 0 {
            return dims::fail(
                KIND,
                format!("dims {dims:?} have no samples along axis {d} to pad"),
            );
        }
        dims::check_table(KIND, padded)?;
        let mut counts = vec![1; n];
        counts[0] += before;
        counts[n - 1] += after;
        rule.range[0][d] = Binding::ragged(d, Spread::from_counts(counts));
        range[d] = padded;
    }
    let same = range == dims;
    Ok(Signature {
        kind: KIND.into(),
        dtype,
        typing: Typing::Same,
        domain: vec![dims],
        range: vec![range],
        rule,
        linearity: Linearity::Complex,
        laws: Laws {
            isometry: true,
            co_isometry: same,
            permutation: same,
            self_adjoint: same,
            identity: same,
            diagonal: same,
            projection: same,
            ..Laws::default()
        },
        cost: Cost::default(),
    })
}

pub(super) const ENTRY: Entry = Entry {
    name: KIND,
    parameters: &["dims", "pad", "dtype"],
    ignored: &["name"],
    build: from_arguments,
};

fn from_arguments(given: &Arguments) -> Result<Handle, RegistryError> {
    let mut operator = pad(given.need::<Dims>("dims")?, given.need::<Pairs>("pad")?);
    given.set("dtype", &mut operator.dtype)?;
    Ok(operator.build()?)
}
