//! How deep ghost cells are, once it is decided who owns what.
//!
//! An application may run on more than what a rank owns, so that what it makes has ghosts too:
//! a stencil spends a halo of what it reads, an adjoint gathers from a halo around it or scatters
//! into one, and updates keep what all of their operands have.
//! So a chain of stencils may do with one exchange of the summed width and redundant work at the
//! rims, and what is still deep enough is not exchanged again.
//! Stencils of one value share one exchange, of the largest width.
//!
//! ```text
//! S.H S x, gathering      %1 = halo %0 : ~1:1   %2 = apply S %1       %3 = halo %2 : ~1:1  …
//!          widened        %1 = halo %0 : ~2:2   %2 = apply S %1 : ~1:1                     …
//! ```
//! Each application, each update and each exchange chooses among few depths; costs are small tables
//! again, of work, of exchanges and of crops, and their sum is minimised exactly.

use super::{Choice, Decisions, Search, Sides, applied};
use crate::eliminate::{Table, minimise};
use crate::ir::{Block, LeafId, Node, Op, Value};
use crate::placement::{Placement, Split, Type};
use crate::signature::{Binding, Spread};
use std::collections::{BTreeMap, BTreeSet};

/// Ghosts below and above, one pair for each dim of a part or for each factor.
type Depths = Vec<(usize, usize)>;

/// How much dearer work is made that should lose among equals.
const SLIGHTLY: f64 = 1e-6;

/// How many depths of one value are looked at.
const MOST: usize = 6;

impl Search<'_> {
    /// Chooses the ghosts of all values anew; nothing else of the decisions changes.
    pub(super) fn deepen(&self, decisions: &mut Decisions) {
        for b in 0..self.plan.blocks.len() {
            let sides = &decisions.nodes[b];
            let ghosts = |p: &Placement| p.has_ghosts();
            if sides.iter().any(|s| s.args.iter().chain(&s.results).any(ghosts)) {
                let chosen = Deepening::new(self, b, decisions).chosen();
                if let Some(chosen) = chosen {
                    decisions.nodes[b] = chosen;
                }
            }
        }
    }
}

/// The choices of one block.
struct Deepening<'a> {
    search: &'a Search<'a>,
    block: &'a Block,
    tiles: &'a [Vec<Split>],
    /// For each node the sides among which it chooses.
    options: Vec<Vec<Sides>>,
    /// For each return what is handed over.
    returns: &'a [Placement],
    /// Values in a placement without ghosts that some user wants, with the ghosts to choose from.
    copies: Vec<Copy>,
    index: usize,
}

/// A value in one placement, for users that want ghosts around it.
struct Copy {
    value: Value,
    bare: Placement,
    /// No exchange, or one to these ghosts.
    options: Vec<Option<Depths>>,
    users: Vec<(usize, usize)>,
    handed: Vec<usize>,
}

/// A value as it is made, and as it is after an exchange.
struct Versions {
    made: Type,
    copy: Option<Placement>,
}

impl<'a> Deepening<'a> {
    fn new(search: &'a Search<'a>, b: usize, decisions: &'a Decisions) -> Self {
        let block = &search.plan.blocks[b];
        let (tiles, returns) = (&decisions.tiles[..], &decisions.returns[b][..]);
        let base = &decisions.nodes[b];
        let options = options(search, block, tiles, base);
        let mut out =
            Deepening { search, block, tiles, options, returns, copies: vec![], index: b };
        out.copies = out.copies();
        out
    }

    /// The sides of all nodes in the best of all choices, if there is something to choose.
    fn chosen(&self) -> Option<Vec<Sides>> {
        let nodes = self.options.len();
        let sizes = self.options.iter().map(Vec::len);
        let sizes: Vec<_> = sizes.chain(self.copies.iter().map(|c| c.options.len())).collect();
        if sizes.iter().all(|&n| n == 1) {
            return None;
        }
        let mut tables = Vec::new();
        for n in (0..nodes).filter(|&n| self.options[n].len() > 1) {
            let costs = self.options[n].iter().map(|sides| self.work(n, sides)).collect();
            tables.push(Table { variables: vec![n], costs });
        }
        let made = self.block.definitions();
        for (c, copy) in self.copies.iter().enumerate() {
            self.tables(nodes + c, copy, made[copy.value.index()], &sizes, &mut tables);
        }
        let choice = minimise(&sizes, &tables, &[]);
        let total = crate::eliminate::total(&tables, &choice, &sizes);
        total.is_finite().then(|| self.sides(&choice, &made))
    }

