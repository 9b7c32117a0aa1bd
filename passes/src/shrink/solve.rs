//! Small sizes that keep every class and solve every equation.

use super::class::Classes;
use super::extents::{Equation, Extents, Relation, Sum, Symbol};
use super::link::{Symbols, Tall};
use super::rewrite::small_table;
use std::collections::{BTreeMap, BTreeSet};

/// The sizes that are tried for one symbol of an equation and of none, and the steps of a search.
const TRIES: usize = 6;
const FREE: usize = 4;
const STEPS: usize = 20_000;

/// The small size of every symbol; else the nodes whose equations could not be solved.
pub(super) fn solve(symbols: &Symbols, classes: &Classes) -> Result<Vec<usize>, Vec<String>> {
    let extents = &symbols.extents;
    let mut solver = Solver {
        tall: &symbols.tall,
        extents,
        classes,
        values: vec![None; extents.len()],
        left: STEPS,
    };
    let roots: BTreeSet<_> = (0..extents.len()).map(|s| extents.root(s)).collect();
    for &r in roots.iter().filter(|&&r| extents.size(r) < 2) {
        solver.values[r] = Some(extents.size(r));
    }
    for (unknowns, equations) in components(extents) {
        if !solver.search(&unknowns, &equations) {
            let names: BTreeSet<_> = equations.iter().map(|e| e.node.clone()).collect();
            return Err(names.into_iter().collect());
        }
    }
    solver.free(&roots)?;
    if let Some(broken) = solver.tall.iter().find(|t| solver.order(t) == Some(false)) {
        return Err(vec![broken.node.clone()]);
    }
    Ok((0..extents.len()).map(|s| solver.values[extents.root(s)].unwrap_or(0)).collect())
}

/// Equations that share unknowns, with these, small ones first.
fn components(extents: &Extents) -> Vec<(Vec<Symbol>, Vec<&Equation>)> {
    let mut all: Vec<(BTreeSet<Symbol>, Vec<&Equation>)> = Vec::new();
    for equation in &extents.equations {
        let mut merged = (equation.unknowns(extents), vec![equation]);
        let (touching, rest) = all.into_iter().partition(|(u, _)| !u.is_disjoint(&merged.0));
        all = rest;
        let touching: Vec<(BTreeSet<Symbol>, Vec<&Equation>)> = touching;
        for (unknowns, equations) in touching {
            merged.0.extend(unknowns);
            merged.1.extend(equations);
        }
        all.push(merged);
    }
    let sorted = |(unknowns, equations): (BTreeSet<Symbol>, Vec<_>)| {
        let mut unknowns: Vec<_> = unknowns.into_iter().collect();
        unknowns.sort_by_key(|&s| (extents.size(s), s));
        (unknowns, equations)
    };
    all.into_iter().map(sorted).collect()
}

impl Equation {
    fn unknowns(&self, extents: &Extents) -> BTreeSet<Symbol> {
        let symbols: Vec<Symbol> = match &self.relation {
            Relation::Balance(left, right) => left.iter().chain(right).flatten().copied().collect(),
            Relation::Total { dim, index, .. } => vec![*dim, *index],
        };
        symbols.into_iter().map(|s| extents.root(s)).filter(|&s| extents.size(s) > 1).collect()
    }
}

struct Solver<'a> {
    tall: &'a [Tall],
    extents: &'a Extents,
    classes: &'a Classes<'a>,
    values: Vec<Option<usize>>,
    left: usize,
}

