//! Redistribution is a metric: no detour is cheaper than the direct way, whatever is moved.
//!
//! For all triples of placements of several shapes, on meshes of one to three axes, with uneven
//! blocks and cuts, pending sums and ghosts, on machines where calls, bytes or distances are dear.

use adjoin_passes::machine::{Link, Machine};
use adjoin_passes::placement::Cut;
use adjoin_passes::route::Router;
use adjoin_passes::signature::Spread;
use adjoin_passes::{Dtype, Mesh, Placement, Split, Type};
use std::sync::Arc;

/// What one axis does to a part.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Replicates,
    Splits(usize),
    Sums,
}

/// All placements of a part on a mesh: every role of every axis, every order of axes that split
/// one dim, balanced or at cuts, with ghosts and with contributions to those of others.
fn placements(dims: &[usize], axes: usize) -> Vec<Placement> {
    let roles = || {
        let splits = (0..dims.len()).map(Role::Splits);
        splits.chain([Role::Replicates, Role::Sums])
    };
    let mut all: Vec<Vec<Role>> = vec![Vec::new()];
    for _ in 0..axes {
        all =
            all.iter().flat_map(|r| roles().map(move |role| [&r[..], &[role]].concat())).collect();
    }
    let mut out: Vec<Placement> = Vec::new();
    for roles in &all {
        for order in orders(axes) {
            let mut p = Placement::replicated(dims.len());
            for axis in order {
                match roles[axis] {
                    Role::Splits(d) => p.splits[d].axes.push(axis),
                    Role::Sums => p.pending.push(axis),
                    Role::Replicates => {}
                }
            }
            p.pending.sort_unstable();
            out.extend(variants(&p, dims[0]));
        }
    }
    out.sort();
    out.dedup();
    out
}

fn orders(axes: usize) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new()];
    for _ in 0..axes {
        let longer = |o: &Vec<usize>| {
            let free = (0..axes).filter(|a| !o.contains(a)).collect::<Vec<_>>();
            let o = o.clone();
            free.into_iter().map(move |a| [&o[..], &[a]].concat())
        };
        out = out.iter().flat_map(longer).collect();
    }
    out
}

/// A placement, the same at cuts, and the same with ghosts where its first dim is split.
fn variants(p: &Placement, n: usize) -> Vec<Placement> {
    let mut out = vec![p.clone()];
    if p.splits[0].axes.is_empty() {
        return out;
    }
    let counts = (0..n).map(|k| if k % 8 == 0 { n.min(k + 8) - k } else { 0 });
    let spread = Spread::from_counts(counts.filter(|&size| size > 0));
    let cut = Cut { name: "q".into(), size: n.div_ceil(8), weights: None, spread };
    let mut at_cuts = p.clone();
    at_cuts.splits[0] = Split { axes: p.splits[0].axes.clone(), cut: Some(Arc::new(cut)) };
    out.push(at_cuts);
    let mut ghosts = p.clone();
    ghosts.ghosts[0] = (1, 2);
    out.push(ghosts.clone());
    ghosts.dual = true;
    out.push(ghosts);
    out
}

fn machines() -> Vec<(&'static str, Machine)> {
    let far = |m: &Machine| {
        let (near, far) = (m.links[0], m.links[0]);
        let near = Link { ranks: Some(4), latency: near.latency / 50.0, ..near };
        let links = vec![Link { bandwidth: 10.0 * near.bandwidth, ..near }, far];
        Machine { links, ..m.clone() }
    };
    let usual = Machine::default();
    vec![
        ("calls are dear", usual.clone().with_link(1e-3, 1e12)),
        ("bytes are dear", usual.clone().with_link(1e-9, 1e6)),
        ("passes are dear", usual.clone().with_memory(1e6).with_launch(1e-5)),
        ("distances are dear", far(&usual)),
        ("usual", usual),
    ]
}

/// The triples in which a detour is cheaper, the worst first.
fn detours(mesh: &Mesh, dims: &[usize], machine: &Machine) -> (usize, Vec<(f64, String)>) {
    let all = placements(dims, mesh.axes.len());
    let router = Router::new(mesh, machine);
    let ty = Type::new(dims, Dtype::F64);
    let cost: Vec<Vec<f64>> = all
        .iter()
        .map(|a| all.iter().map(|b| router.cost(&ty.placed(a.clone()), b)).collect())
        .collect();
    let text = |k: usize| ty.placed(all[k].clone()).text(mesh);
    let mut found = Vec::new();
    for a in 0..all.len() {
        for c in 0..all.len() {
            for b in 0..all.len() {
                let over = cost[a][b] + cost[b][c];
                if cost[a][c] > over * (1.0 + 1e-9) {
                    let ways = format!("{} -> {} -> {}", text(a), text(b), text(c));
                    let said = format!("{ways}: {:.3e} > {:.3e}", cost[a][c], over);
                    found.push((cost[a][c] / over, said));
                }
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    (all.len(), found)
}

#[test]
fn no_detour_is_cheaper_than_the_direct_way() {
    let shapes: [(&str, &[usize]); 9] = [
        ("p=4", &[10, 7]),
        ("p=7", &[13, 3, 2]),
        ("r=2,c=3", &[11]),
        ("r=2,c=3", &[1000, 700]),
        ("r=4,c=2", &[7, 5]),
        ("r=5,c=5", &[64, 4096]),
        ("r=2,c=2,k=3", &[13]),
        ("r=4,c=2,k=2", &[40_000]),
        ("r=300,c=300", &[100_000, 10]),
    ];
    let mut faults = Vec::new();
    for (text, dims) in shapes {
        let mesh = Mesh::parse(text).expect("a mesh");
        for (name, machine) in machines() {
            let (placements, found) = detours(&mesh, dims, &machine);
            println!("{text} {dims:?}, {name}: {placements} placements, {} detours", found.len());
            faults.extend(found.into_iter().take(4).map(|(_, way)| format!("{name}: {way}")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
