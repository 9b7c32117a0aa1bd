//! Regions change no bit, on any number of ranks and of their threads.

use adjoin::Dtype;
use adjoin::data::{Array, Source};
use adjoin::ops::{self, Handle, Tile};
use adjoin::runtime::device::{Host, Shadow};
use adjoin::runtime::{Program, World};
use adjoin_passes::fuse_updates::FuseUpdates;
use adjoin_passes::machine::{Machine, Memory};
use adjoin_passes::one_pass_normal::OnePassNormal;
use adjoin_passes::pipeline::{Pass, run};
use adjoin_passes::plan_buffers::PlanBuffers;
use adjoin_passes::region::passing_buffers;
use adjoin_passes::rematerialise::Rematerialise;
use adjoin_passes::{Context, Plan, text};
use std::fmt::Write;

/// Numbers that no two orders of sums treat alike.
fn values(dims: &[usize], dtype: Dtype) -> Source {
    let n = dims.iter().product::<usize>() * 2;
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / 8_388_608.0 - 1.0
    };
    let pairs: Vec<_> = (0..n / 2).map(|_| num_complex::Complex64::new(next(), next())).collect();
    let array: Array = pairs.into();
    let array = array.reshape(dims.to_vec()).unwrap();
    let array = if dtype.is_complex() { array } else { array.real_part() };
    Source::array(array.cast(dtype).unwrap())
}

/// A placed plan after the passes that make regions and buffers.
fn finished(source: &str, ranks: usize) -> Plan {
    let source = source.replace("mesh", &format!("mesh p={ranks}"));
    let plan = text::parse(&source).unwrap_or_else(|error| panic!("{error}"));
    let passes: [&dyn Pass; 4] = [&OnePassNormal, &FuseUpdates, &Rematerialise, &PlanBuffers];
    let level = |within| Memory { within, bandwidth: 1e6, total: None };
    let memory = vec![level(Some(1.0)), level(None)];
    let machine = Machine { memory, ..Machine::default() };
    let cx = Context { machine, ..Context::default() };
    let one = |plan: Plan, pass: &&dyn Pass| {
        run(*pass, &plan, &cx).unwrap_or_else(|error| panic!("{error}"))
    };
    passes.iter().fold(plan, one)
}

/// The same plan without regions: with the same buffers, or with one for each value.
fn without(plan: &Plan, shared: bool) -> Plan {
    let mut plan = plan.clone();
    for block in &mut plan.blocks {
        block.regions.clear();
        if !shared {
            block.buffers = None;
        }
    }
    plan
}

/// All results of all ranks; floats are printed exactly.
fn results(
    plan: &Plan,
    operator: &Handle,
    inputs: &[(&str, Source)],
    (threads, shadow): (usize, Option<u64>),
) -> Vec<String> {
    let world = World::threads(plan.mesh.ranks()).with_crews(threads, 1).unwrap();
    let run = world.run(|rank| {
        let operators = [operator.clone()];
        let binding = Program::of(plan).operators(&operators);
        let binding = match shadow {
            Some(seed) => binding.device(Shadow::new(seed)),
            None => binding.device(Host::new()),
        };
        let mut program = binding.bind(rank.comm().clone())?;
        for (name, source) in inputs {
            program.load("", name, source)?;
        }
        program.set_slot("w", 0.3.into())?;
        program.run("")?;
        let count = program.output_types("")?.len();
        let mut text = String::new();
        for k in 0..count {
            writeln!(text, "{:?}", program.output("", k)?.data).expect("text can be written");
        }
        Ok(text)
    });
    run.unwrap()
}

fn unchanged(source: &str, operator: &Handle, inputs: &[(&str, Source)]) {
    for ranks in [1, 2, 3] {
        let plan = finished(source, ranks);
        assert!(!plan.blocks[0].regions.is_empty(), "{plan}");
        let expected = results(&without(&plan, false), operator, inputs, (1, None));
        assert!(expected[0].len() > 100, "{expected:?}");
        let plain = without(&plan, true);
        assert!(results(&plain, operator, inputs, (1, None)) == expected, "{plan}");
        assert!(results(&plan, operator, inputs, (1, Some(7))) == expected, "{plan}");
        for threads in [1, 2, 3] {
            let found = results(&plan, operator, inputs, (threads, None));
            assert!(found == expected, "{threads} threads: {plan}");
        }
        assert!(results(&plain, operator, inputs, (3, None)) == expected, "{plan}");
    }
}

#[test]
fn dense_normal_operators_keep_every_bit() {
    for dtype in [Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128] {
        for batch in ["", ", 3"] {
            // Several panels on each rank, and a last one that is not full.
            dense(dtype, batch, 1501, 300);
        }
    }
}

