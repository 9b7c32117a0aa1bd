//! Every case on every mesh: simulated ranks, rank threads and the shadow device.

use crate::backends::{On, Parts};
use crate::cases::{MESHES, cases, placed};
use adjoin::data::Array;
use adjoin::runtime::sim::{Outcome, simulate};
use adjoin::runtime::{Functions, World};
use num_complex::Complex64;

/// Equal up to roundings of the elements' precision.
fn close(a: &Array, b: &Array) -> bool {
    let wide = |x: &Array| -> Vec<Complex64> {
        x.clone().cast(adjoin::Dtype::C128).unwrap().into_vec().unwrap()
    };
    let limit = if a.dtype().is_double() { 1e-12 } else { 1e-5 };
    let (a, b) = (wide(a), wide(b));
    let scale = b.iter().map(|x| x.norm()).fold(1.0, f64::max);
    a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| (x - y).norm() <= limit * scale)
}

fn check(what: &str, got: &Outcome, expected: &Outcome) {
    let outputs = got.outputs.iter().zip(&expected.outputs);
    let states = got.states.iter().zip(&expected.states).map(|(a, b)| (&a.1, &b.1));
    for (a, b) in outputs.chain(states) {
        assert!(close(a, b), "{what}: {a:?} and {b:?}");
    }
    for ((name, a), (_, b)) in got.controls.iter().zip(&expected.controls) {
        let same = a.iter().zip(b).all(|(a, b)| (a - b).norm() <= 1e-12 * b.norm().max(1.0));
        assert!(same, "{what}: {name} is {a:?} and {b:?}");
    }
}

#[test]
fn all_back_ends_give_the_same() {
    let functions = Functions::new();
    let worlds: Vec<_> = (0..8).map(|n| World::threads(n.max(1))).collect();
    for case in cases() {
        let mut first = None;
        for mesh in MESHES {
            let plan = placed(&case.source, mesh);
            let what = format!("{} on {mesh}", case.name);
            let parts = Parts {
                plan: &plan,
                operators: &case.operators,
                functions: &functions,
                given: &case.given,
            };
            let sim = simulate(&plan, &case.operators, &functions, &case.given, case.block);
            let sim = sim.unwrap_or_else(|error| panic!("{what}: {error}\n{plan}"));
            check(&what, &sim, first.get_or_insert(sim.clone()));
            let world = &worlds[plan.mesh.ranks()];
            for on in [On::Host, On::Shadow(1), On::Shadow(2), On::Shadow(3)] {
                let got = parts.run(world, case.block, on);
                let got = got.unwrap_or_else(|error| panic!("{what}, {on:?}: {error}\n{plan}"));
                assert_eq!(got, sim, "{what}, {on:?}\n{plan}");
            }
        }
    }
}

#[test]
fn the_normal_operator_is_right() {
    let case = &cases()[0];
    let plan = placed(&case.source, "r=2,c=2");
    assert!(plan.to_string().contains("all_reduce"), "{plan}");
    let functions = Functions::new();
    let got = simulate(&plan, &case.operators, &functions, &case.given, "").unwrap();
    let matrix = |seed, rows: usize| crate::cases::array(seed, &[rows, 9], adjoin::Dtype::F64);
    let x = crate::cases::array(3, &[9], adjoin::Dtype::F64).into_vec::<f64>().unwrap();
    let mut expected = vec![0.0; 9];
    for a in [matrix(1, 5), matrix(2, 7)] {
        for row in a.into_vec::<f64>().unwrap().chunks(9) {
            let y: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
            expected.iter_mut().zip(row).for_each(|(z, a)| *z += a * y);
        }
    }
    assert_eq!(got.outputs[0].as_slice::<f64>().unwrap(), expected);
}
