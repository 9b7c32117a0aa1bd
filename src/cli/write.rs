//! Results as files.

use super::Failure;
use super::job::together;
use crate::data::{Array, Source};
use crate::run::Solution;
use crate::runtime::World;
use std::path::Path;

/// Writes a vector: as it is if it has one part, flat if it has several.
pub(super) fn vector(world: &World, vector: &Solution, path: &Path) -> Result<(), Failure> {
    if vector.parts() == 1 {
        return together(world, vector.save_npy(0, path).map_err(Into::into));
    }
    let flat = together(world, vector.gather_flat().map_err(Into::into))?;
    array(world, &flat, path)
}

/// Writes an array that every process has, once.
pub(super) fn array(world: &World, array: &Array, path: &Path) -> Result<(), Failure> {
    once(world, || Ok(array.save_npy(path)?))
}

/// Does something on rank 0; if that fails, all ranks fail.
pub(super) fn once(
    world: &World,
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    together(world, if world.is_root() { work() } else { Ok(()) })
}

/// All parts of a vector by name, whole on every process.
pub(super) fn gathered(
    vector: &Solution,
    labels: &[String],
) -> Result<Vec<(String, Source)>, Failure> {
    let part = |(k, label): (usize, &String)| Ok((label.clone(), Source::array(vector.gather(k)?)));
    labels.iter().enumerate().map(part).collect()
}
