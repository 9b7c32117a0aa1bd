//! What lies between ranks: the time of a call, the bandwidth, and what passes beside work.

use super::rounded;
use super::team::{PARTS, Team};
use crate::machine::{Link, Machine};
use crate::runtime::RunError;
use crate::runtime::comm::{Comm, Elem, Operation, ReduceOp};
use adjoin_kernels::host::Acc;
use adjoin_kernels::host::combine::linear;
use adjoin_passes::mesh::Mesh;
use std::hint::black_box;

/// Bytes of the sum that gives the bandwidth between ranks.
const LARGE: usize = 1 << 20;

/// Bytes of the sum that passes beside work.
const LONG: usize = 1 << 22;

/// Bytes of a vector that is updated between sums, some microseconds.
const BETWEEN: usize = 1 << 16;

/// Times of a measurement.
type Parts = [f64; PARTS];

/// The connection between ranks with a core each.
pub(super) fn link(team: &Team<'_>) -> Result<Link, RunError> {
    let mut times = [[[0.0; PARTS]; 2]; 2];
    if team.is_busy() && team.busy > 1 {
        times = [
            sum(&*team.near, 1, team.effort.sums)?,
            sum(&*team.near, LARGE / size_of::<f64>(), 4)?,
        ];
    }
    let [small, large] = [took(team, "small", times[0])?, took(team, "large", times[1])?];
    Ok(if team.busy > 1 { fit(team.busy, small, large) } else { Machine::default().links[0] })
}

/// The connection on which sums of a number and of [`LARGE`] bytes take so long.
fn fit(ranks: usize, small: f64, large: f64) -> Link {
    let steps = (ranks as f64).log2().ceil();
    let share = (ranks as f64 - 1.0) / ranks as f64;
    // What the model says of a large sum, solved for the bandwidth.
    let bytes = LARGE as f64;
    let whole = bytes * steps / (large - small).max(1e-9);
    let halves = 2.0 * share * bytes / (large - 2.0 * small).max(1e-9);
    Link::plain(rounded(small / steps), rounded(whole.min(halves)))
}

/// What a call takes more among ranks that take turns on their cores, as this team does.
pub(super) fn crowded(team: &Team<'_>, machine: &Machine) -> Result<f64, RunError> {
    // Those who take turns wait long.
    let took = took(team, "crowded", sum(team.comm, 1, team.effort.sums.div_ceil(5))?)?;
    let mesh = Mesh::line(team.ranks);
    let known = machine.link(&mesh, &[0]).all_reduce(team.ranks, size_of::<f64>() as f64);
    Ok(rounded((took - known).max(0.0)))
}

/// Seconds of a sum, from those with the work before and those of that alone.
fn took(team: &Team<'_>, what: &str, [both, work]: [Parts; 2]) -> Result<f64, RunError> {
    let both = team.note(format_args!("a {what} sum and work"), &both)?;
    let work = team.note(format_args!("work without a {what} sum"), &work)?;
    Ok((both - work).max(1e-8))
}

/// Seconds of a sum over ranks, each of which works a little before, and of that work alone.
fn sum(comm: &dyn Comm, count: usize, times: usize) -> Result<[Parts; 2], RunError> {
    let mut sum =
        comm.prepare(Operation::AllReduce { count, elem: Elem::F64, op: ReduceOp::Sum })?;
    let x = vec![1.0_f64; BETWEEN / size_of::<f64>()];
    let mut y = x.clone();
    let mut time = |sums: bool| {
        Team::together(comm, times, || {
            linear(&[1e-9], &[black_box(&x)], &mut y, Acc::Add);
            if sums {
                sum.send_as::<f64>().fill(1.0);
                sum.run()?;
            }
            Ok(())
        })
    };
    Ok([time(true)?, time(false)?])
}

/// The share of a large sum that passes while ranks work and nobody waits for it.
pub(super) fn overlap(team: &Team<'_>) -> Result<f64, RunError> {
    // Between ranks without a core of their own nothing is beside anything.
    if team.ranks == 1 || team.ranks > team.cores {
        return Ok(0.0);
    }
    let (count, elem, op) = (LONG / size_of::<f64>(), Elem::F64, ReduceOp::Sum);
    let mut sum = team.comm.prepare(Operation::AllReduce { count, elem, op })?;
    let x = vec![1.0_f64; (1 << 19) / size_of::<f64>()];
    let mut y = x.clone();
    let mut time = |what: &str, sums: bool, sweeps: usize| {
        let seconds = Team::together(team.comm, 1, || {
            if sums {
                sum.send_as::<f64>().fill(1.0);
                sum.start()?;
            }
            (0..sweeps).for_each(|_| linear(&[1e-9], &[black_box(&x)], &mut y, Acc::Add));
            black_box(&y);
            if sums { Ok(sum.wait()?) } else { Ok(()) }
        })?;
        team.note(format_args!("{what} of {sweeps} sweeps"), &seconds)
    };
    let wire = time("a long sum beside the work", true, 0)?;
    // Twice as much work as the sum takes, the same on all ranks.
    let sweeps = (2.0 * wire / (time("the work", false, 64)? / 64.0)).ceil() as usize;
    let work = time("the work", false, sweeps)?;
    let both = time("a long sum beside the work", true, sweeps)?;
    let share = ((wire + work - both) / wire).clamp(0.0, 1.0);
    // Less is noise.
    Ok(if share > 0.2 { rounded(share) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_again() {
        for (ranks, bandwidth) in [(2, 2e9), (4, 1e10), (6, 3e8)] {
            let truth = Link::plain(2e-6, bandwidth);
            // A number has hardly any bytes.
            let [small, large] = [0.0, LARGE as f64].map(|bytes| truth.all_reduce(ranks, bytes));
            assert_eq!(fit(ranks, small, large), truth);
        }
    }
}
