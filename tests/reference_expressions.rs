//! The reference expressions, written as problem files: what PyLops gives is what every number of
//! ranks gives, on simulated ranks and on threads.

use adjoin::data::{Array, Region, Source};
use adjoin::planned::{Planned, Planner};
use adjoin::problem::build::Expression;
use adjoin::problem::{Catalog, Formula, Model, Problem, Resolved};
use adjoin::run::inputs;
use adjoin::runtime::{Functions, World, sim};
use adjoin::{Dtype, Mesh};
use num_complex::Complex64;
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

struct Case {
    id: String,
    arrays: PathBuf,
    /// The problem file.
    text: String,
    /// Expression, and the array that has its value.
    expressions: Vec<(String, &'static str)>,
    rtol: f64,
}

fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference");
    let folder = std::env::var_os("ADJOIN_REFERENCE").map_or(beside, PathBuf::from);
    if folder.join("expressions.json").exists() {
        return Some(folder);
    }
    println!("skipped: no reference cases in {}; set ADJOIN_REFERENCE", folder.display());
    None
}

/// The cases whose operators exist.
fn cases() -> Vec<Case> {
    let Some(folder) = folder() else { return vec![] };
    let text = std::fs::read_to_string(folder.join("expressions.json")).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let catalog = Catalog::standard();
    let known = |case: &&Json| {
        let operators = case["operators"].as_object().unwrap();
        operators.values().all(|o| catalog.operator(o["operator"].as_str().unwrap()).is_some())
    };
    cases.iter().filter(known).map(|case| read(case, &folder)).collect()
}

fn read(case: &Json, folder: &Path) -> Case {
    let id = case["id"].as_str().unwrap().to_owned();
    let arrays = folder.join("expressions").join(format!("{id}.npz"));
    let names = Source::npz_names(&arrays).unwrap();
    let mut text = "[arrays]\n".to_owned();
    for name in &names {
        let path = arrays.display();
        writeln!(text, "{name} = {{ npz = '{path}', name = '{name}' }}").unwrap();
    }
    text += "[operators]\n";
    for (name, operator) in case["operators"].as_object().unwrap() {
        let kind = operator["operator"].as_str().unwrap();
        let mut fields = vec![format!("operator = '{kind}'")];
        for (key, value) in operator["params"].as_object().unwrap() {
            fields.extend(toml(value).map(|value| format!("{key} = {value}")));
        }
        let dtype = operator["dtype"].as_str().unwrap();
        if Catalog::standard().operator(kind).unwrap().parameter("dtype").is_some() {
            fields.push(format!("dtype = '{dtype}'"));
        }
        writeln!(text, "{name} = {{ {} }}", fields.join(", ")).unwrap();
    }
    let mut expressions = vec![(case["expression"].as_str().unwrap().to_owned(), "y")];
    if let Some(operator) = case["operator_expression"].as_str() {
        expressions.push((format!("({operator}).H @ u"), "v"));
    }
    Case { id, arrays, text, expressions, rtol: case["rtol"].as_f64().unwrap() }
}

fn toml(value: &Json) -> Option<String> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => flag.to_string(),
        Json::Number(n) => n.to_string(),
        Json::String(text) => format!("'{text}'"),
        Json::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(toml).collect();
            format!("[{}]", items?.join(", "))
        }
        Json::Object(object) => format!("'{}'", object["array"].as_str()?),
    })
}

fn meshes() -> Vec<Mesh> {
    let mut meshes: Vec<_> = [1, 2, 3, 4, 7].map(Mesh::line).into();
    meshes.extend([Mesh::grid(2, 2), Mesh::grid(2, 3)]);
    meshes
}

/// One expression on one mesh: on simulated ranks and on threads.
fn evaluate(case: &Case, text: &str, mesh: &Mesh) -> [Vec<Complex64>; 2] {
    let problem = Problem::parse(&case.id, &case.text);
    let formula = Formula::parse("EXPR", text);
    let built =
        problem.and_then(|problem| Resolved::new(problem, &Catalog::standard(), vec![formula?]));
    let resolved = built.unwrap_or_else(|error| panic!("{}: {}", case.id, error.render()));
    let model = Model::open(&resolved, Path::new(""));
    let model = model.unwrap_or_else(|error| panic!("{}: {}", case.id, error.render()));
    let expressions = model.expressions();
    let expressions = expressions.unwrap_or_else(|error| panic!("{}: {}", case.id, error.render()));
    let Some(Expression::Vector(vector)) = expressions.into_iter().next() else {
        panic!("{} is no vector", case.id)
    };
    let planned = Planner::new(mesh.clone()).apply(&vector);
    let planned = planned.unwrap_or_else(|error| panic!("{} on {mesh}: {error}", case.id));
    let labels = planned.input_labels();
    let sources: Vec<(String, Source)> = model
        .sources()
        .filter(|(name, _)| labels.iter().any(|label| label == name))
        .map(|(name, source)| (name.to_owned(), source.clone()))
        .collect();
    [simulated(&planned, &sources), threaded(&planned, &sources)]
}

fn simulated(planned: &Planned, sources: &[(String, Source)]) -> Vec<Complex64> {
    let mut given = sim::Given::new();
    for (name, source) in sources {
        given = given.input(name, source.clone());
    }
    for (slot, value) in planned.plan().slots.iter().zip(planned.slots()) {
        given = given.slot(&slot.name, *value);
    }
    let block = &planned.plan().blocks[0].name;
    let functions = Functions::new();
    let outcome = sim::simulate(planned.plan(), planned.operators(), &functions, &given, block);
    outcome.unwrap().outputs.into_iter().flat_map(widest).collect()
}

fn threaded(planned: &Planned, sources: &[(String, Source)]) -> Vec<Complex64> {
    let world = World::threads(planned.plan().mesh.ranks());
    let all = sources.iter().fold(inputs(), |all, (name, source)| all.part(name, source.clone()));
    widest(planned.run(&world, &all).unwrap().gather_flat().unwrap())
}

fn widest(array: Array) -> Vec<Complex64> {
    array.cast(Dtype::C128).and_then(Array::into_vec).unwrap()
}

fn expected(case: &Case, name: &str) -> Vec<Complex64> {
    let source = Source::npz(&case.arrays, name).unwrap();
    source
        .read_elements(&Region::all(source.dims()), Dtype::C128)
        .map(|e| match e {
            adjoin::elements::Elements::C128(values) => values,
            other => panic!("read as {}", other.dtype()),
        })
        .unwrap()
}

fn error(a: &[Complex64], b: &[Complex64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
    let scale = b.iter().map(|b| b.norm()).fold(0.0, f64::max);
    assert!(a.iter().all(|a| a.is_finite()));
    if scale == 0.0 { difference } else { difference / scale }
}

#[test]
fn expressions_give_what_pylops_gives_on_every_mesh() {
    let cases = cases();
    println!("{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        for (text, name) in &case.expressions {
            let expected = expected(case, name);
            for mesh in meshes() {
                for (back_end, value) in ["sim", "threads"].iter().zip(evaluate(case, text, &mesh))
                {
                    let error = error(&value, &expected);
                    if error > case.rtol {
                        wrong
                            .push(format!("{} `{text}` on {mesh}, {back_end}: {error:e}", case.id));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases.is_empty() || cases.len() >= 50, "{} cases", cases.len());
}
