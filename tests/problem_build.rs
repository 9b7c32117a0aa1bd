//! Problems as expressions: what is built, and shapes and types that do not fit, with the place in
//! the file.

use adjoin::Dtype;
use adjoin::data::{Array, Source};
use adjoin::problem::build::{Content, Expression};
use adjoin::problem::file::Origin;
use adjoin::problem::{Catalog, Diagnostic, Formula, Model, Problem, Resolved};
use std::path::Path;

const GOOD: &str = include_str!("problem_files/shapes.toml");

fn resolved(text: &str, expressions: &[&str]) -> Result<Resolved, Diagnostic> {
    let formulas: Result<Vec<_>, _> =
        expressions.iter().map(|text| Formula::parse("EXPR", text)).collect();
    Resolved::new(Problem::parse("problem.toml", text)?, &Catalog::standard(), formulas?)
}

/// Everything that a command would build.
fn build(text: &str, expressions: &[&str]) -> Result<(), Diagnostic> {
    let resolved = resolved(text, expressions)?;
    let mut model = Model::open(&resolved, Path::new(""))?;
    if !expressions.is_empty() {
        return model.expressions().map(|_| ());
    }
    if let Some(task) = model.task()? {
        let parts = task.system.model_parts().clone();
        model.bind_solution(adjoin::expr::input_parts("x", parts, &[Dtype::F64]));
    }
    model.outputs().map(|_| ())
}

fn snapshots(run: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/errors"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(run);
}

#[test]
fn what_does_not_fit_is_shown_where_it_is_written() {
    build(GOOD, &[]).unwrap_or_else(|error| panic!("{}", error.render()));
    let cases = [
        ("shape_deep", "2 * (G.H @ G)", "2 * (G.H @ (L @ (G @ G)))"),
        ("shape_vstack", "smooth = eps * L)", "smooth = eps * L, more = D)"),
        ("shape_sum", "2 * (G.H @ G)", "G.H @ G + D.H @ D"),
        ("shape_power", "2 * (G.H @ G)", "G ** 2"),
        ("shape_output", "d - G @ x", "d - L @ x"),
        ("shape_data", "data = \"d\"", "data = \"w\""),
        ("shape_stack", "d - G @ x", "stack(a = d, a = x)"),
        ("shape_axis", "axes = [0, 1]", "axes = [0, 2]"),
        ("shape_diagonal", "dims = [51]", "dims = [52]"),
        ("data_part_unknown", "smooth = 0", "smoth = 0"),
        ("data_part_missing", "smooth = 0", ""),
        ("dtype_clash", "diag = \"w\"", "diag = \"z\", dtype = \"float64\""),
        ("dtype_imaginary_part", "F @ zeros(40)", "F @ (1j * zeros(40))"),
        ("array_missing_file", "{ shape = [50] }", "\"nowhere.npy\""),
        ("operator_refuses", "dims = [8, 5], real", "dims = [8, 5], nfft = 0, real"),
        ("divided_by_zero", "2 * (G.H @ G)", "G / (eps - eps)"),
        (
            "array_is_too_large",
            "zeros(3)",
            "zeros((1048576, 1048576, 524287)), zeros((1048576, 1048576, 524287))",
        ),
        ("parameter_of_solver", "eps", "damp"),
    ];
    snapshots(|| {
        for (name, old, new) in cases {
            assert!(GOOD.contains(old), "{name}: `{old}`");
            match build(&GOOD.replace(old, new), &[]) {
                Ok(()) => panic!("{name} is accepted"),
                Err(error) => insta::assert_snapshot!(name, error.render()),
            }
        }
    });
}

#[test]
fn expressions_of_the_command_line_are_shown_too() {
    let cases = [
        ("expression_number", "2 * eps"),
        ("expression_shape", "G @ (d + zeros(3))"),
        ("expression_kronecker", "Kronecker(G, D) @ zeros((1280, 50))"),
        ("expression_power_too_high", "L ** 1001"),
    ];
    snapshots(|| {
        for (name, text) in cases {
            let error = build(GOOD, &[text]).unwrap_err();
            insta::assert_snapshot!(name, error.render());
        }
    });
}

#[test]
fn a_compressed_member_is_refused_with_the_cure() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compressed");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("d.npz"), compressed()).unwrap();
    let text = GOOD.replace("{ shape = [50] }", "{ npz = \"d.npz\", name = \"d\" }");
    let resolved = resolved(&text, &[]).unwrap();
    let Err(error) = Model::open(&resolved, &folder) else { panic!("it is accepted") };
    let folder = format!("{}/", folder.display());
    // Where lines are broken depends on how long the name of the folder is.
    let shown = error.render().replace(&folder, "").replace("\n  │ ", " ");
    snapshots(|| insta::assert_snapshot!("array_compressed", shown));
}

