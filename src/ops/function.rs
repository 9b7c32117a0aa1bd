//! Operators of your own, in the shortest form: `y = A x` and `x = Aᴴ y` as a pair of closures.
//!
//! ```text
//! (i!) <- (j!)                nothing is known, so no dim can be split
//! ```
//! The closures are given slices of one element type and replace what their output holds.
//! They return nothing, or a `Result` whose error stops the program with its message.
//! For vectors of another type or several right-hand sides they are called once for each column,
//! and a real operator once for the real and once for the imaginary parts.

use super::custom::opaque;
use super::leaf::{Leaf, checked};
use super::tile::typed;
use super::{
    Conduct, Dims, Handle, LocalOperator, OperatorError, Patch, PatchMut, Slice, SliceMut,
};
use crate::elements::Element;
use adjoin_kernels::host::{Acc, Scalar};
use adjoin_passes::Signature;
use adjoin_passes::signature::{Cost, Laws, Linearity};
use num_complex::Complex;
use std::fmt::Display;
use std::sync::Arc;

/// What a closure returns: nothing, or a `Result`.
pub trait Outcome {
    /// The error, if there is one.
    fn error(self) -> Option<String>;
}

impl Outcome for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: Display> Outcome for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|e| e.to_string())
    }
}

type Closure<T> = Arc<dyn Fn(&[T], &mut [T]) -> Option<String> + Send + Sync>;

/// A pair of closures to be built.
pub struct Function<T> {
    signature: Signature,
    conduct: Conduct,
    forward: Closure<T>,
    adjoint: Closure<T>,
}

/// The operator of two closures, from arrays of dims `domain` to arrays of dims `range`.
///
/// `forward` is given `x` and writes `y`, `adjoint` is given `y` and writes `x`.
pub fn function<T: Element, F: Outcome, G: Outcome>(
    domain: impl Into<Dims>,
    range: impl Into<Dims>,
    forward: impl Fn(&[T], &mut [T]) -> F + Send + Sync + 'static,
    adjoint: impl Fn(&[T], &mut [T]) -> G + Send + Sync + 'static,
) -> Function<T> {
    let (domain, range) = (vec![domain.into().0], vec![range.into().0]);
    Function {
        signature: opaque("Function", T::DTYPE, domain, range),
        conduct: Conduct { claims: true, ..Conduct::default() },
        forward: Arc::new(move |x, y| forward(x, y).error()),
        adjoint: Arc::new(move |y, x| adjoint(y, x).error()),
    }
}

impl<T: Element> Function<T> {
    /// What messages call it.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.signature.kind = kind.into();
        self
    }

    /// The scalars that commute with it, complex ones otherwise.
    pub fn linearity(mut self, linearity: Linearity) -> Self {
        self.signature.linearity = linearity;
        self
    }

    /// What is known of its products: a claim, which is tested.
    pub fn laws(mut self, laws: Laws) -> Self {
        self.signature.laws = laws;
        self
    }

    /// What an application costs.
    pub fn cost(mut self, cost: Cost) -> Self {
        self.signature.cost = cost;
        self
    }

    /// Whether several threads may call the closures at once; they may otherwise.
    pub fn thread_safe(mut self, safe: bool) -> Self {
        self.conduct.thread_safe = safe;
        self
    }

    /// The operator.
    pub fn build(self) -> Result<Handle, OperatorError> {
        let Function { signature, conduct, forward, adjoint } = self;
        let builder = move |signature: &Signature, _: &_| {
            let local = Columns {
                kind: signature.kind.clone(),
                sizes: (signature.columns(), signature.rows()),
                forward: forward.clone(),
                adjoint: adjoint.clone(),
                input: vec![],
                output: vec![],
            };
            Ok(Box::new(local) as Box<dyn LocalOperator>)
        };
        checked(Leaf { signature, builder, conduct })
    }
}

/// The closures, called column by column.
struct Columns<T> {
    kind: String,
    /// Elements of domain and range.
    sizes: (usize, usize),
    forward: Closure<T>,
    adjoint: Closure<T>,
    /// One column of each side, made in the first application that needs them.
    input: Vec<T>,
    output: Vec<T>,
}

