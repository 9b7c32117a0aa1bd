//! Small placed plans with what their blocks must compute: what mutants are made of and judged by.

use super::check::{agree, precision};
use super::dense::{self, Dense, Z};
use adjoin::data::Source;
use adjoin::expr::{Op, Vector, family, kronecker, param, vstack};
use adjoin::ops;
use adjoin::planned::{Planned, Planner};
use adjoin::runtime::Functions;
use adjoin::runtime::sim::{self, simulate_calls};
use adjoin::solve::{Cg, Cgls, Lsqr, Settings, Solver, System};
use adjoin::{Dtype, Mesh};
use adjoin_passes::Type;
use adjoin_passes::calls::Calls;
use adjoin_passes::certify::Verdict;
use adjoin_passes::ir::{self, Plan};
use adjoin_passes::lower::lower_all;
use adjoin_passes::machine::{Machine, Memory};
use adjoin_passes::reference::{Array, Given, Outcome, evaluate};
use num_complex::Complex64;
use std::sync::Arc;

/// A plan, its data, and what each block gives.
pub struct Subject {
    pub name: &'static str,
    pub planned: Planned,
    pub calls: Vec<Calls>,
    given: sim::Given,
    states: Vec<Array<Z>>,
    /// The variables of the plan, if they mean those of its source.
    own: Option<Vec<Array<Z>>>,
    slots: Vec<Z>,
    expected: Vec<Outcome<Z>>,
    unit: f64,
}

/// A network so fast that vectors of a few elements are worth splitting.
pub fn fast() -> Machine {
    Machine::default().with_link(1e-12, 1e13).with_launch(0.0)
}

/// Cores so slow that everything is split, and calls so dear that they are shared.
fn slow() -> Machine {
    Machine::default().with_link(1e-6, 1e13).with_launch(0.0).with_flops(1e5)
}

/// Cores so slow that everything is split, and a network that sums beside work.
fn beside() -> Machine {
    Machine::default().with_link(1e-3, 1e13).with_launch(0.0).with_flops(1e4).with_overlap(1.0)
}

fn planner(mesh: &str) -> Planner {
    Planner::new(Mesh::parse(mesh).expect("a mesh")).machine(fast())
}

fn applied(mesh: &str, vector: &Vector) -> Planned {
    planner(mesh).apply(vector).unwrap_or_else(|e| panic!("{vector} on {mesh}: {e}"))
}

/// All subjects.
pub fn all() -> Vec<Subject> {
    vec![
        Subject::new("normal operator of a dense stack, 2×2", applied("r=2,c=2", &dense_normal())),
        Subject::new("step of CGLS, 3 ranks", solved(Arc::new(Cgls))),
        Subject::new("step of LSQR, 3 ranks", solved(Arc::new(Lsqr::default()))),
        Subject::new("step of LSQR in single precision, 3 ranks", single_precision()),
        Subject::new("step of LSQR with split unknowns, 3 ranks", split_unknowns(Dtype::F64)),
        Subject::new(
            "step of LSQR with split unknowns in single precision, 3 ranks",
            split_unknowns(Dtype::F32),
        ),
        Subject::new("step of CG, 2×2", normal_equations()),
        Subject::new(
            "two stencils, 3 ranks",
            planner("p=3").machine(slow()).apply(&two_stencils()).expect("a plan"),
        ),
        Subject::new(
            "two normal operators, 3 ranks",
            planner("p=3").machine(slow()).apply(&two_normals()).expect("a plan"),
        ),
        Subject::new(
            "a product after a normal operator, 3 ranks",
            planner("p=3").machine(beside()).apply(&product_and_normal()).expect("a plan"),
        ),
        Subject::new("normal operator of a stencil, 4 ranks", applied("p=4", &stencil_normal())),
        Subject::new("normal operator of a gradient, 3 ranks", gradient_normal()),
        Subject::new("a stencil beside its halo, 3 ranks", split_stencil()),
        Subject::new("Fredholm between transforms, 3 ranks", applied("p=3", &fredholm())),
        Subject::new("normal operator of a convolution, 3 ranks", convolution_normal()),
        Subject::new("normal operator of a family, 3 ranks", applied("p=3", &family_normal())),
        Subject::new("restriction of a stencil, 3 ranks", applied("p=3", &restricted())),
        Subject::new("complex with conjugates, 2×2", applied("r=2,c=2", &conjugated())),
        Subject::new("normal operator of a Kronecker product, 3 ranks", kronecker_normal()),
        Subject::new("columns of a product, 4 ranks", applied("p=4", &columns())),
        Subject::new("step of CGLS on weights, 3 ranks", weights()),
    ]
}

