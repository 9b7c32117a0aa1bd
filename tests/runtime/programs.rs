//! What a program offers to its driver.

use crate::backends::{On, Parts};
use crate::cases::{array, cases, descent, placed};
use adjoin::Dtype;
use adjoin::data::{Array, Region, Sink, Source};
use adjoin::runtime::{Functions, Program, RunError, World};
use adjoin_passes::text;
use num_complex::Complex64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[test]
fn a_program_runs_many_times_and_reads_its_slots_each_time() {
    let case = descent();
    let plan = placed(&case.source, "p=3");
    let functions = Functions::new();
    let parts = Parts {
        plan: &plan,
        operators: &case.operators,
        functions: &functions,
        given: &case.given,
    };
    let world = World::threads(3);
    for on in [On::Host, On::Shadow(5)] {
        let histories = world.run(|rank| {
            let mut program = parts.bind(rank, on)?;
            let mut history = Vec::new();
            for damp in [2.0, 2.0, 7.0] {
                parts.load(&mut program, "step")?;
                program.set_slot("damp", damp.into())?;
                for _ in 0..4 {
                    program.run("step")?;
                    history.push(program.control("step", "alpha")?[0]);
                }
            }
            assert!(program.peak_bytes() > 0);
            Ok(history)
        });
        let history = &histories.unwrap()[0];
        assert_eq!(history[..4], history[4..8]);
        assert_ne!(history[..4], history[8..]);
    }
}

#[test]
fn traffic_is_counted_as_the_plan_says() {
    let source = "
mesh r=2 c=2 (4 ranks)
let A[0] = (i) <- (j)           : f64[5/r, 9/c]
let A[1] = (i) <- (j)           : f64[7/r, 9/c]
%0 = input x                    : f64[9/c]
%1 = apply A[0] %0              : f64[5/r] +c
%2 = apply A[1] %0              : f64[7/r] +c
%3, %4 = all_reduce c %1 %2     : f64[5/r], f64[7/r]
%5 = apply A[0].H %3            : f64[9/c] +r
%6 = apply A[1].H %4            : f64[9/c] +r
%7 = add %5 %6                  : f64[9/c] +r
%8 = all_reduce r %7            : f64[9/c]
return %8
";
    let (case, plan) = (&cases()[0], text::parse(source).unwrap());
    let counted = World::threads(4).run(|rank| {
        let mut program =
            Program::of(&plan).operators(&case.operators).bind(rank.comm().clone())?;
        program.clear("", "x")?;
        let before = program.counters();
        program.run("")?;
        let after = program.counters();
        let bytes = after.bytes - before.bytes;
        Ok((after.calls - before.calls, after.reductions - before.reductions, bytes))
    });
    for (rank, (calls, reductions, bytes)) in counted.unwrap().into_iter().enumerate() {
        assert_eq!((calls, reductions), (2, 2));
        // Rows of both blocks and columns that the rank holds.
        let rows = if rank < 2 { 3 + 4 } else { 2 + 3 };
        let columns = if rank % 2 == 0 { 5 } else { 4 };
        assert_eq!(bytes, 8 * (rows + columns));
    }
}

#[test]
fn a_rank_reads_and_writes_only_its_tile() {
    let plan = text::parse("mesh p=3\n%0 = input x : f64[10/p, 4]\nreturn %0\n").unwrap();
    let read = Arc::new(AtomicUsize::new(0));
    let count = read.clone();
    let source = Source::function([10, 4], move |region: &Region| {
        count.fetch_add(region.len(), Relaxed);
        vec![region.start()[0] as f64; region.len()]
    });
    let sink = Sink::in_memory([10, 4], Dtype::F64).unwrap();
    World::threads(3)
        .run(|rank| {
            let mut program = Program::of(&plan).bind(rank.comm().clone())?;
            program.load("", "x", &source)?;
            program.run("")?;
            let tile = program.output("", 0)?;
            assert_eq!((tile.dims, tile.held[0].len()), (&[10, 4][..], [4, 3, 3][rank.rank()]));
            program.store("", 0, &sink)
        })
        .unwrap();
    assert_eq!(read.load(Relaxed), 40);
    let values: Vec<f64> = sink.memory().unwrap().into_vec().unwrap();
    assert_eq!([values[0], values[16], values[39]], [0.0, 4.0, 7.0]);
}

