//! Bucket elimination: one variable after the other leaves the sum, and hands over a table of what
//! its best choice costs.
//!
//! What was handed over stays, so that after one sweep the best choice of all, the best with any
//! choice of any variable, and the next best of all are found without another.

use super::{Table, index};
use std::collections::{BTreeMap, BTreeSet};

/// The entries that an intermediate table may have.
const LIMIT: usize = 1 << 21;

/// A sum of tables from which all variables were eliminated.
pub struct Buckets {
    sizes: Vec<usize>,
    list: Vec<Bucket>,
    /// What hangs on no variable.
    constant: f64,
}

/// A variable that was eliminated: the tables over it at that time, and what became of them.
struct Bucket {
    variable: usize,
    /// The choices of the variable stand side by side.
    tables: Vec<Table>,
    /// For each of `tables` the bucket that has made it, if one has.
    from: Vec<Option<usize>>,
    /// The bucket that took the result, and where it stands there.
    parent: Option<(usize, usize)>,
    /// The variables that the result depends on.
    around: Vec<usize>,
    /// The best choice of the variable for each combination of those.
    choices: Vec<u32>,
    /// The least sum of all that hangs together, if this was the last of it.
    root: Option<f64>,
}

impl Buckets {
    /// Eliminates all variables, if no intermediate table is too large.
    pub fn new<'a>(sizes: &[usize], tables: impl Iterator<Item = &'a Table>) -> Option<Self> {
        let mut constant = 0.0;
        let mut live: Vec<Option<(Table, Option<usize>)>> = Vec::new();
        for table in added(tables, sizes) {
            if table.variables.is_empty() {
                constant += table.costs[0];
            } else {
                live.push(Some((table, None)));
            }
        }
        let mut around = neighbourhoods(sizes.len(), live.iter().flatten().map(|(t, _)| t));
        let mut over: Vec<Vec<usize>> = vec![Vec::new(); sizes.len()];
        for (k, (table, _)) in live.iter().flatten().enumerate() {
            table.variables.iter().for_each(|&v| over[v].push(k));
        }
        let joined = |v: usize, around: &[BTreeSet<usize>]| {
            around[v].iter().fold(sizes[v], |n, &w| n.saturating_mul(sizes[w]))
        };
        let mut cost: Vec<usize> = (0..sizes.len()).map(|v| joined(v, &around)).collect();
        let mut left: BTreeSet<(usize, usize)> = (0..sizes.len()).map(|v| (cost[v], v)).collect();
        let mut out = Buckets { sizes: sizes.to_vec(), list: Vec::new(), constant };
        while let Some((size, v)) = left.pop_first() {
            if size > LIMIT {
                return None;
            }
            let mine = over[v].iter().filter_map(|&k| live[k].take()).collect();
            let near = std::mem::take(&mut around[v]);
            for &w in &near {
                around[w].remove(&v);
                around[w].extend(near.iter().filter(|&&u| u != w));
                left.remove(&(cost[w], w));
                cost[w] = joined(w, &around);
                left.insert((cost[w], w));
            }
            let made = out.push(v, mine, near.into_iter().collect());
            made.variables.iter().for_each(|&w| over[w].push(live.len()));
            live.push((!made.variables.is_empty()).then_some((made, Some(out.list.len() - 1))));
        }
        Some(out)
    }

    fn push(&mut self, v: usize, mine: Vec<(Table, Option<usize>)>, around: Vec<usize>) -> Table {
        let turn = |(table, from)| (turned(table, v, &self.sizes), from);
        let (tables, from): (Vec<_>, Vec<_>) = mine.into_iter().map(turn).unzip();
        for (k, child) in from.iter().enumerate().filter_map(|(k, c)| Some((k, (*c)?))) {
            self.list[child].parent = Some((self.list.len(), k));
        }
        let all: Vec<&Table> = tables.iter().collect();
        let (costs, choices) = eliminated(v, &around, &all, &self.sizes);
        let root = around.is_empty().then(|| costs[0]);
        let made = Table { variables: around.clone(), costs };
        self.list.push(Bucket { variable: v, tables, from, parent: None, around, choices, root });
        made
    }

    /// The best choice of all.
    pub fn best(&self) -> Vec<usize> {
        self.decode(&BTreeMap::new())
    }

    /// The best choice for all variables but those that are fixed, which together are a bucket and
    /// all above it, or none.
    fn decode(&self, fixed: &BTreeMap<usize, usize>) -> Vec<usize> {
        let mut choice = vec![0; self.sizes.len()];
        for bucket in self.list.iter().rev() {
            let best = || bucket.choices[index(&bucket.around, &choice, &self.sizes)] as usize;
            let known = fixed.get(&bucket.variable).copied();
            choice[bucket.variable] = known.unwrap_or_else(best);
        }
        choice
    }

    /// The best choices of all, the cheapest first.
    /// From the end of the sum each bucket tells exactly what any of its choices leads to.
    pub fn few(&self, count: usize) -> Vec<Vec<usize>> {
        let mut open = vec![(0.0, self.list.len(), vec![0; self.sizes.len()])];
        let mut out = Vec::new();
        let first = |a: &(f64, usize, Vec<usize>), b: &(f64, usize, Vec<usize>)| {
            a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
        };
        while out.len() < count
            && let Some(next) = (0..open.len()).min_by(|&a, &b| first(&open[a], &open[b]))
        {
            let (above, left, choice) = open.swap_remove(next);
            let Some(b) = left.checked_sub(1) else {
                out.push(choice);
                continue;
            };
            let bucket = &self.list[b];
            let mut options = vec![0.0; self.sizes[bucket.variable]];
            bucket.tables.iter().for_each(|t| {
                let (begin, step) = begin(t, bucket.variable, &choice, &self.sizes);
                options
                    .iter_mut()
                    .enumerate()
                    .for_each(|(c, sum)| *sum += t.costs[begin + c * step]);
            });
            let least = options.iter().copied().fold(f64::INFINITY, f64::min);
            for (c, cost) in options.into_iter().enumerate().filter(|(_, cost)| cost.is_finite()) {
                let mut choice = choice.clone();
                choice[bucket.variable] = c;
                open.push((above + (cost - least), b, choice));
            }
        }
        out
    }

    /// For each variable and each of its choices the least cost of all with that choice.
    /// Buckets hand their tables up as they are eliminated; here the rest of the sum comes down
    /// again: all that a bucket has, without what came from the one below.
    pub fn marginals(&self) -> Marginals<'_> {
        let sizes = &self.sizes;
        let mut down: Vec<Option<Table>> = self.list.iter().map(|_| None).collect();
        let mut costs = vec![Vec::new(); sizes.len()];
        let all_roots = self.list.iter().filter_map(|b| b.root).sum::<f64>() + self.constant;
        let mut root_of = vec![0; self.list.len()];
        let mut joint = Vec::new();
        for (b, bucket) in self.list.iter().enumerate().rev() {
            root_of[b] = bucket.parent.map_or(b, |(parent, _)| root_of[parent]);
            // What hangs on nothing here is owed all the same.
            let rest = all_roots - self.list[root_of[b]].root.unwrap_or(0.0);
            bucket.join(down[b].as_ref(), sizes, &mut joint);
            let mut mine = vec![f64::INFINITY; sizes[bucket.variable]];
            joint.chunks(mine.len().max(1)).for_each(|row| take_less(&mut mine, row));
            costs[bucket.variable] = mine.into_iter().map(|cost| cost + rest).collect();
            for (k, from) in bucket.from.iter().enumerate() {
                let Some(child) = *from else { continue };
                down[child] = Some(bucket.without(&joint, &bucket.tables[k], sizes));
            }
        }
        Marginals { buckets: self, down, costs }
    }
}

