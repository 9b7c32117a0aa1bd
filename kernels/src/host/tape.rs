//! Several updates and inner products of the same elements in one loop over memory.
//!
//! A tape is made of steps, each of which makes elements of an array from the same elements of
//! others, or sums their products.
//! Everything is done to a tile of a few registers, and then to the next tile: registers hold what
//! one step makes until the next ones have used it (`assemble.rs`), and what nobody needs later is
//! not stored. So memory is read and written as by one loop that was written by hand.
//! A step does the arithmetic of the kernel by itself ([`super::vector`], [`super::dot`]), with the
//! same bits; sums of a block go on from tile to tile (`sweep.rs`).

mod assemble;
mod sweep;

use super::Scalar;
use num_complex::Complex;

/// Bytes of the largest tile; a block of a sum is a number of tiles.
const TILE: usize = 512;

/// What is done to each element; arrays are places by number, and so are numbers that scale.
///
/// A result may be written where an argument stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
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
        a: usize,
        /// Elements.
        x: usize,
        /// Results.
        y: usize,
    },
    /// `y = a x + z`; where the number is zero, z alone is read.
    Axpy {
        /// A number.
        a: usize,
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
    /// Sums that are written nowhere yet.
    pub const EMPTY: Sum = Sum { partial: Tile::EMPTY, next: std::ptr::null_mut() };

    /// Sums are written from here on.
    pub fn set_next(&mut self, next: *mut Complex<f64>) {
        self.next = next;
    }
}

/// Steps as they are done.
#[derive(Clone, Debug)]
pub struct Tape {
    codes: Vec<assemble::Code>,
}

impl Tape {
    /// Does these steps, or what gives the same; of places that are `near` nobody reads elements
    /// that the steps have made.
    pub fn new(steps: &[Step], near: impl Fn(usize) -> bool) -> Self {
        Tape { codes: assemble::codes(steps, near) }
    }

    /// Does all steps to `n` elements, the first of which begins a block of each sum.
    ///
    /// # Safety
    /// Every place that a step names has `n` elements of the type, or is `near` and has room for a
    /// tile; it is aligned for them; what is written nobody else reads or writes; arrays that are
    /// different do not overlap; and there is room for the sums of all blocks of `n` elements.
    pub unsafe fn run<S: Scalar>(
        &self,
        numbers: &[Complex<f64>],
        places: &[Place],
        n: usize,
        sums: &mut [Sum],
    ) {
        // The caller's contract is that of the loop, which is safe only for the sake of its macro.
        sweep::all::<S::Real, S>(&self.codes, numbers, places, n, sums);
    }
}

#[cfg(test)]
mod tests;
