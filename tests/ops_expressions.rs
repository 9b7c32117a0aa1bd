//! Operators as plans, leaves and expressions of others: what PyLops gives is what every mesh gives,
//! forward and adjoint, on simulated ranks and on threads; what expressions are made of; how they
//! are placed.

mod support;

use adjoin::data::{Array, Region, Source};
use adjoin::expr::{Op, Vector};
use adjoin::machine::Machine;
use adjoin::ops::{self, OperatorError};
use adjoin::planned::{Planned, Planner};
use adjoin::run::inputs;
use adjoin::runtime::{Functions, World, sim};
use adjoin::{Dtype, Mesh};
use adjoin_passes::certify::Verdict;
use num_complex::Complex64;
use support::reference::{self, Case};
use support::tiles::error;

fn meshes() -> Vec<Mesh> {
    let mut meshes: Vec<_> = [1, 2, 3, 4, 7].map(Mesh::line).into();
    meshes.extend([Mesh::grid(2, 2), Mesh::grid(2, 3)]);
    meshes
}

fn plan(vector: &Vector, mesh: &Mesh) -> Planned {
    let planned = Planner::new(mesh.clone()).apply(vector).unwrap();
    assert_eq!(*planned.verdict(), Verdict::Proven, "{vector} on {mesh}");
    planned
}

fn array(dims: &[usize], dtype: Dtype, values: &[Complex64]) -> Source {
    let array = Array::new(dims.to_vec(), values.to_vec()).unwrap();
    let source = Source::array(array);
    let source = if dtype.is_complex() { source } else { source.real_part() };
    source.cast(dtype).unwrap()
}

fn simulated(planned: &Planned, x: &Source) -> Vec<Complex64> {
    let mut given = sim::Given::new().input("x", x.clone());
    for (slot, value) in planned.plan().slots.iter().zip(planned.slots()) {
        given = given.slot(&slot.name, *value);
    }
    let block = &planned.plan().blocks[0].name;
    let outcome =
        sim::simulate(planned.plan(), planned.operators(), &Functions::new(), &given, block);
    outcome.unwrap().outputs.into_iter().flat_map(widest).collect()
}

fn threaded(planned: &Planned, x: &Source) -> Vec<Complex64> {
    let world = World::threads(planned.plan().mesh.ranks());
    widest(planned.run(&world, &inputs().part("x", x.clone())).unwrap().gather_flat().unwrap())
}

fn widest(array: Array) -> Vec<Complex64> {
    array.cast(Dtype::C128).and_then(Array::into_vec).unwrap()
}

/// Forward and adjoint, on a machine on which even small arrays are worth splitting; whether
/// something was split.
fn check(case: &Case, mesh: &Mesh) -> bool {
    let machine = Machine::default().with_link(1e-12, 1e15).with_memory(1e6).with_flops(1e6);
    let planner = Planner::new(mesh.clone()).machine(machine);
    let op = Op::from(case.built()).named("A");
    assert_eq!((op.dims(), op.dimsd()), (case.dims.clone(), case.dimsd.clone()), "{}", case.id);
    let adjoint = op.h();
    let mut split = false;
    for (op, dtype, from, to) in [(&op, case.x_dtype, "x", "y"), (&adjoint, case.y_dtype, "u", "v")]
    {
        let planned = planner.apply(&(op * op.input("x", dtype))).unwrap();
        assert_eq!(*planned.verdict(), Verdict::Proven, "{} on {mesh}\n{planned}", case.id);
        split |= planned.plan().leaves.iter().flat_map(|l| &l.tile).any(|s| !s.axes.is_empty());
        let input = array(&op.dims(), dtype, &case.array(from));
        let wanted = case.array(to);
        for found in [simulated(&planned, &input), threaded(&planned, &input)] {
            let error = error(&found, &wanted);
            assert!(error <= case.rtol, "{} to {to} on {mesh}: {error:.1e}\n{planned}", case.id);
        }
    }
    split
}

/// Every so manieth case, so that tests run side by side.
fn every(cases: &[Case], nth: usize) {
    let mine: Vec<_> = cases.iter().skip(nth).step_by(4).collect();
    let all = || meshes().into_iter().filter(|mesh| mesh.ranks() > 1);
    let (mut split, mut runs) = (0, 0);
    for case in &mine {
        check(case, &Mesh::line(1));
        split += all().filter(|mesh| check(case, mesh)).count();
        runs += all().count();
    }
    println!("{} cases, split in {split} of {runs}", mine.len());
    assert!(2 * split >= runs, "only {split} of {runs} are split");
}

#[test]
fn expressions_on_every_mesh() {
    (0..4).for_each(|nth| every(&reference::expressions(), nth));
}

#[test]
fn operators_on_every_mesh_0() {
    every(&reference::operators(), 0);
}

#[test]
fn operators_on_every_mesh_1() {
    every(&reference::operators(), 1);
}

#[test]
fn operators_on_every_mesh_2() {
    every(&reference::operators(), 2);
}

#[test]
fn operators_on_every_mesh_3() {
    every(&reference::operators(), 3);
}

fn count(plan: &str, call: &str) -> usize {
    plan.lines().filter(|line| line.contains(&format!("= {call} "))).count()
}

/// `F.H @ (D @ (F @ x))` for arrays of `dims`, the first two axes transformed.
fn filtered(dims: &[usize]) -> Vector {
    let f = ops::fft2d(dims).axes([0, 1]).build().unwrap().named("F");
    let weights = Source::function(dims, |r: &Region| vec![2.0; r.len()]);
    let d = Op::new(ops::diagonal(weights).dims(dims).build().unwrap()).named("D");
    f.h() * (&d * (&f * f.input("x", Dtype::C128)))
}

