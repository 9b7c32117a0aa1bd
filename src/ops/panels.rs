//! Panels: a tile in ranges of rows, which several threads apply at once.
//!
//! A thread applies some panels, one after the other, so that each is in a cache of its own when its
//! adjoint reads it again.
//! The adjoint of a panel either writes rows of the domain that are its own, or adds to the whole of
//! it.
//! Then so many panels as follow from the shape of the tile are a *block*: each block has a sum of
//! its own, and these are added in their order.
//! So bits do not depend on the number of threads, nor on what is done between two panels.

use super::tile::{Kernel, View, ViewMut, wrong_type};
use super::{OperatorError, Slice, SliceMut};
use crate::elements::Element;
use adjoin_kernels::host::crew::{self, Divided};
use adjoin_kernels::host::{Acc, Scalar, vector};
use std::ops::Range;
use std::sync::Arc;

/// How a tile is cut into panels of its rows.
pub trait Paneling: Send + Sync {
    /// How many panels there are, at least one.
    fn count(&self) -> usize;

    /// The rows of a panel: local indices of the leading dim of the range.
    /// Each panel begins where the one before it ends.
    fn rows(&self, panel: usize) -> Range<usize>;

    /// How many panels are a block, whose adjoints have a sum of their own; none if the adjoint of a
    /// panel writes the rows of the domain that have its indices, and no other does.
    fn block(&self) -> Option<usize>;

    /// What it takes to apply all panels where the range has so many elements, in bytes that are
    /// read or operations.
    fn work(&self, elements: usize) -> usize;
}

/// A tile in panels of its rows; it has one part on either side.
pub trait Panels: Paneling {
    /// `y = A x` or `y += A x` for the rows of a panel; `x` is the panel's own rows of the domain,
    /// or the whole of it.
    fn forward(
        &self,
        turn: Turn,
        x: Slice<'_>,
        y: SliceMut<'_>,
        acc: Acc,
    ) -> Result<(), OperatorError>;

    /// `x = Aᴴ y` or `x += Aᴴ y` for the rows of a panel; `x` is the panel's own rows of the domain,
    /// or the whole of it.
    fn adjoint(
        &self,
        turn: Turn,
        y: Slice<'_>,
        x: SliceMut<'_>,
        acc: Acc,
    ) -> Result<(), OperatorError>;
}

/// Which panel is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The panel.
    pub panel: usize,
    /// Whether it is applied with its adjoint, and the next panel after that.
    pub paired: bool,
}

/// How panels are dealt to threads: as whole blocks, of which each thread gets some that follow each
/// other.
#[derive(Clone, Copy)]
pub(crate) struct Deal {
    count: usize,
    block: usize,
}

impl Deal {
    pub(crate) fn of(panels: &dyn Panels) -> Deal {
        Deal { count: panels.count(), block: panels.block().unwrap_or(1).max(1) }
    }

    /// How many blocks there are.
    pub(crate) fn blocks(self) -> usize {
        self.count.div_ceil(self.block)
    }

    /// How many hands so much work is worth.
    pub(crate) fn hands(self, work: usize) -> usize {
        crew::hands(work).min(self.blocks()).max(1)
    }

    /// The panels of a hand.
    pub(crate) fn part(self, hands: usize, hand: usize) -> Range<usize> {
        crew::part(self.count, self.block, hands, hand)
    }

    /// The block of a panel, and what its adjoint does to the block's sum, where that of the first
    /// one is told.
    pub(crate) fn sum(self, panel: usize, acc: Acc) -> (usize, Acc) {
        let block = panel / self.block;
        let first = if block == 0 { acc } else { Acc::Set };
        (block, if panel.is_multiple_of(self.block) { first } else { Acc::Add })
    }
}

/// Adds the sums of so many blocks in their order.
pub(crate) fn add_blocks<'a, S: Scalar>(
    y: &mut [S],
    blocks: usize,
    block: impl Fn(usize) -> &'a [S] + Sync,
) {
    let lines = (128 / size_of::<S>()).max(1);
    crew::over(blocks * size_of_val(y), lines, y, |some, y| {
        (0..blocks).for_each(|b| vector::copy(&block(b)[some.clone()], y, Acc::Add));
    });
}

/// The arithmetic of panels, as [`Panels`].
pub(super) trait Paneled: Paneling {
    /// Elements of both sides.
    type X: Element;

    fn forward(&self, turn: Turn, x: &[Self::X], y: &mut [Self::X], acc: Acc);

