//! The reference: evaluates an unplaced plan on one rank, straight from the expression.
//!
//! It shares no code with passes, lowering or the interpreter, so that a mistake there cannot
//! hide here.
//! It is generic over the field: GF(p²) in certificates, complex numbers with the real kernels
//! in tests.

use crate::ir::{
    Applied, Block, Coefficient, Elementwise, LeafId, Map, Node, Op, Plan, Reduction, Target, Term,
    TermId,
};
use crate::terms;

/// The numbers that the reference computes with.
pub trait Number: Copy + PartialEq {
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// `a + b`
    fn plus(self, other: Self) -> Self;
    /// `-a`
    fn negate(self) -> Self;
    /// `a b`
    fn times(self, other: Self) -> Self;
    /// The conjugate.
    fn conjugate(self) -> Self;
    /// The real part.
    fn real(self) -> Self;
    /// A function of elements.
    fn map(map: &Map, args: &[Self]) -> Self;
    /// A function of whole values.
    fn call(name: &str, args: &[Vec<Self>], len: usize) -> Vec<Self>;
    /// A total preorder of absolute values, for reductions.
    fn larger(self, other: Self) -> bool;
    /// The absolute value.
    fn absolute(self) -> Self;
    /// A small integer.
    fn integer(n: usize) -> Self;
    /// The integer that an index stands for; some valid index if it is none.
    fn index(self, below: usize) -> usize;
}

/// The leaves of a plan, over whole arrays.
pub trait Leaves<F> {
    /// `A x` or `Aᴴ x`; dims of `x` beyond the signature's are a batch.
    fn apply(
        &mut self,
        leaf: LeafId,
        adjoint: bool,
        x: &[Array<F>],
    ) -> Result<Vec<Array<F>>, String>;
}

/// One part as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<F> {
    /// Its shape.
    pub dims: Vec<usize>,
    /// Its elements, row-major.
    pub data: Vec<F>,
}

/// What a block computes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome<F> {
    /// The new value of each state variable that is set.
    pub states: Vec<(u32, Array<F>)>,
    /// The parts of the result.
    pub outputs: Vec<Array<F>>,
    /// The control numbers.
    pub controls: Vec<(String, Array<F>)>,
}

/// What a block starts from.
pub struct Given<'a, F> {
    /// Parts by name.
    pub inputs: &'a dyn Fn(&str, &[usize]) -> Array<F>,
    /// State variables by index.
    pub states: &'a [Array<F>],
    /// The numbers in the slots.
    pub slots: &'a [F],
}

/// Evaluates one block of an unplaced plan.
pub fn evaluate<F: Number>(
    plan: &Plan,
    block: &Block,
    given: &Given<'_, F>,
    leaves: &mut dyn Leaves<F>,
) -> Result<Outcome<F>, String> {
    let mut machine = Machine { plan, block, given, leaves, values: vec![None; block.types.len()] };
    for node in &block.nodes {
        machine.node(node)?;
    }
    let mut out = Outcome { states: Vec::new(), outputs: Vec::new(), controls: Vec::new() };
    for r in &block.returns {
        let value = machine.values[r.value.index()].clone().ok_or("a value is used undefined")?;
        match &r.target {
            Target::State(s) => out.states.push((*s, value)),
            Target::Output => out.outputs.push(value),
            Target::Control(name) => out.controls.push((name.clone(), value)),
        }
    }
    Ok(out)
}

struct Machine<'a, F> {
    plan: &'a Plan,
    block: &'a Block,
    given: &'a Given<'a, F>,
    leaves: &'a mut dyn Leaves<F>,
    values: Vec<Option<Array<F>>>,
}

