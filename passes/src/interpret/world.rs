//! All ranks in one thread: who is where, and what is on its way.

use super::{Arithmetic, CallError, Memories, local};
use crate::calls::{Call, Calls, Kind, Packet, Transfer};
use std::collections::BTreeMap;

/// All ranks in the middle of a block.
pub(super) struct World<'a, M> {
    calls: &'a [Calls],
    block: usize,
    ranks: Vec<Rank<'a, M>>,
}

struct Rank<'a, M> {
    next: usize,
    /// Posted transfers by id.
    posted: BTreeMap<u32, Posted<'a, M>>,
    last_tag: Option<u32>,
    /// How many collectives were posted on each group.
    sequence: BTreeMap<usize, usize>,
}

struct Posted<'a, M> {
    transfer: &'a Transfer,
    /// One message for each send.
    messages: Vec<M>,
    /// The position among the collectives of its group.
    position: usize,
    waited: bool,
}

impl<M> Default for Rank<'_, M> {
    fn default() -> Self {
        Rank { next: 0, posted: BTreeMap::new(), last_tag: None, sequence: BTreeMap::new() }
    }
}

/// A broken rule of matching.
pub(super) fn mismatch(rule: &'static str, rank: usize, message: impl Into<String>) -> CallError {
    CallError::Mismatch { rule, rank, message: message.into() }
}

impl<'a, M: Clone + Default> World<'a, M> {
    /// Nobody has begun.
    pub fn new(calls: &'a [Calls], block: usize) -> Self {
        World { calls, block, ranks: calls.iter().map(|_| Rank::default()).collect() }
    }

