//! Gives every value a buffer: dead values make room, updates happen in place.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : f64[3, 3]
//! state x : f64[3]
//! %0 = get x : f64[3]
//! %1 = apply A %0 : f64[3]
//! %2 = neg %1 : f64[3]
//! %3 = apply A %2 : f64[3]
//! %4 = add %0 %3 : f64[3]
//! set x %4
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[3, 3]
//! state x                         : f64[3]
//! %0 = get x                      : f64[3]
//! %1 = apply A %0                 : f64[3]
//! %2 = neg %1                     : f64[3]
//! %3 = apply A %2                 : f64[3]
//! %4 = add %0 %3                  : f64[3]
//! set x %4
//! store 0 = %0 %4
//! store 1 = %1 %2
//! store 2 = %3
//! comm 0 calls, 0 B per rank
//! ```
//! The first buffers are those of the state variables.
//! A state's old value is read where it lies, and its new value is written there as soon as the
//! old one is not needed any more.
//! A region is one node: what it uses is there until its end.
//! Only values of its panels or elements are overwritten inside it, and by nodes of single ones.
//! A value with ghosts lies around the one that it is made of where that leaves room for it
//! (`rooms.rs`), so that a halo moves ghosts only; neither is overwritten while the other is needed.
//! In a region over elements a new vector lies where one was whose elements nobody needs any more.
//! What such a region makes for itself only has buffers of its own: there only is room for some
//! elements in them ([`crate::region::passing`]). So has what lies between a stencil and its adjoint.
//! What a communication sends stays as it is until the communication is waited for.
//! Numerics class: E.

mod lives;
mod pool;

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Over, Plan, Region, Target, Value};
use crate::lower::works_in_place;
use crate::pipeline::{Context, Numerics, Pass};
use crate::region::passing;
use crate::rooms::fit;
use lives::Lives;
use pool::{Holds, Pool};

/// The pass.
pub struct PlanBuffers;

impl Pass for PlanBuffers {
    fn name(&self) -> &'static str {
        "plan-buffers"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let mut out = plan.clone();
        let mut pool = Pool::new(plan.states.iter().map(|state| &state.ty));
        for block in &mut out.blocks {
            block.buffers = Some(planned(plan, block, &mut pool));
        }
        Ok(out)
    }
}

struct Planner<'a> {
    block: &'a Block,
    pool: &'a mut Pool,
    lives: Lives,
    buffers: Vec<Option<u32>>,
    /// For each value the one around which, or inside of which, it lies.
    around: Vec<Option<Value>>,
    /// Whether a value passes: those that do share no buffer with those that stay.
    passing: Vec<bool>,
}

fn planned(plan: &Plan, block: &Block, pool: &mut Pool) -> Vec<u32> {
    pool.release_all();
    let mut planner = Planner {
        block,
        pool,
        lives: Lives::of(block),
        buffers: vec![None; block.types.len()],
        around: vec![None; block.types.len()],
        passing: passing(plan, block),
    };
    planner.read_states();
    planner.write_states();
    planner.inputs();
    for (n, node) in block.nodes.iter().enumerate() {
        planner.node(n, node);
    }
    planner.buffers.into_iter().map(Option::unwrap_or_default).collect()
}