    /// Among equals gathering wins: nothing is added from afar.
    fn work(&self, n: usize, sides: &Sides) -> f64 {
        let tile = applied(&self.block.nodes[n]).map(|(leaf, _)| &self.tiles[leaf.0 as usize]);
        let seconds = self.search.work_on(self.index, n, sides, tile.map_or(&[], |tile| tile));
        let scatters = sides.results.iter().any(|p| p.dual);
        if scatters { seconds * (1.0 + SLIGHTLY) } else { seconds }
    }

    /// Every value in every placement in which it is wanted.
    fn copies(&self) -> Vec<Copy> {
        let mut all: BTreeMap<(Value, Placement), Copy> = BTreeMap::new();
        let fresh = |value: Value, bare: &Placement| Copy {
            value,
            bare: bare.clone(),
            options: vec![None],
            users: Vec::new(),
            handed: Vec::new(),
        };
        for (n, node) in self.block.nodes.iter().enumerate() {
            for (k, &value) in node.args.iter().enumerate() {
                let bare = self.options[n][0].args[k].without_ghosts();
                let key = (value, bare.clone());
                let copy = all.entry(key).or_insert_with(|| fresh(value, &bare));
                copy.users.push((n, k));
                for sides in &self.options[n] {
                    let ghosts = Some(sides.args[k].ghosts.clone());
                    if sides.args[k].has_ghosts() && !copy.options.contains(&ghosts) {
                        copy.options.push(ghosts);
                    }
                }
            }
        }
        for (r, place) in self.block.returns.iter().zip(self.returns).map(|(r, p)| (r.value, p)) {
            let bare = place.without_ghosts();
            let copy = all.entry((r, bare.clone())).or_insert_with(|| fresh(r, &bare));
            copy.handed.push(0);
        }
        let mut all: Vec<_> = all.into_values().collect();
        for copy in &mut all {
            let known = copy.options.iter().flatten();
            let deepest = known.cloned().reduce(|a, b| deeper(&a, &b));
            if deepest.is_some() && !copy.options.contains(&deepest) {
                copy.options.push(deepest);
            }
        }
        all
    }

