//! Set-up calls that all ranks of a communicator make together.

use super::board::Board;
use super::group::Group;
use super::world::lock;
use super::{CommError, Operation};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

/// What a rank asks for.
#[derive(Clone)]
pub(super) enum Offer {
    Prepare(Operation),
    Split { color: usize, key: usize },
}

/// What all ranks get.
#[derive(Clone)]
pub(super) enum Outcome {
    Prepare(Arc<Board>),
    /// The group of each rank, and its rank there.
    Split(Arc<Vec<(Arc<Group>, usize)>>),
}

/// Where the offers of one meeting are collected.
pub(super) struct Table {
    offers: Mutex<Vec<Option<Offer>>>,
    outcome: OnceLock<Result<Outcome, CommError>>,
}

impl Table {
    pub(super) fn new(size: usize) -> Arc<Table> {
        Arc::new(Table { offers: Mutex::new(vec![None; size]), outcome: OnceLock::new() })
    }

    /// Adds an offer, and returns all offers to whoever adds the last one.
    pub(super) fn put(&self, rank: usize, offer: Offer) -> Option<Vec<Offer>> {
        let mut offers = lock(&self.offers);
        offers[rank] = Some(offer);
        offers.iter().cloned().collect()
    }

    pub(super) fn close(&self, outcome: Result<Outcome, CommError>) {
        let _ = self.outcome.set(outcome);
    }

    pub(super) fn outcome(&self) -> Option<&Result<Outcome, CommError>> {
        self.outcome.get()
    }
}

pub(super) fn settle(group: &Group, offers: &[Offer]) -> Result<Outcome, CommError> {
    match &offers[0] {
        Offer::Prepare(_) => settle_operation(group, offers),
        Offer::Split { .. } => settle_split(group, offers),
    }
}

fn settle_operation(group: &Group, offers: &[Offer]) -> Result<Outcome, CommError> {
    let mut operations = Vec::with_capacity(offers.len());
    for (rank, offer) in offers.iter().enumerate() {
        let Offer::Prepare(operation) = offer else { return Err(mismatch(offers, 0, rank)) };
        operation.check(rank, offers.len())?;
        operations.push(operation);
    }
    for rank in 0..offers.len() {
        if let Some(against) = (0..rank).find(|&other| !agree(&operations, other, rank)) {
            return Err(mismatch(offers, against, rank));
        }
    }
    Ok(Outcome::Prepare(Board::new(&group.world, &operations)))
}

fn agree(operations: &[&Operation], one: usize, two: usize) -> bool {
    match (operations[one], operations[two]) {
        (
            Operation::AllToAll { send: send_one, recv: recv_one, elem: elem_one },
            Operation::AllToAll { send: send_two, recv: recv_two, elem: elem_two },
        ) => {
            elem_one == elem_two && send_one[two] == recv_two[one] && send_two[one] == recv_one[two]
        }
        (one, two) => one == two,
    }
}

fn settle_split(group: &Group, offers: &[Offer]) -> Result<Outcome, CommError> {
    let mut colors: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for (rank, offer) in offers.iter().enumerate() {
        let Offer::Split { color, key } = offer else { return Err(mismatch(offers, 0, rank)) };
        colors.entry(*color).or_default().push((*key, rank));
    }
    let mut places = vec![None; offers.len()];
    for ranks in colors.values_mut() {
        ranks.sort_unstable();
        let members = ranks.iter().map(|&(_, rank)| group.members[rank]).collect();
        let part = Group::new(group.world.clone(), members);
        for (place, &(_, rank)) in ranks.iter().enumerate() {
            places[rank] = Some((part.clone(), place));
        }
    }
    let places = places.into_iter().map(|place| place.expect("each rank has a color"));
    Ok(Outcome::Split(Arc::new(places.collect())))
}

fn mismatch(offers: &[Offer], against: usize, rank: usize) -> CommError {
    let [ours, theirs] = [against, rank].map(|rank| match &offers[rank] {
        Offer::Prepare(operation) => format!("{operation:?}"),
        Offer::Split { .. } => "a split".to_owned(),
    });
    CommError::Mismatch { rank, against, theirs, ours }
}
