//! Planted faults of calls on single ranks: what a wrong lowering or back end could do.

use adjoin_passes::Dtype;
use adjoin_passes::calls::{Call, Calls, Kernel, Kind, Packet, Slab, Transfer, View};
use adjoin_passes::ir::{LeafId, Map, Op};
use std::ops::Range;

/// The kind of fault, the rank that has it, and its calls.
pub type Mutant = (&'static str, usize, Calls);

/// All mutants of the calls of all ranks, each with a fault on one rank.
pub fn mutants(calls: &[Calls]) -> Vec<Mutant> {
    let mut out = Vec::new();
    for (r, rank) in calls.iter().enumerate() {
        let mut put = |kind, mutant| out.push((kind, r, mutant));
        for (b, block) in rank.blocks.iter().enumerate() {
            for k in 0..block.calls.len() {
                order(rank, b, k, &mut put);
                contents(rank, b, k, &mut put);
            }
            for k in 0..block.outputs.len() {
                let mut mutant = rank.clone();
                mutant.blocks[b].outputs[k].view.buffer =
                    other_buffer(rank, &block.outputs[k].view);
                put("other buffer returned", mutant);
            }
            for k in 0..block.inputs.len() {
                let mut mutant = rank.clone();
                mutant.blocks[b].inputs[k].view.buffer = other_buffer(rank, &block.inputs[k].view);
                put("other buffer filled", mutant);
            }
        }
        heads(rank, &mut put);
    }
    out.retain(|(_, r, mutant)| *mutant != calls[*r]);
    out
}

type Put<'a> = dyn FnMut(&'static str, Calls) + 'a;

/// Calls that are missing, doubled or in another order.
fn order(rank: &Calls, b: usize, k: usize, put: &mut Put) {
    let calls = &rank.blocks[b].calls;
    let kind = match &calls[k] {
        Call::Kernel(_) => "missing kernel",
        Call::Local { .. } => "missing local node",
        Call::Copy { .. } => "missing copy",
        Call::Start { .. } => "missing start",
        Call::Wait { .. } => "missing wait",
        Call::Region { .. } => "missing region",
    };
    let mut edit = |kind, edit: &dyn Fn(&mut Vec<Call>)| {
        let mut mutant = rank.clone();
        edit(&mut mutant.blocks[b].calls);
        put(kind, mutant);
    };
    edit(kind, &|calls| {
        calls.remove(k);
    });
    edit("call made twice", &|calls| calls.insert(k, calls[k].clone()));
    if k + 1 < calls.len() {
        edit("swapped order", &|calls| calls.swap(k, k + 1));
        let last = calls.len() - 1;
        edit("swapped order", &|calls| calls.swap(k, last));
    }
    if let Call::Start { id, .. } = &calls[k] {
        let id = *id;
        edit("missing transfer", &|calls| {
            calls.retain(|call| !matches!(call, Call::Start { id: i, .. } | Call::Wait { id: i } if *i == id));
        });
        edit("wait moved before the end", &|calls| {
            if let Some(at) = calls.iter().position(|c| *c == Call::Wait { id }) {
                let wait = calls.remove(at);
                calls.push(wait);
            }
        });
    }
}

