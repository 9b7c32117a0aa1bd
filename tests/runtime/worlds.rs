//! Worlds of threads.

use crate::backends::{On, Parts};
use crate::cases::{descent, placed};
use adjoin::runtime::{Functions, Program, World};
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[test]
fn threads_live_as_long_as_their_world() {
    let world = World::threads(3);
    let threads = || world.run(|_| Ok(std::thread::current().id())).unwrap();
    assert_eq!(threads(), threads());
    assert_eq!((world.ranks(), world.here(), world.is_root()), (3, 0..3, true));
    assert_eq!(world.backend(), "threads");
}

#[test]
fn programs_stay_bound_between_jobs() {
    let case = descent();
    let plan = placed(&case.source, "p=2");
    let functions = Functions::new();
    let parts = Parts {
        plan: &plan,
        operators: &case.operators,
        functions: &functions,
        given: &case.given,
    };
    let world = World::threads(2);
    let programs = world.run(|rank| {
        let mut program = parts.bind(rank, On::Host)?;
        parts.load(&mut program, "step")?;
        Ok(program)
    });
    let programs: Vec<Mutex<Program>> = programs.unwrap().into_iter().map(Mutex::new).collect();
    let step = || {
        world.run(|rank| {
            let mut program = programs[rank.rank()].lock().unwrap();
            program.run("step")?;
            Ok(program.control("step", "rr")?[0])
        })
    };
    let (first, second) = (step().unwrap(), step().unwrap());
    assert_eq!(first[0], first[1]);
    assert_ne!(first[0], second[0]);
}

#[test]
fn results_may_borrow_and_come_in_order() {
    let names = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let found = World::threads(3).run(|rank| Ok(names[rank.rank()].as_str())).unwrap();
    assert_eq!(found, ["a", "b", "c"]);
}

/// Prints the overhead of running a block: `cargo test --release --test runtime overhead --
/// --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn overhead() {
    let local = "%0 = get x : f64[1]\n%1 = neg %0 : f64[1]\nset x %1\n";
    let dot = "%0 = get x : f64[1]\n%1 = dot %0 %0 : f64[]\nset x %0\ncontrol rr %1\n";
    let sum = "%0 = get x : f64[4/p]\n%1 = dot %0 %0 : f64[] +p\n%2 = all_reduce p %1 : f64[]\n\
               set x %0\ncontrol rr %2\n";
    for ranks in [1, 2] {
        let world = World::threads(ranks);
        for (name, body) in [("local", local), ("dot", dot), ("all_reduce", sum)] {
            let ty = if name == "all_reduce" { "f64[4/p]" } else { "f64[1]" };
            let source = format!("mesh p={ranks}\nstate x : {ty}\nblock step\n{body}");
            let plan = adjoin_passes::text::parse(&source).unwrap_or_else(|e| panic!("{e}"));
            let times = world.run(|rank| {
                let mut program = Program::of(&plan).bind(rank.comm().clone())?;
                program.clear_state("x")?;
                let batch = |program: &mut Program| {
                    let start = Instant::now();
                    for _ in 0..2000 {
                        program.run("step").unwrap();
                    }
                    start.elapsed() / 2000
                };
                Ok((0..9).map(|_| batch(&mut program)).min().unwrap_or(Duration::ZERO))
            });
            println!("{ranks} threads, {name}: {:?}", times.unwrap());
        }
    }
}
