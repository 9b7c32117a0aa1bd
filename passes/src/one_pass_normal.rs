//! Lets an operator and its adjoint run panel by panel, so that its data are read once.
//!
//! ```before
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j) : f64[6/p, 4]
//! slot w : f64
//! %0 = input x : f64[4]
//! %1 = apply A %0 : f64[6/p]
//! %2 = slot w : f64[]
//! %3 = scale %2 %1 : f64[6/p]
//! %4 = apply A.H %3 : f64[4] +p
//! %5 = all_reduce p %4 : f64[4]
//! return %5
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j)              : f64[6/p, 4]
//! slot w                          : f64
//! %0 = input x                    : f64[4]
//! %1 = slot w                     : f64[]
//! region A
//! %2 = apply A %0                 : f64[6/p]
//! %3 = scale %1 %2                : f64[6/p]
//! %4 = apply A.H %3               : f64[4] +p
//! end
//! %5 = all_reduce p %4            : f64[4]
//! return %5
//! comm 1 call, 32 B per rank
//! ```
//! Nodes of single rows and dots of panel values come along; what follows from all panels runs
//! after the region, and what the region needs before it.
//! There is none where the rows of the adjoint's argument are not all known on the rank, as on
//! meshes of two axes.
//! Of operators without a contraction, which have no data to save, stencils have a region if their
//! adjoint follows and nothing else needs their result, which is not kept then.
//! Numerics class: E, as panels are summed in the same order either way.

use crate::error::PlanError;
use crate::ir::{Applied, Block, LeafId, Node, Op, Over, Plan, Region, Value};
use crate::pipeline::{Context, Numerics, Pass};
use crate::region::{Panels, Role, followed};
use crate::signature::{Binding, Signature};

/// The pass.
pub struct OnePassNormal;

impl Pass for OnePassNormal {
    fn name(&self) -> &'static str {
        "one-pass-normal"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        let mut out = plan.clone();
        for block in &mut out.blocks {
            let mut n = 0;
            while n < block.nodes.len() {
                let end = gather(plan, block, n).or_else(|| gather_stencil(plan, block, n));
                n = end.unwrap_or(n + 1);
            }
        }
        Ok(out)
    }
}

/// Makes the region that begins with this node, if there is one, and says where it ends.
fn gather(plan: &Plan, block: &mut Block, first: usize) -> Option<usize> {
    let Op::Apply(Applied::Leaf(leaf)) = block.nodes[first].op else { return None };
    let known = block.regions.iter().any(|r| r.nodes().end > first);
    if known || !has_panels(&plan[leaf].signature) {
        return None;
    }
    let mut place = places(block, leaf, first)?;
    leave_to_others(plan, block, first, &mut place);
    let count = |which| place.iter().filter(|&&p| p == which).count();
    let begin = first + count(Place::Before);
    let end = begin + count(Place::Region);
    let nodes = &block.nodes[first..first + place.len()];
    let pick = |which| nodes.iter().zip(&place).filter(move |(_, p)| **p == which).map(|(n, _)| n);
    let moved = pick(Place::Before).chain(pick(Place::Region)).chain(pick(Place::After));
    let moved: Vec<Node> = moved.cloned().collect();
    block.nodes.splice(first..first + moved.len(), moved);
    block.regions.push(Region {
        over: Over::Panels(leaf),
        first: begin as u32,
        last: end as u32 - 1,
    });
    Some(end)
}

/// Makes a region of the stencil that this node applies and of its adjoint, if that is the only one
/// who needs the result, and says where the region ends. What lies between them comes after it.
fn gather_stencil(plan: &Plan, block: &mut Block, first: usize) -> Option<usize> {
    let Op::Apply(Applied::Leaf(leaf)) = block.nodes[first].op else { return None };
    if block.regions.iter().any(|r| r.nodes().end > first) {
        return None;
    }
    let last = followed(plan, block, first)?;
    block.nodes[first + 1..=last].rotate_right(1);
    let (from, to) = (first as u32, first as u32 + 1);
    block.regions.push(Region { over: Over::Panels(leaf), first: from, last: to });
    Some(first + 2)
}

/// Where a node goes, from the application to the last node of its region.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Region,
    After,
}

