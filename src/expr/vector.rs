//! Data expressions: inputs, zeros, stacks, and what operators and sums make of them.

use super::error::{ExprError, Fault, Wrong};
use super::lowering::LowerContext;
use super::op::{DEEPEST, Op, fresh_id, too_deep};
use super::parts::{Parts, is_name};
use super::print;
use super::scalar::Scalar;
use super::shape;
use super::text::{self, Level, Text, Writer, count, quote};
use adjoin_passes::{Dtype, terms};
use std::fmt;
use std::sync::Arc;

/// A data expression: parts with dims and element types.
#[derive(Clone)]
pub struct Vector(pub(super) Arc<Node>);

/// A part of a stack of vectors, with its name if it has one.
#[derive(Clone)]
pub struct Piece {
    pub(super) name: Option<Arc<str>>,
    pub(super) vector: Vector,
}

pub(super) struct Node {
    pub id: u64,
    pub kind: Kind,
    pub parts: Parts,
    pub dtypes: Vec<Dtype>,
    pub depth: usize,
    pub fault: Option<Arc<Fault>>,
}

pub(super) enum Kind {
    Input(Arc<str>),
    Zeros,
    Stack(Vec<Piece>),
    Apply(Op, Vector),
    /// Each with whether it is subtracted.
    Sum(Vec<(bool, Vector)>),
    Neg(Vector),
    Conj(Vector),
    Scale(Scalar, Vector),
    Divide(Vector, Scalar),
    /// What was nested too deeply.
    Deep,
}

type Typed = Result<(Parts, Vec<Dtype>), Wrong>;

/// An array that the caller hands in.
pub fn input(name: &str, dims: impl Into<Vec<usize>>, dtype: Dtype) -> Vector {
    input_parts(name, Parts::one(dims), &[dtype])
}

/// A list of arrays that the caller hands in; one element type for each, or one for all.
pub fn input_parts(name: &str, parts: Parts, dtypes: &[Dtype]) -> Vector {
    Vector::input_under(None, name, parts, dtypes)
}

/// Zeros.
pub fn zeros(parts: impl Into<Parts>, dtype: Dtype) -> Vector {
    let parts = parts.into();
    Vector::make(Kind::Zeros, || {
        let dtypes = vec![dtype; parts.len()];
        Ok((parts, dtypes))
    })
}

/// Vectors as the parts of one: `stack([("data", &d), ("smooth", &z)])?`.
pub fn stack<P: Into<Piece>>(pieces: impl IntoIterator<Item = P>) -> Result<Vector, ExprError> {
    let pieces: Vec<Piece> = pieces.into_iter().map(Into::into).collect();
    let listed = pieces.clone();
    let made = Vector::make(Kind::Stack(pieces), || stacked(&listed));
    match &made.0.fault {
        Some(fault) => Err(text::report(&made, fault)),
        None => Ok(made),
    }
}

impl Vector {
    pub(super) fn input_under(
        op: Option<&Op>,
        name: &str,
        parts: Parts,
        dtypes: &[Dtype],
    ) -> Vector {
        let fault = op.and_then(|op| op.0.fault.clone());
        let dtypes = dtypes.to_vec();
        Vector::make_under(fault, Kind::Input(name.into()), || {
            let dtypes = if let [all] = dtypes[..] { vec![all; parts.len()] } else { dtypes };
            if !is_name(name) {
                return Err(Wrong::new(format!("`{name}` is no name for an input")));
            }
            if dtypes.len() != parts.len() {
                let (n, m) = (count(parts.len(), "part"), count(dtypes.len(), "type"));
                return Err(Wrong::new(format!("{name} has {n} and is given {m}")));
            }
            Ok((parts, dtypes))
        })
    }

    /// Its parts; none if it is ill-shaped.
    pub fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// The element type of each part.
    pub fn dtypes(&self) -> &[Dtype] {
        &self.0.dtypes
    }

    /// The dims of its only part, or the flat size of several.
    pub fn dims(&self) -> Vec<usize> {
        self.0.parts.dims()
    }

    /// The complex conjugate.
    pub fn conj(&self) -> Self {
        Vector::make(Kind::Conj(self.clone()), || Ok(self.typed()))
    }

    /// The first error that was made in writing it: shapes, types, names or parameters.
    pub fn check(&self) -> Result<(), ExprError> {
        super::lower(self).map(|_| ())
    }

    pub(super) fn typed(&self) -> (Parts, Vec<Dtype>) {
        (self.0.parts.clone(), self.0.dtypes.clone())
    }

    /// `A @ x`
    pub(super) fn applied(a: &Op, x: &Vector) -> Vector {
        let fault = a.0.fault.clone().or_else(|| x.0.fault.clone());
        Vector::make_under(fault, Kind::Apply(a.clone(), x.clone()), || {
            let parts = shape::apply(a, x)?;
            let mut context = LowerContext::new();
            let term = context.inner(a).map_err(|fault| fault.wrong.at(0))?;
            let dtypes = shape::taken(a, x);
            Ok((parts, terms::forward(&context.plan, term, &dtypes)))
        })
    }

    /// A node with parts and types from `typed`, which is asked only if no operand is at fault.
    pub(super) fn make(kind: Kind, typed: impl FnOnce() -> Typed) -> Vector {
        let fault = kind.operands().iter().find_map(|v| v.0.fault.clone());
        Vector::make_under(fault, kind, typed)
    }

