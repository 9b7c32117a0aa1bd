//! Plans without what nobody uses, numbered in order.

use crate::ir::{Applied, Block, Op, Plan, Region, Return, SplitHalo, TermId, Value};
use crate::placement::{Cut, Split};
use petgraph::graph::{DiGraph, NodeIndex};
use std::sync::Arc;

/// Drops nodes whose results nobody uses and terms that nobody applies, renumbers values and
/// terms, and names cuts in order.
pub fn tidy(plan: &Plan) -> Plan {
    let mut out = Plan { terms: Vec::new(), ..plan.clone() };
    out.blocks = plan.blocks.iter().map(tidy_block).collect();
    tidy_terms(plan, &mut out);
    let mut cuts: Vec<Arc<Cut>> = Vec::new();
    for leaf in &mut out.leaves {
        leaf.tile.iter_mut().for_each(|s| name_cut(s, &mut cuts));
    }
    for state in &mut out.states {
        state.ty.placement.splits.iter_mut().for_each(|s| name_cut(s, &mut cuts));
    }
    for ty in out.blocks.iter_mut().flat_map(|b| &mut b.types) {
        ty.placement.splits.iter_mut().for_each(|s| name_cut(s, &mut cuts));
    }
    out
}

/// Terms in the order in which they are applied, each after those that it is made of.
fn tidy_terms(plan: &Plan, out: &mut Plan) {
    let mut known = vec![None; plan.terms.len()];
    let mut blocks = std::mem::take(&mut out.blocks);
    for node in blocks.iter_mut().flat_map(|b| &mut b.nodes) {
        if let Op::Apply(Applied::Term(t)) = &mut node.op {
            *t = tidy_term(plan, out, &mut known, *t);
        }
    }
    out.blocks = blocks;
}

fn tidy_term(plan: &Plan, out: &mut Plan, known: &mut [Option<TermId>], term: TermId) -> TermId {
    let at = term.0 as usize;
    if let Some(done) = known[at] {
        return done;
    }
    let mut made = plan[term].clone();
    for operand in made.operands_mut() {
        *operand = tidy_term(plan, out, known, *operand);
    }
    let made = out.term(made);
    known[at] = Some(made);
    made
}

fn name_cut(split: &mut Split, cuts: &mut Vec<Arc<Cut>>) {
    let Some(cut) = &split.cut else { return };
    let same =
        |c: &Arc<Cut>| c.size == cut.size && c.weights == cut.weights && c.spread == cut.spread;
    let at = cuts.iter().position(same).unwrap_or_else(|| {
        let name = format!("q{}", cuts.len());
        cuts.push(Arc::new(Cut { name, ..Cut::clone(cut) }));
        cuts.len() - 1
    });
    split.cut = Some(cuts[at].clone());
}

fn tidy_block(block: &Block) -> Block {
    let mut live = vec![false; block.types.len()];
    for r in &block.returns {
        live[r.value.index()] = true;
    }
    let mut keep = vec![false; block.nodes.len()];
    for (n, node) in block.nodes.iter().enumerate().rev() {
        keep[n] = matches!(node.op, Op::Input(_)) || node.results.iter().any(|r| live[r.index()]);
        if keep[n] {
            node.args.iter().for_each(|a| live[a.index()] = true);
        }
    }
    let mut out = block.emptied();
    let mut map = vec![Value(0); block.types.len()];
    let mut buffers = block.buffers.as_ref().map(|_| Vec::new());
    for (node, _) in block.nodes.iter().zip(&keep).filter(|(_, keep)| **keep) {
        let args: Vec<_> = node.args.iter().map(|v| map[v.index()]).collect();
        let types = node.results.iter().map(|&r| block.ty(r).clone()).collect();
        let made = out.push_many(node.op.clone(), &args, types);
        for (r, v) in node.results.iter().zip(made) {
            map[r.index()] = v;
            if let (Some(new), Some(old)) = (&mut buffers, &block.buffers) {
                new.push(old[r.index()]);
            }
        }
    }
    out.buffers = buffers;
    out.regions = block.regions.iter().filter_map(|r| kept_region(block, &keep, *r)).collect();
    out.splits = block.splits.iter().filter_map(|s| kept_split(block, &keep, *s)).collect();
    out.returns = block
        .returns
        .iter()
        .map(|r| Return { target: r.target.clone(), value: map[r.value.index()] })
        .collect();
    out
}

/// The nodes of a block, with an edge from each to those that use its results.
pub(crate) fn dependences(block: &Block) -> DiGraph<(), ()> {
    let mut graph = DiGraph::new();
    for _ in &block.nodes {
        graph.add_node(());
    }
    let defined = block.definitions();
    for (n, node) in block.nodes.iter().enumerate() {
        for arg in &node.args {
            graph.update_edge(NodeIndex::new(defined[arg.index()]), NodeIndex::new(n), ());
        }
    }
    graph
}

/// A region among the nodes that are kept; none if not all of them are.
fn kept_region(block: &Block, keep: &[bool], region: Region) -> Option<Region> {
    let (first, last) = kept_nodes(block, keep, (region.first, region.last))?;
    Some(Region { first, last, ..region })
}

/// A split halo among the nodes that are kept; none if not all of them are.
fn kept_split(block: &Block, keep: &[bool], split: SplitHalo) -> Option<SplitHalo> {
    let (first, last) = kept_nodes(block, keep, (split.first, split.last))?;
    Some(SplitHalo { first, last })
}

fn kept_nodes(block: &Block, keep: &[bool], (first, last): (u32, u32)) -> Option<(u32, u32)> {
    let nodes = first as usize..last as usize + 1;
    let whole = nodes.end <= block.nodes.len() && keep[nodes].iter().all(|&kept| kept);
    let moved = |n: u32| n - keep[..n as usize].iter().filter(|&&kept| !kept).count() as u32;
    whole.then(|| (moved(first), moved(last)))
}

/// A block whose nodes follow `nodes`, reordered so that every value is defined before its use.
/// Among nodes that could come next the first in the list does.
/// Regions are dropped, as their nodes need not stay together.
pub(crate) fn reordered(block: &Block, nodes: Vec<crate::ir::Node>) -> Block {
    let mut defined = vec![false; block.types.len()];
    let mut left: Vec<Option<crate::ir::Node>> = nodes.into_iter().map(Some).collect();
    let mut order = Vec::with_capacity(left.len());
    while order.len() < left.len() {
        let ready = left
            .iter_mut()
            .find(|n| n.as_ref().is_some_and(|n| n.args.iter().all(|a| defined[a.index()])));
        let Some(node) = ready.and_then(Option::take) else { break };
        node.results.iter().for_each(|r| defined[r.index()] = true);
        order.push(node);
    }
    Block { nodes: order, regions: Vec::new(), splits: Vec::new(), ..block.clone() }
}
