//! Tiny operators to write expressions with, and a short text of what they are lowered to.

use adjoin::Dtype;
use adjoin::elements::Element;
use adjoin::expr::{Lowered, Op};
use adjoin::ops::{LocalOperator, Operator, OperatorError, Patch, PatchMut, Tile};
use adjoin_kernels::host::Acc;
use adjoin_passes::Plan;
use adjoin_passes::ir::{self, Applied, Coefficient, Term, TermId};
use adjoin_passes::signature::{Binding, Cost, Factor, Laws, Linearity, Rule, Signature, Typing};
use std::sync::Arc;

/// An operator that can be planned; `f64` ones can also be built.
pub struct Tiny {
    signature: Signature,
    matrix: fn(usize, usize) -> f64,
}

/// A dense operator of `f32` data, from parts to one flat part.
pub fn dense(rows: usize, dims: impl Into<Vec<usize>>) -> Op {
    tiny(Dtype::F32, Typing::Same, vec![rows], dims.into())
}

/// The same with another type of data.
pub fn typed(dtype: Dtype, rows: usize, columns: usize) -> Op {
    tiny(dtype, Typing::Same, vec![rows], vec![columns])
}

/// A map of real vectors to complex ones.
pub fn fourier(n: usize) -> Op {
    tiny(Dtype::F32, Typing::RealToComplex, vec![n], vec![n])
}

fn tiny(dtype: Dtype, typing: Typing, range: Vec<usize>, domain: Vec<usize>) -> Op {
    Op::new(Arc::new(Tiny {
        signature: signature(dtype, typing, range, domain),
        matrix: |_, _| 1.0,
    }))
}

/// A dense operator with these elements.
pub fn matrix(rows: usize, columns: usize, matrix: fn(usize, usize) -> f64) -> Op {
    let mut signature = signature(Dtype::F64, Typing::Same, vec![rows], vec![columns]);
    signature.cost.flops = (2 * rows * columns) as f64;
    Op::new(Arc::new(Tiny { signature, matrix }))
}

fn signature(dtype: Dtype, typing: Typing, range: Vec<usize>, domain: Vec<usize>) -> Signature {
    let factors = range.iter().chain(&domain).enumerate();
    let factors: Vec<_> =
        factors.map(|(i, &n)| Factor::free(adjoin_passes::signature::letter(i), n)).collect();
    let m = range.len();
    Signature {
        kind: "MatrixMult".into(),
        dtype,
        typing,
        rule: Rule {
            domain: vec![(m..factors.len()).map(Binding::plain).collect()],
            range: vec![(0..m).map(Binding::plain).collect()],
            factors,
        },
        domain: vec![domain],
        range: vec![range],
        linearity: Linearity::Complex,
        laws: Laws::default(),
        cost: Cost::default(),
    }
}

impl Operator for Tiny {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn build(&self, _: &Tile) -> Result<Box<dyn LocalOperator>, OperatorError> {
        Ok(Box::new(LocalTiny(self.matrix, self.signature.rows(), self.signature.columns())))
    }
}

struct LocalTiny(fn(usize, usize) -> f64, usize, usize);

impl LocalTiny {
    fn run(
        from: &[Patch<'_>],
        into: &mut [PatchMut<'_>],
        (m, n): (usize, usize),
        at: impl Fn(usize, usize) -> f64,
        acc: Acc,
    ) {
        let x = f64::of(from[0].data).unwrap();
        let y = f64::of_mut(into[0].data.reborrow()).unwrap();
        let batch = x.len() / n;
        assert_eq!((x.len(), y.len()), (n * batch, m * batch), "a patch of another size");
        for i in 0..m {
            for k in 0..batch {
                let sum: f64 = (0..n).map(|j| at(i, j) * x[j * batch + k]).sum();
                acc.put(&mut y[i * batch + k], sum);
            }
        }
    }
}

impl LocalOperator for LocalTiny {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        Self::run(x, y, (self.1, self.2), self.0, acc);
        Ok(())
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let matrix = self.0;
        Self::run(y, x, (self.2, self.1), |i, j| matrix(j, i), acc);
        Ok(())
    }
}

/// The nodes of a lowered expression, one a line.
pub fn show(lowered: &Lowered) -> String {
    let plan = &lowered.plan;
    let block = &plan.blocks[0];
    let mut lines = Vec::new();
    for node in &block.nodes {
        let op = match &node.op {
            ir::Op::Apply(Applied::Term(t)) => format!("apply {}", term(plan, *t)),
            ir::Op::Input(name) => format!("input {name}"),
            ir::Op::Slot(id) => format!("slot {}", plan[*id].name),
            other => format!("{other:?}").to_lowercase(),
        };
        let types = node.results.iter().map(|v| block.ty(*v).text(&plan.mesh));
        let types = types.collect::<Vec<_>>().join(", ");
        lines.push(format!(
            "{} = {op}{} : {types}",
            names(node.results.iter()).trim(),
            names(node.args.iter())
        ));
    }
    lines.push(format!("return{}", names(block.returns.iter().map(|r| &r.value))));
    lines.join("\n")
}

fn names<'a>(values: impl Iterator<Item = &'a ir::Value>) -> String {
    values.fold(String::new(), |text, v| format!("{text} %{}", v.0))
}

/// A term in the words of the plan.
pub fn term(plan: &Plan, id: TermId) -> String {
    let list =
        |ts: &[TermId], gap: &str| ts.iter().map(|&t| term(plan, t)).collect::<Vec<_>>().join(gap);
    match &plan[id] {
        Term::Leaf(leaf) => plan[*leaf].name.clone(),
        Term::Adjoint(t) => format!("{}.H", term(plan, *t)),
        Term::Transpose(t) => format!("{}.T", term(plan, *t)),
        Term::Conj(t) => format!("{}.conj", term(plan, *t)),
        Term::Scale(c, t) => format!("{}{}", coefficient(plan, c), term(plan, *t)),
        Term::Sum(ts) => format!("({})", list(ts, " + ")),
        Term::Product(ts) => format!("({})", list(ts, " ")),
        Term::VStack(ts) => format!("v[{}]", list(ts, ", ")),
        Term::HStack(ts) => format!("h[{}]", list(ts, ", ")),
        Term::BlockDiag(ts) => format!("d[{}]", list(ts, ", ")),
        Term::Element(map, shapes) => format!("{map:?}{shapes:?}"),
        Term::Regroup(from, to) => format!("{from:?}>{to:?}"),
        Term::Lift(t, extra) => format!("{}*{extra:?}", term(plan, *t)),
        Term::Kronecker(ts) => format!("({})", list(ts, " ⊗ ")),
    }
}

fn coefficient(plan: &Plan, c: &Coefficient) -> String {
    let sign = if c.negative { "-" } else { "" };
    c.slots.iter().fold(sign.to_string(), |text, &(slot, conj)| {
        format!("{text}{}{} ", plan[slot].name, if conj { "*" } else { "" })
    })
}
