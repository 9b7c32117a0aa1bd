//! Sums, multiples, conjugates and casts of whole arrays.
//!
//! Where all have the type of the result, the kernels of that type are used; else elements are
//! computed in the widest type and rounded.
//! A result that is written over an argument is computed in chunks from a copy, by the same
//! kernels, so that its bits do not depend on where it is written.

use super::Arg;
use super::typed::{get, narrow, widen};
use crate::elements::{Element, SliceMut, each};
use adjoin_kernels::host::{Acc, columns, vector};
use num_complex::Complex64;

/// Elements of a type that are computed at a time over an argument.
const CHUNK: usize = 256;
/// Elements of the widest type that are computed at a time.
const WIDTH: usize = 32;
/// Arguments of a function of elements.
pub(super) const MOST: usize = 4;

/// `Σ x`
pub(super) fn add(args: &[Arg<'_>], y: SliceMut<'_>) {
    fn typed<S: Element>(args: &[Arg<'_>], y: &mut [S]) {
        match args {
            [] => y.fill(S::ZERO),
            [x] => chunks(y, [*x], |_, [x], y| vector::copy(x, y, Acc::Set)),
            [a, b] => chunks(y, [*a, *b], |_, [a, b], y| vector::add(a, b, y, Acc::Set)),
            [a, b, rest @ ..] => sum(*a, *b, rest, y),
        }
    }
    each!(SliceMut, y, y => if alike(args, y) { typed(args, y) } else { wide_sum(args, Element::slice_mut(y)) });
}

/// The sum of three or more in their order.
fn sum<S: Element>(a: Arg<'_>, b: Arg<'_>, rest: &[Arg<'_>], y: &mut [S]) {
    let mut own = [S::ZERO; CHUNK];
    for start in (0..y.len()).step_by(CHUNK) {
        let range = start..y.len().min(start + CHUNK);
        let len = range.len();
        own[..len].copy_from_slice(&y[range.clone()]);
        let y = &mut y[range.clone()];
        vector::add(piece(a, &range, &own), piece(b, &range, &own), y, Acc::Set);
        for x in rest {
            vector::copy(piece(*x, &range, &own), y, Acc::Add);
        }
    }
}

/// Elements of an argument, or of what stood where the result is written.
fn piece<'a, S: Element>(x: Arg<'a>, range: &std::ops::Range<usize>, own: &'a [S]) -> &'a [S] {
    x.and_then(S::of).map_or(&own[..range.len()], |x| &x[range.clone()])
}

/// `x - z`
pub(super) fn sub(args: &[Arg<'_>], y: SliceMut<'_>) {
    fn typed<S: Element>(args: [Arg<'_>; 2], y: &mut [S]) {
        chunks(y, args, |_, [x, z], y| vector::sub(x, z, y, Acc::Set));
    }
    let pair = [args[0], args[1]];
    each!(SliceMut, y, y => if alike(args, y) { typed(pair, y) } else {
        wide(args, Element::slice_mut(y), |v| v[0] - v[1]);
    });
}

/// `-x`
pub(super) fn neg(args: &[Arg<'_>], y: SliceMut<'_>) {
    fn typed<S: Element>(x: Arg<'_>, y: &mut [S]) {
        chunks(y, [x], |_, [x], y| vector::neg(x, y, Acc::Set));
    }
    each!(SliceMut, y, y => if alike(args, y) { typed(args[0], y) } else {
        wide(args, Element::slice_mut(y), |v| -v[0]);
    });
}

/// `x̄`
pub(super) fn conj(args: &[Arg<'_>], y: SliceMut<'_>) {
    fn typed<S: Element>(x: Arg<'_>, y: &mut [S]) {
        chunks(y, [x], |_, [x], y| vector::conj(x, y, Acc::Set));
    }
    each!(SliceMut, y, y => if alike(args, y) { typed(args[0], y) } else {
        wide(args, Element::slice_mut(y), |v| v[0].conj());
    });
}

/// Another type.
pub(super) fn cast(args: &[Arg<'_>], mut y: SliceMut<'_>) {
    if let Some(x) = args[0] {
        y.convert_from(x);
    }
}

/// `a x`
pub(super) fn scale(args: &[Arg<'_>], y: SliceMut<'_>) {
    fn typed<S: Element>(a: Factor<'_>, x: Arg<'_>, y: &mut [S]) {
        match a {
            Factor::One(a) => {
                let a = S::from_c128(a);
                chunks(y, [x], |_, [x], y| vector::scale(a, x, y, Acc::Set));
            }
            Factor::Columns(a) => {
                a.along(y, [x], |a, [x], y| columns::scale(a, x, y, Acc::Set));
            }
        }
    }
    let factor = factor(args[0], &y);
    each!(SliceMut, y, y => match factor {
        Some(a) if alike(&args[1..], y) => typed(a, args[1], y),
        _ => wide(args, Element::slice_mut(y), |v| v[0] * v[1]),
    });
}

/// `a x + z`; where one number `a` for all elements is zero, z alone is read, whatever x has.
pub(super) fn axpy(args: &[Arg<'_>], y: SliceMut<'_>) {
    fn typed<S: Element>(a: Factor<'_>, pair: [Arg<'_>; 2], y: &mut [S]) {
        match a {
            Factor::One(a) => {
                let a = S::from_c128(a);
                match pair.map(|x| x.and_then(S::of)) {
                    [_, Some(z)] if a == S::ZERO => vector::copy(z, y, Acc::Set),
                    [_, None] if a == S::ZERO => {}
                    [Some(x), Some(z)] => vector::axpy(a, x, z, y, Acc::Set),
                    [Some(x), None] => vector::axpy_onto(a, x, y),
                    [None, Some(z)] => vector::axpy_over(a, z, y),
                    [None, None] => {
                        chunks(y, pair, |_, [x, z], y| vector::axpy(a, x, z, y, Acc::Set));
                    }
                }
            }
            Factor::Columns(a) => {
                a.along(y, pair, |a, [x, z], y| columns::axpy(a, x, z, y, Acc::Set));
            }
        }
    }
    let factor = factor(args[0], &y);
    let pair = [args[1], args[2]];
    each!(SliceMut, y, y => match factor {
        Some(a) if alike(&args[1..], y) => typed(a, pair, y),
        _ => wide(args, Element::slice_mut(y), |v| v[0] * v[1] + v[2]),
    });
}

/// A number, or one for each column.
#[derive(Clone, Copy)]
enum Factor<'a> {
    One(Complex64),
    Columns(Columns<'a>),
}

#[derive(Clone, Copy)]
struct Columns<'a>(crate::elements::Slice<'a>);

impl Columns<'_> {
    /// Computes pieces of the result, which begins with the first column, from the coefficients of
    /// their elements and from arguments of its own type.
    fn along<S: Element, const N: usize>(
        self,
        y: &mut [S],
        args: [Arg<'_>; N],
        f: impl Fn(&[S], [&[S]; N], &mut [S]),
    ) {
        let batch = self.0.len().max(1);
        // Where several rows are in a piece, all pieces have the same coefficients.
        let rows = CHUNK / batch * batch;
        let args = args.map(|x| x.and_then(S::of));
        let (mut a, mut own) = ([S::ZERO; CHUNK], [S::ZERO; CHUNK]);
        let mut start = 0;
        while start < y.len() {
            let most = if rows > 0 { rows } else { CHUNK.min(batch - start % batch) };
            let len = most.min(y.len() - start);
            if rows == 0 || start == 0 {
                let column = |k| S::from_c128(get(self.0, (start + k) % batch));
                a[..len].iter_mut().enumerate().for_each(|(k, a)| *a = column(k));
            }
            let piece = &mut y[start..start + len];
            if args.contains(&None) {
                own[..len].copy_from_slice(piece);
            }
            let args = args.map(|x| x.map_or(&own[..len], |x| &x[start..start + len]));
            f(&a[..len], args, piece);
            start += len;
        }
    }
}

/// The coefficient, unless it has an element for each of the result and is overwritten by it.
fn factor<'a>(a: Arg<'a>, y: &SliceMut<'_>) -> Option<Factor<'a>> {
    match a {
        Some(a) if a.len() == 1 => Some(Factor::One(get(a, 0))),
        Some(a) => Some(Factor::Columns(Columns(a))),
        None if y.len() == 1 => Some(Factor::One(get(y.shared(), 0))),
        None => None,
    }
}

/// Whether all arguments have the type and the length of the result.
pub(super) fn alike<S: Element>(args: &[Arg<'_>], y: &[S]) -> bool {
    let same = |x: &Arg<'_>| x.is_none_or(|x| S::of(x).is_some_and(|x| x.len() == y.len()));
    args.iter().all(same)
}

/// Computes the result from arguments of its own type, which [`alike`] has found.
pub(super) fn chunks<S: Element, const N: usize>(
    y: &mut [S],
    args: [Arg<'_>; N],
    f: impl Fn(usize, [&[S]; N], &mut [S]),
) {
    let args = args.map(|x| x.and_then(S::of));
    if !args.contains(&None) {
        return f(0, args.map(Option::unwrap_or_default), y);
    }
    let mut own = [S::ZERO; CHUNK];
    for start in (0..y.len()).step_by(CHUNK) {
        let y = &mut y[start..];
        let len = y.len().min(CHUNK);
        let y = &mut y[..len];
        own[..len].copy_from_slice(y);
        f(start, args.map(|x| x.map_or(&own[..len], |x| &x[start..start + len])), y);
    }
}

/// Computes each element in the widest type from those of at most [`MOST`] arguments.
pub(super) fn wide(args: &[Arg<'_>], mut y: SliceMut<'_>, f: impl Fn(&[Complex64]) -> Complex64) {
    let mut x = [[Complex64::ZERO; WIDTH]; MOST];
    for start in (0..y.len()).step_by(WIDTH) {
        let len = (y.len() - start).min(WIDTH);
        for (x, arg) in x.iter_mut().zip(args) {
            widen(arg.unwrap_or(y.shared()), start, &mut x[..len]);
        }
        let mut values = [Complex64::ZERO; WIDTH];
        for (i, value) in values[..len].iter_mut().enumerate() {
            let element: [_; MOST] = std::array::from_fn(|k| x[k][i]);
            *value = f(&element[..args.len()]);
        }
        narrow(&values[..len], &mut y, start);
    }
}

/// The sum of any number of arguments in the widest type.
fn wide_sum(args: &[Arg<'_>], mut y: SliceMut<'_>) {
    for start in (0..y.len()).step_by(WIDTH) {
        let len = (y.len() - start).min(WIDTH);
        let mut sum = [Complex64::ZERO; WIDTH];
        let mut x = [Complex64::ZERO; WIDTH];
        for arg in args {
            widen(arg.unwrap_or(y.shared()), start, &mut x[..len]);
            sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        }
        narrow(&sum[..len], &mut y, start);
    }
}
