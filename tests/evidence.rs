//! What a run costs, counted while it runs: calls and bytes between ranks, and bytes of files.

use adjoin::data::{Array, Region, Source};
use adjoin::expr::{Op, family, vstack};
use adjoin::ops;
use adjoin::planned::{Planned, Planner};
use adjoin::run::{Inputs, Solution, inputs};
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Lsqr, Settings, Solver, System};
use adjoin::{Dtype, Mesh};
use adjoin_passes::ir::Over;
use adjoin_passes::traffic::Traffic;
use std::path::PathBuf;
use std::sync::Arc;

const NITER: usize = 8;

fn cgls(op: &Op, mesh: &str) -> Planned {
    solved(Arc::new(Cgls), op, mesh)
}

fn solved(solver: Arc<dyn Solver>, op: &Op, mesh: &str) -> Planned {
    of_data(Dtype::F64, solver, op, mesh)
}

fn of_data(dtype: Dtype, solver: Arc<dyn Solver>, op: &Op, mesh: &str) -> Planned {
    let system = System::new(op, &vec![dtype; op.range().len()]).unwrap();
    let settings = Settings { niter: NITER, tol: 0.0, damp: 0.0 };
    let mesh = Mesh::parse(mesh).unwrap();
    Planner::new(mesh).solve(solver, &system, settings).unwrap()
}

fn run(planned: &Planned, given: &Inputs) -> Solution {
    planned.run(&World::threads(planned.plan().mesh.ranks()), given).unwrap()
}

/// Runs the iterations, and checks that they communicate what the plan says and nothing else.
fn counted(planned: &Planned, op: &Op) -> Traffic {
    let plan = planned.plan();
    let of =
        |name| plan.block(name).map(|block| Traffic::of(&plan.mesh, block)).unwrap_or_default();
    let (step, finish) = (of("step"), of("finish"));
    let rows = op.range().size();
    let data: Vec<f64> = (0..rows).map(|i| (1.0 + i as f64).sin()).collect();
    let solution = run(planned, &inputs().data(data));
    assert_eq!(solution.outcome.unwrap().niter, NITER);
    let counted = solution.cost.traffic;
    let niter = NITER as u64;
    let calls = (step.calls as u64 * niter) + finish.calls as u64;
    let reductions = (step.reductions as u64 * niter) + finish.reductions as u64;
    assert_eq!((counted.calls, counted.reductions), (calls, reductions), "{planned}");
    // The plan counts the ghost cells of an inner rank; rank 0, which counts here, is at the rim.
    let bytes = step.bytes * niter + finish.bytes;
    assert!(counted.bytes <= bytes, "{planned}");
    assert!(counted.bytes == bytes || step.halos > 0, "{planned}");
    step
}

fn dense(rows: usize, cols: usize, name: &str) -> Op {
    let matrix = Source::function([rows, cols], |tile| {
        let rows = tile.range(0).flat_map(|i| tile.range(1).map(move |j| entry(i, j)));
        rows.collect::<Vec<f64>>()
    });
    Op::new(ops::matrix_mult(matrix).build().unwrap()).named(name)
}

fn entry(i: usize, j: usize) -> f64 {
    ((2 * i + 1) as f64 * (j * j + 7) as f64).sin()
}

#[test]
fn an_iteration_on_a_block_diagonal_makes_two_reductions() {
    let blocks = family(0..4, |_| Ok(dense(400, 300, "block"))).unwrap();
    let diagonal = blocks.block_diag().unwrap().named("B");
    for mesh in ["p=2", "p=4"] {
        let step = counted(&cgls(&diagonal, mesh), &diagonal);
        assert!(step.reductions <= 2 && step.calls == step.reductions, "{step:?} on {mesh}");
    }
}

