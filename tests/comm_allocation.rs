//! The steady state of rank threads allocates nothing.

use adjoin::runtime::comm::{Comm, Elem, Message, Operation, Prepared, ReduceOp, threads};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Those of this thread: the test runner's own threads allocate when they like.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(start, layout) }
    }
}

fn operations(rank: usize, size: usize) -> Vec<Operation> {
    let (elem, op) = (Elem::F64, ReduceOp::Sum);
    let ring = |peer| vec![Message { peer, tag: 1, count: 50 }];
    vec![
        Operation::AllReduce { count: 1, elem, op },
        Operation::AllReduce { count: 10_000, elem, op },
        Operation::Reduce { count: 10_000, elem, op, root: 0 },
        Operation::Broadcast { count: 10, elem, root: size - 1 },
        Operation::ReduceScatter { counts: vec![7; size], elem, op },
        Operation::AllGather { counts: vec![7; size], elem },
        Operation::AllToAll { send: vec![3; size], recv: vec![3; size], elem },
        Operation::Exchange {
            sends: ring((rank + 1) % size),
            recvs: ring((rank + size - 1) % size),
            elem,
        },
    ]
}

fn iterate(calls: &mut [Box<dyn Prepared>], rounds: usize) {
    for round in 0..rounds {
        for call in calls.iter_mut() {
            call.send_as::<f64>().fill(round as f64);
            call.start().unwrap();
        }
        for call in calls.iter_mut() {
            call.wait().unwrap();
            assert!(call.recv_as::<f64>().iter().all(|x| *x >= round as f64));
        }
    }
}

fn allocations(comm: &dyn Comm) -> usize {
    let mut calls: Vec<_> = operations(comm.rank(), comm.size())
        .into_iter()
        .map(|operation| comm.prepare(operation).unwrap())
        .collect();
    iterate(&mut calls, 3);
    let before = ALLOCATIONS.get();
    iterate(&mut calls, 200);
    comm.barrier().unwrap();
    ALLOCATIONS.get() - before
}

#[test]
fn the_steady_state_allocates_nothing() {
    for ranks in [1, 2, 5] {
        let counts = threads::run(ranks, |comm| allocations(comm.as_ref()));
        assert_eq!(counts, vec![0; ranks]);
    }
}
