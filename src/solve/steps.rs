//! The step language: blocks of a solver program, written vector by vector.
//!
//! A vector is a list of parts, and every operation here works on all of them.
//! What a solver writes becomes an unplaced plan; the compiler sees operators, updates and scalar
//! products together.

use crate::expr::{ExprError, LowerContext, Op};
use adjoin_passes::ir::{self, Applied, Map, State, Target, TermId, Value};
use adjoin_passes::{Block, Dtype, Type, terms};

/// The parts of a vector, or a single number.
pub type Vector = Vec<Value>;

/// A solver program under construction.
#[derive(Default)]
pub struct Program {
    /// Operators, slots and the blocks so far.
    pub context: LowerContext,
    /// How many right-hand sides are solved at once, if they have a dim of their own.
    columns: Option<usize>,
    /// The names of the solver's own slots.
    own: Vec<String>,
}

/// State variables that hold the parts of one vector.
#[derive(Clone, Debug)]
pub struct Kept {
    states: Vec<u32>,
    types: Vec<Type>,
}

/// One block under construction.
pub struct Steps<'a> {
    program: &'a mut Program,
    block: Block,
}

impl Program {
    /// An empty program; with `columns` every vector has a trailing dim of that size, and every
    /// scalar one value for each of its indices.
    pub fn new(columns: Option<usize>) -> Self {
        Program { context: LowerContext::new(), columns, own: Vec::new() }
    }

    /// An operator.
    pub fn operator(&mut self, op: &Op) -> Result<TermId, ExprError> {
        self.context.term(op)
    }

    /// Types of parts of these shapes, with the trailing dim for several right-hand sides.
    pub fn types(&self, shapes: &[Vec<usize>], dtypes: &[Dtype]) -> Vec<Type> {
        let dims = |s: &Vec<usize>| s.iter().copied().chain(self.columns).collect::<Vec<_>>();
        shapes.iter().zip(dtypes).map(|(s, &d)| Type::new(&dims(s), d)).collect()
    }

    /// The type of a real number, one for each right-hand side.
    pub fn number(&self) -> Type {
        Type::new(&self.columns.into_iter().collect::<Vec<_>>(), Dtype::F64)
    }

    /// The types of `A x`.
    pub fn results(&self, term: TermId, args: &[Type]) -> Result<Vec<Type>, ExprError> {
        terms::results(&self.context.plan, term, args)
            .map_err(|message| ExprError::about(&"the operator", message))
    }

    /// The types of `Aᴴ x`.
    pub fn adjoint_results(&mut self, term: TermId, args: &[Type]) -> Result<Vec<Type>, ExprError> {
        let adjoint = self.adjoint(term);
        self.results(adjoint, args)
    }

    /// The adjoint of an operator.
    pub fn adjoint(&mut self, term: TermId) -> TermId {
        self.context.plan.term(ir::Term::Adjoint(term))
    }

    /// State variables for the parts of a vector.
    pub fn keep(&mut self, labels: &[String], types: &[Type]) -> Kept {
        let states = &mut self.context.plan.states;
        let first = states.len() as u32;
        for (name, ty) in labels.iter().zip(types) {
            states.push(State { name: name.clone(), ty: ty.clone() });
        }
        Kept { states: (first..first + types.len() as u32).collect(), types: types.to_vec() }
    }

    /// Begins a block.
    pub fn block(&mut self, name: &str) -> Steps<'_> {
        Steps { program: self, block: Block::new(name) }
    }
}

impl Kept {
    /// The types of the parts.
    pub fn types(&self) -> &[Type] {
        &self.types
    }
}

