//! Pseudo-random choices.

use super::super::dense::array;
use adjoin::Dtype;
use adjoin::data::Source;
use adjoin::ops::Kind;

/// Pseudo-random choices.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % sides.max(1)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.roll(2) == 1
    }

    pub(super) fn dtype(&mut self) -> Dtype {
        Dtype::ALL[self.roll(4)]
    }

    pub(super) fn source(&mut self, dims: &[usize], dtype: Dtype) -> Source {
        Source::array(array(self.0, dims, dtype))
    }

    /// Up to three dims of so many elements.
    pub(super) fn dims(&mut self, n: usize) -> Vec<usize> {
        let mut dims = vec![n];
        for _ in 0..self.roll(3) {
            let last = dims.pop().unwrap_or(1);
            let first = self.divisor(last);
            dims.extend([first, last / first]);
        }
        dims
    }

    pub(super) fn divisor(&mut self, n: usize) -> usize {
        let all: Vec<_> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
        all[self.roll(all.len())]
    }

    /// A number of parts, and where they are cut.
    pub(super) fn cut(&mut self, n: usize) -> (usize, usize) {
        if n < 2 {
            return (n, 0);
        }
        let first = 1 + self.roll(n - 1);
        (first, n - first)
    }

    pub(super) fn common(&mut self, m: usize, n: usize) -> usize {
        let all: Vec<_> =
            (1..=m.min(n)).filter(|k| m.is_multiple_of(*k) && n.is_multiple_of(*k)).collect();
        all[self.roll(all.len())]
    }

    pub(super) fn kind(&mut self) -> Kind {
        [Kind::Forward, Kind::Centered, Kind::Backward][self.roll(3)]
    }

    pub(super) fn axis(&mut self, dims: &[usize]) -> isize {
        self.roll(dims.len()) as isize
    }

    pub(super) fn heights(&mut self, m: usize) -> Vec<usize> {
        let mut heights = Vec::new();
        let mut left = m;
        while left > 0 {
            let height = 1 + self.roll(left.min(4));
            heights.push(height);
            left -= height;
        }
        heights
    }
}