/// A call that does something else.
fn contents(rank: &Calls, b: usize, k: usize, put: &mut Put) {
    let mut edit = |kind, edit: &dyn Fn(&mut Call)| {
        let mut mutant = rank.clone();
        edit(&mut mutant.blocks[b].calls[k]);
        put(kind, mutant);
    };
    match &rank.blocks[b].calls[k] {
        Call::Kernel(Kernel { leaf, .. }) => {
            let calls = rank.blocks.iter().flat_map(|b| &b.calls).flat_map(Call::inner);
            let leaves = calls.filter_map(|call| match call {
                Call::Kernel(kernel) => Some(kernel.leaf.0 + 1),
                _ => None,
            });
            let next = LeafId((leaf.0 + 1) % leaves.max().unwrap_or(1));
            edit("other direction", &|call| {
                let Call::Kernel(Kernel { adjoint, .. }) = call else { return };
                *adjoint = !*adjoint;
            });
            edit("other leaf", &|call| {
                let Call::Kernel(Kernel { leaf, tile, .. }) = call else { return };
                (*leaf, *tile) = (next, next.0 as usize);
            });
        }
        Call::Local { op, .. } => {
            let other = other_op(op);
            edit("other operation", &|call| {
                if let (Call::Local { op, .. }, Some(other)) = (call, &other) {
                    op.clone_from(other);
                }
            });
            edit("arguments swapped", &|call| {
                let Call::Local { args, .. } = call else { return };
                args.reverse();
            });
        }
        Call::Copy { moves, .. } => {
            edit("not cleared", &|call| {
                let Call::Copy { clear, .. } = call else { return };
                *clear = None;
            });
            for m in 0..moves.len() {
                for (which, kind) in [(0, "copied from an offset"), (1, "copied to an offset")] {
                    for by in [1, -1] {
                        edit(kind, &|call| {
                            let Call::Copy { moves, .. } = call else { return };
                            let (from, to) = &mut moves[m];
                            shift([from, to][which], by);
                        });
                    }
                }
                edit("fewer elements copied", &|call| {
                    let Call::Copy { moves, .. } = call else { return };
                    shrink(&mut moves[m].0);
                    shrink(&mut moves[m].1);
                });
                edit("missing copy", &|call| {
                    let Call::Copy { moves, .. } = call else { return };
                    moves.remove(m);
                });
            }
        }
        Call::Start { transfer, .. } => {
            let transfer = transfer.clone();
            transfers(rank, &transfer, &mut |kind, changed| {
                let mut mutant = rank.clone();
                if let Call::Start { transfer, .. } = &mut mutant.blocks[b].calls[k] {
                    *transfer = changed;
                }
                put(kind, mutant);
            });
            return;
        }
        Call::Region { .. } => {}
        Call::Wait { .. } => {
            edit("other wait", &|call| {
                let Call::Wait { id } = call else { return };
                *id += 1;
            });
        }
    }
    for v in 0..views(&mut rank.blocks[b].calls[k].clone()).len() {
        let mut edit_view = |kind, change: &dyn Fn(&mut View)| {
            let mut mutant = rank.clone();
            change(views(&mut mutant.blocks[b].calls[k])[v]);
            put(kind, mutant);
        };
        edit_view("buffer reused", &|view| view.buffer = other_buffer(rank, view));
        edit_view("buffer reused", &|view| view.buffer = (view.buffer + 1) % rank.buffers.len());
        edit_view("held elsewhere", &|view| {
            if let Some(held) = view.held.first_mut() {
                *held = held.start + 1..held.end + 1;
            }
        });
        edit_view("holds less", &|view| {
            if let Some(held) = view.held.first_mut().filter(|held| held.start < held.end) {
                held.end -= 1;
            }
        });
    }
}

fn other_op(op: &Op) -> Option<Op> {
    match op {
        Op::Add => Some(Op::Sub),
        Op::Sub => Some(Op::Add),
        Op::Neg | Op::Cast => Some(Op::Conj),
        Op::Conj => Some(Op::Cast),
        Op::Scale | Op::Map(Map::Mul) => Some(Op::Map(Map::Div)),
        Op::Map(Map::Div) => Some(Op::Map(Map::Mul)),
        Op::Map(Map::Sqrt) => Some(Op::Map(Map::Abs)),
        _ => None,
    }
}

fn views(call: &mut Call) -> Vec<&mut View> {
    match call {
        Call::Kernel(Kernel { inputs, outputs, .. }) => inputs.iter_mut().chain(outputs).collect(),
        Call::Local { args, out, .. } => args.iter_mut().chain([out]).collect(),
        Call::Copy { clear, .. } => clear.iter_mut().collect(),
        Call::Region { calls, .. } => calls.iter_mut().flat_map(views).collect(),
        Call::Start { .. } | Call::Wait { .. } => Vec::new(),
    }
}

/// What a transfer sends, or what it receives.
type Side = fn(&mut Transfer) -> &mut Vec<Packet>;

