//! The contract `recurrence`: products that are carried along, what they cost and what they lose.

#[cfg(feature = "mpi")]
mod support;

use adjoin::data::{Array, Source};
use adjoin::expr::{Op, vstack};
use adjoin::ops;
use adjoin::planned::{Planned, Planner};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Settings, System};
use adjoin::{Dtype, Mesh};
use adjoin_passes::certify::Verdict;
use adjoin_passes::ir::Over;
use adjoin_passes::pipeline::Numerics;
use adjoin_passes::traffic::Traffic;
use std::sync::Arc;

const ROWS: usize = 60;
const COLS: usize = 12;

fn planner(mesh: &str, numerics: Numerics) -> Planner {
    Planner::new(Mesh::parse(mesh).unwrap()).numerics(numerics)
}

fn cgls(planner: &Planner, op: &Op, niter: usize) -> Planned {
    let data: Vec<Dtype> = op.range().shapes().iter().map(|_| Dtype::F64).collect();
    let system = System::new(op, &data).unwrap();
    let settings = Settings { niter, tol: 0.0, damp: 0.0 };
    planner.solve(Arc::new(Cgls), &system, settings).unwrap_or_else(|e| panic!("{e}"))
}

fn matrix(name: &str, values: Vec<f64>, rows: usize) -> Op {
    let cols = values.len() / rows;
    let array = Array::from(values).reshape([rows, cols]).unwrap();
    Op::new(ops::matrix_mult(Source::from(array)).build().unwrap()).named(name)
}

/// A number between -1 and 1 that is always the same.
fn noise(k: usize) -> f64 {
    let x = (k as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x >> 11) as f64) / (1_u64 << 52) as f64 - 1.0
}

/// `x - 2 v ⟨v, x⟩ / ⟨v, v⟩`
fn reflected(x: &mut [f64], seed: usize) {
    let v: Vec<f64> = (0..x.len()).map(|k| noise(k + 1000 * seed)).collect();
    let square: f64 = v.iter().map(|v| v * v).sum();
    let along: f64 = v.iter().zip(&*x).map(|(v, x)| v * x).sum();
    x.iter_mut().zip(&v).for_each(|(x, v)| *x -= 2.0 * along / square * v);
}

/// A matrix with singular values from one down to `1 / condition`, in geometric steps.
fn conditioned(condition: f64) -> Vec<f64> {
    let mut rows = vec![vec![0.0; COLS]; ROWS];
    for (k, row) in rows.iter_mut().take(COLS).enumerate() {
        row[k] = condition.powf(-(k as f64) / (COLS as f64 - 1.0));
        (1..4).for_each(|seed| reflected(row, seed));
    }
    for j in 0..COLS {
        let mut column: Vec<f64> = rows.iter().map(|row| row[j]).collect();
        (4..7).for_each(|seed| reflected(&mut column, seed));
        rows.iter_mut().zip(column).for_each(|(row, value)| row[j] = value);
    }
    rows.concat()
}

/// The relative error of the solution of a system that has one.
fn error(planner: &Planner, condition: f64, niter: usize) -> f64 {
    let a = conditioned(condition);
    let x: Vec<f64> = (0..COLS).map(|k| noise(k + 77)).collect();
    let row = |row: &[f64]| row.iter().zip(&x).map(|(a, x)| a * x).sum::<f64>();
    let d: Vec<f64> = a.chunks(COLS).map(row).collect();
    let op = matrix("A", a, ROWS);
    let planned = cgls(planner, &op, niter);
    let solution = planned.run(&World::threads(1), &inputs().data(d)).unwrap();
    let found: Vec<f64> = solution.gather_flat().unwrap().into_vec().unwrap();
    let off: f64 = found.iter().zip(&x).map(|(a, b)| (a - b).powi(2)).sum();
    (off / x.iter().map(|x| x * x).sum::<f64>()).sqrt()
}

#[test]
fn refreshed_products_are_as_accurate_as_those_that_are_made_anew() {
    for (condition, niter) in [(1e2, 100), (1e4, 400), (1e6, 1200), (1e8, 4000)] {
        let plain = error(&planner("p=1", Numerics::Reassociate), condition, niter);
        let carried = planner("p=1", Numerics::Recurrence);
        let never = error(&carried.clone().refresh(u32::MAX), condition, niter);
        let refreshed = error(&carried, condition, niter);
        let found = format!("κ = {condition:e}: {plain:e}, {never:e} and {refreshed:e}");
        // Rounding errors, as large as the condition makes them.
        assert!(plain < 1e-14 * condition && refreshed < 1e-14 * condition, "{found}");
        assert!(refreshed < 5.0 * plain, "{found}");
        // What the refreshes are for: the loss grows with the square of the condition.
        assert!(never > 100.0 * refreshed && never > 1e-18 * condition.powi(2), "{found}");
    }
}

