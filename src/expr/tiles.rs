//! The operator of a family: builds only the blocks of a tile, and applies them one by one.

use super::family::{Make, leaf};
use super::op::Stacked;
use super::ragged::{BlockSide, emptied, emptied_mut, zero};
use crate::ops::{
    Conduct, LocalOperator, Operator, OperatorError, Patch, PatchMut, Residency, Tile,
};
use adjoin_kernels::host::Acc;
use adjoin_passes::Signature;
use std::sync::Arc;

/// A stack of many blocks.
pub(super) struct FamilyOperator {
    pub signature: Signature,
    pub how: Stacked,
    /// The index of the first block.
    pub first: usize,
    pub shapes: Vec<BlockShape>,
    pub make: Arc<Make>,
    /// How the blocks are to be treated; transient ones are built and dropped at each apply.
    pub conduct: Conduct,
}

/// What is known of a block before it is built.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BlockShape {
    domain: Vec<Vec<usize>>,
    range: Vec<Vec<usize>>,
    factors: Vec<usize>,
}

/// The blocks of one tile.
struct LocalFamily {
    blocks: Vec<LocalBlock>,
    reads: Vec<Patch<'static>>,
    writes: Vec<PatchMut<'static>>,
}

struct LocalBlock {
    build: Builder,
    /// The built block, if it stays.
    resident: Option<Box<dyn LocalOperator>>,
    domain: BlockSide,
    range: BlockSide,
}

/// All that it takes to build a block.
struct Builder {
    index: usize,
    shape: BlockShape,
    tile: Tile,
    make: Arc<Make>,
}

impl BlockShape {
    pub fn of(signature: &Signature) -> Self {
        BlockShape {
            domain: signature.domain.clone(),
            range: signature.range.clone(),
            factors: signature.rule.factors.iter().map(|f| f.size).collect(),
        }
    }
}

impl Operator for FamilyOperator {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn build(&self, tile: &Tile) -> Result<Box<dyn LocalOperator>, OperatorError> {
        let rule = &self.signature.rule;
        let b = match self.how {
            Stacked::Vertical | Stacked::Diagonal => 0,
            Stacked::Horizontal => rule.factors.len() - 1,
        };
        let offsets = |k: usize| {
            let of = |side: &[Vec<adjoin_passes::signature::Binding>]| {
                side[0].first().filter(|d| d.factor == b).map(|d| d.spread.at(k))
            };
            (of(&rule.domain), of(&rule.range))
        };
        let block = |k: usize| {
            let shape = &self.shapes[k];
            let factors = shape.factors.iter().map(|&n| 0..n).collect();
            let (domain, range) = offsets(k);
            let build = Builder {
                index: self.first + k,
                shape: shape.clone(),
                tile: Tile { factors, ..tile.clone() },
                make: self.make.clone(),
            };
            Ok(LocalBlock {
                resident: match self.conduct.residency {
                    Residency::Resident => Some(build.block()?),
                    Residency::Transient => None,
                },
                domain: BlockSide::new(domain, &self.signature.domain, &shape.domain),
                range: BlockSide::new(range, &self.signature.range, &shape.range),
                build,
            })
        };
        let blocks = tile.factors[b].clone().map(block).collect::<Result<_, _>>()?;
        Ok(Box::new(LocalFamily { blocks, reads: Vec::new(), writes: Vec::new() }))
    }

    /// That of the blocks, but the tile itself stays: it drops its blocks by itself.
    fn conduct(&self) -> Conduct {
        Conduct { residency: Residency::Resident, ..self.conduct }
    }
}

impl Builder {
    fn block(&self) -> Result<Box<dyn LocalOperator>, OperatorError> {
        let named = |e: &dyn std::fmt::Display| OperatorError(format!("block {}: {e}", self.index));
        let op = (self.make)(self.index).map_err(|e| named(&e))?;
        let operator = leaf(&op).ok_or_else(|| named(&"is no single operator any more"))?;
        if BlockShape::of(operator.signature()) != self.shape {
            return Err(named(&"has another shape than when it was planned"));
        }
        operator.build(&self.tile).map_err(|e| named(&e))
    }
}

impl LocalBlock {
    /// The built block and its two sides; `temporary` holds a block that is not resident.
    fn open<'a>(
        &'a mut self,
        temporary: &'a mut Option<Box<dyn LocalOperator>>,
    ) -> Result<(&'a mut dyn LocalOperator, &'a mut BlockSide, &'a mut BlockSide), OperatorError>
    {
        let block = match &mut self.resident {
            Some(block) => block,
            None => temporary.insert(self.build.block()?),
        };
        Ok((block.as_mut(), &mut self.domain, &mut self.range))
    }
}

impl LocalOperator for LocalFamily {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let mut shared = Shared::new(acc, self.blocks.first().map(|b| &b.range));
        shared.prepare(y);
        for block in &mut self.blocks {
            let mut temporary = None;
            let (op, domain, range) = block.open(&mut temporary)?;
            let mut reads = emptied(std::mem::take(&mut self.reads));
            let mut writes = emptied_mut(std::mem::take(&mut self.writes));
            domain.read(x, &mut reads);
            range.write(y, &mut writes);
            let acc = shared.next();
            op.forward(&reads, &mut writes, acc)?;
            self.reads = emptied(reads);
            self.writes = emptied_mut(writes);
        }
        Ok(())
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let mut shared = Shared::new(acc, self.blocks.first().map(|b| &b.domain));
        shared.prepare(x);
        for block in &mut self.blocks {
            let mut temporary = None;
            let (op, domain, range) = block.open(&mut temporary)?;
            let mut reads = emptied(std::mem::take(&mut self.reads));
            let mut writes = emptied_mut(std::mem::take(&mut self.writes));
            range.read(y, &mut reads);
            domain.write(x, &mut writes);
            let acc = shared.next();
            op.adjoint(&reads, &mut writes, acc)?;
            self.reads = emptied(reads);
            self.writes = emptied_mut(writes);
        }
        Ok(())
    }
}

/// How each block writes: to its own elements as asked, to shared ones after the first by adding.
struct Shared {
    acc: Acc,
    /// Whether all blocks write to the same elements.
    common: bool,
    empty: bool,
}

impl Shared {
    fn new(acc: Acc, side: Option<&BlockSide>) -> Self {
        Shared { acc, common: side.is_some_and(|s| s.offset.is_none()), empty: side.is_none() }
    }

    /// Without a block nobody else would replace what the output holds.
    fn prepare(&self, out: &mut [PatchMut<'_>]) {
        if self.empty && self.acc == Acc::Set {
            out.iter_mut().for_each(zero);
        }
    }

    fn next(&mut self) -> Acc {
        let acc = self.acc;
        if self.common {
            self.acc = Acc::Add;
        }
        acc
    }
}
