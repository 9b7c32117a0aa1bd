//! Who sends how many bytes to whom.

use crate::report::units::bytes;
use adjoin_passes::Plan;
use adjoin_passes::simulate::{Flows, flows};
use std::fmt::Write as _;

/// How many rows and columns a map has at most.
const SIDE: usize = 64;
/// How many shades there are.
const SHADES: usize = 8;

pub(super) fn draw(out: &mut String, plan: &Plan, block: usize) {
    let flows = flows(plan, block, SIDE);
    if flows.total() <= 0.0 {
        out.push_str("<p>No rank sends anything.</p>\n");
        return;
    }
    let each = match flows.each {
        1 => String::new(),
        n => format!(" A row or column stands for {n} consecutive ranks."),
    };
    let _ = writeln!(
        out,
        "<p>{} in all, at most {} from one to another.{each} A collective counts as pieces that \
         go straight to their owners, a sum over all as pieces to owners and back.</p>",
        bytes(flows.total()),
        bytes(flows.most())
    );
    let side = flows.side as f64;
    let letter = side / 40.0 + 0.1;
    let edge = 3.6 * letter;
    // A few large cells need less room than many small ones.
    let width = (10.0 + 4.0 * side).min(34.0);
    let _ = writeln!(
        out,
        "<div class=\"map\" style=\"max-width:{width}rem\"><svg \
         viewBox=\"{:.2} {:.2} {:.2} {:.2}\" font-size=\"{letter:.3}\">\n\
         <rect class=\"field\" width=\"{side}\" height=\"{side}\"/>",
        -edge,
        -edge,
        side + 1.2 * edge,
        side + 1.2 * edge
    );
    for (shade, path) in shades(&flows).iter().enumerate() {
        if !path.is_empty() {
            let opacity = (shade + 1) as f64 / SHADES as f64;
            let _ = writeln!(out, "<path d=\"{path}\" fill-opacity=\"{opacity:.3}\"/>");
        }
    }
    labels(out, &flows, letter);
    let sizes: Vec<_> = flows.bytes.iter().map(|b| format!("{b:.0}")).collect();
    let _ = writeln!(
        out,
        "<rect class=\"sense\" width=\"{side}\" height=\"{side}\" data-side=\"{side}\" \
         data-each=\"{}\" data-bytes=\"{}\"/></svg></div>",
        flows.each,
        sizes.join(",")
    );
}

/// Ranks at the edges, and bytes in cells that have room for them.
fn labels(out: &mut String, flows: &Flows, letter: f64) {
    let mut text = |class: &str, x: f64, y: f64, anchor: &str, text: &str| {
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{x:.2}\" y=\"{:.2}\" style=\"font-size:{letter:.3}px\" \
             text-anchor=\"{anchor}\">{text}</text>",
            y + letter / 3.0
        );
    };
    let side = flows.side;
    for k in (0..side).step_by(side.div_ceil(16)) {
        let (middle, rank) = (k as f64 + 0.5, (k * flows.each).to_string());
        text("", middle, -letter, "middle", &rank);
        text("", -letter / 2.0, middle, "end", &rank);
    }
    let half = side as f64 / 2.0;
    text("", half, -2.6 * letter, "middle", "to rank");
    text("", -3.5 * letter, -letter, "start", "from");
    for (k, &size) in flows.bytes.iter().enumerate().filter(|(_, b)| side <= 8 && **b > 0.0) {
        let (row, column) = ((k / side) as f64, (k % side) as f64);
        text("b", column + 0.5, row + 0.5, "middle", &bytes(size));
    }
}

/// For each shade the cells that have it.
fn shades(flows: &Flows) -> Vec<String> {
    let mut out = vec![String::new(); SHADES];
    for (k, &bytes) in flows.bytes.iter().enumerate().filter(|(_, b)| **b > 0.0) {
        let (row, column) = (k / flows.side, k % flows.side);
        let shade = (bytes / flows.most() * SHADES as f64).ceil() as usize;
        let _ = write!(out[shade.clamp(1, SHADES) - 1], "M{column} {row}h1v1h-1z");
    }
    out
}
