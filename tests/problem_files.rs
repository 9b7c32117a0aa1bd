//! Good problem files: what is read from them, in TOML and in JSON, in any order.

use adjoin::Dtype;
use adjoin::problem::file::{Contract, Data, Layout, Origin, Part};
use adjoin::problem::resolve::{Body, Entity, Setting, Sort};
use adjoin::problem::text::Scalar;
use adjoin::problem::{Catalog, Formula, Problem, Resolved};
use adjoin_passes::pipeline::Numerics;

const TOML: &str = include_str!("problem_files/spine.toml");
const JSON: &str = include_str!("problem_files/spine.json");

fn resolve(name: &str, text: &str, expressions: &[&str]) -> Resolved {
    let expressions = expressions.iter().map(|text| Formula::parse("EXPR", text).unwrap());
    Problem::parse(name, text)
        .and_then(|p| Resolved::new(p, &Catalog::standard(), expressions.collect()))
        .unwrap_or_else(|error| panic!("{}", error.render()))
}

#[test]
fn toml_and_json_say_the_same() {
    for problem in [resolve("p.toml", TOML, &[]), resolve("p", JSON, &[])] {
        assert_eq!(problem.dtype, Some(Dtype::F64));
        assert_eq!(problem.parameters[0].value, Scalar::Real(0.1));
        assert!(matches!(&problem.arrays[1].origin, Origin::Npy(path) if path.value == "w.npy"));
        let names: Vec<_> = problem.operators.iter().map(|o| o.name.value.as_str()).collect();
        assert_eq!(names, ["G", "L", "A", "Z"], "definitions come before their uses");
        assert_eq!(problem.lookup("A"), Some(Entity::Operator(2)));
        assert_eq!(problem.lookup("x"), Some(Entity::Solution));
        assert_eq!(problem.lookup("y"), None);
        let Body::Built(laplacian) = &problem.operators[1].body else { panic!("L is a table") };
        let weights = &laplacian.setting("weights").unwrap().value;
        assert!(matches!(weights, Setting::Numbers(numbers) if numbers == &[1.0, 1.0]));
        let dims = &laplacian.setting("dims").unwrap().value;
        assert!(matches!(dims, Setting::Dims(dims) if dims == &[32, 40]));
        let Body::Formula(a) = &problem.operators[2].body else { panic!("A is text") };
        assert_eq!(a.text(), "VStack(data = G, smooth = eps * L)");
        assert_eq!(a.document.name(), problem.document.name());
        let solve = problem.solve.as_ref().unwrap();
        let niter = &solve.solver.setting("niter").unwrap().value;
        assert!(matches!(niter, Setting::Integer(50)));
        let Data::Parts(parts) = &solve.data else { panic!("the data have parts") };
        assert!(matches!(&parts[0].1, Part::Formula(f) if f.text() == "d"));
        assert!(parts[1].0.value == "smooth" && matches!(parts[1].1, Part::Zero));
        assert_eq!(problem.outputs.len(), 3);
    }
}

#[test]
fn a_file_of_definitions_may_hold_more_than_an_expression_uses() {
    let text = "\
        parameters = { alpha = [0.5, -2], beta = '1 + 0j', gamma = 3 }\nranks = 4\n\
        [arrays]\nx = { npz = 'case.npz', name = 'x' }\nu = { shape = [2, 3], dtype = 'complex64' }\n\
        diag = { npy = 'weights.dat' }\n\
        [operators]\nT = { operator = 'Transpose', dims = [2, 3], axes = [1, 0] }\n\
        D = { operator = 'Diagonal', diag = { array = 'diag' }, dims = [2, 3], axis = -1 }\n\
        R = { operator = 'Restriction', dims = 6, iava = [0, 2, 3] }\n\
        F = { operator = 'FirstDerivative', dims = 6, sampling = '2 * gamma' }\n\
        I = { operator = 'Identity', N = 6 }\n";
    let texts =
        ["(alpha * T.H @ D) @ x", "VStack([T, beta * I])", "stack(x, zeros((2, 3)))", "gamma ** 2"];
    let problem = resolve("p.toml", text, &texts);
    let sorts: Vec<_> = problem.expressions.iter().map(|(_, sort)| *sort).collect();
    assert_eq!(sorts, [Sort::Array, Sort::Operator, Sort::Array, Sort::Number]);
    assert!(problem.parameters[0].value.is_complex() && problem.parameters[1].value.is_complex());
    assert_eq!(problem.layout, Some(Layout::Ranks(4)));
    let Body::Built(f) = &problem.operators[3].body else { panic!("F is a table") };
    let Setting::Formula(sampling) = &f.setting("sampling").unwrap().value else { panic!() };
    assert_eq!(problem.number(sampling).unwrap(), Scalar::Real(6.0));
    let mesh = resolve("p.toml", "mesh = { r = 2, c = 3 }", &[]).layout;
    assert_eq!(mesh, Some(Layout::Mesh(vec![("r".to_owned(), 2), ("c".to_owned(), 3)])));
}

#[test]
fn a_file_may_say_what_may_happen_to_the_numbers() {
    let contract = resolve("p.toml", "numerics = 'recurrence'\nrefresh = 7", &[]).contract;
    let expected = Contract { numerics: Some(Numerics::Recurrence), refresh: Some(7) };
    assert_eq!(contract, expected);
    assert_eq!(resolve("p.toml", "ranks = 2", &[]).contract, Contract::default());
    for (text, message) in [
        ("numerics = 'recurence'", "`recurence` is no contract about numbers"),
        ("numerics = 3", "`numerics` must be text, not an integer"),
        ("refresh = 0", "`refresh` must be a positive integer, not 0"),
    ] {
        let error = Problem::parse("p.toml", text).unwrap_err();
        assert!(error.message().starts_with(message), "{}", error.message());
    }
}

#[test]
fn set_changes_a_parameter() {
    let mut problem = Problem::parse("p.toml", TOML).unwrap();
    for (assignment, value) in [
        ("eps=0.3", Scalar::Real(0.3)),
        (" eps = -2e-3", Scalar::Real(-2e-3)),
        ("eps=1-0.5j", Scalar::Complex(num_complex::Complex64::new(1.0, -0.5))),
    ] {
        problem.set(assignment).unwrap();
        assert_eq!(problem.parameters[0].value, value);
    }
}

#[test]
fn long_chains_of_definitions_need_no_deep_stack() {
    let chain = (1..20_000).rev().map(|i| format!("A{i} = '2 * A{}'", i - 1));
    let head = ["[operators]".to_owned(), "A0 = { operator = 'Identity', N = 3 }".to_owned()];
    let text = head.into_iter().chain(chain).collect::<Vec<_>>().join("\n");
    let problem = resolve("p.toml", &text, &["A19999"]);
    assert_eq!(problem.lookup("A19999"), Some(Entity::Operator(19_999)));
    let cyclic = text.replace("A0 = { operator = 'Identity', N = 3 }", "A0 = 'A19999'");
    let cyclic = Problem::parse("p.toml", &cyclic).unwrap();
    let error = Resolved::new(cyclic, &Catalog::standard(), Vec::new()).unwrap_err();
    assert!(error.message().contains("→ … →"), "{}", error.message());
}
