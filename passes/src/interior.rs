//! What an application can compute while a halo is on its way, and what has to wait for it.
//!
//! A halo's result is ready where the rank owns it, and everywhere once the ghosts have arrived.
//! Of an application that reads it, the *interior* follows from what is ready; the *rims* are the
//! rest, in boxes. An application that reads another one's result finds it ready in that one's
//! interior, so a chain of stencils has interiors too, each smaller than the one before.
//! A region of a stencil and its adjoint is in pieces as a whole: of what lies between each piece
//! makes the rows that it needs, those at its ends again.
//! An interior may be empty: then the application waits as a whole.

use crate::ir::{Applied, Block, Leaf, LeafId, Node, Op, Plan, SplitHalo, Value};
use crate::placement::{Region, volume};
use crate::region::composed;
use crate::signature::{Binding, Rule, Spread};
use std::collections::BTreeMap;
use std::ops::Range;

/// A part of an application: a tile, and the boxes that it reads and makes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    pub tile: Vec<Range<usize>>,
    pub inputs: Vec<Region>,
    pub outputs: Vec<Region>,
}

/// What a node does while a halo is on its way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// It needs nothing of the halo.
    Free,
    /// Its interior comes first and its rims afterwards.
    Pieces { interior: Piece, rims: Vec<Piece> },
    /// It waits as a whole.
    Late,
}

/// The nodes of a split halo, while they join it in their order.
pub(crate) struct Travel<'a> {
    plan: &'a Plan,
    /// For each value whether it follows from the halo.
    late: Vec<bool>,
}

impl<'a> Travel<'a> {
    /// A halo that nobody has followed yet.
    pub fn new(plan: &'a Plan, block: &Block, halo: &Node) -> Result<Self, String> {
        if halo.op != Op::Halo {
            return Err("begins without a halo".into());
        }
        let mut late = vec![false; block.types.len()];
        halo.results.iter().for_each(|r| late[r.index()] = true);
        Ok(Travel { plan, late })
    }

    /// Adds a node, or says why it cannot be there; whether it follows from the halo.
    pub fn join(&mut self, node: &Node) -> Result<bool, String> {
        if node.op.communicates() {
            return Err("communicates while a halo is on its way".into());
        }
        if !node.args.iter().any(|v| self.late[v.index()]) {
            return Ok(false);
        }
        let one_part = |leaf: LeafId| {
            self.plan
                .leaves
                .get(leaf.0 as usize)
                .is_some_and(|l| l.signature.rule.domain.len() == 1)
        };
        if !applied(node).is_some_and(|(leaf, adjoint)| !adjoint || one_part(leaf)) {
            return Err("follows from a halo that is on its way and has no interior".into());
        }
        node.results.iter().for_each(|r| self.late[r.index()] = true);
        Ok(true)
    }
}

fn applied(node: &Node) -> Option<(LeafId, bool)> {
    let Op::Apply(applied) = node.op else { return None };
    match applied {
        Applied::Leaf(leaf) => Some((leaf, false)),
        Applied::Adjoint(leaf) => Some((leaf, true)),
        Applied::Term(_) => None,
    }
}

/// What each node after the halo does on the rank at these coordinates.
pub(crate) fn parts(plan: &Plan, block: &Block, split: SplitHalo, at: &[usize]) -> Vec<Part> {
    let halo = &block.nodes[split.first as usize];
    let owned = |arg: &Value| block.ty(*arg).owned(&plan.mesh, at);
    let ready = halo.results.iter().zip(&halo.args).map(|(&r, arg)| (r, owned(arg))).collect();
    let mut travel = Rank { plan, block, at, ready };
    let nodes = &block.nodes[split.nodes()][1..];
    let mut parts: Vec<_> = nodes.iter().map(|node| travel.part(node)).collect();
    for region in block.regions.iter().filter(|r| split.nodes().contains(&(r.first as usize))) {
        let k = region.nodes().start - split.nodes().start - 1;
        if let [first, second, ..] = &mut parts[k..] {
            *first = travel.between(&nodes[k], second);
        }
    }
    parts
}

/// How a split halo divides the work of its nodes on a rank in the middle of the mesh.
pub(crate) struct Division {
    /// For each node after the halo the share of its elements that does not wait.
    pub inside: Vec<f64>,
    /// Bytes that are copied because boxes are no whole rows, read and written.
    pub copied: f64,
    /// How many calls there are more than without.
    pub calls: usize,
}