    /// What an exchange costs, and what its users pay beside it.
    fn tables(
        &self,
        variable: usize,
        copy: &Copy,
        maker: usize,
        sizes: &[usize],
        tables: &mut Vec<Table>,
    ) {
        let on = |users: &[usize]| -> Vec<usize> {
            let mut on: Vec<_> = [maker, variable].iter().chain(users).copied().collect();
            on.sort_unstable();
            on.dedup();
            on
        };
        let versions = |pick: &Choice<'_>| self.versions(copy, maker, pick(maker), pick(variable));
        let exchange = |pick: &Choice<'_>| {
            let Versions { made, copy } = versions(pick);
            copy.map_or(0.0, |to| self.search.router.cost(&made, &to))
        };
        tables.push(table(on(&[]), sizes, &exchange));
        for &(n, k) in &copy.users {
            let loose = self.is_loose(n);
            let cost = |pick: &Choice<'_>| {
                let wanted = &self.options[n][pick(n)].args[k];
                self.taken(&versions(pick), wanted, loose).1
            };
            tables.push(table(on(&[n]), sizes, &cost));
        }
        if !copy.handed.is_empty() {
            let cost = |pick: &Choice<'_>| self.taken(&versions(pick), &copy.bare, false).1;
            tables.push(table(on(&[]), sizes, &cost));
        }
    }

    fn versions(&self, copy: &Copy, maker: usize, made: usize, exchanged: usize) -> Versions {
        let at = self.block.nodes[maker].results.iter().position(|&r| r == copy.value);
        let made = &self.options[maker][made].results[at.unwrap_or(0)];
        let ghosts = copy.options[exchanged].clone();
        Versions {
            made: self.block.ty(copy.value).placed(made.clone()),
            copy: ghosts.map(|ghosts| Placement { ghosts, ..copy.bare.clone() }),
        }
    }

    /// Whether a node takes arguments with deeper ghosts than it needs: an operator forward, if it
    /// reads a halo somewhere.
    fn is_loose(&self, n: usize) -> bool {
        applied(&self.block.nodes[n]).is_some_and(|(leaf, adjoint)| {
            let rule = &self.search.plan[leaf].signature.rule;
            !adjoint && rule.domain.iter().flatten().any(|b| b.halo != (0, 0))
        })
    }

    /// In which placement a user takes a value that it wants in another, and what that costs.
    fn taken(&self, versions: &Versions, wanted: &Placement, loose: bool) -> (Placement, f64) {
        let Versions { made, copy } = versions;
        let known = [Some(&made.placement), copy.as_ref()].into_iter().flatten();
        let mut known = known.filter(|p| *p == wanted || loose && p.covers(wanted));
        if let Some(known) = known.next() {
            return (known.clone(), 0.0);
        }
        let router = &self.search.router;
        let bare = !wanted.has_ghosts();
        let direct = if bare || made.placement.covers(wanted) {
            // What an exchange begins with is done already.
            let begun = copy.is_some() && !made.placement.covers(wanted);
            if begun { 0.0 } else { router.cost(made, wanted) }
        } else {
            f64::INFINITY
        };
        let cropped = copy.as_ref().filter(|p| p.covers(wanted));
        let cropped = cropped.map(|p| router.cost(&made.placed(p.clone()), wanted));
        (wanted.clone(), cropped.map_or(direct, |cropped| cropped.min(direct)))
    }

    /// The sides of all nodes, with arguments as deep as they are taken.
    fn sides(&self, choice: &[usize], made: &[usize]) -> Vec<Sides> {
        let nodes = self.options.len();
        let mut out: Vec<_> = (0..nodes).map(|n| self.options[n][choice[n]].clone()).collect();
        for (c, copy) in self.copies.iter().enumerate() {
            let maker = made[copy.value.index()];
            let versions = self.versions(copy, maker, choice[maker], choice[nodes + c]);
            for &(n, k) in &copy.users {
                let wanted = &out[n].args[k];
                out[n].args[k] = self.taken(&versions, wanted, self.is_loose(n)).0;
            }
        }
        out
    }
}

