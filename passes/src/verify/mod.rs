//! The verifier: what must hold of every plan, one named rule a function.
//!
//! It runs after every pass, so a broken rule is our bug and never the user's.
//! Stages follow each other; a rule may rely on all rules of the stages before its own, so nothing
//! after the first stage with a violation is judged.
//! Rules about placements infer what follows from the arguments and compare it with the type that
//! the plan states.
//!
//! | stage | rule | what it says |
//! |---|---|---|
//! | ground | `mesh-axes` | axes of the mesh have different names and at least one rank |
//! | ground | `ids-in-range` | every leaf, term, slot, state, value and axis that is named exists |
//! | ground | `dims-match` | a placement has one split and one pair of ghosts for each dim |
//! | structure | `defined-once` | every value is the result of exactly one node |
//! | structure | `defined-before-use` | a node uses results of earlier nodes only |
//! | structure | `arity` | each operation has the number of arguments and results that it takes |
//! | structure | `axis-lists` | the axes of an operation are some, ascending and different |
//! | structure | `unique-names` | leaves, slots, states, blocks and controls have different names |
//! | structure | `terms-earlier` | a term is made of earlier terms, of at least one |
//! | structure | `returns-once` | a block returns each state at most once |
//! | structure | `repeats` | a block that runs by itself sets variables only, every few steps |
//! | structure | `buffers-cover` | planned buffers name one for each value |
//! | structure | `signatures` | shapes and rule of each leaf belong together |
//! | form | `axes-once` | a value uses an axis of the mesh at most once, pending sums included |
//! | form | `pending-ascending` | pending axes are ascending |
//! | form | `ghosts-need-splits` | only split dims have ghost cells |
//! | form | `dual-needs-ghosts` | only ghost cells can be dual |
//! | form | `cuts-fit` | a cut belongs to a split dim and covers exactly its elements |
//! | form | `cut-names` | cuts of one name are equal |
//! | form | `tiles` | a leaf's tile splits each free factor over axes of its own, and no whole one |
//! | form | `term-shapes` | the shapes of a composite operator's parts fit together |
//! | form | `inputs` | inputs are settled, and those of one name have one type |
//! | shape | `slot-types` | a slot is a replicated double scalar of its own type |
//! | shape | `get-types` | a state is read with exactly its type |
//! | shape | `elementwise-types` | linear maps of elements keep dims, and element types but for cast |
//! | shape | `projection-leaves` | a projection is one that laws of its operators make one of elements |
//! | shape | `scale-types` | factors are double scalars, or have the trailing dims of what they scale |
//! | shape | `apply-types` | parts have the shapes and element types of the signature, and one batch |
//! | shape | `term-types` | parts have the shapes and element types that the term takes and gives |
//! | shape | `dot-types` | operands are alike, and the result is double with the trailing columns |
//! | shape | `map-types` | operands of a map are alike or scalars, of the types that it takes |
//! | shape | `reduce-types` | a reduction gives a real double scalar |
//! | shape | `index-types` | indexed operations agree on the leading dim and on the others |
//! | shape | `regroup-types` | reshape, concat and part keep elements and their type |
//! | shape | `communication-types` | communication keeps shape and element type; what is added to has one precision |
//! | place | `spaces` | a node works in one memory, and only copy goes to another |
//! | place | `return-types` | a state is returned with exactly its type |
//! | place | `controls` | a control is a settled number, or one for each right-hand side, the same on every rank |
//! | place | `outputs` | outputs are settled |
//! | place | `elementwise-place` | operands of a linear map of elements and its result are placed alike |
//! | place | `scale-place` | a factor is settled and placed as the trailing dims of what it scales |
//! | place | `map-place` | operands of a map are settled, without ghosts and placed alike |
//! | place | `whole-place` | calls and terms take and give replicated values |
//! | place | `one-hot-place` | one_hot takes a replicated index and gives a settled value |
//! | place | `reduce-place` | a reduction of a settled value is replicated |
//! | place | `dot-place` | a dot of settled, equal operands is pending over the axes it contracts |
//! | place | `index-place` | the leading dim is unsplit, the others are placed alike |
//! | place | `reshape-place` | dims are split where both shapes begin alike, at the same elements |
//! | place | `concat-place` | concat and part are of unsplit values with equal pending sums |
//! | place | `apply-tile` | parts of an apply are split as the leaf's tile and the factors' cuts say |
//! | place | `apply-batch` | batch dims pass their split, over axes that the tile does not use |
//! | place | `apply-ghosts` | a split stencil reads its halo; its adjoint gathers from as far, or gives dual ghosts |
//! | place | `apply-pending` | contracted axes and those pending before are pending in each result |
//! | place | `apply-sums` | whether a part is a sum over a split factor is clear from the rule |
//! | place | `all-reduce` | axes that were pending are settled, nothing else changes |
//! | place | `reduce-scatter` | axes that were pending split one dim further |
//! | place | `all-gather` | one dim loses exactly these axes, its minor ones |
//! | place | `riders` | what rides on a vector was pending over the axes and is settled, nothing else changes |
//! | place | `all-to-all` | one dim loses the axis and another gains it |
//! | place | `exchange` | the same axes split the value in another way |
//! | place | `halo` | a result has ghost cells, nothing else changes |
//! | place | `halo-sum` | dual ghosts are added to their owners, nothing else changes |
//! | place | `slice` | every rank keeps a part of what it held |
//! | place | `pad` | minor axes of dims become pending |
//! | place | `partial` | axes that replicated the value become pending |
//! | place | `copy` | the other memory, nothing else changes |
//! | place | `regions` | regions follow each other, and their nodes can run panel by panel of a leaf |
//! | place | `region-buffers` | in a region only nodes of single rows write where others stood |
//! | place | `split-halos` | a split halo is followed by nodes that have interiors or do not need it, in no region |
//! | place | `split-buffers` | what is made while a halo travels lies where nothing else does that is used meanwhile |

