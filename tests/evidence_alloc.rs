//! A solver's loop allocates nothing once it runs, on any number of rank threads.

use adjoin::Dtype;
use adjoin::data::Source;
use adjoin::expr::{ExprError, Op, vstack};
use adjoin::ops;
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::steps::Program;
use adjoin::solve::{Cgls, Controls, Lsqr, Next, Outcome, Settings, Solver, System};
use std::alloc::{GlobalAlloc, Layout, System as SystemAllocator};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

thread_local! {
    /// Those of this thread: the test runner's own threads allocate when they like.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// The same at the end of the iteration before.
    static BEFORE: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's contract.
        unsafe { SystemAllocator.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { SystemAllocator.dealloc(start, layout) }
    }
}

/// Iterations before the count begins, and how many are counted.
const WARM: usize = 2;
const COUNTED: usize = 20;

/// A solver, with the allocations from the end of one decision to the end of the next.
struct Watched<S> {
    solver: S,
    allocations: AtomicUsize,
    iterations: AtomicUsize,
}

impl<S: Solver> Solver for Watched<S> {
    fn name(&self) -> &'static str {
        self.solver.name()
    }

    fn program(&self, system: &System, program: &mut Program) -> Result<(), ExprError> {
        self.solver.program(system, program)
    }

    fn next(&self, settings: &Settings, outcome: &mut Outcome, controls: &Controls) -> Next {
        let next = self.solver.next(settings, outcome, controls);
        let now = ALLOCATIONS.get();
        let before = BEFORE.replace(now);
        if outcome.niter > WARM {
            self.allocations.fetch_add(now - before, Relaxed);
            self.iterations.fetch_add(1, Relaxed);
        }
        next
    }
}

/// Two parts of data, a dense matrix and a stencil: sums, halos and several controls.
fn operator() -> Op {
    let matrix = Source::function([300, 480], |tile| {
        let rows = tile.range(0).flat_map(|i| tile.range(1).map(move |j| entry(i, j)));
        rows.collect::<Vec<f64>>()
    });
    let g = Op::new(ops::matrix_mult(matrix).build().unwrap()).named("G");
    let l = Op::new(ops::laplacian([24, 20]).build().unwrap()).named("L");
    vstack([("data", g), ("smooth", 0.1 * l)]).unwrap()
}

fn entry(i: usize, j: usize) -> f64 {
    ((2 * i + 1) as f64 * (j * j + 7) as f64).sin()
}

#[test]
fn a_loop_of_cgls_allocates_nothing() {
    allocates_nothing(Cgls);
}

#[test]
fn a_loop_of_lsqr_allocates_nothing() {
    allocates_nothing(Lsqr { atol: 0.0, btol: 0.0, conlim: 0.0, ..Lsqr::default() });
}

fn allocates_nothing(solver: impl Solver + Copy + 'static) {
    let system = System::new(&operator(), &[Dtype::F64; 2]).unwrap();
    let settings = Settings { niter: WARM + COUNTED, tol: 0.0, damp: 0.1 };
    for ranks in [1, 2, 3] {
        let (allocations, iterations) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let watched = Arc::new(Watched { solver, allocations, iterations });
        let planned = Planner::new(Ranks(ranks)).solve(watched.clone(), &system, settings).unwrap();
        let data = inputs().part("data", vec![1.0; 300]).zero("smooth");
        planned.run(&World::threads(ranks), &data).unwrap();
        assert_eq!(watched.iterations.load(Relaxed), COUNTED * ranks);
        assert_eq!(watched.allocations.load(Relaxed), 0, "on {ranks} ranks:\n{planned}");
    }
}
