//! The clocks of all ranks, and the meetings for which they wait.

use super::scripts::{Act, Step};
use super::{Kind, Simulation, Span, Timeline};
use crate::interpret::CallError;
use crate::machine::Machine;
use std::collections::BTreeMap;

/// Plays the scripts so many times on end.
pub(super) fn run(
    machine: &Machine,
    scripts: &[Vec<Step>],
    turns: usize,
) -> Result<Simulation, CallError> {
    let mut world = World {
        machine,
        scripts,
        turns,
        ranks: scripts.iter().map(|_| Rank::default()).collect(),
        meetings: BTreeMap::new(),
        awake: (0..scripts.len()).rev().collect(),
    };
    while let Some(rank) = world.awake.pop() {
        world.advance(rank);
    }
    if let Some(rank) = (0..scripts.len()).find(|&rank| !world.done(rank)) {
        let message = "waits for what never starts".to_owned();
        return Err(CallError::Mismatch { rule: "no deadlock", rank, message });
    }
    let seconds = world.ranks.iter().map(|rank| rank.clock).fold(0.0, f64::max);
    Ok(Simulation { ranks: world.ranks.into_iter().map(|rank| rank.line).collect(), seconds })
}

/// The turn, the tag, and the first member of the group or the receiver.
type Key = (usize, u32, usize);

struct World<'a> {
    machine: &'a Machine,
    scripts: &'a [Vec<Step>],
    turns: usize,
    ranks: Vec<Rank>,
    meetings: BTreeMap<Key, Meeting>,
    /// Who can go on.
    awake: Vec<usize>,
}

#[derive(Default)]
struct Rank {
    clock: f64,
    turn: usize,
    next: usize,
    /// When the last communication is over, as far as is known, or its last message has left.
    port: f64,
    /// When the last that it has waited for was over.
    over: f64,
    /// Where the transfers that it has started are waited for, by tag; none if they are over.
    started: BTreeMap<u32, Option<Key>>,
    line: Timeline,
}

/// A collective of a group, or what is on its way to a receiver.
#[derive(Default)]
struct Meeting {
    /// How many must come, if that is known yet.
    needed: Option<usize>,
    come: usize,
    /// How many will wait, and how many have.
    leavers: usize,
    left: usize,
    /// When the last of those who came has started.
    ready: f64,
    end: f64,
    /// Those who came to a collective, and when the connections of all of them are free.
    members: Vec<usize>,
    free: f64,
    waiting: Vec<usize>,
}

impl Meeting {
    fn complete(&self) -> bool {
        self.needed == Some(self.come)
    }
}

