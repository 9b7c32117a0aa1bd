//! The problems whose iterations are foreseen and measured: none of them is among those that
//! `adjoin calibrate` runs.

use adjoin::Dtype;
use adjoin::data::Source;
use adjoin::expr::{Op, block_diag, vstack};
use adjoin::ops::{self, kirchhoff::kirchhoff};
use adjoin::planned::{Planned, Planner, Ranks};
use adjoin::run::{Inputs, inputs};
use adjoin::solve::{Cgls, Lsqr, Settings, Solver, System};
use adjoin_passes::machine::Machine;
use num_complex::Complex32;
use std::error::Error;
use std::sync::Arc;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// A least-squares problem.
pub struct Problem {
    pub name: &'static str,
    /// What it is, and what limits it.
    pub title: &'static str,
    /// Iterations before it begins anew, so that no vector comes close to zero.
    pub iterations: usize,
    operator: fn() -> Fallible<Op>,
    solver: fn() -> Arc<dyn Solver>,
    dtype: Dtype,
}

/// The problems in groups; RESULTS says of which the times were known while the model was made.
pub const GROUPS: [(&str, &[Problem]); 3] =
    [("five problems", &KNOWN), ("three more", &MORE), ("three of other kinds", &NEW)];

const KNOWN: [Problem; 5] = [
    Problem {
        name: "post-stack",
        title: "post-stack with 10 Laplacian, 64 x 64 x 256, float32, CGLS",
        iterations: 20,
        operator: post_stack,
        solver: cgls,
        dtype: Dtype::F32,
    },
    Problem {
        name: "MDD",
        title: "multi-dimensional deconvolution, 100 frequencies of 64 x 64, complex64, CGLS",
        iterations: 40,
        operator: deconvolution,
        solver: cgls,
        dtype: Dtype::F32,
    },
    Problem {
        name: "dense",
        title: "a stack of two matrices of 2048 x 2048, float64, LSQR",
        iterations: 10,
        operator: dense,
        solver: lsqr,
        dtype: Dtype::F64,
    },
    Problem {
        name: "Kirchhoff",
        title: "Kirchhoff, 60 x 80 points, 8 sources, 20 receivers, 400 samples, float64, CGLS",
        iterations: 20,
        operator: migration,
        solver: cgls,
        dtype: Dtype::F64,
    },
    Problem {
        name: "diagonals",
        title: "a block diagonal of four diagonals of 2000, float64, CGLS",
        iterations: 40,
        operator: diagonals,
        solver: cgls,
        dtype: Dtype::F64,
    },
];

const MORE: [Problem; 3] = [
    Problem {
        name: "deblurring",
        title: "four images of 300 x 500 blurred along their rows, Tikhonov, float64, CGLS",
        iterations: 20,
        operator: deblurring,
        solver: cgls,
        dtype: Dtype::F64,
    },
    Problem {
        name: "spectrum",
        title: "F.H D F over both axes of 512 x 600, float32, CGLS",
        iterations: 20,
        operator: spectrum,
        solver: cgls,
        dtype: Dtype::F32,
    },
    Problem {
        name: "MDC",
        title: "multi-dimensional convolution, 80 frequencies of 60 x 50, 20 columns, LSQR",
        iterations: 20,
        operator: convolutions,
        solver: lsqr,
        dtype: Dtype::F32,
    },
];

const NEW: [Problem; 3] = [
    Problem {
        name: "radio",
        title: "masked frequencies of an image of 400 x 360 times gains, complex64, CGLS",
        iterations: 20,
        operator: radio,
        solver: cgls,
        dtype: Dtype::C64,
    },
    Problem {
        name: "prestack",
        title: "prestack, 5 angles, 120 x 3 x 900, with a Gradient, float32, LSQR",
        iterations: 20,
        operator: prestack,
        solver: lsqr,
        dtype: Dtype::F32,
    },
    Problem {
        name: "blocks",
        title: "a block diagonal of eight matrices of 500 x 400, float32, CGLS",
        iterations: 40,
        operator: blocks,
        solver: cgls,
        dtype: Dtype::F32,
    },
];

