//! Whole problems under `mpiexec`: PyLops's values, and how a job with a failing rank ends.
//!
//! Starting a job costs more than a case, so that one job runs many cases.
#![cfg(feature = "mpi")]

mod support;

use adjoin::data::{Array, DataError, ReadTile, Region, Source};
use adjoin::elements::SliceMut;
use adjoin::expr::{Op, Vector, family};
use adjoin::ops;
use adjoin::planned::{Planned, Planner};
use adjoin::problem::Formula;
use adjoin::problem::text::{BinaryOp, Expr, ExprKind};
use adjoin::run::{Inputs, Solution, inputs};
use adjoin::runtime::World;
use adjoin::runtime::comm::ReduceOp;
use adjoin::solve::{Cg, Cgls, Lsqr, Settings, Solver, System};
use adjoin::{Dtype, Mesh};
use num_complex::Complex64;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::mpiexec::{is_rank, job, job_within, succeeds};
use support::{reference, riders, systems};

/// Every case of a solver, one of each operator and some expressions, on some meshes.
fn reproduces(ranks: usize, meshes: &[&str], test: &str) {
    succeeds(ranks, test, |comm| {
        let world = World::attach(comm);
        for mesh in meshes {
            let planner = Planner::new(Mesh::parse(mesh).unwrap());
            let mut count = 0;
            for case in systems::solvers(&["cg", "cgls", "lsqr"]).iter().skip(ranks % 2).step_by(2)
            {
                solve(case, &planner, &world);
                count += 1;
            }
            for case in operators(ranks) {
                apply(&case, &planner, &world);
                count += 1;
            }
            for case in expressions().iter().skip(ranks).step_by(6) {
                evaluate(case, &planner, &world);
                count += 1;
            }
            if world.is_root() {
                println!("{count} cases on {mesh}");
            }
        }
    });
}

#[test]
fn one_rank_reproduces_pylops() {
    reproduces(1, &["p=1"], "one_rank_reproduces_pylops");
}

#[test]
fn two_ranks_reproduce_pylops() {
    reproduces(2, &["p=2"], "two_ranks_reproduce_pylops");
}

#[test]
fn three_ranks_reproduce_pylops() {
    reproduces(3, &["p=3"], "three_ranks_reproduce_pylops");
}

#[test]
fn four_ranks_and_a_grid_reproduce_pylops() {
    reproduces(4, &["p=4", "r=2,c=2"], "four_ranks_and_a_grid_reproduce_pylops");
}

/// The job is divided into parts of so many ranks, each of which solves.
#[test]
fn numbers_ride_on_vectors_of_any_precision() {
    succeeds(7, "numbers_ride_on_vectors_of_any_precision", |comm| {
        for ranks in [7, 4, 3, 2, 1] {
            let part = comm.split(comm.rank() / ranks, comm.rank()).unwrap();
            riders::ride(&World::attach(part));
        }
    });
}

fn solve(case: &systems::System, planner: &Planner, world: &World) {
    let (d, x0) = (case.source("d"), case.source("x0"));
    let (parts, start) = (case.operator.range().len(), case.operator.domain().len());
    let system = System::new(&case.operator, &vec![d.dtype(); parts]).unwrap();
    let settings = Settings {
        niter: case.parameter("niter") as usize,
        tol: case.json["params"]["tol"].as_f64().unwrap_or(0.0),
        damp: case.parameter("damp"),
    };
    let solver: Arc<dyn Solver> = match case.json["solver"].as_str() {
        Some("cg") => Arc::new(Cg),
        Some("lsqr") => Arc::new(Lsqr {
            atol: case.parameter("atol"),
            btol: case.parameter("btol"),
            ..Lsqr::default()
        }),
        _ => Arc::new(Cgls),
    };
    let planned = planner.solve(solver, &system.from(&vec![x0.dtype(); start]), settings).unwrap();
    let solution = planned.run(world, &inputs().data(d).start(x0)).unwrap();
    close(&values(&solution), &case.array("x"), case.rtol(), &case.id);
    let outcome = solution.outcome.unwrap();
    assert_eq!(outcome.niter as u64, case.json["expected"]["niter"].as_u64().unwrap());
    if case.json["outputs"].is_null() {
        let cost: Vec<_> = outcome.cost.iter().map(|&c| Complex64::new(c, 0.0)).collect();
        close(&cost, &case.array("cost"), case.rtol(), &case.id);
    }
}

