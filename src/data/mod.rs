//! Where arrays come from and go to: sources, sinks, and the arrays between them.
//!
//! A [`Source`] knows its dims and element type from the start; its values are read by
//! [`Region`], so that a rank reads only the tile that it owns. A [`Sink`] is written by region
//! in the same way. [`ReadTile`] and [`WriteTile`] are what a new kind of storage implements.

mod array;
mod error;
mod file;
mod function;
mod memory;
mod npy;
mod npy_sink;
mod npz;
mod region;
mod sink;
mod source;
mod storage;
mod views;

pub use array::Array;
pub use error::DataError;
pub use region::{Region, Run, Runs};
pub use sink::{Sink, WriteTile};
pub use source::{ReadTile, Source};
pub use storage::bytes_read_from_files;
