//! The account of a placed plan.

use super::reuse::{Recent, Thing};
use super::{Floor, Whose, Work, elementwise, floor, leaf_of, precision, share};
use crate::flight::hidden;
use crate::ir::{Block, LeafId, Op, Over, Plan, Region, Target, Value};
use crate::machine::{Machine, bytes, ghost_bytes};
use crate::placement::Type;
use crate::region::{keeps_nothing, passing_buffers};
use crate::traffic::{Traffic, payload};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;

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
    let mut walk = Walk { plan, block, machine, whose, recent: Recent::default() };
    // Twice: in a loop the second run finds in caches what the first has left there.
    let first = walk.nodes();
    if block.name.is_empty() || runs(block) != Some(1.0) {
        return first;
    }
    walk.nodes()
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

/// A walk over the nodes of a block, as a rank runs them.
struct Walk<'a> {
    plan: &'a Plan,
    block: &'a Block,
    machine: &'a Machine,
    whose: Whose<'a>,
    recent: Recent,
}

impl Walk<'_> {
    fn nodes(&mut self) -> Vec<NodeCost> {
        let mut out: Vec<NodeCost> = Vec::new();
        while out.len() < self.block.nodes.len() {
            let n = out.len();
            match self.block.regions.iter().find(|r| r.nodes().contains(&n)) {
                Some(region) => out.extend(self.together(region.nodes(), Some(region))),
                None => out.push(self.node(n)),
            }
        }
        // What a block leaves in its state is where the next run finds it.
        for r in &self.block.returns {
            if let Target::State(s) = r.target {
                let (value, state) = (self.place(r.value), Thing::State(s));
                if self.block.buffers.is_none() {
                    self.recent.rename(value, state);
                }
            }
        }
        out
    }

    /// Where a value lies.
    fn place(&self, value: Value) -> Thing {
        match &self.block.buffers {
            Some(buffers) => Thing::Buffer(buffers[value.index()]),
            None => Thing::Value(value.index()),
        }
    }

    /// The types of a node's arguments and results.
    fn types(&self, n: usize) -> (Vec<Type>, Vec<Type>) {
        let node = &self.block.nodes[n];
        let types = |vs: &[Value]| vs.iter().map(|&v| self.block.ty(v).clone()).collect::<Vec<_>>();
        (types(&node.args), types(&node.results))
    }

    /// A node by itself.
    fn node(&mut self, n: usize) -> NodeCost {
        let node = &self.block.nodes[n];
        if node.op.communicates() {
            let size = |v: Value| self.whose.bytes(self.block.ty(v), &self.plan.mesh);
            let results: Vec<_> = node.results.iter().map(|&v| (self.place(v), size(v))).collect();
            self.recent.sweep(&results);
            return match self.whose {
                Whose::Largest => self.communication(n),
                Whose::At(_) => NodeCost::default(),
            };
        }
        if let (Op::Get(s), None) = (&node.op, &self.block.buffers) {
            self.recent.rename(Thing::State(*s), Thing::Value(node.results[0].index()));
        }
        self.together(n..n + 1, None).swap_remove(0)
    }

    /// Local nodes that go over what they touch together.
    fn together(&mut self, nodes: Range<usize>, region: Option<&Region>) -> Vec<NodeCost> {
        let works: Vec<Work> = nodes.clone().map(|n| self.work(n)).collect();
        let moves: Vec<Vec<(Thing, f64)>> =
            nodes.clone().zip(&works).map(|(n, work)| self.moves(n, region, *work)).collect();
        let distances = self.recent.sweep(&moves.concat());
        let mut distances = distances.into_iter();
        let each = nodes.zip(works).zip(moves);
        let cost = |((n, work), moves): ((usize, Work), Vec<(Thing, f64)>)| {
            if self.is_there(n) {
                return NodeCost::default();
            }
            let (mut traffic, mut memory) = (0.0, 0.0);
            for ((_, size), distance) in moves.into_iter().zip(&mut distances) {
                traffic += size;
                memory += size * self.machine.drag(work.manner, distance.max(size));
            }
            self.local(n, region, work, (traffic, memory))
        };
        each.map(cost).collect()
    }

    /// Whether what a node makes is there already.
    fn is_there(&self, n: usize) -> bool {
        matches!(self.block.nodes[n].op, Op::Input(_) | Op::Get(_) | Op::Slot(_))
    }

    fn work(&self, n: usize) -> Work {
        let (node, mesh, whose) = (&self.block.nodes[n], &self.plan.mesh, self.whose);
        let (args, mut results) = self.types(n);
        if self.is_composed(n) {
            results.iter_mut().for_each(|ty| *ty = ty.placed(ty.placement.without_ghosts()));
        }
        if let Some((leaf, adjoint)) = leaf_of(node) {
            let (signature, tile) = (&self.plan[leaf].signature, &self.plan[leaf].tile);
            let batch = whose.batch(signature, adjoint, &args[0], mesh);
            whose.applied(signature, tile, mesh, batch, (&args, &results))
        } else {
            let flops = elementwise(&node.op, whose, mesh, &args, &results);
            Work { flops, ..Work::default() }
        }
    }

    /// Whether a node applies a stencil that is one with its adjoint: nobody computes its rows, so
    /// none are computed for neighbours.
    fn is_composed(&self, n: usize) -> bool {
        let composed = |r: &Region| matches!(r.over, Over::Normal(_)) && r.first as usize == n;
        self.block.regions.iter().any(composed)
    }

    fn communication(&self, n: usize) -> NodeCost {
        let (node, mesh) = (&self.block.nodes[n], &self.plan.mesh);
        let (args, results) = self.types(n);
        let seconds = self.machine.communication(&node.op, mesh, &args, &results);
        NodeCost { payload: payload(mesh, self.block, node), seconds, ..NodeCost::default() }
    }

    /// A local node with so many bytes of traffic that take so long.
    fn local(
        &self,
        n: usize,
        region: Option<&Region>,
        work: Work,
        (traffic, mut memory): (f64, f64),
    ) -> NodeCost {
        if self.has_read_leaf(n, region) {
            // From a cache, where the piece has stayed.
            memory += work.reads * self.machine.again(work.manner);
        }
        let (args, results) = self.types(n);
        let (dtype, flops) = (precision(&args, &results), work.flops);
        let machine = self.machine;
        let begins = region.is_none_or(|r| r.nodes().start == n);
        let begin = if begins { machine.begin() } else { machine.proceed() };
        let seconds = begin + machine.work(work.manner, dtype, flops, memory);
        NodeCost { flops, traffic, payload: 0, seconds }
    }

    /// What a node reads, and then what it writes; in a region, which does a piece of it while the
    /// piece is in a cache, what no node of it before has read, or written.
    fn moves(&self, n: usize, region: Option<&Region>, work: Work) -> Vec<(Thing, f64)> {
        let (node, block) = (&self.block.nodes[n], self.block);
        if self.is_there(n) {
            return Vec::new();
        }
        let size = |v: Value| self.whose.bytes(block.ty(v), &self.plan.mesh);
        let before = &block.nodes[region.map_or(n..n, |r| r.nodes().start..n)];
        let made = || before.iter().flat_map(|m| &m.results).map(|&v| self.place(v));
        let held = before.iter().flat_map(|m| &m.args).map(|&v| self.place(v)).chain(made());
        let (mut held, written): (Vec<Thing>, Vec<Thing>) = (held.collect(), made().collect());
        let mut out = Vec::new();
        if let Some((leaf, _)) = leaf_of(node) {
            let again = self.has_read_leaf(n, region);
            out.extend((!again).then_some((Thing::Leaf(leaf), work.reads)));
        }
        for &v in &node.args {
            let place = self.place(v);
            if !held.contains(&place) {
                held.push(place);
                out.push((place, size(v)));
            }
        }
        let nobody = |v: Value| region.is_some_and(|r| self.is_left_out(v, r));
        for &v in &node.results {
            if !written.contains(&self.place(v)) && !nobody(v) {
                out.push((self.place(v), size(v)));
            }
        }
        out
    }

    /// Whether a node of a region applies a leaf whose data the region has read for a node before.
    fn has_read_leaf(&self, n: usize, region: Option<&Region>) -> bool {
        let leaf = |n: usize| leaf_of(&self.block.nodes[n]).map(|(leaf, _)| leaf);
        let before = region.map_or(n..n, |r| r.nodes().start..n);
        leaf(n).is_some() && before.into_iter().any(|m| leaf(m) == leaf(n))
    }

    /// Whether a value is nowhere in memory as a whole: a region makes and uses it element by element,
    /// or its operator keeps nothing.
    fn is_left_out(&self, v: Value, region: &Region) -> bool {
        let passes = match region.over {
            Over::Panels(leaf) | Over::Normal(leaf) => keeps_nothing(&self.plan[leaf].signature),
            Over::Elements => true,
        };
        let used = |n: usize| self.block.nodes[n].args.contains(&v);
        let outside = (0..self.block.nodes.len()).filter(|n| !region.nodes().contains(n)).any(used);
        let returned = self.block.returns.iter().any(|r| r.value == v);
        passes && !outside && !returned
    }
}
