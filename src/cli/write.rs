//! Results as files.

use super::Failure;
use crate::data::{Array, Source};
use crate::run::Solution;
use crate::runtime::{RankContext, World};
use std::path::Path;

/// Writes a vector: as it is if it has one part, flat if it has several.
pub(super) fn vector(world: &World, vector: &Solution, path: &Path) -> Result<(), Failure> {
    if vector.parts() == 1 {
        return Ok(vector.save_npy(0, path)?);
    }
    array(world, &vector.gather_flat()?, path)
}

/// Writes an array that every process has, once.
pub(super) fn array(world: &World, array: &Array, path: &Path) -> Result<(), Failure> {
    once(world, || array.save_npy(path).map_err(|error| error.to_string()))
}

/// Does something on rank 0; if that fails, all ranks fail.
pub(super) fn once(
    world: &World,
    work: impl Fn() -> Result<(), String> + Sync,
) -> Result<(), Failure> {
    let first = |rank: &RankContext| match rank.rank() {
        0 => work().map_err(|message| rank.error(message)),
        _ => Ok(()),
    };
    world.run(first).map(|_| ()).map_err(Failure::from)
}

/// All parts of a vector by name, whole on every process.
pub(super) fn gathered(
    vector: &Solution,
    labels: &[String],
) -> Result<Vec<(String, Source)>, Failure> {
    let part = |(k, label): (usize, &String)| Ok((label.clone(), Source::array(vector.gather(k)?)));
    labels.iter().enumerate().map(part).collect()
}