mod apply;
mod collective;
mod compare;
mod form;
mod ground;
mod indexed;
mod layout;
mod leaves;
mod local;
mod maps;
mod node;
mod program;
mod regions;
mod rules;
mod shapes;
mod splits;
mod structure;
#[cfg(test)]
mod tests;

pub use apply::induced_split;
pub use rules::RULES;

use crate::ir::Plan;
use crate::placement::Type;
use node::{At, Family};
use std::fmt;

/// A broken rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the rule.
    pub rule: &'static str,
    /// The block, if it is in one.
    pub block: Option<usize>,
    /// The node of the block, if it is about one.
    pub node: Option<usize>,
    /// One sentence that names what is wrong.
    pub message: String,
}

/// One rule of the table above.
pub struct Rule {
    /// When it is checked.
    pub stage: Stage,
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub says: &'static str,
    /// How it is checked.
    check: Check,
}

/// Rules of a stage rely on those of all stages before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing points outside.
    Ground,
    /// Values, names and operations.
    Structure,
    /// Each type, leaf and term by itself.
    Form,
    /// Shapes and element types of each node.
    Shape,
    /// Placements of each node.
    Place,
}

/// What a rule finds: nothing, or a sentence.
type Outcome = Result<(), String>;

/// What a rule looks at.
enum Check {
    /// The whole plan.
    Plan(fn(&Plan, &mut Report)),
    /// Every type of a value or state.
    Type(fn(&Plan, &Type) -> Outcome),
    /// Every node of these families.
    Node(&'static [Family], fn(&At) -> Outcome),
}

/// Collects the violations of one rule.
struct Report {
    rule: &'static str,
    found: Vec<Violation>,
}

/// Checks all rules; the first violation if there is one.
pub fn verify(plan: &Plan) -> Result<(), Violation> {
    verify_all(plan).into_iter().next().map_or(Ok(()), Err)
}

/// All violations of the first stage that has some.
pub fn verify_all(plan: &Plan) -> Vec<Violation> {
    for stage in Stage::ALL {
        let rules = RULES.iter().filter(|r| r.stage == stage);
        let found: Vec<_> = rules.flat_map(|rule| rule.violations(plan)).collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Stage; 5] =
        [Stage::Ground, Stage::Structure, Stage::Form, Stage::Shape, Stage::Place];

    /// The name as the table has it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Ground => "ground",
            Stage::Structure => "structure",
            Stage::Form => "form",
            Stage::Shape => "shape",
            Stage::Place => "place",
        }
    }
}

impl Rule {
    fn violations(&self, plan: &Plan) -> Vec<Violation> {
        let mut report = Report { rule: self.name, found: Vec::new() };
        match self.check {
            Check::Plan(check) => check(plan, &mut report),
            Check::Type(check) => types(plan, check, &mut report),
            Check::Node(families, check) => nodes(plan, families, check, &mut report),
        }
        report.found
    }
}

fn types(plan: &Plan, check: fn(&Plan, &Type) -> Outcome, report: &mut Report) {
    for state in &plan.states {
        if let Err(wrong) = check(plan, &state.ty) {
            report.plan(format!("state {} {wrong}", state.name));
        }
    }
    for (b, block) in plan.blocks.iter().enumerate() {
        for (v, ty) in block.types.iter().enumerate() {
            if let Err(wrong) = check(plan, ty) {
                let node =
                    block.nodes.iter().position(|n| n.results.iter().any(|r| r.index() == v));
                report.add(Some(b), node, format!("%{v} {wrong}"));
            }
        }
    }
}

fn nodes(plan: &Plan, families: &[Family], check: fn(&At) -> Outcome, report: &mut Report) {
    for (b, block) in plan.blocks.iter().enumerate() {
        for (n, node) in block.nodes.iter().enumerate() {
            if !families.contains(&Family::of(&node.op)) {
                continue;
            }
            if let Err(message) = check(&At { plan, block, node }) {
                report.node(b, n, message);
            }
        }
    }
}

impl Report {
    fn add(&mut self, block: Option<usize>, node: Option<usize>, message: String) {
        self.found.push(Violation { rule: self.rule, block, node, message });
    }

    /// About the plan itself.
    fn plan(&mut self, message: String) {
        self.add(None, None, message);
    }

    /// About a block.
    fn block(&mut self, block: usize, message: String) {
        self.add(Some(block), None, message);
    }

    /// About a node.
    fn node(&mut self, block: usize, node: usize, message: String) {
        self.add(Some(block), Some(node), message);
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}", self.rule)?;
        if let Some(block) = self.block {
            write!(f, ", block {block}")?;
        }
        if let Some(node) = self.node {
            write!(f, ", node {node}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Violation {}
