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
//! elements in them ([`crate::region::passing`]).
//! What a communication sends stays as it is until the communication is waited for.
//! Numerics class: E.

use crate::error::PlanError;
use crate::flight::waits;
use crate::ir::{Applied, Block, Node, Op, Over, Plan, Region, SplitHalo, State, Target, Value};
use crate::lower::works_in_place;
use crate::pipeline::{Context, Numerics, Pass};
use crate::placement::Type;
use crate::region::passing;
use crate::rooms::fit;

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
        let state = |s: &State| Room { ty: s.ty.clone(), free: false, holds: Holds::Any };
        let mut pool = plan.states.iter().map(state).collect();
        for block in &mut out.blocks {
            block.buffers = Some(planned(block, plan.states.len(), &mut pool));
        }
        Ok(out)
    }
}

/// A buffer: the largest type that it held, and whether it is free.
struct Room {
    ty: Type,
    free: bool,
    holds: Holds,
}

/// What values of a buffer there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Any,
    /// Some lie inside of others, and do not begin where the buffer begins.
    Inner,
    /// Some became others of another shape where they are.
    Reshaped,
    /// All of them pass through a region.
    Passing,
}

const END: usize = usize::MAX;

struct Planner<'a> {
    block: &'a Block,
    states: usize,
    /// The node that defines each value, and the last before whose end its buffer is not free.
    defined: Vec<usize>,
    last: Vec<usize>,
    /// The last node that may write where the value stands; none if that must not happen.
    over: Vec<Option<usize>>,
    buffers: Vec<Option<u32>>,
    /// Each communication, and the node before which it is waited for.
    flights: Vec<(usize, usize)>,
    /// For each value the one around which, or inside of which, it lies.
    around: Vec<Option<Value>>,
    /// Whether a value passes: those that do share no buffer with those that stay.
    passing: Vec<bool>,
}

fn planned(block: &Block, states: usize, pool: &mut Vec<Room>) -> Vec<u32> {
    let flights = flights(block);
    let mut planner = Planner {
        block,
        states,
        defined: block.definitions(),
        last: held_until(block, &flights),
        over: overwritten_by(block, &flights),
        buffers: vec![None; block.types.len()],
        flights,
        around: vec![None; block.types.len()],
        passing: passing(block),
    };
    pool[states..].iter_mut().for_each(|room| room.free = true);
    planner.read_states();
    planner.write_states();
    planner.inputs(pool);
    for (n, node) in block.nodes.iter().enumerate() {
        planner.node(n, node, pool);
    }
    planner.buffers.into_iter().map(Option::unwrap_or_default).collect()
}

fn last_uses(block: &Block) -> Vec<usize> {
    let mut last = block.definitions();
    for (n, node) in block.nodes.iter().enumerate() {
        node.args.iter().for_each(|a| last[a.index()] = n);
    }
    block.returns.iter().for_each(|r| last[r.value.index()] = END);
    last
}

/// The last uses: those in a region or beside a halo at its end, and what leaves when it has left.
fn held_until(block: &Block, flights: &[(usize, usize)]) -> Vec<usize> {
    let mut last = last_uses(block);
    for &(n, until) in flights {
        for v in &block.nodes[n].args {
            last[v.index()] = last[v.index()].max(until - 1);
        }
    }
    let regions = block.regions.iter().map(Region::nodes);
    for nodes in regions.chain(block.splits.iter().map(SplitHalo::nodes)) {
        last.iter_mut().filter(|n| nodes.contains(*n)).for_each(|n| *n = nodes.end - 1);
    }
    last
}

/// Each communication, and the node before which it is waited for, wherever values will lie.
fn flights(block: &Block) -> Vec<(usize, usize)> {
    let waits = waits(&Block { buffers: None, ..block.clone() });
    waits.into_iter().enumerate().filter_map(|(n, until)| Some((n, until?))).collect()
}

