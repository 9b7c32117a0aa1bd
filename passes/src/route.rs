//! Redistribution: the cheapest way from one placement of a part to another.
//!
//! Single steps (slice, partial, pad, gather, reduce, reduce-scatter, all-to-all, exchange, halo)
//! span a graph of placements; the shortest path in it is both the cost and the lowering.
//! All placements are in the graph, not those alone that lie between the two, so that costs obey
//! the triangle inequality: no detour is cheaper.

mod ways;
mod code;
mod reshape;

pub use reshape::reshaped;

use crate::ir::Op;
use crate::machine::Machine;
use crate::mesh::Mesh;
use crate::placement::{Cut, Placement, Split, Type};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::slice::from_ref;
use std::sync::Arc;
use ways::{Ground, Ways};

/// A path: its cost, and each step with the type that it leads to.
pub type Path = Rc<(f64, Vec<(Op, Type)>)>;

/// Steps, each with the placement that it leads to.
type Way = Vec<(Op, Placement)>;

/// Where a search begins, and the cuts of the target that the type does not have itself.
type Source = (Type, Vec<(usize, Arc<Cut>)>);

/// Finds and remembers paths.
pub struct Router<'a> {
    mesh: &'a Mesh,
    machine: &'a Machine,
    known: RefCell<BTreeMap<Type, BTreeMap<Placement, Option<Path>>>>,
    ways: RefCell<BTreeMap<Source, Option<Ways>>>,
}

impl<'a> Router<'a> {
    /// A router for a mesh.
    pub fn new(mesh: &'a Mesh, machine: &'a Machine) -> Self {
        Router { mesh, machine, known: RefCell::default(), ways: RefCell::default() }
    }

    /// The cost of a redistribution; infinite if there is none.
    pub fn cost(&self, from: &Type, to: &Placement) -> f64 {
        if from.placement == *to { 0.0 } else { self.path(from, to).map_or(f64::INFINITY, |p| p.0) }
    }

    /// The cheapest path, if there is one.
    pub fn path(&self, from: &Type, to: &Placement) -> Option<Path> {
        if let Some(path) = self.known.borrow().get(from).and_then(|known| known.get(to)) {
            return path.clone();
        }
        let path = self.find(from, to).map(Rc::new);
        self.known.borrow_mut().entry(from.clone()).or_default().insert(to.clone(), path.clone());
        path
    }

    /// The cheapest of some ways.
    fn find(&self, from: &Type, to: &Placement) -> Option<(f64, Vec<(Op, Type)>)> {
        let ways = self.candidates(from, to).into_iter().map(|way| self.priced(from, way));
        ways.min_by(|(a, _), (b, _)| a.total_cmp(b))
    }

    /// Ghosts are settled or dropped first, and filled last: by an exchange, or by slicing what
    /// every rank has; the rest is a shortest path.
    fn candidates(&self, from: &Type, to: &Placement) -> Vec<Way> {
        let at = &from.placement;
        if at == to {
            return vec![Vec::new()];
        }
        // Pending sums are neither scattered into ghosts nor exchanged.
        let fills = to.pending.is_empty();
        let bare = to.without_ghosts();
        if to.dual || to.has_ghosts() && !fills && !at.covers(to) {
            return Vec::new();
        }
        let settled = at.without_ghosts();
        if at.has_ghosts() && !at.dual && settled == bare {
            let op = if at.covers(to) { Op::Slice } else { Op::Halo };
            return vec![vec![(op, to.clone())]];
        }
        let mut begin = Vec::new();
        if at.has_ghosts() {
            begin.push((if at.dual { Op::HaloSum } else { Op::Slice }, settled.clone()));
        }
        let begun = from.placed(settled);
        let way = |before: &Placement, last: Option<Op>| {
            let path = if begun.placement == *before {
                Vec::new()
            } else {
                self.shortest(&begun, before)?
            };
            let last = last.map(|op| (op, to.clone()));
            Some(begin.iter().cloned().chain(path).chain(last).collect())
        };
        if !to.has_ghosts() {
            return way(&bare, None).into_iter().collect();
        }
        let mut open = bare.clone();
        for (split, _) in open.splits.iter_mut().zip(&to.ghosts).filter(|(_, g)| **g != (0, 0)) {
            *split = Split::default();
        }
        [way(&bare, Some(Op::Halo)), way(&open, Some(Op::Slice))].into_iter().flatten().collect()
    }

    /// What a way costs, and the type after each of its steps.
    fn priced(&self, from: &Type, way: Way) -> (f64, Vec<(Op, Type)>) {
        let (mut cost, mut steps) = (0.0, Vec::<(Op, Type)>::new());
        for (op, placement) in way {
            let at = steps.last().map_or(from, |(_, at)| at);
            let next = at.placed(placement);
            cost += self.machine.communication(&op, self.mesh, from_ref(at), from_ref(&next));
            steps.push((op, next));
        }
        (cost, steps)
    }

    /// The shortest path between placements without ghosts.
    fn shortest(&self, from: &Type, to: &Placement) -> Option<Way> {
        let has = |d: usize, cut: &Arc<Cut>| from.placement.splits[d].cut.as_ref() == Some(cut);
        let cuts = to.splits.iter().enumerate();
        let cuts = cuts.filter_map(|(d, s)| Some((d, s.cut.clone()?))).filter(|(d, c)| !has(*d, c));
        let source = (from.clone(), cuts.collect::<Vec<_>>());
        let mut ways = self.ways.borrow_mut();
        let on = Ground { mesh: self.mesh, machine: self.machine };
        let begin = |source: &Source| Ways::new(on, &source.0, &source.1);
        let ways = ways.entry(source).or_insert_with_key(begin);
        ways.as_mut()?.path(on, to)
    }
}
