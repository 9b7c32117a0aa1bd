//! What a plan communicates: calls and payload bytes of one rank.
//!
//! The payload of a call is the larger of its operands and its results on one rank, however a
//! library carries it out.
//! What rides on a `reduce_scatter` or an `all_gather` is there once for each rank, and the pieces
//! of a `reduce_scatter` are as long as the largest where what rides has another precision.
//! Of a halo it is the ghost cells that an inner rank sends, of a reduction that is no sum its
//! scalars.
//! The rank is the one that holds most: rank 0 where blocks are balanced; at named cuts the
//! largest of the first 64 blocks is taken.
//! A call over axes of one rank communicates nothing and is not counted.

use crate::ir::{Block, Node, Op, Reduction, Value};
use crate::mesh::{Axis, Mesh};
use crate::placement::{Cut, Split, Type};
use crate::signature::Spread;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What one rank communicates in one run of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Traffic {
    /// Communication calls; one of several values is one call.
    pub calls: usize,
    /// Their payload in bytes.
    pub bytes: u64,
    /// How many of the calls reduce.
    pub reductions: usize,
    /// How many of the calls fill or add ghost cells.
    pub halos: usize,
}

impl Traffic {
    /// The traffic of a block.
    pub fn of(mesh: &Mesh, block: &Block) -> Self {
        let mut sizes = Sizes::new(mesh);
        let mut traffic = Traffic::default();
        for node in &block.nodes {
            if let Some(bytes) = sizes.node(block, node) {
                traffic.count(&node.op, bytes);
            }
        }
        traffic
    }

    fn count(&mut self, op: &Op, bytes: u64) {
        self.calls += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let reduces = matches!(op, Op::AllReduce(_) | Op::ReduceScatter(_) | Op::Reduce(_));
        self.reductions += usize::from(reduces);
        self.halos += usize::from(matches!(op, Op::Halo | Op::HaloSum));
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.calls == 1 { "" } else { "s" };
        write!(f, "{} call{plural}, {} per rank", self.calls, bytes_text(self.bytes))
    }
}

/// The bytes that one rank communicates at a node: 0 if it does not communicate.
pub fn payload(mesh: &Mesh, block: &Block, node: &Node) -> u64 {
    Sizes::new(mesh).node(block, node).unwrap_or(0)
}

/// A number of bytes in the largest binary unit that divides it.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut rest = bytes;
    let mut unit = 0;
    while rest != 0 && rest.is_multiple_of(1024) {
        rest /= 1024;
        unit += 1;
    }
    format!("{rest} {}", UNITS[unit])
}

/// Sizes of blocks, with those at named cuts remembered: they are searched for.
struct Sizes<'a> {
    mesh: &'a Mesh,
    cuts: Vec<(&'a Split, usize)>,
}

impl<'a> Sizes<'a> {
    fn new(mesh: &'a Mesh) -> Self {
        Sizes { mesh, cuts: Vec::new() }
    }

