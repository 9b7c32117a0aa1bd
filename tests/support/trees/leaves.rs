//! The leaves of a tree: operators of any wanted shape.

use super::super::dense::array;
use super::super::tiles::values;
use super::dice::Dice;
use adjoin::Dtype;
use adjoin::data::Source;
use adjoin::expr::{Op, family};
use adjoin::ops::{self, Handle, Norm, OperatorError};
use adjoin_passes::ir::Elementwise;
use adjoin_passes::signature::Linearity;
use num_complex::{Complex, Complex32, Complex64};

pub(super) type Maker = fn(&mut Dice, usize, usize) -> Option<Op>;

/// All leaf kinds; none if the kind cannot have the shape.
pub(super) const LEAVES: [(&str, Maker); 26] = [
    ("matrix", |d, m, n| Some(d.any_matrix(m, n))),
    ("matrix of several columns", |d, m, n| d.columns(m, n)),
    ("first derivative", |d, m, n| d.square(m, n, Dice::first_derivative)),
    ("second derivative", |d, m, n| d.square(m, n, Dice::second_derivative)),
    ("laplacian", |d, m, n| d.square(m, n, Dice::laplacian)),
    ("gradient", |d, m, n| d.gradient(m, n)),
    ("sorted restriction", |d, m, n| d.restriction(m, n, true)),
    ("unsorted restriction", |d, m, n| d.restriction(m, n, false)),
    ("restriction of an axis", |d, m, n| d.rows(m, n)),
    ("identity", |d, m, n| d.identity(m, n)),
    ("zero", |d, m, n| d.zero(m, n)),
    ("diagonal", |d, m, n| d.square(m, n, Dice::diagonal)),
    ("diagonal of an axis", |d, m, n| d.square(m, n, Dice::axis_diagonal)),
    ("transpose", |d, m, n| d.square(m, n, Dice::transpose)),
    ("complex transform", |d, m, n| d.complex_fft(m, n)),
    ("real transform", |d, m, n| d.real_fft(m, n)),
    ("full transform of reals", |d, m, n| d.full_fft(m, n)),
    ("fredholm", |d, m, n| d.fredholm(m, n)),
    ("closures", |d, m, n| d.closures(m, n)),
    ("real-linear closures", |d, m, n| d.folded(m, n, Linearity::Real)),
    ("antilinear closures", |d, m, n| d.folded(m, n, Linearity::Antilinear)),
    ("real part", |d, m, n| d.square(m, n, |d, n| Ok(d.element(n, Elementwise::Real)))),
    ("conjugate", |d, m, n| d.square(m, n, |d, n| Ok(d.element(n, Elementwise::Conj)))),
    ("family below", |d, m, n| d.family(m, n)),
    ("family beside", |d, m, n| Some(d.family(n, m)?.h())),
    ("family on the diagonal", |d, m, n| d.diagonal_family(m, n)),
];

impl Dice {
    pub(super) fn any_matrix(&mut self, m: usize, n: usize) -> Op {
        let dtype = self.dtype();
        Op::new(ops::matrix_mult(self.source(&[m, n], dtype)).build().expect("a matrix"))
    }

    fn columns(&mut self, m: usize, n: usize) -> Option<Op> {
        let k = self.common(m, n);
        let dtype = self.dtype();
        let source = self.source(&[m / k, n / k], dtype);
        let others = self.dims(k);
        made(ops::matrix_mult(source).otherdims(others).build())
    }

    fn first_derivative(&mut self, n: usize) -> Result<Op, OperatorError> {
        let dims = self.dims(n);
        let of = ops::first_derivative(dims.clone()).axis(self.axis(&dims)).sampling(0.5);
        let of = of.kind(self.kind()).order([3, 5][self.roll(2)]).dtype(self.dtype());
        let edge = self.coin();
        Ok(Op::new(of.clone().edge(edge).build().or_else(|_| of.order(3).edge(false).build())?))
    }

    fn second_derivative(&mut self, n: usize) -> Result<Op, OperatorError> {
        let dims = self.dims(n);
        let of = ops::second_derivative(dims.clone()).axis(self.axis(&dims));
        let of = of.kind(self.kind()).dtype(self.dtype());
        let edge = self.coin();
        Ok(Op::new(of.clone().edge(edge).build().or_else(|_| of.edge(false).build())?))
    }

    fn laplacian(&mut self, n: usize) -> Result<Op, OperatorError> {
        let dims = self.dims(n);
        let axes: Vec<_> = if dims.len() > 1 && self.coin() {
            vec![0, dims.len() as isize - 1]
        } else {
            vec![self.axis(&dims)]
        };
        let weights: Vec<_> = axes.iter().map(|&a| 1.5 - a as f64).collect();
        let of = ops::laplacian(dims).axes(axes).weights(weights).kind(self.kind());
        let of = of.dtype(self.dtype());
        let edge = self.coin();
        Ok(Op::new(of.clone().edge(edge).build().or_else(|_| of.edge(false).build())?))
    }

