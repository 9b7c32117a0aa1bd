//! The command `adjoin` under `mpiexec`: what it writes is what threads write, rank 0 speaks for
//! all, and whatever is wrong is said once before anything is written.
#![cfg(feature = "mpi")]

mod support;

use serde_json::Value as Json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::folder::{ADJOIN, Folder, PROBLEM, near};
use support::mpiexec::{Job, ended, mpiexec};

/// The command on so many ranks.
fn on(ranks: usize, folder: &Folder, arguments: &[&str]) -> Job {
    let mut command = mpiexec();
    command.args(["-n", &ranks.to_string(), ADJOIN]).args(arguments).current_dir(&folder.0);
    ended(command)
}

/// What it prints when it succeeds.
fn good(ranks: usize, folder: &Folder, arguments: &[&str]) -> String {
    let job = on(ranks, folder, arguments);
    assert!(job.status.success(), "{arguments:?} on {ranks}: {}", job.output());
    job.stdout
}

/// All that is said when it is the user's fault; the command itself says something once.
fn bad(ranks: usize, folder: &Folder, arguments: &[&str], message: &str) -> String {
    wrong(&on(ranks, folder, arguments), message)
}

fn wrong(job: &Job, message: &str) -> String {
    assert_eq!(job.status.code(), Some(2), "{}", job.output());
    assert_eq!(job.stderr.matches(message).count(), 1, "{message}: {}", job.output());
    assert_eq!(job.stdout, "", "nothing went well");
    assert!(job.time < Duration::from_secs(20), "{:?}", job.time);
    job.stderr.clone()
}

/// Few iterations, so that rounding has no time to grow.
fn problem(name: &str) -> Folder {
    let folder = Folder::of_size(name, 40, 600);
    folder.write("p.toml", &PROBLEM.replace("[12]", "[600]").replace("niter = 30", "niter = 8"));
    folder
}

fn report(folder: &Folder, name: &str) -> Json {
    serde_json::from_str(&std::fs::read_to_string(folder.0.join(name)).unwrap()).unwrap()
}