    fn list(&self, rank: usize) -> &'a [Call] {
        &self.calls[rank].blocks[self.block].calls
    }

    /// Whether all ranks are through.
    pub fn done(&self) -> bool {
        (0..self.ranks.len()).all(|r| self.ranks[r].next == self.list(r).len())
    }

    /// Runs the next call of a rank if it can.
    pub fn step<A: Arithmetic<Memory = M>>(
        &mut self,
        arithmetic: &mut A,
        rank: usize,
        memories: &mut Memories<A>,
    ) -> Result<bool, CallError> {
        let Some(call) = self.list(rank).get(self.ranks[rank].next) else { return Ok(false) };
        match call {
            Call::Start { id, transfer } => {
                self.start(arithmetic, rank, *id, transfer, memories)?;
            }
            Call::Wait { id } => {
                if !self.wait(arithmetic, rank, *id, memories)? {
                    return Ok(false);
                }
            }
            Call::Kernel(_) | Call::Local { .. } | Call::Region { .. } | Call::Copy { .. } => {
                let calls = &self.calls[rank];
                local(arithmetic, calls, call, &mut memories[rank])
                    .map_err(|message| CallError::Failed { rank, message })?;
            }
        }
        self.ranks[rank].next += 1;
        Ok(true)
    }

    fn start<A: Arithmetic<Memory = M>>(
        &mut self,
        arithmetic: &A,
        rank: usize,
        id: u32,
        transfer: &'a Transfer,
        memories: &Memories<A>,
    ) -> Result<(), CallError> {
        let state = &mut self.ranks[rank];
        if state.last_tag.is_some_and(|last| last >= transfer.tag) {
            return Err(mismatch(
                "one order",
                rank,
                format!("transfer {} starts after a later one", transfer.tag),
            ));
        }
        state.last_tag = Some(transfer.tag);
        let position = state.sequence.entry(transfer.group).or_default();
        let pack = |packet: &Packet| {
            let mut message = M::default();
            for slab in &packet.slabs {
                arithmetic.pack(&memories[rank][slab.buffer], slab, &mut message);
            }
            message
        };
        let messages = transfer.sends.iter().map(pack).collect();
        let posted = Posted { transfer, messages, position: *position, waited: false };
        *position += 1;
        if state.posted.insert(id, posted).is_some() {
            return Err(mismatch("one wait", rank, format!("transfer {id} starts twice")));
        }
        Ok(())
    }

    /// Completes a transfer if all that it needs was posted.
    fn wait<A: Arithmetic<Memory = M>>(
        &mut self,
        arithmetic: &A,
        rank: usize,
        id: u32,
        memories: &mut Memories<A>,
    ) -> Result<bool, CallError> {
        let Some(posted) = self.ranks[rank].posted.get(&id) else {
            return Err(mismatch(
                "one wait",
                rank,
                format!("waits for {id}, which was not started"),
            ));
        };
        if posted.waited {
            return Err(mismatch("one wait", rank, format!("waits for {id} twice")));
        }
        let transfer = posted.transfer;
        let position = posted.position;
        let Some(group) = self.calls[rank].groups.get(transfer.group) else {
            return Err(mismatch("same group", rank, "names a group that it does not have"));
        };
        let Some(me) = group.iter().position(|&r| r == rank) else {
            return Err(mismatch("same group", rank, "takes part in a group without it"));
        };
        let arrived = match transfer.kind {
            Kind::Exchange => self.messages(transfer, group, rank)?,
            Kind::AllReduce | Kind::ReduceScatter | Kind::AllGather | Kind::AllToAll => {
                self.collective(arithmetic, transfer, group, (me, rank), position)?
            }
        };
        let Some(arrived) = arrived else { return Ok(false) };
        for (packet, message) in transfer.recvs.iter().zip(&arrived) {
            let mut begin = 0;
            for slab in &packet.slabs {
                let memory = &mut memories[rank][slab.buffer];
                arithmetic.unpack(message, begin, slab, memory, transfer.add);
                begin += slab.len();
            }
        }
        if let Some(posted) = self.ranks[rank].posted.get_mut(&id) {
            posted.waited = true;
        }
        Ok(true)
    }

    /// The messages of an exchange that are meant for this rank; none yet if one is missing.
    /// A synchronous sender also waits for its receivers.
    fn messages(
        &self,
        transfer: &Transfer,
        group: &[usize],
        rank: usize,
    ) -> Result<Option<Vec<M>>, CallError> {
        let me = |other: usize, t: &Transfer| {
            self.calls[other].groups.get(t.group).and_then(|g| g.iter().position(|&r| r == rank))
        };
        let find = |peer: usize| {
            let other = *group.get(peer)?;
            let posted = self.ranks[other].posted.values();
            let mut posted = posted
                .filter(|p| p.transfer.kind == Kind::Exchange && p.transfer.tag == transfer.tag);
            posted.next().map(|p| (other, p))
        };
        let same_group = |other: usize, t: &Transfer| {
            let theirs = self.calls[other].groups.get(t.group);
            if theirs.is_some_and(|g| g.as_slice() == group) {
                return Ok(());
            }
            let text = format!("and rank {other} exchange within different groups");
            Err(mismatch("same group", rank, text))
        };
        for packet in &transfer.sends {
            let Some((other, posted)) = find(packet.peer) else { return Ok(None) };
            same_group(other, posted.transfer)?;
            let back = me(other, posted.transfer);
            let expected = posted.transfer.recvs.iter().find(|p| Some(p.peer) == back);
            if expected.is_none_or(|p| p.len() != packet.len()) {
                let text =
                    format!("sends {} elements that rank {other} does not expect", packet.len());
                return Err(mismatch("same count", rank, text));
            }
        }
        let mut arrived = Vec::new();
        for packet in &transfer.recvs {
            let Some((other, posted)) = find(packet.peer) else { return Ok(None) };
            same_group(other, posted.transfer)?;
            let back = me(other, posted.transfer);
            let sent = posted.transfer.sends.iter().position(|p| Some(p.peer) == back);
            let Some(sent) = sent.filter(|&s| posted.transfer.sends[s].len() == packet.len())
            else {
                let text =
                    format!("expects {} elements that rank {other} does not send", packet.len());
                return Err(mismatch("same count", rank, text));
            };
            if !self.alike((rank, packet), (other, &posted.transfer.sends[sent])) {
                return Err(mismatch(
                    "same type",
                    rank,
                    format!("rank {other} sends another type"),
                ));
            }
            arrived.push(posted.messages[sent].clone());
        }
        Ok(Some(arrived))
    }

    /// What a collective gives this rank; nothing yet if a member has not posted it.
    fn collective<A: Arithmetic<Memory = M>>(
        &self,
        arithmetic: &A,
        transfer: &Transfer,
        group: &[usize],
        (me, rank): (usize, usize),
        position: usize,
    ) -> Result<Option<Vec<M>>, CallError> {
        let mut members = Vec::new();
        for (at, &other) in group.iter().enumerate() {
            let theirs = |t: &Transfer| {
                self.calls[other].groups.get(t.group).is_some_and(|g| g.as_slice() == group)
            };
            let mut posted = self.ranks[other].posted.values();
            let found = posted.find(|p| p.position == position && theirs(p.transfer));
            let Some(found) = found else { return Ok(None) };
            self.agree(transfer, found.transfer, (me, rank), (at, other))?;
            members.push(found);
        }
        let sum = |pick: &dyn Fn(&Posted<'a, M>) -> usize| {
            let mut total = members[0].messages[pick(members[0])].clone();
            for m in &members[1..] {
                arithmetic.sum(&mut total, &m.messages[pick(m)]);
            }
            vec![total]
        };
        Ok(Some(match transfer.kind {
            Kind::AllReduce => sum(&|_| 0),
            Kind::ReduceScatter => sum(&|_| me),
            Kind::AllGather => members.iter().map(|m| m.messages[0].clone()).collect(),
            Kind::AllToAll => members.iter().map(|m| m.messages[me].clone()).collect(),
            Kind::Exchange => Vec::new(),
        }))
    }

    /// Two members of a collective mean the same.
    fn agree(
        &self,
        mine: &Transfer,
        theirs: &Transfer,
        (me, rank): (usize, usize),
        (at, other): (usize, usize),
    ) -> Result<(), CallError> {
        let differs = |rule, what: &str| {
            let text = format!("and rank {other} differ in the {what} of transfer {}", mine.tag);
            Err(mismatch(rule, rank, text))
        };
        if (mine.kind, mine.tag, mine.add) != (theirs.kind, theirs.tag, theirs.add) {
            return differs("same collective", "kind");
        }
        let ends = match mine.kind {
            Kind::AllReduce => (mine.recvs.first(), theirs.sends.first()),
            Kind::ReduceScatter => (mine.recvs.first(), theirs.sends.get(me)),
            Kind::AllGather => (mine.recvs.get(at), theirs.sends.first()),
            Kind::AllToAll => (mine.recvs.get(at), theirs.sends.get(me)),
            Kind::Exchange => return Ok(()),
        };
        match ends {
            (Some(to), Some(from)) if to.len() == from.len() => {
                if self.alike((rank, to), (other, from)) {
                    return Ok(());
                }
                differs("same type", "element types")
            }
            _ => differs("same count", "number of elements"),
        }
    }

    /// Whether two packets carry the same types.
    fn alike(&self, a: (usize, &Packet), b: (usize, &Packet)) -> bool {
        self.calls[a.0].reals(a.1) == self.calls[b.0].reals(b.1)
    }

    /// What was started and never waited for.
    pub fn leftovers(&self) -> Result<(), CallError> {
        for (rank, state) in self.ranks.iter().enumerate() {
            if let Some((id, _)) = state.posted.iter().find(|(_, p)| !p.waited) {
                return Err(mismatch("one wait", rank, format!("never waits for transfer {id}")));
            }
        }
        Ok(())
    }

    /// Who waits for what.
    pub fn deadlock(&self) -> CallError {
        let stuck: Vec<_> = (0..self.ranks.len())
            .filter_map(|r| match self.list(r).get(self.ranks[r].next) {
                Some(Call::Wait { id }) => Some((r, *id)),
                _ => None,
            })
            .collect();
        let rank = stuck.first().map_or(0, |s| s.0);
        let list: Vec<_> = stuck.iter().map(|(r, id)| format!("{r} for transfer {id}")).collect();
        mismatch("no deadlock", rank, format!("ranks wait for each other: {}", list.join(", ")))
    }
}
