//! Memory that is used for two things at once: the interpreter would not notice, a back end would.
//!
//! | rule | what it says |
//! |---|---|
//! | `own output` | what a call writes it does not read, but for what works in place |
//! | `in flight` | between start and wait nobody writes what leaves or touches what arrives |

use crate::calls::{Call, Kernel, Kind, Slab, Transfer, View};
use crate::ir::Op;
use crate::lower::works_in_place;

type Broken = (&'static str, String);

/// Checks the calls of one block.
pub(super) fn check(calls: &[Call]) -> Result<(), Broken> {
    let mut flying: Vec<(u32, &Transfer)> = Vec::new();
    for call in calls.iter().flat_map(Call::inner) {
        own_output(call)?;
        in_flight(call, &flying)?;
        match call {
            Call::Start { id, transfer } => flying.push((*id, transfer)),
            Call::Wait { id } => flying.retain(|(other, _)| other != id),
            Call::Kernel(_) | Call::Local { .. } | Call::Copy { .. } | Call::Region { .. } => {}
        }
    }
    Ok(())
}

fn own_output(call: &Call) -> Result<(), Broken> {
    let shared = match call {
        Call::Kernel(Kernel { inputs, outputs, .. }) => {
            outputs.iter().enumerate().find_map(|(o, out)| {
                let twice = outputs[..o].iter().chain(inputs).any(|v| clash(v, out));
                twice.then_some(out.buffer)
            })
        }
        Call::Local { op, args, out } => {
            let wrong = |(k, arg): (usize, &View)| clash(arg, out) && !in_place(op, k, arg, out);
            args.iter().enumerate().any(|(k, arg)| wrong((k, arg))).then_some(out.buffer)
        }
        Call::Copy { clear, moves } => moves.iter().find_map(|(_, to)| {
            let read = moves.iter().any(|(from, _)| touch(from, to) && from != to);
            let cleared =
                clear.iter().any(|v| moves.iter().any(|(from, _)| from.buffer == v.buffer));
            (read || cleared).then_some(to.buffer)
        }),
        Call::Start { transfer, .. } => overlap(transfer),
        Call::Wait { .. } | Call::Region { .. } => None,
    };
    match shared {
        Some(buffer) => Err(("own output", format!("a call reads and writes buffer {buffer}"))),
        None => Ok(()),
    }
}

fn clash(a: &View, b: &View) -> bool {
    a.buffer == b.buffer && !a.is_empty() && !b.is_empty()
}

fn touch(a: &Slab, b: &Slab) -> bool {
    a.buffer == b.buffer && !a.is_empty() && !b.is_empty()
}

fn in_place(op: &Op, argument: usize, arg: &View, out: &View) -> bool {
    works_in_place(op) && arg.held == out.held && (*op != Op::Put || argument == 0)
}

/// A buffer that a transfer reads and writes, other than a reduction in its place.
fn overlap(transfer: &Transfer) -> Option<usize> {
    let (out, into) = (sent(transfer), received(transfer));
    let in_place = transfer.kind == Kind::AllReduce;
    let wrong = |(k, to): (usize, &&Slab)| {
        out.iter()
            .enumerate()
            .any(|(l, from)| touch(from, to) && !(in_place && k == l && from.len() == to.len()))
    };
    into.iter().enumerate().find(|&(k, to)| wrong((k, to))).map(|(_, to)| to.buffer)
}

fn sent(transfer: &Transfer) -> Vec<&Slab> {
    transfer.sends.iter().flat_map(|p| &p.slabs).collect()
}

fn received(transfer: &Transfer) -> Vec<&Slab> {
    transfer.recvs.iter().flat_map(|p| &p.slabs).collect()
}

fn in_flight(call: &Call, flying: &[(u32, &Transfer)]) -> Result<(), Broken> {
    if flying.is_empty() {
        return Ok(());
    }
    let (reads, writes) = uses(call);
    for (id, transfer) in flying {
        let leaves: Vec<_> = buffers(sent(transfer));
        let arrives: Vec<_> = buffers(received(transfer));
        let used = |b: &&usize| arrives.contains(b);
        let bad = reads.iter().chain(&writes).find(used);
        if let Some(buffer) = bad.or_else(|| writes.iter().find(|b| leaves.contains(b))) {
            return Err((
                "in flight",
                format!("buffer {buffer} is used while transfer {id} is on"),
            ));
        }
    }
    Ok(())
}

fn buffers(slabs: Vec<&Slab>) -> Vec<usize> {
    slabs.into_iter().filter(|s| !s.is_empty()).map(|s| s.buffer).collect()
}

/// The buffers that a call reads and writes.
fn uses(call: &Call) -> (Vec<usize>, Vec<usize>) {
    let of = |views: &[View]| -> Vec<usize> {
        views.iter().filter(|v| !v.is_empty()).map(|v| v.buffer).collect()
    };
    match call {
        Call::Kernel(Kernel { inputs, outputs, .. }) => (of(inputs), of(outputs)),
        Call::Local { args, out, .. } => (of(args), of(std::slice::from_ref(out))),
        Call::Copy { clear, moves } => {
            let cleared = clear.iter().map(|v| v.buffer);
            let to = buffers(moves.iter().map(|(_, to)| to).collect());
            (
                buffers(moves.iter().map(|(from, _)| from).collect()),
                to.into_iter().chain(cleared).collect(),
            )
        }
        Call::Start { transfer, .. } => (buffers(sent(transfer)), buffers(received(transfer))),
        Call::Wait { .. } | Call::Region { .. } => (Vec::new(), Vec::new()),
    }
}
