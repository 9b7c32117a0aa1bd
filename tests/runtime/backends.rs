//! Runs a block of a plan on rank threads, as `simulate` does on simulated ranks.

use adjoin::data::{Array, Sink};
use adjoin::ops::Operator;
use adjoin::runtime::device::{Host, Shadow};
use adjoin::runtime::sim::{Given, Outcome};
use adjoin::runtime::{Functions, Program, RankContext, RunError, World};
use adjoin_passes::Plan;
use num_complex::Complex64;
use std::sync::Arc;

/// What a program is made of.
pub struct Parts<'a> {
    pub plan: &'a Plan,
    pub operators: &'a [Arc<dyn Operator>],
    pub functions: &'a Functions,
    pub given: &'a Given,
}

/// The device of a rank: the host, or a shadow with a seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum On {
    Host,
    Shadow(u64),
}

impl Parts<'_> {
    pub fn bind(&self, rank: &RankContext, on: On) -> Result<Program, RunError> {
        let binding = Program::of(self.plan).operators(self.operators).functions(self.functions);
        let binding = match on {
            On::Host => binding.device(Host::new()),
            On::Shadow(seed) => binding.device(Shadow::new(seed * 31 + rank.rank() as u64)),
        };
        let mut program = binding.bind(rank.comm().clone())?;
        for (name, value) in self.given.slots() {
            program.set_slot(name, *value)?;
        }
        Ok(program)
    }

    pub fn load(&self, program: &mut Program, block: &str) -> Result<(), RunError> {
        for (name, source) in self.given.states() {
            program.load_state(name, source)?;
        }
        for (name, source) in self.given.inputs() {
            program.load(block, name, source)?;
        }
        Ok(())
    }

    /// Runs a block on every rank of a world, and gathers what it leaves behind.
    pub fn run(&self, world: &World, block: &str, on: On) -> Result<Outcome, RunError> {
        let sinks = Sinks::new(self.plan, block);
        let controls = world.run(|rank| {
            let mut program = self.bind(rank, on)?;
            self.load(&mut program, block)?;
            program.run(block)?;
            for (index, sink) in sinks.outputs.iter().enumerate() {
                program.store(block, index, sink)?;
            }
            for (state, sink) in self.plan.states.iter().zip(&sinks.states) {
                program.store_state(&state.name, sink)?;
            }
            sinks
                .controls
                .iter()
                .map(|(name, complex)| {
                    let values = program.control(block, name)?;
                    Ok((name.clone(), numbers(values, *complex)))
                })
                .collect::<Result<Vec<_>, RunError>>()
        })?;
        assert!(controls.iter().all(|others| *others == controls[0]), "control numbers differ");
        let states = self.plan.states.iter().map(|state| state.name.clone());
        Ok(Outcome {
            outputs: sinks.outputs.iter().map(array).collect(),
            controls: controls.into_iter().next().unwrap_or_default(),
            states: states.zip(sinks.states.iter().map(array)).collect(),
        })
    }
}

fn numbers(values: &[f64], complex: bool) -> Vec<Complex64> {
    if complex {
        return values.chunks(2).map(|pair| Complex64::new(pair[0], pair[1])).collect();
    }
    values.iter().map(|&x| x.into()).collect()
}

fn array(sink: &Sink) -> Array {
    sink.memory().unwrap()
}

struct Sinks {
    outputs: Vec<Sink>,
    states: Vec<Sink>,
    controls: Vec<(String, bool)>,
}

impl Sinks {
    fn new(plan: &Plan, block: &str) -> Self {
        use adjoin_passes::ir::Target;
        let block = plan.block(block).unwrap();
        let sink = |ty: &adjoin_passes::Type| Sink::in_memory(ty.dims.clone(), ty.dtype).unwrap();
        let mut sinks = Sinks {
            outputs: Vec::new(),
            states: plan.states.iter().map(|state| sink(&state.ty)).collect(),
            controls: Vec::new(),
        };
        for r in &block.returns {
            let ty = block.ty(r.value);
            match &r.target {
                Target::State(_) => {}
                Target::Output => sinks.outputs.push(sink(ty)),
                Target::Control(name) => {
                    sinks.controls.push((name.clone(), ty.dtype.is_complex()));
                }
            }
        }
        sinks
    }
}