impl Problem {
    /// Its plan for so many ranks of a machine, and its data.
    pub fn planned(&self, ranks: usize, machine: &Machine) -> Fallible<(Planned, Inputs)> {
        let operator = (self.operator)()?;
        let parts = operator.range().0.len();
        let system = System::new(&operator, &vec![self.dtype; parts])?;
        let settings = Settings { niter: self.iterations, tol: 0.0, damp: 0.0 };
        let planner = Planner::new(Ranks(ranks)).machine(machine.clone());
        let planned = planner.solve((self.solver)(), &system, settings)?;
        let rows = operator.shape().0;
        let data = match self.dtype {
            Dtype::F32 => inputs().data((0..rows).map(|k| noise(k) as f32).collect::<Vec<_>>()),
            Dtype::C64 => inputs().data((0..rows).map(pair).collect::<Vec<_>>()),
            _ => inputs().data((0..rows).map(noise).collect::<Vec<_>>()),
        };
        Ok((planned, data))
    }
}

fn cgls() -> Arc<dyn Solver> {
    Arc::new(Cgls)
}

/// Only the number of iterations ends it.
fn lsqr() -> Arc<dyn Solver> {
    Arc::new(Lsqr { atol: 0.0, btol: 0.0, conlim: 0.0, calc_var: false })
}

