//! Plans for machines: the command line's `--machine`, `compare`, `calibrate`, and what `explain`
//! says of costs.

use adjoin::machine;
use std::path::Path;
use std::process::{Command, Output};

const PROBLEM: &str = r#"
[arrays]
W = { shape = [4096, 1024], dtype = "float64" }
d = { shape = [4096], dtype = "float64" }
[operators]
G = { operator = "MatrixMult", A = "W" }
[solve]
solver = "cgls"
operator = "G"
data = "d"
niter = 100
"#;

fn adjoin(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adjoin"));
    command.args(arguments).current_dir(folder).env("ADJOIN_IGNORE_LAUNCHER", "1");
    command.output().unwrap()
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = adjoin(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn bad(folder: &Path, arguments: &[&str]) -> String {
    let output = adjoin(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.toml"), PROBLEM).unwrap();
    folder
}

#[test]
fn plans_are_compared_on_meshes_and_machines() {
    let folder = folder();
    let at = folder.path();
    let args = ["--ranks", "1,2", "--mesh", "r=2,c=2", "--machine", "gpu-node", "--svg", "t.svg"];
    let table = good(at, &[&["compare", "p.toml"], &args[..]].concat());
    assert!(["r=2 c=2", "p=1", "p=2"].iter().all(|mesh| table.contains(mesh)), "{table}");
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(std::fs::read_to_string(at.join("t.svg")).unwrap().starts_with("<svg"));
    assert!(bad(at, &["compare", "p.toml"]).contains("give --mesh or --ranks"));
}

#[test]
fn what_does_not_fit_is_said() {
    let folder = folder();
    let small = machine::Machine { capacity: Some(2e7), ..machine::Machine::default() };
    std::fs::write(folder.path().join("small.toml"), machine::text(&small)).unwrap();
    let args = ["compare", "p.toml", "--ranks", "1,4", "--machine", "small.toml"];
    let table = good(folder.path(), &args);
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[1].contains("does not fit into 20 MB"), "{table}");
    assert!(!lines[2].contains("does not fit"), "{table}");
}

#[test]
fn a_machine_that_is_none_is_named() {
    let folder = folder();
    let unknown = bad(folder.path(), &["plan", "p.toml", "--machine", "abacus"]);
    assert!(unknown.contains("abacus") && unknown.contains("gpu-node"), "{unknown}");
    std::fs::write(folder.path().join("m.toml"), "name = 3").unwrap();
    let wrong = bad(folder.path(), &["plan", "p.toml", "--machine", "m.toml"]);
    assert!(wrong.contains("m.toml is no machine"), "{wrong}");
}

/// A slow network keeps everything where it is; the plan follows the machine.
#[test]
fn the_plan_depends_on_the_machine() {
    let folder = folder();
    let at = folder.path();
    let slow = machine::Machine::default().with_link(1.0, 1.0);
    std::fs::write(at.join("slow.toml"), machine::text(&slow)).unwrap();
    let plan = |machine| good(at, &["plan", "p.toml", "--ranks", "4", "--machine", machine]);
    assert!(plan("cpu-cluster").contains("all_reduce"));
    assert!(!plan("slow.toml").contains("all_reduce"));
}

#[test]
fn explain_tells_costs_bounds_origins_and_runners_up() {
    let folder = folder();
    let args = ["plan", "p.toml", "--ranks", "4", "--dump", "explain"];
    let text = good(folder.path(), &args);
    for part in ["predicted", "least", "memory", "insert-collectives", "dearer by", "of operators"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let many = ["plan", "p.toml", "--ranks", "100000", "--dump", "explain"];
    assert!(good(folder.path(), &many).contains("100000 ranks, by their classes"));
}

#[test]
fn a_measured_machine_can_be_planned_for() {
    let folder = folder();
    good(folder.path(), &["calibrate", "--ranks", "2", "-o", "here.toml"]);
    let here = machine::named(folder.path().join("here.toml").to_str().unwrap()).unwrap();
    assert_eq!(here.check(), Ok(()));
    good(folder.path(), &["plan", "p.toml", "--ranks", "2", "--machine", "here.toml"]);
}
