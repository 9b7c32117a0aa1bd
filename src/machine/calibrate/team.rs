//! Ranks of which some work at the same time, while the others sleep.

use super::effort::Effort;
use super::readings::Readings;
use crate::runtime::RunError;
use crate::runtime::comm::{Comm, Elem, Operation, Prepared, ReduceOp};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

/// The parts of a measurement, and of one whose parts are long.
pub(super) const PARTS: usize = 5;
const FEW: usize = 3;

pub(super) struct Team<'a> {
    pub(super) comm: &'a dyn Comm,
    /// A communicator of this rank alone.
    pub(super) alone: Arc<dyn Comm>,
    /// A communicator of the ranks with a core each, or of the others.
    pub(super) near: Arc<dyn Comm>,
    pub(super) ranks: usize,
    pub(super) cores: usize,
    /// How many ranks have a core each.
    pub(super) busy: usize,
    pub(super) effort: Effort,
    max: RefCell<Box<dyn Prepared + 'a>>,
    readings: RefCell<Readings>,
}

/// Something to be done again and again, and how many units of it are done at a time.
pub(super) struct Job {
    pub(super) units: f64,
    pub(super) run: Box<dyn FnMut() -> Result<(), RunError>>,
}

impl<'a> Team<'a> {
    /// The ranks of a communicator, and what was measured before; the same on all of them.
    pub(super) fn new(
        comm: &'a dyn Comm,
        effort: Effort,
        readings: &Readings,
    ) -> Result<Self, RunError> {
        let max = Operation::AllReduce { count: PARTS, elem: Elem::F64, op: ReduceOp::Max };
        let max = RefCell::new(comm.prepare(max)?);
        let (ranks, cores) = (comm.size(), cores(comm)?);
        let busy = ranks.min(cores);
        let alone = comm.split(comm.rank(), 0)?;
        let near = comm.split(usize::from(comm.rank() >= busy), comm.rank())?;
        let readings = RefCell::new(readings.clone());
        Ok(Team { comm, alone, near, ranks, cores, busy, effort, max, readings })
    }

    /// Whether this rank has a core of its own.
    pub(super) fn is_busy(&self) -> bool {
        self.comm.rank() < self.busy
    }

    /// The largest of a number over the ranks.
    pub(super) fn largest(&self, number: f64) -> Result<f64, RunError> {
        Ok(self.largest_of([number; PARTS])?[0])
    }

    fn largest_of(&self, numbers: [f64; PARTS]) -> Result<[f64; PARTS], RunError> {
        let mut max = self.max.borrow_mut();
        max.send_as::<f64>().copy_from_slice(&numbers);
        max.run()?;
        let mut all = [0.0; PARTS];
        all.copy_from_slice(max.recv_as::<f64>());
        Ok(all)
    }

    /// What was measured, by all teams of which each knew what the one before had measured.
    pub(super) fn readings(self) -> Readings {
        self.readings.into_inner()
    }

    /// What something takes by all readings, of which these are new; the slowest rank counts.
    pub(super) fn note(&self, what: impl Display, times: &[f64]) -> Result<f64, RunError> {
        let mut parts = [0.0; PARTS];
        parts[..times.len()].copy_from_slice(times);
        let all = self.largest_of(parts)?;
        let what = format!("{what}, {} ranks", self.ranks);
        Ok(self.readings.borrow_mut().note(what, &all[..times.len()]))
    }

    /// Seconds of a unit on the first ranks, so many at the same time, of which the slowest counts;
    /// only they make the job. By all readings of it.
    pub(super) fn seconds(
        &self,
        what: impl Display,
        ranks: usize,
        job: impl FnOnce() -> Result<Job, RunError>,
    ) -> Result<f64, RunError> {
        let mut job = if self.comm.rank() < ranks { Some(job()?) } else { None };
        let once = job.as_mut().map_or(Ok(0.0), Job::warm)?;
        let once = self.largest(once)?.max(1e-9);
        let times = (self.effort.part.as_secs_f64() / once).ceil() as usize;
        let used = if times == 1 { FEW } else { PARTS };
        let mut parts = [0.0; PARTS];
        if let Some(job) = &mut job {
            let comm = if ranks == 1 { &self.alone } else { &self.near };
            for part in &mut parts[..used] {
                comm.barrier()?;
                *part = job.timed(times)?;
            }
        } else {
            // Whoever waits for a message may keep a core busy: these wait with closed eyes.
            sleep(Duration::from_secs_f64(once * (times * used) as f64));
        }
        let units = self.largest(job.map_or(0.0, |job| job.units))?;
        for part in &mut parts {
            *part /= units;
        }
        self.note(format_args!("{what} on {ranks}"), &parts[..used])
    }

    /// Seconds of something that all ranks of a communicator do together so many times.
    pub(super) fn together(
        comm: &dyn Comm,
        times: usize,
        mut run: impl FnMut() -> Result<(), RunError>,
    ) -> Result<[f64; PARTS], RunError> {
        let mut parts = [0.0; PARTS];
        run()?;
        for part in &mut parts {
            comm.barrier()?;
            let begin = Instant::now();
            (0..times).try_for_each(|_| run())?;
            *part = begin.elapsed().as_secs_f64() / times as f64;
        }
        Ok(parts)
    }
}

impl Job {
    /// Runs twice; the seconds of the second time.
    fn warm(&mut self) -> Result<f64, RunError> {
        (self.run)()?;
        self.timed(1)
    }

    fn timed(&mut self, times: usize) -> Result<f64, RunError> {
        let begin = Instant::now();
        (0..times).try_for_each(|_| (self.run)())?;
        Ok(begin.elapsed().as_secs_f64() / times as f64)
    }
}

/// The cores on which the ranks may run; a launcher may give each process some of its own.
fn cores(comm: &dyn Comm) -> Result<usize, RunError> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mine = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let mine = mine.unwrap_or_default().trim().to_owned();
    let all = comm.all_gather_bytes(mine.as_bytes())?;
    let known = available_parallelism().map_or(1, Into::into);
    if all.iter().all(|list| *list == mine.as_bytes()) {
        return Ok(known);
    }
    let lists = all.iter().map(|list| String::from_utf8_lossy(list));
    let cores: BTreeSet<usize> = lists.flat_map(|list| listed(&list)).collect();
    Ok(cores.len().max(known))
}

/// The numbers of a list such as `0-3,8`.
fn listed(list: &str) -> Vec<usize> {
    let range = |text: &str| {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        Some(low.trim().parse().ok()?..=high.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(super::listed("0-2,8"), [0, 1, 2, 8]);
        assert_eq!(super::listed("5"), [5]);
        assert_eq!(super::listed(""), [0; 0]);
    }
}
