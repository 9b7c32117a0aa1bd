//! Interiors that are computed while a halo travels change no bit, wherever blocks end.

mod support;

use adjoin::data::{Array, Source};
use adjoin::expr::Op;
use adjoin::ops::{self, Handle};
use adjoin::planned::Planner;
use adjoin::run::inputs;
use adjoin::runtime::device::{Host, Shadow};
use adjoin::runtime::{Program, World};
use adjoin::{Dtype, Mesh, Trace};
use adjoin_passes::calls::Call;
use adjoin_passes::lower::lower_all;
use adjoin_passes::machine::Machine;
use adjoin_passes::pipeline::run;
use adjoin_passes::plan_buffers::PlanBuffers;
use adjoin_passes::{Context, Plan, text};
use std::fmt::Write;

/// Numbers that no two orders of sums treat alike.
fn values(dims: &[usize], dtype: Dtype) -> Source {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / 8_388_608.0 - 1.0
    };
    let n = dims.iter().product();
    let pairs: Vec<_> = (0..n).map(|_| num_complex::Complex64::new(next(), next())).collect();
    let array: Array = pairs.into();
    let array = array.reshape(dims.to_vec()).unwrap();
    let array = if dtype.is_complex() { array } else { array.real_part() };
    Source::array(array.cast(dtype).unwrap())
}