#[test]
fn an_iteration_with_a_stencil_adds_two_halo_exchanges() {
    let (dims, weights) = ([512, 96], vec![2.0; 512 * 96]);
    let weights = Array::from(weights).reshape(dims).unwrap();
    let g = Op::new(ops::diagonal(weights).build().unwrap()).named("G");
    let l = Op::new(ops::laplacian(dims).build().unwrap()).named("L");
    let a = vstack([("data", g), ("smooth", 0.1 * l)]).unwrap();
    for mesh in ["p=2", "p=4"] {
        let step = counted(&cgls(&a, mesh), &a);
        assert_eq!((step.reductions, step.halos, step.calls), (2, 2, 4), "{step:?} on {mesh}");
    }
}

fn lsqr(op: &Op, mesh: &str) -> Planned {
    solved(Arc::new(Lsqr { atol: 0.0, btol: 0.0, ..Lsqr::default() }), op, mesh)
}

/// The sum over the rows carries `‖u‖²`, and the columns need none; or the other way round.
#[test]
fn an_iteration_of_lsqr_makes_one_reduction() {
    let rows = vstack([dense(900, 60, "A"), dense(700, 60, "B")]).unwrap();
    let columns = dense(60, 1600, "C");
    for op in [rows, columns] {
        for mesh in ["p=2", "p=3", "p=4"] {
            let planned = lsqr(&op, mesh);
            let step = counted(&planned, &op);
            assert_eq!((step.reductions, step.calls), (1, 1), "{step:?} on {mesh}\n{planned}");
        }
    }
}

#[test]
fn an_iteration_of_cgls_makes_two_reductions_of_which_one_is_a_number() {
    let rows = vstack([dense(900, 60, "A"), dense(700, 60, "B")]).unwrap();
    for mesh in ["p=2", "p=4"] {
        let planned = cgls(&rows, mesh);
        let step = counted(&planned, &rows);
        assert_eq!((step.reductions, step.calls), (2, 2), "{step:?} on {mesh}\n{planned}");
        assert_eq!(step.bytes, (60 + 2) * 8 + 8, "{planned}");
    }
}

/// The norms are sums in double precision, and the vector is widened for them.
#[test]
fn in_single_precision_lsqr_makes_one_reduction_as_well() {
    let entries = |tile: &Region| {
        let rows = tile.range(0).flat_map(|i| tile.range(1).map(move |j| entry(i, j) as f32));
        rows.collect::<Vec<f32>>()
    };
    let matrix = ops::matrix_mult(Source::function([9000, 60], entries)).build().unwrap();
    let lsqr = Lsqr { atol: 0.0, btol: 0.0, ..Lsqr::default() };
    let planned = of_data(Dtype::F32, Arc::new(lsqr), &Op::new(matrix).named("A"), "p=2");
    let traffic = run(&planned, &inputs().data(vec![1.0_f32; 9000])).cost.traffic;
    assert_eq!((traffic.calls, traffic.reductions), (NITER as u64, NITER as u64), "{planned}");
}

/// LSQR with rows of the operator and unknowns split.
fn split_unknowns(op: &Op, dtype: Dtype, mesh: &str) -> Planned {
    let system = System::new(&op.on("rows p"), &[dtype]).unwrap();
    let solver = Lsqr { atol: 0.0, btol: 0.0, calc_var: false, ..Lsqr::default() };
    let settings = Settings { niter: NITER, tol: 0.0, damp: 0.1 };
    let planner = Planner::new(Mesh::parse(mesh).unwrap());
    let planner = planner.pin("x", "n/p").pin("v", "n/p").pin("w", "n/p");
    planner.solve(Arc::new(solver), &system, settings).unwrap()
}