/// Another case of each operator for each number of ranks.
fn operators(skip: usize) -> Vec<reference::Case> {
    let mut chosen: Vec<reference::Case> = Vec::new();
    let all = reference::operators();
    for name in adjoin::ops::registry::operators() {
        let count = all.iter().filter(|case| case.operator == name).count();
        chosen.extend(
            reference::operators().into_iter().filter(|c| c.operator == name).nth(if count == 0 {
                0
            } else {
                skip % count
            }),
        );
    }
    chosen
}

fn apply(case: &reference::Case, planner: &Planner, world: &World) {
    let op = Op::new(case.operator()).named("A");
    let ways = [(op.clone(), case.x_dtype, "x", "y"), (op.h(), case.y_dtype, "u", "v")];
    for (op, dtype, input, output) in ways {
        let place = format!("{} of {}", case.id, world.ranks());
        let planned = planner.apply(&(&op * op.input("x", dtype))).unwrap();
        let given = Array::from(case.array(input)).reshape(op.dims()).unwrap();
        let given = narrowed(given, dtype);
        let found = values(&planned.run(world, &inputs().part("x", given)).unwrap());
        close(&found, &case.array(output), case.rtol, &place);
    }
}

fn narrowed(array: Array, dtype: Dtype) -> Source {
    let source = Source::array(array);
    let source = if dtype.is_complex() { source } else { source.real_part() };
    source.cast(dtype).unwrap()
}

/// The expressions of the reference over operators that exist.
fn expressions() -> Vec<Json> {
    let Some(folder) = reference::folder() else { return vec![] };
    let text = std::fs::read_to_string(folder.join("expressions.json")).unwrap();
    let mut cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let known = adjoin::ops::registry::operators();
    cases.retain(|case| {
        let mut specs = case["operators"].as_object().unwrap().values();
        specs.all(|spec| known.contains(&spec["operator"].as_str().unwrap()))
    });
    cases
}

fn evaluate(case: &Json, planner: &Planner, world: &World) {
    let text = |key: &str| case[key].as_str().unwrap();
    let arrays =
        reference::folder().unwrap().join("expressions").join(format!("{}.npz", text("id")));
    let formula = Formula::parse("case", text("expression")).unwrap();
    let x = Source::npz(&arrays, "x").unwrap();
    let y = Source::npz(&arrays, "y").unwrap().load().unwrap();
    let vector = chain(&formula.expr, &systems::leaves(case, &arrays), x.dtype());
    let planned = planner.apply(&vector).unwrap();
    let found = values(&planned.run(world, &inputs().part("x", x)).unwrap());
    let want: Vec<Complex64> = y.cast(Dtype::C128).unwrap().into_vec().unwrap();
    close(&found, &want, case["rtol"].as_f64().unwrap(), text("id"));
}

/// `A @ (B @ x)`: all expressions of the reference are operators applied to `x`.
fn chain(expr: &Expr, leaves: &BTreeMap<String, Op>, dtype: Dtype) -> Vector {
    let ExprKind::Binary { op: BinaryOp::MatMul, left, right } = &expr.kind else {
        panic!("{expr} applies nothing")
    };
    let op = systems::over(leaves, &left.to_string());
    match &right.kind {
        ExprKind::Name(_) => &op * op.input("x", dtype),
        _ => op * chain(right, leaves, dtype),
    }
}

fn values(solution: &Solution) -> Vec<Complex64> {
    solution.gather_flat().unwrap().cast(Dtype::C128).unwrap().into_vec().unwrap()
}

fn close(found: &[Complex64], want: &[Complex64], rtol: f64, place: &str) {
    let size = want.iter().map(|z| z.norm()).fold(0.0, f64::max);
    let off = found.iter().zip(want).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
    assert!(
        found.len() == want.len() && off <= rtol * if size == 0.0 { 1.0 } else { size },
        "{place}: {off}"
    );
}

/// Rows, columns and bytes of a matrix that fits no process.
const LARGE: (usize, usize, u64) = (40_000, 4_000, 40_000 * 4_000 * 8);

/// KiB of addresses that a process may use: the matrix has more.
const LIMIT: u64 = 1 << 20;

