//! What each rank does when, as the simulation foresees it.

use super::{escaped, tokens};
use crate::report::units::{per_cent, seconds};
use adjoin_passes::Plan;
use adjoin_passes::cost::leaf_of;
use adjoin_passes::ir::Node;
use adjoin_passes::simulate::{Kind, Simulation, Span, Timeline};
use adjoin_passes::text::operation;
use std::fmt::Write as _;

/// How many ranks have a row of their own.
const ROWS: usize = 64;
const WIDTH: f64 = 1080.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 10.0;

pub(super) fn draw(out: &mut String, plan: &Plan, block: usize, run: &Simulation) {
    let critical = run.critical();
    let _ = writeln!(
        out,
        "<p>{} until the last rank is through; ranks wait {} of the time; rank {critical} has \
         most to do.</p>",
        seconds(run.seconds),
        per_cent(run.idle())
    );
    let shown = shown(run.ranks.len(), critical);
    let row = if shown.len() <= 16 { 20.0 } else { 11.0 };
    let height = shown.len() as f64 * row + 26.0;
    let _ = writeln!(
        out,
        "<label class=\"zoom\">zoom <input type=\"range\" id=\"zoom\" min=\"0\" max=\"8\" \
         step=\"0.1\" value=\"0\"/></label>\n<div class=\"pane wide\"><svg class=\"time\" \
         data-left=\"{LEFT}\" data-wide=\"{WIDTH}\" viewBox=\"0 0 {} {height:.0}\">",
        WIDTH + LEFT + RIGHT
    );
    let scale = WIDTH / run.seconds.max(f64::MIN_POSITIVE);
    axis(out, run.seconds, scale, height - 26.0);
    for (k, &rank) in shown.iter().enumerate() {
        let y = k as f64 * row;
        let class = if rank == critical { " class=\"critical\"" } else { "" };
        let _ = writeln!(
            out,
            "<text{class} x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{rank}</text>",
            LEFT - 8.0,
            y + row / 2.0 + 3.5
        );
        let bar = Bar { plan, block, y: y + 1.0, height: row - 2.0, scale };
        run.ranks[rank].spans.iter().for_each(|span| bar.draw(out, rank, span));
    }
    out.push_str("</svg></div>\n");
    super::legend(
        out,
        &[
            ("leaf", "operator"),
            ("calc", "vectors, scalars"),
            ("comm", "communication"),
            ("wait", "waits for others"),
        ],
    );
    summary(out, run, shown.len());
}

/// The ranks that have a row: all, or some at equal distances and the one with most to do.
fn shown(ranks: usize, critical: usize) -> Vec<usize> {
    if ranks <= ROWS {
        return (0..ranks).collect();
    }
    let mut some: Vec<usize> = (0..ROWS - 1).map(|k| k * (ranks - 1) / (ROWS - 2)).collect();
    some.push(critical);
    some.sort_unstable();
    some.dedup();
    some
}

/// Lines at round times.
fn axis(out: &mut String, total: f64, scale: f64, bottom: f64) {
    let rough = total / 6.0;
    let power = 10_f64.powf(rough.max(f64::MIN_POSITIVE).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|k| k * power).find(|s| *s >= rough);
    let step = step.unwrap_or(power);
    for k in 0..=10 {
        let time = f64::from(k) * step;
        if time > total * 1.001 {
            break;
        }
        let x = LEFT + time * scale;
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{bottom:.1}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            seconds(time)
        );
    }
}

/// Where spans of a rank are drawn.
struct Bar<'a> {
    plan: &'a Plan,
    block: usize,
    y: f64,
    height: f64,
    scale: f64,
}

impl Bar<'_> {
    fn draw(&self, out: &mut String, rank: usize, span: &Span) {
        let nodes = &self.plan.blocks[self.block].nodes[span.nodes.clone()];
        let class = match span.kind {
            Kind::Work if nodes.iter().any(|node| leaf_of(node).is_some()) => "leaf",
            Kind::Work => "calc",
            Kind::Send => "comm",
            Kind::Wait => "wait",
        };
        let x = LEFT + span.begin * self.scale;
        let width = ((span.end - span.begin) * self.scale).max(0.3);
        let what = if nodes.is_empty() { "copy to the state".into() } else { self.words(nodes) };
        let waits = if span.kind == Kind::Wait { "waits: " } else { "" };
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{:.1}\" width=\"{width:.2}\" \
             height=\"{:.1}\" data-v=\"{}\" data-t=\"rank {rank}: {waits}{}, {} from {}\"/>",
            self.y,
            self.height,
            tokens(self.block, nodes),
            escaped(&what),
            seconds(span.end - span.begin),
            seconds(span.begin)
        );
    }

    fn words(&self, nodes: &[Node]) -> String {
        let word = |node: &Node| {
            let values: Vec<_> = node.results.iter().map(|v| format!("%{}", v.0)).collect();
            format!("{} = {}", values.join(", "), operation(self.plan, &node.op))
        };
        nodes.iter().map(word).collect::<Vec<_>>().join("; ")
    }
}

/// A number of a rank.
type Of = fn(&Timeline) -> f64;

/// What the ranks without a row do, as numbers over all ranks.
fn summary(out: &mut String, run: &Simulation, shown: usize) {
    let rest = run.ranks.len() - shown;
    if rest > 0 {
        let _ = writeln!(out, "<p>{rest} more ranks have no row here; over all of them:</p>");
    }
    out.push_str(
        "<div class=\"scroll\"><table class=\"small\"><tr><th></th><th>least</th>\
         <th>median</th><th>most</th><th>on rank</th></tr>\n",
    );
    let rows: [(&str, Of); 3] = [
        ("local work", |line| line.work),
        ("communication", |line| line.send),
        ("waiting", |line| line.wait),
    ];
    for (name, of) in rows {
        let mut all: Vec<(f64, usize)> =
            run.ranks.iter().enumerate().map(|(rank, line)| (of(line), rank)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let (Some(least), Some(most)) = (all.first(), all.last()) else { continue };
        let _ = writeln!(
            out,
            "<tr><td>{name}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            seconds(least.0),
            seconds(all[all.len() / 2].0),
            seconds(most.0),
            most.1
        );
    }
    out.push_str("</table></div>\n");
}
