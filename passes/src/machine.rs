//! The machine model, and what communication and memory traffic cost on it.
//!
//! A call takes a start, α for each step on the way, and the time of its bytes; collectives take
//! the better of the latency and the bandwidth algorithm.
//! Which α and bandwidth an axis of the mesh has follows from the innermost group of ranks that
//! holds all that it connects.
//! Local work takes the longer of its flops and its memory traffic (roofline), or what its class
//! was measured to reach of the machine's rates ([`Kernel`]).

mod kernels;

pub use kernels::{Kernel, Manner, Shares};

use crate::dtype::Dtype;
use crate::ir::Op;
use crate::mesh::{Axis, Mesh};
use crate::placement::Type;
use crate::signature::Class;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The numbers from which costs are computed, in seconds, bytes and flops per rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// A name for people.
    pub name: String,
    /// Where the numbers come from.
    #[serde(default)]
    pub source: String,
    /// Seconds to begin a local node, or a region.
    pub launch: f64,
    /// Seconds to go on with another node of a region; without it, none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step: f64,
    /// The bytes that a rank may hold; without it there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// The cores of a node, which its ranks take in turns; without it each has one of its own.
    /// A node is the smallest group of ranks in `links`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<usize>,
    /// Flops in a second, of a product of matrices in a cache.
    pub flops: Flops,
    /// Memory bandwidths, from the smallest working set to the largest.
    pub memory: Vec<Memory>,
    /// The share of a communication's time that passes beside work while nobody waits for it.
    #[serde(default)]
    pub overlap: f64,
    /// Connections, from those within the smallest group of ranks to those between all.
    pub links: Vec<Link>,
    /// What classes of work reach of these rates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kernels: BTreeMap<Class, Kernel>,
    /// The ranks of a node that work at once; see [`Machine::among`].
    #[serde(skip, default = "alone")]
    pub sharers: usize,
}

fn alone() -> usize {
    1
}

/// Flops in a second, by the precision of the real numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flops {
    /// Of `f32` and `c64`.
    pub single: f64,
    /// Of `f64` and `c128`.
    pub double: f64,
}

/// The bandwidth of memory for working sets up to a size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The largest working set in bytes; without it, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<f64>,
    /// Bytes in a second of a rank, by updates of vectors.
    pub bandwidth: f64,
    /// Bytes in a second of all ranks of a node together, who share the level; without it each has
    /// its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

/// How the ranks of a group are connected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// How many consecutive ranks are a group; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<usize>,
    /// Seconds to begin a call.
    #[serde(default)]
    pub start: f64,
    /// Seconds for a step from rank to rank.
    pub latency: f64,
    /// Seconds more for a call while ranks take turns on a core.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub crowded: f64,
    /// Bytes in a second that a rank sends while all do.
    pub bandwidth: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

impl Default for Machine {
    fn default() -> Self {
        Machine {
            name: "a core of a cluster node".into(),
            source: "round numbers".into(),
            launch: 1e-7,
            step: 0.0,
            capacity: None,
            cores: None,
            flops: Flops { single: 4e10, double: 2e10 },
            memory: vec![Memory { within: None, bandwidth: 2.5e10, total: None }],
            overlap: 0.0,
            links: vec![Link::plain(2e-6, 5e9)],
            kernels: BTreeMap::new(),
            sharers: 1,
        }
    }
}

impl Machine {
    /// With one kind of connection between all ranks: seconds for a step, bytes in a second.
    #[must_use]
    pub fn with_link(mut self, latency: f64, bandwidth: f64) -> Self {
        self.links = vec![Link::plain(latency, bandwidth)];
        self
    }

    /// With one memory bandwidth for all working sets.
    #[must_use]
    pub fn with_memory(mut self, bandwidth: f64) -> Self {
        self.memory = vec![Memory { within: None, bandwidth, total: None }];
        self
    }

    /// With one flop rate for all types.
    #[must_use]
    pub fn with_flops(mut self, rate: f64) -> Self {
        self.flops = Flops { single: rate, double: rate };
        self
    }

    /// With another time to begin a local node.
    #[must_use]
    pub fn with_launch(mut self, seconds: f64) -> Self {
        self.launch = seconds;
        self
    }

    /// With another share of communication that passes beside work.
    #[must_use]
    pub fn with_overlap(mut self, share: f64) -> Self {
        self.overlap = share;
        self
    }

    /// When something that is on from `begin` to `end` if all wait for it is over for a rank that
    /// works until `clock` and then waits.
    pub fn landing(&self, (begin, end): (f64, f64), clock: f64) -> f64 {
        let beside = (clock - begin).max(0.0);
        let rest = (end - begin - self.overlap * beside).max(0.0);
        clock.max(begin) + rest
    }

