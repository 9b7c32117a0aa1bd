//! The account of a placed plan.

use super::{Floor, Whose, Work, elementwise, floor, leaf_of, precision, share};
use crate::flight::hidden;
use crate::ir::{Block, LeafId, Node, Op, Plan, Region, Target, Value};
use crate::machine::{Machine, Manner, bytes, ghost_bytes};
use crate::placement::Type;
use crate::region::passing_buffers;
use crate::traffic::{Traffic, payload};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a plan costs, block by block.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Account {
    /// One for each block of the plan.
    pub blocks: Vec<BlockCost>,
    /// Bytes of operator data that the rank with most of it holds.
    pub operators: f64,
    /// Bytes of its buffers.
    pub buffers: f64,
    /// Bytes of scratch of the leaf that needs most.
    pub scratch: f64,
    /// Seconds of set-up of all leaves.
    pub setup: f64,
}

/// What one run of a block costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BlockCost {
    /// Its name.
    pub name: String,
    /// How often it runs in an iteration of a loop; nothing if it is run once.
    pub runs: Option<f64>,
    /// One for each node.
    pub nodes: Vec<NodeCost>,
    /// Floating point operations.
    pub flops: f64,
    /// Bytes to and from memory.
    pub traffic: f64,
    /// Seconds of local work.
    pub local: f64,
    /// Seconds of communication that no work hides.
    pub wire: f64,
    /// Seconds of communication beside work.
    pub hidden: f64,
    /// Calls and their payload.
    pub calls: Traffic,
    /// What no plan of this block can beat.
    pub floor: Floor,
}

/// What a node costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct NodeCost {
    /// Floating point operations.
    pub flops: f64,
    /// Bytes to and from memory.
    pub traffic: f64,
    /// Bytes of communication of one rank.
    pub payload: u64,
    /// Seconds.
    pub seconds: f64,
}

impl BlockCost {
    /// Seconds of one run.
    pub fn seconds(&self) -> f64 {
        self.local + self.wire
    }
}

/// How often a block runs in an iteration of a loop; nothing if it is run once.
pub(crate) fn runs(block: &Block) -> Option<f64> {
    match (block.name.as_str(), block.every) {
        ("setup" | "view" | "finish", _) => None,
        (_, Some(every)) => Some(1.0 / f64::from(every)),
        (_, None) => Some(1.0),
    }
}

impl Account {
    /// The account of a placed plan.
    pub fn of(plan: &Plan, machine: &Machine) -> Self {
        let (mesh, machine) = (&plan.mesh, &machine.among(plan.mesh.ranks()));
        let held = |(l, leaf): (usize, &crate::ir::Leaf)| {
            let cost = leaf.signature.cost_or_estimate();
            let tiles = Whose::Largest.tiles(plan, LeafId(l as u32));
            (cost.holds.max(cost.reads) * share(&leaf.signature, &leaf.tile, mesh) * tiles, cost)
        };
        let leaves: Vec<_> = plan.leaves.iter().enumerate().map(held).collect();
        Account {
            blocks: plan.blocks.iter().map(|b| account(plan, b, machine)).collect(),
            operators: leaves.iter().map(|(holds, _)| holds).sum(),
            buffers: buffers(plan),
            scratch: leaves.iter().map(|(_, c)| c.scratch).fold(0.0, f64::max),
            setup: leaves.iter().map(|(_, c)| c.setup).sum(),
        }
    }

    /// Bytes that the rank with most of them holds at once.
    pub fn peak(&self) -> f64 {
        self.operators + self.buffers + self.scratch
    }

    /// Seconds of what is repeated: the blocks of a solver's loop, or the only one.
    pub fn iteration(&self) -> f64 {
        self.blocks.iter().map(|b| b.runs.unwrap_or(0.0) * b.seconds()).sum()
    }

    /// Seconds that no plan of these blocks can beat, where blocks that run once count little.
    pub fn least(&self) -> f64 {
        self.blocks.iter().map(|b| b.runs.unwrap_or(ONCE) * b.floor.seconds()).sum()
    }

    /// Seconds of all blocks, of which those that run once count little.
    pub fn weighted(&self) -> f64 {
        self.blocks.iter().map(|b| b.runs.unwrap_or(ONCE) * b.seconds()).sum()
    }

