//! Bad problem files: one clear error each, with a snapshot of its text.

use adjoin::problem::{Catalog, Diagnostic, Formula, Problem, Resolved};

const GOOD: &str = include_str!("problem_files/spine.toml");

fn resolve(name: &str, text: &str) -> Result<Resolved, Diagnostic> {
    Resolved::new(Problem::parse(name, text)?, &Catalog::standard(), Vec::new())
}

fn error(name: &str, text: &str) -> String {
    match resolve(name, text) {
        Ok(_) => panic!("this is accepted:\n{text}"),
        Err(error) => error.render(),
    }
}

fn snapshots(run: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/errors"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(run);
}

/// One snapshot for each change of the good file.
fn changed(cases: &[(&str, &str, &str)]) {
    assert!(resolve("spine.toml", GOOD).is_ok());
    snapshots(|| {
        for (name, old, new) in cases {
            assert_eq!(GOOD.matches(old).count(), 1, "{name}: `{old}`");
            let text = GOOD.replace(old, new);
            insta::assert_snapshot!(*name, error("problem.toml", &text));
        }
    });
}

#[test]
fn names() {
    changed(&[
        ("undeclared_name", "eps * L)", "eps * M)"),
        ("undeclared_name_near", "G @ x", "G @ xx"),
        ("solution_before_solve", "data = \"d\"", "data = \"x\""),
        ("cycle", "Z = \"G.H @ G\"", "Z = \"G.H @ Y\"\nY = \"2 * X\"\nX = \"Z + G\""),
        ("cycle_of_itself", "Z = \"G.H @ G\"", "Z = \"2 * Z\""),
        ("clash_of_sections", "W = \"w.npy\"", "G = \"w.npy\""),
        ("clash_with_solution", "d = \"d.npy\"", "x = \"d.npy\""),
        ("built_in_word", "Z = \"G.H @ G\"", "VStack = \"G.H @ G\""),
        ("not_a_name", "Z = \"G.H @ G\"", "\"Z 1\" = \"G.H @ G\""),
        ("double_key", "Z = \"G.H @ G\"", "G = \"G.H @ G\""),
        ("unused_one", "W = \"w.npy\"", "W = \"w.npy\"\nw2 = \"w2.npy\""),
        (
            "unused_chain",
            "W = \"w.npy\"",
            "W = \"w.npy\"\n[operators.U]\noperator = \"MatrixMult\"\nA = \"w3\"\n[operators.V]\noperator = \"Identity\"\nN = 3\n[arrays.w3]\nnpy = \"w3.npy\"",
        ),
    ]);
}

#[test]
fn operators() {
    changed(&[
        ("operator_unknown", "\"Laplacian\"", "\"Lapalcian\""),
        ("operator_unknown_far", "\"Laplacian\"", "\"Blur\""),
        ("parameter_unknown", "weights =", "wieghts ="),
        ("parameter_missing", "dims = [32, 40], ", ""),
        ("parameter_wrong_type", "axes = [0, 1]", "axes = \"rows\""),
        ("parameter_wrong_word", "kind = \"centered\"", "kind = \"middle\""),
        ("parameter_not_finite", "weights = [1, 1]", "weights = [1, nan]"),
        ("parameter_negative_size", "dims = [32, 40]", "dims = [32, -40]"),
        ("parameter_enormous_size", "dims = [32, 40]", "dims = [4611686018427387904, 40]"),
        ("parameter_array_is_operator", "A = \"W\"", "A = \"L\""),
    ]);
}

#[test]
fn expressions() {
    changed(&[
        (
            "syntax_unclosed",
            "VStack(data = G, smooth = eps * L)",
            "VStack(data = G, smooth = eps * L",
        ),
        ("syntax_no_operator", "Z = \"G.H @ G\"", "Z = \"G.H G\""),
        ("syntax_bad_sign", "Z = \"G.H @ G\"", "Z = \"G ^ 2\""),
        ("syntax_attribute", "Z = \"G.H @ G\"", "Z = \"G.h @ G\""),
        ("syntax_in_escaped_text", "Z = \"G.H @ G\"", "Z = \"G.H\\u0020@ @ G\""),
        ("function_unknown", "VStack(data", "Vstack(data"),
        ("function_is_operator", "Z = \"G.H @ G\"", "Z = \"G(G)\""),
        ("sort_sum", "G.H @ G", "G.H @ G + 1"),
        ("sort_matmul_number", "G.H @ G", "2 @ G"),
        ("sort_order", "d - G @ x", "d @ G - x"),
        ("sort_operator_is_array", "G.H @ G", "G @ d"),
        ("sort_output_is_operator", "d - G @ x", "G"),
        ("sort_power", "G.H @ G", "G ** 0.5"),
        ("blocks_uneven", "G.H @ G", "Block([G, G], [G])"),
        ("zeros_enormous", "data = \"d\"", "data = \"zeros((4294967296, 4294967296))\""),
        ("zeros_negative", "data = \"d\"", "data = \"zeros(-1)\""),
        ("method_unknown", "G.H @ G", "G.conjugate()"),
        ("deep", "G.H @ G", &format!("{}G{}", "(".repeat(100_000 / 4), ")".repeat(100_000 / 4))),
        ("long", "G.H @ G", &"(".repeat(100_000)),
    ]);
}

