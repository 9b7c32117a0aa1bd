//! Regions: nodes that can run panel by panel, in buffers that allow it.

use super::Report;
use crate::ir::{Applied, Block, LeafId, Op, Over, Plan, Region, Value};
use crate::region::{Elements, Panels, Role, keeps_nothing};

/// `regions`
pub(super) fn regions(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        let mut free = 0;
        for region in &block.regions {
            if let Err(message) = bounds(plan, block, *region, free) {
                report.block(b, message);
                return;
            }
            free = region.nodes().end;
            if let Err((node, message)) = roles(plan, block, *region) {
                report.node(b, node, message);
            }
        }
    }
}

fn bounds(plan: &Plan, block: &Block, region: Region, free: usize) -> Result<(), String> {
    let nodes = region.nodes();
    if nodes.start < free || !is_inside(block, region) {
        return Err(format!("a region of the nodes {nodes:?} overlaps another or is not there"));
    }
    match region.over {
        Over::Panels(leaf) | Over::Normal(leaf) => has_rows(plan, leaf),
        Over::Elements => Ok(()),
    }
}

fn has_rows(plan: &Plan, leaf: LeafId) -> Result<(), String> {
    let leaf = leaf.0 as usize;
    match plan.leaves.get(leaf) {
        Some(leaf) if leaf.signature.rule.range.len() == 1 => Ok(()),
        Some(leaf) => Err(format!("the region of {} has not one range part", leaf.name)),
        None => Err(format!("a region names leaf {leaf}, which is not there")),
    }
}

fn is_inside(block: &Block, region: Region) -> bool {
    let nodes = region.nodes();
    !nodes.is_empty() && nodes.end <= block.nodes.len()
}

/// What each node of a region does, or the first that cannot be in it.
fn roles(plan: &Plan, block: &Block, region: Region) -> Result<Vec<Role>, (usize, String)> {
    match region.over {
        Over::Panels(leaf) => panels(plan, block, region, leaf),
        Over::Normal(leaf) => normal(plan, block, region, leaf),
        Over::Elements => elements(plan, block, region),
    }
}

fn elements(plan: &Plan, block: &Block, region: Region) -> Result<Vec<Role>, (usize, String)> {
    let mut elements = Elements::new(plan, block, &block.nodes[region.first as usize]);
    let join = |n: usize| elements.join(&block.nodes[n]).map_err(|message| (n, message));
    region.nodes().map(join).collect()
}

fn panels(
    plan: &Plan,
    block: &Block,
    region: Region,
    leaf: LeafId,
) -> Result<Vec<Role>, (usize, String)> {
    let mut panels = Panels::new(block, leaf);
    let mut roles = Vec::new();
    for n in region.nodes() {
        roles.push(panels.join(&block.nodes[n]).map_err(|message| (n, message))?);
    }
    if roles[0] != Role::Forward {
        let message = "begins a region without applying its operator";
        return Err((region.first as usize, message.into()));
    }
    if keeps_nothing(&plan[leaf].signature) {
        used_inside(block, region)?;
    }
    Ok(roles)
}

/// A stencil, and then its adjoint.
fn normal(
    plan: &Plan,
    block: &Block,
    region: Region,
    leaf: LeafId,
) -> Result<Vec<Role>, (usize, String)> {
    let roles = panels(plan, block, region, leaf)?;
    if !keeps_nothing(&plan[leaf].signature) || roles != [Role::Forward, Role::Adjoint] {
        let message = "begins a region that is no stencil and its adjoint";
        return Err((region.first as usize, message.into()));
    }
    Ok(roles)
}

/// What lies between an operator and its adjoint is not kept.
fn used_inside(block: &Block, region: Region) -> Result<(), (usize, String)> {
    let outside = |v: Value| {
        let others = block.nodes.iter().enumerate().filter(|(m, _)| !region.nodes().contains(m));
        let used = others.flat_map(|(_, node)| &node.args).any(|&a| a == v);
        used || block.returns.iter().any(|r| r.value == v)
    };
    let kept = |n: &usize| {
        let node = &block.nodes[*n];
        !matches!(node.op, Op::Apply(Applied::Adjoint(_)) | Op::Dot { .. })
            && node.results.iter().any(|&r| outside(r))
    };
    match region.nodes().find(kept) {
        Some(n) => Err((n, "is used after a region that does not keep it".into())),
        None => Ok(()),
    }
}

/// `region-buffers`
pub(super) fn region_buffers(plan: &Plan, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        for region in block.regions.iter().filter(|r| is_inside(block, **r)) {
            let Ok(roles) = roles(plan, block, *region) else { continue };
            for n in region.nodes() {
                if overwrites(block, *region, &roles, n) {
                    let message = "writes where a later panel still reads or has written";
                    report.node(b, n, message.into());
                }
            }
        }
    }
}

/// Whether a node writes to a buffer that the region uses otherwise than row by row before it.
fn overwrites(block: &Block, region: Region, roles: &[Role], n: usize) -> bool {
    let Some(buffers) = &block.buffers else { return false };
    let role = |m: usize| roles[m - region.nodes().start];
    let (defined, node) = (block.definitions(), &block.nodes[n]);
    let earlier = |r: Value, v: Value| {
        v != r && buffers[v.index()] == buffers[r.index()] && defined[v.index()] <= n
    };
    node.results.iter().any(|&r| {
        region.nodes().any(|m| {
            let other = &block.nodes[m];
            let reads = other.args.iter().any(|&v| earlier(r, v));
            let makes = other.results.iter().any(|&v| earlier(r, v));
            let by_rows = match region.over {
                Over::Panels(_) | Over::Normal(_) => matches!(role(m), Role::Rows | Role::Adjoint),
                // A number is read by every piece, and a sum of elements with each of them.
                Over::Elements => {
                    let dims = &block.ty(r).dims;
                    other.args.iter().all(|&v| !earlier(r, v) || block.ty(v).dims == *dims)
                }
            };
            let read_before = m <= n && by_rows;
            let made_before = m < n && matches!(role(m), Role::Rows | Role::Forward);
            let in_place = role(n) == Role::Rows;
            (reads && !(in_place && read_before)) || (makes && !(in_place && made_before))
        })
    })
}
