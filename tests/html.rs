//! A plan as a page: it stands alone, is well formed, names every value, and escapes what users
//! write; and the simulation that it shows agrees with the account.

mod support;

use adjoin::Dtype;
use adjoin::data::Source;
use adjoin::expr::{Op, vstack};
use adjoin::machine::Machine;
use adjoin::ops;
use adjoin::planned::{Planned, Planner, Ranks};
use adjoin::report::html::{Written, page};
use adjoin::solve::{Cgls, Settings, System};
use adjoin_passes::simulate::simulate;
use std::sync::Arc;
use support::folder::Folder;

fn solver(ranks: usize) -> Planned {
    let w = Source::array(vec![1.0; 1024 * 64]).reshape([1024, 64]).unwrap();
    let g = Op::from(ops::matrix_mult(w).build().unwrap());
    let d = Op::from(ops::diagonal(Source::array(vec![2.0; 64])).build().unwrap());
    let a = vstack([("large", &g), ("small", &d)]).unwrap();
    let system = System::new(&a, &[Dtype::F64, Dtype::F64]).unwrap();
    // So slow that all is split and dots share calls of several results.
    let planner = Planner::new(Ranks(ranks)).machine(Machine::default().with_flops(1e7));
    planner.solve(Arc::new(Cgls), &system, Settings::default()).unwrap()
}

fn written(title: &str) -> Written<'_> {
    Written { title, expression: "A.H @ (A @ x)", source: "[solve]\nniter = 3 # 1 < 2 & 3" }
}

/// The tags of a page that are neither closed by themselves nor by their ends, in order.
fn unbalanced(html: &str) -> Vec<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.split([' ', '\n']).next().unwrap();
        if tag.starts_with('!') || tag.ends_with('/') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return vec![format!("</{name}>")];
            }
        } else if name == "style" || name == "script" {
            let close = format!("</{name}>");
            rest = &rest[rest.find(&close).expect("it is closed") + close.len()..];
        } else {
            open.push(name);
        }
    }
    open.iter().map(|name| format!("<{name}>")).collect()
}

#[test]
fn a_page_stands_alone_is_well_formed_and_names_every_value() {
    for ranks in [1, 4] {
        let planned = solver(ranks);
        let html = page(&planned, written("p.toml"));
        assert!(!html.contains("http://") && !html.contains("https://"), "nothing is loaded");
        assert!(!html.contains(" src=") && !html.contains("@import") && !html.contains("url("));
        assert_eq!(unbalanced(&html), [""; 0]);
        for (b, block) in planned.plan().blocks.iter().enumerate() {
            for v in 0..block.types.len() {
                let token = format!("{b}.{v}");
                let row = html.split("<tr class=\"").any(|row| {
                    row.split('>').next().unwrap().ends_with(&format!("data-v=\"{token}\""))
                });
                assert!(row, "{token} has a row");
                assert!(html.contains(&format!("<b data-v=\"{token}\">%{v}</b>")), "{token}");
                let drawn = html.split("<g class=\"node ").skip(1);
                let mut drawn = drawn.map(|g| g.split('"').nth(2).unwrap());
                assert!(drawn.any(|values| values.split(' ').any(|t| t == token)), "{token}");
            }
        }
        let mut nodes = planned.plan().blocks.iter().flat_map(|block| &block.nodes);
        assert_eq!(nodes.any(|node| node.results.len() > 1), ranks > 1, "some give several");
        for (pass, _) in planned.trace() {
            assert!(html.contains(&format!("<summary>{pass} ")), "{pass}");
        }
    }
    assert_eq!(unbalanced("<p><b></p>"), ["</p>"]);
    assert_eq!(unbalanced("<p><br/>"), ["<p>"]);
}

#[test]
fn what_users_write_is_escaped() {
    let w = Source::array(vec![1.0; 64]).reshape([8, 8]).unwrap();
    let g = Op::from(ops::matrix_mult(w).build().unwrap());
    let machine = Machine { name: "a<b>&\"c\"".into(), ..Machine::default() };
    let planner = Planner::new(Ranks(2)).machine(machine);
    let planned = planner.apply(&(&g * g.input("x", Dtype::F64))).unwrap();
    let html = page(&planned, written("<i>&'.toml"));
    assert_eq!(unbalanced(&html), [""; 0]);
    assert!(!html.contains("<i>&") && !html.contains("a<b>"));
    assert!(html.contains("&lt;i&gt;&amp;&#39;.toml"), "the title");
    assert!(html.contains("a&lt;b&gt;&amp;"), "the name of the machine");
    assert!(html.contains("1 &lt; 2 &amp; 3"), "the problem file");
}

#[test]
fn the_simulation_of_a_solver_agrees_with_its_account() {
    for ranks in [1, 4, 16] {
        let planned = solver(ranks);
        let plan = planned.plan();
        let step = plan.blocks.iter().position(|b| b.name == "step").unwrap();
        let run = simulate(plan, &planned.context().machine, step, 1).unwrap();
        let account = planned.account().iteration();
        let apart = (run.seconds / account - 1.0).abs();
        assert!(apart < 0.02, "{ranks} ranks: {} for {account}", run.seconds);
        assert!(run.idle() < 0.02, "{ranks} ranks wait {}", run.idle());
    }
}

#[test]
fn the_command_writes_a_page_for_any_number_of_ranks() {
    let folder = Folder::new("html");
    for ranks in ["3", "80", "100000"] {
        folder.good(&["plan", "p.toml", "--ranks", ranks, "--dump", "html", "-o", "plan.html"]);
        let html = std::fs::read_to_string(folder.0.join("plan.html")).unwrap();
        assert_eq!(unbalanced(&html), [""; 0], "{ranks}");
        assert!(html.contains("<h1>p.toml</h1>") && html.contains("SecondDerivative"), "{ranks}");
        let simulated = ranks != "100000";
        assert_eq!(html.contains("<svg class=\"time\""), simulated, "{ranks}");
        assert_eq!(html.contains("more ranks have no row"), ranks == "80");
    }
}
