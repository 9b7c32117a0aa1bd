//! What can go wrong between an array and its storage, told with the name of the storage.

use super::Region;
use super::region::show;
use crate::Dtype;
use std::io;
use std::path::PathBuf;

/// An error of a source, a sink or an array.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot {action} {path}: {error}", path = path.display())]
    Io {
        /// What was tried: `open`, `read`, `create`, `write`, `rename`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The file has another length or date than when its header was read.
    #[error("{path} changed since its header was read; make the source again", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The magic number of `.npy` is missing.
    #[error("{source_name} is not an .npy file{hint}")]
    NotNpy {
        /// The file, with its member.
        source_name: String,
        /// What it seems to be instead, and what to do.
        hint: &'static str,
    },
    /// A version of the format that is not known.
    #[error(
        "{source_name} has .npy version {major}.{minor}; versions 1.0, 2.0 and 3.0 can be read"
    )]
    Version {
        /// The file, with its member.
        source_name: String,
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
    },
    /// The header cannot be understood.
    #[error("the .npy header of {source_name} is damaged: {reason}")]
    Header {
        /// The file, with its member.
        source_name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The elements are neither numbers nor bools, or too narrow or wide.
    #[error(
        "{source_name} holds elements of dtype {descr}, which cannot be read; \
         save it with .astype(\"float64\") or another of float32, float64, complex64, complex128"
    )]
    Unsupported {
        /// The file, with its member.
        source_name: String,
        /// The dtype as the header has it.
        descr: String,
    },
    /// Fewer bytes than the header promises.
    #[error("{source_name} is truncated: {needed} bytes are needed, {found} are there")]
    Truncated {
        /// The file, with its member.
        source_name: String,
        /// Bytes of header and data.
        needed: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// More bytes than the header promises.
    #[error(
        "{source_name} has {found} bytes, but its header describes {needed}; \
         is more than one array in it?"
    )]
    Surplus {
        /// The file, with its member.
        source_name: String,
        /// Bytes of header and data.
        needed: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The array cannot be held, or not even be counted.
    #[error("{source_name} is too large: {dims} elements", dims = show(dims))]
    TooLarge {
        /// The source.
        source_name: String,
        /// Its dims.
        dims: Vec<usize>,
    },
    /// The archive cannot be understood.
    #[error("{path} cannot be read as an .npz archive: {reason}", path = path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The member is compressed.
    #[error(
        "{member} in {path} is compressed, so no rank can read only its tile; \
         write it with np.savez instead of np.savez_compressed",
        path = path.display()
    )]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The member.
        member: String,
    },
    /// The archive has no such member.
    #[error("{path} has no array {member}; it has {members}", path = path.display(), members = list(members))]
    NoMember {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        member: String,
        /// What there is.
        members: Vec<String>,
    },
    /// A region is not inside of the array.
    #[error("region {region} is outside of {source_name}, which is {dims}", dims = show(dims))]
    Outside {
        /// The source or sink.
        source_name: String,
        /// The region.
        region: Region,
        /// The dims of the array.
        dims: Vec<usize>,
    },
    /// A buffer or a closure's values do not have the length of the region.
    #[error("region {region} of {source_name} has {needed} elements, but {found} were given")]
    Length {
        /// The source or sink.
        source_name: String,
        /// The region.
        region: Region,
        /// Elements of the region.
        needed: usize,
        /// Elements given.
        found: usize,
    },
    /// A conversion would lose something and was not asked for.
    #[error("{source_name} is {from} and cannot be converted to {to}; {cure}", cure = cure(*from, *to))]
    Narrowing {
        /// The source or sink.
        source_name: String,
        /// The type of the values.
        from: Dtype,
        /// The type that was wanted.
        to: Dtype,
    },
    /// Dims and number of elements disagree.
    #[error("{source_name} cannot be shaped as {to}", to = show(to))]
    Shape {
        /// The array or source.
        source_name: String,
        /// The dims that were wanted.
        to: Vec<usize>,
    },
    /// Parts that do not fit together.
    #[error("cannot concatenate along axis {axis}: {reason}")]
    Concat {
        /// The axis.
        axis: usize,
        /// Which part does not fit.
        reason: String,
    },
    /// A source for planning was read.
    #[error("{source_name} has no values: it was declared for planning only; bind a source to run")]
    Declared {
        /// The source.
        source_name: String,
    },
    /// A sink was used after its end.
    #[error("{sink} is finished and takes no more")]
    Finished {
        /// The sink.
        sink: String,
    },
    /// Told by a source or sink outside of this crate.
    #[error("{source_name}: {message}")]
    Other {
        /// The source or sink.
        source_name: String,
        /// What happened.
        message: String,
    },
}

fn list(members: &[String]) -> String {
    if members.is_empty() { "none".into() } else { members.join(", ") }
}

fn cure(from: Dtype, to: Dtype) -> &'static str {
    if from.is_complex() && !to.is_complex() {
        "take its real part if that is meant"
    } else {
        "cast it if less precision is meant"
    }
}