    /// The payload of a node, if it communicates.
    fn node(&mut self, block: &'a Block, node: &'a Node) -> Option<u64> {
        let args = types(block, &node.args);
        let results = types(block, &node.results);
        match &node.op {
            Op::AllReduce(axes) => self.is_wide(axes).then(|| self.larger(&args, &results)),
            Op::ReduceScatter(axes) | Op::AllGather(axes) => self.is_wide(axes).then(|| {
                let others = self.ranks(axes).saturating_sub(1);
                let copies = self.total(args.get(1..).unwrap_or_default()).saturating_mul(others);
                let pieces = match &node.op {
                    Op::ReduceScatter(_) if are_mixed(&args) => {
                        self.total(&results).saturating_mul(others.saturating_add(1))
                    }
                    _ => 0,
                };
                self.larger(&args, &results).saturating_add(copies).max(pieces)
            }),
            Op::AllToAll(axis) => self.is_wide(&[*axis]).then(|| self.larger(&args, &results)),
            Op::Exchange => {
                self.is_spread(&[&args[..], &results]).then(|| self.larger(&args, &results))
            }
            Op::Halo => Some(self.ghosts(&results)).filter(|&bytes| bytes > 0),
            Op::HaloSum => Some(self.ghosts(&args)).filter(|&bytes| bytes > 0),
            Op::Reduce(reduction) => {
                self.is_spread(&[&args]).then(|| scalars(*reduction, &args, &results))
            }
            Op::Input(_)
            | Op::Slot(_)
            | Op::Get(_)
            | Op::Zero
            | Op::Apply(_)
            | Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Scale
            | Op::Axpy
            | Op::Conj
            | Op::Project(_)
            | Op::Cast
            | Op::Reshape
            | Op::Concat
            | Op::Part(_)
            | Op::Dot { .. }
            | Op::Map(_)
            | Op::Call(_)
            | Op::Take
            | Op::Put
            | Op::Combine
            | Op::Dots
            | Op::OneHot
            | Op::Slice
            | Op::Pad(_)
            | Op::Partial(_)
            | Op::Copy => None,
        }
    }

    fn ranks(&self, axes: &[Axis]) -> u64 {
        let sizes = axes.iter().filter_map(|&a| self.mesh.axes.get(a));
        sizes.fold(1, |all, (_, n)| all.saturating_mul(*n as u64))
    }

    /// Whether there is more than one rank along the axes.
    fn is_wide(&self, axes: &[Axis]) -> bool {
        axes.iter().any(|&a| self.mesh.axes.get(a).is_some_and(|(_, n)| *n > 1))
    }

    /// Whether some part is held by more than one rank in different pieces.
    fn is_spread(&self, parts: &[&[&Type]]) -> bool {
        parts.iter().copied().flatten().any(|t| self.is_wide(&t.placement.split_axes()))
    }

    fn larger(&mut self, args: &[&'a Type], results: &[&'a Type]) -> u64 {
        self.total(args).max(self.total(results))
    }

    fn total(&mut self, parts: &[&'a Type]) -> u64 {
        parts.iter().fold(0u64, |sum, t| sum.saturating_add(self.local(t)))
    }

    /// The bytes of a part on the rank that holds most.
    fn local(&mut self, ty: &'a Type) -> u64 {
        let held = self.extents(ty).into_iter().zip(&ty.placement.ghosts).zip(&ty.dims).map(
            |((own, &(lo, hi)), &n)| match own {
                0 => 0,
                own => own.saturating_add(lo).saturating_add(hi).min(n),
            },
        );
        product(held).saturating_mul(ty.dtype.size() as u64)
    }

    /// The bytes of ghost cells that an inner rank sends, without corners.
    fn ghosts(&mut self, parts: &[&'a Type]) -> u64 {
        let mut bytes = 0u64;
        for ty in parts {
            let own = self.extents(ty);
            for (d, &(lo, hi)) in ty.placement.ghosts.iter().enumerate().take(own.len()) {
                let cells = lo.saturating_add(hi).min(ty.dims[d].saturating_sub(own[d]));
                let slab = own.iter().enumerate().map(|(e, &n)| if e == d { cells } else { n });
                bytes = bytes.saturating_add(product(slab).saturating_mul(ty.dtype.size() as u64));
            }
        }
        bytes
    }

    /// The extents of the largest block.
    fn extents(&mut self, ty: &'a Type) -> Vec<usize> {
        let splits = &ty.placement.splits;
        ty.dims.iter().zip(splits).map(|(&n, split)| self.extent(n, split)).collect()
    }

    fn extent(&mut self, n: usize, split: &'a Split) -> usize {
        if !is_sound(split, self.mesh) {
            return n;
        }
        if split.cut.is_none() {
            return split.largest_block(n, self.mesh);
        }
        if let Some((_, extent)) = self.cuts.iter().find(|(other, _)| *other == split) {
            return (*extent).min(n);
        }
        let extent = split.largest_block(n, self.mesh);
        self.cuts.push((split, extent));
        extent.min(n)
    }
}

/// Whether the blocks of a split can be told: its axes exist and its cut is complete.
fn is_sound(split: &Split, mesh: &Mesh) -> bool {
    split.axes.iter().all(|&a| mesh.axes.get(a).is_some_and(|(_, n)| *n > 0))
        && split.cut.as_ref().is_none_or(|cut| is_complete(cut))
}

/// Whether a cut has a weight and elements for each value.
fn is_complete(cut: &Cut) -> bool {
    let weights = cut.weights.as_ref().is_none_or(|weights| {
        let sum = weights.iter().try_fold(0u64, |sum, &w| sum.checked_add(w));
        weights.len() == cut.size && sum.is_some()
    });
    weights
        && match &cut.spread {
            Spread::One => true,
            Spread::Uniform(k) => cut.size.checked_mul(*k).is_some(),
            Spread::Table(table) => table.len() == cut.size.saturating_add(1),
        }
}

/// Whether elements of both precisions go in one message.
fn are_mixed(types: &[&Type]) -> bool {
    types.iter().any(|ty| ty.dtype.is_double() != types[0].dtype.is_double())
}

/// The value that a maximum sends, and its index where that is wanted.
fn scalars(reduction: Reduction, args: &[&Type], results: &[&Type]) -> u64 {
    let value = args.iter().map(|t| t.dtype.real().size() as u64).sum::<u64>();
    match reduction {
        Reduction::Max => value,
        Reduction::ArgMax => value + results.iter().map(|t| t.dtype.size() as u64).sum::<u64>(),
    }
}

fn types<'a>(block: &'a Block, values: &[Value]) -> Vec<&'a Type> {
    values.iter().filter_map(|v| block.types.get(v.index())).collect()
}

