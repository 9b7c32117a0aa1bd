//! Names of leaves, and slots of numbers, while an expression is lowered.

use super::error::Wrong;
use super::lowering::LowerContext;
use super::op::Op;
use super::scalar::{Monomial, Number, Param, Scalar};
use crate::ops::Operator;
use adjoin_passes::Dtype;
use adjoin_passes::ir::{Coefficient, Elementwise, Leaf, LeafId, Slot, SlotId, Term, TermId};
use adjoin_passes::search::Pin;
use num_complex::Complex64;
use std::sync::Arc;

impl LowerContext {
    /// The leaf of an operator, the same for the same operator.
    pub(super) fn leaf(
        &mut self,
        operator: &Arc<dyn Operator>,
        name: Option<&str>,
        hint: Option<&str>,
    ) -> Result<LeafId, Wrong> {
        let same = |o: &Arc<dyn Operator>| std::ptr::addr_eq(Arc::as_ptr(o), Arc::as_ptr(operator));
        let found = self.operators.iter().position(same);
        if let (Some(name), Some(other)) = (name, name.and_then(|n| self.named(n)))
            && found != Some(other)
        {
            if self.given[other] {
                return Err(Wrong::new(format!("two operators are named {name}"))
                    .help("the same operator, used twice, may keep its name"));
            }
            let renamed = self.unused(&self.plan.leaves[other].name.clone());
            self.plan.leaves[other].name = renamed;
        }
        if let Some(at) = found {
            if let (Some(name), false) = (name, self.given[at]) {
                self.plan.leaves[at].name = name.to_string();
                self.given[at] = true;
            }
            return Ok(LeafId(at as u32));
        }
        let signature = Arc::new(operator.signature().clone());
        let automatic = || self.unused(hint.unwrap_or(&signature.kind));
        let leaf = Leaf {
            name: name.map_or_else(automatic, str::to_string),
            tile: vec![adjoin_passes::Split::none(); signature.rule.factors.len()],
            signature,
        };
        self.plan.leaves.push(leaf);
        self.operators.push(operator.clone());
        self.given.push(name.is_some());
        Ok(LeafId(self.plan.leaves.len() as u32 - 1))
    }

    /// Notes how all leaves of a term are to be placed.
    pub(super) fn pin(&mut self, term: TermId, wanted: &str) {
        let mut term = self.plan[term].clone();
        if let Term::Leaf(leaf) = term {
            self.pinned.push((leaf, wanted.to_owned()));
        }
        term.operands_mut().iter().for_each(|&below| self.pin(below, wanted));
    }

    /// The placements that the expressions so far demand.
    pub fn pins(&self) -> Vec<Pin> {
        let name = |leaf: LeafId| self.plan[leaf].name.clone();
        let pin = |(leaf, wanted): &(LeafId, String)| Pin {
            subject: name(*leaf),
            wanted: wanted.clone(),
            always: true,
        };
        self.pinned.iter().map(pin).collect()
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.plan.leaves.iter().position(|l| l.name == name)
    }

    /// The name itself, or with the first number that makes it new.
    fn unused(&self, name: &str) -> String {
        let gap = if name.ends_with(|c: char| c.is_alphabetic()) { "" } else { "_" };
        let numbered = (2..).map(|k| format!("{name}{gap}{k}"));
        let mut names = std::iter::once(name.to_string()).chain(numbered);
        names.find(|n| self.named(n).is_none()).unwrap_or_default()
    }

    /// The slot of a named number; the same name must come with the same default.
    pub fn slot(&mut self, name: &str, default: impl Into<Number>) -> Result<SlotId, String> {
        let default = default.into();
        let dtype = if default.complex { Dtype::C128 } else { Dtype::F64 };
        if let Some(at) = self.plan.slots.iter().position(|s| s.name == name) {
            if self.literal[at] {
                let renamed = self.literal_name();
                self.plan.slots[at].name = renamed;
            } else if self.slots[at] == default.value && self.plan.slots[at].dtype == dtype {
                return Ok(SlotId(at as u32));
            } else {
                return Err(format!("the parameter {name} has two different defaults"));
            }
        }
        Ok(self.push_slot(name.to_string(), dtype, default.value, false))
    }

    /// Whether an expression has a parameter of this name; literals make way for any name.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        let slots = self.plan.slots.iter().zip(&self.literal);
        slots.into_iter().any(|(slot, literal)| slot.name == name && !literal)
    }

    /// The slot of a literal number, the same for equal ones.
    pub fn literal(&mut self, value: Complex64) -> SlotId {
        let same = |at: &usize| {
            let slot = self.slots[*at];
            let bits = |z: Complex64| (z.re.to_bits(), z.im.to_bits());
            self.literal[*at] && bits(slot) == bits(value)
        };
        if let Some(at) = (0..self.slots.len()).find(same) {
            return SlotId(at as u32);
        }
        let dtype = if value.im == 0.0 { Dtype::F64 } else { Dtype::C128 };
        let name = self.literal_name();
        self.push_slot(name, dtype, value, true)
    }

    fn literal_name(&self) -> String {
        let taken = |name: &String| self.plan.slots.iter().any(|s| s.name == *name);
        (0..=self.slots.len())
            .map(|k| format!("c{k}"))
            .find(|name| !taken(name))
            .unwrap_or_default()
    }

    fn push_slot(&mut self, name: String, dtype: Dtype, value: Complex64, literal: bool) -> SlotId {
        self.plan.slots.push(Slot { name, dtype });
        self.slots.push(value);
        self.literal.push(literal);
        SlotId(self.slots.len() as u32 - 1)
    }

    /// The coefficients whose sum is the scalar.
    pub(super) fn coefficients(&mut self, scalar: &Scalar) -> Result<Vec<Coefficient>, Wrong> {
        let zero = [Monomial { number: Complex64::default(), params: Vec::new() }];
        let terms = if scalar.terms.is_empty() { &zero[..] } else { &scalar.terms };
        terms.iter().map(|m| self.coefficient(m)).collect()
    }

    fn coefficient(&mut self, m: &Monomial) -> Result<Coefficient, Wrong> {
        let negative = m.number.im == 0.0 && m.number.re < 0.0;
        let number = if negative { -m.number.re } else { m.number.re };
        let mut slots = Vec::new();
        if m.number.im != 0.0 || number != 1.0 {
            let im = if negative { 0.0 } else { m.number.im };
            slots.push((self.literal(Complex64::new(number, im)), false));
        }
        for (Param { name, default }, conj) in &m.params {
            slots.push((self.slot(name, *default).map_err(Wrong::new)?, *conj));
        }
        slots.sort_unstable();
        Ok(Coefficient { negative, slots })
    }

    /// `cA`, a sum if the scalar is one.
    pub(super) fn scaled(&mut self, scalar: &Scalar, term: TermId) -> Result<TermId, Wrong> {
        let coefficients = self.coefficients(scalar)?;
        let scale = |c: Coefficient| {
            if c.is_one() { term } else { self.plan.term(Term::Scale(c, term)) }
        };
        let terms: Vec<_> = coefficients.into_iter().map(scale).collect();
        Ok(self.joined(Term::Sum, terms))
    }

    /// The term of several, or the only one.
    pub(super) fn joined(&mut self, of: fn(Vec<TermId>) -> Term, terms: Vec<TermId>) -> TermId {
        match terms[..] {
            [one] => one,
            _ => self.plan.term(of(terms)),
        }
    }

    /// The identity on the domain of an operator.
    pub(super) fn identity(&mut self, op: &Op) -> TermId {
        self.plan.term(Term::Element(Elementwise::Identity, op.domain().shapes()))
    }
}
