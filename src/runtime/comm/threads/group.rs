//! What the ranks of one communicator share.

use super::CommError;
use super::board::Phase;
use super::channel::Channel;
use super::meeting::{Offer, Outcome, Table, settle};
use super::world::{Signal, World, lock};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type Route = (usize, usize, u32);

pub(super) struct Group {
    pub(super) world: Arc<World>,
    /// The rank in the world of each rank.
    pub(super) members: Vec<usize>,
    pub(super) barrier: Phase,
    /// Rings for a rank when one of its messages has arrived or has been read.
    pub(super) bells: Vec<Arc<Signal>>,
    channels: Mutex<BTreeMap<Route, Arc<Channel>>>,
    tables: Mutex<BTreeMap<u64, Arc<Table>>>,
    meetings: Arc<Signal>,
}

impl Group {
    pub(super) fn new(world: Arc<World>, members: Vec<usize>) -> Arc<Group> {
        Arc::new(Group {
            barrier: Phase::new(&world),
            bells: members.iter().map(|_| world.signal()).collect(),
            channels: Mutex::default(),
            tables: Mutex::default(),
            meetings: world.signal(),
            world,
            members,
        })
    }

    /// The queue of messages from one rank to another with a tag.
    pub(super) fn channel(&self, from: usize, to: usize, tag: u32) -> Arc<Channel> {
        let mut channels = lock(&self.channels);
        channels.entry((from, to, tag)).or_insert_with(|| Channel::new(from, to, tag)).clone()
    }

    /// Brings the offers of all ranks together; whoever comes last settles the outcome.
    pub(super) fn meet(
        &self,
        number: u64,
        rank: usize,
        offer: Offer,
    ) -> Result<Outcome, CommError> {
        self.world.check()?;
        let size = self.members.len();
        let table = lock(&self.tables).entry(number).or_insert_with(|| Table::new(size)).clone();
        if let Some(offers) = table.put(rank, offer) {
            lock(&self.tables).remove(&number);
            table.close(settle(self, &offers));
            self.meetings.ring();
        }
        self.meetings.wait(&self.world, || table.outcome().is_some())?;
        table.outcome().expect("the wait was for the outcome").clone()
    }
}
