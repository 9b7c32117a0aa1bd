//! Sums of neighbouring rows term by term or by transforms, whichever takes less time.

use super::super::index::Window;
use super::super::{Acc, Scalar};
use super::direct::Taps;
use super::fourier::Fourier;

/// Both ways to compute sums.
#[derive(Clone)]
pub(super) struct Sums<S: Scalar> {
    taps: Taps<S>,
    /// What short rows and blocks of columns need, made in the first application.
    room: Vec<S>,
    /// For numbers of rows that have been seen, how they are computed, if by transforms.
    seen: Vec<(usize, Option<Fourier<S>>)>,
}

/// For how many numbers of rows it is remembered how they are computed.
const SEEN: usize = 4;

impl<S: Scalar> Sums<S> {
    /// Sums in which row `p` reads the rows from `p + low` on.
    pub fn new(low: isize, c: Vec<S>) -> Self {
        Sums { taps: Taps::new(low, c), room: Vec::new(), seen: Vec::new() }
    }

    /// One plane `[from.len, inner]` of `x` to one `[to.len, inner]` of `y`.
    pub fn plane(&mut self, inner: usize, from: (Window, &[S]), to: (Window, &mut [S]), acc: Acc) {
        let at = self.known(to.0.len);
        match &mut self.seen[at].1 {
            Some(fourier) => fourier.plane(inner, from, to, acc),
            None => self.taps.plane(inner, from, to, &mut self.room, acc),
        }
    }

    /// Some rows of a plane, which are those of the whole if that [has rows](Sums::has_rows).
    pub fn rows(&mut self, inner: usize, from: (Window, &[S]), to: (Window, &mut [S]), acc: Acc) {
        self.taps.plane(inner, from, to, &mut self.room, acc);
    }

    /// How many lines without an inner extent are computed together, if that is quicker.
    pub fn together(&mut self, from: Window, to: Window) -> Option<usize> {
        if self.has_rows(to.len) { self.taps.together(from, to) } else { None }
    }

    /// As many lines as are computed [together](Sums::together).
    pub fn lines(&mut self, from: (Window, &[S]), to: (Window, &mut [S]), acc: Acc) {
        self.taps.lines(from, to, &mut self.room, acc);
    }

    /// Whether each of so many rows is computed by itself.
    pub fn has_rows(&mut self, rows: usize) -> bool {
        let at = self.known(rows);
        self.seen[at].1.is_none()
    }

    /// Operations for each column of so many rows, at most.
    pub fn work(&self, rows: usize) -> usize {
        rows * S::PARTS * S::PARTS * (2 * self.taps.c.len()).min(200)
    }

    fn known(&mut self, rows: usize) -> usize {
        if let Some(at) = self.seen.iter().position(|seen| seen.0 == rows) {
            return at;
        }
        if self.seen.len() == SEEN {
            self.seen.remove(0);
        }
        let nfft = samples(self.taps.c.len(), rows, S::COMPLEX);
        self.seen.push((rows, nfft.map(|nfft| Fourier::new(&self.taps, nfft))));
        self.seen.len() - 1
    }
}

/// How many samples a block of transforms should have, if they are quicker than so many terms of so
/// many rows.
pub(super) fn samples(terms: usize, rows: usize, complex: bool) -> Option<usize> {
    /// How many operations of sums take as long as one of transforms.
    const SLOWER: f64 = 4.0;
    /// As many operations take as long as to move a sample there and back.
    const MOVES: f64 = 30.0;
    let direct = terms as f64 * rows as f64 * if complex { 8.0 } else { 2.0 };
    let cost = |nfft: usize| {
        let n = nfft as f64;
        let flops = 2.0 * n * n.log2() * if complex { 5.0 } else { 2.5 };
        let blocks = rows.div_ceil(nfft - terms + 1) as f64;
        blocks * (SLOWER * flops + MOVES * n)
    };
    let whole = rows + terms.max(1) - 1;
    let sizes = (5..40).flat_map(|k| [1 << k, 3 << (k - 1)]).filter(|&n| n >= 2 * terms);
    let least = sizes.clone().find(|&n| n >= whole).unwrap_or(usize::MAX);
    let best = sizes
        .take_while(|&n| n <= least)
        .map(|n| (n, cost(n)))
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    (best.1 < direct).then_some(best.0)
}