    /// The block that is repeated most.
    pub fn step(&self) -> Option<&BlockCost> {
        self.blocks.iter().find(|b| b.name == "step").or(self.blocks.first())
    }
}

/// Bytes of all buffers, each as large as the largest value in it; those through which values only
/// pass are as good as nothing.
fn buffers(plan: &Plan) -> f64 {
    let mut sizes: BTreeMap<(usize, u32), f64> = BTreeMap::new();
    for (b, block) in plan.blocks.iter().enumerate() {
        for (v, ty) in block.types.iter().enumerate() {
            let buffer = match &block.buffers {
                Some(planned) => (usize::MAX, planned[v]),
                None => (b, v as u32),
            };
            let size = bytes(ty, &plan.mesh) + ghost_bytes(ty, &plan.mesh);
            let entry = sizes.entry(buffer).or_default();
            *entry = entry.max(size);
        }
    }
    let pass = passing_buffers(plan);
    sizes.retain(|(_, b), _| !pass.contains(b));
    sizes.values().sum()
}

/// How much a block that runs once counts beside one that is repeated.
pub const ONCE: f64 = 0.02;

/// What each node of a block costs those whose share is counted.
/// What communication takes depends on all ranks, so it is not counted for a single one.
pub fn nodes(plan: &Plan, block: &Block, machine: &Machine, whose: Whose) -> Vec<NodeCost> {
    let machine = &machine.among(plan.mesh.ranks());
    let mut walk = Walk { plan, block, machine, whose, clock: 0.0, touched: BTreeMap::new() };
    let outside = outside(block);
    // Twice: in a loop the second run finds in caches what the first has left there.
    let first = walk.nodes(&outside);
    if block.name.is_empty() || runs(block) != Some(1.0) {
        return first;
    }
    walk.nodes(&outside)
}

fn account(plan: &Plan, block: &Block, machine: &Machine) -> BlockCost {
    let nodes = nodes(plan, block, machine, Whose::Largest);
    let communicates = |n: usize| block.nodes[n].op.communicates();
    let seconds = |wire: bool| {
        let mine = nodes.iter().enumerate().filter(|(n, _)| communicates(*n) == wire);
        mine.fold(0.0, |all, (_, c)| all + c.seconds)
    };
    let hidden = hidden(plan, block, machine, |n| nodes[n].seconds);
    BlockCost {
        name: block.name.clone(),
        runs: runs(block),
        flops: nodes.iter().map(|c| c.flops).sum(),
        traffic: nodes.iter().map(|c| c.traffic).sum(),
        local: seconds(false),
        wire: (seconds(true) - hidden).max(0.0),
        hidden,
        calls: Traffic::of(&plan.mesh, block),
        floor: floor(plan, block, machine),
        nodes,
    }
}

/// For each value whether somebody outside the region that makes it needs it.
fn outside(block: &Block) -> Vec<bool> {
    let region = |n: usize| block.regions.iter().position(|r| r.nodes().contains(&n));
    let made = block.definitions();
    let mut out = vec![false; block.types.len()];
    for (n, node) in block.nodes.iter().enumerate() {
        for v in &node.args {
            let at = made[v.index()];
            out[v.index()] |= region(at).is_none() || region(at) != region(n);
        }
    }
    block.returns.iter().for_each(|r| out[r.value.index()] = true);
    out
}

/// What was touched when, as bytes of traffic since the start.
struct Walk<'a> {
    plan: &'a Plan,
    block: &'a Block,
    machine: &'a Machine,
    whose: Whose<'a>,
    clock: f64,
    touched: BTreeMap<Thing, f64>,
}

/// What lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Leaf(LeafId),
    Value(Value),
    State(u32),
}

