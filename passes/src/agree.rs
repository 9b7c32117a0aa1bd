//! Whether a plan computes its expression, anywhere along the pipeline.
//!
//! A placed plan is certified ([`crate::certify`]).
//! One that is not placed yet is evaluated as the expression is ([`crate::reference`]), and both
//! must give the same elements for random vectors and leaves.

use crate::certify::{Verdict, certify, simulates};
use crate::exact::{Exact, random_array};
use crate::field::Gf;
use crate::ir::Plan;
use crate::reference::{Given, Outcome, evaluate};

/// Whether `plan` computes what `source`, which is not placed, says.
pub fn agree(source: &Plan, plan: &Plan) -> Verdict {
    if !plan.mesh.axes.is_empty() {
        return certify(source, plan);
    }
    if plan.meaning().is_some() {
        return simulates(source, plan);
    }
    for (index, block) in source.blocks.iter().enumerate() {
        match (outcome(source, index), outcome(plan, index)) {
            (Ok(a), Ok(b)) if a == b => {}
            (Ok(_), Ok(_)) => {
                return Verdict::Refuted(format!("block `{}` computes something else", block.name));
            }
            (Err(reason), _) | (_, Err(reason)) => return Verdict::Refuted(reason),
        }
    }
    Verdict::Proven
}

/// What a block gives for random vectors, which may be complex whatever their types.
fn outcome(plan: &Plan, index: usize) -> Result<Outcome<Gf>, String> {
    let block = plan.blocks.get(index).ok_or("a block is missing")?;
    let mut exact = Exact::new(plan);
    let slots = exact.slots().to_vec();
    let state = |s: &crate::ir::State| {
        random_array(&format!("state {}", s.name), &s.ty.dims, s.ty.dtype.is_complex())
    };
    let states: Vec<_> = plan.states.iter().map(state).collect();
    let input = |name: &str, dims: &[usize]| random_array(name, dims, true);
    evaluate(plan, block, &Given { inputs: &input, states: &states, slots: &slots }, &mut exact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn a_lost_conjugate_is_seen() {
        let plan = |op: &str| {
            let body = format!("%0 = input x : c64[3]\n%1 = {op} %0 : c64[3]\nreturn %1\n");
            text::parse(&format!("mesh 1 rank\n{body}")).unwrap()
        };
        assert_eq!(agree(&plan("conj"), &plan("conj")), Verdict::Proven);
        assert!(matches!(agree(&plan("conj"), &plan("neg")), Verdict::Refuted(_)));
    }
}
