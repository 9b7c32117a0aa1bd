//! How fast the classes of local work run, and what ranks of a node get of it.
//!
//! A class has shares of the machine's flop rate and of the bandwidth of each level of memory, along
//! the last dim of an array and across it; its arithmetic and its traffic take their times one after
//! the other, as kernels that were measured do.
//! A class of which nothing is said has all of the rates and takes the longer of both times, so that
//! a machine without any is a plain roofline.
//! Ranks of a node that are more than its cores take turns, and where a level of memory says what
//! all of them get together, each has at most its part.

use super::{Machine, Memory};
use crate::dtype::Dtype;
use crate::signature::Class;
use serde::{Deserialize, Serialize};

/// What a class of work reaches of the rates of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Along the last dim of an array; of products, with one vector.
    #[serde(default)]
    pub along: Shares,
    /// Along any other dim, or beside a batch; of products, with many vectors.
    #[serde(default)]
    pub across: Shares,
}

/// Shares of a machine's rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Of the flops in `f32` and `c64`.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub single: f64,
    /// Of the flops in `f64` and `c128`.
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    pub double: f64,
    /// Of the bandwidth of each level of memory, above 1 where arithmetic hides some of the traffic;
    /// the last is for all that follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<f64>,
}

fn whole() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_whole(share: &f64) -> bool {
    *share == 1.0
}

impl Default for Shares {
    fn default() -> Self {
        Shares { single: 1.0, double: 1.0, memory: Vec::new() }
    }
}

impl Shares {
    /// That of the flops of a type.
    pub fn rate(&self, dtype: Dtype) -> f64 {
        match dtype {
            Dtype::F32 | Dtype::C64 => self.single,
            Dtype::F64 | Dtype::C128 => self.double,
        }
    }

    fn level(&self, k: usize) -> f64 {
        self.memory.get(k).or(self.memory.last()).copied().unwrap_or(1.0)
    }
}

/// A kind of work: its class, and the part of it that goes along the last dim, or for one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Manner {
    /// The class of work.
    pub class: Class,
    /// The part of it that goes along the last dim; of products, for one vector.
    pub along: f64,
}

impl Machine {
    /// The machine as each of so many ranks finds it while all work.
    #[must_use]
    pub fn among(&self, ranks: usize) -> Self {
        let node = self.links.first().and_then(|link| link.ranks).unwrap_or(ranks);
        Machine { sharers: node.min(ranks).max(1), ..self.clone() }
    }

    /// How many ranks take turns on a core, on average.
    pub fn crowd(&self) -> f64 {
        self.cores.map_or(1.0, |cores| (self.sharers as f64 / cores as f64).max(1.0))
    }

    /// Seconds to begin a local node.
    pub fn begin(&self) -> f64 {
        self.launch * self.crowd()
    }

    /// Seconds to go on with another node of a region.
    pub fn proceed(&self) -> f64 {
        self.step * self.crowd()
    }

    /// Seconds of a kind of work whose traffic takes so long.
    pub fn work(&self, manner: Manner, dtype: Dtype, flops: f64, traffic: f64) -> f64 {
        let arithmetic = self.arithmetic(manner, dtype, flops);
        if self.kernels.contains_key(&manner.class) {
            arithmetic + traffic
        } else {
            arithmetic.max(traffic)
        }
    }

    /// Seconds of so many floating point operations.
    pub fn arithmetic(&self, manner: Manner, dtype: Dtype, flops: f64) -> f64 {
        flops / self.rate(dtype) * self.slowness(manner, |s| s.rate(dtype)) * self.crowd()
    }

    /// The bandwidth at which a kind of work reads what was touched so many bytes ago.
    pub fn flow(&self, manner: Manner, set: f64) -> f64 {
        1.0 / self.drag(manner, set)
    }

    /// The seconds for a byte that was touched so many bytes ago.
    pub fn drag(&self, manner: Manner, set: f64) -> f64 {
        let slowness = |k| self.slowness(manner, |s| s.level(k));
        self.parts(set).enumerate().map(|(k, part)| part * slowness(k)).sum()
    }

    /// The seconds for a byte that a piece of work reads again; none on a machine that knows of no
    /// cache.
    pub fn again(&self, manner: Manner) -> f64 {
        if self.memory.len() > 1 { self.drag(manner, 0.0) } else { 0.0 }
    }

