//! Applies composite operators from the vector outwards, node by node.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : f64[4, 3]
//! let B = (i) <- (j) : f64[3, 4]
//! slot a : f64
//! term t0 = A @ B
//! term t1 = scale a t0
//! %0 = input x : f64[4]
//! %1 = apply t1 %0 : f64[4]
//! return %1
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[4, 3]
//! let B = (i) <- (j)              : f64[3, 4]
//! slot a                          : f64
//! %0 = input x                    : f64[4]
//! %1 = apply B %0                 : f64[3]
//! %2 = apply A %1                 : f64[4]
//! %3 = slot a                     : f64[]
//! %4 = scale %3 %2                : f64[4]
//! return %4
//! comm 0 calls, 0 B per rank
//! ```
//! (A B) x = A (B x) costs two applications where forming A B would cost a product; a scalar is
//! applied on the side that has fewer elements.
//! Casts make explicit what NumPy's promotion implies.
//! Numerics class: F.

use crate::dtype::Dtype;
use crate::error::PlanError;
use crate::ir::{
    Applied, Block, Coefficient, Elementwise, LeafId, Node, Op, Plan, Term, TermId, Value,
};
use crate::pipeline::{Context, Numerics, Pass};
use crate::placement::Type;
use crate::terms;

/// The pass.
pub struct AssociateProducts;

impl Pass for AssociateProducts {
    fn name(&self) -> &'static str {
        "associate-products"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let blocks = plan.blocks.iter().map(|b| expanded(plan, b)).collect();
        Ok(Plan { terms: Vec::new(), blocks, ..plan.clone() })
    }
}

fn expanded(plan: &Plan, block: &Block) -> Block {
    let mut out = Expansion { plan, block: block.emptied() };
    let mut map = vec![Value(0); block.types.len()];
    for Node { op, args, results } in &block.nodes {
        let args: Vec<_> = args.iter().map(|v| map[v.index()]).collect();
        let made = if let Op::Apply(Applied::Term(t)) = op {
            let made = out.apply(*t, args);
            let typed = made.into_iter().zip(results);
            typed.map(|(v, r)| out.cast(v, block.ty(*r).dtype)).collect()
        } else {
            let types = results.iter().map(|&r| block.ty(r).clone()).collect();
            out.block.push_many(op.clone(), &args, types)
        };
        for (r, v) in results.iter().zip(made) {
            map[r.index()] = v;
        }
    }
    for r in &block.returns {
        out.block.give(r.target.clone(), map[r.value.index()]);
    }
    out.block
}

struct Expansion<'a> {
    plan: &'a Plan,
    block: Block,
}

