//! What local work takes: the flop rate, the time to begin a node, and what the classes of work
//! reach, each by plans of a single operator that run as any plan does.

use super::effort::Effort;
use super::fit::{Sample, shares};
use super::team::{Job, Team};
use super::trials::{self, Trial, Use, Way};
use crate::expr::lower;
use crate::machine::{Kernel, Machine, Memory};
use crate::runtime::exec::Binding;
use crate::runtime::{Program, RunError};
use adjoin_kernels::host::dense::{self, Matrix};
use adjoin_kernels::host::{Acc, Scalar};
use adjoin_passes::cost::Account;
use adjoin_passes::ir::Over;
use adjoin_passes::signature::Class;
use adjoin_passes::{Context, Dtype, Plan, compile, text};
use num_complex::Complex64;
use std::collections::BTreeMap;
use std::hint::black_box;

/// The working set of the first level, if it is not smaller.
const NEAR: f64 = (1 << 18) as f64;

/// Elements of vectors whose updates take no time but to begin.
const FEW: usize = 16;

/// A product of matrices; a unit is a floating point operation.
pub(super) fn product<S: Scalar>(effort: Effort) -> Job {
    let n = effort.product;
    let (a, x) = (vec![S::ONE; n * n], vec![S::ONE; n * n]);
    let mut y = vec![S::ONE; n * n];
    let run = move || {
        dense::apply(Matrix::new(&a, n, n), n, black_box(&x), &mut y, Acc::Set);
        black_box(&y);
        Ok(())
    };
    Job { units: (2 * n * n * n) as f64, run: Box::new(run) }
}

/// Seconds to begin a local node, and to go on with another of a region.
pub(super) fn launch(team: &Team<'_>) -> Result<(f64, f64), RunError> {
    let plan = text::parse(&trials::numbers()).map_err(unfit)?;
    let one = team.seconds("numbers", team.busy, || bound(team, Program::of(&plan)))?;
    let one = one / trials::NUMBERS as f64;
    let plan = updates(0, Dtype::F64, FEW)?;
    let region = team.seconds("a region", team.busy, || bound(team, Program::of(&plan)))?;
    let more: usize = plan.blocks[0].regions.iter().map(|region| region.nodes().len() - 1).sum();
    Ok((one, ((region - one) / more.max(1) as f64).max(0.0)))
}

/// The shares of all classes; the machine has none yet.
pub(super) fn all(team: &Team<'_>, machine: &Machine) -> Result<BTreeMap<Class, Kernel>, RunError> {
    let mut kernels = BTreeMap::<Class, Kernel>::new();
    for (class, way) in trials::manners() {
        let mut samples = Vec::new();
        for trial in Trial::of(class, way) {
            sampled(team, machine, trial, &mut samples)?;
        }
        let (shares, kernel) = (shares(machine, &samples), kernels.entry(class).or_default());
        match way {
            Way::Along => kernel.along = shares,
            Way::Across => kernel.across = shares,
            Way::Any => *kernel = Kernel { along: shares.clone(), across: shares },
        }
    }
    Ok(kernels)
}

/// A working set of each level of memory, and whether the ranks share the level.
fn sets(machine: &Machine, effort: Effort) -> Vec<(f64, bool)> {
    let mut below = 0.0;
    let set = |level: &Memory| {
        // Between both ends, where neither neighbour counts.
        let set = match level.within {
            // Half of a power of two, so that it is mostly the same whenever readings are taken.
            Some(within) if below > 0.0 => ((below * within).log2().round() / 2.0).exp2(),
            Some(within) => NEAR.min(within / 4.0),
            None => (effort.largest as f64 / 2.0).max(2.0 * below),
        };
        below = level.within.unwrap_or(set);
        (set, level.total.is_some())
    };
    machine.memory.iter().map(set).collect()
}

