//! What is wrong with a leaf, and where.

use num_complex::Complex64;
use std::fmt;
use std::ops::Range;

/// A claim of an operator that its kernels do not keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The name of the leaf.
    pub leaf: String,
    /// The block, if it is a family and the block alone is at fault.
    pub block: Option<usize>,
    /// What is wrong.
    pub kind: Kind,
    /// Where.
    pub place: Place,
}

/// The elements at which a fault shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// Whether they are of the range, else of the domain.
    pub range: bool,
    /// The part.
    pub part: usize,
    /// The smallest box that holds them, in indices of the part.
    pub held: Vec<Range<usize>>,
}

/// The kinds of faults.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The adjoint is the transpose.
    Conjugate,
    /// The adjoint is a multiple of what it should be.
    Factor(Complex64),
    /// The adjoint stands so many elements off.
    Shift(isize),
    /// The adjoint is right but near the edges of this axis.
    Edge(usize),
    /// The adjoint is something else.
    Adjoint,
    /// Tiles along a factor do not give what the whole operator gives.
    Split {
        /// The name of the factor.
        factor: String,
        /// Into how many tiles it was cut.
        pieces: usize,
        /// Whether the adjoint differs, else the operator.
        adjoint: bool,
        /// Whether only elements near the cuts differ.
        near_cut: bool,
    },
    /// `y += A x` does not add.
    Adding {
        /// Whether the adjoint does not, else the operator.
        adjoint: bool,
    },
    /// `AᴴA x` at once is not `Aᴴ (A x)`.
    Normal {
        /// Whether sums were free, else kept.
        free: bool,
    },
    /// It does not commute with these scalars or sums: real, complex, or conjugated ones.
    Linearity(&'static str),
    /// A declared law does not hold.
    Law(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.leaf)?;
        if let Some(block) = self.block {
            write!(f, "[{block}]")?;
        }
        write!(f, ": {}", self.kind)?;
        if !self.place.held.is_empty() {
            write!(f, ", at {}", self.place)?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.range { "range" } else { "domain" };
        let held = self.held.iter().map(|r| format!("{}..{}", r.start, r.end));
        let held: Vec<_> = held.collect();
        write!(f, "[{}] of part {} of its {side}", held.join(", "), self.part)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Conjugate => f.write_str("the adjoint lacks a conjugate"),
            Kind::Factor(c) if (c + 1.0).norm() < 1e-3 => {
                f.write_str("the adjoint has the wrong sign")
            }
            Kind::Factor(c) if c.im.abs() <= 1e-6 * c.norm() => {
                write!(f, "the adjoint has a factor {:.6} too many", c.re)
            }
            Kind::Factor(c) => {
                write!(f, "the adjoint has a factor {:.6} {:+.6}j too many", c.re, c.im)
            }
            Kind::Shift(by) => write!(f, "the adjoint is shifted by {by}"),
            Kind::Edge(axis) => write!(f, "the adjoint is wrong at the edges of axis {axis}"),
            Kind::Adjoint => f.write_str("the adjoint is not the conjugate transpose"),
            Kind::Split { factor, pieces, adjoint, near_cut } => {
                let what = if *adjoint { "the adjoint" } else { "it" };
                write!(f, "cut along factor {factor} into {pieces}, {what} gives another result")?;
                f.write_str(if *near_cut {
                    " near the cuts: its halo is too narrow"
                } else {
                    ": the factor rule is wrong"
                })
            }
            Kind::Adding { adjoint } => {
                let what = if *adjoint { "the adjoint" } else { "it" };
                write!(f, "asked to add to its result, {what} does not")
            }
            Kind::Normal { free } => {
                let how = if *free { " with free sums" } else { "" };
                write!(f, "applied at once with its adjoint{how}, it gives another result")
            }
            Kind::Linearity(scalars) => write!(f, "it is not linear over {scalars}"),
            Kind::Law(law) => write!(f, "it claims `{law}` and is not"),
        }
    }
}
