//! The steady state of a program allocates nothing, on any number of ranks and of their threads.

use adjoin::Mesh;
use adjoin::data::{Array, Source};
use adjoin::ops::{self, Operator};
use adjoin::runtime::{Program, World};
use adjoin_kernels::host::crew;
use adjoin_passes::machine::Machine;
use adjoin_passes::{Context, Plan, compile, text};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Those of all threads.
static ALL: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        ALL.fetch_add(1, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(start, layout) }
    }
}

const STEP: &str = "
mesh 1 rank
let G = (i) <- (j) : f64[7, 24]
slot damp : f64
state x : f64[24]
state r : f64[24]
term t0 = G
term t1 = G.H
block step
%0 = get x : f64[24]
%1 = get r : f64[24]
%2 = slot damp : f64[]
%3 = apply t0 %1 : f64[7]
%4 = apply t1 %3 : f64[24]
%5 = axpy %2 %1 %4 : f64[24]
%6 = dot %1 %5 : f64[]
%7 = dot %1 %1 : f64[]
%8 = div %7 %6 : f64[]
%9 = axpy %8 %1 %0 : f64[24]
%10 = neg %8 : f64[]
%11 = axpy %10 %5 %1 : f64[24]
%12 = soft %9 %2 : f64[24]
%13 = add %9 %12 %11 : f64[24]
set x %13
set r %11
control rr %7
";

/// Halos, redistributions and a reduction that is no sum.
fn moving(ranks: usize) -> String {
    format!(
        "
mesh p={ranks}
state x : f64[24/p]
state m : c64[8/p, 6]
block step
%0 = get x : f64[24/p]
%1 = halo %0 : f64[24/p~1:1]
%2 = slice %1 : f64[24/p]
%3 = all_gather p %2 : f64[24]
%4 = partial p %3 : f64[24] +p
%5 = reduce_scatter p %4 : f64[24/p]
%6 = get m : c64[8/p, 6]
%7 = all_to_all p %6 : c64[8, 6/p]
%8 = all_to_all p %7 : c64[8/p, 6]
%9 = reduce arg_max %5 : f64[]
set x %5
set m %8
control at %9
"
    )
}

fn parsed(source: &str) -> Plan {
    text::parse(source).unwrap_or_else(|error| panic!("{error}"))
}

/// Allocations of each rank in many runs of a block, after some to warm up; those of all threads
/// if there is one rank.
fn allocations(
    plan: &Plan,
    operators: &[Arc<dyn Operator>],
    ranks: usize,
    threads: usize,
) -> Vec<usize> {
    let world = World::threads(ranks).with_crews(threads, 1).unwrap();
    let count = || if ranks == 1 { ALL.load(Relaxed) } else { ALLOCATIONS.get() };
    let counted = world.run(|rank| {
        let comm = rank.comm().clone();
        let mut program = Program::of(plan).operators(operators).bind(comm)?;
        if program.slots().count() > 0 {
            program.set_slot("damp", 3.0.into())?;
        }
        for state in &plan.states {
            let zeros = Array::zeros(state.ty.dims.clone(), state.ty.dtype).unwrap();
            program.load_state(&state.name, &Source::array(zeros))?;
        }
        // Threads that have nothing to do here may come late.
        crew::each(crew::threads(), |_| ());
        // A thread that comes late to the first pieces warms up later.
        for _ in 0..50 {
            program.run("step")?;
        }
        let before = count();
        for damp in 0..200 {
            if program.slots().next().is_some() {
                program.set_slot("damp", f64::from(damp).into())?;
            }
            program.run("step")?;
        }
        Ok(count() - before)
    });
    counted.unwrap()
}

#[test]
fn the_steady_state_allocates_nothing() {
    let values: Array = (0..168).map(f64::from).collect::<Vec<_>>().into();
    let g = ops::matrix_mult(Source::array(values.reshape([7, 24]).unwrap())).build().unwrap();
    for (ranks, threads) in [1, 2, 3].into_iter().flat_map(|r| [1, 2, 3].map(|t| (r, t))) {
        let machine = Machine::default().with_link(1e-12, 1e15).with_memory(1e6);
        let cx = Context { mesh: Mesh::line(ranks), machine, ..Context::default() };
        let step = compile(&parsed(STEP), &cx).unwrap().plan;
        let stepping = allocations(&step, std::slice::from_ref(&g), ranks, threads);
        assert_eq!(stepping, vec![0; ranks], "{threads} threads\n{step}");
        let moving = parsed(&moving(ranks));
        assert_eq!(allocations(&moving, &[], ranks, threads), vec![0; ranks], "{moving}");
    }
}
