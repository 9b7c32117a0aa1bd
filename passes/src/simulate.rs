//! A discrete-event simulation of the calls of all ranks on a machine.
//!
//! Each rank has a clock of its own.
//! Local calls take the time of their nodes on that rank's tiles, so that uneven and empty ranks
//! differ.
//! A collective begins when the last member has started it, and takes the time of the model.
//! Communications of a rank that are on at once share its connection: one goes after the other.
//! An exchange goes message by message: a rank sends one after the other, each takes a latency and
//! the time of its bytes on the connection between the two.
//! Who waits for somebody that has not started yet is idle; afterwards it communicates.

mod expect;
mod flows;
mod scripts;
mod world;

pub use expect::{Expected, expect};
pub use flows::{Flows, flows};

use crate::interpret::CallError;
use crate::ir::Plan;
use crate::machine::Machine;
use serde::Serialize;
use std::ops::Range;

/// Up to how many ranks a simulation takes seconds: the calls of each are listed.
pub const MOST: usize = 4096;

/// What a rank does in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It computes.
    Work,
    /// It communicates, and nobody is late.
    Send,
    /// It waits for ranks that have not come so far.
    Wait,
}

/// A call, or a part of one, on the clock of a rank.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// The call of the block.
    pub call: usize,
    /// The nodes that it came from; empty for copies to the state at the end.
    pub nodes: Range<usize>,
    /// Seconds since the beginning.
    pub begin: f64,
    /// Seconds since the beginning.
    pub end: f64,
    /// What the rank does.
    pub kind: Kind,
}

/// What a rank does, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// Spans that take time.
    pub spans: Vec<Span>,
    /// Seconds of local work.
    pub work: f64,
    /// Seconds of communication that work did not hide.
    pub send: f64,
    /// Seconds in which it waited for others.
    pub wait: f64,
}

/// One run of a block, or several, on all ranks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Simulation {
    /// One for each rank.
    pub ranks: Vec<Timeline>,
    /// Seconds until the last rank is through.
    pub seconds: f64,
}

/// Runs a block of a placed plan so many times on end.
pub fn simulate(
    plan: &Plan,
    machine: &Machine,
    block: usize,
    turns: usize,
) -> Result<Simulation, CallError> {
    let machine = &machine.among(plan.mesh.ranks());
    let scripts = scripts::all(plan, machine, block);
    world::run(machine, &scripts, turns)
}

/// The nodes for which a call pays: those that it came from, unless an earlier call has paid.
fn due(sources: &[Range<usize>], call: usize, paid: &mut usize) -> Range<usize> {
    let nodes = sources.get(call).cloned().unwrap_or(0..0);
    let due = (*paid).clamp(nodes.start, nodes.end)..nodes.end;
    *paid = (*paid).max(nodes.end);
    due
}

impl Timeline {
    /// Seconds until the rank is through.
    pub fn end(&self) -> f64 {
        self.work + self.send + self.wait
    }

    fn push(&mut self, span: Span) {
        let took = span.end - span.begin;
        if took <= 0.0 {
            return;
        }
        match span.kind {
            Kind::Work => self.work += took,
            Kind::Send => self.send += took,
            Kind::Wait => self.wait += took,
        }
        self.spans.push(span);
    }
}

impl Simulation {
    /// The fraction of all ranks' time in which they wait for others, or are through before them.
    pub fn idle(&self) -> f64 {
        let all = self.seconds * self.ranks.len() as f64;
        let busy: f64 = self.ranks.iter().map(|r| r.work + r.send).sum();
        if all > 0.0 { (1.0 - busy / all).max(0.0) } else { 0.0 }
    }

    /// The rank that has most local work, for which the others wait.
    pub fn critical(&self) -> usize {
        let works = self.ranks.iter().map(|r| r.work);
        let most = works.clone().fold(0.0, f64::max);
        works.into_iter().position(|w| w >= most).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Account;
    use crate::mesh::Mesh;
    use crate::pipeline::{Context, compile};
    use crate::signature::Factor;
    use std::sync::Arc;

    const NORMAL: &str = "mesh 1 rank
        let A = (i) <- (j) : f64[4096, 1024]
        %0 = input x : f64[1024]
        %1 = apply A %0 : f64[4096]
        %2 = apply A.H %1 : f64[1024]
        return %2";

    const STENCIL: &str = "mesh p=4 (4 ranks)
        let D = (i) <- (i~1:1) : f64[4096/p]
        %0 = input x : f64[4096/p]
        %1 = halo %0 : f64[4096/p~1:1]
        %2 = apply D %1 : f64[4096/p]
        return %2";

    /// A sum of megabytes and a halo beside a product.
    const BESIDE: &str = "mesh p=4 (4 ranks)
        let A = (i) <- (j) : f64[100000, 16/p]
        let B = (i) <- (j) : f64[100000, 8]
        let D = (i) <- (i~1:1) : f64[100000/p]
        %0 = input x : f64[16/p]
        %1 = input y : f64[8]
        %2 = input z : f64[100000/p]
        %3 = halo %2 : f64[100000/p~1:1]
        %4 = apply A %0 : f64[100000] +p
        %5 = all_reduce p %4 : f64[100000]
        %6 = apply B %1 : f64[100000]
        %7 = apply D %3 : f64[100000/p]
        %8 = add %5 %6 : f64[100000]
        return %7 %8";

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
    }

    fn placed(text: &str, ranks: usize) -> Plan {
        let cx = Context { mesh: Mesh::line(ranks), ..Context::default() };
        compile(&crate::examples::read(text), &cx).unwrap().plan
    }

