//! Which rank sends how many bytes to which, from the calls.
//!
//! What a collective of a library does inside is its own affair.
//! An `all_reduce` counts as the sum of pieces at their owners, which give them to everybody:
//! a rank sends each other member a `p`-th of the value twice.

use super::scripts::bytes_of;
use crate::calls::{Call, Calls, Kind, Transfer};
use crate::ir::Plan;
use crate::lower::lower;
use serde::Serialize;

/// Bytes between groups of consecutive ranks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flows {
    /// How many ranks a group has; the last may have fewer.
    pub each: usize,
    /// How many groups there are.
    pub side: usize,
    /// Bytes in one run, from row to column; a rank sends itself nothing.
    pub bytes: Vec<f64>,
}

/// The bytes that one run of a block sends, between at most so many groups of ranks.
pub fn flows(plan: &Plan, block: usize, most: usize) -> Flows {
    let ranks = plan.mesh.ranks();
    let each = ranks.div_ceil(most.max(1)).max(1);
    let side = ranks.div_ceil(each);
    let mut flows = Flows { each, side, bytes: vec![0.0; side * side] };
    for rank in 0..ranks {
        let calls = lower(plan, rank);
        for call in &calls.blocks[block].calls {
            if let Call::Start { transfer, .. } = call {
                flows.add(&calls, transfer);
            }
        }
    }
    flows
}

impl Flows {
    /// The most that goes from one group to another.
    pub fn most(&self) -> f64 {
        self.bytes.iter().copied().fold(0.0, f64::max)
    }

    /// All that is sent.
    pub fn total(&self) -> f64 {
        self.bytes.iter().sum()
    }

    fn add(&mut self, calls: &Calls, transfer: &Transfer) {
        let group = &calls.groups[transfer.group];
        let whole = || transfer.sends.iter().map(|p| bytes_of(calls, &p.slabs)).sum::<f64>();
        match transfer.kind {
            Kind::AllReduce => {
                let piece = 2.0 * whole() / group.len() as f64;
                for &to in group {
                    self.put(calls.rank, to, piece);
                }
            }
            Kind::AllGather => {
                let piece = whole();
                for &to in group {
                    self.put(calls.rank, to, piece);
                }
            }
            Kind::ReduceScatter | Kind::AllToAll | Kind::Exchange => {
                for packet in &transfer.sends {
                    self.put(calls.rank, group[packet.peer], bytes_of(calls, &packet.slabs));
                }
            }
        }
    }

    fn put(&mut self, from: usize, to: usize, bytes: f64) {
        if from != to {
            self.bytes[from / self.each * self.side + to / self.each] += bytes;
        }
    }
}
