//! Who holds what: the placement of one part on a mesh.
//!
//! ```text
//!                replicated
//!          slice ╱        ╲ partial
//!               ▼          ▼
//!   split over an axis ──▶ pending sum over an axis        (pad)
//!    ~ghosts (halo)             ~+ghost contributions (halo_sum)
//! ```
//! Going up costs communication: `all_gather` from split, `all_reduce` from pending, and
//! `reduce_scatter` from pending to split.
//! For each axis of the mesh a part is in exactly one of the three states.
//! Ownership is exact: sizes need not divide, ranks may own nothing.

use crate::dtype::Dtype;
use crate::mesh::{Axis, Mesh};
use crate::signature::Spread;
use crate::weights::Weights;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

/// A way to cut a dim other than into balanced blocks, declared in the plan's head.
///
/// The cut points are those of an index of `size` values, balanced by count or by `weights`,
/// carried over to the dim by `spread`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cut {
    /// Its name in the plan.
    pub name: String,
    /// How many values the index has.
    pub size: usize,
    /// Relative cost of each value.
    pub weights: Option<Arc<Weights>>,
    /// Elements of the dim for each value.
    pub spread: Spread,
}

/// How one dim is split: over which axes, major first, and where it is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Split {
    /// The axes, major first; none if the dim is not split.
    pub axes: Vec<Axis>,
    /// Balanced blocks if none is named.
    pub cut: Option<Arc<Cut>>,
}

/// In which memory a part lives.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Space {
    /// Main memory.
    #[default]
    Host,
    /// Memory of an accelerator, `@dev`.
    Device,
}

/// Who holds which elements of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Placement {
    /// One for each dim.
    pub splits: Vec<Split>,
    /// Ghost cells below and above, one pair for each dim.
    pub ghosts: Vec<(usize, usize)>,
    /// Whether ghost cells hold contributions still to be added to their owners.
    pub dual: bool,
    /// Axes over which the part is still to be summed, ascending.
    pub pending: Vec<Axis>,
    /// Where it lives.
    pub space: Space,
}

/// Shape, element type and placement of one part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Type {
    /// The global shape.
    pub dims: Vec<usize>,
    /// The element type.
    pub dtype: Dtype,
    /// Who holds what.
    pub placement: Placement,
}

/// A box of indices: one range for each dim.
pub type Region = Vec<Range<usize>>;

impl Cut {
    /// Piece `k` of `pieces` pieces of the index range, before the spread.
    fn piece(&self, range: Range<usize>, pieces: usize, k: usize) -> Range<usize> {
        let Some(weights) = &self.weights else {
            let bound = |k| range.start + balanced(range.len(), pieces, k);
            return bound(k)..bound(k + 1);
        };
        weights.piece(range, pieces, k)
    }

    fn interval(&self, mesh: &Mesh, axes: &[Axis], at: &[usize]) -> Range<usize> {
        let mut range = 0..self.size;
        for &axis in axes {
            range = self.piece(range, mesh.size(axis), at[axis]);
        }
        self.spread.at(range.start)..self.spread.at(range.end)
    }
}

/// Where piece `k` of `pieces` begins: the first pieces are one longer.
fn balanced(n: usize, pieces: usize, k: usize) -> usize {
    n / pieces * k + k.min(n % pieces)
}

impl Split {
    /// Not split.
    pub fn none() -> Self {
        Split::default()
    }

    /// Balanced blocks over some axes.
    pub fn over(axes: &[Axis]) -> Self {
        Split { axes: axes.to_vec(), cut: None }
    }

    /// The elements of a dim of `n` that a rank at these coordinates owns.
    pub fn interval(&self, n: usize, mesh: &Mesh, at: &[usize]) -> Range<usize> {
        if let (Some(cut), false) = (&self.cut, self.axes.is_empty()) {
            return cut.interval(mesh, &self.axes, at);
        }
        self.axes.iter().fold(0..n, |range, &axis| {
            let bound = |k| range.start + balanced(range.len(), mesh.size(axis), k);
            bound(at[axis])..bound(at[axis] + 1)
        })
    }

    /// The elements of the largest block of a dim: of the first one where blocks are balanced, else
    /// of the largest of the first ones.
    pub fn largest_block(&self, n: usize, mesh: &Mesh) -> usize {
        let blocks = if self.cut.is_none() { 1 } else { mesh.sizes(&self.axes).min(BLOCKS) };
        let at = |k| mesh.coordinates_along(&self.axes, k);
        (0..blocks).map(|k| self.interval(n, mesh, &at(k)).len()).max().unwrap_or(n)
    }
}

/// The blocks of a named cut of which the largest is taken.
const BLOCKS: usize = 64;

impl Placement {
    /// Every rank holds everything.
    pub fn replicated(dims: usize) -> Self {
        Placement {
            splits: vec![Split::none(); dims],
            ghosts: vec![(0, 0); dims],
            ..Self::default()
        }
    }

    /// Whether every rank holds everything, settled.
    pub fn is_replicated(&self) -> bool {
        self.pending.is_empty() && self.splits.iter().all(|s| s.axes.is_empty())
    }

    /// Whether ghost cells are held.
    pub fn has_ghosts(&self) -> bool {
        self.ghosts.iter().any(|&g| g != (0, 0))
    }

    /// Whether all that another placement holds of a part is held, and valid.
    pub fn covers(&self, other: &Self) -> bool {
        let deep = |(a, b): (&(usize, usize), &(usize, usize))| b.0 <= a.0 && b.1 <= a.1;
        let fits = self.ghosts.iter().zip(&other.ghosts).all(deep);
        fits && !self.dual && !other.dual && self.without_ghosts() == other.without_ghosts()
    }

