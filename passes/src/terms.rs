//! Shapes and element types of composite operators.
//!
//! Types follow NumPy: an operator promotes its vector with its own data, scalars are weak.
//! An operator of real vectors takes the real part of a complex one, as PyLops does.

use crate::dtype::Dtype;
use crate::ir::{Coefficient, Elementwise, Plan, Term, TermId};
use crate::placement::Type;
use crate::signature::{Linearity, Signature, Typing};

/// The shapes of a list of parts.
pub type Shapes = Vec<Vec<usize>>;

/// The shapes of the parts that the term takes.
pub fn domain(plan: &Plan, term: TermId) -> Shapes {
    sides(plan, term).0
}

/// The shapes of the parts that the term gives.
pub fn range(plan: &Plan, term: TermId) -> Shapes {
    sides(plan, term).1
}

/// The shapes of domain and range.
pub fn sides(plan: &Plan, term: TermId) -> (Shapes, Shapes) {
    match &plan[term] {
        Term::Leaf(leaf) => {
            let s = &plan[*leaf].signature;
            (s.domain.clone(), s.range.clone())
        }
        Term::Adjoint(t) | Term::Transpose(t) => {
            let (domain, range) = sides(plan, *t);
            (range, domain)
        }
        Term::Conj(t) | Term::Scale(_, t) => sides(plan, *t),
        Term::Sum(ts) => sides(plan, ts[0]),
        Term::Product(ts) => (domain(plan, ts[ts.len() - 1]), range(plan, ts[0])),
        Term::VStack(ts) => {
            (domain(plan, ts[0]), ts.iter().flat_map(|&t| range(plan, t)).collect())
        }
        Term::HStack(ts) => {
            (ts.iter().flat_map(|&t| domain(plan, t)).collect(), range(plan, ts[0]))
        }
        Term::BlockDiag(ts) => (
            ts.iter().flat_map(|&t| domain(plan, t)).collect(),
            ts.iter().flat_map(|&t| range(plan, t)).collect(),
        ),
        Term::Element(_, shapes) => (shapes.clone(), shapes.clone()),
        Term::Regroup(from, to) => (from.clone(), to.clone()),
        Term::Lift(t, extra) => {
            let lift = |shapes: Shapes| -> Shapes {
                shapes.into_iter().map(|s| [s.as_slice(), extra].concat()).collect()
            };
            let (domain, range) = sides(plan, *t);
            (lift(domain), lift(range))
        }
        Term::Kronecker([a, b]) => {
            let join = |a: Shapes, b: Shapes| -> Shapes {
                a.into_iter().zip(b).map(|(a, b)| [a, b].concat()).collect()
            };
            let (a, b) = (sides(plan, *a), sides(plan, *b));
            (join(a.0, b.0), join(a.1, b.1))
        }
    }
}

/// The types of the parts that the term makes of parts of these types.
/// Arguments may have additional trailing dims, the same for all: a batch.
pub fn results(plan: &Plan, term: TermId, args: &[Type]) -> Result<Vec<Type>, String> {
    let (domain, range) = sides(plan, term);
    let extra = match (args.first(), domain.first()) {
        (Some(arg), Some(dims)) if arg.dims.starts_with(dims) => arg.dims[dims.len()..].to_vec(),
        _ => Vec::new(),
    };
    let want: Shapes = domain.iter().map(|d| [d.as_slice(), &extra].concat()).collect();
    let have: Shapes = args.iter().map(|t| t.dims.clone()).collect();
    if want != have {
        return Err(format!("takes parts of shapes {want:?} and is given {have:?}"));
    }
    let dtypes: Vec<_> = args.iter().map(|t| t.dtype).collect();
    let dtypes = forward(plan, term, &dtypes);
    let lift = |(dims, dtype): (&Vec<usize>, Dtype)| Type::new(&[dims, &extra[..]].concat(), dtype);
    Ok(range.iter().zip(dtypes).map(lift).collect())
}

