//! The stencils of PyLops's first and second derivatives, boundary rows included.
//!
//! Rows where the stencil would read outside of the axis are zero, except that `edge` gives those
//! of the centered kinds a one-sided or a narrower stencil. `edge` and the order do not matter to
//! the other kinds.

use super::Real;
use super::stencil::{Stencil, Term};

/// Where a derivative reads relative to its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The row and those after it.
    Forward,
    /// As many rows before as after it.
    Centered,
    /// The row and those before it.
    Backward,
}

/// The number of points of a centered first derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Three points, of which the middle one has no weight.
    Three,
    /// Five points, of which the middle one has no weight.
    Five,
}

/// The axis is too short for the rows at the edge, where PyLops fails likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort {
    /// The length of the axis.
    pub n: usize,
    /// The least length that the stencil needs.
    pub least: usize,
}

impl std::fmt::Display for TooShort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let TooShort { n, least } = self;
        write!(f, "a derivative with edge=True needs {least} samples, the axis has {n}")
    }
}

impl std::error::Error for TooShort {}

const AHEAD: &[Term<f64>] = &[(0, -1.0), (1, 1.0)];
const BEHIND: &[Term<f64>] = &[(-1, -1.0), (0, 1.0)];
const AROUND_THREE: &[Term<f64>] = &[(-1, -0.5), (1, 0.5)];
const AROUND_FIVE: &[Term<f64>] =
    &[(-2, 1.0 / 12.0), (-1, -2.0 / 3.0), (1, 2.0 / 3.0), (2, -1.0 / 12.0)];

const SECOND_AHEAD: &[Term<f64>] = &[(0, 1.0), (1, -2.0), (2, 1.0)];
const SECOND_AROUND: &[Term<f64>] = &[(-1, 1.0), (0, -2.0), (1, 1.0)];
const SECOND_BEHIND: &[Term<f64>] = &[(-2, 1.0), (-1, -2.0), (0, 1.0)];

/// The stencil of PyLops's `FirstDerivative` over an axis of `n` samples.
pub fn first<R: Real>(
    n: usize,
    kind: Kind,
    order: Order,
    edge: bool,
    sampling: f64,
) -> Result<Stencil<R>, TooShort> {
    let edge = edge && kind == Kind::Centered;
    let (interior, least) = match (kind, order) {
        (Kind::Forward, _) => (AHEAD, 0),
        (Kind::Backward, _) => (BEHIND, 0),
        (Kind::Centered, Order::Three) => (AROUND_THREE, 2),
        (Kind::Centered, Order::Five) => (AROUND_FIVE, 3),
    };
    let boundary = |i: usize| match i {
        _ if !edge => &[],
        0 => AHEAD,
        _ if i == n - 1 => BEHIND,
        _ => AROUND_THREE,
    };
    if edge && n < least {
        return Err(TooShort { n, least });
    }
    Ok(banded(n, interior, 1.0 / sampling, boundary))
}

/// The stencil of PyLops's `SecondDerivative` over an axis of `n` samples.
pub fn second<R: Real>(
    n: usize,
    kind: Kind,
    edge: bool,
    sampling: f64,
) -> Result<Stencil<R>, TooShort> {
    let edge = edge && kind == Kind::Centered;
    let interior = match kind {
        Kind::Forward => SECOND_AHEAD,
        Kind::Backward => SECOND_BEHIND,
        Kind::Centered => SECOND_AROUND,
    };
    let boundary = |i: usize| match i {
        _ if !edge => &[],
        0 => SECOND_AHEAD,
        _ => SECOND_BEHIND,
    };
    if edge && n < 3 {
        return Err(TooShort { n, least: 3 });
    }
    Ok(banded(n, interior, 1.0 / (sampling * sampling), boundary))
}

