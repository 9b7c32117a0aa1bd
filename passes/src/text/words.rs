//! The words of operations, for the printer and the parser alike.

use crate::ir::{Elementwise, Map, Op, Reduction, Term};

/// Operations that are a word and nothing else.
pub(super) const PLAIN: [Op; 20] = [
    Op::Zero,
    Op::Add,
    Op::Sub,
    Op::Neg,
    Op::Scale,
    Op::Axpy,
    Op::Conj,
    Op::Cast,
    Op::Reshape,
    Op::Concat,
    Op::Take,
    Op::Put,
    Op::Combine,
    Op::Dots,
    Op::OneHot,
    Op::Exchange,
    Op::Halo,
    Op::HaloSum,
    Op::Slice,
    Op::Copy,
];

/// Maps that are a word and nothing else.
pub(super) const MAPS: [Map; 11] = [
    Map::Mul,
    Map::Div,
    Map::Sqrt,
    Map::Abs,
    Map::Max,
    Map::Min,
    Map::Less,
    Map::Select,
    Map::Soft,
    Map::Hard,
    Map::Clip,
];

/// Linear maps of elements.
pub(super) const ELEMENTWISE: [Elementwise; 4] =
    [Elementwise::Identity, Elementwise::Zero, Elementwise::Real, Elementwise::Conj];

/// Words that begin a term, and so cannot be an operator's name without quotes.
pub(super) const TERMS: [&str; 13] = [
    "vstack",
    "hstack",
    "blockdiag",
    "sum",
    "product",
    "scale",
    "regroup",
    "lift",
    "kronecker",
    "identity",
    "zero",
    "real",
    "conj",
];

/// The word of an operation, without its parameters.
pub fn op(op: &Op) -> &'static str {
    match op {
        Op::Input(_) => "input",
        Op::Slot(_) => "slot",
        Op::Get(_) => "get",
        Op::Zero => "zero",
        Op::Apply(_) => "apply",
        Op::Add => "add",
        Op::Sub => "sub",
        Op::Neg => "neg",
        Op::Scale => "scale",
        Op::Axpy => "axpy",
        Op::Conj => "conj",
        Op::Project(_) => "project",
        Op::Cast => "cast",
        Op::Reshape => "reshape",
        Op::Concat => "concat",
        Op::Part(_) => "part",
        Op::Dot { .. } => "dot",
        Op::Map(m) => map(m),
        Op::Call(_) => "call",
        Op::Reduce(_) => "reduce",
        Op::Take => "take",
        Op::Put => "put",
        Op::Combine => "combine",
        Op::Dots => "dots",
        Op::OneHot => "one_hot",
        Op::AllReduce(_) => "all_reduce",
        Op::ReduceScatter(_) => "reduce_scatter",
        Op::AllGather(_) => "all_gather",
        Op::AllToAll(_) => "all_to_all",
        Op::Exchange => "exchange",
        Op::Halo => "halo",
        Op::HaloSum => "halo_sum",
        Op::Slice => "slice",
        Op::Pad(_) => "pad",
        Op::Partial(_) => "partial",
        Op::Copy => "copy",
    }
}

/// The word of a map.
pub(super) fn map(map: &Map) -> &'static str {
    match map {
        Map::Mul => "mul",
        Map::Div => "div",
        Map::Sqrt => "sqrt",
        Map::Abs => "abs",
        Map::Max => "max",
        Map::Min => "min",
        Map::Less => "less",
        Map::Select => "select",
        Map::Soft => "soft",
        Map::Hard => "hard",
        Map::Clip => "clip",
        Map::Named(_) => "map",
    }
}

/// The word of a reduction.
pub(super) fn reduction(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Max => "max",
        Reduction::ArgMax => "arg_max",
    }
}

/// The word of a linear map of elements.
pub(super) fn elementwise(map: Elementwise) -> &'static str {
    match map {
        Elementwise::Identity => "identity",
        Elementwise::Zero => "zero",
        Elementwise::Real => "real",
        Elementwise::Conj => "conj",
    }
}

/// The word with which a term begins, if it begins with one.
pub(super) fn term(term: &Term) -> Option<&'static str> {
    match term {
        Term::Leaf(_) | Term::Adjoint(_) | Term::Transpose(_) | Term::Conj(_) => None,
        Term::Product(ts) => (ts.len() < 2).then_some("product"),
        Term::Scale(..) => Some("scale"),
        Term::Sum(_) => Some("sum"),
        Term::VStack(_) => Some("vstack"),
        Term::HStack(_) => Some("hstack"),
        Term::BlockDiag(_) => Some("blockdiag"),
        Term::Element(map, _) => Some(elementwise(*map)),
        Term::Regroup(..) => Some("regroup"),
        Term::Lift(..) => Some("lift"),
        Term::Kronecker(_) => Some("kronecker"),
    }
}
