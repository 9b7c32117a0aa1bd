//! Placements without ghosts as two numbers, so that a graph of them is quickly walked.

use crate::mesh::Axis;
use crate::placement::{Cut, Placement, Split};
use std::sync::Arc;

/// The axes of a mesh between whose placements ways are found.
pub(super) const AXES: usize = 12;

/// The dims of a part for which ways are found.
pub(super) const DIMS: usize = 20;

const PENDING: u8 = 1;

/// What each axis does, eight bits for each: replicates, sums, or splits a dim as one of its axes.
/// Where each dim is cut, four bits for each: an index into the cuts known for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Code {
    roles: u128,
    cuts: u128,
}

/// Some axes in an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Axes {
    len: u8,
    axes: [u8; AXES],
}

/// For each dim where it may be cut, balanced first.
pub(super) type Cuts = Vec<Vec<Option<Arc<Cut>>>>;

impl Axes {
    /// One more at the end.
    pub(super) fn with(mut self, axis: Axis) -> Self {
        self.axes[usize::from(self.len)] = axis as u8;
        self.len += 1;
        self
    }

    /// The axes.
    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = Axis> + ExactSizeIterator {
        self.axes.into_iter().take(usize::from(self.len)).map(usize::from)
    }

    /// The same in ascending order.
    pub(super) fn sorted(mut self) -> Self {
        self.axes[..usize::from(self.len)].sort_unstable();
        self
    }

    /// How many there are.
    pub(super) fn len(self) -> usize {
        usize::from(self.len)
    }

    /// Whether there are none.
    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether this is one of them.
    pub(super) fn contains(self, axis: Axis) -> bool {
        self.iter().any(|a| a == axis)
    }

    /// The last ones, from a position on.
    pub(super) fn from(self, first: usize) -> Self {
        self.iter().skip(first).fold(Axes::default(), Axes::with)
    }

    /// All that can be made of some of them, in every order, the shorter ones first.
    pub(super) fn arrangements(self) -> Vec<Axes> {
        let mut out = vec![Axes::default()];
        let mut from = 0;
        for _ in 0..self.len {
            let to = out.len();
            for k in from..to {
                let before = out[k];
                out.extend(self.iter().filter(|&a| !before.contains(a)).map(|a| before.with(a)));
            }
            from = to;
        }
        out.remove(0);
        out
    }
}

impl Code {
    /// The code of a placement, if its cuts are known.
    pub(super) fn of(placement: &Placement, cuts: &Cuts) -> Option<Self> {
        let mut out = Code::default();
        for &axis in &placement.pending {
            out.set(axis, PENDING);
        }
        for (d, split) in placement.splits.iter().enumerate() {
            let cut = cuts[d].iter().position(|c| *c == split.cut)?;
            let axes = split.axes.iter().fold(Axes::default(), |axes, &a| axes.with(a));
            out = out.split(d, axes, cut);
        }
        Some(out)
    }

    /// The placement of a code.
    pub(super) fn placement(self, axes: usize, cuts: &Cuts) -> Placement {
        let mut out = Placement::replicated(cuts.len());
        out.pending = self.pending(axes).iter().collect();
        for (d, split) in out.splits.iter_mut().enumerate() {
            let axes: Vec<Axis> = self.axes_of(d, axes).iter().collect();
            let cut = if axes.is_empty() { None } else { cuts[d][self.cut(d)].clone() };
            *split = Split { axes, cut };
        }
        out
    }

    fn role(self, axis: Axis) -> u8 {
        (self.roles >> (8 * axis)) as u8
    }

    fn set(&mut self, axis: Axis, role: u8) {
        self.roles &= !(0xff << (8 * axis));
        self.roles |= u128::from(role) << (8 * axis);
    }

    /// Where a dim is cut.
    pub(super) fn cut(self, d: usize) -> usize {
        (self.cuts >> (4 * d)) as usize & 15
    }

    /// The axes over which it is still to be summed, ascending.
    pub(super) fn pending(self, axes: usize) -> Axes {
        let all = (0..axes).filter(|&a| self.role(a) == PENDING);
        all.fold(Axes::default(), Axes::with)
    }

    /// The axes that replicate it, ascending.
    pub(super) fn free(self, axes: usize) -> Axes {
        let all = (0..axes).filter(|&a| self.role(a) == 0);
        all.fold(Axes::default(), Axes::with)
    }

    /// The axes that split a dim, major first.
    pub(super) fn axes_of(self, d: usize, axes: usize) -> Axes {
        let at = |k: usize| (0..axes).find(|&a| usize::from(self.role(a)) == split_role(d, k));
        (0..axes).map_while(at).fold(Axes::default(), Axes::with)
    }

    /// With a dim split by some axes behind those that split it, at these cuts if none did.
    pub(super) fn split(mut self, d: usize, more: Axes, cut: usize) -> Self {
        let before = self.axes_of(d, AXES).len();
        if before == 0 && !more.is_empty() {
            self.cuts |= (cut as u128) << (4 * d);
        }
        for (k, axis) in more.iter().enumerate() {
            self.set(axis, split_role(d, before + k) as u8);
        }
        self
    }

    /// With some axes, the last ones of a dim, replicating instead.
    pub(super) fn gathered(mut self, d: usize, less: Axes) -> Self {
        less.iter().for_each(|axis| self.set(axis, 0));
        if self.axes_of(d, AXES).is_empty() {
            self.cuts &= !(15 << (4 * d));
        }
        self
    }

    /// With some axes replicating instead of summing.
    pub(super) fn settled(mut self, axes: Axes) -> Self {
        axes.iter().for_each(|axis| self.set(axis, 0));
        self
    }

    /// With some axes summing instead of replicating.
    pub(super) fn summing(mut self, axes: Axes) -> Self {
        axes.iter().for_each(|axis| self.set(axis, PENDING));
        self
    }
}

fn split_role(d: usize, k: usize) -> usize {
    2 + d * AXES + k
}
