//! Lowering, the last pass: a placed plan becomes the calls of each rank.
//!
//! Everything that depends on the rank is computed here, from mesh coordinates.
//! A transfer is derived from boxes alone: what each rank owns before, and what it holds after.

mod scope;
mod splitting;
mod transfers;

use crate::calls::{Buffer, Call, CallBlock, Calls, Kernel, Kind, Port, Slab, View};
use crate::dtype::Dtype;
use crate::flight::waits;
use crate::ir::{Applied, Block, Leaf, LeafId, Node, Op, Plan, Target, Value};
use crate::placement::{Region, Type, volume};
use crate::region::passing_buffers;
use crate::rooms::Rooms;
use scope::Scope;
use std::iter;
use std::ops::Range;

/// The calls of one rank.
pub fn lower(plan: &Plan, rank: usize) -> Calls {
    lower_with_nodes(plan, rank).0
}

/// The calls of one rank, and for each block the nodes that its calls came from.
/// Copies to the state at the end of a block come from no node and have no entry.
pub fn lower_with_nodes(plan: &Plan, rank: usize) -> (Calls, Vec<Vec<Range<usize>>>) {
    let mut lowering = Lowering::new(plan, rank);
    lowering.reserve();
    for (s, state) in plan.states.iter().enumerate() {
        let view = lowering.view(&state.ty, s);
        let port = lowering.port(&state.name, &state.ty, view);
        lowering.calls.states.push(port);
    }
    for block in &plan.blocks {
        lowering.block(block);
    }
    (lowering.calls, lowering.nodes)
}

/// The calls of all ranks.
pub fn lower_all(plan: &Plan) -> Vec<Calls> {
    (0..plan.mesh.ranks()).map(|rank| lower(plan, rank)).collect()
}

/// Whether an operation may write where its argument stands: element by element, same layout.
pub fn works_in_place(op: &Op) -> bool {
    matches!(
        op,
        Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Scale
            | Op::Axpy
            | Op::Conj
            | Op::Project(_)
            | Op::Map(_)
            | Op::Reshape
            | Op::AllReduce(_)
            | Op::Put
    )
}

struct Lowering<'a> {
    plan: &'a Plan,
    at: Vec<usize>,
    calls: Calls,
    rooms: Rooms,
    /// The next buffer for a value of a block whose buffers are not planned.
    unplanned: usize,
    /// The tiles beyond those that are owned.
    extended: Vec<Extended>,
    /// The tiles of interiors and rims: of which leaf, and where.
    pieces: Vec<(LeafId, usize)>,
    /// For each block the nodes that its calls came from.
    nodes: Vec<Vec<Range<usize>>>,
}

/// A tile that reaches into ghost cells.
struct Extended {
    leaf: LeafId,
    /// How far each factor is extended.
    by: Vec<(usize, usize)>,
    tile: usize,
}

/// The types of a node's arguments and results.
type Types<'a> = (Vec<&'a Type>, Vec<&'a Type>);

impl<'a> Lowering<'a> {
    fn new(plan: &'a Plan, rank: usize) -> Self {
        let at = plan.mesh.coordinates(rank);
        let tile = |leaf: &Leaf| leaf.tile_at(&plan.mesh, &at, &leaf.no_extension());
        let calls = Calls {
            rank,
            groups: vec![(0..plan.mesh.ranks()).collect()],
            tiles: plan.leaves.iter().map(tile).collect(),
            ..Calls::default()
        };
        let unplanned = plan.states.len();
        let (extended, pieces, nodes) = (Vec::new(), Vec::new(), Vec::new());
        let rooms = Rooms::of(plan);
        Lowering { plan, at, calls, rooms, unplanned, extended, pieces, nodes }
    }

    /// Room for the buffers of all values, so that temporary ones come after them.
    fn reserve(&mut self) {
        let mut count = self.plan.states.len();
        for block in &self.plan.blocks {
            match &block.buffers {
                Some(planned) => {
                    let last = planned.iter().map(|&b| b as usize + 1).max();
                    count = count.max(last.unwrap_or(0));
                }
                None => count += block.types.len(),
            }
        }
        self.calls.buffers = vec![Buffer::new(Dtype::F64, 0); count];
        for b in passing_buffers(self.plan) {
            self.calls.buffers[b as usize].passing = true;
        }
    }

