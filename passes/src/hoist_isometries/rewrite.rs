//! The plan in the new basis.

use super::chain::adjoint;
use super::rest::{Kind, Numbers, Rest};
use super::space::{Space, keeps_basis};
use crate::ir::{Block, MEANING, Node, Op, Plan, SETUP, State, Target, Value};
use crate::placement::Type;

/// The plan with the vectors of a space in their new basis.
pub(super) fn rewritten(plan: &Plan, space: &Space) -> Plan {
    let none = vec![Kind::None; plan.states.len()];
    let setup = plan.blocks.iter().position(|b| b.name == SETUP).unwrap_or(0);
    let layout = Layout::new(plan, space, none);
    let mut kinds = block(plan, space, &layout, setup).1;
    loop {
        let layout = Layout::new(plan, space, kinds.clone());
        let made: Vec<_> = (0..plan.blocks.len()).map(|b| block(plan, space, &layout, b)).collect();
        let known = kinds.clone();
        for (_, found) in &made {
            kinds.iter_mut().zip(found).for_each(|(known, found)| *known = known.or(*found));
        }
        if kinds == known {
            let blocks = made.into_iter().map(|(block, _)| block).collect();
            return Plan { states: layout.states, blocks, ..plan.clone() };
        }
    }
}

/// The variables of the new state.
struct Layout {
    states: Vec<State>,
    kinds: Vec<Kind>,
    /// For each variable that of its factor of the rest.
    shares: Vec<Option<u32>>,
    /// Those of `e` and of `‖e‖²`.
    rest: Option<(u32, u32)>,
}

impl Layout {
    fn new(plan: &Plan, space: &Space, kinds: Vec<Kind>) -> Self {
        let mut states = plan.states.clone();
        for (state, _) in states.iter_mut().zip(&space.states).filter(|(_, member)| **member) {
            state.ty = space.chain.coordinates().clone();
        }
        let mut out = Layout { states, kinds, shares: vec![None; plan.states.len()], rest: None };
        for s in (0..plan.states.len()).filter(|&s| space.states[s]) {
            if out.kinds[s] == Kind::Share {
                let name = format!("{}_share", plan.states[s].name);
                out.shares[s] = Some(out.add(&name, space.number()));
            }
        }
        if space.source.is_some() && !space.chain.complete {
            let e = out.add("rest", space.chain.types[0].clone());
            let square = out.add("rest_square", space.number());
            out.rest = Some((e, square));
        }
        out
    }

    fn add(&mut self, name: &str, ty: Type) -> u32 {
        let taken = |name: &str| self.states.iter().any(|s| s.name == name);
        let mut own = name.to_owned();
        let mut k = 2;
        while taken(&own) {
            own = format!("{name}{k}");
            k += 1;
        }
        self.states.push(State { name: own, ty });
        self.states.len() as u32 - 1
    }
}

/// A block in the new basis, and what it leaves of the rest in each variable that it sets.
fn block(plan: &Plan, space: &Space, layout: &Layout, b: usize) -> (Block, Vec<Kind>) {
    let old = &plan.blocks[b];
    let images = if keeps_basis(old) { vec![None; old.types.len()] } else { space.images(b, old) };
    let mut writer = Writer {
        space,
        layout,
        b,
        old,
        definitions: old.definitions(),
        images,
        out: old.emptied(),
        known: vec![None; old.types.len()],
        vectors: vec![None; old.types.len()],
        rest: None,
    };
    writer.settle();
    for node in &old.nodes {
        writer.node(node);
    }
    let kinds = writer.returns();
    (writer.out, kinds)
}

/// A vector in the new basis.
#[derive(Clone, Copy)]
struct Vector {
    coordinates: Value,
    rest: Rest,
}

struct Writer<'a> {
    space: &'a Space,
    layout: &'a Layout,
    b: usize,
    old: &'a Block,
    definitions: Vec<usize>,
    images: Vec<Option<usize>>,
    out: Block,
    /// Values as they were.
    known: Vec<Option<Value>>,
    vectors: Vec<Option<Vector>>,
    /// `e` and `‖e‖²`.
    rest: Option<(Value, Value)>,
}

