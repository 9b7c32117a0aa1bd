//! Buffers through which values pass: only regions use them, and each writes there before it reads.

use super::{ports, slabs, views};
use crate::calls::{Call, Calls, Kernel};
use std::collections::BTreeSet;

/// What is wrong with the use of such buffers, if anything is.
pub(super) fn check(calls: &Calls) -> Result<(), String> {
    let passes = |buffer: usize| calls.buffers.get(buffer).is_some_and(|b| b.passing);
    let kept = |buffer| Err(format!("buffer {buffer} keeps nothing, and somebody needs it"));
    if let Some(port) = ports(calls).find(|port| passes(port.view.buffer)) {
        return kept(port.view.buffer);
    }
    for call in calls.blocks.iter().flat_map(|block| &block.calls) {
        if let Call::Region { calls: inner, .. } = call {
            let mut made = BTreeSet::new();
            for call in inner {
                let (reads, writes) = uses(call);
                if let Some(b) = reads.into_iter().find(|b| passes(*b) && !made.contains(b)) {
                    return Err(format!("buffer {b} is read in a region that has not written it"));
                }
                made.extend(writes);
            }
            continue;
        }
        let used = views(call).into_iter().map(|view| view.buffer);
        let boxes = slabs(call).into_iter().map(|slab| slab.buffer);
        if let Some(buffer) = used.chain(boxes).find(|b| passes(*b)) {
            return kept(buffer);
        }
    }
    Ok(())
}

/// The buffers that a local call reads and writes.
fn uses(call: &Call) -> (Vec<usize>, Vec<usize>) {
    match call {
        Call::Kernel(Kernel { inputs, outputs, .. }) => {
            let [reads, writes] = [inputs, outputs].map(|views| views.iter().map(|v| v.buffer));
            (reads.collect(), writes.collect())
        }
        Call::Local { args, out, .. } => {
            (args.iter().map(|view| view.buffer).collect(), vec![out.buffer])
        }
        Call::Region { .. } | Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } => {
            (Vec::new(), Vec::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, read};
    use crate::fuse_updates::FuseUpdates;
    use crate::lower::lower_all;
    use crate::pipeline::{Context, Pass};
    use crate::plan_buffers::PlanBuffers;

    fn calls() -> Calls {
        let fused = after(
            &FuseUpdates,
            "mesh p=2 (2 ranks)
            let D = (i) <- (i) diagonal : f64[8/p]
            %0 = input x : f64[8/p]
            %1 = apply D %0 : f64[8/p]
            %2 = apply D %1 : f64[8/p]
            return %2",
        );
        let plan = PlanBuffers.run(&fused, &Context::default()).unwrap();
        assert_eq!(plan, read(&crate::text::print(&plan)));
        lower_all(&plan).remove(1)
    }

    #[test]
    fn what_a_region_makes_for_itself_passes() {
        let calls = calls();
        assert_eq!(calls.buffers.iter().filter(|b| b.passing).count(), 1);
        assert_eq!(check(&calls), Ok(()));
    }

    #[test]
    fn what_lies_between_a_stencil_and_its_adjoint_passes() {
        let region = "%1 = halo %0 : f64[30/p~2:2]
            region S
            %2 = apply S %1 : f64[30/p~1:1]
            %3 = apply S.H %2 : f64[30/p]
            end\n";
        for nodes in [region.to_string(), format!("split\n{region}end\n")] {
            let plan = read(&format!(
                "mesh p=3 (3 ranks)
                let S = (i) <- (i~1:1) : f64[30/p]
                %0 = input x : f64[30/p]
                {nodes}return %3"
            ));
            let plan = PlanBuffers.run(&plan, &Context::default()).unwrap();
            for calls in lower_all(&plan) {
                assert_eq!(calls.buffers.iter().filter(|b| b.passing).count(), 1, "{plan}");
                assert_eq!(check(&calls), Ok(()));
            }
        }
    }

    #[test]
    fn what_others_need_stays() {
        let mut calls = calls();
        let result = calls.blocks[0].outputs[0].view.buffer;
        calls.buffers[result].passing = true;
        assert!(check(&calls).unwrap_err().contains("somebody needs it"));
    }

    #[test]
    fn nothing_is_read_that_was_not_written() {
        let mut calls = calls();
        for call in &mut calls.blocks[0].calls {
            if let Call::Region { calls, .. } = call {
                calls.remove(0);
            }
        }
        assert!(check(&calls).unwrap_err().contains("has not written it"));
    }
}