/// The element types of `A x`.
pub fn forward(plan: &Plan, term: TermId, args: &[Dtype]) -> Vec<Dtype> {
    match &plan[term] {
        Term::Leaf(leaf) => leaf_types(&plan[*leaf].signature, args).1,
        Term::Adjoint(t) | Term::Transpose(t) => adjoint(plan, *t, args),
        Term::Conj(t) | Term::Lift(t, _) => forward(plan, *t, args),
        Term::Scale(c, t) => weak(plan, c, forward(plan, *t, args)),
        Term::Sum(ts) => {
            ts.iter().map(|&t| forward(plan, t, args)).reduce(promote).unwrap_or_default()
        }
        Term::Product(ts) => ts.iter().rev().fold(args.to_vec(), |d, &t| forward(plan, t, &d)),
        Term::Kronecker([a, b]) => forward(plan, *a, &forward(plan, *b, args)),
        Term::VStack(ts) => ts.iter().flat_map(|&t| forward(plan, t, args)).collect(),
        Term::HStack(ts) => {
            blocks(plan, ts, args, domain, forward).into_iter().reduce(promote).unwrap_or_default()
        }
        Term::BlockDiag(ts) => blocks(plan, ts, args, domain, forward).concat(),
        Term::Element(map, _) => args.iter().map(|&d| element(*map, d)).collect(),
        Term::Regroup(from, to) => regrouped(args, from, to),
    }
}

/// The element types of `Aᴴ x`.
pub fn adjoint(plan: &Plan, term: TermId, args: &[Dtype]) -> Vec<Dtype> {
    match &plan[term] {
        Term::Leaf(leaf) => {
            let s = &plan[*leaf].signature;
            let vector = all(args);
            vec![s.types(vector).0; s.domain.len()]
        }
        Term::Adjoint(t) | Term::Transpose(t) => forward(plan, *t, args),
        Term::Conj(t) | Term::Lift(t, _) => adjoint(plan, *t, args),
        Term::Scale(c, t) => weak(plan, c, adjoint(plan, *t, args)),
        Term::Sum(ts) => {
            ts.iter().map(|&t| adjoint(plan, t, args)).reduce(promote).unwrap_or_default()
        }
        Term::Product(ts) => ts.iter().fold(args.to_vec(), |d, &t| adjoint(plan, t, &d)),
        Term::Kronecker([a, b]) => adjoint(plan, *b, &adjoint(plan, *a, args)),
        Term::VStack(ts) => {
            blocks(plan, ts, args, range, adjoint).into_iter().reduce(promote).unwrap_or_default()
        }
        Term::HStack(ts) => ts.iter().flat_map(|&t| adjoint(plan, t, args)).collect(),
        Term::BlockDiag(ts) => blocks(plan, ts, args, range, adjoint).concat(),
        Term::Element(map, _) => args.iter().map(|&d| element(*map, d)).collect(),
        Term::Regroup(from, to) => regrouped(args, to, from),
    }
}

/// The element types that a leaf takes and gives for vectors of these types.
pub fn leaf_types(signature: &Signature, args: &[Dtype]) -> (Vec<Dtype>, Vec<Dtype>) {
    let (domain, range) = signature.types(all(args));
    (vec![domain; signature.domain.len()], vec![range; signature.range.len()])
}

/// Whether a coefficient is complex.
pub fn is_complex(plan: &Plan, c: &Coefficient) -> bool {
    c.slots.iter().any(|&(slot, _)| plan[slot].dtype.is_complex())
}

fn all(args: &[Dtype]) -> Dtype {
    args.iter().copied().reduce(Dtype::promote).unwrap_or(Dtype::F32)
}

/// Parts that are only reshaped keep their types; where elements go from one part to another, all
/// parts are promoted as if they had been one flat array.
fn regrouped(args: &[Dtype], from: &Shapes, to: &Shapes) -> Vec<Dtype> {
    if only_reshapes(from, to) { args.to_vec() } else { vec![all(args); to.len()] }
}

/// Whether a regrouping leaves every element in its part.
pub fn only_reshapes(from: &Shapes, to: &Shapes) -> bool {
    let sizes =
        |parts: &Shapes| -> Vec<usize> { parts.iter().map(|dims| dims.iter().product()).collect() };
    sizes(from) == sizes(to)
}

