//! Plans on which certificates and matching are tried: each kind of factor, linearity and node.

#![allow(dead_code)] // Each test file uses some.

use adjoin_passes::machine::Machine;
use adjoin_passes::{Context, Mesh, Plan, compile, text};

/// Name and text of unplaced plans, of sizes that fit into a certificate as they are.
pub const PLANS: [(&str, &str); 11] = [
    (
        "stack",
        "mesh 1 rank
let A[0] = (i) <- (j) : c128[5, 9]
let A[1] = (i) <- (j) : c128[7, 9]
term t0 = vstack A[0] A[1]
term t1 = t0.H
%0 = input x : c128[9]
%1, %2 = apply t0 %0 : c128[5], c128[7]
%3 = apply t1 %1 %2 : c128[9]
return %3
",
    ),
    (
        "stencil",
        "mesh 1 rank
let L = (i, j) <- (i~1:2, j~1:1) : f64[13, 6]
%0 = input x : f64[13, 6]
%1 = apply L %0 : f64[13, 6]
%2 = apply L.H %1 : f64[13, 6]
return %2
",
    ),
    (
        "damped",
        "mesh 1 rank
let G = (i) <- (k) : f64[6, 40]
let L = (i, j) <- (i~1:1, j~1:1) : f64[8, 5]
slot eps : f64
term t0 = regroup [8, 5] -> [40]
term t1 = G @ t0
term t2 = scale eps L
term t3 = vstack t1 t2
term t4 = t3.H
%0 = input x : f64[8, 5]
%1, %2 = apply t3 %0 : f64[6], f64[8, 5]
%3 = apply t4 %1 %2 : f64[8, 5]
return %3
",
    ),
    (
        "step",
        "mesh 1 rank
let A = (i) <- (j) : c128[11, 7]
state x : c128[7]
state p : c128[7]
state s : c128[11]
state k : f64[]
block step
%0 = get x : c128[7]
%1 = get p : c128[7]
%2 = get s : c128[11]
%3 = get k : f64[]
%4 = apply A %1 : c128[11]
%5 = dot real %4 %4 : f64[]
%6 = div %3 %5 : f64[]
%7 = axpy %6 %1 %0 : c128[7]
%8 = neg %6 : f64[]
%9 = axpy %8 %4 %2 : c128[11]
%10 = apply A.H %9 : c128[7]
%11 = dot real %10 %10 : f64[]
%12 = div %11 %3 : f64[]
%13 = axpy %12 %1 %10 : c128[7]
set x %7
set p %13
set s %9
set k %11
control cost %11
",
    ),
    (
        "batched",
        "mesh 1 rank
let F = (i, j!) <- (i, k!) fourier isometry co_isometry : c128[6, 4, 4]
let M = (k, i) <- (k, j) : c128[4, 3, 6]
term t0 = regroup [6, 4] -> [6, 4]
%0 = input x : c128[6, 4]
%1 = apply F %0 : c128[6, 4]
%2 = conj %1 : c128[6, 4]
%3 = apply F.H %2 : c128[6, 4]
%4 = input m : c128[4, 6]
%5 = apply M %4 : c128[4, 3]
%6 = apply M.H %5 : c128[4, 6]
return %3 %6
",
    ),
    (
        "basis",
        "mesh 1 rank
let A = (i) <- (j) : f64[10, 10]
state v : f64[3, 10]
state k : f64[]
block step
%0 = get v : f64[3, 10]
%1 = get k : f64[]
%2 = take %0 %1 : f64[10]
%3 = apply A %2 : f64[10]
%4 = dots %0 %3 : f64[3]
%5 = combine %4 %0 : f64[10]
%6 = sub %3 %5 : f64[10]
%7 = put %0 %1 %6 : f64[3, 10]
%8 = dot %6 %6 : f64[]
%9 = one_hot %1 : f64[10]
%10 = dot %9 %6 : f64[]
set v %7
control norm %8
control at %10
",
    ),
    (
        "largest",
        "mesh 1 rank
let A = (i) <- (j) : f64[9, 4]
slot tau : f64
%0 = input x : f64[4]
%1 = apply A %0 : f64[9]
%2 = slot tau : f64[]
%3 = soft %1 %2 : f64[9]
%4 = reduce max %3 : f64[]
%5 = reduce arg_max %1 : f64[]
return %3 %4 %5
",
    ),
    (
        "ragged",
        "mesh 1 rank
cut s0 = 7 spread 2 0 3 1 1 4 2
let B = (b@s0) <- (b*2) : f64[7]
let C = (i) <- (j) : f64[5, 14]
%0 = input x : f64[14]
%1 = apply B %0 : f64[13]
%2 = apply B.H %1 : f64[14]
%3 = apply C %2 : f64[5]
return %1 %3
",
    ),
    (
        "reshape",
        "mesh 1 rank
let D = (i, j) <- (i~1:1, j) : f64[12, 6]
let E = (i) <- (j) : f64[4, 72]
%0 = input x : f64[12, 6]
%1 = apply D %0 : f64[12, 6]
%2 = reshape %1 : f64[72]
%3 = apply E %2 : f64[4]
%4 = apply E.H %3 : f64[72]
%5 = reshape %4 : f64[12, 6]
%6 = apply D.H %5 : f64[12, 6]
%7 = input y : f64[30]
%8 = concat %2 %7 : f64[102]
%9 = part 50 %8 : f64[52]
return %6 %9
",
    ),
    (
        "real",
        "mesh 1 rank
let R = (i) <- (j) real : c128[8, 5]
let T = (i) <- (j) antilinear : c128[5, 8]
let F = (i) <- (j!) r2c : f64[4, 6]
%0 = input x : c128[5]
%1 = apply R %0 : c128[8]
%2 = apply T %1 : c128[5]
%3 = apply R.H %1 : c128[5]
%4 = add %2 %3 : c128[5]
%5 = input y : f64[6]
%6 = apply F %5 : c128[4]
%7 = apply F.H %6 : f64[6]
return %4 %7
",
    ),
    (
        "columns",
        "mesh 1 rank
let A = (i) <- (j) : f64[9, 6]
%0 = input x : f64[6, 4]
%1 = apply A %0 : f64[9, 4]
%2 = dot columns=1 %1 %1 : f64[4]
%3 = scale %2 %1 : f64[9, 4]
%4 = apply A.H %3 : f64[6, 4]
return %4 %2
",
    ),
];

/// The source and the finished plan on a mesh of the usual machine.
pub fn compiled(source: &str, mesh: &str) -> (Plan, Plan) {
    compiled_for(source, mesh, Machine::default())
}

/// The same on machines on which small plans are worth splitting: of slow cores, of slow memory.
pub fn split(source: &str, mesh: &str) -> Vec<(Plan, Plan)> {
    let cheap = Machine::default().with_link(1e-9, 1e10).with_launch(0.0);
    let machines = [cheap.clone().with_flops(1e6), cheap.with_memory(1e7).with_link(1e-9, 1e8)];
    let mut all: Vec<_> = machines.map(|m| compiled_for(source, mesh, m)).into();
    all.dedup();
    all
}

fn compiled_for(source: &str, mesh: &str, machine: Machine) -> (Plan, Plan) {
    let source = text::parse(source).unwrap_or_else(|e| panic!("{e}"));
    let cx = Context { mesh: Mesh::parse(mesh).unwrap(), machine, ..Context::default() };
    let compiled = compile(&source, &cx).unwrap_or_else(|e| panic!("{e}"));
    (compiled.source, compiled.plan)
}
