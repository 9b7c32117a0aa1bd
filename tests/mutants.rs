//! Planted faults: plans and calls that are wrong are rejected before they run.
//!
//! A mutant changes the result if a run of all its blocks on simulated ranks fails, or gives
//! something else than the reference; every such mutant must break a rule of the verifier, not
//! match, or be refuted by the certificate.
//! `ADJOIN_MUTANTS` sets how many of each kind are taken from a plan.

mod support;

use adjoin_passes::Plan;
use adjoin_passes::calls::Calls;
use adjoin_passes::certify::{Verdict, certify_calls};
use adjoin_passes::interpret::matching;
use adjoin_passes::lower::lower_all;
use adjoin_passes::pipeline::PIPELINE;
use adjoin_passes::verify::verify;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::subjects::{Subject, all};
use support::{mutate_calls, mutate_plans};

/// Who rejects a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Verifier,
    Matching,
    Certificate,
    Nobody,
}

/// One kind of fault: how many mutants ended how, and how many of them changed the result.
type Row = BTreeMap<By, (usize, usize)>;

#[derive(Default)]
struct Tally {
    rows: BTreeMap<&'static str, Row>,
    harmful_survivors: Vec<String>,
    harmless_survivors: Vec<String>,
    rules: BTreeMap<String, usize>,
}

impl Tally {
    fn count(
        &mut self,
        kind: &'static str,
        place: &str,
        verdict: (By, String),
        harm: Option<String>,
    ) {
        let (by, rule) = verdict;
        let cell = self.rows.entry(kind).or_default().entry(by).or_default();
        cell.0 += 1;
        cell.1 += usize::from(harm.is_some());
        match (by, harm) {
            (By::Nobody, Some(harm)) => {
                self.harmful_survivors.push(format!("{kind}, {place}: {harm}"));
            }
            (By::Nobody, None) => self.harmless_survivors.push(format!("{kind}, {place}")),
            _ => *self.rules.entry(rule).or_default() += 1,
        }
    }

    fn mutants(&self) -> (usize, usize) {
        let cells = self.rows.values().flat_map(BTreeMap::values);
        cells.fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1))
    }

    fn print(&self) {
        println!(
            "{:34} {:>9} {:>9} {:>9} {:>9}",
            "kind (of them harmful)", "verifier", "matching", "certif.", "nobody"
        );
        for (kind, row) in &self.rows {
            let cell = |by| row.get(&by).map_or(String::new(), |(n, harm)| format!("{n} ({harm})"));
            let cells = [By::Verifier, By::Matching, By::Certificate, By::Nobody].map(cell);
            let [a, b, c, d] = cells;
            println!("{kind:34} {a:>9} {b:>9} {c:>9} {d:>9}");
        }
        println!("\nrules that rejected:");
        for (rule, n) in &self.rules {
            println!("{n:6} {rule}");
        }
        println!("\nsurvivors that change nothing: {}", self.harmless_survivors.len());
        self.harmless_survivors.iter().for_each(|s| println!("  {s}"));
        println!("\nsurvivors that change the result: {}", self.harmful_survivors.len());
        self.harmful_survivors.iter().for_each(|s| println!("  {s}"));
    }
}

/// What a panicking closure says is its error.
fn caught<T>(body: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err("it panics".into()))
}

fn judge_calls(subject: &Subject, plan: &Plan, calls: &[Calls]) -> (By, String) {
    if let Err(error) = matching(calls) {
        let text = error.to_string();
        return (
            By::Matching,
            format!("matching: {}", text.split(": ").next().unwrap_or_default()),
        );
    }
    match certify_calls(subject.planned.source(), plan, calls) {
        Verdict::Refuted(_) => (By::Certificate, "certificate".into()),
        Verdict::Proven | Verdict::Assumed(_) => (By::Nobody, String::new()),
    }
}

fn judge_plan(subject: &Subject, plan: &Plan) -> (By, String) {
    match verify(plan) {
        Err(violation) => (By::Verifier, format!("rule {}", violation.rule)),
        Ok(()) => judge_calls(subject, plan, &lower_all(plan)),
    }
}

/// At most so many of each kind, evenly spread.
fn thinned<T>(mutants: Vec<T>, kind: impl Fn(&T) -> &'static str, most: usize) -> Vec<T> {
    let mut total: BTreeMap<&str, usize> = BTreeMap::new();
    for mutant in &mutants {
        *total.entry(kind(mutant)).or_default() += 1;
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keep = |mutant: &T| {
        let (n, k) = (total[kind(mutant)], seen.entry(kind(mutant)).or_default());
        *k += 1;
        n <= most || (*k * most / n) > ((*k - 1) * most / n)
    };
    mutants.into_iter().filter(|m| keep(m)).collect()
}

/// Faults are planted into plans that were improved in every way there is, but for dots of replicated
/// values, which the search places so that none is left to be dropped.
#[test]
fn all_improving_passes_have_changed_some_of_the_plans() {
    let subjects = all();
    let changed: BTreeSet<&str> =
        subjects.iter().flat_map(|s| s.planned.trace()).map(|(pass, _)| *pass).collect();
    let begin = PIPELINE.iter().position(|(p, _)| p.name() == "insert-collectives").unwrap();
    let idle: Vec<_> =
        PIPELINE[begin..].iter().map(|(p, _)| p.name()).filter(|p| !changed.contains(p)).collect();
    assert_eq!(idle, ["drop-replicated-dots"]);
}

#[test]
fn every_fault_that_changes_the_result_is_rejected() {
    let most = std::env::var("ADJOIN_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let mut tally = Tally::default();
    let subjects = all();
    std::panic::set_hook(Box::new(|_| {}));
    for subject in &subjects {
        let plan = subject.planned.plan();
        for (kind, mutant) in thinned(mutate_plans::mutants(plan), |m| m.0, most) {
            let verdict = caught(|| Ok(judge_plan(subject, &mutant)));
            let harm = caught(|| subject.judge(&mutant, &lower_all(&mutant))).err();
            tally.count(kind, subject.name, verdict.unwrap_or_else(|e| (By::Nobody, e)), harm);
        }
        for (kind, rank, mutant) in thinned(mutate_calls::mutants(&subject.calls), |m| m.0, most) {
            let mut calls = subject.calls.clone();
            calls[rank] = mutant;
            let verdict = caught(|| Ok(judge_calls(subject, plan, &calls)));
            let harm = caught(|| subject.judge(plan, &calls)).err();
            let place = format!("{} on rank {rank}", subject.name);
            tally.count(kind, &place, verdict.unwrap_or_else(|e| (By::Nobody, e)), harm);
        }
    }
    drop(std::panic::take_hook());
    tally.print();
    let (mutants, harmful) = tally.mutants();
    println!("\n{mutants} mutants, {harmful} of them change the result");
    assert!(mutants >= 1000, "{mutants} mutants");
    assert!(harmful >= 500, "{harmful} mutants change the result");
    assert!(tally.harmful_survivors.is_empty(), "{:#?}", tally.harmful_survivors);
}
