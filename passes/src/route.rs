//! Redistribution: the cheapest way from one placement of a part to another.
//!
//! Single steps (slice, partial, pad, gather, reduce, reduce-scatter, all-to-all, exchange, halo)
//! span a graph of placements; the shortest path in it is both the cost and the lowering.
//! Costs of shortest paths obey the triangle inequality.

use crate::ir::Op;
use crate::machine::Machine;
use crate::mesh::{Axis, Mesh};
use crate::placement::{Cut, Placement, Split, Type};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::slice::from_ref;
use std::sync::Arc;

/// A path: its cost, and each step with the type that it leads to.
pub type Path = Rc<(f64, Vec<(Op, Type)>)>;

/// Finds and remembers paths.
pub struct Router<'a> {
    mesh: &'a Mesh,
    machine: &'a Machine,
    known: RefCell<BTreeMap<(Type, Placement), Option<Path>>>,
}

impl<'a> Router<'a> {
    /// A router for a mesh.
    pub fn new(mesh: &'a Mesh, machine: &'a Machine) -> Self {
        Router { mesh, machine, known: RefCell::default() }
    }

    /// The cost of a redistribution; infinite if there is none.
    pub fn cost(&self, from: &Type, to: &Placement) -> f64 {
        if from.placement == *to { 0.0 } else { self.path(from, to).map_or(f64::INFINITY, |p| p.0) }
    }

    /// The cheapest path, if there is one.
    pub fn path(&self, from: &Type, to: &Placement) -> Option<Path> {
        let key = (from.clone(), to.clone());
        if let Some(path) = self.known.borrow().get(&key) {
            return path.clone();
        }
        let path = self.find(from, to).map(Rc::new);
        self.known.borrow_mut().insert(key, path.clone());
        path
    }

    /// Ghosts are settled or dropped first and filled last; the rest is a shortest path.
    fn find(&self, from: &Type, to: &Placement) -> Option<(f64, Vec<(Op, Type)>)> {
        if from.placement == *to {
            return Some((0.0, Vec::new()));
        }
        if to.dual {
            return None;
        }
        let mut steps: Vec<(Op, Type)> = Vec::new();
        let mut cost = 0.0;
        let mut at = from.clone();
        let mut step = |at: &mut Type, op: Op, placement: Placement| {
            let next = at.placed(placement);
            cost += self.machine.communication(&op, self.mesh, from_ref(at), from_ref(&next));
            steps.push((op, next.clone()));
            *at = next;
        };
        let bare = to.without_ghosts();
        if at.placement.has_ghosts() && !at.placement.dual && at.placement.without_ghosts() == bare
        {
            let covers = at.placement.covers(to);
            if !covers && !to.pending.is_empty() {
                return None;
            }
            step(&mut at, if covers { Op::Slice } else { Op::Halo }, to.clone());
            return Some((cost, steps));
        }
        if at.placement.has_ghosts() {
            let op = if at.placement.dual { Op::HaloSum } else { Op::Slice };
            let settled = at.placement.without_ghosts();
            step(&mut at, op, settled);
        }
        let path = if at.placement == bare { Vec::new() } else { self.shortest(&at, &bare)? };
        for (op, placement) in path {
            step(&mut at, op, placement);
        }
        if to.has_ghosts() {
            if !at.placement.pending.is_empty() {
                return None;
            }
            step(&mut at, Op::Halo, to.clone());
        }
        Some((cost, steps))
    }

