//! Each program, real and complex, with each kind of operator, on each mesh.

use crate::programs::*;
use adjoin_passes::ir::{Applied, Op};
use adjoin_passes::text;
use adjoin_passes::traffic::Traffic;

/// Proves a program and its real form on every mesh, with plans that do communicate.
fn proves(program: &str) {
    let real = real(program);
    let forms = [(program, quick_network()), (program, slow_memory()), (&real, slow_memory())];
    for (form, machine) in forms {
        for mesh in MESHES {
            let plan = proven(form, mesh, machine.clone());
            let calls: usize = plan.blocks.iter().map(|b| Traffic::of(&plan.mesh, b).calls).sum();
            assert_eq!(calls > 0, plan.mesh.ranks() > 1, "{mesh}\n{plan}");
        }
    }
}

#[test]
fn the_files_read_as_they_print() {
    for (name, program) in PROGRAMS {
        assert_eq!(text::print(&parsed(program)), program, "{name}");
    }
}

macro_rules! proves {
    ($($name:ident: $program:expr;)*) => {$(
        #[test]
        fn $name() {
            proves(&$program);
        }
    )*};
}

proves! {
    cg_on_a_dense_matrix: CG;
    cg_on_a_normal_operator: with_operator(CG, NORMAL);
    cg_on_ragged_blocks: with_operator(CG, RAGGED_SQUARE);
    cgls_on_a_dense_matrix: CGLS;
    cgls_on_a_matrix_and_a_stencil: CGLS_STACK;
    cgls_on_ragged_blocks: with_operator(CGLS, RAGGED);
    lsqr_on_a_dense_matrix: LSQR;
    lsqr_on_a_matrix_and_a_stencil: LSQR_STACK;
    lsqr_on_ragged_blocks: with_operator(LSQR, RAGGED);
    gmres_on_a_dense_matrix: GMRES;
    gmres_on_a_normal_operator: with_operator(GMRES, NORMAL);
    gmres_on_ragged_blocks: with_operator(GMRES, RAGGED_SQUARE);
    fista_on_a_dense_matrix: FISTA;
    fista_on_a_matrix_and_a_stencil: FISTA_STACK;
    fista_on_ragged_blocks: with_operator(FISTA, RAGGED);
    omp_on_a_dense_matrix: OMP;
    omp_on_a_matrix_and_a_stencil: OMP_STACK;
    omp_on_ragged_blocks: with_operator(OMP, RAGGED);
    power_iteration_on_a_dense_matrix: POWER;
    power_iteration_on_a_normal_operator: with_operator(POWER, NORMAL);
    power_iteration_on_ragged_blocks: with_operator(POWER, RAGGED_SQUARE);
    minres_on_a_dense_matrix: MINRES;
    minres_on_a_normal_operator: with_operator(MINRES, NORMAL);
    minres_on_ragged_blocks: with_operator(MINRES, RAGGED_SQUARE);
}

/// A flat matrix and a stencil along the first of two dims: the matrix takes over the cuts of the
/// stencil's rows.
#[test]
fn cgls_on_a_plane() {
    let head = "
let G = (i) <- (j) : c128[5, 14]
let L = (i, j) <- (i~1:1, j) : f64[7, 2]
slot eps : f64
term t0 = scale eps L
term t3 = regroup [7, 2] -> [14]
term t4 = G @ t3
term t1 = vstack t4 t0
term t2 = t1.H
";
    let program = with_operator(CGLS_STACK, head).replace("c128[7]", "c128[7, 2]");
    let machine = quick_network().with_link(1e-9, 1e13).with_flops(1e8).with_memory(1e8);
    for mesh in ["p=2", "p=3", "p=4", "p=7", "r=2,c=2"] {
        let plan = proven(&program, mesh, machine.clone()).to_string();
        assert!(plan.contains("14/p@q0]") || plan.contains("14/(r,c)@q0]"), "{plan}");
    }
}

/// Vectors in single precision, scalar products in double.
#[test]
fn single_precision() {
    for program in [CG, CGLS_STACK] {
        for (vector, data) in [("c64", "f32"), ("f32", "f32")] {
            let program = program.replace("c128", vector);
            let program = program.replace(": f64[7]", &format!(": {data}[7]"));
            for mesh in MESHES {
                proven(&program, mesh, quick_network());
            }
        }
    }
}

/// A step between transforms has none of them.
#[test]
fn isometries_leave_the_loop() {
    let program = on_convolution(CGLS);
    for mesh in MESHES {
        for machine in [quick_network(), slow_memory()] {
            let plan = proven(&program, mesh, machine);
            let step = plan.block("step").unwrap();
            for node in &step.nodes {
                if let Op::Apply(Applied::Leaf(leaf) | Applied::Adjoint(leaf)) = node.op {
                    assert_eq!(plan[leaf].name, "G", "{mesh}\n{plan}");
                }
            }
        }
    }
}
