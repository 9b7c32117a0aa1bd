//! Lets a stencil and its adjoint be computed as the one operator that they are.
//!
//! ```before
//! mesh 1 rank
//! let S = (i, j) <- (i~1:1, j) : f64[6, 4]
//! %0 = input x : f64[6, 4]
//! region S
//! %1 = apply S %0 : f64[6, 4]
//! %2 = apply S.H %1 : f64[6, 4]
//! end
//! return %2
//! ```
//! ```after
//! mesh 1 rank
//! let S = (i, j) <- (i~1:1, j)    : f64[6, 4]
//! %0 = input x                    : f64[6, 4]
//! region S.H S
//! %1 = apply S %0                 : f64[6, 4]
//! %2 = apply S.H %1               : f64[6, 4]
//! end
//! return %2
//! comm 0 calls, 0 B per rank
//! ```
//! A derivative along an axis and its adjoint are a stencil of twice the width, and a gradient and
//! its adjoint the sum of those of its components; coefficients are multiplied before anything
//! runs, so that the argument is read once and the result written once.
//! Whether a tile has such a form is its own matter: others are applied one after the other, block
//! by block.
//! Numerics class: F, as products of coefficients are rounded and terms summed otherwise.

use crate::error::PlanError;
use crate::ir::{Over, Plan};
use crate::pipeline::{Context, Numerics, Pass};
use crate::region::keeps_nothing;

/// The pass.
pub struct ComposeStencils;

impl Pass for ComposeStencils {
    fn name(&self) -> &'static str {
        "compose-stencils"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let mut out = plan.clone();
        for region in out.blocks.iter_mut().flat_map(|block| &mut block.regions) {
            match region.over {
                Over::Panels(leaf) if keeps_nothing(&plan[leaf].signature) => {
                    region.over = Over::Normal(leaf);
                }
                Over::Panels(_) | Over::Normal(_) | Over::Elements => {}
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::unchanged;

    #[test]
    fn not_for_operators_with_data() {
        let plan = "
mesh 1 rank
let A = (i) <- (j) : f64[6, 4]
%0 = input x : f64[4]
region A
%1 = apply A %0 : f64[6]
%2 = apply A.H %1 : f64[4]
end
return %2
";
        assert!(unchanged(&ComposeStencils, plan));
    }
}