impl Expansion<'_> {
    fn ty(&self, v: Value) -> &Type {
        self.block.ty(v)
    }

    fn cast(&mut self, v: Value, dtype: Dtype) -> Value {
        if self.ty(v).dtype == dtype {
            return v;
        }
        let ty = Type { dtype, ..self.ty(v).clone() };
        self.block.push(Op::Cast, &[v], ty)
    }

    fn reshape(&mut self, v: Value, dims: &[usize]) -> Value {
        if self.ty(v).dims == dims {
            return v;
        }
        let ty = Type::new(dims, self.ty(v).dtype);
        self.block.push(Op::Reshape, &[v], ty)
    }

    fn apply(&mut self, term: TermId, x: Vec<Value>) -> Vec<Value> {
        match &self.plan[term] {
            Term::Leaf(leaf) => self.leaf(*leaf, false, x),
            Term::Adjoint(t) => match &self.plan[*t] {
                Term::Leaf(leaf) => self.leaf(*leaf, true, x),
                other => unreachable!("{other:?} keeps its adjoint: push-adjoints runs before"),
            },
            Term::Transpose(_) | Term::Conj(_) => {
                unreachable!("push-adjoints leaves no transpose and no conjugate")
            }
            Term::Scale(c, t) => self.scale(c, *t, x),
            Term::Sum(ts) => self.sum(ts, &x),
            Term::Product(ts) => ts.iter().rev().fold(x, |x, &t| self.apply(t, x)),
            Term::VStack(ts) => ts.iter().flat_map(|&t| self.apply(t, x.clone())).collect(),
            Term::HStack(ts) => {
                let parts = self.dealt(ts, x);
                let made: Vec<_> =
                    parts.into_iter().map(|(t, mine)| (false, self.apply(t, mine))).collect();
                self.add(&made)
            }
            Term::BlockDiag(ts) => {
                let parts = self.dealt(ts, x);
                parts.into_iter().flat_map(|(t, mine)| self.apply(t, mine)).collect()
            }
            Term::Element(map, _) => x.into_iter().map(|v| self.element(*map, v)).collect(),
            Term::Regroup(from, to) => self.regroup(from, to, x),
            Term::Lift(t, _) => self.apply(*t, x),
            Term::Kronecker(_) => unreachable!("expand-kronecker leaves no Kronecker product"),
        }
    }

    fn leaf(&mut self, leaf: LeafId, adjoint: bool, x: Vec<Value>) -> Vec<Value> {
        let s = &self.plan[leaf].signature;
        let vector = x.iter().map(|&v| self.ty(v).dtype).reduce(Dtype::promote);
        let (domain, range) = s.types(vector.unwrap_or(s.dtype));
        let (take, give, from, to) = if adjoint {
            (range, domain, &s.range, &s.domain)
        } else {
            (domain, range, &s.domain, &s.range)
        };
        let x: Vec<_> = x.into_iter().map(|v| self.cast(v, take)).collect();
        let extra =
            x.first().map(|&v| self.ty(v).dims[from[0].len()..].to_vec()).unwrap_or_default();
        let types = to.iter().map(|d| Type::new(&[d, &extra[..]].concat(), give)).collect();
        let applied = if adjoint { Applied::Adjoint(leaf) } else { Applied::Leaf(leaf) };
        self.block.push_many(Op::Apply(applied), &x, types)
    }

    fn scale(&mut self, c: &Coefficient, term: TermId, x: Vec<Value>) -> Vec<Value> {
        let (domain, range) = terms::sides(self.plan, term);
        let size = |shapes: &terms::Shapes| {
            shapes.iter().map(|s| s.iter().product::<usize>()).sum::<usize>()
        };
        let complex = terms::is_complex(self.plan, c);
        let free = !complex || terms::is_complex_linear(self.plan, term);
        let kept = x.iter().all(|&v| !complex || self.ty(v).dtype.is_complex());
        if free && kept && size(&domain) < size(&range) {
            let x = x.into_iter().map(|v| self.times(c, v)).collect();
            return self.apply(term, x);
        }
        let y = self.apply(term, x);
        y.into_iter().map(|v| self.times(c, v)).collect()
    }

    /// `c x`
    fn times(&mut self, c: &Coefficient, x: Value) -> Value {
        let mut factor: Option<Value> = None;
        for &(slot, conj) in &c.slots {
            let dtype = self.plan[slot].dtype;
            let mut v = self.block.push(Op::Slot(slot), &[], Type::scalar(dtype));
            if conj && dtype.is_complex() {
                v = self.block.push(Op::Conj, &[v], Type::scalar(dtype));
            }
            factor = Some(match factor {
                None => v,
                Some(f) => {
                    let ty = Type::scalar(self.ty(f).dtype.promote(dtype));
                    self.block.push(Op::Map(crate::ir::Map::Mul), &[f, v], ty)
                }
            });
        }
        let mut ty = self.ty(x).clone();
        let Some(factor) = factor else {
            return if c.negative { self.block.push(Op::Neg, &[x], ty) } else { x };
        };
        let factor = if c.negative {
            let scalar = self.ty(factor).clone();
            self.block.push(Op::Neg, &[factor], scalar)
        } else {
            factor
        };
        ty.dtype = ty.dtype.promote_weak(self.ty(factor).dtype.is_complex());
        self.block.push(Op::Scale, &[factor, x], ty)
    }

    fn sum(&mut self, ts: &[TermId], x: &[Value]) -> Vec<Value> {
        let mut made = Vec::new();
        for &t in ts {
            made.push(match &self.plan[t] {
                Term::Scale(c, inner) if c.negative => {
                    let positive = Coefficient { negative: false, slots: c.slots.clone() };
                    (true, self.scale(&positive, *inner, x.to_vec()))
                }
                _ => (false, self.apply(t, x.to_vec())),
            });
        }
        self.add(&made)
    }

    /// The sum of lists of parts, of which some are subtracted.
    fn add(&mut self, lists: &[(bool, Vec<Value>)]) -> Vec<Value> {
        let parts = lists[0].1.len();
        (0..parts)
            .map(|k| {
                let items: Vec<_> = lists.iter().map(|(minus, list)| (*minus, list[k])).collect();
                let types = items.iter().map(|&(_, v)| self.ty(v).dtype);
                let dtype = types.reduce(Dtype::promote).unwrap_or(Dtype::F64);
                let items: Vec<_> =
                    items.into_iter().map(|(m, v)| (m, self.cast(v, dtype))).collect();
                self.signed(&items)
            })
            .collect()
    }

    fn signed(&mut self, items: &[(bool, Value)]) -> Value {
        let pick =
            |minus| items.iter().filter(move |i| i.0 == minus).map(|i| i.1).collect::<Vec<_>>();
        let (plus, minus) = (self.added(&pick(false)), self.added(&pick(true)));
        match (plus, minus) {
            (Some(a), Some(b)) => {
                let ty = self.ty(a).clone();
                self.block.push(Op::Sub, &[a, b], ty)
            }
            (None, Some(b)) => {
                let ty = self.ty(b).clone();
                self.block.push(Op::Neg, &[b], ty)
            }
            (Some(a), None) => a,
            (None, None) => unreachable!("a sum has terms"),
        }
    }

    fn added(&mut self, values: &[Value]) -> Option<Value> {
        match values {
            [] => None,
            [one] => Some(*one),
            [first, ..] => {
                let ty = self.ty(*first).clone();
                Some(self.block.push(Op::Add, values, ty))
            }
        }
    }

    fn dealt(&self, ts: &[TermId], x: Vec<Value>) -> Vec<(TermId, Vec<Value>)> {
        let mut rest = x.into_iter();
        let take = |&t: &TermId| {
            let n = terms::domain(self.plan, t).len();
            (t, rest.by_ref().take(n).collect())
        };
        ts.iter().map(take).collect()
    }

    fn element(&mut self, map: Elementwise, x: Value) -> Value {
        let ty = self.ty(x).clone();
        match map {
            Elementwise::Zero => self.block.push(Op::Zero, &[], ty),
            Elementwise::Real => self.cast(x, ty.dtype.real()),
            Elementwise::Conj if ty.dtype.is_complex() => self.block.push(Op::Conj, &[x], ty),
            Elementwise::Identity | Elementwise::Conj => x,
        }
    }

    fn regroup(&mut self, from: &terms::Shapes, to: &terms::Shapes, x: Vec<Value>) -> Vec<Value> {
        let extra =
            x.first().map(|&v| self.ty(v).dims[from[0].len()..].to_vec()).unwrap_or_default();
        let lift = |s: &Vec<usize>| [s.as_slice(), &extra].concat();
        if terms::only_reshapes(from, to) {
            return x.into_iter().zip(to).map(|(v, s)| self.reshape(v, &lift(s))).collect();
        }
        let dtype =
            x.iter().map(|&v| self.ty(v).dtype).reduce(Dtype::promote).unwrap_or(Dtype::F64);
        let flat: Vec<_> = x
            .into_iter()
            .map(|v| {
                let v = self.cast(v, dtype);
                let n = self.ty(v).len();
                self.reshape(v, &[n])
            })
            .collect();
        let whole = if let [one] = flat.as_slice() {
            *one
        } else {
            let n = flat.iter().map(|&v| self.ty(v).len()).sum();
            self.block.push(Op::Concat, &flat, Type::new(&[n], dtype))
        };
        if to.len() == 1 {
            return vec![self.reshape(whole, &lift(&to[0]))];
        }
        let mut begin = 0;
        to.iter()
            .map(|s| {
                let dims = lift(s);
                let n = size(&dims);
                let v = self.block.push(Op::Part(begin), &[whole], Type::new(&[n], dtype));
                begin += n;
                self.reshape(v, &dims)
            })
            .collect()
    }
}

