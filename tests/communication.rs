//! What applications of operators send, beside what PyLops-MPI sends and what is enough.
//!
//! The table of `docs/communication.md` is made here: the numbers come from plans, and each plan
//! is run to see that its communicators count the same bytes.
//! `ADJOIN_UPDATE=1` writes the table.

use adjoin::Dtype;
use adjoin::data::{Array, Region, Source};
use adjoin::expr::{Op, Vector, hstack, vstack};
use adjoin::ops::{self, Handle, Kind, OperatorError};
use adjoin::planned::{Planned, Planner, Ranks};
use adjoin::runtime::{Host, Program, World};
use adjoin::solve::{Cgls, Lsqr, Settings, Solver, System};
use adjoin_passes::ir::Op as Node;
use adjoin_passes::traffic::{Traffic, payload};
use num_complex::Complex64;
use std::fmt::Write as _;
use std::sync::Arc;

const RANKS: usize = 4;
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/communication.md");

/// One line of the table.
struct Row {
    what: &'static str,
    planned: Planned,
    block: &'static str,
    /// Elements that an inner rank of PyLops-MPI receives, if it has that.
    peer: Option<f64>,
    /// Elements that are enough.
    enough: f64,
}

fn op(built: Result<Handle, OperatorError>) -> Op {
    Op::new(built.unwrap())
}

fn once(vector: &Vector) -> Planned {
    Planner::new(Ranks(RANKS)).apply(vector).unwrap()
}

fn applied(what: &'static str, a: &Op, dtype: Dtype, peer: f64, enough: f64) -> Row {
    let planned = once(&(a * &a.input("x", dtype)));
    Row { what, planned, block: "", peer: Some(peer), enough }
}

fn real(what: &'static str, a: &Op, peer: f64, enough: f64) -> Row {
    applied(what, a, Dtype::F64, peer, enough)
}

fn iteration(what: &'static str, a: &Op, peer: f64, enough: f64) -> Row {
    let planned = solved(&Planner::new(Ranks(RANKS)), Arc::new(Cgls), a);
    Row { what, planned, block: "step", peer: Some(peer), enough }
}

fn solved(planner: &Planner, solver: Arc<dyn Solver>, a: &Op) -> Planned {
    let system = System::new(a, &vec![Dtype::F64; a.range().len()]).unwrap();
    let settings = Settings { niter: 5, tol: 0.0, damp: 0.0 };
    planner.solve(solver, &system, settings).unwrap()
}

/// An iteration of LSQR, which PyLops-MPI has not, on unknowns that are placed so.
fn lsqr(what: &'static str, a: &Op, unknowns: Option<&str>, enough: f64) -> Row {
    let names = unknowns.map(|wanted| ["x", "v", "w"].map(|name| (name, wanted)));
    let pinned = |planner: Planner, (name, wanted): (&str, &str)| planner.pin(name, wanted);
    let planner = names.into_iter().flatten().fold(Planner::new(Ranks(RANKS)), pinned);
    let solver = Lsqr { calc_var: false, ..Lsqr::default() };
    let planned = solved(&planner, Arc::new(solver), a);
    Row { what, planned, block: "step", peer: None, enough }
}

/// Elements of a line, on which halos cannot be avoided.
const LINE: usize = 1 << 18;
const CUBE: [usize; 3] = [48, 64, 64];
/// A plane of the first axis.
const PLANE: f64 = 64.0 * 64.0;
const SMALL: usize = 24;
const TALL: [usize; 2] = [1024, 256];
const SLICES: [usize; 3] = [16, 48, 40];

fn dense(dims: [usize; 2]) -> Op {
    op(ops::matrix_mult(matrix(&dims)).build())
}

fn matrix(dims: &[usize]) -> Source {
    let n: usize = dims.iter().product();
    let values: Vec<f64> = (0..n).map(|k| ((k * 7919 % 1013) as f64 / 500.0) - 1.0).collect();
    Source::array(Array::from(values).reshape(dims.to_vec()).unwrap())
}

/// Operators of a cube so small that a message takes longer than a plane.
fn small_rows() -> Vec<Row> {
    let plane = (SMALL * SMALL) as f64;
    let dims = [SMALL; 3];
    let stencil = op(ops::laplacian(dims).axes([0, 1, 2]).weights([1.0; 3]).build());
    let gradient = op(ops::gradient(dims).kind(Kind::Forward).build());
    vec![
        real("`L.H @ L` of a small cube", &(stencil.h() * &stencil), 8.0 * plane, 4.0 * plane),
        real(
            "Gradient of it, forward and adjoint",
            &(gradient.h() * &gradient),
            2.0 * plane,
            2.0 * plane,
        ),
    ]
}

/// Times, sources, receivers and frequencies of a convolution in many dims.
const TIMES: usize = 255;
const BAND: [usize; 3] = [96, 72, 48];

