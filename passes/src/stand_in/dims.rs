//! The indices of one part of a leaf, walked without allocating.

use crate::placement::Region;
use crate::signature::{Binding, Rule, Spread};
use std::cell::RefCell;
use std::ops::Range;

/// One part on one rank: which elements are held, and to which values of the factors they belong.
pub(super) struct Part<'a> {
    /// Which part of its side.
    pub index: usize,
    rule: &'a Rule,
    bindings: &'a [Binding],
    held: &'a [Range<usize>],
    tile: &'a [Range<usize>],
    /// For each dim the value of each held element.
    values: Vec<Vec<usize>>,
    place: RefCell<Place>,
}

/// One index of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// For each dim the global index.
    pub at: Vec<usize>,
    /// For each dim the value of its factor.
    pub values: Vec<usize>,
    /// The row-major index in the whole part.
    pub flat: usize,
    /// The row-major index among those held.
    pub position: usize,
}

impl<'a> Part<'a> {
    /// Part `index` of a side, as far as a rank holds it.
    pub fn new(
        rule: &'a Rule,
        side: &'a [Vec<Binding>],
        index: usize,
        held: &'a Region,
        tile: &'a [Range<usize>],
    ) -> Self {
        let bindings = &side[index];
        let held = &held[..bindings.len()];
        let values = bindings.iter().zip(held).map(|(b, h)| values(rule, b, h)).collect();
        let n = bindings.len();
        let place = Place { at: vec![0; n], values: vec![0; n], flat: 0, position: 0 };
        Part { index, rule, bindings, held, tile, values, place: RefCell::new(place) }
    }

    /// How many dims the rule binds.
    pub fn dims(&self) -> usize {
        self.bindings.len()
    }

    /// The rule.
    pub fn rule(&self) -> &Rule {
        self.rule
    }

    /// The bindings of its dims.
    pub fn bindings(&self) -> &[Binding] {
        self.bindings
    }

    /// Calls `f` for each held index inside the tile.
    pub fn each(&self, mut f: impl FnMut(&Place)) {
        let ranges = self.bindings.iter().zip(self.held).map(|(b, held)| {
            let tile = &self.tile[b.factor];
            within(b, tile.start, tile.end, held)
        });
        self.walk(&ranges.collect::<Vec<_>>(), &mut f);
    }

    /// Calls `f` for each held index of the domain that an index of the range is connected with.
    pub fn connected(&self, range: &Part, row: &Place, mut f: impl FnMut(&Place)) {
        let limits = self.bindings.iter().zip(self.held).map(|(b, held)| {
            let shared = range.bindings.iter().position(|r| r.factor == b.factor);
            let Some(r) = shared else {
                let tile = &self.tile[b.factor];
                return within(b, tile.start, tile.end, held);
            };
            let value = row.values[r];
            let end = (value + b.halo.1 + 1).min(self.rule.factors[b.factor].size);
            within(b, value.saturating_sub(b.halo.0), end, held)
        });
        self.walk(&limits.collect::<Vec<_>>(), &mut f);
    }

    fn walk(&self, limits: &[Range<usize>], f: &mut dyn FnMut(&Place)) {
        if limits.iter().any(Range::is_empty) {
            return;
        }
        let mut place = self.place.borrow_mut();
        for (d, limit) in limits.iter().enumerate() {
            self.go(&mut place, d, limit.start);
        }
        loop {
            (place.flat, place.position) = (0, 0);
            for (d, (binding, held)) in self.bindings.iter().zip(self.held).enumerate() {
                place.flat = place.flat * self.rule.extent(binding) + place.at[d];
                place.position = place.position * held.len() + place.at[d] - held.start;
            }
            f(&place);
            let mut d = limits.len();
            loop {
                if d == 0 {
                    return;
                }
                d -= 1;
                let next = place.at[d] + 1;
                if next < limits[d].end {
                    self.go(&mut place, d, next);
                    break;
                }
                self.go(&mut place, d, limits[d].start);
            }
        }
    }

    fn go(&self, place: &mut Place, d: usize, at: usize) {
        place.at[d] = at;
        place.values[d] = self.values[d][at - self.held[d].start];
    }
}

/// The held elements of some values of a factor.
fn within(binding: &Binding, start: usize, end: usize, held: &Range<usize>) -> Range<usize> {
    binding.spread.at(start).max(held.start)..binding.spread.at(end).min(held.end)
}

/// The value of each held element.
fn values(rule: &Rule, binding: &Binding, held: &Range<usize>) -> Vec<usize> {
    let size = rule.factors[binding.factor].size;
    let value = |e: usize| match &binding.spread {
        Spread::One => e,
        Spread::Uniform(k) => e / k,
        Spread::Table(table) => table.partition_point(|&begin| begin <= e).clamp(1, size) - 1,
    };
    held.clone().map(value).collect()
}
