//! Solves in which numbers ride on vectors, of either precision, compared with one rank.

use super::dense;
use adjoin::data::{Array, Source};
use adjoin::expr::Op;
use adjoin::ops;
use adjoin::planned::{Planned, Planner};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Lsqr, Settings, System};
use adjoin::{Dtype, Mesh};
use adjoin_passes::traffic::Traffic;
use num_complex::Complex64;
use std::sync::Arc;

/// LSQR with a whole and with a split model has one and two calls in a step, whatever the
/// precision, and finds what one rank finds.
pub fn ride(world: &World) {
    for dtype in [Dtype::F32, Dtype::C64, Dtype::F64, Dtype::C128] {
        let alone = found(&World::threads(1), dtype, None);
        for unknowns in ["replicated", "n/p"] {
            let calls = match (world.ranks(), unknowns) {
                (1, _) => 0,
                (_, "replicated") => 1,
                _ => 2,
            };
            let planned = planned(world.ranks(), dtype, Some(unknowns));
            let plan = planned.plan();
            let step = Traffic::of(&plan.mesh, plan.block("step").unwrap());
            assert_eq!(step.calls, calls, "{dtype}, {unknowns}\n{planned}");
            let here = found(world, dtype, Some(unknowns));
            let size = alone.iter().map(|z| z.norm()).fold(0.0, f64::max);
            let off = alone.iter().zip(&here).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
            let rtol = if dtype.is_double() { 1e-10 } else { 1e-4 };
            assert!(off <= rtol * size, "{dtype}, {unknowns}: {off} of {size}");
        }
    }
}

const DIMS: [usize; 2] = [37, 11];

fn planned(ranks: usize, dtype: Dtype, unknowns: Option<&str>) -> Planned {
    let a = Source::array(dense::array(31, &DIMS, dtype));
    let a = Op::new(ops::matrix_mult(a).build().unwrap()).named("A").on("rows p");
    let system = System::new(&a, &[dtype]).unwrap();
    let settings = Settings { niter: 6, tol: 0.0, damp: 0.3 };
    let planner = Planner::new(Mesh::line(ranks));
    let planner = ["x", "v", "w"].iter().fold(planner, |planner, name| match unknowns {
        Some(wanted) => planner.pin(name, wanted),
        None => planner,
    });
    let solver = Lsqr { calc_var: false, ..Lsqr::default() };
    planner.solve(Arc::new(solver), &system, settings).unwrap()
}

fn found(world: &World, dtype: Dtype, unknowns: Option<&str>) -> Vec<Complex64> {
    let planned = planned(world.ranks(), dtype, unknowns);
    let data: Array = dense::array(32, &[DIMS[0]], dtype);
    let solution = planned.run(world, &inputs().data(Source::array(data))).unwrap();
    assert_eq!(solution.outcome.as_ref().unwrap().niter, 6);
    solution.gather_flat().unwrap().cast(Dtype::C128).unwrap().into_vec().unwrap()
}