fn matrix(seed: u64, rows: usize, columns: usize, dtype: Dtype) -> Op {
    let source = Source::array(dense::array(seed, &[rows, columns], dtype));
    Op::new(ops::matrix_mult(source).build().expect("a matrix"))
}

fn dense_normal() -> Vector {
    let (a, b) = (matrix(1, 6, 8, Dtype::F64), matrix(2, 9, 8, Dtype::F64));
    let a = vstack([&a, &b]).expect("one domain").named("A");
    a.h() * (&a * a.input("x", Dtype::F64))
}

fn solved(solver: Arc<dyn Solver>) -> Planned {
    let l = ops::second_derivative([8]).edge(true).build().expect("a stencil");
    let (g, l) = (matrix(3, 6, 8, Dtype::F64).named("G"), Op::new(l).named("L"));
    let a = vstack([("data", &g), ("smooth", &(param("eps", 0.3) * &l))]).expect("one domain");
    let system = System::new(&a, &[Dtype::F64; 2]).expect("two parts");
    let settings = Settings { damp: 0.5, ..Settings::default() };
    let planner = planner("p=3").machine(slow());
    planner.solve(solver, &system, settings).expect("a plan")
}

/// Numbers in double precision ride on a vector in single precision.
fn single_precision() -> Planned {
    let a = matrix(17, 8, 5, Dtype::F32).named("A").on("rows p");
    let system = System::new(&a, &[Dtype::F32]).expect("one part");
    let solver = Lsqr { calc_var: false, ..Lsqr::default() };
    let planner = planner("p=3").machine(slow());
    let planned = planner.solve(Arc::new(solver), &system, Settings::default()).expect("a plan");
    let rides = |l: &str| l.contains("all_reduce") && l.contains("f32") && l.contains("f64");
    assert!(planned.to_string().lines().any(rides), "{planned}");
    planned
}

/// Numbers go with the pieces of vectors that are scattered and gathered.
fn split_unknowns(dtype: Dtype) -> Planned {
    let a = matrix(16, 8, 5, dtype).named("A").on("rows p");
    let system = System::new(&a, &[dtype]).expect("one part");
    let split = ["x", "v", "w"].map(|name| (name, "n/p"));
    let planner = planner("p=3").machine(slow());
    let planner = split.into_iter().fold(planner, |p, (name, wanted)| p.pin(name, wanted));
    let solver = Lsqr { calc_var: false, ..Lsqr::default() };
    let planned = planner.solve(Arc::new(solver), &system, Settings::default()).expect("a plan");
    let text = planned.to_string();
    let carries = |op: &str| text.lines().any(|l| l.contains(op) && l.contains(", %"));
    assert!(carries("reduce_scatter") && carries("all_gather"), "{planned}");
    planned
}

fn normal_equations() -> Planned {
    let a = matrix(9, 6, 8, Dtype::F64).named("A");
    let system = System::new(&(a.h() * &a), &[Dtype::F64]).expect("a square operator");
    planner("r=2,c=2").solve(Arc::new(Cg), &system, Settings::default()).expect("a plan")
}

