//! Regions over elements: all updates of some elements, then those of the next ones.
//!
//! Elements are few enough to stay in a cache until the last update has used them.
//! Sums are made of the same blocks as without a region, so that results are the same, bit by bit.

use super::Piece;
use super::engine::Touches;
use super::store::Store;
use crate::runtime::tiles;
use num_complex::Complex64;

/// Bytes of a vector that are done at a time: several vectors stay in the second cache, and
/// memory is read in stretches long enough to be fetched ahead.
const STRETCH: usize = 1 << 15;

/// A prepared region.
pub(super) struct Elements {
    pieces: Vec<Piece>,
    /// How many elements each vector has, and how many are done at a time.
    len: usize,
    step: usize,
    /// For each piece that sums, the sums of blocks.
    sums: Vec<Vec<Complex64>>,
}

impl Elements {
    /// A region of these pieces, with room for their sums.
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        let len = pieces.first().map_or(0, |piece| piece.vector().len());
        let widest = pieces.iter().map(|piece| piece.vector().dtype.size()).max();
        let unit = pieces.iter().map(Piece::unit).fold(1, lcm);
        let step = unit * (STRETCH / unit / widest.unwrap_or(1)).max(1);
        let room = |piece: &Piece| match piece {
            Piece::Sum(node) => node.room(len),
            Piece::Update(_) | Piece::Weights { .. } => Vec::new(),
        };
        let sums = pieces.iter().map(room).collect();
        Elements { pieces, len, step, sums }
    }

    /// Runs all pieces on some elements after the others, and then ends the sums.
    pub(super) fn run(&mut self, store: &mut Store) -> Result<(), String> {
        for start in (0..self.len).step_by(self.step) {
            let some = start..self.len.min(start + self.step);
            for (piece, sums) in self.pieces.iter_mut().zip(&mut self.sums) {
                match piece {
                    Piece::Update(node) => store.local(node, Some(&some))?,
                    Piece::Sum(node) => store.block_sums(node, &some, sums),
                    Piece::Weights { tile, adjoint, columns, input, output } => {
                        store.elements((input, output), &some, |x, y| {
                            tiles::elements(tile, *adjoint, start / *columns, *columns, x, y)
                        })?;
                    }
                }
            }
        }
        for (piece, sums) in self.pieces.iter().zip(&self.sums) {
            if let Piece::Sum(node) = piece {
                store.finish(node, sums);
            }
        }
        Ok(())
    }
}

/// The least common multiple.
fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

impl Touches {
    /// What a region reads and writes as a whole.
    pub(super) fn of_elements(pieces: &[Piece]) -> Touches {
        let mut touches = Touches::default();
        let one = std::slice::from_ref;
        for piece in pieces {
            match piece {
                Piece::Update(node) | Piece::Sum(node) => touches.add(node.args(), one(node.out())),
                Piece::Weights { input, output, .. } => touches.add(one(input), one(output)),
            }
        }
        touches
    }
}