/// What a trial takes on all cores: in the first level in both precisions; there, and in those levels
/// that ranks share, also on one core alone.
fn sampled(
    team: &Team<'_>,
    machine: &Machine,
    trial: Trial,
    samples: &mut Vec<Sample>,
) -> Result<(), RunError> {
    let mut add = |dtype: Dtype, ranks: usize, set: f64| {
        for way in trial.uses() {
            samples.push(sample(team, machine, (trial, *way), (dtype, ranks, set))?);
        }
        Ok::<_, RunError>(())
    };
    for (k, (set, shared)) in sets(machine, team.effort).into_iter().enumerate() {
        let both = [Dtype::F32, Dtype::F64];
        for &dtype in if k == 0 { &both[..] } else { &both[..1] } {
            add(dtype, team.busy, if shared { set / team.busy as f64 } else { set })?;
            if team.busy > 1 && (shared || k == 0) {
                add(dtype, 1, set)?;
            }
        }
        if trial.has_one_size() {
            break;
        }
    }
    Ok(())
}

/// A trial on the first ranks, whose working sets have about so many bytes.
fn sample(
    team: &Team<'_>,
    machine: &Machine,
    (trial, way): (Trial, Use),
    (dtype, ranks, set): (Dtype, usize, f64),
) -> Result<Sample, RunError> {
    let what = format!("{trial}, {way:?} in {dtype} of {set:.0} bytes");
    let mut sample =
        Sample { dtype, ranks, set: 0.0, flops: 0.0, bytes: 0.0, again: 0.0, seconds: 0.0 };
    if trial.class == Class::Update {
        let n = (set / (trials::vectors(trial.form) * dtype.size()) as f64) as usize;
        let plan = updates(trial.form, dtype, n)?;
        let seconds = team.seconds(what, ranks, || bound(team, Program::of(&plan)))?;
        sample.add(&plan, machine, seconds);
        return Ok(sample);
    }
    let operator = trial.operator(dtype, set as usize).map_err(unfit)?;
    for (k, vector) in trial.applied(&operator, way, dtype).into_iter().enumerate() {
        // Proving it would take longer than running it, and nobody takes its results.
        let lowered = lower(&vector).map_err(unfit)?;
        let plan = compile(&lowered.plan, &Context::default()).map_err(unfit)?.plan;
        let program = || Program::of(&plan).operators(&lowered.operators);
        let seconds =
            team.seconds(format_args!("{what}, {k}"), ranks, || bound(team, program()))?;
        sample.add(&plan, machine, seconds);
    }
    Ok(sample)
}

impl Sample {
    /// What a plan took, without the time to begin its nodes.
    fn add(&mut self, plan: &Plan, machine: &Machine, seconds: f64) {
        // On a machine where nothing else takes time.
        let begun = machine.clone().with_flops(f64::MAX).with_memory(f64::MAX);
        let begun = Account::of(plan, &begun).blocks[0].seconds();
        let account = Account::of(plan, machine);
        self.seconds += (seconds - begun).max(1e-9);
        self.flops += account.blocks[0].flops;
        self.bytes += account.blocks[0].traffic;
        self.set = self.set.max(account.operators + account.buffers);
        if plan.blocks[0].regions.iter().any(|region| matches!(region.over, Over::Panels(_))) {
            self.again += account.operators;
        }
    }
}

/// A program of this rank alone, to be run again and again.
fn bound(team: &Team<'_>, program: Binding<'_>) -> Result<Job, RunError> {
    let mut program = program.bind(team.alone.clone())?;
    if program.slots().any(|slot| slot == "a") {
        program.set_slot("a", Complex64::new(1e-9, 0.0))?;
    }
    Ok(Job { units: 1.0, run: Box::new(move || program.run("")) })
}

/// A plan of some updates, of vectors with so many elements.
fn updates(form: usize, dtype: Dtype, n: usize) -> Result<Plan, RunError> {
    let plan = text::parse(&trials::updates(form, dtype, n.max(FEW))).map_err(unfit)?;
    Ok(compile(&plan, &Context::default()).map_err(unfit)?.plan)
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` hands it over.
fn unfit(error: impl std::fmt::Display) -> RunError {
    RunError::Unfit(error.to_string())
}