    #[test]
    fn balanced_plans_take_what_their_account_says() {
        let machine = Machine::default();
        for plan in [placed(NORMAL, 4), placed(NORMAL, 64), crate::examples::read(STENCIL)] {
            let account = Account::of(&plan, &machine).iteration();
            let one = simulate(&plan, &machine, 0, 1).unwrap();
            assert!(near(one.seconds, account), "{} for {account}: {plan}", one.seconds);
            let three = simulate(&plan, &machine, 0, 3).unwrap();
            assert!(three.seconds <= 3.0 * account * (1.0 + 1e-9));
            assert!(one.ranks.iter().all(|r| near(r.end(), r.work + r.send + r.wait)));
        }
    }

    #[test]
    fn work_beside_communication_hides_it() {
        let plan = crate::examples::read(BESIDE);
        let machine = Machine::default().with_overlap(1.0);
        let account = Account::of(&plan, &machine);
        let block = &account.blocks[0];
        let run = simulate(&plan, &machine, 0, 1).unwrap();
        assert!(block.hidden > 2e-4, "{block:?}");
        // The first rank has one neighbour; those between wait for two messages.
        assert!(near(run.seconds, block.seconds()), "{} for {}", run.seconds, block.seconds());
        let alone = block.nodes.iter().map(|node| node.seconds).sum::<f64>();
        assert!(near(block.seconds() + block.hidden, alone));
        for share in [0.0, 0.3, 1.0] {
            let slow = machine.clone().with_link(2e-6, 1e9).with_overlap(share);
            let account = Account::of(&plan, &slow);
            let run = simulate(&plan, &slow, 0, 1).unwrap();
            assert_eq!(account.blocks[0].hidden > 0.0, share > 0.0, "{account:?}");
            let all = account.iteration();
            assert!(account.blocks[0].wire > 1e-4 && near(run.seconds, all), "{run:?} {all}");
        }
    }

    #[test]
    fn the_rank_with_most_work_is_waited_for() {
        let mut plan = placed(NORMAL, 4);
        let before = simulate(&plan, &Machine::default(), 0, 1).unwrap();
        assert!(before.idle() < 1e-9, "{}", before.idle());
        // Half of the cost stands in the last quarter of the rows.
        let mut signature = (*plan.leaves[0].signature).clone();
        let weight = |i: usize| if i >= 3072 { 3 } else { 1 };
        let weights = Some(Arc::new((0..4096).map(weight).collect()));
        signature.rule.factors[0] = Factor { weights, ..signature.rule.factors[0].clone() };
        plan.leaves[0].signature = Arc::new(signature);
        let after = simulate(&plan, &Machine::default(), 0, 1).unwrap();
        assert_eq!(after.critical(), 3);
        assert_eq!(after.ranks[3].wait, 0.0);
        let late = after.ranks[3].work - after.ranks[0].work;
        assert!(late > 0.0 && near(after.ranks[0].wait, late), "{after:?}");
        // Three of four wait while the last does two thirds more: 3 · 2 of 4 · 3 parts.
        assert!((0.4..0.51).contains(&after.idle()), "{}", after.idle());
    }

    #[test]
    fn a_late_neighbour_holds_up_neighbours_only() {
        let mut plan = crate::examples::read(
            "mesh p=4 (4 ranks)
            let D = (i) <- (i~1:1) : f64[4096/p]
            let E = (i) <- (i) : f64[4096/p]
            %0 = input x : f64[4096/p]
            %1 = apply E %0 : f64[4096/p]
            %2 = halo %1 : f64[4096/p~1:1]
            %3 = apply D %2 : f64[4096/p]
            return %3",
        );
        let leaf = plan.leaves.iter().position(|l| l.name == "E").unwrap();
        let mut signature = (*plan.leaves[leaf].signature).clone();
        signature.cost.flops = 1e9;
        let weight = |i: usize| if i < 1024 { 5 } else { 1 };
        signature.rule.factors[0].weights = Some(Arc::new((0..4096).map(weight).collect()));
        plan.leaves[leaf].signature = Arc::new(signature);
        let run = simulate(&plan, &Machine::default(), 0, 1).unwrap();
        let waits: Vec<_> = run.ranks.iter().map(|r| r.wait > 1e-6).collect();
        assert_eq!(waits, [false, true, false, false], "{plan}");
    }

    #[test]
    fn ranks_without_rows_have_least_to_do() {
        let few = STENCIL.replace("4096", "5").replace("p=4 (4 ranks)", "p=7 (7 ranks)");
        let machine = Machine::default().with_flops(1e6);
        let run = simulate(&crate::examples::read(&few), &machine, 0, 1).unwrap();
        assert!(run.ranks[6].work < run.ranks[0].work);
        assert_eq!(run.ranks[6].send, 0.0, "nobody sends it anything");
    }

    #[test]
    fn every_byte_of_a_halo_is_in_the_map() {
        let plan = crate::examples::read(STENCIL);
        let flows = flows(&plan, 0, 64);
        let between = |a: usize, b: usize| flows.bytes[a * 4 + b];
        assert_eq!((between(0, 1), between(1, 0), between(0, 2)), (8.0, 8.0, 0.0));
        assert_eq!(flows.bytes.iter().sum::<f64>(), 6.0 * 8.0);
        let pairs = super::flows(&plan, 0, 2);
        assert_eq!((pairs.each, pairs.side), (2, 2));
        assert_eq!(pairs.bytes, [16.0, 8.0, 8.0, 16.0]);
    }
}
