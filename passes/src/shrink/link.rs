//! Which extents of a plan and its source are equal, and what arithmetic ties the others.
//!
//! Terms are handled by a plan in which symbols stand where sizes were: shapes of composite
//! operators are made of those of their parts without looking at them.

use super::extents::{Equation, Extents, Relation, Sum, Symbol};
use super::nodes::Linker;
use crate::ir::{Block, Leaf, MEANING, Plan, Return, Target, Term};
use crate::placement::Cut;
use crate::signature::{Binding, Laws, Signature, Spread, Typing};
use crate::spectrum::HalfSpectrum;
use crate::terms;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The symbols of a pair of plans.
pub(super) struct Symbols {
    /// The symbols.
    pub extents: Extents,
    /// For each leaf.
    pub leaves: Vec<LeafSymbols>,
    /// The dims of each state, of the unplaced and of the placed plan.
    pub states: [Vec<Vec<Symbol>>; 2],
    /// Cuts by what they say, without names.
    pub cuts: BTreeMap<Cut, SpreadSymbols>,
    /// Which operators must stay tall.
    pub tall: Vec<Tall>,
    /// Of the unplaced and of the placed plan.
    pub plans: [PlanSymbols; 2],
}

/// One sum is at least another: isometries are tall.
pub(super) struct Tall {
    /// The larger sum.
    pub more: Sum,
    /// The smaller sum.
    pub less: Sum,
    /// Of which operator.
    pub node: String,
}

/// The symbols of a leaf.
pub(super) struct LeafSymbols {
    /// Of its factors.
    pub factors: Vec<Symbol>,
    /// For each part and dim of the domain.
    pub domain: Vec<Vec<SpreadSymbols>>,
    /// For each part and dim of the range.
    pub range: Vec<Vec<SpreadSymbols>>,
}

/// A dim made of an index.
#[derive(Clone, Copy)]
pub(super) struct SpreadSymbols {
    /// The index.
    pub index: Symbol,
    /// The dim.
    pub dim: Symbol,
    /// How many elements each value has, if all have the same number.
    pub each: Option<Symbol>,
}

/// The symbols of one plan.
#[derive(Default)]
pub(super) struct PlanSymbols {
    /// Its leaves and terms, with symbols for sizes.
    pub symbolic: Plan,
    /// For each block and value.
    pub values: Vec<Vec<Vec<Symbol>>>,
    /// For each `part`, by block and node: what lies before it.
    pub before: BTreeMap<(usize, usize), Vec<Symbol>>,
}

/// Whether extents that must be equal are.
pub(super) type Outcome = Result<(), String>;

/// Finds the symbols of a pair.
pub(super) fn link(source: &Plan, placed: &Plan) -> Result<Symbols, String> {
    let mut extents = Extents::default();
    let states = source.states.len() == placed.states.len() || placed.meaning().is_some();
    if source.leaves.len() > placed.leaves.len() || !states {
        return Err("leaves or states of the two plans differ".into());
    }
    // Leaves that passes have added come last.
    let leaves: Vec<_> =
        placed.leaves.iter().map(|leaf| leaf_symbols(&mut extents, leaf)).collect();
    let mut tall = Vec::new();
    for (leaf, of) in placed.leaves.iter().zip(&leaves) {
        laws(&mut extents, &mut tall, leaf, of)?;
    }
    let mut dims =
        |p: &Plan| p.states.iter().map(|s| extents.fresh_all(&s.ty.dims)).collect::<Vec<_>>();
    let was = dims(source);
    let states = if placed.meaning().is_some() { dims(placed) } else { was.clone() };
    let states = [was, states];
    let plans = [PlanSymbols::default(), PlanSymbols::default()];
    let mut symbols = Symbols { extents, leaves, states, cuts: BTreeMap::new(), tall, plans };
    let mut inputs = BTreeMap::new();
    for (at, plan) in [source, placed].into_iter().enumerate() {
        let symbolic = symbolic(&mut symbols, plan)?;
        let mut linker = Linker {
            symbols: &mut symbols,
            plan,
            at,
            of: PlanSymbols { symbolic, ..PlanSymbols::default() },
            inputs: &mut inputs,
            segments: BTreeMap::new(),
        };
        linker.blocks()?;
        let of = linker.of;
        symbols.plans[at] = of;
    }
    meaning(&mut symbols, placed)?;
    for (b, (block, other)) in source.blocks.iter().zip(&placed.blocks).enumerate() {
        let given = |block: &Block| -> Vec<Return> {
            let changed = placed.meaning().is_some();
            let state = |r: &&Return| matches!(r.target, Target::State(_));
            block.returns.iter().filter(|r| !(changed && state(r))).cloned().collect()
        };
        for (r, q) in given(block).iter().zip(&given(other)) {
            let (a, b) = (
                &symbols.plans[0].values[b][r.value.index()],
                &symbols.plans[1].values[b][q.value.index()],
            );
            symbols.extents.equal_all(a, b)?;
        }
    }
    Ok(symbols)
}

