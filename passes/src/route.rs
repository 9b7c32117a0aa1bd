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
use crate::placement::{Cut, Placement, Type};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::slice::from_ref;
use std::sync::Arc;
use ways::{Ground, Ways};

/// A path: its cost, and each step with the type that it leads to.
pub type Path = Rc<(f64, Vec<(Op, Type)>)>;

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

    /// The shortest path between placements without ghosts.
    fn shortest(&self, from: &Type, to: &Placement) -> Option<Vec<(Op, Placement)>> {
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
