//! The loop over tiles, for each instruction set.

use super::assemble::{Code, Operand};
use super::{Place, Sum};
use crate::host::dot::{BLOCK, DEPTH, lanes, pair_sum, pair_totals, real_total};
use crate::host::simd::versions;
use crate::host::vectors::{Vector, prefetch};
use crate::host::{Real, Scalar};
use num_complex::Complex;
use std::array::from_fn;

/// Registers of a tile: enough for a code to be worth its dispatch, a number of those of a sum,
/// and few enough for sums and operands beside them.
const WIDTH: usize = 8;

/// Bytes ahead of a tile from which memory is asked for.
const AHEAD: usize = 2048;

versions! {
    /// All codes for each tile; `Tape::run` says what the caller has to see to.
    pub(super) fn all {R: Real, S: Scalar<Real = R>} {R, S}
    (codes: &[Code], numbers: &[Complex<f64>], places: &[Place], n: usize, sums: &mut [Sum]) {
        let tile = WIDTH * V::LANES / S::PARTS;
        let given = (codes, numbers, places);
        let mut at = 0;
        // SAFETY: the contract of `Tape::run`; the machine is the caller's care.
        unsafe {
            while at + tile <= n {
                one::<R, V, S, true>(given, (at, tile, n), sums);
                at += tile;
            }
            if at < n {
                one::<R, V, S, false>(given, (at, n - at, n), sums);
            }
        }
    }
}

/// All codes for a tile: its first element, how many it has and how many there are; only one that
/// is not `FULL` may have less than its registers.
///
/// # Safety
/// The contract of `Tape::run`, and the machine has the instructions of `V`.
#[allow(clippy::inline_always)] // It is the body of a loop that is compiled for several machines.
#[inline(always)]
unsafe fn one<R: Real, V: Vector<R>, S: Scalar<Real = R>, const FULL: bool>(
    (codes, numbers, places): (&[Code], &[Complex<f64>], &[Place]),
    (at, len, n): (usize, usize, usize),
    sums: &mut [Sum],
) {
    let reals = len * S::PARTS;
    let start = |x: Operand| -> *mut R {
        let Place { start, stride } = places[x.place];
        let here = start.wrapping_add(at * stride);
        if FULL && x.first && stride > 0 {
            let tile = WIDTH * V::LANES * size_of::<R>();
            (0..tile).step_by(64).for_each(|line| prefetch(here.wrapping_add(AHEAD + line)));
        }
        here.cast()
    };
    let number = |a: usize| S::from_c128(numbers[a]);
    // SAFETY: the caller's duty: there are so many elements at each place.
    unsafe {
        let mut t = [V::splat(R::ZERO); WIDTH];
        for code in codes {
            match *code {
                Code::Load(x) => t = load::<R, V, FULL>(start(x), reals),
                Code::Store(x) => store::<R, V, FULL>(t, start(x), reals),
                Code::Times { conj, x } if S::COMPLEX => {
                    let d = load::<R, V, FULL>(start(x), reals);
                    let sign = if conj { R::ONE } else { -R::ONE };
                    let sign = V::pair(sign, -sign);
                    for k in 0..WIDTH {
                        let other = d[k].odds().times(t[k].swapped());
                        t[k] = sign.fused(other, d[k].evens().times(t[k]));
                    }
                }
                Code::Times { x, .. } => {
                    let d = load::<R, V, FULL>(start(x), reals);
                    t = from_fn(|k| d[k].times(t[k]));
                }
                Code::Scale { a } => {
                    let a = number(a);
                    for t in &mut t {
                        let zero = V::splat(R::ZERO);
                        *t = if S::COMPLEX {
                            along::<R, V, S>(a, *t, zero)
                        } else {
                            V::splat(a.re()).times(*t)
                        };
                    }
                }
                Code::Plus { a, x } => {
                    let a = number(a);
                    if a != S::ZERO {
                        let x = load::<R, V, FULL>(start(x), reals);
                        for k in 0..WIDTH {
                            t[k] = along::<R, V, S>(a, x[k], t[k]);
                        }
                    }
                }
                Code::Over { a, x } => {
                    let a = number(a);
                    let x = load::<R, V, FULL>(start(x), reals);
                    if a == S::ZERO {
                        t = x;
                    } else {
                        for k in 0..WIDTH {
                            t[k] = along::<R, V, S>(a, t[k], x[k]);
                        }
                    }
                }
                Code::Add(x) => {
                    let x = load::<R, V, FULL>(start(x), reals);
                    let one = V::splat(R::ONE);
                    for k in 0..WIDTH {
                        t[k] = one.fused(t[k], x[k]);
                    }
                }
                Code::Sub(x) => {
                    let x = load::<R, V, FULL>(start(x), reals);
                    let minus = V::splat(-R::ONE);
                    for k in 0..WIDTH {
                        t[k] = minus.fused(x[k], t[k]);
                    }
                }
                Code::Less(x) => {
                    let x = load::<R, V, FULL>(start(x), reals);
                    let minus = V::splat(-R::ONE);
                    for k in 0..WIDTH {
                        t[k] = minus.fused(t[k], x[k]);
                    }
                }
                Code::Square { real, sum } => {
                    add::<R, V, S, FULL>(real, (t, t), (at, len, n), &mut sums[sum]);
                }
                Code::Dot { real, x, sum } => {
                    let x = load::<R, V, FULL>(start(x), reals);
                    add::<R, V, S, FULL>(real, (t, x), (at, len, n), &mut sums[sum]);
                }
            }
        }
    }
}

