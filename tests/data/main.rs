//! Sources and sinks: what is read is what was written, no more of it than needed, and every
//! damaged file is told by name.

mod damage;
mod files;
mod formats;
mod regions;
mod sinks;
mod sources;
