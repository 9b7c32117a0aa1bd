//! The problems on which the classes of work are measured: an operator of each class, along the
//! last dim and across it, on arrays of some bytes; and updates of vectors.

use crate::data::Source;
use crate::expr::{Op, Vector, input};
use crate::ops::{self, OperatorError};
use adjoin_passes::Dtype;
use adjoin_passes::signature::Class;
use num_complex::{Complex32, Complex64};

/// The classes whose operators go along a dim or across it.
const DIRECTED: [Class; 5] =
    [Class::Product, Class::Stencil, Class::Convolution, Class::Transform, Class::Move];

/// Taps of a filter.
const TAPS: usize = 61;

/// Elements of a transform.
const LENGTH: usize = 240;

/// Rows and columns of matrices of which there is one for each index.
const SIDE: usize = 48;

/// Vectors of a product with many.
const MANY: usize = 16;

/// Which way an operator goes: along the last dim or for one vector, otherwise, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Along,
    Across,
    Any,
}

/// An operator of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) class: Class,
    pub(super) way: Way,
}

impl Trial {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Trial> {
        let any = [Class::Update, Class::Gather].map(|class| Trial { class, way: Way::Any });
        let both = |class| [Way::Along, Way::Across].map(|way| Trial { class, way });
        any.into_iter().chain(DIRECTED.into_iter().flat_map(both))
    }

    /// Whether complex matrices are tried too, which have more flops for their bytes.
    pub(super) fn has_complex(self) -> bool {
        self.class == Class::Product && self.way == Way::Along
    }

    /// The operator, whose data and vectors have about so many bytes.
    pub(super) fn operator(self, dtype: Dtype, bytes: usize) -> Result<Op, OperatorError> {
        let n = (bytes / 2 / dtype.size()).max(1 << 12);
        let along = self.way == Way::Along;
        let axis = if along { -1 } else { 0 };
        // Arrays of two dims, with the dim that is worked along in the place that is wanted.
        let lines = |n: usize, long: usize| if along { [n / long, long] } else { [long, n / long] };
        Ok(match self.class {
            Class::Update => Op::identity(vec![n]),
            Class::Product if dtype.is_complex() => {
                let table = ones([n.div_ceil(SIDE * SIDE / 2), SIDE, SIDE], dtype);
                Op::new(ops::fredholm1(table).build()?)
            }
            Class::Product => {
                let side = ((2 * n) as f64).sqrt() as usize;
                Op::new(ops::matrix_mult(ones([side, side], dtype)).build()?)
            }
            Class::Stencil => {
                let axes = if along { vec![2] } else { vec![0, 1] };
                let stencil = ops::laplacian([n.div_ceil(4096), 32, 128]).axes(axes);
                Op::new(stencil.dtype(dtype).build()?)
            }
            Class::Convolution => {
                let filter = ops::convolve1d(lines(n, 256), ones([TAPS], dtype));
                Op::new(filter.offset(TAPS / 2).axis(axis).dtype(dtype).build()?)
            }
            Class::Transform => {
                let transform = ops::fft(lines(n / 2, LENGTH)).axis(axis);
                Op::new(transform.dtype(dtype.complex()).build()?)
            }
            Class::Gather => gather(dtype)?,
            Class::Move => {
                let axes = if along { [1, 0, 2] } else { [2, 0, 1] };
                Op::new(ops::transpose([n.div_ceil(4096), 32, 128], axes).dtype(dtype).build()?)
            }
        })
    }

    /// An operator or its adjoint, applied to a vector, or to many.
    pub(super) fn applied(self, operator: &Op, adjoint: bool, dtype: Dtype) -> Vector {
        let complex = self.class == Class::Transform;
        let dtype = if complex { dtype.complex() } else { dtype };
        let many = self.class == Class::Product && self.way == Way::Across;
        let operator = if adjoint { operator.h() } else { operator.clone() };
        let x = match operator.shape() {
            (_, columns) if many => input("x", [columns, MANY], dtype),
            _ => operator.input("x", dtype),
        };
        operator * x
    }
}

fn ones<const N: usize>(dims: [usize; N], dtype: Dtype) -> Source {
    let n = dims.iter().product();
    let all = match dtype {
        Dtype::F32 => Source::array(vec![1.0_f32; n]),
        Dtype::F64 => Source::array(vec![1.0_f64; n]),
        Dtype::C64 => Source::array(vec![Complex32::ONE; n]),
        Dtype::C128 => Source::array(vec![Complex64::ONE; n]),
    };
    all.reshape(dims).unwrap_or(all)
}