/// A file of zeros but for its last row, in which all elements are one; it takes little of a disk.
fn large() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::FileExt;
    let (rows, cols, bytes) = LARGE;
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("large.npy");
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    header += &" ".repeat(117 - header.len());
    let file = std::fs::File::create(&path)?;
    file.write_all_at(b"\x93NUMPY\x01\x00\x76\x00", 0)?;
    file.write_all_at(format!("{header}\n").as_bytes(), 10)?;
    file.set_len(128 + bytes)?;
    file.write_all_at(bytemuck::cast_slice(&vec![1.0; cols]), 128 + bytes - cols as u64 * 8)?;
    Ok(path)
}

/// Whether this machine has the memory for the whole matrix, by its own account.
fn has_room() -> bool {
    let Ok(text) = std::fs::read_to_string("/proc/meminfo") else { return false };
    let available = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = available.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.is_some_and(|kib| kib * 1024 > 2 * LARGE.2)
}

#[test]
fn an_array_larger_than_the_addresses_of_a_process() {
    const TEST: &str = "an_array_larger_than_the_addresses_of_a_process";
    const { assert!(LARGE.2 > LIMIT * 1024) };
    if !is_rank() && !has_room() {
        println!("skipped: the ranks together need 2.5 GiB of memory");
        return;
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("large.npy");
    if !is_rank() {
        large().unwrap();
    }
    let ended = job_within(Some(LIMIT), 4, TEST, |comm| {
        let (rows, cols, bytes) = LARGE;
        let mut read = [0.0];
        let source = Source::npy(&path).unwrap();
        let g = Op::new(ops::matrix_mult(source.clone()).build().unwrap()).named("G");
        let x = inputs().part("x", vec![1.0; cols]);
        let planned = Planner::new(Mesh::line(4)).apply(&(&g * g.input("x", Dtype::F64))).unwrap();
        let y = planned.run(&World::attach(comm.clone()), &x).unwrap();
        let y: Vec<f64> = y.gather(0).unwrap().into_vec().unwrap();
        assert!(y[..rows - 1].iter().all(|&y| y == 0.0) && y[rows - 1] == cols as f64);
        read[0] = source.bytes_read() as f64;
        comm.all_reduce(&mut read, ReduceOp::Sum).unwrap();
        assert!(read[0] >= bytes as f64 && read[0] <= 1.1 * bytes as f64, "{read:?}");
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find(|line| line.starts_with("VmPeak")).unwrap_or_default();
        println!("rank {}: {} of {bytes} bytes, {peak}", comm.rank(), source.bytes_read());
    });
    if let Some(job) = ended {
        std::fs::remove_file(&path).unwrap();
        println!("{:?}\n{}", job.time, job.output());
        job.succeeded();
    }
}

/// Alone, a process of that size cannot hold the matrix: the limit is one.
#[test]
fn one_process_cannot_hold_that_array() {
    let ended = job_within(Some(LIMIT), 1, "one_process_cannot_hold_that_array", |comm| {
        let source = Source::zeros([LARGE.0, LARGE.1], Dtype::F64);
        let g = Op::new(ops::matrix_mult(source).build().unwrap()).named("G");
        let planned = Planner::new(Mesh::line(1)).apply(&(&g * g.input("x", Dtype::F64))).unwrap();
        let x = inputs().part("x", vec![1.0; LARGE.1]);
        let _ = planned.run(&World::attach(comm), &x);
    });
    if let Some(job) = ended {
        println!("{}", job.output());
        assert!(!job.status.success(), "{}", job.output());
    }
}

/// What goes wrong, on one rank only.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The part of a matrix that a rank needs cannot be read.
    Matrix,
    /// The same of the data.
    Data,
    /// A user's kernel returns an error.
    Error,
    /// A user's kernel panics.
    Panic,
}

/// An array of which the last element cannot be read.
struct Torn([usize; 1]);

impl ReadTile for Torn {
    fn dims(&self) -> &[usize] {
        &self.0
    }

    fn dtype(&self) -> Dtype {
        Dtype::F64
    }

    fn read(&self, region: &Region, mut out: SliceMut<'_>) -> Result<(), DataError> {
        if region.range(0).end == self.0[0] {
            let source_name = self.describe();
            return Err(DataError::Declared { source_name });
        }
        out.clear();
        Ok(())
    }

    fn describe(&self) -> String {
        "the tape".into()
    }
}

const SHOTS: [usize; 4] = [30, 20, 30, 40];
const CELLS: usize = 12;

