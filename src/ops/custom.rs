//! Operators of your own, in two halves: a signature, and a builder of tiles.
//!
//! ```text
//! y = A x, x = Aᴴ y as the built tiles do it
//! ```
//! The builder is called only on ranks that own a tile, with the tile; the local operator that it
//! returns works on the patches of that tile.
//! What the signature says of rule, laws and linearity is a claim, which is tested on the real
//! tiles before a pass relies on it.

use super::leaf::{Leaf, checked};
use super::{Conduct, Handle, LocalOperator, OperatorError, Residency, Tile};
use adjoin_passes::signature::{Cost, Laws, Linearity, Rule, Typing};
use adjoin_passes::{Dtype, Signature};

/// An operator of your own to be built.
pub struct Custom<B> {
    signature: Signature,
    builder: B,
    conduct: Conduct,
}

/// The operator of a signature and a builder of its tiles.
pub fn custom<B>(signature: Signature, builder: B) -> Custom<B>
where
    B: Fn(&Tile) -> Result<Box<dyn LocalOperator>, OperatorError> + Send + Sync + 'static,
{
    let conduct = Conduct { claims: true, ..Conduct::default() };
    Custom { signature, builder, conduct }
}

/// The signature of an operator of which nothing is known but its shapes: no dim can be split.
pub fn opaque(
    kind: impl Into<String>,
    dtype: Dtype,
    domain: impl Into<Vec<Vec<usize>>>,
    range: impl Into<Vec<Vec<usize>>>,
) -> Signature {
    let (domain, range) = (domain.into(), range.into());
    Signature {
        kind: kind.into(),
        dtype,
        typing: Typing::Same,
        rule: Rule::opaque(&domain, &range),
        domain,
        range,
        linearity: Linearity::Complex,
        laws: Laws::default(),
        cost: Cost::default(),
    }
}

impl<B> Custom<B>
where
    B: Fn(&Tile) -> Result<Box<dyn LocalOperator>, OperatorError> + Send + Sync + 'static,
{
    /// Floating point operations of an application of the whole operator.
    pub fn flops(mut self, flops: f64) -> Self {
        self.signature.cost.flops = flops;
        self
    }

    /// Bytes that the tiles of the whole operator hold while they are bound.
    pub fn resident_bytes(mut self, bytes: f64) -> Self {
        self.signature.cost.holds = bytes;
        self
    }

    /// Bytes of scratch.
    pub fn scratch_bytes(mut self, bytes: f64) -> Self {
        self.signature.cost.scratch = bytes;
        self
    }

    /// Seconds that it takes to build the tiles.
    pub fn setup_seconds(mut self, seconds: f64) -> Self {
        self.signature.cost.setup = seconds;
        self
    }

    /// Whether tiles of one process may be applied by several threads at once; they may otherwise.
    pub fn thread_safe(mut self, safe: bool) -> Self {
        self.conduct.thread_safe = safe;
        self
    }

    /// Whether tiles are kept or built for each application; they are kept otherwise.
    pub fn residency(mut self, residency: Residency) -> Self {
        self.conduct.residency = residency;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let Custom { signature, builder, conduct } = self;
        let builder = move |_: &Signature, tile: &Tile| builder(tile);
        checked(Leaf { signature, builder, conduct })
    }
}
