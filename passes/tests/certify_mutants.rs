//! Faults planted into placed plans are found by the verifier or the certificate, and the
//! certificate of a small copy judges as the one at true sizes does.

mod sample;

use adjoin_passes::certify::{Verdict, certify_calls};
use adjoin_passes::ir::{Applied, Block, Node, Op, Value};
use adjoin_passes::lower::lower_all;
use adjoin_passes::shrink::{ATTEMPTS, shrink};
use adjoin_passes::verify::verify;
use adjoin_passes::{Plan, Split};
use sample::{PLANS, split};
use std::collections::BTreeMap;

const MESHES: [&str; 4] = ["p=2", "p=3", "r=2,c=2", "r=2,c=3"];

/// A fault: its name, and what it does to a node, if it can be there.
type Fault = (&'static str, fn(&mut Block, usize) -> Option<()>);

fn node(block: &mut Block, n: usize) -> &mut Node {
    &mut block.nodes[n]
}

/// Users of the results of a node use its arguments, in the place of the results.
#[allow(clippy::unnecessary_wraps)] // As the other faults, which cannot be everywhere.
fn skip(block: &mut Block, n: usize) -> Option<()> {
    let Node { args, results, .. } = block.nodes[n].clone();
    for (r, a) in results.iter().zip(&args) {
        let ty = block.types[r.index()].clone();
        for v in block.nodes.iter_mut().flat_map(|m| &mut m.args) {
            if v == r {
                *v = *a;
            }
        }
        block.types[a.index()] = ty;
        block.returns.iter_mut().filter(|q| q.value == *r).for_each(|q| q.value = *a);
    }
    Some(())
}

const FAULTS: [Fault; 17] = [
    ("missing reduction", |b, n| match node(b, n).op {
        Op::AllReduce(_) | Op::ReduceScatter(_) | Op::HaloSum => skip(b, n),
        _ => None,
    }),
    ("missing gather", |b, n| match node(b, n).op {
        Op::AllGather(_) | Op::Halo | Op::AllToAll(_) | Op::Exchange => skip(b, n),
        _ => None,
    }),
    ("no reduction but its type", |b, n| {
        let op = &mut node(b, n).op;
        matches!(op, Op::AllReduce(_)).then(|| *op = Op::Copy)
    }),
    ("missing conjugate", |b, n| match node(b, n).op {
        Op::Conj | Op::Neg => skip(b, n),
        _ => None,
    }),
    ("more conjugates", |b, n| {
        let op = &mut node(b, n).op;
        matches!(op, Op::Neg).then(|| *op = Op::Conj)
    }),
    ("narrower halo", |b, n| {
        let r = b.nodes[n].results.first()?.index();
        let ghosts = b.types[r].placement.ghosts.iter_mut().find(|g| g.0 > 0)?;
        ghosts.0 -= 1;
        Some(())
    }),
    ("wider halo", |b, n| {
        let r = b.nodes[n].results.first()?.index();
        let ghosts = b.types[r].placement.ghosts.iter_mut().find(|g| g.1 > 0)?;
        ghosts.1 += 1;
        Some(())
    }),
    ("other axis", |b, n| match &mut node(b, n).op {
        Op::AllReduce(axes) | Op::ReduceScatter(axes) | Op::AllGather(axes) => {
            for axis in axes {
                *axis ^= 1;
            }
            Some(())
        }
        _ => None,
    }),
    ("other split", |b, n| {
        let r = b.nodes[n].results.first()?.index();
        let splits = &mut b.types[r].placement.splits;
        let at = splits.iter().position(|s| !s.axes.is_empty())?;
        splits[at] = Split::none();
        Some(())
    }),
    ("swapped adjoint", |b, n| {
        let Op::Apply(applied) = &mut node(b, n).op else { return None };
        *applied = match *applied {
            Applied::Leaf(l) => Applied::Adjoint(l),
            Applied::Adjoint(l) => Applied::Leaf(l),
            Applied::Term(_) => return None,
        };
        Some(())
    }),
    ("difference", |b, n| {
        let node = node(b, n);
        (node.op == Op::Add && node.args.len() == 2).then(|| node.op = Op::Sub)
    }),
    ("sum", |b, n| {
        let node = node(b, n);
        (node.op == Op::Sub).then(|| node.op = Op::Add)
    }),
    ("swapped arguments", |b, n| {
        let args = &mut node(b, n).args;
        (args.len() > 1).then(|| args.swap(0, 1))
    }),
    ("earlier argument", |b, n| {
        let at = node(b, n).args.first()?.0.checked_sub(1)?;
        node(b, n).args[0] = Value(at);
        Some(())
    }),
    ("other part", |b, n| {
        let Op::Part(begin) = &mut node(b, n).op else { return None };
        *begin = begin.checked_sub(1)?;
        Some(())
    }),
    ("real part of a dot", |b, n| {
        let Op::Dot { real, .. } = &mut node(b, n).op else { return None };
        *real = !*real;
        Some(())
    }),
    ("shared buffer", |b, n| {
        let (v, args) = (b.nodes[n].results.first()?.index(), b.nodes[n].args.clone());
        let buffers = b.buffers.as_mut()?;
        buffers[v] = buffers[args.first()?.index()];
        Some(())
    }),
];

/// What became of the faults.
#[derive(Default)]
struct Tally {
    planted: usize,
    found: BTreeMap<String, usize>,
    /// Faults by name that do not change what the plan computes.
    equal: BTreeMap<&'static str, usize>,
    compared: usize,
    /// Where a small copy and the true sizes do not agree.
    disputed: Vec<String>,
}

impl Tally {
    fn add(&mut self, source: &Plan, bad: &Plan, fault: &'static str, name: &str) {
        self.planted += 1;
        if let Err(violation) = verify(bad) {
            *self.found.entry(format!("rule {}", violation.rule)).or_default() += 1;
            return;
        }
        let proven = judged(source, bad);
        if proven {
            *self.equal.entry(fault).or_default() += 1;
        } else {
            *self.found.entry("the certificate".into()).or_default() += 1;
        }
        let small = (0..ATTEMPTS).find_map(|k| {
            let small = shrink(source, bad, k).ok()?;
            verify(&small.placed).ok().map(|()| small)
        });
        let Some(small) = small else { return };
        self.compared += 1;
        if judged(&small.source, &small.placed) != proven {
            self.disputed.push(format!("{name}\n{bad}\n{}", small.placed));
        }
    }
}

/// What a certificate says of these calls, short.
fn judged(source: &Plan, placed: &Plan) -> bool {
    certify_calls(source, placed, &lower_all(placed)) == Verdict::Proven
}

#[test]
fn faults_in_placed_plans_are_found_and_small_copies_judge_alike() {
    let stride = if cfg!(debug_assertions) { 5 } else { 1 };
    let mut count = 0usize;
    let mut tally = Tally::default();
    for (plan, text) in PLANS {
        for mesh in MESHES {
            for (source, placed) in split(text, mesh) {
                for b in 0..placed.blocks.len() {
                    for n in 0..placed.blocks[b].nodes.len() {
                        for (fault, plant) in FAULTS {
                            count += 1;
                            let mut bad = placed.clone();
                            let there = count.is_multiple_of(stride)
                                && plant(&mut bad.blocks[b], n).is_some()
                                && bad != placed;
                            if there {
                                let name = format!("{plan} {mesh} {b}.{n} {fault}");
                                tally.add(&source, &bad, fault, &name);
                            }
                        }
                    }
                }
            }
        }
    }
    let Tally { planted, found, equal, compared, disputed } = tally;
    println!("planted {planted}\nfound by {found:?}\nstill right {equal:?}");
    println!("{compared} compared with small copies");
    for name in &disputed {
        println!("disputed: {name}");
    }
    assert_eq!(disputed.len(), 0);
    assert!(found.contains_key("the certificate") && compared > 50);
}
