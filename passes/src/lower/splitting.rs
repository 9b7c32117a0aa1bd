//! A split halo as calls: it starts, interiors are computed, it is waited for, rims are computed.
//!
//! An interior and a rim are applications on tiles of their own. Whole rows are read and written
//! where they lie; other boxes come from and go to memory of their own.

use super::scope::Scope;
use super::{Lowering, copy, leaf_of};
use crate::calls::{Call, Kernel, View};
use crate::interior::{Part, Piece, contiguous, parts};
use crate::ir::{LeafId, Node, Op, SplitHalo};
use crate::placement::Region;

impl<'a> Lowering<'a> {
    /// The calls of a halo and of the nodes that run while it travels.
    pub(super) fn split(&mut self, scope: &mut Scope<'a>, split: SplitHalo) {
        let parts = parts(self.plan, scope.block, split, &self.at);
        let halo = split.first as usize;
        self.node(scope, &scope.block.nodes[halo], split.first);
        let wait = scope.out.calls.pop();
        scope.came_from(halo..halo + 1);
        for (n, part) in (halo + 1..).zip(&parts) {
            let node = &scope.block.nodes[n];
            match part {
                Part::Free => self.node(scope, node, n as u32),
                Part::Pieces { interior, .. } => self.piece(scope, node, interior),
                Part::Late => {}
            }
            scope.came_from(n..n + 1);
        }
        scope.out.calls.extend(wait);
        scope.came_from(halo..halo + 1);
        for (n, part) in (halo + 1..).zip(&parts) {
            let node = &scope.block.nodes[n];
            match part {
                Part::Free => {}
                Part::Pieces { rims, .. } => {
                    for rim in rims {
                        self.piece(scope, node, rim);
                    }
                }
                Part::Late => self.node(scope, node, n as u32),
            }
            scope.came_from(n..n + 1);
        }
    }

    /// A part of an application.
    fn piece(&mut self, scope: &mut Scope<'a>, node: &Node, piece: &Piece) {
        let Op::Apply(applied) = node.op else { return };
        let (leaf, adjoint) = leaf_of(applied);
        let tile = self.tile_of_piece(leaf, piece);
        let (mut inputs, mut outputs, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for (&v, inner) in node.args.iter().zip(&piece.inputs) {
            let whole = self.value(scope, v);
            let (view, own) = self.window(&whole, inner);
            if own {
                scope.out.calls.push(copy(vec![(whole.slab(inner), view.flat())]));
            }
            inputs.push(view);
        }
        for (&v, inner) in node.results.iter().zip(&piece.outputs) {
            let whole = self.value(scope, v);
            let (view, own) = self.window(&whole, inner);
            if own {
                after.push(copy(vec![(view.flat(), whole.slab(inner))]));
            }
            outputs.push(view);
        }
        scope.out.calls.push(Call::Kernel(Kernel { leaf, tile, adjoint, inputs, outputs }));
        scope.out.calls.extend(after);
    }

    /// A box of a view, and whether it is in memory of its own.
    fn window(&mut self, whole: &View, inner: &Region) -> (View, bool) {
        let held = inner.clone();
        match contiguous(&whole.held, inner) {
            Some(after) => {
                let offset = whole.offset + after;
                (View { offset, held, ..whole.clone() }, false)
            }
            None => (self.temporary(whole.dtype, &whole.dims, held), true),
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
