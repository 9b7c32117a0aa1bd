//! For each rule a plan that breaks only it, and plans that break none.

mod apply;
mod communication;
mod good;
mod local;
mod regions;
mod shapes;
mod splits;
mod structure;
mod text;

use super::{RULES, Stage, verify, verify_all};
use crate::dtype::Dtype;
use crate::ir::{Applied, Block, Leaf, LeafId, Op, Plan, Slot, State, Target, Value};
use crate::mesh::Mesh;
use crate::placement::{Cut, Placement, Space, Split, Type};
use crate::signature::{Binding, Cost, Factor, Laws, Linearity, Rule, Signature, Spread, Typing};
use std::sync::Arc;

/// A plan under construction; its last block is the one that grows.
pub(super) struct Draft {
    pub plan: Plan,
    /// Cuts that types may name.
    pub cuts: Vec<Arc<Cut>>,
}

impl Draft {
    pub fn new(mesh: &str) -> Self {
        let mesh = if mesh.is_empty() { Mesh::default() } else { Mesh::parse(mesh).unwrap() };
        Draft { plan: Plan { mesh, blocks: vec![Block::new("")], ..Plan::default() }, cuts: vec![] }
    }

    pub fn block(&mut self) -> &mut Block {
        self.plan.blocks.last_mut().unwrap()
    }

    pub fn begin(&mut self, name: &str) {
        self.plan.blocks.push(Block::new(name));
    }

    /// A type as plans print it.
    pub fn ty(&self, text: &str) -> Type {
        let (dtype, rest) = text.split_once('[').unwrap();
        let (dims, rest) = rest.split_once(']').unwrap();
        let mut ty = Type::new(&[], Dtype::parse(dtype).unwrap());
        // Axes in parentheses are joined by `*` here, so that commas separate dims only.
        for dim in dims.split(", ").filter(|d| !d.is_empty()) {
            self.dim(dim, &mut ty);
        }
        let p = &mut ty.placement;
        for word in rest.split_whitespace() {
            match word.strip_prefix('+') {
                Some(axis) => p.pending.push(self.plan.mesh.axis(axis).unwrap()),
                None => p.space = Space::Device,
            }
        }
        ty
    }

    fn dim(&self, text: &str, ty: &mut Type) {
        let (text, ghosts) = text.split_once('~').unwrap_or((text, "0:0"));
        let (n, split) = text.split_once('/').unwrap_or((text, ""));
        let (axes, cut) = split.split_once('@').unwrap_or((split, ""));
        let axes = axes.split('*').filter(|a| !a.is_empty());
        let axes = axes.map(|a| self.plan.mesh.axis(a).unwrap()).collect();
        let cut = self.cuts.iter().find(|c| c.name == cut).cloned();
        let p: &mut Placement = &mut ty.placement;
        p.dual |= ghosts.starts_with('+');
        let (lo, hi) = ghosts.trim_start_matches('+').split_once(':').unwrap();
        p.ghosts.push((lo.parse().unwrap(), hi.parse().unwrap()));
        p.splits.push(Split { axes, cut });
        ty.dims.push(n.parse().unwrap());
    }

    pub fn cut(&mut self, name: &str, size: usize, weights: Option<Vec<u64>>, spread: Spread) {
        let weights = weights.map(|w| Arc::new(w.into()));
        self.cuts.push(Arc::new(Cut { name: name.into(), size, weights, spread }));
    }

    /// A leaf whose factors are split over the axes named, as `r * 4@q` without sizes.
    pub fn leaf(&mut self, name: &str, signature: Signature, tile: &[&str]) -> LeafId {
        let sizes = signature.rule.factors.iter().map(|f| f.size);
        let split = |(text, n): (&&str, usize)| {
            self.ty(&format!("f64[{n}{text}]")).placement.splits[0].clone()
        };
        let tile = tile.iter().zip(sizes).map(split).collect();
        self.plan.leaves.push(Leaf { name: name.into(), signature: Arc::new(signature), tile });
        LeafId(self.plan.leaves.len() as u32 - 1)
    }

    pub fn slot(&mut self, name: &str, dtype: Dtype) -> Value {
        self.plan.slots.push(Slot { name: name.into(), dtype });
        let id = crate::ir::SlotId(self.plan.slots.len() as u32 - 1);
        self.op(Op::Slot(id), &[], &format!("{dtype}[]"))
    }

    pub fn state(&mut self, name: &str, ty: &str) -> u32 {
        let ty = self.ty(ty);
        self.plan.states.push(State { name: name.into(), ty });
        self.plan.states.len() as u32 - 1
    }

    pub fn op(&mut self, op: Op, args: &[Value], ty: &str) -> Value {
        let ty = self.ty(ty);
        self.block().push(op, args, ty)
    }

    pub fn input(&mut self, ty: &str) -> Value {
        let name = format!("x{}", self.block().types.len());
        self.op(Op::Input(name), &[], ty)
    }

