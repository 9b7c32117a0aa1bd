//! Random plans whose references exist, whatever else they may be: for tests.

use crate::dtype::Dtype;
use crate::ir::{
    Applied, Block, Coefficient, Leaf, LeafId, Map, Op, Over, Plan, Reduction, Region, Slot,
    SlotId, SplitHalo, State, Target, Term, TermId, Value,
};
use crate::mesh::Mesh;
use crate::placement::{Cut, Placement, Space, Split, Type};
use crate::signature::{
    Binding, Cost, Factor, Laws, Linearity, Rule, Signature, Spread, Typing, letter,
};
use crate::text::words;
use crate::weights::Weights;
use proptest::prelude::*;
use std::sync::Arc;

/// Random plans.
pub(super) fn plans() -> impl Strategy<Value = Plan> {
    prop::collection::vec(any::<u16>(), 0..400).prop_map(|choices| Choices::new(choices).plan())
}

/// Names that try the quotes.
const NAMES: [&str; 10] = ["x", "A[0]", "t0", "sum", "", "a b", "1e-3", "é\"\\", "conj", "by"];

/// A plan made from a list of choices; when they are spent, the first of each is taken.
struct Choices {
    left: std::vec::IntoIter<u16>,
    mesh: Mesh,
    cuts: Vec<Arc<Cut>>,
}

impl Choices {
    fn new(choices: Vec<u16>) -> Self {
        Choices { left: choices.into_iter(), mesh: Mesh::default(), cuts: Vec::new() }
    }

    /// A number below `n`.
    fn pick(&mut self, n: usize) -> usize {
        usize::from(self.left.next().unwrap_or(0)) % n.max(1)
    }

    fn coin(&mut self) -> bool {
        self.pick(2) == 1
    }

