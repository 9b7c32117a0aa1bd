//! Several updates and inner products of the same elements in one loop over memory.
//!
//! A tape is a list of steps.
//! All of them are done to a tile of a few cache lines, and then to the next tile, so that memory
//! is read and written as by one loop: what a step makes is near when others need it, and what
//! nobody needs later is made in room for one tile.
//! A step does the arithmetic of the kernel by itself ([`super::vector`], [`super::dot`]), with the
//! same bits; sums of a block go on from tile to tile.

use super::dot::{self, BLOCK, DEPTH, lanes};
use super::simd::versions;
use super::vectors::{Vector, prefetch};
use super::{Real, Scalar};
use num_complex::Complex;

/// Bytes of a tile: of so few that no step waits for the memory of another one, and enough to be
/// worth a step. A block of a sum is a number of tiles, and a tile one of registers of all sums.
pub const TILE: usize = 512;

/// How far ahead of a tile its memory is asked for.
const AHEAD: usize = 4 * TILE;

/// What is done to each element; arrays are places by number.
///
/// A result may be written where an argument stands.
#[derive(Clone, Copy, Debug)]
pub enum Step<S> {
    /// `y = d x`, or `y = conj(d) x`.
    Weigh {
        /// Whether the weights are conjugated.
        conj: bool,
        /// Weights.
        d: usize,
        /// Elements.
        x: usize,
        /// Results.
        y: usize,
    },
    /// `y = a x`
    Scale {
        /// A number.
        a: S,
        /// Elements.
        x: usize,
        /// Results.
        y: usize,
    },
    /// `y = a x + z`; where the number is zero, z alone is read.
    Axpy {
        /// A number.
        a: S,
        /// Elements that are scaled.
        x: usize,
        /// Elements that are added.
        z: usize,
        /// Results.
        y: usize,
    },
    /// `y = x + z`
    Add {
        /// Elements.
        x: usize,
        /// Elements that are added.
        z: usize,
        /// Results.
        y: usize,
    },
    /// `y = x - z`
    Sub {
        /// Elements.
        x: usize,
        /// Elements that are subtracted.
        z: usize,
        /// Results.
        y: usize,
    },
    /// `Σ conj(x) y` of each block.
    Dot {
        /// Whether elements are seen as reals.
        real: bool,
        /// Elements that are conjugated.
        x: usize,
        /// Elements.
        y: usize,
        /// Which of the sums.
        sum: usize,
    },
}

impl<S> Step<S> {
    /// Sets the number of a step that has one.
    pub fn set_number(&mut self, number: S) {
        if let Step::Scale { a, .. } | Step::Axpy { a, .. } = self {
            *a = number;
        }
    }
}

/// Where the elements of an array are: the first one, and how far the next one is in bytes, or zero
/// if there is room for a tile.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The first element.
    pub start: *mut u8,
    /// Bytes of an element, or zero.
    pub stride: usize,
}

/// Room for a tile.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Tile([u8; TILE]);

impl Tile {
    /// Room in which nothing is yet.
    pub const EMPTY: Tile = Tile([0xff; TILE]);

    /// Its first byte.
    pub fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

/// The sums of the blocks of an inner product while they are made.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// Registers of the block that is not finished.
    partial: Tile,
    next: *mut Complex<f64>,
}

impl Sum {
    /// Sums that are written from here on.
    pub fn to(next: *mut Complex<f64>) -> Self {
        Sum { partial: Tile::EMPTY, next }
    }
}

/// Does all steps to `n` elements, the first of which begins a block of each sum.
///
/// # Safety
/// Every place that a step names has `n` elements of the type, or room for a tile, aligned for it;
/// what is written nobody else reads or writes; arrays that are different do not overlap; and
/// there is room for the sums of all blocks of `n` elements.
pub unsafe fn run<S: Scalar>(steps: &[Step<S>], places: &[Place], n: usize, sums: &mut [Sum]) {
    // The caller's contract is that of the loop, which is safe only for the sake of its macro.
    sweep::<S::Real, S>(steps, places, n, sums);
}

