//! Square blocks of arrays turned over: rows become columns.
//!
//! A block has a cache line's elements along a [`side`], so that it is read and written by whole
//! lines; where the machine has registers of that size it is turned in them.
//! Elements are moved and never computed with, so only their size matters.

#[cfg(target_arch = "x86_64")]
mod registers;

/// The bytes of a row of a block.
const LINE: usize = 64;

/// The elements of so many bytes along a side of a block, if there are such blocks.
pub const fn side(bytes: usize) -> Option<usize> {
    match bytes {
        4 | 8 | 16 => Some(LINE / bytes),
        _ => None,
    }
}

/// A block that is read: its first byte, and the bytes from a row to the next one.
pub type Rows = (*const u8, isize);

/// A block that is written.
#[derive(Clone, Copy)]
pub struct Target {
    start: *mut u8,
    apart: isize,
    past: bool,
}

impl Target {
    /// The block whose first byte is this one, with so many bytes from a row to the next one.
    pub fn new(start: *mut u8, apart: isize) -> Target {
        Target { start, apart, past: false }
    }

    /// The same block, to be written past the caches if its rows are whole lines; then
    /// [`past::end`](super::past) comes after the last of them.
    pub fn past_caches(self, past: bool) -> Target {
        let whole = (self.start as usize).is_multiple_of(LINE) && self.apart % LINE as isize == 0;
        Target { past: past && whole, ..self }
    }
}

/// Element `c` of row `r` at `x` becomes element `r` of row `c` at `y`, of elements of so many
/// bytes.
///
/// # Safety
/// There are blocks of such elements, the rows of both sides are there, and nobody else writes any
/// of them.
#[inline]
pub unsafe fn square(bytes: usize, x: Rows, y: Target) {
    // SAFETY: the caller's contract, and the machine has the instructions.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if super::simd::has_avx512() {
            return match bytes {
                4 => registers::turn_4(x, y),
                8 => registers::turn_8(x, y),
                _ => registers::turn_16(x, y),
            };
        }
        match bytes {
            4 => one_by_one::<[u8; 4]>(x, y),
            8 => one_by_one::<[u8; 8]>(x, y),
            _ => one_by_one::<[u8; 16]>(x, y),
        }
    }
}

/// [`square`], element by element.
///
/// # Safety
/// As there.
unsafe fn one_by_one<S: Copy>(x: Rows, y: Target) {
    let side = (LINE / size_of::<S>()) as isize;
    for c in 0..side {
        for r in 0..side {
            // SAFETY: the caller's contract; elements need not be aligned.
            unsafe {
                let from = x.0.offset(r * x.1).cast::<S>().offset(c);
                let to = y.start.offset(c * y.apart).cast::<S>().offset(r);
                to.write_unaligned(from.read_unaligned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::past;
    use super::*;

    /// Where a block begins in an array, and how far apart its rows are, in elements.
    type Place = (usize, isize);

    fn each_way<S: Copy + PartialEq>(number: impl Fn(usize) -> S) {
        let bytes = size_of::<S>();
        let n = side(bytes).unwrap();
        let (last, wide) = (n - 1, n as isize);
        let backwards = (last * (n + 1), -wide - 1);
        let places: [Place; 5] = [(0, wide), (1, wide + 3), backwards, (5, 40), (8, 64)];
        let at = |place: Place, row: usize| place.0.wrapping_add_signed(row as isize * place.1);
        for (from, to) in places.into_iter().flat_map(|p| places.map(|q| (p, q))) {
            let len = |place: Place| at(place, last).max(place.0) + n;
            let x: Vec<S> = (0..len(from)).map(&number).collect();
            let start: Vec<S> = (0..len(to)).map(|k| number(1000 + k)).collect();
            let mut want = start.clone();
            for (r, c) in (0..n).flat_map(|r| (0..n).map(move |c| (r, c))) {
                want[at(to, c) + r] = x[at(from, r) + c];
            }
            let mut y = [start.clone(), start.clone(), start];
            let rows = |apart: isize| apart * bytes as isize;
            // SAFETY: all arrays hold their blocks.
            unsafe {
                let x = (x.as_ptr().add(from.0).cast(), rows(from.1));
                let own = |y: &mut Vec<S>| Target::new(y.as_mut_ptr().add(to.0).cast(), rows(to.1));
                square(bytes, x, own(&mut y[0]));
                square(bytes, x, own(&mut y[1]).past_caches(true));
                past::end();
                one_by_one::<S>(x, own(&mut y[2]));
            }
            assert!(y.iter().all(|y| *y == want));
        }
    }

    #[test]
    fn blocks_are_turned_wherever_they_lie() {
        each_way(|k| k as f32);
        each_way(|k| k as f64);
        each_way(|k| [k as f64, -1.0]);
        assert_eq!([side(2), side(12), side(64)], [None; 3]);
    }
}
