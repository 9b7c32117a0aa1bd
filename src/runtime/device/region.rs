//! Regions: a tile's panels one after the other, each with all that follows from its rows.
//!
//! The tile's data of a panel are still in a cache when its adjoint reads them.
//! Panels come in the order in which they come without a region, and sums of the host's kernels
//! over all rows follow the last panel, so that results are the same, bit by bit.

use super::Part;
use super::engine::Touches;
use super::store::{Store, elements};
use crate::runtime::local::LocalNode;
use crate::runtime::tiles::{self, SharedTile};
use adjoin_passes::calls::View;
use std::sync::PoisonError;

/// A prepared region.
pub(super) struct Region {
    pub(super) tile: SharedTile,
    pub(super) parts: Vec<Part>,
    pub(super) sums: Vec<LocalNode>,
}

impl Region {
    /// Runs all panels, and then the sums.
    pub(super) fn run(&mut self, store: &mut Store) -> Result<(), String> {
        let Region { tile, parts, sums } = self;
        let mut tile = tile.lock().unwrap_or_else(PoisonError::into_inner);
        for panel in 0..tile.panels() {
            let rows = tile.rows(panel).ok_or("a panel of a region is no range of rows")?;
            for part in &mut *parts {
                match part {
                    Part::Kernel { adjoint, inputs, outputs } => {
                        store.kernel(inputs, outputs, |x, y| {
                            tiles::panel(tile.as_mut(), *adjoint, panel, x, y)
                        })?;
                    }
                    Part::Rows(node) => store.local(node, Some(&elements(node.out(), &rows)))?,
                }
            }
        }
        sums.iter_mut().try_for_each(|node| store.local(node, None))
    }
}

impl Touches {
    /// What a region reads and writes as a whole.
    pub(super) fn of_region(parts: &[Part], sums: &[LocalNode]) -> Touches {
        let mut touches = Touches::default();
        let mut local =
            |node: &LocalNode| touches.add(node.args(), std::slice::from_ref(node.out()));
        sums.iter().for_each(&mut local);
        for part in parts {
            match part {
                Part::Kernel { inputs, outputs, .. } => touches.add(inputs, outputs),
                Part::Rows(node) => touches.add(node.args(), std::slice::from_ref(node.out())),
            }
        }
        touches
    }

    pub(super) fn add(&mut self, reads: &[View], writes: &[View]) {
        self.reads.extend(reads.iter().map(|view| view.buffer));
        self.writes.extend(writes.iter().map(|view| view.buffer));
    }
}
