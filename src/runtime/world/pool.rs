//! Rank threads that live as long as their handle and run one job at a time, each with its crew.

use super::crews::Crews;
use crate::runtime::comm::Comm;
use crate::runtime::comm::threads::ThreadComm;
use crate::runtime::error::RunError;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::{io, mem};

type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Pool {
    threads: Vec<JoinHandle<()>>,
    jobs: Vec<Sender<Job>>,
    /// One for each rank; locked while a job runs.
    comms: Mutex<Vec<Arc<dyn Comm>>>,
    crews: Crews,
}

impl Pool {
    /// So many ranks, unless the system refuses a thread.
    pub(super) fn new(ranks: usize, crews: Crews) -> io::Result<Pool> {
        let comms = Mutex::new(comms(ranks));
        let mut pool = Pool { threads: Vec::new(), jobs: Vec::new(), comms, crews };
        for rank in 0..ranks {
            let (sender, receiver) = channel::<Job>();
            let crew = Arc::new(crews.crew(ranks)?);
            let work = move || {
                let _entered = crew.enter();
                for job in receiver {
                    job();
                }
            };
            pool.threads.push(Builder::new().name(format!("rank {rank}")).spawn(work)?);
            pool.jobs.push(sender);
        }
        Ok(pool)
    }

    pub(super) fn ranks(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn crews(&self) -> Crews {
        self.crews
    }

    /// Runs the body, which does not panic, on every rank.
    pub(super) fn run<T: Send>(
        &self,
        body: impl Fn(&Arc<dyn Comm>) -> Result<T, RunError> + Sync,
    ) -> Result<Vec<T>, RunError> {
        let mut comms: MutexGuard<'_, _> =
            self.comms.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, finished) = channel();
        let body = &body;
        for (sender, comm) in self.jobs.iter().zip(comms.iter()) {
            let done = done.clone();
            let job: Box<dyn FnOnce() + Send + '_> = Box::new(move || {
                let result = body(comm);
                let _ = done.send((comm.rank(), result));
            });
            // SAFETY: only the lifetime changes. What the job borrows lives until this function
            // returns, and it returns after `finished` has ended: when every job was run or
            // dropped, since each owns a `done` and drops it last. Nothing below panics before.
            let job = unsafe { mem::transmute::<Box<dyn FnOnce() + Send + '_>, Job>(job) };
            // A rank thread ends only with the pool; a job that it does not take is dropped.
            let _ = sender.send(job);
        }
        drop(done);
        let mut results: Vec<_> = finished.into_iter().collect();
        results.sort_by_key(|(rank, _)| *rank);
        let failed = results.iter().any(|(_, result)| result.is_err());
        if failed || results.len() < self.ranks() {
            // The old ones may have failed, and are never used again.
            *comms = self::comms(self.ranks());
        }
        settle(results.into_iter().map(|(_, result)| result).collect(), self.ranks())
    }
}

fn comms(ranks: usize) -> Vec<Arc<dyn Comm>> {
    ThreadComm::world(ranks).into_iter().map(|comm| Arc::new(comm) as Arc<dyn Comm>).collect()
}

/// All results, or the error that says most.
fn settle<T>(results: Vec<Result<T, RunError>>, ranks: usize) -> Result<Vec<T>, RunError> {
    let complete = results.len() == ranks;
    let mut errors = Vec::new();
    let mut values = Vec::with_capacity(ranks);
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    let first = errors.iter().position(|error| !matches!(error, RunError::Failed { .. }));
    match errors.into_iter().nth(first.unwrap_or(0)) {
        Some(error) => Err(error),
        None if complete => Ok(values),
        None => Err(RunError::Unfit("a rank thread has ended".into())),
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