/// The place of each node from `first` on; none if the adjoint does not come to be in the region.
fn places(block: &Block, leaf: LeafId, first: usize) -> Option<Vec<Place>> {
    let mut panels = Panels::new(block, leaf);
    let mut adjoint = false;
    let mut place = Vec::new();
    let mut last = 0;
    for (k, node) in block.nodes[first..].iter().enumerate() {
        let needed = k == 0 || panels.reaches(node);
        let at = if !needed && !panels.is_late(node) {
            Place::Before
        } else if let Some(role) = needed.then(|| panels.join(node).ok()).flatten() {
            adjoint = adjoint || role == Role::Adjoint;
            last = k;
            Place::Region
        } else {
            panels.leave_out(node);
            Place::After
        };
        place.push(at);
    }
    place.truncate(last + 1);
    adjoint.then_some(place)
}

/// Other operators that may have regions of their own, and what follows from them, come after this
/// region unless it needs them.
fn leave_to_others(plan: &Plan, block: &Block, first: usize, place: &mut [Place]) {
    let nodes = &block.nodes[first..first + place.len()];
    let mut needed = vec![false; block.types.len()];
    for (node, place) in nodes.iter().zip(place.iter()).rev() {
        let wants = |r: &Value| needed[r.index()];
        if *place == Place::Region || node.results.iter().any(wants) {
            node.args.iter().for_each(|a| needed[a.index()] = true);
        }
    }
    let mut later = vec![false; block.types.len()];
    for (node, place) in nodes.iter().zip(place).filter(|(_, place)| **place == Place::Before) {
        let other =
            matches!(node.op, Op::Apply(Applied::Leaf(leaf)) if has_panels(&plan[leaf].signature));
        let follows = node.args.iter().any(|a| later[a.index()]);
        if (other || follows) && !node.results.iter().any(|r| needed[r.index()]) {
            *place = Place::After;
            node.results.iter().for_each(|r| later[r.index()] = true);
        }
    }
}

