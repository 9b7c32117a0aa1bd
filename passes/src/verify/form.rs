//! Each type by itself.

use super::node::ensure;
use super::{Outcome, Report};
use crate::ir::Plan;
use crate::placement::{Cut, Split, Type};
use crate::signature::Spread;
use std::collections::BTreeMap;

/// `axes-once`
pub(super) fn axes_once(plan: &Plan, ty: &Type) -> Outcome {
    let mut axes = [ty.placement.split_axes(), ty.placement.pending.clone()].concat();
    axes.sort_unstable();
    let twice = axes.windows(2).find(|w| w[0] == w[1]);
    ensure(twice.is_none(), || {
        let name = twice.map_or("", |w| &plan.mesh.axes[w[0]].0);
        format!("({}) uses axis {name} twice", ty.text(&plan.mesh))
    })
}

/// `pending-ascending`
pub(super) fn pending_ascending(plan: &Plan, ty: &Type) -> Outcome {
    ensure(ty.placement.pending.is_sorted(), || {
        format!("({}) has its pending axes in another order", ty.text(&plan.mesh))
    })
}

/// `ghosts-need-splits`
pub(super) fn ghosts_need_splits(plan: &Plan, ty: &Type) -> Outcome {
    let p = &ty.placement;
    let bare = |(s, g): (&Split, &(usize, usize))| s.axes.is_empty() && *g != (0, 0);
    let at = p.splits.iter().zip(&p.ghosts).position(bare);
    ensure(at.is_none(), || {
        let d = at.unwrap_or(0);
        format!("({}) has ghosts on dim {d}, which is not split", ty.text(&plan.mesh))
    })
}

/// `dual-needs-ghosts`
pub(super) fn dual_needs_ghosts(plan: &Plan, ty: &Type) -> Outcome {
    ensure(!ty.placement.dual || ty.placement.has_ghosts(), || {
        format!("({}) is marked as dual and has no ghosts", ty.text(&plan.mesh))
    })
}

/// `cuts-fit`
pub(super) fn cuts_fit(_: &Plan, ty: &Type) -> Outcome {
    for (d, (split, &n)) in ty.placement.splits.iter().zip(&ty.dims).enumerate() {
        cut_fits(split, n).map_err(|wrong| format!("is cut on dim {d} by {wrong}"))?;
    }
    Ok(())
}

/// Whether the cut of a split fits a dim of `n`; if not, the cut and what is wrong with it.
pub(super) fn cut_fits(split: &Split, n: usize) -> Outcome {
    let Some(cut) = &split.cut else { return Ok(()) };
    let Cut { name, size, weights, spread } = &**cut;
    ensure(!split.axes.is_empty(), || format!("@{name} although it is not split"))?;
    let weighed = weights.as_ref().map_or(*size, |w| w.len());
    ensure(weighed == *size, || format!("@{name}, which has {weighed} weights for {size} values"))?;
    spread_fits(spread, *size).map_err(|wrong| format!("@{name}, whose {wrong}"))?;
    let covers = spread.at(*size);
    ensure(covers == n, || format!("@{name}, which covers {covers} of {n} elements"))
}

/// Whether a spread is one of `size` values.
pub(super) fn spread_fits(spread: &Spread, size: usize) -> Outcome {
    let Spread::Table(table) = spread else { return Ok(()) };
    ensure(table.len() == size + 1 && table[0] == 0 && table.is_sorted(), || {
        format!("table is no running total of {size} values")
    })
}

/// `cut-names`
pub(super) fn cut_names(plan: &Plan, report: &mut Report) {
    let mut cuts: BTreeMap<&str, &Cut> = BTreeMap::new();
    let of_values = plan.blocks.iter().flat_map(|b| &b.types);
    let types = plan.states.iter().map(|s| &s.ty).chain(of_values);
    let of_types = types.flat_map(|t| &t.placement.splits);
    let of_tiles = plan.leaves.iter().flat_map(|l| &l.tile);
    for cut in of_tiles.chain(of_types).filter_map(|s| s.cut.as_deref()) {
        if *cuts.entry(&cut.name).or_insert(cut) != cut {
            report.plan(format!("two different cuts are called @{}", cut.name));
        }
    }
}
