//! Begins a step with the update of a direction by which the step before would end.
//!
//! ```before
//! mesh 1 rank
//! let D = (i) <- (i) diagonal : f64[10000]
//! state s : f64[10000]
//! state c : f64[10000]
//! block setup
//! %0 = input d : f64[10000]
//! %1 = apply D.H %0 : f64[10000]
//! set s %0
//! set c %1
//! comm 0 calls, 0 B per rank
//! block step
//! %0 = get s : f64[10000]
//! %1 = get c : f64[10000]
//! %2 = apply D %1 : f64[10000]
//! %3 = dot real %2 %2 : f64[]
//! %4 = axpy %3 %2 %0 : f64[10000]
//! %5 = apply D.H %4 : f64[10000]
//! %6 = dot real %5 %5 : f64[]
//! %7 = axpy %6 %1 %5 : f64[10000]
//! set s %4
//! set c %7
//! comm 0 calls, 0 B per rank
//! ```
//! ```after
//! mesh 1 rank
//! let D = (i) <- (i) diagonal     : f64[10000]
//! state s                         : f64[10000]
//! state c                         : f64[10000]
//! state c_factor                  : f64[]
//! block setup
//! %0 = input d                    : f64[10000]
//! %1 = zero                       : f64[10000]
//! %2 = zero                       : f64[]
//! set s %0
//! set c %1
//! set c_factor %2
//! comm 0 calls, 0 B per rank
//! block step
//! %0 = get s                      : f64[10000]
//! %1 = get c                      : f64[10000]
//! %2 = get c_factor               : f64[]
//! %3 = apply D.H %0               : f64[10000]
//! %4 = axpy %2 %1 %3              : f64[10000]
//! %5 = apply D %4                 : f64[10000]
//! %6 = dot real %5 %5             : f64[]
//! %7 = axpy %6 %5 %0              : f64[10000]
//! %8 = apply D.H %7               : f64[10000]
//! %9 = dot real %8 %8             : f64[]
//! set s %7
//! set c %4
//! set c_factor %9
//! comm 0 calls, 0 B per rank
//! block meaning
//! %0 = get s                      : f64[10000]
//! %1 = get c                      : f64[10000]
//! %2 = get c_factor               : f64[]
//! %3 = apply D.H %0               : f64[10000]
//! %4 = axpy %2 %1 %3              : f64[10000]
//! set s %0
//! return %0
//! set c %1
//! return %4
//! set c_factor %2
//! comm 0 calls, 0 B per rank
//! ```
//! A step of conjugate gradients ends with `c = r + b c`, as soon as the number b is known, and the
//! next one begins with `q = A c`.
//! Where A weighs elements, and so c follows element by element from variables and numbers that a
//! step leaves behind, both are one loop over memory ([`crate::fuse_updates`]): the state keeps the
//! direction of the step before and b, and what c follows from is made again.
//! Vectors that stay in a core's caches are left: to make something again is no gain there.
//! The first direction follows from no direction, by the number zero.
//! What the state means is proven by the block `meaning` ([`crate::meaning`]).
//! Numerics class: E; of plans with and without it that which is cheaper once finished is taken
//! ([`crate::pipeline::Context::whole_steps`]).

mod formula;
mod first;

use crate::error::PlanError;
use crate::ir::{Block, MEANING, Op, Plan, SETUP, State, Target, Value};
use crate::meaning::{is_loop, with_meaning};
use crate::pipeline::{Context, Numerics, Pass};
use crate::region::kept;
use first::First;
use formula::Found;

/// The pass.
pub struct RotateUpdates;

impl Pass for RotateUpdates {
    fn name(&self) -> &'static str {
        "rotate-updates"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        if cx.whole_steps || plan.meaning().is_some() {
            return Ok(plan.clone());
        }
        let mut out = with_meaning(plan);
        let mut changed = false;
        for (state, variable) in (0..).zip(&plan.states) {
            let own = variable.ty.len() as f64 / cx.mesh.ranks() as f64;
            if own * variable.ty.dtype.size() as f64 <= kept(&cx.machine) {
                continue;
            }
            if let Some(rotated) = rotated(&out, state) {
                (out, changed) = (rotated, true);
            }
        }
        Ok(if changed { out } else { plan.clone() })
    }
}

/// The plan with this variable one update behind, if that can be.
fn rotated(plan: &Plan, state: u32) -> Option<Plan> {
    let (at, step) = only_loop(plan, state)?;
    let found = formula::of(plan, step, state)?;
    let elsewhere = |s: u32| {
        let mut others = plan.blocks.iter().enumerate().filter(|(b, _)| *b != at);
        others.any(|(_, block)| is_loop(block) && value_of(block, s).is_some())
    };
    if found.states().into_iter().any(elsewhere) {
        return None;
    }
    let first = first::of(plan.block(SETUP)?, state, &found)?;
    let mut out = plan.clone();
    let numbers = named(&mut out, state, &found);
    for (b, block) in out.blocks.iter_mut().enumerate() {
        *block = match &*block.name {
            SETUP => begun(block, state, &first, &numbers)?,
            _ => behind(block, state, (&found, &numbers), b == at),
        };
    }
    Some(out)
}

