//! What a plan declares in its head under names: cuts and tables.

use crate::ir::Plan;
use crate::placement::{Cut, Split};
use crate::signature::{Factor, Spread};
use crate::weights::Weights;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The cuts of a plan, and tables that only rules use.
pub(super) struct Tables<'a>(Vec<Cow<'a, Cut>>);

impl<'a> Tables<'a> {
    pub fn new(plan: &'a Plan) -> Self {
        Tables(tables(plan))
    }

    /// What is to be declared, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Cut> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// The name under which a spread is declared.
    pub fn spread(&self, size: usize, spread: &Spread) -> &str {
        let found = self.0.iter().find(|c| c.size == size && c.spread == *spread);
        found.map_or("?", |c| &c.name)
    }

    /// The name under which weights are declared.
    pub fn weights(&self, size: usize, weights: &Arc<Weights>) -> &str {
        let found = self.0.iter().find(|c| has_weights(c, size, weights));
        found.map_or("?", |c| &c.name)
    }
}

fn has_weights(cut: &Cut, size: usize, weights: &Arc<Weights>) -> bool {
    cut.size == size && cut.weights.as_ref() == Some(weights)
}

/// The cuts of a plan in order of their use, then tables that only rules use, under new names.
fn tables(plan: &Plan) -> Vec<Cow<'_, Cut>> {
    let mut cuts: Vec<Cow<Cut>> = Vec::new();
    let mut seen: BTreeMap<&str, Vec<&Arc<Cut>>> = BTreeMap::new();
    for cut in splits(plan).filter(|s| !s.axes.is_empty()).filter_map(|s| s.cut.as_ref()) {
        let same = seen.entry(&cut.name).or_default();
        if !same.contains(&cut) {
            same.push(cut);
            cuts.push(Cow::Borrowed(cut));
        }
    }
    let mut fresh = Fresh { taken: seen.into_keys().collect(), spreads: 0, weights: 0 };
    for rule in plan.leaves.iter().map(|leaf| &leaf.signature.rule) {
        for binding in rule.range.iter().chain(&rule.domain).flatten() {
            let size = rule.factors.get(binding.factor).map_or(0, |f| f.size);
            let spread = &binding.spread;
            let named = cuts.iter().any(|c| c.size == size && c.spread == *spread);
            if matches!(spread, Spread::Table(_)) && !named {
                let name = fresh.spread();
                cuts.push(Cow::Owned(Cut { name, size, weights: None, spread: spread.clone() }));
            }
        }
        for Factor { size, weights, .. } in &rule.factors {
            let Some(weights) = weights else { continue };
            if !cuts.iter().any(|c| has_weights(c, *size, weights)) {
                let (name, weights) = (fresh.weights(), Some(weights.clone()));
                cuts.push(Cow::Owned(Cut { name, size: *size, weights, spread: Spread::One }));
            }
        }
    }
    cuts
}

/// Every split of a plan, in the order in which they print.
fn splits(plan: &Plan) -> impl Iterator<Item = &Split> {
    let values = plan.blocks.iter().flat_map(|block| {
        let results = block.nodes.iter().flat_map(|node| &node.results);
        results.filter_map(|v| block.types.get(v.index()))
    });
    let types = plan.states.iter().map(|s| &s.ty).chain(values);
    let tiles = plan.leaves.iter().flat_map(|leaf| &leaf.tile);
    tiles.chain(types.flat_map(|ty| &ty.placement.splits))
}

/// Names for tables: `s0`, `s1`, … and `w0`, `w1`, …, without those that cuts have.
struct Fresh<'a> {
    taken: BTreeSet<&'a str>,
    spreads: usize,
    weights: usize,
}

impl Fresh<'_> {
    fn spread(&mut self) -> String {
        Self::next(&self.taken, "s", &mut self.spreads)
    }

    fn weights(&mut self) -> String {
        Self::next(&self.taken, "w", &mut self.weights)
    }

    fn next(taken: &BTreeSet<&str>, letter: &str, counter: &mut usize) -> String {
        loop {
            let name = format!("{letter}{counter}");
            *counter += 1;
            if !taken.contains(name.as_str()) {
                return name;
            }
        }
    }
}