/// A placed plan with buffers.
fn finished(source: &str) -> Plan {
    let plan = text::parse(source).unwrap_or_else(|error| panic!("{error}\n{source}"));
    run(&PlanBuffers, &plan, &Context::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The same plan, in which halos are waited for at once.
fn without(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.blocks.iter_mut().for_each(|block| block.splits.clear());
    plan
}

/// All results of all ranks; floats are printed exactly.
fn results(plan: &Plan, operators: &[Handle], shadow: Option<u64>) -> Vec<String> {
    let world = World::threads(plan.mesh.ranks());
    let run = world.run(|rank| {
        let binding = Program::of(plan).operators(operators);
        let binding = match shadow {
            Some(seed) => binding.device(Shadow::new(seed)),
            None => binding.device(Host::new()),
        };
        let mut program = binding.bind(rank.comm().clone())?;
        for node in &plan.blocks[0].nodes {
            if let adjoin_passes::ir::Op::Input(name) = &node.op {
                let ty = plan.blocks[0].ty(node.results[0]);
                program.load("", name, &values(&ty.dims, ty.dtype))?;
            }
        }
        // Twice, so that the second run finds what the first has left.
        program.run("")?;
        program.run("")?;
        let mut text = String::new();
        for k in 0..program.output_types("")?.len() {
            writeln!(text, "{:?}", program.output("", k)?.data).expect("text can be written");
        }
        Ok(text)
    });
    run.unwrap()
}

fn kernels_of(call: &Call) -> usize {
    match call {
        Call::Kernel(_) => 1,
        Call::Region { calls, .. } => calls.iter().map(kernels_of).sum(),
        Call::Local { .. } | Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } => 0,
    }
}

/// How many applications the ranks run in all.
fn kernels(plan: &Plan) -> usize {
    let calls = lower_all(plan);
    calls.iter().flat_map(|rank| &rank.blocks[0].calls).map(kernels_of).sum()
}

/// Splits a plan and finds the same bits; how many applications there are more than without.
fn unchanged(source: &str, operators: &[Handle]) -> usize {
    let plan = finished(source);
    assert!(!plan.blocks[0].splits.is_empty(), "{plan}");
    let plain = without(&plan);
    let expected = results(&plain, operators, None);
    assert_eq!(results(&plan, operators, None), expected, "{plan}");
    assert_eq!(results(&plan, operators, Some(5)), expected, "{plan}");
    kernels(&plan) - kernels(&plain)
}

fn second(dims: &[usize], axis: isize, dtype: Dtype) -> Handle {
    ops::second_derivative(dims).axis(axis).dtype(dtype).build().unwrap()
}

/// A stencil and its adjoint, each on a halo of its own.
fn stencils(n: usize, operator: Dtype, vector: Dtype) -> String {
    format!(
        "mesh p=4 (4 ranks)
let S = (i, j) <- (i~1:1, j) : {operator}[{n}/p, 3]
%0 = input x : {vector}[{n}/p, 3]
split
%1 = halo %0 : {vector}[{n}/p~1:1, 3]
%2 = apply S %1 : {vector}[{n}/p, 3]
end
split
%3 = halo %2 : {vector}[{n}/p~1:1, 3]
%4 = neg %0 : {vector}[{n}/p, 3]
%5 = apply S.H %3 : {vector}[{n}/p, 3]
end
%6 = add %4 %5 : {vector}[{n}/p, 3]
return %6
"
    )
}

#[test]
fn stencils_and_their_adjoints_on_uneven_thin_and_empty_blocks() {
    for (operator, vector) in [
        (Dtype::F32, Dtype::F32),
        (Dtype::F64, Dtype::F64),
        (Dtype::F32, Dtype::C64),
        (Dtype::F64, Dtype::C128),
    ] {
        // Rims at the ends of the axis are of one side only, and a single row has no interior but
        // there.
        for (n, more) in [(31, 12), (9, 4), (5, 2), (2, 0)] {
            let s = second(&[n, 3], 0, operator);
            assert_eq!(unchanged(&stencils(n, operator, vector), &[s]), more, "{n}");
        }
    }
}

#[test]
fn a_chain_has_interiors_that_shrink() {
    for n in [40, 25, 13] {
        let source = format!(
            "mesh p=3 (3 ranks)
let S = (i, j) <- (i~1:1, j) : f64[{n}/p, 4]
%0 = input x : f64[{n}/p, 4]
split
%1 = halo %0 : f64[{n}/p~2:2, 4]
%2 = apply S %1 : f64[{n}/p~1:1, 4]
%3 = apply S.H %2 : f64[{n}/p, 4]
end
return %3
"
        );
        let more = unchanged(&source, &[second(&[n, 4], 0, Dtype::F64)]);
        assert_eq!(more, if n == 13 { 6 } else { 8 });
    }
}

#[test]
fn a_stencil_and_its_adjoint_have_interiors_together() {
    for (n, more) in [(40, 4), (25, 4), (13, 2), (2, 0)] {
        for region in ["S", "S.H S"] {
            let source = format!(
                "mesh p=3 (3 ranks)
let S = (i, j) <- (i~1:1, j) : f64[{n}/p, 4]
%0 = input x : f64[{n}/p, 4]
split
%1 = halo %0 : f64[{n}/p~2:2, 4]
region {region}
%2 = apply S %1 : f64[{n}/p~1:1, 4]
%3 = apply S.H %2 : f64[{n}/p, 4]
end
end
return %3
"
            );
            let more = 2 * more;
            assert_eq!(unchanged(&source, &[second(&[n, 4], 0, Dtype::F64)]), more, "{n} {region}");
        }
    }
}

#[test]
fn interiors_on_a_grid_are_no_whole_rows() {
    let source = "mesh r=2 c=3 (6 ranks)
let L = (i, j) <- (i~1:1, j~1:1) : f32[11/r, 16/c]
let G = (a, i, j) <- (i~1:1, j~1:1) : f32[2, 11/r, 16/c]
%0 = input x : f32[11/r, 16/c, 2]
split
%1 = halo %0 : f32[11/r~1:1, 16/c~1:1, 2]
%2 = apply L %1 : f32[11/r, 16/c, 2]
%3 = apply G %1 : f32[2, 11/r, 16/c, 2]
end
split
%4 = halo %3 : f32[2, 11/r~1:1, 16/c~1:1, 2]
%5 = apply G.H %4 : f32[11/r, 16/c, 2]
end
%6 = add %2 %5 : f32[11/r, 16/c, 2]
return %6
";
    let l = ops::laplacian([11, 16]).dtype(Dtype::F32).build().unwrap();
    let g = ops::gradient([11, 16]).dtype(Dtype::F32).build().unwrap();
    assert!(unchanged(source, &[l, g]) > 30);
}

#[test]
fn operators_that_share_a_halo_and_take_no_windows() {
    let source = "mesh p=3 (3 ranks)
let C = (i, j) <- (i~1:3, j) : f64[23/p, 2]
let S = (i, j) <- (i~1:1, j) : f64[23/p, 2]
%0 = input x : f64[23/p, 2]
%1 = input y : f64[23/p, 2]
split
%2, %3 = halo %0 %1 : f64[23/p~1:3, 2], f64[23/p~3:1, 2]
%4 = apply S %2 : f64[23/p, 2]
%5 = apply C.H %3 : f64[23/p, 2]
end
%6 = add %4 %5 : f64[23/p, 2]
return %6
";
    let filter = values(&[5], Dtype::F64);
    let c = ops::convolve1d([23, 2], filter).axis(0).offset(3).build().unwrap();
    assert!(unchanged(source, &[c, second(&[23, 2], 0, Dtype::F64)]) > 4);
}

/// Cores so slow that everything is split, and a network that works beside them.
fn beside() -> Machine {
    Machine::default().with_link(1e-5, 1e10).with_launch(0.0).with_flops(1e6).with_overlap(1.0)
}

fn normal(n: usize) -> adjoin::expr::Vector {
    let l = Op::new(ops::laplacian([n, 9]).edge(true).build().unwrap()).named("L");
    l.h() * (&l * l.input("x", Dtype::F64))
}

/// What a world of ranks makes of a normal operator, with what the machine is and with another.
fn applied(world: &World, mesh: &str, n: usize) {
    let given = || inputs().part("x", values(&[n, 9], Dtype::F64));
    let planner = |machine| Planner::new(Mesh::parse(mesh).unwrap()).machine(machine);
    let split = planner(beside()).apply(&normal(n)).unwrap();
    assert!(!split.plan().blocks[0].splits.is_empty(), "{split}");
    let plain = planner(beside().with_overlap(0.0)).apply(&normal(n)).unwrap();
    assert!(plain.plan().blocks[0].splits.is_empty(), "{plain}");
    let gathered = |planned: &adjoin::planned::Planned| {
        let found = planned.run(world, &given()).unwrap().gather(0).unwrap();
        found.into_vec::<f64>().unwrap()
    };
    assert_eq!(gathered(&split), gathered(&plain), "{n} on {mesh}");
}

#[test]
fn the_machine_decides() {
    for (mesh, n) in [("p=2", 30), ("p=3", 30), ("r=2,c=2", 40)] {
        applied(&World::threads(Mesh::parse(mesh).unwrap().ranks()), mesh, n);
    }
}

#[test]
fn a_trace_shows_the_interior_beside_the_halo() {
    let (world, trace) = (World::threads(2), Trace::new());
    let planned = Planner::new(Mesh::line(2)).machine(beside()).apply(&normal(30)).unwrap();
    planned.run(&world, &inputs().part("x", values(&[30, 9], Dtype::F64)).trace(&trace)).unwrap();
    let chrome = trace.collect(&world).unwrap().unwrap().chrome();
    let json: serde_json::Value = serde_json::from_str(&chrome).unwrap();
    let events = json["traceEvents"].as_array().unwrap().iter();
    let events = events.filter(|event| event["tid"] == 0 && event["ph"] == "X");
    let names: Vec<_> = events.filter_map(|event| event["name"].as_str()).collect();
    let at = |from: usize, name: &str| {
        let found = names[from..].iter().position(|known| known.starts_with(name));
        from + found.unwrap_or_else(|| panic!("{name} in {names:?}"))
    };
    let start = at(0, "start ");
    let interior = at(start, "apply L");
    let wait = at(interior, "wait halo");
    at(wait, "apply L");
}

#[cfg(feature = "mpi")]
#[test]
fn processes_split_halos_on_a_line() {
    support::mpiexec::succeeds(3, "processes_split_halos_on_a_line", |comm| {
        applied(&World::attach(comm), "p=3", 30);
    });
}

#[cfg(feature = "mpi")]
#[test]
fn processes_split_halos_on_a_grid() {
    support::mpiexec::succeeds(4, "processes_split_halos_on_a_grid", |comm| {
        applied(&World::attach(comm), "r=2,c=2", 40);
    });
}