impl Solver<'_> {
    /// Extents in no equation, ascending, so that their order is kept where their class allows.
    fn free(&mut self, roots: &BTreeSet<Symbol>) -> Result<(), Vec<String>> {
        let mut order: Vec<_> = roots.iter().filter(|&&r| self.values[r].is_none()).collect();
        order.sort_by_key(|&&r| (self.extents.size(r), r));
        let mut seen: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for &r in order {
            let size = self.extents.size(r);
            let candidates = self.ordered(r, size);
            if candidates.is_empty() {
                return Err(vec![format!("an extent of {size}")]);
            }
            let known = seen.entry(candidates.clone()).or_default();
            let at = known.iter().position(|&s| s == size).unwrap_or_else(|| {
                known.push(size);
                known.len() - 1
            });
            self.values[r] = Some(candidates[at.min(candidates.len() - 1)]);
        }
        Ok(())
    }

    /// Small sizes of an extent that keep tall operators tall.
    fn ordered(&mut self, r: Symbol, size: usize) -> Vec<usize> {
        let mut found = Vec::new();
        for n in self.classes.candidates(r, size, usize::MAX) {
            self.values[r] = Some(n);
            if self.tall.iter().all(|t| self.order(t) != Some(false)) {
                found.push(n);
            }
            if found.len() == FREE {
                break;
            }
        }
        self.values[r] = None;
        found
    }

    /// Whether a tall operator is tall, if that is known.
    fn order(&self, tall: &Tall) -> Option<bool> {
        let sum = |sum: &Sum| -> Option<usize> {
            let value = |&s: &Symbol| self.values[self.extents.root(s)];
            sum.iter().map(|product| product.iter().map(value).product::<Option<usize>>()).sum()
        };
        Some(sum(&tall.more)? >= sum(&tall.less)?)
    }

    fn search(&mut self, unknowns: &[Symbol], equations: &[&Equation]) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let before = self.values.clone();
        if self.propagate(equations) {
            let Some(&next) = unknowns.iter().find(|&&u| self.values[u].is_none()) else {
                return true;
            };
            let size = self.extents.size(next);
            for n in self.classes.candidates(next, size, TRIES) {
                let here = self.values.clone();
                self.values[next] = Some(n);
                if self.search(unknowns, equations) {
                    return true;
                }
                self.values = here;
            }
        }
        self.values = before;
        false
    }

    /// Solves equations with one unknown until there are none; false if one cannot hold.
    fn propagate(&mut self, equations: &[&Equation]) -> bool {
        loop {
            let mut found = false;
            for equation in equations {
                match self.one(equation) {
                    Step::Holds | Step::Open => {}
                    Step::Found => found = true,
                    Step::Fails => return false,
                }
            }
            if !found {
                return true;
            }
        }
    }

    fn one(&mut self, equation: &Equation) -> Step {
        match &equation.relation {
            Relation::Total { dim, index, table } => {
                let Some(n) = self.values[self.extents.root(*index)] else { return Step::Open };
                let total = *small_table(table, n).last().unwrap_or(&0);
                self.set(*dim, total, true)
            }
            Relation::Balance(left, right) => self.balance(left, right),
        }
    }

    fn balance(&mut self, left: &Sum, right: &Sum) -> Step {
        let mut unknown = None;
        // The sum of what is known, and the factor of what is not, with the right side negated.
        let (mut known, mut factor) = (0i64, 0i64);
        let signed = left.iter().map(|p| (1, p)).chain(right.iter().map(|p| (-1, p)));
        for (sign, product) in signed {
            let mut value = sign;
            let mut open = None;
            for &s in product {
                let root = self.extents.root(s);
                match self.values[root] {
                    Some(n) => value *= n as i64,
                    None if open.is_some() => return Step::Open,
                    None => open = Some(root),
                }
            }
            match (open, unknown) {
                (None, _) => known += value,
                (Some(s), Some(other)) if s != other => return Step::Open,
                (Some(s), _) => {
                    unknown = Some(s);
                    factor += value;
                }
            }
        }
        let Some(unknown) = unknown else {
            return if known == 0 { Step::Holds } else { Step::Fails };
        };
        if factor == 0 {
            return if known == 0 { Step::Open } else { Step::Fails };
        }
        let n = -known / factor;
        if n * factor != -known || n < 0 {
            return Step::Fails;
        }
        self.set(unknown, n as usize, false)
    }

    /// Gives a symbol its value; the total of a table need not keep a class.
    fn set(&mut self, symbol: Symbol, n: usize, any: bool) -> Step {
        let root = self.extents.root(symbol);
        match self.values[root] {
            Some(known) if known == n => Step::Holds,
            None if any || self.classes.alike(root, self.extents.size(root), n) => {
                self.values[root] = Some(n);
                Step::Found
            }
            Some(_) | None => Step::Fails,
        }
    }
}

/// What became of an equation.
enum Step {
    Holds,
    Found,
    Open,
    Fails,
}
