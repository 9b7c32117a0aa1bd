//! Plans whose state is another than that of their source.
//!
//! The block `meaning` of such a plan makes of any state one that can be, and says what the
//! source's state is then.
//! For each block both plans are run from such a pair: they must give the same, and end in such a
//! pair again.
//! A block that only the plan has, run by the driver on its own, must leave every state that can be
//! as it is.
//! So whatever blocks are run after `setup`, both give the same.

use super::{LARGE, SMALL, Verdict, effort, with_claims};
use crate::exact::{Exact, random_array};
use crate::field::Gf;
use crate::ir::{Block, MEANING, Plan, SETUP, State};
use crate::reference::{Array, Given, Outcome, evaluate};
use crate::shrink::{ATTEMPTS, shrink};
use crate::verify::verify;

/// Whether a plan that is not placed, and says what its state means, gives what `source` gives.
pub fn simulates(source: &Plan, plan: &Plan) -> Verdict {
    if let Err(violation) = verify(source).and_then(|()| verify(plan)) {
        return Verdict::Refuted(violation.to_string());
    }
    let work = effort(plan) + effort(source);
    if work <= SMALL {
        return with_claims(plan, verdict(source, plan));
    }
    let mut reasons = Vec::new();
    for attempt in 0..ATTEMPTS {
        let small = match shrink(source, plan, attempt) {
            Ok(small) => small,
            Err(names) => {
                reasons = names;
                continue;
            }
        };
        match verify(&small.source).and_then(|()| verify(&small.placed)) {
            Ok(()) => return with_claims(plan, verdict(&small.source, &small.placed)),
            Err(violation) => reasons = vec![format!("a small copy breaks {violation}")],
        }
    }
    if work <= LARGE { with_claims(plan, verdict(source, plan)) } else { Verdict::Assumed(reasons) }
}

fn verdict(source: &Plan, plan: &Plan) -> Verdict {
    match compared(source, plan) {
        Ok(()) => Verdict::Proven,
        Err(reason) => Verdict::Refuted(reason),
    }
}

type States = Vec<Array<Gf>>;

fn compared(source: &Plan, plan: &Plan) -> Result<(), String> {
    let meaning = plan.meaning().ok_or("the plan does not say what its state means")?;
    let any: States = plan.states.iter().map(any).collect();
    let (own, was) = means(source, plan, meaning, &any)?;
    for block in &source.blocks {
        let same = plan.block(&block.name).filter(|_| block.name != MEANING);
        let same = same.ok_or_else(|| format!("block `{}` is missing", block.name))?;
        step(source, plan, (block, same), (&own, &was))
            .map_err(|wrong| format!("block `{}` {wrong}", block.name))?;
    }
    let more = plan.blocks.iter().filter(|b| b.name != MEANING && source.block(&b.name).is_none());
    for block in more {
        rest(plan, block, &own).map_err(|wrong| format!("block `{}` {wrong}", block.name))?;
    }
    Ok(())
}

/// A block that the source does not have leaves every state that can be as it is.
fn rest(plan: &Plan, block: &Block, own: &States) -> Result<(), String> {
    if block.every.is_none() {
        return Err("is not in the source".into());
    }
    let found = run(plan, block, own)?;
    if !found.outputs.is_empty() || !found.controls.is_empty() {
        return Err("gives what the source does not".into());
    }
    if after(own, found) == *own { Ok(()) } else { Err("changes the state".into()) }
}

/// One block of both plans, from states that mean the same.
fn step(
    source: &Plan,
    plan: &Plan,
    (block, same): (&Block, &Block),
    (own, was): (&States, &States),
) -> Result<(), String> {
    let expected = run(source, block, was)?;
    let found = run(plan, same, own)?;
    if expected.outputs != found.outputs || expected.controls != found.controls {
        return Err("computes something else".into());
    }
    let set = |of: &Outcome<Gf>, s: usize| of.states.iter().any(|(i, _)| *i as usize == s);
    if block.name == SETUP && !(0..own.len()).all(|s| set(&found, s)) {
        return Err("leaves a variable of the state unset".into());
    }
    let (own, was) = (after(own, found), after(was, expected));
    let meaning = plan.meaning().ok_or("has no meaning")?;
    let (could, means) = means(source, plan, meaning, &own)?;
    if could != own {
        return Err("leaves a state that cannot be".into());
    }
    if means == was { Ok(()) } else { Err("leaves a state that means something else".into()) }
}

/// A state that can be, and what it means.
fn means(
    source: &Plan,
    plan: &Plan,
    meaning: &Block,
    states: &States,
) -> Result<(States, States), String> {
    let made = run(plan, meaning, states)?;
    let was = made.outputs.clone();
    if was.len() != source.states.len() {
        return Err("means another number of variables".into());
    }
    Ok((after(states, made), was))
}

fn after(before: &States, made: Outcome<Gf>) -> States {
    let mut out = before.clone();
    for (s, array) in made.states {
        out[s as usize] = array;
    }
    out
}

fn run(plan: &Plan, block: &Block, states: &States) -> Result<Outcome<Gf>, String> {
    let mut exact = Exact::new(plan);
    let slots = exact.slots().to_vec();
    let input = |name: &str, dims: &[usize]| random_array(name, dims, true);
    evaluate(plan, block, &Given { inputs: &input, states, slots: &slots }, &mut exact)
}

fn any(state: &State) -> Array<Gf> {
    random_array(&format!("state {}", state.name), &state.ty.dims, state.ty.dtype.is_complex())
}
