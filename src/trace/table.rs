//! The summary: for each kind of call, within the blocks and marks around it, how often, how long,
//! how fast, and what was foreseen.
//!
//! Times are those of the slowest rank, beside its ratio to the fastest.

use super::Record;
use super::recorder::{Kind, Track};
use crate::report::units::{bytes, count, per_cent, seconds};
use std::fmt::Write as _;

/// What lies between the calls of a block or a mark is shown from this share of all time on.
const LITTLE: f64 = 0.005;

const HEAD: [&str; COLUMNS] =
    ["", "count", "time", "max/min", "share", "bytes", "bytes/s", "flop/s", "predicted", "ratio"];

const COLUMNS: usize = 10;

/// A kind of span in one place, on all ranks.
struct Row {
    name: String,
    kind: Kind,
    depth: usize,
    parent: usize,
    count: u64,
    /// The longest and the shortest time of a rank.
    most: f64,
    least: f64,
    /// What the rank with most of it does.
    bytes: f64,
    flops: f64,
    predicted: Option<f64>,
}

/// One rank's share of a row.
#[derive(Default)]
struct Part {
    count: u64,
    seconds: f64,
    bytes: f64,
    flops: f64,
    predicted: Option<f64>,
}

impl Record {
    /// The summary as text.
    pub fn table(&self) -> String {
        let rows = self.rows();
        let total = rows.first().map_or(0.0, |root| root.most);
        let mut cells = vec![HEAD.map(str::to_owned)];
        shown(&rows, 0, total, &mut cells);
        let ranks = self.tracks.len();
        let plural = if ranks == 1 { "" } else { "s" };
        let threads = match self.threads {
            1 => String::new(),
            threads => format!(" of {threads} threads"),
        };
        format!("{ranks} rank{plural}{threads}, {}\n{}", seconds(total), aligned(&cells))
    }

    /// All ranks' branches by the names on the way to them; the root is first.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let mut parts: Vec<Vec<Part>> = Vec::new();
        for (t, track) in self.tracks.iter().enumerate() {
            let mut known = Vec::with_capacity(track.branches.len());
            for (b, branch) in track.branches.iter().enumerate() {
                let entry = &track.entries[branch.entry];
                let parent = if b == 0 { 0 } else { known[branch.parent] };
                let here = |row: &Row| {
                    row.parent == parent && row.kind == entry.kind && row.name == entry.name
                };
                let found = rows.iter().skip(usize::from(b > 0)).position(here);
                let found = found.map_or(rows.len(), |k| k + usize::from(b > 0));
                if found == rows.len() {
                    let depth = if b == 0 { 0 } else { rows[parent].depth + 1 };
                    rows.push(Row::new(entry.name.clone(), entry.kind, depth, parent));
                    parts.push(Vec::new());
                }
                parts[found].resize_with(self.tracks.len(), Part::default);
                parts[found][t].add(track, b);
                known.push(found);
            }
        }
        rows.iter_mut().zip(&parts).for_each(|(row, parts)| row.gather(parts));
        rows
    }
}

impl Part {
    fn add(&mut self, track: &Track, branch: usize) {
        let branch = &track.branches[branch];
        let entry = &track.entries[branch.entry];
        let times = branch.count as f64;
        self.count += branch.count;
        self.seconds += branch.nanos as f64 * 1e-9;
        self.bytes += times * entry.bytes;
        self.flops += times * entry.flops;
        if let Some(each) = entry.seconds {
            self.predicted = Some(self.predicted.unwrap_or(0.0) + times * each);
        }
    }
}

impl Row {
    fn new(name: String, kind: Kind, depth: usize, parent: usize) -> Self {
        let (count, most, least, bytes, flops) = (0, 0.0, 0.0, 0.0, 0.0);
        Row { name, kind, depth, parent, count, most, least, bytes, flops, predicted: None }
    }

    fn gather(&mut self, parts: &[Part]) {
        let most = |of: &dyn Fn(&Part) -> f64| parts.iter().map(of).fold(0.0, f64::max);
        self.count = parts.iter().map(|part| part.count).max().unwrap_or(0);
        self.most = most(&|part| part.seconds);
        self.least = parts.iter().map(|part| part.seconds).fold(f64::INFINITY, f64::min);
        (self.bytes, self.flops) = (most(&|part| part.bytes), most(&|part| part.flops));
        self.predicted = parts.iter().filter_map(|part| part.predicted).reduce(f64::max);
    }

    fn cells(&self, total: f64) -> [String; COLUMNS] {
        let rate = |amount: f64, unit: &str| {
            let text = count(amount / self.most);
            if amount > 0.0 && self.most > 0.0 { format!("{text}{unit}") } else { String::new() }
        };
        let ratio = |a: f64, b: f64| if b > 0.0 { count(a / b) } else { String::new() };
        let foreseen = self.predicted.unwrap_or(0.0);
        [
            format!("{}{}", "  ".repeat(self.depth.saturating_sub(1)), self.name),
            self.count.to_string(),
            seconds(self.most),
            ratio(self.most, self.least),
            per_cent(self.most / total.max(f64::MIN_POSITIVE)),
            if self.bytes > 0.0 { bytes(self.bytes) } else { String::new() },
            rate(self.bytes, "B/s"),
            rate(self.flops, "F/s"),
            self.predicted.map_or_else(String::new, seconds),
            ratio(self.most, foreseen),
        ]
    }
}

/// The rows within a row, each with those within it, and what is between them.
fn shown(rows: &[Row], at: usize, total: f64, cells: &mut Vec<[String; COLUMNS]>) {
    let mut inside = 0.0;
    let children = (1..rows.len()).filter(|&k| rows[k].parent == at);
    for k in children.clone() {
        cells.push(rows[k].cells(total));
        shown(rows, k, total, cells);
        inside += rows[k].most;
    }
    let between = rows[at].most - inside;
    if children.count() > 0 && between > LITTLE * total {
        let mut rest =
            Row::new("(between)".into(), Kind::Mark, rows[at].depth + 1, at).cells(total);
        (rest[1], rest[2], rest[4]) = (String::new(), seconds(between), per_cent(between / total));
        cells.push(rest);
    }
}

/// Columns, of which the first is aligned to the left.
fn aligned(cells: &[[String; COLUMNS]]) -> String {
    let width = |c: usize| cells.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..COLUMNS).map(width).collect();
    let mut out = String::new();
    for row in cells {
        let mut line = format!("{:<w$}", row[0], w = widths[0]);
        for (cell, w) in row[1..].iter().zip(&widths[1..]) {
            let _ = write!(line, "  {cell:>w$}");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
