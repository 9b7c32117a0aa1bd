//! Planted faults of plans: what a wrong pass could write.

use adjoin_passes::ir::{
    Applied, Block, LeafId, Map, Node, Op, Over, Plan, Region, SlotId, SplitHalo, Value,
};
use adjoin_passes::pipeline::tidy;
use adjoin_passes::placement::Split;

/// The kind of fault, and the plan that has it.
pub type Mutant = (&'static str, Plan);

/// All mutants of a plan.
pub fn mutants(plan: &Plan) -> Vec<Mutant> {
    let mut out = Vec::new();
    for b in 0..plan.blocks.len() {
        for n in 0..plan.blocks[b].nodes.len() {
            dropped(plan, b, n, &mut out);
            altered(plan, b, n, &mut out);
            arguments(plan, b, n, &mut out);
            riders(plan, b, n, &mut out);
        }
        for v in 0..plan.blocks[b].types.len() {
            types(plan, b, v, &mut out);
        }
        returns(plan, b, &mut out);
        buffers(plan, b, &mut out);
        regions(plan, b, &mut out);
        splits(plan, b, &mut out);
    }
    tiles(plan, &mut out);
    out.retain(|(_, mutant)| mutant != plan);
    out
}

fn edited(plan: &Plan, edit: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan.clone();
    edit(&mut plan);
    plan
}

/// The results of a node replaced by its arguments wherever they are used.
fn dropped(plan: &Plan, b: usize, n: usize, out: &mut Vec<Mutant>) {
    let block = &plan.blocks[b];
    let node = &block.nodes[n];
    let kind = match node.op {
        Op::AllReduce(_) | Op::ReduceScatter(_) => "reduction removed",
        Op::Halo | Op::HaloSum => "halo removed",
        Op::Conj => "conjugate dropped",
        ref op if op.communicates() => "communication removed",
        Op::Pad(_) | Op::Partial(_) | Op::Slice => "redistribution removed",
        _ => "operation dropped",
    };
    for (k, &result) in node.results.iter().enumerate() {
        let like = |v: &&Value| block.ty(**v).same_shape(block.ty(result));
        let args = node.args.iter().filter(like);
        let at = if node.results.len() > 1 { node.args.get(k) } else { None };
        for &arg in at.into_iter().chain(args) {
            let bare = edited(plan, |plan| redirect(&mut plan.blocks[b], result, arg));
            let told = edited(&bare, |plan| {
                let ty = block.ty(result).clone();
                plan.blocks[b].types[arg.index()] = ty;
            });
            out.push((kind, tidy(&bare)));
            out.push((kind, tidy(&told)));
            out.push((kind, bare));
        }
    }
}

fn redirect(block: &mut Block, from: Value, to: Value) {
    let uses = block.nodes.iter_mut().flat_map(|n| &mut n.args);
    for v in uses.chain(block.returns.iter_mut().map(|r| &mut r.value)) {
        if *v == from {
            *v = to;
        }
    }
}

/// Another operation with the same arguments.
fn altered(plan: &Plan, b: usize, n: usize, out: &mut Vec<Mutant>) {
    let node = &plan.blocks[b].nodes[n];
    let mut put = |kind, op| {
        out.push((kind, edited(plan, |plan| plan.blocks[b].nodes[n].op = op)));
    };
    match &node.op {
        Op::Add if node.args.len() == 2 => put("other operation", Op::Sub),
        Op::Sub => put("other operation", Op::Add),
        Op::Neg => put("other operation", Op::Conj),
        Op::Conj => put("other operation", Op::Neg),
        Op::Map(Map::Mul) => put("other operation", Op::Map(Map::Div)),
        Op::Map(Map::Div) => put("other operation", Op::Map(Map::Mul)),
        Op::Map(Map::Sqrt) => put("other operation", Op::Map(Map::Abs)),
        Op::Dot { columns, real } => {
            put("other operation", Op::Dot { columns: *columns, real: !real });
            put("other operation", Op::Dot { columns: columns + 1, real: *real });
        }
        Op::Part(begin) => put("other offset", Op::Part(begin + 1)),
        Op::Get(s) => put("other state", Op::Get((s + 1) % plan.states.len() as u32)),
        Op::Slot(s) => put("other slot", Op::Slot(SlotId((s.0 + 1) % plan.slots.len() as u32))),
        Op::Input(name) => put("other input", Op::Input(format!("{name}0"))),
        Op::Apply(Applied::Leaf(leaf)) => {
            put("other direction", Op::Apply(Applied::Adjoint(*leaf)));
            put("other leaf", Op::Apply(Applied::Leaf(next(plan, *leaf))));
        }
        Op::Apply(Applied::Adjoint(leaf)) => {
            put("other direction", Op::Apply(Applied::Leaf(*leaf)));
            put("other leaf", Op::Apply(Applied::Adjoint(next(plan, *leaf))));
        }
        Op::AllReduce(axes) => {
            put("axes swapped", Op::AllReduce(swapped(plan, axes)));
            put("axes dropped", Op::AllReduce(axes[1..].to_vec()));
            put("other collective", Op::AllGather(axes.clone()));
        }
        Op::ReduceScatter(axes) => {
            put("axes swapped", Op::ReduceScatter(swapped(plan, axes)));
            put("other collective", Op::AllReduce(axes.clone()));
        }
        Op::AllGather(axes) => {
            put("axes swapped", Op::AllGather(swapped(plan, axes)));
            put("other collective", Op::AllReduce(axes.clone()));
        }
        Op::AllToAll(axis) => {
            put("axes swapped", Op::AllToAll(swapped(plan, &[*axis])[0]));
            put("other collective", Op::Exchange);
        }
        Op::Halo => put("other collective", Op::HaloSum),
        Op::HaloSum => put("other collective", Op::Halo),
        Op::Exchange => put("other collective", Op::Slice),
        Op::Slice => put("other collective", Op::Exchange),
        Op::Pad(axes) => put("axes swapped", Op::Pad(swapped(plan, axes))),
        Op::Partial(axes) => {
            put("axes swapped", Op::Partial(swapped(plan, axes)));
            put("other collective", Op::Copy);
        }
        _ => {}
    }
}

fn next(plan: &Plan, leaf: LeafId) -> LeafId {
    LeafId((leaf.0 + 1) % plan.leaves.len() as u32)
}

fn swapped(plan: &Plan, axes: &[usize]) -> Vec<usize> {
    axes.iter().map(|a| (a + 1) % plan.mesh.axes.len()).collect()
}

/// Arguments in another order, one missing, one for another.
fn arguments(plan: &Plan, b: usize, n: usize, out: &mut Vec<Mutant>) {
    let block = &plan.blocks[b];
    let node: &Node = &block.nodes[n];
    let mut put = |kind, args: Vec<Value>| {
        out.push((kind, edited(plan, |plan| plan.blocks[b].nodes[n].args = args)));
    };
    for k in 0..node.args.len() {
        let mut args = node.args.clone();
        args.swap(k, (k + 1) % node.args.len());
        put("arguments swapped", args);
        let mut args = node.args.clone();
        args.remove(k);
        put("argument missing", args);
        let earlier = block.nodes[..n].iter().flat_map(|n| &n.results);
        let (own, mut other) = (block.ty(node.args[k]), 0);
        for &v in earlier.rev().filter(|v| **v != node.args[k]) {
            if block.ty(v) == own || (block.ty(v).same_shape(own) && other == 0) {
                other += usize::from(block.ty(v) != own);
                let mut args = node.args.clone();
                args[k] = v;
                put("other argument", args);
            }
        }
    }
}

/// Numbers that ride on a call without their sum, twice, or in each other's place.
fn riders(plan: &Plan, b: usize, n: usize, out: &mut Vec<Mutant>) {
    let block = &plan.blocks[b];
    let node = &block.nodes[n];
    let sums = matches!(node.op, Op::AllReduce(_) | Op::ReduceScatter(_) | Op::AllGather(_));
    if !sums || node.args.len() < 2 {
        return;
    }
    for k in 0..node.args.len() {
        let (arg, result) = (node.args[k], node.results[k]);
        let alone = edited(plan, |plan| {
            let node = &mut plan.blocks[b].nodes[n];
            node.args.remove(k);
            node.results.remove(k);
            redirect(&mut plan.blocks[b], result, arg);
        });
        let told = edited(&alone, |plan| {
            plan.blocks[b].types[arg.index()] = block.ty(result).clone();
        });
        out.push(("rider left behind", tidy(&told)));
        out.push(("rider left behind", alone));
        for l in (0..node.args.len()).filter(|l| *l != k) {
            let twice = edited(plan, |plan| {
                let args = &mut plan.blocks[b].nodes[n].args;
                args[l] = args[k];
            });
            out.push(("rider sent for another", twice));
            let swapped = edited(plan, |plan| plan.blocks[b].nodes[n].results.swap(k, l));
            out.push(("riders swapped", swapped));
        }
    }
}

/// A value with another placement than the one that was decided.
fn types(plan: &Plan, b: usize, v: usize, out: &mut Vec<Mutant>) {
    let ty = &plan.blocks[b].types[v];
    let mut put = |kind, edit: &dyn Fn(&mut adjoin_passes::Placement)| {
        out.push((kind, edited(plan, |plan| edit(&mut plan.blocks[b].types[v].placement))));
    };
    for d in 0..ty.dims.len() {
        let (lo, hi) = ty.placement.ghosts[d];
        if lo > 0 {
            put("halo shrunk", &|p| p.ghosts[d].0 -= 1);
        }
        if hi > 0 {
            put("halo shrunk", &|p| p.ghosts[d].1 -= 1);
            put("halo shrunk", &|p| p.ghosts[d] = (lo, 0));
        }
        if !ty.placement.splits[d].axes.is_empty() {
            put("split forgotten", &|p| p.splits[d] = Split::none());
            put("axes swapped", &|p| {
                p.splits[d].axes = swapped(plan, &p.splits[d].axes);
            });
            put("cut forgotten", &|p| p.splits[d].cut = None);
        }
    }
    if !ty.placement.pending.is_empty() {
        put("pending forgotten", &|p| p.pending.clear());
        put("axes swapped", &|p| p.pending = swapped(plan, &p.pending));
    }
    if ty.placement.has_ghosts() {
        put("dual forgotten", &|p| p.dual = !p.dual);
    }
}

/// Another value handed over.
fn returns(plan: &Plan, b: usize, out: &mut Vec<Mutant>) {
    let block = &plan.blocks[b];
    for (k, r) in block.returns.iter().enumerate() {
        for v in (0..block.types.len() as u32).map(Value) {
            if v != r.value && block.ty(v).same_shape(block.ty(r.value)) {
                let mutant = edited(plan, |plan| plan.blocks[b].returns[k].value = v);
                out.push(("other result", mutant));
            }
        }
        let fewer = edited(plan, |plan| {
            plan.blocks[b].returns.remove(k);
        });
        out.push(("result missing", fewer));
    }
}

/// A value in the memory of another that may still be needed.
fn buffers(plan: &Plan, b: usize, out: &mut Vec<Mutant>) {
    let Some(buffers) = &plan.blocks[b].buffers else { return };
    let block = &plan.blocks[b];
    for v in 0..buffers.len() {
        for w in (0..v).rev() {
            if buffers[v] != buffers[w] && block.types[v].dtype == block.types[w].dtype {
                let shared = edited(plan, |plan| {
                    let buffers = plan.blocks[b].buffers.as_mut().expect("planned buffers");
                    buffers[v] = buffers[w];
                });
                out.push(("buffer reused too early", shared));
            }
        }
    }
}

/// Regions that begin or end elsewhere, go over other pieces, or are missing.
fn regions(plan: &Plan, b: usize, out: &mut Vec<Mutant>) {
    let block = &plan.blocks[b];
    for (k, region) in block.regions.iter().enumerate() {
        let mut put = |kind, edit: &dyn Fn(&mut Region)| {
            out.push((kind, edited(plan, |plan| edit(&mut plan.blocks[b].regions[k]))));
        };
        if region.first > 0 {
            put("region too large", &|r| r.first -= 1);
        }
        if (region.last as usize) + 1 < block.nodes.len() {
            put("region too large", &|r| r.last += 1);
        }
        put("region too small", &|r| r.first += 1);
        put("region too small", &|r| r.last -= 1);
        let other = match region.over {
            Over::Panels(_) | Over::Normal(_) => Over::Elements,
            Over::Elements => Over::Panels(LeafId(0)),
        };
        put("region over other pieces", &|r| r.over = other);
        let mut fewer = plan.clone();
        fewer.blocks[b].regions.remove(k);
        out.push(("region removed", fewer));
    }
}

/// Split halos that end elsewhere, begin with another node, or are missing.
fn splits(plan: &Plan, b: usize, out: &mut Vec<Mutant>) {
    let block = &plan.blocks[b];
    for (k, split) in block.splits.iter().enumerate() {
        let mut put = |kind, edit: &dyn Fn(&mut SplitHalo)| {
            out.push((kind, edited(plan, |plan| edit(&mut plan.blocks[b].splits[k]))));
        };
        put("split halo too large", &|s| s.last += 1);
        put("split halo too large", &|s| s.first -= 1);
        put("split halo too small", &|s| s.first += 1);
        put("split halo too small", &|s| s.last -= 1);
        put("split halo elsewhere", &|s| (s.first, s.last) = (s.last, s.last + 1));
        let mut fewer = plan.clone();
        fewer.blocks[b].splits.remove(k);
        out.push(("split halo removed", fewer));
        // Somebody writes where a rim is still to be read, or where another one is made.
        let nodes = &block.nodes[split.nodes()];
        let Some(buffers) = &block.buffers else { continue };
        let ends = nodes.iter().flat_map(|node| node.args.iter().chain(&node.results));
        for v in ends {
            for r in nodes.iter().flat_map(|node| &node.results).filter(|r| *r != v) {
                if buffers[v.index()] != buffers[r.index()] {
                    out.push((
                        "buffer shared while a halo travels",
                        edited(plan, |plan| {
                            let all = plan.blocks[b].buffers.as_mut().expect("planned buffers");
                            all[r.index()] = buffers[v.index()];
                        }),
                    ));
                }
            }
        }
    }
}

/// Leaves of which ranks hold other tiles.
fn tiles(plan: &Plan, out: &mut Vec<Mutant>) {
    for (l, leaf) in plan.leaves.iter().enumerate() {
        for (f, split) in leaf.tile.iter().enumerate() {
            let mut put = |kind, split: Split| {
                out.push((kind, edited(plan, |plan| plan.leaves[l].tile[f] = split)));
            };
            if split.axes.is_empty() {
                put("tile split", Split::over(&[0]));
            } else {
                put("split forgotten", Split::none());
                put("axes swapped", Split::over(&swapped(plan, &split.axes)));
            }
        }
    }
}
