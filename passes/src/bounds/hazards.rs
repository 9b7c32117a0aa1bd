//! Memory that is used for two things at once: the interpreter would not notice, a back end would.
//!
//! | rule | what it says |
//! |---|---|
//! | `own output` | what a call writes it does not read, but for what works in place |
//! | `in flight` | between start and wait nobody writes elements that leave or touches those that arrive |

use crate::calls::{Call, Kernel, Kind, Slab, Transfer, View};
use crate::ir::Op;
use crate::lower::works_in_place;
use crate::placement::{intersect, volume};
use std::ops::Range;

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
    let same = arg.held == out.held && arg.offset == out.offset;
    works_in_place(op) && same && (*op != Op::Put || argument == 0)
}

/// A buffer in which a transfer reads and writes the same elements, other than a reduction in its
/// place.
fn overlap(transfer: &Transfer) -> Option<usize> {
    let (out, into) = (sent(transfer), received(transfer));
    let in_place = transfer.kind == Kind::AllReduce;
    let meet = |from: &Slab, to: &Slab| match transfer.kind {
        Kind::Exchange => Touched::Slab(from).meets(&Touched::Slab(to)),
        Kind::AllReduce | Kind::ReduceScatter | Kind::AllGather | Kind::AllToAll => touch(from, to),
    };
    let wrong = |(k, to): (usize, &&Slab)| {
        out.iter()
            .enumerate()
            .any(|(l, from)| meet(from, to) && !(in_place && k == l && from.is_where(to)))
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
        let leaves: Vec<_> = sent(transfer).into_iter().map(Touched::Slab).collect();
        let arrives: Vec<_> = received(transfer).into_iter().map(Touched::Slab).collect();
        let meets = |used: &Touched, of: &[Touched]| of.iter().any(|other| used.meets(other));
        let bad = reads.iter().chain(&writes).find(|used| meets(used, &arrives));
        if let Some(bad) = bad.or_else(|| writes.iter().find(|used| meets(used, &leaves))) {
            let text = format!("buffer {} is used while transfer {id} is on", bad.buffer());
            return Err(("in flight", text));
        }
    }
    Ok(())
}

/// Elements of a buffer that a call reads or writes.
#[derive(Clone, Copy)]
enum Touched<'a> {
    View(&'a View),
    Slab(&'a Slab),
}

impl Touched<'_> {
    fn buffer(&self) -> usize {
        match self {
            Touched::View(view) => view.buffer,
            Touched::Slab(slab) => slab.buffer,
        }
    }

    /// From the first element to the last.
    fn span(&self) -> Range<usize> {
        match self {
            Touched::View(view) => view.span(),
            Touched::Slab(slab) => slab.span(),
        }
    }

    /// Whether the two have an element in common; boxes of one array are compared dim by dim.
    fn meets(&self, other: &Touched) -> bool {
        let (a, b) = (self.span(), other.span());
        if self.buffer() != other.buffer() || a.start.max(b.start) >= a.end.min(b.end) {
            return false;
        }
        match (self, other) {
            (Touched::Slab(a), Touched::Slab(b))
                if a.extents == b.extents && a.offset == b.offset =>
            {
                volume(&intersect(&a.region, &b.region)) > 0
            }
            _ => true,
        }
    }
}

fn views(views: &[View]) -> Vec<Touched<'_>> {
    views.iter().map(Touched::View).collect()
}

/// What a call reads and what it writes.
fn uses(call: &Call) -> (Vec<Touched<'_>>, Vec<Touched<'_>>) {
    match call {
        Call::Kernel(Kernel { inputs, outputs, .. }) => (views(inputs), views(outputs)),
        Call::Local { args, out, .. } => (views(args), vec![Touched::View(out)]),
        Call::Copy { clear, moves } => {
            let to = moves.iter().map(|(_, to)| Touched::Slab(to));
            let from = moves.iter().map(|(from, _)| Touched::Slab(from));
            (from.collect(), to.chain(clear.iter().map(Touched::View)).collect())
        }
        Call::Start { transfer, .. } => {
            let touched = |slabs: Vec<_>| slabs.into_iter().map(Touched::Slab).collect();
            (touched(sent(transfer)), touched(received(transfer)))
        }
        Call::Wait { .. } | Call::Region { .. } => (Vec::new(), Vec::new()),
    }
}
