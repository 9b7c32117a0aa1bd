//! Every assignment of the search, for tests that compare its choice with all others.

use super::{Decisions, Space, applied};
use crate::eliminate::Table;
use crate::ir::Plan;
use crate::pipeline::Context;
use std::collections::{BTreeMap, BTreeSet};

/// All assignments of a plan's variables that can be carried out.
#[derive(Clone, Debug, Default)]
pub struct Every {
    /// How many there are.
    pub count: usize,
    /// Those that cost least by the search's own account, the cheapest first.
    pub cheapest: Vec<Decisions>,
}

/// Finds all assignments for a plan whose operators are leaves, and keeps the `most` cheapest.
/// Nothing if more than `limit` can be carried out, or a pin cannot hold.
pub fn every(plan: &Plan, cx: &Context, most: usize, limit: usize) -> Option<Every> {
    let space = Space::new(plan, cx).ok()?;
    let nodes = plan.blocks.iter().flat_map(|block| &block.nodes);
    let used: BTreeSet<usize> = nodes.filter_map(applied).map(|(l, _)| l.0 as usize).collect();
    let refinements = space.refinements.iter().flatten();
    let mut walk = Walk {
        options: (0..space.sizes.len())
            .map(|v| {
                let idle = v < plan.leaves.len() && !used.contains(&v);
                if idle { vec![space.best[v]] } else { (0..space.sizes[v]).collect() }
            })
            .collect(),
        closed: vec![Vec::new(); space.sizes.len()],
        choice: vec![0; space.sizes.len()],
        sizes: &space.sizes,
        kept: BTreeMap::new(),
        count: 0,
        most,
        limit,
    };
    for table in space.tables.iter().chain(refinements) {
        if let Some(&last) = table.variables.last() {
            walk.closed[last].push(table);
        }
    }
    walk.visit(0, 0.0)?;
    let cheapest = walk.kept.values().map(|choice| space.search.decisions(choice)).collect();
    Some(Every { count: walk.count, cheapest })
}

/// A walk through all choices, variable by variable.
struct Walk<'a> {
    options: Vec<Vec<usize>>,
    /// For each variable the tables of which it is the last.
    closed: Vec<Vec<&'a Table>>,
    choice: Vec<usize>,
    sizes: &'a [usize],
    /// By cost, and by order among equals.
    kept: BTreeMap<(u64, usize), Vec<usize>>,
    count: usize,
    most: usize,
    limit: usize,
}

impl Walk<'_> {
    fn visit(&mut self, v: usize, cost: f64) -> Option<()> {
        if v == self.sizes.len() {
            self.count += 1;
            self.keep(cost);
            return (self.count <= self.limit).then_some(());
        }
        for k in 0..self.options[v].len() {
            self.choice[v] = self.options[v][k];
            let more: f64 = self.closed[v].iter().map(|t| t.at(&self.choice, self.sizes)).sum();
            if more.is_finite() {
                self.visit(v + 1, cost + more)?;
            }
        }
        Some(())
    }

    fn keep(&mut self, cost: f64) {
        // Of numbers that are not negative the bits are in the order of the numbers.
        self.kept.insert((cost.max(0.0).to_bits(), self.count), self.choice.clone());
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }
}