/// What follows from each choice of each variable.
pub struct Marginals<'a> {
    buckets: &'a Buckets,
    /// For each bucket what the rest of the sum makes of the variables around it.
    down: Vec<Option<Table>>,
    /// For each variable and each of its choices the least cost of all.
    pub costs: Vec<Vec<f64>>,
}

impl Marginals<'_> {
    /// The best of all in which a variable takes another choice than this one.
    /// The variables above it follow, bucket by bucket; what hangs below chooses as it did.
    pub fn otherwise(&self, variable: usize, choice: usize) -> Vec<usize> {
        let list = &self.buckets.list;
        let mut costs = self.costs[variable].clone();
        costs[choice] = f64::INFINITY;
        let mut fixed = BTreeMap::from([(variable, least(&costs).1 as usize)]);
        let mut at = list.iter().position(|b| b.variable == variable);
        while let Some(b) = at {
            self.settle(b, &mut fixed);
            at = list[b].parent.map(|(parent, _)| parent);
        }
        self.buckets.decode(&fixed)
    }

    /// Fixes the variables of a bucket that are not yet, and of those around it.
    fn settle(&self, b: usize, fixed: &mut BTreeMap<usize, usize>) {
        let (bucket, sizes) = (&self.buckets.list[b], &self.buckets.sizes);
        let all = bucket.around.iter().chain([&bucket.variable]);
        let free: Vec<usize> = all.copied().filter(|v| !fixed.contains_key(v)).collect();
        let tables: Vec<&Table> = bucket.tables.iter().chain(&self.down[b]).collect();
        let mut choice = vec![0; sizes.len()];
        for (&v, &c) in fixed.iter() {
            choice[v] = c;
        }
        let count: usize = free.iter().map(|&v| sizes[v]).product();
        let mut odometer = Odometer::new(&free, &tables, sizes);
        let firsts: Vec<usize> =
            tables.iter().map(|t| index(&t.variables, &choice, sizes)).collect();
        let mut sums = Vec::with_capacity(count);
        for _ in 0..count {
            let each = tables.iter().zip(&firsts).zip(&odometer.begins);
            sums.push(each.map(|((t, first), more)| t.costs[first + more]).sum());
            odometer.advance();
        }
        let mut rest = least(&sums).1 as usize;
        for &v in free.iter().rev() {
            fixed.insert(v, rest % sizes[v]);
            rest /= sizes[v];
        }
    }
}

