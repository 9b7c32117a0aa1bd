//! CG, CGLS and LSQR against PyLops, on threads, on any number of ranks.

mod support;

use adjoin::data::{Array, Source};
use adjoin::expr::{Op, block, param};
use adjoin::ops;
use adjoin::planned::{Planned, Planner};
use adjoin::run::{Solution, inputs};
use adjoin::runtime::sim::{self, Given};
use adjoin::runtime::{Functions, World};
use adjoin::solve::{Cg, Cgls, Controls, Lsqr, Next, Outcome, Settings, Solver, System};
use adjoin::{Dtype, Mesh};
use adjoin_passes::Plan;
use adjoin_passes::certify::Verdict;
use adjoin_passes::pipeline::Numerics;
use num_complex::Complex64;
use std::sync::Arc;
use support::riders;
use support::systems::{self, solvers};

const MESHES: [&str; 7] = ["p=1", "p=2", "p=3", "p=4", "p=7", "r=2,c=2", "r=2,c=3"];

fn method(name: &str) -> Arc<dyn Solver> {
    match name {
        "cg" => Arc::new(Cg),
        "lsqr" => Arc::new(Lsqr::default()),
        _ => Arc::new(Cgls),
    }
}

/// The method of a case with its own parameters.
fn method_of(case: &systems::System) -> Arc<dyn Solver> {
    match case.json["solver"].as_str().unwrap() {
        "lsqr" => Arc::new(Lsqr {
            atol: case.parameter("atol"),
            btol: case.parameter("btol"),
            conlim: case.parameter("conlim"),
            calc_var: case.json["params"]["calc_var"].as_bool().unwrap_or(true),
        }),
        name => method(name),
    }
}

fn planned(case: &systems::System, mesh: &str) -> (Planned, Settings) {
    let (d, x0) = (case.source("d"), case.source("x0"));
    let parts = case.operator.range().len();
    let start = vec![x0.dtype(); case.operator.domain().len()];
    let system = System::new(&case.operator, &vec![d.dtype(); parts]).unwrap().from(&start);
    let settings = Settings {
        niter: case.parameter("niter") as usize,
        tol: case.json["params"]["tol"].as_f64().unwrap_or(0.0),
        damp: case.parameter("damp"),
    };
    let solver = method_of(case);
    let planned = Planner::new(Mesh::parse(mesh).unwrap()).solve(solver, &system, settings);
    (planned.unwrap_or_else(|e| panic!("{} on {mesh}: {e}", case.id)), settings)
}

#[test]
fn numbers_ride_on_vectors_of_any_precision() {
    for ranks in [1, 2, 3, 4, 7] {
        riders::ride(&World::threads(ranks));
    }
}

fn solve(case: &systems::System, world: &World, mesh: &str) -> Solution {
    let inputs = inputs().data(case.source("d")).start(case.source("x0"));
    let run = planned(case, mesh).0.run(world, &inputs);
    run.unwrap_or_else(|e| panic!("{}: {e}", case.id))
}

fn values(array: Array) -> Vec<Complex64> {
    array.cast(Dtype::C128).unwrap().into_vec().unwrap()
}

fn close(a: &[Complex64], b: &[Complex64], rtol: f64) -> bool {
    let size = b.iter().map(|z| z.norm()).fold(0.0, f64::max);
    let off = a.iter().zip(b).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
    a.len() == b.len() && off <= rtol * if size == 0.0 { 1.0 } else { size }
}

/// Whether a case has an output that can be compared.
fn has(case: &systems::System, name: &str) -> bool {
    let outputs = case.json["outputs"].as_array();
    outputs.is_none_or(|names| names.iter().any(|n| n == name))
}

