//! An N-D box of an array, and the contiguous runs of storage that it is made of.
//!
//! ```text
//! rows 1..3, columns 0..4 of 5×4  →  one run of 8
//! rows 1..3, columns 1..3 of 5×4  →  two runs of 2
//! ```

use std::fmt;
use std::ops::Range;

/// A box: along every axis a first index and a length.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Region {
    start: Vec<usize>,
    len: Vec<usize>,
}

impl Region {
    /// The box that starts at `start` and is `len` long.
    ///
    /// # Panics
    /// If the two have different numbers of axes.
    pub fn new(start: impl Into<Vec<usize>>, len: impl Into<Vec<usize>>) -> Self {
        let (start, len) = (start.into(), len.into());
        assert_eq!(start.len(), len.len(), "a region has as many starts as lengths");
        Region { start, len }
    }

    /// The whole array.
    pub fn all(dims: &[usize]) -> Self {
        Region { start: vec![0; dims.len()], len: dims.to_vec() }
    }

    /// The first index along every axis.
    pub fn start(&self) -> &[usize] {
        &self.start
    }

    /// The length along every axis: the dims of the tile.
    pub fn dims(&self) -> &[usize] {
        &self.len
    }

    /// The number of axes.
    pub fn axes(&self) -> usize {
        self.len.len()
    }

    /// The number of elements, `usize::MAX` if there are more.
    pub fn len(&self) -> usize {
        volume(&self.len).unwrap_or(usize::MAX)
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len.contains(&0)
    }

    /// The indices along one axis.
    pub fn range(&self, axis: usize) -> Range<usize> {
        self.start[axis]..self.start[axis].saturating_add(self.len[axis])
    }

    /// Whether it lies in an array of these dims.
    pub fn fits(&self, dims: &[usize]) -> bool {
        let inside = |(axis, &n): (usize, &usize)| {
            self.start[axis].checked_add(self.len[axis]).is_some_and(|end| end <= n)
        };
        self.axes() == dims.len() && dims.iter().enumerate().all(inside)
    }

    /// The same box with other indices along one axis.
    pub fn with_range(&self, axis: usize, range: Range<usize>) -> Self {
        let mut region = self.clone();
        region.start[axis] = range.start;
        region.len[axis] = range.len();
        region
    }

    /// The same box with its axes in the opposite order.
    pub(super) fn reversed(&self) -> Self {
        Region {
            start: self.start.iter().rev().copied().collect(),
            len: self.len.iter().rev().copied().collect(),
        }
    }

    /// The contiguous runs of a row-major array of these dims that make up the box, in order.
    ///
    /// # Panics
    /// If the box does not lie in the array.
    pub fn runs(&self, dims: &[usize]) -> Runs {
        assert!(self.fits(dims), "region {self} is outside of {dims:?}");
        if self.is_empty() {
            return Runs::default();
        }
        // Axes that are covered in full join the run of the axis before them.
        let whole = (0..dims.len()).rev().take_while(|&a| self.len[a] == dims[a]).count();
        let outer = dims.len().saturating_sub(whole + 1);
        let strides = strides(dims);
        Runs {
            next: (0..dims.len()).map(|a| self.start[a] * strides[a]).sum(),
            index: vec![0; outer],
            len: self.len[..outer].to_vec(),
            strides: strides[..outer].to_vec(),
            run: self.len[outer..].iter().product(),
            at: 0,
            left: self.len[..outer].iter().product(),
        }
    }

    /// Cuts the box into consecutive boxes of at most `most` elements each, or of one.
    pub(super) fn slabs(&self, most: usize) -> Vec<Region> {
        if self.is_empty() {
            return vec![];
        }
        let Some(axis) = (0..self.axes()).find(|&a| self.len[a] > 1) else {
            return vec![self.clone()];
        };
        if self.len() <= most {
            return vec![self.clone()];
        }
        let inner = volume(&self.len[axis + 1..]).unwrap_or(usize::MAX);
        let range = self.range(axis);
        let step = (most / inner).max(1);
        let cut = range.clone().step_by(step).map(|i| i..range.end.min(i.saturating_add(step)));
        cut.flat_map(|r| self.with_range(axis, r).slabs(most)).collect()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for axis in 0..self.axes() {
            let comma = if axis == 0 { "" } else { ", " };
            let range = self.range(axis);
            write!(f, "{comma}{}..{}", range.start, range.end)?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region{self}")
    }
}

impl From<Range<usize>> for Region {
    fn from(range: Range<usize>) -> Self {
        Region { start: vec![range.start], len: vec![range.len()] }
    }
}

impl<const N: usize> From<[Range<usize>; N]> for Region {
    fn from(ranges: [Range<usize>; N]) -> Self {
        Region {
            start: ranges.iter().map(|r| r.start).collect(),
            len: ranges.iter().map(ExactSizeIterator::len).collect(),
        }
    }
}

/// Consecutive elements, in storage and in the tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where it starts in the array, in elements.
    pub offset: usize,
    /// Where it starts in the tile, in elements.
    pub at: usize,
    /// How many elements it has.
    pub len: usize,
}

