//! What a run did and cost, as JSON: results that can be compared years later.
//!
//! Calls and bytes are those that communicators have counted, not those that the plan foresaw.

mod hash;
pub mod curve;
pub mod html;
pub mod units;

use crate::planned::Planned;
use crate::problem::Resolved;
use crate::run::RunCost;
use crate::runtime::World;
use crate::solve::{Estimates, Outcome};
use adjoin_passes::Mesh;
pub use hash::{Hasher, plan_hash, problem_hash};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is written by `--report`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The name of the method.
    pub solver: String,
    /// Iterations done.
    pub iterations: usize,
    /// Why the loop ended: `tolerance`, `iterations`, `condition` or `precision`.
    pub stop: String,
    /// The norm of the residual before the first and after each iteration.
    pub cost: Vec<f64>,
    /// The same for each part of the data, if the method knows it.
    pub norms: BTreeMap<String, Vec<f64>>,
    /// What LSQR knows of the operator and the solution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimates: Option<Estimates>,
    /// Where the time went.
    pub seconds: Seconds,
    /// What an iteration cost on rank 0.
    pub per_iteration: PerIteration,
    /// Buffers and staging of the rank that has most of them.
    pub peak_bytes: usize,
    /// `threads` or `mpi`.
    pub backend: String,
    /// How many ranks there were.
    pub ranks: usize,
    /// How they were arranged, such as `r=2 c=3`.
    pub mesh: String,
    /// Equal for equal plans.
    pub plan_hash: String,
    /// Equal for equal problems; paths count, the values in files do not.
    pub problem_hash: String,
}

/// Seconds of the stages of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Seconds {
    /// Reading headers, planning, proving.
    pub plan: f64,
    /// Binding and reading data.
    pub load: f64,
    /// The loop.
    pub iterate: f64,
}

/// Means over the iterations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PerIteration {
    /// Seconds.
    pub seconds: f64,
    /// Communication calls.
    pub calls: f64,
    /// Their payload.
    pub bytes: f64,
    /// Those that reduce.
    pub reductions: f64,
}

/// Why a loop ended, for people.
pub fn stop(outcome: &Outcome) -> &'static str {
    outcome.stop.sentence()
}

impl Report {
    /// A report of a loop, its cost and the seconds that planning took.
    pub fn new(outcome: &Outcome, cost: &RunCost, planning: f64) -> Self {
        let n = outcome.niter.max(1) as f64;
        let part = |(i, norms): (usize, &Vec<f64>)| (i.to_string(), norms.clone());
        Report {
            iterations: outcome.niter,
            stop: outcome.stop.word().into(),
            estimates: outcome.estimates,
            cost: outcome.cost.clone(),
            norms: outcome.norms.iter().enumerate().map(part).collect(),
            seconds: Seconds { plan: planning, load: cost.load, iterate: cost.iterate },
            per_iteration: PerIteration {
                seconds: cost.iterate / n,
                calls: cost.traffic.calls as f64 / n,
                bytes: cost.traffic.bytes as f64 / n,
                reductions: cost.traffic.reductions as f64 / n,
            },
            peak_bytes: cost.peak_bytes,
            ..Report::default()
        }
    }

    /// With the name of the method.
    pub fn solver(mut self, name: &str) -> Self {
        self.solver = name.into();
        self
    }

    /// With names for the parts of the data.
    pub fn parts(mut self, names: &[String]) -> Self {
        let named = names.iter().enumerate().filter_map(|(i, name)| {
            let norms = self.norms.get(&i.to_string())?;
            Some((name.clone(), norms.clone()))
        });
        let named: BTreeMap<_, _> = named.collect();
        if named.len() == self.norms.len() {
            self.norms = named;
        }
        self
    }

    /// With what ran it.
    pub fn world(mut self, world: &World, mesh: &Mesh) -> Self {
        self.backend = world.backend().into();
        self.ranks = world.ranks();
        self.mesh = mesh.to_string();
        self
    }

    /// With the hash of its plan.
    pub fn plan(mut self, planned: &Planned) -> Self {
        self.plan_hash = plan_hash(planned.plan());
        self
    }

    /// With the hash of its problem.
    pub fn problem(mut self, resolved: &Resolved) -> Self {
        self.problem_hash = problem_hash(resolved);
        self
    }

    /// As JSON; numbers that are not finite are `null`.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).map_or_else(|_| String::new(), |text| text + "\n")
    }
}
