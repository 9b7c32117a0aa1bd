//! Leaves and terms by themselves.

use super::form::{cut_fits, spread_fits};
use super::node::ensure;
use super::{Outcome, Report};
use crate::ir::{Leaf, Plan, Term, TermId};
use crate::signature::{Binding, Factor, Rule};
use crate::terms::{Shapes, domain, range, sides};
use std::collections::BTreeSet;

/// `signatures`
pub(super) fn signatures(plan: &Plan, report: &mut Report) {
    for leaf in &plan.leaves {
        let rule = &leaf.signature.rule;
        let bindings = || rule.domain.iter().chain(&rule.range).flatten();
        let sound = bindings().try_for_each(|b| binding(rule, b)).and_then(|()| names(rule));
        if let Err(wrong) = sound.and_then(|()| leaf.signature.check()) {
            report.plan(format!("the signature of {} is unsound: {wrong}", leaf.name));
        }
    }
}

fn binding(rule: &Rule, b: &Binding) -> Outcome {
    let factors = &rule.factors;
    let factor = factors.get(b.factor).ok_or_else(|| format!("it has no factor {}", b.factor))?;
    spread_fits(&b.spread, factor.size).map_err(|wrong| format!("factor {}'s {wrong}", factor.name))
}

fn names(rule: &Rule) -> Outcome {
    let mut names = BTreeSet::new();
    let twice = rule.factors.iter().find(|f| !names.insert(&f.name));
    ensure(twice.is_none(), || {
        format!("two factors are called {}", twice.map_or("", |f| f.name.as_str()))
    })
}

/// `tiles`
pub(super) fn tiles(plan: &Plan, report: &mut Report) {
    for leaf in &plan.leaves {
        if let Err(wrong) = tile(plan, leaf) {
            report.plan(format!("the tile of {} {wrong}", leaf.name));
        }
    }
}

fn tile(plan: &Plan, leaf: &Leaf) -> Outcome {
    let factors = &leaf.signature.rule.factors;
    let have = leaf.tile.len();
    ensure(have == factors.len(), || format!("has {have} splits for {} factors", factors.len()))?;
    let mut used = BTreeSet::new();
    for (split, Factor { name, size, whole, weights }) in leaf.tile.iter().zip(factors) {
        ensure(split.axes.is_empty() || !whole, || {
            format!("splits factor {name}, which is whole")
        })?;
        let twice = split.axes.iter().find(|&&a| !used.insert(a));
        ensure(twice.is_none(), || {
            let axis = twice.map_or("", |&a| &plan.mesh.axes[a].0);
            format!("uses axis {axis} twice, again for factor {name}")
        })?;
        cut_fits(split, *size).map_err(|wrong| format!("cuts factor {name} by {wrong}"))?;
        let declared = split.axes.is_empty() || weights.is_none() || split.cut.is_some();
        ensure(declared, || format!("names no cut of factor {name}, which has weights"))?;
    }
    Ok(())
}

/// `term-shapes`
pub(super) fn term_shapes(plan: &Plan, report: &mut Report) {
    for (t, term) in plan.terms.iter().enumerate() {
        if let Err(wrong) = term_fits(plan, term) {
            report.plan(format!("term {t} {wrong}"));
        }
    }
}

fn term_fits(plan: &Plan, term: &Term) -> Outcome {
    match term {
        Term::Leaf(_)
        | Term::Adjoint(_)
        | Term::Transpose(_)
        | Term::Conj(_)
        | Term::Scale(..)
        | Term::Element(..)
        | Term::BlockDiag(_)
        | Term::Lift(..) => Ok(()),
        Term::Sum(ts) => {
            let first = sides(plan, ts[0]);
            let fit = ts.iter().all(|&t| sides(plan, t) == first);
            ensure(fit, || "adds operators of different shapes".into())
        }
        Term::Product(ts) => {
            let fit = ts.windows(2).all(|w| domain(plan, w[0]) == range(plan, w[1]));
            ensure(fit, || "multiplies operators that do not fit together".into())
        }
        Term::VStack(ts) => equal(plan, ts, domain)
            .ok_or_else(|| "stacks operators of different domains vertically".into()),
        Term::HStack(ts) => equal(plan, ts, range)
            .ok_or_else(|| "stacks operators of different ranges horizontally".into()),
        Term::Regroup(from, to) => {
            let (from, to) = (elements(from), elements(to));
            ensure(from == to, || format!("regroups {from} elements as {to}"))
        }
        Term::Kronecker(ts) => {
            let single = |t: &TermId| {
                let (domain, range) = sides(plan, *t);
                domain.len() == 1 && range.len() == 1
            };
            ensure(ts.iter().all(single), || "has an operand of several parts".into())
        }
    }
}

fn equal(plan: &Plan, terms: &[TermId], side: fn(&Plan, TermId) -> Shapes) -> Option<()> {
    terms.windows(2).all(|w| side(plan, w[0]) == side(plan, w[1])).then_some(())
}

fn elements(shapes: &Shapes) -> usize {
    shapes.iter().map(|dims| dims.iter().product::<usize>()).sum()
}