/// The division of a split halo.
pub(crate) fn division(plan: &Plan, block: &Block, split: SplitHalo) -> Division {
    let middle: Vec<_> = plan.mesh.axes.iter().map(|(_, n)| n / 2).collect();
    let mut out = Division { inside: Vec::new(), copied: 0.0, calls: 0 };
    // What lies between a stencil and its adjoint stays in their call.
    let composed = block.regions.iter().filter(|r| composed(plan, block, r));
    let between: Vec<_> = composed.flat_map(|r| &block.nodes[r.first as usize].results).collect();
    let nodes = &block.nodes[split.nodes()][1..];
    for (node, part) in nodes.iter().zip(parts(plan, block, split, &middle)) {
        let (interior, rims) = match &part {
            Part::Free => {
                out.inside.push(1.0);
                continue;
            }
            Part::Late => {
                out.inside.push(0.0);
                continue;
            }
            Part::Pieces { interior, rims } => (interior, rims),
        };
        let elements = |piece: &Piece| piece.outputs.iter().map(volume).sum::<usize>() as f64;
        let all: f64 = rims.iter().chain([interior]).map(elements).sum();
        out.inside.push(elements(interior) / all);
        if !node.results.iter().any(|r| between.contains(&r)) {
            out.calls += rims.len();
        }
        for piece in rims.iter().chain([interior]) {
            let ends = node.args.iter().zip(&piece.inputs);
            for (&v, inner) in ends.chain(node.results.iter().zip(&piece.outputs)) {
                let ty = block.ty(v);
                let lies = contiguous(&ty.held(&plan.mesh, &middle), inner).is_some();
                if !lies && !between.contains(&&v) {
                    out.copied += 2.0 * (volume(inner) * ty.dtype.size()) as f64;
                    out.calls += 1;
                }
            }
        }
    }
    out
}

/// One rank, and what is ready of the values that follow from the halo.
struct Rank<'a> {
    plan: &'a Plan,
    block: &'a Block,
    at: &'a [usize],
    ready: BTreeMap<Value, Region>,
}

impl Rank<'_> {
    fn part(&mut self, node: &Node) -> Part {
        if !node.args.iter().any(|v| self.ready.contains_key(v)) {
            return Part::Free;
        }
        let part = applied(node).and_then(|(leaf, adjoint)| {
            let leaf = &self.plan[leaf];
            let apply = Apply { rank: self, leaf, rule: &leaf.signature.rule, node };
            if adjoint { apply.adjoint() } else { apply.forward() }
        });
        let part = part.unwrap_or(Part::Late);
        for (k, &r) in node.results.iter().enumerate() {
            let ready = match &part {
                Part::Pieces { interior, .. } => interior.outputs[k].clone(),
                Part::Free | Part::Late => self.held(r).iter().map(|_| 0..0).collect(),
            };
            self.ready.insert(r, ready);
        }
        part
    }

    /// Of a stencil whose adjoint follows in one region the rows that each of its pieces needs.
    fn between(&self, node: &Node, adjoint: &Part) -> Part {
        let Some((leaf, false)) = applied(node) else { return adjoint.clone() };
        let leaf = &self.plan[leaf];
        let apply = Apply { rank: self, leaf, rule: &leaf.signature.rule, node };
        let rows = |piece: &Piece| apply.rows(piece.tile.clone());
        match adjoint {
            Part::Pieces { interior, rims } => {
                Part::Pieces { interior: rows(interior), rims: rims.iter().map(rows).collect() }
            }
            Part::Free | Part::Late => adjoint.clone(),
        }
    }

    fn held(&self, value: Value) -> Region {
        self.block.ty(value).held(&self.plan.mesh, self.at)
    }
}

/// An application whose interior is sought.
struct Apply<'a> {
    rank: &'a Rank<'a>,
    leaf: &'a Leaf,
    rule: &'a Rule,
    node: &'a Node,
}