#[test]
fn an_operator_is_read_once_in_an_iteration() {
    let tall = |name, rows: usize| matrix(name, (0..rows * 60).map(noise).collect(), rows);
    let op = vstack([tall("A", 900), tall("B", 700)]).unwrap();
    for mesh in ["p=1", "p=2", "p=3"] {
        let planned = cgls(&planner(mesh, Numerics::Recurrence), &op, 50);
        assert_eq!(*planned.verdict(), Verdict::Proven, "{planned}");
        let step = planned.plan().block("step").unwrap();
        let panels = step.regions.iter().filter(|r| matches!(r.over, Over::Panels(_))).count();
        assert_eq!(panels, 2, "{planned}");
        let traffic = Traffic::of(&planned.plan().mesh, step);
        assert!(traffic.calls <= 2, "{planned}");
    }
}

/// Solves one system on a world with refreshes every so many steps, and without any recurrence.
///
/// A refresh changes nothing but rounding errors, wherever it falls and whatever runs the ranks.
fn refreshes(world: &World, mesh: &str) {
    let values: Vec<f64> = (0..900 * 60).map(noise).collect();
    let data: Vec<f64> = (0..900).map(noise).collect();
    let op = matrix("A", values, 900);
    let solved = |planner: &Planner, blocks: usize| -> Vec<f64> {
        let planned = cgls(planner, &op, 15);
        assert_eq!(planned.plan().blocks.iter().filter(|b| b.every.is_some()).count(), blocks);
        let found = planned.run(world, &inputs().data(data.clone())).unwrap();
        assert_eq!(found.outcome.as_ref().unwrap().niter, 15);
        found.gather_flat().unwrap().into_vec().unwrap()
    };
    let plain = solved(&planner(mesh, Numerics::Reassociate), 0);
    for steps in [4, 7, 20] {
        let found = solved(&planner(mesh, Numerics::Recurrence).refresh(steps), 1);
        let off = found.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-11, "{mesh}, every {steps}: {off:e}");
    }
}

#[test]
fn refreshes_do_not_change_what_is_computed() {
    for (mesh, ranks) in [("p=1", 1), ("p=3", 3), ("r=2,c=2", 4)] {
        refreshes(&World::threads(ranks), mesh);
    }
}

#[cfg(feature = "mpi")]
#[test]
fn refreshes_do_not_change_what_processes_compute() {
    use support::mpiexec::succeeds;
    let test = "refreshes_do_not_change_what_processes_compute";
    succeeds(3, test, |comm| refreshes(&World::attach(comm), "p=3"));
}

#[test]
fn the_plan_says_when_it_refreshes() {
    let op = matrix("A", (0..9000 * 60).map(noise).collect(), 9000);
    let planned = cgls(&planner("p=2", Numerics::Recurrence).refresh(7), &op, 50);
    let text = adjoin_passes::text::print(planned.plan());
    assert!(text.contains("block refresh every 7\n"), "{text}");
    let read = adjoin_passes::text::parse(&text).unwrap();
    assert_eq!(read.block("refresh").unwrap().every, Some(7));
    let account = planned.account();
    let refresh = account.blocks.iter().find(|b| b.name == "refresh").unwrap();
    let step = account.step().unwrap();
    let all = step.seconds() + refresh.seconds() / 7.0;
    assert!((account.iteration() - all).abs() < 1e-12 * all);
}

/// Where rows are short, a second read of the operator costs less than another vector.
#[test]
fn a_recurrence_that_does_not_pay_is_not_taken() {
    let weights: Vec<f64> = (0..500).map(|k| 1.0 + noise(k)).collect();
    let op = Op::new(ops::diagonal(weights).build().unwrap()).named("D");
    for mesh in ["p=1", "p=2"] {
        let plain = cgls(&planner(mesh, Numerics::Reassociate), &op, 50);
        let other = cgls(&planner(mesh, Numerics::Recurrence), &op, 50);
        assert_eq!(plain.plan(), other.plan());
    }
}