const LSQR: &str = "solver = \"lsqr\"\ncalc_var = false\natol = 1e-9\nbtol = \"eps / 1e9\"";

#[test]
fn parameters_of_lsqr() {
    let good = GOOD.replace("tol = 1e-4\n", "").replace("solver = \"cgls\"", LSQR);
    assert!(resolve("lsqr.toml", &good).is_ok());
    let cases = [
        ("lsqr_tol", "atol", "tol"),
        ("lsqr_conlim", "atol = 1e-9", "conlim = \"large\""),
        ("lsqr_calc_var", "calc_var = false", "calc_var = 0"),
        ("lsqr_var", "[outputs]", "[outputs]\nvar = \"var.npy\""),
    ];
    snapshots(|| {
        for (name, old, new) in cases {
            assert_eq!(good.matches(old).count(), 1, "{name}: `{old}`");
            insta::assert_snapshot!(name, error("problem.toml", &good.replace(old, new)));
        }
    });
}

#[test]
fn sections() {
    changed(&[
        ("section_unknown", "[outputs]", "[output]"),
        ("key_unknown", "file = \"res.npy\"", "fiel = \"res.npy\""),
        ("key_missing", "solver = \"cgls\"", ""),
        ("solver_unknown", "solver = \"cgls\"", "solver = \"clgs\""),
        ("option_unknown", "niter = 50", "niter = 50\nmaxiter = 3"),
        ("niter_negative", "niter = 50", "niter = -1"),
        ("niter_fraction", "niter = 50", "niter = 2.5"),
        ("niter_text", "niter = 50", "niter = \"many\""),
        ("tol_nan", "tol = 1e-4", "tol = nan"),
        ("tol_infinite_text", "tol = 1e-4", "tol = \"1 / 0\""),
        ("damp_complex", "damp = 0.0", "damp = \"1j\""),
        ("number_nan", "eps = 0.1", "eps = nan"),
        ("number_too_large", "eps = 0.1", "eps = 1e999"),
        ("number_wrong_list", "eps = 0.1", "eps = [1, 2, 3]"),
        ("dtype_unknown", "\"float64\"", "\"float46\""),
        ("array_missing_origin", "W = \"w.npy\"", "W = {}"),
        ("array_npz_as_text", "W = \"w.npy\"", "W = \"w.npz\""),
        ("array_enormous", "W = \"w.npy\"", "W = { shape = [9223372036854775807, 2] }"),
        ("array_two_origins", "W = \"w.npy\"", "W = { npy = \"w\", shape = [3] }"),
        ("output_unknown", "x = \"x.npy\"", "y = \"x.npy\""),
        ("output_twice", "\"res.npy\"", "\"x.npy\""),
        ("output_over_input", "\"res.npy\"", "\"d.npy\""),
        ("mesh_and_ranks", "[arrays]", "mesh = { r = 2, c = 3 }\nranks = 6\n[arrays]"),
        ("mesh_axis", "[arrays]", "mesh = { rows = 2 }\n[arrays]"),
        ("ranks_zero", "[arrays]", "ranks = 0\n[arrays]"),
        ("part_not_zero", "data = \"d\"", "data = 1"),
        ("date", "niter = 50", "niter = 2026-01-01"),
        ("toml_syntax", "niter = 50", "niter = "),
        ("toml_integer", "niter = 50", "niter = 99999999999999999999"),
    ]);
}

#[test]
fn json() {
    let good = include_str!("problem_files/spine.json");
    assert!(resolve("spine.json", good).is_ok());
    let cases = [
        ("json_undeclared", "eps * L", "eps * M"),
        ("json_double_key", "\"niter\": 50", "\"niter\": 50, \"niter\": 60"),
        ("json_comma", "\"niter\": 50,", "\"niter\": 50"),
        ("json_null", "\"niter\": 50", "\"niter\": null"),
        ("json_word", "\"niter\": 50", "\"niter\": NaN"),
        ("json_too_large", "\"tol\": 1e-4", "\"tol\": 1e999"),
        ("json_deep", "\"niter\": 50", &format!("\"niter\": {}", "[".repeat(100_000))),
        ("json_quote", "\"x.npy\"", "\"x.npy"),
    ];
    snapshots(|| {
        for (name, old, new) in cases {
            assert_eq!(good.matches(old).count(), 1, "{name}: `{old}`");
            insta::assert_snapshot!(name, error("problem.json", &good.replace(old, new)));
        }
    });
}

#[test]
fn set() {
    let cases = [
        ("set_unknown", "esp=0.3"),
        ("set_not_a_number", "eps=fast"),
        ("set_no_value", "eps="),
        ("set_no_equals", "eps"),
        ("set_infinite", "eps=1/0"),
    ];
    snapshots(|| {
        for (name, assignment) in cases {
            let mut problem = Problem::parse("problem.toml", GOOD).unwrap();
            insta::assert_snapshot!(name, problem.set(assignment).unwrap_err().render());
        }
    });
}

#[test]
fn an_expression_of_the_command_line_is_its_own_document() {
    let problem = Problem::parse("problem.toml", GOOD).unwrap();
    let expression = Formula::parse("EXPR", "A.H @ (A @ y)").unwrap();
    let error = Resolved::new(problem, &Catalog::standard(), vec![expression]).unwrap_err();
    snapshots(|| insta::assert_snapshot!("command_line_expression", error.render()));
}
