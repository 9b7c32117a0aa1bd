//! Kirchhoff in three dims against numbers of PyLops, what it refuses, and how a migration is split.

#![allow(clippy::unreadable_literal)] // Numbers as another program has printed them.

use adjoin::Dtype;
use adjoin::data::{Array, Source};
use adjoin::expr::Op;
use adjoin::ops::Profile;
use adjoin::ops::kirchhoff::{Kirchhoff, kirchhoff};
use adjoin::planned::{Planner, Ranks};
use adjoin::run::inputs;
use adjoin::runtime::World;
use adjoin::solve::{Cgls, Settings, System};
use adjoin_passes::certify::Verdict;
use std::sync::Arc;

fn array<const N: usize>(dims: [usize; N], values: Vec<f64>) -> Source {
    Source::array(Array::new(dims, values).unwrap())
}

fn steps(n: usize, step: f64, start: f64) -> Source {
    array([n], (0..n).map(|k| start + step * k as f64).collect())
}

fn ramp(start: usize, n: usize) -> Vec<f64> {
    (start..start + n).map(|k| (((k * 37) % 101) as f64 - 50.0) / 50.0).collect()
}

fn volume() -> Kirchhoff {
    let srcs = array([3, 2], vec![2.0, 8.0, 3.0, 15.0, 0.0, 1.0]);
    let recs = array([3, 3], vec![1.0, 9.0, 4.0, 2.0, 17.0, 11.0, 0.0, 0.5, 1.0]);
    let wav = array([6], vec![0.5, -1.0, 2.0, -1.0, 0.25, 0.125]);
    let image = [steps(5, 4.0, 2.0), steps(4, 6.0, 1.0)];
    kirchhoff(image, steps(30, 0.004, 0.0), srcs, recs, 800.0, wav, 2).y(steps(3, 5.0, 0.0))
}

fn apply(op: &Op, x: Vec<f64>) -> Vec<f64> {
    applied(&Planner::new(Ranks(3)), op, x)
}

fn applied(planner: &Planner, op: &Op, x: Vec<f64>) -> Vec<f64> {
    let planned = planner.apply(&(op * op.input("x", Dtype::F64))).unwrap();
    assert_eq!(*planned.verdict(), Verdict::Proven);
    let x = Source::array(Array::new(op.dims(), x).unwrap());
    let solution = planned.run(&World::threads(3), &inputs().part("x", x)).unwrap();
    solution.gather_flat().unwrap().into_vec().unwrap()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[track_caller]
fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-10 * wanted.abs(), "{found} is not {wanted}");
}

#[test]
fn three_dims_are_as_in_pylops() {
    // The norm of the data, the product of the data with a ramp, the norm of the migrated ramp,
    // and one of its elements.
    let wanted = [
        (
            false,
            false,
            [15.92190897494485, -1.5390064104323373, 22.09942678176952, -2.0140839949622085],
        ),
        (
            false,
            true,
            [5686.080557930787, -3434.9836620562264, 10666.440808681227, -199.55256726869862],
        ),
        (
            true,
            false,
            [
                0.0008025907423933436,
                0.00011334813522852511,
                0.0005439053317083946,
                -1.687881662562067e-05,
            ],
        ),
        (
            true,
            true,
            [0.2559657035480701, -0.06378417650773524, 0.2346529771829676, -0.0005169501128101774],
        ),
    ];
    for (dynamic, filter, [data, product, image, point]) in wanted {
        let op = volume().dynamic(dynamic).wavfilter(filter).build().unwrap();
        assert_eq!((op.dims(), op.dimsd()), (vec![12, 5], vec![2, 3, 30]));
        let d = apply(&op, ramp(0, 60));
        near(norm(&d), data);
        near(d.iter().zip(ramp(7, 180)).map(|(d, w)| d * w).sum(), product);
        let v = apply(&op.h(), ramp(0, 180));
        near(norm(&v), image);
        near(v[13], point);
    }
}

#[test]
fn a_migration_is_split_by_sources_with_one_reduction_of_the_image() {
    let line = |n: usize| {
        let places = (0..2 * n).map(|k| if k < n { 10.0 * k as f64 } else { 5.0 });
        array([2, n], places.collect())
    };
    let image = [steps(60, 4.0, 0.0), steps(81, 4.0, 0.0)];
    let (t, wav) = (steps(651, 0.004, 0.0), steps(81, 0.1, -4.0));
    let op = kirchhoff(image, t, line(20), line(11), 1000.0, wav, 40).build().unwrap();
    let system = System::new(&op, &[Dtype::F64]).unwrap();
    let settings = Settings { niter: 3, ..Settings::default() };
    let planned = Planner::new(Ranks(2)).solve(Arc::new(Cgls), &system, settings).unwrap();
    let plan = planned.to_string();
    assert!(
        plan.contains("let Kirchhoff = (i, j, k!) <- (l, m) : f64[20/p, 11, 651, 81, 60]"),
        "{plan}"
    );
    let step = &plan[plan.find("block step").unwrap()..];
    assert_eq!(step.matches("= reduce_scatter p").count(), 1, "{plan}");
    assert_eq!(step.matches("= all_gather p").count(), 1, "{plan}");
    // The image once each way, and five numbers.
    assert!(step.contains("comm 4 calls, 77800 B per rank"), "{plan}");
}

const SRCS: [[f64; 3]; 2] = [[2.0, 3.0, 0.0], [8.0, 15.0, 1.0]];
const RECS: [[f64; 3]; 3] = [[1.0, 2.0, 0.0], [9.0, 17.0, 0.5], [4.0, 11.0, 1.0]];

