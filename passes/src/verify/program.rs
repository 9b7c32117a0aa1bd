//! What goes into blocks and what they leave behind.

use super::Report;
use super::compare::same_type;
use crate::ir::{Block, Op, Plan, Target, Value};
use crate::placement::{Space, Type};
use std::collections::BTreeMap;

/// `inputs`
pub(super) fn inputs(plan: &Plan, report: &mut Report) {
    let mut seen: BTreeMap<&str, &Type> = BTreeMap::new();
    for (b, block) in plan.blocks.iter().enumerate() {
        for (n, node) in block.nodes.iter().enumerate() {
            let (Op::Input(name), [result]) = (&node.op, node.results.as_slice()) else { continue };
            let ty = block.ty(*result);
            if !ty.placement.pending.is_empty() || ty.placement.dual {
                report.node(b, n, format!("input {name} ({}) is not settled", ty.text(&plan.mesh)));
            }
            let first = seen.entry(name).or_insert(ty);
            if !same_type(first, ty) {
                let (first, ty) = (first.text(&plan.mesh), ty.text(&plan.mesh));
                report.node(b, n, format!("input {name} is {first} in one place and {ty} here"));
            }
        }
    }
}

/// `return-types`
pub(super) fn return_types(plan: &Plan, report: &mut Report) {
    each_return(plan, |b, block, target, value| {
        let Target::State(s) = target else { return };
        let state = &plan.states[*s as usize];
        if !same_type(&state.ty, block.ty(value)) {
            let want = state.ty.text(&plan.mesh);
            let have = said(plan, block, value);
            report.block(b, format!("{have} is returned as state {}, {want}", state.name));
        }
    });
}

/// `controls`
pub(super) fn controls(plan: &Plan, report: &mut Report) {
    each_return(plan, |b, block, target, value| {
        let Target::Control(name) = target else { return };
        let ty = block.ty(value);
        let host = ty.placement.space == Space::Host;
        if ty.dims.len() > 1 || !ty.placement.is_replicated() || !host {
            let have = said(plan, block, value);
            report.block(b, format!("control {name} is {have}, not settled numbers on the host"));
        }
    });
}

/// `outputs`
pub(super) fn outputs(plan: &Plan, report: &mut Report) {
    each_return(plan, |b, block, target, value| {
        let place = &block.ty(value).placement;
        if *target == Target::Output && (!place.pending.is_empty() || place.dual) {
            report.block(b, format!("output {} is not settled", said(plan, block, value)));
        }
    });
}

fn each_return<'a>(plan: &'a Plan, mut see: impl FnMut(usize, &'a Block, &'a Target, Value)) {
    for (b, block) in plan.blocks.iter().enumerate() {
        for r in &block.returns {
            see(b, block, &r.target, r.value);
        }
    }
}

fn said(plan: &Plan, block: &Block, value: Value) -> String {
    format!("%{} ({})", value.0, block.ty(value).text(&plan.mesh))
}
