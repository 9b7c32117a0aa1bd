//! `explain`: placements and bytes of each value, what each block communicates, what is proven.

use super::Failure;
use crate::planned::Planned;
use adjoin_passes::calls::{Call, Calls, View};
use adjoin_passes::certify::Verdict;
use adjoin_passes::interpret::matching;
use adjoin_passes::lower::lower_all;
use adjoin_passes::text::operation;
use adjoin_passes::traffic::{Traffic, bytes_text, payload};
use adjoin_passes::verify::{RULES, verify};
use adjoin_passes::{Block, Plan};
use std::fmt::Write as _;

pub(super) fn explain(planned: &Planned) -> Result<String, Failure> {
    let plan = planned.plan();
    let mut text = format!("mesh {} ({} ranks)\n", plan.mesh, plan.mesh.ranks());
    text += &proofs(planned)?;
    for block in &plan.blocks {
        explain_block(plan, block, &mut text);
    }
    Ok(text)
}

/// What the verifier, the matching and the certificate say.
pub(super) fn proofs(planned: &Planned) -> Result<String, Failure> {
    let plan = planned.plan();
    verify(plan).map_err(|violation| Failure::Internal(format!("{violation}\n{plan}")))?;
    let calls = lower_all(plan);
    matching(&calls).map_err(|error| Failure::Internal(format!("{error}\n{plan}")))?;
    let verdict = match planned.verdict() {
        Verdict::Proven => "proven equal to the expression".to_owned(),
        Verdict::Assumed(nodes) => format!("assumed: {}", nodes.join(", ")),
        Verdict::Refuted(reason) => format!("refuted: {reason}"),
    };
    Ok(format!(
        "verified   {}\nmatched    {}, {}\ncertified  {verdict}\n",
        counted(RULES.len(), "rule"),
        counted(calls.len(), "rank"),
        counted(transfers(&calls), "transfer"),
    ))
}

/// So many of something.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The communications of all ranks together.
fn transfers(calls: &[Calls]) -> usize {
    let blocks = calls.iter().flat_map(|rank| &rank.blocks);
    blocks.flat_map(|block| &block.calls).filter(|c| matches!(c, Call::Start { .. })).count()
}

fn explain_block(plan: &Plan, block: &Block, text: &mut String) {
    let name = if block.name.is_empty() { "expression" } else { &block.name };
    let traffic = Traffic::of(&plan.mesh, block);
    let _ = writeln!(
        text,
        "\n{name}: {traffic}, {}, {}",
        counted(traffic.reductions, "reduction"),
        counted(traffic.halos, "halo")
    );
    for node in &block.nodes {
        for value in &node.results {
            let ty = block.ty(*value);
            let held = ty.held(&plan.mesh, &vec![0; plan.mesh.axes.len()]);
            let view = View { buffer: 0, dtype: ty.dtype, dims: ty.dims.clone(), held };
            let bytes = bytes_text((view.len() * ty.dtype.size()) as u64);
            let shown = ty.text(&plan.mesh);
            let sent = match payload(&plan.mesh, block, node) {
                0 => String::new(),
                bytes => format!(", sends {}", bytes_text(bytes)),
            };
            let _ = writeln!(
                text,
                "  %{:<4} {shown:<32} {:<20} {bytes} on rank 0{sent}",
                value.0,
                operation(plan, &node.op)
            );
        }
    }
}
