//! How deep ghost cells are, once it is decided who owns what.
//!
//! An application may run on more than what a rank owns, so that what it makes has ghosts too:
//! a stencil spends a halo of what it reads, an adjoint gathers from a halo around it or scatters
//! into one, and updates keep what all of their operands have.
//! So a chain of stencils may do with one exchange of the summed width and redundant work at the
//! rims, and what is still deep enough is not exchanged again.
//! Stencils of one value share one exchange, of the largest width.
//! What lies between a stencil and its adjoint costs nothing where a region will not store it.
//!
//! ```text
//! S.H S x, gathering      %1 = halo %0 : ~1:1   %2 = apply S %1       %3 = halo %2 : ~1:1  …
//!          widened        %1 = halo %0 : ~2:2   %2 = apply S %1 : ~1:1                     …
//! ```
//! Each application, each update and each exchange chooses among few depths; costs are small tables
//! again, of work, of exchanges and of crops, and their sum is minimised exactly.

mod between;
mod options;

use super::{Choice, Decisions, Search, Sides, applied};
use crate::eliminate::{Table, minimise};
use crate::ir::{Block, Value};
use crate::placement::{Placement, Split, Type};
use options::options;
use std::collections::BTreeMap;

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
        let (choice, _) = minimise(&sizes, &tables, &[]);
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
            let saved = self.between(maker, n);
            let cost = |pick: &Choice<'_>| {
                let wanted = &self.options[n][pick(n)].args[k];
                let versions = versions(pick);
                let (taken, seconds) = self.taken(&versions, wanted, loose);
                let as_made = saved && taken == versions.made.placement;
                seconds + if as_made { -self.unstored([maker, n], pick) } else { 0.0 }
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

#[cfg(test)]
mod tests {
    use crate::certify::{Verdict, certify};
    use crate::examples::{nodes, read};
    use crate::machine::Machine;
    use crate::mesh::Mesh;
    use crate::pipeline::{Context, Numerics, compile};
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
        let plan = NORMAL.replace("S.H", "T").replace(
            "let S",
            "let T = (i) <- (i~2:1) : f64[64000]
        let S",
        );
        assert_snapshot!(planned(&plan, 4, 1e-12), @"
        %0 = input x                    : f64[64000/p]
        %1 = halo %0                    : f64[64000/p~1:2]
        %2 = apply S %1                 : f64[64000/p]
        %3 = halo %2                    : f64[64000/p~2:1]
        %4 = apply T %3                 : f64[64000/p]
        ");
    }

    /// What lies between is not stored, so nothing is gained by exchanging it, unless rows of it
    /// are computed for neighbours as sums are kept in order.
    #[test]
    fn a_stencil_and_its_adjoint_as_one_make_one_exchange_on_any_network() {
        let one = planned(NORMAL, 4, 1e-5);
        for numerics in Numerics::ALL {
            let machine = Machine::default().with_link(1e-12, 5e9);
            let cx = Context { mesh: Mesh::line(4), machine, numerics, ..Context::default() };
            assert_eq!(proven(NORMAL, &cx) == one, numerics > Numerics::Exact);
        }
    }

    /// It is stored where somebody else needs it.
    #[test]
    fn what_is_stored_between_a_stencil_and_its_adjoint_is_exchanged() {
        let machine = Machine::default().with_link(1e-12, 5e9);
        let halos = |plan: &str, machine: &Machine| {
            let cx =
                Context { mesh: Mesh::line(4), machine: machine.clone(), ..Context::default() };
            proven(plan, &cx).matches("= halo").count()
        };
        assert_eq!(halos(NORMAL, &machine), 1);
        assert_eq!(halos(&NORMAL.replace("return %2", "return %1 %2"), &machine), 2);
        assert_eq!(halos(NORMAL, &machine.with_overlap(1.0)), 1);
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
    fn what_every_rank_has_is_sliced_with_its_ghosts() {
        let plan = "mesh 1 rank
            let A = (i) <- (j!) : f64[64000, 640]
            let S = (j) <- (j~1:2) : f64[640]
            %0 = input x : f64[640]
            %1 = apply A %0 : f64[64000]
            %2 = apply S %0 : f64[640]
            return %1 %2";
        let machine = Machine::default().with_link(1e-5, 5e9).with_flops(1e5);
        let cx = Context { mesh: Mesh::line(4), machine, ..Context::default() };
        assert_snapshot!(proven(plan, &cx), @"
        %0 = input x                    : f64[640]
        %1 = apply A %0                 : f64[64000/p]
        %2 = slice %0                   : f64[640/p~1:2]
        %3 = apply S %2                 : f64[640/p]
        %4 = all_gather p %3            : f64[640]
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

    /// Three rows are enough for the ghosts of a normal operator, two are not.
    #[test]
    fn ghosts_are_no_deeper_than_blocks() {
        let plan = "mesh 1 rank
            let S = (i, j) <- (i~2:1, j~1:1) : c128[9, 5]
            %0 = input x : c128[9, 5, 1]
            %1 = apply S %0 : c128[9, 5, 1]
            %2 = apply S.H %1 : c128[9, 5, 1]
            return %2";
        let machine = Machine::default().with_link(0.135, 1e13).with_flops(1e3);
        for (mesh, halos) in [("p=4", 1), ("p=7", 2)] {
            let mesh = Mesh::parse(mesh).unwrap();
            let cx = Context { mesh, machine: machine.clone(), ..Context::default() };
            let text = proven(plan, &cx);
            assert_eq!(text.matches("= halo").count(), halos, "{text}");
        }
    }

    /// Every value of a chain may have ghosts of several depths, and few of them are looked at.
    #[test]
    fn long_chains_exchange_once_in_several_steps() {
        let step = |k: usize| {
            let adjoint = if k.is_multiple_of(2) { "" } else { ".H" };
            format!("%{} = apply S{adjoint} %{k} : f64[100000000]\n", k + 1)
        };
        let plan = format!(
            "mesh 1 rank
            let S = (i) <- (i~1:1) : f64[100000000]
            %0 = input x : f64[100000000]
            {}return %100",
            (0..100).map(step).collect::<String>()
        );
        let machine = Machine::default().with_link(1e-5, 5e9);
        let cx = Context { mesh: Mesh::line(100_000), machine, ..Context::default() };
        let compiled = compile(&read(&plan), &cx).unwrap_or_else(|e| panic!("{e}"));
        let text = nodes(&compiled.plan);
        assert!(text.matches("= halo").count() <= 20, "{text}");
    }
}
