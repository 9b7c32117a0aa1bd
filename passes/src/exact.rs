//! The arithmetic of certificates: GF(p²) with random leaves.

use crate::calls::{Buffer, Slab, View};
use crate::field::{Gf, P, hash, random};
use crate::interpret::{Arithmetic, Place};
use crate::ir::{LeafId, Map, Op, Plan, Reduction};
use crate::placement::Region;
use crate::reference::{Array, Leaves, Number};
use crate::stand_in::StandIn;
use std::ops::Range;

/// Exact arithmetic with a random operator for each leaf of a plan.
pub struct Exact<'a> {
    stand_ins: Vec<StandIn<'a>>,
    slots: Vec<Gf>,
    plan: &'a Plan,
}

impl<'a> Exact<'a> {
    /// Random leaves and slots for a plan.
    pub fn new(plan: &'a Plan) -> Self {
        let stand_ins = plan.leaves.iter().enumerate().map(|(i, l)| StandIn::new(l, i)).collect();
        let slot =
            |(i, s): (usize, &crate::ir::Slot)| random(&[0x510, i as u64], s.dtype.is_complex());
        Exact { stand_ins, slots: plan.slots.iter().enumerate().map(slot).collect(), plan }
    }

    /// The numbers in the slots.
    pub fn slots(&self) -> &[Gf] {
        &self.slots
    }
}

impl Number for Gf {
    const ZERO: Self = Gf::ZERO;
    const ONE: Self = Gf::ONE;
    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn negate(self) -> Self {
        -self
    }
    fn times(self, other: Self) -> Self {
        self * other
    }
    fn conjugate(self) -> Self {
        self.conj()
    }
    fn real(self) -> Self {
        self.re()
    }
    fn map(map: &Map, args: &[Self]) -> Self {
        match map {
            Map::Mul => args[0] * args[1],
            Map::Div => args[0] * args[1].inverse(),
            Map::Sqrt
            | Map::Abs
            | Map::Max
            | Map::Min
            | Map::Less
            | Map::Select
            | Map::Soft
            | Map::Hard
            | Map::Clip
            | Map::Named(_) => uninterpreted(&format!("{map:?}"), args, 0),
        }
    }
    fn call(name: &str, args: &[Vec<Self>], len: usize) -> Vec<Self> {
        let all = args.concat();
        (0..len).map(|i| uninterpreted(name, &all, i)).collect()
    }
    fn larger(self, other: Self) -> bool {
        self.norm() > other.norm()
    }
    fn absolute(self) -> Self {
        Gf::real(self.norm())
    }
    fn integer(n: usize) -> Self {
        Gf::real(n as u64)
    }
    fn index(self, below: usize) -> usize {
        (self.re % below.max(1) as u64) as usize
    }
}

/// A function of which nothing is known but that equal arguments give equal results.
fn uninterpreted(name: &str, args: &[Gf], index: usize) -> Gf {
    let mut words: Vec<u64> = name.bytes().map(u64::from).collect();
    words.push(index as u64);
    words.extend(args.iter().flat_map(|z| [z.re, z.im]));
    random(&words, true)
}

/// A random part: the same elements wherever it is asked for.
pub fn random_array(name: &str, dims: &[usize], complex: bool) -> Array<Gf> {
    let seed = hash(&name.bytes().map(u64::from).collect::<Vec<_>>());
    let len: usize = dims.iter().product();
    let data = (0..len as u64).map(|i| random(&[seed, i], complex)).collect();
    Array { dims: dims.to_vec(), data }
}

impl Leaves<Gf> for Exact<'_> {
    fn apply(
        &mut self,
        leaf: LeafId,
        adjoint: bool,
        x: &[Array<Gf>],
    ) -> Result<Vec<Array<Gf>>, String> {
        let s = &self.plan[leaf].signature;
        let (from, to) = if adjoint { (&s.range, &s.domain) } else { (&s.domain, &s.range) };
        let extra = &x[0].dims[from[0].len()..];
        let shapes: Vec<Vec<usize>> = to.iter().map(|d| [d, extra].concat()).collect();
        let tile: Vec<_> = s.rule.factors.iter().map(|f| 0..f.size).collect();
        let whole = |dims: &[usize]| dims.iter().map(|&n| 0..n).collect::<Vec<Range<usize>>>();
        let in_held: Vec<_> = x.iter().map(|a| whole(&a.dims)).collect();
        let out_held: Vec<_> = shapes.iter().map(|d| whole(d)).collect();
        let mut data: Vec<Vec<Gf>> =
            shapes.iter().map(|d| vec![Gf::ZERO; d.iter().product()]).collect();
        let inputs: Vec<_> = in_held.iter().zip(x).map(|(h, a)| (h, a.data.as_slice())).collect();
        let mut outputs: Vec<_> =
            out_held.iter().zip(&mut data).map(|(h, d)| (h, d.as_mut_slice())).collect();
        self.stand_ins[leaf.0 as usize].apply(adjoint, &tile, &inputs, &mut outputs);
        Ok(shapes.into_iter().zip(data).map(|(dims, data)| Array { dims, data }).collect())
    }
}

