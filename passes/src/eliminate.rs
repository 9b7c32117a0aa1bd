//! Min-sum variable elimination: the cheapest choice for each variable of a sum of small tables.
//!
//! Exact as long as no intermediate table grows beyond a limit; expression graphs are close to
//! trees and stay far below it.
//! Beyond the limit refinements are left out; from what is best without them each variable in turn
//! takes its best choice until nothing changes.

mod buckets;

pub use buckets::{Buckets, Marginals};

/// A cost that depends on some variables: a table in row-major order of their choices.
#[derive(Clone, Debug)]
pub struct Table {
    /// The variables, ascending.
    pub variables: Vec<usize>,
    /// One cost for each combination.
    pub costs: Vec<f64>,
}

impl Table {
    /// The cost of a choice.
    pub fn at(&self, choice: &[usize], sizes: &[usize]) -> f64 {
        self.costs[index(&self.variables, choice, sizes)]
    }
}

/// The best choice for each variable, where variable `v` has `sizes[v]` choices, with what it was
/// found by if it is exact.
/// Refinements are groups of tables without which the sum is a fair one, though less true.
/// Among equals the one with smaller indices wins, so that plans are reproducible.
pub fn minimise(
    sizes: &[usize],
    tables: &[Table],
    refinements: &[Vec<Table>],
) -> (Vec<usize>, Option<Buckets>) {
    if let Some(exact) = Buckets::new(sizes, tables.iter().chain(refinements.iter().flatten())) {
        return (exact.best(), Some(exact));
    }
    let best = |with: &[Table]| Some(Buckets::new(sizes, tables.iter().chain(with))?.best());
    let coarse = refinements.iter().map(Vec::as_slice).chain([&[][..]]).filter_map(best);
    let starts = coarse.chain([vec![0; sizes.len()]]);
    let all = [tables, &refinements.concat()].concat();
    let found = starts.map(|start| descend(sizes, &all, start));
    let cost = |choice: &Vec<usize>| total(&all, choice, sizes);
    (found.min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or_default(), None)
}

fn index(variables: &[usize], choice: &[usize], sizes: &[usize]) -> usize {
    variables.iter().fold(0, |i, &v| i * sizes[v] + choice[v])
}

/// The cost of a choice.
pub fn total(tables: &[Table], choice: &[usize], sizes: &[usize]) -> f64 {
    tables.iter().map(|t| t.at(choice, sizes)).sum()
}

