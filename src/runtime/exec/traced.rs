//! A block that runs while somebody wants to know: each call is timed.

use super::steps::Trouble;
use super::{BoundBlock, Program, Traced, TracedBlock};
use crate::trace::{self, Facts};

impl Traced {
    /// The place of a program in the trace of this thread.
    pub(super) fn register(id: u64, facts: Vec<Facts>, bound: &[BoundBlock]) -> Traced {
        let blocks = facts.into_iter().zip(bound).map(|(facts, bound)| {
            let count = facts.calls.len();
            let first = trace::register(facts.calls);
            let block = trace::register([facts.block, facts.controls]);
            let steps = |call: usize| {
                let begin = bound.sources.partition_point(|&source| source < call);
                begin..bound.sources.partition_point(|&source| source <= call)
            };
            let calls = (0..count).map(|call| (first + call, steps(call)));
            let calls = calls.filter(|(_, steps)| !steps.is_empty()).collect();
            TracedBlock { block, calls, controls: block + 1 }
        });
        Traced { trace: id, blocks: blocks.collect() }
    }
}

impl Program {
    /// Runs a block call by call; what a device has begun is done before the next begins.
    pub(super) fn traced_steps(&mut self, block: usize) -> Result<(), Trouble> {
        let Some(traced) = self.traced.take() else { return self.steps(block) };
        let TracedBlock { block: whole, calls, controls } = &traced.blocks[block];
        trace::enter(*whole);
        let done = calls.iter().try_for_each(|(call, steps)| {
            let begin = trace::now();
            steps.clone().try_for_each(|k| self.step(block, k))?;
            self.finish_work()?;
            trace::span(*call, begin);
            Ok(())
        });
        let done = done.and_then(|()| {
            let begin = trace::now();
            self.fetch_controls(block)?;
            if self.blocks[block].controls.read.is_some() {
                trace::span(*controls, begin);
            }
            Ok(())
        });
        trace::leave();
        self.traced = Some(traced);
        done
    }
}