/// Stencils on two inputs, whose neighbours are asked at once.
fn two_stencils() -> Vector {
    let d = Op::new(ops::first_derivative([12]).build().expect("a stencil")).named("D");
    let l = Op::new(ops::second_derivative([12]).build().expect("a stencil")).named("L");
    let (x, y) = (d.input("x", Dtype::F64), l.input("y", Dtype::F64));
    adjoin::expr::stack([&d * &x, &l * &y]).expect("two parts")
}

/// Normal operators that share an input and whose sums are independent.
fn two_normals() -> Vector {
    let (a, b) =
        (matrix(12, 40, 5, Dtype::F64).named("A"), matrix(13, 30, 5, Dtype::F64).named("B"));
    let x = adjoin::expr::input("x", [5], Dtype::F64);
    adjoin::expr::stack([a.h() * (&a * &x), b.h() * (&b * &x)]).expect("two parts")
}

/// A product that is written before a sum over the ranks, and runs beside it.
fn product_and_normal() -> Vector {
    let (a, b) =
        (matrix(14, 20, 5, Dtype::F64).named("A"), matrix(15, 40, 5, Dtype::F64).named("B"));
    let (x, y) = (a.input("x", Dtype::F64), b.input("y", Dtype::F64));
    adjoin::expr::stack([&b * &y, a.h() * (&a * &x)]).expect("two parts")
}

fn stencil_normal() -> Vector {
    let l = ops::laplacian([12, 3]).weights([1.0, 0.5]).edge(true).build().expect("a stencil");
    let l = Op::new(l).named("L");
    l.h() * (&l * l.input("x", Dtype::F64))
}

/// A gradient and its adjoint as one stencil, as a message takes longer than some rows.
fn gradient_normal() -> Planned {
    let g = ops::gradient([12, 3]).edge(true).build().expect("a stencil");
    let g = Op::new(g).named("G");
    let normal = g.h() * (&g * g.input("x", Dtype::F64));
    let machine = Machine::default().with_link(1e-3, 1e13).with_launch(0.0).with_flops(1e5);
    let planned = planner("p=3").machine(machine).apply(&normal).expect("a plan");
    assert!(planned.to_string().contains("region G.H G"), "{planned}");
    planned
}

/// A stencil whose interior is computed while its halo travels.
fn split_stencil() -> Planned {
    let d = ops::second_derivative([18]).build().expect("a stencil");
    let d = Op::new(d).named("D");
    let planner = planner("p=3").machine(beside().with_link(1e-5, 1e13));
    let planned = planner.apply(&(&d * d.input("x", Dtype::F64))).expect("a plan");
    assert!(!planned.plan().blocks[0].splits.is_empty(), "{planned}");
    planned
}

fn fredholm() -> Vector {
    let f = ops::fft([8, 3, 2]).axis(0).real(true).build().expect("a transform");
    let g = Source::array(dense::array(4, &[5, 4, 3], Dtype::C128));
    let k = Op::new(ops::fredholm1(g).nz(2).build().expect("an integral")).named("K");
    let back = ops::fft([8, 4, 2]).axis(0).real(true).build().expect("a transform");
    let (f, back) = (Op::new(f).named("F"), Op::new(back).named("Ft"));
    let a = back.h() * &k * &f;
    &a * a.input("x", Dtype::F64)
}

/// Two convolutions in many dims without a transform between them.
fn convolution_normal() -> Planned {
    let g = Source::array(dense::array(17, &[4, 5, 3], Dtype::C128));
    let m = ops::mdc(g, 9, 2).build().expect("a convolution");
    let planned = applied("p=3", &(m.h() * (&m * m.input("x", Dtype::F64))));
    assert!(planned.to_string().contains("= project "), "{planned}");
    planned
}

fn family_normal() -> Vector {
    let blocks =
        family(0..7, |i| Ok(matrix(10 + i as u64, [3, 1, 4, 2, 5, 2, 3][i], 4, Dtype::F64)));
    let a = blocks.and_then(|f| f.vstack()).expect("one domain").named("A");
    a.h() * (&a * a.input("x", Dtype::F64))
}

