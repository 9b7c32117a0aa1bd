//! Composite operators, each on a line, and the names by which they are referred to.

use super::Printer;
use super::layout::name;
use crate::ir::{Applied, Coefficient, LeafId, Op, Plan, SlotId, Term, TermId};
use crate::text::words;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Which terms have a line, and under which number.
pub(super) struct Terms {
    /// The number of each term that has a line of its own.
    numbers: BTreeMap<TermId, usize>,
    /// The term of each leaf.
    leaves: BTreeMap<LeafId, TermId>,
}

impl Terms {
    pub fn new(plan: &Plan) -> Self {
        let mut leaves = BTreeMap::new();
        for (t, term) in plan.terms.iter().enumerate() {
            if let Term::Leaf(leaf) = term {
                leaves.entry(*leaf).or_insert(TermId(t as u32));
            }
        }
        let own = own_lines(plan, &leaves);
        let numbers = own.into_iter().enumerate().map(|(n, id)| (id, n)).collect();
        Terms { numbers, leaves }
    }

    fn in_order(&self) -> BTreeMap<usize, TermId> {
        self.numbers.iter().map(|(&id, &n)| (n, id)).collect()
    }
}

/// The terms that have a line of their own.
///
/// A leaf needs none where its term stands in the plan just before the first term that uses it:
/// there the parser puts it by itself.
fn own_lines(plan: &Plan, leaves: &BTreeMap<LeafId, TermId>) -> Vec<TermId> {
    let mut applied = BTreeSet::new();
    for node in plan.blocks.iter().flat_map(|b| &b.nodes) {
        if let Op::Apply(Applied::Term(id)) = &node.op {
            applied.insert(*id);
        }
    }
    let firsts: BTreeSet<TermId> = leaves.values().copied().collect();
    let mut lines = Vec::new();
    let mut waiting: Vec<TermId> = Vec::new();
    for (t, term) in plan.terms.iter().enumerate() {
        let id = TermId(t as u32);
        if let Term::Leaf(_) = term {
            waiting.push(id);
            continue;
        }
        let mentioned: BTreeSet<TermId> = term.operands().iter().copied().collect();
        let needs_line =
            |id: &TermId| !firsts.contains(id) || applied.contains(id) || !mentioned.contains(id);
        let implied = waiting.split_off(waiting.iter().rposition(needs_line).map_or(0, |n| n + 1));
        let mut new: BTreeSet<TermId> = implied.iter().copied().collect();
        lines.append(&mut waiting);
        if !term.operands().iter().filter(|id| new.remove(id)).eq(&implied) {
            lines.extend(implied);
        }
        lines.push(id);
    }
    lines.append(&mut waiting);
    lines
}

impl Printer<'_> {
    /// The lines of the terms.
    pub(super) fn terms(&mut self) {
        for (n, id) in self.terms.in_order() {
            let line = format!("term t{n} = {}", self.term(&self.plan[id]));
            self.out.line(&line);
        }
    }

    pub(super) fn slot(&self, id: SlotId) -> String {
        let found = self.plan.slots.get(id.0 as usize);
        found.map_or_else(|| format!("?{}", id.0), |slot| name(&slot.name))
    }

    pub(super) fn term_name(&self, id: TermId) -> String {
        match self.terms.numbers.get(&id) {
            Some(number) => format!("t{number}"),
            None => format!("?t{}", id.0),
        }
    }

    /// A term inside another: leaves by their own names.
    fn operand(&self, id: TermId) -> String {
        match self.plan.terms.get(id.0 as usize) {
            Some(Term::Leaf(leaf)) if self.terms.leaves.get(leaf) == Some(&id) => {
                self.leaf_name(*leaf)
            }
            _ => self.term_name(id),
        }
    }

    fn term(&self, term: &Term) -> String {
        match term {
            Term::Leaf(leaf) => self.leaf_name(*leaf),
            Term::Adjoint(t) => format!("{}.H", self.operand(*t)),
            Term::Transpose(t) => format!("{}.T", self.operand(*t)),
            Term::Conj(t) => format!("{}.conj", self.operand(*t)),
            Term::Product(ts) if ts.len() > 1 => self.operands(ts, " @ "),
            Term::Product(ts)
            | Term::Sum(ts)
            | Term::VStack(ts)
            | Term::HStack(ts)
            | Term::BlockDiag(ts) => begin(term, &self.operands(ts, " ")),
            Term::Kronecker(ts) => begin(term, &self.operands(ts, " ")),
            Term::Scale(c, t) => begin(term, &(self.coefficient(c) + &self.operand(*t))),
            Term::Element(_, parts) => begin(term, &shapes(parts)),
            Term::Regroup(from, to) => {
                let arrow = begin(term, &begin_with(&shapes(from), "->"));
                begin_with(&arrow, &shapes(to))
            }
            Term::Lift(t, extra) => begin(
                term,
                &format!("{} {}", self.operand(*t), shapes(std::slice::from_ref(extra))),
            ),
        }
    }

    fn operands(&self, terms: &[TermId], separator: &str) -> String {
        terms.iter().map(|&t| self.operand(t)).collect::<Vec<_>>().join(separator)
    }

    /// A sign and slots, each followed by a space except the sign before a slot.
    fn coefficient(&self, c: &Coefficient) -> String {
        let mut out = String::new();
        if c.negative {
            out += if c.slots.is_empty() { "- " } else { "-" };
        }
        for &(slot, conj) in &c.slots {
            let slot = self.slot(slot);
            let _ = if conj { write!(out, "conj({slot}) ") } else { write!(out, "{slot} ") };
        }
        out
    }
}

/// A term's word and what follows it.
fn begin(term: &Term, rest: &str) -> String {
    begin_with(words::term(term).unwrap_or(""), rest)
}

fn begin_with(left: &str, right: &str) -> String {
    if left.is_empty() || right.is_empty() {
        return format!("{left}{right}");
    }
    format!("{left} {right}")
}

fn shapes(parts: &[Vec<usize>]) -> String {
    let shape = |dims: &Vec<usize>| {
        let dims: Vec<_> = dims.iter().map(ToString::to_string).collect();
        format!("[{}]", dims.join(", "))
    };
    parts.iter().map(shape).collect::<Vec<_>>().join(" ")
}
