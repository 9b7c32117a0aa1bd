//! What the state of a plan means, where a pass has changed it.
//!
//! A pass may replace the variables of a state by others.
//! Then the plan carries a block `meaning` that nobody runs:
//! ```text
//! block meaning
//! %0 = get x_hat
//! %1 = project F %0              what a variable can be, since not every array can
//! %2 = apply F.H %1              what the source's variable is
//! set x_hat %1
//! return %2
//! ```
//! Its results are the variables of the source in their order; it sets those of the plan.
//! By it the certificate proves the plan, block by block, from any state
//! ([`crate::certify::simulates`]).
//! It goes before placement, and with it the variables that only it reads.

use crate::ir::{Block, MEANING, Op, Plan, SETUP, Target};

/// The plan with a block that says what its state means: itself, unless it is there already.
pub(crate) fn with_meaning(plan: &Plan) -> Plan {
    let mut out = plan.clone();
    if plan.meaning().is_some() {
        return out;
    }
    let mut block = Block::new(MEANING);
    for (s, state) in plan.states.iter().enumerate() {
        let v = block.push(Op::Get(s as u32), &[], state.ty.clone());
        block.give(Target::State(s as u32), v);
        block.give(Target::Output, v);
    }
    out.blocks.push(block);
    out
}

/// The plan as it is run: without that block, and without variables that no other needs.
pub fn without_meaning(plan: &Plan) -> Plan {
    let mut out = plan.clone();
    if plan.meaning().is_none() {
        return out;
    }
    out.blocks.retain(|b| b.name != MEANING);
    let live = live_states(&out);
    let mut next = 0;
    let number = |&live: &bool| {
        next += u32::from(live);
        live.then(|| next - 1)
    };
    let numbers: Vec<Option<u32>> = live.iter().map(number).collect();
    for block in &mut out.blocks {
        block.returns.retain(|r| match r.target {
            Target::State(s) => numbers[s as usize].is_some(),
            Target::Output | Target::Control(_) => true,
        });
        for r in &mut block.returns {
            if let Target::State(s) = &mut r.target {
                *s = numbers[*s as usize].unwrap_or_default();
            }
        }
        for node in &mut block.nodes {
            if let Op::Get(s) = &mut node.op {
                match numbers[*s as usize] {
                    Some(number) => *s = number,
                    // Nothing that is left needs it: it goes when the plan is tidied.
                    None => node.op = Op::Zero,
                }
            }
        }
    }
    let mut states = plan.states.clone();
    let mut kept = live.iter();
    states.retain(|_| *kept.next().unwrap_or(&true));
    out.states = states;
    crate::pipeline::tidy(&out)
}

/// Whether a result, a number of the driver or the later value of such a variable needs it.
fn live_states(plan: &Plan) -> Vec<bool> {
    let mut live = vec![false; plan.states.len()];
    loop {
        let mut found = live.clone();
        for block in &plan.blocks {
            let mut needed = vec![false; block.types.len()];
            for r in &block.returns {
                needed[r.value.index()] |= match r.target {
                    Target::State(s) => live[s as usize],
                    Target::Output | Target::Control(_) => true,
                };
            }
            for node in block.nodes.iter().rev() {
                if node.results.iter().any(|r| needed[r.index()]) {
                    node.args.iter().for_each(|a| needed[a.index()] = true);
                    if let Op::Get(s) = node.op {
                        found[s as usize] = true;
                    }
                }
            }
        }
        if found == live {
            return live;
        }
        live = found;
    }
}

/// Whether the driver may run a block any number of times, and what it leaves counts.
pub(crate) fn is_loop(block: &Block) -> bool {
    let sets = block.returns.iter().any(|r| matches!(r.target, Target::State(_)));
    sets && block.name != SETUP && block.name != MEANING
}
