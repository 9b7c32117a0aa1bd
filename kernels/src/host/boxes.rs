//! Copies of boxes between arrays: sub-boxes, packing, transposition, reversal.
//!
//! A [`BoxCopy`] is worked out once: axes that lie alike on both sides become one, down to runs of
//! contiguous elements that are moved as a whole, and transposed axes are swept in tiles. Its
//! adjoint is the same copy in the other direction, [`BoxCopy::reversed`], adding.
//! A large copy is divided among the threads of a rank along one of its axes.

use super::crew::{self, Divided};
use super::{Acc, Scalar, past, turn};
use std::cmp::Reverse;
use std::ops::Range;

/// Where a box lies in an array, in elements.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// The place of its first element.
    pub offset: usize,
    /// The distance between neighbours along each axis; negative where an axis runs backwards.
    pub strides: &'a [isize],
}

/// An axis of both sides of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    extent: usize,
    from: isize,
    to: isize,
}

/// A copy of an N-D box from one array to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxCopy {
    /// At least two axes, unless the box is empty.
    axes: Vec<Axis>,
    run: usize,
    from: usize,
    to: usize,
    from_len: usize,
    to_len: usize,
    /// The axis of which several threads take parts, if they write different elements then.
    shared: Option<usize>,
}

impl BoxCopy {
    /// The copy of a box of `extents` between any two places; each of its elements is a `group` of
    /// neighbours, which the offsets and the strides count as well.
    ///
    /// # Panics
    ///
    /// If a side has an element before the start of its array.
    pub fn strided(extents: &[usize], from: Strided<'_>, to: Strided<'_>, group: usize) -> BoxCopy {
        assert_eq!(extents.len(), from.strides.len(), "a stride for each axis");
        assert_eq!(extents.len(), to.strides.len(), "a stride for each axis");
        let mut axes = vec![Axis { extent: group, from: 1, to: 1 }];
        for (k, &extent) in extents.iter().enumerate() {
            axes.push(Axis { extent, from: from.strides[k], to: to.strides[k] });
        }
        if axes.iter().any(|axis| axis.extent == 0) {
            let (axes, shared) = (vec![], None);
            return BoxCopy { axes, run: 0, from: 0, to: 0, from_len: 0, to_len: 0, shared };
        }
        axes.retain(|axis| axis.extent > 1);
        let from_len = span(from.offset, axes.iter().map(|axis| (axis.extent, axis.from)));
        let to_len = span(to.offset, axes.iter().map(|axis| (axis.extent, axis.to)));
        let (axes, run) = ordered(merged(axes));
        let shared = shared(&axes, run);
        BoxCopy { axes, run, from: from.offset, to: to.offset, from_len, to_len, shared }
    }

    /// From the box `start .. start + extents` of an array of `dims` to a contiguous buffer.
    pub fn pack(dims: &[usize], start: &[usize], extents: &[usize], group: usize) -> BoxCopy {
        let origin = vec![0; extents.len()];
        BoxCopy::between((dims, start), (extents, &origin), extents, group)
    }

    /// From a contiguous buffer to the box `start .. start + extents` of an array of `dims`.
    pub fn unpack(dims: &[usize], start: &[usize], extents: &[usize], group: usize) -> BoxCopy {
        BoxCopy::pack(dims, start, extents, group).reversed()
    }

    /// From a box to a box, each in an array given by its dims and the start of the box.
    ///
    /// # Panics
    ///
    /// If a box does not fit into its array.
    pub fn between(
        from: (&[usize], &[usize]),
        to: (&[usize], &[usize]),
        extents: &[usize],
        group: usize,
    ) -> BoxCopy {
        if extents.contains(&0) {
            return BoxCopy::strided(&[0], EMPTY, EMPTY, group);
        }
        for (dims, start) in [from, to] {
            assert_eq!((dims.len(), start.len()), (extents.len(), extents.len()), "equal ranks");
            let fits = (0..dims.len()).all(|k| start[k] + extents[k] <= dims[k]);
            assert!(fits, "the box {start:?} + {extents:?} lies in an array of {dims:?}");
        }
        let (from_strides, to_strides) = (strides(from.0, group), strides(to.0, group));
        let from = Strided { offset: place(from.1, &from_strides), strides: &from_strides };
        let to = Strided { offset: place(to.1, &to_strides), strides: &to_strides };
        BoxCopy::strided(extents, from, to, group)
    }