/// Whatever has a sum of its own ends or is about to, on one rank or on several.
#[test]
fn dense_normal_operators_keep_every_bit_around_blocks_of_panels() {
    for dtype in [Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128] {
        let a = ops::matrix_mult(values(&[2000, 260], dtype)).build().unwrap();
        let tile = a.build(&Tile::whole(a.signature(), dtype)).unwrap();
        let panels = tile.panels().unwrap();
        let block = panels.rows(panels.block().unwrap()).start;
        assert!(128 <= block && 2 * block < 1900, "{block} rows");
        for rows in [block - 1, block, block + 1, 2 * block, 2 * block + 9] {
            dense(dtype, "", rows, 260);
        }
        dense(dtype, ", 3", 2 * block + 1, 260);
    }
}

/// A matrix and its adjoint, with a batch, and updates and a sum between them.
fn dense(dtype: Dtype, batch: &str, rows: usize, cols: usize) {
    let dot = if dtype.is_complex() { "c128" } else { "f64" };
    let source = format!(
        "mesh
let A = (i) <- (j) : {dtype}[{rows}/p, {cols}]
slot w : f64
%0 = input x : {dtype}[{cols}{batch}]
%1 = input y : {dtype}[{rows}/p{batch}]
%2 = slot w : f64[]
%3 = apply A %0 : {dtype}[{rows}/p{batch}]
%4 = axpy %2 %3 %1 : {dtype}[{rows}/p{batch}]
%5 = neg %4 : {dtype}[{rows}/p{batch}]
%6 = conj %5 : {dtype}[{rows}/p{batch}]
%7 = apply A.H %6 : {dtype}[{cols}{batch}] +p
%8 = all_reduce p %7 : {dtype}[{cols}{batch}]
%9 = dot %5 %5 : {dot}[] +p
%10 = all_reduce p %9 : {dot}[]
return %8 %10
"
    );
    let a = ops::matrix_mult(values(&[rows, cols], dtype)).build().unwrap();
    let dims = |n| if batch.is_empty() { vec![n] } else { vec![n, 3] };
    let inputs = [("x", values(&dims(cols), dtype)), ("y", values(&dims(rows), dtype))];
    unchanged(&source, &a, &inputs);
}

#[test]
fn stencils_and_their_adjoints_keep_every_bit() {
    for dtype in [Dtype::F32, Dtype::C128] {
        // Several blocks along two axes on each rank, and last ones that are not full.
        let dims = [25, 40, 190];
        let source = format!(
            "mesh
let G = (l!, i, j, k) <- (i~1:1, j~1:1, k~1:1) : {dtype}[3, 25/p, 40, 190]
slot w : f64
%0 = input x : {dtype}[25/p, 40, 190]
%1 = halo %0 : {dtype}[25/p~1:1, 40, 190]
%2 = apply G %1 : {dtype}[3, 25/p, 40, 190]
%3 = slot w : f64[]
%4 = apply G.H %2 : {dtype}[25/p~+1:1, 40, 190]
%5 = halo_sum %4 : {dtype}[25/p, 40, 190]
%6 = scale %3 %5 : {dtype}[25/p, 40, 190]
return %6
"
        );
        let gradient = ops::gradient(dims).edge(true).dtype(dtype).build().unwrap();
        unchanged(&source, &gradient, &[("x", values(&dims, dtype))]);
    }
}

#[test]
fn fredholm_integrals_keep_every_bit() {
    let g = ops::fredholm1(values(&[7, 200, 150], Dtype::C64)).nz(2).build().unwrap();
    let source = "mesh
let G = (k, i, z) <- (k, j, z) : c64[7/p, 200, 2, 150]
slot w : f64
%0 = input x : c64[7/p, 150, 2]
%1 = slot w : f64[]
%2 = apply G %0 : c64[7/p, 200, 2]
%3 = scale %1 %2 : c64[7/p, 200, 2]
%4 = apply G.H %3 : c64[7/p, 150, 2]
return %4
";
    unchanged(source, &g, &[("x", values(&[7, 150, 2], Dtype::C64))]);
}

/// Updates of each kind around the sums of blocks, some of them in place.
fn updates(n: usize, dtype: Dtype) -> String {
    let dot = if dtype.is_complex() { "c128" } else { "f64" };
    let other = if dtype == Dtype::F32 { Dtype::F64 } else { Dtype::F32 };
    let other = if dtype.is_complex() { dtype } else { other };
    format!(
        "mesh
let D = (i) <- (i) diagonal : {dtype}[{n}/p]
slot w : f64
%0 = input x : {dtype}[{n}/p]
%1 = input y : {dtype}[{n}/p]
%2 = slot w : f64[]
%3 = apply D %0 : {dtype}[{n}/p]
%4 = axpy %2 %3 %1 : {dtype}[{n}/p]
%5 = dot %4 %0 : {dot}[] +p
%6 = apply D.H %4 : {dtype}[{n}/p]
%7 = scale %2 %6 : {dtype}[{n}/p]
%8 = axpy %2 %7 %0 : {dtype}[{n}/p]
%9 = soft %8 %2 : {dtype}[{n}/p]
%10 = dot real %9 %9 : f64[] +p
%11 = cast %9 : {other}[{n}/p]
%12 = neg %11 : {other}[{n}/p]
%13 = conj %12 : {other}[{n}/p]
%14 = dot %13 %13 : {dot}[] +p
%15 = all_reduce p %5 : {dot}[]
%16 = all_reduce p %10 : f64[]
%17 = all_reduce p %14 : {dot}[]
%18 = add %7 %4 %9 : {dtype}[{n}/p]
return %13 %15 %16 %17 %18
"
    )
}