    fn make_under(
        inherited: Option<Arc<Fault>>,
        kind: Kind,
        typed: impl FnOnce() -> Typed,
    ) -> Vector {
        let id = fresh_id();
        let depth = kind.operands().iter().map(|v| v.0.depth + 1).max().unwrap_or(0);
        let made = match inherited {
            Some(fault) => Err(fault),
            None if depth > DEEPEST => Err(too_deep()).map_err(|wrong| fault(id, wrong)),
            None => typed().and_then(sized).map_err(|wrong| fault(id, wrong)),
        };
        let (kind, depth) = if depth > DEEPEST { (Kind::Deep, 0) } else { (kind, depth) };
        let (parts, dtypes, fault) = match made {
            Ok((parts, dtypes)) => (parts, dtypes, None),
            Err(fault) => (Parts::default(), Vec::new(), Some(fault)),
        };
        Vector(Arc::new(Node { id, kind, parts, dtypes, depth, fault }))
    }
}

fn fault(node: u64, wrong: Wrong) -> Arc<Fault> {
    Arc::new(Fault { node, wrong })
}

fn sized(typed: (Parts, Vec<Dtype>)) -> Typed {
    if typed.0.too_large() {
        return Err(Wrong::new("this has more elements than any memory can hold"));
    }
    Ok(typed)
}

fn stacked(pieces: &[Piece]) -> Typed {
    if pieces.is_empty() {
        return Err(Wrong::new("a stack of nothing has no shape"));
    }
    if let Some((i, name)) = bad_name(pieces.iter().map(|p| p.name.as_deref())) {
        return Err(Wrong::new(format!("`{name}` is no name for a part")).at(i));
    }
    let parts = pieces.iter().flat_map(|p| p.vector.parts().under(p.name.as_deref()));
    let parts = Parts(parts.collect());
    if let Some(name) = parts.clash() {
        return Err(Wrong::new(format!("two parts are named {name}")));
    }
    Ok((parts, pieces.iter().flat_map(|p| p.vector.dtypes().to_vec()).collect()))
}

/// The first name that is none, and where.
pub(super) fn bad_name<'a>(
    names: impl Iterator<Item = Option<&'a str>>,
) -> Option<(usize, &'a str)> {
    names
        .enumerate()
        .filter_map(|(i, name)| Some((i, name?)))
        .find(|(_, name)| !name.split('.').all(is_name))
}

impl Kind {
    fn operands(&self) -> Vec<&Vector> {
        match self {
            Kind::Input(_) | Kind::Zeros | Kind::Deep => Vec::new(),
            Kind::Stack(pieces) => pieces.iter().map(|p| &p.vector).collect(),
            Kind::Sum(terms) => terms.iter().map(|(_, x)| x).collect(),
            Kind::Apply(_, x)
            | Kind::Neg(x)
            | Kind::Conj(x)
            | Kind::Scale(_, x)
            | Kind::Divide(x, _) => vec![x],
        }
    }
}

impl Text for Vector {
    fn id(&self) -> u64 {
        self.0.id
    }

    fn level(&self) -> Level {
        match &self.0.kind {
            Kind::Sum(_) => Level::Sum,
            Kind::Apply(..) | Kind::Scale(..) | Kind::Divide(..) => Level::Product,
            Kind::Neg(_) => Level::Sign,
            Kind::Input(_) | Kind::Zeros | Kind::Stack(_) | Kind::Conj(_) | Kind::Deep => {
                Level::Atom
            }
        }
    }

    fn write(&self, w: &mut Writer) {
        let id = self.0.id;
        match &self.0.kind {
            Kind::Input(name) => w.push(name),
            Kind::Zeros => w.push(&format!("zeros({})", text::dims(&self.0.parts.0))),
            Kind::Stack(pieces) => {
                w.push("stack(");
                w.list(id, 0, pieces.iter().map(|p| (p.name.as_deref(), &p.vector)));
                w.push(")");
            }
            Kind::Apply(a, x) => {
                w.operand(id, 0, Level::Product, a);
                w.push(" @ ");
                w.operand(id, 1, Level::Sign, x);
            }
            Kind::Sum(terms) => print::sum(w, id, terms),
            Kind::Neg(x) => print::negative(w, id, x),
            Kind::Conj(x) => {
                w.operand(id, 0, Level::Atom, x);
                w.push(".conj()");
            }
            Kind::Scale(c, x) => print::scaled(w, id, c, x),
            Kind::Divide(x, c) => print::divided(w, id, x, c),
            Kind::Deep => w.push("…"),
        }
    }
}

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::text(self))
    }
}

impl fmt::Debug for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", quote(self), count(self.parts().size(), "element"))
    }
}

macro_rules! piece {
    ($piece:ident, $field:ident, $item:ty; $($t:ty),*) => {$(
        impl From<$t> for $piece {
            fn from(item: $t) -> Self {
                $piece { name: None, $field: item.clone() }
            }
        }
        impl From<(&str, $t)> for $piece {
            fn from((name, item): (&str, $t)) -> Self {
                $piece { name: Some(name.into()), $field: item.clone() }
            }
        }
        impl From<(String, $t)> for $piece {
            fn from((name, item): (String, $t)) -> Self {
                $piece { name: Some(name.into()), $field: item.clone() }
            }
        }
        impl From<(Option<String>, $t)> for $piece {
            fn from((name, item): (Option<String>, $t)) -> Self {
                $piece { name: name.map(Into::into), $field: item.clone() }
            }
        }
    )*};
}
pub(super) use piece;
piece!(Piece, vector, Vector; Vector, &Vector);
