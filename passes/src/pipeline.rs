//! The pipeline: the ordered list of passes, and the driver that runs them.
//!
//! Passes are pure functions from plan to plan.
//! Only the driver verifies after each of them, checks that inputs and results keep their shapes
//! and types, drops dead nodes, renumbers, and records the trace.

mod tidy;

pub use tidy::tidy;
pub(crate) use tidy::{dependences, reordered};

use crate::associate_products::AssociateProducts;
use crate::cancel_identities::CancelIdentities;
use crate::carry_numbers::CarryNumbers;
use crate::certify::{Verdict, certify, simulates};
use crate::compose_stencils::ComposeStencils;
use crate::contest::winner;
use crate::cost::Account;
use crate::drop_replicated_dots::DropReplicatedDots;
use crate::error::PlanError;
use crate::expand_kronecker::ExpandKronecker;
use crate::fold_scalars::FoldScalars;
use crate::fuse_updates::FuseUpdates;
use crate::hoist_invariants::HoistInvariants;
use crate::hoist_isometries::HoistIsometries;
use crate::insert_collectives::InsertCollectives;
use crate::ir::{MEANING, Op, Plan, Target};
use crate::machine::Machine;
use crate::meaning::without_meaning;
use crate::meet_projections::MeetProjections;
use crate::merge_dots::MergeDots;
use crate::merge_halos::MergeHalos;
use crate::merge_sums::MergeSums;
use crate::merge_vectors::MergeVectors;
use crate::mesh::Mesh;
use crate::one_pass_normal::OnePassNormal;
use crate::plan_buffers::PlanBuffers;
use crate::push_adjoints::PushAdjoints;
use crate::recognise_normal::RecogniseNormal;
use crate::recur_products::RecurProducts;
use crate::rematerialise::Rematerialise;
use crate::ride_reductions::RideReductions;
use crate::rotate_updates::RotateUpdates;
use crate::search::{Decisions, Pin, Space};
use crate::share_values::ShareValues;
use crate::split_halos::SplitHalos;
use crate::start_early::StartEarly;
use crate::verify::verify;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a pass may do to the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Numerics {
    /// E: every bit stays. As the user's contract: `strict`.
    Exact,
    /// F: the order of sums may change. As the user's contract: `reassociate`.
    #[default]
    Reassociate,
    /// N: a recurrence may change. As the user's contract: `recurrence`.
    Recurrence,
}

impl Numerics {
    /// All contracts, the strictest first.
    pub const ALL: [Numerics; 3] = [Numerics::Exact, Numerics::Reassociate, Numerics::Recurrence];

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Numerics::Exact => "strict",
            Numerics::Reassociate => "reassociate",
            Numerics::Recurrence => "recurrence",
        }
    }

    /// The contract of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contract| contract.name() == name)
    }
}

/// What passes may know besides the plan.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The ranks to plan for.
    pub mesh: Mesh,
    /// What things cost.
    pub machine: Machine,
    /// What the user allows.
    pub numerics: Numerics,
    /// After how many steps what is carried along by a recurrence is computed anew; see
    /// [`Context::refresh`].
    pub refresh: Option<u32>,
    /// Whether a step ends with all of its own updates, even where it is cheaper that the next one
    /// begins with them ([`crate::rotate_updates`]).
    pub whole_steps: bool,
    /// Seconds for a byte that is held: what makes the search save memory.
    pub memory_price: f64,
    /// Placements that the user demands.
    pub pins: Vec<Pin>,
    /// What the search has decided, if it was asked before.
    pub decisions: Option<Arc<Decisions>>,
}

/// After how many steps a recurrence is refreshed if nobody says.
const REFRESH: u32 = 20;

impl Context {
    /// After how many steps what is carried along by a recurrence is computed anew: twenty, if
    /// nothing else is said.
    pub fn refresh(&self) -> u32 {
        self.refresh.unwrap_or(REFRESH).max(1)
    }

    /// The same, with the machine as the ranks of the mesh find it while all work.
    #[must_use]
    pub fn among_ranks(&self) -> Self {
        Context { machine: self.machine.among(self.mesh.ranks()), ..self.clone() }
    }
}

/// One transformation of plans.
pub trait Pass: Sync {
    /// Verb and object, as in traces and file names.
    fn name(&self) -> &'static str;
    /// What it does to the numbers.
    fn numerics(&self) -> Numerics;
    /// The transformed plan; an equal one where the pass does not apply.
    fn run(&self, plan: &Plan, cx: &Context) -> Result<Plan, PlanError>;
}

/// A pass, and why it stands where it does.
pub type Stage = (&'static dyn Pass, &'static str);