/// The only block but `setup` that sets a variable.
fn only_loop(plan: &Plan, state: u32) -> Option<(usize, &Block)> {
    let sets = |b: &Block| is_loop(b) && value_of(b, state).is_some();
    let mut all = plan.blocks.iter().enumerate().filter(|(_, block)| sets(block));
    all.next().filter(|_| all.next().is_none())
}

/// The value to which a block sets a variable.
fn value_of(block: &Block, state: u32) -> Option<Value> {
    block.returns.iter().find(|r| r.target == Target::State(state)).map(|r| r.value)
}

/// The variable of each number of the formula, which it gets if it has none yet.
fn named(out: &mut Plan, state: u32, found: &Found) -> Vec<u32> {
    let base = format!("{}_factor", out.states[state as usize].name);
    let mut numbers = Vec::new();
    for (number, ty) in &found.numbers {
        if let formula::Number::Kept(s) = number {
            numbers.push(*s);
            continue;
        }
        let more = (2..).map(|k| format!("{base}{k}"));
        let mut names = std::iter::once(base.clone()).chain(more);
        let free = |name: &String| out.states.iter().all(|s| s.name != *name);
        let name = names.find(free).unwrap_or_default();
        out.states.push(State { name, ty: ty.clone() });
        numbers.push(out.states.len() as u32 - 1);
    }
    numbers
}

/// The block `setup`, which leaves numbers by which the first direction follows.
fn begun(old: &Block, state: u32, first: &First, numbers: &[u32]) -> Option<Block> {
    let mut out = old.clone();
    let ty = old.ty(value_of(old, state)?).clone();
    let none = out.push(Op::Zero, &[], ty);
    for r in &mut out.returns {
        if r.target == Target::State(state) {
            r.value = none;
        }
    }
    for (number, &s) in first.numbers.iter().zip(numbers) {
        match number {
            first::Number::Value(value) => out.give(Target::State(s), *value),
            first::Number::Zero(ty) => {
                let zero = out.push(Op::Zero, &[], ty.clone());
                out.give(Target::State(s), zero);
            }
            first::Number::Kept => {}
        }
    }
    Some(out)
}