impl Apply<'_> {
    fn tile(&self, range: &[Value]) -> Vec<Range<usize>> {
        let block = self.rank.block;
        let range: Vec<_> = range.iter().map(|&v| block.ty(v)).collect();
        self.leaf.tile_at(&self.rank.plan.mesh, self.rank.at, &self.leaf.extension(&range))
    }

    /// For each dim of each argument that is not ready as far as it is needed: its binding, what is
    /// needed at least of it, and what is ready.
    fn missing(&self, side: &[Vec<Binding>]) -> Vec<(Binding, Range<usize>, Range<usize>)> {
        let mut out = Vec::new();
        for (&v, bindings) in self.node.args.iter().zip(side) {
            let Some(ready) = self.rank.ready.get(&v) else { continue };
            for ((binding, held), ready) in bindings.iter().zip(self.rank.held(v)).zip(ready) {
                if held != *ready {
                    out.push((binding.clone(), held, ready.clone()));
                }
            }
        }
        out
    }

    /// The rows whose arguments are ready.
    fn forward(&self) -> Option<Part> {
        let whole = self.tile(&self.node.results);
        let mut inner = whole.clone();
        for (binding, _, ready) in self.missing(&self.rule.domain) {
            let f = binding.factor;
            if binding.spread != Spread::One || !self.rule.in_range(f) {
                return None;
            }
            let needed = widened(&whole[f], binding.halo, self.rule.factors[f].size);
            if ready.start > needed.start {
                inner[f].start = inner[f].start.max(ready.start + binding.halo.0);
            }
            if ready.end < needed.end {
                inner[f].end = inner[f].end.min(ready.end.saturating_sub(binding.halo.1));
            }
        }
        divided(&whole, &inner, |tile| self.rows(tile))
    }

    /// The elements to which only rows that are ready contribute.
    fn adjoint(&self) -> Option<Part> {
        let tile = self.tile(&self.node.args);
        let [bindings] = self.rule.domain.as_slice() else { return None };
        let whole = self.rank.held(*self.node.results.first()?);
        let mut inner = whole.clone();
        for (row, _, ready) in self.missing(&self.rule.range) {
            let d = bindings.iter().position(|b| b.factor == row.factor)?;
            if row.spread != Spread::One || bindings[d].spread != Spread::One {
                return None;
            }
            let (lo, hi) = bindings[d].halo;
            let needed = contributing(&tile[row.factor], &whole[d], (lo, hi));
            if ready.start > needed.start {
                inner[d].start = inner[d].start.max(ready.start + hi);
            }
            if ready.end < needed.end {
                inner[d].end = inner[d].end.min(ready.end.saturating_sub(lo));
            }
        }
        divided(&whole, &inner, |held| self.elements(&tile, held))
    }

    /// The application on some rows.
    fn rows(&self, tile: Vec<Range<usize>>) -> Piece {
        let inputs = self.boxes(&self.rule.domain, &self.node.args, &tile);
        let outputs = self.boxes(&self.rule.range, &self.node.results, &tile);
        Piece { tile, inputs, outputs }
    }

    /// The application for some elements of its only result.
    fn elements(&self, tile: &[Range<usize>], held: Region) -> Piece {
        let mut tile = tile.to_vec();
        for (binding, dim) in self.rule.domain[0].iter().zip(&held) {
            if binding.spread == Spread::One {
                let f = binding.factor;
                tile[f] = contributing(&tile[f], dim, binding.halo);
            }
        }
        let inputs = self.boxes(&self.rule.range, &self.node.args, &tile);
        Piece { tile, inputs, outputs: vec![held] }
    }

    /// What a tile reaches of some parts, trailing dims included.
    fn boxes(&self, side: &[Vec<Binding>], values: &[Value], tile: &[Range<usize>]) -> Vec<Region> {
        let part = |(bindings, &v): (&Vec<Binding>, &Value)| {
            let reached = bindings.iter().map(|b| {
                let own = &tile[b.factor];
                let own = b.spread.at(own.start)..b.spread.at(own.end);
                widened(&own, b.halo, self.rule.extent(b))
            });
            let mut out: Region = reached.collect();
            out.extend_from_slice(&self.rank.held(v)[bindings.len()..]);
            out
        };
        side.iter().zip(values).map(part).collect()
    }
}

/// The rows of a tile that contribute to some elements of a dim.
fn contributing(
    tile: &Range<usize>,
    elements: &Range<usize>,
    (lo, hi): (usize, usize),
) -> Range<usize> {
    let rows = widened(elements, (hi, lo), usize::MAX);
    rows.start.max(tile.start)..rows.end.min(tile.end)
}

fn widened(own: &Range<usize>, (lo, hi): (usize, usize), extent: usize) -> Range<usize> {
    own.start.saturating_sub(lo)..own.end.saturating_add(hi).min(extent)
}

/// The piece of an inner box and those around it; none if there is no inside, or nothing else.
fn divided(whole: &Region, inner: &Region, piece: impl Fn(Region) -> Piece) -> Option<Part> {
    let inside = inner.iter().all(|r| r.start < r.end);
    (inside && inner != whole).then(|| Part::Pieces {
        interior: piece(inner.clone()),
        rims: around(whole, inner).into_iter().map(piece).collect(),
    })
}