fn restricted() -> Vector {
    let d = ops::first_derivative([11]).build().expect("a stencil");
    let r = ops::restriction(11, [0, 1, 4, 5, 9, 10]).build().expect("a restriction");
    let s = ops::restriction(11, [7, 2, 2, 10]).build().expect("a restriction");
    let (d, r, s) = (Op::new(d).named("D"), Op::new(r).named("R"), Op::new(s).named("S"));
    let a = vstack([&r, &s]).expect("one domain") * &d;
    a.h() * (&a * a.input("x", Dtype::F32))
}

fn conjugated() -> Vector {
    let (a, b) = (matrix(5, 6, 5, Dtype::C128).named("A"), matrix(6, 6, 5, Dtype::C64).named("B"));
    let alpha = param("alpha", Complex64::new(0.5, -0.75));
    let x = a.input("x", Dtype::C128);
    a.t() * ((alpha * &b).conj() * x.conj() - &a * &x)
}

/// Products of the operands between two transpositions, which the compiler adds.
fn kronecker_normal() -> Planned {
    let (a, b) =
        (matrix(18, 5, 4, Dtype::C128).named("A"), matrix(19, 9, 3, Dtype::F64).named("B"));
    let k = kronecker(&a, &b).expect("two operators").named("K");
    let planned = applied("p=3", &(k.h() * &k * k.input("x", Dtype::C128)));
    assert_eq!(planned.plan().leaves.len(), 3, "{planned}");
    planned
}

/// A step that begins with the update of its direction, and makes products again.
fn weights() -> Planned {
    let weights = Source::array(dense::array(18, &[7], Dtype::C128));
    let a = Op::new(ops::diagonal(weights).build().expect("weights")).named("D");
    let system = System::new(&a, &[Dtype::C128]).expect("one part");
    let settings = Settings { damp: 0.5, ..Settings::default() };
    let planner = planner("p=3").machine(cached());
    let planned = planner.solve(Arc::new(Cgls), &system, settings).expect("a plan");
    let passes: Vec<_> = planned.trace().iter().map(|(pass, _)| *pass).collect();
    assert!(["rotate-updates", "rematerialise"].iter().all(|p| passes.contains(p)), "{planned}");
    planned
}

/// Caches of which it is known that they keep nothing, and a memory that is slow.
fn cached() -> Machine {
    let level = |within, bandwidth| Memory { within, bandwidth, total: None };
    Machine { memory: vec![level(Some(1.0), 1e9), level(None, 1e6)], ..slow().with_flops(1e9) }
}

fn columns() -> Vector {
    let (a, b) = (matrix(7, 4, 9, Dtype::F64).named("A"), matrix(8, 9, 4, Dtype::F64).named("B"));
    let eps = param("eps", 0.3);
    let x = adjoin::expr::input("x", [4, 2], Dtype::F64);
    let y = adjoin::expr::input("y", [9, 2], Dtype::F64);
    &a * (&b * &x - eps * y) + &x
}

/// What variables of the plan mean for its source.
fn meaning(planned: &Planned, own: &[Array<Z>], slots: &[Z]) -> Vec<Array<Z>> {
    let meant = planned.compiled().meant.as_ref().expect("a plan that means something");
    let input = |name: &str, _: &[usize]| panic!("the meaning asks for {name}");
    let given = Given { inputs: &input, states: own, slots };
    let mut leaves = Dense::new(planned.operators());
    let block = meant.meaning().expect("a block that says so");
    evaluate(meant, block, &given, &mut leaves).expect("the reference").outputs
}

