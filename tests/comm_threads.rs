//! Rank threads: the conformance suite, and what happens when a rank fails.

mod support;

use adjoin::runtime::comm::threads::{self, ThreadComm};
use adjoin::runtime::comm::{Comm, CommError, Elem, Message, Operation, Prepared, ReduceOp};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use support::cases::CASES;

fn conforms(ranks: usize) {
    threads::run(ranks, |comm| {
        for (name, case) in CASES {
            let outcome = catch_unwind(AssertUnwindSafe(|| case(comm.as_ref())));
            outcome.unwrap_or_else(|_| panic!("case \"{name}\" on rank {}", comm.rank()));
        }
    });
}

#[test]
fn one_rank_conforms() {
    conforms(1);
}

#[test]
fn two_ranks_conform() {
    conforms(2);
}

#[test]
fn three_ranks_conform() {
    conforms(3);
}

#[test]
fn four_ranks_conform() {
    conforms(4);
}

#[test]
fn six_ranks_conform() {
    conforms(6);
}

#[test]
fn seven_ranks_conform() {
    conforms(7);
}

fn sum(comm: &dyn Comm, count: usize) -> Box<dyn Prepared> {
    let operation = Operation::AllReduce { count, elem: Elem::F64, op: ReduceOp::Sum };
    comm.prepare(operation).unwrap()
}

/// Sums whose rounding depends on the order are the same on all ranks, and run in rank order.
#[test]
fn sums_run_in_the_order_of_ranks() {
    for count in [5, 5000] {
        let number = |rank: usize, i: usize| {
            (1.0 + rank as f64 / 3.0) * 10_f64.powi((rank * 7 + i) as i32 % 17)
        };
        let sums = threads::run(7, |comm| {
            let mut call = sum(comm.as_ref(), count);
            for (i, x) in call.send_as::<f64>().iter_mut().enumerate() {
                *x = number(comm.rank(), i);
            }
            call.run().unwrap();
            call.recv_as::<f64>().to_vec()
        });
        let expected: Vec<f64> =
            (0..count).map(|i| (1..7).fold(number(0, i), |sum, r| sum + number(r, i))).collect();
        assert!(sums.iter().all(|sum| *sum == expected));
    }
}

/// Rank 2 of 4 does `fault` while the others wait in `wait`; returns what the others got.
fn failing(
    fault: impl Fn(&dyn Comm) + Sync,
    wait: impl Fn(&dyn Comm) -> CommError + Sync,
) -> Vec<CommError> {
    let start = Instant::now();
    let errors = Mutex::new(Vec::new());
    let run = catch_unwind(AssertUnwindSafe(|| {
        threads::run(4, |comm| {
            if comm.rank() == 2 {
                thread::sleep(Duration::from_millis(50));
                fault(comm.as_ref());
            } else {
                let error = wait(comm.as_ref());
                errors.lock().unwrap().push(error);
            }
        });
    }));
    drop(run);
    assert!(start.elapsed() < Duration::from_secs(2));
    errors.into_inner().unwrap()
}

fn failed(message: &str) -> Vec<CommError> {
    vec![CommError::Failed { rank: 2, message: message.to_owned() }; 3]
}

#[test]
fn a_failing_rank_stops_the_preparation_of_others() {
    let wait = |comm: &dyn Comm| comm.split(0, 0).err().unwrap();
    assert_eq!(failing(|comm| comm.fail("the disk is full"), wait), failed("the disk is full"));
}

#[test]
fn a_failing_rank_stops_barriers() {
    let wait = |comm: &dyn Comm| comm.barrier().unwrap_err();
    assert_eq!(failing(|comm| comm.fail("no"), wait), failed("no"));
}

#[test]
fn a_failing_rank_stops_pending_and_later_waits() {
    let fault = |comm: &dyn Comm| {
        drop(sum(comm, 4));
        thread::sleep(Duration::from_millis(50));
        comm.fail("no");
        comm.fail("again");
    };
    let wait = |comm: &dyn Comm| {
        let mut call = sum(comm, 4);
        call.start().unwrap();
        let error = call.wait().unwrap_err();
        call.send().fill(1);
        assert_eq!(call.start(), Err(error.clone()));
        assert_eq!(comm.barrier(), Err(error.clone()));
        assert_eq!(comm.split(0, 0).err(), Some(error.clone()));
        error
    };
    assert_eq!(failing(fault, wait), failed("no"));
}

