//! What every communicator must do, as functions of one rank's handle.

use super::exchanges;
use adjoin::runtime::comm::{Comm, CommError, Elem, Operation, Prepared, ReduceOp, Traffic};
use std::fmt::Debug;
use std::sync::Arc;

pub type Case = (&'static str, fn(&dyn Comm));

/// All cases, each to be run on all ranks of a world.
pub const CASES: &[Case] = &[
    ("all_reduce", all_reduce),
    ("all_reduce of not-a-number", all_reduce_nan),
    ("reduce", reduce),
    ("broadcast", broadcast),
    ("reduce_scatter", reduce_scatter),
    ("sums of both precisions", both),
    ("all_gather", all_gather),
    ("all_to_all", all_to_all),
    ("exchange in a ring", exchanges::ring),
    ("exchange with oneself", exchanges::oneself),
    ("exchange of uneven and empty messages", exchanges::uneven),
    ("exchange matches first in, first out", exchanges::first_in_first_out),
    ("exchange keeps tags apart", exchanges::tags),
    ("exchange runs ahead", exchanges::ahead),
    ("several in flight", in_flight),
    ("starts and waits in different orders", orders),
    ("split into rows and columns", grid),
    ("split reverses and renumbers", reversed),
    ("counters", counters),
    ("calls out of order are errors", out_of_order),
    ("invalid operations are errors", invalid),
    ("set-up helpers", helpers),
    ("barriers", barriers),
    ("communicators and operations may be dropped in any order", drops),
];

/// Numbers that travel: converted from a small integer, so that sums are exact.
pub trait Number: bytemuck::Pod + PartialEq + Debug {
    const ELEM: Elem;
    fn of(value: usize) -> Self;
}

impl Number for f32 {
    const ELEM: Elem = Elem::F32;
    fn of(value: usize) -> Self {
        value as f32
    }
}

impl Number for f64 {
    const ELEM: Elem = Elem::F64;
    fn of(value: usize) -> Self {
        value as f64
    }
}

/// The `i`-th element that a rank packs in a round.
pub fn element(rank: usize, i: usize, round: usize) -> usize {
    1000 * (rank + 1) + i % 97 + 7 * round
}

/// Uneven counts with zeros.
fn uneven(size: usize) -> Vec<usize> {
    (0..size).map(|rank| [3, 0, 5, 1][rank % 4]).collect()
}

/// Counts below and above where back ends change their method.
const COUNTS: [usize; 5] = [0, 1, 7, 1000, 4501];

type Elements<'a, T> = &'a dyn Fn(usize, usize) -> T;

/// Packs, runs and compares a few rounds, in both forms of the call.
fn rounds<T: Number>(call: &mut dyn Prepared, pack: Elements<T>, expected: Elements<T>) {
    for round in 0..5 {
        for (i, x) in call.send_as::<T>().iter_mut().enumerate() {
            *x = pack(i, round);
        }
        if round.is_multiple_of(2) {
            call.run().unwrap();
        } else {
            call.start().unwrap();
            call.wait().unwrap();
        }
        for (i, x) in call.recv_as::<T>().iter().enumerate() {
            assert_eq!(*x, expected(i, round), "element {i} of round {round}");
        }
    }
}

fn for_each_reduction(case: impl Fn(ReduceOp, fn(&[usize]) -> usize)) {
    case(ReduceOp::Sum, |all| all.iter().sum());
    case(ReduceOp::Max, |all| *all.iter().max().unwrap());
    case(ReduceOp::Min, |all| *all.iter().min().unwrap());
}

/// What all ranks' `i`-th elements combine to. Ranks are turned so that no one always wins.
fn combined(size: usize, i: usize, round: usize, fold: fn(&[usize]) -> usize) -> usize {
    fold(&(0..size).map(|rank| turned(rank, size, i, round)).collect::<Vec<_>>())
}

fn turned(rank: usize, size: usize, i: usize, round: usize) -> usize {
    element((rank + i) % size, i, round)
}

fn all_reduce(comm: &dyn Comm) {
    all_reduce_of::<f32>(comm);
    all_reduce_of::<f64>(comm);
}

fn all_reduce_of<T: Number>(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    for count in COUNTS {
        for_each_reduction(|op, fold| {
            let elem = T::ELEM;
            let mut call = comm.prepare(Operation::AllReduce { count, elem, op }).unwrap();
            assert_eq!(call.send().len(), count * elem.size());
            assert_eq!(call.recv().len(), count * elem.size());
            assert_eq!(call.send().as_ptr().align_offset(64), 0);
            rounds::<T>(
                call.as_mut(),
                &|i, round| T::of(turned(rank, size, i, round)),
                &|i, round| T::of(combined(size, i, round, fold)),
            );
        });
    }
}

fn all_reduce_nan(comm: &dyn Comm) {
    let operation = Operation::AllReduce { count: 1, elem: Elem::F64, op: ReduceOp::Sum };
    let mut call = comm.prepare(operation).unwrap();
    let last = comm.rank() + 1 == comm.size();
    call.send_as::<f64>()[0] = if last { f64::NAN } else { 1.0 };
    call.run().unwrap();
    assert!(call.recv_as::<f64>()[0].is_nan());
}

fn reduce(comm: &dyn Comm) {
    reduce_of::<f32>(comm);
    reduce_of::<f64>(comm);
}

fn reduce_of<T: Number>(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    for (number, count) in COUNTS.into_iter().enumerate() {
        let root = number % size;
        for_each_reduction(|op, fold| {
            let elem = T::ELEM;
            let mut call = comm.prepare(Operation::Reduce { count, elem, op, root }).unwrap();
            assert_eq!(call.recv().len(), if rank == root { count * elem.size() } else { 0 });
            rounds::<T>(
                call.as_mut(),
                &|i, round| T::of(turned(rank, size, i, round)),
                &|i, round| T::of(combined(size, i, round, fold)),
            );
        });
    }
}

fn broadcast(comm: &dyn Comm) {
    broadcast_of::<f32>(comm);
    broadcast_of::<f64>(comm);
}

fn broadcast_of<T: Number>(comm: &dyn Comm) {
    for root in 0..comm.size() {
        for count in COUNTS {
            let elem = T::ELEM;
            let mut call = comm.prepare(Operation::Broadcast { count, elem, root }).unwrap();
            let packed = if comm.rank() == root { count } else { 0 };
            assert_eq!(call.send().len(), packed * elem.size());
            assert_eq!(call.recv().len(), count * elem.size());
            let of_root = |i, round| T::of(element(root, i, round));
            rounds::<T>(call.as_mut(), &of_root, &of_root);
        }
    }
}

fn reduce_scatter(comm: &dyn Comm) {
    reduce_scatter_of::<f32>(comm);
    reduce_scatter_of::<f64>(comm);
}

fn reduce_scatter_of<T: Number>(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    for counts in [uneven(size), vec![0; size], vec![3000; size]] {
        let start: usize = counts[..rank].iter().sum();
        for_each_reduction(|op, fold| {
            let counts = counts.clone();
            let elem = T::ELEM;
            let operation = Operation::ReduceScatter { counts: counts.clone(), elem, op };
            let mut call = comm.prepare(operation).unwrap();
            assert_eq!(call.recv().len(), counts[rank] * elem.size());
            rounds::<T>(
                call.as_mut(),
                &|i, round| T::of(turned(rank, size, i, round)),
                &|i, round| T::of(combined(size, start + i, round, fold)),
            );
        });
    }
}

/// Numbers in double precision beyond the range of single precision, beside some in single.
fn both(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    for (double, single) in [(1, 1), (2, 7), (1, 4501), (3, 10_000)] {
        let elem = Elem::Both { double, single };
        let number = |value: usize, i: usize| {
            value as f64 * f64::from(if i.is_multiple_of(2) { 200 } else { -200 }).exp2()
        };
        let pack = |bytes: &mut [u8], start: usize, value: &dyn Fn(usize) -> usize| {
            let (doubles, singles) = bytes.split_at_mut(8 * double);
            for (i, x) in doubles.chunks_exact_mut(8).enumerate() {
                x.copy_from_slice(&number(value(start + i), i).to_ne_bytes());
            }
            for (i, x) in singles.chunks_exact_mut(4).enumerate() {
                x.copy_from_slice(&(value(start + double + i) as f32).to_ne_bytes());
            }
        };
        let len = double + single;
        let sum: fn(&[usize]) -> usize = |all| all.iter().sum();
        let op = ReduceOp::Sum;
        let all = comm.prepare(Operation::AllReduce { count: 1, elem, op }).unwrap();
        let counts = vec![1; size];
        let mine = comm.prepare(Operation::ReduceScatter { counts, elem, op }).unwrap();
        for (mut call, start) in [(all, 0), (mine, rank * len)] {
            for round in 0..4 {
                for (piece, bytes) in call.send().chunks_exact_mut(elem.size()).enumerate() {
                    pack(bytes, piece * len, &|i| turned(rank, size, i, round));
                }
                if round.is_multiple_of(2) {
                    call.run().unwrap();
                } else {
                    call.start().unwrap();
                    call.wait().unwrap();
                }
                let mut expected = vec![0; elem.size()];
                pack(&mut expected, start, &|i| combined(size, i, round, sum));
                assert!(call.recv() == expected, "{double} and {single} in round {round}");
            }
        }
    }
}

fn all_gather(comm: &dyn Comm) {
    all_gather_of::<f32>(comm);
    all_gather_of::<f64>(comm);
}

fn all_gather_of<T: Number>(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    for counts in [uneven(size), vec![0; size], vec![3000; size]] {
        let places: Vec<_> = (0..size).flat_map(|r| (0..counts[r]).map(move |i| (r, i))).collect();
        let elem = T::ELEM;
        let operation = Operation::AllGather { counts: counts.clone(), elem };
        let mut call = comm.prepare(operation).unwrap();
        assert_eq!(call.send().len(), counts[rank] * elem.size());
        assert_eq!(call.recv().len(), places.len() * elem.size());
        rounds::<T>(call.as_mut(), &|i, round| T::of(element(rank, i, round)), &|i, round| {
            T::of(element(places[i].0, places[i].1, round))
        });
    }
}

fn all_to_all(comm: &dyn Comm) {
    all_to_all_of::<f32>(comm);
    all_to_all_of::<f64>(comm);
}

/// Elements from one rank to another: uneven, with zeros, not symmetric.
fn between(from: usize, to: usize) -> usize {
    [4, 0, 1, 2, 7][(from * 3 + to) % 5]
}

fn all_to_all_of<T: Number>(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let send: Vec<_> = (0..size).map(|to| between(rank, to)).collect();
    let recv: Vec<_> = (0..size).map(|from| between(from, rank)).collect();
    let packed = |from: usize| (0..size).flat_map(move |to| vec![(from, to); between(from, to)]);
    let mine: Vec<_> = packed(rank).collect();
    let theirs: Vec<_> = (0..size).flat_map(packed).filter(|&(_, to)| to == rank).collect();
    let value = |(from, to), round| T::of(element(from, 0, round) * 10 + to);
    let mut call = comm.prepare(Operation::AllToAll { send, recv, elem: T::ELEM }).unwrap();
    rounds::<T>(call.as_mut(), &|i, round| value(mine[i], round), &|i, round| {
        value(theirs[i], round)
    });
}

fn sum(comm: &dyn Comm, count: usize) -> Box<dyn Prepared> {
    let operation = Operation::AllReduce { count, elem: Elem::F64, op: ReduceOp::Sum };
    comm.prepare(operation).unwrap()
}

fn in_flight(comm: &dyn Comm) {
    let size = comm.size();
    let mut sums: Vec<_> = (0..6).map(|number| sum(comm, 1 + 900 * number)).collect();
    let mut ring = exchanges::Ring::new(comm, 5, 40);
    for round in 0..20 {
        for (number, call) in sums.iter_mut().enumerate() {
            call.send_as::<f64>().fill((comm.rank() + number + round) as f64);
            call.start().unwrap();
        }
        ring.start(round);
        for (number, call) in sums.iter_mut().enumerate() {
            call.wait().unwrap();
            let all: usize = (0..size).map(|rank| rank + number + round).sum();
            assert!(call.recv_as::<f64>().iter().all(|x| *x == all as f64));
        }
        ring.finish(round);
    }
}

fn orders(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let (mut one, mut two) = (sum(comm, 1), sum(comm, 3000));
    for round in 0..30 {
        one.send_as::<f64>().fill(round as f64);
        two.send_as::<f64>().fill(rank as f64);
        one.start().unwrap();
        two.start().unwrap();
        let late_first = (rank + round) % 2 == 0;
        for late in [late_first, !late_first] {
            if late { two.wait().unwrap() } else { one.wait().unwrap() }
        }
        assert_eq!(one.recv_as::<f64>()[0], (round * size) as f64);
        assert_eq!(two.recv_as::<f64>()[2999], (size * (size - 1) / 2) as f64);
    }
}

fn grid(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let columns = if size.is_multiple_of(3) { 3 } else { 2 };
    let (i, j) = (rank / columns, rank % columns);
    let row = comm.split(i, j).unwrap();
    let column = comm.split(j, i).unwrap();
    assert_eq!((row.rank(), column.rank()), (j, i));
    let in_row: Vec<_> = (0..size).filter(|rank| rank / columns == i).collect();
    let in_column: Vec<_> = (0..size).filter(|rank| rank % columns == j).collect();
    assert_eq!((row.size(), column.size()), (in_row.len(), in_column.len()));
    let (mut along_row, mut along_column) = (sum(row.as_ref(), 2), sum(column.as_ref(), 2500));
    for round in 0..10 {
        along_row.send_as::<f64>().fill((rank + round) as f64);
        along_column.send_as::<f64>().fill((rank * round) as f64);
        along_row.start().unwrap();
        along_column.start().unwrap();
        along_column.wait().unwrap();
        along_row.wait().unwrap();
        let of_row: usize = in_row.iter().map(|rank| rank + round).sum();
        let of_column: usize = in_column.iter().map(|rank| rank * round).sum();
        assert_eq!(along_row.recv_as::<f64>()[1], of_row as f64);
        assert_eq!(along_column.recv_as::<f64>()[2499], of_column as f64);
    }
    for (_, case) in CASES.iter().filter(|(name, _)| name.starts_with("all_")) {
        case(row.as_ref());
        case(column.as_ref());
    }
    exchanges::ring(row.as_ref());
    exchanges::ring(column.as_ref());
}

fn reversed(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let backwards = comm.split(0, size - rank).unwrap();
    assert_eq!((backwards.rank(), backwards.size()), (size - 1 - rank, size));
    let same_key = comm.split(rank % 2, 5).unwrap();
    assert_eq!(same_key.rank(), rank / 2);
    let alone: Arc<dyn Comm> = comm.split(rank, 0).unwrap();
    assert_eq!((alone.rank(), alone.size()), (0, 1));
    let mut root = sum(backwards.as_ref(), 1);
    root.send_as::<f64>()[0] = 1.0;
    root.run().unwrap();
    assert_eq!(root.recv_as::<f64>(), [size as f64]);
}

fn counters(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let part = comm.split(0, rank).unwrap();
    let mut sum = sum(part.as_ref(), 10);
    let operation = Operation::AllGather { counts: vec![3; size], elem: Elem::F32 };
    let mut gather = comm.prepare(operation).unwrap();
    let mut ring = exchanges::Ring::new(comm, 4, 41);
    comm.counters().reset();
    assert_eq!(comm.counters().traffic(), Traffic::default());
    for round in 0..3 {
        sum.start().unwrap();
        sum.wait().unwrap();
        gather.run().unwrap();
        ring.start(round);
        ring.finish(round);
    }
    let bytes = 3 * (sum.payload() + gather.payload() + ring.payload()) as u64;
    assert_eq!(bytes, 3 * (80 + 12 * size as u64 + 64));
    let traffic = Traffic { calls: 9, reductions: 3, bytes };
    assert_eq!(comm.counters().traffic(), traffic);
    assert_eq!(part.counters().traffic(), traffic);
    part.counters().reset();
    assert_eq!(comm.counters().traffic().calls, 0);
}

fn out_of_order(comm: &dyn Comm) {
    let mut call = sum(comm, 1);
    assert_eq!(call.wait(), Err(CommError::Order { call: "wait" }));
    call.start().unwrap();
    assert_eq!(call.start(), Err(CommError::Order { call: "start" }));
    call.wait().unwrap();
    assert_eq!(call.wait(), Err(CommError::Order { call: "wait" }));
    call.run().unwrap();
}

fn invalid(comm: &dyn Comm) {
    let size = comm.size();
    let refused = |operation| match comm.prepare(operation) {
        Err(CommError::Invalid { reason, .. }) => reason,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it was prepared"),
    };
    let root = Operation::Broadcast { count: 1, elem: Elem::F64, root: size };
    let ranks = format!("the communicator has {size} ranks");
    assert_eq!(refused(root), format!("its root is rank {size}, and {ranks}"));
    let counts = Operation::AllGather { counts: vec![1; size + 1], elem: Elem::F64 };
    assert_eq!(refused(counts), format!("it has {} counts, and {ranks}", size + 1));
    let bytes = Operation::AllReduce { count: 1, elem: Elem::U8, op: ReduceOp::Sum };
    assert_eq!(refused(bytes), "bytes cannot be combined");
    let elem = Elem::Both { double: 1, single: 1 };
    let largest = Operation::AllReduce { count: 1, elem, op: ReduceOp::Max };
    assert_eq!(refused(largest), "numbers of both precisions are only added");
    assert_eq!(refused(exchanges::with_large_tag()), "tag 40000 is above 32767");
}

fn helpers(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let mut values = [rank as f64, 1.0];
    comm.all_reduce(&mut values, ReduceOp::Sum).unwrap();
    assert_eq!(values, [(size * (size - 1) / 2) as f64, size as f64]);
    for root in 0..size {
        let mut bytes = if rank == root { vec![root as u8; 1000 + root] } else { vec![9; rank] };
        comm.broadcast_bytes(root, &mut bytes).unwrap();
        assert_eq!(bytes, vec![root as u8; 1000 + root]);
    }
    let mine = |rank: usize| vec![rank as u8; rank % 3 * 5];
    let all: Vec<_> = (0..size).map(mine).collect();
    assert_eq!(comm.all_gather_bytes(&mine(rank)).unwrap(), all);
    let root = size - 1;
    let gathered = comm.gather_bytes(root, &mine(rank)).unwrap();
    assert_eq!(gathered, if rank == root { all } else { Vec::new() });
    comm.agree(17).unwrap();
    let differs = (size > 1).then_some(CommError::Disagree { rank: size - 1 });
    assert_eq!(comm.agree(u64::from(rank + 1 == size)).err(), differs);
}

fn barriers(comm: &dyn Comm) {
    for _ in 0..20 {
        comm.barrier().unwrap();
    }
}

fn drops(comm: &dyn Comm) {
    let part = comm.split(comm.rank() % 2, 0).unwrap();
    let mut call = sum(part.as_ref(), 4000);
    drop(part);
    call.send_as::<f64>().fill(1.0);
    call.run().unwrap();
    let first = call.recv_as::<f64>()[0];
    let copy = call.recv_as::<f64>().to_vec();
    drop(call);
    assert!(copy.iter().all(|x| *x == first));
}
