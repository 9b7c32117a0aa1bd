//! What a step sends: counts, and the plans for review.
//!
//! A plan is printed for the sizes of a real problem.
//! It is proven for arrays 64 times smaller on a network 64 times quicker, where every choice
//! weighs the same; both plans must have the same nodes.

use crate::programs::*;
use adjoin_passes::ir::Return;
use adjoin_passes::machine::Machine;
use adjoin_passes::traffic::Traffic;
use adjoin_passes::{Block, Plan};

/// How much smaller a plan is proven than printed.
const SCALE: usize = 64;

const LARGE: Sizes = Sizes { model: 4096, data: 8192, above: 64 };

const SMALL: Sizes =
    Sizes { model: LARGE.model / SCALE, data: LARGE.data / SCALE, above: LARGE.above / SCALE };

/// 64 blocks on the diagonal.
const BLOCKS: &str = "
let A = (i*128) <- (i*64) : c128[64]
term t0 = A
term t1 = A.H
";

/// A matrix of flat vectors and a stencil along the first of two dims, below each other.
const PLANE: &str = "
let G = (i) <- (j) : c128[64, 4096]
let L = (i, j) <- (i~1:1, j) : f64[256, 16]
slot eps : f64
term t0 = scale eps L
term t3 = regroup [256, 16] -> [4096]
term t4 = G @ t3
term t1 = vstack t4 t0
term t2 = t1.H
";

fn step(plan: &Plan) -> &Block {
    plan.block("step").unwrap()
}

/// What a step of the real program communicates.
fn traffic(program: &str, mesh: &str) -> Traffic {
    let plan = finished(&real(program), mesh, Machine::default());
    Traffic::of(&plan.mesh, step(&plan))
}

/// All but sizes: what each node does to which values, and what leaves the block.
fn nodes(block: &Block) -> (Vec<String>, &[Return]) {
    let node = |n: &adjoin_passes::ir::Node| format!("{:?} {:?} {:?}", n.op, n.args, n.results);
    (block.nodes.iter().map(node).collect(), &block.returns)
}

/// The placed step of a large program whose small twin is proven.
fn reviewed(program: &str, mesh: &str) -> String {
    let slow = Machine::default();
    let times = SCALE as f64;
    let link = slow.links[0];
    let quick = slow.clone().with_link(link.latency / times, link.bandwidth);
    let quick = quick.with_launch(slow.launch / times);
    let large = compiled(&real(&sized(program, LARGE)), mesh, slow);
    let small = likewise(&real(&sized(program, SMALL)), mesh, quick, large.decisions.clone());
    let large = large.plan;
    assert_eq!(nodes(step(&large)), nodes(step(&small)), "{large}\n{small}");
    Plan { blocks: vec![step(&large).clone()], ..large }.to_string()
}

fn snapshot(name: &str, program: &str, mesh: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots/plans"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, reviewed(program, mesh)));
}

#[test]
fn steps_for_review() {
    snapshot("cg_step_p4", CG, "p=4");
    snapshot("cgls_step_p4", CGLS, "p=4");
    snapshot("cgls_step_r2_c2", CGLS, "r=2,c=2");
    snapshot("gmres_step_p4", GMRES, "p=4");
}

#[test]
fn cg_needs_its_operator_and_two_reductions() {
    for mesh in ["p=2", "p=3", "p=4", "r=2,c=2"] {
        let sent = traffic(&sized(CG, LARGE), mesh);
        assert!(sent.reductions <= 2, "{mesh}: {sent:?}");
        assert_eq!(sent.halos, 0, "{mesh}");
    }
    assert_eq!(traffic(&sized(CG, LARGE), "p=4").calls, 3);
}

#[test]
fn a_block_diagonal_operator_communicates_nothing() {
    for (program, reductions, bytes) in [(CGLS, 2, 40), (LSQR, 2, 16), (FISTA, 1, 32)] {
        let program = with_operator(&sized(program, LARGE), BLOCKS);
        for mesh in ["p=4", "p=7", "r=2,c=2"] {
            let sent = traffic(&program, mesh);
            assert_eq!(sent, Traffic { calls: reductions, reductions, bytes, halos: 0 }, "{mesh}");
        }
    }
}

/// The reduction that the matrix needs takes the scalar products along.
#[test]
fn a_matrix_above_a_stencil_costs_two_reductions_and_two_halos() {
    let plane = with_operator(CGLS_STACK, PLANE).replace("c128[7]", "c128[256, 16]");
    let plane = plane.replace("c128[5]", "c128[64]");
    for program in [sized(CGLS_STACK, LARGE), sized(LSQR_STACK, LARGE), plane] {
        for mesh in ["p=4", "p=7"] {
            let sent = traffic(&program, mesh);
            assert_eq!((sent.calls, sent.reductions, sent.halos), (4, 2, 2), "{mesh}: {sent:?}");
        }
        // On a grid six short calls along single axes can be quicker than four over both.
        let sent = traffic(&program, "r=2,c=2");
        assert!(sent.halos == 2 && sent.calls <= 6, "{sent:?}");
    }
}

#[test]
fn what_the_other_solvers_send() {
    let calls = |program: &str, block: &str| {
        let plan = finished(&real(&sized(program, LARGE)), "p=4", Machine::default());
        let sent = Traffic::of(&plan.mesh, plan.block(block).unwrap());
        (sent.calls, sent.reductions)
    };
    assert_eq!(calls(GMRES, "step"), (3, 2));
    assert_eq!(calls(GMRES, "restart"), (2, 1));
    assert_eq!(calls(FISTA, "step"), (2, 2));
    assert_eq!(calls(FISTA, "backtrack"), (1, 1));
    assert_eq!(calls(FISTA, "accept"), (0, 0));
    assert_eq!(calls(OMP, "step"), (4, 4));
    assert_eq!(calls(MINRES, "step"), (3, 2));
    assert_eq!(calls(POWER, "step"), (2, 1));
    for program in [CG, CGLS, LSQR, GMRES, FISTA, MINRES, POWER] {
        assert_eq!(calls(program, "view").0, 0);
    }
}