    fn block(&mut self, block: &'a Block) {
        let buffers: Vec<usize> = match &block.buffers {
            Some(buffers) => buffers.iter().map(|&b| b as usize).collect(),
            // Unplanned, every value of every block has a buffer of its own.
            None => (self.unplanned..self.unplanned + block.types.len()).collect(),
        };
        if block.buffers.is_none() {
            self.unplanned += block.types.len();
        }
        let out = CallBlock { name: block.name.clone(), ..CallBlock::default() };
        let mut scope = Scope::new(block, buffers, out);
        let waits = waits(block);
        for (tag, node) in block.nodes.iter().enumerate() {
            scope.land(tag);
            if let Some(split) = block.splits.iter().find(|s| s.nodes().contains(&tag)) {
                if split.first as usize == tag {
                    self.split(&mut scope, *split);
                }
                continue;
            }
            let begin = scope.out.calls.len();
            self.node(&mut scope, node, tag as u32);
            if let Some(until) = waits[tag] {
                scope.fly(begin, tag, until);
            }
            if let Some(region) = block.regions.iter().find(|r| r.nodes().contains(&tag)) {
                let calls = scope.out.calls.split_off(begin);
                scope.join(calls, region, tag);
            }
            scope.came_from(tag..tag + 1);
        }
        scope.land(block.nodes.len());
        self.nodes.push(std::mem::take(&mut scope.nodes));
        for r in &block.returns {
            self.give(&mut scope, &r.target, r.value);
        }
        self.calls.blocks.push(scope.out);
    }

    /// The view of a type in a buffer, which is made large enough.
    fn view(&mut self, ty: &Type, buffer: usize) -> View {
        let held = ty.held(&self.plan.mesh, &self.at);
        let (offset, widest) = self.rooms.place(ty, buffer, &self.plan.mesh, &self.at);
        let len = volume(&widest.held(&self.plan.mesh, &self.at));
        self.grow(buffer, ty.dtype, len);
        View { buffer, offset, dtype: ty.dtype, dims: ty.dims.clone(), held }
    }

    /// Makes a buffer large enough for so many elements.
    fn grow(&mut self, buffer: usize, dtype: Dtype, len: usize) {
        let buffers = &mut self.calls.buffers;
        while buffers.len() <= buffer {
            buffers.push(Buffer::new(dtype, 0));
        }
        let memory = &mut buffers[buffer];
        if memory.len == 0 {
            memory.dtype = dtype;
        }
        memory.len = memory.len.max(len);
    }

    fn value(&mut self, scope: &Scope, v: Value) -> View {
        self.view(scope.block.ty(v), scope.buffers[v.index()])
    }

    fn port(&self, name: &str, ty: &Type, view: View) -> Port {
        let used = ty.placement.split_axes();
        let primary = (0..self.at.len()).all(|axis| used.contains(&axis) || self.at[axis] == 0);
        Port { name: name.into(), view, primary }
    }

    fn give(&mut self, scope: &mut Scope, target: &Target, v: Value) {
        let view = self.value(scope, v);
        let ty = scope.block.ty(v);
        match target {
            Target::State(s) => {
                let state = self.calls.states[*s as usize].view.clone();
                if state.buffer != view.buffer {
                    let moves = vec![(view.flat(), state.flat())];
                    scope.out.calls.push(Call::Copy { clear: None, moves });
                }
            }
            Target::Output => {
                let port = self.port("", ty, view);
                scope.out.outputs.push(port);
            }
            Target::Control(name) => {
                let port = self.port(name, ty, view);
                scope.out.controls.push(port);
            }
        }
    }