    fn one_of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.pick(items.len())].clone()
    }

    fn many<T>(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.pick(most + 1)).map(|_| item(self)).collect()
    }

    fn plan(mut self) -> Plan {
        let axes = ["r", "c", "deep"];
        for name in &axes[..self.pick(4)] {
            let size = self.pick(4) + 1;
            self.mesh.axes.push(((*name).into(), size));
        }
        for n in 0..self.pick(4) {
            let cut = self.cut(n);
            self.cuts.push(Arc::new(cut));
        }
        let mut plan = Plan { mesh: self.mesh.clone(), ..Plan::default() };
        for n in 0..self.pick(4) {
            let name = self.name(n);
            let leaf = self.leaf(name);
            plan.leaves.push(leaf);
        }
        for n in 0..self.pick(3) {
            let (name, dtype) = (self.name(n), self.one_of(&[Dtype::F64, Dtype::C128]));
            plan.slots.push(Slot { name, dtype });
        }
        for n in 0..self.pick(3) {
            let (name, ty) = (self.name(n), self.ty());
            plan.states.push(State { name, ty });
        }
        for _ in 0..self.pick(8) {
            let term = self.term(&plan);
            plan.term(term);
        }
        for n in 0..self.pick(3) {
            let name = if n == 0 && self.coin() { String::new() } else { self.name(n) };
            let block = self.block(&plan, name);
            plan.blocks.push(block);
        }
        plan
    }

    /// A name that no other `n` has.
    fn name(&mut self, n: usize) -> String {
        format!("{}{}", self.one_of(&NAMES), ["", "_", "]", " "][n])
    }

    fn counts(&mut self, size: usize) -> Vec<usize> {
        let long = self.coin();
        (0..size).map(|i| if long && i > 2 { 3 } else { self.pick(4) }).collect()
    }

    fn spread(&mut self, size: usize) -> Spread {
        match self.pick(4) {
            0 | 1 => Spread::One,
            2 => Spread::Uniform(self.pick(4)),
            _ => Spread::Table(Arc::new(self.counts(size).iter().fold(vec![0], |mut t, n| {
                t.push(t[t.len() - 1] + n);
                t
            }))),
        }
    }

    fn weights(&mut self, size: usize) -> Option<Arc<Weights>> {
        let weighted = self.coin();
        weighted.then(|| Arc::new(self.counts(size).into_iter().map(|n| n as u64).collect()))
    }

    fn cut(&mut self, n: usize) -> Cut {
        let size = self.pick(60);
        let (weights, spread) = (self.weights(size), self.spread(size));
        Cut { name: format!("{}{n}", self.one_of(&["q", "s", "w"])), size, weights, spread }
    }

    fn split(&mut self) -> Split {
        let axes = self.axes();
        let cut = if axes.is_empty() || self.cuts.is_empty() || self.coin() {
            None
        } else {
            Some(self.one_of(&self.cuts.clone()))
        };
        Split { axes, cut }
    }

    fn axes(&mut self) -> Vec<usize> {
        let n = self.mesh.axes.len();
        if n == 0 { Vec::new() } else { self.many(2, |c| c.pick(n)) }
    }

    fn ty(&mut self) -> Type {
        let dims = self.many(3, |c| c.pick(5000));
        let splits = dims.iter().map(|_| self.split()).collect();
        let deep = self.coin();
        let ghosts: Vec<_> =
            dims.iter().map(|_| if deep { (self.pick(3), self.pick(3)) } else { (0, 0) }).collect();
        let dual = ghosts.iter().any(|&g| g != (0, 0)) && self.coin();
        let space = self.one_of(&[Space::Host, Space::Device]);
        let placement = Placement { splits, ghosts, dual, pending: self.axes(), space };
        Type { dims, dtype: self.one_of(&Dtype::ALL), placement }
    }

    fn leaf(&mut self, name: String) -> Leaf {
        let mut factors = Vec::new();
        for n in 0..self.pick(5) {
            let size = self.pick(60);
            let weights = if self.coin() { self.weights(size) } else { None };
            factors.push(Factor { name: letter(n), size, whole: self.coin(), weights });
        }
        let range = self.side(&factors);
        let mut domain = self.side(&factors);
        for b in domain.iter_mut().flatten() {
            b.halo = if self.coin() { (self.pick(3), self.pick(3)) } else { (0, 0) };
        }
        let rule = Rule { factors, domain, range };
        let shapes = |parts: &[Vec<Binding>]| -> Vec<Vec<usize>> {
            parts.iter().map(|p| p.iter().map(|b| rule.extent(b)).collect()).collect()
        };
        let mut laws = Laws::default();
        for (_, law) in Laws::NAMES {
            *law(&mut laws) = self.pick(4) == 3;
        }
        let typing = [Typing::Same, Typing::RealToComplex, Typing::ComplexToReal];
        let linearity = [Linearity::Complex, Linearity::Real, Linearity::Antilinear];
        let tile = rule.factors.iter().map(|_| self.split()).collect();
        let signature = Signature {
            kind: self.one_of(&NAMES).into(),
            dtype: self.one_of(&Dtype::ALL),
            typing: self.one_of(&typing),
            domain: shapes(&rule.domain),
            range: shapes(&rule.range),
            rule,
            linearity: self.one_of(&linearity),
            laws,
            cost: Cost::default(),
        };
        Leaf { name, signature: Arc::new(signature), tile }
    }

    fn side(&mut self, factors: &[Factor]) -> Vec<Vec<Binding>> {
        if factors.is_empty() {
            return self.many(2, |_| Vec::new());
        }
        self.many(3, |c| {
            c.many(3, |c| {
                let factor = c.pick(factors.len());
                Binding::ragged(factor, c.spread(factors[factor].size))
            })
        })
    }

    fn shapes(&mut self) -> Vec<Vec<usize>> {
        self.many(3, |c| c.many(3, |c| c.pick(50)))
    }

    fn term(&mut self, plan: &Plan) -> Term {
        let form = self.pick(15);
        if let (11 | 12, n @ 1..) = (form, plan.leaves.len()) {
            return Term::Leaf(LeafId(self.pick(n) as u32));
        }
        let n = plan.terms.len();
        if n == 0 || form > 12 {
            return match self.pick(3) {
                0 => Term::Regroup(self.shapes(), self.shapes()),
                _ => Term::Element(self.one_of(&words::ELEMENTWISE), self.shapes()),
            };
        }
        let t = TermId(self.pick(n) as u32);
        let mut ts = vec![t];
        ts.extend(self.many(3, |c| TermId(c.pick(n) as u32)));
        match form {
            0 => Term::Adjoint(t),
            1 => Term::Transpose(t),
            2 => Term::Conj(t),
            3 => Term::Sum(ts),
            4 => Term::Product(ts),
            5 => Term::VStack(ts),
            6 => Term::HStack(ts),
            7 => Term::BlockDiag(ts),
            8 => Term::Lift(t, self.many(2, |c| c.pick(9))),
            9 => Term::Kronecker([t, TermId(self.pick(n) as u32)]),
            _ => {
                let slots = plan.slots.len();
                let slots = if slots == 0 {
                    Vec::new()
                } else {
                    self.many(3, |c| (SlotId(c.pick(slots) as u32), c.coin()))
                };
                Term::Scale(Coefficient { negative: self.coin(), slots }, t)
            }
        }
    }

    fn block(&mut self, plan: &Plan, name: String) -> Block {
        let mut block = Block::new(name);
        block.every = (!block.name.is_empty() && self.coin()).then(|| self.pick(30) as u32);
        for _ in 0..self.pick(12) {
            let op = self.op(plan);
            let n = block.types.len();
            let args = if n == 0 { Vec::new() } else { self.many(5, |c| Value(c.pick(n) as u32)) };
            let types = self.many(3, Self::ty);
            block.push_many(op, &args, types);
        }
        self.regions(plan, &mut block);
        let n = block.types.len();
        for _ in 0..if n == 0 { 0 } else { self.pick(6) } {
            let target = match (self.pick(4), plan.states.len()) {
                (0, states @ 1..) => Target::State(self.pick(states) as u32),
                (1, _) => Target::Control(self.one_of(&NAMES).into()),
                _ => Target::Output,
            };
            let value = Value(self.pick(n) as u32);
            block.give(target, value);
        }
        if self.coin() {
            block.buffers = Some((0..n).map(|_| self.pick(5) as u32).collect());
        }
        block
    }

    fn regions(&mut self, plan: &Plan, block: &mut Block) {
        let (mut first, nodes) = (self.pick(12), block.nodes.len());
        while first < nodes {
            let last = first + self.pick(nodes - first);
            let over = match plan.leaves.len() {
                leaves @ 1.. if self.coin() => {
                    let leaf = LeafId(self.pick(leaves) as u32);
                    if self.coin() { Over::Panels(leaf) } else { Over::Normal(leaf) }
                }
                _ => Over::Elements,
            };
            let (begin, end) = (first as u32, last as u32);
            if self.coin() {
                block.regions.push(Region { over, first: begin, last: end });
            } else {
                block.splits.push(SplitHalo { first: begin, last: end });
            }
            first = last + 1 + self.pick(4);
        }
    }

    fn op(&mut self, plan: &Plan) -> Op {
        let leaf = |c: &mut Self| LeafId(c.pick(plan.leaves.len()) as u32);
        match self.pick(24) {
            0 => Op::Input(self.one_of(&NAMES).into()),
            1 if !plan.slots.is_empty() => Op::Slot(SlotId(self.pick(plan.slots.len()) as u32)),
            2 if !plan.states.is_empty() => Op::Get(self.pick(plan.states.len()) as u32),
            3 if !plan.leaves.is_empty() => Op::Apply(Applied::Leaf(leaf(self))),
            4 if !plan.leaves.is_empty() => Op::Apply(Applied::Adjoint(leaf(self))),
            5 if !plan.terms.is_empty() => {
                Op::Apply(Applied::Term(TermId(self.pick(plan.terms.len()) as u32)))
            }
            6 => Op::Part(self.pick(1000)),
            7 => Op::Dot { columns: self.pick(3), real: self.coin() },
            8 => Op::Map(self.one_of(&words::MAPS)),
            9 => Op::Map(Map::Named(self.one_of(&NAMES).into())),
            10 => Op::Call(self.one_of(&NAMES).into()),
            11 => Op::Reduce(self.one_of(&[Reduction::Max, Reduction::ArgMax])),
            12 => Op::AllReduce(self.axes()),
            13 => Op::ReduceScatter(self.axes()),
            14 => Op::AllGather(self.axes()),
            15 if !self.mesh.axes.is_empty() => Op::AllToAll(self.pick(self.mesh.axes.len())),
            16 => Op::Pad(self.axes()),
            17 => Op::Partial(self.axes()),
            _ => self.one_of(&words::PLAIN),
        }
    }
}