impl World<'_> {
    fn done(&self, rank: usize) -> bool {
        self.ranks[rank].turn == self.turns || self.scripts[rank].is_empty()
    }

    /// Lets a rank go on until it is through or has to wait.
    fn advance(&mut self, rank: usize) {
        let scripts = self.scripts;
        while !self.done(rank) {
            let step = &scripts[rank][self.ranks[rank].next];
            match &step.act {
                Act::Work(seconds) => self.span(rank, step, Kind::Work, *seconds),
                Act::Join { tag, first, members, seconds } => {
                    self.join(rank, (*tag, *first), *members, *seconds);
                }
                Act::Send { tag, messages, expected } => {
                    self.send(rank, *tag, messages, *expected);
                }
                Act::Wait(tag) => {
                    if !self.wait(rank, step, *tag) {
                        return;
                    }
                }
            }
            let state = &mut self.ranks[rank];
            state.next += 1;
            if state.next == scripts[rank].len() {
                (state.turn, state.next) = (state.turn + 1, 0);
            }
        }
    }

    fn span(&mut self, rank: usize, step: &Step, kind: Kind, seconds: f64) {
        let state = &mut self.ranks[rank];
        let (begin, end) = (state.clock, state.clock + seconds);
        state.clock = end;
        state.line.push(Span { call: state.next, nodes: step.nodes.clone(), begin, end, kind });
    }

    fn join(&mut self, rank: usize, (tag, first): (u32, usize), members: usize, seconds: f64) {
        let key = (self.ranks[rank].turn, tag, first);
        let begin = self.ranks[rank].clock;
        self.ranks[rank].started.insert(tag, Some(key));
        // The sum cannot begin before its last term is there, and a rank's communications share
        // its connection.
        let free = self.ranks[rank].port.max(begin);
        let meeting = self.meetings.entry(key).or_default();
        (meeting.needed, meeting.leavers) = (Some(members), members);
        meeting.members.push(rank);
        meeting.free = meeting.free.max(free);
        let end = meeting.free + seconds;
        self.come(key, begin, end);
        let meeting = &self.meetings[&key];
        if meeting.complete() {
            for &member in &meeting.members {
                let port = &mut self.ranks[member].port;
                *port = port.max(meeting.end);
            }
        }
    }

    fn send(&mut self, rank: usize, tag: u32, messages: &[(usize, f64)], expected: usize) {
        let (turn, begin) = (self.ranks[rank].turn, self.ranks[rank].clock);
        let links = messages.iter().map(|(to, _)| self.machine.between(rank, *to));
        let start = links.map(|link| link.start).fold(0.0, f64::max);
        let mut free = self.ranks[rank].port.max(begin + start);
        for &(to, bytes) in messages {
            let link = self.machine.between(rank, to);
            free += link.latency + bytes / link.bandwidth;
            self.come((turn, tag, to), begin, free);
        }
        if !messages.is_empty() {
            self.ranks[rank].port = free;
        }
        let key = (turn, tag, rank);
        self.ranks[rank].started.insert(tag, Some(key));
        let meeting = self.meetings.entry(key).or_default();
        (meeting.needed, meeting.leavers) = (Some(expected + 1), 1);
        let sent = if messages.is_empty() { begin } else { free };
        self.come(key, begin, sent);
    }

    /// Somebody comes to a meeting, which lasts at least until `end`.
    fn come(&mut self, key: Key, begin: f64, end: f64) {
        let meeting = self.meetings.entry(key).or_default();
        meeting.come += 1;
        meeting.ready = meeting.ready.max(begin);
        meeting.end = meeting.end.max(end);
        if meeting.complete() {
            self.awake.append(&mut meeting.waiting);
        }
    }

    /// Whether what a rank waits for is on its way; its clock is then at the end of it.
    ///
    /// What it has started before goes first, so that the rank waits for that as well.
    fn wait(&mut self, rank: usize, step: &Step, tag: u32) -> bool {
        let started = &self.ranks[rank].started;
        if !started.contains_key(&tag) {
            return false;
        }
        let before = started.range(..=tag).filter_map(|(tag, key)| Some((*tag, (*key)?)));
        let before: Vec<_> = before.collect();
        before.into_iter().all(|(tag, key)| self.land(rank, step, tag, key))
    }

    fn land(&mut self, rank: usize, step: &Step, tag: u32, key: Key) -> bool {
        let Some(meeting) = self.meetings.get_mut(&key) else { return false };
        if !meeting.complete() {
            meeting.waiting.push(rank);
            return false;
        }
        let (ready, end) = (meeting.ready, meeting.end);
        // A collective begins when the connections are free, an exchange with its messages.
        let begin = ready.max(meeting.free);
        meeting.left += 1;
        if meeting.left == meeting.leavers {
            self.meetings.remove(&key);
        }
        self.ranks[rank].started.insert(tag, None);
        let idle = (ready - self.ranks[rank].clock).max(0.0);
        self.span(rank, step, Kind::Wait, idle);
        let clock = self.ranks[rank].clock;
        let late = (self.ranks[rank].over - begin).max(0.0);
        let rest = self.machine.landing((begin + late, end + late), clock) - clock;
        self.span(rank, step, Kind::Send, rest);
        let state = &mut self.ranks[rank];
        state.over = if rest > 0.0 { clock + rest } else { end + late };
        state.port = state.port.max(state.over);
        true
    }
}