impl Planner<'_> {
    /// A state is read where it lies, unless its old value is handed on at the end.
    fn read_states(&mut self) {
        for node in &self.block.nodes {
            if let Op::Get(s) = node.op {
                let v = node.results[0];
                let elsewhere =
                    self.block.returns.iter().any(|r| r.value == v && r.target != Target::State(s));
                if !elsewhere {
                    self.buffers[v.index()] = Some(s);
                }
            }
        }
    }

    /// A new value is written to its state at once if the old one is dead by then.
    fn write_states(&mut self) {
        for r in &self.block.returns {
            let Target::State(s) = r.target else { continue };
            let v = r.value.index();
            if self.buffers[v].is_some() {
                continue;
            }
            let n = self.lives.defined[v];
            let node = &self.block.nodes[n];
            let old = self.block.nodes.iter().filter(|m| m.op == Op::Get(s)).map(|m| m.results[0]);
            let dead = |old: Value| {
                let last = self.lives.last[old.index()];
                last < n || self.in_place(n, old, r.value)
            };
            let source = matches!(node.op, Op::Get(_) | Op::Input(_));
            if !source && old.into_iter().all(dead) {
                self.buffers[v] = Some(s);
            }
        }
    }

    /// Inputs are loaded before the block begins, wherever it names them.
    fn inputs(&mut self) {
        for node in self.block.nodes.iter().filter(|n| matches!(n.op, Op::Input(_))) {
            for &v in &node.results {
                self.buffers[v.index()] = Some(self.pool.take(self.block.ty(v), false));
            }
        }
    }

    /// Whether a node may write `result` where `arg` stands, which nobody uses afterwards.
    fn in_place(&self, n: usize, arg: Value, result: Value) -> bool {
        let node = &self.block.nodes[n];
        let (a, r) = (self.block.ty(arg), self.block.ty(result));
        let aligned = match node.op {
            // Each operand of a reduction belongs to one result.
            Op::AllReduce(_) => {
                let at = node.results.iter().position(|&v| v == result);
                at.is_some_and(|k| node.args[k] == arg)
                    && node.args.iter().filter(|&&v| v == arg).count() == 1
            }
            Op::Put => node.args[0] == arg && node.args[2] != arg,
            _ => true,
        };
        let same = a.dtype == r.dtype
            && a.placement.splits.len() == r.placement.splits.len()
            && a.dims == r.dims
            && a.placement.splits == r.placement.splits
            && a.placement.ghosts == r.placement.ghosts;
        let reshape = node.op == Op::Reshape && a.dtype == r.dtype;
        let dead = self.lives.over[arg.index()] == Some(n) && !self.is_shared(arg, n);
        let kind = self.passing[arg.index()] == self.passing[result.index()];
        dead && kind && works_in_place(&node.op) && aligned && (same || reshape)
    }

    /// Whether a value has another shape or partition than what it is made of.
    fn is_reshaped(&self, arg: Value, result: Value) -> bool {
        let shape = |v| (&self.block.ty(v).dims, &self.block.ty(v).placement.splits);
        shape(arg) != shape(result)
    }

    /// In a region over elements, where a vector lies whose elements nobody needs any more when
    /// those of a result are made: memory that the caches have already.
    fn inherited(&self, n: usize, result: Value) -> Option<u32> {
        // Numbers, and factors of columns, are read with every piece.
        let sum = matches!(self.block.nodes[n].op, Op::Dot { .. });
        if sum || self.block.ty(result).dims.is_empty() {
            return None;
        }
        let over_elements = |r: &&Region| r.over == Over::Elements && r.nodes().contains(&n);
        let region = self.block.regions.iter().find(over_elements)?.nodes();
        let alike = |v: Value| {
            let kind = self.passing[v.index()] == self.passing[result.index()];
            kind && self.block.ty(v) == self.block.ty(result)
        };
        let earlier = self.block.nodes[region.start..n].iter().flat_map(|node| &node.args);
        let mut dead = earlier.copied().filter(|&v| {
            let last = self.lives.over[v.index()];
            let dead = last.is_some_and(|last| region.contains(&last) && last < n);
            alike(v) && dead && !self.is_shared(v, n)
        });
        dead.find_map(|v| {
            let b = self.buffers[v.index()].filter(|&b| !self.pool.is_state(b))?;
            let heir = |w: usize| {
                let later = self.lives.defined[w] > self.lives.defined[v.index()]
                    && self.lives.defined[w] <= n;
                self.buffers[w] == Some(b) && later
            };
            (!(0..self.buffers.len()).any(heir)).then_some(b)
        })
    }

    /// Whether another value lies in the same elements that is needed at a node or after it.
    fn is_shared(&self, value: Value, n: usize) -> bool {
        let same = |w: usize| {
            let one = |a: usize, b: usize| self.around[a].is_some_and(|v| v.index() == b);
            w != value.index() && (one(w, value.index()) || one(value.index(), w))
        };
        (0..self.around.len()).any(|w| same(w) && self.lives.last[w] >= n)
    }

    /// The buffer of a halo's argument, if its result can lie around it, or of a sum's argument, if
    /// the result can lie inside of it.
    fn roomy(&self, n: usize, k: usize) -> Option<u32> {
        let node = &self.block.nodes[n];
        if !matches!(node.op, Op::Halo | Op::HaloSum) {
            return None;
        }
        let (arg, result) = (node.args[k], node.results[k]);
        let b = self.buffers[arg.index()]?;
        let sum = node.op == Op::HaloSum;
        let dead = self.lives.over[arg.index()] == Some(n) && !self.pool.is_state(b);
        let kept = if sum { dead } else { !self.is_overwritten(b, n, result) };
        let only = node.args.iter().filter(|&&a| a == arg).count() == 1;
        let alone = only && !self.is_shared(arg, n);
        let waits = |&(m, until): &(usize, usize)| m == n && self.is_used(arg, n + 1..until);
        let flies = self.lives.flights.iter().any(waits);
        let room = self.pool.holds(b) != Holds::Reshaped && fit(self.block, arg, result);
        (kept && alone && !flies && room).then_some(b)
    }

    /// Whether a state's new value is written to the buffer before a value is dead.
    fn is_overwritten(&self, b: u32, n: usize, value: Value) -> bool {
        let later = |w: usize| self.buffers[w] == Some(b) && self.lives.defined[w] > n;
        (0..self.buffers.len())
            .any(|w| later(w) && self.lives.defined[w] <= self.lives.last[value.index()])
    }

    fn is_used(&self, value: Value, mut nodes: std::ops::Range<usize>) -> bool {
        nodes.any(|m| self.block.nodes[m].args.contains(&value))
    }

    fn node(&mut self, n: usize, node: &Node) {
        for (k, &r) in node.results.iter().enumerate() {
            if self.buffers[r.index()].is_some() {
                continue;
            }
            if let Some(b) = self.roomy(n, k) {
                self.buffers[r.index()] = Some(b);
                self.around[r.index()] = Some(node.args[k]);
                self.pool.mark(b, Holds::Inner);
                continue;
            }
            let taken = |b: u32| node.results.iter().any(|o| self.buffers[o.index()] == Some(b));
            let overwritten = node.args.iter().copied().find_map(|a| {
                let b = self.buffers[a.index()].filter(|&b| !self.pool.is_state(b))?;
                let reshaped = self.is_reshaped(a, r);
                let fits = self.in_place(n, a, r) && !taken(b);
                let moves = reshaped && self.pool.holds(b) == Holds::Inner;
                (fits && !moves).then_some((b, reshaped))
            });
            if let Some((b, true)) = overwritten {
                self.pool.mark(b, Holds::Reshaped);
            }
            let reuse = overwritten.map(|(b, _)| b);
            let reuse = reuse.or_else(|| self.inherited(n, r).filter(|&b| !taken(b)));
            let passes = self.passing[r.index()];
            let b = reuse.unwrap_or_else(|| self.pool.take(self.block.ty(r), passes));
            self.buffers[r.index()] = Some(b);
        }
        self.release(n);
    }

    /// Buffers of which nobody needs anything after a node are free.
    fn release(&mut self, n: usize) {
        let Lives { defined, last, .. } = &self.lives;
        for v in (0..last.len()).filter(|&v| last[v] == n && defined[v] <= n) {
            let later = |w: usize| last[w] > n && defined[w] <= n;
            let heir = |w: usize| later(w) && self.buffers[w] == self.buffers[v];
            let own = self.buffers[v].filter(|&b| !self.pool.is_state(b));
            if let Some(b) = own.filter(|_| !(0..last.len()).any(heir)) {
                self.pool.release(b);
            }
        }
    }
}

#[cfg(test)]
mod tests;