    /// A value of any placement.
    pub fn zero(&mut self, ty: &str) -> Value {
        self.op(Op::Zero, &[], ty)
    }

    pub fn apply(&mut self, leaf: LeafId, args: &[Value], ty: &str) -> Value {
        self.op(Op::Apply(Applied::Leaf(leaf)), args, ty)
    }

    pub fn adjoint(&mut self, leaf: LeafId, args: &[Value], ty: &str) -> Value {
        self.op(Op::Apply(Applied::Adjoint(leaf)), args, ty)
    }

    pub fn many(&mut self, op: Op, args: &[Value], types: &[&str]) -> Vec<Value> {
        let types = types.iter().map(|t| self.ty(t)).collect();
        self.block().push_many(op, args, types)
    }

    pub fn give(&mut self, target: Target, value: Value) {
        self.block().give(target, value);
    }

    pub fn passes(&self) {
        assert_eq!(verify_all(&self.plan), []);
    }

    /// Breaks this rule and no other.
    pub fn breaks(&self, rule: &str) {
        let found = verify_all(&self.plan);
        assert!(found.iter().all(|v| v.rule == rule) && !found.is_empty(), "{rule}: {found:?}");
        assert!(RULES.iter().any(|r| r.name == rule));
        assert_eq!(verify(&self.plan).unwrap_err(), found[0]);
    }
}

/// One operation of one argument that breaks a rule, or none if it is empty.
pub(super) fn one(rule: &str, mesh: &str, op: Op, from: &str, to: &str) {
    several(rule, mesh, op, &[from], to);
}

/// One operation that breaks a rule, or none if it is empty.
pub(super) fn several(rule: &str, mesh: &str, op: Op, from: &[&str], to: &str) {
    let mut d = Draft::new(mesh);
    let args: Vec<_> = from.iter().map(|ty| d.zero(ty)).collect();
    d.op(op, &args, to);
    if rule.is_empty() { d.passes() } else { d.breaks(rule) }
}

/// A signature of `f64` with one part on each side.
pub(super) fn signature(
    factors: Vec<Factor>,
    domain: Vec<Binding>,
    range: Vec<Binding>,
) -> Signature {
    let rule = Rule { factors, domain: vec![domain], range: vec![range] };
    signature_of(rule)
}

pub(super) fn signature_of(rule: Rule) -> Signature {
    let shapes = |side: &[Vec<Binding>]| -> Vec<Vec<usize>> {
        side.iter().map(|dims| dims.iter().map(|b| rule.extent(b)).collect()).collect()
    };
    Signature {
        kind: "Test".into(),
        dtype: Dtype::F64,
        typing: Typing::Same,
        domain: shapes(&rule.domain),
        range: shapes(&rule.range),
        linearity: Linearity::Complex,
        laws: Laws::default(),
        cost: Cost::default(),
        rule,
    }
}

/// `y[i] = A[i, j] x[j]`
pub(super) fn dense(rows: usize, columns: usize) -> Signature {
    let factors = vec![Factor::free("i", rows), Factor::free("j", columns)];
    signature(factors, vec![Binding::plain(1)], vec![Binding::plain(0)])
}

/// `y[i] = S x[i - 1 ..= i + 2]`
pub(super) fn stencil(n: usize) -> Signature {
    let factors = vec![Factor::free("i", n)];
    signature(factors, vec![Binding::halo(0, 1, 2)], vec![Binding::plain(0)])
}

#[test]
fn the_table_in_the_documentation_is_the_one_that_runs() {
    let row = |r: &super::Rule| format!("//! | {} | `{}` | {} |\n", r.stage.name(), r.name, r.says);
    let table: String = RULES.iter().map(row).collect();
    assert!(include_str!("../mod.rs").contains(&table), "{table}");
    assert!(RULES.is_sorted_by_key(|r| r.stage));
}

#[test]
fn every_rule_is_broken_by_a_test() {
    let tests = [
        include_str!("apply.rs"),
        include_str!("communication.rs"),
        include_str!("local.rs"),
        include_str!("regions.rs"),
        include_str!("shapes.rs"),
        include_str!("splits.rs"),
        include_str!("structure.rs"),
    ]
    .concat();
    for rule in RULES {
        assert!(tests.contains(&format!("(\"{}\"", rule.name)), "{} is never broken", rule.name);
    }
}

#[test]
fn every_operation_is_judged_by_its_place() {
    use super::Check;
    use super::node::Family::{self, Get, Input, Slot, Zero};
    let places = |f: Family| {
        RULES.iter().any(|r| {
            let Check::Node(families, _) = r.check else { return false };
            r.stage == Stage::Place && r.name != "spaces" && families.contains(&f)
        })
    };
    for f in Family::ALL {
        assert!(places(f) || matches!(f, Input | Slot | Get | Zero), "{f:?}");
    }
}