    /// From an array of `dims` to its transpose, whose axis `k` is axis `axes[k]` of the array.
    pub fn permute(dims: &[usize], axes: &[usize], group: usize) -> BoxCopy {
        assert_eq!(axes.len(), dims.len(), "a permutation of the axes");
        assert!((0..dims.len()).all(|k| axes.contains(&k)), "a permutation of the axes");
        let from_strides = strides(dims, group);
        let from_strides: Vec<isize> = axes.iter().map(|&axis| from_strides[axis]).collect();
        let extents: Vec<usize> = axes.iter().map(|&axis| dims[axis]).collect();
        let to_strides = strides(&extents, group);
        let from = Strided { offset: 0, strides: &from_strides };
        BoxCopy::strided(&extents, from, Strided { offset: 0, strides: &to_strides }, group)
    }

    /// The copy in the other direction.
    pub fn reversed(&self) -> BoxCopy {
        let swap = |axis: &Axis| Axis { extent: axis.extent, from: axis.to, to: axis.from };
        let BoxCopy { from, to, from_len, to_len, .. } = *self;
        if self.is_empty() {
            return self.clone();
        }
        let mut axes: Vec<Axis> = self.axes.iter().map(swap).collect();
        axes.push(Axis { extent: self.run, from: 1, to: 1 });
        axes.retain(|axis| axis.extent > 1);
        let (axes, run) = ordered(merged(axes));
        let shared = shared(&axes, run);
        BoxCopy { axes, run, from: to, to: from, from_len: to_len, to_len: from_len, shared }
    }

    /// The number of elements that are copied.
    pub fn len(&self) -> usize {
        self.run * self.axes.iter().map(|axis| axis.extent).product::<usize>()
    }

    /// Whether nothing is copied.
    pub fn is_empty(&self) -> bool {
        self.run == 0
    }

    /// Copies or adds the box of `x` to that of `y`; elements of `y` outside of it stay.
    pub fn apply<S: Scalar>(&self, x: &[S], y: &mut [S], acc: Acc) {
        assert!(x.len() >= self.from_len, "the source holds its box");
        assert!(y.len() >= self.to_len, "the target holds its box");
        if self.is_empty() {
            return;
        }
        let at = (self.from as isize, self.to as isize);
        let axis = self.shared.unwrap_or(0);
        let extent = self.axes[axis].extent;
        let most = if self.shared.is_some() { extent.div_ceil(UNIT) } else { 1 };
        let hands = crew::hands(2 * self.len() * size_of::<S>()).min(most);
        let past = self.len() * size_of::<S>() >= past::LARGE;
        let (axes, run, y) = (&self.axes, self.run, &Divided::new(y));
        crew::each(hands, |hand| {
            let own = crew::part(extent, UNIT, hands, hand);
            let sweep = Sweep { axes, run, part: (axis, own), x, y, acc, past };
            // SAFETY: both sides hold their boxes, and hands write different elements.
            unsafe { sweep.walk(0, at) };
            past::end();
        });
    }
}

/// Elements along a side of a tile.
const TILE: usize = 16;

/// What an axis is divided in: whole tiles.
const UNIT: usize = TILE;

/// What one hand copies.
struct Sweep<'a, S> {
    axes: &'a [Axis],
    run: usize,
    /// An axis, and which part of it.
    part: (usize, Range<usize>),
    x: &'a [S],
    y: &'a Divided<'a, S>,
    acc: Acc,
    /// Whether whole lines are written past the caches.
    past: bool,
}