/// A number in -1..1 that looks random.
fn noise(k: usize) -> f64 {
    let mixed = (k as u64 ^ 0x5851_f42d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

fn pair(k: usize) -> Complex32 {
    Complex32::new(noise(2 * k) as f32, noise(2 * k + 1) as f32)
}

/// A Ricker wavelet of `2 half + 1` samples.
fn ricker(half: usize) -> Vec<f64> {
    let at = |k: usize| ((k as f64 - half as f64) * 0.19).powi(2);
    (0..=2 * half).map(|k| (1.0 - 2.0 * at(k)) * (-at(k)).exp()).collect()
}

fn post_stack() -> Fallible<Op> {
    let dims = [64, 64, 256];
    let wavelet: Vec<f32> = ricker(20).into_iter().map(|w| w as f32).collect();
    let modelling = ops::poststack_linear_modelling(Source::array(wavelet), 256).spatdims([64, 64]);
    let turn = Op::new(ops::transpose(dims, [2, 0, 1]).dtype(Dtype::F32).build()?);
    let smooth = ops::laplacian(dims).axes([0, 1, 2]).dtype(Dtype::F32).build()?;
    let data = turn.h() * modelling.build()? * turn;
    Ok(vstack([("data", data), ("smooth", 10.0 * Op::new(smooth))])?)
}

fn deconvolution() -> Fallible<Op> {
    Ok(ops::mdc(frequencies([100, 64, 64]), 399, 1).dt(0.004).build()?)
}

fn convolutions() -> Fallible<Op> {
    Ok(ops::mdc(frequencies([80, 60, 50]), 319, 20).dt(0.004).build()?)
}

/// A matrix for each of some frequencies.
fn frequencies(dims: [usize; 3]) -> Source {
    Source::function(dims, move |tile| {
        let at = move |f: usize, i: usize, j: usize| (f * dims[1] + i) * dims[2] + j;
        let places = tile
            .range(0)
            .flat_map(|f| tile.range(1).flat_map(move |i| tile.range(2).map(move |j| at(f, i, j))));
        places.map(pair).collect::<Vec<_>>()
    })
}

fn deblurring() -> Fallible<Op> {
    let blur = |k: usize| {
        let taps: Vec<f64> = (0..21 + 4 * k).map(|i| 1.0 / (2.0 + i as f64)).collect();
        ops::convolve1d([300, 500], Source::array(taps)).offset(3).axis(-1).build().map(Op::new)
    };
    let blurs = block_diag((0..4).map(blur).collect::<Result<Vec<_>, _>>()?)?;
    let same = (0..4).map(|_| Op::identity(vec![300, 500]));
    Ok(vstack([("blur", blurs), ("small", 0.1 * block_diag(same.collect::<Vec<_>>())?)])?)
}

fn spectrum() -> Fallible<Op> {
    let dims = [512, 600];
    let transform = ops::fft2d(dims).real(true).dtype(Dtype::F32).build()?;
    let weights = (0..512 * 301).map(|k| (2.0 + noise(k)) as f32).collect::<Vec<_>>();
    let weights = ops::diagonal(Source::array(weights).reshape([512, 301])?);
    Ok(transform.h() * Op::new(weights.dtype(Dtype::C64).build()?) * transform)
}

fn radio() -> Fallible<Op> {
    let dims = [400, 360];
    let diagonal = |number: &dyn Fn(usize) -> Complex32| {
        let numbers = Source::array((0..400 * 360).map(number).collect::<Vec<_>>());
        Ok::<_, Box<dyn Error>>(Op::new(ops::diagonal(numbers.reshape(dims)?).build()?))
    };
    let transform = ops::fft2d(dims).dtype(Dtype::C64).build()?;
    let mask = diagonal(&|k| if noise(k) > 0.2 { Complex32::ONE } else { Complex32::ZERO })?;
    let gains = diagonal(&|k| 2.0 + pair(k))?;
    Ok(mask * transform * gains)
}

fn prestack() -> Fallible<Op> {
    let wavelet: Vec<f32> = ricker(15).into_iter().map(|w| w as f32).collect();
    let angles = Source::array(vec![2.0_f32, 9.0, 16.0, 23.0, 30.0]);
    let modelling = ops::prestack_linear_modelling(Source::array(wavelet), angles).nt0(120);
    let smooth = ops::gradient([120, 3, 900]).dtype(Dtype::F32).build()?;
    let modelling = modelling.spatdims([900]).build()?;
    Ok(vstack([("data", modelling), ("smooth", 0.5 * Op::new(smooth))])?)
}

fn blocks() -> Fallible<Op> {
    let block = |k: usize| {
        let matrix: Vec<f32> = (0..500 * 400).map(|i| noise(200_000 * k + i) as f32).collect();
        Ok(Op::new(ops::matrix_mult(Source::array(matrix).reshape([500, 400])?).build()?))
    };
    Ok(block_diag((0..8).map(block).collect::<Fallible<Vec<_>>>()?)?)
}

fn dense() -> Fallible<Op> {
    let block = |first: usize| {
        let rows = Source::function([2048, 2048], move |tile| {
            let rows = tile.range(0).flat_map(|i| tile.range(1).map(move |j| i * 2048 + j));
            rows.map(|k| noise(first + k)).collect::<Vec<f64>>()
        });
        ops::matrix_mult(rows).build().map(Op::new)
    };
    Ok(vstack([("first", block(0)?), ("second", block(1 << 22)?)])?)
}

fn migration() -> Fallible<Op> {
    let line = |n: usize, step: f64| (0..n).map(|k| k as f64 * step).collect::<Vec<f64>>();
    let places = |n: usize| {
        let coordinates = line(n, 790.0 / (n - 1) as f64).into_iter().chain(vec![0.0; n]);
        Source::array(coordinates.collect::<Vec<f64>>()).reshape([2, n])
    };
    let image = [Source::array(line(60, 10.0)), Source::array(line(80, 10.0))];
    let (t, wavelet) = (Source::array(line(400, 0.004)), Source::array(ricker(40)));
    Ok(kirchhoff(image, t, places(8)?, places(20)?, 1500.0, wavelet, 40).build()?)
}

fn diagonals() -> Fallible<Op> {
    let block = |k: usize| {
        let weights: Vec<f64> = (0..2000).map(|i| 2.0 + noise(2000 * k + i)).collect();
        ops::diagonal(Source::array(weights)).build().map(Op::new)
    };
    Ok(block_diag((0..4).map(block).collect::<Result<Vec<_>, _>>()?)?)
}