/// A solve in which a rank fails: shots that a rank each has, and a matrix split by rows.
fn failing(fault: Fault, ranks: usize) -> (Planned, Inputs) {
    let rows = 4096;
    let torn = |n, torn| if torn { Source::new(Torn([n])) } else { Source::zeros([n], Dtype::F64) };
    if matches!(fault, Fault::Matrix | Fault::Data) {
        let matrix = torn(rows * 64, fault == Fault::Matrix).reshape([rows, 64]).unwrap();
        let g = Op::new(ops::matrix_mult(matrix).build().unwrap()).named("G");
        let data = torn(rows, fault == Fault::Data);
        return (cgls(&g, ranks), inputs().data(data));
    }
    let shots = family(0..SHOTS.len(), move |shot| Ok(Op::new(shot_of(shot, fault)?)));
    let shots = shots.unwrap().vstack().unwrap().named("S");
    let rows: usize = SHOTS.iter().sum();
    (cgls(&shots, ranks), inputs().data(vec![1.0; rows]))
}

fn shot_of(shot: usize, fault: Fault) -> Result<ops::Handle, ops::OperatorError> {
    let forward = move |x: &[f64], y: &mut [f64]| match fault {
        Fault::Error if shot == 3 => Err("the ray does not converge"),
        Fault::Panic if shot == 3 => panic!("index 7"),
        _ => {
            y.fill(x[0]);
            Ok(())
        }
    };
    let adjoint = |y: &[f64], x: &mut [f64]| x.fill(y.iter().sum());
    let cost = adjoin_passes::signature::Cost {
        flops: 1e8 * SHOTS[shot] as f64,
        ..adjoin_passes::signature::Cost::default()
    };
    ops::function([CELLS], [SHOTS[shot]], forward, adjoint).kind("Shot").cost(cost).build()
}

fn cgls(op: &Op, ranks: usize) -> Planned {
    let system = System::new(op, &[Dtype::F64]).unwrap();
    let settings = Settings { niter: 5, tol: 0.0, damp: 0.0 };
    Planner::new(Mesh::line(ranks)).solve(Arc::new(Cgls), &system, settings).unwrap()
}

/// What the message says of each fault.
const FAULTS: [(Fault, &[&str]); 4] = [
    (Fault::Matrix, &["G", "the tape"]),
    (Fault::Data, &["input d", "the tape"]),
    (Fault::Error, &["applying S", "the ray does not converge"]),
    (Fault::Panic, &["applying S", "index 7"]),
];

/// The last rank has the end of the matrix and the last shot; data that all ranks hold fail on
/// whichever rank reads first.
fn says(output: &str, fault: Fault, words: &[&str]) {
    let rank = if fault == Fault::Data { " failed: " } else { "rank 2 failed: " };
    assert!(output.contains(rank), "{fault:?}: {output}");
    for word in words {
        assert!(output.contains(word), "{fault:?} {word}: {output}");
    }
}

#[test]
fn threads_stop_with_one_message() {
    for (fault, words) in FAULTS {
        let (planned, given) = failing(fault, 3);
        let start = Instant::now();
        let error = planned.run(&World::threads(3), &given).err().expect("a rank fails");
        assert!(start.elapsed() < Duration::from_secs(5));
        says(&error.to_string(), fault, words);
    }
}

fn ends(fault: Fault, test: &str) {
    let ended = job(3, test, |comm| {
        let (planned, given) = failing(fault, 3);
        let _ = planned.run(&World::attach(comm), &given);
        println!("adjoin: this rank goes on");
    });
    if let Some(job) = ended {
        let words = FAULTS.iter().find(|(known, _)| *known == fault).unwrap().1;
        assert!(!job.status.success(), "{}", job.output());
        assert!(job.time < Duration::from_secs(20), "{:?}", job.time);
        assert_eq!(job.output().matches("adjoin: ").count(), 1, "{}", job.output());
        says(&job.output(), fault, words);
    }
}

#[test]
fn a_matrix_that_cannot_be_read_ends_the_job() {
    ends(Fault::Matrix, "a_matrix_that_cannot_be_read_ends_the_job");
}

#[test]
fn data_that_cannot_be_read_end_the_job() {
    ends(Fault::Data, "data_that_cannot_be_read_end_the_job");
}

#[test]
fn a_kernels_error_ends_the_job() {
    ends(Fault::Error, "a_kernels_error_ends_the_job");
}

#[test]
fn a_kernels_panic_ends_the_job() {
    ends(Fault::Panic, "a_kernels_panic_ends_the_job");
}