impl<F: Number> Machine<'_, F> {
    fn node(&mut self, node: &Node) -> Result<(), String> {
        let arg = |v: &crate::ir::Value| {
            self.values[v.index()].clone().ok_or_else(|| "a value is used undefined".to_string())
        };
        let args: Vec<_> = node.args.iter().map(arg).collect::<Result<_, _>>()?;
        let results = self.compute(node, args)?;
        for (v, mut value) in node.results.iter().zip(results) {
            let ty = self.block.ty(*v);
            if !ty.dtype.is_complex() {
                value.data.iter_mut().for_each(|x| *x = x.real());
            }
            value.dims.clone_from(&ty.dims);
            self.values[v.index()] = Some(value);
        }
        Ok(())
    }

    fn compute(&mut self, node: &Node, args: Vec<Array<F>>) -> Result<Vec<Array<F>>, String> {
        let dims = node.results.first().map(|&v| self.block.ty(v).dims.clone()).unwrap_or_default();
        let len = dims.iter().product();
        let one = |data: Vec<F>| Ok(vec![Array { dims: dims.clone(), data }]);
        let scalar = |a: &Array<F>, i: usize| a.data[i % a.data.len().max(1)];
        match &node.op {
            Op::Input(name) => Ok(vec![(self.given.inputs)(name, &dims)]),
            Op::Slot(slot) => one(vec![self.given.slots[slot.0 as usize]]),
            Op::Get(s) => Ok(vec![self.given.states[*s as usize].clone()]),
            Op::Zero => one(vec![F::ZERO; len]),
            Op::Apply(Applied::Term(t)) => self.term(*t, false, args),
            Op::Apply(Applied::Leaf(l)) => self.leaf(*l, false, args),
            Op::Apply(Applied::Adjoint(l)) => self.leaf(*l, true, args),
            Op::Add => one((0..len).map(|i| total(args.iter().map(|a| a.data[i]))).collect()),
            Op::Sub => one((0..len).map(|i| minus(args[0].data[i], args[1].data[i])).collect()),
            Op::Neg => one(args[0].data.iter().map(|&x| minus(F::ZERO, x)).collect()),
            Op::Scale => {
                one((0..len).map(|i| scalar(&args[0], i).times(args[1].data[i])).collect())
            }
            Op::Axpy => one((0..len)
                .map(|i| scalar(&args[0], i).times(args[1].data[i]).plus(args[2].data[i]))
                .collect()),
            Op::Conj => one(args[0].data.iter().map(|x| x.conjugate()).collect()),
            Op::Project(p) => self.project(&p.onto, args),
            Op::Cast | Op::Reshape | Op::Slice | Op::Copy => one(args[0].data.clone()),
            Op::Concat => one(args.iter().flat_map(|a| a.data.clone()).collect()),
            Op::Part(begin) => one(args[0].data[*begin..*begin + len].to_vec()),
            Op::Dot { columns, .. } => {
                let k: usize = args[0].dims[args[0].dims.len() - columns..].iter().product();
                one((0..k).map(|c| dot(&args[0].data, &args[1].data, c, k)).collect())
            }
            Op::Map(map) => one((0..len)
                .map(|i| F::map(map, &args.iter().map(|a| scalar(a, i)).collect::<Vec<_>>()))
                .collect()),
            Op::Call(name) => {
                one(F::call(name, &args.into_iter().map(|a| a.data).collect::<Vec<_>>(), len))
            }
            Op::Reduce(reduction) => one(vec![reduce(*reduction, &args[0].data)]),
            Op::Take => {
                let k = args[1].data[0].index(args[0].dims[0]);
                one(args[0].data[k * len..(k + 1) * len].to_vec())
            }
            Op::Put => {
                let mut data = args[0].data.clone();
                let n = args[2].data.len();
                let k = args[1].data[0].index(dims[0]);
                data[k * n..(k + 1) * n].copy_from_slice(&args[2].data);
                one(data)
            }
            Op::Combine => one((0..len)
                .map(|i| {
                    let terms = args[0].data.iter().enumerate();
                    total(terms.map(|(k, h)| h.times(args[1].data[k * len + i])))
                })
                .collect()),
            Op::Dots => {
                let n = args[1].data.len();
                one((0..len)
                    .map(|k| dot(&args[0].data[k * n..(k + 1) * n], &args[1].data, 0, 1))
                    .collect())
            }
            Op::OneHot => {
                let k = args[0].data[0].index(len);
                one((0..len).map(|i| if i == k { F::ONE } else { F::ZERO }).collect())
            }
            Op::AllReduce(_)
            | Op::ReduceScatter(_)
            | Op::AllGather(_)
            | Op::AllToAll(_)
            | Op::Exchange
            | Op::Halo
            | Op::HaloSum
            | Op::Pad(_)
            | Op::Partial(_) => Err("the reference evaluates unplaced plans only".into()),
        }
    }

    fn leaf(
        &mut self,
        leaf: LeafId,
        adjoint: bool,
        x: Vec<Array<F>>,
    ) -> Result<Vec<Array<F>>, String> {
        use crate::signature::Typing;
        let typing = self.plan[leaf].signature.typing;
        let takes_reals = matches!(
            (typing, adjoint),
            (Typing::RealToComplex, false) | (Typing::ComplexToReal, true)
        );
        let x = if takes_reals { each(x, F::real) } else { x };
        let gives_reals = matches!(
            (typing, adjoint),
            (Typing::RealToComplex, true) | (Typing::ComplexToReal, false)
        );
        let y = self.leaves.apply(leaf, adjoint, &x)?;
        Ok(if gives_reals { each(y, F::real) } else { y })
    }

    /// The adjoints of a product of leaves, then the leaves.
    fn project(&mut self, onto: &[LeafId], x: Vec<Array<F>>) -> Result<Vec<Array<F>>, String> {
        let x = onto.iter().try_fold(x, |x, &leaf| self.leaf(leaf, true, x))?;
        onto.iter().rev().try_fold(x, |x, &leaf| self.leaf(leaf, false, x))
    }

    fn coefficient(&self, c: &Coefficient) -> F {
        let slots = c.slots.iter().map(|&(slot, conj)| {
            let value = self.given.slots[slot.0 as usize];
            if conj { value.conjugate() } else { value }
        });
        let product = slots.fold(F::ONE, F::times);
        if c.negative { minus(F::ZERO, product) } else { product }
    }

    /// `A x` or `Aᴴ x` for a composite operator.
    fn term(
        &mut self,
        term: TermId,
        adjoint: bool,
        x: Vec<Array<F>>,
    ) -> Result<Vec<Array<F>>, String> {
        match &self.plan[term] {
            Term::Leaf(leaf) => self.leaf(*leaf, adjoint, x),
            Term::Adjoint(t) => self.term(*t, !adjoint, x),
            Term::Transpose(t) => {
                let y = self.term(*t, !adjoint, each(x, F::conjugate))?;
                Ok(each(y, F::conjugate))
            }
            Term::Conj(t) => {
                let y = self.term(*t, adjoint, each(x, F::conjugate))?;
                Ok(each(y, F::conjugate))
            }
            Term::Scale(c, t) => {
                let c = self.coefficient(c);
                if adjoint {
                    self.term(*t, true, each(x, |v| c.conjugate().times(v)))
                } else {
                    Ok(each(self.term(*t, false, x)?, |v| c.times(v)))
                }
            }
            Term::Sum(ts) => self.sum(ts, adjoint, &x),
            Term::Product(ts) => {
                let order: Vec<_> =
                    if adjoint { ts.clone() } else { ts.iter().rev().copied().collect() };
                order.into_iter().try_fold(x, |x, t| self.term(t, adjoint, x))
            }
            Term::VStack(ts) if adjoint => self.gather(ts, true, x),
            Term::HStack(ts) if !adjoint => self.gather(ts, false, x),
            Term::VStack(ts) | Term::HStack(ts) => {
                let mut out = Vec::new();
                for &t in ts {
                    out.extend(self.term(t, adjoint, x.clone())?);
                }
                Ok(out)
            }
            Term::BlockDiag(ts) => {
                let mut out = Vec::new();
                for (t, mine) in self.deal(ts, adjoint, x) {
                    out.extend(self.term(t, adjoint, mine)?);
                }
                Ok(out)
            }
            Term::Element(map, _) => Ok(match map {
                Elementwise::Identity => x,
                Elementwise::Zero => each(x, |_| F::ZERO),
                Elementwise::Real => each(x, F::real),
                Elementwise::Conj => each(x, F::conjugate),
            }),
            Term::Regroup(from, to) => {
                Ok(regroup(&x, if adjoint { to } else { from }, if adjoint { from } else { to }))
            }
            Term::Lift(t, _) => self.term(*t, adjoint, x),
            Term::Kronecker(ts) => self.kronecker(*ts, adjoint, x),
        }
    }

    /// `B` on trailing dims and then `A` on leading ones, or the adjoint of `A` and then that of
    /// `B`. What an operator acts on stands before its columns.
    fn kronecker(
        &mut self,
        [a, b]: [TermId; 2],
        adjoint: bool,
        x: Vec<Array<F>>,
    ) -> Result<Vec<Array<F>>, String> {
        let x = if adjoint { self.term(a, true, x)? } else { x };
        let dims =
            |(domain, range): (terms::Shapes, terms::Shapes)| (domain[0].len(), range[0].len());
        let outer = dims(terms::sides(self.plan, a)).0;
        let (domain, range) = dims(terms::sides(self.plan, b));
        let (takes, gives) = if adjoint { (range, domain) } else { (domain, range) };
        let front = x.iter().map(|x| swapped(x, outer, takes)).collect();
        let y = self.term(b, adjoint, front)?;
        let y = y.iter().map(|y| swapped(y, gives, outer)).collect();
        if adjoint { Ok(y) } else { self.term(a, false, y) }
    }

    fn sum(
        &mut self,
        ts: &[TermId],
        adjoint: bool,
        x: &[Array<F>],
    ) -> Result<Vec<Array<F>>, String> {
        let mut out: Option<Vec<Array<F>>> = None;
        for &t in ts {
            let y = self.term(t, adjoint, x.to_vec())?;
            out = Some(match out {
                None => y,
                Some(sum) => sum.into_iter().zip(y).map(|(a, b)| plus(a, &b)).collect(),
            });
        }
        out.ok_or_else(|| "a sum of nothing".into())
    }

    /// The sum of blocks, each applied to its own parts.
    fn gather(
        &mut self,
        ts: &[TermId],
        adjoint: bool,
        x: Vec<Array<F>>,
    ) -> Result<Vec<Array<F>>, String> {
        let mut out: Option<Vec<Array<F>>> = None;
        for (t, mine) in self.deal(ts, adjoint, x) {
            let y = self.term(t, adjoint, mine)?;
            out = Some(match out {
                None => y,
                Some(sum) => sum.into_iter().zip(y).map(|(a, b)| plus(a, &b)).collect(),
            });
        }
        out.ok_or_else(|| "a stack of nothing".into())
    }

    /// Gives each block the parts that belong to it.
    fn deal(&self, ts: &[TermId], adjoint: bool, x: Vec<Array<F>>) -> Vec<(TermId, Vec<Array<F>>)> {
        let mut rest = x.into_iter();
        ts.iter()
            .map(|&t| {
                let (domain, range) = terms::sides(self.plan, t);
                let n = if adjoint { range.len() } else { domain.len() };
                (t, rest.by_ref().take(n).collect())
            })
            .collect()
    }
}