    fn gradient(&mut self, m: usize, n: usize) -> Option<Op> {
        let dims = self.dims(m.min(n));
        let of = ops::gradient(dims).kind(self.kind()).dtype(self.dtype());
        let edge = self.coin();
        let op = Op::new(of.clone().edge(edge).build().or_else(|_| of.edge(false).build()).ok()?);
        Some(self.resized(op, m, n))
    }

    pub(super) fn restriction(&mut self, m: usize, n: usize, sorted: bool) -> Option<Op> {
        let mut iava: Vec<_> = (0..m).map(|_| self.roll(n) as isize).collect();
        if sorted {
            iava.sort_unstable();
        } else if self.coin() {
            for i in &mut iava {
                *i -= n as isize;
            }
        }
        made(ops::restriction(n, iava).dtype(self.dtype()).build())
    }

    fn rows(&mut self, m: usize, n: usize) -> Option<Op> {
        let dims = self.dims(n);
        let axis = self.roll(dims.len());
        let sorted = self.coin();
        let len = 1 + self.roll(dims[axis]);
        let mut iava: Vec<_> = (0..len).map(|_| self.roll(dims[axis]) as isize).collect();
        if sorted {
            iava.sort_unstable();
        }
        let op = ops::restriction(dims, iava).axis(axis as isize).build().ok()?;
        Some(self.resized(Op::new(op), m, n))
    }

    pub(super) fn identity(&mut self, m: usize, n: usize) -> Option<Op> {
        let k = self.common(m, n);
        let flat = self.coin();
        let k_first = !flat && self.coin();
        let (range, domain) = if flat {
            (vec![m], vec![n])
        } else if k_first {
            (vec![k, m / k], vec![k, n / k])
        } else {
            (vec![m / k, k], vec![n / k, k])
        };
        made(ops::identity(range).m(domain).dtype(self.dtype()).build())
    }

    fn zero(&mut self, m: usize, n: usize) -> Option<Op> {
        let (domain, range) = (self.dims(n), self.dims(m));
        made(ops::zero(range).m(domain).dtype(self.dtype()).build())
    }

    fn diagonal(&mut self, n: usize) -> Result<Op, OperatorError> {
        let (dims, dtype) = (self.dims(n), self.dtype());
        Ok(Op::new(ops::diagonal(self.source(&dims, dtype)).build()?))
    }

    fn axis_diagonal(&mut self, n: usize) -> Result<Op, OperatorError> {
        let (dims, dtype) = (self.dims(n), self.dtype());
        let axis = self.roll(dims.len());
        let diag = self.source(&[dims[axis]], dtype);
        Ok(Op::new(ops::diagonal(diag).dims(dims).axis(axis as isize).build()?))
    }

    fn transpose(&mut self, n: usize) -> Result<Op, OperatorError> {
        let dims = self.dims(n);
        let mut axes: Vec<_> = (0..dims.len() as isize).collect();
        for k in (1..axes.len()).rev() {
            axes.swap(k, self.roll(k + 1));
        }
        Ok(Op::new(ops::transpose(dims, axes).dtype(self.dtype()).build()?))
    }

    fn fft(&mut self, n: usize) -> ops::fft::Fft {
        let dims = self.dims(n);
        let axis = self.axis(&dims);
        let nfft = dims[axis as usize];
        let nfft = if self.coin() { nfft } else { 1 + self.roll(2 * nfft) };
        let of = ops::fft(dims).axis(axis).nfft(nfft);
        let of = of.norm([Norm::Ortho, Norm::None, Norm::OneOverN][self.roll(3)]);
        of.ifftshift_before(self.coin()).fftshift_after(self.coin())
    }

    fn complex_fft(&mut self, m: usize, n: usize) -> Option<Op> {
        let dtype = [Dtype::C64, Dtype::C128][self.roll(2)];
        let op = self.fft(m.min(n)).dtype(dtype).build().ok()?;
        Some(self.resized(Op::new(op), m, n))
    }

    fn real_fft(&mut self, m: usize, n: usize) -> Option<Op> {
        let dtype = [Dtype::F32, Dtype::F64][self.roll(2)];
        let op = self.fft(m.min(n)).real(true).ifftshift_before(false).dtype(dtype).build().ok()?;
        Some(self.resized(Op::new(op), m, n))
    }

    fn full_fft(&mut self, m: usize, n: usize) -> Option<Op> {
        let dtype = [Dtype::F32, Dtype::F64][self.roll(2)];
        let op = self.fft(m.min(n)).dtype(dtype).build().ok()?;
        Some(self.resized(Op::new(op), m, n))
    }

    fn fredholm(&mut self, m: usize, n: usize) -> Option<Op> {
        let common = self.common(m, n);
        let slices = self.divisor(common);
        let dtype = self.dtype();
        let (rows, columns) = (m / common, n / common);
        let g = self.source(&[slices, rows, columns], dtype);
        made(ops::fredholm1(g).nz(common / slices).build())
    }

