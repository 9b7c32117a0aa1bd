//! Matching: faults planted into the calls of single ranks are found, by rule or by certificate.

mod sample;

use adjoin_passes::calls::{Call, Calls, Kernel, Kind, Reals, Slab, Transfer};
use adjoin_passes::certify::{Verdict, certify_calls};
use adjoin_passes::interpret::{CallError, matching};
use adjoin_passes::lower::lower_all;
use adjoin_passes::{Dtype, Plan};
use sample::{PLANS, split};
use std::collections::BTreeMap;

const MESHES: [&str; 5] = ["p=2", "p=3", "p=4", "r=2,c=2", "r=2,c=3"];

/// A fault: its name, and the calls of the rank with it, if it can be there.
type Fault = (&'static str, fn(&Calls, usize, usize) -> Option<Calls>);

fn call(calls: &mut Calls, b: usize, n: usize) -> &mut Call {
    &mut calls.blocks[b].calls[n]
}

/// Changes the slabs of a transfer or a copy, if there are some.
fn slabs(calls: &Calls, b: usize, n: usize, f: impl Fn(&mut Slab)) -> Option<Calls> {
    let mut out = calls.clone();
    match call(&mut out, b, n) {
        Call::Copy { moves, .. } => moves.iter_mut().for_each(|m| f(&mut m.1)),
        Call::Start { transfer, .. } => {
            transfer.recvs.iter_mut().flat_map(|p| &mut p.slabs).for_each(f);
        }
        Call::Kernel(_) | Call::Local { .. } | Call::Wait { .. } | Call::Region { .. } => {
            return None;
        }
    }
    Some(out)
}

fn transfer(
    calls: &Calls,
    b: usize,
    n: usize,
    f: impl Fn(&mut Transfer, &[Vec<usize>]),
) -> Option<Calls> {
    let mut out = calls.clone();
    let groups = out.groups.clone();
    let Call::Start { transfer, .. } = call(&mut out, b, n) else { return None };
    f(transfer, &groups);
    Some(out)
}

/// Changes the list of a block.
#[allow(clippy::unnecessary_wraps)] // As the other faults, which cannot be everywhere.
fn list(calls: &Calls, b: usize, f: impl Fn(&mut Vec<Call>)) -> Option<Calls> {
    let mut out = calls.clone();
    f(&mut out.blocks[b].calls);
    Some(out)
}

const FAULTS: [Fault; 25] = [
    ("dropped send", |c, b, n| transfer(c, b, n, |t, _| drop(t.sends.pop()))),
    ("dropped receive", |c, b, n| transfer(c, b, n, |t, _| drop(t.recvs.pop()))),
    ("other peer", |c, b, n| {
        transfer(c, b, n, |t, g| {
            let size = g[t.group].len();
            t.sends.iter_mut().for_each(|p| p.peer = (p.peer + 1) % size);
        })
    }),
    ("other source", |c, b, n| {
        transfer(c, b, n, |t, g| {
            let size = g[t.group].len();
            t.recvs.iter_mut().for_each(|p| p.peer = (p.peer + 1) % size);
        })
    }),
    ("other tag", |c, b, n| transfer(c, b, n, |t, _| t.tag += 1)),
    ("other group", |c, b, n| transfer(c, b, n, |t, g| t.group = (t.group + 1) % (g.len() + 1))),
    ("other type", |c, b, n| {
        let mut out = c.clone();
        let Call::Start { transfer, .. } = call(&mut out, b, n) else { return None };
        let slab = transfer.sends.iter().flat_map(|p| &p.slabs).find(|slab| !slab.is_empty());
        let buffer = slab?.buffer;
        out.buffers[buffer].dtype = Dtype::F32;
        Some(out)
    }),
    ("added", |c, b, n| transfer(c, b, n, |t, _| t.add = !t.add)),
    ("other kind", |c, b, n| {
        transfer(c, b, n, |t, _| {
            t.kind = if t.kind == Kind::AllReduce { Kind::AllGather } else { Kind::AllReduce };
        })
    }),
    ("shorter", |c, b, n| {
        slabs(c, b, n, |s| s.region.iter_mut().for_each(|r| r.end = r.end.max(r.start + 1) - 1))
    }),
    ("longer", |c, b, n| slabs(c, b, n, |s| s.region.iter_mut().for_each(|r| r.end += 1))),
    ("offset", |c, b, n| {
        slabs(c, b, n, |s| s.region.iter_mut().for_each(|r| *r = r.start + 1..r.end + 1))
    }),
    ("offset below", |c, b, n| {
        slabs(c, b, n, |s| {
            s.region.iter_mut().filter(|r| r.start > 0).for_each(|r| *r = r.start - 1..r.end - 1);
        })
    }),
    ("other buffer", |c, b, n| {
        let count = c.buffers.len();
        slabs(c, b, n, |s| s.buffer = (s.buffer + 1) % count)
    }),
    ("missing", |c, b, n| list(c, b, |l| drop(l.remove(n)))),
    ("twice", |c, b, n| list(c, b, |l| l.insert(n, l[n].clone()))),
    ("swapped", |c, b, n| {
        (n + 1 < c.blocks[b].calls.len()).then(|| list(c, b, |l| l.swap(n, n + 1)))?
    }),
    ("at the end", |c, b, n| {
        list(c, b, |l| {
            let moved = l.remove(n);
            l.push(moved);
        })
    }),
    ("swapped adjoint", |c, b, n| {
        let mut out = c.clone();
        let Call::Kernel(Kernel { adjoint, .. }) = call(&mut out, b, n) else { return None };
        *adjoint = !*adjoint;
        Some(out)
    }),
    ("result over argument", |c, b, n| {
        let mut out = c.clone();
        match call(&mut out, b, n) {
            Call::Kernel(Kernel { inputs, outputs, .. }) => outputs[0].buffer = inputs[0].buffer,
            Call::Local { args, out, .. } => out.buffer = args.first()?.buffer,
            Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } | Call::Region { .. } => {
                return None;
            }
        }
        Some(out)
    }),
    ("other argument", |c, b, n| {
        let mut out = c.clone();
        let count = out.buffers.len();
        match call(&mut out, b, n) {
            Call::Kernel(Kernel { inputs, .. }) => {
                inputs[0].buffer = (inputs[0].buffer + 1) % count;
            }
            Call::Local { args, .. } => {
                let arg = args.first_mut()?;
                arg.buffer = (arg.buffer + 1) % count;
            }
            Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } | Call::Region { .. } => {
                return None;
            }
        }
        Some(out)
    }),
    ("other result", |c, b, n| {
        let mut out = c.clone();
        let count = out.buffers.len();
        match call(&mut out, b, n) {
            Call::Kernel(Kernel { outputs, .. }) => {
                outputs[0].buffer = (outputs[0].buffer + 1) % count;
            }
            Call::Local { out, .. } => out.buffer = (out.buffer + 1) % count,
            Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } | Call::Region { .. } => {
                return None;
            }
        }
        Some(out)
    }),
    ("swapped arguments", |c, b, n| {
        let mut out = c.clone();
        match call(&mut out, b, n) {
            Call::Local { args, .. } if args.len() > 1 => args.swap(0, 1),
            _ => return None,
        }
        Some(out)
    }),
    ("not cleared", |c, b, n| {
        let mut out = c.clone();
        let Call::Copy { clear: clear @ Some(_), .. } = call(&mut out, b, n) else { return None };
        *clear = None;
        Some(out)
    }),
    ("smaller tile", |c, b, n| {
        let mut out = c.clone();
        let Call::Kernel(Kernel { tile, .. }) = call(&mut out, b, n) else { return None };
        let tile = *tile;
        let range = out.tiles[tile].iter_mut().find(|r| r.start < r.end)?;
        range.end -= 1;
        Some(out)
    }),
];

