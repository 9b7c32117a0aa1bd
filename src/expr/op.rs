//! Operator expressions: shared nodes with shapes, element fields, and perhaps a fault.

use super::error::{ExprError, Fault, Wrong};
use super::fields::Fields;
use super::parts::{Parts, is_name};
use super::scalar::Scalar;
use super::shape;
use super::text;
use super::vector::Vector;
use crate::ops::Operator;
use adjoin_passes::Dtype;
use adjoin_passes::ir::Elementwise;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An operator expression.
///
/// Expressions combine with `*` (composition, or application to a [`Vector`]), `+`, `-`, scalars
/// and parameters, owned or borrowed.
#[derive(Clone)]
pub struct Op(pub(super) Arc<Node>);

/// A block of a stack, with the name of its part if it has one.
#[derive(Clone)]
pub struct Block {
    pub(super) name: Option<Arc<str>>,
    pub(super) op: Op,
}

pub(super) struct Node {
    pub id: u64,
    pub kind: Kind,
    pub domain: Parts,
    pub range: Parts,
    pub fields: Fields,
    pub depth: usize,
    pub fault: Option<Arc<Fault>>,
}

pub(super) enum Kind {
    Leaf(Arc<dyn Operator>, Option<Arc<str>>),
    Named(Arc<str>, Op),
    /// How all operators in it are to be placed.
    Pinned(Arc<str>, Op),
    Adjoint(Op),
    Transpose(Op),
    Conj(Op),
    Neg(Op),
    Scale(Scalar, Op),
    Divide(Op, Scalar),
    /// Each with whether it is subtracted.
    Sum(Vec<(bool, Op)>),
    Product(Vec<Op>),
    Power(Op, u32),
    Stack(Stacked, Vec<Block>),
    /// Rows of blocks, and the stack of stacks that they are.
    Rows(Vec<Vec<Block>>, Op),
    Kronecker(Op, Op),
    Element(Elementwise),
    /// Domain and range as one flat part each.
    Flat(Op),
    /// What was nested too deeply.
    Deep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stacked {
    Vertical,
    Horizontal,
    Diagonal,
}

/// Nodes within nodes; recursion must end before the stack of a thread does.
pub(super) const DEEPEST: usize = 400;

/// The highest power: it stands for so many applications.
const HIGHEST_POWER: u32 = 1000;

/// A number that no other node has.
pub(super) fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The fault for an expression that is nested too deeply.
pub(super) fn too_deep() -> Wrong {
    Wrong::new(format!("the expression is nested more than {DEEPEST} levels deep"))
}

impl Op {
    /// An operator as an expression.
    pub fn new(operator: Arc<dyn Operator>) -> Self {
        let signature = operator.signature().clone();
        Op::make(Kind::Leaf(operator, None), || {
            signature.check().map_err(|e| {
                Wrong::new(format!("the signature of {} is wrong: {e}", signature.kind))
            })?;
            Ok((Parts::unnamed(&signature.domain), Parts::unnamed(&signature.range)))
        })
    }

    /// `x` on parts of these shapes.
    pub fn identity(parts: impl Into<Parts>) -> Self {
        Op::element(Elementwise::Identity, parts)
    }

    /// The identity on the domain of another operator.
    pub fn identity_like(op: &Op) -> Self {
        let domain = op.0.domain.clone();
        Op::make_under(&[op], Kind::Element(Elementwise::Identity), || Ok((domain.clone(), domain)))
    }

    /// A linear map of elements, on parts of these shapes.
    pub fn element(map: Elementwise, parts: impl Into<Parts>) -> Self {
        let parts = parts.into();
        Op::make(Kind::Element(map), || Ok((parts.clone(), parts)))
    }

    /// The same expression under a name, which its text and the plan show.
    pub fn named(&self, name: &str) -> Self {
        let kind = match &self.0.kind {
            Kind::Leaf(operator, _) => Kind::Leaf(operator.clone(), Some(name.into())),
            _ => Kind::Named(name.into(), self.clone()),
        };
        Op::make_under(&[self], kind, || {
            if !is_name(name) {
                let wrong = Wrong::new(format!("`{name}` is no name for an operator"));
                return Err(wrong.help("a name has letters, digits and _, and starts with none"));
            }
            Ok(self.sides())
        })
    }

    /// The same expression, all operators in it split over a mesh's axes as is written: factors by
    /// their names in the plan, as in `i/r, j/c`, or `rows r`, `columns c`, `replicated`.
    /// Planning fails where that is impossible, and says why.
    pub fn on(&self, placement: &str) -> Self {
        Op::make_under(&[self], Kind::Pinned(placement.into(), self.clone()), || Ok(self.sides()))
    }

    /// The adjoint, `Aᴴ`.
    pub fn h(&self) -> Self {
        Op::make(Kind::Adjoint(self.clone()), || Ok(self.swapped()))
    }

    /// The transpose, `Aᵀ`.
    pub fn t(&self) -> Self {
        Op::make(Kind::Transpose(self.clone()), || Ok(self.swapped()))
    }

    /// The operator with conjugated elements: `conj(A conj(x))`.
    pub fn conj(&self) -> Self {
        Op::make(Kind::Conj(self.clone()), || Ok(self.sides()))
    }

    /// The operator applied `n` times.
    pub fn pow(&self, n: u32) -> Self {
        Op::make(Kind::Power(self.clone(), n), || shape::power(self, n, HIGHEST_POWER))
    }

    /// The parts that it takes; none if it is ill-shaped.
    pub fn domain(&self) -> &Parts {
        &self.0.domain
    }

