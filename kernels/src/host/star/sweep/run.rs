//! A run in registers: the long piece in the middle with one factor for each term, and both ends
//! with factors for each element.
//!
//! An element of an end has some of the terms that elements of the run have; the others are left
//! out by lanes, so that it is the sum of its own terms in their order.

use super::super::super::Real;
use super::super::super::vectors::{Vector, prefetch};
use super::classes::ArmTerm;
use std::ops::Range;

/// The most lanes of a register, and the most elements of an end.
const MOST: usize = 16;

/// The registers that are computed at once.
const WIDE: usize = 8;

/// The bytes of a cache line.
const LINE: usize = 64;

/// A run of one long piece.
pub(super) struct Ends<R> {
    head: End<R>,
    distances: Vec<isize>,
    factors: Vec<R>,
    tail: End<R>,
}

/// The first or the last elements of a run.
struct End<R> {
    /// How many have other terms than the long piece.
    len: usize,
    terms: Vec<EndTerm<R>>,
}

/// A term of some of the [`MOST`] elements at an end.
struct EndTerm<R> {
    distance: isize,
    lanes: u32,
    factors: [R; MOST],
}

/// A piece of a run with its terms.
type Stretch<R> = (Range<usize>, Vec<ArmTerm<R>>);

impl<R: Real> Ends<R> {
    /// What a run of these pieces is made of; none if it has no long piece, or elements whose terms
    /// come in an order of their own.
    pub fn of(run: usize, pieces: &[Stretch<R>]) -> Option<Self> {
        let (long, terms) = pieces.iter().max_by_key(|(elements, _)| elements.len())?;
        let (before, after) = (long.start, run - long.end);
        let room = if before > 0 && after > 0 { 2 * MOST } else { MOST };
        if run < room || before > MOST || after > MOST {
            return None;
        }
        Some(Ends {
            head: End::of(before, 0, pieces)?,
            distances: terms.iter().map(|(_, term)| term.0).collect(),
            factors: terms.iter().map(|(_, term)| term.1).collect(),
            tail: End::of(after, run - MOST, pieces)?,
        })
    }
}