impl<T: Element> LocalOperator for Columns<T> {
    fn forward(
        &mut self,
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (closure, sizes) = (self.forward.clone(), self.sizes);
        self.apply(&closure, sizes, x, y, acc)
    }

    fn adjoint(
        &mut self,
        y: &[Patch<'_>],
        x: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (closure, (columns, rows)) = (self.adjoint.clone(), self.sizes);
        self.apply(&closure, (rows, columns), y, x, acc)
    }
}

impl<T: Element> Columns<T> {
    fn apply(
        &mut self,
        closure: &Closure<T>,
        (from, to): (usize, usize),
        x: &[Patch<'_>],
        y: &mut [PatchMut<'_>],
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let ([x], [y]) = (x, y) else {
            return Err(OperatorError(format!("{}: it has one part on either side", self.kind)));
        };
        let batch: usize = x.len_of_batch(from)?;
        if batch == 1
            && acc == Acc::Set
            && let (Some(x), Some(y)) = (T::of(x.data), T::of_mut(y.data.reborrow()))
        {
            return self.call(closure, x, y);
        }
        let split = !T::COMPLEX && x.data.dtype().is_complex();
        let mut input = std::mem::take(&mut self.input);
        let mut output = std::mem::take(&mut self.output);
        input.resize(from, T::ZERO);
        output.resize(to, T::ZERO);
        let mut result = Ok(());
        for (column, imaginary) in (0..batch).flat_map(|b| [(b, false), (b, true)]) {
            if result.is_err() || (imaginary && !split) {
                continue;
            }
            load(x.data, batch, column, imaginary, &mut input);
            result = self.call(closure, &input, &mut output);
            let acc = if imaginary { Acc::Add } else { acc };
            store(&output, batch, column, imaginary, y.data.reborrow(), acc);
        }
        (self.input, self.output) = (input, output);
        result
    }

    fn call(&self, closure: &Closure<T>, x: &[T], y: &mut [T]) -> Result<(), OperatorError> {
        match closure(x, y) {
            None => Ok(()),
            Some(message) => Err(OperatorError(format!("{}: {message}", self.kind))),
        }
    }
}

impl Patch<'_> {
    /// Right-hand sides, if each has `n` elements.
    fn len_of_batch(&self, n: usize) -> Result<usize, OperatorError> {
        match self.data.len() {
            0 => Ok(usize::from(n == 0)),
            len if n > 0 && len.is_multiple_of(n) => Ok(len / n),
            len => Err(OperatorError(format!("a patch of {len} elements for a vector of {n}"))),
        }
    }
}

/// The real or the imaginary parts of a column, or both if `T` is complex.
fn load<T: Element>(x: Slice<'_>, batch: usize, column: usize, imaginary: bool, out: &mut [T]) {
    fn part<S: Scalar, T: Scalar>(x: impl Iterator<Item = S>, imaginary: bool, out: &mut [T]) {
        for (slot, value) in out.iter_mut().zip(x) {
            let value = value.to_c128();
            *slot = T::from_c128(if imaginary { Complex::new(value.im, 0.0) } else { value });
        }
    }
    typed!(x.dtype(), S => {
        let x = S::of(x).unwrap_or_default().iter().skip(column).step_by(batch);
        part(x.copied(), imaginary, out);
    });
}

/// Writes a column, as imaginary parts if it is one.
fn store<T: Element>(
    x: &[T],
    batch: usize,
    column: usize,
    imaginary: bool,
    y: SliceMut<'_>,
    acc: Acc,
) {
    typed!(y.dtype(), S => {
        let y = S::of_mut(y).unwrap_or_default().iter_mut().skip(column).step_by(batch);
        for (slot, value) in y.zip(x) {
            let value = value.to_c128();
            acc.put(slot, S::from_c128(if imaginary { Complex::<f64>::I * value } else { value }));
        }
    });
}
