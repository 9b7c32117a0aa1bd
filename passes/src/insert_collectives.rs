//! Writes the search's decisions down: tiles of leaves, placements, and communication nodes.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : f64[1000, 40]
//! %0 = input x : f64[40]
//! %1 = apply A %0 : f64[1000]
//! %2 = dot %1 %1 : f64[]
//! return %2
//! ```
//! ```after
//! mesh p=2 (2 ranks)
//! let A = (i) <- (j)              : f64[1000/p, 40]
//! %0 = input x                    : f64[40]
//! %1 = apply A %0                 : f64[1000/p]
//! %2 = dot %1 %1                  : f64[] +p
//! %3 = all_reduce p %2            : f64[]
//! return %3
//! comm 1 call, 8 B per rank
//! ```
//! The only pass that inserts communication.
//! A value that several nodes need in the same placement is redistributed once.
//! Numerics class: F.

use crate::error::PlanError;
use crate::ir::{Block, Op, Plan, Return, Value};
use crate::meaning::without_meaning;
use crate::pipeline::{Context, Numerics, Pass};
use crate::placement::{Placement, Type};
use crate::route::Router;
use crate::search::{Decisions, decide};
use std::collections::BTreeMap;

/// The pass.
pub struct InsertCollectives;

impl Pass for InsertCollectives {
    fn name(&self) -> &'static str {
        "insert-collectives"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Reassociate
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        if plan.mesh == cx.mesh {
            return Ok(plan.clone());
        }
        let plan = &without_meaning(plan);
        match &cx.decisions {
            Some(decisions) => write(plan, cx, decisions),
            None => write(plan, cx, &decide(plan, cx)?),
        }
    }
}

/// The plan with given decisions.
pub fn write(plan: &Plan, cx: &Context, decisions: &Decisions) -> Result<Plan, PlanError> {
    let router = Router::new(&cx.mesh, &cx.machine);
    let mut out = Plan { mesh: cx.mesh.clone(), blocks: Vec::new(), ..plan.clone() };
    for (leaf, tile) in out.leaves.iter_mut().zip(&decisions.tiles) {
        leaf.tile.clone_from(tile);
    }
    for (state, placement) in out.states.iter_mut().zip(&decisions.states) {
        state.ty.placement = placement.clone();
    }
    for (b, block) in plan.blocks.iter().enumerate() {
        let mut writer = Writer {
            router: &router,
            block: block.emptied(),
            map: vec![Value(0); block.types.len()],
            moved: BTreeMap::new(),
        };
        for (node, sides) in block.nodes.iter().zip(&decisions.nodes[b]) {
            let args = writer.take(&node.args, &sides.args)?;
            let types = node.results.iter().zip(&sides.results);
            let types = types.map(|(&v, p)| block.ty(v).placed(p.clone())).collect();
            let made = writer.block.push_many(node.op.clone(), &args, types);
            for (r, v) in node.results.iter().zip(made) {
                writer.map[r.index()] = v;
            }
        }
        for (r, placement) in block.returns.iter().zip(&decisions.returns[b]) {
            let value = writer.take(&[r.value], std::slice::from_ref(placement))?[0];
            writer.block.returns.push(Return { target: r.target.clone(), value });
        }
        out.blocks.push(writer.block);
    }
    Ok(out)
}

struct Writer<'a> {
    router: &'a Router<'a>,
    block: Block,
    map: Vec<Value>,
    /// What a value becomes by one step.
    moved: BTreeMap<(Value, Op, Type), Value>,
}

impl Writer<'_> {
    /// The value itself, or what it has become with ghosts that are deep enough already.
    fn nearest(&self, value: Value, wanted: &Placement) -> Value {
        if self.block.ty(value).placement.covers(wanted) {
            return value;
        }
        let filled =
            self.moved.iter().filter(|((from, op, _), _)| *from == value && *op == Op::Halo);
        let mut deep = filled.filter(|((.., ty), _)| ty.placement.covers(wanted));
        match deep.next() {
            Some((_, &deep)) if wanted.has_ghosts() => deep,
            _ => value,
        }
    }

    /// The values in the placements that are asked for.
    fn take(&mut self, values: &[Value], wanted: &[Placement]) -> Result<Vec<Value>, PlanError> {
        let mut out = Vec::new();
        for (v, placement) in values.iter().zip(wanted) {
            let mut at = self.nearest(self.map[v.index()], placement);
            let from = self.block.ty(at).clone();
            let path = self.router.path(&from, placement).ok_or_else(|| {
                PlanError::Impossible("a value cannot be brought to where it is needed".into())
            })?;
            for (op, ty) in &path.1 {
                let key = (at, op.clone(), ty.clone());
                let block = &mut self.block;
                at = *self
                    .moved
                    .entry(key)
                    .or_insert_with(|| block.push(op.clone(), &[at], ty.clone()));
            }
            out.push(at);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after_on, nodes, unchanged};
    use insta::assert_snapshot;

    #[test]
    fn a_stencil_gets_its_neighbours() {
        let plan = after_on(
            &InsertCollectives,
            "p=3",
            "mesh 1 rank
            let S = (i, j) <- (i~1:1, j) : f64[6, 5]
            %0 = input x : f64[6, 5]
            %1 = apply S %0 : f64[6, 5]
            %2 = apply S.H %1 : f64[6, 5]
            return %2",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[6/p, 5]
        %1 = halo %0                    : f64[6/p~2:2, 5]
        %2 = apply S %1                 : f64[6/p~1:1, 5]
        %3 = apply S.H %2               : f64[6/p, 5]
        ");
    }

    #[test]
    fn a_value_is_redistributed_once() {
        let plan = after_on(
            &InsertCollectives,
            "p=2",
            "mesh 1 rank
            let A = (i) <- (j) : f64[48, 10]
            let B = (i!) <- (j!) : f64[3, 48]
            %0 = input x : f64[10]
            %1 = apply A %0 : f64[48]
            %2 = apply B %1 : f64[3]
            %3 = reshape %1 : f64[6, 8]
            return %2 %3",
        );
        assert_snapshot!(nodes(&plan), @"
        %0 = input x                    : f64[10]
        %1 = apply A %0                 : f64[48/p@q0]
        %2 = all_gather p %1            : f64[48]
        %3 = apply B %2                 : f64[3]
        %4 = reshape %1                 : f64[6/p, 8]
        ");
    }

    #[test]
    fn a_placed_plan_stays() {
        let plan = "mesh p=2 (2 ranks)
            %0 = input x : f64[5/p]
            %1 = dot %0 %0 : f64[] +p
            %2 = all_reduce p %1 : f64[]
            return %2";
        assert!(unchanged(&InsertCollectives, plan));
    }
}