    /// Of the seconds for a byte at all of the bandwidth, those that each level of memory has.
    ///
    /// Within an octave around the reach of a level both it and the next have a part of it.
    pub fn parts(&self, set: f64) -> impl Iterator<Item = f64> + '_ {
        let mut nearer = 0.0_f64;
        self.memory.iter().map(move |level| {
            let reached = match level.within {
                Some(within) => {
                    (0.5 - (self.demand(level, set) / within).log2()).clamp(nearer, 1.0)
                }
                None => 1.0,
            };
            let here = reached - nearer;
            nearer = reached;
            // Ranks that take turns on a core have its bandwidth one after the other.
            let own = level.bandwidth / self.crowd();
            let part = level.total.map_or(f64::INFINITY, |total| total / self.sharers as f64);
            here / own.min(part)
        })
    }

    /// How many times as long a kind of work takes as it would at a rate of the machine.
    fn slowness(&self, Manner { class, along }: Manner, of: impl Fn(&Shares) -> f64) -> f64 {
        let Some(kernel) = self.kernels.get(&class) else { return 1.0 };
        along / of(&kernel.along) + (1.0 - along) / of(&kernel.across)
    }

    /// What the ranks need of a level, each of which works with so many bytes.
    fn demand(&self, level: &Memory, set: f64) -> f64 {
        set * if level.total.is_some() { self.sharers as f64 } else { self.crowd() }
    }

    /// Why the classes of work make no sense.
    pub(super) fn check_kernels(&self) -> Result<(), String> {
        for (class, kernel) in &self.kernels {
            let all = |s: &Shares| [&[s.single, s.double][..], &s.memory].concat();
            let shares = [all(&kernel.along), all(&kernel.across)].concat();
            if let Some(wrong) = shares.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
                return Err(format!("kernels.{class} has {wrong}, which is no share"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Link;

    /// Two cores with a cache each, which share the memory behind it.
    fn node() -> Machine {
        let cache = Memory { within: Some(1e6), bandwidth: 1e11, total: None };
        let far = Memory { within: None, bandwidth: 2e10, total: Some(3e10) };
        Machine { cores: Some(2), memory: vec![cache, far], ..Machine::default() }
    }

    const STENCIL: Manner = Manner { class: Class::Stencil, along: 0.25 };

    #[test]
    fn memory_is_shared_and_cores_are_taken_in_turn() {
        let rate = |ranks: usize, set: f64| node().among(ranks).flow(Manner::default(), set);
        assert_eq!([1, 2, 4].map(|ranks| rate(ranks, 1e8)), [2e10, 1.5e10, 7.5e9]);
        assert_eq!([1, 2, 4].map(|ranks| rate(ranks, 2e5)), [1e11, 1e11, 5e10]);
        // Two ranks on a core leave each half of its cache.
        assert_eq!(rate(4, 1e6), 7.5e9);
        let time = |ranks: usize| node().among(ranks).arithmetic(STENCIL, Dtype::F64, 1e9);
        assert_eq!([time(2) / time(1), time(4) / time(1)], [1.0, 2.0]);
        assert_eq!(node().among(4).among(4), node().among(4));
    }

    #[test]
    fn a_level_ends_within_an_octave() {
        let rate = |set: f64| node().flow(Manner::default(), set);
        let half = rate(1e6);
        assert!((half - 2.0 / (1.0 / 1e11 + 1.0 / 2e10)).abs() < 1.0, "{half}");
        assert!(rate(0.5e6) == 1e11 && rate(2e6) == 2e10);
        assert!(rate(0.9e6) > half && half > rate(1.1e6));
        assert_eq!([0.0, f64::INFINITY].map(rate), [1e11, 2e10]);
    }

    #[test]
    fn groups_of_ranks_have_nodes_of_their_own() {
        let near = Link { ranks: Some(2), ..node().links[0] };
        let cluster = Machine { links: vec![near, node().links[0]], ..node() };
        assert_eq!(cluster.among(1000), cluster.among(2));
    }

    #[test]
    fn a_class_has_its_shares() {
        let across = Shares { double: 0.5, memory: vec![1.0, 0.25], ..Shares::default() };
        let kernel = Kernel { across, ..Kernel::default() };
        let machine = Machine { kernels: [(Class::Stencil, kernel)].into(), ..node() };
        let time = |machine: &Machine, dtype| machine.arithmetic(STENCIL, dtype, 1e9);
        let slower = |dtype| time(&machine, dtype) / time(&node(), dtype);
        assert!((slower(Dtype::F64) - (0.25 + 0.75 / 0.5)).abs() < 1e-12);
        assert_eq!(slower(Dtype::C64), 1.0);
        let stencil = [4e5, 1e8].map(|set| machine.drag(STENCIL, set));
        assert_eq!(stencil, [1.0 / 1e11, (0.25 + 0.75 / 0.25) / 2e10]);
        let product = Manner { class: Class::Product, along: 0.0 };
        assert_eq!(machine.flow(product, 1e8), 2e10);
        // What was measured takes its times one after the other.
        let [flops, traffic] = [4e10, 1.5];
        let time = |manner| machine.work(manner, Dtype::F32, flops, traffic);
        assert_eq!([time(STENCIL), time(product)], [2.5, 1.5]);
    }
}
