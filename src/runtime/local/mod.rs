//! Local nodes: what a plan computes without communication, on typed memory.
//!
//! Numbers that scale vectors are double precision and weak: the vector's precision stays.
//! A number may also have the trailing dims of the vector, one for each column.
//! The result may be written where an argument stands; its elements are then the same, bit by bit.

mod elementwise;
mod functions;
mod index;
mod map;
mod project;
mod steps;
mod sums;
mod typed;

pub use functions::{ElementFunction, Functions, WholeFunction};

use crate::elements::{Slice, SliceMut};
use adjoin_kernels::host::columns;
use adjoin_kernels::host::dot::BLOCK;
use adjoin_passes::calls::View;
use adjoin_passes::ir::Op;
use adjoin_passes::text::word;
use functions::Function;
use num_complex::Complex64;
use std::ops::Range;

/// A local node, ready to run many times.
pub struct LocalNode {
    op: Op,
    args: Vec<View>,
    out: View,
    function: Function,
    columns: Vec<Complex64>,
}

/// An argument's elements, or none if it stands where the result is written.
pub type Arg<'a> = Option<Slice<'a>>;

impl LocalNode {
    /// Checks that the node can be computed, and finds the function that it names.
    ///
    /// A slot has one argument: all slots, one after the other.
    pub fn new(op: &Op, args: &[View], out: &View, functions: &Functions) -> Result<Self, String> {
        check_arguments(op, args)?;
        for arg in args.iter().filter(|arg| arg.buffer == out.buffer) {
            if arg.dtype != out.dtype || arg.len() != out.len() {
                return Err(format!("{} cannot be written where its argument stands", word(op)));
            }
        }
        let columns = if matches!(op, Op::Dot { .. }) { out.len() } else { 0 };
        Ok(LocalNode {
            function: functions.find(op)?,
            op: op.clone(),
            args: args.to_vec(),
            out: out.clone(),
            columns: vec![Complex64::ZERO; columns],
        })
    }

    /// The arguments.
    pub fn args(&self) -> &[View] {
        &self.args
    }

    /// Where the result goes.
    pub fn out(&self) -> &View {
        &self.out
    }