impl Bucket {
    /// The sum of all that is known of each combination of the variables around and, innermost, of
    /// the bucket's own.
    fn join(&self, above: Option<&Table>, sizes: &[usize], out: &mut Vec<f64>) {
        let size = sizes[self.variable];
        let count: usize = self.around.iter().map(|&w| sizes[w]).product();
        out.clear();
        out.resize(count * size, 0.0);
        for table in self.tables.iter().chain(above) {
            let mut odometer = Odometer::new(&self.around, &[table], sizes);
            let step = stride(self.variable, &table.variables, sizes);
            for row in out.chunks_mut(size.max(1)) {
                add(row, &table.costs[odometer.begins[0]..], step);
                odometer.advance();
            }
        }
    }

    /// For each combination of the variables of one of its tables the least of the sum without it.
    /// Where the table is infinite it does not matter what the rest costs.
    fn without(&self, joint: &[f64], table: &Table, sizes: &[usize]) -> Table {
        let mut costs = vec![f64::INFINITY; table.costs.len()];
        let mut odometer = Odometer::new(&self.around, &[table], sizes);
        let mut rest = vec![0.0; sizes[self.variable]];
        for row in joint.chunks(rest.len().max(1)) {
            let mine = odometer.begins[0]..odometer.begins[0] + row.len();
            let each = row.iter().zip(&table.costs[mine.clone()]);
            rest.iter_mut().zip(each).for_each(|(rest, (all, own))| *rest = all - own);
            take_less(&mut costs[mine], &rest);
            odometer.advance();
        }
        Table { variables: table.variables.clone(), costs }
    }
}

/// Keeps what is less; what is no number, as the difference of two infinities, is not.
fn take_less(least: &mut [f64], costs: &[f64]) {
    least
        .iter_mut()
        .zip(costs)
        .for_each(|(least, &c)| *least = if c < *least { c } else { *least });
}

/// Adds the costs of a variable's choices that stand so far apart.
fn add(sums: &mut [f64], costs: &[f64], step: usize) {
    match step {
        0 => sums.iter_mut().for_each(|sum| *sum += costs[0]),
        1 => sums.iter_mut().zip(costs).for_each(|(sum, c)| *sum += c),
        _ => sums.iter_mut().zip(costs.iter().step_by(step)).for_each(|(sum, c)| *sum += c),
    }
}

/// The same table with the choices of a variable side by side.
fn turned(table: Table, v: usize, sizes: &[usize]) -> Table {
    if table.variables.last() == Some(&v) {
        return table;
    }
    let mut variables = table.variables.clone();
    variables.retain(|&w| w != v);
    let mut costs = Vec::with_capacity(table.costs.len());
    let mut odometer = Odometer::new(&variables, &[&table], sizes);
    let step = stride(v, &table.variables, sizes);
    while costs.len() < table.costs.len() {
        let each = table.costs[odometer.begins[0]..].iter().step_by(step);
        costs.extend(each.take(sizes[v]));
        odometer.advance();
    }
    variables.push(v);
    Table { variables, costs }
}

