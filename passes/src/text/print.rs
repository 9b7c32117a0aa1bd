//! From a plan to its text.
//!
//! A broken plan prints too, since the verifier shows it: what is missing prints as `?`.

mod head;
mod layout;
mod tables;
mod terms;

use super::words;
use crate::ir::{Applied, Block, LeafId, Map, Node, Op, Over, Plan, Return, Target, Value};
use crate::mesh::Axis;
use crate::placement::Type;
use crate::traffic::Traffic;
use layout::{Layout, name};
use std::fmt;
use tables::Tables;
use terms::Terms;

/// The complete text of a plan: [`parse`](super::parse()) reads it back.
pub fn print(plan: &Plan) -> String {
    Printer::new(plan, Style::Complete).plan(None)
}

/// The text of a plan for people, with a note under one of its nodes.
pub fn print_with_note(plan: &Plan, block: usize, node: usize, note: &str) -> String {
    Printer::new(plan, Style::Short).plan(Some(Note { block, node, text: note }))
}

/// What stands between `=` and the arguments in the line of such a node.
pub fn operation(plan: &Plan, op: &Op) -> String {
    Printer::new(plan, Style::Short).op(op)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Printer::new(self, Style::Short).plan(None))
    }
}

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Everything but costs.
    Complete,
    /// Without buffers and kinds of operators, and with long tables shortened.
    Short,
}

#[derive(Clone, Copy)]
struct Note<'a> {
    block: usize,
    node: usize,
    text: &'a str,
}

struct Printer<'a> {
    plan: &'a Plan,
    style: Style,
    tables: Tables<'a>,
    terms: Terms,
    out: Layout,
}

impl<'a> Printer<'a> {
    fn new(plan: &'a Plan, style: Style) -> Self {
        let (tables, terms) = (Tables::new(plan), Terms::new(plan));
        Printer { plan, style, tables, terms, out: Layout::default() }
    }

    fn plan(mut self, note: Option<Note>) -> String {
        self.head();
        let only = self.plan.blocks.len() == 1;
        for (b, block) in self.plan.blocks.iter().enumerate() {
            if !(only && block.name.is_empty()) {
                let every = block.every.map_or(String::new(), |k| format!(" every {k}"));
                self.out.line(&format!("block {}{every}", name(&block.name)));
            }
            self.block(block, note.filter(|note| note.block == b));
        }
        self.out.finish()
    }

    fn block(&mut self, block: &Block, note: Option<Note>) {
        let numbers = Numbers::new(block);
        for (n, node) in block.nodes.iter().enumerate() {
            if block.splits.iter().any(|s| s.first as usize == n) {
                self.out.line("split");
            }
            for region in block.regions.iter().filter(|r| r.first as usize == n) {
                let of = match region.over {
                    Over::Panels(leaf) => format!(" {}", self.leaf_name(leaf)),
                    Over::Normal(leaf) => format!(" {0}.H {0}", self.leaf_name(leaf)),
                    Over::Elements => String::new(),
                };
                self.out.line(&format!("region{of}"));
            }
            self.node(block, node, &numbers);
            if let Some(note) = note.filter(|note| note.node == n) {
                self.out.note(note.text);
            }
            let ends =
                block.regions.iter().map(|r| r.last).chain(block.splits.iter().map(|s| s.last));
            ends.filter(|last| *last as usize == n).for_each(|_| self.out.line("end"));
        }
        self.returns(block, &numbers);
        if self.style == Style::Complete {
            self.buffers(block, &numbers);
        }
        self.out.line(&format!("comm {}", Traffic::of(&self.plan.mesh, block)));
    }

    fn node(&mut self, block: &Block, node: &Node, numbers: &Numbers) {
        let results = match node.results.as_slice() {
            [] => "_".into(),
            results => numbers.list(results, ", "),
        };
        let mut left = format!("{results} = {}", self.op(&node.op));
        if !node.args.is_empty() {
            left += " ";
            left += &numbers.list(&node.args, " ");
        }
        let types: Vec<_> = node.results.iter().map(|&v| self.value_type(block, v)).collect();
        self.out.typed(&left, &types.join(", "));
    }

    fn value_type(&self, block: &Block, value: Value) -> String {
        block.types.get(value.index()).map_or("?".into(), |ty| self.ty(ty))
    }

    fn ty(&self, ty: &Type) -> String {
        let mesh = &self.plan.mesh;
        let p = &ty.placement;
        let complete = p.splits.len() == ty.dims.len() && p.ghosts.len() == ty.dims.len();
        let axes = p.splits.iter().flat_map(|s| &s.axes).chain(&p.pending);
        if complete && axes.into_iter().all(|&a| a < mesh.axes.len()) {
            return ty.text(mesh);
        }
        let dims: Vec<_> = ty.dims.iter().map(ToString::to_string).collect();
        format!("{}[{}] ?", ty.dtype, dims.join(", "))
    }

