//! Stencils along several axes at once: `y = Σₐ Sₐ x`, each `Sₐ` along its axis; adjoint
//! `x = Σₐ Sₐᵀ y`.
//!
//! The domain's patch may hold ghost cells along any axis.
//! Trailing dims that both sides hold alike make up the *inner* extent, the dim before them is the
//! *run*: it and the inner extent are contiguous on both sides, and all terms of a run are summed
//! in one sweep.

use super::tile::{View, ViewMut, window};
use adjoin_kernels::host::combine;
use adjoin_kernels::host::stencil::Stencil;
use adjoin_kernels::host::{Acc, Real};
use std::ops::Range;

/// Stencils, each with its axis.
pub(super) struct Star<R> {
    /// In the order of the axes.
    arms: Vec<(usize, Stencil<R>)>,
    /// Where a run lies, in the dims before it.
    index: Vec<usize>,
}

impl<R: Real> Star<R> {
    pub fn new(mut arms: Vec<(usize, Stencil<R>)>) -> Self {
        arms.sort_by_key(|arm| arm.0);
        let dims = arms.last().map_or(0, |arm| arm.0 + 1);
        Star { arms, index: vec![0; dims] }
    }

    /// The dim of the runs: no dim after it has a stencil or differs between the sides.
    fn run(&self, x: &[Range<usize>], y: &[Range<usize>]) -> usize {
        let differs = (0..x.len()).rev().find(|&d| x[d] != y[d]).unwrap_or(0);
        self.arms.last().map_or(0, |arm| arm.0).max(differs)
    }

    /// The only stencil, if nothing differs before its axis.
    fn alone(&self, run: usize, x: &[Range<usize>], y: &[Range<usize>]) -> Option<&Stencil<R>> {
        match &self.arms[..] {
            [(axis, stencil)] if *axis == run && x[..run] == y[..run] => Some(stencil),
            _ => None,
        }
    }

    /// `y (+)= A x`
    pub fn forward(&mut self, x: &View<R>, y: &mut ViewMut<R>, acc: Acc) {
        if y.data.is_empty() {
            return;
        }
        let run = self.run(x.held, y.held);
        let inner = y.inner(run + 1);
        let (from, to) = (window(&x.held[run]), window(&y.held[run]));
        if let Some(stencil) = self.alone(run, x.held, y.held) {
            return stencil.apply(inner, (from, x.data), (to, y.data), acc);
        }
        self.index.resize(self.index.len().max(run), 0);
        let (from_len, to_len) = (from.len * inner, to.len * inner);
        let skip = (to.start - from.start) * inner;
        for (row, out) in y.data.chunks_exact_mut(to_len).enumerate() {
            unravel(row, &y.held[..run], &mut self.index);
            let base = ravel(&self.index, &x.held[..run]);
            let mut sum = Sum::new(acc);
            for (axis, stencil) in self.arms.iter().filter(|arm| arm.0 < run) {
                let stride = super::tile::volume(&x.held[axis + 1..run]) as isize;
                for &(offset, c) in stencil.row(self.index[*axis]) {
                    let at = base.wrapping_add_signed(offset * stride);
                    sum.push(c, &x.data[at * from_len + skip..][..to_len], out);
                }
            }
            let acc = sum.finish(out);
            match self.arms.iter().find(|arm| arm.0 == run) {
                Some((_, stencil)) => {
                    let x = &x.data[base * from_len..][..from_len];
                    stencil.apply(inner, (from, x), (to, out), acc);
                }
                None => acc.prepare(out),
            }
        }
    }