impl Steps<'_> {
    /// Ends the block.
    pub fn end(self) {
        self.program.context.plan.blocks.push(self.block);
    }

    /// Parts that the caller hands in.
    pub fn input(&mut self, labels: &[String], types: &[Type]) -> Vector {
        let make = |(name, ty): (&String, &Type)| {
            self.block.push(ir::Op::Input(name.clone()), &[], ty.clone())
        };
        labels.iter().zip(types).map(make).collect()
    }

    /// A number of the solver that is read at run time; no parameter of an operator has its name.
    pub fn slot(&mut self, name: &str, default: f64) -> Result<Value, ExprError> {
        let program = &mut *self.program;
        if !program.own.iter().any(|own| own == name) {
            if program.context.has_parameter(name) {
                let message = "a parameter of the operator has the name of a number of the solver";
                return Err(ExprError::about(&name, message));
            }
            program.own.push(name.to_owned());
        }
        let slot = program
            .context
            .slot(name, default)
            .map_err(|message| ExprError::about(&name, message))?;
        let dtype = program.context.plan[slot].dtype;
        Ok(self.block.push(ir::Op::Slot(slot), &[], Type::scalar(dtype)))
    }

    /// The kept vector as it was at the start of the block.
    pub fn get(&mut self, kept: &Kept) -> Vector {
        let pairs = kept.states.iter().zip(&kept.types);
        pairs.map(|(&s, ty)| self.block.push(ir::Op::Get(s), &[], ty.clone())).collect()
    }

    /// The kept vector from the end of the block on.
    pub fn set(&mut self, kept: &Kept, vector: &[Value]) {
        for (&s, &v) in kept.states.iter().zip(vector) {
            self.block.give(Target::State(s), v);
        }
    }

    /// A number from which the driver decides how to go on.
    pub fn control(&mut self, name: &str, value: Value) {
        self.block.give(Target::Control(name.into()), value);
    }

    /// The parts of the result.
    pub fn output(&mut self, vector: &[Value]) {
        for &part in vector {
            self.block.give(Target::Output, part);
        }
    }

    /// Zeros.
    pub fn zeros(&mut self, types: &[Type]) -> Vector {
        types.iter().map(|ty| self.block.push(ir::Op::Zero, &[], ty.clone())).collect()
    }

    /// `A x`
    pub fn apply(&mut self, term: TermId, x: &[Value]) -> Result<Vector, ExprError> {
        let args: Vec<_> = x.iter().map(|&v| self.block.ty(v).clone()).collect();
        let types = self.program.results(term, &args)?;
        Ok(self.block.push_many(ir::Op::Apply(Applied::Term(term)), x, types))
    }

    /// The vector in other element types.
    pub fn cast(&mut self, x: &[Value], types: &[Type]) -> Vector {
        x.iter()
            .zip(types)
            .map(|(&v, ty)| {
                if self.block.ty(v).dtype == ty.dtype {
                    v
                } else {
                    self.block.push(ir::Op::Cast, &[v], ty.clone())
                }
            })
            .collect()
    }

    /// `x - y`
    pub fn sub(&mut self, x: &[Value], y: &[Value]) -> Vector {
        let pairs = x.iter().zip(y);
        pairs.map(|(&a, &b)| self.block.push(ir::Op::Sub, &[a, b], self.ty(a))).collect()
    }

    /// `a x + y`
    pub fn axpy(&mut self, a: Value, x: &[Value], y: &[Value]) -> Vector {
        let pairs = x.iter().zip(y);
        pairs.map(|(&x, &y)| self.block.push(ir::Op::Axpy, &[a, x, y], self.ty(y))).collect()
    }

    /// `-a`
    pub fn neg(&mut self, a: Value) -> Value {
        self.block.push(ir::Op::Neg, &[a], self.ty(a))
    }

    /// `a + b`
    pub fn plus(&mut self, a: Value, b: Value) -> Value {
        let (a, b) = (self.real(a), self.real(b));
        self.block.push(ir::Op::Add, &[a, b], self.ty(a))
    }

    /// `a b`
    pub fn times(&mut self, a: Value, b: Value) -> Value {
        self.map(Map::Mul, &[a, b])
    }

    /// `a / b`, zero where `b` is
    pub fn over(&mut self, a: Value, b: Value) -> Value {
        self.map(Map::Div, &[a, b])
    }

    /// `a x`
    pub fn scale(&mut self, a: Value, x: &[Value]) -> Vector {
        x.iter().map(|&v| self.block.push(ir::Op::Scale, &[a, v], self.ty(v))).collect()
    }

    /// `1 / a`, zero where `a` is
    pub fn inverse(&mut self, a: Value) -> Value {
        let one = self.over(a, a);
        self.over(one, a)
    }

    /// `x y`, element by element
    pub fn product(&mut self, x: &[Value], y: &[Value]) -> Vector {
        let pairs = x.iter().zip(y);
        pairs.map(|(&a, &b)| self.block.push(ir::Op::Map(Map::Mul), &[a, b], self.ty(a))).collect()
    }

    /// `√a`
    pub fn sqrt(&mut self, a: Value) -> Value {
        self.block.push(ir::Op::Map(Map::Sqrt), &[a], self.ty(a))
    }

    /// `√(a² + b²)`
    pub fn hypot(&mut self, a: Value, b: Value) -> Value {
        let (a, b) = (self.times(a, a), self.times(b, b));
        let sum = self.plus(a, b);
        self.sqrt(sum)
    }

    /// `|a|`
    pub fn abs(&mut self, a: Value) -> Value {
        let ty = Type { dtype: Dtype::F64, ..self.ty(a) };
        self.block.push(ir::Op::Map(Map::Abs), &[a], ty)
    }

    /// `‖x‖²` of each part.
    pub fn squares(&mut self, x: &[Value]) -> Vector {
        let columns = usize::from(self.program.columns.is_some());
        let ty = self.program.number();
        let op = ir::Op::Dot { columns, real: true };
        x.iter().map(|&v| self.block.push(op.clone(), &[v, v], ty.clone())).collect()
    }

    /// `Σ conj(x) y` over all parts.
    pub fn dot(&mut self, x: &[Value], y: &[Value]) -> Value {
        let columns = usize::from(self.program.columns.is_some());
        let complex = x.iter().chain(y).any(|&v| self.block.ty(v).dtype.is_complex());
        let dtype = if complex { Dtype::C128 } else { Dtype::F64 };
        let ty = Type { dtype, ..self.program.number() };
        let op = ir::Op::Dot { columns, real: false };
        let mut parts = Vec::new();
        for (&x, &y) in x.iter().zip(y) {
            let own = if self.block.ty(x).dtype.is_complex() { Dtype::C128 } else { Dtype::F64 };
            let v = self.block.push(op.clone(), &[x, y], Type { dtype: own, ..ty.clone() });
            parts.push(if own == dtype {
                v
            } else {
                self.block.push(ir::Op::Cast, &[v], ty.clone())
            });
        }
        self.total(&parts)
    }

    /// The sum of numbers.
    pub fn total(&mut self, numbers: &[Value]) -> Value {
        match numbers {
            [one] => *one,
            all => self.block.push(ir::Op::Add, all, self.ty(all[0])),
        }
    }

    /// One value for each right-hand side, from a single one.
    fn spread(&mut self, a: Value, like: &Type) -> Value {
        if self.block.ty(a).dims == like.dims {
            return a;
        }
        let one = self.block.push(ir::Op::Zero, &[], like.clone());
        self.block.push(ir::Op::Map(Map::Max), &[a, one], like.clone())
    }

    fn real(&mut self, a: Value) -> Value {
        let number = self.program.number();
        self.spread(a, &number)
    }

    fn map(&mut self, map: Map, args: &[Value]) -> Value {
        let ty = args.iter().map(|&v| self.ty(v)).max_by_key(|t| t.dims.len());
        let dtype = args.iter().map(|&v| self.ty(v).dtype).reduce(Dtype::promote);
        let ty =
            Type { dtype: dtype.unwrap_or(Dtype::F64), ..ty.unwrap_or(Type::scalar(Dtype::F64)) };
        self.block.push(ir::Op::Map(map), args, ty)
    }

    fn ty(&self, v: Value) -> Type {
        self.block.ty(v).clone()
    }
}
