//! Traces: every call of every rank with what was foreseen, user's marks, and the summary.

mod support;

use adjoin::data::{Array, Source};
use adjoin::expr::Op;
use adjoin::ops;
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Settings, System};
use adjoin::{Dtype, Trace, mark};
use serde_json::Value as Json;
use std::sync::Arc;
use support::folder::{Folder, PROBLEM};

/// The complete events of a file.
fn events(text: &str) -> Vec<Json> {
    let json: Json = serde_json::from_str(text).unwrap();
    let all = json["traceEvents"].as_array().unwrap().clone();
    all.into_iter().filter(|event| event["ph"] == "X").collect()
}

fn of<'a>(events: &'a [Json], rank: u64, name: &str) -> Vec<&'a Json> {
    events.iter().filter(|event| event["tid"] == rank && event["name"] == name).collect()
}

fn span(event: &Json) -> (f64, f64) {
    let begin = event["ts"].as_f64().unwrap();
    (begin, begin + event["dur"].as_f64().unwrap())
}

fn inside(inner: &Json, outer: &Json) -> bool {
    let ((a, b), (begin, end)) = (span(inner), span(outer));
    inner["tid"] == outer["tid"] && begin <= a && b <= end + 1e-3
}

#[test]
fn every_call_of_a_solve_is_noted_with_what_was_foreseen() {
    // Large enough that its rows are split.
    let folder = Folder::of_size("trace", 40, 600);
    folder.write("p.toml", &PROBLEM.replace("[12]", "[600]").replace("niter = 30", "niter = 8"));
    let solve = ["solve", "p.toml", "--ranks", "2", "--trace", "t.json", "--log-view"];
    let said = folder.good(&solve);
    let text = std::fs::read_to_string(folder.0.join("t.json")).unwrap();
    let events = events(&text);
    let steps = of(&events, 0, "step");
    assert!(steps.len() > 2, "{text}");
    assert_eq!(of(&events, 1, "step").len(), steps.len());
    for rank in 0..2 {
        let [whole] = of(&events, rank, "solve")[..] else { panic!("one solve: {text}") };
        assert_eq!(of(&events, rank, "setup").len(), 1);
        assert_eq!(of(&events, rank, "view").len(), 1);
        assert!(of(&events, rank, "step").iter().all(|step| inside(step, whole)));
        assert_eq!(of(&events, rank, "outputs").len(), 1, "the residual is an expression");
    }
    let calls: Vec<_> =
        events.iter().filter(|e| e["cat"] == "local" || e["cat"] == "wire").collect();
    let foreseen = |e: &&&Json| e["args"]["predicted_us"].as_f64().is_some_and(|t| t >= 0.0);
    let numbers = |e: &&&Json| e["name"] == "control numbers";
    assert!(calls.iter().all(|e| foreseen(&e) || numbers(&e)), "{text}");
    assert!(calls.iter().filter(foreseen).count() > 4 * steps.len());
    let wire: Vec<_> = calls.iter().filter(|e| e["cat"] == "wire").collect();
    assert!(wire.iter().any(|e| e["args"]["bytes"].as_f64() > Some(0.0)), "{text}");
    assert!(wire.iter().all(|e| e["args"]["predicted_us"].as_f64() > Some(0.0)), "{text}");

    let table: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("2 ranks")).collect();
    let row = |name: &str| table.iter().find(|line| line.trim_start().starts_with(name));
    let step = row("step").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(step.split_whitespace().nth(1), Some(steps.len().to_string().as_str()));
    for name in ["solve ", "outputs ", "  setup ", "    apply G", "  view "] {
        assert!(table.iter().any(|line| line.starts_with(name)), "{name}: {said}");
    }
    let quiet =
        folder.good(&["apply", "p.toml", "G @ x", "-q", "-o", "y.npy", "--trace", "a.json"]);
    assert_eq!(quiet, "");
    let text = std::fs::read_to_string(folder.0.join("a.json")).unwrap();
    assert_eq!(self::of(&self::events(&text), 0, "expression").len(), 1, "{text}");
    let error = folder.bad(&["solve", "p.toml", "--trace", "nowhere/t.json"]);
    assert!(error.contains("there is no folder nowhere"), "{error}");
}