impl Walk<'_> {
    fn nodes(&mut self, outside: &[bool]) -> Vec<NodeCost> {
        // What a block leaves in its state is where the next run finds it.
        let out: Vec<NodeCost> = (0..self.block.nodes.len())
            .map(|n| {
                let region = self.block.regions.iter().find(|r| r.nodes().contains(&n));
                self.node(n, region, outside)
            })
            .collect();
        for r in &self.block.returns {
            if let (Target::State(s), Some(&at)) =
                (&r.target, self.touched.get(&Thing::Value(r.value)))
            {
                self.touched.insert(Thing::State(*s), at);
            }
        }
        out
    }

    fn node(&mut self, n: usize, region: Option<&Region>, outside: &[bool]) -> NodeCost {
        let (node, mesh, whose) = (&self.block.nodes[n], &self.plan.mesh, self.whose);
        let types = |vs: &[Value]| vs.iter().map(|&v| self.block.ty(v).clone()).collect::<Vec<_>>();
        let (args, results) = (types(&node.args), types(&node.results));
        if node.op.communicates() {
            node.results
                .iter()
                .for_each(|&v| _ = self.touch(Thing::Value(v), 0.0, Manner::default()));
            return match whose {
                Whose::Largest => self.communication(node, (&args, &results)),
                Whose::At(_) => NodeCost::default(),
            };
        }
        if let Op::Get(s) = node.op {
            let known = self.touched.get(&Thing::State(s)).copied();
            if let Some(at) = known {
                self.touched.insert(Thing::Value(node.results[0]), at);
            }
        }
        if matches!(node.op, Op::Input(_) | Op::Get(_) | Op::Slot(_)) {
            return NodeCost::default();
        }
        let work = if let Some((leaf, adjoint)) = leaf_of(node) {
            let (signature, tile) = (&self.plan[leaf].signature, &self.plan[leaf].tile);
            let batch = whose.batch(signature, adjoint, &args[0], mesh);
            whose.applied(signature, tile, mesh, batch, (&args, &results))
        } else {
            let flops = elementwise(&node.op, whose, mesh, &args, &results);
            Work { flops, ..Work::default() }
        };
        self.local(n, region, outside, work, (&args, &results))
    }

    fn communication(&self, node: &Node, (args, results): (&[Type], &[Type])) -> NodeCost {
        let mesh = &self.plan.mesh;
        let seconds = self.machine.communication(&node.op, mesh, args, results);
        NodeCost { payload: payload(mesh, self.block, node), seconds, ..NodeCost::default() }
    }

    fn local(
        &mut self,
        n: usize,
        region: Option<&Region>,
        outside: &[bool],
        work: Work,
        (args, results): (&[Type], &[Type]),
    ) -> NodeCost {
        let (node, mesh, whose) = (&self.block.nodes[n], &self.plan.mesh, self.whose);
        let earlier = region.map_or(n..n, |r| r.nodes().start..n);
        let before = &self.block.nodes[earlier.clone()];
        let known: BTreeSet<Value> =
            before.iter().flat_map(|m| m.args.iter().chain(&m.results)).copied().collect();
        let leaf = leaf_of(node).map(|(leaf, _)| leaf);
        let again = before.iter().any(|m| leaf.is_some() && leaf_of(m).map(|l| l.0) == leaf);
        let (mut traffic, mut memory) = (0.0, 0.0);
        let mut moves: Vec<(Thing, f64)> = Vec::new();
        moves.extend(leaf.filter(|_| !again).map(|l| (Thing::Leaf(l), work.reads)));
        let mut seen = known;
        for (&v, ty) in node.args.iter().zip(args) {
            if seen.insert(v) {
                moves.push((Thing::Value(v), whose.bytes(ty, mesh)));
            }
        }
        let kept = node.results.iter().zip(results).filter(|(v, _)| outside[v.index()]);
        moves.extend(kept.map(|(&v, ty)| (Thing::Value(v), whose.bytes(ty, mesh))));
        for (thing, size) in moves {
            traffic += size;
            memory += size / self.touch(thing, size, work.manner);
        }
        let (dtype, flops) = (precision(args, results), work.flops);
        let machine = self.machine;
        let begin = if earlier.is_empty() { machine.begin() } else { machine.proceed() };
        let seconds = begin + machine.work(work.manner, dtype, flops, memory);
        NodeCost { flops, traffic, payload: 0, seconds }
    }

    /// The bandwidth at which something is read or written that was touched last some time ago.
    fn touch(&mut self, thing: Thing, size: f64, manner: Manner) -> f64 {
        self.clock += size;
        let last = self.touched.insert(thing, self.clock);
        let distance = last.map_or(f64::MAX, |at| self.clock - at);
        self.machine.flow(manner, distance.max(size))
    }
}