    /// Computes the result from the elements of each argument.
    pub fn run(&mut self, args: &[Arg<'_>], y: SliceMut<'_>) -> Result<(), String> {
        self.run_from(0, args, y)
    }

    /// Computes the elements of the result from this one on.
    pub fn run_from(
        &mut self,
        first: usize,
        args: &[Arg<'_>],
        y: SliceMut<'_>,
    ) -> Result<(), String> {
        if let Op::Dot { real, .. } = &self.op {
            sums::dot(*real, present(args, 0)?, present(args, 1)?, y, &mut self.columns);
            return Ok(());
        }
        self.run_some(first, args, y)
    }

    /// Computes the elements of the result from this one on, which is no inner product; several
    /// threads may do so at once.
    pub(crate) fn run_some(
        &self,
        first: usize,
        args: &[Arg<'_>],
        mut y: SliceMut<'_>,
    ) -> Result<(), String> {
        let LocalNode { op, args: views, out, function, .. } = self;
        match op {
            Op::Slot(slot) => {
                let value = typed::get(present(args, 0)?, slot.0 as usize);
                typed::fill(y, value);
            }
            Op::Zero => typed::zero(y),
            Op::Add => elementwise::add(args, y),
            Op::Sub => elementwise::sub(args, y),
            Op::Neg => elementwise::neg(args, y),
            Op::Conj => elementwise::conj(args, y),
            Op::Project(projection) => project::project(projection, (out, first), args, y),
            Op::Scale => elementwise::scale(args, y),
            Op::Axpy => elementwise::axpy(args, y),
            Op::Cast => elementwise::cast(args, y),
            Op::Map(map) => map::apply(map, function, args, y)?,
            Op::Call(_) => functions::call(function, args, y)?,
            Op::Reduce(_) if args.len() == 1 => sums::best(present(args, 0)?, &views[0], y)?,
            Op::Reduce(reduction) => sums::winner(*reduction, present(args, 0)?, y)?,
            Op::Combine => sums::combine(present(args, 0)?, present(args, 1)?, y),
            Op::Dots => sums::dots(present(args, 0)?, present(args, 1)?, y),
            Op::Take => {
                let k = index::of(present(args, 1)?, views[0].dims[0]);
                index::take(present(args, 0)?, k, y);
            }
            Op::Put => {
                let k = index::of(args[1].unwrap_or(y.shared()), views[0].dims[0]);
                index::put(args, k, &mut y);
            }
            Op::OneHot => {
                let k = index::of(present(args, 0)?, out.dims.iter().product());
                index::one_hot(k, out, y);
            }
            other => return Err(not_local(other)),
        }
        Ok(())
    }
}

/// Inner products that are made block by block.
impl LocalNode {
    /// Whether the node is an inner product of two vectors of one type, or one for each column.
    pub(crate) fn is_sum(&self) -> bool {
        let same = self.args.iter().all(|arg| arg.dtype == self.args[0].dtype);
        matches!(self.op, Op::Dot { .. }) && same
    }

    /// Whether the node is one inner product, not one for each column.
    pub(crate) fn is_single(&self) -> bool {
        matches!(self.op, Op::Dot { columns: 0, .. })
    }

    /// Blocks of elements from the first one on, of as many as the result or a multiple, can be
    /// computed one after the other: how many elements a block has, at the least.
    pub(crate) fn unit(&self) -> usize {
        match self.op {
            Op::Dot { columns: 0, .. } => BLOCK,
            Op::Dot { .. } => columns::unit(self.columns.len()).max(1),
            _ => {
                self.args.iter().filter(|arg| self.is_factor(arg)).map(View::len).max().unwrap_or(1)
            }
        }
    }

    /// Whether the node can be computed some elements at a time, as if it were alone in a region.
    pub(crate) fn is_divisible(&self) -> bool {
        let alike = |arg: &View| arg.dims == self.out.dims || arg.len() == 1 || self.is_factor(arg);
        match self.op {
            Op::Dot { columns, .. } => columns == 0 && self.is_sum(),
            Op::Zero
            | Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Conj
            | Op::Scale
            | Op::Axpy
            | Op::Cast
            | Op::Project(_)
            | Op::Map(_) => self.args.iter().all(alike),
            _ => false,
        }
    }

    /// Whether an argument has a number for each column of the result.
    fn is_factor(&self, arg: &View) -> bool {
        matches!(self.op, Op::Scale | Op::Axpy) && arg.dims != self.out.dims && arg.len() > 1
    }

    /// Room for the sums of blocks of vectors with so many elements.
    pub(crate) fn room(&self, elements: usize) -> Vec<Complex64> {
        let blocks = match self.op {
            Op::Dot { columns: 0, .. } => self.blocks(elements),
            _ => self.columns.len(),
        };
        vec![Complex64::ZERO; blocks]
    }

    fn blocks(&self, elements: usize) -> usize {
        sums::blocks(self.is_real(), self.args[0].dtype, elements)
    }

    /// The sums of blocks of some elements, of which all but the last of a vector are whole; `sums`
    /// gives those of all blocks that are meant.
    pub(crate) fn block_sums<'a>(
        &self,
        args: [Slice<'_>; 2],
        some: &Range<usize>,
        sums: impl FnOnce(Range<usize>) -> &'a mut [Complex64],
    ) {
        if self.is_single() {
            let (first, blocks) = self.blocks_of(some);
            return sums::block_sums(self.is_real(), args, sums(first..first + blocks));
        }
        let sums = sums(0..self.columns.len());
        if some.start == 0 {
            sums.fill(Complex64::ZERO);
        }
        sums::column_sums(args, sums);
    }

    /// Which blocks of a single inner product some elements are: the first, and how many.
    pub(crate) fn blocks_of(&self, some: &Range<usize>) -> (usize, usize) {
        (self.blocks(some.start), self.blocks(some.len()))
    }

    /// The result from the sums of all blocks.
    pub(crate) fn finish(&self, sums: &[Complex64], y: SliceMut<'_>) {
        match self.op {
            Op::Dot { columns: 0, .. } => sums::finish(self.is_real(), &[sums::total(sums)], y),
            _ => sums::finish(self.is_real(), sums, y),
        }
    }

    /// Whether it is an inner product as reals.
    pub(crate) fn is_real(&self) -> bool {
        matches!(self.op, Op::Dot { real: true, .. })
    }
}

/// An argument that the result does not overwrite.
fn present<'a>(args: &[Arg<'a>], k: usize) -> Result<Slice<'a>, String> {
    args[k].ok_or_else(|| "a result is written where its argument is still needed".to_string())
}

fn not_local(op: &Op) -> String {
    format!("{} is no local node", word(op))
}

/// How many arguments a node has; none if any number will do.
fn arity(op: &Op) -> Result<Option<usize>, String> {
    Ok(Some(match op {
        Op::Zero => 0,
        Op::Slot(_) | Op::Neg | Op::Conj | Op::Project(_) | Op::Cast | Op::OneHot => 1,
        Op::Sub | Op::Scale | Op::Dot { .. } | Op::Take | Op::Combine | Op::Dots => 2,
        Op::Axpy | Op::Put => 3,
        Op::Map(map) => return map::arity(map),
        Op::Add | Op::Call(_) | Op::Reduce(_) => return Ok(None),
        Op::Input(_)
        | Op::Get(_)
        | Op::Apply(_)
        | Op::Reshape
        | Op::Concat
        | Op::Part(_)
        | Op::AllReduce(_)
        | Op::ReduceScatter(_)
        | Op::AllGather(_)
        | Op::AllToAll(_)
        | Op::Exchange
        | Op::Halo
        | Op::HaloSum
        | Op::Slice
        | Op::Pad(_)
        | Op::Partial(_)
        | Op::Copy => return Err(not_local(op)),
    }))
}

fn check_arguments(op: &Op, args: &[View]) -> Result<(), String> {
    if let Some(needed) = arity(op)?
        && needed != args.len()
    {
        return Err(format!("{} has {} arguments instead of {needed}", word(op), args.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