    /// What stands between `=` and the arguments.
    fn op(&self, op: &Op) -> String {
        let word = words::op(op);
        match op {
            Op::Input(n) | Op::Call(n) | Op::Map(Map::Named(n)) => {
                format!("{word} {}", name(n))
            }
            Op::Slot(id) => format!("{word} {}", self.slot(*id)),
            Op::Get(state) => format!("{word} {}", self.state(*state)),
            Op::Apply(applied) => format!("{word} {}", self.applied(*applied)),
            Op::Project(p) => {
                let onto: Vec<_> = p.onto.iter().map(|&leaf| self.leaf_name(leaf)).collect();
                format!("{word} {}", onto.join(" "))
            }
            Op::Part(start) => format!("{word} {start}"),
            Op::Dot { columns, real } => {
                let real = if *real { " real" } else { "" };
                let columns = match columns {
                    0 => String::new(),
                    n => format!(" columns={n}"),
                };
                format!("{word}{real}{columns}")
            }
            Op::Reduce(reduction) => format!("{word} {}", words::reduction(*reduction)),
            Op::AllToAll(axis) => format!("{word} {}", self.axis(*axis)),
            Op::AllReduce(axes)
            | Op::ReduceScatter(axes)
            | Op::AllGather(axes)
            | Op::Pad(axes)
            | Op::Partial(axes) => format!("{word} {}", self.axes(axes)),
            Op::Zero
            | Op::Add
            | Op::Sub
            | Op::Neg
            | Op::Scale
            | Op::Axpy
            | Op::Conj
            | Op::Cast
            | Op::Reshape
            | Op::Concat
            | Op::Map(_)
            | Op::Take
            | Op::Put
            | Op::Combine
            | Op::Dots
            | Op::OneHot
            | Op::Exchange
            | Op::Halo
            | Op::HaloSum
            | Op::Slice
            | Op::Copy => word.into(),
        }
    }

    fn applied(&self, applied: Applied) -> String {
        match applied {
            Applied::Term(id) => self.term_name(id),
            Applied::Leaf(id) => self.leaf_name(id),
            Applied::Adjoint(id) => format!("{}.H", self.leaf_name(id)),
        }
    }

    fn leaf_name(&self, id: LeafId) -> String {
        let leaf = self.plan.leaves.get(id.0 as usize);
        leaf.map_or_else(|| format!("?{}", id.0), |leaf| head::operator(&leaf.name))
    }

    fn state(&self, state: u32) -> String {
        let found = self.plan.states.get(state as usize);
        found.map_or_else(|| format!("?{state}"), |s| name(&s.name))
    }

    fn axis(&self, axis: Axis) -> String {
        let found = self.plan.mesh.axes.get(axis);
        found.map_or_else(|| format!("?{axis}"), |(name, _)| name.clone())
    }

    fn axes(&self, axes: &[Axis]) -> String {
        let names: Vec<_> = axes.iter().map(|&a| self.axis(a)).collect();
        match names.as_slice() {
            [one] => one.clone(),
            names => format!("({})", names.join(",")),
        }
    }

    fn returns(&mut self, block: &Block, numbers: &Numbers) {
        let is_output = |r: &Return| r.target == Target::Output;
        for run in block.returns.chunk_by(|a, b| is_output(a) && is_output(b)) {
            let values: Vec<_> = run.iter().map(|r| r.value).collect();
            let place = match &run[0].target {
                Target::Output => "return".into(),
                Target::State(state) => format!("set {}", self.state(*state)),
                Target::Control(control) => format!("control {}", name(control)),
            };
            self.out.line(&format!("{place} {}", numbers.list(&values, " ")));
        }
    }

    fn buffers(&mut self, block: &Block, numbers: &Numbers) {
        let Some(buffers) = &block.buffers else { return };
        let mut held: Vec<(u32, u32)> = Vec::new();
        for (value, &buffer) in buffers.iter().enumerate() {
            held.extend(numbers.get(Value(value as u32)).map(|number| (buffer, number)));
        }
        held.sort_unstable();
        if held.is_empty() {
            self.out.line("store");
        }
        for run in held.chunk_by(|a, b| a.0 == b.0) {
            let values: Vec<_> = run.iter().map(|(_, number)| format!("%{number}")).collect();
            self.out.line(&format!("store {} = {}", run[0].0, values.join(" ")));
        }
    }
}

/// The number under which each value prints: the order of definition.
struct Numbers(Vec<Option<u32>>);

impl Numbers {
    fn new(block: &Block) -> Self {
        let mut numbers = vec![None; block.types.len()];
        let mut next = 0;
        for value in block.nodes.iter().flat_map(|node| &node.results) {
            if let Some(number @ None) = numbers.get_mut(value.index()) {
                *number = Some(next);
                next += 1;
            }
        }
        Numbers(numbers)
    }

    fn get(&self, value: Value) -> Option<u32> {
        self.0.get(value.index()).copied().flatten()
    }

    fn list(&self, values: &[Value], separator: &str) -> String {
        let text = |&v: &Value| match self.get(v) {
            Some(number) => format!("%{number}"),
            None => format!("%?{}", v.0),
        };
        values.iter().map(text).collect::<Vec<_>>().join(separator)
    }
}