#[test]
fn a_failing_rank_stops_exchanges() {
    let wait = |comm: &dyn Comm| {
        let recvs = vec![Message { peer: 2, tag: 0, count: 1 }];
        let operation = Operation::Exchange { sends: Vec::new(), recvs, elem: Elem::F64 };
        comm.prepare(operation).unwrap().run().unwrap_err()
    };
    assert_eq!(failing(|comm| comm.fail("no"), wait), failed("no"));
}

#[test]
fn a_panic_stops_the_other_ranks() {
    let wait = |comm: &dyn Comm| comm.barrier().unwrap_err();
    assert_eq!(failing(|_| panic!("index 7"), wait), failed("it panicked: index 7"));
}

#[test]
fn a_panic_goes_on_in_the_caller() {
    let run = || {
        threads::run(
            3,
            |comm| if comm.rank() == 1 { panic!("mine") } else { comm.barrier().unwrap() },
        )
    };
    let panic = catch_unwind(run).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"mine"));
}

#[test]
fn a_failure_is_known_to_parts_by_the_rank_in_the_world() {
    let part = |comm: &dyn Comm| comm.split(comm.rank() % 2, 0).unwrap();
    let fault = |comm: &dyn Comm| {
        let part = part(comm);
        thread::sleep(Duration::from_millis(50));
        part.fail("no");
    };
    let wait = |comm: &dyn Comm| {
        let error = part(comm).barrier().and_then(|()| comm.barrier());
        error.unwrap_err()
    };
    assert_eq!(failing(fault, wait), failed("no"));
}

/// Dropping a communicator while its own thread panics is enough, without `threads::run`.
#[test]
fn a_dropped_communicator_of_a_panicking_thread_stops_others() {
    let mut comms = ThreadComm::world(2).into_iter();
    let (one, two) = (comms.next().unwrap(), comms.next().unwrap());
    let panicking = thread::spawn(move || {
        let _comm = Arc::new(one);
        panic!("gone");
    });
    let message = "it panicked".to_owned();
    assert_eq!(two.barrier(), Err(CommError::Failed { rank: 0, message }));
    assert!(panicking.join().is_err());
}

#[test]
fn different_operations_are_refused_everywhere() {
    let errors = threads::run(3, |comm| {
        let count = if comm.rank() == 1 { 5 } else { 4 };
        let operation = Operation::AllReduce { count, elem: Elem::F64, op: ReduceOp::Sum };
        comm.prepare(operation).err().unwrap().to_string()
    });
    assert_eq!(
        errors[2],
        "rank 1 asked for AllReduce { count: 5, elem: F64, op: Sum } \
         where rank 0 asked for AllReduce { count: 4, elem: F64, op: Sum }"
    );
    assert_eq!(errors[0], errors[2]);
}

#[test]
fn a_message_of_another_length_is_an_error_of_both() {
    let errors = threads::run(2, |comm| {
        let peer = 1 - comm.rank();
        let message = vec![Message { peer, tag: 4, count: 1 + comm.rank() }];
        let recvs = vec![Message { peer, tag: 4, count: 1 }];
        let operation = Operation::Exchange { sends: message, recvs, elem: Elem::F64 };
        let mut call = comm.prepare(operation).unwrap();
        call.run().and_then(|()| comm.barrier()).unwrap_err().to_string()
    });
    let length = "rank 1 sent 16 bytes with tag 4, and rank 0 expected 8 bytes";
    assert!(errors.iter().all(|error| error.ends_with(length)), "{errors:?}");
}

#[test]
fn a_full_channel_is_an_error() {
    threads::run(1, |comm| {
        let sends = vec![Message { peer: 0, tag: 0, count: 1 }; 129];
        let operation = Operation::Exchange { sends, recvs: Vec::new(), elem: Elem::F64 };
        let error = comm.prepare(operation).unwrap().start().unwrap_err().to_string();
        assert_eq!(error, "more than 128 messages from rank 0 to rank 0 with tag 0 are under way");
    });
}

/// Prints latencies: `cargo test --release --test comm_threads latency -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn latency() {
    for (ranks, count) in [(2, 1), (2, 512), (2, 131_072), (2, 1 << 21), (4, 1), (7, 1)] {
        let times = threads::run(ranks, |comm| support::latency::latency(comm.as_ref(), count));
        println!("{ranks} threads, {count} f64: {:?}", times[0]);
    }
}
