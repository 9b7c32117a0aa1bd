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
    let sizes: Vec<_> = flows.bytes.iter().map(|b| format!("{b:.0}")).collect();
    let side = flows.side;
    let _ = writeln!(
        out,
        "<div class=\"map\"><span class=\"to\">to rank →</span><span class=\"from\">from rank →\
         </span><svg viewBox=\"0 0 {side} {side}\" data-side=\"{side}\" data-each=\"{}\" \
         data-bytes=\"{}\">",
        flows.each,
        sizes.join(",")
    );
    for (shade, path) in shades(&flows).iter().enumerate() {
        if !path.is_empty() {
            let opacity = (shade + 1) as f64 / SHADES as f64;
            let _ = writeln!(out, "<path d=\"{path}\" fill-opacity=\"{opacity:.3}\"/>");
        }
    }
    out.push_str("</svg></div>\n");
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