/// A small migration, whose wavelet is one sample.
fn gather(dtype: Dtype) -> Result<Op, OperatorError> {
    let line = |n: usize, step: f64| (0..n).map(|k| k as f64 * step).collect::<Vec<f64>>();
    // Coordinates in columns: places along a line, and no depth.
    let places = |n: usize| {
        let place =
            move |row: usize, k: usize| if row == 0 { 300.0 * k as f64 / n as f64 } else { 0.0 };
        Source::function([2, n], move |tile| {
            let rows = tile.range(0).flat_map(|i| tile.range(1).map(move |k| place(i, k)));
            rows.collect::<Vec<f64>>()
        })
    };
    let (srcs, recs) = (places(6), places(12));
    let image = [Source::array(line(50, 8.0)), Source::array(line(60, 8.0))];
    let (t, wavelet) = (Source::array(line(250, 0.004)), Source::array(vec![1.0_f64]));
    ops::kirchhoff::kirchhoff(image, t, srcs, recs, 1200.0, wavelet, 0).dtype(dtype).build()
}

/// Nodes of the plan that computes with numbers.
pub(super) const NUMBERS: usize = 256;

/// A plan of many nodes, of which each makes a number.
pub(super) fn numbers() -> String {
    let node = |k: usize| format!("%{} = neg %{k} : f64[]\n", k + 1);
    let nodes: String = (0..NUMBERS).map(node).collect();
    format!("mesh 1 rank\n%0 = input x : f64[]\n{nodes}return %{NUMBERS}\n")
}

/// Updates and scalar products, as solvers have them, of vectors with so many elements.
pub(super) fn updates(dtype: Dtype, n: usize) -> String {
    let vector = |line: &str| format!("{line} : {dtype}[{n}]\n");
    let number = |line: &str| format!("{line} : f64[]\n");
    let states = ["state x", "state r", "state c", "state q"];
    let got = ["%1 = get x", "%2 = get r", "%3 = get c", "%4 = get q"];
    let vectors = ["%5 = axpy %0 %3 %1", "%6 = axpy %0 %4 %2", "%7 = axpy %0 %3 %6"];
    let numbers = ["%8 = dot real %6 %6", "%9 = dot real %7 %4"];
    let lines = [&states.map(vector)[..], &[number("%0 = slot a")], &got.map(vector)];
    let lines = [&lines.concat()[..], &vectors.map(vector), &numbers.map(number)].concat();
    let ends = "set x %5\nset r %6\nset c %7\nreturn %8 %9\n";
    format!("mesh 1 rank\nslot a : f64\n{}{ends}", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planned::{Planner, Ranks};
    use adjoin_passes::{Context, compile, text};

    #[test]
    fn updates_are_one_region() {
        for dtype in [Dtype::F32, Dtype::F64] {
            let plan = text::parse(&updates(dtype, 64)).unwrap();
            let plan = compile(&plan, &Context::default()).unwrap().plan;
            let region = plan.blocks[0].regions[0].nodes();
            assert_eq!((plan.blocks[0].regions.len(), region.len()), (1, 5), "{plan}");
        }
        assert!(text::parse(&numbers()).is_ok());
    }

    #[test]
    fn every_trial_is_of_its_class_and_has_its_size() {
        for trial in Trial::all().filter(|trial| trial.class != Class::Update) {
            let Trial { class, way } = trial;
            let operator = trial.operator(Dtype::F32, 1 << 20).unwrap();
            let vector = trial.applied(&operator, true, Dtype::F32);
            let planned = Planner::new(Ranks(1)).apply(&vector).unwrap();
            // What a migration gathers is convolved with its wavelet.
            let mut leaves = planned.plan().leaves.iter().map(|leaf| &leaf.signature);
            let signature = leaves.find(|signature| signature.class() == class).unwrap();
            let many = if class == Class::Product && way == Way::Across { 16.0 } else { 1.0 };
            let along = signature.manner(many).along;
            match way {
                Way::Any => {}
                Way::Along => assert_eq!(along, 1.0, "{class}"),
                Way::Across => assert!(along <= 0.5, "{class}"),
            }
            let bytes = planned.account().blocks[0].traffic;
            let size = class == Class::Gather || (0.4e6..2.2e6).contains(&bytes);
            assert!(size, "{class} {way:?} {bytes}");
        }
    }
}