fn reproduced(case: &systems::System, solution: &Solution, place: &str) {
    let outcome = solution.outcome.clone().unwrap();
    let expected = &case.json["expected"];
    let x = values(solution.gather_flat().unwrap());
    assert!(close(&x, &case.array("x"), case.rtol()), "{place}: x");
    assert_eq!(outcome.niter as u64, expected["niter"].as_u64().unwrap(), "{place}: niter");
    if has(case, "cost") {
        let cost: Vec<_> = outcome.cost.iter().map(|&c| Complex64::new(c, 0.0)).collect();
        assert!(close(&cost, &case.array("cost"), case.rtol()), "{place}: {:?}", outcome.cost);
    }
    let mut numbers = vec![("r1norm", outcome.r1norm), ("r2norm", outcome.r2norm)];
    if let Some(e) = outcome.estimates {
        numbers.extend([("anorm", e.anorm), ("acond", e.acond)]);
        numbers.extend([("arnorm", e.arnorm), ("xnorm", e.xnorm)]);
    }
    for (name, value) in numbers {
        if let Some(want) = expected[name].as_f64() {
            let off = (value - want).abs() / want.abs();
            assert!(off <= case.rtol(), "{place}: {name} {value} and {want}");
        }
    }
    if let Some(istop) = expected["istop"].as_u64() {
        assert_eq!(outcome.istop as u64, istop, "{place}: istop");
    }
    if case.json["solver"] == "lsqr" && has(case, "var") {
        let var = values(solution.variance().unwrap().gather_flat().unwrap());
        assert!(close(&var, &case.array("var"), case.rtol()), "{place}: var");
    }
}

#[test]
fn pylops_solutions_are_reproduced_on_every_mesh() {
    let cases = solvers(&["cg", "cgls", "lsqr"]);
    for mesh in MESHES {
        let world = World::threads(Mesh::parse(mesh).unwrap().ranks());
        for case in &cases {
            reproduced(case, &solve(case, &world, mesh), &format!("{} on {mesh}", case.id));
        }
    }
}

/// The loop over blocks on simulated ranks: `x` and `niter`.
fn simulated(case: &systems::System, mesh: &str) -> (Vec<Complex64>, usize) {
    let (planned, settings) = planned(case, mesh);
    let solver = method_of(case);
    let functions = Functions::new();
    let numbers = || {
        let slots = planned.plan().slots.iter().zip(planned.slots());
        slots.fold(Given::new(), |given, (slot, value)| given.slot(&slot.name, *value))
    };
    let mut given = numbers();
    given = given.input("d", case.source("d")).input("x0", case.source("x0"));
    let (mut outcome, mut controls) = (Outcome::default(), Controls::new());
    let mut block = "setup";
    loop {
        let plan = planned.plan();
        let run = sim::simulate(plan, planned.operators(), &functions, &given, block).unwrap();
        if block == "view" {
            let parts = planned.outputs().len();
            let x = run.outputs.into_iter().take(parts).flat_map(values);
            return (x.collect(), outcome.niter);
        }
        for (name, numbers) in run.controls {
            controls.insert(name, numbers.iter().map(|z| z.re).collect());
        }
        given = numbers();
        for (name, value) in run.states {
            given = given.state(name, Source::array(value));
        }
        block = match solver.next(&settings, &mut outcome, &controls) {
            Next::Block(name) => name,
            Next::Stop => "view",
        };
    }
}

#[test]
fn simulated_ranks_give_the_same_for_cg() {
    simulated_cases("cg");
}

#[test]
fn simulated_ranks_give_the_same_for_cgls() {
    simulated_cases("cgls");
}

#[test]
fn simulated_ranks_give_the_same_for_lsqr() {
    simulated_cases("lsqr");
}

fn simulated_cases(solver: &str) {
    let single = |case: &&systems::System| {
        case.operator.range().len() == 1 && case.operator.domain().len() == 1
    };
    for case in solvers(&[solver]).iter().filter(single) {
        for mesh in MESHES {
            let (x, niter) = simulated(case, mesh);
            let place = format!("{} on {mesh}", case.id);
            assert!(close(&x, &case.array("x"), case.rtol()), "{place}: x");
            assert_eq!(niter as u64, case.json["expected"]["niter"].as_u64().unwrap(), "{place}");
        }
    }
}

#[test]
fn several_right_hand_sides_are_solved_at_once() {
    let Some(case) = solvers(&["cgls"]).into_iter().find(|c| c.id == "cgls-01") else { return };
    for solver in [Arc::new(Cgls) as Arc<dyn Solver>, Arc::new(Lsqr::default())] {
        doubled(&case, solver);
    }
}

