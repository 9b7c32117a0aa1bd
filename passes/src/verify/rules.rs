//! The table of the module as data: each rule with the function that checks it.

use super::node::Family::{
    self, AllGather, AllReduce, AllToAll, Call, Concat, Copy, Dot, Elementwise, Exchange, Get,
    Halo, HaloSum, Indexed, Leaf, Map, OneHot, Pad, Partial, Reduce, ReduceScatter, Reshape, Scale,
    Slice, Slot, Term,
};
use super::{Check, Rule, Stage};
use super::{
    apply, collective, form, ground, indexed, layout, leaves, local, maps, program, regions,
    shapes, splits, structure,
};

/// All operations that keep shape and element type and change the placement.
#[rustfmt::skip]
const MOVES: &[Family] = &[
    AllReduce, ReduceScatter, AllGather, AllToAll, Exchange, Halo, HaloSum, Slice, Pad, Partial,
    Copy,
];

/// All operations that stay in one memory.
#[rustfmt::skip]
const LOCAL: &[Family] = &[
    Term, Leaf, Elementwise, Scale, Map, Call, Reduce, Dot, Indexed, OneHot, Reshape, Concat,
    AllReduce, ReduceScatter, AllGather, AllToAll, Exchange, Halo, HaloSum, Slice, Pad, Partial,
];

