//! The machine model, and what communication and memory traffic cost on it.
//!
//! α is the time of a message, β the time of a byte on the way; collectives take the better of
//! the latency and the bandwidth algorithm.

use crate::ir::Op;
use crate::mesh::{Axis, Mesh};
use crate::placement::{Split, Type};
use crate::signature::Signature;
use serde::{Deserialize, Serialize};

/// The numbers from which costs are computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// A name for people.
    pub name: String,
    /// Seconds for a message.
    pub latency: f64,
    /// Seconds for a byte on the way.
    pub byte: f64,
    /// Seconds for a byte to or from memory.
    pub memory: f64,
    /// Seconds for a floating point operation.
    pub flop: f64,
    /// Seconds to begin a local node.
    pub launch: f64,
}

impl Default for Machine {
    fn default() -> Self {
        Machine {
            name: "a core of a cluster node".into(),
            latency: 2e-6,
            byte: 2e-10,
            memory: 4e-11,
            flop: 5e-11,
            launch: 1e-7,
        }
    }
}

impl Machine {
    fn log(p: usize) -> f64 {
        (p.max(1) as f64).log2().ceil()
    }

    fn share(p: usize) -> f64 {
        (p as f64 - 1.0) / p as f64
    }

    /// A sum of `bytes` over `p` ranks, everywhere.
    pub fn all_reduce(&self, p: usize, bytes: f64) -> f64 {
        let (steps, share) = (Machine::log(p), Machine::share(p));
        let whole = steps * (self.latency + bytes * self.byte);
        whole.min(2.0 * steps * self.latency + 2.0 * share * bytes * self.byte)
    }

    /// Half of an `all_reduce`: `reduce_scatter`, or `all_gather`; `bytes` is the larger side.
    pub fn half_reduce(&self, p: usize, bytes: f64) -> f64 {
        Machine::log(p) * self.latency + Machine::share(p) * bytes * self.byte
    }

    /// Every rank sends a part of its `bytes` to every other.
    pub fn all_to_all(&self, p: usize, bytes: f64) -> f64 {
        (p as f64 - 1.0) * self.latency + Machine::share(p) * bytes * self.byte
    }

    /// Messages between neighbours.
    pub fn neighbours(&self, bytes: f64) -> f64 {
        2.0 * self.latency + bytes * self.byte
    }

    /// A pass over memory.
    pub fn pass(&self, bytes: f64) -> f64 {
        self.launch + bytes * self.memory
    }

    /// One application of an operator of which the largest tile is the fraction `share`, to
    /// vectors of `bytes` on that rank.
    pub fn apply(&self, signature: &Signature, share: f64, batch: f64, bytes: f64) -> f64 {
        let cost = signature.cost_or_estimate();
        let flops = cost.flops * batch * share * self.flop;
        let traffic = (cost.reads * share + bytes) * self.memory;
        self.launch + flops.max(traffic)
    }

    /// What one communication node costs.
    pub fn communication(&self, op: &Op, mesh: &Mesh, arg: &Type, result: &Type) -> f64 {
        let (before, after) = (bytes(arg, mesh), bytes(result, mesh));
        match op {
            Op::AllReduce(axes) => self.all_reduce(mesh.sizes(axes), before),
            Op::ReduceScatter(axes) => self.half_reduce(mesh.sizes(axes), before),
            Op::AllGather(axes) => self.half_reduce(mesh.sizes(axes), after),
            Op::AllToAll(axis) => self.all_to_all(mesh.size(*axis), before),
            Op::Exchange => {
                let p = mesh.sizes(&arg.placement.split_axes());
                self.all_to_all(p, before)
            }
            Op::Halo => self.neighbours(ghost_bytes(result, mesh)),
            Op::HaloSum => self.neighbours(ghost_bytes(arg, mesh)),
            _ => self.pass(before + after),
        }
    }
}

/// The number of elements of a dim that the rank with most of them owns.
pub fn largest(n: usize, split: &Split, mesh: &Mesh) -> usize {
    let p = mesh.sizes(&split.axes);
    if split.cut.is_none() || p > 4096 {
        return split.axes.iter().fold(n, |n, &a| n.div_ceil(mesh.size(a)));
    }
    let at = |k: usize| coordinates(&split.axes, mesh, k);
    (0..p).map(|k| split.interval(n, mesh, &at(k)).len()).max().unwrap_or(n)
}

/// The coordinates of the `k`-th rank along some axes, zero along the others.
fn coordinates(axes: &[Axis], mesh: &Mesh, k: usize) -> Vec<usize> {
    let mut at = vec![0; mesh.axes.len()];
    let mut rest = k;
    for &axis in axes.iter().rev() {
        at[axis] = rest % mesh.size(axis);
        rest /= mesh.size(axis);
    }
    at
}

/// The elements that the rank with most of them owns.
pub fn largest_len(ty: &Type, mesh: &Mesh) -> f64 {
    let dims = ty.dims.iter().zip(&ty.placement.splits);
    dims.map(|(&n, split)| largest(n, split, mesh) as f64).product()
}

/// The bytes that the rank with most of them owns.
pub fn bytes(ty: &Type, mesh: &Mesh) -> f64 {
    largest_len(ty, mesh) * ty.dtype.size() as f64
}

/// The bytes of ghost cells of an inner rank.
pub fn ghost_bytes(ty: &Type, mesh: &Mesh) -> f64 {
    let (mut owned, mut held) = (1.0, 1.0);
    for (d, &n) in ty.dims.iter().enumerate() {
        let own = largest(n, &ty.placement.splits[d], mesh);
        let (lo, hi) = ty.placement.ghosts[d];
        owned *= own as f64;
        held *= (own + lo + hi).min(n.max(own)) as f64;
    }
    (held - owned) * ty.dtype.size() as f64
}