    /// Whether costs can be computed from it; the message names the number that is at fault.
    pub fn check(&self) -> Result<(), String> {
        let positive = |what: &str, x: f64| {
            (x.is_finite() && x > 0.0)
                .then_some(())
                .ok_or_else(|| format!("{what} = {x} is no positive number"))
        };
        let not_negative = |what: &str, x: f64| {
            (x.is_finite() && x >= 0.0)
                .then_some(())
                .ok_or_else(|| format!("{what} = {x} is no time"))
        };
        not_negative("launch", self.launch)?;
        not_negative("step", self.step)?;
        positive("flops.single", self.flops.single)?;
        positive("flops.double", self.flops.double)?;
        self.capacity.map_or(Ok(()), |c| positive("capacity", c))?;
        if !(0.0..=1.0).contains(&self.overlap) {
            return Err(format!("overlap = {} is no share", self.overlap));
        }
        for memory in &self.memory {
            positive("memory.bandwidth", memory.bandwidth)?;
            memory.total.map_or(Ok(()), |total| positive("memory.total", total))?;
        }
        for link in &self.links {
            not_negative("links.start", link.start)?;
            not_negative("links.latency", link.latency)?;
            not_negative("links.crowded", link.crowded)?;
            positive("links.bandwidth", link.bandwidth)?;
        }
        let within: Vec<_> = self.memory.iter().map(|m| m.within.unwrap_or(f64::MAX)).collect();
        let ranks: Vec<_> = self.links.iter().map(|l| l.ranks.unwrap_or(usize::MAX)).collect();
        if !within.is_sorted() || within.last() != Some(&f64::MAX) {
            return Err("memory ascends by `within`, and the last has none".into());
        }
        if !ranks.is_sorted() || ranks.last() != Some(&usize::MAX) || ranks.contains(&0) {
            return Err("links ascend by `ranks`, and the last has none".into());
        }
        if self.cores == Some(0) {
            return Err("cores = 0 are none".into());
        }
        self.check_kernels()
    }

    /// The connection between the ranks along some axes: that of the smallest group that holds
    /// each set of them.
    pub fn link(&self, mesh: &Mesh, axes: &[Axis]) -> Link {
        let stride = |a: Axis| mesh.axes[a + 1..].iter().map(|(_, n)| n).product::<usize>();
        let span = axes.iter().map(|&a| stride(a) * mesh.size(a)).max().unwrap_or(1);
        let holds = |link: &&Link| {
            link.ranks.is_none_or(|r| r >= mesh.ranks() || r.is_multiple_of(span.max(1)))
        };
        self.met(self.links.iter().find(holds))
    }

    /// The connection between two ranks: that of the smallest group that holds both.
    pub fn between(&self, a: usize, b: usize) -> Link {
        let holds = |link: &&Link| link.ranks.is_none_or(|r| a / r == b / r);
        self.met(self.links.iter().find(holds))
    }

    /// A connection as ranks meet it who may have to wait for their turn on a core.
    fn met(&self, link: Option<&Link>) -> Link {
        let link = *link.unwrap_or(&self.links[self.links.len() - 1]);
        let crowd = self.crowd();
        let crowded = if crowd > 1.0 { link.crowded } else { 0.0 };
        Link { start: link.start + crowded, bandwidth: link.bandwidth / crowd, ..link }
    }

    /// The memory bandwidth of a working set.
    pub fn bandwidth(&self, set: f64) -> f64 {
        self.flow(Manner::default(), set)
    }

    /// The flop rate of a type.
    pub fn rate(&self, dtype: Dtype) -> f64 {
        match dtype {
            Dtype::F32 | Dtype::C64 => self.flops.single,
            Dtype::F64 | Dtype::C128 => self.flops.double,
        }
    }

    /// A pass over memory.
    pub fn pass(&self, bytes: f64) -> f64 {
        self.begin() + bytes / self.bandwidth(bytes)
    }

    /// What one communication node costs, of which all values go in one call.
    pub fn communication(&self, op: &Op, mesh: &Mesh, args: &[Type], results: &[Type]) -> f64 {
        let total = |types: &[Type]| types.iter().map(|ty| bytes(ty, mesh)).sum::<f64>();
        let ghosts = |types: &[Type]| types.iter().map(|ty| ghost_bytes(ty, mesh)).sum::<f64>();
        let mut axes: Vec<Axis> = match op {
            Op::AllReduce(axes) | Op::ReduceScatter(axes) | Op::AllGather(axes) => axes.clone(),
            Op::AllToAll(axis) => vec![*axis],
            Op::Exchange | Op::Reduce(_) => {
                args.iter().flat_map(|ty| ty.placement.split_axes()).collect()
            }
            Op::Halo => results.iter().flat_map(haloed).collect(),
            Op::HaloSum => args.iter().flat_map(haloed).collect(),
            _ => Vec::new(),
        };
        axes.sort_unstable();
        axes.dedup();
        let (from, to) = match op {
            Op::Halo => (0.0, ghosts(results)),
            Op::HaloSum => (ghosts(args), 0.0),
            Op::ReduceScatter(axes) | Op::AllGather(axes) => {
                let copies = (mesh.sizes(axes) as f64 - 1.0) * total(&args[1..]);
                (total(args) + copies, total(results) + copies)
            }
            _ => (total(args), total(results)),
        };
        match op {
            Op::AllReduce(_) if are_mixed(args) && mesh.sizes(&axes) > 1 => {
                self.link(mesh, &axes).all_reduce_whole(mesh.sizes(&axes), from)
            }
            _ => self.step(op, mesh, &axes, (from, to)),
        }
    }

