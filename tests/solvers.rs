//! CG and CGLS against PyLops, on threads, on any number of ranks.

mod support;

use adjoin::data::{Array, Source};
use adjoin::expr::{Op, param};
use adjoin::ops;
use adjoin::planned::Planner;
use adjoin::run::{Solution, inputs};
use adjoin::runtime::World;
use adjoin::solve::{Cg, Cgls, Settings, Solver, System};
use adjoin::{Dtype, Mesh};
use num_complex::Complex64;
use std::sync::Arc;
use support::systems::{self, solvers};

const MESHES: [&str; 7] = ["p=1", "p=2", "p=3", "p=4", "p=7", "r=2,c=2", "r=2,c=3"];

fn method(name: &str) -> Arc<dyn Solver> {
    match name {
        "cg" => Arc::new(Cg),
        _ => Arc::new(Cgls),
    }
}

fn solve(case: &systems::System, world: &World, mesh: &str) -> Solution {
    let (d, x0) = (case.source("d"), case.source("x0"));
    let parts = case.operator.range().len();
    let start = vec![x0.dtype(); case.operator.domain().len()];
    let system = System::new(&case.operator, &vec![d.dtype(); parts]).unwrap().from(&start);
    let settings = Settings {
        niter: case.parameter("niter") as usize,
        tol: case.parameter("tol"),
        damp: case.parameter("damp"),
    };
    let solver = method(case.json["solver"].as_str().unwrap());
    let planned = Planner::new(Mesh::parse(mesh).unwrap())
        .solve(solver, &system, settings)
        .unwrap_or_else(|e| panic!("{} on {mesh}: {e}", case.id));
    planned.run(world, &inputs().data(d).start(x0)).unwrap_or_else(|e| panic!("{}: {e}", case.id))
}

fn values(array: Array) -> Vec<Complex64> {
    array.cast(Dtype::C128).unwrap().into_vec().unwrap()
}

fn close(a: &[Complex64], b: &[Complex64], rtol: f64) -> bool {
    let size = b.iter().map(|z| z.norm()).fold(0.0, f64::max);
    let off = a.iter().zip(b).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
    a.len() == b.len() && off <= rtol * if size == 0.0 { 1.0 } else { size }
}

#[test]
fn pylops_solutions_are_reproduced_on_every_mesh() {
    let cases = solvers(&["cg", "cgls"]);
    for mesh in MESHES {
        let world = World::threads(Mesh::parse(mesh).unwrap().ranks());
        for case in &cases {
            let place = format!("{} on {mesh}", case.id);
            let solution = solve(case, &world, mesh);
            let outcome = solution.outcome.clone().unwrap();
            let expected = &case.json["expected"];
            let x = values(solution.gather_flat().unwrap());
            assert!(close(&x, &case.array("x"), case.rtol()), "{place}: x");
            assert_eq!(outcome.niter as u64, expected["niter"].as_u64().unwrap(), "{place}: niter");
            let cost: Vec<_> = outcome.cost.iter().map(|&c| Complex64::new(c, 0.0)).collect();
            assert!(
                close(&cost, &case.array("cost"), case.rtol()),
                "{place}: cost {:?}",
                outcome.cost
            );
            for (name, value) in [("r1norm", outcome.r1norm), ("r2norm", outcome.r2norm)] {
                if let Some(want) = expected[name].as_f64() {
                    let off = (value - want).abs() / want.abs();
                    assert!(off <= case.rtol(), "{place}: {name} {value} and {want}");
                }
            }
            if let Some(istop) = expected["istop"].as_u64() {
                assert_eq!(outcome.istop as u64, istop, "{place}: istop");
            }
        }
    }
}

#[test]
fn several_right_hand_sides_are_solved_at_once() {
    let Some(case) = solvers(&["cgls"]).into_iter().find(|c| c.id == "cgls-01") else { return };
    let world = World::threads(3);
    let d = case.array("d");
    let both: Vec<f64> = d.iter().flat_map(|z| [z.re, 2.0 * z.re]).collect();
    let system = System::new(&case.operator, &[Dtype::F64]).unwrap().columns(2);
    let settings = Settings { niter: 10, tol: 0.0, damp: 0.0 };
    let planned = Planner::new(Mesh::line(3)).solve(Arc::new(Cgls), &system, settings).unwrap();
    let solution = planned.run(&world, &inputs().data(Source::array(both))).unwrap();
    let x = values(solution.gather(0).unwrap());
    let (one, two): (Vec<_>, Vec<_>) = x.chunks(2).map(|c| (c[0] * 2.0, c[1])).unzip();
    assert!(close(&two, &one, 1e-12));
}

/// `damp` is a slot of the solvers, so that setting it for a parameter too would be ambiguous.
#[test]
fn a_parameter_with_the_name_of_a_solvers_number_is_refused() {
    let values: Vec<f64> = (0..16).map(|k| f64::from(k * 5 % 7)).collect();
    let g = Op::new(ops::matrix_mult(Array::new([4, 4], values).unwrap()).build().unwrap());
    for (method, default) in [("cg", 0.0), ("cgls", 0.0), ("cg", 0.5), ("cgls", 0.5)] {
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
