//! What each call of a plan should take: times of the simulation, amounts of the account.

use super::scripts::bytes_of;
use super::{MOST, simulate};
use crate::calls::Call;
use crate::cost::{NodeCost, Whose, nodes};
use crate::interpret::CallError;
use crate::ir::Plan;
use crate::lower::lower_with_nodes;
use crate::machine::Machine;
use std::ops::Range;

/// What one run of a call should take on one rank.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expected {
    /// Seconds, waiting for others included.
    pub seconds: f64,
    /// Bytes to and from memory, or sent.
    pub bytes: f64,
    /// Floating point operations.
    pub flops: f64,
}

/// For each of these ranks, for each block of the plan, what its calls should take.
///
/// Of more than [`MOST`] ranks nobody waits for another, as in the account.
pub fn expect(
    plan: &Plan,
    machine: &Machine,
    ranks: Range<usize>,
) -> Result<Vec<Vec<Vec<Expected>>>, CallError> {
    let mut out: Vec<_> = ranks.clone().map(|rank| amounts(plan, machine, rank)).collect();
    if plan.mesh.ranks() > MOST {
        return Ok(out);
    }
    for block in 0..plan.blocks.len() {
        let run = simulate(plan, machine, block, 1)?;
        for (rank, mine) in ranks.clone().zip(&mut out) {
            mine[block].iter_mut().for_each(|call| call.seconds = 0.0);
            for span in &run.ranks[rank].spans {
                mine[block][span.call].seconds += span.end - span.begin;
            }
        }
    }
    Ok(out)
}

/// The calls of a rank with what their nodes cost.
fn amounts(plan: &Plan, machine: &Machine, rank: usize) -> Vec<Vec<Expected>> {
    let (calls, sources) = lower_with_nodes(plan, rank);
    let at = plan.mesh.coordinates(rank);
    let of_block = |b: usize| {
        let mine = nodes(plan, &plan.blocks[b], machine, Whose::At(&at));
        let shared = nodes(plan, &plan.blocks[b], machine, Whose::Largest);
        let mut paid = 0;
        let list = calls.blocks[b].calls.iter().enumerate();
        list.map(|(k, call)| {
            let due = super::due(&sources[b], k, &mut paid);
            match call {
                Call::Start { transfer, .. } => {
                    let sent = transfer.sends.iter().map(|p| bytes_of(&calls, &p.slabs)).sum();
                    let seconds = shared[due].iter().map(|node| node.seconds).sum();
                    Expected { seconds, bytes: sent, flops: 0.0 }
                }
                Call::Kernel { .. }
                | Call::Local { .. }
                | Call::Region { .. }
                | Call::Copy { .. }
                | Call::Wait { .. } => local(&mine[due]),
            }
        })
        .collect()
    };
    (0..plan.blocks.len()).map(of_block).collect()
}

fn local(due: &[NodeCost]) -> Expected {
    Expected {
        seconds: due.iter().map(|node| node.seconds).sum(),
        bytes: due.iter().map(|node| node.traffic).sum(),
        flops: due.iter().map(|node| node.flops).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Account;

    const PLAN: &str = "mesh p=2 (2 ranks)
        let A = (i) <- (j) : f64[64/p, 1000]
        %0 = input x : f64[1000]
        %1 = apply A %0 : f64[64/p]
        %2 = apply A.H %1 : f64[1000] +p
        %3 = all_reduce p %2 : f64[1000]
        return %3";

    #[test]
    fn every_call_has_the_time_of_its_node() {
        let (plan, machine) = (crate::examples::read(PLAN), Machine::default());
        let account = Account::of(&plan, &machine).iteration();
        let all = expect(&plan, &machine, 0..2).unwrap();
        let mine = &all[1][0];
        let total: f64 = mine.iter().map(|call| call.seconds).sum();
        assert!((total / account - 1.0).abs() < 1e-9, "{total} of {account}");
        assert_eq!(mine[0].flops, 2.0 * 32.0 * 1000.0);
        assert_eq!(mine[2].bytes, 8000.0, "a rank sends its term of the sum");
        assert!(mine[3].seconds > 0.0, "the time passes while it waits");
    }
}
