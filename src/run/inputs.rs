//! The data and numbers that a user hands to one run.

use super::{Watching, unfit};
use crate::data::Source;
use crate::runtime::{Program, RunError};
use crate::solve::{Outcome, Settings};
use crate::trace::Trace;
use adjoin_passes::Block;
use adjoin_passes::ir::Op;
use num_complex::Complex64;
use std::sync::Arc;

/// The data and numbers of one run.
#[derive(Clone, Default)]
pub struct Inputs {
    pub(super) data: Vec<(String, Given)>,
    pub(super) slots: Vec<(String, Complex64)>,
    pub(super) settings: Option<Settings>,
    pub(super) watch: Option<Arc<Watch>>,
    pub(super) progress: Option<Arc<Progress>>,
    pub(super) trace: Option<Trace>,
}

/// Called on every rank after each iteration; the loop ends when rank 0 returns false.
pub type Watch = dyn Fn(&mut Watching<'_>) -> Result<bool, RunError> + Send + Sync;

/// Called on rank 0 after each iteration.
pub type Progress = dyn Fn(&Outcome) + Send + Sync;

#[derive(Clone)]
pub(super) enum Given {
    Source(Source),
    Zero,
}

/// Nothing yet.
pub fn inputs() -> Inputs {
    Inputs::default()
}

impl Inputs {
    /// A part of the data, or an input of an expression, by name.
    pub fn part(mut self, name: impl Into<String>, source: impl Into<Source>) -> Self {
        self.data.push((name.into(), Given::Source(source.into())));
        self
    }

    /// The whole data: one part, or all parts one after the other in a flat array.
    pub fn data(self, source: impl Into<Source>) -> Self {
        self.part("d", source)
    }

    /// The whole first guess, likewise.
    pub fn start(self, source: impl Into<Source>) -> Self {
        self.part("x0", source)
    }

    /// A part that is zero.
    pub fn zero(mut self, name: impl Into<String>) -> Self {
        self.data.push((name.into(), Given::Zero));
        self
    }

    /// The value of a parameter.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Complex64>) -> Self {
        self.slots.push((name.into(), value.into()));
        self
    }

    /// Other numbers for the loop than those of the plan.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Looks at the iterate after each iteration.
    pub fn watch(
        mut self,
        watch: impl Fn(&mut Watching<'_>) -> Result<bool, RunError> + Send + Sync + 'static,
    ) -> Self {
        self.watch = Some(Arc::new(watch));
        self
    }

    /// Reports after each iteration, on rank 0.
    pub fn progress(mut self, progress: impl Fn(&Outcome) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// Notes what every rank does, beside what the machine that was planned for should take.
    pub fn trace(mut self, trace: &Trace) -> Self {
        self.trace = Some(trace.clone());
        self
    }

    /// What was given for an input of the plan, such as `d.smooth`.
    pub(super) fn find(&self, label: &str) -> Option<&Given> {
        let named = |name: &str| self.data.iter().rev().find(|(n, _)| n == name).map(|(_, g)| g);
        let short = label.split_once('.').map(|(_, part)| part);
        named(label).or_else(|| named(short?))
    }

    /// What was given for a whole vector of which the label is a part.
    pub(super) fn whole(&self, label: &str) -> Option<&Given> {
        let vector = label.split_once('.')?.0;
        self.data.iter().rev().find(|(n, _)| n == vector).map(|(_, g)| g)
    }
}

/// Fills the inputs of a block.
pub(super) fn load(
    program: &mut Program,
    name: &str,
    block: &Block,
    inputs: &Inputs,
) -> Result<(), RunError> {
    let mut begin: Vec<(String, usize)> = Vec::new();
    for node in &block.nodes {
        let Op::Input(label) = &node.op else { continue };
        let size = block.ty(node.results[0]).len();
        let vector = label.split_once('.').map_or(label.as_str(), |(whole, _)| whole);
        let known = begin.iter().position(|(v, _)| v == vector).unwrap_or_else(|| {
            begin.push((vector.to_string(), 0));
            begin.len() - 1
        });
        let at = &mut begin[known].1;
        let range = *at..*at + size;
        *at += size;
        match (inputs.find(label), inputs.whole(label)) {
            (Some(Given::Source(source)), _) => program.load(name, label, source)?,
            (None, Some(Given::Source(source))) => {
                let flat = source.reshape(vec![source.len()]).and_then(|s| s.slice(range));
                program.load(name, label, &flat.map_err(unfit)?)?;
            }
            (Some(Given::Zero), _) | (None, Some(Given::Zero)) => program.clear(name, label)?,
            (None, None) => {
                return Err(RunError::Unfit(format!("nothing is given for the input `{label}`")));
            }
        }
    }
    Ok(())
}