fn convolution() -> Op {
    let g = Source::function(BAND, |r: &Region| {
        let value = |k: usize| Complex64::new((1.0 + k as f64).sin(), (3.0 * k as f64).cos());
        (0..r.len()).map(|k| value(k + r.start()[0])).collect::<Vec<_>>()
    });
    ops::mdc(g, TIMES, 1).build().unwrap()
}

/// What its parts gather and broadcast, forward and adjoint.
fn peer_convolution() -> f64 {
    let share = (RANKS - 1) as f64 / RANKS as f64;
    let [band, sources, receivers] = BAND.map(|n| n as f64);
    let all = (TIMES / 2 + 1) as f64;
    let side = |n: f64| (share * band * n, n * (all + 2.0 * band));
    let ((d, data), (n, model)) = (side(sources), side(receivers));
    d + n + 2.0 * (data + model)
}

/// The ten vectors that are broadcast when they are assigned.
fn peer_assignments() -> f64 {
    let [_, sources, receivers] = BAND.map(|n| n as f64);
    TIMES as f64 * (7.0 * receivers + 3.0 * sources)
}

fn rows() -> Vec<Row> {
    let (share, p) = ((RANKS - 1) as f64 / RANKS as f64, RANKS as f64);
    let first = |kind| op(ops::first_derivative([LINE]).kind(kind).build());
    let five = op(ops::first_derivative([LINE]).kind(Kind::Centered).order(5).build());
    let second = |kind| op(ops::second_derivative([LINE]).kind(kind).build());
    let laplacian = op(ops::laplacian(CUBE).axes([0, 1]).weights([1.0, 1.0]).build());
    let stencil = op(ops::laplacian(CUBE).axes([0, 1, 2]).weights([1.0; 3]).build());
    let gradient = op(ops::gradient(CUBE).kind(Kind::Forward).build());
    let g = {
        let n = CUBE.iter().product::<usize>();
        let weights = Array::from(vec![2.0; n]).reshape(CUBE.to_vec()).unwrap();
        op(ops::diagonal(weights).build())
    };
    let regularised = vstack([("data", g), ("smooth", 0.1 * &stencil)]).unwrap();
    let blocks: Vec<Op> = (0..RANKS).map(|_| dense(TALL)).collect();
    let model = TALL[1] as f64;
    let stacked = vstack(blocks.clone()).unwrap();
    let wide: Vec<Op> = (0..RANKS).map(|_| dense(TALL).h()).collect();
    let side_by_side = hstack(wide).unwrap();
    let fredholm = op(ops::fredholm1(matrix(&SLICES)).nz(8).build());
    let (data, unknowns) = (16.0 * 48.0 * 8.0, 16.0 * 40.0 * 8.0);
    let (mdc, band) = (convolution(), (BAND[0] * BAND[2]) as f64);
    let fourier = op(ops::fft([256, 256]).axis(0).build());
    let n = 256.0 * 256.0;
    let filter = {
        let weights = Array::from(vec![0.5; 256 * 256]).reshape([256, 256]).unwrap();
        op(ops::diagonal(weights).build())
    };
    let filtered = fourier.h() * filter * &fourier;
    vec![
        real("FirstDerivative, forward", &first(Kind::Forward), 1.0, 1.0),
        real("its adjoint", &first(Kind::Forward).h(), 1.0, 1.0),
        real("FirstDerivative, centered", &first(Kind::Centered), 2.0, 2.0),
        real("its adjoint", &first(Kind::Centered).h(), 4.0, 2.0),
        real("FirstDerivative, centered, order 5", &five, 4.0, 4.0),
        real("its adjoint", &five.h(), 16.0, 4.0),
        real("SecondDerivative, forward", &second(Kind::Forward), 2.0, 2.0),
        real("its adjoint", &second(Kind::Forward).h(), 4.0, 2.0),
        real("SecondDerivative, centered", &second(Kind::Centered), 2.0, 2.0),
        real("its adjoint", &second(Kind::Centered).h(), 6.0, 2.0),
        real("Laplacian over axes 0, 1 of a cube", &laplacian, 2.0 * PLANE, 2.0 * PLANE),
        real("its adjoint", &laplacian.h(), 6.0 * PLANE, 2.0 * PLANE),
        real("`L.H @ L`, L over all axes", &(stencil.h() * &stencil), 8.0 * PLANE, 4.0 * PLANE),
        iteration("CGLS on `[G; εL]`", &regularised, 8.0 * PLANE, 4.0 * PLANE + 8.0),
        real(
            "Gradient, forward and adjoint",
            &(gradient.h() * &gradient),
            2.0 * PLANE,
            2.0 * PLANE,
        ),
        real("VStack of dense blocks", &stacked, 0.0, 0.0),
        real("its adjoint", &stacked.h(), 2.0 * model * share + model, model * share),
        iteration(
            "CGLS on it",
            &stacked,
            2.0 * model * share + 9.0 * model,
            2.0 * model * share + 16.0,
        ),
        lsqr("LSQR on it", &stacked, Some("replicated"), 2.0 * model * share + 4.0),
        lsqr("LSQR on it, unknowns split", &stacked, Some("n/p"), 2.0 * model * share + 12.0),
        real("HStack of dense blocks", &side_by_side, 2.0 * model * share + model, model * share),
        real("Fredholm1", &fredholm, data * share + data, 0.0),
        real("its adjoint", &fredholm.h(), unknowns * share + unknowns, 0.0),
        real("`M.H @ M`, M an MDC", &(mdc.h() * &mdc), peer_convolution(), 2.0 * share * band / p),
        iteration("CGLS on MDC", &mdc, peer_convolution() + peer_assignments(), 8.0),
        lsqr("LSQR on MDC", &mdc, None, 8.0),
        applied(
            "FFT over the first of two axes",
            &fourier,
            Dtype::C128,
            2.0 * share * n / p,
            share * n / p,
        ),
        applied("`F.H @ D @ F`", &filtered, Dtype::C128, 4.0 * share * n / p, 2.0 * share * n / p),
    ]
}