/// Seconds from all points of the volume to some places, a row for each point.
fn seconds(who: &[[f64; 3]]) -> Vec<f64> {
    let point = |k: usize| {
        [5.0 * (k / 20) as f64, 1.0 + 6.0 * (k / 5 % 4) as f64, 2.0 + 4.0 * (k % 5) as f64]
    };
    let far = |p: [f64; 3], w: &[f64; 3]| {
        p.iter().zip(w).map(|(p, w)| (p - w).powi(2)).sum::<f64>().sqrt() / 800.0
    };
    (0..60).flat_map(|k| who.iter().map(move |w| far(point(k), w))).collect()
}

fn table(columns: usize, values: Vec<f64>) -> Source {
    array([60, columns], values)
}

fn apart() -> [Source; 2] {
    [table(2, seconds(&SRCS)), table(3, seconds(&RECS))]
}

/// Of all pairs, a column for each receiver of each source.
fn pairs() -> Source {
    let (srcs, recs) = (seconds(&SRCS), seconds(&RECS));
    let sum = |k: usize| srcs[k / 6 * 2 + k % 6 / 3] + recs[k / 6 * 3 + k % 3];
    table(6, (0..360).map(sum).collect())
}

#[test]
fn tables_of_times_are_as_distances() {
    let op = volume().build().unwrap();
    let wanted = [apply(&op, ramp(0, 60)), apply(&op.h(), ramp(0, 180))];
    for operator in [volume().trav(apart()), volume().trav(pairs())] {
        let op = operator.build().unwrap();
        let found = [apply(&op, ramp(0, 60)), apply(&op.h(), ramp(0, 180))];
        for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}");
        }
    }
}

#[test]
fn amplitudes_and_velocities_of_points_are_as_in_pylops() {
    let of = |vel: Profile, amp: [Source; 2]| {
        let operator = volume().vel(vel).trav(apart()).amp(amp).dynamic(true);
        operator.build().unwrap()
    };
    let velocity = |step: f64| array([60], (0..60).map(|k| 700.0 + step * f64::from(k)).collect());
    let amp = [table(2, ramp(1, 120)), table(3, ramp(5, 180))];
    let op = of(velocity(3.0).into(), amp.clone());
    // Places are split, so that ranks read rows of tables around their own.
    let d = applied(&Planner::new(Ranks(3)).pin("Kirchhoff", "l/p"), &op, ramp(0, 60));
    near(norm(&d), 0.01180994738682714);
    near(d.iter().zip(ramp(7, 180)).map(|(d, w)| d * w).sum(), -0.004107943278786901);
    let v = apply(&op.h(), ramp(0, 180));
    near(norm(&v), 0.015424666280086046);
    near(v[13], 0.006939398352998615);
    // One velocity at all points is one for all.
    let both = [velocity(0.0).into(), Profile::Constant(700.0)];
    let [each, one] = both.map(|vel| apply(&of(vel, amp.clone()), ramp(0, 60)));
    assert_eq!(each, one);
}

#[test]
fn refusals_say_what_would_be_right() {
    let refusal = |operator: Kirchhoff| operator.build().err().unwrap().to_string();
    let flat = |wav: usize, rows: usize, vel: f64| {
        let who = || array([rows, 2], vec![1.0; 2 * rows]);
        let image = [steps(5, 1.0, 0.0), steps(4, 1.0, 0.0)];
        kirchhoff(image, steps(9, 1.0, 0.0), who(), who(), vel, steps(wav, 1.0, 0.0), 0)
    };
    assert_eq!(
        refusal(flat(3, 3, 1.0)),
        "Kirchhoff: srcs has dims [3, 2], and must have a row for each of 2 axes"
    );
    assert_eq!(refusal(flat(10, 2, 1.0)), "Kirchhoff: wav has 10 samples, and t has only 9");
    assert_eq!(refusal(flat(3, 2, 0.0)), "Kirchhoff: vel is 0, and must be positive");
    assert_eq!(
        refusal(flat(3, 2, 1.0).y(steps(1, 1.0, 0.0))),
        "Kirchhoff: y has dims [1], and must be a list of two numbers or more"
    );
    assert!(flat(3, 2, 1.0).aperture(&[1.0, 2.0, 3.0]).is_err());
    let table = |columns: usize| array([20, columns], vec![1.0; 20 * columns]);
    assert_eq!(
        refusal(flat(3, 2, 1.0).trav([table(2), table(3)])),
        "Kirchhoff: trav has a table of dims [20, 3] for receivers, and must have [20, 2]"
    );
    assert_eq!(
        refusal(flat(3, 2, 1.0).trav(table(5))),
        "Kirchhoff: trav has a table of dims [20, 5] for pairs, and must have [20, 4]"
    );
    assert_eq!(
        refusal(flat(3, 2, 1.0).trav(table(4)).amp([table(2), table(2)]).dynamic(true)),
        "Kirchhoff: trav and amp must each be a table of sources and one of receivers where \
         dynamic is set"
    );
    assert_eq!(
        refusal(flat(3, 2, 1.0).amp([table(2), table(2)])),
        "Kirchhoff: amp has tables, and trav has none"
    );
    assert_eq!(
        refusal(flat(3, 2, 1.0).vel(steps(19, 1.0, 1.0)).trav(table(4))),
        "Kirchhoff: vel has dims [19], and must have a number for each of 20 points"
    );
    assert_eq!(
        refusal(flat(3, 2, 1.0).vel(steps(20, 1.0, 1.0))),
        "Kirchhoff: vel must be one number where trav is not given"
    );
}