    fn node(&mut self, scope: &mut Scope, node: &Node, tag: u32) {
        let args: Vec<_> = node.args.iter().map(|&v| self.value(scope, v)).collect();
        let outs: Vec<_> = node.results.iter().map(|&v| self.value(scope, v)).collect();
        let types = (
            node.args.iter().map(|&v| scope.block.ty(v)).collect::<Vec<_>>(),
            node.results.iter().map(|&v| scope.block.ty(v)).collect::<Vec<_>>(),
        );
        let calls = &mut scope.out.calls;
        match &node.op {
            Op::Input(name) => {
                let port = self.port(name, types.1[0], outs[0].clone());
                scope.out.inputs.push(port);
            }
            Op::Get(state) => {
                let from = &self.calls.states[*state as usize].view;
                if from.buffer != outs[0].buffer {
                    calls.push(copy(vec![(from.flat(), outs[0].flat())]));
                }
            }
            Op::Apply(applied) => {
                let (leaf, adjoint) = leaf_of(*applied);
                let range = if adjoint { &types.0 } else { &types.1 };
                let tile = self.tile(leaf, range);
                calls.push(Call::Kernel(Kernel {
                    leaf,
                    tile,
                    adjoint,
                    inputs: args,
                    outputs: outs,
                }));
            }
            Op::Reshape | Op::Copy => {
                if args[0].buffer != outs[0].buffer {
                    calls.push(copy(vec![(args[0].flat(), outs[0].flat())]));
                }
            }
            Op::Concat => calls.push(concat(&args, &outs[0])),
            Op::Part(start) => calls.push(part(&args[0], &outs[0], *start)),
            Op::Slice => calls.push(copy(vec![(args[0].slab(&outs[0].held), outs[0].flat())])),
            Op::Pad(_) => {
                let to = outs[0].slab(&args[0].held);
                let clear = Some(outs[0].clone());
                calls.push(Call::Copy { clear, moves: vec![(args[0].flat(), to)] });
            }
            Op::Partial(axes) => {
                let first = axes.iter().all(|&a| self.at[a] == 0);
                let moves = if first { vec![(args[0].flat(), outs[0].flat())] } else { Vec::new() };
                let clear = (!first).then(|| outs[0].clone());
                calls.push(Call::Copy { clear, moves });
            }
            Op::AllReduce(axes) => self.all_reduce(calls, axes, &args, &outs, tag),
            Op::ReduceScatter(axes) => {
                self.reduce_scatter(calls, axes, &args, &outs, types.1[0], tag);
            }
            Op::AllGather(axes) => self.all_gather(calls, axes, &args, &outs, types.0[0], tag),
            Op::AllToAll(axis) => {
                self.boxes(calls, Kind::AllToAll, &[*axis], (&args, &outs), &types, tag);
            }
            Op::Exchange | Op::Halo => {
                let axes = types.1[0].placement.split_axes();
                self.boxes(calls, Kind::Exchange, &axes, (&args, &outs), &types, tag);
            }
            Op::HaloSum => self.halo_sum(calls, (&args, &outs), &types, tag),
            Op::Reduce(reduction) => {
                let axes = types.0[0].placement.split_axes();
                self.reduce(calls, *reduction, &axes, &args[0], &outs[0], tag);
            }
            Op::Slot(_)
            | Op::Zero
            | Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Scale
            | Op::Axpy
            | Op::Conj
            | Op::Project(_)
            | Op::Cast
            | Op::Dot { .. }
            | Op::Map(_)
            | Op::Call(_)
            | Op::Take
            | Op::Put
            | Op::Combine
            | Op::Dots
            | Op::OneHot => {
                calls.push(Call::Local { op: node.op.clone(), args, out: outs[0].clone() });
            }
        }
    }

    /// The tile for parts of a leaf's range that are held with these ghosts.
    fn tile(&mut self, leaf: LeafId, range: &[&Type]) -> usize {
        let extension = self.plan[leaf].extension(range);
        if extension.iter().all(|&e| e == (0, 0)) {
            return leaf.0 as usize;
        }
        let known = self.extended.iter().find(|e| e.leaf == leaf && e.by == extension);
        if let Some(known) = known {
            return known.tile;
        }
        let tile = self.plan[leaf].tile_at(&self.plan.mesh, &self.at, &extension);
        self.calls.tiles.push(tile);
        let tile = self.calls.tiles.len() - 1;
        self.extended.push(Extended { leaf, by: extension, tile });
        tile
    }

    /// A box of a value in a buffer of its own.
    fn temporary(&mut self, dtype: Dtype, dims: &[usize], held: Region) -> View {
        self.calls.buffers.push(Buffer::new(dtype, volume(&held)));
        let buffer = self.calls.buffers.len() - 1;
        View { buffer, offset: 0, dtype, dims: dims.to_vec(), held }
    }
}

fn leaf_of(applied: Applied) -> (LeafId, bool) {
    match applied {
        Applied::Leaf(leaf) => (leaf, false),
        Applied::Adjoint(leaf) => (leaf, true),
        Applied::Term(term) => {
            unreachable!("term {} is not expanded: the verifier saw to it", term.0)
        }
    }
}

fn copy(moves: Vec<(Slab, Slab)>) -> Call {
    Call::Copy { clear: None, moves }
}

fn concat(args: &[View], out: &View) -> Call {
    let mut begin = 0;
    let place = |arg: &View| {
        let region: Vec<Range<usize>> = iter::once(begin..begin + arg.len()).collect();
        begin += arg.len();
        (arg.flat(), out.slab(&region))
    };
    copy(args.iter().map(place).collect())
}

fn part(arg: &View, out: &View, begin: usize) -> Call {
    let region: Vec<Range<usize>> = iter::once(begin..begin + out.len()).collect();
    copy(vec![(arg.slab(&region), out.flat())])
}