/// The table of a cost over the choices of some variables, ascending.
fn table(variables: Vec<usize>, sizes: &[usize], cost: &dyn Fn(&Choice<'_>) -> f64) -> Table {
    let count: usize = variables.iter().map(|&v| sizes[v]).product();
    let costs = (0..count).map(|k| {
        let pick = |v: usize| {
            let after = variables.iter().rev().take_while(|&&w| w != v);
            k / after.map(|&w| sizes[w]).product::<usize>() % sizes[v]
        };
        cost(&pick)
    });
    Table { costs: costs.collect(), variables }
}

fn deeper(a: &Depths, b: &Depths) -> Depths {
    a.iter().zip(b).map(|(a, b)| (a.0.max(b.0), a.1.max(b.1))).collect()
}

/// For each node the sides among which it chooses; the demands of users go from the end to the
/// beginning of the block.
fn options(
    search: &Search<'_>,
    block: &Block,
    tiles: &[Vec<Split>],
    base: &[Sides],
) -> Vec<Vec<Sides>> {
    let mut demands: BTreeMap<Value, BTreeSet<Depths>> = BTreeMap::new();
    let mut out: Vec<Vec<Sides>> = Vec::new();
    for (n, node) in block.nodes.iter().enumerate().rev() {
        let of = |v: &Value| demands.get(v).into_iter().flatten().take(MOST).cloned().collect();
        let mine: Vec<Vec<Depths>> = node.results.iter().map(of).collect();
        let mut options: Vec<Sides> = Vec::new();
        for sides in choices(search, node, tiles, &base[n], &mine) {
            let limited =
                sides.args.iter().zip(&node.args).all(|(p, &v)| fits(search, block.ty(v), p));
            if (limited || sides == base[n]) && !options.contains(&sides) {
                options.push(sides);
            }
        }
        for sides in &options {
            for (&v, p) in node.args.iter().zip(&sides.args) {
                if p.has_ghosts() {
                    demands.entry(v).or_default().insert(p.ghosts.clone());
                }
            }
        }
        out.push(options);
    }
    out.reverse();
    out
}

/// Whether ghosts are no deeper than the largest block.
fn fits(search: &Search<'_>, ty: &Type, p: &Placement) -> bool {
    let mut dims = ty.dims.iter().zip(&p.splits).zip(&p.ghosts);
    dims.all(|((&n, split), &(lo, hi))| lo.max(hi) <= split.largest_block(n, &search.cx.mesh))
}

/// The sides of a node whose result has no ghosts or those that somebody wants.
fn choices(
    search: &Search<'_>,
    node: &Node,
    tiles: &[Vec<Split>],
    base: &Sides,
    wanted: &[Vec<Depths>],
) -> Vec<Sides> {
    match &node.op {
        Op::Apply(_) => {
            let Some((leaf, adjoint)) = applied(node) else { return Vec::new() };
            let application = Application { search, leaf, tile: &tiles[leaf.0 as usize], base };
            let sides = |ghosts: Vec<Depths>| {
                if adjoint { application.gathering(&ghosts) } else { application.forward(&ghosts) }
            };
            combined(base, wanted).into_iter().filter_map(sides).chain([base.clone()]).collect()
        }
        Op::Add | Op::Sub | Op::Neg | Op::Scale | Op::Axpy | Op::Conj | Op::Cast => {
            let dims = base.results[0].splits.len();
            let alike = |p: &Placement| p.splits.is_empty() || p.splits.len() == dims;
            let sides = |ghosts: &Depths| {
                let with = |p: &Placement| match p.splits.len() {
                    0 => p.clone(),
                    _ => Placement { ghosts: ghosts.clone(), ..p.clone() },
                };
                let args = base.args.iter().map(with).collect();
                Sides { args, results: base.results.iter().map(with).collect() }
            };
            let applies = dims > 0 && base.args.iter().all(alike);
            let deeper = wanted[0].iter().filter(|_| applies).map(sides);
            std::iter::once(base.clone()).chain(deeper).collect()
        }
        _ => vec![base.clone()],
    }
}

/// Ghosts of all results: none, those that somebody wants of one of them, and the deepest of each.
fn combined(base: &Sides, wanted: &[Vec<Depths>]) -> Vec<Vec<Depths>> {
    let none: Vec<Depths> = base.results.iter().map(|p| vec![(0, 0); p.ghosts.len()]).collect();
    let mut out = vec![none.clone()];
    for (k, ghosts) in wanted.iter().enumerate().flat_map(|(k, w)| w.iter().map(move |g| (k, g))) {
        let mut one = none.clone();
        one[k].clone_from(ghosts);
        out.push(one);
    }
    let deepest = |(none, wanted): (&Depths, &Vec<Depths>)| {
        wanted.iter().fold(none.clone(), |all, ghosts| deeper(&all, ghosts))
    };
    out.push(none.iter().zip(wanted).map(deepest).collect());
    out
}

/// An application of a leaf and its sides without more ghosts than a halo.
struct Application<'a> {
    search: &'a Search<'a>,
    leaf: LeafId,
    tile: &'a [Split],
    base: &'a Sides,
}

