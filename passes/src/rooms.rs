//! Room for ghosts in buffers: a vector lies where it is when it has its ghosts.
//!
//! A halo whose argument and result have one buffer moves nothing but ghosts, and neither does a
//! sum of ghosts: values of that shape and partition lie in this buffer as parts of the widest box
//! that any of them holds, in all blocks.
//! That asks for elements that follow each other, which is so where the leading dim alone is split.

use crate::dtype::Dtype;
use crate::interior::contiguous;
use crate::ir::{Block, Node, Op, Plan, Value};
use crate::mesh::Mesh;
use crate::placement::{Placement, Split, Type};
use std::collections::BTreeMap;

/// The buffers that have room.
#[derive(Default)]
pub(crate) struct Rooms {
    widest: BTreeMap<Key, (usize, usize)>,
}

/// A buffer, and what its values have in common.
type Key = (u32, Vec<usize>, Dtype, Vec<Split>);

impl Rooms {
    /// Those of all blocks whose buffers are planned.
    pub fn of(plan: &Plan) -> Rooms {
        let mut rooms = Rooms::default();
        for block in &plan.blocks {
            let Some(buffers) = &block.buffers else { continue };
            for (value, _) in block.nodes.iter().flat_map(|node| in_place(node, buffers)) {
                let ty = block.ty(value);
                if has_room(ty) {
                    rooms.widest.entry(key(ty, buffers[value.index()])).or_default();
                }
            }
        }
        let values = plan.blocks.iter().flat_map(|block| {
            let buffers = block.buffers.iter().flatten();
            block.types.iter().zip(buffers.copied())
        });
        for (ty, buffer) in values {
            if let Some(widest) = rooms.widest.get_mut(&key(ty, buffer)) {
                let (lo, hi) = ty.placement.ghosts[0];
                *widest = (widest.0.max(lo), widest.1.max(hi));
            }
        }
        rooms
    }

    /// The element of a buffer with which a value begins, and the widest type there.
    pub fn place(&self, ty: &Type, buffer: usize, mesh: &Mesh, at: &[usize]) -> (usize, Type) {
        let known = self.widest.get(&key(ty, u32::try_from(buffer).unwrap_or(u32::MAX)));
        let Some(&ghosts) = known else { return (0, ty.clone()) };
        let mut widest = ty.clone();
        widest.placement.ghosts[0] = ghosts;
        let offset = contiguous(&widest.held(mesh, at), &ty.held(mesh, at));
        (offset.unwrap_or(0), widest)
    }
}

fn key(ty: &Type, buffer: u32) -> Key {
    (buffer, ty.dims.clone(), ty.dtype, ty.placement.splits.clone())
}

/// The arguments and results of a halo, or of a sum of ghosts, that have one buffer.
fn in_place<'a>(
    node: &'a Node,
    buffers: &'a [u32],
) -> impl Iterator<Item = (Value, Value)> + use<'a> {
    let pairs = node.args.iter().copied().zip(node.results.iter().copied());
    let ghosts = matches!(node.op, Op::Halo | Op::HaloSum);
    pairs.filter(move |(a, r)| ghosts && buffers[a.index()] == buffers[r.index()])
}

/// Whether the elements of a block follow each other in one that has ghosts.
pub(crate) fn has_room(ty: &Type) -> bool {
    let splits = &ty.placement.splits;
    splits.first().is_some_and(|split| !split.axes.is_empty())
        && splits[1..].iter().all(|split| split.axes.is_empty())
}

/// Whether a value can lie where another one does that has other ghosts.
pub(crate) fn fit(block: &Block, a: Value, b: Value) -> bool {
    let (a, b) = (block.ty(a), block.ty(b));
    let bare = |p: &Placement| p.without_ghosts();
    a.dtype == b.dtype
        && a.dims == b.dims
        && bare(&a.placement) == bare(&b.placement)
        && has_room(a)
}