    /// The same without ghost cells.
    pub fn without_ghosts(&self) -> Self {
        Placement { ghosts: vec![(0, 0); self.ghosts.len()], dual: false, ..self.clone() }
    }

    /// The axes that split some dim, ascending.
    pub fn split_axes(&self) -> Vec<Axis> {
        let mut axes: Vec<_> = self.splits.iter().flat_map(|s| s.axes.iter().copied()).collect();
        axes.sort_unstable();
        axes
    }
}

impl Type {
    /// A replicated part.
    pub fn new(dims: &[usize], dtype: Dtype) -> Self {
        Type { dims: dims.to_vec(), dtype, placement: Placement::replicated(dims.len()) }
    }

    /// A replicated scalar.
    pub fn scalar(dtype: Dtype) -> Self {
        Type::new(&[], dtype)
    }

    /// The same with another placement.
    pub fn placed(&self, placement: Placement) -> Self {
        Type { placement, ..self.clone() }
    }

    /// Elements of the whole part.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape and element type are the same.
    pub fn same_shape(&self, other: &Type) -> bool {
        self.dims == other.dims && self.dtype == other.dtype
    }

    /// What a rank at these coordinates owns.
    pub fn owned(&self, mesh: &Mesh, at: &[usize]) -> Region {
        let splits = &self.placement.splits;
        self.dims.iter().zip(splits).map(|(&n, split)| split.interval(n, mesh, at)).collect()
    }

    /// What a rank at these coordinates holds: what it owns, and its ghost cells inside the array.
    pub fn held(&self, mesh: &Mesh, at: &[usize]) -> Region {
        let owned = self.owned(mesh, at);
        if owned.iter().any(Range::is_empty) {
            return owned;
        }
        let widen = |((own, &(lo, hi)), &n): ((Range<usize>, &(usize, usize)), &usize)| {
            own.start.saturating_sub(lo)..(own.end + hi).min(n)
        };
        owned.into_iter().zip(&self.placement.ghosts).zip(&self.dims).map(widen).collect()
    }

    /// The type as plans print it.
    pub fn text(&self, mesh: &Mesh) -> String {
        let mut out = format!("{}[", self.dtype);
        for (d, &n) in self.dims.iter().enumerate() {
            if d > 0 {
                out.push_str(", ");
            }
            let p = &self.placement;
            out.push_str(&dim_text(n, &p.splits[d], mesh));
            if p.ghosts[d] != (0, 0) {
                let plus = if p.dual { "+" } else { "" };
                let _ = write!(out, "~{plus}{}:{}", p.ghosts[d].0, p.ghosts[d].1);
            }
        }
        out.push(']');
        for &axis in &self.placement.pending {
            let _ = write!(out, " +{}", mesh.axes[axis].0);
        }
        if self.placement.space == Space::Device {
            out.push_str(" @dev");
        }
        out
    }
}

/// One dim as plans print it: `n`, `n/r`, `n/(c,r)`, `n/r@q`.
pub fn dim_text(n: usize, split: &Split, mesh: &Mesh) -> String {
    let names: Vec<_> = split.axes.iter().map(|&a| mesh.axes[a].0.as_str()).collect();
    let mut out = match names.as_slice() {
        [] => return n.to_string(),
        [one] => format!("{n}/{one}"),
        more => format!("{n}/({})", more.join(",")),
    };
    if let Some(cut) = &split.cut {
        let _ = write!(out, "@{}", cut.name);
    }
    out
}

/// The number of elements of a box.
pub fn volume(region: &Region) -> usize {
    region.iter().map(Range::len).product()
}

/// What two boxes share; a box with an empty range if nothing.
pub fn intersect(a: &Region, b: &Region) -> Region {
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            let start = a.start.max(b.start);
            start..a.end.min(b.end).max(start)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(split: &Split, n: usize, mesh: &Mesh) -> Vec<Range<usize>> {
        (0..mesh.ranks()).map(|r| split.interval(n, mesh, &mesh.coordinates(r))).collect()
    }

    #[test]
    fn blocks_are_balanced_and_nested() {
        let mesh = Mesh::grid(2, 3);
        assert_eq!(pieces(&Split::over(&[0]), 5, &mesh), [0..3, 0..3, 0..3, 3..5, 3..5, 3..5]);
        assert_eq!(pieces(&Split::over(&[1, 0]), 7, &mesh), [0..2, 3..4, 5..6, 2..3, 4..5, 6..7]);
    }

    #[test]
    fn more_ranks_than_rows_leaves_some_with_nothing() {
        let p = pieces(&Split::over(&[0]), 2, &Mesh::line(4));
        assert_eq!(p, [0..1, 1..2, 2..2, 2..2]);
    }

    #[test]
    fn cuts_follow_weights_and_spread() {
        let cut = Cut {
            name: "q".into(),
            size: 4,
            weights: Some(Arc::new(vec![6, 1, 1, 4].into())),
            spread: Spread::from_counts([5, 0, 2, 3]),
        };
        let split = Split { axes: vec![0], cut: Some(Arc::new(cut)) };
        assert_eq!(pieces(&split, 10, &Mesh::line(2)), [0..5, 5..10]);
        assert_eq!(pieces(&split, 10, &Mesh::line(3)), [0..5, 5..10, 10..10]);
    }

    #[test]
    fn ghosts_stay_inside_the_array() {
        let mesh = Mesh::line(3);
        let mut t = Type::new(&[6], Dtype::F64);
        t.placement.splits[0] = Split::over(&[0]);
        t.placement.ghosts[0] = (1, 3);
        let held: Vec<_> = (0..3).map(|r| t.held(&mesh, &[r])[0].clone()).collect();
        assert_eq!(held, [0..5, 1..6, 3..6]);
        assert_eq!(t.text(&mesh), "f64[6/p~1:3]");
    }
}