impl Application<'_> {
    fn rule(&self) -> &crate::signature::Rule {
        &self.search.plan[self.leaf].signature.rule
    }

    /// For each factor the ghosts that dims of some parts have, widened; none if some dim cannot
    /// have them.
    fn extension(
        &self,
        parts: &[Vec<Binding>],
        ghosts: &[Depths],
        wider: impl Fn(&Binding, (usize, usize)) -> (usize, usize),
    ) -> Option<Depths> {
        let rule = self.rule();
        let mut out = vec![(0, 0); rule.factors.len()];
        for (bindings, ghosts) in parts.iter().zip(ghosts) {
            if ghosts.iter().skip(bindings.len()).any(|&g| g != (0, 0)) {
                return None;
            }
            for (b, &g) in bindings.iter().zip(ghosts) {
                if !self.tile[b.factor].axes.is_empty() {
                    let (lo, hi) = wider(b, g);
                    let known = &mut out[b.factor];
                    *known = (known.0.max(lo), known.1.max(hi));
                }
            }
        }
        let ragged = |b: &Binding| b.spread != Spread::One && out[b.factor] != (0, 0);
        let ragged = rule.domain.iter().chain(&rule.range).flatten().any(ragged);
        (!ragged).then_some(out)
    }

    fn with(
        &self,
        parts: &[Vec<Binding>],
        placements: &[Placement],
        ghosts: impl Fn(&Binding) -> (usize, usize),
    ) -> Vec<Placement> {
        let one = |(bindings, p): (&Vec<Binding>, &Placement)| {
            let mut out = p.without_ghosts();
            for (d, b) in bindings.iter().enumerate() {
                if !self.tile[b.factor].axes.is_empty() {
                    out.ghosts[d] = ghosts(b);
                }
            }
            out
        };
        parts.iter().zip(placements).map(one).collect()
    }

    /// The operator on as much as its results hold.
    fn forward(&self, results: &[Depths]) -> Option<Sides> {
        let rule = self.rule();
        let e = self.extension(&rule.range, results, |_, g| g)?;
        let args = self.with(&rule.domain, &self.base.args, |b| {
            (e[b.factor].0 + b.halo.0, e[b.factor].1 + b.halo.1)
        });
        Some(Sides { args, results: self.with(&rule.range, &self.base.results, |b| e[b.factor]) })
    }

    /// The adjoint from as much as its results are reached by.
    fn gathering(&self, results: &[Depths]) -> Option<Sides> {
        let rule = self.rule();
        let e = self.extension(&rule.domain, results, |b, g| (g.0 + b.halo.1, g.1 + b.halo.0))?;
        // A factor of the domain alone has no range on which to work further.
        if (0..e.len()).any(|f| e[f] != (0, 0) && !rule.in_range(f)) {
            return None;
        }
        let args = self.with(&rule.range, &self.base.args, |b| e[b.factor]);
        let made = self.base.results.iter().zip(results);
        let made = made.map(|(p, g)| Placement { ghosts: g.clone(), ..p.without_ghosts() });
        Some(Sides { args, results: made.collect() })
    }
}

#[cfg(test)]
mod tests {
    use crate::certify::{Verdict, certify};
    use crate::examples::{nodes, read};
    use crate::machine::Machine;
    use crate::mesh::Mesh;
    use crate::pipeline::{Context, compile};
    use insta::assert_snapshot;

    /// The finished plan on a line of ranks whose messages take so long.
    fn planned(plan: &str, ranks: usize, latency: f64) -> String {
        let machine = Machine::default().with_link(latency, 5e9);
        let cx = Context { mesh: Mesh::line(ranks), machine, ..Context::default() };
        proven(plan, &cx)
    }

    fn proven(plan: &str, cx: &Context) -> String {
        let compiled = compile(&read(plan), cx).unwrap_or_else(|e| panic!("{e}"));
        let (text, verdict) = (nodes(&compiled.plan), certify(&compiled.source, &compiled.plan));
        assert_eq!(verdict, Verdict::Proven, "{text}");
        text
    }

    const NORMAL: &str = "mesh 1 rank
        let S = (i) <- (i~1:2) : f64[64000]
        %0 = input x : f64[64000]
        %1 = apply S %0 : f64[64000]
        %2 = apply S.H %1 : f64[64000]
        return %2";

