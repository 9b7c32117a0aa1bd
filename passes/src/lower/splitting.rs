//! A split halo as calls: it starts, interiors are computed, it is waited for, rims are computed.
//!
//! An interior and a rim are applications on tiles of their own. Whole rows are read and written
//! where they lie; other boxes come from and go to memory of their own.
//! What lies between the applications of a region passes: nobody copies it.

use super::scope::Scope;
use super::{Lowering, copy, leaf_of};
use crate::calls::{Call, Kernel, View};
use crate::interior::{Part, Piece, contiguous, parts};
use crate::ir::{LeafId, Op, Over, SplitHalo, Value};
use crate::placement::{Region, volume};
use std::ops::Range;

/// Nodes that are applied together, with their parts.
struct Unit<'a> {
    nodes: Range<usize>,
    over: Option<Over>,
    parts: &'a [Part],
}

impl<'a> Lowering<'a> {
    /// The calls of a halo and of the nodes that run while it travels.
    pub(super) fn split(&mut self, scope: &mut Scope<'a>, split: SplitHalo) {
        let parts = parts(self.plan, scope.block, split, &self.at);
        let units = units(scope, split, &parts);
        let halo = split.first as usize;
        self.node(scope, &scope.block.nodes[halo], split.first);
        let wait = scope.out.calls.pop();
        scope.came_from(halo..halo + 1);
        for unit in &units {
            match &unit.parts[0] {
                Part::Free => self.unit(scope, unit),
                Part::Pieces { .. } => self.piece(scope, unit, 0),
                Part::Late => {}
            }
            scope.came_from(unit.nodes.clone());
        }
        scope.out.calls.extend(wait);
        scope.came_from(halo..halo + 1);
        for unit in &units {
            match &unit.parts[0] {
                Part::Free => {}
                Part::Pieces { rims, .. } => {
                    (1..=rims.len()).for_each(|k| self.piece(scope, unit, k));
                }
                Part::Late => self.unit(scope, unit),
            }
            scope.came_from(unit.nodes.clone());
        }
    }

    /// All nodes of a unit as they are.
    fn unit(&mut self, scope: &mut Scope<'a>, unit: &Unit<'_>) {
        let begin = scope.out.calls.len();
        for n in unit.nodes.clone() {
            self.node(scope, &scope.block.nodes[n], n as u32);
        }
        scope.together(begin, unit.over);
    }

    /// The interior of a unit, or one of its rims from number 1 on.
    fn piece(&mut self, scope: &mut Scope<'a>, unit: &Unit<'_>, k: usize) {
        let nodes = &scope.block.nodes[unit.nodes.clone()];
        let between = |v: Value| nodes[..nodes.len() - 1].iter().any(|n| n.results.contains(&v));
        let (mut kernels, mut after) = (Vec::new(), Vec::new());
        for (node, part) in nodes.iter().zip(unit.parts) {
            let (Op::Apply(applied), Some(piece)) = (&node.op, nth(part, k)) else { return };
            let (leaf, adjoint) = leaf_of(*applied);
            let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
            for (&v, inner) in node.args.iter().zip(&piece.inputs) {
                let (view, whole) = self.window(scope, v, inner, between(v));
                let from = whole.map(|whole| copy(vec![(whole.slab(inner), view.flat())]));
                scope.out.calls.extend(from);
                inputs.push(view);
            }
            for (&v, inner) in node.results.iter().zip(&piece.outputs) {
                let (view, whole) = self.window(scope, v, inner, between(v));
                after.extend(whole.map(|whole| copy(vec![(view.flat(), whole.slab(inner))])));
                outputs.push(view);
            }
            let tile = self.tile_of_piece(leaf, piece);
            kernels.push(Call::Kernel(Kernel { leaf, tile, adjoint, inputs, outputs }));
        }
        let begin = scope.out.calls.len();
        scope.out.calls.extend(kernels);
        scope.together(begin, unit.over);
        scope.out.calls.extend(after);
    }

    /// A box of a value, and the whole of it if the box is in memory of its own; a value that passes
    /// has its buffer for itself, piece after piece.
    fn window(
        &mut self,
        scope: &Scope<'_>,
        v: Value,
        inner: &Region,
        passes: bool,
    ) -> (View, Option<View>) {
        let (ty, held) = (scope.block.ty(v), inner.clone());
        if passes {
            let buffer = scope.buffers[v.index()];
            self.grow(buffer, ty.dtype, volume(inner));
            let view = View { buffer, offset: 0, dtype: ty.dtype, dims: ty.dims.clone(), held };
            return (view, None);
        }
        let whole = self.value(scope, v);
        match contiguous(&whole.held, inner) {
            Some(after) => (View { offset: whole.offset + after, held, ..whole }, None),
            None => (self.temporary(whole.dtype, &whole.dims, held), Some(whole)),
        }
    }

    fn tile_of_piece(&mut self, leaf: LeafId, piece: &Piece) -> usize {
        let tiles = &mut self.calls.tiles;
        let known = self.pieces.iter().find(|(of, t)| *of == leaf && tiles[*t] == piece.tile);
        if let Some((_, tile)) = known {
            return *tile;
        }
        tiles.push(piece.tile.clone());
        self.pieces.push((leaf, tiles.len() - 1));
        tiles.len() - 1
    }
}

/// The nodes after a split halo, those of a region together.
fn units<'p>(scope: &Scope<'_>, split: SplitHalo, parts: &'p [Part]) -> Vec<Unit<'p>> {
    let begin = split.nodes().start + 1;
    let mut units = Vec::new();
    let mut n = begin;
    while n < split.nodes().end {
        let region = scope.block.regions.iter().find(|r| r.first as usize == n);
        let nodes = region.map_or(n..n + 1, crate::ir::Region::nodes);
        let parts = &parts[nodes.start - begin..nodes.end - begin];
        n = nodes.end;
        units.push(Unit { nodes, over: region.map(|r| r.over), parts });
    }
    units
}

/// The interior of a part, or one of its rims from number 1 on.
fn nth(part: &Part, k: usize) -> Option<&Piece> {
    let Part::Pieces { interior, rims } = part else { return None };
    std::iter::once(interior).chain(rims).nth(k)
}