/// What the state means has the dims of the source's state.
fn meaning(symbols: &mut Symbols, placed: &Plan) -> Outcome {
    let Some(at) = placed.blocks.iter().position(|b| b.name == MEANING) else { return Ok(()) };
    let results = placed.blocks[at].returns.iter().filter(|r| r.target == Target::Output);
    for (r, state) in results.zip(symbols.states[0].clone()) {
        let dims = &symbols.plans[1].values[at][r.value.index()];
        symbols.extents.equal_all(dims, &state)?;
    }
    Ok(())
}

fn leaf_symbols(extents: &mut Extents, leaf: &Leaf) -> LeafSymbols {
    let rule = &leaf.signature.rule;
    let factors: Vec<_> = rule.factors.iter().map(|f| extents.fresh(f.size)).collect();
    let node = format!("operator {}", leaf.name);
    let mut side = |parts: &[Vec<Binding>]| -> Vec<Vec<SpreadSymbols>> {
        let bind = |b: &Binding| spread(extents, &b.spread, factors[b.factor], &node);
        let mut bind = bind;
        parts.iter().map(|dims| dims.iter().map(&mut bind).collect()).collect()
    };
    let (domain, range) = (side(&rule.domain), side(&rule.range));
    LeafSymbols { factors, domain, range }
}

/// What laws say of extents: square operators stay square, isometries tall.
fn laws(
    extents: &mut Extents,
    tall: &mut Vec<Tall>,
    leaf: &Leaf,
    of: &LeafSymbols,
) -> Result<(), String> {
    let s = &leaf.signature;
    if s.laws == Laws::default() {
        return Ok(());
    }
    if s.domain == s.range {
        for (a, b) in of.domain.iter().flatten().zip(of.range.iter().flatten()) {
            extents.equal(a.dim, b.dim)?;
        }
    }
    let own = |side: &[Vec<SpreadSymbols>], bindings: &[Vec<Binding>], other: &[Vec<Binding>]| {
        let product = |(part, bindings): (&Vec<SpreadSymbols>, &Vec<Binding>)| -> Vec<Symbol> {
            let dims = part.iter().zip(bindings).map(|(of, b)| {
                let shared = other.iter().flatten().any(|o| o.factor == b.factor);
                if shared { of.each } else { Some(of.dim) }
            });
            dims.flatten().collect()
        };
        side.iter().zip(bindings).map(product).collect::<Sum>()
    };
    let rule = &s.rule;
    let mut rows = own(&of.range, &rule.range, &rule.domain);
    let mut columns = own(&of.domain, &rule.domain, &rule.range);
    match s.typing {
        Typing::Same => {}
        // A complex index is two real ones.
        Typing::RealToComplex => rows.extend(rows.clone()),
        Typing::ComplexToReal => columns.extend(columns.clone()),
    }
    let node = format!("a law of {}", leaf.name);
    if s.laws.isometry {
        let (more, less) = (rows.clone(), columns.clone());
        tall.push(Tall { more, less, node: node.clone() });
    }
    if let Some(spectrum) = HalfSpectrum::of(s) {
        // Two numbers for each frequency, but one where it is real.
        let one = extents.fresh(1);
        let lost = vec![vec![one]; spectrum.real().len()];
        extents.balance(rows.clone(), [columns.clone(), lost].concat(), &node);
    }
    if s.laws.co_isometry {
        tall.push(Tall { more: columns, less: rows, node });
    }
    Ok(())
}