/// The last uses, but for values of which a region needs more than the rows of a panel, for those
/// that rims read later, and for those that leave meanwhile.
fn overwritten_by(block: &Block, flights: &[(usize, usize)]) -> Vec<Option<usize>> {
    let mut over: Vec<_> = last_uses(block).into_iter().map(Some).collect();
    for &(n, until) in flights {
        for v in &block.nodes[n].args {
            let over = &mut over[v.index()];
            *over = over.filter(|last| !(n + 1..until).contains(last));
        }
    }
    for node in block.splits.iter().flat_map(|s| &block.nodes[s.nodes()]) {
        node.args.iter().for_each(|a| over[a.index()] = None);
    }
    let panels = block.regions.iter().filter(|r| r.over != Over::Elements);
    for node in panels.flat_map(|r| &block.nodes[r.nodes()]) {
        if matches!(node.op, Op::Apply(Applied::Leaf(_)) | Op::Dot { .. }) {
            node.args.iter().for_each(|a| over[a.index()] = None);
        }
    }
    over
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
            let n = self.defined[v];
            let node = &self.block.nodes[n];
            let old = self.block.nodes.iter().filter(|m| m.op == Op::Get(s)).map(|m| m.results[0]);
            let dead = |old: Value| {
                let last = self.last[old.index()];
                last < n || self.in_place(n, old, r.value)
            };
            let source = matches!(node.op, Op::Get(_) | Op::Input(_));
            if !source && old.into_iter().all(dead) {
                self.buffers[v] = Some(s);
            }
        }
    }

    /// Inputs are loaded before the block begins, wherever it names them.
    fn inputs(&mut self, pool: &mut Vec<Room>) {
        for node in self.block.nodes.iter().filter(|n| matches!(n.op, Op::Input(_))) {
            for &v in &node.results {
                self.buffers[v.index()] = Some(room(pool, self.states, self.block.ty(v), false));
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
        let dead = self.over[arg.index()] == Some(n) && !self.is_shared(arg, n);
        let kind = self.passing[arg.index()] == self.passing[result.index()];
        dead && kind && works_in_place(&node.op) && aligned && (same || reshape)
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
            let last = self.over[v.index()];
            let dead = last.is_some_and(|last| region.contains(&last) && last < n);
            alike(v) && dead && !self.is_shared(v, n)
        });
        dead.find_map(|v| {
            let b = self.buffers[v.index()].filter(|&b| b as usize >= self.states)?;
            let heir = |w: usize| {
                let later = self.defined[w] > self.defined[v.index()] && self.defined[w] <= n;
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
        (0..self.around.len()).any(|w| same(w) && self.last[w] >= n)
    }

    /// The buffer of a halo's argument, if its result can lie around it, or of a sum's argument, if
    /// the result can lie inside of it.
    fn roomy(&self, n: usize, k: usize, pool: &[Room]) -> Option<u32> {
        let node = &self.block.nodes[n];
        if !matches!(node.op, Op::Halo | Op::HaloSum) {
            return None;
        }
        let (arg, result) = (node.args[k], node.results[k]);
        let b = self.buffers[arg.index()]?;
        let sum = node.op == Op::HaloSum;
        let dead = self.over[arg.index()] == Some(n) && b as usize >= self.states;
        let kept = if sum { dead } else { !self.is_overwritten(b, n, result) };
        let only = node.args.iter().filter(|&&a| a == arg).count() == 1;
        let alone = only && !self.is_shared(arg, n);
        let apart = self.block.splits.iter().all(|split| !split.nodes().contains(&n));
        let waits = |&(m, until): &(usize, usize)| m == n && self.is_used(arg, n + 1..until);
        let flies = self.flights.iter().any(waits);
        let room = pool[b as usize].holds != Holds::Reshaped && fit(self.block, arg, result);
        (kept && alone && apart && !flies && room).then_some(b)
    }

    /// Whether a state's new value is written to the buffer before a value is dead.
    fn is_overwritten(&self, b: u32, n: usize, value: Value) -> bool {
        let later = |w: usize| self.buffers[w] == Some(b) && self.defined[w] > n;
        (0..self.buffers.len()).any(|w| later(w) && self.defined[w] <= self.last[value.index()])
    }

    fn is_used(&self, value: Value, mut nodes: std::ops::Range<usize>) -> bool {
        nodes.any(|m| self.block.nodes[m].args.contains(&value))
    }

    fn node(&mut self, n: usize, node: &Node, pool: &mut Vec<Room>) {
        for (k, &r) in node.results.iter().enumerate() {
            if self.buffers[r.index()].is_some() {
                continue;
            }
            if let Some(b) = self.roomy(n, k, pool) {
                self.buffers[r.index()] = Some(b);
                self.around[r.index()] = Some(node.args[k]);
                pool[b as usize].holds = Holds::Inner;
                continue;
            }
            let taken = |b: u32| node.results.iter().any(|o| self.buffers[o.index()] == Some(b));
            let reuse = node.args.iter().copied().find_map(|a| {
                let b = self.buffers[a.index()].filter(|&b| b as usize >= self.states)?;
                let shape = |v| (&self.block.ty(v).dims, &self.block.ty(v).placement.splits);
                let reshaped = shape(a) != shape(r);
                let fits = self.in_place(n, a, r) && !taken(b);
                if !fits || (reshaped && pool[b as usize].holds == Holds::Inner) {
                    return None;
                }
                if reshaped {
                    pool[b as usize].holds = Holds::Reshaped;
                }
                Some(b)
            });
            let reuse = reuse.or_else(|| self.inherited(n, r).filter(|&b| !taken(b)));
            let passes = self.passing[r.index()];
            let b = reuse.unwrap_or_else(|| room(pool, self.states, self.block.ty(r), passes));
            self.buffers[r.index()] = Some(b);
        }
        for v in (0..self.last.len()).filter(|&v| self.last[v] == n && self.defined[v] <= n) {
            let later = |w: usize| self.last[w] > n && self.defined[w] <= n;
            let heir = |w: usize| later(w) && self.buffers[w] == self.buffers[v];
            let own = self.buffers[v].filter(|&b| b as usize >= self.states);
            if let Some(b) = own.filter(|_| !(0..self.last.len()).any(heir)) {
                pool[b as usize].free = true;
            }
        }
    }
}

/// A free buffer of the element type for values that pass or for others, the smallest that is large
/// enough or else the largest; a new one if there is none.
fn room(pool: &mut Vec<Room>, states: usize, ty: &Type, passes: bool) -> u32 {
    let need = ty.len();
    let fits = |room: &Room| {
        room.free && room.ty.dtype == ty.dtype && (room.holds == Holds::Passing) == passes
    };
    let candidates = (states..pool.len()).filter(|&b| fits(&pool[b]));
    let best = candidates.min_by_key(|&b| {
        let have = pool[b].ty.len();
        let other = pool[b].ty.placement.splits != ty.placement.splits;
        (other, if have >= need { have - need } else { usize::MAX - have }, b)
    });
    let b = best.unwrap_or_else(|| {
        let holds = if passes { Holds::Passing } else { Holds::Any };
        pool.push(Room { ty: ty.clone(), free: true, holds });
        pool.len() - 1
    });
    pool[b].free = false;
    if pool[b].ty.len() < need {
        pool[b].ty = ty.clone();
    }
    b as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::after;
    use insta::assert_snapshot;

    /// Where the values of a plan lie.
    fn stores(before: &str) -> String {
        let plan = crate::text::print(&after(&PlanBuffers, before));
        plan.lines().filter(|l| l.starts_with("store")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_dead_make_room_and_the_living_do_not() {
        let stored = stores(
            "mesh 1 rank
            let A = (i) <- (j) : f64[3, 3]
            %0 = input x : f64[3]
            %1 = apply A %0 : f64[3]
            %2 = apply A %1 : f64[3]
            %3 = apply A %2 : f64[3]
            %4 = sub %3 %0 : f64[3]
            return %4 %2",
        );
        assert_snapshot!(stored, @"
        store 0 = %0
        store 1 = %1 %3 %4
        store 2 = %2
        ");
    }

    #[test]
    fn an_input_holds_its_buffer_from_the_beginning() {
        let stored = stores(
            "mesh 1 rank
            let A = (i) <- (j) : f64[3, 3]
            %0 = input x : f64[3]
            %1 = apply A %0 : f64[3]
            %2 = input y : f64[3]
            return %1 %2",
        );
        assert_snapshot!(stored, @"
        store 0 = %0
        store 1 = %2
        store 2 = %1
        ");
    }

    #[test]
    fn elements_are_made_where_others_were_read() {
        let stored = stores(
            "mesh 1 rank
            let D = (i) <- (i) diagonal : f64[3]
            slot a : f64
            state x : f64[3]
            %0 = get x : f64[3]
            %1 = slot a : f64[]
            %2 = apply D %0 : f64[3]
            %3 = input y : f64[3]
            region
            %4 = axpy %1 %2 %3 : f64[3]
            %5 = apply D.H %4 : f64[3]
            %6 = apply D %4 : f64[3]
            %7 = add %5 %6 : f64[3]
            end
            return %7 %4",
        );
        assert_snapshot!(stored, @"
        store 0 = %0
        store 1 = %3 %7
        store 2 = %1
        store 3 = %2 %4
        store 4 = %5
        store 5 = %6
        ");
    }

    #[test]
    fn a_state_is_updated_where_it_lies() {
        let stored = stores(
            "mesh 1 rank
            slot a : f64
            state x : f64[3]
            %0 = get x : f64[3]
            %1 = input d : f64[3]
            %2 = slot a : f64[]
            %3 = axpy %2 %1 %0 : f64[3]
            set x %3",
        );
        assert_snapshot!(stored, @"
        store 0 = %0 %3
        store 1 = %1
        store 2 = %2
        ");
    }

    #[test]
    fn a_state_whose_old_value_is_still_needed_is_not() {
        let stored = stores(
            "mesh 1 rank
            let A = (i) <- (j) : f64[3, 3]
            state x : f64[3]
            %0 = get x : f64[3]
            %1 = apply A %0 : f64[3]
            %2 = add %0 %1 : f64[3]
            set x %1
            return %2",
        );
        assert_snapshot!(stored, @"
        store 0 = %0
        store 1 = %1
        store 2 = %2
        ");
    }

    #[test]
    fn states_that_change_places_are_copied_first() {
        let stored = stores(
            "mesh 1 rank
            state a : f64[3]
            state b : f64[3]
            %0 = get a : f64[3]
            %1 = get b : f64[3]
            set a %1
            set b %0",
        );
        assert_snapshot!(stored, @"
        store 2 = %0
        store 3 = %1
        ");
    }

    #[test]
    fn one_value_may_become_two_states() {
        let stored = stores(
            "mesh 1 rank
            state r : f64[3]
            state p : f64[3]
            %0 = get p : f64[3]
            %1 = neg %0 : f64[3]
            set r %1
            set p %1",
        );
        assert_snapshot!(stored, @"
        store 0 = %1
        store 1 = %0
        ");
    }

    #[test]
    fn other_element_types_have_other_buffers() {
        let stored = stores(
            "mesh 1 rank
            %0 = input x : f64[3]
            %1 = cast %0 : f32[3]
            %2 = neg %1 : f32[3]
            %3 = cast %2 : f64[3]
            %4 = reshape %3 : f64[1, 3]
            return %4",
        );
        assert_snapshot!(stored, @"
        store 0 = %0 %3 %4
        store 1 = %1 %2
        ");
    }

    #[test]
    fn operands_of_one_reduction_keep_their_own_buffers() {
        let stored = stores(
            "mesh p=2 (2 ranks)
            %0 = input x : f64[5/p]
            %1 = dot %0 %0 : f64[] +p
            %2 = neg %1 : f64[] +p
            %3, %4 = all_reduce p %1 %2 : f64[], f64[]
            return %3 %4",
        );
        assert_snapshot!(stored, @"
        store 0 = %0 %2 %4
        store 1 = %1 %3
        ");
    }

    #[test]
    fn what_leaves_stays_until_it_has_left() {
        let plan = "mesh p=2 (2 ranks)
            let B = (i) <- (j) : f64[8, 8]
            %0 = input x : f64[8/p]
            %1 = input y : f64[8]
            %2 = neg %0 : f64[8/p]
            %3 = halo %2 : f64[8/p~1:1]
            %4 = neg %2 : f64[8/p]
            %5 = apply B %1 : f64[8]
            %6 = slice %3 : f64[8/p]
            return %4 %5 %6";
        // The halo is on until %6: nobody may write over %2.
        assert_snapshot!(stores(plan), @"
        store 0 = %0 %2 %6
        store 1 = %1
        store 2 = %3
        store 3 = %4
        store 4 = %5
        ");
        // It has ended before %5 if somebody needs it at once.
        let at_once = plan
            .replace("%6 = slice %3 : f64[8/p]", "%6 = apply B %1 : f64[8]")
            .replace("%5 = apply B %1 : f64[8]\n", "%5 = neg %2 : f64[8/p]\n")
            .replace("%4 = neg %2", "%4 = slice %3");
        assert_snapshot!(stores(&at_once), @"
        store 0 = %0 %2 %3 %5
        store 1 = %1
        store 2 = %4
        store 3 = %6
        ");
    }

    #[test]
    fn ghosts_lie_around_what_they_belong_to() {
        // The sum of ghosts ends where its argument is, and the last halo around a state.
        let plan = "mesh p=3 (3 ranks)
            let S = (i, j) <- (i~1:2, j) : f64[7/p, 4]
            state x : f64[7/p, 4]
            %0 = get x : f64[7/p, 4]
            %1 = halo %0 : f64[7/p~1:2, 4]
            %2 = apply S %1 : f64[7/p, 4]
            %3 = apply S.H %2 : f64[7/p~+1:2, 4]
            %4 = halo_sum %3 : f64[7/p, 4]
            %5 = add %0 %4 : f64[7/p, 4]
            %6 = halo %5 : f64[7/p~1:2, 4]
            %7 = apply S %6 : f64[7/p, 4]
            set x %5
            return %7";
        assert_snapshot!(stores(plan), @"
        store 0 = %0 %1 %5 %6
        store 1 = %2 %7
        store 2 = %3 %4
        ");
    }

    #[test]
    fn nobody_writes_where_ghosts_lie_around() {
        // %2 is needed after %0, and %0 after %2.
        let plan = "mesh p=2 (2 ranks)
            let S = (i) <- (i~1:1) : f64[6/p]
            %0 = input x : f64[6/p]
            %1 = halo %0 : f64[6/p~1:1]
            %2 = neg %0 : f64[6/p]
            %3 = apply S %1 : f64[6/p]
            %4 = input y : f64[6/p]
            %5 = halo %4 : f64[6/p~1:1]
            %6 = neg %5 : f64[6/p~1:1]
            %7 = apply S %6 : f64[6/p]
            %8 = add %4 %7 : f64[6/p]
            return %2 %3 %8";
        assert_snapshot!(stores(plan), @"
        store 0 = %0 %3
        store 1 = %4 %5 %8
        store 2 = %1 %6
        store 3 = %2
        store 4 = %7
        ");
    }

    #[test]
    fn ghosts_of_other_dims_than_the_first_are_apart() {
        let plan = "mesh r=2 c=2 (4 ranks)
            let S = (i, j) <- (i~1:1, j~1:1) : f64[6/r, 4/c]
            %0 = input x : f64[6/r, 4/c]
            %1 = halo %0 : f64[6/r~1:1, 4/c~1:1]
            %2 = apply S %1 : f64[6/r, 4/c]
            return %2";
        assert_snapshot!(stores(plan), @"
        store 0 = %0 %2
        store 1 = %1
        ");
    }

    #[test]
    fn what_has_room_keeps_its_shape() {
        let plan = "mesh p=2 (2 ranks)
            let S = (i, j) <- (i~1:1, j) : f64[6/p, 2]
            %0 = input x : f64[12/p]
            %1 = reshape %0 : f64[6/p, 2]
            %2 = halo %1 : f64[6/p~1:1, 2]
            %3 = apply S %2 : f64[6/p, 2]
            %4 = input y : f64[6/p, 2]
            %5 = halo %4 : f64[6/p~1:1, 2]
            %6 = apply S %5 : f64[6/p, 2]
            %7 = reshape %4 : f64[12/p]
            return %3 %6 %7";
        assert_snapshot!(stores(plan), @"
        store 0 = %0 %1 %3
        store 1 = %4 %5
        store 2 = %2 %6
        store 3 = %7
        ");
    }
}
