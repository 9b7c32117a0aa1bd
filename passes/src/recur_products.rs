//! Carries a product from step to step where the vector of which it is taken only changes by a
//! multiple of another.
//!
//! ```before
//! mesh 1 rank
//! let A = (i) <- (j) : f64[4, 3]
//! state s : f64[4]
//! state c : f64[3]
//! block setup
//! %0 = input d : f64[4]
//! %1 = apply A.H %0 : f64[3]
//! set s %0
//! set c %1
//! comm 0 calls, 0 B per rank
//! block step
//! %0 = get s : f64[4]
//! %1 = get c : f64[3]
//! %2 = apply A %1 : f64[4]
//! %3 = dot real %2 %2 : f64[]
//! %4 = axpy %3 %2 %0 : f64[4]
//! %5 = apply A.H %4 : f64[3]
//! %6 = add %5 %1 : f64[3]
//! set s %4
//! set c %6
//! comm 0 calls, 0 B per rank
//! ```
//! ```after
//! mesh 1 rank
//! let A = (i) <- (j)              : f64[4, 3]
//! state s                         : f64[4]
//! state c                         : f64[3]
//! state s_product                 : f64[3]
//! block setup
//! %0 = input d                    : f64[4]
//! %1 = apply A.H %0               : f64[3]
//! set s %0
//! set c %1
//! set s_product %1
//! comm 0 calls, 0 B per rank
//! block step
//! %0 = get s                      : f64[4]
//! %1 = get c                      : f64[3]
//! %2 = apply A %1                 : f64[4]
//! %3 = dot real %2 %2             : f64[]
//! %4 = axpy %3 %2 %0              : f64[4]
//! %5 = apply A.H %2               : f64[3]
//! %6 = get s_product              : f64[3]
//! %7 = axpy %3 %5 %6              : f64[3]
//! %8 = add %7 %1                  : f64[3]
//! set s_product %7
//! set s %4
//! set c %8
//! comm 0 calls, 0 B per rank
//! block meaning
//! %0 = get s                      : f64[4]
//! %1 = get c                      : f64[3]
//! %2 = apply A.H %0               : f64[3]
//! set s %0
//! return %0
//! set c %1
//! return %1
//! set s_product %2
//! comm 0 calls, 0 B per rank
//! block refresh every 20
//! %0 = get s                      : f64[4]
//! %1 = apply A.H %0               : f64[3]
//! set s_product %1
//! comm 0 calls, 0 B per rank
//! ```
//! Where a step sets a variable y to `y' = y + a q` and computes `B y'`, `B y` becomes a variable
//! itself: `B y' = B y + a (B q)`.
//! So B need not wait for the number a, and where `q = A p` and `B = A.H` both are applied in one
//! pass over A ([`crate::one_pass_normal`]): CGLS then reads its operator once in an iteration.
//! B is a chain of operators, sums and changes of form, of one variable or of several that change
//! by the same real number.
//!
//! Rounding errors of the products add up, and do so the faster the worse the operator is
//! conditioned.
//! So the plan gets a block `refresh`, which the driver runs by itself: it takes the products anew,
//! every [`Context::refresh`] steps.
//! What the variables mean is proven by the block `meaning` ([`crate::meaning`]), that a refresh
//! changes nothing too.
//! Numerics class: N; of plans with and without it that which is cheaper once finished is taken.

mod images;

use crate::error::PlanError;
use crate::ir::{Block, MEANING, Op, Plan, SETUP, State, Target, Value};
use crate::meaning::{is_loop, with_meaning};
use crate::pipeline::{Context, Numerics, Pass};
use crate::share_values::ShareValues;
use images::{Formulas, Images, Term};
use std::collections::BTreeMap;

/// The name of the block that takes the products anew.
const REFRESH: &str = "refresh";

/// The pass.
pub struct RecurProducts;