#[test]
fn a_flat_source_fills_any_shape() {
    let plan = text::parse("mesh p=2\n%0 = input x : f64[3/p, 2]\nreturn %0\n").unwrap();
    let flat: Array = array(1, &[6], Dtype::F64);
    let sink = Sink::in_memory([3, 2], Dtype::F64).unwrap();
    World::threads(2)
        .run(|rank| {
            let mut program = Program::of(&plan).bind(rank.comm().clone())?;
            program.load("", "x", &Source::array(flat.clone()))?;
            program.run("")?;
            program.store("", 0, &sink)
        })
        .unwrap();
    assert_eq!(sink.memory().unwrap(), flat.reshape([3, 2]).unwrap());
}

#[test]
fn what_is_not_there_is_named() {
    let case = descent();
    let plan = placed(&case.source, "p=1");
    let errors = World::threads(1).run(|rank| {
        let mut program =
            Program::of(&plan).operators(&case.operators).bind(rank.comm().clone())?;
        let mut errors = vec![program.run("step").unwrap_err()];
        errors.push(program.set_slot("eps", 1.0.into()).unwrap_err());
        errors.push(program.set_slot("damp", Complex64::I).unwrap_err());
        errors.push(program.run("stop").unwrap_err());
        errors.push(program.control("step", "beta").unwrap_err());
        errors.push(program.clear_state("y").unwrap_err());
        errors.push(program.load("step", "b", &Source::zeros([1], Dtype::F64)).unwrap_err());
        errors.push(program.load_state("x", &Source::zeros([8], Dtype::F64)).unwrap_err());
        Ok(errors)
    });
    let texts: Vec<_> = errors.unwrap()[0].iter().map(RunError::to_string).collect();
    assert_eq!(
        texts,
        [
            "slot `damp` has no value yet",
            "the program has no slot `eps`; it has `damp`",
            "slot `damp` is real and cannot be 0+1i",
            "the program has no block `stop`; it has `step`",
            "the program has no control `beta`; it has `rr`, `alpha`",
            "the program has no state `y`; it has `x`, `r`",
            "the program has no input `b`; it has none",
            "zeros of 8 f64 of 8 cannot be shaped as 9",
        ]
    );
}

#[test]
fn plans_that_do_not_belong_here_are_refused() {
    let case = descent();
    let plan = placed(&case.source, "p=2");
    let refused = |ranks: usize, plan: &adjoin_passes::Plan, count: usize| {
        World::threads(ranks)
            .run(|rank| {
                let binding = Program::of(plan).operators(&case.operators[..count]);
                binding.bind(rank.comm().clone()).map(|_| ())
            })
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused(3, &plan, 1), "the plan is for 2 ranks, and there are 3");
    assert_eq!(refused(2, &plan, 0), "the plan has 1 operators, and 0 are given");
    assert_eq!(
        refused(1, &case.source, 1),
        "the plan has composite operators: it must be compiled first"
    );
}

#[test]
fn ranks_with_different_plans_do_not_start() {
    let plans = ["x", "y"].map(|name| {
        text::parse(&format!("mesh p=3\n%0 = input {name} : f64[9/p]\nreturn %0\n")).unwrap()
    });
    let refused = World::threads(3).run(|rank| {
        let plan = &plans[usize::from(rank.rank() == 2)];
        Program::of(plan).bind(rank.comm().clone()).map(|_| ())
    });
    let text = refused.unwrap_err().to_string();
    assert_eq!(text, "rank 2 has another plan than rank 0; all ranks must make the same one");
}