/// Registers of so many reals, zeros beyond them.
///
/// # Safety
/// There are so many, and the machine has the instructions of `V`.
#[allow(clippy::inline_always)] // Registers are not to be handed to a call.
#[inline(always)]
unsafe fn load<R: Real, V: Vector<R>, const FULL: bool>(x: *const R, n: usize) -> [V; WIDTH] {
    // SAFETY: the caller's duty.
    from_fn(|k| unsafe {
        let at = x.wrapping_add(k * V::LANES);
        if FULL { V::load(at) } else { V::load_where(there::<R, V>(k, n), at) }
    })
}

/// Writes so many reals.
///
/// # Safety
/// There is room for them, and the machine has the instructions of `V`.
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
unsafe fn store<R: Real, V: Vector<R>, const FULL: bool>(t: [V; WIDTH], y: *mut R, n: usize) {
    for (k, t) in t.into_iter().enumerate() {
        let at = y.wrapping_add(k * V::LANES);
        // SAFETY: the caller's duty.
        unsafe { if FULL { t.store(at) } else { t.store_where(there::<R, V>(k, n), at) } }
    }
}

/// Which lanes a register has of so many reals.
fn there<R, V: Vector<R>>(k: usize, n: usize) -> u32 {
    lanes::<R, V>(n.saturating_sub(k * V::LANES))
}

/// `a x + z` of single elements or pairs.
///
/// # Safety
/// The machine has the instructions of `V`.
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
unsafe fn along<R: Real, V: Vector<R>, S: Scalar<Real = R>>(a: S, x: V, z: V) -> V {
    // SAFETY: the caller's care.
    unsafe {
        let own = V::splat(a.re()).fused(x, z);
        if S::COMPLEX { V::pair(-a.im(), a.im()).fused(x.swapped(), own) } else { own }
    }
}

/// Adds products to the sum of a block; ends it with the block or with all elements.
///
/// # Safety
/// There is room for the sum, and the machine has the instructions of `V`.
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
unsafe fn add<R: Real, V: Vector<R>, S: Scalar<Real = R>, const FULL: bool>(
    real: bool,
    (x, y): ([V; WIDTH], [V; WIDTH]),
    (at, len, n): (usize, usize, usize),
    sum: &mut Sum,
) {
    let pairs = S::COMPLEX && !real;
    // In numbers of a block, which are elements or their parts.
    let parts = if pairs { 1 } else { S::PARTS };
    let begins = (at * parts).is_multiple_of(BLOCK);
    let ends = ((at + len) * parts).is_multiple_of(BLOCK) || at + len == n;
    let reals = len * S::PARTS;
    let partial = sum.partial.start().cast::<R>();
    // SAFETY: the caller's duty; there is room for the registers of a sum.
    unsafe {
        let registers = |first: usize| -> [V; DEPTH] {
            let zero = V::splat(R::ZERO);
            from_fn(|d| if begins { zero } else { V::load(partial.add((first + d) * V::LANES)) })
        };
        let keep = |first: usize, sums: [V; DEPTH]| {
            let all = sums.into_iter().enumerate();
            all.for_each(|(d, sum)| sum.store(partial.add((first + d) * V::LANES)));
        };
        let mut straight = registers(0);
        products::<R, V, FULL>(&mut straight, (x, y), reals);
        if !pairs {
            if ends {
                *sum.next = Complex::new(real_total(straight).to_f64(), 0.0);
                sum.next = sum.next.add(1);
            } else {
                keep(0, straight);
            }
            return;
        }
        let mut crossed = registers(DEPTH);
        products::<R, V, FULL>(&mut crossed, (x, y.map(|y| y.swapped())), reals);
        if ends {
            *sum.next = pair_sum::<S>(pair_totals(straight, crossed), true);
            sum.next = sum.next.add(1);
        } else {
            keep(0, straight);
            keep(DEPTH, crossed);
        }
    }
}

/// Adds products to the registers of a sum, as an inner product by itself does: in turn, and to the
/// first one where less than all of them are left.
///
/// # Safety
/// The machine has the instructions of `V`.
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
unsafe fn products<R: Real, V: Vector<R>, const FULL: bool>(
    sums: &mut [V; DEPTH],
    (x, y): ([V; WIDTH], [V; WIDTH]),
    n: usize,
) {
    for k in 0..WIDTH {
        // SAFETY: the caller's care.
        unsafe {
            if FULL || (k / DEPTH + 1) * DEPTH * V::LANES <= n {
                sums[k % DEPTH] = x[k].fused(y[k], sums[k % DEPTH]);
            } else {
                sums[0] = x[k].fused_where(there::<R, V>(k, n), y[k], sums[0]);
            }
        }
    }
}