versions! {
    fn sweep {R: Real, S: Scalar<Real = R>} {R, S}
    (steps: &[Step<S>], places: &[Place], n: usize, sums: &mut [Sum]) {
        let tile = TILE / size_of::<S>();
        // SAFETY: the contract of `run`; the machine is the caller's care.
        unsafe {
            let mut at = 0;
            while at + tile <= n {
                ask(places, at);
                for step in steps {
                    one::<R, V, S>(step, places, (at, tile, n), sums);
                }
                at += tile;
            }
            if at < n {
                for step in steps {
                    one::<R, V, S>(step, places, (at, n - at, n), sums);
                }
            }
        }
    }
}

/// Asks for memory that a later tile has.
#[allow(clippy::inline_always)] // It is a few instructions of a loop.
#[inline(always)]
fn ask(places: &[Place], at: usize) {
    for place in places.iter().filter(|place| place.stride > 0) {
        let there = place.start.wrapping_add(at * place.stride + AHEAD);
        (0..TILE).step_by(64).for_each(|line| prefetch(there.wrapping_add(line)));
    }
}

/// Makes `y` from as many arguments, register by register; the last one need not be full.
macro_rules! make {
    ($n:expr, $y:expr, ($($v:ident = $x:expr),+) => $value:expr) => {{
        let (n, y) = ($n, $y);
        let mut at = 0;
        while at + V::LANES <= n {
            $(let $v = V::load($x.add(at));)+
            $value.store(y.add(at));
            at += V::LANES;
        }
        if at < n {
            let some = lanes::<R, V>(n - at);
            $(let $v = V::load_where(some, $x.add(at));)+
            $value.store_where(some, y.add(at));
        }
    }};
}

/// A step for some elements from one on, of so many in all.
///
/// # Safety
/// The contract of [`run`], and the machine has the instructions of `V`.
#[allow(clippy::inline_always)] // It is the body of a loop that is compiled for several machines.
#[inline(always)]
unsafe fn one<R: Real, V: Vector<R>, S: Scalar<Real = R>>(
    step: &Step<S>,
    places: &[Place],
    (at, len, n): (usize, usize, usize),
    sums: &mut [Sum],
) {
    let place = |k: usize| -> *mut R {
        let Place { start, stride } = places[k];
        start.wrapping_add(at * stride).cast()
    };
    let reals = len * S::PARTS;
    // SAFETY: the caller's duty: there are so many elements at each place.
    unsafe {
        match *step {
            Step::Weigh { conj, d, x, y } if S::COMPLEX => {
                weigh::<S>(conj, place(d).cast(), place(x).cast(), place(y).cast(), len);
            }
            Step::Weigh { d, x, y, .. } => {
                let (d, x) = (place(d), place(x));
                make!(reals, place(y), (v = d, w = x) => v.times(w));
            }
            Step::Scale { a, x, y } if S::COMPLEX => {
                let (straight, crossed) = (V::splat(a.re()), V::pair(-a.im(), a.im()));
                let (zero, x) = (V::splat(R::ZERO), place(x));
                make!(reals, place(y), (v = x) => {
                    crossed.fused(v.swapped(), straight.fused(v, zero))
                });
            }
            Step::Scale { a, x, y } => {
                let (a, x) = (V::splat(a.re()), place(x));
                make!(reals, place(y), (v = x) => a.times(v));
            }
            Step::Axpy { a, z, y, .. } if a == S::ZERO => {
                let (z, y) = (place(z), place(y));
                if z != y {
                    make!(reals, y, (v = z) => v);
                }
            }
            Step::Axpy { a, x, z, y } if S::COMPLEX => {
                let (straight, crossed) = (V::splat(a.re()), V::pair(-a.im(), a.im()));
                let (x, z) = (place(x), place(z));
                make!(reals, place(y), (v = x, w = z) => {
                    crossed.fused(v.swapped(), straight.fused(v, w))
                });
            }
            Step::Axpy { a, x, z, y } => {
                let (a, x, z) = (V::splat(a.re()), place(x), place(z));
                make!(reals, place(y), (v = x, w = z) => a.fused(v, w));
            }
            Step::Add { x, z, y } => {
                let (one, x, z) = (V::splat(R::ONE), place(x), place(z));
                make!(reals, place(y), (v = x, w = z) => one.fused(w, v));
            }
            Step::Sub { x, z, y } => {
                let (minus, x, z) = (V::splat(-R::ONE), place(x), place(z));
                make!(reals, place(y), (v = x, w = z) => minus.fused(w, v));
            }
            Step::Dot { real, x, y, sum } => {
                let pair = (place(x).cast_const(), place(y).cast_const());
                let sum = &mut sums[sum];
                if S::COMPLEX && !real {
                    pairs::<R, V, S>(pair, (at, len, n), sum);
                } else {
                    products::<R, V>(pair, (at * S::PARTS, reals, n * S::PARTS), sum);
                }
            }
        }
    }
}

