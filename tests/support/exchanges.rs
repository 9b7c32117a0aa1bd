//! Conformance of messages between ranks.

use super::cases::{Number, element};
use adjoin::runtime::comm::{Comm, Elem, Message, Operation, Prepared};

/// Passes arrays to both neighbours of a ring, which may be oneself or the same rank twice.
pub struct Ring {
    call: Box<dyn Prepared>,
    rank: usize,
    size: usize,
    count: usize,
}

impl Ring {
    pub fn new(comm: &dyn Comm, count: usize, tag: u32) -> Self {
        let (rank, size) = (comm.rank(), comm.size());
        let (left, right) = ((rank + size - 1) % size, (rank + 1) % size);
        let rightwards = |peer| Message { peer, tag, count };
        let leftwards = |peer| Message { peer, tag: tag + 1, count };
        let sends = vec![rightwards(right), leftwards(left)];
        let recvs = vec![leftwards(right), rightwards(left)];
        let call = comm.prepare(Operation::Exchange { sends, recvs, elem: Elem::F64 }).unwrap();
        Ring { call, rank, size, count }
    }

    pub fn payload(&self) -> usize {
        self.call.payload()
    }

    pub fn start(&mut self, round: usize) {
        let rank = self.rank;
        let count = self.count;
        for (i, x) in self.call.send_as::<f64>().iter_mut().enumerate() {
            *x = element(rank, i, round) as f64;
            assert!(i < 2 * count);
        }
        self.call.start().unwrap();
    }

    pub fn finish(&mut self, round: usize) {
        self.call.wait().unwrap();
        let (left, right) = ((self.rank + self.size - 1) % self.size, (self.rank + 1) % self.size);
        let (from_right, from_left) = self.call.recv_as::<f64>().split_at(self.count);
        for i in 0..self.count {
            assert_eq!(from_right[i], element(right, self.count + i, round) as f64);
            assert_eq!(from_left[i], element(left, i, round) as f64);
        }
    }
}

pub fn ring(comm: &dyn Comm) {
    for count in [0, 1, 100, 30_000] {
        let mut ring = Ring::new(comm, count, 3);
        for round in 0..10 {
            ring.start(round);
            ring.finish(round);
        }
    }
}

fn exchange<T: Number>(comm: &dyn Comm, sends: &[Message], recvs: &[Message]) -> Box<dyn Prepared> {
    let (sends, recvs) = (sends.to_vec(), recvs.to_vec());
    comm.prepare(Operation::Exchange { sends, recvs, elem: T::ELEM }).unwrap()
}

pub fn oneself(comm: &dyn Comm) {
    let peer = comm.rank();
    let messages = [Message { peer, tag: 0, count: 3 }, Message { peer, tag: 0, count: 2 }];
    let mut call = exchange::<f32>(comm, &messages, &messages);
    for round in 0..5 {
        let packed = [1.0, 2.0, 3.0, 4.0, round as f32];
        call.send_as::<f32>().copy_from_slice(&packed);
        call.run().unwrap();
        assert_eq!(call.recv_as::<f32>(), packed);
    }
    let mut nothing = exchange::<f32>(comm, &[], &[]);
    nothing.run().unwrap();
    assert!(nothing.recv().is_empty());
}

/// Elements from one rank to another; ranks that are two apart exchange empty messages.
fn between(from: usize, to: usize) -> usize {
    if from.abs_diff(to) == 2 { 0 } else { 1 + from + 2 * to }
}

pub fn uneven(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let message = |peer, count| Message { peer, tag: 1, count };
    let sends: Vec<_> = (0..size).map(|to| message(to, between(rank, to))).collect();
    let recvs: Vec<_> = (0..size).rev().map(|from| message(from, between(from, rank))).collect();
    let mut call = exchange::<f64>(comm, &sends, &recvs);
    for round in 0..5 {
        call.send_as::<f64>().fill((rank + round) as f64);
        call.run().unwrap();
        let expected = (0..size).rev().flat_map(|r| vec![(r + round) as f64; between(r, rank)]);
        assert_eq!(call.recv_as::<f64>(), expected.collect::<Vec<_>>());
    }
}

/// One sender started twice meets two receivers started once each.
pub fn first_in_first_out(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let to = [Message { peer: (rank + 1) % size, tag: 9, count: 1 }];
    let from = [Message { peer: (rank + size - 1) % size, tag: 9, count: 1 }];
    let mut sender = exchange::<f64>(comm, &to, &[]);
    let mut first = exchange::<f64>(comm, &[], &from);
    let mut second = exchange::<f64>(comm, &[], &from);
    for round in 0..10 {
        let (early, late) =
            if round % 2 == 0 { (&mut first, &mut second) } else { (&mut second, &mut first) };
        early.start().unwrap();
        late.start().unwrap();
        for number in [1.0, 2.0] {
            sender.send_as::<f64>()[0] = number;
            sender.start().unwrap();
            if number == 2.0 {
                late.wait().unwrap();
            }
            sender.wait().unwrap();
        }
        early.wait().unwrap();
        assert_eq!((early.recv_as::<f64>(), late.recv_as::<f64>()), (&[1.0][..], &[2.0][..]));
    }
}

/// Tags pair messages whatever their order in the lists.
pub fn tags(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let (to, from) = ((rank + 1) % size, (rank + size - 1) % size);
    let sends: Vec<_> = (0..4).map(|tag| Message { peer: to, tag, count: 1 }).collect();
    let recvs: Vec<_> = (0..4).rev().map(|tag| Message { peer: from, tag, count: 1 }).collect();
    let mut call = exchange::<f64>(comm, &sends, &recvs);
    call.send_as::<f64>().copy_from_slice(&[0.0, 1.0, 2.0, 3.0]);
    call.run().unwrap();
    assert_eq!(call.recv_as::<f64>(), [3.0, 2.0, 1.0, 0.0]);
}

/// A sender is one message ahead of its receiver again and again.
pub fn ahead(comm: &dyn Comm) {
    let (rank, size) = (comm.rank(), comm.size());
    let pair = rank ^ 1;
    if pair >= size {
        return;
    }
    let message = [Message { peer: pair, tag: 30, count: 2000 }];
    let (sends, recvs): (&[_], &[_]) = if rank < pair { (&message, &[]) } else { (&[], &message) };
    let mut call = exchange::<f64>(comm, sends, recvs);
    for round in 0..50 {
        call.send_as::<f64>().fill(f64::from(round));
        call.start().unwrap();
        call.wait().unwrap();
        assert!(call.recv_as::<f64>().iter().all(|x| *x == f64::from(round)));
    }
}

pub fn with_large_tag() -> Operation {
    let sends = vec![Message { peer: 0, tag: 40_000, count: 1 }];
    Operation::Exchange { sends, recvs: Vec::new(), elem: Elem::F64 }
}
