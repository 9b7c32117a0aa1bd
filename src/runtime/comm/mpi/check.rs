//! Turns return codes into errors.

use super::CommError;
use mpi::ffi;
use std::ffi::{CStr, c_char, c_int};

/// An error unless `code` means success; `call` is the function that returned it.
pub(super) fn check(code: c_int, call: &'static str) -> Result<(), CommError> {
    if code == ffi::MPI_SUCCESS as c_int {
        return Ok(());
    }
    Err(CommError::Library { call, code, text: text(code) })
}

#[cold]
fn text(code: c_int) -> String {
    let mut buffer = [0 as c_char; ffi::MPI_MAX_ERROR_STRING as usize + 1];
    let mut len = 0;
    // SAFETY: the buffer has the length that the standard asks for, and one more for the end.
    let told = unsafe { ffi::MPI_Error_string(code, buffer.as_mut_ptr(), &raw mut len) };
    if told != ffi::MPI_SUCCESS as c_int {
        return "an unknown error".to_owned();
    }
    // SAFETY: the buffer was zeroed, and the call cannot fill its last byte.
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()
}

/// A count or a displacement as MPI takes it.
pub(super) fn count(count: usize) -> Result<c_int, CommError> {
    c_int::try_from(count).map_err(|_| CommError::Unusable("an MPI call carries 2³¹ − 1 elements"))
}