fn doubled(case: &systems::System, solver: Arc<dyn Solver>) {
    let world = World::threads(3);
    let d = case.array("d");
    let both: Vec<f64> = d.iter().flat_map(|z| [z.re, 2.0 * z.re]).collect();
    let system = System::new(&case.operator, &[Dtype::F64]).unwrap().columns(2);
    let settings = Settings { niter: 10, tol: 0.0, damp: 0.0 };
    let planned = Planner::new(Mesh::line(3)).solve(solver, &system, settings).unwrap();
    let solution = planned.run(&world, &inputs().data(Source::array(both))).unwrap();
    let x = values(solution.gather(0).unwrap());
    let (one, two): (Vec<_>, Vec<_>) = x.chunks(2).map(|c| (c[0] * 2.0, c[1])).unzip();
    assert!(close(&two, &one, 1e-12));
}

/// What a solver finds for data that are the image of something.
fn found(solver: Arc<dyn Solver>, op: &Op, dtype: Dtype, mesh: &str) -> Vec<Complex64> {
    let parts = op.range().len();
    let several = 3;
    let n = op.range().size() * several;
    let value = |k: usize| Complex64::new((1.0 + k as f64).sin(), (2.0 * k as f64).cos());
    let data: Vec<_> = (0..n).map(value).collect();
    let data = Source::array(data);
    let data = if dtype.is_complex() { data } else { data.real_part() };
    let system = System::new(op, &vec![dtype; parts]).unwrap().columns(several);
    let settings = Settings { niter: 60, tol: 1e-26, damp: 0.3 };
    let planned = Planner::new(Mesh::parse(mesh).unwrap()).solve(solver, &system, settings);
    let world = World::threads(Mesh::parse(mesh).unwrap().ranks());
    values(planned.unwrap().run(&world, &inputs().data(data)).unwrap().gather_flat().unwrap())
}

fn matrix(rows: usize, cols: usize, seed: usize) -> Op {
    let entry = |k: usize| ((k * (k + seed)) as f64).sin();
    let entries: Array = (0..rows * cols).map(entry).collect::<Vec<f64>>().into();
    let entries = Source::array(entries.reshape([rows, cols]).unwrap());
    Op::new(ops::matrix_mult(entries).build().unwrap())
}

/// Real-linear operators, several parts of model and data, and three right-hand sides.
#[test]
fn lsqr_finds_what_cgls_finds() {
    let weights: Vec<_> = (0..7).map(|k| Complex64::new(f64::from(k) + 1.0, 0.5)).collect();
    let weights = Op::new(ops::diagonal(Source::array(weights)).build().unwrap());
    let spectrum = ops::fft([12]).real(true).dtype(Dtype::F64).build().unwrap();
    let real_linear = &weights * Op::new(spectrum);
    let blocks = block([[matrix(9, 5, 1), matrix(9, 4, 2)], [matrix(6, 5, 3), matrix(6, 4, 4)]]);
    let cases = [
        (real_linear, Dtype::C128),
        (blocks.clone().unwrap(), Dtype::F64),
        (blocks.unwrap(), Dtype::C128),
    ];
    let limits = Lsqr { atol: 1e-13, btol: 1e-13, ..Lsqr::default() };
    for (op, dtype) in cases {
        for mesh in ["p=3", "r=2,c=2"] {
            let x = found(Arc::new(limits), &op, dtype, mesh);
            let y = found(Arc::new(Cgls), &op, dtype, mesh);
            assert!(close(&x, &y, 1e-9), "{op} on {mesh}:\n{x:?}\n{y:?}");
        }
    }
}

/// `damp` is a slot of the solvers, so that setting it for a parameter too would be ambiguous.
#[test]
fn a_parameter_with_the_name_of_a_solvers_number_is_refused() {
    let values: Vec<f64> = (0..16).map(|k| f64::from(k * 5 % 7)).collect();
    let g = Op::new(ops::matrix_mult(Array::new([4, 4], values).unwrap()).build().unwrap());
    let methods = ["cg", "cgls", "lsqr"];
    for (method, default) in methods.iter().flat_map(|m| [(*m, 0.0), (*m, 0.5)]) {
        let plan = |name: &str| {
            let system = System::new(&(param(name, default) * &g), &[Dtype::F64]).unwrap();
            let settings = Settings { damp: 0.25, ..Settings::default() };
            Planner::new(Mesh::line(2)).solve(self::method(method), &system, settings)
        };
        let error = plan("damp").err().expect("it is ambiguous").to_string();
        assert!(error.contains("a parameter of the operator has the name of a number"), "{error}");
        assert!(error.contains("damp\n"), "{error}");
        let planned = plan("damping").unwrap();
        let slots = planned.plan().slots.iter().map(|slot| slot.name.as_str());
        let slots: Vec<_> = slots.zip(planned.slots().iter().map(|value| value.re)).collect();
        assert!(slots.contains(&("damp", 0.25)) && slots.contains(&("damping", default)));
    }
}

