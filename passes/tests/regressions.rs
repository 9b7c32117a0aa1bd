//! Faults that users of other systems have reported, each as a test that this one does not have it.
//!
//! That no detour is cheaper than a direct redistribution is tested in `route.rs`.

use adjoin_passes::calls::{Call, Kind};
use adjoin_passes::certify::{Verdict, certify};
use adjoin_passes::cost::Account;
use adjoin_passes::interpret::matching;
use adjoin_passes::ir::{Op, Target};
use adjoin_passes::lower::lower_all;
use adjoin_passes::machine::{Machine, bytes};
use adjoin_passes::pipeline::Numerics;
use adjoin_passes::route::Router;
use adjoin_passes::verify::verify;
use adjoin_passes::{Block, Context, Dtype, Mesh, Placement, Plan, Split, Type, compile, text};

fn read(plan: &str) -> Plan {
    let lines: Vec<_> = plan.lines().map(str::trim).collect();
    text::parse(&lines.join("\n")).unwrap_or_else(|e| panic!("{e}"))
}

fn mesh(text: &str) -> Mesh {
    Mesh::parse(text).unwrap_or_else(|e| panic!("{e}"))
}

/// A machine on which all that can be split is split.
fn eager() -> Machine {
    Machine::default().with_link(1e-9, 1e10).with_launch(0.0).with_flops(1e6)
}

/// The finished plan, proven.
fn planned(source: &str, on: &str, numerics: Numerics) -> Plan {
    planned_for(eager(), source, on, numerics)
}

fn planned_for(machine: Machine, source: &str, on: &str, numerics: Numerics) -> Plan {
    let cx = Context { mesh: mesh(on), machine, numerics, ..Context::default() };
    let compiled = compile(&read(source), &cx).unwrap_or_else(|e| panic!("{on}: {e}"));
    let verdict = certify(&compiled.source, &compiled.plan);
    assert_eq!(verdict, Verdict::Proven, "{on}\n{}", compiled.plan);
    compiled.plan
}

/// A part of some dims, split over some axes each, and pending over others.
fn part(dims: &[usize], splits: &[&[usize]], pending: &[usize]) -> Type {
    let mut p = Placement::replicated(dims.len());
    for (split, axes) in p.splits.iter_mut().zip(splits) {
        *split = Split::over(axes);
    }
    p.pending = pending.to_vec();
    Type::new(dims, Dtype::F64).placed(p)
}

/// The steps from one placement to another.
fn steps(on: &Mesh, from: &Type, to: &Type) -> Vec<(Op, Type)> {
    let machine = Machine::default();
    let path = Router::new(on, &machine).path(from, &to.placement);
    path.unwrap_or_else(|| panic!("{} cannot become {}", from.text(on), to.text(on))).1.clone()
}

/// A plan that hands a value over in another placement than it came.
fn redistribution(on: &Mesh, from: &Type, to: &Type) -> Plan {
    let mut block = Block::new("");
    let mut value = block.push(Op::Input("x".into()), &[], from.clone());
    for (op, ty) in steps(on, from, to) {
        value = block.push(op, &[value], ty);
    }
    block.give(Target::Output, value);
    Plan { mesh: on.clone(), blocks: vec![block], ..Plan::default() }
}

#[test]
fn a_pending_maximum_is_not_taken_for_a_pending_sum() {
    let plan = |last: &str| {
        read(&format!(
            "mesh p=2 (2 ranks)
            %0 = input x                    : f64[6/p]
            {last}
            return %1"
        ))
    };
    assert!(verify(&plan("%1 = reduce max %0 : f64[]")).is_ok());
    assert!(verify(&plan("%1 = reduce max %0 : f64[] +p")).is_err());
}

#[test]
fn a_sum_over_two_axes_is_one_all_reduce() {
    let on = mesh("r=2,c=3");
    let path = steps(&on, &part(&[1000], &[&[]], &[0, 1]), &part(&[1000], &[&[]], &[]));
    let ops: Vec<_> = path.into_iter().map(|(op, _)| op).collect();
    assert_eq!(ops, [Op::AllReduce(vec![0, 1])]);
}

#[test]
fn the_minor_axis_is_gathered_in_one_step_and_the_major_one_is_not() {
    let on = mesh("r=2,c=3");
    let both = part(&[1000], &[&[0, 1]], &[]);
    let gathered = steps(&on, &both, &part(&[1000], &[&[0]], &[]));
    assert_eq!(gathered.len(), 1);
    assert_eq!(gathered[0].0, Op::AllGather(vec![1]));
    let other = steps(&on, &both, &part(&[1000], &[&[1]], &[]));
    assert_ne!(other[0].0, Op::AllGather(vec![0]));
}

