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

/// Taps of a long filter and of a short one.
const TAPS: [usize; 2] = [61, 15];

/// Elements of transforms: of complex numbers, of real ones, and of complex ones again.
const LENGTHS: [usize; 3] = [240, 480, 512];

/// Rows and columns of matrices of which there is one for each index: of many, and of few.
const SIDES: [usize; 2] = [72, 4];

/// Vectors of a product with many: of a large matrix, of small ones, and of tiny ones.
const MANY: [usize; 3] = [16, 12, 200];

/// Columns of an array across which is worked, as far as there are so many.
const COLUMNS: usize = 900;

/// Which way an operator goes: along the last dim or for one vector, otherwise, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Along,
    Across,
    Any,
}

/// What is done with an operator: it and its adjoint are applied to two vectors, or one after the
/// other to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Both,
    Normal,
}

/// An operator of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) class: Class,
    pub(super) way: Way,
    /// Which of those of the class, which differ in their flops for a byte.
    pub(super) form: usize,
}

/// All classes, and the ways that each has.
pub(super) fn manners() -> impl Iterator<Item = (Class, Way)> {
    let any = [Class::Update, Class::Gather].map(|class| (class, Way::Any));
    let both = |class| [Way::Along, Way::Across].map(|way| (class, way));
    any.into_iter().chain(DIRECTED.into_iter().flat_map(both))
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.class, self.way, self.form)
    }
}

impl Trial {
    /// Those of a class that go one way.
    pub(super) fn of(class: Class, way: Way) -> impl Iterator<Item = Trial> {
        let forms = match (class, way) {
            (Class::Gather, _) => 1,
            (Class::Update | Class::Transform, _) | (Class::Product, Way::Across) => 3,
            _ => 2,
        };
        (0..forms).map(move |form| Trial { class, way, form })
    }

