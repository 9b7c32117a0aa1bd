//! Computes once what is the same in every step.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[4, 3]
//! state x : f64[3]
//! state d : f64[4]
//! block setup
//! %0 = input d : f64[4]
//! %1 = zero : f64[3]
//! set x %1
//! set d %0
//! comm 0 calls, 0 B per rank
//! block step
//! %0 = get x : f64[3]
//! %1 = get d : f64[4]
//! %2 = apply A.H %1 : f64[3]
//! %3 = add %0 %2 : f64[3]
//! set x %3
//! comm 0 calls, 0 B per rank
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[4, 3]
//! state x                         : f64[3]
//! state d                         : f64[4]
//! state constant0                 : f64[3]
//! block setup
//! %0 = input d                    : f64[4]
//! %1 = zero                       : f64[3]
//! %2 = apply A.H %0               : f64[3]
//! set x %1
//! set d %0
//! set constant0 %2
//! comm 0 calls, 0 B per rank
//! block step
//! %0 = get constant0              : f64[3]
//! %1 = get x                      : f64[3]
//! %2 = add %1 %0                  : f64[3]
//! set x %2
//! comm 0 calls, 0 B per rank
//! block meaning
//! %0 = get x                      : f64[3]
//! %1 = get d                      : f64[4]
//! %2 = apply A.H %1               : f64[3]
//! set x %0
//! return %0
//! set d %1
//! return %1
//! set constant0 %2
//! comm 0 calls, 0 B per rank
//! ```
//! A variable of the state is constant if `setup` sets it and no other block gives it another
//! value.
//! What follows from constant variables alone is computed at the end of `setup` and becomes a
//! variable itself, if it takes an application, a scalar product or another reduction: sums and
//! multiples of what is there are cheaper to make again than to hold.
//! Of a chain of such values only the last is held; a constant variable that nobody reads any
//! more goes.
//! Numbers in slots count as changing, since they may be set between two blocks.
//! Numerics class: E.

use crate::error::PlanError;
use crate::ir::{Block, Node, Op, Plan, SETUP, State, Target, Value};
use crate::meaning::{is_loop, with_meaning};
use crate::pipeline::{Context, Numerics, Pass};
use crate::placement::Type;

/// The pass.
pub struct HoistInvariants;

impl Pass for HoistInvariants {
    fn name(&self) -> &'static str {
        "hoist-invariants"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Exact
    }

    fn run(&self, plan: &Plan, _: &Context) -> Result<Plan, PlanError> {
        Ok(hoisted(plan).unwrap_or_else(|| plan.clone()))
    }
}

fn hoisted(plan: &Plan) -> Option<Plan> {
    plan.block(SETUP)?;
    let constant = constants(plan);
    let mut known = Formulas::default();
    let mut found: Vec<usize> = Vec::new();
    let mut uses: Vec<Vec<(Value, usize)>> = Vec::new();
    for block in &plan.blocks {
        let mut taken = Vec::new();
        if is_loop(block) {
            let formulas = known.of(block, &constant);
            for v in held(block, &formulas, &known) {
                let Some(formula) = formulas[v.index()] else { continue };
                let at = found.iter().position(|f| *f == formula).unwrap_or_else(|| {
                    found.push(formula);
                    found.len() - 1
                });
                taken.push((v, at));
            }
        }
        uses.push(taken);
    }
    if found.is_empty() {
        return None;
    }
    let mut out = with_meaning(plan);
    let first = out.states.len() as u32;
    for (k, &formula) in found.iter().enumerate() {
        let name = fresh(&out.states, k);
        out.states.push(State { name, ty: known.items[formula].ty.clone() });
    }
    let names = out.blocks.iter().map(|b| b.name.clone()).collect::<Vec<_>>();
    for (block, name) in out.blocks.iter_mut().zip(&names) {
        if name == SETUP || name == crate::ir::MEANING {
            extend(block, &known, &found, first);
        }
    }
    for (block, taken) in out.blocks.iter_mut().zip(&uses) {
        read(block, taken, first);
    }
    Some(out)
}

/// A name that no variable has.
fn fresh(states: &[State], k: usize) -> String {
    let names = (k..).map(|k| format!("constant{k}"));
    let mut free = names.filter(|name| states.iter().all(|s| s.name != *name));
    free.next().unwrap_or_default()
}

