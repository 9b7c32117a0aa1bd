//! Combines the same range of several ranks' arrays, in the order of ranks.

use super::super::staging::Region;
use super::super::{Elem, ReduceOp};
use std::ops::{Add, Range};

/// Bytes of a result that stay in the first cache while the ranks' arrays stream by.
const BLOCK: usize = 8192;

/// Writes into `into` the combination of the byte range `range` of each of `sources`.
///
/// # Safety
/// The regions live, hold elements of type `elem` at element boundaries, nobody writes the sources,
/// and nobody else uses `into`.
pub(super) unsafe fn reduce(
    (elem, op): (Elem, ReduceOp),
    sources: &(impl Iterator<Item = Region> + Clone),
    range: Range<usize>,
    into: Region,
) {
    // SAFETY: the caller's contract.
    unsafe {
        match elem {
            Elem::F32 => typed::<f32>(op, sources, range, into),
            Elem::F64 => typed::<f64>(op, sources, range, into),
            Elem::U8 => unreachable!("reductions of bytes are not prepared"),
            Elem::Both { double, single } => {
                let mut done = range.start;
                while done < range.end {
                    let (is_double, end) = run_at(done, 8 * double, 4 * single);
                    let run = done..end.min(range.end);
                    let into = into.part(run.start - range.start..run.end - range.start);
                    if is_double {
                        added(sources, run, into);
                    } else {
                        typed::<f32>(op, sources, run, into);
                    }
                    done = end;
                }
            }
        }
    }
}

/// Whether the byte `at` of elements of so many bytes in double and in single precision is in
/// double precision, and where its run ends.
fn run_at(at: usize, double: usize, single: usize) -> (bool, usize) {
    let start = at - at % (double + single);
    let is_double = at - start < double;
    (is_double, start + double + if is_double { 0 } else { single })
}

/// Adds numbers in double precision that need not be aligned.
///
/// # Safety
/// As for [`reduce`].
unsafe fn added(
    sources: &(impl Iterator<Item = Region> + Clone),
    range: Range<usize>,
    into: Region,
) {
    // SAFETY: the caller's contract.
    let into = unsafe { into.bytes_mut() };
    let number = |bytes: &[u8]| f64::from_ne_bytes(std::array::from_fn(|i| bytes[i]));
    for (rank, source) in sources.clone().enumerate() {
        // SAFETY: the caller's contract.
        let source = unsafe { source.part(range.clone()).bytes() };
        for (into, from) in into.chunks_exact_mut(8).zip(source.chunks_exact(8)) {
            let sum = if rank == 0 { number(from) } else { number(into) + number(from) };
            into.copy_from_slice(&sum.to_ne_bytes());
        }
    }
}

/// # Safety
/// As for [`reduce`].
unsafe fn typed<T: bytemuck::Pod + Add<Output = T> + PartialOrd>(
    op: ReduceOp,
    sources: &(impl Iterator<Item = Region> + Clone),
    range: Range<usize>,
    into: Region,
) {
    // SAFETY: the caller's contract.
    let into: &mut [T] = bytemuck::cast_slice_mut(unsafe { into.bytes_mut() });
    let block = BLOCK / size_of::<T>();
    for (number, into) in into.chunks_mut(block).enumerate() {
        let start = range.start + number * BLOCK;
        for (rank, source) in sources.clone().enumerate() {
            let source = source.part(start..start + size_of_val(into));
            // SAFETY: the caller's contract.
            let source: &[T] = bytemuck::cast_slice(unsafe { source.bytes() });
            match (rank, op) {
                (0, _) => into.copy_from_slice(source),
                (_, ReduceOp::Sum) => combine(into, source, |a, b| a + b),
                (_, ReduceOp::Max) => combine(into, source, |a, b| pick(a, b, b > a)),
                (_, ReduceOp::Min) => combine(into, source, |a, b| pick(a, b, b < a)),
            }
        }
    }
}

fn combine<T: Copy>(into: &mut [T], from: &[T], op: impl Fn(T, T) -> T) {
    for (into, from) in into.iter_mut().zip(from) {
        *into = op(*into, *from);
    }
}

/// The second if it wins or is not a number, so that one such value shows in the result.
#[allow(clippy::eq_op)]
fn pick<T: Copy + PartialEq>(first: T, second: T, wins: bool) -> T {
    if wins || second != second { second } else { first }
}
