//! The whole pipeline over a collection of plans and meshes, pass by pass.
//!
//! Each file of `plans` is the plan of an expression or of a solver, before any pass.
//! After every pass the plan is that of the same expression, and the pass finds nothing more to
//! do: a new pass or a new plan is tested without a line here.

use adjoin_passes::agree::agree;
use adjoin_passes::certify::Verdict;
use adjoin_passes::machine::Machine;
use adjoin_passes::meaning::without_meaning;
use adjoin_passes::pipeline::{Numerics, PIPELINE, compile_prefix, run, tidy};
use adjoin_passes::{Context, Mesh, Plan, compile, text};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const MESHES: [&str; 8] = ["p=1", "p=2", "p=3", "p=4", "p=7", "p=12", "r=2,c=2", "r=2,c=3"];

/// The plans and their names, ascending.
fn plans() -> Vec<(String, Plan)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_string();
        let text = fs::read_to_string(file).unwrap();
        let plan = text::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        (name, plan)
    };
    files.iter().map(read).collect()
}

/// Machines on which small plans are worth splitting, each for a reason of its own.
/// On the default one everything of this size stays replicated.
fn machines() -> [Machine; 3] {
    let cheap = Machine::default().with_link(1e-9, 1e10).with_launch(0.0);
    [
        Machine { name: "slow cores".into(), ..cheap.clone().with_flops(1e6) },
        Machine { name: "slow memory".into(), ..cheap.clone().with_memory(1e7) },
        Machine {
            name: "slow wires".into(),
            ..cheap.with_flops(1e6).with_memory(1e8).with_link(1e-9, 1e7)
        },
    ]
}

fn context(mesh: &str, machine: Machine) -> Context {
    Context { mesh: Mesh::parse(mesh).unwrap(), machine, ..Context::default() }
}

fn proof(source: &Plan, plan: &Plan) -> Result<(), String> {
    match agree(source, plan) {
        Verdict::Proven => Ok(()),
        Verdict::Refuted(reason) => Err(reason),
        Verdict::Assumed(nodes) => Err(format!("assumes {nodes:?}")),
    }
}

/// Runs every pass twice, and proves what it made.
fn through(source: &Plan, cx: &Context) -> Result<Plan, String> {
    let source = tidy(source);
    let (mut source, mut plan) = (source.clone(), source);
    for (pass, _) in PIPELINE {
        let name = pass.name();
        if name == "insert-collectives" && plan.meaning().is_some() {
            source = without_meaning(&plan);
        }
        let next = run(*pass, &plan, cx).map_err(|e| format!("{name}: {e}\n{plan}"))?;
        let again = run(*pass, &next, cx).map_err(|e| format!("{name}, again: {e}"))?;
        if next != again {
            return Err(format!("{name} is not done after one run:\n{next}\n{again}"));
        }
        if next != plan {
            proof(&source, &next).map_err(|e| format!("{name}: {e}\n{plan}\n{next}"))?;
        }
        plan = next;
    }
    Ok(plan)
}

/// Runs all plans on one mesh, and says which fail.
fn all(mesh: &str) {
    let mut report = String::new();
    for (name, source) in plans() {
        let mut split = mesh == "p=1";
        for machine in machines() {
            let cx = context(mesh, machine);
            match through(&source, &cx) {
                Ok(plan) => {
                    let mut types = plan.blocks.iter().flat_map(|b| &b.types);
                    split = split || types.any(|ty| !ty.placement.split_axes().is_empty());
                }
                Err(reason) => {
                    let at = format!("{name} on {mesh}, {}", cx.machine.name);
                    let _ = write!(report, "\n== {at}\n{reason}\n");
                }
            }
        }
        if !split {
            let _ = write!(report, "\n== {name} on {mesh}: splits nothing on any machine\n");
        }
    }
    assert!(report.is_empty(), "{report}");
}

macro_rules! meshes {
    ($($name:ident: $mesh:expr;)*) => {
        $(
            #[test]
            fn $name() {
                all($mesh);
            }
        )*
    };
}

meshes! {
    every_pass_on_p1: MESHES[0];
    every_pass_on_p2: MESHES[1];
    every_pass_on_p3: MESHES[2];
    every_pass_on_p4: MESHES[3];
    every_pass_on_p7: MESHES[4];
    every_pass_on_p12: MESHES[5];
    every_pass_on_r2_c2: MESHES[6];
    every_pass_on_r2_c3: MESHES[7];
}

/// The cheapest cores of [`machines`], on which everything is split.
fn split(mesh: &str) -> Context {
    let [slow, _, _] = machines();
    context(mesh, slow)
}

#[test]
fn every_prefix_of_the_pipeline_is_its_passes_one_by_one() {
    let cx = split("r=2,c=2");
    for (name, source) in plans() {
        let finished = compile(&source, &cx).unwrap();
        let cx = Context { decisions: finished.decisions, ..cx.clone() };
        let mut plan = tidy(&source);
        for (k, (pass, _)) in PIPELINE.iter().enumerate() {
            let compiled = compile_prefix(&source, &cx, k).unwrap();
            assert_eq!(compiled.plan, plan, "{name}, {k} passes");
            assert_eq!(compiled.source, tidy(&source));
            let last = compiled.trace.last().map_or(&compiled.source, |(_, plan)| plan);
            assert_eq!(*last, plan, "{name}, {k} passes");
            plan = run(*pass, &plan, &cx).unwrap();
        }
        assert_eq!(finished.plan, plan, "{name}");
    }
}

#[test]
fn the_strict_contract_keeps_the_order_of_sums_that_insert_collectives_wrote() {
    let insertion = PIPELINE.iter().position(|(p, _)| p.name() == "insert-collectives").unwrap();
    let relaxed = split("p=3");
    let strict = Context { numerics: Numerics::Exact, ..relaxed.clone() };
    let mut kept = 0;
    for (name, source) in plans() {
        let inserted = compile_prefix(&source, &strict, insertion + 1).unwrap();
        let compiled = compile(&source, &strict).unwrap();
        let exact =
            PIPELINE[insertion + 1..].iter().filter(|(p, _)| p.numerics() == Numerics::Exact);
        let expected = exact.fold(inserted.plan, |plan, (p, _)| run(*p, &plan, &strict).unwrap());
        assert_eq!(compiled.plan, expected, "{name}");
        assert_eq!(compiled.certify(), Verdict::Proven, "{name}");
        kept += usize::from(compiled.plan != compile(&source, &relaxed).unwrap().plan);
    }
    assert!(kept > 0, "no plan tells the contracts apart");
}
