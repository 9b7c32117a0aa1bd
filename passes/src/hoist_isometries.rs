//! Takes isometries at the ends of the operator out of the loop of a solver.
//!
//! ```before
//! mesh 1 rank
//! cut s0 = 4 spread 1 1 1 0
//! let F = (k!) <- (i!) isometry half_spectrum real r2c : f64[4, 6]
//! let S = (k@s0) <- (k) co_isometry : f64[4]
//! let A = (i) <- (j)              : c128[3, 3]
//! state x : f64[6]
//! block setup
//! %0 = input x0 : f64[6]
//! set x %0
//! comm 0 calls, 0 B per rank
//! block step
//! %0 = get x : f64[6]
//! %1 = apply F %0 : c128[4]
//! %2 = apply S %1 : c128[3]
//! %3 = apply A %2 : c128[3]
//! %4 = apply S.H %3 : c128[4]
//! %5 = apply F.H %4 : f64[6]
//! %6 = sub %0 %5 : f64[6]
//! %7 = dot real %6 %6 : f64[]
//! set x %6
//! control xx %7
//! comm 0 calls, 0 B per rank
//! block view
//! %0 = get x : f64[6]
//! return %0
//! comm 0 calls, 0 B per rank
//! ```
//! ```after
//! mesh 1 rank
//! cut s0 = 4 spread 1 1 1 0
//! let F = (k!) <- (i!) isometry half_spectrum real r2c : f64[4, 6]
//! let S = (k@s0) <- (k) co_isometry : f64[4]
//! let A = (i) <- (j)              : c128[3, 3]
//! state x                         : c128[3]
//! state rest                      : f64[6]
//! state rest_square               : f64[]
//! block setup
//! %0 = input x0                   : f64[6]
//! %1 = apply F %0                 : c128[4]
//! %2 = apply S %1                 : c128[3]
//! %3 = apply S.H %2               : c128[4]
//! %4 = apply F.H %3               : f64[6]
//! %5 = sub %0 %4                  : f64[6]
//! %6 = dot real %5 %5             : f64[]
//! set x %2
//! set rest %5
//! set rest_square %6
//! comm 0 calls, 0 B per rank
//! block step
//! %0 = get x                      : c128[3]
//! %1 = apply A %0                 : c128[3]
//! %2 = project S F %1             : c128[3]
//! %3 = sub %0 %2                  : c128[3]
//! %4 = get rest_square            : f64[]
//! %5 = dot real %3 %3             : f64[]
//! %6 = add %5 %4                  : f64[]
//! set x %3
//! control xx %6
//! comm 0 calls, 0 B per rank
//! block view
//! %0 = get x                      : c128[3]
//! %1 = apply S.H %0               : c128[4]
//! %2 = apply F.H %1               : f64[6]
//! %3 = get rest                   : f64[6]
//! %4 = add %2 %3                  : f64[6]
//! return %4
//! comm 0 calls, 0 B per rank
//! block meaning
//! %0 = get rest                   : f64[6]
//! %1 = apply F %0                 : c128[4]
//! %2 = apply S %1                 : c128[3]
//! %3 = apply S.H %2               : c128[4]
//! %4 = apply F.H %3               : f64[6]
//! %5 = sub %0 %4                  : f64[6]
//! %6 = dot real %5 %5             : f64[]
//! %7 = get x                      : c128[3]
//! %8 = project S F %7             : c128[3]
//! %9 = apply S.H %8               : c128[4]
//! %10 = apply F.H %9              : f64[6]
//! %11 = add %10 %5                : f64[6]
//! set x %8
//! return %11
//! set rest %5
//! set rest_square %6
//! comm 0 calls, 0 B per rank
//! ```
//! # Change of basis
//! The vectors of a loop that are tied by sums, multiples and scalar products lie in one space.
//! If each operator that takes one of them begins with W, and each that gives one ends with W.H,
//! and `W W.H = Π` is a projection with `W.H Π = W.H`, then every vector is
//! ```text
//! x = W.H x̂ + ρ e        x̂ = W x        e = x₀ - W.H W x₀
//! ```
//! where x₀ is the only vector that came into the space from outside (data, a first guess) and
//! ρ a number: sums and multiples act on x̂ and on ρ, `W x` is x̂, `W.H y` has the coordinates
//! Π y and no rest, and `⟨x, y⟩ = Re⟨x̂, ŷ⟩ + ρ σ ‖e‖²`.
//! So W is applied before and after the loop only, and the loop has x̂ and, where it changes, ρ.
//! For `d - A x` with `A = W.H B` that is the constant by which its norm differs from that of the
//! inner problem.
//!
//! W is a product of operators with `W W.H = 1` (a unitary operator, a selection; at the other
//! end the adjoint of what pads), of which one may be a half spectrum: then Π drops imaginary parts
//! (the lemma is [`crate::spectrum`]'s, and the law `half_spectrum` stands for it).
//! Blocks that set no state, such as `view`, are given vectors in the old basis.
//! What was tied in the source is proven by the block `meaning` ([`crate::meaning`]).
//! Numerics class: F, as an isometry is one only up to rounding; under a contract that is stricter
//! the pass does nothing.

mod chain;
mod rest;
mod rewrite;
mod space;

