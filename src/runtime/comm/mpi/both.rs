//! Sums of numbers of both precisions in one message: a type of MPI, and the sum of its elements.
//!
//! The library knows such an element as words of four bytes in two runs, and asks a function of ours
//! to add two of them; how long the runs are the function reads from the type.

use super::CommError;
use super::check::{check, count};
use super::job::Job;
use mpi::ffi;
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::{slice, thread};

/// A type whose elements are so many numbers in double precision and then so many in single
/// precision, and their sum.
pub(super) struct Both {
    job: Arc<Job>,
    kind: ffi::MPI_Datatype,
    sum: ffi::MPI_Op,
}

// SAFETY: types and operations are handles that any thread may use; `Job::enter` keeps to the thread
// level.
unsafe impl Send for Both {}

impl Both {
    /// MPI 3.1, 4.1.2 `MPI_Type_indexed`, 5.9.5 `MPI_Op_create`
    pub(super) fn new(job: &Arc<Job>, double: usize, single: usize) -> Result<Self, CommError> {
        let runs = [count(2 * double)?, count(single)?];
        let starts = [0, runs[0]];
        let _entered = job.enter()?;
        // SAFETY: the runs have as many lengths as starts, and the results are written by the calls.
        unsafe {
            let mut kind = ffi::RSMPI_FLOAT;
            let word = ffi::RSMPI_FLOAT;
            let code =
                ffi::MPI_Type_indexed(2, runs.as_ptr(), starts.as_ptr(), word, &raw mut kind);
            check(code, "MPI_Type_indexed")?;
            check(ffi::MPI_Type_commit(&raw mut kind), "MPI_Type_commit")?;
            let mut sum = ffi::RSMPI_SUM;
            check(ffi::MPI_Op_create(Some(add), 1, &raw mut sum), "MPI_Op_create")?;
            Ok(Both { job: job.clone(), kind, sum })
        }
    }

    pub(super) fn kind(&self) -> ffi::MPI_Datatype {
        self.kind
    }

    pub(super) fn sum(&self) -> ffi::MPI_Op {
        self.sum
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        if thread::panicking() || !self.job.is_running() {
            return;
        }
        let Ok(_entered) = self.job.enter() else { return };
        // SAFETY: both handles are ours; the library keeps what a pending call needs.
        unsafe {
            let code = ffi::MPI_Type_free(&raw mut self.kind);
            debug_assert!(check(code, "MPI_Type_free").is_ok());
            let code = ffi::MPI_Op_free(&raw mut self.sum);
            debug_assert!(check(code, "MPI_Op_free").is_ok());
        }
    }
}

/// Adds elements to others, as MPI calls it.
///
/// # Safety
/// There are `count` elements of the type at both places, which do not overlap.
unsafe extern "C" fn add(
    from: *mut c_void,
    into: *mut c_void,
    number: *mut c_int,
    kind: *mut ffi::MPI_Datatype,
) {
    // SAFETY: the library calls it with what `Both::new` made; nothing is aligned to more than a byte.
    unsafe {
        let Some([double, single]) = runs(*kind) else { return };
        let len = 8 * double + 4 * single;
        let bytes = usize::try_from(*number).unwrap_or(0) * len;
        let from = slice::from_raw_parts(from.cast::<u8>(), bytes);
        let into = slice::from_raw_parts_mut(into.cast::<u8>(), bytes);
        for (from, into) in from.chunks_exact(len).zip(into.chunks_exact_mut(len)) {
            added(from, into, 8 * double);
        }
    }
}

/// Adds the numbers of an element to another's, of which so many bytes are in double precision.
fn added(from: &[u8], into: &mut [u8], double: usize) {
    let ((from, from_single), (into, into_single)) =
        (from.split_at(double), into.split_at_mut(double));
    for (from, into) in from.chunks_exact(8).zip(into.chunks_exact_mut(8)) {
        let [a, b] = [&*into, from].map(|x| f64::from_ne_bytes(std::array::from_fn(|i| x[i])));
        into.copy_from_slice(&(a + b).to_ne_bytes());
    }
    for (from, into) in from_single.chunks_exact(4).zip(into_single.chunks_exact_mut(4)) {
        let [a, b] = [&*into, from].map(|x| f32::from_ne_bytes(std::array::from_fn(|i| x[i])));
        into.copy_from_slice(&(a + b).to_ne_bytes());
    }
}

/// How many numbers of each precision an element has.
///
/// # Safety
/// The type was made by [`Both::new`].
unsafe fn runs(kind: ffi::MPI_Datatype) -> Option<[usize; 2]> {
    // The number of runs, their lengths and their starts.
    let mut numbers = [0 as c_int; 5];
    let mut addresses = [];
    // SAFETY: the call writes the type of the words.
    let mut words = unsafe { ffi::RSMPI_FLOAT };
    // SAFETY: such a type has five numbers, no address and one type (MPI 3.1, 4.1.13).
    let code = unsafe {
        let addresses: &mut [ffi::MPI_Aint; 0] = &mut addresses;
        let (numbers, addresses) = (numbers.as_mut_ptr(), addresses.as_mut_ptr());
        ffi::MPI_Type_get_contents(kind, 5, 0, 1, numbers, addresses, &raw mut words)
    };
    check(code, "MPI_Type_get_contents").ok()?;
    let [words, single] = [numbers[1], numbers[2]].map(|n| usize::try_from(n).ok());
    Some([words? / 2, single?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_precision_is_added_in_its_own_wherever_it_lies() {
        let message = |double: f64, single: [f32; 3]| {
            let mut bytes = vec![0; 1];
            bytes.extend(double.to_ne_bytes());
            bytes.extend(single.iter().flat_map(|x| x.to_ne_bytes()));
            bytes
        };
        let mut into = message(1.0, [0.5, -1.0, f32::MAX]);
        added(&message(1e-15, [1e-9, 3.0, f32::MAX])[1..], &mut into[1..], 8);
        assert_eq!(into, message(1.0 + 1e-15, [0.5, 2.0, f32::INFINITY]));
    }
}