/// Whether an operator may have panels and data that are worth reading once: rows that may be
/// divided, and a sum for each of them.
fn has_panels(signature: &Signature) -> bool {
    let rule = &signature.rule;
    let [range] = rule.range.as_slice() else { return false };
    let divided = range
        .first()
        .is_some_and(|b| *b == Binding::plain(b.factor) && !rule.factors[b.factor].whole);
    let contracted = |f: usize| rule.in_domain(f) && !rule.in_range(f) && !rule.factors[f].whole;
    divided && (0..rule.factors.len()).any(contracted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};

    #[test]
    fn updates_and_dots_come_along() {
        let plan = after(
            &OnePassNormal,
            "
mesh 1 rank
let A = (i) <- (j) : f64[6, 4]
%0 = input x : f64[4]
%1 = apply A %0 : f64[6]
%2 = input y : f64[6]
%3 = sub %1 %2 : f64[6]
%4 = dot %3 %3 : f64[]
%5 = sqrt %4 : f64[]
%6 = apply A.H %3 : f64[4]
return %6 %5
",
        );
        insta::assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[4]
        %1 = input y                    : f64[6]
        %2 = apply A %0                 : f64[6]
        %3 = sub %2 %1                  : f64[6]
        %4 = dot %3 %3                  : f64[]
        %5 = apply A.H %3               : f64[4]
        %6 = sqrt %4                    : f64[]
        ");
        assert_eq!(
            plan.blocks[0].regions,
            [Region { over: Over::Panels(LeafId(0)), first: 2, last: 5 }]
        );
    }

    #[test]
    fn each_operator_of_a_stack_has_its_own() {
        let plan = after(
            &OnePassNormal,
            "
mesh 1 rank
let A = (i) <- (j) : f64[6, 4]
let B = (i) <- (j) : f64[5, 4]
%0 = input x : f64[4]
%1 = apply A %0 : f64[6]
%2 = apply B %0 : f64[5]
%3 = dot %2 %2 : f64[]
%4 = apply A.H %1 : f64[4]
%5 = apply B.H %2 : f64[4]
%6 = add %4 %5 : f64[4]
return %6 %3
",
        );
        insta::assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[4]
        %1 = apply A %0                 : f64[6]
        %2 = apply A.H %1               : f64[4]
        %3 = apply B %0                 : f64[5]
        %4 = dot %3 %3                  : f64[]
        %5 = apply B.H %3               : f64[4]
        %6 = add %2 %5                  : f64[4]
        ");
        let regions = [(0, 1, 2), (1, 3, 5)];
        let region = |(leaf, first, last)| Region { over: Over::Panels(LeafId(leaf)), first, last };
        let regions = regions.map(region);
        assert_eq!(plan.blocks[0].regions, regions);
    }

    /// The second operator's image is what the first one's adjoint is applied to.
    #[test]
    fn what_a_region_needs_stays_before_it() {
        let plan = after(
            &OnePassNormal,
            "
mesh 1 rank
let A = (i) <- (j) : f64[6, 4]
let B = (i) <- (j) : f64[6, 4]
%0 = input x : f64[4]
%1 = apply A %0 : f64[6]
%2 = apply B %0 : f64[6]
%3 = add %1 %2 : f64[6]
%4 = apply A.H %3 : f64[4]
return %4
",
        );
        insta::assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[4]
        %1 = apply B %0                 : f64[6]
        %2 = apply A %0                 : f64[6]
        %3 = add %2 %1                  : f64[6]
        %4 = apply A.H %3               : f64[4]
        ");
    }

    #[test]
    fn not_through_a_reduction_or_another_operator() {
        let grid = "
mesh r=2 c=2 (4 ranks)
let A = (i) <- (j) : f64[6/r, 4/c]
%0 = input x : f64[4/c]
%1 = apply A %0 : f64[6/r] +c
%2 = all_reduce c %1 : f64[6/r]
%3 = apply A.H %2 : f64[4/c] +r
%4 = all_reduce r %3 : f64[4/c]
return %4
";
        assert!(unchanged(&OnePassNormal, grid));
        let other = "
mesh 1 rank
let A = (i) <- (j) : f64[6, 4]
let B = (i) <- (j) : f64[6, 6]
%0 = input x : f64[4]
%1 = apply A %0 : f64[6]
%2 = apply B %1 : f64[6]
%3 = apply A.H %2 : f64[4]
return %3
";
        assert!(unchanged(&OnePassNormal, other));
    }

    #[test]
    fn not_where_a_dot_comes_between() {
        let normalised = "
mesh 1 rank
let A = (i) <- (j) : f64[6, 4]
%0 = input x : f64[4]
%1 = apply A %0 : f64[6]
%2 = dot %1 %1 : f64[]
%3 = scale %2 %1 : f64[6]
%4 = apply A.H %3 : f64[4]
return %4
";
        assert!(unchanged(&OnePassNormal, normalised));
    }

    const STENCILS: &str = "
mesh p=2 (2 ranks)
let S = (i, j) <- (i~1:1, j) : f64[6/p, 4]
let T = (i, j) <- (i, j~1:1) : f64[6/p, 4]
%0 = input x : f64[6/p, 4]
%1 = halo %0 : f64[6/p~1:1, 4]
%2 = apply S %1 : f64[6/p, 4]
%3 = apply T %0 : f64[6/p, 4]
%4 = apply S.H %2 : f64[6/p~+1:1, 4]
%5 = halo_sum %4 : f64[6/p, 4]
%6 = apply T.H %3 : f64[6/p, 4]
%7 = add %5 %6 : f64[6/p, 4]
return %7
";

    #[test]
    fn stencils_are_followed_by_their_adjoints() {
        let plan = after(&OnePassNormal, STENCILS);
        insta::assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[6/p, 4]
        %1 = halo %0                    : f64[6/p~1:1, 4]
        %2 = apply S %1                 : f64[6/p, 4]
        %3 = apply S.H %2               : f64[6/p~+1:1, 4]
        %4 = apply T %0                 : f64[6/p, 4]
        %5 = apply T.H %4               : f64[6/p, 4]
        %6 = halo_sum %3                : f64[6/p, 4]
        %7 = add %6 %5                  : f64[6/p, 4]
        ");
        let region =
            |leaf, first| Region { over: Over::Panels(LeafId(leaf)), first, last: first + 1 };
        assert_eq!(plan.blocks[0].regions, [region(0, 2), region(1, 4)]);
    }

    #[test]
    fn not_for_stencils_whose_results_are_needed() {
        assert!(unchanged(&OnePassNormal, &STENCILS.replace("return %7", "return %2 %3")));
        let weighed = STENCILS.replace(
            "%7 = add %5 %6 : f64[6/p, 4]\nreturn %7",
            "%7 = dot %2 %3 : f64[] +p
%8 = all_reduce p %7 : f64[]
return %5 %6 %8",
        );
        assert!(unchanged(&OnePassNormal, &weighed));
    }

    #[test]
    fn not_for_operators_without_data() {
        let diagonal = "
mesh 1 rank
let D = (i) <- (i) : f64[6]
%0 = input x : f64[6]
%1 = apply D %0 : f64[6]
%2 = apply D.H %1 : f64[6]
return %2
";
        assert!(unchanged(&OnePassNormal, diagonal));
    }
}
