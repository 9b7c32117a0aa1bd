//! Data expressions as nodes of a block.

use super::error::{ExprError, Fault, Wrong};
use super::lowering::LowerContext;
use super::op::Op;
use super::parts::Parts;
use super::scalar::Scalar;
use super::shape;
use super::text::report;
use super::vector::{Kind, Vector};
use adjoin_passes::ir::{self, Applied, Block, Coefficient, SlotId, Value};
use adjoin_passes::{Dtype, Type, terms};
use std::collections::BTreeMap;

/// The values of each vector that was lowered.
type Memo = BTreeMap<u64, Vec<Value>>;

impl LowerContext {
    /// Appends the nodes of a data expression to a block; its parts.
    ///
    /// Inputs of the same name and type are shared with those that the block already has.
    pub fn vector(&mut self, block: &mut Block, vector: &Vector) -> Result<Vec<Value>, ExprError> {
        self.values(block, &mut Memo::new(), vector).map_err(|fault| report(vector, &fault))
    }

    /// The parts of an input, named `x`, or `x.data` and `x.0` if there are several.
    pub fn input(
        &mut self,
        block: &mut Block,
        name: &str,
        parts: &Parts,
        dtypes: &[Dtype],
    ) -> Result<Vec<Value>, String> {
        let labels = parts.labels(name);
        let types = parts.0.iter().zip(dtypes).map(|(p, d)| Type::new(&p.dims, *d));
        labels.into_iter().zip(types).map(|(label, ty)| input(block, label, ty)).collect()
    }

    fn values(
        &mut self,
        block: &mut Block,
        memo: &mut Memo,
        x: &Vector,
    ) -> Result<Vec<Value>, Fault> {
        if let Some(fault) = &x.0.fault {
            return Err(Fault::clone(fault));
        }
        if let Some(values) = memo.get(&x.0.id) {
            return Ok(values.clone());
        }
        let values = self.new_values(block, memo, x)?;
        memo.insert(x.0.id, values.clone());
        Ok(values)
    }

    fn new_values(
        &mut self,
        block: &mut Block,
        memo: &mut Memo,
        x: &Vector,
    ) -> Result<Vec<Value>, Fault> {
        let at = |wrong: Wrong| Fault { node: x.0.id, wrong };
        match &x.0.kind {
            Kind::Input(name) => self
                .input(block, name, x.parts(), x.dtypes())
                .map_err(|message| at(Wrong::new(message))),
            Kind::Zeros => {
                let types = x.parts().0.iter().zip(x.dtypes());
                Ok(types
                    .map(|(p, d)| block.push(ir::Op::Zero, &[], Type::new(&p.dims, *d)))
                    .collect())
            }
            Kind::Stack(pieces) => {
                let mut values = Vec::new();
                for piece in pieces {
                    values.extend(self.values(block, memo, &piece.vector)?);
                }
                Ok(values)
            }
            Kind::Apply(a, y) => {
                let args = self.values(block, memo, y)?;
                let args = self.fitted(block, a, y.parts(), args);
                let term = self.inner(a)?;
                self.apply(block, term, &args).map_err(at)
            }
            Kind::Sum(summands) => {
                let mut lowered = Vec::new();
                for (minus, y) in summands {
                    let values = self.values(block, memo, y)?;
                    lowered.push((*minus, self.regrouped(block, y.parts(), x.parts(), values)));
                }
                Ok(sum(block, x, &lowered))
            }
            Kind::Neg(y) => {
                let args = self.values(block, memo, y)?;
                Ok(map(block, &ir::Op::Neg, &args))
            }
            Kind::Conj(y) => {
                let args = self.values(block, memo, y)?;
                Ok(map(block, &ir::Op::Conj, &args))
            }
            Kind::Scale(c, y) => {
                let args = self.values(block, memo, y)?;
                self.scale(block, c, x, &args).map_err(at)
            }
            Kind::Divide(y, c) => {
                let args = self.values(block, memo, y)?;
                let reciprocal = Scalar::from(1).over(c.literal().unwrap_or_default().into());
                self.scale(block, &reciprocal, x, &args).map_err(at)
            }
            Kind::Deep => Err(at(super::op::too_deep())),
        }
    }

    /// The arguments with the shapes that the operator takes.
    fn fitted(&mut self, block: &mut Block, a: &Op, parts: &Parts, args: Vec<Value>) -> Vec<Value> {
        let Some(fit) = shape::fit(a.domain(), parts) else { return args };
        if !fit.regroup {
            return args;
        }
        let cut = |p: &super::Part| super::Part {
            name: p.name.clone(),
            dims: p.dims[..p.dims.len() - fit.extra.len()].to_vec(),
        };
        let without_batch = Parts(parts.0.iter().map(cut).collect());
        self.regrouped(block, &without_batch, a.domain(), args)
    }