impl Subject {
    fn new(name: &'static str, planned: Planned) -> Self {
        assert_eq!(*planned.verdict(), Verdict::Proven, "{name}\n{planned}");
        let source = planned.source();
        let made = |ty: &Type, seed: usize| dense::array(50 + seed as u64, &ty.dims, ty.dtype);
        let exact = |a: &adjoin::data::Array| Array {
            dims: a.dims().to_vec(),
            data: a.elements().widest().into_iter().map(Z::new).collect(),
        };
        let mut given = sim::Given::new();
        let (mut inputs, mut states) = (Vec::new(), Vec::new());
        let meant = planned.compiled().meant.as_ref();
        for (k, state) in meant.unwrap_or(source).states.iter().enumerate() {
            let array = made(&state.ty, k);
            states.push(exact(&array));
            given = given.state(&state.name, Source::array(array));
        }
        for block in &source.blocks {
            for node in &block.nodes {
                if let ir::Op::Input(input) = &node.op {
                    let array = made(block.ty(node.results[0]), 20 + inputs.len());
                    inputs.push((input.clone(), exact(&array)));
                    given = given.input(input, Source::array(array));
                }
            }
        }
        for (slot, value) in source.slots.iter().zip(planned.slots()) {
            given = given.slot(&slot.name, *value);
        }
        let slots: Vec<_> = planned.slots().iter().map(|v| Z::new(*v)).collect();
        let input = |name: &str, _: &[usize]| {
            inputs.iter().find(|(known, _)| known == name).expect("a given input").1.clone()
        };
        let own = meant.map(|meant| {
            let names =
                |plan: &Plan| plan.states.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(meant), names(planned.plan()), "{name} drops a variable");
            states.clone()
        });
        let states = own.as_deref().map_or(states, |own| meaning(&planned, own, &slots));
        let from = Given { inputs: &input, states: &states, slots: &slots };
        let mut leaves = Dense::new(planned.operators());
        let mut block = |b| evaluate(source, b, &from, &mut leaves).expect("the reference");
        let expected = source.blocks.iter().map(&mut block).collect();
        let unit = precision(source).max(precision(planned.plan()));
        let calls = lower_all(planned.plan());
        let subject = Subject { name, planned, calls, given, states, own, slots, expected, unit };
        subject.judge(subject.planned.plan(), &subject.calls).expect("the plan itself");
        subject
    }

    /// Runs calls of a plan in full and compares all that they give with what they should.
    pub fn judge(&self, plan: &Plan, calls: &[Calls]) -> Result<(), String> {
        for (block, want) in self.planned.source().blocks.iter().zip(&self.expected) {
            let operators = self.planned.operators();
            let run = simulate_calls(
                plan,
                calls,
                operators,
                &Functions::default(),
                &self.given,
                &block.name,
            );
            self.compare(want, &run.map_err(|e| e.to_string())?)?;
        }
        Ok(())
    }

    fn compare(&self, want: &Outcome<Z>, have: &sim::Outcome) -> Result<(), String> {
        let outputs: Vec<_> = have.outputs.iter().map(|a| a.elements().widest()).collect();
        agree(&want.outputs, &outputs, self.unit)?;
        if want.controls.len() != have.controls.len() {
            return Err("another number of controls".into());
        }
        for ((_, want), (_, have)) in want.controls.iter().zip(&have.controls) {
            agree(std::slice::from_ref(want), std::slice::from_ref(have), self.unit)?;
        }
        let mut left: Vec<_> = have.states.iter().map(|(_, a)| a.elements().widest()).collect();
        if let Some(own) = &self.own {
            if left.len() != own.len() {
                return Err("a state is missing".into());
            }
            let array = |(own, left): (&Array<Z>, Vec<Complex64>)| Array {
                dims: own.dims.clone(),
                data: left.into_iter().map(Z::new).collect(),
            };
            let own: Vec<_> = own.iter().zip(left).map(array).collect();
            let means = meaning(&self.planned, &own, &self.slots);
            left = means.iter().map(|array| array.data.iter().map(|z| z.value).collect()).collect();
        }
        for (s, given) in self.states.iter().enumerate() {
            let set = want.states.iter().find(|(k, _)| *k as usize == s).map(|(_, array)| array);
            let have = left.get(s).cloned().ok_or("a state is missing")?;
            agree(std::slice::from_ref(set.unwrap_or(given)), &[have], self.unit)?;
        }
        Ok(())
    }
}