impl<S: Scalar> Sweep<'_, S> {
    /// An axis as far as it is this hand's, and where it begins then.
    fn own(&self, k: usize, at: (isize, isize)) -> (Axis, (isize, isize)) {
        let axis = self.axes[k];
        if k != self.part.0 {
            return (axis, at);
        }
        let own = &self.part.1;
        (Axis { extent: own.len(), ..axis }, axis.step(at, own.start))
    }

    /// All axes from this one on.
    ///
    /// # Safety
    /// Both sides hold the box, and nobody else writes its elements.
    unsafe fn walk(&self, k: usize, at: (isize, isize)) {
        let (axis, at) = self.own(k, at);
        if k + 2 == self.axes.len() {
            let (last, at) = self.own(k + 1, at);
            // SAFETY: the caller's contract.
            return unsafe { self.plane(axis, last, at) };
        }
        for i in 0..axis.extent {
            // SAFETY: the caller's contract.
            unsafe { self.walk(k + 1, axis.step(at, i)) };
        }
    }

    /// Two axes in tiles, in which the lines of both sides stay in the cache.
    ///
    /// # Safety
    /// As for [`Sweep::walk`].
    unsafe fn plane(&self, a: Axis, b: Axis, at: (isize, isize)) {
        let run = self.run as isize;
        if (a.from, b.to) == (run, run)
            && let Some(side) = turn::side(self.run * size_of::<S>())
            && a.extent.min(b.extent) >= side
        {
            // SAFETY: the caller's contract.
            return unsafe { self.turned(a, b, at, side) };
        }
        let width = if a.extent == 1 { b.extent } else { TILE };
        for a_start in (0..a.extent).step_by(TILE) {
            for b_start in (0..b.extent).step_by(width) {
                for i in a_start..a.extent.min(a_start + TILE) {
                    let row = a.step(at, i);
                    for j in b_start..b.extent.min(b_start + width) {
                        // SAFETY: the caller's contract.
                        unsafe { self.run(b.step(row, j)) };
                    }
                }
            }
        }
    }

    /// # Safety
    /// As for [`Sweep::walk`].
    #[inline]
    unsafe fn run(&self, (from, to): (isize, isize)) {
        let (from, to) = (from as usize, to as usize);
        // SAFETY: the caller's contract.
        let y = unsafe { self.y.part(to..to + self.run) };
        if self.run == 1 {
            return self.acc.put(&mut y[0], self.x[from]);
        }
        self.put(&self.x[from..from + self.run], y);
    }

    fn put(&self, x: &[S], y: &mut [S]) {
        match self.acc {
            Acc::Set => y.copy_from_slice(x),
            Acc::Add => y.iter_mut().zip(x).for_each(|(v, &a)| *v += a),
        }
    }

    /// Two axes of which `a` is contiguous in `x` and `b` in `y`, in square blocks that are read by
    /// rows of `x` and written by rows of `y`.
    ///
    /// # Safety
    /// As for [`Sweep::walk`], and there is a block.
    unsafe fn turned(&self, a: Axis, b: Axis, at: (isize, isize), side: usize) {
        /// Rows of `x` that are turned before the next ones, so that all of their lines are used.
        const WIDE: usize = 256;
        // The last block of an axis begins before the one before it ends, and writes what is left.
        let starts = |some: Range<usize>, n: usize| {
            some.step_by(side).map(move |first| (first.min(n - side), first))
        };
        for some in (0..b.extent).step_by(WIDE) {
            let end = b.extent.min(some + WIDE);
            for (i, wanted) in starts(0..a.extent, a.extent) {
                for (j, first) in starts(some..end, b.extent) {
                    let at = b.step(a.step(at, i), j);
                    // SAFETY: the caller's contract, and the block lies within the box.
                    unsafe { self.block(a, b, at, side, [wanted - i, first - j]) };
                }
            }
        }
    }

    /// A block without its first columns of `x`, which are rows of `y`, and its first rows.
    ///
    /// # Safety
    /// As for [`Sweep::turned`].
    unsafe fn block(&self, a: Axis, b: Axis, at: (isize, isize), side: usize, skip: [usize; 2]) {
        let size = size_of::<S>() as isize;
        let (from, to) = (at.0 as usize, at.1 as usize);
        let bytes = self.run * size_of::<S>();
        let x = (self.x[from..].as_ptr().cast::<u8>(), b.from * size);
        if self.acc == Acc::Set && skip == [0, 0] {
            let y = turn::Target::new(self.y.place(to).cast_mut().cast(), a.to * size);
            let y = y.past_caches(self.past);
            // SAFETY: the caller's contract.
            return unsafe { turn::square(bytes, x, y) };
        }
        let mut tile = [[S::ZERO; TILE]; TILE];
        let row = side * self.run;
        let own = turn::Target::new(tile.as_mut_ptr().cast(), row as isize * size);
        // SAFETY: the caller's contract, and a tile has room for every block.
        unsafe { turn::square(bytes, x, own) };
        for (k, values) in
            tile.as_flattened().chunks_exact(row).take(side).enumerate().skip(skip[0])
        {
            let start = (at.1 + k as isize * a.to) as usize;
            let kept = skip[1] * self.run;
            // SAFETY: the caller's contract.
            let y = unsafe { self.y.part(start + kept..start + row) };
            self.put(&values[kept..], y);
        }
    }
}

impl Axis {
    #[inline]
    fn step(self, (from, to): (isize, isize), i: usize) -> (isize, isize) {
        (from + i as isize * self.from, to + i as isize * self.to)
    }
}

const EMPTY: Strided<'static> = Strided { offset: 0, strides: &[1] };

/// The strides of a contiguous array whose elements are groups.
fn strides(dims: &[usize], group: usize) -> Vec<isize> {
    let mut strides = vec![group as isize; dims.len()];
    for k in (1..dims.len()).rev() {
        strides[k - 1] = strides[k] * dims[k] as isize;
    }
    strides
}

