//! What a run brings back, tile by tile, and how it becomes arrays and files.

use super::unfit;
use crate::data::{Array, Region, Sink, Source};
use crate::elements::Elements;
use crate::runtime::comm::{Comm, Traffic};
use crate::runtime::{Program, RunError};
use crate::solve::Outcome;
use std::path::Path;
use std::sync::Arc;

/// The result of a run: every rank of this process still holds its tiles only.
pub struct Solution {
    /// What the loop found; nothing for an expression.
    pub outcome: Option<Outcome>,
    /// What the run cost.
    pub cost: RunCost,
    pub(super) names: Vec<Option<String>>,
    /// For each part the tiles of this process's ranks.
    pub(super) tiles: Vec<Vec<Tile>>,
    /// Likewise the variance, if the solver estimates it.
    pub(super) variance: Vec<Vec<Tile>>,
    pub(super) comm: Option<Arc<dyn Comm>>,
}

/// What a run cost, as rank 0 of this process saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunCost {
    /// Seconds to bind and load.
    pub load: f64,
    /// Seconds of the loop.
    pub iterate: f64,
    /// Communication of the loop.
    pub traffic: Traffic,
    /// Bytes of buffers and staging of the rank that has most.
    pub peak_bytes: usize,
}

#[derive(Clone)]
pub(super) struct Tile {
    dims: Vec<usize>,
    region: Region,
    elements: Elements,
    primary: bool,
}

impl Tile {
    pub(super) fn of(program: &mut Program, block: &str, part: usize) -> Result<Tile, RunError> {
        let view = program.output(block, part)?;
        let mut elements = Elements::zeros(view.data.dtype(), view.data.len());
        elements.slice_mut().bytes().copy_from_slice(view.data.bytes());
        Ok(Tile {
            dims: view.dims.to_vec(),
            region: view.region(),
            elements,
            primary: view.primary,
        })
    }
}

impl Solution {
    /// The diagonal of `(AᴴA + δ²)⁻¹` as LSQR estimates it, part for part like the solution.
    ///
    /// As in PyLops squares are taken without absolute values, so that it is complex where the
    /// solution is.
    pub fn variance(&self) -> Option<Solution> {
        (!self.variance.is_empty()).then(|| Solution {
            outcome: None,
            cost: self.cost,
            names: self.names.clone(),
            tiles: self.variance.clone(),
            variance: Vec::new(),
            comm: self.comm.clone(),
        })
    }

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.tiles.len()
    }

    /// The names of the parts, where they have one.
    pub fn names(&self) -> &[Option<String>] {
        &self.names
    }

    /// A part as a whole, on every process; all of them must ask.
    pub fn gather(&self, part: usize) -> Result<Array, RunError> {
        assemble(&self.tiles[part], self.comm.as_ref())
    }

    /// All parts one after the other as one flat array.
    pub fn gather_flat(&self) -> Result<Array, RunError> {
        let parts: Result<Vec<_>, _> = (0..self.parts()).map(|k| self.gather(k)).collect();
        let sources = parts?.into_iter().map(|a| {
            let n = a.len();
            a.reshape(vec![n]).map(Source::array)
        });
        let sources: Result<Vec<_>, _> = sources.collect();
        Source::concat(0, sources.map_err(unfit)?).and_then(|s| s.load()).map_err(unfit)
    }

    /// Writes a part to a file, each rank its tile; all processes must ask.
    pub fn save_npy(&self, part: usize, path: impl AsRef<Path>) -> Result<(), RunError> {
        let tiles = &self.tiles[part];
        let (dims, dtype) = (tiles[0].dims.clone(), tiles[0].elements.dtype());
        let path = path.as_ref();
        let Some(comm) = &self.comm else {
            let sink = Sink::npy(path, dims, dtype).map_err(unfit)?;
            write(&sink, tiles)?;
            return sink.finish().map_err(unfit);
        };
        let root = comm.rank() == 0;
        let mut sink = None;
        let mut place = Vec::new();
        if root {
            let made = Sink::npy(path, dims, dtype).map_err(|e| tell(comm, &e))?;
            let temporary = made.temporary().map(|p| p.to_string_lossy().into_owned());
            place = temporary.unwrap_or_default().into_bytes();
            sink = Some(made);
        }
        comm.broadcast_bytes(0, &mut place)?;
        let sink = match sink {
            Some(sink) => sink,
            None => {
                Sink::join(String::from_utf8_lossy(&place).as_ref()).map_err(|e| tell(comm, &e))?
            }
        };
        write(&sink, tiles).map_err(|e| tell(comm, &e))?;
        if !root {
            sink.finish().map_err(|e| tell(comm, &e))?;
        }
        comm.barrier()?;
        if root {
            sink.finish().map_err(|e| tell(comm, &e))?;
        }
        comm.barrier()?;
        Ok(())
    }
}

/// Stops all ranks with an error of this one.
fn tell(comm: &Arc<dyn Comm>, error: &dyn std::fmt::Display) -> RunError {
    let message = error.to_string();
    comm.fail(&message);
    RunError::Failed { rank: comm.rank(), message }
}

fn write(sink: &Sink, tiles: &[Tile]) -> Result<(), RunError> {
    for tile in tiles.iter().filter(|t| t.primary) {
        sink.write(&tile.region, tile.elements.slice()).map_err(unfit)?;
    }
    Ok(())
}

/// The whole array from the tiles of this process, and of the others if there are any.
pub(super) fn assemble(tiles: &[Tile], comm: Option<&Arc<dyn Comm>>) -> Result<Array, RunError> {
    let (dims, dtype) = (tiles[0].dims.clone(), tiles[0].elements.dtype());
    let sink = Sink::in_memory(dims.clone(), dtype).map_err(unfit)?;
    match comm {
        None => write(&sink, tiles)?,
        Some(comm) => {
            let mine = tiles.iter().find(|t| t.primary);
            let bytes = mine.map(|t| t.elements.slice().bytes().to_vec()).unwrap_or_default();
            let place = mine.map(|t| (t.region.start().to_vec(), t.region.dims().to_vec()));
            let place = serde_json::to_vec(&place).unwrap_or_default();
            let (places, all) = (comm.all_gather_bytes(&place)?, comm.all_gather_bytes(&bytes)?);
            for (place, bytes) in places.iter().zip(&all) {
                let place: Option<(Vec<usize>, Vec<usize>)> =
                    serde_json::from_slice(place).unwrap_or_default();
                let Some((start, len)) = place else { continue };
                let mut elements = Elements::zeros(dtype, len.iter().product());
                elements.slice_mut().bytes().copy_from_slice(bytes);
                sink.write(&Region::new(start, len), elements.slice()).map_err(unfit)?;
            }
        }
    }
    sink.finish().map_err(unfit)?;
    sink.memory().ok_or_else(|| RunError::Unfit("a part was not assembled".into()))
}
