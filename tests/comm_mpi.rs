//! Ranks of MPI: the conformance suite under `mpiexec`, and how a job with a failing rank ends.
#![cfg(feature = "mpi")]

mod support;

use adjoin::runtime::comm::Comm;
use std::time::Duration;
use support::cases::CASES;
use support::mpiexec::{Job, job, succeeds};

fn conforms(ranks: usize, test: &str) {
    succeeds(ranks, test, |comm| {
        for (name, case) in CASES {
            if comm.rank() == 0 {
                println!("case {name}");
            }
            case(comm.as_ref());
            comm.barrier().unwrap();
        }
    });
}

#[test]
fn one_rank_conforms() {
    conforms(1, "one_rank_conforms");
}

#[test]
fn two_ranks_conform() {
    conforms(2, "two_ranks_conform");
}

#[test]
fn three_ranks_conform() {
    conforms(3, "three_ranks_conform");
}

#[test]
fn four_ranks_conform() {
    conforms(4, "four_ranks_conform");
}

/// The job failed soon, and adjoin said so once.
fn ends_with(job: &Job, message: &str) {
    let output = &job.output();
    assert!(!job.status.success(), "{output}");
    assert!(job.time < Duration::from_secs(10), "{:?}", job.time);
    assert_eq!(output.matches("adjoin: ").count(), 1, "{output}");
    assert!(output.contains(message), "{output}");
}

#[test]
fn a_failing_rank_ends_the_job() {
    let ended = job(3, "a_failing_rank_ends_the_job", |comm| {
        if comm.rank() == 1 {
            comm.fail("the disk is full");
        }
        comm.barrier().unwrap();
    });
    if let Some(job) = ended {
        ends_with(&job, "adjoin: rank 1 failed: the disk is full\n");
    }
}

#[test]
fn of_many_failing_ranks_the_first_speaks() {
    let ended = job(4, "of_many_failing_ranks_the_first_speaks", |comm| comm.fail("no data"));
    if let Some(job) = ended {
        ends_with(&job, "adjoin: rank 0 failed: no data\n");
    }
}

#[test]
fn a_panic_ends_the_job() {
    let ended = job(3, "a_panic_ends_the_job", |comm| {
        assert!(comm.rank() != 2, "index 7");
        comm.barrier().unwrap();
    });
    if let Some(job) = ended {
        ends_with(&job, "adjoin: rank 2 failed");
        assert!(job.output().contains("index 7"), "{}", job.output());
    }
}

/// Whoever initialised MPI goes on with it after adjoin has left.
#[test]
fn an_initialised_library_is_attached_and_not_finalised() {
    use adjoin::runtime::comm::{ReduceOp, mpi::MpiComm};
    use mpi::traits::{AsRaw, Communicator, CommunicatorCollectives};
    if !support::mpiexec::is_rank() {
        succeeds(2, "an_initialised_library_is_attached_and_not_finalised", |_| {});
        return;
    }
    let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Serialized).unwrap();
    let world = universe.world();
    // SAFETY: the communicator lives, and everything made from it is dropped in this function.
    let comms = unsafe { [MpiComm::attach(world.as_raw()).unwrap(), MpiComm::world().unwrap()] };
    for comm in comms {
        let mut ranks = [1.0];
        let comm: &dyn Comm = &comm;
        comm.all_reduce(&mut ranks, ReduceOp::Sum).unwrap();
        assert_eq!(ranks, [f64::from(world.size())]);
    }
    world.barrier();
}

/// Prints latencies: `cargo test --release --features mpi --test comm_mpi latency -- --ignored
/// --nocapture`.
#[test]
#[ignore = "a measurement"]
fn latency() {
    let ended = job(2, "latency", |comm| {
        for count in [1, 512, 131_072, 1 << 21] {
            let times = support::latency::latency(comm.as_ref(), count);
            if comm.rank() == 0 {
                println!("2 MPI ranks, {count} f64: {times:?}");
            }
        }
    });
    if let Some(job) = ended {
        println!("{}", job.output());
        assert!(job.status.success());
    }
}
