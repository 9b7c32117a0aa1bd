//! Which pass put each node where it is.
//!
//! Values are renumbered by every pass, so a node is known by its block, its operation and the
//! types of its results.
//! The `n`-th such node came with the pass from which on the plan has `n` of them.

use crate::ir::{Block, Node, Plan};
use crate::pipeline::Compiled;
use crate::text::operation;
use std::collections::BTreeMap;

/// The first of all origins: the expression itself.
pub const LOWERING: &str = "lowering";

type Counts = BTreeMap<(String, String), usize>;

/// For each block and node of the finished plan the pass that made it.
pub fn origins(compiled: &Compiled) -> Vec<Vec<&'static str>> {
    let mut stages: Vec<(&'static str, Counts)> = vec![(LOWERING, counts(&compiled.source))];
    stages.extend(compiled.trace.iter().map(|(pass, plan)| (*pass, counts(plan))));
    compiled.plan.blocks.iter().map(|block| of_block(&compiled.plan, block, &stages)).collect()
}

fn of_block(plan: &Plan, block: &Block, stages: &[(&'static str, Counts)]) -> Vec<&'static str> {
    let mut seen = Counts::new();
    let origin = |node: &Node| {
        let key = key(plan, block, node);
        let n = seen.entry(key.clone()).and_modify(|n| *n += 1).or_insert(1);
        let has = |(_, counts): &&(&str, Counts)| counts.get(&key).is_some_and(|have| have >= n);
        let since = stages.iter().rev().take_while(has).last();
        since.map_or(LOWERING, |(pass, _)| *pass)
    };
    block.nodes.iter().map(origin).collect()
}

fn counts(plan: &Plan) -> Counts {
    let mut counts = Counts::new();
    for block in &plan.blocks {
        for node in &block.nodes {
            *counts.entry(key(plan, block, node)).or_default() += 1;
        }
    }
    counts
}

fn key(plan: &Plan, block: &Block, node: &Node) -> (String, String) {
    let types = node.results.iter().map(|&v| block.ty(v).text(&plan.mesh));
    let node = format!("{} : {}", operation(plan, &node.op), types.collect::<Vec<_>>().join(", "));
    (block.name.clone(), node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Mesh;
    use crate::pipeline::{Context, compile};

    #[test]
    fn communication_comes_from_insertion_and_merged_calls_from_merging() {
        let source = crate::examples::read(
            "mesh 1 rank
            let A = (i) <- (j) : f64[4096, 1024]
            let B = (i) <- (j) : f64[4096, 1024]
            %0 = input x : f64[1024]
            %1 = apply A %0 : f64[4096]
            %2 = apply B %0 : f64[4096]
            %3 = dot %1 %1 : f64[]
            %4 = dot %2 %2 : f64[]
            return %3 %4",
        );
        let cx = Context { mesh: Mesh::line(4), ..Context::default() };
        let compiled = compile(&source, &cx).unwrap();
        let found = origins(&compiled);
        let named: Vec<_> = compiled.plan.blocks[0].nodes.iter().zip(&found[0]).collect();
        let of = |word: &str| {
            let node = named.iter().find(|(n, _)| crate::text::word(&n.op) == word);
            node.map(|(_, origin)| **origin)
        };
        assert_eq!(of("input"), Some(LOWERING));
        assert_eq!(of("dot"), Some("insert-collectives"));
        assert_eq!(of("all_reduce"), Some("merge-dots"), "{}", compiled.plan);
    }
}
