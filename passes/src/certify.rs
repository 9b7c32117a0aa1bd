//! The certificate: a placed plan computes what its expression says, by exact arithmetic.
//!
//! All ranks' calls are interpreted over GF(p²) with random leaves and random vectors, and every
//! element that any rank ends up with is compared with the reference.
//! A wrong plan passes with probability about its degree over p, some 1e-17.
//! Large plans are proven on small copies of the same class ([`crate::shrink`]).
//!
//! What is trusted: signatures of leaves, laws that they claim (a stand-in has them), and that
//! named maps and calls are functions of their arguments.
//! Where a stand-in is less general than its leaf, the verdict says so.

mod effort;
mod ranks;
mod simulation;

pub use simulation::simulates;

use crate::calls::{Calls, Port};
use crate::exact::{Exact, random_array};
use crate::field::Gf;
use crate::interpret::{CallError, Memories, allocate, matching, run};
use crate::ir::Plan;
use crate::lower::lower_all;
use crate::reference::{Array, Given, Outcome, evaluate};
use crate::shrink::{ATTEMPTS, Small, shrink};
use crate::stand_in::StandIn;
use crate::verify::verify;
use effort::effort;

/// How a certificate ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Equal to the expression.
    Proven,
    /// Not equal, or not matched: it does not run. Says where.
    Refuted(String),
    /// Equal if these nodes do what they claim.
    Assumed(Vec<String>),
}

/// The work up to which a plan is certified at its own sizes at once.
const SMALL: f64 = 2e6;

/// The work up to which it is, if it cannot be shrunk.
const LARGE: f64 = 1e8;

/// Certifies a placed plan against the unplaced one that it was made from.
///
/// Plans that are small enough are proven at their own sizes, others on a small copy of the same
/// class, after the ranks at true size were found among those of the copy.
pub fn certify(source: &Plan, placed: &Plan) -> Verdict {
    if let Err(violation) = verify(source).and_then(|()| verify(placed)) {
        return Verdict::Refuted(violation.to_string());
    }
    let few = placed.mesh.ranks() <= ranks::ALL;
    let calls = if few { lower_all(placed) } else { Vec::new() };
    if let Err(error) = matching(&calls) {
        return Verdict::Refuted(error.to_string());
    }
    let work = effort(placed) + effort(source);
    if few && work <= SMALL {
        return with_claims(placed, certify_calls(source, placed, &calls));
    }
    let mut reasons = Vec::new();
    for attempt in 0..ATTEMPTS {
        match copy(source, placed, &calls, attempt) {
            Ok((small, calls)) => {
                let verdict = certify_calls(&small.source, &small.placed, &calls);
                return with_claims(placed, at_smaller_size(verdict, &small));
            }
            Err(names) => reasons = names,
        }
    }
    if few && work <= LARGE {
        return with_claims(placed, certify_calls(source, placed, &calls));
    }
    Verdict::Assumed(reasons)
}

/// A small copy of a pair with the calls of all its ranks; else what stands in the way.
fn copy(
    source: &Plan,
    placed: &Plan,
    calls: &[Calls],
    attempt: usize,
) -> Result<(Small, Vec<Calls>), Vec<String>> {
    let small = shrink(source, placed, attempt)?;
    verify(&small.source)
        .and_then(|()| verify(&small.placed))
        .map_err(|violation| vec![format!("a small copy breaks {violation}")])?;
    ranks::boxes_match(placed, &small.placed).map_err(|wrong| vec![wrong])?;
    let lowered = lower_all(&small.placed);
    ranks::calls_match(calls, &lowered).map_err(|wrong| vec![wrong])?;
    Ok((small, lowered))
}

fn at_smaller_size(verdict: Verdict, small: &Small) -> Verdict {
    match verdict {
        Verdict::Refuted(reason) => {
            Verdict::Refuted(format!("{reason}, in the small copy\n{}", small.placed))
        }
        Verdict::Proven | Verdict::Assumed(_) => verdict,
    }
}

/// What is proven holds only as far as the stand-ins are as general as the leaves.
fn with_claims(placed: &Plan, verdict: Verdict) -> Verdict {
    let weak = placed.leaves.iter().enumerate().filter_map(|(l, leaf)| {
        let why = StandIn::new(leaf, l).weakness()?;
        Some(format!("{}: {why}", leaf.name))
    });
    let weak: Vec<_> = weak.collect();
    match verdict {
        Verdict::Proven if !weak.is_empty() => Verdict::Assumed(weak),
        Verdict::Proven | Verdict::Refuted(_) | Verdict::Assumed(_) => verdict,
    }
}