/// `y = d x` of complex elements.
///
/// # Safety
/// There are so many elements at each pointer, and what is written was read before.
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
unsafe fn weigh<S: Scalar>(conj: bool, d: *const S, x: *const S, y: *mut S, n: usize) {
    for j in 0..n {
        // SAFETY: the caller's duty.
        unsafe { *y.add(j) = (*d.add(j)).conj_if(conj) * *x.add(j) }
    }
}

/// Adds products of reals to the block's sum; ends it with the block or with all elements.
///
/// # Safety
/// There are so many reals at each pointer, and the machine has the instructions of `V`.
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
unsafe fn products<R: Real, V: Vector<R>>(
    (x, y): (*const R, *const R),
    (at, len, n): (usize, usize, usize),
    sum: &mut Sum,
) {
    let partial = sum.partial.start().cast::<R>();
    // SAFETY: the caller's duty; a tile has room for the registers.
    unsafe {
        let mut sums = [V::splat(R::ZERO); DEPTH];
        if !at.is_multiple_of(BLOCK) {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(partial.add(k * V::LANES));
            }
        }
        dot::add_real(x, y, len, &mut sums);
        if (at + len).is_multiple_of(BLOCK) || at + len == n {
            *sum.next = Complex::new(dot::real_total(sums).to_f64(), 0.0);
            sum.next = sum.next.add(1);
        } else {
            for (k, sum) in sums.iter().enumerate() {
                sum.store(partial.add(k * V::LANES));
            }
        }
    }
}

