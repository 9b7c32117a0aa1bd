//! Stacks of operators: below each other, beside each other, on the diagonal, and in rows.

use super::error::{ExprError, Wrong};
use super::op::{Block, Kind, Op, Stacked};
use super::parts::Parts;
use super::text::{count, quote};
use super::vector::{bad_name, piece};

piece!(Block, op, Op; Op, &Op);

/// Blocks below each other: one domain, and a part of the range for each block.
///
/// Blocks are operators or pairs of a part's name and an operator.
pub fn vstack<B: Into<Block>>(blocks: impl IntoIterator<Item = B>) -> Result<Op, ExprError> {
    stack(Stacked::Vertical, blocks).checked()
}

/// Blocks beside each other: a part of the domain for each block, and one range.
pub fn hstack<B: Into<Block>>(blocks: impl IntoIterator<Item = B>) -> Result<Op, ExprError> {
    stack(Stacked::Horizontal, blocks).checked()
}

/// Blocks on the diagonal: a part of the domain and of the range for each block.
pub fn block_diag<B: Into<Block>>(blocks: impl IntoIterator<Item = B>) -> Result<Op, ExprError> {
    stack(Stacked::Diagonal, blocks).checked()
}

/// Rows of blocks: a part of the domain for each column, and a part of the range for each row.
///
/// Names in the first row name the parts of the domain.
pub fn block<B, R>(rows: impl IntoIterator<Item = R>) -> Result<Op, ExprError>
where
    B: Into<Block>,
    R: IntoIterator<Item = B>,
{
    let rows: Vec<Vec<Block>> =
        rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect();
    let stacked = rows.iter().map(|row| stack(Stacked::Horizontal, row.clone()));
    let whole = stack(Stacked::Vertical, stacked);
    Op::make(Kind::Rows(rows, whole.clone()), || Ok(whole.sides())).checked()
}

fn stack<B: Into<Block>>(how: Stacked, blocks: impl IntoIterator<Item = B>) -> Op {
    let blocks: Vec<Block> = blocks.into_iter().map(Into::into).collect();
    let listed = blocks.clone();
    Op::make(Kind::Stack(how, blocks), || sides(how, &listed))
}

fn sides(how: Stacked, blocks: &[Block]) -> Result<(Parts, Parts), Wrong> {
    let Some(first) = blocks.first() else {
        return Err(Wrong::new("a stack of nothing has no shape"));
    };
    if let Some((i, name)) = bad_name(blocks.iter().map(|b| b.name.as_deref())) {
        return Err(Wrong::new(format!("`{name}` is no name for a part")).at(i));
    }
    let domains = || parts(blocks, Op::domain);
    let ranges = || parts(blocks, Op::range);
    match how {
        Stacked::Vertical => {
            shared(blocks, Op::domain, "column", "domain")?;
            Ok((first.op.domain().clone(), ranges()?))
        }
        Stacked::Horizontal => {
            shared(blocks, Op::range, "row", "range")?;
            Ok((domains()?, first.op.range().clone()))
        }
        Stacked::Diagonal => Ok((domains()?, ranges()?)),
    }
}

/// The parts of all blocks, under their names.
fn parts(blocks: &[Block], side: fn(&Op) -> &Parts) -> Result<Parts, Wrong> {
    let parts = blocks.iter().flat_map(|b| side(&b.op).under(b.name.as_deref()));
    let parts = Parts(parts.collect());
    match parts.clash() {
        Some(name) => Err(Wrong::new(format!("two parts are named {name}"))),
        None => Ok(parts),
    }
}

/// Checks that one side has the same size in all blocks.
fn shared(blocks: &[Block], side: fn(&Op) -> &Parts, unit: &str, word: &str) -> Result<(), Wrong> {
    let first = &blocks[0].op;
    for (i, b) in blocks.iter().enumerate() {
        if side(&b.op).size() != side(first).size() {
            let message = format!(
                "{} has {} and {} has {}: the blocks share one {word}",
                quote(first),
                count(side(first).size(), unit),
                quote(&b.op),
                count(side(&b.op).size(), unit),
            );
            return Err(Wrong::new(message).at(i));
        }
    }
    Ok(())
}