/// Certifies given calls of a placed plan.
pub fn certify_calls(source: &Plan, placed: &Plan, calls: &[Calls]) -> Verdict {
    if let Err(error) = matching(calls) {
        return Verdict::Refuted(error.to_string());
    }
    if calls.first().is_none_or(|c| c.blocks.len() != source.blocks.len()) {
        return Verdict::Refuted("the two plans have different blocks".into());
    }
    for (index, block) in source.blocks.iter().enumerate() {
        if let Err(reason) = compare(source, placed, calls, index) {
            let name = if block.name.is_empty() {
                String::new()
            } else {
                format!("block {}: ", block.name)
            };
            return Verdict::Refuted(format!("{name}{reason}"));
        }
    }
    Verdict::Proven
}

fn compare(source: &Plan, placed: &Plan, calls: &[Calls], index: usize) -> Result<(), String> {
    let block = &source.blocks[index];
    let mut exact = Exact::new(source);
    let complex = |name: &str| {
        let inputs = calls.first().map(|c| c.blocks[index].inputs.as_slice()).unwrap_or_default();
        let found = inputs.iter().find(|p| p.name == name);
        found.is_some_and(|p| p.view.dtype.is_complex())
    };
    let input = |name: &str, dims: &[usize]| random_array(name, dims, complex(name));
    let states: Vec<_> = source
        .states
        .iter()
        .map(|s| random_array(&format!("state {}", s.name), &s.ty.dims, s.ty.dtype.is_complex()))
        .collect();
    let slots = exact.slots().to_vec();
    let given = Given { inputs: &input, states: &states, slots: &slots };
    let expected = evaluate(source, block, &given, &mut exact)?;

    let mut arithmetic = Exact::new(placed);
    let mut memories = allocate(&arithmetic, calls);
    for (rank, memory) in calls.iter().zip(&mut memories) {
        for (port, state) in rank.states.iter().zip(&states) {
            load(memory, port, state);
        }
        for port in &rank.blocks[index].inputs {
            load(memory, port, &input(&port.name, &port.view.dims));
        }
    }
    run(&mut arithmetic, calls, index, &mut memories).map_err(|e: CallError| e.to_string())?;
    calls.iter().try_for_each(|rank| judge(rank, index, &memories, &expected, &states))
}

/// Compares all that one rank ends up with.
fn judge(
    rank: &Calls,
    index: usize,
    memories: &Memories<Exact>,
    expected: &Outcome<Gf>,
    before: &[Array<Gf>],
) -> Result<(), String> {
    let memory = &memories[rank.rank];
    let block = &rank.blocks[index];
    let outputs = block.outputs.iter().zip(&expected.outputs).enumerate();
    for (k, (port, array)) in outputs {
        same(memory, port, array)
            .map_err(|at| wrong(rank.rank, &format!("part {k} of the result"), at))?;
    }
    for (port, (name, array)) in block.controls.iter().zip(&expected.controls) {
        same(memory, port, array).map_err(|at| wrong(rank.rank, name, at))?;
    }
    for (s, (port, before)) in rank.states.iter().zip(before).enumerate() {
        let set = expected.states.iter().find(|(i, _)| *i as usize == s);
        same(memory, port, set.map_or(before, |(_, array)| array))
            .map_err(|at| wrong(rank.rank, &port.name, at))?;
    }
    if block.outputs.len() != expected.outputs.len()
        || block.controls.len() != expected.controls.len()
    {
        return Err(format!("rank {} returns another number of values", rank.rank));
    }
    Ok(())
}

fn wrong(rank: usize, what: &str, at: usize) -> String {
    format!("rank {rank} has a wrong element {at} of {what}")
}

fn load(memory: &mut [Vec<Gf>], port: &Port, array: &Array<Gf>) {
    let elements = &mut memory[port.view.buffer][port.view.span()];
    for (i, element) in elements.iter_mut().enumerate() {
        *element = array.data[port.view.global(i)];
    }
}

/// The global index of the first element that differs, if one does.
fn same(memory: &[Vec<Gf>], port: &Port, array: &Array<Gf>) -> Result<(), usize> {
    let view = &port.view;
    let elements = &memory[view.buffer][view.span()];
    let differs = |i: &usize| elements[*i] != array.data[view.global(*i)];
    (0..view.len()).find(differs).map_or(Ok(()), |i| Err(view.global(i)))
}
