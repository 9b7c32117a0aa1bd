//! Placements that the user demands: in the API, and in problem files.

mod support;

use adjoin::data::Array;
use adjoin::expr::{Op, vstack};
use adjoin::ops;
use adjoin::planned::{Planned, Planner, Ranks};
use adjoin::solve::{Cgls, Settings, System};
use adjoin::{Dtype, Mesh};
use std::sync::Arc;
use support::check::check;
use support::folder::{Folder, PROBLEM};

fn matrix(rows: usize, columns: usize) -> Op {
    let entries: Vec<f64> = (0..rows * columns).map(|k| ((k * 37 % 101) as f64).sin()).collect();
    Op::new(ops::matrix_mult(Array::new([rows, columns], entries).unwrap()).build().unwrap())
}

fn leaf(planned: &Planned, name: &str) -> String {
    let text = planned.to_string();
    let line = text.lines().find(|l| l.starts_with(&format!("let {name} "))).unwrap();
    line.rsplit(": ").next().unwrap().to_owned()
}

#[test]
fn operators_and_inputs_lie_where_they_are_pinned() {
    let (a, b) = (matrix(20, 12).named("A"), matrix(8, 12).named("B"));
    let stack = vstack([&a.on("rows c, columns r"), &b]).unwrap();
    let y = stack.h() * (&stack * stack.input("x", Dtype::F64));
    let planner = Planner::new(Mesh::grid(2, 3)).pin("x", "n/(c,r)").pin("B", "replicated");
    let planned = planner.apply(&y).unwrap();
    assert_eq!(leaf(&planned, "A"), "f64[20/c, 12/r]");
    assert_eq!(leaf(&planned, "B"), "f64[8, 12]");
    assert!(planned.to_string().contains("= input x                    : f64[12/(c,r)]"));
    check(&planned).unwrap();
}

#[test]
fn a_pinned_stack_pins_its_blocks_in_a_solver_too() {
    let a = vstack([matrix(20, 12), matrix(9, 12)]).unwrap().named("A");
    let system = System::new(&a.on("columns p"), &[Dtype::F64; 2]).unwrap();
    let planner = Planner::new(Ranks(4));
    let planned = planner.solve(Arc::new(Cgls), &system, Settings::default()).unwrap();
    assert_eq!(leaf(&planned, "A[0]"), "f64[20, 12/p]");
    assert_eq!(leaf(&planned, "A[1]"), "f64[9, 12/p]");
}

#[test]
fn the_arrangement_of_ranks_follows_the_axes_that_a_pin_names() {
    let a = matrix(20, 12).named("A").on("i/r, j/c");
    let planned = Planner::new(Ranks(6)).apply(&(&a * a.input("x", Dtype::F64))).unwrap();
    assert_eq!(planned.plan().mesh.axes.len(), 2);
    assert_eq!(leaf(&planned, "A"), "f64[20/r, 12/c]");
}

#[test]
fn what_cannot_hold_is_quoted_with_the_reason() {
    let a = matrix(20, 12).named("A");
    let y = &a.on("i/q") * a.input("x", Dtype::F64);
    let error = Planner::new(Mesh::line(4)).apply(&y).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "A.on(\"i/q\") cannot hold: the mesh p=4 has no axis q");
    let y = &a * a.input("x", Dtype::F64);
    let error = Planner::new(Mesh::line(4)).pin("z", "n/p").apply(&y).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "z.on(\"n/p\") cannot hold: nothing is called z; there are A, x");
}

#[test]
fn what_the_caller_holds_unevenly_is_taken_and_handed_back_so() {
    let (a, b) = (matrix(20, 12).named("A"), matrix(12, 20).named("B"));
    let y = &b * (&a * a.input("x", Dtype::F64));
    let counts = [5, 0, 1, 6];
    for planner in
        [Planner::new(Mesh::line(4)), Planner::new(Mesh::grid(2, 2)), Planner::new(Ranks(4))]
    {
        let planned = planner.layout("x", &counts).apply(&y).unwrap();
        let text = planned.to_string();
        assert!(text.contains("cut q0 = 4 spread 5 0 1 6\n"), "{text}");
        let block = &planned.plan().blocks[0];
        let mesh = &planned.plan().mesh;
        for value in [block.nodes[0].results[0], block.returns[0].value] {
            let owned = |rank| block.ty(value).owned(mesh, &mesh.coordinates(rank))[0].len();
            assert_eq!((0..4).map(owned).collect::<Vec<_>>(), counts, "{text}");
        }
        check(&planned).unwrap();
    }
    let error =
        Planner::new(Mesh::line(4)).layout("x", &[5, 1, 6]).apply(&y).map(|_| ()).unwrap_err();
    let why = "it counts the elements of 3 ranks, and 4 ranks share them";
    assert_eq!(error.to_string(), format!("x.on(\"rows (p)@[5, 1, 6]\") cannot hold: {why}"));
}

#[test]
fn every_name_in_placements_places_something() {
    let folder = Folder::new("placed");
    let plan = |entry: &str| {
        folder.write("placed.toml", &format!("{PROBLEM}\n[placements]\n{entry}\n"));
        ["plan", "placed.toml", "--ranks", "3"]
    };
    let text = folder.good(&plan("d = \"n/p@[4, 0, 3]\""));
    assert!(text.contains("= input \"d.data\"             : f64[7/p@q0]"), "{text}");
    let text = folder.good(&plan("A = \"replicated\""));
    assert!(text.contains("let G = (i) <- (j)              : f64[7, 12]"), "{text}");
    let said = folder.bad(&plan("W = \"n/p, m\""));
    assert!(
        said.contains("`W` is the data of an operator, which is placed in its stead"),
        "{said}"
    );
    let said = folder.bad(&plan("eps = \"n/p\""));
    assert!(said.contains("`eps` is a number, and on every rank"), "{said}");
    let said = folder.bad(&plan("d = \"n/p@[4, 0, 4]\""));
    assert!(said.contains("its counts sum to 8, and there are 7 elements"), "{said}");
}

#[test]
fn problem_files_have_placements() {
    let folder = Folder::new("pins");
    folder.write("pinned.toml", &format!("{PROBLEM}\n[placements]\nG = \"columns p\"\n"));
    let text = folder.good(&["plan", "pinned.toml", "--ranks", "3"]);
    assert!(text.contains("let G = (i) <- (j)              : f64[7, 12/p]"), "{text}");
    folder.write("pinned.toml", &format!("{PROBLEM}\n[placements]\nG = \"rows q\"\n"));
    let said = folder.bad(&["plan", "pinned.toml", "--ranks", "3"]);
    assert!(said.contains("G.on(\"rows q\") cannot hold: the mesh p=3 has no axis q"), "{said}");
    folder.write("pinned.toml", &format!("{PROBLEM}\n[placements]\nH = \"rows p\"\n"));
    let said = folder.bad(&["plan", "pinned.toml", "--ranks", "3"]);
    assert!(said.contains("nothing is called `H`"), "{said}");
}
