//! A plan as one page for a browser: text, graph, timeline, traffic, costs, and every pass.
//!
//! The page needs no network and no other file.
//! A value is known everywhere by its block and number, `1.7` for `%7` of the second block; what
//! belongs to it carries that in `data-v`, and the script of the page lights it up together.

mod graph;
mod layers;
mod map;
mod markup;
mod stages;
mod tables;
mod timeline;

use crate::planned::Planned;
use crate::report::units::{bytes, count, per_cent, seconds};
use adjoin_passes::certify::Verdict;
use adjoin_passes::cost::Account;
use adjoin_passes::simulate::{MOST, simulate};
use adjoin_passes::{Block, Plan};
pub use markup::escaped;
use std::fmt::Write as _;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");
const NOTHING_LOADED: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// What the user wrote.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// What the page is called.
    pub title: &'a str,
    /// The expression; empty for a solver's program.
    pub expression: &'a str,
    /// The problem file.
    pub source: &'a str,
}

/// The page of a plan.
pub fn page(planned: &Planned, written: Written) -> String {
    let title = escaped(written.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{NOTHING_LOADED}\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    let account = planned.account();
    head(&mut out, planned, &account, written);
    let plan = planned.plan();
    let (text, number) = (plan.to_string(), repeated(plan));
    out.push_str("<main>\n");
    section(&mut out, "plan", "Plan", |out| {
        out.push_str("<div class=\"two\">\n<div class=\"pane\"><pre class=\"plan\">");
        out.push_str(&markup::plan(&text, ""));
        out.push_str("</pre></div>\n<div class=\"pane graphs\">\n");
        for (b, block) in plan.blocks.iter().enumerate() {
            fold(out, &name(block), b == number, |out| out.push_str(&graph::svg(plan, b)));
        }
        out.push_str("</div>\n</div>\n");
        legend(
            out,
            &[("leaf", "operator"), ("comm", "communication"), ("calc", "vectors, scalars")],
        );
    });
    simulated(&mut out, planned, number);
    section(&mut out, "costs", "Costs", |out| tables::costs(out, planned, &account, number));
    section(&mut out, "choices", "Choices", |out| tables::choices(out, planned));
    section(&mut out, "passes", "Passes", |out| stages::all(out, planned));
    if !written.source.is_empty() {
        section(&mut out, "file", "Problem file", |out| {
            let _ = writeln!(out, "<pre class=\"pane\">{}</pre>", escaped(written.source));
        });
    }
    let _ = write!(out, "</main>\n<div id=\"tip\"></div>\n<script>\n{SCRIPT}</script>\n");
    out + "</body>\n</html>\n"
}

/// The block that is repeated, else the first.
fn repeated(plan: &Plan) -> usize {
    plan.blocks.iter().position(|b| b.name == "step").unwrap_or(0)
}

/// What a block is called.
fn name(block: &Block) -> String {
    if block.name.is_empty() { "expression".into() } else { block.name.clone() }
}

/// The name by which a value is known all over the page.
fn token(block: usize, value: adjoin_passes::ir::Value) -> String {
    format!("{block}.{}", value.0)
}

/// The names of all results of some nodes.
fn tokens(block: usize, nodes: &[adjoin_passes::ir::Node]) -> String {
    let values = nodes.iter().flat_map(|node| &node.results);
    values.map(|&v| token(block, v)).collect::<Vec<_>>().join(" ")
}

fn head(out: &mut String, planned: &Planned, account: &Account, written: Written) {
    let mesh = &planned.plan().mesh;
    let (proof, word) = match planned.verdict() {
        Verdict::Proven => ("good", "proven equal to the expression".to_owned()),
        Verdict::Assumed(nodes) => ("fair", format!("assumed: {}", nodes.join(", "))),
        Verdict::Refuted(reason) => ("bad", format!("refuted: {reason}")),
    };
    let expression = match written.expression {
        "" => String::new(),
        text => format!("<p class=\"expr\"><code>{}</code></p>\n", escaped(text)),
    };
    let _ = write!(
        out,
        "<header>\n<h1>{}</h1>\n{expression}<p class=\"facts\"><span>{} on <b>{}</b></span> \
         <span>{}</span> <span class=\"chip {proof}\">{}</span></p>\n<dl class=\"tiles\">\n",
        escaped(written.title),
        escaped(&counted(mesh.ranks(), "rank")),
        escaped(&mesh.to_string()),
        escaped(&planned.context().machine.name),
        escaped(&word)
    );
    let step = account.step().cloned().unwrap_or_default();
    let least = step.floor.seconds();
    let over = if least > 0.0 && step.seconds() > least {
        format!("least {}, {} more", seconds(least), per_cent(step.seconds() / least - 1.0))
    } else {
        format!("least {}", seconds(least))
    };
    let one = if planned.plan().blocks.len() > 1 { "an iteration" } else { "an evaluation" };
    tile(out, one, &seconds(account.iteration()), &over);
    tile(out, "local work", &seconds(step.local), &format!("{}flops", spaced(step.flops)));
    tile(out, "communication", &seconds(step.wire), &counted(step.calls.calls, "call"));
    tile(out, "sends", &bytes(step.calls.bytes as f64), "a rank");
    let parts = format!("{} of operators", bytes(account.operators));
    tile(out, "memory", &bytes(account.peak()), &parts);
    out.push_str("</dl>\n</header>\n<nav>");
    for (id, name) in [
        ("plan", "Plan"),
        ("time", "Timeline"),
        ("traffic", "Traffic"),
        ("costs", "Costs"),
        ("choices", "Choices"),
        ("passes", "Passes"),
    ] {
        let _ = write!(out, "<a href=\"#{id}\">{name}</a>");
    }
    out.push_str("</nav>\n");
}

/// A count that a unit follows.
fn spaced(n: f64) -> String {
    let text = count(n);
    if text.contains(' ') { text } else { text + " " }
}

fn tile(out: &mut String, what: &str, value: &str, more: &str) {
    let _ = writeln!(
        out,
        "<div><dt>{}</dt><dd>{}</dd><dd class=\"more\">{}</dd></div>",
        escaped(what),
        escaped(value),
        escaped(more)
    );
}

/// Timeline and traffic, where the calls of all ranks can be listed.
fn simulated(out: &mut String, planned: &Planned, number: usize) {
    let plan = planned.plan();
    let block = name(&plan.blocks[number]);
    if plan.mesh.ranks() > MOST {
        let many = format!("<p>Ranks are simulated one by one up to {MOST}.</p>\n");
        section(out, "time", "Timeline", |out| out.push_str(&many));
        section(out, "traffic", "Traffic", |out| out.push_str(&many));
        return;
    }
    section(out, "time", &format!("Timeline of {block}"), |out| {
        match simulate(plan, &planned.context().machine, number, 1) {
            Ok(run) => timeline::draw(out, plan, number, &run),
            Err(error) => {
                let _ = writeln!(out, "<p>{}</p>", escaped(&error.to_string()));
            }
        }
    });
    let heading = format!("Traffic of {block}, rank to rank");
    section(out, "traffic", &heading, |out| map::draw(out, plan, number));
}

fn section(out: &mut String, id: &str, heading: &str, inner: impl FnOnce(&mut String)) {
    let _ = writeln!(out, "<section id=\"{id}\">\n<h2>{}</h2>", escaped(heading));
    inner(out);
    out.push_str("</section>\n");
}

/// Something that can be folded away.
fn fold(out: &mut String, heading: &str, open: bool, inner: impl FnOnce(&mut String)) {
    let open = if open { " open=\"open\"" } else { "" };
    let _ = writeln!(out, "<details{open}><summary>{}</summary>", escaped(heading));
    inner(out);
    out.push_str("</details>\n");
}

fn legend(out: &mut String, entries: &[(&str, &str)]) {
    out.push_str("<p class=\"legend\">");
    for (class, what) in entries {
        let _ = write!(out, "<span><i class=\"{class}\"></i>{}</span>", escaped(what));
    }
    out.push_str("</p>\n");
}

/// So many of something.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