#[test]
fn updates_keep_every_bit() {
    for dtype in [Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128] {
        // Around the edges of blocks of sums, on one rank or on several.
        for n in [7, 1023, 1024, 1025, 2049, 6144, 30_011] {
            let d = ops::diagonal(values(&[n], dtype)).build().unwrap();
            let inputs = [("x", values(&[n], dtype)), ("y", values(&[n], dtype))];
            unchanged(&updates(n, dtype), &d, &inputs);
        }
    }
}

/// Updates with numbers and diagonals for columns, and sums of each column.
fn updates_of_columns(n: usize, columns: usize, dtype: Dtype) -> String {
    let dot = if dtype.is_complex() { "c128" } else { "f64" };
    format!(
        "mesh
let D = (i) <- (i) diagonal : {dtype}[{n}/p]
slot w : f64
%0 = input x : {dtype}[{n}/p, {columns}]
%1 = input y : {dtype}[{n}/p, {columns}]
%2 = input factors : f64[{columns}]
%3 = apply D %0 : {dtype}[{n}/p, {columns}]
%4 = axpy %2 %3 %1 : {dtype}[{n}/p, {columns}]
%5 = dot columns=1 %4 %0 : {dot}[{columns}] +p
%6 = apply D.H %4 : {dtype}[{n}/p, {columns}]
%7 = scale %2 %6 : {dtype}[{n}/p, {columns}]
%8 = axpy %2 %7 %0 : {dtype}[{n}/p, {columns}]
%9 = dot real columns=1 %8 %8 : f64[{columns}] +p
%10 = all_reduce p %5 : {dot}[{columns}]
%11 = all_reduce p %9 : f64[{columns}]
return %8 %10 %11
"
    )
}

#[test]
fn updates_of_columns_keep_every_bit() {
    for dtype in [Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128] {
        // Around the edges of what is summed together, on one rank or on several.
        for (n, columns) in [(7, 3), (640, 3), (2049, 3), (5000, 16), (641, 33), (100, 300)] {
            let d = ops::diagonal(values(&[n], dtype)).build().unwrap();
            let x = values(&[n, columns], dtype);
            let inputs = [("x", x.clone()), ("y", x), ("factors", values(&[columns], Dtype::F64))];
            let source = updates_of_columns(n, columns, dtype);
            unchanged(&source, &d, &inputs);
            let regions = finished(&source, 2).blocks[0].regions.clone();
            assert_eq!(regions.iter().map(|r| r.nodes().len()).sum::<usize>(), 7, "{regions:?}");
        }
    }
}

/// Elements that two regions need, with a sum between them; the second one makes them again.
#[test]
fn what_is_made_again_keeps_every_bit() {
    for dtype in [Dtype::F32, Dtype::F64, Dtype::C64, Dtype::C128] {
        for (n, batch) in [(7, ""), (1025, ""), (30_011, ""), (5000, ", 3")] {
            let ty = format!("{dtype}[{n}/p{batch}]");
            let source = format!(
                "mesh
let D = (i) <- (i) diagonal : {dtype}[{n}/p]
slot w : f64
%0 = input x : {ty}
%1 = input y : {ty}
%2 = slot w : f64[]
%3 = apply D %0 : {ty}
%4 = axpy %2 %3 %1 : {ty}
%5 = dot real %4 %4 : f64[] +p
%6 = all_reduce p %5 : f64[]
%7 = axpy %6 %4 %0 : {ty}
%8 = apply D.H %7 : {ty}
%9 = add %8 %1 : {ty}
%10 = dot real %9 %9 : f64[] +p
%11 = all_reduce p %10 : f64[]
return %7 %9 %11
"
            );
            let plan = finished(&source, 2);
            let applied = plan.to_string().matches("= apply D %").count();
            assert_eq!((applied, passing_buffers(&plan).is_empty()), (2, false), "{plan}");
            let d = ops::diagonal(values(&[n], dtype)).build().unwrap();
            let dims = if batch.is_empty() { vec![n] } else { vec![n, 3] };
            let inputs = [("x", values(&dims, dtype)), ("y", values(&dims, dtype))];
            unchanged(&source, &d, &inputs);
        }
    }
}
