//! From an expression to the unplaced plan, node for node.
//!
//! ```text
//! A.H @ (A @ x)      %0 = input x        : f64[1024]
//!                    %1 = apply A %0     : f64[4096]
//!                    %2 = apply A.H %1   : f64[1024]
//! ```
//! Sums of sums and products of products become one term each; everything else stays as it was
//! written. Where sizes agree and shapes do not, a regrouping stands between.

use super::error::{ExprError, Fault, Wrong};
use super::kronecker::one_part;
use super::op::{Block, Kind, Op, Stacked};
use super::parts::Parts;
use super::text::report;
use super::vector::{Vector, input_parts};
use crate::ops::Operator;
use adjoin_passes::ir::{self, Coefficient, LeafId, Target, Term, TermId};
use adjoin_passes::search::Pin;
use adjoin_passes::{Dtype, Plan};
use num_complex::Complex64;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An expression as an unplaced plan, with what the plan only names.
pub struct Lowered {
    /// A plan without a mesh, of one block without a name.
    pub plan: Plan,
    /// The operator of each leaf.
    pub operators: Vec<Arc<dyn Operator>>,
    /// The default of each slot.
    pub slots: Vec<Complex64>,
    /// The parts of the result, in the order of the plan's outputs.
    pub outputs: Vec<Output>,
    /// The placements that the expression demands.
    pub pins: Vec<Pin>,
}

/// A part of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name, where one was given.
    pub name: Option<String>,
    /// Its shape.
    pub dims: Vec<usize>,
    /// Its element type.
    pub dtype: Dtype,
}

/// A plan under construction: terms, leaves and slots of any number of expressions.
///
/// Solvers write their own blocks and take operators from here.
#[derive(Default)]
pub struct LowerContext {
    /// The plan so far.
    pub plan: Plan,
    /// The operator of each leaf.
    pub operators: Vec<Arc<dyn Operator>>,
    /// The default of each slot.
    pub slots: Vec<Complex64>,
    /// How leaves are to be placed.
    pub(super) pinned: Vec<(LeafId, String)>,
    /// Whether the user named the leaf.
    pub(super) given: Vec<bool>,
    /// Whether the slot holds a literal.
    pub(super) literal: Vec<bool>,
    terms: BTreeMap<u64, TermId>,
}

/// The plan of a data expression.
pub fn lower(vector: &Vector) -> Result<Lowered, ExprError> {
    let mut context = LowerContext::new();
    let mut block = ir::Block::default();
    let values = context.vector(&mut block, vector)?;
    let output = |(part, value): (&super::Part, &ir::Value)| Output {
        name: part.name.clone(),
        dims: part.dims.clone(),
        dtype: block.ty(*value).dtype,
    };
    let outputs = vector.parts().0.iter().zip(&values).map(output).collect();
    for value in values {
        block.give(Target::Output, value);
    }
    let pins = context.pins();
    let LowerContext { mut plan, operators, slots, .. } = context;
    plan.blocks.push(block);
    Ok(Lowered { plan, operators, slots, outputs, pins })
}

/// The plan of an operator on an input `x` of these types, one for each part or one for all.
pub fn lower_operator(op: &Op, types: &[Dtype]) -> Result<Lowered, ExprError> {
    op.check()?;
    lower(&(op * input_parts("x", op.domain().clone(), types)))
}

impl LowerContext {
    /// An empty plan.
    pub fn new() -> Self {
        LowerContext::default()
    }

    /// The term of an operator expression; the same for the same expression.
    pub fn term(&mut self, op: &Op) -> Result<TermId, ExprError> {
        self.inner(op).map_err(|fault| report(op, &fault))
    }

    pub(super) fn inner(&mut self, op: &Op) -> Result<TermId, Fault> {
        self.lower(op, None)
    }

    /// The term of a node; `hint` names the leaves below it that have no name.
    fn lower(&mut self, op: &Op, hint: Option<&str>) -> Result<TermId, Fault> {
        if let Some(fault) = &op.0.fault {
            return Err(Fault::clone(fault));
        }
        if let Some(&term) = self.terms.get(&op.0.id) {
            return Ok(term);
        }
        let term = self.lower_new(op, hint)?;
        self.terms.insert(op.0.id, term);
        Ok(term)
    }

