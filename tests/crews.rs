//! Several threads within a rank: results are the same, bit by bit, on any number of them; a thread
//! that fails stops its rank.

mod support;

use adjoin::Dtype;
use adjoin::data::{Array, Source};
use adjoin::expr::{Op, vstack};
use adjoin::ops::{
    self, Handle, Kind, LocalOperator, OperatorError, Paneling, Panels, Patch, PatchMut, Slice,
    SliceMut, Turn,
};
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::{Functions, Program, RunError, World};
use adjoin::solve::{Cgls, Lsqr, Settings, Solver, System};
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::crew::Crew;
use adjoin_passes::text;
use num_complex::Complex64;
use std::ops::Range;
use std::sync::Arc;
use support::reference;
use support::tiles::{Vector, Way, apply, values};

const THREADS: [usize; 4] = [1, 2, 3, 5];

/// What an operator gives as one tile, in a crew that shares whatever can be shared.
fn on_threads(operator: &Handle, dtype: Dtype, way: Way, batch: Option<usize>, n: usize) -> Vector {
    let crew = Arc::new(Crew::new(n, true).unwrap().sharing_from(1));
    let _entered = crew.enter();
    let signature = operator.signature();
    let (domain, range) = signature.types(dtype);
    let (dims, from) = match way {
        Way::Forward => (&signature.domain[0], domain),
        Way::Adjoint => (&signature.range[0], range),
    };
    let input = values(7, dims.iter().product::<usize>() * batch.unwrap_or(1), from);
    let pieces = vec![1; signature.rule.factors.len()];
    apply(&**operator, way, dtype, &pieces, batch, &input)
}

fn bits(x: &[Complex64]) -> Vec<[u64; 2]> {
    x.iter().map(|z| [z.re.to_bits(), z.im.to_bits()]).collect()
}

#[track_caller]
fn is_alike(name: &str, operator: &Handle, dtype: Dtype) {
    for (way, batch) in
        [Way::Forward, Way::Adjoint].into_iter().flat_map(|w| [(w, None), (w, Some(3))])
    {
        let [wanted, others @ ..] = THREADS.map(|n| on_threads(operator, dtype, way, batch, n));
        for (found, n) in others.iter().zip(&THREADS[1..]) {
            assert!(bits(found) == bits(&wanted), "{name} {way:?}, batch {batch:?}, {n} threads");
        }
    }
}

fn array(dims: &[usize], dtype: Dtype) -> Source {
    let all = values(3, dims.iter().product(), dtype);
    let source = Source::array(Array::new(dims.to_vec(), all).unwrap());
    let source = if dtype.is_complex() { source } else { source.real_part() };
    source.cast(dtype).unwrap()
}

#[test]
fn reference_operators_are_alike_on_any_number_of_threads() {
    for case in reference::operators() {
        is_alike(&case.id, &case.operator(), case.x_dtype);
    }
}

#[test]
fn products_are_alike() {
    for dtype in [Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128] {
        // The last ones have several panels that are summed by themselves.
        let many = [(1301, 300), (2049, 257)];
        let few = [(37, 2100), (700, 5), (301, 260), (1, 400), (513, 1)];
        for (rows, cols) in few.into_iter().chain(many) {
            let a = ops::matrix_mult(array(&[rows, cols], dtype)).build().unwrap();
            is_alike(&format!("{rows}×{cols} {dtype}"), &a, dtype);
            let several = ops::matrix_mult(array(&[rows, cols], dtype)).otherdims(4);
            is_alike("columns", &several.build().unwrap(), dtype);
        }
        for nz in [1, 3] {
            let g = ops::fredholm1(array(&[7, 19, 33], dtype)).nz(nz).build().unwrap();
            is_alike("Fredholm1", &g, dtype);
        }
        let d = ops::diagonal(array(&[501], dtype)).build().unwrap();
        is_alike("Diagonal", &d, dtype);
        let rows = ops::diagonal(array(&[31], dtype)).dims([5, 31, 7]).axis(1).build().unwrap();
        is_alike("Diagonal along an axis", &rows, dtype);
    }
}