    fn regrouped(
        &mut self,
        block: &mut Block,
        from: &Parts,
        to: &Parts,
        args: Vec<Value>,
    ) -> Vec<Value> {
        match self.regroup(from, to) {
            Some(term) => self.apply(block, term, &args).unwrap_or(args),
            None => args,
        }
    }

    fn apply(
        &mut self,
        block: &mut Block,
        term: ir::TermId,
        args: &[Value],
    ) -> Result<Vec<Value>, Wrong> {
        let given: Vec<_> = args.iter().map(|&v| block.ty(v).clone()).collect();
        let types = terms::results(&self.plan, term, &given).map_err(Wrong::new)?;
        Ok(block.push_many(ir::Op::Apply(Applied::Term(term)), args, types))
    }

    /// `c x`, a sum if the scalar is one.
    fn scale(
        &mut self,
        block: &mut Block,
        c: &Scalar,
        scaled: &Vector,
        args: &[Value],
    ) -> Result<Vec<Value>, Wrong> {
        let coefficients = self.coefficients(c)?;
        let products: Vec<_> =
            coefficients.iter().map(|c| (c.negative, self.times(block, c, args))).collect();
        match &products[..] {
            [(false, one)] => Ok(one.clone()),
            [(true, one)] => Ok(map(block, &ir::Op::Neg, one)),
            _ => Ok(sum(block, scaled, &products)),
        }
    }

    /// The product with the slots of a coefficient, whatever its sign.
    fn times(&self, block: &mut Block, c: &Coefficient, args: &[Value]) -> Vec<Value> {
        let mut values = args.to_vec();
        for &(id, conj) in &c.slots {
            let slot = self.slot_value(block, id);
            let slot = if conj { map(block, &ir::Op::Conj, &[slot])[0] } else { slot };
            let complex = block.ty(slot).dtype.is_complex();
            for value in &mut values {
                let ty = block.ty(*value);
                let ty = Type::new(&ty.dims, ty.dtype.promote_weak(complex));
                *value = block.push(ir::Op::Scale, &[slot, *value], ty);
            }
        }
        values
    }

    fn slot_value(&self, block: &mut Block, id: SlotId) -> Value {
        match block.nodes.iter().find(|n| n.op == ir::Op::Slot(id)) {
            Some(node) => node.results[0],
            None => block.push(ir::Op::Slot(id), &[], Type::scalar(self.plan[id].dtype)),
        }
    }
}

fn input(block: &mut Block, label: String, ty: Type) -> Result<Value, String> {
    let op = ir::Op::Input(label);
    let Some(node) = block.nodes.iter().find(|n| n.op == op) else {
        return Ok(block.push(op, &[], ty));
    };
    let value = node.results[0];
    if *block.ty(value) == ty {
        return Ok(value);
    }
    let ir::Op::Input(label) = op else { return Ok(value) };
    Err(format!("two different inputs are named {label}"))
}

/// A node of one argument, of the same type, for each part.
fn map(block: &mut Block, op: &ir::Op, args: &[Value]) -> Vec<Value> {
    let mut one = |&v: &Value| {
        let ty = block.ty(v).clone();
        block.push(op.clone(), &[v], ty)
    };
    args.iter().map(&mut one).collect()
}

/// The sum of each part, in the types of `whole`.
fn sum(block: &mut Block, whole: &Vector, terms: &[(bool, Vec<Value>)]) -> Vec<Value> {
    let types = whole.parts().0.iter().zip(whole.dtypes()).map(|(p, d)| Type::new(&p.dims, *d));
    let types: Vec<_> = types.collect();
    let mut parts = Vec::new();
    for (i, ty) in types.into_iter().enumerate() {
        let args: Vec<_> =
            terms.iter().map(|(minus, values)| (*minus, cast(block, values[i], &ty))).collect();
        if let [(false, x), (true, y)] = args[..] {
            parts.push(block.push(ir::Op::Sub, &[x, y], ty));
            continue;
        }
        let signed = |(minus, v): (bool, Value)| {
            if minus { map(block, &ir::Op::Neg, &[v])[0] } else { v }
        };
        let args: Vec<_> = args.into_iter().map(signed).collect();
        parts.push(block.push(ir::Op::Add, &args, ty));
    }
    parts
}

fn cast(block: &mut Block, value: Value, ty: &Type) -> Value {
    if block.ty(value).dtype == ty.dtype {
        return value;
    }
    block.push(ir::Op::Cast, &[value], ty.clone())
}
