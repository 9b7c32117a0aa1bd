//! What enters and leaves a program: inputs, states and outputs, by tile.

use super::{BoundPort, Program};
use crate::data::{DataError, Region, Sink, Source};
use crate::elements::Slice;
use crate::runtime::error::RunError;
use crate::runtime::memory::Memory;
use adjoin_passes::Dtype;
use adjoin_passes::calls::View;
use std::mem;
use std::ops::Range;

/// The part of an array that a rank holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TileView<'a> {
    /// The shape of the whole array.
    pub dims: &'a [usize],
    /// The global indices that are held, one range for each dim.
    pub held: &'a [Range<usize>],
    /// The elements, row-major.
    pub data: Slice<'a>,
    /// Whether this rank is the one that writes the tile.
    pub primary: bool,
}

/// Which part of a program is meant.
#[derive(Clone, Copy)]
enum Place {
    Input(usize, usize),
    Output(usize, usize),
    State(usize),
}

impl Program {
    /// Fills an input of a block with its values, of which only this rank's tile is read.
    pub fn load(&mut self, block: &str, input: &str, source: &Source) -> Result<(), RunError> {
        let place = self.input(block, input)?;
        self.fill(place, source)
    }

    /// Fills a state variable.
    pub fn load_state(&mut self, name: &str, source: &Source) -> Result<(), RunError> {
        let place = self.state(name)?;
        self.fill(place, source)
    }

    /// Fills an input of a block with zeros.
    pub fn clear(&mut self, block: &str, input: &str) -> Result<(), RunError> {
        let place = self.input(block, input)?;
        self.zero(place)
    }

    /// Fills a state variable with zeros.
    pub fn clear_state(&mut self, name: &str) -> Result<(), RunError> {
        let place = self.state(name)?;
        self.zero(place)
    }

    /// Shape and element type of an input of a block.
    pub fn input_type(&self, block: &str, input: &str) -> Result<(&[usize], Dtype), RunError> {
        let view = &self.port(self.input(block, input)?).view;
        Ok((&view.dims, view.dtype))
    }

    /// Shape and element type of each output of a block.
    pub fn output_types(&self, block: &str) -> Result<Vec<(Vec<usize>, Dtype)>, RunError> {
        let outputs = &self.blocks[self.block(block)?].outputs;
        Ok(outputs.iter().map(|port| (port.view.dims.clone(), port.view.dtype)).collect())
    }