/// A zip archive of one deflated member, `d.npy`.
fn compressed() -> Vec<u8> {
    let (name, data) = (b"d.npy", [3_u8, 0]);
    let mut local = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0".to_vec();
    local.extend([0; 4]);
    local.extend((data.len() as u32).to_le_bytes());
    local.extend(0_u32.to_le_bytes());
    local.extend((name.len() as u16).to_le_bytes());
    local.extend([0, 0]);
    local.extend(name);
    local.extend(data);
    let mut central = b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0".to_vec();
    central.extend([0; 4]);
    central.extend((data.len() as u32).to_le_bytes());
    central.extend(0_u32.to_le_bytes());
    central.extend((name.len() as u16).to_le_bytes());
    central.extend([0; 16]);
    central.extend(name);
    let (start, length) = (local.len() as u32, central.len() as u32);
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    end.extend(length.to_le_bytes());
    end.extend(start.to_le_bytes());
    end.extend([0, 0]);
    [local, central, end].concat()
}

#[test]
fn data_are_whole_or_by_part_flat_or_with_columns() {
    let sizes = |data: &str| {
        let text = GOOD.replace("{ data = \"d\", smooth = 0 }", data);
        let resolved = resolved(&text, &[]).unwrap_or_else(|e| panic!("{}", e.render()));
        let declared = |array: &adjoin::problem::file::Array| match &array.origin {
            Origin::Shape { dims, .. } => Ok(Source::array(Array::new(
                dims.clone(),
                (0..dims.iter().product::<usize>()).map(|i| i as f64).collect::<Vec<_>>(),
            )?)),
            Origin::Npy(_) | Origin::Npz { .. } => panic!("all arrays are declared"),
        };
        let model = Model::with(&resolved, &declared).unwrap_or_else(|e| panic!("{}", e.render()));
        let task = model.task().unwrap_or_else(|e| panic!("{}", e.render())).unwrap();
        let first: Vec<f64> = task.data.iter().map(first).collect();
        (task.data.iter().map(|s| s.dims().to_vec()).collect::<Vec<_>>(), first)
    };
    let flat = vec![vec![50], vec![32, 40]];
    assert_eq!(sizes("{ data = \"d\", smooth = 0 }"), (flat.clone(), vec![0.0, 0.0]));
    assert_eq!(sizes("\"stack(d, zeros(1280))\""), (flat.clone(), vec![0.0, 0.0]));
    assert_eq!(sizes("\"all\""), (flat.clone(), vec![0.0, 50.0]));
    assert_eq!(sizes("\"2 * all\""), (flat, vec![0.0, 100.0]));
    let columns = vec![vec![50, 3], vec![32, 40, 3]];
    assert_eq!(sizes("\"wide\""), (columns.clone(), vec![0.0, 150.0]));
    assert_eq!(sizes("{ data = \"d3\", smooth = 0 }"), (columns, vec![0.0, 0.0]));
}

fn first(source: &Source) -> f64 {
    let region =
        adjoin::data::Region::new(vec![0; source.dims().len()], vec![1; source.dims().len()]);
    source.read_vec::<f64>(&region).unwrap()[0]
}

#[test]
fn parameters_are_slots_and_only_what_is_needed_is_opened() {
    let text = "parameters = { eps = 0.1 }\n[arrays]\nW = { shape = [5, 4] }\ngone = 'gone.npy'\n\
        [operators]\nG = { operator = 'MatrixMult', A = 'W' }\n\
        D = { operator = 'Diagonal', diag = 'gone' }\nA = 'eps * G'\n";
    let resolved = resolved(text, &["A.H @ zeros(5)"]).unwrap();
    let model = Model::open(&resolved, Path::new("")).unwrap();
    let Some(Expression::Vector(vector)) = model.expressions().unwrap().into_iter().next() else {
        panic!("it is a vector")
    };
    let lowered = adjoin::expr::lower(&vector).unwrap();
    assert_eq!(lowered.plan.slots[0].name, "eps");
    assert_eq!(lowered.plan.leaves[0].name, "G");
    assert!(Model::open(&self::resolved(text, &["D"]).unwrap(), Path::new("")).is_err());
}

#[test]
fn outputs_are_bound_to_the_solution() {
    let resolved = resolved(GOOD, &[]).unwrap();
    let mut model = Model::open(&resolved, Path::new("")).unwrap();
    let task = model.task().unwrap().unwrap();
    assert_eq!((task.settings.niter, task.settings.tol), (50, 1e-4));
    let parts = task.system.model_parts().clone();
    model.bind_solution(adjoin::expr::input_parts("x", parts, &[Dtype::F64]));
    let outputs = model.outputs().unwrap();
    assert!(matches!(outputs[0].content, Content::Solution));
    let Content::Expression(residual) = &outputs[1].content else { panic!("it is one") };
    assert_eq!(residual.to_string(), "d - G @ x");
}