impl Run {
    /// Its place in the array.
    pub fn stored(&self) -> Range<usize> {
        self.offset..self.offset + self.len
    }

    /// Its place in the tile.
    pub fn tile(&self) -> Range<usize> {
        self.at..self.at + self.len
    }
}

/// The runs of a region; see [`Region::runs`].
#[derive(Clone, Debug, Default)]
pub struct Runs {
    next: usize,
    index: Vec<usize>,
    len: Vec<usize>,
    strides: Vec<usize>,
    run: usize,
    at: usize,
    left: usize,
}

impl Iterator for Runs {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        self.left = self.left.checked_sub(1)?;
        let run = Run { offset: self.next, at: self.at, len: self.run };
        self.at += self.run;
        for axis in (0..self.index.len()).rev() {
            self.index[axis] += 1;
            self.next += self.strides[axis];
            if self.index[axis] < self.len[axis] {
                break;
            }
            self.next -= self.index[axis] * self.strides[axis];
            self.index[axis] = 0;
        }
        Some(run)
    }
}

/// The boxes, each contiguous, that make up consecutive elements of a row-major array.
pub(super) fn boxes(dims: &[usize], elements: Range<usize>) -> Vec<Region> {
    let strides = strides(dims);
    let mut found = vec![];
    let mut at = elements.start;
    while at < elements.end {
        let left = elements.end - at;
        let index: Vec<usize> = (0..dims.len()).map(|a| at / strides[a] % dims[a]).collect();
        let fits = |&a: &usize| at.is_multiple_of(strides[a]) && left >= strides[a];
        let Some(axis) = (0..dims.len()).find(fits) else {
            return vec![Region::all(dims)];
        };
        let mut len = dims.to_vec();
        len[..axis].fill(1);
        len[axis] = (left / strides[axis]).min(dims[axis] - index[axis]);
        at += len[axis] * strides[axis];
        found.push(Region { start: index, len });
    }
    found
}

/// The distance in elements between neighbours along each axis, row-major.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// The number of elements of an array, if it can be counted.
pub(super) fn volume(dims: &[usize]) -> Option<usize> {
    if dims.contains(&0) {
        return Some(0);
    }
    dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))
}

/// Dims as people write them: `4096×1024`.
pub(super) fn show(dims: &[usize]) -> String {
    if dims.is_empty() {
        return "()".into();
    }
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(region: &Region, dims: &[usize]) -> Vec<(usize, usize, usize)> {
        region.runs(dims).map(|r| (r.offset, r.at, r.len)).collect()
    }

    #[test]
    fn runs_are_coalesced() {
        assert_eq!(runs(&[1..3, 0..4].into(), &[5, 4]), [(4, 0, 8)]);
        assert_eq!(runs(&[1..3, 1..3].into(), &[5, 4]), [(5, 0, 2), (9, 2, 2)]);
        assert_eq!(runs(&[0..2, 1..2, 0..3].into(), &[2, 2, 3]), [(3, 0, 3), (9, 3, 3)]);
        assert_eq!(runs(&[1..3, 0..3, 0..4].into(), &[5, 3, 4]), [(12, 0, 24)]);
        assert_eq!(runs(&Region::all(&[]), &[]), [(0, 0, 1)]);
        assert_eq!(runs(&[1..1, 0..4].into(), &[5, 4]), []);
    }

    #[test]
    fn fitting_does_not_overflow() {
        assert!(Region::from(2..5).fits(&[5]));
        assert!(!Region::from(2..6).fits(&[5]));
        assert!(!Region::new([usize::MAX], [2]).fits(&[5]));
        assert!(!Region::from(0..1).fits(&[5, 5]));
    }

    #[test]
    fn slabs_follow_one_another() {
        let region = Region::from([0..2, 3..8, 0..4]);
        let slabs = region.slabs(8);
        assert_eq!(slabs.len(), 6);
        assert!(slabs.iter().all(|s| s.len() <= 8));
        assert_eq!(slabs[2], [0..1, 7..8, 0..4].into());
        assert_eq!(region.slabs(40).len(), 1);
    }

    #[test]
    fn boxes_cover_consecutive_elements() {
        assert_eq!(boxes(&[3, 4], 0..12), [Region::from([0..3, 0..4])]);
        let cut = boxes(&[3, 4], 2..11);
        let want = [[0..1, 2..4], [1..2, 0..4], [2..3, 0..3]].map(Region::from);
        assert_eq!(cut, want);
        assert_eq!(boxes(&[], 0..1), [Region::all(&[])]);
    }
}