/// A block in which the variable is made from the one before where it is read.
fn behind(old: &Block, state: u32, (found, numbers): (&Found, &[u32]), is_step: bool) -> Block {
    let reads = |s: u32| old.nodes.iter().any(|n| n.op == Op::Get(s));
    if !reads(state) && !is_step {
        return old.clone();
    }
    let mut out = old.emptied();
    let mut map = vec![Value(0); old.types.len()];
    let (gets, others): (Vec<_>, Vec<_>) =
        old.nodes.iter().partition(|n| matches!(n.op, Op::Get(_)));
    for node in &gets {
        map[node.results[0].index()] =
            out.push(node.op.clone(), &[], old.ty(node.results[0]).clone());
    }
    let made = found.made(&mut out, numbers);
    for node in gets.iter().filter(|n| n.op == Op::Get(state)) {
        map[node.results[0].index()] = made;
    }
    for node in others {
        let args: Vec<_> = node.args.iter().map(|v| map[v.index()]).collect();
        let types = node.results.iter().map(|&r| old.ty(r).clone()).collect();
        let values = out.push_many(node.op.clone(), &args, types);
        node.results.iter().zip(values).for_each(|(r, v)| map[r.index()] = v);
    }
    let before = out.nodes.iter().find(|n| n.op == Op::Get(state)).map(|n| n.results[0]);
    for r in &old.returns {
        let own = r.target == Target::State(state);
        let value = match before.filter(|_| own && old.name == MEANING) {
            Some(before) => before,
            None if own => made,
            None => map[r.value.index()],
        };
        out.give(r.target.clone(), value);
    }
    for ((number, ty), &s) in found.numbers.iter().zip(numbers) {
        match number {
            formula::Number::Late(value) if is_step => {
                out.give(Target::State(s), map[value.index()]);
            }
            formula::Number::Late(_) if old.name == MEANING => {
                let kept = formula::get(&mut out, s, ty);
                out.give(Target::State(s), kept);
            }
            formula::Number::Late(_) | formula::Number::Kept(_) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::{Verdict, simulates};
    use crate::examples::{after, nodes, unchanged_unproven};
    use insta::assert_snapshot;

    /// CG-like steps on complex numbers: the first residual, the product and the new direction.
    fn program(first: &str, product: &str, update: &str) -> String {
        format!(
            "mesh 1 rank
            let D = (i) <- (i) diagonal : c128[9000]
            let A = (i) <- (j) : c128[9000, 9000]
            slot damp : f64
            state x : c128[9000]
            state r : c128[9000]
            state c : c128[9000]
            block setup
            %0 = input x : c128[9000]
            %1 = input d : c128[9000]
            %2 = slot damp : f64[]
            {first}
            comm 0 calls, 0 B per rank
            block step
            %0 = get x : c128[9000]
            %1 = get r : c128[9000]
            %2 = get c : c128[9000]
            %3 = slot damp : f64[]
            %4 = mul %3 %3 : f64[]
            {product}
            %6 = dot real %5 %5 : f64[]
            %7 = axpy %6 %5 %1 : c128[9000]
            %8 = axpy %6 %2 %0 : c128[9000]
            %9 = dot real %7 %7 : f64[]
            {update}
            comm 0 calls, 0 B per rank"
        )
    }

    const FIRST: &str = "%3 = apply D.H %1 : c128[9000]
        %4 = axpy %2 %0 %3 : c128[9000]
        set x %0
        set r %1
        set c %4";

    const PRODUCT: &str = "%5 = apply D %2 : c128[9000]";

    const UPDATE: &str = "%10 = apply D.H %7 : c128[9000]
        %11 = axpy %4 %8 %10 : c128[9000]
        %12 = axpy %9 %2 %11 : c128[9000]
        set x %8
        set r %7
        set c %12";

    fn block(plan: &Plan, name: &str) -> String {
        let block = plan.block(name).unwrap().clone();
        nodes(&Plan { blocks: vec![block], ..plan.clone() })
    }

    #[test]
    fn numbers_of_the_first_direction_are_its_own() {
        let plan = after(&RotateUpdates, &program(FIRST, PRODUCT, UPDATE));
        let setup = plan.block(SETUP).unwrap();
        let set = |s| setup.nodes.iter().find(|n| n.results == [value_of(setup, s).unwrap()]);
        // No direction before, by zero; and the slot itself, where a step has its square.
        assert_eq!(set(2).unwrap().op, Op::Zero);
        assert_eq!(set(3).unwrap().op, Op::Zero);
        assert!(matches!(set(4).unwrap().op, Op::Slot(_)), "{plan}");
        assert_snapshot!(block(&plan, "step"), @"
        %0 = get x                      : c128[9000]
        %1 = get r                      : c128[9000]
        %2 = get c                      : c128[9000]
        %3 = get c_factor               : f64[]
        %4 = get c_factor2              : f64[]
        %5 = apply D.H %1               : c128[9000]
        %6 = axpy %4 %0 %5              : c128[9000]
        %7 = axpy %3 %2 %6              : c128[9000]
        %8 = slot damp                  : f64[]
        %9 = mul %8 %8                  : f64[]
        %10 = apply D %7                : c128[9000]
        %11 = dot real %10 %10          : f64[]
        %12 = axpy %11 %10 %1           : c128[9000]
        %13 = axpy %11 %7 %0            : c128[9000]
        %14 = dot real %12 %12          : f64[]
        ");
    }

    #[test]
    fn another_number_at_first_would_be_another_direction() {
        let source = crate::examples::read(&program(FIRST, PRODUCT, UPDATE));
        let cx = Context::default();
        let mut plan = crate::pipeline::tidy(&RotateUpdates.run(&source, &cx).unwrap());
        assert_eq!(simulates(&source, &plan), Verdict::Proven);
        let setup = plan.blocks.iter_mut().find(|b| b.name == SETUP).unwrap();
        let slot = value_of(setup, 4).unwrap();
        let zero = value_of(setup, 3).unwrap();
        for r in &mut setup.returns {
            if r.value == slot {
                r.value = zero;
            }
        }
        assert!(matches!(simulates(&source, &plan), Verdict::Refuted(_)));
    }

    #[test]
    fn not_where_the_first_direction_is_another() {
        let other = FIRST.replace("axpy %2 %0 %3", "axpy %2 %1 %3");
        assert!(unchanged_unproven(&RotateUpdates, &program(&other, PRODUCT, UPDATE)));
    }

    #[test]
    fn not_where_an_operator_does_more_than_weigh() {
        let product = PRODUCT.replace('D', "A");
        assert!(unchanged_unproven(&RotateUpdates, &program(FIRST, &product, UPDATE)));
        let (first, update) = (FIRST.replace("D.H", "A.H"), UPDATE.replace("D.H", "A.H"));
        assert!(unchanged_unproven(&RotateUpdates, &program(&first, PRODUCT, &update)));
    }

    #[test]
    fn not_where_others_change_what_it_follows_from() {
        let more = "comm 0 calls, 0 B per rank
            block restart
            %0 = get x : c128[9000]
            %1 = neg %0 : c128[9000]
            set x %1";
        let restarted = format!(
            "{}\n{more}\ncomm 0 calls, 0 B per rank",
            program(FIRST, PRODUCT, UPDATE).trim_end_matches("comm 0 calls, 0 B per rank")
        );
        assert!(unchanged_unproven(&RotateUpdates, &restarted));
        let given = UPDATE.replace("set c %12", "set c %12\nreturn %12");
        assert!(unchanged_unproven(&RotateUpdates, &program(FIRST, PRODUCT, &given)));
    }

    #[test]
    fn not_where_all_numbers_are_known_at_the_beginning() {
        let update = UPDATE.replace("axpy %9 %2 %11", "axpy %4 %2 %11");
        assert!(unchanged_unproven(&RotateUpdates, &program(FIRST, PRODUCT, &update)));
    }
}