/// The stencil with `interior` where it fits into the axis and `boundary` in the other rows.
fn banded<R: Real>(
    n: usize,
    interior: &[Term<f64>],
    scale: f64,
    boundary: impl Fn(usize) -> &'static [Term<f64>],
) -> Stencil<R> {
    let terms = |row: &[Term<f64>]| -> Vec<Term<R>> {
        row.iter().map(|&(offset, c)| (offset, R::nearest(c * scale))).collect()
    };
    let low = interior.iter().map(|term| -term.0).max().unwrap_or(0).max(0) as usize;
    let high = interior.iter().map(|term| term.0).max().unwrap_or(0).max(0) as usize;
    let head = low.min(n);
    let tail = high.min(n - head);
    let head_rows = (0..head).map(|i| terms(boundary(i))).collect();
    let tail_rows = (0..tail).map(|r| terms(boundary(n - 1 - r))).collect();
    Stencil::new(n, terms(interior), head_rows, tail_rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(stencil: &Stencil<f64>) -> Vec<Vec<f64>> {
        let n = stencil.n();
        let mut rows = vec![vec![0.0; n]; n];
        for (i, row) in rows.iter_mut().enumerate() {
            for &(offset, c) in stencil.row(i) {
                row[i.checked_add_signed(offset).unwrap()] += 12.0 * c;
            }
            for c in row {
                *c = c.round();
            }
        }
        rows
    }

    fn first_rows(n: usize, kind: Kind, order: Order, edge: bool) -> Vec<Vec<f64>> {
        rows(&first(n, kind, order, edge, 1.0).unwrap())
    }

    #[test]
    fn one_sided_kinds_leave_one_row_zero() {
        let forward = first_rows(3, Kind::Forward, Order::Five, true);
        assert_eq!(forward, [[-12.0, 12.0, 0.0], [0.0, -12.0, 12.0], [0.0; 3]]);
        let backward = first_rows(2, Kind::Backward, Order::Three, false);
        assert_eq!(backward, [[0.0; 2], [-12.0, 12.0]]);
    }

    #[test]
    fn five_points_become_three_then_two_at_the_edge() {
        let got = first_rows(5, Kind::Centered, Order::Five, true);
        let want = [
            [-12.0, 12.0, 0.0, 0.0, 0.0],
            [-6.0, 0.0, 6.0, 0.0, 0.0],
            [1.0, -8.0, 0.0, 8.0, -1.0],
            [0.0, 0.0, -6.0, 0.0, 6.0],
            [0.0, 0.0, 0.0, -12.0, 12.0],
        ];
        assert_eq!(got, want);
        let short = first_rows(3, Kind::Centered, Order::Five, true);
        assert_eq!(short, [[-12.0, 12.0, 0.0], [-6.0, 0.0, 6.0], [0.0, -12.0, 12.0]]);
    }

    #[test]
    fn short_axes_without_edges_are_zero() {
        for (n, order) in
            [(0, Order::Three), (1, Order::Three), (2, Order::Three), (4, Order::Five)]
        {
            let rows = first_rows(n, Kind::Centered, order, false);
            assert!(rows.iter().flatten().all(|&c| c == 0.0));
        }
    }

    #[test]
    fn short_axes_with_edges_are_refused() {
        let five = first::<f64>(2, Kind::Centered, Order::Five, true, 1.0);
        assert_eq!(five.unwrap_err(), TooShort { n: 2, least: 3 });
        let three = first::<f64>(1, Kind::Centered, Order::Three, true, 1.0);
        assert_eq!(three.unwrap_err(), TooShort { n: 1, least: 2 });
        assert!(second::<f64>(2, Kind::Centered, true, 1.0).is_err());
        assert!(second::<f64>(2, Kind::Forward, true, 1.0).is_ok());
    }

    #[test]
    fn second_derivatives_scale_with_the_squared_sampling() {
        let centered = rows(&second(3, Kind::Centered, true, 2.0).unwrap());
        assert_eq!(centered, [[3.0, -6.0, 3.0]; 3]);
        let forward = rows(&second(3, Kind::Forward, false, 2.0).unwrap());
        assert_eq!(forward, [[3.0, -6.0, 3.0], [0.0; 3], [0.0; 3]]);
        let backward = rows(&second(3, Kind::Backward, false, 2.0).unwrap());
        assert_eq!(backward, [[0.0; 3], [0.0; 3], [3.0, -6.0, 3.0]]);
    }
}
