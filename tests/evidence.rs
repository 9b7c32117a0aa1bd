//! What a run costs, counted while it runs: calls and bytes between ranks, and bytes of files.

use adjoin::data::{Array, Source};
use adjoin::expr::{Op, family, vstack};
use adjoin::ops;
use adjoin::planned::{Planned, Planner};
use adjoin::run::{Inputs, Solution, inputs};
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Settings, System};
use adjoin::{Dtype, Mesh};
use adjoin_passes::traffic::Traffic;
use std::path::PathBuf;
use std::sync::Arc;

const NITER: usize = 8;

fn cgls(op: &Op, mesh: &str) -> Planned {
    let system = System::new(op, &vec![Dtype::F64; op.range().len()]).unwrap();
    let settings = Settings { niter: NITER, tol: 0.0, damp: 0.0 };
    let mesh = Mesh::parse(mesh).unwrap();
    Planner::new(mesh).solve(Arc::new(Cgls), &system, settings).unwrap()
}

fn run(planned: &Planned, given: &Inputs) -> Solution {
    planned.run(&World::threads(planned.plan().mesh.ranks()), given).unwrap()
}

/// Runs the iterations, and checks that they communicate what the plan says and nothing else.
fn counted(op: &Op, mesh: &str) -> Traffic {
    let planned = cgls(op, mesh);
    let plan = planned.plan();
    let step = Traffic::of(&plan.mesh, plan.block("step").unwrap());
    let rows = op.range().size();
    let data: Vec<f64> = (0..rows).map(|i| (1.0 + i as f64).sin()).collect();
    let solution = run(&planned, &inputs().data(data));
    assert_eq!(solution.outcome.unwrap().niter, NITER);
    let counted = solution.cost.traffic;
    let niter = NITER as u64;
    let (calls, reductions) = (step.calls as u64 * niter, step.reductions as u64 * niter);
    assert_eq!((counted.calls, counted.reductions), (calls, reductions), "{planned}");
    // The plan counts the ghost cells of an inner rank; rank 0, which counts here, is at the rim.
    assert!(counted.bytes <= step.bytes * niter, "{planned}");
    assert!(counted.bytes == step.bytes * niter || step.halos > 0, "{planned}");
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
        let step = counted(&diagonal, mesh);
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
        let step = counted(&a, mesh);
        assert_eq!((step.reductions, step.halos, step.calls), (2, 2, 4), "{step:?} on {mesh}");
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
