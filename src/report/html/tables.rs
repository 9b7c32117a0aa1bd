//! What each node costs, who put it there, and what the search would have chosen next.

use super::{counted, escaped, fold, name, token};
use crate::planned::Planned;
use crate::report::units::{bytes, count, per_cent, seconds};
use adjoin_passes::cost::{Account, BlockCost, leaf_of};
use adjoin_passes::ir::{Node, Op};
use adjoin_passes::origins::origins;
use adjoin_passes::search::Reviewed;
use adjoin_passes::text::operation;
use adjoin_passes::{Block, Plan};
use std::fmt::Write as _;

/// The costs of all blocks.
pub(super) fn costs(out: &mut String, planned: &Planned, account: &Account, open: usize) {
    let origins = origins(planned.compiled());
    let choices = planned.choices();
    let plan = planned.plan();
    for (b, (block, cost)) in plan.blocks.iter().zip(&account.blocks).enumerate() {
        fold(out, &name(block), b == open, |out| {
            bounds(out, cost);
            out.push_str(
                "<div class=\"scroll\"><table><tr><th>value</th><th>placement</th>\
                 <th>operation</th><th class=\"n\">flops</th><th class=\"n\">memory</th>\
                 <th class=\"n\">sends</th><th class=\"n\">time</th><th class=\"bar\"></th>\
                 <th>from</th><th>next best</th></tr>\n",
            );
            for (n, node) in block.nodes.iter().enumerate() {
                let next = runner_up(plan, node, &choices);
                row(out, (plan, b, block), (node, cost, n), origins[b][n], &next);
            }
            out.push_str("</table></div>\n");
        });
    }
    let _ = writeln!(
        out,
        "<p>A rank holds {}: {} of operators, {} of buffers, {} of scratch.</p>",
        bytes(account.peak()),
        bytes(account.operators),
        bytes(account.buffers),
        bytes(account.scratch)
    );
}

/// What a block costs, beside what no plan can beat.
fn bounds(out: &mut String, cost: &BlockCost) {
    let (time, least) = (cost.seconds(), cost.floor.seconds());
    let gap = if least > 0.0 && time > least {
        format!(", {} more than can be", per_cent(time / least - 1.0))
    } else {
        String::new()
    };
    let beside = |time: f64| format!(" (and {} beside work)", seconds(time));
    let hidden = Some(cost.hidden).filter(|time| *time > 0.0).map_or_else(String::new, beside);
    let _ = writeln!(
        out,
        "<p>{} = {} local + {} communication{hidden}{gap}. No plan takes less than {}: {} of memory \
         traffic, {} sent. {}, {} a rank, {}.</p>",
        seconds(time),
        seconds(cost.local),
        seconds(cost.wire),
        seconds(least),
        bytes(cost.floor.traffic),
        bytes(cost.floor.payload),
        counted(cost.calls.calls, "call"),
        bytes(cost.calls.bytes as f64),
        counted(cost.calls.reductions, "reduction"),
    );
}

fn row(
    out: &mut String,
    (plan, b, block): (&Plan, usize, &Block),
    (node, cost, n): (&Node, &BlockCost, usize),
    origin: &str,
    next: &str,
) {
    let mine = &cost.nodes[n];
    let class = match node {
        node if node.op.communicates() => "comm",
        node if leaf_of(node).is_some() => "leaf",
        _ => "calc",
    };
    for (k, &value) in node.results.iter().enumerate() {
        let cell = |shown: String, zero: bool| if k > 0 || zero { String::new() } else { shown };
        let share =
            if k > 0 || cost.seconds() <= 0.0 { 0.0 } else { mine.seconds / cost.seconds() };
        let _ = writeln!(
            out,
            "<tr class=\"{class}\" data-v=\"{}\"><td>%{}</td><td class=\"m\">{}</td>\
             <td class=\"m op\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"bar\"><i style=\"width:{:.1}%\"></i></td><td>{}</td><td>{}</td></tr>",
            token(b, value),
            value.0,
            escaped(&block.ty(value).text(&plan.mesh)),
            escaped(&operation(plan, &node.op)),
            cell(count(mine.flops), mine.flops == 0.0),
            cell(bytes(mine.traffic), mine.traffic == 0.0),
            cell(bytes(mine.payload as f64), mine.payload == 0),
            cell(seconds(mine.seconds), mine.seconds == 0.0),
            100.0 * share,
            escaped(origin),
            escaped(&cell(next.to_owned(), next.is_empty())),
        );
    }
}

/// What the search would have chosen instead for a leaf, an input or a state.
fn runner_up(plan: &Plan, node: &Node, choices: &[Reviewed]) -> String {
    let what = match (&node.op, leaf_of(node)) {
        (_, Some((leaf, _))) => &plan[leaf].name,
        (Op::Input(name), _) => name,
        (Op::Get(s), _) => &plan.states[*s as usize].name,
        _ => return String::new(),
    };
    let choice = choices.iter().find(|choice| choice.what == *what);
    let next = choice.and_then(|choice| choice.runner_up.as_ref());
    next.map_or_else(String::new, |(next, margin)| format!("{next}, {} dearer", per_cent(*margin)))
}

/// All choices of the search.
pub(super) fn choices(out: &mut String, planned: &Planned) {
    let choices = planned.choices();
    if choices.is_empty() {
        out.push_str("<p>There was nothing to choose.</p>\n");
        return;
    }
    out.push_str(
        "<p>The best by the sum of single costs, and what would come next.</p>\n\
         <div class=\"scroll\"><table><tr><th>choice</th><th>placement</th><th>next best</th>\
         <th class=\"n\">dearer by</th></tr>\n",
    );
    for choice in choices {
        let (next, margin) =
            choice.runner_up.map_or(("nothing else".into(), String::new()), |(next, margin)| {
                (next, per_cent(margin))
            });
        let _ = writeln!(
            out,
            "<tr><td class=\"m\">{}</td><td class=\"m\">{}</td><td class=\"m\">{}</td>\
             <td class=\"n\">{margin}</td></tr>",
            escaped(&choice.what),
            escaped(&choice.chosen),
            escaped(&next),
        );
    }
    out.push_str("</table></div>\n");
}
