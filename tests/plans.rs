//! Plans that people read: traces of expressions at real sizes.
//!
//! Every plan is verified after each pass and certified by the planner, run on simulated ranks at
//! its own size and compared with the expression; only then is its text compared.

mod support;

use adjoin::data::{Region, Source};
use adjoin::expr::{Op, Vector, family, param, vstack};
use adjoin::ops;
use adjoin::planned::{Planned, Planner};
use adjoin::{Dtype, Mesh};
use adjoin_passes::certify::Verdict;
use num_complex::Complex64;
use std::fmt::Write;
use support::check::{Data, agree, expected, on_sim, precision};
use support::dense::Whole;

/// Plans an expression, proves and runs the plan, and compares the trace with its snapshot.
fn snapshot(topic: &str, mesh: &str, vector: &Vector) -> Planned {
    let mesh = Mesh::parse(mesh).expect("a mesh");
    let planned = Planner::new(mesh).apply(vector).unwrap_or_else(|e| panic!("{topic}: {e}"));
    assert_eq!(*planned.verdict(), Verdict::Proven, "{topic}");
    run(&planned).unwrap_or_else(|e| panic!("{topic}: {e}\n{planned}"));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/traces"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(topic, trace(vector, &planned)));
    planned
}

/// The finished plan on simulated ranks against the expression.
fn run(planned: &Planned) -> Result<(), String> {
    let data = Data::of(planned.source(), planned.slots());
    let wanted = expected(planned.source(), &data, &mut Whole(planned.operators()))?;
    let found = on_sim(planned.operators(), planned.plan(), &data)?;
    agree(&wanted, &found, precision(planned.plan()))
}

/// The expression, the plan that it is lowered to, and the plan after each pass that changed it.
fn trace(vector: &Vector, planned: &Planned) -> String {
    let mut out = format!("{vector}\n\nlower\n{}", planned.source());
    for (pass, plan) in planned.trace() {
        write!(out, "\n{pass}\n{plan}").expect("text can be written");
    }
    out
}

/// Entries between -1 and 1 that depend on their place alone.
fn entries(region: &Region) -> impl Iterator<Item = f64> {
    let (start, len) = (region.start().to_vec(), region.dims().to_vec());
    (0..len.iter().product::<usize>()).map(move |mut k| {
        let mut h = 0x9e37_79b9_u32;
        for d in (0..len.len()).rev() {
            h = (h ^ (start[d] + k % len[d]) as u32).wrapping_mul(0x85eb_ca6b);
            h ^= h >> 15;
            k /= len[d];
        }
        f64::from(h) / f64::from(u32::MAX) * 2.0 - 1.0
    })
}

fn matrix(rows: usize, columns: usize) -> Op {
    let source = Source::function([rows, columns], |r: &Region| entries(r).collect::<Vec<f64>>());
    Op::new(ops::matrix_mult(source).build().expect("a matrix"))
}

/// `A.H @ (A @ x)`
fn normal(a: &Op) -> Vector {
    a.h() * (a * a.input("x", Dtype::F64))
}

fn dense_stack() -> Op {
    vstack([matrix(1024, 4096), matrix(3072, 4096)]).expect("one domain").named("A")
}

#[test]
fn dense_p4() {
    snapshot("dense_p4", "p=4", &normal(&dense_stack()));
}

/// The plan of the design, to the letter.
const DENSE_ON_A_GRID: &str = "\
mesh r=2 c=2 (4 ranks)
let A[0] = (i) <- (j)           : f64[1024/r, 4096/c]
let A[1] = (i) <- (j)           : f64[3072/r, 4096/c]
%0 = input x                    : f64[4096/c]
%1 = apply A[0] %0              : f64[1024/r] +c
%2 = apply A[1] %0              : f64[3072/r] +c
%3, %4 = all_reduce c %1 %2     : f64[1024/r], f64[3072/r]
%5 = apply A[0].H %3            : f64[4096/c] +r
%6 = apply A[1].H %4            : f64[4096/c] +r
%7 = add %5 %6                  : f64[4096/c] +r
%8 = all_reduce r %7            : f64[4096/c]
return %8
comm 2 calls, 32 KiB per rank
";

#[test]
fn dense_r2c2() {
    let planned = snapshot("dense_r2c2", "r=2,c=2", &normal(&dense_stack()));
    assert_eq!(planned.to_string(), DENSE_ON_A_GRID);
}

#[test]
fn stencil_p4() {
    let l = ops::laplacian([512, 256]).weights([1.0, 1.0]).build().expect("a stencil");
    snapshot("stencil_p4", "p=4", &normal(&Op::new(l).named("L")));
}

#[test]
fn regularised_p4() {
    let l = ops::laplacian([64, 64]).weights([1.0, 1.0]).build().expect("a stencil");
    let (g, l) = (matrix(2048, 4096).named("G"), Op::new(l).named("L"));
    let a = vstack([("data", &g), ("smooth", &(param("eps", 0.1) * &l))]).expect("one domain");
    snapshot("regularised_p4", "p=4", &normal(&a.named("A")));
}

/// Convolution with many sources and receivers: an integral for each frequency.
#[test]
fn fredholm_p4() {
    let transform = |columns: usize| {
        let of = ops::fft([256, columns, 16]).axis(0).real(true).dtype(Dtype::F64);
        Op::new(of.build().expect("a transform"))
    };
    let kernel = Source::function([129, 64, 32], |r: &Region| {
        entries(r).map(|x| Complex64::new(x, 1.0 - x * x)).collect::<Vec<_>>()
    });
    let k = ops::fredholm1(kernel).nz(16).build().expect("an integral");
    let a = transform(64).named("F1").h() * Op::new(k).named("K") * transform(32).named("F");
    let x = a.input("x", Dtype::F64);
    snapshot("fredholm_p4", "p=4", &(&a * x));
}

/// Seven user-defined blocks of different sizes: each rank has its own.
#[test]
fn family_p3() {
    let rows = [300, 100, 500, 200, 400, 150, 350];
    let blocks = family(0..rows.len(), move |i| {
        let (scale, m) = (1.0 / (i + 1) as f64, rows[i]);
        let weight = move |r: usize, c: usize| if r % 7 == c % 7 { scale } else { 0.0 };
        let forward = move |x: &[f64], y: &mut [f64]| {
            let row = |r| (0..x.len()).map(|c| weight(r, c) * x[c]).sum();
            y.iter_mut().enumerate().for_each(|(r, y)| *y = row(r));
        };
        let adjoint = move |y: &[f64], x: &mut [f64]| {
            let column = |c| (0..y.len()).map(|r| weight(r, c) * y[r]).sum();
            x.iter_mut().enumerate().for_each(|(c, x)| *x = column(c));
        };
        let block = ops::function(80, m, forward, adjoint).kind("Shot");
        let flops = 2.0 * 80.0 * m as f64;
        let cost = adjoin_passes::signature::Cost { flops, ..Default::default() };
        Ok(Op::new(block.cost(cost).build()?))
    });
    let a = blocks.and_then(|f| f.vstack()).expect("one domain").named("A");
    let planned = snapshot("family_p3", "p=3", &normal(&a));
    assert!(planned.to_string().contains("comm 1 call,"), "{planned}");
}