    /// Dijkstra over placements without ghosts.
    fn shortest(&self, from: &Type, to: &Placement) -> Option<Vec<(Op, Placement)>> {
        let mut open: Vec<(f64, Placement)> = vec![(0.0, from.placement.clone())];
        let mut best: BTreeMap<Placement, (f64, Option<(Op, Placement)>)> = BTreeMap::new();
        best.insert(from.placement.clone(), (0.0, None));
        while let Some(next) = open.iter().enumerate().min_by(|a, b| a.1.0.total_cmp(&b.1.0)) {
            let (cost, at) = open.swap_remove(next.0);
            if at == *to {
                break;
            }
            if best.get(&at).is_some_and(|b| b.0 < cost) {
                continue;
            }
            let ty = from.placed(at.clone());
            for (op, placement) in Self::steps(&at, to) {
                let next = from.placed(placement.clone());
                let (arg, result) = (from_ref(&ty), from_ref(&next));
                let total = cost + self.machine.communication(&op, self.mesh, arg, result);
                if best.get(&placement).is_none_or(|b| total < b.0) {
                    best.insert(placement.clone(), (total, Some((op, at.clone()))));
                    open.push((total, placement));
                }
            }
        }
        let mut path = Vec::new();
        let mut at = to.clone();
        while let Some((op, before)) = best.get(&at)?.1.clone() {
            path.push((op, at));
            at = before;
        }
        path.reverse();
        Some(path)
    }

    /// The single steps from a placement that can lead towards another.
    fn steps(at: &Placement, to: &Placement) -> Vec<(Op, Placement)> {
        let mut out = Vec::new();
        Self::settle(at, to, &mut out);
        Self::split_less(at, to, &mut out);
        Self::split_more(at, to, &mut out);
        let same_axes = at.split_axes() == to.split_axes();
        if same_axes && at.pending.is_empty() && to.pending.is_empty() {
            out.push((Op::Exchange, to.clone()));
        }
        out
    }

    /// From pending sums.
    fn settle(at: &Placement, to: &Placement, out: &mut Vec<(Op, Placement)>) {
        let mut settled: Vec<Vec<Axis>> = at.pending.iter().map(|&a| vec![a]).collect();
        let owed: Vec<_> = at.pending.iter().copied().filter(|a| !to.pending.contains(a)).collect();
        if owed.len() > 1 {
            settled.push(owed);
        }
        for axes in settled {
            if axes.iter().any(|a| to.pending.contains(a)) {
                continue;
            }
            let mut next = at.clone();
            next.pending.retain(|a| !axes.contains(a));
            for d in 0..at.splits.len() {
                if let Some(split) = extended(&next.splits[d], &axes, &to.splits[d]) {
                    let mut scattered = next.clone();
                    scattered.splits[d] = split;
                    out.push((Op::ReduceScatter(axes.clone()), scattered));
                }
            }
            out.push((Op::AllReduce(axes), next));
        }
    }

    /// From split dims: gather, move to another dim, or turn into a pending sum.
    fn split_less(at: &Placement, to: &Placement, out: &mut Vec<(Op, Placement)>) {
        for d in 0..at.splits.len() {
            let axes = &at.splits[d].axes;
            for keep in 0..axes.len() {
                let mut next = at.clone();
                next.splits[d] = shortened(&at.splits[d], keep);
                let dropped = axes[keep..].to_vec();
                out.push((Op::AllGather(dropped.clone()), next.clone()));
                if dropped.iter().all(|a| to.pending.contains(a)) {
                    let mut padded = next.clone();
                    padded.pending.extend(&dropped);
                    padded.pending.sort_unstable();
                    out.push((Op::Pad(dropped.clone()), padded));
                }
                let [axis] = dropped.as_slice() else { continue };
                for e in (0..at.splits.len()).filter(|&e| e != d) {
                    if let Some(split) = extended(&at.splits[e], &[*axis], &to.splits[e]) {
                        let mut moved = next.clone();
                        moved.splits[e] = split;
                        out.push((Op::AllToAll(*axis), moved));
                    }
                }
            }
        }
    }