#[test]
fn every_redistribution_on_two_axes_is_proven() {
    let on = mesh("r=2,c=3");
    let axes: [&[usize]; 5] = [&[], &[0], &[1], &[0, 1], &[1, 0]];
    let mut all = Vec::new();
    for (first, second) in axes.iter().flat_map(|a| axes.iter().map(move |b| (a, b))) {
        let used = |a: &usize| first.contains(a) || second.contains(a);
        if !first.iter().any(|a| second.contains(a)) {
            all.push(part(&[7, 5], &[first, second], &[]));
            let free: Vec<_> = [0, 1].into_iter().filter(|a| !used(a)).collect();
            all.extend(free.iter().map(|&a| part(&[7, 5], &[first, second], &[a])));
            all.extend((free.len() == 2).then(|| part(&[7, 5], &[first, second], &free)));
        }
    }
    let settled = |ty: &&Type| ty.placement.pending.is_empty();
    let source = read("mesh 1 rank\n%0 = input x : f64[7, 5]\nreturn %0");
    for from in all.iter().filter(settled) {
        for between in &all {
            for to in all.iter().filter(settled).step_by(5) {
                let mut plan = redistribution(&on, from, between);
                let mut value = plan.blocks[0].returns.pop().expect("a result").value;
                for (op, ty) in steps(&on, between, to) {
                    value = plan.blocks[0].push(op, &[value], ty);
                }
                plan.blocks[0].give(Target::Output, value);
                verify(&plan).unwrap_or_else(|e| panic!("{e}\n{plan}"));
                assert_eq!(certify(&source, &plan), Verdict::Proven, "{plan}");
            }
        }
    }
}

#[test]
fn axes_move_from_outer_dims_to_an_inner_one_without_replication() {
    let on = mesh("x=4,y=2");
    let dims = [256, 512, 128];
    let from = part(&dims, &[&[1], &[], &[0]], &[]);
    let to = part(&dims, &[&[], &[0, 1], &[]], &[]);
    for (_, ty) in steps(&on, &from, &to) {
        assert!(bytes(&ty, &on) <= bytes(&from, &on), "{} on the way", ty.text(&on));
    }
}

#[test]
fn a_stencil_on_a_dim_split_over_two_axes_sends_ghosts_only() {
    let source = "mesh 1 rank
        let S = (i) <- (i~1:1) : f64[96]
        %0 = input x : f64[96]
        %1 = apply S %0 : f64[96]
        return %1";
    let plan = planned(source, "r=2,c=2", Numerics::Reassociate);
    let split = |ty: &Type| ty.placement.splits[0].axes.len() == 2;
    assert!(plan.blocks[0].types.iter().all(split), "{plan}");
    assert!(plan.to_string().ends_with("comm 1 call, 16 B per rank\n"), "{plan}");
}

#[test]
fn ranks_may_own_nothing_and_halos_reach_beyond_the_neighbour() {
    for on in ["p=1", "p=2", "p=3", "p=5", "p=7", "p=11", "p=13", "r=3,c=5"] {
        let source = "mesh 1 rank
            let S = (i) <- (i~3:4) : f64[9]
            %0 = input x : f64[9]
            %1 = apply S %0 : f64[9]
            %2 = apply S.H %1 : f64[9]
            return %2";
        planned(source, on, Numerics::Reassociate);
    }
}

#[test]
fn exchanges_send_no_empty_messages() {
    let source = "mesh 1 rank
        let S = (i) <- (i~1:1) : f64[3]
        %0 = input x : f64[3]
        %1 = apply S %0 : f64[3]
        return %1";
    let plan = planned(source, "p=7", Numerics::Reassociate);
    let mut messages = 0;
    for call in lower_all(&plan).iter().flat_map(|c| &c.blocks[0].calls) {
        let Call::Start { transfer, .. } = call else { continue };
        if transfer.kind == Kind::Exchange {
            for packet in transfer.sends.iter().chain(&transfer.recvs) {
                let sizes =
                    packet.slabs.iter().map(|s| s.region.iter().map(ExactSizeIterator::len));
                assert!(sizes.map(Iterator::product::<usize>).all(|n| n > 0), "{transfer:?}");
                messages += 1;
            }
        }
    }
    assert!(messages > 0, "nothing is sent\n{plan}");
}