impl Arithmetic for Exact<'_> {
    type Memory = Vec<Gf>;

    fn allocate(&self, buffer: &Buffer) -> Vec<Gf> {
        // Not zero, so that reading what nobody wrote is seen.
        (0..buffer.len as u64).map(|i| random(&[0xdead, i], true)).collect()
    }

    fn kernel(
        &mut self,
        place: &Place<'_>,
        inputs: &[(&View, &Vec<Gf>)],
        outputs: &mut [(&View, Vec<Gf>)],
    ) -> Result<(), String> {
        for (view, memory) in outputs.iter_mut() {
            memory[view.span()].fill(Gf::ZERO);
        }
        let inputs: Vec<_> =
            inputs.iter().map(|(v, m)| (&v.held, m.get(v.span()).unwrap_or(&[]))).collect();
        let mut outputs: Vec<_> =
            outputs.iter_mut().map(|(v, m)| (&v.held, &mut m[v.span()])).collect();
        let stand_in = &self.stand_ins[place.leaf.0 as usize];
        let held = |all: &mut dyn Iterator<Item = &'_ Region>| all.cloned().collect::<Vec<_>>();
        let ends = (held(&mut inputs.iter().map(|i| i.0)), held(&mut outputs.iter().map(|o| o.0)));
        stand_in.fits(place.adjoint, place.tile, &ends.0, &ends.1)?;
        stand_in.apply(place.adjoint, place.tile, &inputs, &mut outputs);
        Ok(())
    }

    fn local(
        &mut self,
        op: &Op,
        args: &[(&View, &Vec<Gf>)],
        (out, memory): (&View, &mut Vec<Gf>),
    ) -> Result<(), String> {
        let args: Vec<Operand> =
            args.iter().map(|(view, m)| Operand { view, data: &m[view.span()] }).collect();
        fits(op, &args, out)?;
        let result = self.node(op, &args, out)?;
        for (to, z) in memory[out.offset..].iter_mut().zip(result) {
            *to = if out.dtype.is_complex() { z } else { z.re() };
        }
        Ok(())
    }

    fn clear(&self, view: &View, memory: &mut Vec<Gf>) {
        memory[view.span()].fill(Gf::ZERO);
    }

    fn pack(&self, memory: &Vec<Gf>, slab: &Slab, message: &mut Vec<Gf>) {
        positions(slab, |p| message.push(memory[p]));
    }

    fn unpack(
        &self,
        message: &Vec<Gf>,
        begin: usize,
        slab: &Slab,
        memory: &mut Vec<Gf>,
        add: bool,
    ) {
        let mut next = begin;
        positions(slab, |p| {
            let z = message[next];
            memory[p] = if add { memory[p] + z } else { z };
            next += 1;
        });
    }

    fn sum(&self, into: &mut Vec<Gf>, other: &Vec<Gf>) {
        for (a, b) in into.iter_mut().zip(other) {
            *a = *a + *b;
        }
    }
}

/// An argument of a local node.
struct Operand<'a> {
    view: &'a View,
    data: &'a [Gf],
}

impl Operand<'_> {
    /// The local extent of the leading dim.
    fn extent(&self) -> usize {
        self.view.held.first().map_or(0, std::ops::Range::len)
    }

    /// Element `i` of a value that is as long as the result, or repeats along leading dims.
    fn at(&self, i: usize) -> Gf {
        self.data[i % self.data.len().max(1)]
    }
}

impl Exact<'_> {
    fn node(&self, op: &Op, args: &[Operand], out: &View) -> Result<Vec<Gf>, String> {
        let n = out.len();
        let each = |f: &dyn Fn(usize) -> Gf| Ok((0..n).map(f).collect());
        match op {
            Op::Slot(slot) => each(&|_| self.slots[slot.0 as usize]),
            Op::Zero => each(&|_| Gf::ZERO),
            Op::Add => each(&|i| args.iter().fold(Gf::ZERO, |s, a| s + a.data[i])),
            Op::Sub => each(&|i| args[0].data[i] - args[1].data[i]),
            Op::Neg => each(&|i| -args[0].data[i]),
            Op::Scale => each(&|i| args[0].at(i) * args[1].data[i]),
            Op::Axpy => each(&|i| args[0].at(i) * args[1].data[i] + args[2].data[i]),
            Op::Conj => each(&|i| args[0].data[i].conj()),
            Op::Project(p) => each(&|i| {
                let z = args[0].data[i];
                if p.is_real(&out.dims, out.global(i)) { z.re() } else { z }
            }),
            Op::Cast => each(&|i| args[0].data[i]),
            Op::Dot { .. } => each(&|c| inner(args[0].data, args[1].data, c, n)),
            Op::Map(map) => {
                each(&|i| Gf::map(map, &args.iter().map(|a| a.at(i)).collect::<Vec<_>>()))
            }
            Op::Call(name) => {
                Ok(Gf::call(name, &args.iter().map(|a| a.data.to_vec()).collect::<Vec<_>>(), n))
            }
            Op::Reduce(r) if args.len() == 1 => Ok(best(&args[0])),
            Op::Reduce(r) => Ok(vec![winner(*r, args[0].data)]),
            Op::Take => {
                let k = args[1].data[0].index(args[0].view.dims[0]);
                each(&|i| args[0].data[k * n + i])
            }
            Op::Put => {
                let size = args[2].data.len();
                let k = args[1].data[0].index(args[0].view.dims[0]);
                each(&|i| {
                    if size > 0 && i / size == k { args[2].data[i % size] } else { args[0].data[i] }
                })
            }
            Op::Combine => each(&|i| {
                let terms = args[0].data.iter().enumerate();
                terms.fold(Gf::ZERO, |s, (k, h)| s + *h * args[1].data[k * n + i])
            }),
            Op::Dots => {
                let size = args[1].data.len();
                each(&|k| inner(&args[0].data[k * size..(k + 1) * size], args[1].data, 0, 1))
            }
            Op::OneHot => {
                let k = args[0].data[0].index(out.dims.iter().product());
                each(&|i| if out.global(i) == k { Gf::ONE } else { Gf::ZERO })
            }
            other => Err(format!("{other:?} is no local node")),
        }
    }
}