    /// This rank's tile of an output of a block, as its last run left it.
    ///
    /// Buffers are shared by blocks, so that it is read before another one runs.
    pub fn output(&mut self, block: &str, index: usize) -> Result<TileView<'_>, RunError> {
        let place = self.result(block, index)?;
        self.read(place)
    }

    /// This rank's tile of a state variable.
    pub fn state_tile(&mut self, name: &str) -> Result<TileView<'_>, RunError> {
        let place = self.state(name)?;
        self.read(place)
    }

    /// Writes this rank's tile of an output, unless another rank writes the same.
    pub fn store(&mut self, block: &str, index: usize, sink: &Sink) -> Result<(), RunError> {
        let place = self.result(block, index)?;
        self.write(place, sink)
    }

    /// Writes this rank's tile of a state variable, unless another rank writes the same.
    pub fn store_state(&mut self, name: &str, sink: &Sink) -> Result<(), RunError> {
        let place = self.state(name)?;
        self.write(place, sink)
    }

    fn input(&self, block: &str, name: &str) -> Result<Place, RunError> {
        let index = self.block(block)?;
        let inputs = &self.blocks[index].inputs;
        let found = inputs.iter().position(|port| port.name == name);
        let known = || RunError::unknown("input", name, inputs.iter().map(|p| p.name.as_str()));
        Ok(Place::Input(index, found.ok_or_else(known)?))
    }

    fn state(&self, name: &str) -> Result<Place, RunError> {
        let found = self.states.iter().position(|port| port.name == name);
        let known =
            || RunError::unknown("state", name, self.states.iter().map(|p| p.name.as_str()));
        Ok(Place::State(found.ok_or_else(known)?))
    }

    fn result(&self, block: &str, index: usize) -> Result<Place, RunError> {
        let at = self.block(block)?;
        let count = self.blocks[at].outputs.len();
        if index < count {
            return Ok(Place::Output(at, index));
        }
        Err(RunError::Unfit(format!("the block has {count} outputs and no output {index}")))
    }

    fn port(&self, place: Place) -> &BoundPort {
        match place {
            Place::Input(block, k) => &self.blocks[block].inputs[k],
            Place::Output(block, k) => &self.blocks[block].outputs[k],
            Place::State(k) => &self.states[k],
        }
    }

    fn fill(&mut self, place: Place, source: &Source) -> Result<(), RunError> {
        let BoundPort { view, load, .. } = self.port(place);
        let (load, shaped) = (*load, shaped(source, view)?);
        let mut tile = Memory::elements(view.dtype, view.len()).map_err(|e| self.fail(e))?;
        let out = tile.slice_mut(view.dtype, view.len());
        if let Err(error) = shaped.read(&region(view), out) {
            let message = format!("loading {}: {error}", self.describe(place));
            return Err(self.fail(message));
        }
        self.feed(load, tile.bytes())
    }

    fn zero(&mut self, place: Place) -> Result<(), RunError> {
        let BoundPort { view, load, .. } = self.port(place);
        let load = *load;
        let mut tile = Memory::elements(view.dtype, view.len()).map_err(|e| self.fail(e))?;
        tile.bytes_mut().fill(0);
        self.feed(load, tile.bytes())
    }

    /// Copies a tile to the mirror.
    fn read(&mut self, place: Place) -> Result<TileView<'_>, RunError> {
        let BoundPort { view, read, .. } = self.port(place);
        let (read, bytes) = (*read, view.len() * view.dtype.size());
        self.launch(read)?;
        self.synchronise()?;
        if self.mirror.len() < bytes {
            self.mirror = Memory::new(bytes).map_err(|error| self.fail(error))?;
        }
        self.device.fetch(read, &mut self.mirror.bytes_mut()[..bytes]);
        let BoundPort { view, primary, .. } = self.port(place);
        let data = Slice::of_bytes(&self.mirror.bytes()[..bytes], view.dtype);
        Ok(TileView { dims: &view.dims, held: &view.held, data, primary: *primary })
    }

    fn write(&mut self, place: Place, sink: &Sink) -> Result<(), RunError> {
        if !self.port(place).primary {
            return Ok(());
        }
        self.read(place)?;
        let mirror = mem::take(&mut self.mirror);
        let view = &self.port(place).view;
        let data = mirror.slice(view.dtype, view.len());
        let written = sink.write(&region(view), data);
        self.mirror = mirror;
        written.map_err(|error| self.fail(format!("storing {}: {error}", self.describe(place))))
    }

    fn describe(&self, place: Place) -> String {
        match place {
            Place::Input(..) => format!("input {}", self.port(place).name),
            Place::Output(_, index) => format!("part {index} of the result"),
            Place::State(_) => format!("state {}", self.port(place).name),
        }
    }
}

/// The source with the dims of the part; a flat one may stand for any shape.
fn shaped(source: &Source, view: &View) -> Result<Source, RunError> {
    source.reshape(view.dims.clone()).map_err(|error: DataError| RunError::Unfit(error.to_string()))
}

/// The tile of a part as a region of its array.
pub(crate) fn region(view: &View) -> Region {
    let start: Vec<_> = view.held.iter().map(|range| range.start).collect();
    Region::new(start, view.extents())
}

impl TileView<'_> {
    /// The global indices as a region.
    pub fn region(&self) -> Region {
        let start: Vec<_> = self.held.iter().map(|range| range.start).collect();
        let extents: Vec<_> = self.held.iter().map(Range::len).collect();
        Region::new(start, extents)
    }
}
