//! The programs, and the operators on which they are tried.

use adjoin_passes::certify::Verdict;
use adjoin_passes::machine::Machine;
use adjoin_passes::search::Decisions;
use adjoin_passes::{Compiled, Context, Mesh, Plan, compile, text};
use std::sync::Arc;

/// Every mesh on which programs are proven.
pub const MESHES: [&str; 7] = ["p=1", "p=2", "p=3", "p=4", "p=7", "r=2,c=2", "r=2,c=3"];

pub const CG: &str = include_str!("cg.plan");
pub const CGLS: &str = include_str!("cgls.plan");
pub const CGLS_STACK: &str = include_str!("cgls_stack.plan");
pub const LSQR: &str = include_str!("lsqr.plan");
pub const LSQR_STACK: &str = include_str!("lsqr_stack.plan");
pub const GMRES: &str = include_str!("gmres.plan");
pub const FISTA: &str = include_str!("fista.plan");
pub const FISTA_STACK: &str = include_str!("fista_stack.plan");
pub const OMP: &str = include_str!("omp.plan");
pub const OMP_STACK: &str = include_str!("omp_stack.plan");
pub const POWER: &str = include_str!("power.plan");
pub const MINRES: &str = include_str!("minres.plan");

/// All programs by name.
pub const PROGRAMS: [(&str, &str); 12] = [
    ("cg", CG),
    ("cgls", CGLS),
    ("cgls_stack", CGLS_STACK),
    ("lsqr", LSQR),
    ("lsqr_stack", LSQR_STACK),
    ("gmres", GMRES),
    ("fista", FISTA),
    ("fista_stack", FISTA_STACK),
    ("omp", OMP),
    ("omp_stack", OMP_STACK),
    ("power", POWER),
    ("minres", MINRES),
];

/// Blocks of different sizes on the diagonal, some of them with no rows or no columns.
pub const RAGGED: &str = "
cut rows = 5 spread 3 0 2 3 1
cut columns = 5 spread 1 2 0 2 2
let A = (i@rows) <- (i@columns) : c128[5]
term t0 = A
term t1 = A.H
";

/// Square blocks of different sizes on the diagonal.
pub const RAGGED_SQUARE: &str = "
cut rows = 4 spread 3 0 2 2
let A = (i@rows) <- (i@rows) : c128[4]
term t0 = A
";

/// The normal operator of a dense matrix and a stencil below each other.
pub const NORMAL: &str = "
let G = (i) <- (j) : c128[5, 7]
let L = (i) <- (i~1:1) : f64[7]
slot eps : f64
term t1 = scale eps L
term t2 = vstack G t1
term t3 = t2.H
term t0 = t3 @ t2
";

/// A convolution in many dims: an integral for each of some frequencies, between transforms of
/// real samples of 6 times and 2 places, and of 7 times and 3 places.
pub const CONVOLUTION: &str = "
cut band = 4 spread 1 1 0 1
cut low = 4 spread 1 1 1 0
let F = (k!, j) <- (i!, j) isometry half_spectrum real r2c : f64[4, 2, 6]
let I = (k@band, j) <- (k, j) co_isometry : f64[4, 2]
let G = (k, j) <- (k, i) : c128[3, 3, 2]
let I1 = (k@low, j) <- (k, j) co_isometry : f64[4, 3]
let F1 = (k!, j) <- (i!, j) isometry half_spectrum real r2c : f64[4, 3, 7]
term t2 = F1.H
term t3 = I1.H
term t0 = t2 @ t3 @ G @ I @ F
term t1 = t0.H
";

/// A program of flat complex vectors on the convolution.
pub fn on_convolution(program: &str) -> String {
    let program = with_operator(program, CONVOLUTION);
    program.replace("c128[7]", "f64[6, 2]").replace("c128[9]", "f64[7, 3]")
}

/// The program on another operator: the lines that declare the old one give way.
pub fn with_operator(program: &str, head: &str) -> String {
    let declares = |line: &&str| {
        ["cut ", "let ", "term ", "slot eps "].iter().any(|word| line.starts_with(word))
    };
    let mut lines = program.lines().filter(|line| !declares(line));
    let mesh = lines.next().unwrap_or_default();
    let rest: Vec<_> = lines.collect();
    format!("{mesh}\n{}\n{}\n", head.trim(), rest.join("\n"))
}

/// The program over real numbers.
pub fn real(program: &str) -> String {
    program.replace("c128", "f64")
}

pub fn parsed(program: &str) -> Plan {
    text::parse(program).unwrap_or_else(|e| panic!("{e}"))
}

/// A machine on which even the smallest operators are worth splitting.
pub fn quick_network() -> Machine {
    Machine::default().with_link(1e-12, 1e13).with_launch(1e-14)
}

/// The same, where memory is slow: few elements are kept twice.
pub fn slow_memory() -> Machine {
    quick_network().with_memory(1e6)
}

/// The finished plan of a program, verified after each pass.
pub fn finished(program: &str, mesh: &str, machine: Machine) -> Plan {
    compiled(program, mesh, machine).plan
}

/// The finished plan of a program, proven.
pub fn proven(program: &str, mesh: &str, machine: Machine) -> Plan {
    let made = compiled(program, mesh, machine);
    assert_eq!(made.certify(), Verdict::Proven, "{mesh}\n{}", made.plan);
    made.plan
}

/// The finished plan of a program that is placed as another, proven.
pub fn likewise(
    program: &str,
    mesh: &str,
    machine: Machine,
    decisions: Option<Arc<Decisions>>,
) -> Plan {
    let cx = Context { mesh: Mesh::parse(mesh).unwrap(), machine, decisions, ..Context::default() };
    let made = compile(&parsed(program), &cx).unwrap_or_else(|e| panic!("{mesh}: {e}"));
    assert_eq!(made.certify(), Verdict::Proven, "{mesh}\n{}", made.plan);
    made.plan
}

/// A program and its finished plan, verified after each pass.
pub fn compiled(program: &str, mesh: &str, machine: Machine) -> Compiled {
    let cx = Context { mesh: Mesh::parse(mesh).unwrap(), machine, ..Context::default() };
    compile(&parsed(program), &cx).unwrap_or_else(|e| panic!("{mesh}: {e}"))
}

/// The sizes of a program's arrays.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Of the unknowns.
    pub model: usize,
    /// Of the data of the only operator.
    pub data: usize,
    /// Of the data of the matrix above the stencil.
    pub above: usize,
}

/// The program for arrays of other sizes than the 7 unknowns, 9 or 5 and 7 data of the files.
pub fn sized(program: &str, sizes: Sizes) -> String {
    let Sizes { model, data, above } = sizes;
    let pairs = [
        ("[9, 7]", format!("[{data}, {model}]")),
        ("[5, 7]", format!("[{above}, {model}]")),
        ("[7, 7]", format!("[{model}, {model}]")),
        ("[6, 7]", format!("[6, {model}]")),
        ("[3, 9]", format!("[3, {data}]")),
        ("[9]", format!("[{data}]")),
        ("[7]", format!("[{model}]")),
        ("c128[5]", format!("c128[{above}]")),
    ];
    pairs.iter().fold(program.to_string(), |text, (from, to)| text.replace(from, to))
}
