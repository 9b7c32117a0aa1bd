//! An operator made of a signature and a function that builds its tiles.

use super::{Conduct, Handle, LocalOperator, Operator, OperatorError, Tile, dims};
use adjoin_passes::Signature;
use std::sync::Arc;

/// A signature and a builder.
pub(super) struct Leaf<B> {
    pub signature: Signature,
    pub builder: B,
    pub conduct: Conduct,
}

impl<B> Operator for Leaf<B>
where
    B: Fn(&Signature, &Tile) -> Result<Box<dyn LocalOperator>, OperatorError> + Send + Sync,
{
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn build(&self, tile: &Tile) -> Result<Box<dyn LocalOperator>, OperatorError> {
        (self.builder)(&self.signature, tile)
    }

    fn conduct(&self) -> Conduct {
        self.conduct
    }
}

/// An operator of this crate.
pub(super) fn leaf<B>(signature: Signature, builder: B) -> Result<Handle, OperatorError>
where
    B: Fn(&Signature, &Tile) -> Result<Box<dyn LocalOperator>, OperatorError>
        + Send
        + Sync
        + 'static,
{
    checked(Leaf { signature, builder, conduct: Conduct::default() })
}

/// The operator, if rule and shapes of its signature belong together.
pub(super) fn checked<B>(leaf: Leaf<B>) -> Result<Handle, OperatorError>
where
    Leaf<B>: Operator + 'static,
{
    let kind = &leaf.signature.kind;
    for part in leaf.signature.domain.iter().chain(&leaf.signature.range) {
        dims::check(kind, part)?;
    }
    match leaf.signature.check() {
        Ok(()) => Ok(Arc::new(leaf)),
        Err(message) => dims::fail(kind, message),
    }
}