fn weak(plan: &Plan, c: &Coefficient, dtypes: Vec<Dtype>) -> Vec<Dtype> {
    let complex = is_complex(plan, c);
    dtypes.into_iter().map(|d| d.promote_weak(complex)).collect()
}

fn element(map: Elementwise, dtype: Dtype) -> Dtype {
    match map {
        Elementwise::Identity | Elementwise::Zero | Elementwise::Conj => dtype,
        Elementwise::Real => dtype.real(),
    }
}

fn promote(a: Vec<Dtype>, b: Vec<Dtype>) -> Vec<Dtype> {
    a.into_iter().zip(b).map(|(a, b)| a.promote(b)).collect()
}

/// Applies `types` of each block to its share of the arguments.
fn blocks(
    plan: &Plan,
    terms: &[TermId],
    args: &[Dtype],
    side: fn(&Plan, TermId) -> Shapes,
    types: fn(&Plan, TermId, &[Dtype]) -> Vec<Dtype>,
) -> Vec<Vec<Dtype>> {
    let mut rest = args;
    let mut out = Vec::new();
    for &t in terms {
        let (mine, others) = rest.split_at(side(plan, t).len());
        out.push(types(plan, t, mine));
        rest = others;
    }
    out
}

/// Whether `(A ⊗ 1)(1 ⊗ B)` is `(1 ⊗ B)(A ⊗ 1)`: both are matrices, so that elements of one are
/// numbers that pass through the other.
pub fn commutes(plan: &Plan, a: TermId, b: TermId) -> bool {
    [a, b].into_iter().all(|t| conjugates(plan, t) == Some(false))
}

/// Whether numbers come out conjugated, if the term is a matrix but for that.
fn conjugates(plan: &Plan, term: TermId) -> Option<bool> {
    let alike = |ts: &[TermId]| {
        let all: Vec<_> = ts.iter().map(|&t| conjugates(plan, t)).collect();
        all.windows(2).all(|w| w[0] == w[1]).then(|| all.first().copied()?)?
    };
    let in_turn = |ts: &[TermId]| {
        ts.iter().try_fold(false, |so_far, &t| Some(so_far != conjugates(plan, t)?))
    };
    match &plan[term] {
        Term::Leaf(leaf) if plan[*leaf].signature.typing != Typing::Same => None,
        Term::Leaf(leaf) => match plan[*leaf].signature.linearity {
            Linearity::Complex => Some(false),
            Linearity::Antilinear => Some(true),
            Linearity::Real => None,
        },
        Term::Adjoint(t)
        | Term::Transpose(t)
        | Term::Conj(t)
        | Term::Scale(_, t)
        | Term::Lift(t, _) => conjugates(plan, *t),
        Term::Sum(ts) | Term::VStack(ts) | Term::HStack(ts) | Term::BlockDiag(ts) => alike(ts),
        Term::Product(ts) => in_turn(ts),
        Term::Kronecker(ts) => in_turn(ts),
        Term::Element(map, _) => match map {
            Elementwise::Identity | Elementwise::Zero => Some(false),
            Elementwise::Conj => Some(true),
            Elementwise::Real => None,
        },
        Term::Regroup(..) => Some(false),
    }
}

/// Whether complex scalars pass through the term.
pub fn is_complex_linear(plan: &Plan, term: TermId) -> bool {
    match &plan[term] {
        Term::Leaf(leaf) => plan[*leaf].signature.linearity == Linearity::Complex,
        Term::Adjoint(t)
        | Term::Transpose(t)
        | Term::Conj(t)
        | Term::Scale(_, t)
        | Term::Lift(t, _) => is_complex_linear(plan, *t),
        Term::Sum(ts)
        | Term::Product(ts)
        | Term::VStack(ts)
        | Term::HStack(ts)
        | Term::BlockDiag(ts) => ts.iter().all(|&t| is_complex_linear(plan, t)),
        Term::Kronecker(ts) => ts.iter().all(|&t| is_complex_linear(plan, t)),
        Term::Element(map, _) => match map {
            Elementwise::Identity | Elementwise::Zero => true,
            Elementwise::Real | Elementwise::Conj => false,
        },
        Term::Regroup(..) => true,
    }
}
