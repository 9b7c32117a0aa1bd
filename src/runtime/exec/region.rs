//! Regions at binding: one unit of work where tiles have panels of rows, elements or a normal
//! operator, else call by call.

use super::bind::{Binder, Why};
use crate::runtime::device::{Part, Piece, Task, Work};
use crate::runtime::local::LocalNode;
use crate::runtime::tiles::{SharedTile, elementwise, has_normal, panels};
use adjoin_kernels::host::star::Sums;
use adjoin_passes::calls::{Call, Kernel, View};
use adjoin_passes::ir::{LeafId, Op};
use adjoin_passes::region::keeps_nothing;
use std::ops::Range;
use std::sync::Arc;

impl Binder<'_> {
    /// The work of a region.
    pub(super) fn region(
        &mut self,
        leaf: LeafId,
        calls: &[Call],
        sums: Sums,
    ) -> Result<Vec<Task>, Why> {
        let tile = self.common_tile(calls)?;
        if let (Some(tile), [Call::Kernel(forward), Call::Kernel(adjoint)]) = (&tile, calls)
            && keeps_nothing(&self.plan[leaf].signature)
            && has_normal(tile)
        {
            let (inputs, outputs) = (forward.inputs.clone(), adjoint.outputs.clone());
            let label = format!("applying {0} and {0}.H", self.plan[leaf].name);
            let work = Work::Normal { tile: tile.clone(), inputs, outputs, sums };
            return Ok(vec![self.prepare(label, work)?]);
        }
        let calls = &self.kept(calls)?;
        let Some(panels) = tile.as_ref().and_then(panels) else {
            let works = calls.iter().map(|call| self.work(call));
            return Ok(works.collect::<Result<Vec<_>, _>>()?.concat());
        };
        let (parts, sums) = self.parts_of(calls)?;
        let label = format!("applying {} panel by panel", self.plan[leaf].name);
        Ok(vec![self.prepare(label, Work::Region { panels, parts, sums })?])
    }

    /// The tile of all kernels, if it is one.
    fn common_tile(&mut self, calls: &[Call]) -> Result<Option<SharedTile>, Why> {
        let mut common: Option<SharedTile> = None;
        for call in calls {
            let Call::Kernel(kernel) = call else { continue };
            let Some(tile) = self.tile(kernel)? else { return Ok(None) };
            if common.as_ref().is_some_and(|known| !Arc::ptr_eq(known, &tile)) {
                return Ok(None);
            }
            common = Some(tile);
        }
        Ok(common)
    }

    fn parts_of(&self, calls: &[Call]) -> Result<(Vec<Part>, Vec<LocalNode>), Why> {
        let (mut parts, mut sums) = (Vec::new(), Vec::new());
        for call in calls {
            match call {
                Call::Kernel(Kernel { adjoint, inputs, outputs, .. }) => {
                    let (inputs, outputs) = (inputs.clone(), outputs.clone());
                    parts.push(Part::Kernel { adjoint: *adjoint, inputs, outputs });
                }
                Call::Local { op: op @ Op::Dot { .. }, args, out } => {
                    sums.push(self.node(op, args, out)?);
                }
                Call::Local { op, args, out } => parts.push(Part::Rows(self.node(op, args, out)?)),
                Call::Region { .. }
                | Call::Copy { .. }
                | Call::Start { .. }
                | Call::Wait { .. } => {
                    return Err(Why::Here("a region has calls that are not local".into()));
                }
            }
        }
        Ok((parts, sums))
    }

    /// The work of a region over elements; a tile that has no elements divides it, and then what
    /// passes through it needs whole buffers.
    pub(super) fn elements(&mut self, calls: &[Call]) -> Result<Vec<Task>, Why> {
        for call in calls {
            if self.piece(call)?.is_none() {
                let kept = self.kept(calls)?;
                return self.divided(&kept);
            }
        }
        self.divided(calls)
    }

    /// The same calls in buffers for whole vectors.
    fn kept(&mut self, calls: &[Call]) -> Result<Vec<Call>, Why> {
        let mut calls = calls.to_vec();
        for view in calls.iter_mut().flat_map(views_mut) {
            view.buffer = self.whole(view.buffer)?;
        }
        Ok(calls)
    }

    fn divided(&mut self, calls: &[Call]) -> Result<Vec<Task>, Why> {
        let mut tasks = Vec::new();
        let mut gathered = 0..0;
        let mut pieces = Vec::new();
        for (k, call) in calls.iter().enumerate() {
            if let Some(piece) = self.piece(call)? {
                pieces.push(piece);
                gathered.end = k + 1;
                continue;
            }
            tasks.extend(self.gathered(&calls[gathered], std::mem::take(&mut pieces))?);
            tasks.extend(self.work(call)?);
            gathered = k + 1..k + 1;
        }
        tasks.extend(self.gathered(&calls[gathered], pieces)?);
        Ok(tasks)
    }

    fn gathered(&mut self, calls: &[Call], pieces: Vec<Piece>) -> Result<Vec<Task>, Why> {
        match calls {
            [] => Ok(Vec::new()),
            [one] => self.work(one),
            many => {
                let label = format!("updating {} vectors together", many.len());
                Ok(vec![self.prepare(label, Work::Elements { pieces })?])
            }
        }
    }

    fn piece(&mut self, call: &Call) -> Result<Option<Piece>, Why> {
        match call {
            Call::Local { op, args, out } => {
                let node = self.node(op, args, out)?;
                let sum = matches!(op, Op::Dot { .. });
                Ok(match (sum, node.is_sum()) {
                    (true, true) => Some(Piece::Sum(node)),
                    (true, false) => None,
                    (false, _) => Some(Piece::Update(node)),
                })
            }
            Call::Kernel(kernel) => {
                let tile = self.tile(kernel)?.as_ref().and_then(elementwise);
                let (Some(tile), [input], [output]) =
                    (tile, &kernel.inputs[..], &kernel.outputs[..])
                else {
                    return Ok(None);
                };
                let dims = self.plan[kernel.leaf].signature.domain[0].len();
                let columns = input.held.iter().skip(dims).map(Range::len).product::<usize>();
                let (adjoint, columns) = (kernel.adjoint, columns.max(1));
                let (input, output) = (input.clone(), output.clone());
                Ok(Some(Piece::Weights { tile, adjoint, columns, input, output }))
            }
            Call::Region { .. } | Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } => {
                Err(Why::Here("a region has calls that are not local".into()))
            }
        }
    }
}

/// The views of a call that is local.
fn views_mut(call: &mut Call) -> Vec<&mut View> {
    match call {
        Call::Kernel(Kernel { inputs, outputs, .. }) => inputs.iter_mut().chain(outputs).collect(),
        Call::Local { args, out, .. } => args.iter_mut().chain([out]).collect(),
        Call::Region { .. } | Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } => {
            Vec::new()
        }
    }
}
