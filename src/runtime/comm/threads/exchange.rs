//! An exchange as one rank runs it: put down baskets, send letters.
//!
//! A rank packs in two buffers in turn. `wait` returns when what was packed for the *previous*
//! start has been read, which in a mutual exchange is when the peers' messages have arrived.

use super::super::operation::ranges;
use super::super::stage::Stage;
use super::super::staging::Staging;
use super::channel::{Channel, Met, Parcel};
use super::group::Group;
use super::{CommError, Counters, Operation, Prepared};
use crate::runtime::comm::Message;
use std::sync::Arc;

pub(super) struct Exchange {
    group: Arc<Group>,
    rank: usize,
    round: u64,
    stage: Stage,
    packed: [Arc<Staging>; 2],
    outbox: Vec<Outgoing>,
    inbox: Vec<Incoming>,
    received: Arc<Staging>,
    /// Lent instead of what peers may still read after a failure.
    scrap: Option<Staging>,
    counters: Arc<Counters>,
}

struct Outgoing {
    peer: usize,
    channel: Arc<Channel>,
    letters: [Arc<Parcel>; 2],
}

struct Incoming {
    peer: usize,
    channel: Arc<Channel>,
    basket: Arc<Parcel>,
    /// The message that the basket waits for.
    pending: Option<u64>,
}

impl Exchange {
    pub(super) fn new(
        group: &Arc<Group>,
        rank: usize,
        counters: Arc<Counters>,
        operation: &Operation,
    ) -> Result<Self, CommError> {
        operation.check(rank, group.members.len())?;
        group.world.check()?;
        let Operation::Exchange { sends, recvs, elem } = operation else {
            unreachable!("collectives have boards");
        };
        let size = elem.size();
        let packed = [(); 2].map(|()| Arc::new(Staging::new(operation.send_count(rank) * size)));
        let received = Arc::new(Staging::new(operation.recv_count(rank) * size));
        Ok(Exchange {
            outbox: outbox(group, rank, sends, &packed, size),
            inbox: inbox(group, rank, recvs, &received, size),
            group: group.clone(),
            rank,
            round: 0,
            stage: Stage::Idle,
            packed,
            received,
            scrap: None,
            counters,
        })
    }

    fn post(&mut self) -> Result<(), CommError> {
        self.group.world.check()?;
        self.round += 1;
        let parity = (self.round % 2) as usize;
        for Incoming { peer, channel, basket, pending } in &mut self.inbox {
            // SAFETY: the buffer is lent by `recv` only after the next successful `wait`, and this
            // exchange writes it nowhere else.
            let (number, met) = unsafe { channel.receive(basket)? };
            *pending = (met == Met::Alone).then_some(number);
            if met == Met::Both {
                self.group.bells[*peer].ring();
            }
        }
        for Outgoing { peer, channel, letters } in &self.outbox {
            // SAFETY: this buffer is packed again after the next `wait`, which is for the letter.
            if unsafe { channel.send(&letters[parity])? } == Met::Both {
                self.group.bells[*peer].ring();
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CommError> {
        let (world, bell) = (&self.group.world, &self.group.bells[self.rank]);
        for Incoming { channel, pending, .. } in &mut self.inbox {
            if let Some(number) = pending.take() {
                bell.wait(world, || channel.is_filled(number))?;
                channel.clear(number);
            }
        }
        let previous = ((self.round + 1) % 2) as usize;
        for outgoing in &self.outbox {
            bell.wait(world, || outgoing.letters[previous].is_read())?;
        }
        Ok(())
    }

    /// A rank that cannot go on with an exchange would leave its peers waiting.
    fn or_fail(&self, result: Result<(), CommError>) -> Result<(), CommError> {
        result.inspect_err(|error| {
            self.group.world.fail(self.group.members[self.rank], &error.to_string());
        })
    }
}

impl Prepared for Exchange {
    fn send(&mut self) -> &mut [u8] {
        assert!(self.stage != Stage::Started, "an operation in flight cannot be packed");
        let packed = self.packed[((self.round + 1) % 2) as usize].region();
        let region = match self.stage {
            Stage::Idle | Stage::Started => packed,
            Stage::Failed => self.scrap.get_or_insert_with(|| Staging::new(packed.len())).region(),
        };
        // SAFETY: in Idle the letters of the start before the last were read, and the scrap is this
        // rank's own.
        unsafe { region.bytes_mut() }
    }

    fn start(&mut self) -> Result<(), CommError> {
        self.stage.start()?;
        self.stage = Stage::Failed;
        let posted = self.post();
        self.or_fail(posted)?;
        self.stage = Stage::Started;
        self.counters.count(false, self.payload());
        Ok(())
    }

    fn wait(&mut self) -> Result<(), CommError> {
        self.stage.wait()?;
        self.stage = Stage::Failed;
        let finished = self.finish();
        self.or_fail(finished)?;
        self.stage = Stage::Idle;
        Ok(())
    }

    fn recv(&self) -> &[u8] {
        assert!(self.stage == Stage::Idle, "only a successful wait has a result");
        // SAFETY: the baskets of the last start are filled, and those of the next are not put down.
        unsafe { self.received.region().bytes() }
    }

    fn payload(&self) -> usize {
        self.received.region().len()
    }
}

fn counts(messages: &[Message]) -> Vec<usize> {
    messages.iter().map(|message| message.count).collect()
}

fn outbox(
    group: &Group,
    rank: usize,
    sends: &[Message],
    packed: &[Arc<Staging>; 2],
    size: usize,
) -> Vec<Outgoing> {
    let parts = ranges(&counts(sends), size);
    let outgoing = |(message, part): (&Message, _)| Outgoing {
        peer: message.peer,
        channel: group.channel(rank, message.peer, message.tag),
        letters: [0, 1].map(|parity| {
            let region = packed[parity].region().part(std::ops::Range::clone(&part));
            Parcel::new(packed[parity].clone(), region)
        }),
    };
    sends.iter().zip(parts).map(outgoing).collect()
}

fn inbox(
    group: &Group,
    rank: usize,
    recvs: &[Message],
    received: &Arc<Staging>,
    size: usize,
) -> Vec<Incoming> {
    let parts = ranges(&counts(recvs), size);
    let incoming = |(message, part): (&Message, _)| {
        let Message { peer, tag, .. } = *message;
        let channel = group.channel(peer, rank, tag);
        let basket = Parcel::new(received.clone(), received.region().part(part));
        Incoming { peer, channel, basket, pending: None }
    };
    recvs.iter().zip(parts).map(incoming).collect()
}
