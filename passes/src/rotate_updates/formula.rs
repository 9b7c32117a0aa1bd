//! How a variable follows, element by element, from what a step leaves behind.

use super::value_of;
use crate::ir::{Applied, Block, Op, Plan, Target, Value};
use crate::placement::Type;
use std::collections::BTreeSet;

/// What an element of the variable is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Formula {
    /// The variable as it was before.
    Old,
    /// Another variable as the step leaves it.
    State(u32, Type),
    /// A number, by its place in [`Found::numbers`].
    Number(usize),
    /// An update, or an operator that weighs elements.
    Made(Op, Vec<Formula>, Type),
}

/// A number that the step knows at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// A variable holds it already.
    Kept(u32),
    /// It needs one.
    Late(Value),
}

/// A formula with its numbers, and the variable of which it is.
pub(super) struct Found {
    pub(super) formula: Formula,
    pub(super) numbers: Vec<(Number, Type)>,
    state: (u32, Type),
}

/// The formula by which a step ends, if the variable is weighed by an operator at its beginning.
pub(super) fn of(plan: &Plan, step: &Block, state: u32) -> Option<Found> {
    let value = value_of(step, state)?;
    let ty = step.ty(value).clone();
    let mut search = Search { plan, step, state, dims: ty.dims.len(), numbers: Vec::new() };
    if ty.dims.is_empty() || !search.is_weighed() || search.is_used(value) {
        return None;
    }
    let formula = search.formula(value, false)?;
    let late = |(number, _): &(Number, Type)| match number {
        Number::Late(value) => follows_from_sums(step, *value),
        Number::Kept(_) => true,
    };
    let numbers = search.numbers;
    numbers.iter().any(late).then_some(Found { formula, numbers, state: (state, ty) })
}

impl Found {
    /// The variables that it reads.
    pub(super) fn states(&self) -> BTreeSet<u32> {
        let mut out = BTreeSet::new();
        let mut open = vec![&self.formula];
        while let Some(formula) = open.pop() {
            match formula {
                Formula::State(s, _) => {
                    out.insert(*s);
                }
                Formula::Made(_, args, _) => open.extend(args),
                Formula::Old | Formula::Number(_) => {}
            }
        }
        let kept = |(number, _): &(Number, Type)| match number {
            Number::Kept(s) => Some(*s),
            Number::Late(_) => None,
        };
        out.extend(self.numbers.iter().filter_map(kept));
        out
    }

    /// The formula's value in a block, from the variables and from those of the numbers.
    pub(super) fn made(&self, out: &mut Block, numbers: &[u32]) -> Value {
        self.leaves(out, numbers, &self.formula);
        self.value(out, numbers, &self.formula)
    }

    /// Reads all variables before anything is made of them.
    fn leaves(&self, out: &mut Block, numbers: &[u32], formula: &Formula) {
        match formula {
            Formula::Made(_, args, _) => {
                for arg in args {
                    self.leaves(out, numbers, arg);
                }
            }
            leaf => _ = self.value(out, numbers, leaf),
        }
    }

    fn value(&self, out: &mut Block, numbers: &[u32], formula: &Formula) -> Value {
        match formula {
            Formula::Old => get(out, self.state.0, &self.state.1),
            Formula::State(s, ty) => get(out, *s, ty),
            Formula::Number(k) => get(out, numbers[*k], &self.numbers[*k].1),
            Formula::Made(op, args, ty) => {
                let args: Vec<_> = args.iter().map(|arg| self.value(out, numbers, arg)).collect();
                out.push(op.clone(), &args, ty.clone())
            }
        }
    }
}

/// A variable in a block, read once.
pub(super) fn get(out: &mut Block, state: u32, ty: &Type) -> Value {
    let known = out.nodes.iter().find(|n| n.op == Op::Get(state)).map(|n| n.results[0]);
    known.unwrap_or_else(|| out.push(Op::Get(state), &[], ty.clone()))
}

struct Search<'a> {
    plan: &'a Plan,
    step: &'a Block,
    state: u32,
    dims: usize,
    numbers: Vec<(Number, Type)>,
}

impl Search<'_> {
    /// Whether an operator weighs the variable, and none does anything else with it.
    fn is_weighed(&self) -> bool {
        let own = |v: &Value| {
            self.step.nodes.iter().any(|n| n.results == [*v] && n.op == Op::Get(self.state))
        };
        let users = || self.step.nodes.iter().filter(|n| n.args.iter().any(own));
        users().any(|n| matches!(n.op, Op::Apply(_)))
            && users().all(|n| matches!(n.op, Op::Dot { .. }) || self.is_elementwise(&n.op))
    }

    /// Whether anything but the variable needs the value to which it is set.
    fn is_used(&self, value: Value) -> bool {
        let returned = self.step.returns.iter().filter(|r| r.value == value);
        returned.count() > 1 || self.step.nodes.iter().any(|n| n.args.contains(&value))
    }

    fn is_elementwise(&self, op: &Op) -> bool {
        match op {
            Op::Apply(Applied::Leaf(leaf) | Applied::Adjoint(leaf)) => {
                self.plan[*leaf].signature.laws.diagonal
            }
            Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Axpy | Op::Conj | Op::Cast => true,
            _ => false,
        }
    }

    fn formula(&mut self, value: Value, inner: bool) -> Option<Formula> {
        let ty = self.step.ty(value).clone();
        let kept = self.step.returns.iter().find_map(|r| match r.target {
            Target::State(s) => (r.value == value && s != self.state).then_some(s),
            Target::Output | Target::Control(_) => None,
        });
        if ty.dims.len() < self.dims {
            let number = kept.map_or(Number::Late(value), Number::Kept);
            let known = self.numbers.iter().position(|(n, _)| *n == number);
            return Some(Formula::Number(known.unwrap_or_else(|| {
                self.numbers.push((number, ty));
                self.numbers.len() - 1
            })));
        }
        if let Some(s) = kept.filter(|_| inner) {
            return Some(Formula::State(s, ty));
        }
        let node = self.step.nodes.iter().find(|n| n.results == [value])?;
        if node.op == Op::Get(self.state) {
            return inner.then_some(Formula::Old);
        }
        if let Op::Get(s) = node.op {
            return value_of(self.step, s).is_none().then_some(Formula::State(s, ty));
        }
        if !self.is_elementwise(&node.op) {
            return None;
        }
        let args: Option<_> = node.args.iter().map(|&arg| self.formula(arg, true)).collect();
        Some(Formula::Made(node.op.clone(), args?, ty))
    }
}

/// Whether a number is known only when a sum over vectors is.
fn follows_from_sums(step: &Block, number: Value) -> bool {
    let mut open = vec![number];
    while let Some(value) = open.pop() {
        let node = step.nodes.iter().find(|n| n.results.contains(&value));
        let Some(node) = node else { continue };
        if matches!(node.op, Op::Dot { .. }) {
            return true;
        }
        open.extend(&node.args);
    }
    false
}