/// The variables that only `setup` changes.
fn constants(plan: &Plan) -> Vec<bool> {
    let set = |block: &Block, s: usize| {
        block.returns.iter().find(|r| r.target == Target::State(s as u32)).map(|r| r.value)
    };
    let kept = |block: &Block, s: usize| {
        set(block, s).is_none_or(|v| {
            block.nodes.iter().any(|n| n.results == [v] && n.op == Op::Get(s as u32))
        })
    };
    let constant = |s: usize| {
        plan.block(SETUP).is_some_and(|setup| set(setup, s).is_some())
            && plan.blocks.iter().filter(|b| is_loop(b)).all(|b| kept(b, s))
    };
    (0..plan.states.len()).map(constant).collect()
}

/// What follows from constant variables: each result of a node once.
#[derive(Default)]
struct Formulas {
    items: Vec<Formula>,
}

#[derive(PartialEq)]
struct Formula {
    op: Op,
    args: Vec<usize>,
    /// The types of all results of the node, and which of them this is.
    types: Vec<Type>,
    result: usize,
    ty: Type,
    /// Whether it is worth a variable.
    dear: bool,
}

impl Formulas {
    /// The formula of each value of a block, if it has one.
    fn of(&mut self, block: &Block, constant: &[bool]) -> Vec<Option<usize>> {
        let mut out = vec![None; block.types.len()];
        for Node { op, args, results } in &block.nodes {
            let fixed = match op {
                Op::Get(s) => constant[*s as usize],
                Op::Input(_) | Op::Slot(_) => false,
                _ => true,
            };
            let args: Option<Vec<usize>> = args.iter().map(|v| out[v.index()]).collect();
            let Some(args) = args.filter(|_| fixed) else { continue };
            let own = matches!(op, Op::Apply(_) | Op::Dot { .. } | Op::Dots | Op::Reduce(_));
            let dear = own || args.iter().any(|&a| self.items[a].dear);
            let types: Vec<_> = results.iter().map(|&r| block.ty(r).clone()).collect();
            for (k, r) in results.iter().enumerate() {
                let ty = types[k].clone();
                let (op, args, types) = (op.clone(), args.clone(), types.clone());
                let formula = Formula { op, args, types, result: k, ty, dear };
                let at = self.items.iter().position(|f| *f == formula).unwrap_or_else(|| {
                    self.items.push(formula);
                    self.items.len() - 1
                });
                out[r.index()] = Some(at);
            }
        }
        out
    }
}

/// The values of a loop that become variables: the last ones of each chain of dear formulas.
fn held(block: &Block, formulas: &[Option<usize>], known: &Formulas) -> Vec<Value> {
    let dear = |v: &Value| formulas[v.index()].is_some_and(|f| known.items[f].dear);
    let mut wanted = vec![false; block.types.len()];
    for node in block.nodes.iter().filter(|n| !n.results.iter().any(dear)) {
        node.args.iter().filter(|v| dear(v)).for_each(|v| wanted[v.index()] = true);
    }
    block.returns.iter().filter(|r| dear(&r.value)).for_each(|r| wanted[r.value.index()] = true);
    let mut out = Vec::new();
    for node in block.nodes.iter().rev() {
        let Some(&result) = node.results.iter().find(|r| wanted[r.index()]) else { continue };
        let cheap = !matches!(
            node.op,
            Op::Apply(_) | Op::Dot { .. } | Op::Dots | Op::Reduce(_) | Op::Get(_)
        );
        // What follows cheaply from a value that is held anyway is made again.
        if cheap && node.args.iter().filter(|v| dear(v)).all(|v| wanted[v.index()]) {
            continue;
        }
        debug_assert!(dear(&result));
        out.extend(node.results.iter().copied().filter(|r| wanted[r.index()]));
    }
    out.sort_unstable();
    out
}

/// Computes the formulas from the values that a block gives the constant variables, and sets them.
fn extend(block: &mut Block, known: &Formulas, found: &[usize], first: u32) {
    let mut made: Vec<Option<Value>> = vec![None; known.items.len()];
    for (k, &formula) in found.iter().enumerate() {
        if let Some(value) = compute(block, known, formula, &mut made) {
            block.give(Target::State(first + k as u32), value);
        }
    }
}

