//! Min-sum variable elimination: the cheapest choice for each variable of a sum of small tables.
//!
//! Exact as long as no intermediate table grows beyond a limit; expression graphs are close to
//! trees and stay far below it.
//! Beyond the limit refinements are left out; from what is best without them each variable in turn
//! takes its best choice until nothing changes.

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
/// Refinements are groups of tables without which the sum is a fair one, though less true.
/// Among equals the one with smaller indices wins, so that plans are reproducible.
pub fn minimise(sizes: &[usize], tables: &[Table], refinements: &[Vec<Table>]) -> Vec<usize> {
    let all = [tables, &refinements.concat()].concat();
    if let Some(best) = exact(sizes, &all) {
        return best;
    }
    let parts = refinements.iter().map(|group| [tables, group].concat());
    let coarse = parts.chain([tables.to_vec()]).filter_map(|part| exact(sizes, &part));
    let starts = coarse.chain([vec![0; sizes.len()]]);
    let found = starts.map(|start| descend(sizes, &all, start));
    let cost = |choice: &Vec<usize>| total(&all, choice, sizes);
    found.min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or_default()
}

/// A variable that was eliminated: the tables over it at that time, and what became of them.
struct Bucket {
    variable: usize,
    tables: Vec<Table>,
    /// For each of `tables` the bucket that has made it, if one has.
    from: Vec<Option<usize>>,
    /// The variables that the result depends on.
    around: Vec<usize>,
    /// The best choice of the variable for each combination of those.
    choices: Vec<usize>,
    /// The least sum of all that hangs together, if this was the last of it.
    root: Option<f64>,
}

/// Eliminates all variables, if no intermediate table is too large.
fn buckets(sizes: &[usize], tables: &[Table]) -> Option<Vec<Bucket>> {
    let mut live: Vec<(Table, Option<usize>)> = tables.iter().map(|t| (t.clone(), None)).collect();
    let mut left: Vec<usize> = (0..sizes.len()).collect();
    let mut solved: Vec<Bucket> = Vec::new();
    while !left.is_empty() {
        let cheapest = left.iter().map(|&v| (joined(v, live.iter().map(|(t, _)| t), sizes), v));
        let Some((size, v)) = cheapest.min() else { break };
        if size > LIMIT {
            return None;
        }
        left.retain(|&w| w != v);
        let (mine, others): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|(t, _)| t.variables.contains(&v));
        live = others;
        let (tables, from): (Vec<_>, Vec<_>) = mine.into_iter().unzip();
        let (table, choices) = eliminate(v, &tables, sizes);
        let around = table.variables.clone();
        let root = around.is_empty().then(|| table.costs[0]);
        live.push((table, Some(solved.len())));
        solved.push(Bucket { variable: v, tables, from, around, choices, root });
    }
    Some(solved)
}

/// The best choice of all, if no intermediate table is too large.
fn exact(sizes: &[usize], tables: &[Table]) -> Option<Vec<usize>> {
    let mut choice = vec![0; sizes.len()];
    for bucket in buckets(sizes, tables)?.iter().rev() {
        choice[bucket.variable] = bucket.choices[index(&bucket.around, &choice, sizes)];
    }
    Some(choice)
}

/// For each variable and each of its choices the least cost of all with that choice, if no
/// intermediate table is too large.
/// Buckets hand their tables up as they are eliminated; here the rest of the sum comes down again.
pub fn marginals(sizes: &[usize], tables: &[Table]) -> Option<Vec<Vec<f64>>> {
    let solved = buckets(sizes, tables)?;
    let mut down: Vec<Option<Table>> = solved.iter().map(|_| None).collect();
    let mut out = vec![Vec::new(); sizes.len()];
    let constants = tables.iter().filter(|t| t.variables.is_empty()).map(|t| t.costs[0]);
    let all_roots: f64 = solved.iter().filter_map(|bucket| bucket.root).chain(constants).sum();
    let mut root_of = vec![0; solved.len()];
    for (b, bucket) in solved.iter().enumerate().rev() {
        if bucket.root.is_some() {
            root_of[b] = b;
        }
        let above = down[b].take();
        let all: Vec<&Table> = bucket.tables.iter().chain(&above).collect();
        // What is over no variable any more is a constant that all others owe.
        let rest = all_roots - solved[root_of[b]].root.unwrap_or(0.0);
        out[bucket.variable] =
            project(&all, &[bucket.variable], sizes).into_iter().map(|c| c + rest).collect();
        for (k, from) in bucket.from.iter().enumerate() {
            let Some(child) = *from else { continue };
            root_of[child] = root_of[b];
            let others = bucket.tables.iter().enumerate().filter(|(j, _)| *j != k);
            let others: Vec<&Table> = others.map(|(_, t)| t).chain(&above).collect();
            let variables = solved[child].around.clone();
            let costs = project(&others, &variables, sizes);
            down[child] = Some(Table { variables, costs });
        }
    }
    Some(out)
}