    fn lower_new(&mut self, op: &Op, hint: Option<&str>) -> Result<TermId, Fault> {
        let at = |wrong: Wrong| Fault { node: op.0.id, wrong };
        let term = match &op.0.kind {
            Kind::Leaf(operator, name) => {
                Term::Leaf(self.leaf(operator, name.as_deref(), hint).map_err(at)?)
            }
            Kind::Named(name, a) => return self.lower(a, Some(name)),
            Kind::Pinned(wanted, a) => {
                let term = self.lower(a, hint)?;
                self.pin(term, wanted);
                return Ok(term);
            }
            Kind::Rows(_, a) => return self.lower(a, hint),
            Kind::Adjoint(a) => Term::Adjoint(self.lower(a, hint)?),
            Kind::Transpose(a) => Term::Transpose(self.lower(a, hint)?),
            Kind::Conj(a) => Term::Conj(self.lower(a, hint)?),
            Kind::Neg(a) => Term::Scale(minus(), self.lower(a, hint)?),
            Kind::Scale(c, a) => {
                let a = self.lower(a, hint)?;
                return self.scaled(c, a).map_err(at);
            }
            Kind::Divide(a, c) => {
                let a = self.lower(a, hint)?;
                let number = c.literal().unwrap_or_default();
                let reciprocal = super::Scalar::from(1).over(number.into());
                return self.scaled(&reciprocal, a).map_err(at);
            }
            Kind::Sum(_) => {
                let mut terms = Vec::new();
                self.summands(op, op, false, &mut terms)?;
                return Ok(self.joined(Term::Sum, terms));
            }
            Kind::Product(_) => return self.product(op),
            Kind::Power(a, n) => return self.power(a, *n, hint),
            Kind::Stack(how, blocks) => return self.stack(op, *how, blocks, hint),
            Kind::Element(map) => Term::Element(*map, op.domain().shapes()),
            Kind::Kronecker(a, b) => {
                let (a, b) = (one_part(a), one_part(b));
                Term::Kronecker([self.lower(&a, hint)?, self.lower(&b, hint)?])
            }
            Kind::Flat(a) => {
                let term = self.lower(a, hint)?;
                return Ok(self.between(a, term, op.domain(), op.range()));
            }
            Kind::Deep => return Err(at(super::op::too_deep())),
        };
        Ok(self.plan.term(term))
    }

    /// The summands of nested sums, each on the sides of the whole.
    fn summands(
        &mut self,
        op: &Op,
        whole: &Op,
        minus_all: bool,
        out: &mut Vec<TermId>,
    ) -> Result<(), Fault> {
        if let Kind::Sum(terms) = &op.0.kind {
            return terms
                .iter()
                .try_for_each(|(minus, a)| self.summands(a, whole, minus_all != *minus, out));
        }
        let term = self.lower(op, None)?;
        let term = self.between(op, term, whole.domain(), whole.range());
        out.push(if minus_all { self.plan.term(Term::Scale(minus(), term)) } else { term });
        Ok(())
    }

    fn product(&mut self, op: &Op) -> Result<TermId, Fault> {
        let mut factors = Vec::new();
        flatten(op, &mut factors);
        let mut terms = Vec::new();
        for (i, factor) in factors.iter().enumerate() {
            if i > 0 {
                terms.extend(self.regroup(factor.range(), factors[i - 1].domain()));
            }
            terms.push(self.lower(factor, None)?);
        }
        Ok(self.joined(Term::Product, terms))
    }

    fn power(&mut self, a: &Op, n: u32, hint: Option<&str>) -> Result<TermId, Fault> {
        let base = self.lower(a, hint)?;
        if n == 0 {
            return Ok(self.identity(a));
        }
        let mut terms = vec![base];
        for _ in 1..n {
            terms.extend(self.regroup(a.range(), a.domain()));
            terms.push(base);
        }
        Ok(self.joined(Term::Product, terms))
    }

    fn stack(
        &mut self,
        op: &Op,
        how: Stacked,
        blocks: &[Block],
        hint: Option<&str>,
    ) -> Result<TermId, Fault> {
        let mut terms = Vec::new();
        for (i, block) in blocks.iter().enumerate() {
            let name = hint.map(|name| format!("{name}[{i}]"));
            let term = self.lower(&block.op, name.as_deref())?;
            let (domain, range) = match how {
                Stacked::Vertical => (op.domain(), block.op.range()),
                Stacked::Horizontal => (block.op.domain(), op.range()),
                Stacked::Diagonal => (block.op.domain(), block.op.range()),
            };
            terms.push(self.between(&block.op, term, domain, range));
        }
        Ok(self.plan.term(match how {
            Stacked::Vertical => Term::VStack(terms),
            Stacked::Horizontal => Term::HStack(terms),
            Stacked::Diagonal => Term::BlockDiag(terms),
        }))
    }

    /// The term of `op` from other parts to other parts of the same sizes.
    fn between(&mut self, op: &Op, term: TermId, domain: &Parts, range: &Parts) -> TermId {
        let mut terms = Vec::from_iter(self.regroup(op.range(), range));
        terms.push(term);
        terms.extend(self.regroup(domain, op.domain()));
        self.joined(Term::Product, terms)
    }

    /// What stands between parts of equal size and other shapes.
    pub(super) fn regroup(&mut self, from: &Parts, to: &Parts) -> Option<TermId> {
        if from.alike(to) {
            return None;
        }
        Some(self.plan.term(Term::Regroup(from.shapes(), to.shapes())))
    }
}

fn minus() -> Coefficient {
    Coefficient { negative: true, slots: Vec::new() }
}

/// The factors of nested products.
fn flatten<'a>(op: &'a Op, out: &mut Vec<&'a Op>) {
    match &op.0.kind {
        Kind::Product(factors) => factors.iter().for_each(|f| flatten(f, out)),
        _ => out.push(op),
    }
}
