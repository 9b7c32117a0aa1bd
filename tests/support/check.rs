//! Planned expressions against the reference: every plan of the trace on simulated ranks, the
//! finished one on threads too.

use super::dense::{self, Dense, Z, unit};
use adjoin::data::{Array, Source};
use adjoin::ops::Operator;
use adjoin::planned::Planned;
use adjoin::run::inputs;
use adjoin::runtime::sim::{self, simulate};
use adjoin::runtime::{Functions, World};
use adjoin_passes::certify::Verdict;
use adjoin_passes::ir::{Op, Plan};
use adjoin_passes::reference::{self, Given, Leaves, evaluate};
use num_complex::Complex64;
use std::sync::Arc;

/// What a plan is given: a value for each input, and the defaults of its slots.
pub struct Data {
    pub inputs: Vec<(String, Array)>,
    pub slots: Vec<Complex64>,
}

impl Data {
    /// Pseudo-random inputs for the first block of a plan.
    pub fn of(source: &Plan, slots: &[Complex64]) -> Data {
        let block = &source.blocks[0];
        let mut inputs = Vec::new();
        for node in &block.nodes {
            if let Op::Input(name) = &node.op {
                let ty = block.ty(node.results[0]);
                let array = dense::array(7 + inputs.len() as u64, &ty.dims, ty.dtype);
                inputs.push((name.clone(), array));
            }
        }
        Data { inputs, slots: slots.to_vec() }
    }

    /// The same for the simulator.
    pub fn given(&self, plan: &Plan) -> sim::Given {
        let mut given = sim::Given::new();
        for (name, array) in &self.inputs {
            given = given.input(name, Source::array(array.clone()));
        }
        for (slot, value) in plan.slots.iter().zip(&self.slots) {
            given = given.slot(&slot.name, *value);
        }
        given
    }
}

/// What an unplaced plan gives, by the reference evaluator.
pub fn expected(
    plan: &Plan,
    data: &Data,
    leaves: &mut dyn Leaves<Z>,
) -> Result<Vec<reference::Array<Z>>, String> {
    let slots: Vec<_> = data.slots.iter().map(|v| Z::new(*v)).collect();
    let input = |name: &str, dims: &[usize]| {
        let found = data.inputs.iter().find(|(known, _)| known == name);
        let values = found.map(|(_, a)| a.elements().widest()).unwrap_or_default();
        reference::Array { dims: dims.to_vec(), data: values.into_iter().map(Z::new).collect() }
    };
    let given = Given { inputs: &input, states: &[], slots: &slots };
    evaluate(plan, &plan.blocks[0], &given, leaves).map(|outcome| outcome.outputs)
}

/// The unit roundoff of the lowest precision that a plan computes in.
pub fn precision(plan: &Plan) -> f64 {
    let leaves = plan.leaves.iter().map(|l| l.signature.dtype);
    let types = plan.blocks.iter().flat_map(|b| b.types.iter().map(|ty| ty.dtype));
    leaves.chain(types).map(unit).fold(f64::EPSILON, f64::max)
}

/// Compares parts of a result; the message says where they differ.
pub fn agree(
    expected: &[reference::Array<Z>],
    found: &[Vec<Complex64>],
    unit: f64,
) -> Result<(), String> {
    if expected.len() != found.len() {
        return Err(format!("has {} parts instead of {}", found.len(), expected.len()));
    }
    for (part, (want, have)) in expected.iter().zip(found).enumerate() {
        if want.data.len() != have.len() {
            return Err(format!("part {part} has {} elements", have.len()));
        }
        let wrong = want.data.iter().zip(have).position(|(w, h)| !w.close(*h, unit));
        if let Some(at) = wrong {
            let (want, have) = (want.data[at], have[at]);
            return Err(format!("element {at} of part {part} is {have}, not {}", want.value));
        }
    }
    Ok(())
}

/// Runs every plan of the trace and compares it with the expression.
pub fn check(planned: &Planned) -> Result<(), String> {
    let compiled = (planned.source(), planned.trace());
    let (data, wanted, unit) = check_trace(compiled, planned.operators(), planned.slots())?;
    if *planned.verdict() != Verdict::Proven {
        return Err(format!("the certificate says {:?}\n{planned}", planned.verdict()));
    }
    let found = on_threads(planned, &data).map_err(|e| format!("on threads: {e}\n{planned}"))?;
    agree(&wanted, &found, unit).map_err(|e| format!("on threads: {e}\n{planned}"))
}

type Checked = (Data, Vec<reference::Array<Z>>, f64);

/// The same without certificate and threads; what went in, what should come out, and the precision.
pub fn check_trace(
    (source, trace): (&Plan, &[(&'static str, Plan)]),
    operators: &[Arc<dyn Operator>],
    slots: &[Complex64],
) -> Result<Checked, String> {
    let data = Data::of(source, slots);
    let mut leaves = Dense::new(operators);
    let unit = trace.iter().map(|(_, plan)| precision(plan)).fold(precision(source), f64::max);
    let wanted = expected(source, &data, &mut leaves)?;
    for (pass, plan) in trace {
        let verdict = |why: String| format!("after {pass}: {why}\n{plan}\nmade of\n{source}");
        if is_placed(plan) {
            let found = on_sim(operators, plan, &data).map_err(verdict)?;
            agree(&wanted, &found, unit).map_err(verdict)?;
        } else {
            let found = expected(plan, &data, &mut leaves).map_err(verdict)?;
            let found: Vec<_> =
                found.iter().map(|a| a.data.iter().map(|z| z.value).collect()).collect();
            agree(&wanted, &found, f64::EPSILON).map_err(verdict)?;
        }
    }
    Ok((data, wanted, unit))
}

fn is_placed(plan: &Plan) -> bool {
    !plan.mesh.axes.is_empty()
}

/// The parts of the result on simulated ranks.
pub fn on_sim(
    operators: &[Arc<dyn Operator>],
    plan: &Plan,
    data: &Data,
) -> Result<Vec<Vec<Complex64>>, String> {
    let outcome = simulate(plan, operators, &Functions::default(), &data.given(plan), "")
        .map_err(|e| e.to_string())?;
    Ok(outcome.outputs.iter().map(|a| a.elements().widest()).collect())
}

fn on_threads(planned: &Planned, data: &Data) -> Result<Vec<Vec<Complex64>>, String> {
    let world = World::threads(planned.plan().mesh.ranks());
    let mut given = inputs();
    for (name, array) in &data.inputs {
        given = given.part(name, Source::array(array.clone()));
    }
    let solution = planned.run(&world, &given).map_err(|e| e.to_string())?;
    let part = |k| solution.gather(k).map(|a| a.elements().widest());
    (0..planned.outputs().len()).map(part).collect::<Result<_, _>>().map_err(|e| e.to_string())
}
