//! The contest: the search's best assignments are finished by all passes, and the cheapest
//! finished plan that fits into memory wins.
//!
//! If none fits, memory gets a price in seconds per byte that rises until one does.
//! If none ever does, the error says how much is missing and how many ranks would be enough.

use crate::cost::Account;
use crate::error::PlanError;
use crate::mesh::Mesh;
use crate::pipeline::{Compiled, Context};
use crate::search::{Space, decide};
use std::sync::Arc;

/// Runs the passes that place and improve a plan, by the decisions of the context.
pub(crate) type Finish<'a> = dyn Fn(&Context) -> Result<Compiled, PlanError> + 'a;

/// How many assignments are finished in which a leaf or a state is placed otherwise.
const APART: usize = 2;

/// How many of the next best assignments are finished, if plans have so few nodes at most: what
/// passes save is a larger part of small plans, and these are finished quickly.
const FEW: (usize, usize) = (8, 32);

/// Seconds for a byte that is held.
const PRICES: [f64; 6] = [1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-3];

/// Up to how many ranks an error looks for enough of them.
const ENOUGH: usize = 1 << 20;

/// The cheapest finished plan of what the algebra passes have made.
/// The search may be known already, for memory that costs nothing.
pub(crate) fn winner(
    before: &Compiled,
    cx: &Context,
    known: Option<&Space<'_>>,
    finish: &Finish<'_>,
) -> Result<Compiled, PlanError> {
    let room = cx.machine.capacity.unwrap_or(f64::INFINITY);
    let prices: &[f64] = if room.is_finite() { &PRICES } else { &[] };
    let mut least = f64::INFINITY;
    for &price in [0.0].iter().chain(prices) {
        let cx = Context { memory_price: price, ..cx.clone() };
        let known = known.filter(|_| price == 0.0);
        let (best, peak) = round(before, &cx, known, room, finish)?;
        if let Some(best) = best {
            return Ok(best);
        }
        least = least.min(peak);
    }
    Err(too_large(before, cx, least, finish))
}

/// The cheapest that fits, and the least memory that any of them takes.
fn round(
    before: &Compiled,
    cx: &Context,
    known: Option<&Space<'_>>,
    room: f64,
    finish: &Finish<'_>,
) -> Result<(Option<Compiled>, f64), PlanError> {
    let nodes: usize = before.plan.blocks.iter().map(|block| block.nodes.len()).sum();
    let few = if nodes <= FEW.1 { FEW.0 } else { 0 };
    let decided = match (cx.mesh.ranks(), known) {
        (1, _) => vec![decide(&before.plan, cx)?],
        (_, Some(space)) => space.contenders(APART, few),
        (_, None) => Space::new(&before.plan, cx)?.contenders(APART, few),
    };
    let (mut best, mut least): (Option<(f64, Compiled)>, _) = (None, f64::INFINITY);
    let alone = decided.len() == 1 && room.is_infinite();
    for decisions in decided {
        let finished = finish(&Context { decisions: Some(Arc::new(decisions)), ..cx.clone() })?;
        if alone {
            return Ok((Some(finished), 0.0));
        }
        let account = Account::of(&finished.plan, &cx.machine);
        let (peak, cost) = (account.peak(), account.weighted());
        least = least.min(peak);
        // Among equals the search's order decides.
        let cheaper = best.as_ref().is_none_or(|(known, _)| cost < known * (1.0 - 1e-9));
        if peak <= room && cheaper {
            best = Some((cost, finished));
        }
    }
    Ok((best.map(|(_, finished)| finished), least))
}

fn too_large(before: &Compiled, cx: &Context, least: f64, finish: &Finish<'_>) -> PlanError {
    let room = cx.machine.capacity.unwrap_or(f64::INFINITY);
    let ranks = cx.mesh.ranks();
    let more = std::iter::successors(Some(2 * ranks), |n| Some(2 * n)).take_while(|&n| n <= ENOUGH);
    let fits = |n: &usize| {
        let dear = PRICES[PRICES.len() - 1];
        let cx = Context { mesh: Mesh::line(*n), memory_price: dear, ..cx.clone() };
        round(before, &cx, None, room, finish).is_ok_and(|(best, _)| best.is_some())
    };
    let cure = match more.into_iter().find(fits) {
        Some(n) => format!("it would fit on {n} ranks"),
        None => "more ranks would not help".into(),
    };
    PlanError::TooLarge(format!(
        "a rank needs {} bytes at least and has {}; {cure}",
        grouped(least),
        grouped(room)
    ))
}

/// A number of bytes with its digits in groups of three.
fn grouped(bytes: f64) -> String {
    let digits = format!("{:.0}", bytes.ceil());
    let group = |(k, c): (usize, char)| {
        let left = digits.len() - k;
        let gap = (k > 0 && left.is_multiple_of(3)).then_some(' ');
        gap.into_iter().chain([c])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::read;
    use crate::machine::Machine;
    use crate::pipeline::compile;

    /// 32 MB of matrix, applied to vectors that are nothing beside it.
    const NORMAL: &str = "mesh 1 rank
        let A = (i) <- (j) : f64[8192, 512]
        %0 = input x : f64[512]
        %1 = apply A %0 : f64[8192]
        %2 = apply A.H %1 : f64[512]
        return %2";

    fn planned(capacity: f64, ranks: usize) -> Result<Compiled, PlanError> {
        // A network so slow that nothing is split for speed.
        let machine =
            Machine { capacity: Some(capacity), ..Machine::default().with_link(1.0, 1e3) };
        let cx = Context { mesh: Mesh::line(ranks), machine, ..Context::default() };
        compile(&read(NORMAL), &cx)
    }

    #[test]
    fn a_plan_is_split_where_memory_demands_it() {
        let replicated = planned(1e9, 4).unwrap().plan;
        assert!(replicated.leaves[0].tile.iter().all(|s| s.axes.is_empty()), "{replicated}");
        let split = planned(2e7, 4).unwrap().plan;
        assert!(split.leaves[0].tile.iter().any(|s| !s.axes.is_empty()), "{split}");
    }

    #[test]
    fn what_fits_nowhere_says_what_would() {
        let error = planned(6e6, 2).unwrap_err().to_string();
        let message = "nothing fits into memory: a rank needs 16 ";
        assert!(error.starts_with(message), "{error}");
        assert!(error.ends_with("has 6 000 000; it would fit on 8 ranks"), "{error}");
        assert!(planned(6e6, 8).is_ok());
    }

    #[test]
    fn vectors_that_are_too_large_are_not_cured() {
        let error = planned(100.0, 2).unwrap_err().to_string();
        assert!(error.contains("a rank needs"), "{error}");
    }
}