/// Whether a rank's operands are as long as the operation takes them.
fn fits(op: &Op, args: &[Operand], out: &View) -> Result<(), String> {
    let n = out.len();
    let is = |k: usize, len: usize| args.get(k).is_some_and(|a| a.data.len() == len);
    let repeats = |a: &Operand| n == 0 || !a.data.is_empty();
    let leads = |k: usize, rest: usize| {
        args.get(k).is_some_and(|a| a.data.len() == a.extent() * rest && a.extent() > 0)
    };
    let fit = match op {
        Op::Slot(_) | Op::Zero | Op::Call(_) | Op::Reduce(_) => true,
        Op::Add => (0..args.len()).all(|k| is(k, n)),
        Op::Sub => is(0, n) && is(1, n),
        Op::Neg | Op::Conj | Op::Cast | Op::Project(_) => is(0, n),
        Op::Scale => args.first().is_some_and(repeats) && is(1, n),
        Op::Axpy => args.first().is_some_and(repeats) && is(1, n) && is(2, n),
        Op::Map(_) => args.iter().all(repeats),
        Op::Dot { .. } => args.first().is_some_and(|a| is(1, a.data.len())),
        Op::Take => leads(0, n) && is(1, 1),
        Op::Put => is(0, n) && is(1, 1) && args.get(2).is_some_and(|a| leads(0, a.data.len())),
        Op::Combine => args.first().is_some_and(|h| is(1, h.data.len() * n)),
        Op::Dots => args.get(1).is_some_and(|x| is(0, x.data.len() * n)),
        Op::OneHot => is(0, 1),
        _ => false,
    };
    if fit { Ok(()) } else { Err(format!("{op:?} is given operands that do not fit")) }
}

fn inner(a: &[Gf], b: &[Gf], column: usize, columns: usize) -> Gf {
    let pairs = a.iter().zip(b).skip(column).step_by(columns.max(1));
    pairs.fold(Gf::ZERO, |s, (a, b)| s + a.conj() * *b)
}

/// The largest element of a rank and its global index; an index beyond all if it has none.
fn best(arg: &Operand) -> Vec<Gf> {
    let mut at: Option<usize> = None;
    for i in 0..arg.data.len() {
        if at.is_none_or(|b| arg.data[i].larger(arg.data[b])) {
            at = Some(i);
        }
    }
    match at {
        Some(i) => vec![arg.data[i].absolute(), Gf::integer(arg.view.global(i))],
        None => vec![Gf::ZERO, Gf { re: P - 1, im: 0 }],
    }
}

/// The winner of all ranks' pairs: the largest value, the smallest index among equals.
fn winner(reduction: Reduction, pairs: &[Gf]) -> Gf {
    let mut best = (Gf::ZERO, Gf { re: P - 1, im: 0 });
    for pair in pairs.chunks(2) {
        let (value, index) = (pair[0], pair[1]);
        if value.re > best.0.re || (value.re == best.0.re && index.re < best.1.re) {
            best = (value, index);
        }
    }
    match reduction {
        Reduction::Max => best.0,
        Reduction::ArgMax => best.1,
    }
}

/// Calls `f` with the position in the buffer of each element of a box, row-major.
fn positions(slab: &Slab, mut f: impl FnMut(usize)) {
    if slab.is_empty() {
        return;
    }
    let mut at: Vec<usize> = slab.region.iter().map(|r| r.start).collect();
    loop {
        f(slab.offset + at.iter().zip(&slab.extents).fold(0, |p, (&i, &n)| p * n + i));
        let mut d = at.len();
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            at[d] += 1;
            if at[d] < slab.region[d].end {
                break;
            }
            at[d] = slab.region[d].start;
        }
    }
}