/// `x` of four numbers times a matrix.
fn planned(ranks: usize) -> adjoin::planned::Planned {
    let matrix: Array = (0..16).map(f64::from).collect::<Vec<_>>().into();
    let a = Op::new(ops::matrix_mult(matrix.reshape([4, 4]).unwrap()).build().unwrap());
    Planner::new(Ranks(ranks)).apply(&(&a * a.input("x", Dtype::F64))).unwrap()
}

#[test]
fn marks_nest_on_ranks_and_around_runs() {
    let (world, trace) = (World::threads(3), Trace::new());
    let planned = planned(3);
    let given = inputs().part("x", Source::array(Array::from(vec![1.0; 4])));
    {
        let _whole = trace.section("whole");
        let _part = trace.section("part");
        planned.run(&world, &given.clone().trace(&trace)).unwrap();
    }
    let body = |rank: &adjoin::runtime::RankContext| {
        let _outer = mark("outer");
        (0..=rank.rank()).for_each(|_| drop(mark("inner")));
        Ok(())
    };
    world.traced(&trace, body).unwrap();
    let unseen = |_: &adjoin::runtime::RankContext| {
        drop(mark("unseen"));
        Ok(())
    };
    world.run(unseen).unwrap();
    planned.run(&world, &given).unwrap();
    drop(mark("here"));
    let record = trace.collect(&world).unwrap().unwrap();
    let events = events(&record.chrome());
    for rank in 0..3 {
        let [whole] = of(&events, rank, "whole")[..] else { panic!("{events:?}") };
        let [part] = of(&events, rank, "part")[..] else { panic!("{events:?}") };
        let [apply] = of(&events, rank, "apply")[..] else { panic!("{events:?}") };
        assert!(inside(part, whole) && inside(apply, part));
        let [outer] = of(&events, rank, "outer")[..] else { panic!("{events:?}") };
        let inner = of(&events, rank, "inner");
        assert_eq!(inner.len() as u64, rank + 1);
        assert!(inner.iter().all(|inner| self::inside(inner, outer)) && !inside(outer, whole));
        assert!(of(&events, rank, "unseen").is_empty() && of(&events, rank, "here").is_empty());
    }
    let table = record.table();
    let rows: Vec<_> = table.lines().filter(|l| l.trim_start().starts_with("inner")).collect();
    let [row] = rows[..] else { panic!("{table}") };
    assert!(row.starts_with("  inner") && row.contains(" 3 "), "the most of a rank: {table}");
}

#[test]
fn sums_keep_no_events_and_foreign_programs_are_not_noted() {
    let world = World::threads(1);
    let matrix = Array::new([3, 3], vec![2.0; 9]).unwrap();
    let a = Op::new(ops::matrix_mult(matrix).build().unwrap());
    let system = System::new(&a, &[Dtype::F64]).unwrap();
    let settings = Settings { niter: 2, tol: 0.0, damp: 1.0 };
    let planned = Planner::new(Ranks(1)).solve(Arc::new(Cgls), &system, settings).unwrap();
    let (first, second) = (Trace::sums(), Trace::new());
    let given = inputs().data(Source::array(Array::from(vec![1.0, 2.0, 3.0])));
    planned.run(&world, &given.trace(&first)).unwrap();
    let record = first.collect(&world).unwrap().unwrap();
    assert!(events(&record.chrome()).is_empty());
    assert!(record.table().contains("apply"), "{}", record.table());
    let bound = std::sync::Mutex::new(None);
    let plan = adjoin_passes::text::parse("mesh 1 rank\n%0 = zero : f64[3]\nreturn %0\n").unwrap();
    let bind = |rank: &adjoin::runtime::RankContext| {
        let program = adjoin::runtime::Program::of(&plan).bind(rank.comm().clone())?;
        *bound.lock().unwrap() = Some(program);
        Ok(())
    };
    let run = |_: &adjoin::runtime::RankContext| bound.lock().unwrap().as_mut().unwrap().run("");
    world.traced(&first, bind).unwrap();
    world.traced(&second, run).unwrap();
    assert!(events(&second.collect(&world).unwrap().unwrap().chrome()).is_empty());
    world.traced(&second, bind).unwrap();
    world.traced(&second, run).unwrap();
    let record = second.collect(&world).unwrap().unwrap();
    assert_eq!(of(&events(&record.chrome()), 0, "zero").len(), 1, "{}", record.chrome());
}
