//! Copies of a box from one side of a tile to the other, shared by operators that move elements.

use super::tile::{self, Kernel, View, ViewMut};
use crate::elements::Element;
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::boxes::BoxCopy;
use adjoin_passes::placement::Region;
use std::marker::PhantomData;

/// A copy that is worked out for the batch of the first application, and again when that changes.
pub(super) struct Moves<T, F> {
    /// The copy from the domain to the range for groups of so many elements.
    make: F,
    /// Whether it fills the range, and its adjoint the domain.
    fills: (bool, bool),
    made: Option<Made>,
    elements: PhantomData<fn() -> T>,
}

struct Made {
    group: usize,
    forward: BoxCopy,
    adjoint: BoxCopy,
}

impl<T: Element, F: Fn(usize) -> BoxCopy> Moves<T, F> {
    pub fn new(fills: (bool, bool), make: F) -> Self {
        Moves { make, fills, made: None, elements: PhantomData }
    }

    fn made(&mut self, group: usize) -> &Made {
        if self.made.as_ref().is_none_or(|made| made.group != group) {
            let forward = (self.make)(group);
            let adjoint = forward.reversed();
            self.made = Some(Made { group, forward, adjoint });
        }
        self.made.as_ref().expect("the copy was made above")
    }
}

impl<T: Element, F: Fn(usize) -> BoxCopy + Send> Kernel for Moves<T, F> {
    type X = T;
    type Y = T;

    fn forward(&mut self, x: View<T>, y: ViewMut<T>, acc: Acc) {
        if !self.fills.0 {
            acc.prepare(y.data);
        }
        self.made(y.group).forward.apply(x.data, y.data, acc);
    }

    fn adjoint(&mut self, y: View<T>, x: ViewMut<T>, acc: Acc) {
        if !self.fills.1 {
            acc.prepare(x.data);
        }
        self.made(y.group).adjoint.apply(y.data, x.data, acc);
    }
}

/// The copy of a box that both sides hold.
pub(super) fn between(domain: &Region, range: &Region, common: &Region, group: usize) -> BoxCopy {
    let start = |held: &Region| -> Vec<usize> {
        common.iter().zip(held).map(|(c, h)| c.start - h.start).collect()
    };
    let (from, to) = (tile::lens(domain), tile::lens(range));
    let extents = tile::lens(common);
    BoxCopy::between((&from, &start(domain)), (&to, &start(range)), &extents, group)
}