#[test]
fn an_axis_that_is_not_transformed_is_split_and_nothing_is_sent() {
    for ranks in [2, 4] {
        let planned = plan(&filtered(&[64, 64, 16]), &Mesh::line(ranks));
        assert!(planned.to_string().contains("comm 0 calls"), "{planned}");
    }
}

#[test]
fn transforms_of_all_axes_exchange_twice_or_less() {
    for ranks in [2, 4] {
        let planned = plan(&filtered(&[64, 48]), &Mesh::line(ranks));
        let text = planned.to_string();
        println!("{text}");
        assert!(count(&text, "all_to_all") <= 2, "{text}");
        assert_eq!(count(&text, "all_gather") + count(&text, "all_reduce"), 0, "{text}");
    }
}

/// `M.H @ (M @ x)` on ranks in a line.
fn normal_mdc(nv: usize, ranks: usize) -> String {
    let g = Source::function([50, 36, 24], |r: &Region| vec![Complex64::I; r.len()]);
    let m = ops::mdc(g, 127, nv).build().unwrap().named("M");
    plan(&(m.h() * (&m * m.input("x", Dtype::F64))), &Mesh::line(ranks)).to_string()
}

fn line_of<'a>(plan: &'a str, leaf: &str) -> &'a str {
    let start = format!("let {leaf} ");
    plan.lines().find(|line| line.starts_with(&start)).unwrap()
}

#[test]
fn each_rank_of_a_convolution_in_many_dimensions_has_a_part_of_the_kernel() {
    assert!(line_of(&normal_mdc(1, 1), "Fredholm1").ends_with("c128[50, 36, 1, 24]"));
    for ranks in [2, 3] {
        let text = normal_mdc(1, ranks);
        println!("{text}");
        let kernel = line_of(&text, "Fredholm1");
        let split = ["[50/p, 36, 1, 24]", "[50, 36/p, 1, 24]", "[50, 36, 1, 24/p]"];
        assert!(split.iter().any(|split| kernel.ends_with(split)), "{text}");
        let calls: usize = ["all_gather", "reduce_scatter", "all_to_all", "all_reduce"]
            .iter()
            .map(|call| count(&text, call))
            .sum();
        assert!(calls <= 4 && count(&text, "all_reduce") == 0, "{text}");
    }
}

#[test]
fn virtual_sources_are_convolved_without_a_message() {
    for ranks in [2, 3] {
        let text = normal_mdc(6, ranks);
        assert!(text.contains("comm 0 calls"), "{text}");
    }
}

#[test]
fn traces_are_modelled_without_a_message_and_times_with_halos() {
    let wav = Source::function([21], |r: &Region| vec![0.5; r.len()]);
    let of = |samples: usize, traces: usize| {
        let of = ops::poststack_linear_modelling(wav.clone(), samples).spatdims(traces);
        let of = of.build().unwrap().named("P");
        plan(&(&of * of.input("x", Dtype::F64)), &Mesh::line(4)).to_string()
    };
    let traces = of(64, 32);
    assert!(traces.contains("comm 0 calls"), "{traces}");
    let times = of(1 << 20, 1);
    println!("{times}");
    // One exchange for the derivative and the convolution behind it.
    assert_eq!(count(&times, "halo"), 1, "{times}");
    assert!(times.contains("comm 1 call,"), "{times}");
}

#[test]
fn constructors_say_what_is_wrong() {
    fn message(made: Result<Op, OperatorError>) -> String {
        made.err().unwrap().0
    }
    let g = |dims: [usize; 3]| Source::zeros(dims, Dtype::C128);
    let wav = |dims: &[usize]| Source::zeros(dims, Dtype::F64);
    let model = |dims: &[usize]| ops::poststack_linear_modelling(wav(dims), 20);
    let cases = [
        (message(ops::fft2d([4, 5]).axes([0]).build()), "FFT2D: axes [0] must be two"),
        (
            message(ops::fft2d([4, 5]).axes([1, -1]).build()),
            "FFT2D: axis -1 occurs twice in axes [1, -1]",
        ),
        (
            message(ops::fftnd([4, 5, 6]).nffts([8, 8]).build()),
            "FFTND: nffts has 2 values for 3 axes",
        ),
        (
            message(ops::fftnd([4, 5, 6]).nffts([8, 0, 8]).build()),
            "FFTND: nffts [8, 0, 8] must be 1 or more",
        ),
        (
            message(ops::mdc(g([4, 3, 2]), 10, 1).build()),
            "MDC: nt is 10, and must be odd with twosided=True",
        ),
        (
            message(ops::mdc(g([9, 3, 2]), 15, 1).build()),
            "MDC: G has 9 frequencies, and nt 15 has only 8",
        ),
        (
            message(ops::mdc(wav(&[4, 4]), 15, 1).build()),
            "MDC: G has dims [4, 4], and must have three",
        ),
        (
            message(model(&[5]).kind(ops::Kind::Backward).build()),
            "PoststackLinearModelling: kind is backward, and must be forward or centered",
        ),
        (
            message(model(&[5, 9]).build()),
            "PoststackLinearModelling: wav has dims [5, 9], and must be one wavelet or one for \
             each of 20 samples",
        ),
        (
            message(ops::smoothingnd([3, 3], [8, 8, 8]).axes([0]).build()),
            "SmoothingND: nsmooth [3, 3] and axes [0] must have as many numbers",
        ),
    ];
    for (found, wanted) in cases {
        assert_eq!(found, wanted);
    }
}