use crate::error::PlanError;
use crate::ir::Plan;
use crate::meaning::with_meaning;
use crate::pipeline::{Context, Numerics, Pass, tidy};

/// The pass.
pub struct HoistIsometries;

impl Pass for HoistIsometries {
    fn name(&self) -> &'static str {
        "hoist-isometries"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        let mut plan = plan.clone();
        if cx.numerics < self.numerics() {
            return Ok(plan);
        }
        loop {
            let meant = with_meaning(&plan);
            let Some(space) = space::find(&meant) else { return Ok(plan) };
            plan = tidy(&rewrite::rewritten(&meant, &space));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::{Verdict, simulates};
    use crate::examples::{after, nodes, read, unchanged};
    use crate::ir::Op;
    use insta::assert_snapshot;

    /// A descent along what begins with one operator and ends with another.
    fn descent(leaves: &str, (take, give): (&str, &str), more: &str) -> String {
        format!(
            "mesh 1 rank
            {leaves}
            state x : c128[4]
            block setup
            %0 = input x0 : c128[4]
            set x %0
            comm 0 calls, 0 B per rank
            block step
            %0 = get x : c128[4]
            %1 = apply {take} %0 : c128[3]
            %2 = apply A %1 : c128[3]
            %3 = apply {give} %2 : c128[4]
            %4 = sub %0 %3 : c128[4]
            {more}
            set x %4
            comm 0 calls, 0 B per rank"
        )
    }

    const WIDE: &str = "let A = (i) <- (j) : c128[3, 3]
            let R = (i!) <- (j!) co_isometry : c128[3, 4]";
    const TALL: &str = "let A = (i) <- (j) : c128[3, 3]
            let R = (i!) <- (j!) isometry : c128[4, 3]";

    #[test]
    fn a_co_isometry_leaves_where_it_is_applied_first() {
        let plan = after(&HoistIsometries, &descent(WIDE, ("R", "R.H"), ""));
        let step = Plan { blocks: vec![plan.block("step").unwrap().clone()], ..plan };
        assert_snapshot!(nodes(&step), @"
        %0 = get x                      : c128[3]
        %1 = apply A %0                 : c128[3]
        %2 = sub %0 %1                  : c128[3]
        ");
    }

    #[test]
    fn an_isometry_leaves_where_its_adjoint_is() {
        let plan = after(&HoistIsometries, &descent(TALL, ("R.H", "R"), ""));
        let step = Plan { blocks: vec![plan.block("step").unwrap().clone()], ..plan };
        assert!(!nodes(&step).contains("apply R"), "{}", nodes(&step));
    }

    #[test]
    fn a_selection_of_data_stays() {
        let narrow = "let A = (i) <- (j) : c128[3, 3]
            let R = (i!) <- (j!) : c128[3, 4]";
        assert!(unchanged(&HoistIsometries, &descent(narrow, ("R", "R.H"), "")));
    }

    #[test]
    fn operators_that_differ_stay() {
        let two = format!("{WIDE}\nlet S = (i!) <- (j!) co_isometry : c128[3, 4]");
        assert!(unchanged(&HoistIsometries, &descent(&two, ("R", "S.H"), "")));
    }

    #[test]
    fn what_is_done_to_elements_keeps_the_basis() {
        let more = "%5 = mul %4 %4 : c128[4]
            %6 = dot real %5 %5 : f64[]
            control xx %6";
        assert!(unchanged(&HoistIsometries, &descent(WIDE, ("R", "R.H"), more)));
    }

    /// What a certificate says of a plan in which something was changed.
    fn judged(change: impl Fn(&mut Vec<crate::ir::Node>)) -> Verdict {
        let source = tidy(&read(&fenced("before")));
        let mut plan = tidy(&read(&fenced("after")));
        plan.blocks.iter_mut().filter(|b| b.name == "step").for_each(|b| change(&mut b.nodes));
        simulates(&source, &plan)
    }

    fn fenced(word: &str) -> String {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/hoist_isometries.rs");
        let text = std::fs::read_to_string(file).unwrap();
        let from = text.split(&format!("```{word}\n")).nth(1).unwrap();
        let plan = from.lines().map_while(|l| l.strip_prefix("//! ")).take_while(|l| *l != "```");
        plan.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_the_basis_cannot_express_is_missed_by_the_certificate() {
        assert_eq!(judged(|_| ()), Verdict::Proven);
        let no_projection = judged(|nodes| {
            let at = nodes.iter().position(|n| matches!(n.op, Op::Project(_))).unwrap();
            nodes[at].op = Op::Add;
        });
        let no_constant = judged(|nodes| {
            let at = nodes.iter().rposition(|n| n.op == Op::Add).unwrap();
            nodes[at].args.truncate(1);
        });
        for verdict in [no_projection, no_constant] {
            assert!(matches!(verdict, Verdict::Refuted(_)), "{verdict:?}");
        }
    }

    #[test]
    fn a_strict_contract_keeps_the_basis() {
        let plan = tidy(&read(&descent(WIDE, ("R", "R.H"), "")));
        let strict = Context { numerics: Numerics::Exact, ..Context::default() };
        assert_eq!(HoistIsometries.run(&plan, &strict).unwrap(), plan);
    }
}