/// All passes in their order.
pub static PIPELINE: &[Stage] = &[
    (&PushAdjoints, "all that follows knows leaves and their adjoints only"),
    (&FoldScalars, "scalars between factors hide what cancels"),
    (&RecogniseNormal, "no scalar stands between stacks that meet"),
    (&ExpandKronecker, "Kronecker products have met as blocks, too"),
    (&RecogniseNormal, "operands of Kronecker products that met may be stacks"),
    (&FoldScalars, "blocks that met may have had scalars of their own"),
    (&CancelIdentities, "on flat products without scalars, before they become nodes"),
    (&AssociateProducts, "from terms to nodes: the last pass that sees composite operators"),
    (&ShareValues, "equal subexpressions are visible as equal nodes now"),
    (&HoistIsometries, "applications are nodes, of which equal ones are one"),
    (&MeetProjections, "transforms that left the loop take what they met with them"),
    (&RecurProducts, "in the last basis, of which products are cheaper"),
    (&HoistInvariants, "a new basis may leave vectors that do not change any more"),
    (&RotateUpdates, "the state is as the solver needs it, and no placement is decided"),
    (&InsertCollectives, "decides and writes placements; the passes below never change one"),
    (&ShareValues, "redistributions of one value may have become equal"),
    (&MergeSums, "fewer reductions, before they are merged into calls"),
    (&MergeHalos, "once equal halos are one"),
    (&DropReplicatedDots, "a reduction that is not needed must not hold up others"),
    (&MergeVectors, "vectors that share a call are one for the numbers to ride on"),
    (&RideReductions, "before numbers look for each other: a ride costs no call at all"),
    (&MergeDots, "the numbers that found no vector share calls"),
    (&CarryNumbers, "once numbers share calls: a vector's pieces save a whole one or nothing"),
    (&OnePassNormal, "once no reduction moves between an operator and its adjoint"),
    (&ComposeStencils, "stencils stand in regions with their adjoints"),
    (&FuseUpdates, "updates gather around what is left between them"),
    (&Rematerialise, "on whole regions, of which each may make for itself what it needs"),
    (&StartEarly, "on whole regions: nobody moves a node after it"),
    (&SplitHalos, "what other work cannot hide, the interior may"),
    (&PlanBuffers, "liveness is final once no node moves any more"),
];

/// A finished plan and how it came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compiled {
    /// The plan before any pass.
    pub source: Plan,
    /// The plan that is placed, with what its state means, if that is not the source's.
    pub meant: Option<Plan>,
    /// The finished plan.
    pub plan: Plan,
    /// Each pass that changed something, with the plan after it.
    pub trace: Vec<(&'static str, Plan)>,
    /// What the search has decided, once it was asked.
    pub decisions: Option<Arc<Decisions>>,
}

/// Runs the whole pipeline.
pub fn compile(source: &Plan, cx: &Context) -> Result<Compiled, PlanError> {
    compile_prefix(source, cx, PIPELINE.len())
}

/// The plan that the search is asked about: after the passes that know nothing of ranks yet.
pub fn compile_algebra(source: &Plan, cx: &Context) -> Result<Plan, PlanError> {
    Ok(meant(prefix(source, cx, insertion())?).plan)
}

/// Runs the passes that know nothing of ranks yet.
pub(crate) fn prepare(source: &Plan, cx: &Context) -> Result<Compiled, PlanError> {
    Ok(meant(compile_prefix(source, cx, insertion())?))
}

/// What is placed is without the meaning of the state.
fn meant(mut before: Compiled) -> Compiled {
    if before.plan.meaning().is_some() {
        let placed = without_meaning(&before.plan);
        before.meant = Some(std::mem::replace(&mut before.plan, placed));
    }
    before
}

/// The cheapest finished plan of what was prepared; the search may be known already.
pub(crate) fn place(
    before: &Compiled,
    cx: &Context,
    known: Option<&Space<'_>>,
) -> Result<Compiled, PlanError> {
    winner(before, cx, known, &|cx| finish_placed(before, cx, PIPELINE.len()))
}

/// Runs the passes from the insertion on, those before `passes` that the user allows.
fn finish_placed(before: &Compiled, cx: &Context, passes: usize) -> Result<Compiled, PlanError> {
    let allowed = |(pass, _): &&Stage| {
        pass.name() == InsertCollectives.name() || pass.numerics() <= cx.numerics
    };
    let begin = Compiled { decisions: cx.decisions.clone(), ..before.clone() };
    finish(begin, PIPELINE[insertion()..passes].iter().filter(allowed), cx)
}

/// How many passes run before placements are written.
fn insertion() -> usize {
    let at = PIPELINE.iter().position(|(pass, _)| pass.name() == InsertCollectives.name());
    at.unwrap_or(PIPELINE.len())
}

/// Runs the first passes of the pipeline only.
pub fn compile_prefix(source: &Plan, cx: &Context, passes: usize) -> Result<Compiled, PlanError> {
    check("lowering", source)?;
    let cx = &cx.among_ranks();
    if cx.decisions.is_some() {
        return prefix(source, cx, passes);
    }
    let all = PIPELINE.len();
    let mut ways = ways(source, cx)?;
    if ways.len() == 1 {
        return prefix(source, &ways.remove(0), passes);
    }
    let mut best: Option<(f64, Context, Compiled)> = None;
    for way in ways {
        let finished = prefix(source, &way, all)?;
        let cost = Account::of(&finished.plan, &cx.machine).weighted();
        if best.as_ref().is_none_or(|(least, ..)| cost <= *least) {
            best = Some((cost, way, finished));
        }
    }
    match best {
        Some((_, _, best)) if passes == all => Ok(best),
        Some((_, way, _)) => prefix(source, &way, passes),
        None => prefix(source, cx, passes),
    }
}