    #[test]
    fn a_slow_network_makes_one_exchange_of_two() {
        assert_snapshot!(planned(NORMAL, 4, 1e-5), @"
        %0 = input x                    : f64[64000/p]
        %1 = halo %0                    : f64[64000/p~3:3]
        %2 = apply S %1                 : f64[64000/p~2:1]
        %3 = apply S.H %2               : f64[64000/p]
        ");
    }

    #[test]
    fn a_quick_network_makes_no_work_twice() {
        assert_snapshot!(planned(NORMAL, 4, 1e-12), @"
        %0 = input x                    : f64[64000/p]
        %1 = halo %0                    : f64[64000/p~1:2]
        %2 = apply S %1                 : f64[64000/p]
        %3 = halo %2                    : f64[64000/p~2:1]
        %4 = apply S.H %3               : f64[64000/p]
        ");
    }

    #[test]
    fn stencils_of_one_value_share_the_deepest_halo() {
        let plan = "mesh 1 rank
            let S = (i) <- (i~1:0) : f64[64000]
            let T = (i) <- (i~0:3) : f64[64000]
            %0 = input x : f64[64000]
            %1 = apply S %0 : f64[64000]
            %2 = apply T %0 : f64[64000]
            %3 = add %1 %2 : f64[64000]
            return %3";
        assert_snapshot!(planned(plan, 4, 2e-6), @"
        %0 = input x                    : f64[64000/p]
        %1 = halo %0                    : f64[64000/p~1:3]
        %2 = apply S %1                 : f64[64000/p]
        %3 = apply T %1                 : f64[64000/p]
        %4 = add %2 %3                  : f64[64000/p]
        ");
    }

    #[test]
    fn updates_keep_ghosts_that_are_still_valid() {
        let plan = "mesh 1 rank
            let S = (i) <- (i~1:1) : f64[64000]
            let D = (i) <- (i) diagonal : f64[64000]
            slot a : f64
            %0 = input x : f64[64000]
            %1 = slot a : f64[]
            %2 = apply S %0 : f64[64000]
            %3 = axpy %1 %0 %2 : f64[64000]
            %4 = apply D %3 : f64[64000]
            %5 = apply S %4 : f64[64000]
            return %5";
        assert_snapshot!(planned(plan, 4, 1e-5), @"
        %0 = input x                    : f64[64000/p]
        %1 = slot a                     : f64[]
        %2 = halo %0                    : f64[64000/p~2:2]
        %3 = apply S %2                 : f64[64000/p~1:1]
        %4 = slice %2                   : f64[64000/p~1:1]
        %5 = axpy %1 %4 %3              : f64[64000/p~1:1]
        %6 = apply D %5                 : f64[64000/p~1:1]
        %7 = apply S %6                 : f64[64000/p]
        ");
    }

    /// Ghosts reach over ranks that own less than a halo, or nothing.
    #[test]
    fn blocks_that_are_thinner_than_ghosts_are_widened_too() {
        let plan = "mesh 1 rank
            let S = (i, j) <- (i~2:1, j~1:1) : c128[9, 5]
            %0 = input x : c128[9, 5, 1]
            %1 = apply S %0 : c128[9, 5, 1]
            %2 = apply S.H %1 : c128[9, 5, 1]
            return %2";
        let machine = Machine::default().with_link(0.135, 1e13).with_flops(1e3);
        for mesh in ["p=4", "p=7"] {
            let mesh = Mesh::parse(mesh).unwrap();
            let cx = Context { mesh, machine: machine.clone(), ..Context::default() };
            let text = proven(plan, &cx);
            let on_ghosts = text.lines().any(|l| l.contains("apply S %") && l.contains('~'));
            assert!(text.matches("= halo").count() == 1 && on_ghosts, "{text}");
        }
    }

    /// Every value of a chain may have ghosts of several depths, and few of them are looked at.
    #[test]
    fn long_chains_on_many_ranks_are_planned_quickly() {
        let mut plan = String::from(
            "mesh 1 rank
            let S = (i) <- (i~1:1) : f64[100000000]
            %0 = input x : f64[100000000]",
        );
        for k in 0..100 {
            let adjoint = if k % 2 == 0 { "" } else { ".H" };
            plan += &format!("\n%{} = apply S{adjoint} %{k} : f64[100000000]", k + 1);
        }
        plan += "\nreturn %100";
        let machine = Machine::default().with_link(1e-5, 5e9);
        let cx = Context { mesh: Mesh::line(100_000), machine, ..Context::default() };
        let begin = std::time::Instant::now();
        let compiled = compile(&read(&plan), &cx).unwrap_or_else(|e| panic!("{e}"));
        println!("{:.2} s", begin.elapsed().as_secs_f64());
        let text = nodes(&compiled.plan);
        assert!(text.matches("= halo").count() <= 20, "{text}");
    }
}