    /// What a communication node of this kind costs over some axes, where the largest rank has so
    /// many bytes before and after it, or so many ghosts.
    pub fn step(&self, op: &Op, mesh: &Mesh, axes: &[Axis], (from, to): (f64, f64)) -> f64 {
        let (link, p) = (self.link(mesh, axes), mesh.sizes(axes));
        let local = !matches!(
            op,
            Op::AllReduce(_)
                | Op::ReduceScatter(_)
                | Op::AllGather(_)
                | Op::AllToAll(_)
                | Op::Exchange
                | Op::Reduce(_)
                | Op::Halo
                | Op::HaloSum
        );
        match op {
            _ if local => self.pass(from + to),
            _ if p <= 1 => 0.0,
            Op::AllReduce(_) => link.all_reduce(p, from),
            Op::Reduce(_) => link.all_reduce(p, to),
            Op::ReduceScatter(_) => link.half_reduce(p, from),
            Op::AllGather(_) => link.half_reduce(p, to),
            Op::Halo => link.neighbours(p, to),
            Op::HaloSum => link.neighbours(p, from),
            _ => link.all_to_all(p, from),
        }
    }
}

/// Whether elements of both precisions go in one message.
fn are_mixed(types: &[Type]) -> bool {
    types.iter().any(|ty| ty.dtype.is_double() != types[0].dtype.is_double())
}

/// The axes over which dims with ghosts are split.
fn haloed(ty: &Type) -> Vec<Axis> {
    let dims = ty.placement.splits.iter().zip(&ty.placement.ghosts);
    dims.filter(|(_, ghosts)| **ghosts != (0, 0))
        .flat_map(|(split, _)| split.axes.clone())
        .collect()
}

impl Link {
    /// Between all ranks: seconds for a step, bytes in a second.
    pub fn plain(latency: f64, bandwidth: f64) -> Self {
        Link { ranks: None, start: 0.0, latency, crowded: 0.0, bandwidth }
    }

    fn steps(p: usize) -> f64 {
        (p.max(1) as f64).log2().ceil()
    }

    fn share(p: usize) -> f64 {
        (p as f64 - 1.0) / p as f64
    }

    /// A sum of `bytes` over `p` ranks, everywhere.
    pub fn all_reduce(&self, p: usize, bytes: f64) -> f64 {
        let (steps, share) = (Link::steps(p), Link::share(p));
        let halves = 2.0 * steps * self.latency + 2.0 * share * bytes / self.bandwidth;
        self.all_reduce_whole(p, bytes).min(self.start + halves)
    }

    /// The same where a library cannot cut the message, as it has elements of two precisions.
    pub fn all_reduce_whole(&self, p: usize, bytes: f64) -> f64 {
        self.start + Link::steps(p) * (self.latency + bytes / self.bandwidth)
    }

    /// Half of an `all_reduce`: `reduce_scatter`, or `all_gather`; `bytes` is the larger side.
    pub fn half_reduce(&self, p: usize, bytes: f64) -> f64 {
        self.start + Link::steps(p) * self.latency + Link::share(p) * bytes / self.bandwidth
    }

    /// Every rank sends a part of its `bytes` to every other.
    pub fn all_to_all(&self, p: usize, bytes: f64) -> f64 {
        self.start + (p as f64 - 1.0) * self.latency + Link::share(p) * bytes / self.bandwidth
    }

    /// Messages between neighbours, of whom an inner rank has two.
    pub fn neighbours(&self, p: usize, bytes: f64) -> f64 {
        self.start + (p.min(3) as f64 - 1.0) * self.latency + bytes / self.bandwidth
    }
}

/// The elements that the rank with most of them owns.
pub fn largest_len(ty: &Type, mesh: &Mesh) -> f64 {
    let dims = ty.dims.iter().zip(&ty.placement.splits);
    dims.map(|(&n, split)| split.largest_block(n, mesh) as f64).product()
}

/// The bytes that the rank with most of them owns.
pub fn bytes(ty: &Type, mesh: &Mesh) -> f64 {
    largest_len(ty, mesh) * ty.dtype.size() as f64
}

/// The bytes of ghost cells of an inner rank.
pub fn ghost_bytes(ty: &Type, mesh: &Mesh) -> f64 {
    let (mut owned, mut held) = (1.0, 1.0);
    for (d, &n) in ty.dims.iter().enumerate() {
        let own = ty.placement.splits[d].largest_block(n, mesh);
        let (lo, hi) = ty.placement.ghosts[d];
        owned *= own as f64;
        held *= (own + lo + hi).min(n.max(own)) as f64;
    }
    (held - owned) * ty.dtype.size() as f64
}
