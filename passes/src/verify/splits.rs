//! Split halos: nodes that can work while a halo is on its way, in buffers that allow it.

use super::Report;
use crate::interior::Travel;
use crate::ir::{Block, Plan, Region, SplitHalo, Value};
use crate::region::composed;
use crate::rooms::fit;

/// `split-halos`
pub(super) fn split_halos(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        let mut free = 0;
        for split in &block.splits {
            let nodes = split.nodes();
            if nodes.start < free || nodes.len() < 2 || nodes.end > block.nodes.len() {
                let text =
                    format!("a split halo of the nodes {nodes:?} overlaps another or is not there");
                report.block(b, text);
                return;
            }
            free = nodes.end;
            if let Err((node, message)) = travels(plan, block, *split) {
                report.node(b, node, message);
            }
        }
    }
}

fn travels(plan: &Plan, block: &Block, split: SplitHalo) -> Result<(), (usize, String)> {
    let nodes = split.nodes();
    let meets =
        |region: &Region| region.nodes().start < nodes.end && nodes.start < region.nodes().end;
    let inside = |region: &Region| {
        let follows = nodes.start < region.nodes().start && region.nodes().end <= nodes.end;
        follows && composed(plan, block, region)
    };
    if block.regions.iter().any(|region| meets(region) && !inside(region)) {
        let message =
            "has a region among the nodes that follow it that is no stencil and its adjoint";
        return Err((nodes.start, message.into()));
    }
    let at = |n: usize| move |message| (n, message);
    let mut travel =
        Travel::new(plan, block, &block.nodes[nodes.start]).map_err(at(nodes.start))?;
    let mut late = false;
    for n in nodes.start + 1..nodes.end {
        late = travel.join(&block.nodes[n]).map_err(at(n))?;
    }
    if late {
        Ok(())
    } else {
        Err((nodes.end - 1, "needs nothing of the halo that it ends".into()))
    }
}

/// `split-buffers`
pub(super) fn split_buffers(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        let Some(buffers) = &block.buffers else { continue };
        for split in block.splits.iter().filter(|s| s.nodes().end <= block.nodes.len()) {
            let nodes = &block.nodes[split.nodes()];
            let used = || nodes.iter().flat_map(|node| node.args.iter().chain(&node.results));
            // Ghosts may come around what they belong to.
            let around = |r: &Value, v: &Value| {
                nodes[0]
                    .args
                    .iter()
                    .zip(&nodes[0].results)
                    .any(|(arg, made)| (v, r) == (arg, made) && fit(block, *arg, *made))
            };
            let shared = |r: &Value| {
                let one = |v: &Value| v != r && buffers[v.index()] == buffers[r.index()];
                used().any(|v| one(v) && !around(r, v))
            };
            for (n, node) in split.nodes().zip(nodes) {
                if node.results.iter().any(shared) {
                    let message = "writes where another node reads or writes while a halo travels";
                    report.node(b, n, message.into());
                }
            }
        }
    }
}
