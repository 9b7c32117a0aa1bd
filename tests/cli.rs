//! The command `adjoin`, as a user runs it.

use adjoin::data::Array;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of a small problem: `w.npy`, `d.npy`, `p.toml`.
struct Folder(PathBuf);

const PROBLEM: &str = r#"
parameters = { eps = 0.1 }
[arrays]
W = "w.npy"
d = "d.npy"
[operators]
G = { operator = "MatrixMult", A = "W" }
L = { operator = "SecondDerivative", dims = [12] }
A = "VStack(data = G, smooth = eps * L)"
[solve]
solver = "cgls"
operator = "A"
data = { data = "d", smooth = 0 }
niter = 30
tol = 1e-9
[outputs]
res = { expr = "d - G @ x", file = "res.npy" }
cost = "cost.npy"
"#;

impl Folder {
    fn new(name: &str) -> Self {
        Folder::of_size(name, 7, 12)
    }

    fn of_size(name: &str, rows: usize, columns: usize) -> Self {
        let path = std::env::temp_dir().join(format!("adjoin-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let value = |i: usize| ((i * 37 % 101) as f64 / 50.0 - 1.0).sin();
        let array = |dims: &[usize]| {
            let n = dims.iter().product::<usize>();
            Array::new(dims, (0..n).map(value).collect::<Vec<f64>>()).unwrap()
        };
        array(&[rows, columns]).save_npy(path.join("w.npy")).unwrap();
        array(&[rows]).save_npy(path.join("d.npy")).unwrap();
        let text = PROBLEM.replace("dims = [12]", &format!("dims = [{columns}]"));
        std::fs::write(path.join("p.toml"), text).unwrap();
        Folder(path)
    }

    fn adjoin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adjoin"));
        command.args(arguments).current_dir(&self.0).env("ADJOIN_IGNORE_LAUNCHER", "1");
        command.output().unwrap()
    }

    /// What it prints when it succeeds.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.adjoin(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        assert_eq!(errors, "", "there is no terminal");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says when it is the user's fault.
    fn bad(&self, arguments: &[&str]) -> String {
        let output = self.adjoin(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn array(&self, name: &str) -> Vec<f64> {
        Array::read_npy(self.0.join(name)).unwrap().into_vec().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn near(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-8)
}

#[test]
fn plan_prints_what_reads_back_and_needs_no_data() {
    let folder = Folder::new("plan");
    let text = folder.good(&["plan", "p.toml", "--ranks", "3"]);
    let plan = adjoin_passes::text::parse(&text).unwrap();
    assert_eq!(plan.mesh.ranks(), 3);
    assert_eq!(plan.to_string().trim_end(), text.trim_end());
    let of_two = folder.good(&["plan", "p.toml", "A.H @ (A @ zeros(12))", "--mesh", "r=2,c=2"]);
    assert!(of_two.starts_with("mesh r=2 c=2 (4 ranks)\n"), "{of_two}");

    let declared =
        PROBLEM.replace("\"w.npy\"", "{ shape = [7, 12] }").replace("\"d.npy\"", "{ shape = [7] }");
    folder.write("declared.toml", &declared);
    assert_eq!(folder.good(&["plan", "declared.toml", "--ranks", "3"]), text);
    assert!(folder.bad(&["solve", "declared.toml"]).contains("no values"));

    folder.good(&["plan", "p.toml", "--ranks", "3", "-o", "saved.plan"]);
    assert_eq!(std::fs::read_to_string(folder.0.join("saved.plan")).unwrap(), text);
    let trace = folder.good(&["plan", "p.toml", "--ranks", "3", "--dump", "trace"]);
    assert!(trace.starts_with("lowering\n") && trace.contains("\ninsert-collectives\nmesh p=3"));
    assert!(trace.ends_with(&text), "the trace ends with the plan");
    let json = folder.good(&["plan", "p.toml", "--ranks", "3", "--dump", "json"]);
    let read: adjoin_passes::Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(read.to_string().trim_end(), text.trim_end());
    let explain = folder.good(&["plan", "p.toml", "--ranks", "3", "--dump", "explain"]);
    assert!(explain.contains("certified  proven"), "{explain}");
    assert!(explain.contains("step: "), "{explain}");
    let calls = folder.good(&["plan", "p.toml", "--ranks", "3", "--dump", "calls", "--rank", "2"]);
    assert!(calls.starts_with("rank 2 of 3\n") && calls.contains("apply G"), "{calls}");
    assert!(
        folder.bad(&["plan", "p.toml", "--dump", "calls", "--rank", "1"]).contains("no rank 1")
    );
}

#[test]
fn solve_writes_what_is_asked_for_on_any_ranks() {
    let folder = Folder::new("solve");
    let said = folder.good(&["solve", "p.toml", "-o", "x1.npy"]);
    assert!(said.starts_with("cgls: "), "{said}");
    assert!(said.ends_with("wrote x1.npy\nwrote res.npy\nwrote cost.npy\n"), "{said}");
    let (x, residual) = (folder.array("x1.npy"), folder.array("res.npy"));
    let d = folder.array("d.npy");
    folder.good(&["apply", "p.toml", "d - G @ x", "--ranks", "2", "-o", "again.npy"]);
    assert!(near(&folder.array("again.npy"), &residual));
    assert!(residual.iter().zip(&d).any(|(r, d)| (r - d).abs() > 1e-3));
    assert!(folder.array("cost.npy").len() > 2);
    for mesh in [["--ranks", "4"], ["--mesh", "r=2,c=2"]] {
        let said = folder.good(&[&["solve", "p.toml", "-q", "-o", "x4.npy"], &mesh[..]].concat());
        assert_eq!(said, "");
        assert!(near(&folder.array("x4.npy"), &x), "{mesh:?}");
    }
}

#[test]
fn a_reviewed_plan_runs_or_the_difference_is_shown() {
    let folder = Folder::new("saved");
    folder.good(&["plan", "p.toml", "--mesh", "r=2,c=2", "-o", "saved.plan"]);
    folder.good(&["solve", "p.toml", "--plan", "saved.plan", "-o", "x.npy", "--report", "r.json"]);
    let first = folder.array("x.npy");
    let set = ["solve", "p.toml", "--plan", "saved.plan", "--set", "eps=0.7", "-o", "x.npy"];
    folder.good(&set);
    assert!(!near(&folder.array("x.npy"), &first), "another eps gives another solution");
    folder.write("other.toml", &PROBLEM.replace("eps * L", "eps * L @ L"));
    let error = folder.bad(&["solve", "other.toml", "--plan", "saved.plan"]);
    assert!(error.contains("saved.plan:") && error.contains("reviewed: "), "{error}");
    let error = folder.bad(&["solve", "p.toml", "--plan", "saved.plan", "--ranks", "3"]);
    assert!(error.contains("the plan is for r=2 c=2"), "{error}");
    folder.write("no.plan", "nonsense");
    assert!(folder.bad(&["solve", "p.toml", "--plan", "no.plan"]).contains("is not a plan"));
}

#[test]
fn lsqr_writes_its_estimates() {
    let folder = Folder::new("lsqr");
    folder.write("p.toml", &PROBLEM.replace("tol = 1e-9", "tol = 1e-22"));
    folder.good(&["solve", "p.toml", "-q", "-o", "cgls.npy"]);
    let problem = PROBLEM.replace("\"cgls\"", "\"lsqr\"").replace("\ntol = 1e-9", "\natol = 1e-12");
    folder.write("p.toml", &problem.replace("[outputs]", "[outputs]\nvar = \"var.npy\""));
    let said = folder.good(&["solve", "p.toml", "-o", "x.npy", "--report", "r.json"]);
    assert!(said.starts_with("lsqr: ") && said.contains(", tolerance reached, cost "), "{said}");
    assert!(near(&folder.array("x.npy"), &folder.array("cgls.npy")));
    assert!(
        folder.array("var.npy").iter().all(|&v| v > 0.0) && folder.array("var.npy").len() == 12
    );
    let report = std::fs::read_to_string(folder.0.join("r.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["solver"], &report["stop"]), (&"lsqr".into(), &"tolerance".into()));
    let estimates = &report["estimates"];
    assert!(estimates["acond"].as_f64().unwrap() > 1.0, "{estimates}");
    assert!(estimates["arnorm"].as_f64().unwrap() < 1e-8, "{estimates}");
}

#[test]
fn a_report_has_all_that_a_run_was() {
    // Large enough that it pays to split it.
    let folder = Folder::of_size("report", 40, 600);
    let report = |arguments: &[&str]| -> serde_json::Value {
        let base = ["solve", "p.toml", "--report", "r.json", "-q", "-o", "x.npy"];
        folder.good(&[&base[..], arguments].concat());
        serde_json::from_str(&std::fs::read_to_string(folder.0.join("r.json")).unwrap()).unwrap()
    };
    let one = report(&["--ranks", "3"]);
    let keys: Vec<_> = one.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "solver",
        "iterations",
        "stop",
        "cost",
        "norms",
        "seconds",
        "per_iteration",
        "peak_bytes",
        "backend",
        "ranks",
        "mesh",
        "plan_hash",
        "problem_hash",
    ];
    assert_eq!(keys, expected);
    let n = one["iterations"].as_u64().unwrap() as usize;
    assert_eq!(one["cost"].as_array().unwrap().len(), n + 1);
    for part in ["data", "smooth"] {
        assert_eq!(one["norms"][part].as_array().unwrap().len(), n + 1);
    }
    assert_eq!((&one["solver"], &one["backend"]), (&"cgls".into(), &"threads".into()));
    assert_eq!((&one["ranks"], &one["mesh"]), (&3.into(), &"p=3".into()));
    let planned = folder.good(&["plan", "p.toml", "--ranks", "3"]);
    let step = planned.split("block step").nth(1).unwrap();
    let step = step.split("block").next().unwrap();
    let calls = one["per_iteration"]["calls"].as_f64().unwrap();
    assert!(calls > 0.0 && step.contains(&format!("comm {calls} call")), "{calls}\n{step}");
    assert!(one["per_iteration"]["bytes"].as_f64().unwrap() >= 8.0 * calls);
    assert!(one["peak_bytes"].as_u64().unwrap() > 0);
    let two = report(&["--ranks", "3", "--set", "eps=0.2"]);
    assert_eq!(one["plan_hash"], two["plan_hash"], "a parameter is no part of a plan");
    assert_ne!(one["problem_hash"], two["problem_hash"]);
    assert_ne!(one["plan_hash"], report(&["--ranks", "2"])["plan_hash"]);
    assert_eq!(report(&["--ranks", "1"])["per_iteration"]["calls"].as_f64(), Some(0.0));
}

#[test]
fn check_says_what_is_proven_and_checks_each_leaf() {
    let folder = Folder::new("check");
    let said = folder.good(&["check", "p.toml", "--ranks", "3"]);
    assert!(said.contains("verified   ") && said.contains("matched    3 ranks, "), "{said}");
    assert!(said.contains("certified  proven equal to the expression\n"), "{said}");
    assert!(said.contains("checked    G, MatrixMult 7×12 float64: "), "{said}");
    assert!(said.contains("checked    L, SecondDerivative 12×12 float64: "), "{said}");
    let said = folder.good(&["check", "p.toml", "G.H @ d", "--block", "G"]);
    assert!(said.contains("checked    G") && !said.contains("checked    L"), "{said}");
    assert!(folder.bad(&["check", "p.toml", "--block", "A[3]"]).contains("there are G, L"));
}

#[test]
fn errors_are_the_users_and_nothing_is_written() {
    let folder = Folder::new("errors");
    assert!(folder.bad(&["plan", "nowhere.toml"]).contains("cannot read nowhere.toml"));
    assert!(folder.bad(&["plan", "p.toml", "L @ d"]).contains("which has 7 elements"));
    assert!(folder.bad(&["apply", "p.toml", "G", "-o", "y.npy"]).contains("is an operator"));
    assert!(folder.bad(&["plan", "p.toml", "--mesh", "r=0"]).contains("r=0"));
    assert!(folder.bad(&["plan", "p.toml", "--ranks", "2", "--mesh", "r=2"]).contains("cannot be"));
    assert!(folder.bad(&["solve", "p.toml", "-o", "no/x.npy"]).contains("there is no folder no"));
    assert!(folder.bad(&["solve", "p.toml", "--set", "esp=1"]).contains("did you mean"));
    std::fs::remove_file(folder.0.join("d.npy")).unwrap();
    assert!(folder.bad(&["solve", "p.toml"]).contains("cannot open d.npy"));
    assert!(!Path::new(&folder.0.join("cost.npy")).exists());
    assert_eq!(folder.adjoin(&["--version"]).status.code(), Some(0));
    assert_eq!(folder.adjoin(&["frobnicate"]).status.code(), Some(2));
}

#[test]
fn a_launcher_that_announces_others_is_refused_before_anything_is_written() {
    let folder = Folder::new("launcher");
    let mut command = Command::new(env!("CARGO_BIN_EXE_adjoin"));
    command.args(["solve", "p.toml"]).current_dir(&folder.0);
    command.env("OMPI_COMM_WORLD_SIZE", "4").env("OMPI_COMM_WORLD_RANK", "1");
    if cfg!(feature = "mpi") {
        return;
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("announces 4 tasks"), "{error}");
    assert!(!folder.0.join("cost.npy").exists());
}
