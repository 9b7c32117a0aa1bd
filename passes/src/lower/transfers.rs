//! Communications as calls: what leaves for each rank of a group, and what arrives from it.

use super::{Lowering, Types, copy};
use crate::calls::{Call, Kind, Packet, Slab, Transfer, View};
use crate::dtype::Dtype;
use crate::ir::{Op, Reduction};
use crate::mesh::Axis;
use crate::placement::{Region, Type, intersect, volume};
use std::iter;
use std::ops::Range;

impl Lowering<'_> {
    /// The ranks along some axes, their coordinates, and the index of the group.
    fn group(&mut self, axes: &[Axis]) -> (usize, Vec<Vec<usize>>) {
        let ranks = self.plan.mesh.group(self.calls.rank, axes);
        let at = ranks.iter().map(|&r| self.plan.mesh.coordinates(r)).collect();
        let known = self.calls.groups.iter().position(|g| *g == ranks);
        let group = known.unwrap_or_else(|| {
            self.calls.groups.push(ranks);
            self.calls.groups.len() - 1
        });
        (group, at)
    }

    pub(super) fn all_reduce(
        &mut self,
        calls: &mut Vec<Call>,
        axes: &[Axis],
        args: &[View],
        outs: &[View],
        tag: u32,
    ) {
        let (group, members) = self.group(axes);
        let from: Vec<_> = args.iter().map(View::flat).collect();
        let to: Vec<_> = outs.iter().map(View::flat).collect();
        if members.len() == 1 {
            calls.push(copy(from.into_iter().zip(to).collect()));
            return;
        }
        let sends = vec![Packet { peer: 0, slabs: from }];
        let recvs = vec![Packet { peer: 0, slabs: to }];
        self.start(calls, Kind::AllReduce, group, sends, recvs, tag);
    }

    /// Each piece of the vector goes with everything that rides on it; where that has another
    /// precision, all pieces are as long as the largest.
    pub(super) fn reduce_scatter(
        &mut self,
        calls: &mut Vec<Call>,
        axes: &[Axis],
        args: &[View],
        outs: &[View],
        result: &Type,
        tag: u32,
    ) {
        let (group, members) = self.group(axes);
        let vector = args[0].dtype;
        let mixed = args.iter().any(|arg| arg.dtype.is_double() != vector.is_double());
        let owned = |at: &Vec<usize>| result.owned(&self.plan.mesh, at);
        let longest = members.iter().map(|at| volume(&owned(at))).max().unwrap_or(0);
        let missing = |len: usize| if mixed { longest - len } else { 0 };
        let more = missing(outs[0].len());
        let rest = (more > 0).then(|| self.temporary(vector, &[more], flat(more)).flat());
        let slabs = |at: &Vec<usize>| {
            let piece = args[0].slab(&owned(at));
            let again = missing(piece.len());
            let again = (again > 0).then(|| Slab { region: flat(again), ..args[0].flat() });
            let riders = args[1..].iter().map(View::flat);
            iter::once(piece).chain(again).chain(riders).collect()
        };
        let sends = members.iter().enumerate();
        let sends = sends.map(|(peer, at)| Packet { peer, slabs: slabs(at) }).collect();
        let riders = outs[1..].iter().map(View::flat);
        let slabs = iter::once(outs[0].flat()).chain(rest).chain(riders).collect();
        let recvs = vec![Packet { peer: 0, slabs }];
        self.start(calls, Kind::ReduceScatter, group, sends, recvs, tag);
    }

    /// What rides arrives from each rank beside its block, and is added in the order of ranks.
    pub(super) fn all_gather(
        &mut self,
        calls: &mut Vec<Call>,
        axes: &[Axis],
        args: &[View],
        outs: &[View],
        arg: &Type,
        tag: u32,
    ) {
        let (group, members) = self.group(axes);
        let riders: Vec<_> = outs[1..].iter().map(|out| self.stacked(out, members.len())).collect();
        let slabs = |(peer, at): (usize, &Vec<usize>)| {
            let piece = outs[0].slab(&arg.owned(&self.plan.mesh, at));
            let row = |all: &View| all.slab(&iter::once(row(all, members.len(), peer)).collect());
            Packet { peer, slabs: iter::once(piece).chain(riders.iter().map(row)).collect() }
        };
        let sends = vec![Packet { peer: 0, slabs: args.iter().map(View::flat).collect() }];
        let recvs = members.iter().enumerate().map(slabs).collect();
        self.start(calls, Kind::AllGather, group, sends, recvs, tag);
        for (all, out) in riders.iter().zip(&outs[1..]) {
            let part = |peer| View {
                buffer: all.buffer,
                offset: row(all, members.len(), peer).start,
                ..out.clone()
            };
            let args = (0..members.len()).map(part).collect();
            calls.push(Call::Local { op: Op::Add, args, out: out.clone() });
        }
    }

    /// Moves what each rank owns before to whoever holds it afterwards.
    pub(super) fn boxes(
        &mut self,
        calls: &mut Vec<Call>,
        kind: Kind,
        axes: &[Axis],
        views: (&[View], &[View]),
        types: &Types,
        tag: u32,
    ) {
        let (group, members) = self.group(axes);
        let mesh = &self.plan.mesh;
        let leaves = |k: usize, at: &[usize]| {
            let mine = types.0[k].owned(mesh, &self.at);
            views.0[k].slab(&intersect(&mine, &types.1[k].held(mesh, at)))
        };
        let arrives = |k: usize, at: &[usize]| {
            views.1[k].slab(&intersect(&types.0[k].owned(mesh, at), &views.1[k].held))
        };
        let (copies, sends, recvs) = self.packets(&members, kind, views.0.len(), &leaves, &arrives);
        calls.extend(copies);
        self.start(calls, kind, group, sends, recvs, tag);
    }

    /// The adjoint of a halo: ghosts travel back to their owners and are added there.
    pub(super) fn halo_sum(
        &mut self,
        calls: &mut Vec<Call>,
        views: (&[View], &[View]),
        types: &Types,
        tag: u32,
    ) {
        let (group, members) = self.group(&types.1[0].placement.split_axes());
        let mesh = &self.plan.mesh;
        let leaves = |k: usize, at: &[usize]| {
            views.0[k].slab(&intersect(&views.0[k].held, &types.1[k].owned(mesh, at)))
        };
        let arrives = |k: usize, at: &[usize]| {
            views.1[k].slab(&intersect(&types.0[k].held(mesh, at), &views.1[k].held))
        };
        let kind = Kind::Exchange;
        let (copies, sends, recvs) = self.packets(&members, kind, views.0.len(), &leaves, &arrives);
        calls.extend(copies);
        self.start(calls, kind, group, sends, recvs, tag);
        if let Some(Call::Start { transfer, .. }) = calls.iter_mut().rev().nth(1) {
            transfer.add = true;
        }
    }

    /// What leaves for each member and arrives from it, of so many values; what an exchange leaves
    /// where it is becomes a copy.
    fn packets(
        &self,
        members: &[Vec<usize>],
        kind: Kind,
        values: usize,
        leaves: &dyn Fn(usize, &[usize]) -> Slab,
        arrives: &dyn Fn(usize, &[usize]) -> Slab,
    ) -> (Option<Call>, Vec<Packet>, Vec<Packet>) {
        let (mut sends, mut recvs, mut stays) = (Vec::new(), Vec::new(), None);
        for (peer, at) in members.iter().enumerate() {
            let outgoing = (0..values).map(|k| leaves(k, at));
            let incoming = (0..values).map(|k| arrives(k, at));
            if kind == Kind::Exchange && *at == self.at {
                let moves: Vec<_> =
                    outgoing.zip(incoming).filter(|(a, b)| !a.is_where(b)).collect();
                stays = (!moves.is_empty()).then(|| copy(moves));
                continue;
            }
            sends.push(packet(peer, values, outgoing));
            recvs.push(packet(peer, values, incoming));
        }
        (stays, sends, recvs)
    }

    /// Each rank's best pair of value and index, all of them on every rank, and the best of those.
    pub(super) fn reduce(
        &mut self,
        calls: &mut Vec<Call>,
        reduction: Reduction,
        axes: &[Axis],
        arg: &View,
        out: &View,
        tag: u32,
    ) {
        let (group, members) = self.group(axes);
        let mut pairs = |n: usize| self.temporary(Dtype::F64, &[2 * n], flat(2 * n));
        let (pair, all) = (pairs(1), pairs(members.len()));
        let op = Op::Reduce(reduction);
        calls.push(Call::Local { op: op.clone(), args: vec![arg.clone()], out: pair.clone() });
        let sends = vec![Packet { peer: 0, slabs: vec![pair.flat()] }];
        let pair_of = |peer| iter::once(2 * peer..2 * peer + 2).collect::<Region>();
        let at = |peer| all.slab(&pair_of(peer));
        let recvs = (0..members.len()).map(|peer| Packet { peer, slabs: vec![at(peer)] }).collect();
        self.start(calls, Kind::AllGather, group, sends, recvs, tag);
        calls.push(Call::Local { op, args: vec![all.clone(), all], out: out.clone() });
    }

    /// A flat buffer for as many values like this one.
    fn stacked(&mut self, one: &View, count: usize) -> View {
        let len = one.len() * count;
        self.temporary(one.dtype, &[len], flat(len))
    }

    /// Puts double precision first in each packet, and adds the transfer and its wait.
    fn start(
        &self,
        calls: &mut Vec<Call>,
        kind: Kind,
        group: usize,
        mut sends: Vec<Packet>,
        mut recvs: Vec<Packet>,
        tag: u32,
    ) {
        for packets in [&mut sends, &mut recvs] {
            if kind == Kind::Exchange {
                packets.retain(|p| !p.is_empty());
            }
            for packet in packets {
                let is_double = |slab: &Slab| self.calls.buffers[slab.buffer].dtype.is_double();
                packet.slabs.sort_by_key(|slab| !is_double(slab));
            }
        }
        let transfer = Transfer { kind, group, tag, sends, recvs, add: false };
        calls.push(Call::Start { id: tag, transfer });
        calls.push(Call::Wait { id: tag });
    }
}

/// A flat box of so many elements.
fn flat(len: usize) -> Region {
    iter::once(0..len).collect()
}

/// The elements of one of so many equal parts.
fn row(all: &View, parts: usize, k: usize) -> Range<usize> {
    let each = all.len() / parts;
    k * each..(k + 1) * each
}

/// The pieces for one member; of several values those that are not empty.
fn packet(peer: usize, values: usize, slabs: impl Iterator<Item = Slab>) -> Packet {
    let slabs = slabs.filter(|slab| values == 1 || !slab.is_empty()).collect();
    Packet { peer, slabs }
}
