//! The graph of a block.

use super::layers::{Layout, layout};
use super::{escaped, token, tokens};
use adjoin_passes::cost::leaf_of;
use adjoin_passes::ir::{Op, Target, Value};
use adjoin_passes::text::operation;
use adjoin_passes::{Block, Plan};
use std::fmt::Write as _;

const HEIGHT: f64 = 34.0;
const LAYER: f64 = 58.0;
const LETTER: f64 = 6.7;
const MARGIN: f64 = 10.0;

/// A box of the graph.
struct Shape {
    class: &'static str,
    title: String,
    more: String,
    tokens: String,
}

/// The graph of a block as SVG.
pub(super) fn svg(plan: &Plan, number: usize) -> String {
    let block = &plan.blocks[number];
    let mut shapes: Vec<Shape> = (0..block.nodes.len()).map(|n| shape(plan, number, n)).collect();
    let made = block.definitions();
    let mut edges: Vec<(usize, usize)> = Vec::new();
    let mut carried: Vec<Value> = Vec::new();
    for (n, node) in block.nodes.iter().enumerate() {
        let mut args = node.args.clone();
        args.dedup();
        for value in args {
            edges.push((made[value.index()], n));
            carried.push(value);
        }
    }
    for (value, names) in returns(plan, block) {
        shapes.push(Shape {
            class: "out",
            title: format!("→ {}", names.join(", ")),
            more: String::new(),
            tokens: token(number, value),
        });
        edges.push((made[value.index()], shapes.len() - 1));
        carried.push(value);
    }
    let widths: Vec<f64> = shapes.iter().map(width).collect();
    let layout = layout(&widths, &edges);
    let (w, h) = (layout.width + 2.0 * MARGIN, layout.layers as f64 * LAYER);
    let mut out = format!(
        "<div class=\"pane\"><svg class=\"graph\" width=\"{w:.0}\" height=\"{h:.0}\" \
         viewBox=\"0 0 {w:.0} {h:.0}\">\n"
    );
    for ((route, value), (from, to)) in layout.routes.iter().zip(&carried).zip(&edges) {
        let sends = |n: &usize| block.nodes.get(*n).is_some_and(|node| node.op.communicates());
        let class = if sends(from) || sends(to) { "edge comm" } else { "edge" };
        let (path, token) = (path(&layout, route), token(number, *value));
        let _ = writeln!(out, "<path class=\"{class}\" data-v=\"{token}\" d=\"{path}\"/>");
    }
    for (shape, vertex) in shapes.iter().zip(&layout.vertices) {
        draw(&mut out, shape, vertex.x + MARGIN, vertex.layer as f64 * LAYER + 6.0, vertex.width);
    }
    out + "</svg></div>\n"
}

/// What a block leaves behind, by value.
fn returns(plan: &Plan, block: &Block) -> Vec<(Value, Vec<String>)> {
    let mut out: Vec<(Value, Vec<String>)> = Vec::new();
    for r in &block.returns {
        let name = match &r.target {
            Target::State(s) => plan.states[*s as usize].name.clone(),
            Target::Output => "result".into(),
            Target::Control(name) => format!("control {name}"),
        };
        match out.iter_mut().find(|(value, _)| *value == r.value) {
            Some((_, names)) => names.push(name),
            None => out.push((r.value, vec![name])),
        }
    }
    out
}

fn shape(plan: &Plan, number: usize, n: usize) -> Shape {
    let block = &plan.blocks[number];
    let node = &block.nodes[n];
    let class = match &node.op {
        op if op.communicates() => "comm",
        _ if leaf_of(node).is_some() => "leaf",
        Op::Input(_) | Op::Get(_) | Op::Slot(_) | Op::Zero => "in",
        _ => "calc",
    };
    let values: Vec<_> = node.results.iter().map(|v| format!("%{}", v.0)).collect();
    let types: Vec<_> = node.results.iter().map(|&v| block.ty(v).text(&plan.mesh)).collect();
    Shape {
        class,
        title: format!("{} {}", values.join(" "), operation(plan, &node.op)),
        more: types.join(", "),
        tokens: tokens(number, std::slice::from_ref(node)),
    }
}

fn width(shape: &Shape) -> f64 {
    let letters = shape.title.chars().count().max(shape.more.chars().count());
    letters as f64 * LETTER + 16.0
}

fn draw(out: &mut String, shape: &Shape, x: f64, y: f64, width: f64) {
    let (left, first) = (x - width / 2.0, if shape.more.is_empty() { 21.0 } else { 14.0 });
    let _ = write!(
        out,
        "<g class=\"node {}\" data-v=\"{}\"><rect x=\"{left:.1}\" y=\"{y:.1}\" \
         width=\"{width:.1}\" height=\"{HEIGHT}\" rx=\"6\"/>\
         <text x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
        shape.class,
        shape.tokens,
        y + first,
        escaped(&shape.title)
    );
    if !shape.more.is_empty() {
        let _ = write!(
            out,
            "<text class=\"ty\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            y + 27.0,
            escaped(&shape.more)
        );
    }
    out.push_str("</g>\n");
}

/// Curves from the bottom of a box to the top of another, through the places between.
fn path(layout: &Layout, route: &[usize]) -> String {
    let at = |v: usize| layout.vertices[v].x + MARGIN;
    let top = |v: usize| layout.vertices[v].layer as f64 * LAYER + 6.0;
    let last = route.len() - 1;
    let mut out = format!("M{:.1} {:.1}", at(route[0]), top(route[0]) + HEIGHT);
    for (k, pair) in route.windows(2).enumerate() {
        let (x0, x1) = (at(pair[0]), at(pair[1]));
        let (y0, y1) = (top(pair[0]) + HEIGHT, top(pair[1]));
        let half = f64::midpoint(y0, y1);
        let _ = write!(out, "C{x0:.1} {half:.1} {x1:.1} {half:.1} {x1:.1} {y1:.1}");
        if k + 1 < last {
            let _ = write!(out, "V{:.1}", y1 + HEIGHT);
        }
    }
    out
}