/// The norms go with the pieces of the sum over the rows and of the unknowns that are gathered.
#[test]
fn an_iteration_of_lsqr_with_split_unknowns_makes_one_reduction_and_a_gather() {
    let op = dense(90, 11, "A");
    let solution = |planned: &Planned| {
        let data: Vec<f64> = (0..90).map(|i| (1.0 + f64::from(i)).sin()).collect();
        let x = run(planned, &inputs().data(data)).gather(0).unwrap();
        x.into_vec::<f64>().unwrap()
    };
    let alone = solution(&split_unknowns(&op, Dtype::F64, "p=1"));
    for mesh in ["p=2", "p=3", "p=4", "p=13"] {
        let planned = split_unknowns(&op, Dtype::F64, mesh);
        let step = counted(&planned, &op);
        assert_eq!((step.reductions, step.calls), (1, 2), "{step:?} on {mesh}\n{planned}");
        let found = solution(&planned);
        let near = |(x, y): (&f64, &f64)| (x - y).abs() < 1e-9;
        assert!(found.iter().zip(&alone).all(near), "{mesh}: {found:?}\n{alone:?}");
        for dtype in [Dtype::F32, Dtype::C64, Dtype::C128] {
            let planned = split_unknowns(&op, dtype, mesh);
            let step = Traffic::of(&planned.plan().mesh, planned.plan().block("step").unwrap());
            assert_eq!((step.reductions, step.calls), (1, 2), "{dtype} on {mesh}\n{planned}");
        }
    }
}

/// Splitting the model halves the updates, and no norm needs a call of its own.
#[test]
fn a_large_model_is_split_as_norms_ride_on_its_pieces() {
    let planned = lsqr(&dense(6000, 1500, "A"), "p=2");
    let step = Traffic::of(&planned.plan().mesh, planned.plan().block("step").unwrap());
    assert_eq!((step.reductions, step.calls), (1, 2), "{planned}");
}

/// Rows and columns are split: the sum over each takes a norm along.
#[test]
fn an_iteration_of_lsqr_on_a_grid_makes_two_reductions() {
    let op = dense(1200, 1100, "A");
    let planned = lsqr(&op, "r=2,c=2");
    let step = counted(&planned, &op);
    assert_eq!((step.reductions, step.calls), (2, 2), "{step:?}\n{planned}");
}

/// Between an operator and its adjoint stands nothing that needs all rows.
#[test]
fn lsqr_reads_its_operator_once_in_an_iteration() {
    let op = vstack([dense(900, 60, "A"), dense(700, 60, "B")]).unwrap();
    for mesh in ["p=1", "p=2", "p=4"] {
        let planned = lsqr(&op, mesh);
        let one_pass = |planned: &Planned| {
            let regions = &planned.plan().block("step").unwrap().regions;
            regions.iter().filter(|region| region.over != Over::Elements).count()
        };
        assert_eq!(one_pass(&planned), 2, "{planned}");
        assert_eq!(one_pass(&cgls(&op, mesh)), 0);
    }
}

/// A matrix in a file.
struct Matrix {
    path: PathBuf,
    bytes: u64,
}

impl Matrix {
    fn new(rows: usize, cols: usize, name: &str) -> Matrix {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let values: Vec<f64> = (0..rows * cols).map(|k| entry(k / cols, k % cols)).collect();
        Array::from(values).reshape([rows, cols]).unwrap().save_npy(&path).unwrap();
        Matrix { path, bytes: (rows * cols * 8) as u64 }
    }
}

#[test]
fn ranks_together_read_a_file_once() {
    for (rows, cols) in [(3000, 200), (200, 3000), (900, 900)] {
        let file = Matrix::new(rows, cols, &format!("once-{rows}x{cols}.npy"));
        for mesh in ["p=2", "p=4", "p=7", "r=2,c=2"] {
            let source = Source::npy(&file.path).unwrap();
            let g = Op::new(ops::matrix_mult(source.clone()).build().unwrap()).named("G");
            let planned = cgls(&g, mesh);
            run(&planned, &inputs().data(vec![1.0; rows]));
            let read = source.bytes_read();
            let place = format!("{rows}×{cols} on {mesh}: {read} of {} bytes", file.bytes);
            println!("{place}");
            assert!(read >= file.bytes && read * 10 <= file.bytes * 11, "{place}\n{planned}");
        }
        std::fs::remove_file(&file.path).unwrap();
    }
}