const PARAMETERS: &str = r#"
[arrays]
wav = { shape = [9] }
theta = { shape = [4] }
g = { shape = [8, 3, 2], dtype = "complex128" }
srcs = { shape = [2, 3] }
recs = { shape = [2, 4] }
ts = { shape = [20, 3] }
tr = { shape = [20, 4] }

[operators]
P = { operator = "Pad", dims = [3, 5], pad = [[1, 2], [0, 4]] }
Q = { operator = "Pad", dims = 5, pad = [1, 0] }
F = { operator = "FFT2D", dims = [6, 9], fftshift_after = [true, false], nffts = [6, 11] }
C = { operator = "Convolve1D", dims = [6, 9], h = [0.5, 1, 0.5], offset = 1, method = "fft" }
S = { operator = "PoststackLinearModelling", wav = "wav", nt0 = 20, spatdims = [2, 3] }
T = { operator = "PrestackLinearModelling", wav = "wav", theta = "theta", vsvp = 0.4, nt0 = 20 }
M = { operator = "MDC", G = "g", nt = 15, nv = 2, twosided = true, saveGt = false }

[operators.K]
operator = "Kirchhoff"
z = [0, 1, 2, 3, 4]
x = [0, 1, 2, 3]
t = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
srcs = "srcs"
recs = "recs"
vel = 1500
wav = "wav"
wavcenter = 4
mode = "byot"
trav = ["ts", "2 * tr"]
"#;

#[test]
fn operators_take_pairs_flags_and_profiles() {
    let shape = |name: &str| {
        let resolved = resolved(PARAMETERS, &[name]).unwrap_or_else(|e| panic!("{}", e.render()));
        let model = Model::open(&resolved, Path::new(""));
        let model = model.unwrap_or_else(|error| panic!("{}", error.render()));
        match model.expressions().unwrap().remove(0) {
            Expression::Operator(op) => (op.dims(), op.dimsd()),
            Expression::Vector(vector) => panic!("{vector} is a vector"),
        }
    };
    assert_eq!(shape("P"), (vec![3, 5], vec![6, 9]));
    assert_eq!(shape("Q"), (vec![5], vec![6]));
    assert_eq!(shape("F"), (vec![6, 9], vec![6, 11]));
    assert_eq!(shape("C"), (vec![6, 9], vec![6, 9]));
    assert_eq!(shape("S"), (vec![20, 2, 3], vec![20, 2, 3]));
    assert_eq!(shape("T"), (vec![20, 3], vec![20, 4]));
    assert_eq!(shape("M"), (vec![15, 2, 2], vec![15, 3, 2]));
    assert_eq!(shape("K"), (vec![4, 5], vec![3, 4, 10]));
}

#[test]
fn indices_may_be_written_in_the_file() {
    let opened = |iava: &str| {
        let text = format!(
            "[operators]\nR = {{ operator = 'Restriction', dims = [3, 5], iava = {iava}, axis = 1 }}\n"
        );
        let resolved = resolved(&text, &["R"]).unwrap_or_else(|e| panic!("{}", e.render()));
        let model = Model::open(&resolved, Path::new("")).map_err(|error| error.render())?;
        let Expression::Operator(op) = model.expressions().unwrap().remove(0) else { panic!() };
        Ok::<_, String>(op.dimsd())
    };
    assert_eq!(opened("[0, -2, 4]").unwrap(), [3, 3]);
    assert_eq!(opened("[4]").unwrap(), [3, 1]);
    let refused = opened("[0, 1.5]").unwrap_err();
    assert!(refused.contains("must be an array or a list of whole numbers"), "{refused}");
}

#[test]
fn wrong_pairs_flags_and_profiles_are_shown_where_they_are_written() {
    let cases = [
        ("pad_not_a_pair", "[0, 4]]", "[0, 4, 1]]"),
        ("pad_lacks_an_axis", "[[1, 2], [0, 4]]", "[[1, 2]]"),
        ("flags_of_words", "[true, false]", "[true, \"no\"]"),
        ("flags_too_many", "[true, false]", "[true, false, true]"),
        ("profile_of_words", "0.4", "true"),
        ("filter_offset", "offset = 1", "offset = 3"),
        ("mdc_even", "nt = 15", "nt = 16"),
        ("tables_three", "[\"ts\", \"2 * tr\"]", "[\"ts\", \"tr\", \"tr\"]"),
        ("tables_swapped", "[\"ts\", \"2 * tr\"]", "[\"tr\", \"ts\"]"),
        ("tables_not_wanted", "byot", "analytic"),
        ("tables_of_numbers", "[\"ts\", \"2 * tr\"]", "3"),
    ];
    snapshots(|| {
        for (name, old, new) in cases {
            assert!(PARAMETERS.contains(old), "{name}: `{old}`");
            let text = PARAMETERS.replacen(old, new, 1);
            let error = build(&text, &["P", "F", "C", "T", "M", "K"]).expect_err(name);
            insta::assert_snapshot!(name, error.render());
        }
    });
}