    fn closures(&mut self, m: usize, n: usize) -> Option<Op> {
        let seed = self.0;
        match self.dtype() {
            Dtype::F32 => {
                let a: Vec<_> = entries(seed, m * n).iter().map(|z| z.re as f32).collect();
                user(m, n, a.clone(), vec![0.0; m * n], |x| x, Linearity::Complex)
            }
            Dtype::F64 => {
                let a: Vec<_> = entries(seed, m * n).iter().map(|z| z.re).collect();
                user(m, n, a.clone(), vec![0.0; m * n], |x| x, Linearity::Complex)
            }
            Dtype::C64 => {
                let a: Vec<_> = entries(seed, m * n).iter().map(narrow).collect();
                let none = vec![Complex32::default(); m * n];
                user(m, n, a, none, |x| x.conj(), Linearity::Complex)
            }
            Dtype::C128 => {
                let none = vec![Complex64::ZERO; m * n];
                user(m, n, entries(seed, m * n), none, |x| x.conj(), Linearity::Complex)
            }
        }
    }

    /// `y = M x + N x̄` of complex vectors, `M` being zero if it is antilinear.
    fn folded(&mut self, m: usize, n: usize, linearity: Linearity) -> Option<Op> {
        let (a, b) = (entries(self.0, m * n), entries(self.0 + 1, m * n));
        let keep = if linearity == Linearity::Antilinear { 0.0 } else { 1.0 };
        let a: Vec<_> = a.into_iter().map(|z| z * keep).collect();
        if self.coin() {
            return user(m, n, a, b, |x| x.conj(), linearity);
        }
        let narrowed = |v: &[Complex64]| v.iter().map(narrow).collect();
        user(m, n, narrowed(&a), narrowed(&b), |x| x.conj(), linearity)
    }

    fn element(&mut self, n: usize, map: Elementwise) -> Op {
        Op::element(map, self.dims(n))
    }

    /// Blocks of different heights below each other.
    fn family(&mut self, m: usize, n: usize) -> Option<Op> {
        let heights = self.heights(m);
        let (seed, dtype, transient) = (self.0, self.dtype(), self.coin());
        let made = family(0..heights.len(), move |i| {
            let a = array(seed + i as u64, &[heights[i], n], dtype);
            Ok(Op::new(ops::matrix_mult(Source::array(a)).build()?))
        })
        .ok()?;
        let made = if transient { made.transient() } else { made };
        made.vstack().ok()
    }

    fn diagonal_family(&mut self, m: usize, n: usize) -> Option<Op> {
        let (heights, mut left) = (self.heights(m), n);
        let mut blocks = Vec::new();
        for (i, height) in heights.iter().enumerate() {
            let rest = heights.len() - i - 1;
            let width = if rest == 0 { left } else { self.roll(left.saturating_sub(rest)) + 1 };
            blocks.push((*height, width.min(left)));
            left -= width.min(left);
        }
        if blocks.iter().any(|b| b.1 == 0) {
            return None;
        }
        let (seed, dtype) = (self.0, self.dtype());
        let made = family(0..blocks.len(), move |i| {
            let a = array(seed + i as u64, &[blocks[i].0, blocks[i].1], dtype);
            Ok(Op::new(ops::matrix_mult(Source::array(a)).build()?))
        });
        made.ok()?.block_diag().ok()
    }
}

fn made(operator: Result<Handle, OperatorError>) -> Option<Op> {
    operator.ok().map(Op::new)
}

fn entries(seed: u64, n: usize) -> Vec<Complex64> {
    values(seed, n, Dtype::C128)
}

fn narrow(z: &Complex64) -> Complex32 {
    Complex::new(z.re as f32, z.im as f32)
}

/// `y = M x + N x̄` as closures, with the adjoint `x = Mᴴ y + Nᵀ ȳ`.
fn user<T>(
    m: usize,
    n: usize,
    linear: Vec<T>,
    folded: Vec<T>,
    conj: fn(T) -> T,
    linearity: Linearity,
) -> Option<Op>
where
    T: adjoin::elements::Element + std::ops::Add<Output = T> + std::ops::Mul<Output = T>,
{
    let (a, b) = (linear.clone(), folded.clone());
    let forward = move |x: &[T], y: &mut [T]| {
        for (r, y) in y.iter_mut().enumerate() {
            let term = |c: usize| a[r * n + c] * x[c] + b[r * n + c] * conj(x[c]);
            *y = (0..n).fold(T::ZERO, |sum, c| sum + term(c));
        }
    };
    let adjoint = move |y: &[T], x: &mut [T]| {
        for (c, x) in x.iter_mut().enumerate() {
            let term = |r: usize| conj(linear[r * n + c]) * y[r] + folded[r * n + c] * conj(y[r]);
            *x = (0..m).fold(T::ZERO, |sum, r| sum + term(r));
        }
    };
    made(ops::function(n, m, forward, adjoint).linearity(linearity).build())
}
