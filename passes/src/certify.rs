//! The certificate: a placed plan computes what its expression says, by exact arithmetic.
//!
//! All ranks' calls are interpreted over GF(p²) with random leaves and random vectors, and every
//! element that any rank ends up with is compared with the reference.
//! A wrong plan passes with probability about its degree over p, some 1e-17.

use crate::calls::{Calls, Port};
use crate::exact::{Exact, random_array};
use crate::field::Gf;
use crate::interpret::{CallError, Memories, allocate, matching, run};
use crate::ir::Plan;
use crate::lower::lower_all;
use crate::reference::{Array, Given, Outcome, evaluate};

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

/// Certifies a placed plan against the unplaced one that it was made from, at their own sizes.
pub fn certify(source: &Plan, placed: &Plan) -> Verdict {
    certify_calls(source, placed, &lower_all(placed))
}

/// Certifies given calls of a placed plan.
pub fn certify_calls(source: &Plan, placed: &Plan, calls: &[Calls]) -> Verdict {
    if let Err(error) = matching(calls) {
        return Verdict::Refuted(error.to_string());
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
    let complex = |name: &str, dims: &[usize]| {
        let inputs = calls.first().map(|c| c.blocks[index].inputs.as_slice()).unwrap_or_default();
        let found = inputs.iter().find(|p| p.name == name);
        let _ = dims;
        found.is_some_and(|p| p.view.dtype.is_complex())
    };
    let input = |name: &str, dims: &[usize]| random_array(name, dims, complex(name, dims));
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
    calls.iter().try_for_each(|rank| judge(rank, index, &memories, &expected))
}

/// Compares all that one rank ends up with.
fn judge(
    rank: &Calls,
    index: usize,
    memories: &Memories<Exact>,
    expected: &Outcome<Gf>,
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
    for (s, array) in &expected.states {
        let port = &rank.states[*s as usize];
        same(memory, port, array).map_err(|at| wrong(rank.rank, &port.name, at))?;
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
    for i in 0..port.view.len() {
        memory[port.view.buffer][i] = array.data[port.view.global(i)];
    }
}

/// The global index of the first element that differs, if one does.
fn same(memory: &[Vec<Gf>], port: &Port, array: &Array<Gf>) -> Result<(), usize> {
    let view = &port.view;
    let differs = |i: &usize| memory[view.buffer][*i] != array.data[view.global(*i)];
    (0..view.len()).find(differs).map_or(Ok(()), |i| Err(view.global(i)))
}