/// The least sum of some tables for each combination of the variables of `scope`, ascending.
fn project(tables: &[&Table], scope: &[usize], sizes: &[usize]) -> Vec<f64> {
    let mut rest: Vec<usize> = tables.iter().flat_map(|t| t.variables.iter().copied()).collect();
    rest.retain(|v| !scope.contains(v));
    rest.sort_unstable();
    rest.dedup();
    let order: Vec<usize> = scope.iter().chain(&rest).copied().collect();
    let inner: usize = rest.iter().map(|&v| sizes[v]).product();
    let count: usize = order.iter().map(|&v| sizes[v]).product();
    let step = |v: usize| -> Vec<usize> {
        let of =
            |t: &&Table| if t.variables.contains(&v) { stride(v, &t.variables, sizes) } else { 0 };
        tables.iter().map(of).collect()
    };
    let steps: Vec<Vec<usize>> = order.iter().map(|&v| step(v)).collect();
    let (mut at, mut begins) = (vec![0; order.len()], vec![0_usize; tables.len()]);
    let mut out = vec![f64::INFINITY; count / inner.max(1)];
    for k in 0..count {
        let cost: f64 = tables.iter().zip(&begins).map(|(t, &begin)| t.costs[begin]).sum();
        out[k / inner] = out[k / inner].min(cost);
        for d in (0..order.len()).rev() {
            at[d] += 1;
            begins.iter_mut().zip(&steps[d]).for_each(|(begin, step)| *begin += step);
            if at[d] < sizes[order[d]] {
                break;
            }
            let turn = |(begin, step): (&mut usize, &usize)| *begin -= step * at[d];
            begins.iter_mut().zip(&steps[d]).for_each(turn);
            at[d] = 0;
        }
    }
    out
}

/// The size of the table that eliminating a variable would make, before it is minimised.
fn joined<'a>(v: usize, tables: impl Iterator<Item = &'a Table>, sizes: &[usize]) -> usize {
    let around = neighbours(v, tables);
    around.iter().fold(sizes[v], |n, &w| n.saturating_mul(sizes[w]))
}

fn neighbours<'a>(v: usize, tables: impl Iterator<Item = &'a Table>) -> Vec<usize> {
    let mine = tables.filter(|t| t.variables.contains(&v));
    let mut around: Vec<_> =
        mine.flat_map(|t| t.variables.iter().copied()).filter(|&w| w != v).collect();
    around.sort_unstable();
    around.dedup();
    around
}

fn index(variables: &[usize], choice: &[usize], sizes: &[usize]) -> usize {
    variables.iter().fold(0, |i, &v| i * sizes[v] + choice[v])
}

fn stride(v: usize, variables: &[usize], sizes: &[usize]) -> usize {
    variables.iter().rev().take_while(|&&w| w != v).map(|&w| sizes[w]).product()
}

fn eliminate(v: usize, tables: &[Table], sizes: &[usize]) -> (Table, Vec<usize>) {
    let around = neighbours(v, tables.iter());
    let count: usize = around.iter().map(|&w| sizes[w]).product();
    let mut choice = vec![0; sizes.len()];
    let (mut costs, mut choices) = (Vec::with_capacity(count), Vec::with_capacity(count));
    // How far apart the choices of `v` are in each table.
    let strides: Vec<usize> = tables.iter().map(|t| stride(v, &t.variables, sizes)).collect();
    let mut begins = vec![0; tables.len()];
    for k in 0..count {
        let mut rest = k;
        for &w in around.iter().rev() {
            choice[w] = rest % sizes[w];
            rest /= sizes[w];
        }
        choice[v] = 0;
        for (begin, table) in begins.iter_mut().zip(tables) {
            *begin = index(&table.variables, &choice, sizes);
        }
        let mut best = (f64::INFINITY, 0);
        for c in 0..sizes[v] {
            let each = tables.iter().zip(&begins).zip(&strides);
            let cost: f64 = each.map(|((t, begin), stride)| t.costs[begin + c * stride]).sum();
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

fn descend(sizes: &[usize], tables: &[Table], mut choice: Vec<usize>) -> Vec<usize> {
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
        let best = minimise(&sizes, &tables, &[]);
        let brute = (0..72)
            .map(|k| [k / 24, k / 12 % 2, k / 4 % 3, k % 4])
            .map(|c| total(&tables, &c, &sizes))
            .fold(f64::INFINITY, f64::min);
        assert_eq!(total(&tables, &best, &sizes), brute);
    }

    #[test]
    fn marginals_are_the_best_with_each_choice() {
        // Two rings that share nothing, so that each owes the other's best.
        let sizes = [3, 2, 3, 4, 2, 3];
        let pair = |x: usize, y: usize| {
            let each = (0..sizes[x]).flat_map(|a| (0..sizes[y]).map(move |b| (a, b)));
            let cost = |(a, b): (usize, usize)| ((a * 7 + b * 13 + x * 5 + y) % 11) as f64;
            Table { variables: vec![x, y], costs: each.map(cost).collect() }
        };
        let constant = Table { variables: Vec::new(), costs: vec![3.0] };
        let tables = [pair(0, 1), pair(1, 2), pair(2, 3), pair(0, 3), pair(4, 5), constant];
        let count = sizes.iter().product::<usize>();
        let decode = |mut k: usize| -> Vec<usize> {
            let digit = |&n: &usize| (k % n, k /= n).0;
            sizes.iter().map(digit).collect()
        };
        let found = marginals(&sizes, &tables).unwrap();
        for (v, costs) in found.iter().enumerate() {
            for (c, cost) in costs.iter().enumerate() {
                let with = (0..count).map(decode).filter(|choice| choice[v] == c);
                let best = with.map(|choice| total(&tables, &choice, &sizes));
                assert_eq!(*cost, best.fold(f64::INFINITY, f64::min), "{v} {c}");
            }
        }
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
        assert_eq!(minimise(&sizes, &tables, &[]), [150; 3]);
        assert_eq!(minimise(&sizes, &tables, &[vec![refinement]]), [150; 3]);
    }
}
