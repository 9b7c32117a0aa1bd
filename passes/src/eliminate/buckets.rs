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
        let mut live: Vec<(Table, Option<usize>)> =
            added(tables).into_iter().map(|t| (t, None)).collect();
        let mut constant = 0.0;
        live.retain(|(t, _)| {
            constant += if t.variables.is_empty() { t.costs[0] } else { 0.0 };
            !t.variables.is_empty()
        });
        let mut around = neighbourhoods(sizes.len(), live.iter().map(|(t, _)| t));
        let mut left: BTreeSet<usize> = (0..sizes.len()).collect();
        let mut out = Buckets { sizes: sizes.to_vec(), list: Vec::new(), constant };
        let joined = |v: usize, around: &[BTreeSet<usize>]| {
            around[v].iter().fold(sizes[v], |n, &w| n.saturating_mul(sizes[w]))
        };
        while let Some((size, v)) = left.iter().map(|&v| (joined(v, &around), v)).min() {
            if size > LIMIT {
                return None;
            }
            left.remove(&v);
            let (mine, others): (Vec<_>, Vec<_>) =
                live.into_iter().partition(|(t, _)| t.variables.contains(&v));
            live = others;
            let near = std::mem::take(&mut around[v]);
            for &w in &near {
                around[w].remove(&v);
                around[w].extend(near.iter().filter(|&&u| u != w));
            }
            let made = out.push(v, mine, near.into_iter().collect());
            if !made.variables.is_empty() {
                live.push((made, Some(out.list.len() - 1)));
            }
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

    /// The best choice, where some buckets choose otherwise than they did.
    fn decode(&self, changed: &BTreeMap<usize, Vec<u32>>) -> Vec<usize> {
        let mut choice = vec![0; self.sizes.len()];
        for (b, bucket) in self.list.iter().enumerate().rev() {
            let choices = changed.get(&b).unwrap_or(&bucket.choices);
            let at = index(&bucket.around, &choice, &self.sizes);
            choice[bucket.variable] = choices[at] as usize;
        }
        choice
    }

    /// The best of all in which a variable takes another choice than this one.
    /// Only what stands between the variable and the end of the sum is eliminated again.
    pub fn otherwise(&self, variable: usize, choice: usize) -> Vec<usize> {
        let mut changed = BTreeMap::new();
        let mut costs = vec![0.0; self.sizes[variable]];
        costs[choice] = f64::INFINITY;
        let mut instead = (usize::MAX, Table { variables: vec![variable], costs });
        let mut at = self.list.iter().position(|b| b.variable == variable);
        while let Some(b) = at {
            let bucket = &self.list[b];
            let kept = bucket.tables.iter().enumerate().filter(|(k, _)| *k != instead.0);
            let tables: Vec<&Table> = kept.map(|(_, t)| t).chain([&instead.1]).collect();
            let v = bucket.variable;
            let (costs, choices) = eliminated(v, &bucket.around, &tables, &self.sizes);
            let variables = bucket.around.clone();
            let position = bucket.parent.map_or(usize::MAX, |(_, k)| k);
            instead = (position, Table { variables, costs });
            changed.insert(b, choices);
            at = bucket.parent.map(|(parent, _)| parent);
        }
        self.decode(&changed)
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
    pub fn marginals(&self) -> Vec<Vec<f64>> {
        let sizes = &self.sizes;
        let mut down: Vec<Option<Table>> = self.list.iter().map(|_| None).collect();
        let mut out = vec![Vec::new(); sizes.len()];
        let all_roots = self.list.iter().filter_map(|b| b.root).sum::<f64>() + self.constant;
        let mut root_of = vec![0; self.list.len()];
        for (b, bucket) in self.list.iter().enumerate().rev() {
            root_of[b] = bucket.parent.map_or(b, |(parent, _)| root_of[parent]);
            let above = down[b].take();
            let all: Vec<&Table> = bucket.tables.iter().chain(&above).collect();
            // What hangs on nothing here is owed all the same.
            let rest = all_roots - self.list[root_of[b]].root.unwrap_or(0.0);
            let joint = bucket.joint(&all, sizes);
            out[bucket.variable] = vec![f64::INFINITY; sizes[bucket.variable]];
            for row in joint.chunks(sizes[bucket.variable].max(1)) {
                let mine = out[bucket.variable].iter_mut().zip(row);
                mine.for_each(|(least, &cost)| *least = least.min(cost + rest));
            }
            for (k, from) in bucket.from.iter().enumerate() {
                let Some(child) = *from else { continue };
                down[child] = Some(bucket.without(&joint, &bucket.tables[k], sizes));
            }
        }
        out
    }
}

impl Bucket {
    /// The sum of some tables for each combination of the variables around and, innermost, of the
    /// bucket's own.
    fn joint(&self, tables: &[&Table], sizes: &[usize]) -> Vec<f64> {
        let size = sizes[self.variable];
        let count: usize = self.around.iter().map(|&w| sizes[w]).product();
        let mut out = vec![0.0; count * size];
        for table in tables {
            let mut odometer = Odometer::new(&self.around, &[table], sizes);
            let step = stride(self.variable, &table.variables, sizes);
            for row in out.chunks_mut(size.max(1)) {
                add(row, &table.costs[odometer.begins[0]..], step);
                odometer.advance();
            }
        }
        out
    }

    /// For each combination of a table's variables the least of the sum without the table.
    /// Where that is infinite it does not matter what the rest costs.
    fn without(&self, joint: &[f64], table: &Table, sizes: &[usize]) -> Table {
        let mut costs = vec![f64::INFINITY; table.costs.len()];
        let mut odometer = Odometer::new(&self.around, &[table], sizes);
        let step = stride(self.variable, &table.variables, sizes);
        for row in joint.chunks(sizes[self.variable].max(1)) {
            let begin = odometer.begins[0];
            for (c, all) in row.iter().enumerate() {
                let at = begin + c * step;
                // The difference of two infinities is no number, and loses.
                costs[at] = costs[at].min(all - table.costs[at]);
            }
            odometer.advance();
        }
        Table { variables: table.variables.clone(), costs }
    }
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

/// Tables over the same variables become one.
fn added<'a>(tables: impl Iterator<Item = &'a Table>) -> Vec<Table> {
    let mut at: BTreeMap<&[usize], usize> = BTreeMap::new();
    let mut out: Vec<Table> = Vec::new();
    for table in tables {
        let k = *at.entry(&table.variables).or_insert(out.len());
        match out.get_mut(k) {
            Some(sum) => sum.costs.iter_mut().zip(&table.costs).for_each(|(a, b)| *a += b),
            None => out.push(table.clone()),
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