/// Boxes that cover what is in one box and not in another inside it.
fn around(whole: &Region, inner: &Region) -> Vec<Region> {
    let mut out = Vec::new();
    for d in 0..whole.len() {
        let (all, own) = (&whole[d], &inner[d]);
        for side in [all.start..own.start, own.end..all.end] {
            if !side.is_empty() {
                let dims = inner[..d].iter().cloned().chain([side]);
                out.push(dims.chain(whole[d + 1..].iter().cloned()).collect());
            }
        }
    }
    out.retain(|rim| volume(rim) > 0);
    out
}

/// Whether the elements of a box of a row-major array follow each other, and where they begin.
pub(crate) fn contiguous(held: &Region, inner: &Region) -> Option<usize> {
    let Some(d) = held.iter().zip(inner).position(|(held, own)| held != own) else {
        return Some(0);
    };
    let after: usize = held[d + 1..].iter().map(Range::len).product();
    let one = held[..d].iter().all(|r| r.len() == 1);
    (one && inner[d + 1..] == held[d + 1..]).then(|| (inner[d].start - held[d].start) * after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::read;

    fn of(plan: &str, at: &[usize]) -> Vec<Part> {
        let plan = read(plan);
        let block = &plan.blocks[0];
        let last = block.nodes.len() as u32 - 1;
        parts(&plan, block, SplitHalo { first: 1, last }, at)
    }

    fn outputs(part: &Part) -> (Region, Vec<Region>) {
        let Part::Pieces { interior, rims } = part else { panic!("{part:?}") };
        (interior.outputs[0].clone(), rims.iter().map(|p| p.outputs[0].clone()).collect())
    }

    const CHAIN: &str = "mesh p=3 (3 ranks)
        let S = (i, j) <- (i~1:2, j) : f64[30/p, 4]
        %0 = input x : f64[30/p, 4]
        %1 = halo %0 : f64[30/p~3:3, 4]
        %2 = apply S %1 : f64[30/p~2:1, 4]
        %3 = apply S.H %2 : f64[30/p, 4]
        return %3";

    #[test]
    fn interiors_of_a_chain_shrink() {
        let inner = of(CHAIN, &[1]);
        assert_eq!(
            outputs(&inner[0]),
            (vec![11..18, 0..4], vec![vec![8..11, 0..4], vec![18..21, 0..4]])
        );
        assert_eq!(
            outputs(&inner[1]),
            (vec![13..17, 0..4], vec![vec![10..13, 0..4], vec![17..20, 0..4]])
        );
        // At the ends of the axis nothing is missing.
        assert_eq!(outputs(&of(CHAIN, &[0])[0]), (vec![0..8, 0..4], vec![vec![8..11, 0..4]]));
        assert_eq!(outputs(&of(CHAIN, &[2])[1]), (vec![23..30, 0..4], vec![vec![20..23, 0..4]]));
    }

    #[test]
    fn thin_blocks_have_no_interior() {
        let thin = CHAIN.replace("30/", "9/");
        assert_eq!(of(&thin, &[1]), [Part::Late, Part::Late]);
        // One row is left of the first stencil, and none of the second.
        let thin = CHAIN.replace("30/", "12/");
        assert_eq!(outputs(&of(&thin, &[1])[0]).0, [5..6, 0..4]);
        assert_eq!(of(&thin, &[1])[1], Part::Late);
    }

    #[test]
    fn two_dims_have_four_rims() {
        let plan = "mesh r=3 c=3 (9 ranks)
            let S = (i, j) <- (i~1:1, j~1:0) : f64[30/r, 30/c]
            %0 = input x : f64[30/r, 30/c]
            %1 = halo %0 : f64[30/r~1:1, 30/c~1:0]
            %2 = apply S %1 : f64[30/r, 30/c]
            return %2";
        let (inner, rims) = outputs(&of(plan, &[1, 1])[0]);
        assert_eq!(inner, [11..19, 11..20]);
        assert_eq!(rims, [vec![10..11, 10..20], vec![19..20, 10..20], vec![11..19, 10..11]]);
    }

    #[test]
    fn boxes_of_whole_rows_are_contiguous() {
        let held = |rows: Range<usize>, columns: Range<usize>| vec![rows, columns];
        let all = held(3..9, 0..5);
        assert_eq!(contiguous(&all, &held(4..8, 0..5)), Some(5));
        assert_eq!(contiguous(&all, &all), Some(0));
        assert_eq!(contiguous(&all, &held(4..8, 1..5)), None);
        assert_eq!(contiguous(&held(3..4, 0..5), &held(3..4, 2..4)), Some(2));
        assert_eq!(contiguous(&held(3..5, 0..5), &held(3..5, 2..4)), None);
    }
}