/// What is finished and compared, plainest last: another recurrence, and steps that begin with
/// updates of those before, are taken only where the finished plan is cheaper.
fn ways(source: &Plan, cx: &Context) -> Result<Vec<Context>, PlanError> {
    let mut ways: Vec<(Context, Plan)> = Vec::new();
    for numerics in [cx.numerics, cx.numerics.min(Numerics::Reassociate)] {
        let way = Context { numerics, ..cx.clone() };
        let before = prefix(source, &way, insertion())?;
        if ways.iter().any(|(_, known)| *known == before.plan) {
            continue;
        }
        let rotated = before.trace.iter().any(|(pass, _)| *pass == RotateUpdates.name());
        ways.push((way.clone(), before.plan));
        if rotated {
            let way = Context { whole_steps: true, ..way };
            let plan = compile_algebra(source, &way)?;
            ways.push((way, plan));
        }
    }
    Ok(ways.into_iter().map(|(way, _)| way).collect())
}

fn prefix(source: &Plan, cx: &Context, passes: usize) -> Result<Compiled, PlanError> {
    let source = tidy(source);
    let first = &PIPELINE[..passes.min(insertion())];
    let before = Compiled {
        plan: source.clone(),
        source,
        decisions: cx.decisions.clone(),
        meant: None,
        trace: Vec::new(),
    };
    let before = finish(before, first.iter(), cx)?;
    if passes <= insertion() {
        return Ok(before);
    }
    let before = meant(before);
    if cx.decisions.is_some() {
        return finish_placed(&before, cx, passes);
    }
    let won = place(&before, cx, None)?;
    if passes == PIPELINE.len() {
        return Ok(won);
    }
    finish_placed(&before, &Context { decisions: won.decisions, ..cx.clone() }, passes)
}

/// Runs some passes on what others have made.
fn finish<'a>(
    mut compiled: Compiled,
    stages: impl Iterator<Item = &'a Stage>,
    cx: &Context,
) -> Result<Compiled, PlanError> {
    for (pass, _) in stages {
        let next = run(*pass, &compiled.plan, cx)?;
        if next != compiled.plan {
            compiled.trace.push((pass.name(), next.clone()));
        }
        compiled.plan = next;
    }
    Ok(compiled)
}

/// Runs one pass as the driver does.
pub fn run(pass: &dyn Pass, plan: &Plan, cx: &Context) -> Result<Plan, PlanError> {
    let next = tidy(&pass.run(plan, cx)?);
    check(pass.name(), &next)?;
    if face(plan) != face(&next) {
        return Err(PlanError::Broken {
            pass: pass.name(),
            rule: "same face",
            message: "inputs or results have changed".into(),
            plan: next.to_string(),
        });
    }
    Ok(next)
}

fn check(pass: &'static str, plan: &Plan) -> Result<(), PlanError> {
    verify(plan).map_err(|v| PlanError::Broken {
        pass,
        rule: v.rule,
        message: format!("{v}"),
        plan: plan.to_string(),
    })
}

impl Compiled {
    /// Certifies the finished plan against its source: at once, or by way of what the changed
    /// state means.
    pub fn certify(&self) -> Verdict {
        let Some(meant) = &self.meant else { return certify(&self.source, &self.plan) };
        match simulates(&self.source, meant) {
            Verdict::Refuted(reason) => Verdict::Refuted(reason),
            Verdict::Proven => certify(&without_meaning(meant), &self.plan),
            Verdict::Assumed(mut names) => match certify(&without_meaning(meant), &self.plan) {
                Verdict::Proven => Verdict::Assumed(names),
                Verdict::Refuted(reason) => Verdict::Refuted(reason),
                Verdict::Assumed(more) => {
                    names.extend(more);
                    names.sort();
                    names.dedup();
                    Verdict::Assumed(names)
                }
            },
        }
    }
}

/// Inputs and results with shapes and types: what no pass may change.
fn face(plan: &Plan) -> Vec<(String, Vec<usize>, crate::Dtype)> {
    let mut out = Vec::new();
    for block in plan.blocks.iter().filter(|b| b.name != MEANING && b.every.is_none()) {
        for node in &block.nodes {
            if let Op::Input(name) = &node.op {
                let ty = block.ty(node.results[0]);
                out.push((format!("{}.{name}", block.name), ty.dims.clone(), ty.dtype));
            }
        }
        out.sort();
        for r in &block.returns {
            let ty = block.ty(r.value);
            let target = match &r.target {
                // A pass may change the state, if it says what it means.
                Target::State(_) => continue,
                Target::Output => "output".into(),
                Target::Control(name) => name.clone(),
            };
            out.push((target, ty.dims.clone(), ty.dtype));
        }
    }
    out
}