/// Every rule, in the order in which they are checked.
pub static RULES: &[Rule] = &[
    rule(
        Stage::Ground,
        "mesh-axes",
        "axes of the mesh have different names and at least one rank",
        Check::Plan(ground::mesh_axes),
    ),
    rule(
        Stage::Ground,
        "ids-in-range",
        "every leaf, term, slot, state, value and axis that is named exists",
        Check::Plan(ground::ids_in_range),
    ),
    rule(
        Stage::Ground,
        "dims-match",
        "a placement has one split and one pair of ghosts for each dim",
        Check::Type(ground::dims_match),
    ),
    rule(
        Stage::Structure,
        "defined-once",
        "every value is the result of exactly one node",
        Check::Plan(structure::defined_once),
    ),
    rule(
        Stage::Structure,
        "defined-before-use",
        "a node uses results of earlier nodes only",
        Check::Plan(structure::defined_before_use),
    ),
    rule(
        Stage::Structure,
        "arity",
        "each operation has the number of arguments and results that it takes",
        Check::Plan(structure::arity),
    ),
    rule(
        Stage::Structure,
        "axis-lists",
        "the axes of an operation are some, ascending and different",
        Check::Node(&[AllReduce, ReduceScatter, AllGather, Pad, Partial], structure::axis_lists),
    ),
    rule(
        Stage::Structure,
        "unique-names",
        "leaves, slots, states, blocks and controls have different names",
        Check::Plan(structure::unique_names),
    ),
    rule(
        Stage::Structure,
        "terms-earlier",
        "a term is made of earlier terms, of at least one",
        Check::Plan(structure::terms_earlier),
    ),
    rule(
        Stage::Structure,
        "returns-once",
        "a block returns each state at most once",
        Check::Plan(structure::returns_once),
    ),
    rule(
        Stage::Structure,
        "repeats",
        "a block that runs by itself sets variables only, every few steps",
        Check::Plan(structure::repeats),
    ),
    rule(
        Stage::Structure,
        "buffers-cover",
        "planned buffers name one for each value",
        Check::Plan(structure::buffers_cover),
    ),
    rule(
        Stage::Structure,
        "signatures",
        "shapes and rule of each leaf belong together",
        Check::Plan(leaves::signatures),
    ),
    rule(
        Stage::Form,
        "axes-once",
        "a value uses an axis of the mesh at most once, pending sums included",
        Check::Type(form::axes_once),
    ),
    rule(
        Stage::Form,
        "pending-ascending",
        "pending axes are ascending",
        Check::Type(form::pending_ascending),
    ),
    rule(
        Stage::Form,
        "ghosts-need-splits",
        "only split dims have ghost cells",
        Check::Type(form::ghosts_need_splits),
    ),
    rule(
        Stage::Form,
        "dual-needs-ghosts",
        "only ghost cells can be dual",
        Check::Type(form::dual_needs_ghosts),
    ),
    rule(
        Stage::Form,
        "cuts-fit",
        "a cut belongs to a split dim and covers exactly its elements",
        Check::Type(form::cuts_fit),
    ),
    rule(Stage::Form, "cut-names", "cuts of one name are equal", Check::Plan(form::cut_names)),
    rule(
        Stage::Form,
        "tiles",
        "a leaf's tile splits each free factor over axes of its own, and no whole one",
        Check::Plan(leaves::tiles),
    ),
    rule(
        Stage::Form,
        "term-shapes",
        "the shapes of a composite operator's parts fit together",
        Check::Plan(leaves::term_shapes),
    ),
    rule(
        Stage::Form,
        "inputs",
        "inputs are settled, and those of one name have one type",
        Check::Plan(program::inputs),
    ),
    rule(
        Stage::Shape,
        "slot-types",
        "a slot is a replicated double scalar of its own type",
        Check::Node(&[Slot], shapes::slot),
    ),
    rule(
        Stage::Shape,
        "get-types",
        "a state is read with exactly its type",
        Check::Node(&[Get], shapes::get),
    ),
    rule(
        Stage::Shape,
        "elementwise-types",
        "linear maps of elements keep dims, and element types but for cast",
        Check::Node(&[Elementwise], shapes::elementwise),
    ),
    rule(
        Stage::Shape,
        "projection-leaves",
        "a projection is one that laws of its operators make one of elements",
        Check::Node(&[Elementwise], shapes::projection),
    ),
    rule(
        Stage::Shape,
        "scale-types",
        "factors are double scalars, or have the trailing dims of what they scale",
        Check::Node(&[Scale], shapes::scale),
    ),
    rule(
        Stage::Shape,
        "apply-types",
        "parts have the shapes and element types of the signature, and one batch",
        Check::Node(&[Leaf], shapes::apply),
    ),
    rule(
        Stage::Shape,
        "term-types",
        "parts have the shapes and element types that the term takes and gives",
        Check::Node(&[Term], shapes::term),
    ),
    rule(
        Stage::Shape,
        "dot-types",
        "operands are alike, and the result is double with the trailing columns",
        Check::Node(&[Dot], shapes::dot),
    ),
    rule(
        Stage::Shape,
        "map-types",
        "operands of a map are alike or scalars, of the types that it takes",
        Check::Node(&[Map], maps::map),
    ),
    rule(
        Stage::Shape,
        "reduce-types",
        "a reduction gives a real double scalar",
        Check::Node(&[Reduce], maps::reduce),
    ),
    rule(
        Stage::Shape,
        "index-types",
        "indexed operations agree on the leading dim and on the others",
        Check::Node(&[Indexed, OneHot], indexed::types),
    ),
    rule(
        Stage::Shape,
        "regroup-types",
        "reshape, concat and part keep elements and their type",
        Check::Node(&[Reshape, Concat], layout::types),
    ),
    rule(
        Stage::Shape,
        "communication-types",
        "communication keeps shape and element type; what is added to has one precision",
        Check::Node(MOVES, shapes::communication),
    ),
    rule(
        Stage::Place,
        "spaces",
        "a node works in one memory, and only copy goes to another",
        Check::Node(LOCAL, local::spaces),
    ),
    rule(
        Stage::Place,
        "return-types",
        "a state is returned with exactly its type",
        Check::Plan(program::return_types),
    ),
    rule(
        Stage::Place,
        "controls",
        "a control is a settled number, or one for each right-hand side, the same on every rank",
        Check::Plan(program::controls),
    ),
    rule(Stage::Place, "outputs", "outputs are settled", Check::Plan(program::outputs)),
    rule(
        Stage::Place,
        "elementwise-place",
        "operands of a linear map of elements and its result are placed alike",
        Check::Node(&[Elementwise], local::elementwise),
    ),
    rule(
        Stage::Place,
        "scale-place",
        "a factor is settled and placed as the trailing dims of what it scales",
        Check::Node(&[Scale], local::scale),
    ),
    rule(
        Stage::Place,
        "map-place",
        "operands of a map are settled, without ghosts and placed alike",
        Check::Node(&[Map], local::map),
    ),
    rule(
        Stage::Place,
        "whole-place",
        "calls and terms take and give replicated values",
        Check::Node(&[Call, Term], local::whole),
    ),
    rule(
        Stage::Place,
        "one-hot-place",
        "one_hot takes a replicated index and gives a settled value",
        Check::Node(&[OneHot], local::one_hot),
    ),
    rule(
        Stage::Place,
        "reduce-place",
        "a reduction of a settled value is replicated",
        Check::Node(&[Reduce], local::reduce),
    ),
    rule(
        Stage::Place,
        "dot-place",
        "a dot of settled, equal operands is pending over the axes it contracts",
        Check::Node(&[Dot], local::dot),
    ),
    rule(
        Stage::Place,
        "index-place",
        "the leading dim is unsplit, the others are placed alike",
        Check::Node(&[Indexed], indexed::place),
    ),
    rule(
        Stage::Place,
        "reshape-place",
        "dims are split where both shapes begin alike, at the same elements",
        Check::Node(&[Reshape], layout::reshape),
    ),
    rule(
        Stage::Place,
        "concat-place",
        "concat and part are of unsplit values with equal pending sums",
        Check::Node(&[Concat], layout::concat),
    ),
    rule(
        Stage::Place,
        "apply-tile",
        "parts of an apply are split as the leaf's tile and the factors' cuts say",
        Check::Node(&[Leaf], apply::tile),
    ),
    rule(
        Stage::Place,
        "apply-batch",
        "batch dims pass their split, over axes that the tile does not use",
        Check::Node(&[Leaf], apply::batch),
    ),
    rule(
        Stage::Place,
        "apply-ghosts",
        "a split stencil reads its halo; its adjoint gathers from as far, or gives dual ghosts",
        Check::Node(&[Leaf], apply::ghosts),
    ),
    rule(
        Stage::Place,
        "apply-pending",
        "contracted axes and those pending before are pending in each result",
        Check::Node(&[Leaf], apply::pending),
    ),
    rule(
        Stage::Place,
        "apply-sums",
        "whether a part is a sum over a split factor is clear from the rule",
        Check::Node(&[Leaf], apply::sums),
    ),
    rule(
        Stage::Place,
        "all-reduce",
        "axes that were pending are settled, nothing else changes",
        Check::Node(&[AllReduce], collective::all_reduce),
    ),
    rule(
        Stage::Place,
        "reduce-scatter",
        "axes that were pending split one dim further",
        Check::Node(&[ReduceScatter], collective::reduce_scatter),
    ),
    rule(
        Stage::Place,
        "all-gather",
        "one dim loses exactly these axes, its minor ones",
        Check::Node(&[AllGather], collective::all_gather),
    ),
    rule(
        Stage::Place,
        "riders",
        "what rides on a vector was pending over the axes and is settled, nothing else changes",
        Check::Node(&[ReduceScatter, AllGather], collective::riders),
    ),
    rule(
        Stage::Place,
        "all-to-all",
        "one dim loses the axis and another gains it",
        Check::Node(&[AllToAll], collective::all_to_all),
    ),
    rule(
        Stage::Place,
        "exchange",
        "the same axes split the value in another way",
        Check::Node(&[Exchange], collective::exchange),
    ),
    rule(
        Stage::Place,
        "halo",
        "a result has ghost cells, nothing else changes",
        Check::Node(&[Halo], collective::halo),
    ),
    rule(
        Stage::Place,
        "halo-sum",
        "dual ghosts are added to their owners, nothing else changes",
        Check::Node(&[HaloSum], collective::halo_sum),
    ),
    rule(
        Stage::Place,
        "slice",
        "every rank keeps a part of what it held",
        Check::Node(&[Slice], collective::slice),
    ),
    rule(
        Stage::Place,
        "pad",
        "minor axes of dims become pending",
        Check::Node(&[Pad], collective::pad),
    ),
    rule(
        Stage::Place,
        "partial",
        "axes that replicated the value become pending",
        Check::Node(&[Partial], collective::partial),
    ),
    rule(
        Stage::Place,
        "copy",
        "the other memory, nothing else changes",
        Check::Node(&[Copy], collective::copy),
    ),
    rule(
        Stage::Place,
        "regions",
        "regions follow each other, and their nodes can run panel by panel of a leaf",
        Check::Plan(regions::regions),
    ),
    rule(
        Stage::Place,
        "region-buffers",
        "in a region only nodes of single rows write where others stood",
        Check::Plan(regions::region_buffers),
    ),
    rule(
        Stage::Place,
        "split-halos",
        "a split halo is followed by nodes that have interiors or do not need it, in no region",
        Check::Plan(splits::split_halos),
    ),
    rule(
        Stage::Place,
        "split-buffers",
        "what is made while a halo travels lies where nothing else does that is used meanwhile",
        Check::Plan(splits::split_buffers),
    ),
];

const fn rule(stage: Stage, name: &'static str, says: &'static str, check: Check) -> Rule {
    Rule { stage, name, says, check }
}