impl Pass for RecurProducts {
    fn name(&self) -> &'static str {
        "recur-products"
    }

    fn numerics(&self) -> Numerics {
        Numerics::Recurrence
    }

    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
        if cx.numerics < self.numerics() || plan.block(REFRESH).is_some() {
            return Ok(plan.clone());
        }
        match carried(plan, cx) {
            Some(carried) => ShareValues.run(&carried, cx),
            None => Ok(plan.clone()),
        }
    }
}

fn carried(plan: &Plan, cx: &Context) -> Option<Plan> {
    let mut formulas = Formulas::default();
    let mut images: BTreeMap<usize, Images> = BTreeMap::new();
    for (b, block) in plan.blocks.iter().enumerate().filter(|(_, block)| is_loop(block)) {
        images.insert(b, Images::of(plan, block, &mut formulas));
    }
    let ends = images.values().flat_map(|of| of.last.iter().map(|v| of.of[v.index()]));
    let mut found: Vec<Term> = ends.flatten().map(|(term, _)| term).collect();
    found.sort_unstable();
    found.dedup();
    let set = |s: u32| plan.block(SETUP).is_some_and(|setup| value_of(setup, s).is_some());
    if found.is_empty() || !found.iter().flat_map(|&t| formulas.variables(t)).all(set) {
        return None;
    }
    let mut out = with_meaning(plan);
    let products = Products { formulas, found, first: plan.states.len() as u32 };
    products.name(&mut out)?;
    for (b, block) in out.blocks.iter_mut().enumerate() {
        if let Some(images) = images.get(&b).filter(|images| !images.last.is_empty()) {
            *block = products.carried(block, images)?;
        }
        if is_loop(block) || [SETUP, MEANING].contains(&block.name.as_str()) {
            products.set(block)?;
        }
    }
    out.blocks.push(products.refresh(cx)?);
    Some(out)
}

/// The value to which a block sets a variable.
fn value_of(block: &Block, state: u32) -> Option<Value> {
    block.returns.iter().find(|r| r.target == Target::State(state)).map(|r| r.value)
}

/// The formulas that become variables, from a number on.
struct Products {
    formulas: Formulas,
    found: Vec<Term>,
    first: u32,
}