/// The calls with every transfer started as late as can be, or waited for as early.
fn rescheduled(calls: &[Calls], late: bool) -> Vec<Calls> {
    let mut out = calls.to_vec();
    for block in out.iter_mut().flat_map(|c| &mut c.blocks) {
        let starts = block.calls.iter().filter_map(|c| match c {
            Call::Start { id, .. } => Some(*id),
            _ => None,
        });
        for id in starts.collect::<Vec<_>>() {
            let at = |list: &[Call], wait: bool| {
                list.iter().position(|c| match c {
                    Call::Start { id: i, .. } => !wait && *i == id,
                    Call::Wait { id: i } => wait && *i == id,
                    _ => false,
                })
            };
            let (Some(s), Some(w)) = (at(&block.calls, false), at(&block.calls, true)) else {
                continue;
            };
            if s < w && late {
                // Not past another start: their order is a rule.
                let next =
                    block.calls[s + 1..w].iter().position(|c| matches!(c, Call::Start { .. }));
                let start = block.calls.remove(s);
                block.calls.insert(next.map_or(w - 1, |n| s + n), start);
            } else if s < w {
                let wait = block.calls.remove(w);
                block.calls.insert(s + 1, wait);
            }
        }
    }
    out
}

/// All calls of a rank, by block and position.
fn places(calls: &Calls) -> Vec<(usize, usize)> {
    let blocks = calls.blocks.iter().enumerate();
    blocks.flat_map(|(b, block)| (0..block.calls.len()).map(move |n| (b, n))).collect()
}