    /// What is done with it.
    pub(super) fn uses(self) -> &'static [Use] {
        match (self.class, self.way, self.form) {
            (Class::Product | Class::Stencil, _, 0) => &[Use::Both, Use::Normal],
            _ => &[Use::Both],
        }
    }

    /// Whether it is what it is, however many bytes are asked for.
    pub(super) fn has_one_size(self) -> bool {
        self.class == Class::Gather
    }

    /// The operator, whose data and vectors have about so many bytes.
    pub(super) fn operator(self, dtype: Dtype, bytes: usize) -> Result<Op, OperatorError> {
        let n = (bytes / 2 / dtype.size()).max(1 << 12);
        let along = self.way == Way::Along;
        // Arrays of which so many elements in a row are worked along, or as many one below another.
        let lines = |n: usize, long: usize| match self.way {
            Way::Across => {
                let columns = (n / long).clamp(1, COLUMNS);
                [(n / long / columns).max(1), long, columns]
            }
            Way::Along | Way::Any => [1, (n / long).max(1), long],
        };
        let axis = if along { -1 } else { 1 };
        let stencil = [(n / 4608).max(1), 32, 144];
        Ok(match self.class {
            Class::Update => Op::identity(vec![n]),
            Class::Product if self.form > 0 => {
                let (side, many) = (SIDES[self.form - 1], if along { 1 } else { MANY[self.form] });
                // Of tiny matrices vectors are larger than they are.
                let slices = n.div_ceil(side * side.max(many));
                let table = ones([slices, side, side], dtype.complex());
                Op::new(ops::fredholm1(table).nz(many).build()?)
            }
            Class::Product => {
                // Rows a power of two apart meet in few places of a cache.
                let side = ((2 * n) as f64).sqrt() as usize / 8 * 8 + 4;
                Op::new(ops::matrix_mult(ones([side, side], dtype)).build()?)
            }
            Class::Stencil if self.form > 0 => {
                let axis = if along { 2 } else { 0 };
                let derivative = ops::first_derivative(stencil).axis(axis);
                Op::new(derivative.dtype(dtype).build()?)
            }
            Class::Stencil => {
                let axes = if along { vec![2] } else { vec![0, 1, 2] };
                Op::new(ops::laplacian(stencil).axes(axes).dtype(dtype).build()?)
            }
            Class::Convolution => {
                let taps = TAPS[self.form];
                let filter = ops::convolve1d(lines(n, 256), ones([taps], dtype));
                Op::new(filter.offset(taps / 2).axis(axis).dtype(dtype).build()?)
            }
            Class::Transform => {
                let real = self.form == 1;
                let n = if real { n } else { n / 2 };
                let transform = ops::fft(lines(n, LENGTHS[self.form])).axis(axis).real(real);
                let dtype = if real { dtype } else { dtype.complex() };
                Op::new(transform.dtype(dtype).build()?)
            }
            Class::Gather => gather(dtype)?,
            Class::Move => {
                let axes = if along { [1, 0, 2] } else { [2, 0, 1] };
                // Lines a power of two apart meet in few places of a cache, and are common.
                let dims = if self.form > 0 { [(n / 4096).max(1), 32, 128] } else { stencil };
                Op::new(ops::transpose(dims, axes).dtype(dtype).build()?)
            }
        })
    }

    /// An operator and its adjoint, applied to a vector each, or to many.
    pub(super) fn applied(self, operator: &Op, way: Use, dtype: Dtype) -> Vec<Vector> {
        let complex = match self.class {
            Class::Transform => self.form != 1,
            Class::Product => self.form > 0,
            _ => false,
        };
        let dtype = if complex { dtype.complex() } else { dtype };
        let many = self.class == Class::Product && self.way == Way::Across && self.form == 0;
        let apply = |operator: &Op, dtype: Dtype| {
            let x = match operator.shape() {
                (_, columns) if many => input("x", [columns, MANY[0]], dtype),
                _ => operator.input("x", dtype),
            };
            operator * x
        };
        let half = self.class == Class::Transform && !complex;
        let back = if half { dtype.complex() } else { dtype };
        match way {
            Use::Both => vec![apply(operator, dtype), apply(&operator.h(), back)],
            Use::Normal => vec![apply(&(operator.h() * operator), dtype)],
        }
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

/// Updates of vectors (V) and scalar products (N), as solvers have them: of several vectors in their
/// places, of one, and such that make new vectors.
const UPDATES: [&str; 3] = [
    "state x : V\nstate r : V\nstate c : V\nstate q : V
     %0 = slot a : N
     %1 = get x : V\n%2 = get r : V\n%3 = get c : V\n%4 = get q : V
     %5 = axpy %0 %3 %1 : V\n%6 = axpy %0 %4 %2 : V\n%7 = axpy %0 %3 %6 : V
     %8 = dot real %6 %6 : N\n%9 = dot real %7 %4 : N
     set x %5\nset r %6\nset c %7\nreturn %8 %9",
    "state x : V\nstate r : V
     %0 = slot a : N
     %1 = get x : V\n%2 = get r : V
     %3 = axpy %0 %2 %1 : V
     set x %3",
    "state x : V\nstate r : V\nstate c : V\nstate q : V
     %0 = slot a : N
     %1 = get x : V\n%2 = get r : V
     %3 = scale %0 %1 : V\n%4 = add %3 %2 : V
     %5 = dot real %3 %4 : N
     set c %3\nset q %4\nreturn %5",
];

/// A plan of some updates, of vectors with so many elements.
pub(super) fn updates(form: usize, dtype: Dtype, n: usize) -> String {
    let lines = UPDATES[form].replace('V', &format!("{dtype}[{n}]")).replace('N', "f64[]");
    let lines: Vec<&str> = lines.lines().map(str::trim).collect();
    format!("mesh 1 rank\nslot a : f64\n{}\n", lines.join("\n"))
}

/// How many vectors there are in some updates.
pub(super) fn vectors(form: usize) -> usize {
    UPDATES[form].matches("state ").count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planned::{Planner, Ranks};
    use adjoin_passes::{Context, compile, text};

    #[test]
    fn updates_are_one_region() {
        for (dtype, (form, nodes)) in [Dtype::F32, Dtype::F64]
            .into_iter()
            .flat_map(|dtype| [(0, 5), (2, 3)].map(|updates| (dtype, updates)))
        {
            let plan = text::parse(&updates(form, dtype, 64)).unwrap();
            let plan = compile(&plan, &Context::default()).unwrap().plan;
            let region = plan.blocks[0].regions[0].nodes();
            assert_eq!((plan.blocks[0].regions.len(), region.len()), (1, nodes), "{plan}");
        }
        assert!(text::parse(&numbers()).is_ok());
    }

    #[test]
    fn every_trial_is_of_its_class_and_has_its_size() {
        let trials = manners().flat_map(|(class, way)| Trial::of(class, way));
        for trial in trials.filter(|trial| trial.class != Class::Update) {
            let Trial { class, way, form } = trial;
            let operator = trial.operator(Dtype::F32, 1 << 20).unwrap();
            for vector in trial.applied(&operator, trial.uses()[0], Dtype::F32) {
                let planned = Planner::new(Ranks(1)).apply(&vector).unwrap();
                // What a migration gathers is convolved with its wavelet.
                let mut leaves = planned.plan().leaves.iter().map(|leaf| &leaf.signature);
                let signature = leaves.find(|signature| signature.class() == class).unwrap();
                // Columns of small matrices are their own.
                let many = class == Class::Product && way == Way::Across && form == 0;
                let along = signature.manner(if many { 16.0 } else { 1.0 }).along;
                match way {
                    Way::Any => {}
                    Way::Along => assert_eq!(along, 1.0, "{trial}"),
                    Way::Across => assert!(along <= 0.5, "{trial} {along}"),
                }
                let bytes = planned.account().blocks[0].traffic;
                let size = class == Class::Gather || (0.4e6..2.2e6).contains(&bytes);
                assert!(size, "{trial} {bytes}");
            }
        }
    }

    #[test]
    fn trials_of_a_class_differ_in_their_flops_for_a_byte() {
        let directed = [Class::Product, Class::Stencil, Class::Convolution, Class::Transform];
        for (class, way) in manners().filter(|(class, _)| directed.contains(class)) {
            let intensity = |trial: Trial, way: Use| {
                let operator = trial.operator(Dtype::F32, 1 << 20).unwrap();
                let vector = trial.applied(&operator, way, Dtype::F32).remove(0);
                let planned = Planner::new(Ranks(1)).apply(&vector).unwrap();
                let block = planned.account().blocks[0].clone();
                block.flops / block.traffic
            };
            let uses = |trial: Trial| trial.uses().iter().map(move |way| (trial, *way));
            let all: Vec<f64> =
                Trial::of(class, way).flat_map(uses).map(|(t, way)| intensity(t, way)).collect();
            let [low, high] = [
                all.iter().copied().fold(f64::MAX, f64::min),
                all.iter().copied().fold(0.0, f64::max),
            ];
            assert!(high > 1.1 * low, "{class} {way:?} {all:?}");
        }
    }
}