/// The first dims behind so many that follow them; what comes after these stays.
fn swapped<F: Copy>(x: &Array<F>, first: usize, next: usize) -> Array<F> {
    let (p, q) = (&x.dims[..first], &x.dims[first..first + next]);
    let rest = &x.dims[first + next..];
    let size = |dims: &[usize]| dims.iter().product::<usize>();
    let (m, n, each) = (size(p), size(q), size(rest));
    let from = |k: usize| (k / each % m * n + k / each / m) * each + k % each;
    Array {
        dims: [q, p, rest].concat(),
        data: (0..m * n * each).map(|k| x.data[from(k)]).collect(),
    }
}

fn each<F: Copy>(x: Vec<Array<F>>, f: impl Fn(F) -> F) -> Vec<Array<F>> {
    x.into_iter()
        .map(|a| Array { data: a.data.into_iter().map(&f).collect(), dims: a.dims })
        .collect()
}

fn plus<F: Number>(a: Array<F>, b: &Array<F>) -> Array<F> {
    Array { data: a.data.iter().zip(&b.data).map(|(a, b)| a.plus(*b)).collect(), dims: a.dims }
}

fn total<F: Number>(items: impl Iterator<Item = F>) -> F {
    items.fold(F::ZERO, F::plus)
}

fn minus<F: Number>(a: F, b: F) -> F {
    a.plus(b.negate())
}

