//! Bounds of one rank's calls: every box lies in its buffer, every peer in its group, and no
//! memory is used for two things at once.

mod hazards;
mod passing;

use crate::calls::{Call, Calls, Kernel, Kind, Packet, Port, Slab, Transfer, View};
use crate::interpret::CallError;

/// Checks the calls of one rank without looking at the others.
pub fn check(calls: &Calls) -> Result<(), CallError> {
    let broken =
        |rule, message: String| Err(CallError::Mismatch { rule, rank: calls.rank, message });
    for block in &calls.blocks {
        hazards::check(&block.calls).or_else(|(rule, text)| broken(rule, text))?;
    }
    passing::check(calls).or_else(|text| broken("passes", text))?;
    if let Some(port) = ports(calls).find(|port| !view_fits(calls, &port.view)) {
        let text = format!("buffer {} is too small for {}", port.view.buffer, port.name);
        return broken("inside its buffer", text);
    }
    for call in calls.blocks.iter().flat_map(|b| &b.calls) {
        for view in views(call) {
            if !view_fits(calls, view) {
                return broken("inside its buffer", format!("buffer {} is too small", view.buffer));
            }
            let dtype = calls.buffers[view.buffer].dtype;
            if !view.is_empty() && view.dtype != dtype {
                let text = format!("buffer {} of {dtype} is used for {}", view.buffer, view.dtype);
                return broken("same type", text);
            }
        }
        for slab in slabs(call) {
            if !slab_fits(calls, slab) {
                let text = format!("a box {:?} lies outside buffer {}", slab.region, slab.buffer);
                return broken("inside its buffer", text);
            }
        }
        match call {
            Call::Copy { moves, .. } => {
                if moves.iter().any(|(from, to)| from.len() != to.len()) {
                    return broken("same count", "a copy between boxes of different sizes".into());
                }
                let dtype = |s: &Slab| calls.buffers[s.buffer].dtype;
                let differ =
                    |(from, to): &(Slab, Slab)| !from.is_empty() && dtype(from) != dtype(to);
                if moves.iter().any(differ) {
                    return broken("same type", "a copy between buffers of different types".into());
                }
            }
            Call::Start { transfer, .. } => {
                if let Some(text) = packets(calls, transfer) {
                    return broken("whole packets", text);
                }
                if let Some(text) = precisions(calls, transfer) {
                    return broken("same type", text);
                }
            }
            Call::Region { calls: inner, .. } => {
                let local = |call: &Call| matches!(call, Call::Kernel(_) | Call::Local { .. });
                if !inner.iter().all(local) {
                    return broken("local region", "a region that is not local".into());
                }
            }
            Call::Kernel(_) | Call::Local { .. } | Call::Wait { .. } => {}
        }
    }
    Ok(())
}

/// All that enters or leaves.
fn ports(calls: &Calls) -> impl Iterator<Item = &Port> {
    let blocks = calls.blocks.iter();
    let parts = blocks.flat_map(|b| b.inputs.iter().chain(&b.outputs).chain(&b.controls));
    calls.states.iter().chain(parts)
}

fn views(call: &Call) -> Vec<&View> {
    match call {
        Call::Kernel(Kernel { inputs, outputs, .. }) => inputs.iter().chain(outputs).collect(),
        Call::Local { args, out, .. } => args.iter().chain([out]).collect(),
        Call::Region { calls, .. } => calls.iter().flat_map(views).collect(),
        Call::Copy { clear, .. } => clear.iter().collect(),
        Call::Start { .. } | Call::Wait { .. } => Vec::new(),
    }
}

fn slabs(call: &Call) -> Vec<&Slab> {
    match call {
        Call::Copy { moves, .. } => moves.iter().flat_map(|(from, to)| [from, to]).collect(),
        Call::Start { transfer, .. } => {
            transfer.sends.iter().chain(&transfer.recvs).flat_map(|p| &p.slabs).collect()
        }
        Call::Kernel(_) | Call::Local { .. } | Call::Region { .. } | Call::Wait { .. } => {
            Vec::new()
        }
    }
}

fn view_fits(calls: &Calls, view: &View) -> bool {
    calls.buffers.get(view.buffer).is_some_and(|b| view.span().end <= b.len)
}

fn slab_fits(calls: &Calls, slab: &Slab) -> bool {
    let inside =
        slab.region.iter().zip(&slab.extents).all(|(r, &n)| r.start <= r.end && r.end <= n);
    let whole = slab.offset + slab.extents.iter().product::<usize>();
    slab.is_empty()
        || (inside
            && slab.region.len() == slab.extents.len()
            && calls.buffers.get(slab.buffer).is_some_and(|b| whole <= b.len))
}

/// What is wrong with the order of precisions in a transfer, if anything is.
fn precisions(calls: &Calls, transfer: &Transfer) -> Option<String> {
    let packets = || transfer.sends.iter().chain(&transfer.recvs);
    let is_double = |slab: &Slab| calls.buffers[slab.buffer].dtype.is_double();
    let in_order = |packet: &Packet| {
        let full = packet.slabs.iter().filter(|slab| !slab.is_empty());
        full.is_sorted_by_key(|slab| !is_double(slab))
    };
    let mixed = packets().any(|packet| calls.reals(packet).are_mixed());
    if !packets().all(in_order) {
        return Some(format!("transfer {} has single before double precision", transfer.tag));
    }
    if mixed && transfer.add {
        return Some(format!("transfer {} adds elements of two precisions", transfer.tag));
    }
    let first = packets().next().map(|packet| calls.reals(packet));
    let pieces = mixed && transfer.kind == Kind::ReduceScatter;
    (pieces && packets().any(|packet| Some(calls.reals(packet)) != first))
        .then(|| format!("transfer {} has pieces that are not alike", transfer.tag))
}

/// What is wrong with the packets of a transfer, if anything is.
fn packets(calls: &Calls, transfer: &Transfer) -> Option<String> {
    let Some(group) = calls.groups.get(transfer.group) else {
        return Some(format!("transfer {} names no group", transfer.tag));
    };
    let everyone = |packets: &[Packet]| {
        packets.len() == group.len() && packets.iter().enumerate().all(|(i, p)| p.peer == i)
    };
    let one = |packets: &[Packet]| packets.len() == 1 && packets[0].peer == 0;
    let complete = match transfer.kind {
        Kind::AllReduce => one(&transfer.sends) && one(&transfer.recvs),
        Kind::ReduceScatter => everyone(&transfer.sends) && one(&transfer.recvs),
        Kind::AllGather => one(&transfer.sends) && everyone(&transfer.recvs),
        Kind::AllToAll => everyone(&transfer.sends) && everyone(&transfer.recvs),
        Kind::Exchange => {
            let me = group.iter().position(|&r| r == calls.rank);
            let good = |ps: &[Packet]| {
                ps.iter().all(|p| p.peer < group.len() && Some(p.peer) != me)
                    && ps.windows(2).all(|w| w[0].peer < w[1].peer)
            };
            good(&transfer.sends) && good(&transfer.recvs)
        }
    };
    (!complete).then(|| format!("transfer {} lacks a packet or has one too many", transfer.tag))
}