    fn adjoint(&self, turn: Turn, y: &[Self::X], x: &mut [Self::X], acc: Acc);
}

impl<P: Paneled> Panels for P {
    fn forward(
        &self,
        turn: Turn,
        x: Slice<'_>,
        y: SliceMut<'_>,
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (x, y) = typed(x, y)?;
        Paneled::forward(self, turn, x, y, acc);
        Ok(())
    }

    fn adjoint(
        &self,
        turn: Turn,
        y: Slice<'_>,
        x: SliceMut<'_>,
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (y, x) = typed(y, x)?;
        Paneled::adjoint(self, turn, y, x, acc);
        Ok(())
    }
}

/// Both sides as elements of the type, of which a real one sees complex numbers as pairs.
fn typed<'a, T: Element>(
    from: Slice<'a>,
    to: SliceMut<'a>,
) -> Result<(&'a [T], &'a mut [T]), OperatorError> {
    let dtype = from.dtype();
    let from = T::of(if T::COMPLEX { from } else { from.reals() });
    let to = T::of_mut(if T::COMPLEX { to } else { to.reals() });
    from.zip(to).ok_or_else(|| wrong_type(dtype, T::DTYPE))
}

/// All panels of a tile as one kernel.
pub(super) struct Dealt<P: Paneled> {
    panels: Arc<P>,
    /// The sums of blocks after the first one.
    sums: Vec<P::X>,
}

impl<P: Paneled> Dealt<P> {
    pub(super) fn new(panels: P) -> Self {
        Dealt { panels: Arc::new(panels), sums: Vec::new() }
    }
}

/// Runs all panels on as many hands as the work is worth.
fn each(panels: &impl Paneled, elements: usize, body: impl Fn(Turn) + Sync) {
    let deal = Deal::of(panels);
    let hands = deal.hands(panels.work(elements));
    crew::each(hands, |hand| {
        deal.part(hands, hand).for_each(|panel| body(Turn { panel, paired: false }));
    });
}

impl<P: Paneled + 'static> Kernel for Dealt<P> {
    type X = P::X;
    type Y = P::X;

    fn forward(&mut self, x: View<P::X>, y: ViewMut<P::X>, acc: Acc) {
        let (panels, row, own) = (&*self.panels, y.inner(1), x.inner(1));
        let (elements, out) = (y.data.len(), Divided::new(y.data));
        each(panels, elements, |turn| {
            let rows = panels.rows(turn.panel);
            let whole = panels.block().is_some();
            let x = if whole { x.data } else { &x.data[of_rows(&rows, own)] };
            // SAFETY: panels have rows of their own.
            let y = unsafe { out.part(of_rows(&rows, row)) };
            Paneled::forward(panels, turn, x, y, acc);
        });
    }

    fn adjoint(&mut self, y: View<P::X>, x: ViewMut<P::X>, acc: Acc) {
        let (panels, row, own, len) = (&*self.panels, y.inner(1), x.inner(1), x.data.len());
        let deal = Deal::of(panels);
        let whole = panels.block().is_some();
        let later = if whole { deal.blocks() - 1 } else { 0 };
        self.sums.resize(later * len, P::X::ZERO);
        let (first, sums) = (Divided::new(&mut *x.data), Divided::new(&mut self.sums));
        each(panels, y.data.len(), |turn| {
            let rows = panels.rows(turn.panel);
            let y = &y.data[of_rows(&rows, row)];
            // SAFETY: panels have rows of their own, or a hand has whole blocks.
            let (x, acc) = unsafe {
                match deal.sum(turn.panel, acc) {
                    _ if !whole => (first.part(of_rows(&rows, own)), acc),
                    (0, acc) => (first.part(0..len), acc),
                    (block, acc) => (sums.part((block - 1) * len..block * len), acc),
                }
            };
            Paneled::adjoint(panels, turn, y, x, acc);
        });
        let sums = &self.sums;
        add_blocks(x.data, later, |block| &sums[block * len..(block + 1) * len]);
    }

    fn panels(&self) -> Option<Arc<dyn Panels>> {
        Some(self.panels.clone())
    }
}

/// The elements of some rows, of so many each.
fn of_rows(rows: &Range<usize>, each: usize) -> Range<usize> {
    rows.start * each..rows.end * each
}

/// How many columns vectors have, each with its elements in one of them.
pub(super) fn columns(sides: [(usize, usize); 2]) -> usize {
    sides.into_iter().find(|(_, one)| *one > 0).map_or(0, |(all, one)| all / one)
}
