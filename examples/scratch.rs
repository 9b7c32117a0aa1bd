//! scratch
use adjoin::data::Source;
use adjoin::expr::*;
use adjoin::planned::*;
use adjoin::solve::*;
use adjoin::{Dtype, ops};
use std::sync::Arc;
fn main() {
    let g = Op::new(ops::matrix_mult(Source::zeros([50, 1280], Dtype::F64)).build().unwrap())
        .named("G");
    let l = Op::new(ops::laplacian([32, 40]).weights([1.0, 1.0]).build().unwrap()).named("L");
    let a = vstack([("data", &g), ("smooth", &(param("eps", 0.1) * &l))]).unwrap();
    let system = System::new(&a, &[Dtype::F64, Dtype::F64]).unwrap();
    for mesh in ["p=1", "p=4", "r=2,c=2"] {
        let t = std::time::Instant::now();
        let p = Planner::new(adjoin_passes::Mesh::parse(mesh).unwrap()).solve(
            Arc::new(Cgls),
            &system,
            Settings::default(),
        );
        match p {
            Ok(p) => println!("{p}{:?}", p.verdict()),
            Err(e) => println!("{e}"),
        }
        println!("{:?}", t.elapsed());
    }
}