impl Writer<'_> {
    fn means(&self) -> bool {
        self.old.name == MEANING
    }

    /// In the block that says what can be, the rest lies outside of what the basis expresses.
    fn settle(&mut self) {
        let Some((e, _)) = self.layout.rest.filter(|_| self.means()) else { return };
        let ty = self.space.chain.types[0].clone();
        let any = self.out.push(Op::Get(e), &[], ty);
        self.set_rest(any);
    }

    /// Takes what the basis cannot express of a vector as the rest; its coordinates.
    fn set_rest(&mut self, vector: Value) -> Value {
        let coordinates = self.encoded(vector, self.space.chain.steps.len());
        let back = self.decoded(coordinates);
        let ty = self.space.chain.types[0].clone();
        let e = self.out.push(Op::Sub, &[vector, back], ty);
        let dot = Op::Dot { columns: self.space.columns, real: true };
        let square = self.out.push(dot, &[e, e], self.space.number());
        self.rest = Some((e, square));
        coordinates
    }

    fn rest(&mut self) -> (Value, Value) {
        if let Some(known) = self.rest {
            return known;
        }
        let (e, square) = self.layout.rest.unwrap_or_default();
        let vector = self.out.push(Op::Get(e), &[], self.space.chain.types[0].clone());
        let number = self.out.push(Op::Get(square), &[], self.space.number());
        *self.rest.insert((vector, number))
    }

    fn node(&mut self, node: &Node) {
        let result = node.results.first().filter(|_| node.results.len() == 1);
        if let Some(&result) = result {
            if self.images[result.index()].is_some_and(|level| level > 0) {
                self.image(node, result);
                return;
            }
            if self.is_vector(node, result) {
                self.vectors[result.index()] = Some(self.vector(node, result));
                return;
            }
        }
        if let (Op::Dot { columns, .. }, &[x, y]) = (&node.op, node.args.as_slice())
            && let (Some(x), Some(y)) = (self.vectors[x.index()], self.vectors[y.index()])
        {
            self.known[node.results[0].index()] = Some(self.dot(node, *columns, x, y));
            return;
        }
        self.as_it_was(node);
    }

    fn is_vector(&self, node: &Node, result: Value) -> bool {
        let member = self.space.has(self.b, result);
        member && (!keeps_basis(self.old) || matches!(node.op, Op::Get(_)))
    }

    /// What the whole chain makes of a vector are its coordinates.
    fn image(&mut self, node: &Node, result: Value) {
        if self.images[result.index()] == Some(self.space.chain.steps.len()) {
            let mut from = node.args[0];
            while self.images[from.index()] != Some(0) {
                from = self.old.nodes[self.definitions[from.index()]].args[0];
            }
            self.known[result.index()] = self.vectors[from.index()].map(|v| v.coordinates);
        }
    }

    fn as_it_was(&mut self, node: &Node) {
        let args: Vec<_> = node.args.iter().map(|&v| self.value(v)).collect();
        let types = node.results.iter().map(|&r| self.old.ty(r).clone()).collect();
        let made = self.out.push_many(node.op.clone(), &args, types);
        for (r, v) in node.results.iter().zip(made) {
            self.known[r.index()] = Some(v);
        }
    }

    /// A value as it was in the old basis.
    fn value(&mut self, old: Value) -> Value {
        if let Some(known) = self.known[old.index()] {
            return known;
        }
        let made = if let Some(Vector { coordinates, rest }) = self.vectors[old.index()] {
            let inside = self.decoded(coordinates);
            let ty = self.space.chain.types[0].clone();
            match rest {
                Rest::None => inside,
                Rest::Whole => {
                    let (e, _) = self.rest();
                    self.out.push(Op::Add, &[inside, e], ty)
                }
                Rest::Share(number) => {
                    let (e, _) = self.rest();
                    self.out.push(Op::Axpy, &[number, e, inside], ty)
                }
            }
        } else {
            // Part of the chain, of which somebody wants what lies between.
            let node = &self.old.nodes[self.definitions[old.index()]];
            let arg = self.value(node.args[0]);
            self.out.push(node.op.clone(), &[arg], self.old.ty(old).clone())
        };
        *self.known[old.index()].insert(made)
    }

    fn vector(&mut self, node: &Node, result: Value) -> Vector {
        let ty = self.space.chain.coordinates().clone();
        let (op, args) = (&node.op, node.args.as_slice());
        let vectors = |from: usize, me: &Self| -> Vec<Vector> {
            args[from..].iter().filter_map(|v| me.vectors[v.index()]).collect()
        };
        match op {
            Op::Get(s) => self.get(*s, ty),
            Op::Zero => Vector { coordinates: self.out.push(Op::Zero, &[], ty), rest: Rest::None },
            Op::Add | Op::Sub | Op::Neg => {
                let vectors = vectors(0, self);
                let given: Vec<_> = vectors.iter().map(|v| v.coordinates).collect();
                let coordinates = self.out.push(op.clone(), &given, ty);
                let rests: Vec<_> = vectors.iter().map(|v| v.rest).collect();
                Vector { coordinates, rest: self.linear(op, None, &rests) }
            }
            Op::Scale | Op::Axpy => {
                let vectors = vectors(1, self);
                let factor = self.value(args[0]);
                let given: Vec<_> =
                    std::iter::once(factor).chain(vectors.iter().map(|v| v.coordinates)).collect();
                let coordinates = self.out.push(op.clone(), &given, ty);
                let rests: Vec<_> = vectors.iter().map(|v| v.rest).collect();
                Vector { coordinates, rest: self.linear(op, Some(factor), &rests) }
            }
            _ => self.entering(node, result),
        }
    }

    /// The factor of the rest in a sum or a multiple.
    fn linear(&mut self, op: &Op, factor: Option<Value>, rests: &[Rest]) -> Rest {
        if rests.iter().all(|rest| *rest == Rest::None) {
            return Rest::None;
        }
        let (_, square) = self.rest();
        let ty = self.space.number();
        let mut numbers = Numbers { block: &mut self.out, ty: &ty, square };
        match (op, factor, rests) {
            (Op::Sub, _, [x, y]) => {
                let minus = numbers.negated(*y);
                numbers.sum(&[*x, minus])
            }
            (Op::Neg, _, [x]) => numbers.negated(*x),
            (Op::Scale, Some(a), [x]) => numbers.scaled(a, *x),
            (Op::Axpy, Some(a), [x, y]) => {
                let scaled = numbers.scaled(a, *x);
                numbers.sum(&[scaled, *y])
            }
            _ => numbers.sum(rests),
        }
    }

    fn get(&mut self, state: u32, ty: Type) -> Vector {
        let mut coordinates = self.out.push(Op::Get(state), &[], ty);
        if self.means() {
            coordinates = self.projected(coordinates);
        }
        let rest = match (self.layout.kinds[state as usize], self.layout.shares[state as usize]) {
            (Kind::None, _) => Rest::None,
            (Kind::Share, Some(share)) => {
                Rest::Share(self.out.push(Op::Get(share), &[], self.space.number()))
            }
            (Kind::Whole | Kind::Share, _) => Rest::Whole,
        };
        Vector { coordinates, rest }
    }

    /// What an operator makes, or what comes from outside.
    fn entering(&mut self, node: &Node, result: Value) -> Vector {
        let level = self.space.chain.steps.len();
        if let Some(y) = self.space.preimage(self.old, &self.definitions, result, level) {
            let y = self.value(y);
            return Vector { coordinates: self.projected(y), rest: Rest::None };
        }
        self.as_it_was(node);
        let vector = self.value(result);
        if self.space.chain.complete {
            return Vector { coordinates: self.encoded(vector, level), rest: Rest::None };
        }
        Vector { coordinates: self.set_rest(vector), rest: Rest::Whole }
    }

    fn dot(&mut self, node: &Node, columns: usize, x: Vector, y: Vector) -> Value {
        let ty = self.old.ty(node.results[0]).clone();
        let op = match &self.space.chain.projection {
            Some(_) => Op::Dot { columns, real: true },
            None => node.op.clone(),
        };
        let inside = self.out.push(op, &[x.coordinates, y.coordinates], ty.clone());
        if x.rest == Rest::None || y.rest == Rest::None {
            return inside;
        }
        let (_, square) = self.rest();
        let number = self.space.number();
        let mut numbers = Numbers { block: &mut self.out, ty: &number, square };
        let Some(mut outside) = numbers.product(x.rest, y.rest) else { return inside };
        if ty.dtype != number.dtype {
            outside = self.out.push(Op::Cast, &[outside], ty.clone());
        }
        self.out.push(Op::Add, &[inside, outside], ty)
    }

    fn projected(&mut self, y: Value) -> Value {
        match &self.space.chain.projection {
            Some(onto) => {
                let ty = self.space.chain.coordinates().clone();
                self.out.push(Op::Project(onto.clone()), &[y], ty)
            }
            None => y,
        }
    }

    /// The first steps of the chain.
    fn encoded(&mut self, vector: Value, level: usize) -> Value {
        let chain = &self.space.chain;
        let steps = chain.steps[..level].iter().zip(&chain.types[1..]);
        steps.fold(vector, |v, (&step, ty)| self.out.push(Op::Apply(step), &[v], ty.clone()))
    }

    fn decoded(&mut self, coordinates: Value) -> Value {
        let chain = &self.space.chain;
        let steps = chain.steps.iter().zip(&chain.types).rev();
        steps.fold(coordinates, |v, (&step, ty)| {
            self.out.push(Op::Apply(adjoint(step)), &[v], ty.clone())
        })
    }

    fn returns(&mut self) -> Vec<Kind> {
        let mut kinds = self.layout.kinds.clone();
        for r in &self.old.returns {
            let (Target::State(s), Some(vector)) = (&r.target, self.vectors[r.value.index()])
            else {
                let value = self.value(r.value);
                self.out.give(r.target.clone(), value);
                continue;
            };
            self.out.give(r.target.clone(), vector.coordinates);
            if let Some(share) = self.layout.shares[*s as usize] {
                let number = self.share(vector.rest);
                self.out.give(Target::State(share), number);
            }
            kinds[*s as usize] = vector.rest.kind();
        }
        if let (Some((e, square)), true) =
            (self.layout.rest, self.old.name == SETUP || self.means())
        {
            let (vector, number) = self.rest();
            self.out.give(Target::State(e), vector);
            self.out.give(Target::State(square), number);
        }
        kinds
    }

    fn share(&mut self, rest: Rest) -> Value {
        let ty = self.space.number();
        if rest == Rest::None {
            return self.out.push(Op::Zero, &[], ty);
        }
        let (_, square) = self.rest();
        let mut numbers = Numbers { block: &mut self.out, ty: &ty, square };
        numbers.number(rest).unwrap_or(square)
    }
}