/// Tables over the same variables become one; a variable of one choice is none.
fn added<'a>(tables: impl Iterator<Item = &'a Table>, sizes: &[usize]) -> Vec<Table> {
    let mut at: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    let mut out: Vec<Table> = Vec::new();
    for table in tables {
        let chosen = table.variables.iter().copied().filter(|&v| sizes[v] > 1);
        let variables: Vec<usize> = chosen.collect();
        let k = *at.entry(variables.clone()).or_insert(out.len());
        match out.get_mut(k) {
            Some(sum) => sum.costs.iter_mut().zip(&table.costs).for_each(|(a, b)| *a += b),
            None => out.push(Table { variables, costs: table.costs.clone() }),
        }
    }
    out
}

/// For each variable those that share a table with it.
fn neighbourhoods<'a>(n: usize, tables: impl Iterator<Item = &'a Table>) -> Vec<BTreeSet<usize>> {
    let mut around = vec![BTreeSet::new(); n];
    for table in tables {
        for &v in &table.variables {
            around[v].extend(table.variables.iter().filter(|&&w| w != v));
        }
    }
    around
}

/// The entry of a table for the first choice of a variable, and how far apart its choices are.
fn begin(table: &Table, v: usize, choice: &[usize], sizes: &[usize]) -> (usize, usize) {
    let of = |&w: &usize| if w == v { 0 } else { choice[w] };
    let begin = table.variables.iter().fold(0, |i, w| i * sizes[*w] + of(w));
    (begin, stride(v, &table.variables, sizes))
}

/// How far apart the choices of a variable are in a table; zero if it is not in it.
fn stride(v: usize, variables: &[usize], sizes: &[usize]) -> usize {
    let last = variables.iter().rposition(|&w| w == v);
    last.map_or(0, |at| variables[at + 1..].iter().map(|&w| sizes[w]).product())
}

/// The least sum of some tables over the choices of a variable, and the choice that it takes, for
/// each combination of the variables around.
fn eliminated(
    v: usize,
    around: &[usize],
    tables: &[&Table],
    sizes: &[usize],
) -> (Vec<f64>, Vec<u32>) {
    let count: usize = around.iter().map(|&w| sizes[w]).product();
    let (mut costs, mut choices) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut odometer = Odometer::new(around, tables, sizes);
    let steps: Vec<usize> = tables.iter().map(|t| stride(v, &t.variables, sizes)).collect();
    let mut sums = vec![0.0; sizes[v]];
    for _ in 0..count {
        sums.fill(0.0);
        for ((table, &begin), &step) in tables.iter().zip(&odometer.begins).zip(&steps) {
            add(&mut sums, &table.costs[begin..], step);
        }
        let (cost, choice) = least(&sums);
        costs.push(cost);
        choices.push(choice);
        odometer.advance();
    }
    (costs, choices)
}

/// The least of some costs; among equals, up to rounding, the first.
fn least(costs: &[f64]) -> (f64, u32) {
    let least = costs.iter().fold(f64::INFINITY, |least, &c| if c < least { c } else { least });
    if least.is_infinite() {
        return (least, 0);
    }
    let limit = least + least.abs().min(1.0) * 1e-12;
    let first = costs.iter().position(|&c| c <= limit).unwrap_or(0);
    (costs[first], first as u32)
}

/// Counts through the choices of some variables, the last fastest, and knows for each table the
/// entry that they lead to.
struct Odometer {
    begins: Vec<usize>,
    at: Vec<usize>,
    /// For each variable how many choices it has, and how far apart they are in each table.
    wheels: Vec<(usize, Vec<usize>)>,
}

impl Odometer {
    fn new(order: &[usize], tables: &[&Table], sizes: &[usize]) -> Self {
        let steps = |v: usize| tables.iter().map(|t| stride(v, &t.variables, sizes)).collect();
        Odometer {
            begins: vec![0; tables.len()],
            at: vec![0; order.len()],
            wheels: order.iter().map(|&v| (sizes[v], steps(v))).collect(),
        }
    }

    fn advance(&mut self) {
        for (at, (size, steps)) in self.at.iter_mut().zip(&self.wheels).rev() {
            *at += 1;
            self.begins.iter_mut().zip(steps).for_each(|(begin, step)| *begin += step);
            if *at < *size {
                return;
            }
            self.begins.iter_mut().zip(steps).for_each(|(begin, step)| *begin -= step * size);
            *at = 0;
        }
    }
}
