//! The numbers by which the first direction follows from no direction.

use super::formula::{self, Formula, Found};
use super::value_of;
use crate::ir::{Block, Node, Op, Value};
use crate::placement::Type;

/// What `setup` gives each number of a formula.
pub(super) struct First {
    pub(super) numbers: Vec<Number>,
}

/// What `setup` gives a number.
#[derive(Clone, PartialEq)]
pub(super) enum Number {
    Value(Value),
    Zero(Type),
    /// What it gives it anyway.
    Kept,
}

/// The numbers with which a formula, whose old value is zero, gives what `setup` sets; none if no
/// numbers do.
pub(super) fn of(setup: &Block, state: u32, found: &Found) -> Option<First> {
    let mut matching = Matching { setup, found, numbers: vec![None; found.numbers.len()] };
    let value = value_of(setup, state)?;
    if !matching.is(&found.formula, value) {
        return None;
    }
    let zero = |v: Value| setup.nodes.iter().any(|n| n.op == Op::Zero && n.results == [v]);
    let kept = found.numbers.iter().zip(matching.numbers).map(|((number, ty), given)| {
        match (number, given) {
            (formula::Number::Kept(s), given) => {
                let own = value_of(setup, *s)?;
                let fits = match given {
                    Some(Number::Value(value)) => value == own,
                    Some(Number::Zero(_)) => zero(own),
                    Some(Number::Kept) | None => true,
                };
                fits.then_some(Number::Kept)
            }
            // It weighs nothing.
            (formula::Number::Late(_), None) => Some(Number::Zero(ty.clone())),
            (formula::Number::Late(_), given) => given,
        }
    });
    Some(First { numbers: kept.collect::<Option<_>>()? })
}

struct Matching<'a> {
    setup: &'a Block,
    found: &'a Found,
    /// What was found so far for each number.
    numbers: Vec<Option<Number>>,
}

impl Matching<'_> {
    /// Whether a formula can be made to give a value; numbers stay as they were if it cannot.
    fn is(&mut self, formula: &Formula, value: Value) -> bool {
        let before = self.numbers.clone();
        let same = self.alike(formula, value) || {
            self.numbers.clone_from(&before);
            self.without(formula, value)
        };
        if !same {
            self.numbers = before;
        }
        same
    }

    fn alike(&mut self, formula: &Formula, value: Value) -> bool {
        match formula {
            Formula::Old => false,
            Formula::State(s, _) => value_of(self.setup, *s) == Some(value),
            Formula::Number(k) => self.give(*k, &Number::Value(value)),
            Formula::Made(op, args, ty) => {
                let node = self.setup.nodes.iter().find(|n| n.results == [value]);
                let Some(Node { op: own, args: values, .. }) = node else { return false };
                let same = own == op && values.len() == args.len() && self.setup.ty(value) == ty;
                same && args.iter().zip(values).all(|(arg, &v)| self.is(arg, v))
            }
        }
    }

    /// `a x + y` where a may be zero.
    fn without(&mut self, formula: &Formula, value: Value) -> bool {
        let Formula::Made(Op::Axpy, args, _) = formula else { return false };
        let [Formula::Number(k), _, rest] = &args[..] else { return false };
        self.is(rest, value) && self.give(*k, &Number::Zero(self.found.numbers[*k].1.clone()))
    }

    fn give(&mut self, number: usize, given: &Number) -> bool {
        let fits = match given {
            Number::Value(value) => *self.setup.ty(*value) == self.found.numbers[number].1,
            Number::Zero(_) | Number::Kept => true,
        };
        let known = self.numbers[number].get_or_insert_with(|| given.clone());
        fits && known == given
    }
}
