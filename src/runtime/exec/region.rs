//! Regions at binding: one unit of work where the tile has panels of rows, else call by call.

use super::bind::{Binder, Why};
use crate::runtime::device::{Part, Task, Work};
use crate::runtime::local::LocalNode;
use crate::runtime::tiles::{SharedTile, has_rows};
use adjoin_passes::calls::Call;
use adjoin_passes::ir::{LeafId, Op};
use std::sync::Arc;

impl Binder<'_> {
    /// The work of a region.
    pub(super) fn region(&mut self, leaf: LeafId, calls: &[Call]) -> Result<Vec<Task>, Why> {
        let Some(tile) = self.common_tile(calls)? else {
            let works = calls.iter().map(|call| self.work(call));
            return Ok(works.collect::<Result<Vec<_>, _>>()?.concat());
        };
        let (parts, sums) = self.parts_of(calls)?;
        let label = format!("applying {} panel by panel", self.plan[leaf].name);
        Ok(vec![self.prepare(label, Work::Region { tile, parts, sums })?])
    }

    /// The tile of all kernels, if it is one whose panels are ranges of rows.
    fn common_tile(&mut self, calls: &[Call]) -> Result<Option<SharedTile>, Why> {
        let mut common: Option<SharedTile> = None;
        for call in calls {
            let Call::Kernel { leaf, adjoint, inputs, outputs } = call else { continue };
            let Some(tile) = self.tile(*leaf, *adjoint, inputs, outputs)? else { return Ok(None) };
            if common.as_ref().is_some_and(|known| !Arc::ptr_eq(known, &tile)) {
                return Ok(None);
            }
            common = Some(tile);
        }
        Ok(common.filter(has_rows))
    }

    fn parts_of(&self, calls: &[Call]) -> Result<(Vec<Part>, Vec<LocalNode>), Why> {
        let (mut parts, mut sums) = (Vec::new(), Vec::new());
        for call in calls {
            match call {
                Call::Kernel { adjoint, inputs, outputs, .. } => {
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
}