/// Symbols of a dim that is made of an index.
pub(super) fn spread(
    extents: &mut Extents,
    spread: &Spread,
    index: Symbol,
    node: &str,
) -> SpreadSymbols {
    let size = spread.at(extents.size(index));
    match spread {
        Spread::One => SpreadSymbols { index, dim: index, each: None },
        Spread::Uniform(k) => {
            let each = extents.fresh(*k);
            let dim = extents.fresh(size);
            extents.balance(vec![vec![dim]], vec![vec![each, index]], node);
            SpreadSymbols { index, dim, each: Some(each) }
        }
        Spread::Table(table) => {
            let dim = extents.fresh(size);
            let relation = Relation::Total { dim, index, table: table.clone() };
            extents.equations.push(Equation { relation, node: node.into() });
            SpreadSymbols { index, dim, each: None }
        }
    }
}

/// Leaves and terms with symbols for sizes.
fn symbolic(symbols: &mut Symbols, plan: &Plan) -> Result<Plan, String> {
    let mut out = Plan { slots: plan.slots.clone(), ..Plan::default() };
    let dims = |parts: &[Vec<SpreadSymbols>]| -> Vec<Vec<usize>> {
        parts.iter().map(|p| p.iter().map(|s| s.dim).collect()).collect()
    };
    for (leaf, of) in plan.leaves.iter().zip(&symbols.leaves) {
        let (domain, range) = (dims(&of.domain), dims(&of.range));
        let signature = Signature { domain, range, ..(*leaf.signature).clone() };
        out.leaves.push(Leaf { signature: Arc::new(signature), ..leaf.clone() });
    }
    let extents = &mut symbols.extents;
    for (t, term) in plan.terms.iter().enumerate() {
        let mut shapes = |shapes: &[Vec<usize>]| -> Vec<Vec<usize>> {
            shapes.iter().map(|s| extents.fresh_all(s)).collect()
        };
        let term = match term {
            Term::Element(map, of) => Term::Element(*map, shapes(of)),
            Term::Regroup(from, to) => {
                let (from, to) = (shapes(from), shapes(to));
                extents.balance(from.clone(), to.clone(), &format!("regroup t{t}"));
                Term::Regroup(from, to)
            }
            Term::Lift(of, extra) => Term::Lift(*of, extents.fresh_all(extra)),
            Term::Leaf(_)
            | Term::Adjoint(_)
            | Term::Transpose(_)
            | Term::Conj(_)
            | Term::Scale(..)
            | Term::Sum(_)
            | Term::Product(_)
            | Term::VStack(_)
            | Term::HStack(_)
            | Term::BlockDiag(_)
            | Term::Kronecker(_) => term.clone(),
        };
        out.terms.push(term);
    }
    (0..out.terms.len()).try_for_each(|t| fit(extents, &out, &out.terms[t]))?;
    Ok(out)
}

/// Operators that are added, multiplied or stacked fit together.
fn fit(extents: &mut Extents, plan: &Plan, term: &Term) -> Outcome {
    let mut alike = |a: terms::Shapes, b: terms::Shapes| -> Outcome {
        a.iter().zip(&b).try_for_each(|(a, b)| extents.equal_all(a, b))
    };
    match term {
        Term::Sum(ts) => ts.windows(2).try_for_each(|w| {
            alike(terms::domain(plan, w[0]), terms::domain(plan, w[1]))?;
            alike(terms::range(plan, w[0]), terms::range(plan, w[1]))
        }),
        Term::Product(ts) => ts
            .windows(2)
            .try_for_each(|w| alike(terms::domain(plan, w[0]), terms::range(plan, w[1]))),
        Term::VStack(ts) => ts
            .windows(2)
            .try_for_each(|w| alike(terms::domain(plan, w[0]), terms::domain(plan, w[1]))),
        Term::HStack(ts) => ts
            .windows(2)
            .try_for_each(|w| alike(terms::range(plan, w[0]), terms::range(plan, w[1]))),
        Term::Leaf(_)
        | Term::Adjoint(_)
        | Term::Transpose(_)
        | Term::Conj(_)
        | Term::Scale(..)
        | Term::BlockDiag(_)
        | Term::Element(..)
        | Term::Regroup(..)
        | Term::Lift(..)
        | Term::Kronecker(_) => Ok(()),
    }
}