fn compute(
    block: &mut Block,
    known: &Formulas,
    formula: usize,
    made: &mut [Option<Value>],
) -> Option<Value> {
    if made[formula].is_some() {
        return made[formula];
    }
    let Formula { op, args, types, result, .. } = &known.items[formula];
    let value = if let Op::Get(s) = op {
        block.returns.iter().find(|r| r.target == Target::State(*s)).map(|r| r.value)?
    } else {
        let args: Option<Vec<_>> = args.iter().map(|&a| compute(block, known, a, made)).collect();
        let args = args?;
        let same = block.nodes.iter().find(|n| {
            let alike = n.results.iter().map(|&r| block.ty(r)).eq(types);
            n.op == *op && n.args == args && alike
        });
        let results = match same {
            Some(node) => node.results.clone(),
            None => block.push_many(op.clone(), &args, types.clone()),
        };
        results[*result]
    };
    made[formula] = Some(value);
    made[formula]
}

/// Reads variables where their formulas stood.
fn read(block: &mut Block, taken: &[(Value, usize)], first: u32) {
    let states: Vec<_> = taken
        .iter()
        .map(|&(v, at)| {
            let ty = block.ty(v).clone();
            let state = block.push(Op::Get(first + at as u32), &[], ty);
            (v, state)
        })
        .collect();
    let added = block.nodes.split_off(block.nodes.len() - states.len());
    block.nodes.splice(0..0, added);
    let instead = |v: &mut Value| {
        if let Some((_, state)) = states.iter().find(|(old, _)| old == v) {
            *v = *state;
        }
    };
    block.nodes.iter_mut().flat_map(|n| &mut n.args).for_each(instead);
    block.returns.iter_mut().map(|r| &mut r.value).for_each(instead);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{after, nodes, unchanged};
    use insta::assert_snapshot;

    /// A program whose step has these nodes, after a constant `d` and a changing `x`.
    fn program(step: &str) -> String {
        format!(
            "mesh 1 rank
            let A = (i) <- (j) : f64[3, 3]
            slot a : f64
            state x : f64[3]
            state d : f64[3]
            block setup
            %0 = input d : f64[3]
            %1 = zero : f64[3]
            set x %1
            set d %0
            comm 0 calls, 0 B per rank
            block step
            %0 = get x : f64[3]
            %1 = get d : f64[3]
            {step}
            comm 0 calls, 0 B per rank"
        )
    }

    fn step(plan: &Plan) -> String {
        let step = plan.block("step").unwrap().clone();
        nodes(&Plan { blocks: vec![step], ..plan.clone() })
    }

    #[test]
    fn only_the_last_of_a_chain_is_held() {
        let plan = after(
            &HoistInvariants,
            &program(
                "%2 = apply A %1 : f64[3]
                %3 = neg %2 : f64[3]
                %4 = apply A.H %3 : f64[3]
                %5 = sub %4 %1 : f64[3]
                %6 = add %0 %5 : f64[3]
                set x %6",
            ),
        );
        assert_eq!(plan.states.len(), 3);
        assert_snapshot!(step(&plan), @"
        %0 = get constant0              : f64[3]
        %1 = get x                      : f64[3]
        %2 = add %1 %0                  : f64[3]
        ");
    }

    #[test]
    fn what_follows_cheaply_from_what_is_held_is_made_again() {
        let plan = after(
            &HoistInvariants,
            &program(
                "%2 = apply A %1 : f64[3]
                %3 = neg %2 : f64[3]
                %4 = dot real %2 %1 : f64[]
                %5 = scale %4 %3 : f64[3]
                %6 = add %0 %2 %3 %5 : f64[3]
                set x %6
                control dd %4",
            ),
        );
        assert_snapshot!(step(&plan), @"
        %0 = get constant0              : f64[3]
        %1 = get constant1              : f64[]
        %2 = get x                      : f64[3]
        %3 = neg %0                     : f64[3]
        %4 = scale %1 %3                : f64[3]
        %5 = add %2 %0 %3 %4            : f64[3]
        ");
    }

    #[test]
    fn sums_and_multiples_stay() {
        let cheap = "%2 = neg %1 : f64[3]
            %3 = add %0 %2 : f64[3]
            set x %3";
        assert!(unchanged(&HoistInvariants, &program(cheap)));
    }

    #[test]
    fn what_changes_stays() {
        let of_x = "%2 = apply A %0 : f64[3]
            %3 = sub %1 %2 : f64[3]
            set x %3
            set d %1";
        let of_d = "%2 = apply A %1 : f64[3]
            %3 = add %0 %2 : f64[3]
            set x %3
            set d %3";
        let of_a = "%2 = slot a : f64[]
            %3 = scale %2 %1 : f64[3]
            %4 = apply A %3 : f64[3]
            %5 = add %0 %4 : f64[3]
            set x %5";
        for stays in [of_x, of_d, of_a] {
            assert!(unchanged(&HoistInvariants, &program(stays)));
        }
    }
}