    /// The parts that it gives; none if it is ill-shaped.
    pub fn range(&self) -> &Parts {
        &self.0.range
    }

    /// The dims that it takes, as PyLops's `dims`: flat if there are several parts.
    pub fn dims(&self) -> Vec<usize> {
        self.0.domain.dims()
    }

    /// The dims that it gives, as PyLops's `dimsd`: flat if there are several parts.
    pub fn dimsd(&self) -> Vec<usize> {
        self.0.range.dims()
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.0.range.size(), self.0.domain.size())
    }

    /// The blocks of a stack, row by row; none of any other expression.
    pub fn blocks(&self) -> Vec<Op> {
        let of = |blocks: &[Block]| blocks.iter().map(|block| block.op.clone()).collect();
        if let Kind::Named(_, op) | Kind::Pinned(_, op) = &self.0.kind {
            op.blocks()
        } else if let Kind::Stack(_, blocks) = &self.0.kind {
            of(blocks)
        } else if let Kind::Rows(rows, _) = &self.0.kind {
            rows.iter().flat_map(|row| of(row) as Vec<Op>).collect()
        } else {
            Vec::new()
        }
    }

    /// A named input with the shape of its domain.
    pub fn input(&self, name: &str, dtype: Dtype) -> Vector {
        Vector::input_under(Some(self), name, self.0.domain.clone(), &[dtype])
    }

    /// The first error that was made in writing it: shapes, types, names or parameters.
    pub fn check(&self) -> Result<(), ExprError> {
        super::LowerContext::new().term(self).map(|_| ())
    }

    /// Itself, unless it is ill-shaped.
    pub(super) fn checked(self) -> Result<Self, ExprError> {
        match &self.0.fault {
            Some(fault) => Err(text::report(&self, fault)),
            None => Ok(self),
        }
    }

    pub(super) fn sides(&self) -> (Parts, Parts) {
        (self.0.domain.clone(), self.0.range.clone())
    }

    fn swapped(&self) -> (Parts, Parts) {
        (self.0.range.clone(), self.0.domain.clone())
    }

    /// A node with domain and range from `sides`, which is asked only if no operand is at fault.
    pub(super) fn make(kind: Kind, sides: impl FnOnce() -> Result<(Parts, Parts), Wrong>) -> Self {
        Op::make_under(&[], kind, sides)
    }

    /// The same for a node whose shapes come from others that are not its operands.
    pub(super) fn make_under(
        others: &[&Op],
        kind: Kind,
        sides: impl FnOnce() -> Result<(Parts, Parts), Wrong>,
    ) -> Self {
        let id = fresh_id();
        let operands = kind.operands();
        let depth = operands.iter().map(|o| o.0.depth + 1).max().unwrap_or(0);
        let inherited = operands.iter().chain(others).find_map(|o| o.0.fault.clone());
        let made = match (&inherited, depth > DEEPEST) {
            (Some(_), _) => Err(inherited),
            (None, true) => Err(Some(Arc::new(Fault { node: id, wrong: too_deep() }))),
            (None, false) => {
                sides().and_then(sized).map_err(|wrong| Some(Arc::new(Fault { node: id, wrong })))
            }
        };
        let (kind, depth) = if depth > DEEPEST { (Kind::Deep, 0) } else { (kind, depth) };
        let node = match made {
            Ok((domain, range)) => {
                let fields = Fields::of(&kind, &domain, &range);
                Node { id, kind, domain, range, fields, depth, fault: None }
            }
            Err(fault) => Node {
                id,
                kind,
                domain: Parts::default(),
                range: Parts::default(),
                fields: Fields::default(),
                depth,
                fault,
            },
        };
        Op(Arc::new(node))
    }
}

fn sized(sides: (Parts, Parts)) -> Result<(Parts, Parts), Wrong> {
    for side in [&sides.0, &sides.1] {
        if side.too_large() {
            return Err(Wrong::new("has more elements than any memory can hold"));
        }
    }
    Ok(sides)
}

impl Kind {
    /// The expressions below it, in the order of its text.
    pub(super) fn operands(&self) -> Vec<&Op> {
        match self {
            Kind::Leaf(..) | Kind::Element(_) | Kind::Deep => Vec::new(),
            Kind::Named(_, a)
            | Kind::Pinned(_, a)
            | Kind::Adjoint(a)
            | Kind::Transpose(a)
            | Kind::Conj(a)
            | Kind::Neg(a)
            | Kind::Scale(_, a)
            | Kind::Divide(a, _)
            | Kind::Power(a, _)
            | Kind::Flat(a) => vec![a],
            Kind::Sum(terms) => terms.iter().map(|(_, a)| a).collect(),
            Kind::Product(factors) => factors.iter().collect(),
            Kind::Stack(_, blocks) => blocks.iter().map(|b| &b.op).collect(),
            Kind::Rows(_, whole) => vec![whole],
            Kind::Kronecker(a, b) => vec![a, b],
        }
    }
}

impl Stacked {
    pub fn name(self) -> &'static str {
        match self {
            Stacked::Vertical => "VStack",
            Stacked::Horizontal => "HStack",
            Stacked::Diagonal => "BlockDiag",
        }
    }
}

impl From<Arc<dyn Operator>> for Op {
    fn from(operator: Arc<dyn Operator>) -> Self {
        Op::new(operator)
    }
}

impl From<&Op> for Op {
    fn from(op: &Op) -> Self {
        op.clone()
    }
}
