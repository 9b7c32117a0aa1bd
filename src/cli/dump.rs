//! The dumps of a plan: trace, calls and JSON.

use super::Failure;
use crate::planned::Planned;
use adjoin_passes::calls::{Call, CallBlock, Calls, Kernel, Kind, Packet, Port, Transfer, View};
use adjoin_passes::ir::Over;
use adjoin_passes::lower::lower;
use adjoin_passes::text::operation;
use adjoin_passes::{Dtype, Plan};
use std::fmt::Write as _;

/// The plan before any pass, and after each that changed something.
pub(super) fn trace(planned: &Planned) -> String {
    let mut text = format!("lowering\n{}\n", planned.source().to_string().trim_end());
    for (pass, plan) in planned.trace() {
        let _ = write!(text, "\n{pass}\n{}\n", plan.to_string().trim_end());
    }
    text
}

/// The finished plan as JSON.
pub(super) fn json(planned: &Planned) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(planned.plan());
    json.map(|text| text + "\n").map_err(|error| Failure::Internal(error.to_string()))
}

/// What one rank does.
pub(super) fn calls(planned: &Planned, rank: usize) -> Result<String, Failure> {
    let plan = planned.plan();
    let ranks = plan.mesh.ranks();
    if rank >= ranks {
        return Err(Failure::User(format!("there is no rank {rank}: the mesh has {ranks}")));
    }
    Ok(show(plan, &lower(plan, rank)))
}

fn show(plan: &Plan, calls: &Calls) -> String {
    let mut text = format!("rank {} of {}\n", calls.rank, plan.mesh.ranks());
    for (k, buffer) in calls.buffers.iter().enumerate() {
        let passes = if buffer.passing { ", some elements at a time" } else { "" };
        let _ = writeln!(text, "buffer b{k} = {}[{}]{passes}", buffer.dtype, buffer.len);
    }
    for (k, group) in calls.groups.iter().enumerate() {
        let _ = writeln!(text, "group g{k} = {}", list(group.iter()));
    }
    for (leaf, tile) in plan.leaves.iter().zip(&calls.tiles) {
        let factors = leaf.signature.rule.factors.iter().zip(tile);
        let held = factors.map(|(f, r)| format!("{} {}..{}", f.name, r.start, r.end));
        let _ = writeln!(text, "tile {} = {}", leaf.name, list(held));
    }
    for state in &calls.states {
        let _ = writeln!(text, "state {}", port(state));
    }
    for block in &calls.blocks {
        show_block(plan, calls, block, &mut text);
    }
    text
}

fn show_block(plan: &Plan, calls: &Calls, block: &CallBlock, text: &mut String) {
    let name = if block.name.is_empty() { "block" } else { &block.name };
    let _ = writeln!(text, "\n{name}:");
    for input in &block.inputs {
        let _ = writeln!(text, "  input {}", port(input));
    }
    for call in &block.calls {
        let _ = writeln!(text, "  {}", line(plan, calls, call));
    }
    for output in &block.outputs {
        let _ = writeln!(text, "  output {}", port(output));
    }
    for control in &block.controls {
        let _ = writeln!(text, "  control {}", port(control));
    }
}

fn line(plan: &Plan, of: &Calls, call: &Call) -> String {
    match call {
        Call::Kernel(Kernel { leaf, adjoint, inputs, outputs, .. }) => {
            let adjoint = if *adjoint { ".H" } else { "" };
            let (inputs, outputs) = (views(inputs), views(outputs));
            format!("{outputs} = apply {}{adjoint} {inputs}", plan[*leaf].name)
        }
        Call::Local { op, args, out } => {
            format!("{} = {} {}", view(out), operation(plan, op), views(args)).trim_end().to_owned()
        }
        Call::Copy { clear, moves } => {
            let cleared =
                clear.as_ref().map_or_else(String::new, |v| format!("clear {}; ", view(v)));
            let elements: usize = moves.iter().map(|(from, _)| from.len()).sum();
            let named =
                moves.iter().map(|(from, to)| format!("b{} to b{}", from.buffer, to.buffer));
            format!("{cleared}copy {elements} elements: {}", list(named))
        }
        Call::Start { id, transfer } => {
            let kind = match transfer.kind {
                Kind::AllReduce => "all_reduce",
                Kind::ReduceScatter => "reduce_scatter",
                Kind::AllGather => "all_gather",
                Kind::AllToAll => "all_to_all",
                Kind::Exchange => "exchange",
            };
            let (sends, recvs) = (packets(&transfer.sends), packets(&transfer.recvs));
            let add = if transfer.add { ", added" } else { "" };
            format!(
                "start {id}: {kind} g{} {} out {sends}; in {recvs}{add}",
                transfer.group,
                reals(of, transfer)
            )
        }
        Call::Wait { id } => format!("wait {id}"),
        Call::Region { over, calls } => {
            let over = match over {
                Over::Panels(leaf) => format!(" {}", plan[*leaf].name),
                Over::Normal(leaf) => format!(" {0}.H {0}", plan[*leaf].name),
                Over::Elements => String::new(),
            };
            let inner: Vec<_> =
                calls.iter().map(|call| format!("    {}", line(plan, of, call))).collect();
            format!("region{over}\n{}\n  end", inner.join("\n"))
        }
    }
}

/// The types of the reals that a transfer carries.
fn reals(calls: &Calls, transfer: &Transfer) -> String {
    let packets = || transfer.sends.iter().chain(&transfer.recvs).map(|p| calls.reals(p));
    let double = packets().any(|reals| reals.double > 0).then_some(Dtype::F64);
    let single = packets().any(|reals| reals.single > 0).then_some(Dtype::F32);
    double.into_iter().chain(single).map(|dtype| dtype.to_string()).collect::<Vec<_>>().join("+")
}

fn packets(packets: &[Packet]) -> String {
    let full = packets.iter().filter(|packet| !packet.is_empty());
    let shown = list(full.map(|packet| format!("{} elements with {}", packet.len(), packet.peer)));
    if shown.is_empty() { "nothing".into() } else { shown }
}

fn port(port: &Port) -> String {
    let primary = if port.primary { "" } else { " (held by another rank too)" };
    format!("{} = {}{primary}", port.name, view(&port.view)).trim_start().to_owned()
}

fn views(all: &[View]) -> String {
    all.iter().map(view).collect::<Vec<_>>().join(" ")
}

fn view(view: &View) -> String {
    let held = view.held.iter().map(|r| format!("{}..{}", r.start, r.end));
    let after = if view.offset > 0 { format!("+{}", view.offset) } else { String::new() };
    format!("b{}{after}:{}[{}]", view.buffer, view.dtype, list(held))
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
