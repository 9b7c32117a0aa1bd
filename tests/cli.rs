//! The command `adjoin`, as a user runs it.

mod support;

use std::path::Path;
use support::folder::{Folder, IGNORE, PROBLEM, near};

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
fn threads_of_a_rank_change_no_bit() {
    let folder = Folder::of_size("threads", 90, 3000);
    let solve = |threads: &str| {
        let arguments = ["solve", "p.toml", "-o", "x.npy", "--log-view", "--threads", threads];
        let said = folder.good(&arguments);
        let named = format!("1 rank of {threads} threads, ");
        assert_eq!(said.contains(&named), threads != "1", "{said}");
        std::fs::read(folder.0.join("x.npy")).unwrap()
    };
    let one = solve("1");
    assert!(solve("2") == one && solve("3") == one);
    folder.good(&["check", "p.toml", "--threads", "2"]);
    let no = |n| (n, format!("`{n}` is no number of threads, which is 1 to 65536"));
    let nonsense = ["0", "two", "-1", "65537"].map(no);
    for (n, message) in nonsense {
        let error = folder.bad(&["solve", "p.toml", &format!("--threads={n}")]);
        assert!(error.contains(&message), "{error}");
    }
    let file = std::fs::read_to_string(folder.0.join("p.toml")).unwrap();
    folder.write("p.toml", &format!("threads = 3\n{file}"));
    let said = folder.good(&["apply", "p.toml", "G.H @ d", "-o", "y.npy", "--log-view"]);
    assert!(said.contains("1 rank of 3 threads, "), "{said}");
    folder.write("p.toml", &format!("threads = 0\n{file}"));
    let error = folder.bad(&["solve", "p.toml"]);
    assert!(error.contains("`threads` must be a positive integer, not 0"), "{error}");
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
    assert!(folder.bad(&["check", "p.toml", "--block", "Q"]).contains("there are G, L"));
}

#[test]
fn check_takes_one_block_of_a_stack_of_the_file() {
    let folder = Folder::new("blocks");
    let old = "A = \"VStack(";
    let stacks = "S = \"VStack(G, 2 * L, D @ L, G)\"
B = \"Block([G, G], [L, D])\"
D = { operator = \"FirstDerivative\", dims = [12] }
";
    let used = "s = { expr = \"S @ x\", file = \"s.npy\" }
b = { expr = \"B @ stack(x, x)\", file = \"b.npy\" }
";
    folder.write("s.toml", &(PROBLEM.replace(old, &format!("{stacks}{old}")) + used));
    let checked = |block: &str| {
        let said = folder.good(&["check", "s.toml", "--block", block]);
        let lines = said.lines().filter_map(|line| line.strip_prefix("checked    "));
        lines.filter_map(|line| Some(line.split_once(',')?.0.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(checked("A[0]"), ["G"]);
    assert_eq!(checked("S[1]"), ["L"]);
    let mut both = checked("S[2]");
    both.sort();
    assert_eq!(both, ["D", "L"]);
    assert_eq!(checked("B[3]"), ["D"]);
    let bad = |block| folder.bad(&["check", "s.toml", "--block", block]);
    assert!(bad("S[4]").contains("S has 4 blocks, and none is S[4]"));
    assert!(bad("L[0]").contains("L has 0 blocks, and none is L[0]"));
}

/// What a reviewer reads of the plan that `solving` runs, without a word of the program's own.
#[test]
fn dumps_are_in_the_words_of_plans() {
    let folder = Folder::of_size("dumps", 40, 600);
    let plan = ["plan", "p.toml", "--ranks", "3"];
    folder.good(&["plan", "p.toml", "--ranks", "3", "-o", "saved.plan"]);
    folder.good(&["solve", "p.toml", "--plan", "saved.plan", "-q"]);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/calls"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let explained = folder.good(&[&plan[..], &["--dump", "explain"]].concat());
        insta::assert_snapshot!("regularised_explained_p3", explained);
        let calls = folder.good(&[&plan[..], &["--dump", "calls", "--rank", "1"]].concat());
        insta::assert_snapshot!("regularised_rank1_p3", calls);
    });
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

/// A launcher that this process does not belong to, as each of the known ones announces itself.
#[test]
fn a_launcher_that_announces_others_is_refused_before_anything_is_written() {
    let folder = Folder::new("launcher");
    let launchers = [
        ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
        ("PMI_SIZE", "PMI_RANK"),
        ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
    ];
    let commands: [&[&str]; 3] =
        [&["solve", "p.toml"], &["apply", "p.toml", "G.H @ d", "-o", "y.npy"], &["plan", "p.toml"]];
    for ((size, rank), command) in launchers.into_iter().zip(commands) {
        let run = |number: &str| {
            let announced = [(size, "4"), (rank, number)];
            folder.command(command).env_remove(IGNORE).envs(announced).output().unwrap()
        };
        let (first, other) = (run("0"), run("1"));
        assert_eq!((first.status.code(), other.status.code()), (Some(2), Some(2)));
        let error = String::from_utf8_lossy(&first.stderr);
        assert!(error.contains(&format!("announces 4 tasks ({size})")), "{error}");
        let without = error.contains("was built without MPI: build it with --features mpi");
        assert_eq!(without, cfg!(not(feature = "mpi")), "{error}");
        assert_eq!(String::from_utf8_lossy(&other.stderr), "", "the first task speaks");
        assert!(first.stdout.is_empty() && other.stdout.is_empty());
    }
    for file in ["cost.npy", "res.npy", "y.npy"] {
        assert!(!folder.0.join(file).exists(), "{file}");
    }
    folder.good(&["solve", "p.toml"]);
    assert!(folder.0.join("cost.npy").exists(), "it is allowed when launchers are ignored");
}