/// What became of the faults.
#[derive(Default)]
struct Tally {
    planted: usize,
    found: BTreeMap<&'static str, usize>,
    /// Faults by name that change no result, whenever transfers start and end.
    harmless: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
}

impl Tally {
    fn add(
        &mut self,
        source: &Plan,
        placed: &Plan,
        calls: &[Calls],
        fault: &'static str,
        name: String,
    ) {
        self.planted += 1;
        let proven = |calls: &[Calls]| certify_calls(source, placed, calls) == Verdict::Proven;
        let finder = match matching(calls) {
            Err(CallError::Mismatch { rule, .. }) => Some(rule),
            Err(CallError::Failed { .. }) => unreachable!("matching computes nothing"),
            Ok(()) => (!proven(calls)).then_some("the certificate"),
        };
        if let Some(finder) = finder {
            *self.found.entry(finder).or_default() += 1;
        } else if [true, false].iter().all(|&late| proven(&rescheduled(calls, late))) {
            *self.harmless.entry(fault).or_default() += 1;
        } else {
            self.unexplained.push(name);
        }
    }
}

#[test]
fn faults_in_the_calls_of_one_rank_are_found() {
    let stride = if cfg!(debug_assertions) { 23 } else { 1 };
    let mut tally = Tally::default();
    let mut count = 0usize;
    for (plan, text) in PLANS {
        for mesh in MESHES {
            for (source, placed) in split(text, mesh) {
                let good = lower_all(&placed);
                let verdict = certify_calls(&source, &placed, &good);
                assert_eq!(verdict, Verdict::Proven, "{plan} {mesh}");
                for rank in [0, good.len() - 1] {
                    for (b, n) in places(&good[rank]) {
                        for (fault, plant) in FAULTS {
                            count += 1;
                            let bad =
                                count.is_multiple_of(stride).then(|| plant(&good[rank], b, n));
                            if let Some(bad) = bad.flatten().filter(|bad| *bad != good[rank]) {
                                let mut calls = good.clone();
                                calls[rank] = bad;
                                let name = format!("{plan} {mesh} {rank} {b}.{n} {fault}");
                                tally.add(&source, &placed, &calls, fault, name);
                            }
                        }
                    }
                }
            }
        }
    }
    let Tally { planted, found, harmless, unexplained } = tally;
    println!("planted {planted}\nfound by {found:?}\nwithout effect {harmless:?}");
    for name in &unexplained {
        println!("unexplained: {name}");
    }
    assert_eq!(unexplained.len(), 0);
    assert!(found.values().sum::<usize>() >= if stride == 1 { 5000 } else { 200 });
}

const TWO: &str = "mesh p=2 (2 ranks)
let A = (i) <- (j)      : f64[3, 4/p]
let L = (i) <- (i~1:1)  : f64[4/p]
%0 = input x            : f64[4/p]
%1 = halo %0            : f64[4/p~1:1]
%2 = apply L %1         : f64[4/p]
%3 = apply A %2         : f64[3] +p
%4 = all_reduce p %3    : f64[3]
return %4
comm 2 calls, 24 B per rank
";

/// On each of two ranks: copy, start, wait, L, A, start, wait.
const EXCHANGE: usize = 1;
const STENCIL: usize = 3;
const REDUCE: usize = 5;

fn start(calls: &mut Calls, n: usize) -> &mut Transfer {
    match call(calls, 0, n) {
        Call::Start { transfer, .. } => transfer,
        other => panic!("{other:?} starts nothing"),
    }
}