#[test]
fn sums_of_neighbours_are_alike() {
    for dtype in [Dtype::F32, Dtype::C128] {
        for dims in [vec![9, 14, 37], vec![150, 3], vec![400], vec![3, 300]] {
            for axis in 0..dims.len() as isize {
                let first = ops::first_derivative(dims.clone()).axis(axis).order(5).edge(true);
                is_alike("FirstDerivative", &first.dtype(dtype.real()).build().unwrap(), dtype);
                for len in [3, 7, 40].map(|len| len.min(dims[axis as usize])) {
                    let h = array(&[len], dtype.real());
                    let filter = ops::convolve1d(dims.clone(), h).axis(axis).offset(len / 2);
                    is_alike("Convolve1D", &filter.build().unwrap(), dtype);
                }
            }
            let gradient = ops::gradient(dims.clone()).kind(Kind::Forward).dtype(dtype.real());
            is_alike("Gradient", &gradient.build().unwrap(), dtype);
            let axes: Vec<isize> = (0..dims.len() as isize).collect();
            let laplacian = ops::laplacian(dims.clone()).axes(axes).dtype(dtype.real());
            is_alike("Laplacian", &laplacian.build().unwrap(), dtype);
        }
    }
}

#[test]
fn transforms_are_alike() {
    for dims in [vec![12, 20, 9], vec![64, 70], vec![1000]] {
        for axis in 0..dims.len() as isize {
            for dtype in [Dtype::C64, Dtype::C128] {
                let full = ops::fft(dims.clone()).axis(axis).dtype(dtype).build().unwrap();
                is_alike("FFT", &full, dtype);
                let nfft = dims[axis as usize] + 3;
                let half = ops::fft(dims.clone()).axis(axis).nfft(nfft).real(true);
                is_alike("half", &half.dtype(dtype.real()).build().unwrap(), dtype.real());
            }
        }
    }
}

/// `min |G x - d|² + |½ D x|²`, with several regions and dots in a step.
fn solved(world: &World, solver: Arc<dyn Solver>) -> (Vec<f64>, Vec<f64>) {
    let g = Op::new(ops::matrix_mult(array(&[130, 600], Dtype::F64)).build().unwrap()).named("G");
    let d = Op::new(ops::laplacian([20, 30]).build().unwrap()).named("D");
    let operator = vstack([&g, &(0.5 * d)]).unwrap();
    let system = System::new(&operator, &[Dtype::F64; 2]).unwrap();
    let settings = Settings { niter: 12, tol: 0.0, damp: 0.1 };
    let plan = Planner::new(Ranks(world.ranks())).solve(solver, &system, settings).unwrap();
    let labels = system.data_labels("d");
    let given = inputs().part(&labels[0], array(&[130], Dtype::F64)).zero(&labels[1]);
    let solution = plan.run(world, &given).unwrap();
    let cost = solution.outcome.as_ref().unwrap().cost.clone();
    (solution.gather_flat().unwrap().into_vec().unwrap(), cost)
}

#[test]
fn solvers_are_alike_on_any_number_of_threads() {
    let solvers: [Arc<dyn Solver>; 2] = [Arc::new(Cgls), Arc::new(Lsqr::default())];
    for (solver, ranks) in solvers.into_iter().flat_map(|s| [1, 2].map(|ranks| (s.clone(), ranks)))
    {
        let all = THREADS.map(|threads| {
            let world = World::threads(ranks).with_crews(threads, 1).unwrap();
            assert_eq!(world.threads_per_rank(), threads);
            solved(&world, solver.clone())
        });
        assert!(all.windows(2).all(|two| two[0] == two[1]), "{} on {ranks}", solver.name());
    }
}

const FAILING: &str = "
mesh 1 rank
%0 = input x : f64[5000]
%1 = map odd %0 : f64[5000]
return %1
";

/// A function of elements fails for the last of them, which the last thread computes.
#[test]
fn a_thread_that_fails_stops_its_rank() {
    let plan = text::parse(FAILING).unwrap_or_else(|error| panic!("{error}"));
    let odd = |x: &[Complex64]| {
        assert!(x[0].re < 4999.0, "nothing is known of {}", x[0].re);
        x[0]
    };
    let functions = Functions::new().element("odd", odd);
    for threads in [2, 5] {
        let world = World::threads(1).with_crews(threads, 1).unwrap();
        let run = |most: usize| {
            world.run(|rank| {
                let binding = Program::of(&plan).functions(&functions);
                let mut program = binding.bind(rank.comm().clone())?;
                let x: Vec<f64> = (0..5000).map(|k| k.min(most) as f64).collect();
                program.load("", "x", &Source::array(x))?;
                program.run("")
            })
        };
        let error = run(usize::MAX).unwrap_err();
        let RunError::Failed { rank: 0, message } = &error else { panic!("{error}") };
        assert!(message.contains("nothing is known of 4999"), "{message}");
        run(10).unwrap();
    }
}

