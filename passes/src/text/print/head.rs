//! The head of a plan: mesh, cuts, operators, slots, states and terms.

use super::layout::name;
use super::{Printer, Style};
use crate::ir::Leaf;
use crate::placement::{Cut, Split, dim_text};
use crate::signature::{Binding, Factor, Linearity, Rule, Spread, Typing};
use crate::text::{lex, words};
use std::fmt::Write as _;

/// The most entries of a table that people are shown.
const ENTRIES: usize = 24;

/// From how many equal entries on a table says how many there are.
const RUN: usize = 4;

impl Printer<'_> {
    pub(super) fn head(&mut self) {
        let mesh = &self.plan.mesh;
        if mesh.axes.is_empty() {
            self.out.line("mesh 1 rank");
        } else {
            let ranks = mesh.ranks();
            let plural = if ranks == 1 { "" } else { "s" };
            self.out.line(&format!("mesh {mesh} ({ranks} rank{plural})"));
        }
        for cut in self.tables.iter() {
            self.out.line(&self.cut(cut));
        }
        for leaf in &self.plan.leaves {
            let (left, ty) = self.leaf(leaf);
            self.out.typed(&left, &ty);
        }
        for slot in &self.plan.slots {
            self.out.typed(&format!("slot {}", name(&slot.name)), &slot.dtype.to_string());
        }
        for state in &self.plan.states {
            let ty = self.ty(&state.ty);
            self.out.typed(&format!("state {}", name(&state.name)), &ty);
        }
        self.terms();
    }

    fn cut(&self, cut: &Cut) -> String {
        let mut out = format!("cut {} = {}", name(&cut.name), cut.size);
        if let Some(weights) = &cut.weights {
            let _ = write!(out, " weights{}", self.table(weights));
        }
        match &cut.spread {
            Spread::One => {}
            Spread::Uniform(k) => {
                let _ = write!(out, " spread each {k}");
            }
            Spread::Table(table) => {
                let counts: Vec<_> =
                    table.windows(2).map(|w| w[1].saturating_sub(w[0]) as u64).collect();
                let _ = write!(out, " spread{}", self.table(&counts));
            }
        }
        out
    }

    fn table(&self, entries: &[u64]) -> String {
        let mut out = String::new();
        if self.style == Style::Short && entries.len() > ENTRIES {
            for entry in &entries[..3] {
                let _ = write!(out, " {entry}");
            }
            let _ = write!(out, " .. ({})", entries.len());
            return out;
        }
        for run in entries.chunk_by(|a, b| a == b) {
            if run.len() >= RUN {
                let _ = write!(out, " {}*{}", run[0], run.len());
            } else {
                for entry in run {
                    let _ = write!(out, " {entry}");
                }
            }
        }
        out
    }

    fn leaf(&self, leaf: &Leaf) -> (String, String) {
        let signature = &leaf.signature;
        let rule = &signature.rule;
        let mut left = format!("let {}", operator(&leaf.name));
        left += if rule.range.is_empty() { " =" } else { " = " };
        left += &self.side(rule, &rule.range);
        left += if rule.domain.is_empty() { " <-" } else { " <- " };
        left += &self.side(rule, &rule.domain);
        for word in signature.laws.names() {
            let _ = write!(left, " {word}");
        }
        left += match signature.linearity {
            Linearity::Complex => "",
            Linearity::Real => " real",
            Linearity::Antilinear => " antilinear",
        };
        left += match signature.typing {
            Typing::Same => "",
            Typing::RealToComplex => " r2c",
            Typing::ComplexToReal => " c2r",
        };
        if self.style == Style::Complete && !signature.kind.is_empty() {
            let _ = write!(left, " {}", lex::quote(&signature.kind));
        }
        let named = !is_in_order(rule);
        let none = Split::none();
        let factors = rule.factors.iter().enumerate().map(|(f, factor)| {
            let split = leaf.tile.get(f).unwrap_or(&none);
            self.factor(factor, split, named)
        });
        let factors: Vec<_> = factors.collect();
        (left, format!("{}[{}]", signature.dtype, factors.join(", ")))
    }

    fn factor(&self, factor: &Factor, split: &Split, named: bool) -> String {
        let mut out = String::new();
        if named {
            let whole = if factor.whole { "!" } else { "" };
            let _ = write!(out, "{}{whole} ", name(&factor.name));
        }
        if split.axes.iter().all(|&a| a < self.plan.mesh.axes.len()) {
            out += &dim_text(factor.size, split, &self.plan.mesh);
        } else {
            let _ = write!(out, "{}/?", factor.size);
        }
        if let Some(weights) = &factor.weights {
            let _ = write!(out, " by {}", name(self.tables.weights(factor.size, weights)));
        }
        out
    }

    fn side(&self, rule: &Rule, parts: &[Vec<Binding>]) -> String {
        let part = |bindings: &Vec<Binding>| {
            let bindings: Vec<_> = bindings.iter().map(|b| self.binding(rule, b)).collect();
            format!("({})", bindings.join(", "))
        };
        parts.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    fn binding(&self, rule: &Rule, binding: &Binding) -> String {
        let Some(factor) = rule.factors.get(binding.factor) else {
            return format!("?{}", binding.factor);
        };
        let mut out = name(&factor.name);
        if factor.whole {
            out.push('!');
        }
        match &binding.spread {
            Spread::One => {}
            Spread::Uniform(k) => {
                let _ = write!(out, "*{k}");
            }
            table @ Spread::Table(_) => {
                let _ = write!(out, "@{}", name(self.tables.spread(factor.size, table)));
            }
        }
        if binding.halo != (0, 0) {
            let _ = write!(out, "~{}:{}", binding.halo.0, binding.halo.1);
        }
        out
    }
}

/// The name of an operator, quoted if it could be taken for something else.
pub(super) fn operator(leaf: &str) -> String {
    let number = leaf.strip_prefix('t').unwrap_or("");
    let is_term = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    if is_term || words::TERMS.contains(&leaf) { lex::quote(leaf) } else { name(leaf) }
}

/// Whether the factors stand in the order in which range and domain first use them.
fn is_in_order(rule: &Rule) -> bool {
    let mut used: Vec<usize> = Vec::new();
    for binding in rule.range.iter().chain(&rule.domain).flatten() {
        if !used.contains(&binding.factor) {
            used.push(binding.factor);
        }
    }
    used.iter().copied().eq(0..rule.factors.len())
}
