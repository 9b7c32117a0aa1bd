//! What a stencil makes for its adjoint alone: a region of both stores none of it.

use super::super::Choice;
use super::Deepening;
use crate::region::followed;

impl Deepening<'_> {
    /// Whether a region will have these two nodes, if the second takes what the first makes as it
    /// is.
    pub(super) fn between(&self, first: usize, second: usize) -> bool {
        followed(self.search.plan, self.block, first) == Some(second)
    }

    /// The seconds that two such nodes need less than each by itself.
    pub(super) fn unstored(&self, nodes: [usize; 2], pick: &Choice<'_>) -> f64 {
        let sides = nodes.map(|n| &self.options[n][pick(n)]);
        let tile = super::applied(&self.block.nodes[nodes[0]]).map(|(leaf, _)| leaf);
        let tile = tile.map_or(&[][..], |leaf| &self.tiles[leaf.0 as usize]);
        self.search.unstored(self.index, nodes, sides, tile)
    }
}
