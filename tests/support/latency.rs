//! How long a reduction takes.

use adjoin::runtime::comm::{Comm, Elem, Operation, ReduceOp};
use std::time::{Duration, Instant};

/// The best mean time of an `all_reduce`, by `run` and by `start` and `wait`.
pub fn latency(comm: &dyn Comm, count: usize) -> [Duration; 2] {
    let operation = Operation::AllReduce { count, elem: Elem::F64, op: ReduceOp::Sum };
    let mut call = comm.prepare(operation).unwrap();
    let rounds = (2_000_000 / (count as u32 + 1000)).max(4);
    [true, false].map(|at_once| {
        let batch = |_| {
            comm.barrier().unwrap();
            let start = Instant::now();
            for _ in 0..rounds {
                if at_once {
                    call.run().unwrap();
                } else {
                    call.start().unwrap();
                    call.wait().unwrap();
                }
            }
            start.elapsed() / rounds
        };
        (0..7).map(batch).min().unwrap()
    })
}
