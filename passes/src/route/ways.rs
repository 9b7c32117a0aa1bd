//! The shortest ways from one placement without ghosts to all others.
//!
//! The nearest placements are found first, and no more than are asked for.

use super::code::{AXES, Axes, Code, Cuts, DIMS};
use crate::ir::Op;
use crate::machine::{Machine, bytes};
use crate::mesh::{Axis, Mesh};
use crate::placement::{Cut, Placement, Type};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// A step: which kind of node, and over which axes.
#[derive(Clone, Copy, Debug)]
struct Step(Kind, Axes);

#[derive(Clone, Copy, Debug)]
enum Kind {
    AllReduce,
    ReduceScatter,
    AllGather,
    AllToAll,
    Exchange,
    Slice,
    Pad,
    Partial,
}

/// A placement that was reached.
struct Place {
    code: Code,
    bytes: f64,
    cost: f64,
    before: Option<(Step, usize)>,
    settled: bool,
}

/// What ways lead over, and what steps cost there.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    /// The ranks.
    pub mesh: &'a Mesh,
    /// Their machine.
    pub machine: &'a Machine,
}

/// What is known of the ways from one placement.
pub(super) struct Ways {
    ty: Type,
    cuts: Cuts,
    places: Vec<Place>,
    at: BTreeMap<Code, usize>,
    /// The costs of places that were reached and not yet left; of numbers that are not negative
    /// the bits are in the order of the numbers.
    open: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Ways {
    /// From the placement of a type to those with its cuts, these cuts or none; nothing if a mesh
    /// or a part has too many axes or dims.
    pub(super) fn new(on: Ground<'_>, from: &Type, more: &[(usize, Arc<Cut>)]) -> Option<Self> {
        if on.mesh.axes.len() > AXES || from.dims.len() > DIMS {
            return None;
        }
        let own = from.placement.splits.iter().map(|s| s.cut.iter().cloned().map(Some));
        let mut cuts: Cuts = own.map(|own| [None].into_iter().chain(own).collect()).collect();
        for (d, cut) in more {
            cuts[*d].push(Some(cut.clone()));
        }
        let code = Code::of(&from.placement, &cuts)?;
        let (places, at, open) = (Vec::new(), BTreeMap::new(), BinaryHeap::new());
        let mut ways = Ways { ty: from.clone(), cuts, places, at, open };
        ways.offer(on, code, 0.0, None);
        Some(ways)
    }

    /// The steps to a placement, each with where it leads.
    pub(super) fn path(&mut self, on: Ground<'_>, to: &Placement) -> Option<Vec<(Op, Placement)>> {
        let space = self.ty.placement.space;
        let target = Code::of(to, &self.cuts).filter(|_| to.space == space)?;
        while !self.at.get(&target).is_some_and(|&at| self.places[at].settled) {
            let Reverse((_, at)) = self.open.pop()?;
            if !std::mem::replace(&mut self.places[at].settled, true) {
                self.leave(on, at);
            }
        }
        let mut out = Vec::new();
        let mut at = self.at[&target];
        while let Some((step, before)) = self.places[at].before {
            let placement = self.places[at].code.placement(on.mesh.axes.len(), &self.cuts);
            out.push((step.op(), Placement { space, ..placement }));
            at = before;
        }
        out.reverse();
        Some(out)
    }

    /// A way to a placement; kept if it is the first one or the cheapest.
    fn offer(&mut self, on: Ground<'_>, code: Code, cost: f64, before: Option<(Step, usize)>) {
        let places = &mut self.places;
        let at = *self.at.entry(code).or_insert_with(|| {
            let placement = code.placement(on.mesh.axes.len(), &self.cuts);
            let bytes = bytes(&self.ty.placed(placement), on.mesh);
            places.push(Place { code, bytes, cost: f64::INFINITY, before: None, settled: false });
            places.len() - 1
        });
        if cost < places[at].cost {
            (places[at].cost, places[at].before) = (cost, before);
            self.open.push(Reverse((cost.to_bits(), at)));
        }
    }

    /// All single steps from a placement.
    fn leave(&mut self, on: Ground<'_>, at: usize) {
        let code = self.places[at].code;
        self.settle(on, at, code);
        self.split_less(on, at, code);
        self.split_more(on, at, code);
        self.exchange(on, at, code);
    }

    fn step(&mut self, on: Ground<'_>, at: usize, kind: Kind, axes: Axes, to: Code) {
        let Place { bytes, cost, .. } = self.places[at];
        let known = self.at.get(&to);
        if known.is_some_and(|&to| self.places[to].settled) {
            return;
        }
        if known.is_none() {
            self.offer(on, to, f64::INFINITY, None);
        }
        let after = self.places[self.at[&to]].bytes;
        let axes = axes.sorted();
        let over: Vec<Axis> = axes.iter().collect();
        let price = on.machine.step(&kind.op(), on.mesh, &over, (bytes, after));
        self.offer(on, to, cost + price, Some((Step(kind, axes), at)));
    }

    /// A dim split further, at any of its cuts if it was not split.
    fn finer(
        &mut self,
        on: Ground<'_>,
        at: usize,
        kind: Kind,
        axes: Axes,
        (code, d): (Code, usize),
    ) {
        let split = !code.axes_of(d, on.mesh.axes.len()).is_empty();
        let cuts = if split { 1 } else { self.cuts[d].len() };
        for cut in 0..cuts {
            self.step(on, at, kind, axes, code.split(d, axes, cut));
        }
    }

    /// From pending sums.
    fn settle(&mut self, on: Ground<'_>, at: usize, code: Code) {
        for axes in code.pending(on.mesh.axes.len()).arrangements() {
            let settled = code.settled(axes);
            if axes == axes.sorted() {
                self.step(on, at, Kind::AllReduce, axes, settled);
            }
            for d in 0..self.cuts.len() {
                self.finer(on, at, Kind::ReduceScatter, axes, (settled, d));
            }
        }
    }

    /// From split dims: gather, move to another dim, or turn into a pending sum.
    fn split_less(&mut self, on: Ground<'_>, at: usize, code: Code) {
        for d in 0..self.cuts.len() {
            let axes = code.axes_of(d, on.mesh.axes.len());
            for keep in 0..axes.len() {
                let dropped = axes.from(keep);
                let gathered = code.gathered(d, dropped);
                self.step(on, at, Kind::AllGather, dropped, gathered);
                self.step(on, at, Kind::Pad, dropped, gathered.summing(dropped));
                for e in (0..self.cuts.len()).filter(|&e| e != d && dropped.len() == 1) {
                    self.finer(on, at, Kind::AllToAll, dropped, (gathered, e));
                }
            }
        }
    }

    /// From replication: keep a part, or all on the first rank only.
    fn split_more(&mut self, on: Ground<'_>, at: usize, code: Code) {
        for axes in code.free(on.mesh.axes.len()).arrangements() {
            for d in 0..self.cuts.len() {
                self.finer(on, at, Kind::Slice, axes, (code, d));
            }
            if axes == axes.sorted() {
                self.step(on, at, Kind::Partial, axes, code.summing(axes));
            }
        }
    }

    /// The axes that split dims split others, in another order, or at other cuts.
    fn exchange(&mut self, on: Ground<'_>, at: usize, code: Code) {
        let count = on.mesh.axes.len();
        let mut bare = code;
        let mut moved = Axes::default();
        for d in 0..self.cuts.len() {
            let axes = code.axes_of(d, count);
            bare = bare.gathered(d, axes);
            moved = axes.iter().fold(moved, Axes::with);
        }
        if moved.is_empty() {
            return;
        }
        let whole = |order: &Axes| order.len() == moved.len();
        for order in moved.arrangements().into_iter().filter(whole) {
            self.arrange(on, at, bare, (order, 0), 0);
        }
    }

    /// Dims from `d` on are split by the axes of `order` from `next` on.
    fn arrange(
        &mut self,
        on: Ground<'_>,
        at: usize,
        code: Code,
        (order, next): (Axes, usize),
        d: usize,
    ) {
        if next == order.len() {
            return self.step(on, at, Kind::Exchange, order, code);
        }
        if d == self.cuts.len() {
            return;
        }
        for end in next..=order.len() {
            let mine = order.iter().take(end).skip(next).fold(Axes::default(), Axes::with);
            let cuts = if mine.is_empty() { 1 } else { self.cuts[d].len() };
            for cut in 0..cuts {
                self.arrange(on, at, code.split(d, mine, cut), (order, end), d + 1);
            }
        }
    }
}

impl Kind {
    /// A node of this kind, over no axes.
    fn op(self) -> Op {
        Step(self, Axes::default()).op()
    }
}

impl Step {
    fn op(self) -> Op {
        let axes: Vec<Axis> = self.1.iter().collect();
        match self.0 {
            Kind::AllReduce => Op::AllReduce(axes),
            Kind::ReduceScatter => Op::ReduceScatter(axes),
            Kind::AllGather => Op::AllGather(axes),
            Kind::AllToAll => Op::AllToAll(axes.first().copied().unwrap_or_default()),
            Kind::Exchange => Op::Exchange,
            Kind::Slice => Op::Slice,
            Kind::Pad => Op::Pad(axes),
            Kind::Partial => Op::Partial(axes),
        }
    }
}