impl Row {
    fn traffic(&self) -> Traffic {
        let plan = self.planned.plan();
        Traffic::of(&plan.mesh, plan.block(self.block).unwrap())
    }

    /// Elements that an inner rank receives, a sum over all ranks as a ring does it.
    fn received(&self) -> f64 {
        let plan = self.planned.plan();
        let block = plan.block(self.block).unwrap();
        let share = (RANKS - 1) as f64 / RANKS as f64;
        let node = |node: &adjoin_passes::ir::Node| {
            let size = node.args.first().map_or(1, |&v| block.ty(v).dtype.size());
            let elements = payload(&plan.mesh, block, node) as f64 / size as f64;
            match node.op {
                Node::AllReduce(_) => 2.0 * share * elements,
                Node::ReduceScatter(_) | Node::AllGather(_) | Node::AllToAll(_) => share * elements,
                _ => elements,
            }
        };
        block.nodes.iter().map(node).fold(0.0, |sum, n| sum + n)
    }

    /// Runs the block once on zeros; what each rank has counted.
    fn counted(&self) -> Vec<adjoin::runtime::comm::Traffic> {
        let planned = &self.planned;
        World::threads(RANKS)
            .run(|rank| {
                let comm = rank.comm().clone();
                let mut program =
                    Program::bind(planned.plan(), planned.operators(), comm, Host::new())?;
                for (slot, value) in planned.plan().slots.iter().zip(planned.slots()) {
                    program.set_slot(&slot.name, *value)?;
                }
                for block in &planned.plan().blocks {
                    for node in &block.nodes {
                        if let Node::Input(name) = &node.op {
                            program.clear(&block.name, name)?;
                        }
                    }
                }
                if self.block == "step" {
                    program.run("setup")?;
                }
                let before = program.counters();
                program.run(self.block)?;
                let after = program.counters();
                Ok(adjoin::runtime::comm::Traffic {
                    calls: after.calls - before.calls,
                    reductions: after.reductions - before.reductions,
                    bytes: after.bytes - before.bytes,
                })
            })
            .unwrap()
    }
}

#[test]
fn no_operator_sends_more_than_is_enough_and_runs_count_what_plans_say() {
    let mut table = String::from(HEAD);
    for row in rows().into_iter().chain(small_rows()) {
        let (traffic, received) = (row.traffic(), row.received());
        let counted = row.counted();
        let most = counted.iter().map(|c| c.bytes).max().unwrap();
        assert_eq!(most, traffic.bytes, "{}\n{}", row.what, row.planned);
        assert!(counted.iter().all(|c| c.calls == traffic.calls as u64), "{}", row.what);
        assert!(
            received <= row.enough,
            "{}: {received} > {}\n{}",
            row.what,
            row.enough,
            row.planned
        );
        let _ = writeln!(
            table,
            "| {} | {} | {} | {received} | {} | {} |",
            row.what,
            traffic.calls,
            traffic.bytes,
            row.enough,
            row.peer.map_or("–".into(), |peer| peer.to_string())
        );
    }
    if std::env::var_os("ADJOIN_UPDATE").is_some() {
        std::fs::write(FILE, &table).unwrap();
    }
    let written = std::fs::read_to_string(FILE).unwrap();
    assert_eq!(written, table, "run this test with ADJOIN_UPDATE=1");
}

const HEAD: &str = "\
# What is sent

Four ranks in a line, float64 or complex128; the planner chooses which axes are split.
Calls and bytes are those of the plan, and a run counts the same on the rank that sends most.
*Received* counts the elements that reach an inner rank, a sum over all ranks as a ring does it; \
*enough* is what suffices when the first axis is split, and *PyLops-MPI* what its operators \
receive then, metadata not counted (24 allgathers and 16 allreduces of pickled objects in each \
iteration of CGLS; it has no LSQR).
What an expression is applied to is handed over where the plan wants it; in an iteration of CGLS \
every vector stays where the iteration before has left it.
A test makes this table (`tests/communication.rs`).

| operator | calls | bytes | received | enough | PyLops-MPI |
|---|---|---|---|---|---|
";