/// As [`products`], of complex elements.
///
/// # Safety
/// As for [`products`].
#[allow(clippy::inline_always)] // As above.
#[inline(always)]
unsafe fn pairs<R: Real, V: Vector<R>, S: Scalar<Real = R>>(
    (x, y): (*const R, *const R),
    (at, len, n): (usize, usize, usize),
    sum: &mut Sum,
) {
    let partial = sum.partial.start().cast::<R>();
    // SAFETY: as in `products`.
    unsafe {
        let mut sums = [[V::splat(R::ZERO); DEPTH]; 2];
        if !at.is_multiple_of(BLOCK) {
            for (k, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
                *sum = V::load(partial.add(k * V::LANES));
            }
        }
        dot::add_complex(x, y, len * S::PARTS, &mut sums);
        if (at + len).is_multiple_of(BLOCK) || at + len == n {
            *sum.next = dot::complex_sum::<S>(dot::complex_totals(sums), true);
            sum.next = sum.next.add(1);
        } else {
            for (k, sum) in sums.as_flattened().iter().enumerate() {
                sum.store(partial.add(k * V::LANES));
            }
        }
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use crate::host::testing::values;
    use crate::host::{Acc, vector};

    /// Runs steps on arrays of `n` elements; returns them, and the sums of each inner product.
    fn ran<S: Scalar>(
        steps: &[Step<S>],
        arrays: &[Vec<S>],
        near: usize,
    ) -> (Vec<Vec<S>>, Vec<Complex<f64>>) {
        let n = arrays[0].len();
        let mut arrays = arrays.to_vec();
        let mut rooms = vec![Tile::EMPTY; near];
        let stride = size_of::<S>();
        let far = arrays.iter_mut().map(|x| Place { start: x.as_mut_ptr().cast(), stride });
        let mut places: Vec<Place> = far.collect();
        places.extend(rooms.iter_mut().map(|room| Place { start: room.start(), stride: 0 }));
        let mut made: Vec<Vec<Complex<f64>>> = Vec::new();
        for step in steps {
            if let Step::Dot { real, .. } = step {
                made.push(vec![Complex::ZERO; dot::blocks::<S>(n, *real)]);
            }
        }
        let mut sums: Vec<Sum> = made.iter_mut().map(|s| Sum::to(s.as_mut_ptr())).collect();
        // SAFETY: the places and the sums are as long as they must be, and only used here.
        unsafe { run(steps, &places, n, &mut sums) };
        (arrays, made.iter().map(|sums| dot::total(sums)).collect())
    }

    fn sizes<S>() -> Vec<usize> {
        let tile = TILE / size_of::<S>();
        let edges = [0, 1, 16, tile, 2 * tile, BLOCK / 2, BLOCK, 2 * BLOCK, 3 * BLOCK + tile];
        edges.iter().flat_map(|&n| n.saturating_sub(1)..n + 2).collect()
    }

    /// Each step by itself, from three arrays to a fourth one or over an argument.
    pub fn steps_have_the_bits_of_kernels<S: Scalar>() {
        for n in sizes::<S>() {
            let arrays: Vec<Vec<S>> = (1..5).map(|seed| values(seed, n)).collect();
            let [x, z, _, _] = &arrays[..] else { unreachable!() };
            for (a, y) in [(values(9, 1)[0], 2), (values(9, 1)[0], 0), (S::ZERO, 2), (S::ZERO, 1)] {
                let check = |step: Step<S>, kernel: &dyn Fn(&mut [S])| {
                    let mut want = arrays[y].clone();
                    kernel(&mut want);
                    let (made, _) = ran(&[step], &arrays, 0);
                    assert_eq!(made[y], want, "{step:?} of {n}");
                    let others = (0..4).filter(|&k| k != y);
                    others.for_each(|k| assert_eq!(made[k], arrays[k], "{step:?} of {n}"));
                };
                let set = Acc::Set;
                for conj in [false, true] {
                    check(Step::Weigh { conj, d: 0, x: 1, y }, &|y| {
                        if conj {
                            vector::mul_conj(x, z, y, set)
                        } else {
                            vector::mul(x, z, y, set)
                        }
                    });
                }
                check(Step::Scale { a, x: 0, y }, &|y| vector::scale(a, x, y, set));
                check(Step::Axpy { a, x: 0, z: 1, y }, &|y| match a == S::ZERO {
                    true => vector::copy(z, y, set),
                    false => vector::axpy(a, x, z, y, set),
                });
                check(Step::Add { x: 0, z: 1, y }, &|y| vector::add(x, z, y, set));
                check(Step::Sub { x: 0, z: 1, y }, &|y| vector::sub(x, z, y, set));
            }
        }
    }

    /// Updates whose results other steps use, some of them through a room, and sums of them.
    pub fn steps_follow_each_other<S: Scalar>() {
        let a = values::<S>(9, 1)[0];
        let near = 3;
        let steps = [
            Step::Weigh { conj: true, d: 0, x: 1, y: near },
            Step::Dot { real: false, x: near, y: 2, sum: 0 },
            Step::Axpy { a, x: near, z: 2, y: 2 },
            Step::Dot { real: true, x: 2, y: 2, sum: 1 },
            Step::Sub { x: 2, z: 1, y: near },
            Step::Dot { real: false, x: near, y: near, sum: 2 },
        ];
        for n in sizes::<S>() {
            let arrays: Vec<Vec<S>> = (1..4).map(|seed| values(seed, n)).collect();
            let (made, sums) = ran(&steps, &arrays, 1);
            let (mut near, mut y) = (vec![S::ZERO; n], arrays[2].clone());
            vector::mul_conj(&arrays[0], &arrays[1], &mut near, Acc::Set);
            let mut want = vec![dot::dot(&near, &y)];
            vector::axpy_onto(a, &near, &mut y);
            want.push(dot::dot_re(&y, &y).into());
            vector::sub(&y, &arrays[1], &mut near, Acc::Set);
            want.push(dot::dot(&near, &near));
            assert_eq!((&made[2], &sums), (&y, &want), "{n} elements");
        }
    }
}

#[cfg(test)]
mod tests {
    crate::host::testing::each_type!(steps_have_the_bits_of_kernels steps_follow_each_other);
}
