//! Matching: faults planted into the calls of single ranks are found, by rule or by certificate.

mod sample;

use adjoin_passes::Dtype;
use adjoin_passes::calls::{Call, Calls, Kind, Slab};
use adjoin_passes::certify::{Verdict, certify_calls};
use adjoin_passes::interpret::{CallError, matching};
use adjoin_passes::lower::lower_all;
use sample::{PLANS, compiled};
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
        Call::Kernel { .. } | Call::Local { .. } | Call::Wait { .. } => return None,
    }
    Some(out)
}

fn transfer(
    calls: &Calls,
    b: usize,
    n: usize,
    f: impl Fn(&mut adjoin_passes::calls::Transfer, &[Vec<usize>]),
) -> Option<Calls> {
    let mut out = calls.clone();
    let groups = out.groups.clone();
    let Call::Start { transfer, .. } = call(&mut out, b, n) else { return None };
    f(transfer, &groups);
    Some(out)
}

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
    ("other type", |c, b, n| transfer(c, b, n, |t, _| t.dtype = Dtype::F32)),
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
        let Call::Kernel { adjoint, .. } = call(&mut out, b, n) else { return None };
        *adjoint = !*adjoint;
        Some(out)
    }),
    ("result over argument", |c, b, n| {
        let mut out = c.clone();
        match call(&mut out, b, n) {
            Call::Kernel { inputs, outputs, .. } => outputs[0].buffer = inputs[0].buffer,
            Call::Local { args, out, .. } => out.buffer = args.first()?.buffer,
            Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } => return None,
        }
        Some(out)
    }),
    ("other argument", |c, b, n| {
        let mut out = c.clone();
        let count = out.buffers.len();
        match call(&mut out, b, n) {
            Call::Kernel { inputs, .. } => inputs[0].buffer = (inputs[0].buffer + 1) % count,
            Call::Local { args, .. } => {
                let arg = args.first_mut()?;
                arg.buffer = (arg.buffer + 1) % count;
            }
            Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } => return None,
        }
        Some(out)
    }),
    ("other result", |c, b, n| {
        let mut out = c.clone();
        let count = out.buffers.len();
        match call(&mut out, b, n) {
            Call::Kernel { outputs, .. } => outputs[0].buffer = (outputs[0].buffer + 1) % count,
            Call::Local { out, .. } => out.buffer = (out.buffer + 1) % count,
            Call::Copy { .. } | Call::Start { .. } | Call::Wait { .. } => return None,
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
        let Call::Kernel { leaf, .. } = call(&mut out, b, n) else { return None };
        let leaf = leaf.0 as usize;
        let range = out.tiles[leaf].iter_mut().find(|r| r.start < r.end)?;
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
                let start = block.calls.remove(s);
                block.calls.insert(w - 1, start);
            } else if s < w {
                let wait = block.calls.remove(w);
                block.calls.insert(s + 1, wait);
            }
        }
    }
    out
}

#[test]
fn faults_in_the_calls_of_one_rank_are_found() {
    let stride = if cfg!(debug_assertions) { 23 } else { 1 };
    let (mut planted, mut harmless) = (0usize, BTreeMap::new());
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut count = 0usize;
    for (plan, text) in PLANS {
        for mesh in MESHES {
            let (source, placed) = compiled(text, mesh);
            let good = lower_all(&placed);
            assert_eq!(certify_calls(&source, &placed, &good), Verdict::Proven, "{plan} {mesh}");
            for rank in [0, good.len() - 1] {
                for b in 0..good[rank].blocks.len() {
                    for n in 0..good[rank].blocks[b].calls.len() {
                        for (fault, plant) in FAULTS {
                            count += 1;
                            if !count.is_multiple_of(stride) {
                                continue;
                            }
                            let Some(bad) = plant(&good[rank], b, n) else { continue };
                            if bad == good[rank] {
                                continue;
                            }
                            planted += 1;
                            let mut calls = good.clone();
                            calls[rank] = bad;
                            match matching(&calls) {
                                Err(CallError::Mismatch { rule, .. }) => {
                                    *found.entry(rule).or_default() += 1;
                                    continue;
                                }
                                Err(CallError::Failed { .. }) => unreachable!("nothing computes"),
                                Ok(()) => {}
                            }
                            if certify_calls(&source, &placed, &calls) != Verdict::Proven {
                                *found.entry("the certificate").or_default() += 1;
                                continue;
                            }
                            let robust = [true, false].iter().all(|&late| {
                                let other = rescheduled(&calls, late);
                                certify_calls(&source, &placed, &other) == Verdict::Proven
                            });
                            if robust {
                                *harmless.entry(fault).or_insert(0usize) += 1;
                            } else {
                                unexplained.push(format!("{plan} {mesh} {rank} {b}.{n} {fault}"));
                            }
                        }
                    }
                }
            }
        }
    }
    println!("planted {planted}\nfound by {found:?}\nwithout effect {harmless:?}");
    unexplained.iter().for_each(|u| println!("unexplained: {u}"));
    assert_eq!(unexplained.len(), 0);
    assert!(found.values().sum::<usize>() >= if stride == 1 { 5000 } else { 200 });
}