#[test]
fn reductions_share_no_call_where_bits_must_stay() {
    let source = "mesh 1 rank
        let A = (i) <- (j) : f64[4000, 30]
        let B = (i) <- (j) : f64[5000, 30]
        %0 = input x : f64[30]
        %1 = apply A %0 : f64[4000]
        %2 = apply B %0 : f64[5000]
        %3 = apply A.H %1 : f64[30]
        %4 = apply B.H %2 : f64[30]
        return %3 %4";
    let calls = |plan: &Plan| plan.blocks[0].nodes.iter().filter(|n| n.op.communicates()).count();
    let planned = |numerics| planned_for(Machine::default(), source, "p=4", numerics);
    assert_eq!(calls(&planned(Numerics::Reassociate)), 1);
    assert_eq!(calls(&planned(Numerics::Exact)), 2);
}

#[test]
fn communicators_in_another_order_on_one_rank_are_rejected() {
    let plan = read(
        "mesh r=2 c=2 (4 ranks)
        %0 = input x                    : f64[6/r]
        %1 = input y                    : f64[6/c]
        %2 = dot %0 %0                  : f64[] +r
        %3 = dot %1 %1                  : f64[] +c
        %4 = all_reduce r %2            : f64[]
        %5 = all_reduce c %3            : f64[]
        return %4 %5",
    );
    verify(&plan).unwrap_or_else(|e| panic!("{e}"));
    let calls = lower_all(&plan);
    assert!(matching(&calls).is_ok());
    for rank in 0..4 {
        let mut swapped = calls.clone();
        let list = &mut swapped[rank].blocks[0].calls;
        let begins = |c: &Call| matches!(c, Call::Start { .. });
        let starts: Vec<_> = (0..list.len()).filter(|&k| begins(&list[k])).collect();
        assert_eq!(starts.len(), 2);
        list.swap(starts[0], starts[1]);
        let waits: Vec<_> =
            (0..list.len()).filter(|&k| matches!(list[k], Call::Wait { .. })).collect();
        list.swap(waits[0], waits[1]);
        assert!(matching(&swapped).is_err(), "rank {rank}");
    }
}

#[test]
fn products_without_rows_columns_or_inner_elements_are_planned() {
    for (m, k, n) in [(0, 5, 4), (5, 0, 4), (5, 4, 0), (0, 0, 0)] {
        for on in ["p=1", "p=3", "r=2,c=2", "r=2,c=3"] {
            let source = format!(
                "mesh 1 rank
                let A = (i) <- (j) : f64[{m}, {k}]
                %0 = input x : f64[{k}, {n}]
                %1 = apply A %0 : f64[{m}, {n}]
                %2 = apply A.H %1 : f64[{k}, {n}]
                return %2"
            );
            planned(&source, on, Numerics::Reassociate);
        }
    }
}

#[test]
fn products_of_tall_matrices_are_never_multiplied_out() {
    let source = "mesh 1 rank
        let A = (i) <- (j) : f64[100000, 4]
        let B = (i) <- (j) : f64[4, 100000]
        term t0 = A @ B
        %0 = input x : f64[100000]
        %1 = apply t0 %0 : f64[100000]
        return %1";
    let cx = Context { mesh: mesh("p=4"), ..Context::default() };
    let plan = compile(&read(source), &cx).unwrap_or_else(|e| panic!("{e}")).plan;
    let account = Account::of(&plan, &cx.machine);
    let (operators, vectors) = (8.0 * 2.0 * 4.0 * 1e5, 8.0 * 2.0 * 1e5);
    assert!(account.operators <= operators, "{} bytes\n{plan}", account.operators);
    assert!(account.buffers <= 1.01 * vectors, "{} bytes\n{plan}", account.buffers);
}

#[test]
fn a_value_that_is_in_place_is_not_moved() {
    let on = mesh("r=2,c=3");
    let there = part(&[7, 5], &[&[1], &[0]], &[]);
    assert!(steps(&on, &there, &there).is_empty());
    let source = "mesh 1 rank
        let L = (i, j) <- (i, j~1:1) : f64[12, 8]
        %0 = input x : f64[12, 8]
        %1 = apply L %0 : f64[12, 8]
        %2 = apply L.H %1 : f64[12, 8]
        return %2";
    let plan = planned(source, "p=3", Numerics::Reassociate);
    assert!(plan.to_string().ends_with("comm 0 calls, 0 B per rank\n"), "{plan}");
}