/// An integral over receivers for each of some frequencies, between transforms over time.
fn convolution(nt: usize, frequencies: usize, twosided: bool) -> Op {
    let dims = [frequencies, 5, 4];
    let n: usize = dims.iter().product();
    let entry = |k: usize| Complex64::new((1.0 + k as f64).sin(), (2.0 + 3.0 * k as f64).cos());
    let g: Array = (0..n).map(entry).collect::<Vec<_>>().into();
    let g = Source::array(g.reshape(dims).unwrap());
    ops::mdc(g, nt, 2).twosided(twosided).build().unwrap()
}

fn wave(n: usize, speed: f64) -> Source {
    Source::array((0..n).map(|k| (speed * k as f64).sin() + 0.1).collect::<Vec<f64>>())
}

/// What a solver makes of noisy data: its solution and what it says of it.
fn convolved(
    solver: &Arc<dyn Solver>,
    op: &Op,
    start: bool,
    (mesh, numerics): (&str, Numerics),
) -> (Vec<Complex64>, Outcome, String) {
    let mut system = System::new(op, &[Dtype::F64]).unwrap();
    let mut given = inputs().data(wave(op.range().size(), 0.7));
    if start {
        system = system.from(&[Dtype::F64]);
        given = given.start(wave(op.domain().size(), 0.3));
    }
    let settings = Settings { niter: 6, tol: 0.0, damp: 0.2 };
    let mesh = Mesh::parse(mesh).unwrap();
    let planner = Planner::new(mesh.clone()).numerics(numerics);
    let planned = planner.solve(solver.clone(), &system, settings).unwrap();
    assert_eq!(*planned.verdict(), Verdict::Proven, "{planned}");
    let solution = planned.run(&World::threads(mesh.ranks()), &given).unwrap();
    let step = planned.plan().block("step").unwrap().clone();
    let step = Plan { blocks: vec![step], ..planned.plan().clone() }.to_string();
    (values(solution.gather_flat().unwrap()), solution.outcome.unwrap(), step)
}

/// Transforms at both ends of an operator leave the loop, and nothing that is reported changes.
#[test]
fn what_leaves_the_loop_changes_no_number() {
    let lsqr = |calc_var| Lsqr { calc_var, ..Lsqr::default() };
    let methods: [(Arc<dyn Solver>, usize); 3] =
        [(Arc::new(Cgls), 0), (Arc::new(lsqr(false)), 0), (Arc::new(lsqr(true)), 2)];
    for op in [convolution(8, 5, false), convolution(9, 3, true)] {
        for (solver, transforms) in &methods {
            for start in [false, true] {
                let (x, outcome, step) = convolved(solver, &op, start, ("p=1", Numerics::Exact));
                assert_eq!(step.matches("apply FFT").count(), 4, "{step}");
                for mesh in ["p=1", "p=3", "r=2,c=2"] {
                    let (found, told, step) =
                        convolved(solver, &op, start, (mesh, Numerics::Reassociate));
                    assert_eq!(step.matches("apply FFT").count(), *transforms, "{step}");
                    assert!(close(&found, &x, 1e-9), "{} on {mesh}", solver.name());
                    let numbers = |o: &Outcome| {
                        let all = o.cost.iter().chain([&o.r1norm, &o.r2norm]);
                        all.map(|&c| Complex64::new(c, 0.0)).collect::<Vec<_>>()
                    };
                    assert!(
                        close(&numbers(&told), &numbers(&outcome), 1e-9),
                        "{told:?} {outcome:?}"
                    );
                }
            }
        }
    }
}
