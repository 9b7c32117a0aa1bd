//! Operators: one file for each family.
//!
//! `ops::laplacian([32, 40]).weights([1.0, 1.0]).build()?` is a [`Handle`]; names and parameters are
//! PyLops's.
//! An operator that is made of others, such as [`fft2d`] or [`mdc()`], is an expression of them, so
//! that the compiler sees through it.
//! [`registry`] builds the same operators from names and values, as problem files do, and
//! [`function()`] and [`custom()`] make operators of your own.
//!
//! An operator is two halves.
//! Its [`Signature`] is what the compiler sees.
//! Its [`Operator::build`] is called only on ranks that own a tile of it and returns the local
//! arithmetic of that tile.

use adjoin_kernels::host::Acc;
use adjoin_kernels::host::star::Sums;
use adjoin_passes::{Dtype, Signature};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

mod dims;
mod leaf;
mod moves;
mod tile;
mod panels;

pub mod diagonal;
pub mod fredholm;
pub mod matrix_mult;

pub mod identity;
pub mod imag;
pub mod transpose;
pub mod zero;

pub mod derivative;
pub mod gradient;
pub mod laplacian;

pub mod fft;
pub mod fftnd;

pub mod convolve1d;
pub mod smoothing;

mod indexed;

pub mod restriction;

pub mod flip;
pub mod roll;
pub mod symmetrize;

pub mod causal_integration;
pub mod pad;
pub mod sum;

pub mod regression;

pub mod mdc;
pub mod poststack;

pub mod avo;
pub mod prestack;

pub mod kirchhoff;

pub mod custom;
pub mod function;

pub mod registry;

pub use avo::{Linearization, Profile, avo_linear_modelling};
pub use causal_integration::{Integration, causal_integration};
pub use convolve1d::convolve1d;
pub use custom::custom;
pub use derivative::{Kind, first_derivative, second_derivative};
pub use diagonal::diagonal;
pub use dims::Dims;
pub use fft::{Norm, fft};
pub use fftnd::{fft2d, fftnd};
pub use flip::flip;
pub use fredholm::fredholm1;
pub use function::function;
pub use gradient::gradient;
pub use identity::identity;
pub use imag::imag;
pub use kirchhoff::{Mode, Tables, kirchhoff};
pub use laplacian::laplacian;
pub use matrix_mult::matrix_mult;
pub use mdc::mdc;
pub use pad::{Pairs, pad};
pub(crate) use panels::{Deal, add_blocks};
pub use panels::{Paneling, Panels, Turn};
pub use poststack::poststack_linear_modelling;
pub use prestack::prestack_linear_modelling;
pub use regression::{linear_regression, regression};
pub use restriction::restriction;
pub use roll::roll;
pub use smoothing::{smoothing1d, smoothing2d, smoothingnd};
pub use sum::sum;
pub use symmetrize::symmetrize;
pub use transpose::{completed, transpose};
pub use zero::zero;

/// A shared operator.
pub type Handle = Arc<dyn Operator>;

/// An operator: a signature, and a builder of its tiles.
pub trait Operator: Send + Sync {
    /// What the compiler sees.
    fn signature(&self) -> &Signature;

    /// Makes the local operator of one tile, reading only the data that belongs to it.
    fn build(&self, tile: &Tile) -> Result<Box<dyn LocalOperator>, OperatorError>;

    /// What the run time may do with its tiles, and whether its signature is a claim.
    fn conduct(&self) -> Conduct {
        Conduct::default()
    }
}

/// What an operator declares beside its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conduct {
    /// The rule, the laws and the linearity are a user's claim, to be tested before a pass uses
    /// them.
    pub claims: bool,
    /// Tiles of one process may be applied by several threads at once.
    pub thread_safe: bool,
    /// Whether a built tile is kept.
    pub residency: Residency,
}

/// How long a built tile lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residency {
    /// As long as the program that it is bound to.
    Resident,
    /// For one application: it is built, applied and dropped.
    Transient,
}

impl Default for Conduct {
    fn default() -> Self {
        Conduct { claims: false, thread_safe: true, residency: Residency::Resident }
    }
}

/// The part of an operator that one rank holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// For each factor of the rule the indices that the tile covers.
    pub factors: Vec<Range<usize>>,
    /// Element type of the parts of the domain.
    pub domain: Dtype,
    /// Element type of the parts of the range.
    pub range: Dtype,
    /// The rank that owns it, for messages.
    pub rank: usize,
}

/// The arithmetic of one tile.
pub trait LocalOperator: Send {
    /// `y = A x` or `y += A x` on the tile.
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError>;

    /// `x = Aᴴ y` or `x += Aᴴ y` on the tile, ghost cells of `x` included.
    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError>;

    /// The tile in panels of its rows, if it has them: each is then applied with its adjoint while
    /// its data are in a cache. The bits are those of `forward` and `adjoint`.
    fn panels(&self) -> Option<Arc<dyn Panels>> {
        None
    }

    /// Whether patches of the domain may hold other elements along a dim than the tile reaches:
    /// more than `forward` reads, or not all that `adjoint` contributes to.
    fn takes_windows(&self, _adjoint: bool, _dim: usize) -> bool {
        false
    }

    /// Whether the tile can be applied with its adjoint by [`LocalOperator::normal`].
    fn has_normal(&self) -> bool {
        false
    }

    /// `z = AᴴA x` or `z += AᴴA x` on the tile, without keeping what lies between; where sums are
    /// kept the bits are those of both applications.
    fn normal(
        &mut self,
        _x: &[Patch<'_>],
        _z: &mut [PatchMut<'_>],
        _acc: Acc,
        _sums: Sums,
    ) -> Result<(), OperatorError> {
        Err(OperatorError("it cannot be applied together with its adjoint".into()))
    }

    /// The tile element by element, if each element of a result follows from the same element of
    /// the argument.
    fn elements(&self) -> Option<Arc<dyn Elementwise>> {
        None
    }
}

/// A tile whose elements are computed one by one, some of them at a time and by several threads.
pub trait Elementwise: Send + Sync {
    /// `y = A x`, or `y = Aᴴ x`, for the elements of both patches that begin with `start`, each with
    /// all `columns` of a batch; the bits are those of the whole.
    fn apply(
        &self,
        adjoint: bool,
        start: usize,
        columns: usize,
        x: Slice<'_>,
        y: SliceMut<'_>,
    ) -> Result<(), OperatorError>;

    /// The weights of all elements, if that is `y = d x` or `y = conj(d) x`.
    fn weights(&self) -> Option<Slice<'_>> {
        None
    }
}

/// A part to read: its elements, row-major, and which global indices they are.
///
/// Trailing dims beyond those of the signature are a batch: the operator acts on each index.
#[derive(Clone, Copy)]
pub struct Patch<'a> {
    /// The elements.
    pub data: Slice<'a>,
    /// The global indices held in each dim, ghost cells and batch dims included.
    pub held: &'a [Range<usize>],
}

/// A part to write.
pub struct PatchMut<'a> {
    /// The elements.
    pub data: SliceMut<'a>,
    /// The global indices held in each dim, ghost cells and batch dims included.
    pub held: &'a [Range<usize>],
}

pub use crate::elements::{Slice, SliceMut};

/// Why a tile could not be built or applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorError(pub String);

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OperatorError {}