fn size(dims: &[usize]) -> usize {
    dims.iter().product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn a_scalar_goes_where_there_are_fewer_elements() {
        let plan = after(
            &AssociateProducts,
            "mesh 1 rank
            let A = (i) <- (j) : f64[4, 2]
            slot a : f64
            term t0 = A.H
            term t1 = scale a A
            term t2 = scale -a t0
            %0 = input x : f64[2]
            %1 = apply t1 %0 : f64[4]
            %2 = apply t2 %1 : f64[2]
            return %2",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[2]
        %1 = slot a                     : f64[]
        %2 = scale %1 %0                : f64[2]
        %3 = apply A %2                 : f64[4]
        %4 = apply A.H %3               : f64[2]
        %5 = slot a                     : f64[]
        %6 = neg %5                     : f64[]
        %7 = scale %6 %4                : f64[2]
        ");
    }

    #[test]
    fn a_complex_scalar_stays_behind_an_operator_that_takes_reals() {
        let plan = after(
            &AssociateProducts,
            "mesh 1 rank
            let F = (i!) <- (j!) real r2c : f64[5, 4]
            slot a : c128
            term t0 = scale a F
            %0 = input x : f64[4]
            %1 = apply t0 %0 : c128[5]
            return %1",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[4]
        %1 = apply F %0                 : c128[5]
        %2 = slot a                     : c128[]
        %3 = scale %2 %1                : c128[5]
        ");
    }

    #[test]
    fn minus_becomes_a_difference_and_types_are_cast() {
        let plan = after(
            &AssociateProducts,
            "mesh 1 rank
            let A = (i) <- (j) : f32[2, 3]
            let B = (i) <- (j) : c64[2, 3]
            term t0 = scale - A
            term t1 = sum B t0 B
            %0 = input x : f32[3]
            %1 = apply t1 %0 : c64[2]
            return %1",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f32[3]
        %1 = cast %0                    : c64[3]
        %2 = apply B %1                 : c64[2]
        %3 = apply A %0                 : f32[2]
        %4 = cast %0                    : c64[3]
        %5 = apply B %4                 : c64[2]
        %6 = cast %3                    : c64[2]
        %7 = add %2 %5                  : c64[2]
        %8 = sub %7 %6                  : c64[2]
        ");
    }

    #[test]
    fn parts_of_other_shapes_are_cut_from_one_flat_part() {
        let plan = after(
            &AssociateProducts,
            "mesh 1 rank
            term t0 = regroup [2, 3] [4] -> [5] [5]
            %0 = input x : f64[2, 3]
            %1 = input y : f64[4]
            %2, %3 = apply t0 %0 %1 : f64[5], f64[5]
            return %2 %3",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[2, 3]
        %1 = input y                    : f64[4]
        %2 = reshape %0                 : f64[6]
        %3 = concat %2 %1               : f64[10]
        %4 = part 0 %3                  : f64[5]
        %5 = part 5 %3                  : f64[5]
        ");
    }

    #[test]
    fn parts_of_the_same_sizes_are_reshaped_each_with_its_batch() {
        let plan = after(
            &AssociateProducts,
            "mesh 1 rank
            term t0 = regroup [2, 3] [4] -> [6] [2, 2]
            %0 = input x : f64[2, 3, 7]
            %1 = input y : f64[4, 7]
            %2, %3 = apply t0 %0 %1 : f64[6, 7], f64[2, 2, 7]
            return %2 %3",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[2, 3, 7]
        %1 = input y                    : f64[4, 7]
        %2 = reshape %0                 : f64[6, 7]
        %3 = reshape %1                 : f64[2, 2, 7]
        ");
    }

    #[test]
    fn applications_of_leaves_stay() {
        let plan = "mesh 1 rank
            let A = (i) <- (j) : f64[2, 3]
            %0 = input x : f64[3]
            %1 = apply A %0 : f64[2]
            %2 = apply A.H %1 : f64[3]
            return %2";
        assert!(unchanged(&AssociateProducts, plan));
    }
}