/// Sums of its argument in panels of one row each, which may fail.
#[derive(Clone)]
struct Sums;

impl Paneling for Sums {
    fn count(&self) -> usize {
        6
    }

    fn rows(&self, panel: usize) -> Range<usize> {
        panel..panel + 1
    }

    fn block(&self) -> Option<usize> {
        Some(1)
    }

    fn work(&self, elements: usize) -> usize {
        elements
    }
}

impl Panels for Sums {
    fn forward(
        &self,
        turn: Turn,
        x: Slice<'_>,
        y: SliceMut<'_>,
        _: Acc,
    ) -> Result<(), OperatorError> {
        let (Slice::F64(x), SliceMut::F64(y)) = (x, y) else { unreachable!("real numbers") };
        assert!(turn.panel < 5 || x[0] < 7.0, "panel {} of {}", turn.panel, x[0]);
        if turn.panel == 5 && x[0] > 5.0 {
            return Err(OperatorError(format!("{} is too much", x[0])));
        }
        y[0] = x.iter().sum();
        Ok(())
    }

    fn adjoint(
        &self,
        _: Turn,
        y: Slice<'_>,
        x: SliceMut<'_>,
        acc: Acc,
    ) -> Result<(), OperatorError> {
        let (Slice::F64(y), SliceMut::F64(x)) = (y, x) else { unreachable!("real numbers") };
        for x in x {
            acc.put(x, y[0]);
        }
        Ok(())
    }
}

impl LocalOperator for Sums {
    fn forward(
        &mut self,
        _: &[Patch<'_>],
        _: &mut [PatchMut<'_>],
        _: Acc,
    ) -> Result<(), OperatorError> {
        unreachable!("it is applied panel by panel")
    }

    fn adjoint(
        &mut self,
        _: &[Patch<'_>],
        _: &mut [PatchMut<'_>],
        _: Acc,
    ) -> Result<(), OperatorError> {
        unreachable!("it is applied panel by panel")
    }

    fn panels(&self) -> Option<Arc<dyn Panels>> {
        Some(Arc::new(self.clone()))
    }
}

const PANELS: &str = "
mesh 1 rank
let A = (i) <- (j) : f64[6, 3]
%0 = input x : f64[3]
region A
%1 = apply A %0 : f64[6]
%2 = apply A.H %1 : f64[3]
end
return %2
";

/// The last thread has the panel that fails, by an error or by a panic.
#[test]
fn a_panel_that_fails_stops_its_rank() {
    let plan = text::parse(PANELS).unwrap_or_else(|error| panic!("{error}"));
    let zeros = Source::zeros([6, 3], Dtype::F64);
    let signature = ops::matrix_mult(zeros).build().unwrap().signature().clone();
    let sums = ops::custom(signature, |_| Ok(Box::new(Sums) as Box<dyn LocalOperator>));
    let operators = [sums.build().unwrap()];
    for threads in [1, 2, 3] {
        let world = World::threads(1).with_crews(threads, 1).unwrap();
        let run = |x: f64| {
            world.run(|rank| {
                let binding = Program::of(&plan).operators(&operators);
                let mut program = binding.bind(rank.comm().clone())?;
                program.load("", "x", &Source::array(vec![x; 3]))?;
                program.run("")?;
                Ok(program.output("", 0)?.data.widest())
            })
        };
        assert_eq!(run(2.0).unwrap()[0], [Complex64::from(36.0); 3]);
        assert!(run(6.0).unwrap_err().to_string().contains("6 is too much"));
        assert!(run(8.0).unwrap_err().to_string().contains("panel 5 of 8"));
        assert_eq!(run(1.0).unwrap()[0], [Complex64::from(18.0); 3]);
    }
}

#[test]
fn ranks_have_a_thread_or_more() {
    let error = World::threads(2).with_threads_per_rank(0).err().unwrap();
    assert_eq!(error.to_string(), "a rank cannot have 0 threads");
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(World::threads(1).threads_per_rank(), cores);
    assert_eq!(World::threads(2 * cores).threads_per_rank(), 1);
}