fn place(start: &[usize], strides: &[isize]) -> usize {
    start.iter().zip(strides).map(|(&i, &stride)| i * stride as usize).sum()
}

/// The length that an array needs to hold the box.
fn span(offset: usize, axes: impl Iterator<Item = (usize, isize)>) -> usize {
    let (mut low, mut high) = (offset as isize, offset as isize);
    for (extent, stride) in axes {
        let reach = (extent as isize - 1) * stride;
        low += reach.min(0);
        high += reach.max(0);
    }
    assert!(low >= 0, "the box starts in its array");
    high as usize + 1
}

/// The axes in the order of the target, with neighbours made one where both sides allow it.
fn merged(mut axes: Vec<Axis>) -> Vec<Axis> {
    axes.sort_by_key(|axis| Reverse((axis.to.unsigned_abs(), axis.from.unsigned_abs())));
    let mut merged: Vec<Axis> = Vec::with_capacity(axes.len());
    for axis in axes {
        let extent = axis.extent as isize;
        match merged.last_mut() {
            Some(outer) if (outer.from, outer.to) == (axis.from * extent, axis.to * extent) => {
                *outer = Axis { extent: outer.extent * axis.extent, ..axis };
            }
            _ => merged.push(axis),
        }
    }
    merged
}

/// The order of the sweep, of at least two axes, and the length of its runs.
fn ordered(mut axes: Vec<Axis>) -> (Vec<Axis>, usize) {
    let run = match axes.last() {
        Some(axis) if (axis.from, axis.to) == (1, 1) => axis.extent,
        _ => 1,
    };
    if run > 1 {
        axes.pop();
    }
    // The axis along which the source is densest is swept together with the innermost one.
    if let Some(last) = axes.len().checked_sub(1)
        && let Some(dense) = (0..last).min_by_key(|&k| axes[k].from.unsigned_abs())
    {
        let axis = axes.remove(dense);
        axes.insert(last - 1, axis);
    }
    while axes.len() < 2 {
        axes.insert(0, Axis { extent: 1, from: 0, to: 0 });
    }
    (axes, run)
}

