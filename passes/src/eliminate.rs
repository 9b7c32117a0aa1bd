//! Min-sum variable elimination: the cheapest choice for each variable of a sum of small tables.
//!
//! Exact as long as no intermediate table grows beyond a limit; expression graphs are close to
//! trees and stay far below it.
//! Beyond the limit each variable in turn takes its best choice until nothing changes.

/// A cost that depends on some variables: a table in row-major order of their choices.
#[derive(Clone, Debug)]
pub struct Table {
    /// The variables, ascending.
    pub variables: Vec<usize>,
    /// One cost for each combination.
    pub costs: Vec<f64>,
}

const LIMIT: usize = 1 << 21;

/// The best choice for each variable, where variable `v` has `sizes[v]` choices.
/// Among equals the one with smaller indices wins, so that plans are reproducible.
pub fn minimise(sizes: &[usize], tables: &[Table]) -> Vec<usize> {
    let mut live: Vec<Table> = tables.to_vec();
    let mut left: Vec<usize> = (0..sizes.len()).collect();
    let mut solved: Vec<(usize, Vec<usize>, Vec<usize>)> = Vec::new();
    while !left.is_empty() {
        let Some((size, v)) = left.iter().map(|&v| (joined(v, &live, sizes), v)).min() else {
            break;
        };
        if size > LIMIT {
            return descend(sizes, tables);
        }
        left.retain(|&w| w != v);
        let (mine, others): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|t| t.variables.contains(&v));
        live = others;
        let (table, choices) = eliminate(v, &mine, sizes);
        solved.push((v, table.variables.clone(), choices));
        live.push(table);
    }
    let mut choice = vec![0; sizes.len()];
    for (v, around, best) in solved.iter().rev() {
        choice[*v] = best[index(around, &choice, sizes)];
    }
    choice
}

/// The size of the table that eliminating a variable would make, before it is minimised.
fn joined(v: usize, tables: &[Table], sizes: &[usize]) -> usize {
    let around = neighbours(v, tables);
    around.iter().fold(sizes[v], |n, &w| n.saturating_mul(sizes[w]))
}

fn neighbours(v: usize, tables: &[Table]) -> Vec<usize> {
    let mine = tables.iter().filter(|t| t.variables.contains(&v));
    let mut around: Vec<_> =
        mine.flat_map(|t| t.variables.iter().copied()).filter(|&w| w != v).collect();
    around.sort_unstable();
    around.dedup();
    around
}

fn index(variables: &[usize], choice: &[usize], sizes: &[usize]) -> usize {
    variables.iter().fold(0, |i, &v| i * sizes[v] + choice[v])
}

fn eliminate(v: usize, tables: &[Table], sizes: &[usize]) -> (Table, Vec<usize>) {
    let around = neighbours(v, tables);
    let count: usize = around.iter().map(|&w| sizes[w]).product();
    let mut choice = vec![0; sizes.len()];
    let (mut costs, mut choices) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for k in 0..count {
        let mut rest = k;
        for &w in around.iter().rev() {
            choice[w] = rest % sizes[w];
            rest /= sizes[w];
        }
        let mut best = (f64::INFINITY, 0);
        for c in 0..sizes[v] {
            choice[v] = c;
            let cost = total(tables, &choice, sizes);
            if cost < best.0 - best.0.abs().min(1.0) * 1e-12
                || best.0.is_infinite() && cost < best.0
            {
                best = (cost, c);
            }
        }
        costs.push(best.0);
        choices.push(best.1);
    }
    (Table { variables: around, costs }, choices)
}

/// The cost of a choice.
pub fn total(tables: &[Table], choice: &[usize], sizes: &[usize]) -> f64 {
    tables.iter().map(|t| t.costs[index(&t.variables, choice, sizes)]).sum()
}

fn descend(sizes: &[usize], tables: &[Table]) -> Vec<usize> {
    let mut choice = vec![0; sizes.len()];
    for _ in 0..100 {
        let before = choice.clone();
        for v in 0..sizes.len() {
            let mine: Vec<_> =
                tables.iter().filter(|t| t.variables.contains(&v)).cloned().collect();
            let cost = |c: usize, choice: &mut Vec<usize>| {
                choice[v] = c;
                total(&mine, choice, sizes)
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
        let best = minimise(&sizes, &tables);
        let brute = (0..72)
            .map(|k| [k / 24, k / 12 % 2, k / 4 % 3, k % 4])
            .map(|c| total(&tables, &c, &sizes))
            .fold(f64::INFINITY, f64::min);
        assert_eq!(total(&tables, &best, &sizes), brute);
    }
}