    /// From replication: keep a part, or all on the first rank only.
    fn split_more(at: &Placement, to: &Placement, out: &mut Vec<(Op, Placement)>) {
        let used = at.split_axes();
        let free = |a: &Axis| !used.contains(a) && !at.pending.contains(a);
        for d in 0..at.splits.len() {
            let wanted = to.splits[d].axes.iter().copied().find(|a| !at.splits[d].axes.contains(a));
            if let Some(axis) = wanted.filter(|a| free(a))
                && let Some(split) = extended(&at.splits[d], &[axis], &to.splits[d])
            {
                let mut next = at.clone();
                next.splits[d] = split;
                out.push((Op::Slice, next));
            }
        }
        let partial: Vec<_> = to.pending.iter().copied().filter(|a| free(a)).collect();
        if !partial.is_empty() {
            let mut next = at.clone();
            next.pending.extend(&partial);
            next.pending.sort_unstable();
            out.push((Op::Partial(partial), next));
        }
    }
}

/// A split with axes appended on the way to another, if that leads there.
fn extended(split: &Split, axes: &[Axis], target: &Split) -> Option<Split> {
    let all: Vec<_> = split.axes.iter().chain(axes).copied().collect();
    if !target.axes.starts_with(&all) || (!split.axes.is_empty() && split.cut != target.cut) {
        return None;
    }
    Some(Split { axes: all, cut: target.cut.clone() })
}

/// A split that keeps its first axes only.
fn shortened(split: &Split, keep: usize) -> Split {
    let cut = if keep == 0 { None } else { split.cut.clone() };
    Split { axes: split.axes[..keep].to_vec(), cut }
}

/// The placement of the same elements in another shape, if it has one.
///
/// Dims that agree from the front keep their splits; where shapes part, the leading dim of either
/// side may stay split if its cut points fall between elements of the other.
pub fn reshaped(from: &[usize], to: &[usize], placement: &Placement) -> Option<Placement> {
    let mut out = Placement::replicated(to.len());
    out.pending.clone_from(&placement.pending);
    out.space = placement.space;
    let unsplit = |d: usize| placement.splits[d].axes.is_empty();
    let (mut i, mut j) = (0, 0);
    loop {
        while i < from.len() && from[i] == 1 && unsplit(i) {
            i += 1;
        }
        while j < to.len() && to[j] == 1 {
            j += 1;
        }
        if i == from.len() {
            return Some(out);
        }
        if j == to.len() || from[i] != to[j] {
            break;
        }
        out.splits[j] = placement.splits[i].clone();
        (i, j) = (i + 1, j + 1);
    }
    if (i + 1..from.len()).any(|d| !unsplit(d)) {
        return None;
    }
    if unsplit(i) {
        return Some(out);
    }
    if j == to.len() {
        return None;
    }
    let inner = |dims: &[usize]| dims.iter().product::<usize>();
    out.splits[j] =
        rescaled(&placement.splits[i], from[i], inner(&from[i + 1..]), to[j], inner(&to[j + 1..]))?;
    Some(out)
}

/// The split of a dim of `b` whose elements are `y` long, cut where one of `a` with elements of
/// `x` is cut.
fn rescaled(split: &Split, a: usize, x: usize, b: usize, y: usize) -> Option<Split> {
    use crate::signature::Spread;
    let cut = split.cut.as_deref();
    let size = cut.map_or(a, |c| c.size);
    let scale = |n: usize| (y > 0 && (n * x).is_multiple_of(y)).then(|| n * x / y);
    let spread = match cut.map_or(&Spread::One, |c| &c.spread) {
        Spread::One => scale(1).map(|k| if k == 1 { Spread::One } else { Spread::Uniform(k) }),
        Spread::Uniform(k) => {
            scale(*k).map(|k| if k == 1 { Spread::One } else { Spread::Uniform(k) })
        }
        Spread::Table(t) => {
            let counts: Option<Vec<_>> = t.windows(2).map(|w| scale(w[1] - w[0])).collect();
            counts.map(Spread::from_counts)
        }
    }?;
    let weights = cut.and_then(|c| c.weights.clone());
    if spread == Spread::One && weights.is_none() && size == b {
        return Some(Split::over(&split.axes));
    }
    let cut = Cut { name: String::new(), size, weights, spread };
    Some(Split { axes: split.axes.clone(), cut: Some(Arc::new(cut)) })
}