impl Products {
    fn all(&self) -> impl Iterator<Item = (u32, Term)> + '_ {
        (self.first..).zip(self.found.iter().copied())
    }

    /// Adds the variables to the state.
    fn name(&self, out: &mut Plan) -> Option<()> {
        for &term in &self.found {
            let of = self.formulas.variables(term).into_iter().next()?;
            let base = format!("{}_product", out.states[of as usize].name);
            let numbered = (2..).map(|k| format!("{base}{k}"));
            let free = |name: &String| out.states.iter().all(|s| s.name != *name);
            let name = std::iter::once(base.clone()).chain(numbered).find(free)?;
            out.states.push(State { name, ty: self.formulas.ty(term)?.clone() });
        }
        Some(())
    }

    /// A block in which the products follow from those of the step before.
    fn carried(&self, old: &Block, images: &Images) -> Option<Block> {
        let mut out = old.emptied();
        let mut map: Vec<Option<Value>> = vec![None; old.types.len()];
        let mut changes = BTreeMap::new();
        for node in &old.nodes {
            if !node.results.iter().any(|r| images.applies(&self.formulas, *r)) {
                let args: Option<Vec<_>> = node.args.iter().map(|a| map[a.index()]).collect();
                let types = node.results.iter().map(|&r| old.ty(r).clone()).collect();
                let made = out.push_many(node.op.clone(), &args?, types);
                node.results.iter().zip(made).for_each(|(r, v)| map[r.index()] = Some(v));
                continue;
            }
            for &end in node.results.iter().filter(|r| images.last.contains(r)) {
                let (term, how) = images.of[end.index()]?;
                let ty = old.ty(end).clone();
                let change = |s: u32| {
                    let update = images.updates.iter().find(|u| u.state == s)?;
                    map[update.change.index()]
                };
                let change = self.formulas.replay(&mut out, term, &mut changes, &change)?;
                let at = self.all().find(|(_, t)| *t == term)?.0;
                let before = out.push(Op::Get(at), &[], ty.clone());
                let factor = how.factor.map(|a| map[a.index()]);
                map[end.index()] = Some(match (factor, how.minus) {
                    (None, minus) => {
                        let op = if minus { Op::Sub } else { Op::Add };
                        out.push(op, &[before, change], ty)
                    }
                    (Some(a), false) => out.push(Op::Axpy, &[a?, change, before], ty),
                    (Some(a), true) => {
                        let number = out.ty(a?).clone();
                        let a = out.push(Op::Neg, &[a?], number);
                        out.push(Op::Axpy, &[a, change, before], ty)
                    }
                });
                out.give(Target::State(at), map[end.index()]?);
            }
        }
        for r in &old.returns {
            out.give(r.target.clone(), map[r.value.index()]?);
        }
        Some(out)
    }

    /// Sets the products in a block that sets what they are made of in another way.
    fn set(&self, block: &mut Block) -> Option<()> {
        let mut known = BTreeMap::new();
        for (at, term) in self.all() {
            let of = self.formulas.variables(term);
            let changed = of.iter().any(|&s| value_of(block, s).is_some());
            if !changed || value_of(block, at).is_some() {
                continue;
            }
            let mut values = BTreeMap::new();
            for s in of {
                let ty = self.formulas.type_of(s)?.clone();
                let value = value_of(block, s);
                values.insert(s, value.unwrap_or_else(|| block.push(Op::Get(s), &[], ty)));
            }
            let variable = |s: u32| values.get(&s).copied();
            let value = self.formulas.replay(block, term, &mut known, &variable)?;
            block.give(Target::State(at), value);
        }
        Some(())
    }

    /// The block that takes the products anew.
    fn refresh(&self, cx: &Context) -> Option<Block> {
        let mut block = Block { every: Some(cx.refresh()), ..Block::new(REFRESH) };
        let mut known = BTreeMap::new();
        for (at, term) in self.all() {
            let mut values = BTreeMap::new();
            for s in self.formulas.variables(term) {
                let ty = self.formulas.type_of(s)?.clone();
                values.insert(s, block.push(Op::Get(s), &[], ty));
            }
            let variable = |s: u32| values.get(&s).copied();
            let value = self.formulas.replay(&mut block, term, &mut known, &variable)?;
            block.give(Target::State(at), value);
        }
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::{Verdict, simulates};
    use crate::examples::{after, nodes, read, unchanged};
    use crate::ir::Node;
    use crate::pipeline::tidy;
    use insta::assert_snapshot;

    /// Two rows of a stack, and a factor.
    fn stack(factor: &str, second: &str) -> String {
        format!(
            "mesh 1 rank
            let A = (i) <- (j) : c128[4, 3]
            let B = (i) <- (j) : c128[2, 3]
            state s : c128[4]
            state t : c128[2]
            state g : c128[3]
            slot w : f64
            block setup
            %0 = input d : c128[4]
            %1 = input e : c128[2]
            %2 = apply A.H %0 : c128[3]
            set s %0
            set t %1
            set g %2
            comm 0 calls, 0 B per rank
            block step
            %0 = get s : c128[4]
            %1 = get t : c128[2]
            %2 = get g : c128[3]
            %3 = apply A %2 : c128[4]
            %4 = apply B %2 : c128[2]
            %5 = dot {factor}
            %6 = axpy %5 %3 %0 : c128[4]
            %7 = {second} : c128[2]
            %8 = apply A.H %6 : c128[3]
            %9 = apply B.H %7 : c128[3]
            %10 = add %8 %9 : c128[3]
            set s %6
            set t %7
            set g %10
            comm 0 calls, 0 B per rank"
        )
    }

    const REAL: &str = "real %3 %3 : f64[]";

    fn block(plan: &Plan, name: &str) -> String {
        nodes(&Plan { blocks: vec![plan.block(name).unwrap().clone()], ..plan.clone() })
    }

    #[test]
    fn the_products_of_a_stack_are_carried_as_their_sum() {
        let plan = after(&RecurProducts, &stack(REAL, "axpy %5 %4 %1"));
        assert_snapshot!(block(&plan, "step"), @"
        %0 = get s                      : c128[4]
        %1 = get t                      : c128[2]
        %2 = get g                      : c128[3]
        %3 = apply A %2                 : c128[4]
        %4 = apply B %2                 : c128[2]
        %5 = dot real %3 %3             : f64[]
        %6 = axpy %5 %3 %0              : c128[4]
        %7 = axpy %5 %4 %1              : c128[2]
        %8 = apply A.H %3               : c128[3]
        %9 = apply B.H %4               : c128[3]
        %10 = add %8 %9                 : c128[3]
        %11 = get s_product             : c128[3]
        %12 = axpy %5 %10 %11           : c128[3]
        ");
        assert_snapshot!(block(&plan, REFRESH), @"
        %0 = get s                      : c128[4]
        %1 = get t                      : c128[2]
        %2 = apply A.H %0               : c128[3]
        %3 = apply B.H %1               : c128[3]
        %4 = add %2 %3                  : c128[3]
        ");
        assert_eq!(plan.states.len(), 4);
    }

    #[test]
    fn products_of_vectors_that_change_otherwise_are_carried_alone() {
        let plan = after(&RecurProducts, &stack(REAL, "sub %1 %4"));
        assert_eq!(plan.states.len(), 5, "{plan}");
        let plan = after(&RecurProducts, &stack(REAL, "mul %1 %4"));
        assert_eq!(plan.states.len(), 4, "{plan}");
        assert!(block(&plan, "step").contains("apply B.H"), "{plan}");
    }

    #[test]
    fn a_complex_factor_stays() {
        assert!(unchanged(&RecurProducts, &stack("%3 %3 : c128[]", "mul %1 %4")));
    }

    #[test]
    fn what_is_read_from_a_slot_may_change_between_two_steps() {
        let scaled = stack(REAL, "mul %1 %4")
            .replace("%5 = dot", "%11 = slot w : f64[]\n%5 = dot")
            .replace("%8 = apply A.H %6", "%12 = scale %11 %6 : c128[4]\n%8 = apply A.H %12");
        assert!(unchanged(&RecurProducts, &scaled));
    }

    #[test]
    fn each_contract_but_the_widest_keeps_the_recurrence() {
        let plan = tidy(&read(&stack(REAL, "axpy %5 %4 %1")));
        for numerics in [Numerics::Exact, Numerics::Reassociate] {
            let cx = Context { numerics, ..Context::default() };
            assert_eq!(RecurProducts.run(&plan, &cx).unwrap(), plan);
        }
    }

    /// What a certificate says of a plan in which a block was changed.
    fn judged(name: &str, change: impl Fn(&mut Vec<Node>)) -> Verdict {
        let source = tidy(&read(&stack(REAL, "axpy %5 %4 %1")));
        let cx = Context { numerics: Numerics::Recurrence, ..Context::default() };
        let mut plan = tidy(&RecurProducts.run(&source, &cx).unwrap());
        plan.blocks.iter_mut().filter(|b| b.name == name).for_each(|b| change(&mut b.nodes));
        simulates(&source, &plan)
    }

    #[test]
    fn a_product_that_is_another_is_missed_by_the_certificate() {
        assert_eq!(judged("step", |_| ()), Verdict::Proven);
        let forgets = |nodes: &mut Vec<Node>| {
            let at = nodes.iter().rposition(|n| n.op == Op::Axpy).unwrap();
            nodes[at].args[2] = nodes[at].args[1];
        };
        let drops = |nodes: &mut Vec<Node>| {
            let at = nodes.iter().position(|n| n.op == Op::Add).unwrap();
            nodes[at].args.truncate(1);
        };
        for verdict in [judged("step", forgets), judged("step", drops), judged(REFRESH, drops)] {
            assert!(matches!(verdict, Verdict::Refuted(_)), "{verdict:?}");
        }
    }
}