type Break = (&'static str, fn(&mut [Calls]));

/// For each rule what breaks it and no other.
const BREAKS: [Break; 12] = [
    ("same blocks", |c| drop(c[1].blocks.pop())),
    ("one order", |c| c.iter_mut().for_each(|c| start(c, REDUCE).tag = 0)),
    ("one wait", |c| c.iter_mut().for_each(|c| drop(c.blocks[0].calls.pop()))),
    ("same collective", |c| start(&mut c[0], REDUCE).add = true),
    ("same type", |c| {
        let sent = start(&mut c[0], REDUCE).sends[0].slabs[0].buffer;
        c[0].buffers[sent].dtype = Dtype::F32;
    }),
    ("same count", |c| {
        let transfer = start(&mut c[0], REDUCE);
        let packets = transfer.sends.iter_mut().chain(&mut transfer.recvs);
        packets.flat_map(|p| &mut p.slabs).for_each(|s| s.region[0].end -= 1);
    }),
    ("same group", |c| {
        c[0].groups.push(vec![1, 0]);
        let group = c[0].groups.len() - 1;
        let transfer = start(&mut c[0], EXCHANGE);
        transfer.group = group;
        transfer.sends.iter_mut().chain(&mut transfer.recvs).for_each(|p| p.peer = 0);
    }),
    ("no deadlock", |c| drop(c[0].blocks[0].calls.drain(REDUCE..))),
    ("inside its buffer", |c| c[0].buffers.iter_mut().for_each(|b| b.len -= 1)),
    ("whole packets", |c| {
        let transfer = start(&mut c[0], REDUCE);
        transfer.sends.push(transfer.sends[0].clone());
    }),
    ("own output", |c| match call(&mut c[0], 0, STENCIL) {
        Call::Kernel(Kernel { inputs, outputs, .. }) => outputs[0].buffer = inputs[0].buffer,
        other => panic!("{other:?} is no kernel"),
    }),
    ("in flight", |c| c[0].blocks[0].calls.swap(EXCHANGE + 1, STENCIL)),
];

#[test]
fn each_rule_has_calls_that_break_it() {
    let good = lower_all(&adjoin_passes::text::parse(TWO).unwrap());
    assert_eq!(matching(&good), Ok(()));
    for (rule, damage) in BREAKS {
        let mut bad = good.clone();
        damage(&mut bad);
        match matching(&bad) {
            Err(CallError::Mismatch { rule: found, .. }) => assert_eq!(found, rule),
            other => panic!("{rule} was not broken: {other:?}"),
        }
    }
}

/// The pieces of the vector are two elements and one; the second is padded.
const BOTH: &str = "mesh p=2 (2 ranks)
let A = (i) <- (j)               : f32[4/p, 3]
%0 = input u                     : f32[4/p]
%1 = dot %0 %0                   : f64[] +p
%2 = apply A.H %0                : f32[3] +p
%3, %4 = reduce_scatter p %2 %1  : f32[3/p], f64[]
return %3 %4
";

/// What is done to a transfer, and the end of the message about it.
type Damage = (fn(&mut Transfer), &'static str);

#[test]
fn messages_of_both_precisions_begin_with_double_and_have_pieces_that_are_alike() {
    let good = lower_all(&adjoin_passes::text::parse(BOTH).unwrap());
    assert_eq!(matching(&good), Ok(()));
    let sums = good[0].blocks[0].calls.iter().position(|c| matches!(c, Call::Start { .. }));
    let sums = sums.unwrap();
    let reals = |packet| good[0].reals(packet);
    let transfer = start(&mut good[0].clone(), sums).clone();
    let pieces: Vec<_> = transfer.sends.iter().chain(&transfer.recvs).map(reals).collect();
    assert_eq!(pieces, [Reals { double: 1, single: 2 }; 3]);
    let breaks: [Damage; 4] = [
        (|t| t.sends[0].slabs.reverse(), "has single before double precision"),
        (|t| drop(t.sends[1].slabs.pop()), "has pieces that are not alike"),
        (|t| drop(t.recvs[0].slabs.remove(0)), "has pieces that are not alike"),
        (|t| t.add = true, "adds elements of two precisions"),
    ];
    for (damage, text) in breaks {
        let mut bad = good.clone();
        damage(start(&mut bad[0], sums));
        match matching(&bad) {
            Err(CallError::Mismatch { rule: "same type", message, .. }) => {
                assert!(message.ends_with(text), "{message}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}