fn written(folder: &Folder) -> Vec<String> {
    let files = std::fs::read_dir(&folder.0).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const GIVEN: [&str; 3] = ["d.npy", "p.toml", "w.npy"];

/// Solves on threads and on ranks, which write and say the same.
fn agree(folder: &Folder, ranks: usize, more: &[&str]) {
    let solve = ["solve", "p.toml", "--set", "eps=0.3", "-o", "x.npy", "--report", "r.json"];
    let line = ["--ranks".to_owned(), ranks.to_string()];
    let mut threads: Vec<&str> = [&solve[..], more].concat();
    if more.is_empty() {
        threads.extend(line.iter().map(String::as_str));
    }
    let said = folder.good(&threads);
    let arrays = ["x.npy", "res.npy", "cost.npy"].map(|name| (name, folder.array(name)));
    let one = report(folder, "r.json");
    for name in ["x.npy", "res.npy", "cost.npy", "r.json"] {
        std::fs::remove_file(folder.0.join(name)).unwrap();
    }
    assert_eq!(good(ranks, folder, &[&solve[..], more].concat()), said, "{ranks} {more:?}");
    for (name, array) in arrays {
        assert!(near(&folder.array(name), &array), "{name} on {ranks} {more:?}");
    }
    let two = report(folder, "r.json");
    let backend = if ranks == 1 { "threads" } else { "mpi" };
    assert_eq!((&one["backend"], &two["backend"]), (&"threads".into(), &backend.into()));
    for key in ["solver", "iterations", "stop", "ranks", "mesh", "plan_hash", "problem_hash"] {
        assert_eq!(one[key], two[key], "{key} on {ranks} {more:?}");
    }
    for key in ["calls", "bytes", "reductions"] {
        assert_eq!(one["per_iteration"][key], two["per_iteration"][key], "{key} on {ranks}");
    }
}

#[test]
fn solving_writes_what_threads_write() {
    let folder = problem("mpi-solve");
    for ranks in 1..=4 {
        agree(&folder, ranks, &[]);
    }
}

#[test]
fn solving_on_a_grid_and_by_a_reviewed_plan_writes_what_threads_write() {
    let folder = problem("mpi-grid");
    agree(&folder, 4, &["--mesh", "r=2,c=2"]);
    folder.good(&["plan", "p.toml", "--mesh", "r=2,c=2", "-o", "saved.plan"]);
    agree(&folder, 4, &["--plan", "saved.plan"]);
    let message = "the mesh r=2 c=2 has 4 ranks, and the job has 2";
    bad(2, &folder, &["solve", "p.toml", "--plan", "saved.plan"], message);
    folder.write("other.toml", &PROBLEM.replace("eps * L", "eps * L @ L").replace("[12]", "[600]"));
    let solve = ["solve", "other.toml", "--plan", "saved.plan"];
    bad(4, &folder, &solve, "this problem has another plan now");
}

#[test]
fn the_traces_of_all_ranks_are_one_file() {
    let folder = problem("mpi-trace");
    let solve = ["solve", "p.toml", "-q", "--trace", "t.json", "--log-view"];
    let said = good(3, &folder, &solve);
    assert!(said.starts_with("3 ranks, "), "{said}");
    let text = std::fs::read_to_string(folder.0.join("t.json")).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let steps = |rank: u64| events.iter().filter(move |e| e["name"] == "step" && e["tid"] == rank);
    assert_eq!([0, 1, 2].map(|rank| steps(rank).count()), [8; 3], "{text}");
    let calls = |rank: u64| {
        let of = events.iter().filter(|e| e["ph"] == "X" && e["tid"] == rank);
        of.filter(|e| e["cat"] == "wire").count()
    };
    assert!(calls(0) >= 16 && (calls(0), calls(0)) == (calls(1), calls(2)), "{text}");
}

#[test]
fn one_rank_may_be_asked_to_use_mpi() {
    let folder = Folder::new("mpi-one");
    good(1, &folder, &["solve", "p.toml", "--backend", "mpi", "--report", "r.json"]);
    assert_eq!(report(&folder, "r.json")["backend"], "mpi");
}

#[test]
fn expressions_are_evaluated_and_plans_printed_once() {
    let folder = problem("mpi-apply");
    folder.good(&["apply", "p.toml", "d - G @ x", "-o", "residual.npy"]);
    folder.good(&["apply", "p.toml", "A @ zeros(600)", "-o", "parts.npy"]);
    for ranks in 1..=4 {
        let said = good(ranks, &folder, &["apply", "p.toml", "d - G @ x", "-o", "y.npy"]);
        assert_eq!(said, "wrote y.npy\n");
        assert!(near(&folder.array("y.npy"), &folder.array("residual.npy")), "{ranks}");
        let quiet =
            good(ranks, &folder, &["apply", "-q", "p.toml", "A @ zeros(600)", "-o", "y.npy"]);
        assert_eq!(quiet, "");
        assert!(near(&folder.array("y.npy"), &folder.array("parts.npy")), "{ranks}");
    }
    let text = folder.good(&["plan", "p.toml", "--ranks", "3"]);
    assert_eq!(good(3, &folder, &["plan", "p.toml"]), text, "the plan of this job's ranks");
    assert_eq!(good(2, &folder, &["plan", "p.toml", "--ranks", "3"]), text);
    good(2, &folder, &["plan", "p.toml", "--ranks", "3", "-o", "saved.plan"]);
    assert_eq!(std::fs::read_to_string(folder.0.join("saved.plan")).unwrap(), text);
    let checked = folder.good(&["check", "p.toml", "--ranks", "2"]);
    assert_eq!(good(2, &folder, &["check", "p.toml"]), checked);
    assert_eq!(good(2, &folder, &["--version"]).lines().count(), 1);
}

#[test]
fn what_a_user_gets_wrong_is_said_once_and_nothing_is_written() {
    let folder = Folder::new("mpi-errors");
    let solve = ["solve", "p.toml"];
    bad(3, &folder, &["solve", "nowhere.toml"], "cannot read nowhere.toml");
    bad(3, &folder, &["solve", "p.toml", "--set", "esp=1"], "did you mean");
    bad(3, &folder, &["apply", "p.toml", "L @ d", "-o", "y.npy"], "which has 7 elements");
    bad(3, &folder, &["check", "p.toml", "--block", "Q"], "there is no operator Q");
    bad(3, &folder, &["plan", "p.toml", "-o", "no/where.plan"], "cannot write no/where.plan");
    bad(3, &folder, &["frobnicate"], "unrecognized subcommand");
    bad(3, &folder, &["solve", "p.toml", "-o", "no/x.npy"], "there is no folder no");
    let mesh = [&solve[..], &["--mesh", "r=2,c=2"]].concat();
    bad(3, &folder, &mesh, "the mesh r=2 c=2 has 4 ranks, and the job has 3");
    bad(
        2,
        &folder,
        &[&solve[..], &["--ranks", "3"]].concat(),
        "3 ranks are asked for, and the job has 2",
    );
    let threads = [&solve[..], &["--backend", "threads"]].concat();
    bad(2, &folder, &threads, "leave out --backend threads");
    assert_eq!(written(&folder), GIVEN);
}

/// Rank 0 in a good folder, the others in one whose matrix is cut off.
#[test]
fn a_rank_that_cannot_read_its_data_stops_all() {
    let (folder, torn) = (Folder::new("mpi-good"), Folder::new("mpi-torn"));
    let matrix = std::fs::read(torn.0.join("w.npy")).unwrap();
    std::fs::write(torn.0.join("w.npy"), &matrix[..matrix.len() - 8]).unwrap();
    let mut command = mpiexec();
    let solve = [ADJOIN, "solve", "p.toml"];
    command.args(["-n", "1", "-wdir"]).arg(&folder.0).args(solve);
    command.args([":", "-n", "2", "-wdir"]).arg(&torn.0).args(solve);
    wrong(&ended(command), "w.npy is truncated: 800 bytes are needed, 792 are there");
    assert_eq!(
        (written(&folder), written(&torn)),
        (GIVEN.map(Into::into).into(), GIVEN.map(Into::into).into())
    );
}

#[test]
fn a_result_that_cannot_be_written_stops_all() {
    let folder = Folder::new("mpi-unwritable");
    std::fs::create_dir(folder.0.join("x.npy")).unwrap();
    bad(2, &folder, &["solve", "p.toml", "-o", "x.npy"], "cannot write x.npy");
    assert_eq!(written(&folder), [&GIVEN[..], &["x.npy"]].concat());
}

/// Tasks of a launcher that the library of this build knows nothing of.
#[test]
fn tasks_of_another_launcher_stop_before_anything_is_written() {
    let hydra = Path::new("/usr/bin/mpiexec.mpich");
    if !hydra.exists() {
        println!("skipped: there is no {}", hydra.display());
        return;
    }
    let folder = Folder::new("mpi-hydra");
    let mut command = Command::new(hydra);
    command.args(["-n", "2", ADJOIN, "solve", "p.toml"]).current_dir(&folder.0);
    wrong(&ended(command), "announces 2 tasks (PMI_SIZE)");
    assert_eq!(written(&folder), GIVEN);
}
