//! Expressions and programs that the tests run, with small numbers so that sums are exact.

use adjoin::data::{Array, Source};
use adjoin::expr::{Lowered, Op, Vector, lower, vstack};
use adjoin::ops::{self, Operator};
use adjoin::runtime::sim::Given;
use adjoin::{Dtype, Mesh};
use adjoin_passes::machine::Machine;
use adjoin_passes::{Context, Plan, compile, text};
use num_complex::{Complex, Complex64};
use std::sync::Arc;

/// An unplaced plan with one block, and what it starts from.
pub struct Case {
    pub name: &'static str,
    pub source: Plan,
    pub operators: Vec<Arc<dyn Operator>>,
    pub given: Given,
    pub block: &'static str,
}

/// Meshes with remainders, with more ranks than rows, and of two axes.
pub const MESHES: [&str; 7] = ["p=1", "p=2", "p=3", "p=4", "p=7", "r=2,c=2", "r=2,c=3"];

/// A small whole number.
pub fn number(seed: usize, i: usize) -> f64 {
    ((i * 7 + seed * 5 + i / 3) % 9) as f64 - 4.0
}

/// An array of whole numbers.
pub fn array(seed: usize, dims: &[usize], dtype: Dtype) -> Array {
    let n: usize = dims.iter().product();
    let real = |i| number(seed, i);
    let complex = |i| Complex64::new(real(i), number(seed + 1, i));
    let narrow = |z: Complex64| Complex::new(z.re as f32, z.im as f32);
    let array: Array = match dtype {
        Dtype::F32 => (0..n).map(|i| real(i) as f32).collect::<Vec<_>>().into(),
        Dtype::F64 => (0..n).map(real).collect::<Vec<_>>().into(),
        Dtype::C64 => (0..n).map(|i| narrow(complex(i))).collect::<Vec<_>>().into(),
        Dtype::C128 => (0..n).map(complex).collect::<Vec<_>>().into(),
    };
    array.reshape(dims).unwrap()
}

pub fn dense(seed: usize, rows: usize, columns: usize, dtype: Dtype) -> Op {
    let handle = ops::matrix_mult(Source::array(array(seed, &[rows, columns], dtype)));
    Op::new(handle.build().unwrap())
}

/// A compiled plan, for a machine on which even small work is worth being split.
pub fn placed(source: &Plan, mesh: &str) -> Plan {
    let machine = Machine::default().with_link(1e-12, 1e15).with_memory(1e6).with_flops(1e6);
    let cx = Context { mesh: Mesh::parse(mesh).unwrap(), machine, ..Context::default() };
    compile(source, &cx).unwrap_or_else(|error| panic!("{mesh}: {error}")).plan
}

fn expression(name: &'static str, y: &Vector, given: Given) -> Case {
    let Lowered { plan, operators, slots, .. } = lower(y).unwrap();
    let named = plan.slots.iter().zip(slots);
    let given = named.fold(given, |given, (slot, value)| given.slot(&slot.name, value));
    Case { name, source: plan, operators, given, block: "" }
}

fn normal(name: &'static str, a: &Op, dtype: Dtype) -> Case {
    let x = a.input("x", dtype);
    let given = Given::new().input("x", array(3, &a.dims(), dtype));
    expression(name, &(a.h() * (a * x)), given)
}

fn derivative(dims: &[usize], axis: isize) -> Op {
    Op::new(ops::first_derivative(dims.to_vec()).axis(axis).build().unwrap())
}

pub fn cases() -> Vec<Case> {
    let (f32, f64, c64, c128) = (Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128);
    let blocks = vstack([("top", &dense(1, 5, 9, f64)), ("low", &dense(2, 7, 9, f64))]).unwrap();
    let smooth = 0.5 * derivative(&[4, 6], 0);
    let mixed = vstack([("data", &dense(1, 5, 24, f64)), ("smooth", &smooth)]).unwrap();
    vec![
        normal("two dense blocks", &blocks, f64),
        normal("a dense operator in single precision", &dense(1, 6, 4, f32), f32),
        normal("a complex dense operator", &dense(1, 6, 5, c128), c128),
        normal("a complex one in single precision", &dense(1, 6, 5, c64), c64),
        normal("real data on complex vectors", &dense(1, 6, 5, f64), c128),
        normal("a stencil", &derivative(&[13], 0), f64),
        normal("a stencil on a short axis", &derivative(&[5, 3], 0), f32),
        normal("a dense block over a stencil", &mixed, f64),
        descent(),
    ]
}

/// Steepest descent: states, slots, dots, updates and control numbers.
pub fn descent() -> Case {
    let source = "
mesh 1 rank
let A = (i) <- (j) : f64[9, 9]
slot damp : f64
state x : f64[9]
state r : f64[9]
term t0 = A
block step
%0 = get x : f64[9]
%1 = get r : f64[9]
%2 = slot damp : f64[]
%3 = apply t0 %1 : f64[9]
%4 = axpy %2 %1 %3 : f64[9]
%5 = dot %1 %4 : f64[]
%6 = dot %1 %1 : f64[]
%7 = div %6 %5 : f64[]
%8 = axpy %7 %1 %0 : f64[9]
%9 = neg %7 : f64[]
%10 = axpy %9 %4 %1 : f64[9]
set x %8
set r %10
control rr %6
control alpha %7
return %8
";
    let handle = ops::matrix_mult(Source::array(array(4, &[9, 9], Dtype::F64))).build().unwrap();
    let given = Given::new()
        .state("x", array(1, &[9], Dtype::F64))
        .state("r", array(2, &[9], Dtype::F64))
        .slot("damp", 2.0);
    let source = text::parse(source).unwrap_or_else(|error| panic!("{error}"));
    Case { name: "descent", source, operators: vec![handle], given, block: "step" }
}
