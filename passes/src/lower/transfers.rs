//! Communications as calls: what leaves for each rank of a group, and what arrives from it.

use super::{Lowering, Types, copy};
use crate::calls::{Call, Kind, Packet, Slab, Transfer, View};
use crate::dtype::Dtype;
use crate::ir::{Op, Reduction};
use crate::mesh::Axis;
use crate::placement::{Region, Type, intersect};
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
        start(calls, Kind::AllReduce, group, args[0].dtype, sends, recvs, tag);
    }

    /// Each piece of the vector goes with everything that rides on it.
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
        let piece = |at: &Vec<usize>| args[0].slab(&result.owned(&self.plan.mesh, at));
        let slabs = |at| iter::once(piece(at)).chain(args[1..].iter().map(View::flat)).collect();
        let sends = members.iter().enumerate();
        let sends = sends.map(|(peer, at)| Packet { peer, slabs: slabs(at) }).collect();
        let recvs = vec![Packet { peer: 0, slabs: outs.iter().map(View::flat).collect() }];
        start(calls, Kind::ReduceScatter, group, args[0].dtype, sends, recvs, tag);
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
        start(calls, Kind::AllGather, group, args[0].dtype, sends, recvs, tag);
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
        start(calls, kind, group, views.0[0].dtype, sends, recvs, tag);
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
        start(calls, kind, group, views.0[0].dtype, sends, recvs, tag);
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
        let mut pairs = |n: usize| {
            let held = iter::once(0..2 * n).collect();
            self.temporary(Dtype::F64, &[2 * n], held)
        };
        let (pair, all) = (pairs(1), pairs(members.len()));
        let op = Op::Reduce(reduction);
        calls.push(Call::Local { op: op.clone(), args: vec![arg.clone()], out: pair.clone() });
        let sends = vec![Packet { peer: 0, slabs: vec![pair.flat()] }];
        let pair_of = |peer| iter::once(2 * peer..2 * peer + 2).collect::<Region>();
        let at = |peer| all.slab(&pair_of(peer));
        let recvs = (0..members.len()).map(|peer| Packet { peer, slabs: vec![at(peer)] }).collect();
        start(calls, Kind::AllGather, group, Dtype::F64, sends, recvs, tag);
        calls.push(Call::Local { op, args: vec![all.clone(), all], out: out.clone() });
    }

    /// A flat buffer for as many values like this one.
    fn stacked(&mut self, one: &View, count: usize) -> View {
        let len = one.len() * count;
        self.temporary(one.dtype, &[len], iter::once(0..len).collect())
    }
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

fn start(
    calls: &mut Vec<Call>,
    kind: Kind,
    group: usize,
    dtype: Dtype,
    mut sends: Vec<Packet>,
    mut recvs: Vec<Packet>,
    tag: u32,
) {
    if kind == Kind::Exchange {
        sends.retain(|p| !p.is_empty());
        recvs.retain(|p| !p.is_empty());
    }
    let transfer = Transfer { kind, group, tag, dtype: dtype.real(), sends, recvs, add: false };
    calls.push(Call::Start { id: tag, transfer });
    calls.push(Call::Wait { id: tag });
}