/// What can be wrong on one side of a transfer.
type Names = [&'static str; 9];

/// A transfer that communicates something else.
fn transfers(rank: &Calls, transfer: &Transfer, put: &mut dyn FnMut(&'static str, Transfer)) {
    let mut edit = |kind, edit: &dyn Fn(&mut Transfer)| {
        let mut changed = transfer.clone();
        edit(&mut changed);
        put(kind, changed);
    };
    edit("other tag", &|t| t.tag += 1);
    edit("other tag", &|t| t.tag += 1000);
    edit("other group", &|t| t.group = (t.group + 1) % rank.groups.len());
    edit("added or not", &|t| t.add = !t.add);
    for kind in [Kind::AllReduce, Kind::AllGather, Kind::AllToAll, Kind::Exchange] {
        edit("other collective", &|t| t.kind = kind);
    }
    let sends: Names = [
        "other receiver",
        "packet not sent",
        "packets sent in another order",
        "fewer elements sent",
        "sent from an offset",
        "other buffer sent",
        "part of a message not sent",
        "part of a message sent twice",
        "parts of a message sent in another order",
    ];
    let recvs: Names = [
        "other sender",
        "packet not received",
        "packets received in another order",
        "fewer elements received",
        "received at an offset",
        "received in another buffer",
        "part of a message not received",
        "part of a message received twice",
        "parts of a message received in another order",
    ];
    let sides: [(Side, Names, usize); 2] = [
        (|t| &mut t.sends, sends, transfer.sends.len()),
        (|t| &mut t.recvs, recvs, transfer.recvs.len()),
    ];
    for (side, names, packets) in sides {
        for p in 0..packets {
            let mut edit = |kind, change: &dyn Fn(&mut Vec<Packet>)| {
                let mut changed = transfer.clone();
                change(side(&mut changed));
                put(kind, changed);
            };
            let members = rank.groups[transfer.group].len();
            edit(names[0], &|packets| packets[p].peer = (packets[p].peer + 1) % members);
            edit(names[1], &|packets| {
                packets.remove(p);
            });
            edit(names[1], &|packets| packets[p].slabs.clear());
            edit(names[2], &|packets| {
                let next = (p + 1) % packets.len();
                let slabs = packets[p].slabs.clone();
                packets[p].slabs = std::mem::replace(&mut packets[next].slabs, slabs);
            });
            for s in 0..side(&mut transfer.clone())[p].slabs.len() {
                edit(names[3], &|packets| shrink(&mut packets[p].slabs[s]));
                edit(names[4], &|packets| shift(&mut packets[p].slabs[s], 1));
                edit(names[4], &|packets| shift(&mut packets[p].slabs[s], -1));
                edit(names[5], &|packets| {
                    let buffer = &mut packets[p].slabs[s].buffer;
                    *buffer = (*buffer + 1) % rank.buffers.len();
                });
                if side(&mut transfer.clone())[p].slabs.len() < 2 {
                    continue;
                }
                edit(names[6], &|packets| drop(packets[p].slabs.remove(s)));
                edit(names[7], &|packets| {
                    let part = packets[p].slabs[s].clone();
                    packets[p].slabs.insert(s, part);
                });
                edit(names[8], &|packets| {
                    let next = (s + 1) % packets[p].slabs.len();
                    packets[p].slabs.swap(s, next);
                });
            }
        }
    }
}

/// Moves a box along the last dim in which that is possible.
fn shift(slab: &mut Slab, by: isize) {
    let moved =
        |r: &Range<usize>| Some(r.start.checked_add_signed(by)?..r.end.checked_add_signed(by)?);
    let dims = slab.region.iter().zip(&slab.extents).enumerate();
    let fits = |(d, (r, &n)): (usize, (&Range<usize>, &usize))| {
        moved(r).filter(|r| r.end <= n).map(|r| (d, r))
    };
    match dims.rev().find_map(fits) {
        Some((d, range)) => slab.region[d] = range,
        // A box that fills its array moves out of it.
        None => {
            if let Some(range) = slab.region.last_mut().filter(|_| by > 0) {
                *range = range.start + 1..range.end + 1;
            }
        }
    }
}

fn shrink(slab: &mut Slab) {
    if let Some(range) = slab.region.iter_mut().rev().find(|r| r.start < r.end) {
        range.end -= 1;
    }
}

/// Faults outside of the lists of calls.
fn heads(rank: &Calls, put: &mut Put) {
    for k in 0..rank.buffers.len() {
        let mut mutant = rank.clone();
        mutant.buffers[k].len = mutant.buffers[k].len.saturating_sub(1);
        put("buffer too short", mutant);
        let mut mutant = rank.clone();
        mutant.buffers[k].dtype =
            if rank.buffers[k].dtype.is_complex() { Dtype::F64 } else { Dtype::C128 };
        put("buffer of another type", mutant);
    }
    for l in 0..rank.tiles.len() {
        for f in 0..rank.tiles[l].len() {
            for by in [1, -1] {
                let range = &rank.tiles[l][f];
                let start = range.start.checked_add_signed(by);
                let end = range.end.checked_add_signed(by);
                if let (Some(start), Some(end)) = (start, end) {
                    let mut mutant = rank.clone();
                    mutant.tiles[l][f] = start..end;
                    put("other tile", mutant);
                }
            }
        }
    }
    for g in 0..rank.groups.len() {
        let mut mutant = rank.clone();
        mutant.groups[g].reverse();
        put("group in another order", mutant);
    }
    for s in 0..rank.states.len() {
        let mut mutant = rank.clone();
        mutant.states[s].view.buffer = other_buffer(rank, &rank.states[s].view);
        put("other buffer for a state", mutant);
    }
}

/// The next buffer that could hold the view.
fn other_buffer(rank: &Calls, view: &View) -> usize {
    let n = rank.buffers.len();
    let fits =
        |b: &usize| rank.buffers[*b].dtype == view.dtype && rank.buffers[*b].len >= view.len();
    (1..n).map(|k| (view.buffer + k) % n).find(fits).unwrap_or((view.buffer + 1) % n.max(1))
}