fn product(extents: impl Iterator<Item = usize>) -> u64 {
    extents.fold(1u64, |n, extent| n.saturating_mul(extent as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse;

    /// The payload of each node of a plan, and its traffic as text.
    fn traffic(text: &str) -> (Vec<u64>, String) {
        let plan = parse(text).unwrap_or_else(|error| panic!("{error}"));
        let block = &plan.blocks[0];
        let each = block.nodes.iter().map(|node| payload(&plan.mesh, block, node)).collect();
        (each, Traffic::of(&plan.mesh, block).to_string())
    }

    #[test]
    fn collectives_move_the_larger_side_of_the_largest_rank() {
        let (each, all) = traffic(
            "\
mesh r=2 c=3 (6 ranks)
%0 = input x : f64[7/r, 4] +c
%1, %2 = all_reduce c %0 %0 : f64[7/r, 4], f64[7/r, 4]
%3 = reduce_scatter c %0 : f64[7/r, 4/c]
%4 = all_gather c %3 : f64[7/r, 4]
%5 = all_to_all c %3 : f64[7/(r,c), 4]
%6 = exchange %5 : f64[7/(c,r), 4]
%7 = slice %1 : f64[7/(r,c), 4]",
        );
        assert_eq!(each, [0, 256, 128, 128, 64, 64, 0]);
        assert_eq!(all, "5 calls, 640 B per rank");
    }

    /// Three pieces of three elements and a number each; a gather brings each number once.
    #[test]
    fn pieces_with_riders_of_another_precision_are_as_long_as_the_largest() {
        let (each, _) = traffic(
            "\
mesh p=3 (3 ranks)
%0 = input x : f32[7] +p
%1 = input y : f64[] +p
%2, %3 = reduce_scatter p %0 %1 : f32[7/p], f64[]
%4, %5 = all_gather p %2 %1 : f32[7], f64[]
%6, %7 = all_reduce p %0 %1 : f32[7], f64[]",
        );
        assert_eq!(each, [0, 0, 3 * (3 * 4 + 8), 7 * 4 + 3 * 8, 7 * 4 + 8]);
    }

    #[test]
    fn ghosts_travel_with_what_is_held() {
        let (each, _) = traffic(
            "\
mesh r=2 c=2
%0 = input x : f64[8/r~1:2, 4] +c
%1 = all_reduce c %0 : f64[8/r~1:2, 4]
%2 = input y : f64[2/r~9:9, 4] +c
%3 = all_reduce c %2 : f64[2/r~9:9, 4]",
        );
        assert_eq!(each, [0, 7 * 4 * 8, 0, 2 * 4 * 8]);
    }

    #[test]
    fn halos_move_what_an_inner_rank_sends() {
        let (each, all) = traffic(
            "\
mesh r=4 c=2 (8 ranks)
%0 = input x : f32[40/r, 10/c, 3]
%1 = halo %0 : f32[40/r~1:2, 10/c, 3]
%2 = halo %0 : f32[40/r~1:1, 10/c~0:1, 3]
%3 = halo %0 : f32[40/r~90:90, 10/c, 3]
%4 = halo_sum %1 : f32[40/r, 10/c, 3]
%5, %6 = halo %0 %0 : f32[40/r~1:0, 10/c, 3], f32[40/r~0:1, 10/c, 3]
%7 = halo %0 : f32[40/r, 10/c, 3~1:1]",
        );
        assert_eq!(each, [0, 180, 240, 1800, 180, 120, 0]);
        assert_eq!(all, "5 calls, 2520 B per rank");
    }

    #[test]
    fn reductions_that_are_no_sums_move_scalars() {
        let (each, _) = traffic(
            "\
mesh p=4
%0 = input x : c128[40/p]
%1 = reduce max %0 : f64[]
%2 = reduce arg_max %0 : f64[]
%3 = input y : c128[40]
%4 = reduce max %3 : f64[]",
        );
        assert_eq!(each, [0, 8, 16, 0, 0]);
    }

    #[test]
    fn axes_of_one_rank_cost_nothing() {
        let (each, all) = traffic(
            "\
mesh r=1 c=2
%0 = input x : f64[8/r, 8] +r
%1 = all_reduce r %0 : f64[8/r, 8]
%2 = halo %1 : f64[8/r~1:1, 8]
%3 = exchange %1 : f64[8, 8]
%4 = all_gather (r,c) %1 : f64[8, 8]",
        );
        assert_eq!(each, [0, 0, 0, 0, 512]);
        assert_eq!(all, "1 call, 512 B per rank");
    }

    #[test]
    fn cut_blocks_are_measured() {
        let (each, _) = traffic(
            "\
mesh p=2 q=1
cut q1 = 4 weights 6 1 1 4 spread 1 0 2 9
%0 = input x : f64[12/p@q1]
%1 = all_gather p %0 : f64[12]
%2 = exchange %0 : f64[12/p]
%3 = halo %0 : f64[12/p@q1~1:1]",
        );
        assert_eq!(each, [0, 96, 88, 8]);
    }

    #[test]
    fn kinds_of_calls_are_counted() {
        let plan = parse(
            "\
mesh p=2
%0 = input x : f64[8/p] +p
%1 = all_reduce p %0 : f64[8/p]
%2 = halo %1 : f64[8/p~1:1]
%3 = reduce max %1 : f64[]",
        );
        let plan = plan.unwrap_or_else(|error| panic!("{error}"));
        let traffic = Traffic::of(&plan.mesh, &plan.blocks[0]);
        assert_eq!(traffic, Traffic { calls: 3, bytes: 56, reductions: 2, halos: 1 });
    }

    #[test]
    fn bytes_print_exactly() {
        let text: Vec<_> = [0, 1000, 1024, 1536, 32768, 3 << 20, 1 << 63].map(bytes_text).into();
        assert_eq!(text, ["0 B", "1000 B", "1 KiB", "1536 B", "32 KiB", "3 MiB", "8 EiB"]);
    }
}
