//! Composite operators.

use super::types::{shape, shapes};
use super::{Cursor, Fault, Read, Reader};
use crate::ir::{Coefficient, LeafId, Term, TermId};
use crate::text::lex::Kind;
use crate::text::words;

/// What a name refers to.
#[derive(Clone, Copy)]
pub(super) enum Reference {
    /// An operator.
    Leaf(LeafId),
    /// A term with a line of its own.
    Term(TermId),
}

impl Reader {
    pub(super) fn term(&mut self, line: &mut Cursor) -> Read<()> {
        let fault = line.fault("a new name for the term, such as t0");
        let name = line.name("a new name for the term, such as t0")?;
        if !is_term(&name) || self.terms.contains_key(&name) {
            return Err(fault);
        }
        line.expect("=")?;
        let term = self.term_body(line)?;
        let id = TermId(self.plan.terms.len() as u32);
        if let Term::Leaf(leaf) = term {
            self.leaf_terms.entry(leaf).or_insert(id);
        }
        self.plan.terms.push(term);
        self.terms.insert(name, id);
        Ok(())
    }

    fn term_body(&mut self, line: &mut Cursor) -> Read<Term> {
        let word = line.peek().map_or("", |token| token.text);
        if words::TERMS.contains(&word) {
            line.expect(word)?;
            return self.composite(line, word);
        }
        let before = line.at();
        let reference = self.reference(line)?;
        if line.is_done() {
            return match reference {
                Reference::Leaf(leaf) => Ok(Term::Leaf(leaf)),
                Reference::Term(_) => Err(Fault::new(before, "an operator, or several terms")),
            };
        }
        let operand = self.operand(reference);
        if line.eat(".") {
            let fault = line.fault("`H`, `T` or `conj`");
            return match line.word("`H`, `T` or `conj`")? {
                "H" => Ok(Term::Adjoint(operand)),
                "T" => Ok(Term::Transpose(operand)),
                "conj" => Ok(Term::Conj(operand)),
                _ => Err(fault),
            };
        }
        let mut factors = vec![operand];
        while line.eat("@") {
            let factor = self.reference(line)?;
            factors.push(self.operand(factor));
        }
        if factors.len() == 1 {
            return Err(line.fault("`@` or `.`"));
        }
        Ok(Term::Product(factors))
    }

    fn composite(&mut self, line: &mut Cursor, word: &str) -> Read<Term> {
        if let Some(&map) = words::ELEMENTWISE.iter().find(|m| words::elementwise(**m) == word) {
            return Ok(Term::Element(map, shapes(line)?));
        }
        match word {
            "scale" => {
                let coefficient = self.coefficient(line)?;
                let term = self.reference(line)?;
                Ok(Term::Scale(coefficient, self.operand(term)))
            }
            "regroup" => {
                let from = shapes(line)?;
                line.expect("->")?;
                Ok(Term::Regroup(from, shapes(line)?))
            }
            "lift" => {
                let term = self.reference(line)?;
                let term = self.operand(term);
                Ok(Term::Lift(term, shape(line)?))
            }
            "kronecker" => {
                let (a, b) = (self.reference(line)?, self.reference(line)?);
                Ok(Term::Kronecker([self.operand(a), self.operand(b)]))
            }
            "product" => Ok(Term::Product(self.operands(line)?)),
            "sum" => Ok(Term::Sum(self.operands(line)?)),
            "vstack" => Ok(Term::VStack(self.operands(line)?)),
            "hstack" => Ok(Term::HStack(self.operands(line)?)),
            _ => Ok(Term::BlockDiag(self.operands(line)?)),
        }
    }

    fn operands(&mut self, line: &mut Cursor) -> Read<Vec<TermId>> {
        let mut operands = Vec::new();
        while operands.is_empty() || !line.is_done() {
            let term = self.reference(line)?;
            operands.push(self.operand(term));
        }
        Ok(operands)
    }

    /// Takes a sign and slots: all names but the last.
    fn coefficient(&self, line: &mut Cursor) -> Read<Coefficient> {
        let mut c = Coefficient { negative: line.eat("-"), slots: Vec::new() };
        while !line.sees_last_name() {
            if line.sees_conj() {
                line.expect("conj")?;
                line.expect("(")?;
                c.slots.push((self.slot_name(line)?, true));
                line.expect(")")?;
            } else {
                c.slots.push((self.slot_name(line)?, false));
            }
        }
        Ok(c)
    }

    /// Takes the name of an operator or a term.
    pub(super) fn reference(&self, line: &mut Cursor) -> Read<Reference> {
        const WHAT: &str = "an operator or a term that is declared above";
        let fault = line.fault(WHAT);
        let quoted = line.peek().is_some_and(|t| t.kind == Kind::Quoted);
        let name = line.name(WHAT)?;
        let term = self.terms.get(&name).filter(|_| !quoted).map(|&t| Reference::Term(t));
        let leaf = || self.leaves.get(&name).map(|&leaf| Reference::Leaf(leaf));
        term.or_else(leaf).ok_or(fault)
    }

    /// The term that is referred to; an operator becomes one where it is first used in another.
    fn operand(&mut self, reference: Reference) -> TermId {
        let Reader { plan, leaf_terms, .. } = self;
        match reference {
            Reference::Term(term) => term,
            Reference::Leaf(leaf) => *leaf_terms.entry(leaf).or_insert_with(|| {
                plan.terms.push(Term::Leaf(leaf));
                TermId(plan.terms.len() as u32 - 1)
            }),
        }
    }
}

/// Whether a name is one of a term: `t` and digits.
fn is_term(name: &str) -> bool {
    let number = name.strip_prefix('t').unwrap_or("");
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}