    /// `x (+)= Aᵀ y`, ghost cells included.
    pub fn adjoint(&mut self, y: &View<R>, x: &mut ViewMut<R>, acc: Acc) {
        if x.data.is_empty() || y.data.is_empty() {
            return acc.prepare(x.data);
        }
        let run = self.run(x.held, y.held);
        let inner = y.inner(run + 1);
        let (from, to) = (window(&x.held[run]), window(&y.held[run]));
        if let Some(stencil) = self.alone(run, x.held, y.held) {
            return stencil.adjoint(inner, (to, y.data), (from, x.data), acc);
        }
        self.index.resize(self.index.len().max(run), 0);
        let (from_len, to_len) = (from.len * inner, to.len * inner);
        let skip = (to.start - from.start) * inner;
        for (row, out) in x.data.chunks_exact_mut(from_len).enumerate() {
            unravel(row, &x.held[..run], &mut self.index);
            let center = skip..skip + to_len;
            let mut sum = Sum::new(acc);
            for (axis, stencil) in self.arms.iter().filter(|arm| arm.0 < run) {
                if (0..run).any(|d| d != *axis && !y.held[d].contains(&self.index[d])) {
                    continue;
                }
                let here = self.index[*axis];
                for (from_row, c) in columns(stencil, here, &y.held[*axis]) {
                    self.index[*axis] = from_row;
                    let at = ravel(&self.index, &y.held[..run]);
                    sum.push(c, &y.data[at * to_len..][..to_len], &mut out[center.clone()]);
                }
                self.index[*axis] = here;
            }
            let center_acc = sum.finish(&mut out[center.clone()]);
            if center_acc != acc {
                acc.prepare(&mut out[..center.start]);
                acc.prepare(&mut out[center.end..]);
            }
            let inside = (0..run).all(|d| y.held[d].contains(&self.index[d]));
            match self.arms.iter().find(|arm| arm.0 == run).filter(|_| inside) {
                Some((_, stencil)) => {
                    let at = ravel(&self.index, &y.held[..run]);
                    let y = &y.data[at * to_len..][..to_len];
                    stencil.adjoint(inner, (to, y), (from, out), center_acc);
                }
                None => center_acc.prepare(out),
            }
        }
    }
}

/// The rows among `held` that read element `at`, with their coefficients.
fn columns<'a, R: Real>(
    stencil: &'a Stencil<R>,
    at: usize,
    held: &'a Range<usize>,
) -> impl Iterator<Item = (usize, R)> + 'a {
    let (low, high) = stencil.reach();
    let rows = at.saturating_sub(high).max(held.start)..(at + low + 1).min(held.end);
    rows.flat_map(move |row| {
        let reads = move |term: &&(isize, R)| row.wrapping_add_signed(term.0) == at;
        stencil.row(row).iter().filter(reads).map(move |term| (row, term.1))
    })
}

/// The index of the `row`-th run of a box.
fn unravel(mut row: usize, held: &[Range<usize>], index: &mut [usize]) {
    for (d, range) in held.iter().enumerate().rev() {
        index[d] = range.start + row % range.len();
        row /= range.len();
    }
}

/// The place of a run in a box.
fn ravel(index: &[usize], held: &[Range<usize>]) -> usize {
    let place = |at: usize, (d, range): (usize, &Range<usize>)| {
        at.wrapping_mul(range.len()).wrapping_add(index[d].wrapping_sub(range.start))
    };
    held.iter().enumerate().fold(0, place)
}

/// Terms of a linear combination that wait for being added in one sweep.
struct Sum<'a, R> {
    c: [R; TERMS],
    x: [&'a [R]; TERMS],
    len: usize,
    acc: Acc,
}

/// Terms of one sweep.
const TERMS: usize = 8;

impl<'a, R: Real> Sum<'a, R> {
    fn new(acc: Acc) -> Self {
        Sum { c: [R::ZERO; TERMS], x: [&[]; TERMS], len: 0, acc }
    }

    fn push(&mut self, c: R, x: &'a [R], out: &mut [R]) {
        if self.len == TERMS {
            self.flush(out);
        }
        (self.c[self.len], self.x[self.len]) = (c, x);
        self.len += 1;
    }

    /// Adds what waits; returns how the next terms are to be written.
    fn finish(mut self, out: &mut [R]) -> Acc {
        if self.len > 0 {
            self.flush(out);
        }
        self.acc
    }

    fn flush(&mut self, out: &mut [R]) {
        combine::linear(&self.c[..self.len], &self.x[..self.len], out, self.acc);
        (self.len, self.acc) = (0, Acc::Add);
    }
}

/// The stencil times a number.
pub(super) fn scaled<R: Real>(stencil: &Stencil<R>, factor: f64) -> Stencil<R> {
    /// No derivative has more rows of its own at an end.
    const ENDS: usize = 4;
    let n = stencil.n();
    let row = |i: usize| -> Vec<(isize, R)> {
        let scale = |&(offset, c): &(isize, R)| (offset, R::nearest(c.to_f64() * factor));
        stencil.row(i).iter().map(scale).collect()
    };
    if n <= 2 * ENDS {
        return Stencil::new(n, vec![], (0..n).map(row).collect(), vec![]);
    }
    let tail = (0..ENDS).map(|r| row(n - 1 - r)).collect();
    Stencil::new(n, row(n / 2), (0..ENDS).map(row).collect(), tail)
}