fn dot<F: Number>(a: &[F], b: &[F], column: usize, columns: usize) -> F {
    let pairs = a.iter().zip(b).skip(column).step_by(columns.max(1));
    total(pairs.map(|(a, b)| a.conjugate().times(*b)))
}

fn reduce<F: Number>(reduction: Reduction, data: &[F]) -> F {
    let mut best = 0;
    for i in 1..data.len() {
        if data[i].larger(data[best]) {
            best = i;
        }
    }
    match reduction {
        Reduction::Max => data.get(best).map_or(F::ZERO, |x| x.absolute()),
        Reduction::ArgMax => F::integer(best),
    }
}

fn regroup<F: Number>(x: &[Array<F>], from: &[Vec<usize>], to: &[Vec<usize>]) -> Vec<Array<F>> {
    let extra = x.first().map(|a| a.dims[from[0].len()..].to_vec()).unwrap_or_default();
    let batch: usize = extra.iter().product();
    let flat: Vec<F> = x.iter().flat_map(|a| a.data.iter().copied()).collect();
    let mut begin = 0;
    to.iter()
        .map(|dims| {
            let n = dims.iter().product::<usize>() * batch;
            begin += n;
            Array { dims: [dims, &extra[..]].concat(), data: flat[begin - n..begin].to_vec() }
        })
        .collect()
}
