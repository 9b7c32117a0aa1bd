//! Plans for machines: the command line's `--machine`, `compare`, `calibrate`, and what `explain`
//! says of costs.

mod support;

use adjoin::machine::{self, Machine};
use support::folder::Folder;

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

/// A folder of a problem without data.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("p.toml", PROBLEM);
    folder
}

#[test]
fn plans_are_compared_on_meshes_and_machines() {
    let folder = folder("machines-compare");
    let args = ["--ranks", "1,2", "--mesh", "r=2,c=2", "--machine", "gpu-node", "--svg", "t.svg"];
    let table = folder.good(&[&["compare", "p.toml"], &args[..]].concat());
    assert!(["r=2 c=2", "p=1", "p=2"].iter().all(|mesh| table.contains(mesh)), "{table}");
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(std::fs::read_to_string(folder.0.join("t.svg")).unwrap().starts_with("<svg"));
    assert!(folder.bad(&["compare", "p.toml"]).contains("give --mesh or --ranks"));
}

#[test]
fn what_does_not_fit_is_said() {
    let folder = folder("machines-fit");
    let small = Machine { capacity: Some(2e7), ..Machine::default() };
    folder.write("small.toml", &machine::text(&small));
    let args = ["compare", "p.toml", "--ranks", "1,4", "--machine", "small.toml"];
    let table = folder.good(&args);
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[1].contains("does not fit into 20 MB"), "{table}");
    assert!(!lines[2].contains("does not fit"), "{table}");
}

#[test]
fn a_machine_that_is_none_is_named() {
    let folder = folder("machines-none");
    let unknown = folder.bad(&["plan", "p.toml", "--machine", "abacus"]);
    assert!(unknown.contains("abacus") && unknown.contains("gpu-node"), "{unknown}");
    folder.write("m.toml", "name = 3");
    let wrong = folder.bad(&["plan", "p.toml", "--machine", "m.toml"]);
    assert!(wrong.contains("m.toml is no machine"), "{wrong}");
}

/// A slow network keeps everything where it is; the plan follows the machine.
#[test]
fn the_plan_depends_on_the_machine() {
    let folder = folder("machines-depends");
    let slow = Machine::default().with_link(1.0, 1.0);
    folder.write("slow.toml", &machine::text(&slow));
    let plan = |machine| folder.good(&["plan", "p.toml", "--ranks", "4", "--machine", machine]);
    assert!(plan("cpu-cluster").contains("all_reduce"));
    assert!(!plan("slow.toml").contains("all_reduce"));
}

#[test]
fn explain_tells_costs_bounds_origins_and_runners_up() {
    let folder = folder("machines-explain");
    let args = ["plan", "p.toml", "--ranks", "4", "--dump", "explain"];
    let text = folder.good(&args);
    for part in ["predicted", "least", "memory", "insert-collectives", "dearer by", "of operators"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let many = ["plan", "p.toml", "--ranks", "100000", "--dump", "explain"];
    assert!(folder.good(&many).contains("100000 ranks, by their classes"));
}

#[test]
fn a_measured_machine_can_be_planned_for() {
    let folder = folder("machines-measured");
    folder.good(&["calibrate", "--quick", "--ranks", "2", "-o", "here.toml"]);
    let here = machine::named(folder.0.join("here.toml").to_str().unwrap()).unwrap();
    assert_eq!(here.check(), Ok(()));
    assert_eq!(here.kernels.len(), 7, "{here:?}");
    let plan = ["plan", "p.toml", "--ranks", "2", "--dump", "explain", "--machine", "here.toml"];
    assert!(folder.good(&plan).contains("predicted"));
}

#[test]
fn a_sweep_shows_how_time_falls_with_the_ranks() {
    let folder = folder("machines-sweep");
    let args = ["plan", "p.toml", "--sweep", "ranks=1,2,4,..,65536", "--svg", "s.svg"];
    let table = folder.good(&args);
    let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split("  ").collect()).collect();
    assert_eq!(lines.len(), 1 + 17, "{table}");
    assert!(table.lines().next().unwrap().contains("efficiency"));
    assert_eq!((lines[1][0], lines[17][0]), ("1", "65536"));
    assert!(table.lines().nth(1).unwrap().trim_end().ends_with("100 %"), "{table}");
    let svg = std::fs::read_to_string(folder.0.join("s.svg")).unwrap();
    assert!(["iteration", "communication", "evenly divided"].iter().all(|name| svg.contains(name)));
    let unclear = folder.bad(&["plan", "p.toml", "--sweep", "ranks=1,2,..,64"]);
    assert!(unclear.contains("give a third number"), "{unclear}");
    let both = folder.bad(&["plan", "p.toml", "--sweep", "ranks=1,2", "--ranks", "3"]);
    assert!(both.contains("cannot be used with"), "{both}");
}