impl<R: Real> End<R> {
    /// The end of so many elements, whose registers begin here.
    fn of(len: usize, first: usize, pieces: &[Stretch<R>]) -> Option<Self> {
        let mut end = End { len, terms: Vec::new() };
        if len == 0 {
            return Some(end);
        }
        let mut keys = Vec::new();
        for (elements, terms) in pieces {
            if !terms.is_sorted_by(|a, b| key(a) < key(b)) {
                return None;
            }
            if elements.start < first + MOST && first < elements.end {
                keys.extend(terms.iter().map(key));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        end.terms = keys.into_iter().map(|wanted| EndTerm::of(wanted, first, pieces)).collect();
        Some(end)
    }
}

/// Terms come in the order of arms and distances.
fn key<R>((arm, (distance, _)): &ArmTerm<R>) -> (usize, isize) {
    (*arm, *distance)
}

impl<R: Real> EndTerm<R> {
    fn of(wanted: (usize, isize), first: usize, pieces: &[Stretch<R>]) -> Self {
        let mut term = EndTerm { distance: wanted.1, lanes: 0, factors: [R::ZERO; MOST] };
        for (elements, terms) in pieces {
            let Some((_, (_, factor))) = terms.iter().find(|term| key(term) == wanted) else {
                continue;
            };
            for element in elements.start.max(first)..elements.end.min(first + MOST) {
                term.lanes |= 1 << (element - first);
                term.factors[element - first] = *factor;
            }
        }
        term
    }
}

/// Runs of one kind, one after the other: where the first one is in the source and in the target,
/// how far the next one is in both, and how many elements each has.
#[derive(Clone, Copy)]
pub(super) struct Runs<R> {
    pub x: *const R,
    pub y: *mut R,
    pub pitch: (isize, usize),
    pub len: usize,
}

impl<R> Runs<R> {
    /// Some elements of one run.
    pub fn piece(self, run: usize, start: usize, len: usize) -> Self {
        let Runs { x, y, pitch, .. } = self.after(run);
        Runs { x: x.wrapping_add(start), y: y.wrapping_add(start), pitch, len }
    }

    fn after(self, runs: usize) -> Self {
        let x = self.x.wrapping_offset(runs as isize * self.pitch.0);
        Runs { x, y: self.y.wrapping_add(runs * self.pitch.1), ..self }
    }

    /// The same elements of all runs, from this one on.
    fn column(self, at: usize) -> Grid<R> {
        Grid { x: self.x.wrapping_add(at), y: self.y.wrapping_add(at), pitch: self.pitch }
    }
}

/// Several registers: the first of them, and how far the next one is, in source and target.
#[derive(Clone, Copy)]
struct Grid<R> {
    x: *const R,
    y: *mut R,
    pitch: (isize, usize),
}

impl<R> Grid<R> {
    fn from(self, k: usize) -> *const R {
        self.x.wrapping_offset(k as isize * self.pitch.0)
    }

    fn to(self, k: usize) -> *mut R {
        self.y.wrapping_add(k * self.pitch.1)
    }
}

/// `y (+)= Σ …` for so many runs.
///
/// # Safety
///
/// All that the terms of their elements read is there, no target overlaps another or the source,
/// and the machine has the instructions of `V`.
#[inline(always)]
#[allow(clippy::inline_always)] // The loops around it are compiled for several instruction sets.
pub(super) unsafe fn along<V: Vector<R>, R: Real>(
    ends: &Ends<R>,
    runs: Runs<R>,
    count: usize,
    set: bool,
) {
    let mut at = 0;
    // SAFETY: the caller's contract.
    unsafe {
        while at + WIDE <= count {
            several::<V, R, WIDE>(ends, runs.after(at), set);
            at += WIDE;
        }
        while at + 2 <= count {
            several::<V, R, 2>(ends, runs.after(at), set);
            at += 2;
        }
        if at < count {
            several::<V, R, 1>(ends, runs.after(at), set);
        }
    }
}

/// [`along`] of `N` runs: of what is too short for itself, the registers of all runs are computed
/// together.
///
/// # Safety
///
/// As for [`along`].
#[inline(always)]
#[allow(clippy::inline_always)] // As above.
unsafe fn several<V: Vector<R>, R: Real, const N: usize>(ends: &Ends<R>, runs: Runs<R>, set: bool) {
    let Ends { head, distances, factors, tail } = ends;
    let terms = (&distances[..], &factors[..]);
    let head_len = head.len.next_multiple_of(V::LANES);
    let tail_len = tail.len.next_multiple_of(V::LANES);
    let last = runs.len - tail_len;
    let wide = (last - head_len) / V::LANES * V::LANES;
    // SAFETY: the caller's contract; a run has room for both ends.
    unsafe {
        match distances.len() {
            2 => middles::<V, R, 2, N>(runs, head_len..head_len + wide, terms, set),
            3 => middles::<V, R, 3, N>(runs, head_len..head_len + wide, terms, set),
            4 => middles::<V, R, 4, N>(runs, head_len..head_len + wide, terms, set),
            5 => middles::<V, R, 5, N>(runs, head_len..head_len + wide, terms, set),
            6 => middles::<V, R, 6, N>(runs, head_len..head_len + wide, terms, set),
            7 => middles::<V, R, 7, N>(runs, head_len..head_len + wide, terms, set),
            _ => {
                for at in (head_len..head_len + wide).step_by(V::LANES) {
                    registers::<V, R, N>(runs.column(at), terms, set);
                }
            }
        }
        let at = head_len + wide;
        if at < last {
            rest::<V, R, N>(runs.column(at), last - at, terms, set);
        }
        for first in (0..head_len).step_by(V::LANES) {
            part_of_end::<V, R, N>(head, first, runs.column(first), set);
        }
        for first in (0..tail_len).step_by(V::LANES) {
            let column = runs.column(last + first);
            part_of_end::<V, R, N>(tail, MOST - tail_len + first, column, set);
        }
    }
}

/// Whole registers of `N` runs, one run after the other, of `T` terms whose factors and places stay
/// in registers; what the next runs are the first to read, and where they are written, is asked for
/// ahead.
///
/// # Safety
///
/// As for [`along`].
#[inline(always)]
#[allow(clippy::inline_always)] // As above.
unsafe fn middles<V: Vector<R>, R: Real, const T: usize, const N: usize>(
    runs: Runs<R>,
    elements: Range<usize>,
    (distances, factors): (&[isize], &[R]),
    set: bool,
) {
    let lead = distances.iter().copied().max().unwrap_or(0);
    // SAFETY: the caller's contract.
    unsafe {
        let factors: [V; T] = std::array::from_fn(|t| V::splat(factors[t]));
        let distances: [isize; T] = std::array::from_fn(|t| distances[t]);
        for k in 0..N {
            let next = runs.after(k + N);
            for at in (0..runs.len).step_by(LINE / size_of::<R>()) {
                prefetch(next.x.wrapping_offset(lead).wrapping_add(at));
                prefetch(next.y.wrapping_add(at));
            }
            let Runs { x, y, .. } = runs.after(k);
            let from = distances.map(|distance| x.wrapping_offset(distance));
            for at in elements.clone().step_by(V::LANES) {
                let y = y.wrapping_add(at);
                let mut sum = if set { V::splat(R::ZERO) } else { V::load(y) };
                for (factor, from) in factors.iter().zip(&from) {
                    sum = factor.fused(V::load(from.wrapping_add(at)), sum);
                }
                sum.store(y);
            }
        }
    }
}

/// The registers of an end from its element `first` on, of `N` runs.
///
/// # Safety
///
/// As for [`along`]; only elements are read whose terms they are.
#[inline(always)]
#[allow(clippy::inline_always)] // As above.
unsafe fn part_of_end<V: Vector<R>, R: Real, const N: usize>(
    end: &End<R>,
    first: usize,
    grid: Grid<R>,
    set: bool,
) {
    // SAFETY: the caller's contract; the factors of a term are as many as the elements of an end.
    unsafe {
        let mut sums = started::<V, R, N>(grid, set);
        for term in &end.terms {
            let lanes = term.lanes >> first;
            let factors = V::load(term.factors[first..first + V::LANES].as_ptr());
            for (k, sum) in sums.iter_mut().enumerate() {
                let v = V::load_where(lanes, grid.from(k).wrapping_offset(term.distance));
                *sum = factors.fused_where(lanes, v, *sum);
            }
        }
        for (k, sum) in sums.into_iter().enumerate() {
            sum.store(grid.to(k));
        }
    }
}

/// What `N` sums begin with.
///
/// # Safety
///
/// As for [`along`].
#[inline(always)]
#[allow(clippy::inline_always)] // As above.
unsafe fn started<V: Vector<R>, R: Real, const N: usize>(grid: Grid<R>, set: bool) -> [V; N] {
    // SAFETY: the caller's contract.
    unsafe {
        let mut sums = [V::splat(R::ZERO); N];
        if !set {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(grid.to(k));
            }
        }
        sums
    }
}

/// `y (+)= Σ factors[k] x[distances[k] ..]` for a piece of a run.
///
/// # Safety
///
/// As for [`along`].
#[inline(always)]
#[allow(clippy::inline_always)] // As above.
pub(super) unsafe fn line<V: Vector<R>, R: Real>(
    runs: Runs<R>,
    terms: (&[isize], &[R]),
    set: bool,
) {
    let pitch = (V::LANES as isize, V::LANES);
    let grid = |at: usize| Grid { pitch, ..runs.column(at) };
    let mut at = 0;
    // SAFETY: All loads and stores are of elements of the run, and of what its terms read.
    unsafe {
        while at + WIDE * V::LANES <= runs.len {
            registers::<V, R, WIDE>(grid(at), terms, set);
            at += WIDE * V::LANES;
        }
        while at + V::LANES <= runs.len {
            registers::<V, R, 1>(grid(at), terms, set);
            at += V::LANES;
        }
        if at < runs.len {
            rest::<V, R, 1>(grid(at), runs.len - at, terms, set);
        }
    }
}

/// `N` registers with the same terms.
///
/// # Safety
///
/// As for [`along`].
#[inline(always)]
#[allow(clippy::inline_always)] // As above.
unsafe fn registers<V: Vector<R>, R: Real, const N: usize>(
    grid: Grid<R>,
    (distances, factors): (&[isize], &[R]),
    set: bool,
) {
    // SAFETY: the caller's contract.
    unsafe {
        let mut sums = started::<V, R, N>(grid, set);
        for (&distance, &factor) in distances.iter().zip(factors) {
            let factor = V::splat(factor);
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum = factor.fused(V::load(grid.from(k).wrapping_offset(distance)), *sum);
            }
        }
        for (k, sum) in sums.into_iter().enumerate() {
            sum.store(grid.to(k));
        }
    }
}

/// [`registers`] of which only the first `n` elements are there.
///
/// # Safety
///
/// As for [`along`].
#[inline(always)]
#[allow(clippy::inline_always)] // As above.
unsafe fn rest<V: Vector<R>, R: Real, const N: usize>(
    grid: Grid<R>,
    n: usize,
    (distances, factors): (&[isize], &[R]),
    set: bool,
) {
    let lanes = (1 << n) - 1;
    // SAFETY: the caller's contract.
    unsafe {
        let mut sums = [V::splat(R::ZERO); N];
        for (k, sum) in sums.iter_mut().enumerate().filter(|_| !set) {
            *sum = V::load_where(lanes, grid.to(k));
        }
        for (&distance, &factor) in distances.iter().zip(factors) {
            let factor = V::splat(factor);
            for (k, sum) in sums.iter_mut().enumerate() {
                let v = V::load_where(lanes, grid.from(k).wrapping_offset(distance));
                *sum = factor.fused(v, *sum);
            }
        }
        for (k, sum) in sums.into_iter().enumerate() {
            sum.store_where(lanes, grid.to(k));
        }
    }
}
