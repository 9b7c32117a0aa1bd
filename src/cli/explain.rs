//! `explain`: what each node does, moves and costs, who put it there, what would have come next,
//! how far all that is from what no plan can beat, and what is proven.

use super::Failure;
use super::table::Table;
use crate::planned::Planned;
use crate::report::units::{bytes, count, per_cent, seconds};
use adjoin_passes::calls::{Call, Calls};
use adjoin_passes::certify::Verdict;
use adjoin_passes::cost::{Account, BlockCost};
use adjoin_passes::interpret::matching;
use adjoin_passes::lower::lower_all;
use adjoin_passes::origins::origins;
use adjoin_passes::text::operation;
use adjoin_passes::verify::{RULES, verify};
use adjoin_passes::{Block, Plan};
use std::fmt::Write as _;

pub(super) fn explain(planned: &Planned) -> Result<String, Failure> {
    let plan = planned.plan();
    let mut text = format!("mesh {} ({})\n", plan.mesh, counted(plan.mesh.ranks(), "rank"));
    let _ = writeln!(text, "machine    {}", planned.context().machine.name);
    text += &proofs(planned)?;
    let account = planned.account();
    let origins = origins(planned.compiled());
    for ((block, cost), origins) in plan.blocks.iter().zip(&account.blocks).zip(&origins) {
        explain_block(plan, block, cost, origins, &mut text);
    }
    text += &memory(&account);
    text += &shapes(planned);
    text += &choices(planned);
    Ok(text)
}

/// What the verifier, the matching and the certificate say.
pub(super) fn proofs(planned: &Planned) -> Result<String, Failure> {
    let plan = planned.plan();
    verify(plan).map_err(|violation| Failure::Internal(format!("{violation}\n{plan}")))?;
    let ranks = plan.mesh.ranks();
    let matched = if ranks <= LISTED {
        let calls = lower_all(plan);
        matching(&calls).map_err(|error| Failure::Internal(format!("{error}\n{plan}")))?;
        format!("{}, {}", counted(ranks, "rank"), counted(transfers(&calls), "transfer"))
    } else {
        format!("{ranks} ranks, by their classes")
    };
    let verdict = match planned.verdict() {
        Verdict::Proven => "proven equal to the expression".to_owned(),
        Verdict::Assumed(nodes) => format!("assumed: {}", nodes.join(", ")),
        Verdict::Refuted(reason) => format!("refuted: {reason}"),
    };
    let rules = counted(RULES.len(), "rule");
    Ok(format!("verified   {rules}\nmatched    {matched}\ncertified  {verdict}\n"))
}

/// Up to how many ranks the calls of each are listed; the certificate has matched the others by
/// their classes.
const LISTED: usize = 1024;

/// So many of something.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The communications of all ranks together.
fn transfers(calls: &[Calls]) -> usize {
    let blocks = calls.iter().flat_map(|rank| &rank.blocks);
    blocks.flat_map(|block| &block.calls).filter(|c| matches!(c, Call::Start { .. })).count()
}

fn explain_block(
    plan: &Plan,
    block: &Block,
    cost: &BlockCost,
    origins: &[&str],
    text: &mut String,
) {
    let name = if block.name.is_empty() { "expression" } else { &block.name };
    let (traffic, floor) = (cost.calls, cost.floor);
    let beside = |time: f64| format!(", {} more beside work", seconds(time));
    let hidden = Some(cost.hidden).filter(|time| *time > 0.0).map_or_else(String::new, beside);
    let _ = write!(
        text,
        "\n{name}: {traffic}, {}, {}\n  predicted  {} = {} local + {} communication{hidden}\n",
        counted(traffic.reductions, "reduction"),
        counted(traffic.halos, "halo"),
        seconds(cost.seconds()),
        seconds(cost.local),
        seconds(cost.wire),
    );
    let (time, least) = (cost.seconds(), floor.seconds());
    let gap = if least > 0.0 && time > least {
        format!("; the plan takes {} more", per_cent(time / least - 1.0))
    } else {
        String::new()
    };
    let _ = writeln!(
        text,
        "  least      {} = {} of memory traffic, {} sent{gap}",
        seconds(floor.seconds()),
        bytes(floor.traffic),
        bytes(floor.payload),
    );
    let mut table = Table::new([
        "",
        "value",
        "placement",
        "operation",
        "flops",
        "memory",
        "sends",
        "time",
        "from",
    ]);
    for ((node, cost), origin) in block.nodes.iter().zip(&cost.nodes).zip(origins) {
        for (k, value) in node.results.iter().enumerate() {
            let once =
                |shown: String, zero: bool| if k > 0 || zero { String::new() } else { shown };
            table.row([
                String::new(),
                format!("%{}", value.0),
                block.ty(*value).text(&plan.mesh),
                operation(plan, &node.op),
                once(count(cost.flops), cost.flops == 0.0),
                once(bytes(cost.traffic), cost.traffic == 0.0),
                once(bytes(cost.payload as f64), cost.payload == 0),
                once(seconds(cost.seconds), cost.seconds == 0.0),
                (*origin).to_owned(),
            ]);
        }
    }
    text.push_str(&table.to_string());
}

/// What a rank holds, and what is done once.
fn memory(account: &Account) -> String {
    let setup = match account.setup {
        0.0 => String::new(),
        time => format!("set-up     {}\n", seconds(time)),
    };
    format!(
        "\nmemory     {} per rank = {} of operators + {} of buffers + {} of scratch\n{setup}",
        bytes(account.peak()),
        bytes(account.operators),
        bytes(account.buffers),
        bytes(account.scratch),
    )
}

/// The shapes of the mesh that were tried, and how much dearer the others are.
fn shapes(planned: &Planned) -> String {
    let Some(least) = planned.shapes().first().and_then(|tried| tried.seconds) else {
        return String::new();
    };
    let mut table = Table::new(["", "mesh", "time", "dearer by"]);
    for (k, tried) in planned.shapes().iter().enumerate() {
        let (time, margin) = match tried.seconds {
            Some(time) if time.is_finite() => (seconds(time), per_cent(time / least - 1.0)),
            Some(_) => ("does not fit".into(), String::new()),
            None => (format!("about {}", seconds(tried.expected)), "not finished".into()),
        };
        let margin = if k == 0 { "chosen".into() } else { margin };
        table.row([String::new(), tried.mesh.to_string(), time, margin]);
    }
    format!("\nshapes of the mesh\n{table}")
}

/// What the search has chosen, and what came next.
fn choices(planned: &Planned) -> String {
    let reviewed = planned.choices();
    if reviewed.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["", "choice", "placement", "next", "dearer by"]);
    for choice in reviewed {
        let (next, margin) =
            choice.runner_up.map_or(("nothing else".into(), String::new()), |(next, margin)| {
                (next, per_cent(margin))
            });
        table.row([String::new(), choice.what, choice.chosen, next, margin]);
    }
    format!("\nbest by the sum of single costs, and what would come next\n{table}")
}