fn descend(sizes: &[usize], tables: &[Table], mut choice: Vec<usize>) -> Vec<usize> {
    let mut of: Vec<Vec<&Table>> = vec![Vec::new(); sizes.len()];
    for table in tables {
        table.variables.iter().for_each(|&v| of[v].push(table));
    }
    for _ in 0..100 {
        let before = choice.clone();
        for (v, mine) in of.iter().enumerate() {
            let cost = |c: usize, choice: &mut Vec<usize>| {
                choice[v] = c;
                mine.iter().map(|t| t.at(choice, sizes)).sum::<f64>()
            };
            let mut best = (cost(choice[v], &mut choice), choice[v]);
            for c in 0..sizes[v] {
                let now = cost(c, &mut choice);
                if now < best.0 {
                    best = (now, c);
                }
            }
            choice[v] = best.1;
        }
        if choice == before {
            break;
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_of_variables_is_solved_exactly() {
        let sizes = [3, 2, 3, 4];
        let cost = |a: usize, b: usize| ((a * 7 + b * 13) % 11) as f64;
        let pair = |x: usize, y: usize| {
            let (x, y) = (x.min(y), x.max(y));
            let costs = (0..sizes[x]).flat_map(|a| (0..sizes[y]).map(move |b| cost(a + x, b + y)));
            Table { variables: vec![x, y], costs: costs.collect() }
        };
        let tables = [pair(0, 1), pair(1, 2), pair(2, 3), pair(3, 0)];
        let (best, _) = minimise(&sizes, &tables, &[]);
        let brute = (0..72)
            .map(|k| [k / 24, k / 12 % 2, k / 4 % 3, k % 4])
            .map(|c| total(&tables, &c, &sizes))
            .fold(f64::INFINITY, f64::min);
        assert_eq!(total(&tables, &best, &sizes), brute);
    }

    const SIZES: [usize; 6] = [3, 2, 3, 4, 2, 3];

    /// Two rings that share nothing, so that each owes the other's best.
    fn rings() -> Vec<Table> {
        let pair = |x: usize, y: usize| {
            let each = (0..SIZES[x]).flat_map(|a| (0..SIZES[y]).map(move |b| (a, b)));
            let cost = |(a, b): (usize, usize)| ((a * 7 + b * 13 + x * 5 + y) % 11) as f64;
            Table { variables: vec![x, y], costs: each.map(cost).collect() }
        };
        let constant = Table { variables: Vec::new(), costs: vec![3.0] };
        vec![pair(0, 1), pair(1, 2), pair(2, 3), pair(0, 3), pair(4, 5), constant]
    }

    /// All choices with what they cost.
    fn choices(tables: &[Table]) -> Vec<(f64, Vec<usize>)> {
        let decode = |mut k: usize| -> Vec<usize> {
            let digit = |&n: &usize| (k % n, k /= n).0;
            SIZES.iter().map(digit).collect()
        };
        let all = (0..SIZES.iter().product()).map(decode);
        all.map(|choice| (total(tables, &choice, &SIZES), choice)).collect()
    }

    #[test]
    fn marginals_are_the_best_with_each_choice() {
        let tables = rings();
        let all = choices(&tables);
        let buckets = Buckets::new(&SIZES, tables.iter()).unwrap();
        for (v, costs) in buckets.marginals().costs.iter().enumerate() {
            for (c, cost) in costs.iter().enumerate() {
                let with = all.iter().filter(|(_, choice)| choice[v] == c);
                let best = with.map(|(cost, _)| *cost);
                assert_eq!(*cost, best.fold(f64::INFINITY, f64::min), "{v} {c}");
            }
        }
    }

    #[test]
    fn the_best_without_a_choice_is_the_best_of_all_others() {
        let tables = rings();
        let all = choices(&tables);
        let buckets = Buckets::new(&SIZES, tables.iter()).unwrap();
        let marginals = buckets.marginals();
        for (v, &size) in SIZES.iter().enumerate() {
            for c in 0..size {
                let found = marginals.otherwise(v, c);
                let others = all.iter().filter(|(_, choice)| choice[v] != c);
                let best = others.map(|(cost, _)| *cost).fold(f64::INFINITY, f64::min);
                assert_ne!(found[v], c);
                assert_eq!(total(&tables, &found, &SIZES), best, "{v} {c}");
            }
        }
    }

    #[test]
    fn the_few_best_are_the_cheapest_of_all() {
        let tables = rings();
        let mut all: Vec<f64> = choices(&tables).into_iter().map(|(cost, _)| cost).collect();
        all.sort_by(f64::total_cmp);
        let mut few = Buckets::new(&SIZES, tables.iter()).unwrap().few(20);
        let costs: Vec<f64> = few.iter().map(|c| total(&tables, c, &SIZES)).collect();
        assert_eq!(costs, all[..20]);
        few.sort();
        few.dedup();
        assert_eq!(few.len(), 20);
    }

    #[test]
    fn refinements_give_way_where_the_whole_is_too_large() {
        let sizes = [200, 200, 200];
        let table = |x: usize, y: usize, cost: &dyn Fn(usize, usize) -> f64| {
            let costs = (0..200).flat_map(|a| (0..200).map(move |b| (a, b)));
            Table { variables: vec![x, y], costs: costs.map(|(a, b)| cost(a, b)).collect() }
        };
        // The best pair is far from where single steps from the first choices lead.
        let valley = |a: usize, b: usize| if a == b { 150_usize.abs_diff(a) as f64 } else { 1e3 };
        let tables = [table(0, 1, &valley), table(1, 2, &valley)];
        let refinement = table(0, 2, &|a, _| -((a % 2) as f64) / 4.0);
        assert_eq!(minimise(&sizes, &tables, &[]).0, [150; 3]);
        assert_eq!(minimise(&sizes, &tables, &[vec![refinement]]).0, [150; 3]);
    }
}