/// The axis to divide, if no element is written twice: each axis steps over all that lies within
/// one of its steps.
fn shared(axes: &[Axis], run: usize) -> Option<usize> {
    let mut nested: Vec<&Axis> = axes.iter().filter(|axis| axis.extent > 1).collect();
    nested.sort_by_key(|axis| axis.to.unsigned_abs());
    let mut within = run;
    for axis in nested {
        if axis.to.unsigned_abs() < within {
            return None;
        }
        within += axis.to.unsigned_abs() * (axis.extent - 1);
    }
    // The outermost axis that has enough parts, or else the longest one.
    (0..axes.len()).max_by_key(|&k| (axes[k].extent.min(8 * UNIT), axes[k].to.unsigned_abs()))
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::crew::Crew;
    use crate::host::testing::{assert_close, assert_dots, values};
    use std::sync::Arc;

    /// Checks a copy, by one thread and by three, against the pairs of places that it should connect.
    fn check<S: Scalar>(copy: &BoxCopy, from: usize, to: usize, pairs: &[(usize, usize)]) {
        assert_eq!(copy.len(), pairs.len());
        assert_eq!(copy.is_empty(), pairs.is_empty());
        let (x, start): (Vec<S>, Vec<S>) = (values(1, from), values(2, to));
        for acc in [Acc::Set, Acc::Add] {
            let (mut y, mut want) = (start.clone(), start.clone());
            for &(p, q) in pairs {
                acc.put(&mut want[q], x[p]);
            }
            copy.apply(&x, &mut y, acc);
            assert_close(&y, &want);
            let crew = Arc::new(Crew::new(3, false).unwrap().sharing_from(1));
            let _entered = crew.enter();
            let mut shared = start.clone();
            copy.apply(&x, &mut shared, acc);
            assert_eq!(shared, y);
        }
        let (mut y, mut z) = (vec![S::ZERO; to], vec![S::ZERO; from]);
        copy.apply(&x, &mut y, Acc::Add);
        copy.reversed().apply(&start, &mut z, Acc::Add);
        assert_dots(&x, &y, &start, &z);
    }

    /// The places of `index` and the other elements of its group in an array of `dims`.
    fn places(dims: &[usize], index: &[usize], group: usize) -> Vec<usize> {
        let flat = index.iter().zip(dims).fold(0, |flat, (&i, &n)| flat * n + i);
        (0..group).map(|g| flat * group + g).collect()
    }

    fn indices(extents: &[usize]) -> Vec<Vec<usize>> {
        extents.iter().fold(vec![vec![]], |all, &n| {
            let grow = |index: Vec<usize>| (0..n).map(move |i| [&index[..], &[i]].concat());
            all.into_iter().flat_map(grow).collect()
        })
    }

    fn shift(index: &[usize], start: &[usize]) -> Vec<usize> {
        index.iter().zip(start).map(|(i, s)| i + s).collect()
    }

    pub fn boxes_of_any_rank<S: Scalar>() {
        let cases: [(&[usize], &[usize], &[usize]); 7] = [
            (&[], &[], &[]),
            (&[5], &[1], &[3]),
            (&[4, 5], &[0, 0], &[4, 5]),
            (&[4, 5], &[1, 0], &[2, 5]),
            (&[3, 4, 5], &[1, 0, 2], &[2, 4, 1]),
            (&[2, 3, 4, 5], &[0, 1, 0, 1], &[2, 1, 4, 3]),
            (&[3, 4], &[3, 0], &[0, 4]),
        ];
        for ((dims, start, extents), group) in
            cases.into_iter().flat_map(|case| [0, 1, 3].map(|group| (case, group)))
        {
            let all = indices(extents);
            let pairs: Vec<(usize, usize)> = all
                .iter()
                .flat_map(|i| {
                    let from = places(dims, &shift(i, start), group);
                    from.into_iter().zip(places(extents, i, group))
                })
                .collect();
            let whole = dims.iter().product::<usize>() * group;
            check::<S>(&BoxCopy::pack(dims, start, extents, group), whole, pairs.len(), &pairs);
            let back: Vec<(usize, usize)> = pairs.iter().map(|&(p, q)| (q, p)).collect();
            check::<S>(&BoxCopy::unpack(dims, start, extents, group), pairs.len(), whole, &back);
        }
    }

    pub fn transposes<S: Scalar>() {
        let cases: [(&[usize], &[usize]); 9] = [
            (&[3, 5], &[1, 0]),
            (&[40, 37], &[1, 0]),
            (&[300, 19], &[1, 0]),
            (&[20, 3, 49], &[2, 1, 0]),
            (&[3, 4, 5], &[2, 0, 1]),
            (&[3, 4, 5], &[0, 2, 1]),
            (&[3, 4, 5], &[1, 0, 2]),
            (&[2, 3, 4, 5], &[3, 2, 1, 0]),
            (&[2, 0, 4], &[1, 2, 0]),
        ];
        for ((dims, axes), group) in
            cases.into_iter().flat_map(|case| [1, 2].map(|group| (case, group)))
        {
            let extents: Vec<usize> = axes.iter().map(|&axis| dims[axis]).collect();
            let pairs: Vec<(usize, usize)> = indices(dims)
                .into_iter()
                .flat_map(|i| {
                    let there: Vec<usize> = axes.iter().map(|&axis| i[axis]).collect();
                    places(dims, &i, group).into_iter().zip(places(&extents, &there, group))
                })
                .collect();
            check::<S>(&BoxCopy::permute(dims, axes, group), pairs.len(), pairs.len(), &pairs);
        }
    }

    pub fn axes_may_run_backwards<S: Scalar>() {
        let from = Strided { offset: 3, strides: &[4, -1] };
        let to = Strided { offset: 0, strides: &[4, 1] };
        let pairs: Vec<(usize, usize)> = (0..12).map(|n| (n / 4 * 4 + 3 - n % 4, n)).collect();
        check::<S>(&BoxCopy::strided(&[3, 4], from, to, 1), 12, 12, &pairs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::host::testing::each_type!(boxes_of_any_rank transposes axes_may_run_backwards);

    #[test]
    fn copies_that_write_an_element_twice_are_not_shared() {
        let to = |strides| Strided { offset: 0, strides };
        let shared = |to| BoxCopy::strided(&[40, 5], far(), to, 1).shared;
        assert_eq!([shared(to(&[0, 1])), shared(to(&[1, 1])), shared(to(&[4, 1]))], [None; 3]);
        assert!(shared(to(&[5, 1])).is_some() && shared(to(&[1, 40])).is_some());
    }

    fn far() -> Strided<'static> {
        Strided { offset: 0, strides: &[100, 1] }
    }

    #[test]
    fn contiguous_axes_become_one_run() {
        let copy = BoxCopy::pack(&[4, 5, 6], &[1, 0, 0], &[2, 5, 6], 3);
        assert_eq!((copy.run, copy.len()), (180, 180));
        let copy = BoxCopy::pack(&[4, 5, 6], &[1, 2, 0], &[2, 2, 6], 3);
        assert_eq!((copy.run, copy.len()), (36, 72));
    }
}
