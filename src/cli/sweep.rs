//! `adjoin plan --sweep`: one plan for each number of ranks, and how time falls with them.

use super::Failure;
use super::args::{Plan, ranks};
use super::compare::Line;
use super::job::Job;
use super::table::Table;
use crate::planned::Ranks;
use crate::report::curve::{Curve, svg};
use crate::report::units::{bytes, per_cent, seconds};

/// Numbers of ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sweep(Vec<usize>);

/// The table of a sweep, and the picture if one is asked for.
pub(super) fn run(args: &Plan, sweep: &Sweep) -> Result<(String, Option<String>), Failure> {
    let job = Job::read(&args.common, args.expr.as_deref())?;
    let one = Line::of(&job, Ranks(1), None)?.account.iteration();
    let mut table = Table::new([
        "ranks",
        "iteration",
        "local",
        "communication",
        "calls",
        "sends",
        "memory",
        "efficiency",
        "",
    ]);
    let names = ["iteration", "local work", "communication", "evenly divided"];
    let mut curves = names.map(|name| Curve { name: name.into(), points: Vec::new() });
    for &ranks in &sweep.0 {
        let line = Line::of(&job, Ranks(ranks), None)?;
        let (time, step) = (line.account.iteration(), line.account.step());
        let (local, wire) = step.map_or((0.0, 0.0), |block| (block.local, block.wire));
        let ideal = one / ranks as f64;
        for (curve, time) in curves.iter_mut().zip([time, local, wire, ideal]) {
            curve.points.push((ranks as f64, time));
        }
        let calls = step.map(|block| block.calls).unwrap_or_default();
        table.row([
            ranks.to_string(),
            seconds(time),
            seconds(local),
            seconds(wire),
            calls.calls.to_string(),
            bytes(calls.bytes as f64),
            bytes(line.account.peak()),
            per_cent(if time > 0.0 { ideal / time } else { 1.0 }),
            line.fits(),
        ]);
    }
    let picture = args.svg.is_some().then(|| svg(&curves, "ranks", "seconds of an iteration"));
    Ok((table.to_string(), picture))
}

/// Reads `ranks=1,2,4,..,64`, where `..` goes on as the numbers before it began.
pub(super) fn parse(text: &str) -> Result<Sweep, String> {
    let form = || format!("`{text}` is no sweep: write ranks=1,2,4,..,64");
    let list = text.strip_prefix("ranks=").ok_or_else(form)?;
    let mut all: Vec<usize> = Vec::new();
    let mut dots = false;
    for item in list.split(',') {
        if item.trim() == ".." && !dots {
            dots = true;
            continue;
        }
        let n = ranks(item.trim())?;
        if dots {
            all.extend(between(&all, n)?);
            dots = false;
        }
        all.push(n);
    }
    if dots || all.is_empty() {
        return Err(form());
    }
    if let Some([a, b]) = all.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(format!("a sweep ascends, and {a} comes before {b}"));
    }
    Ok(Sweep(all))
}

/// What stands between numbers and the end of the progression that they begin.
fn between(begin: &[usize], end: usize) -> Result<Vec<usize>, String> {
    let [.., a, b] = begin else {
        return Err("`..` goes on from at least two numbers".into());
    };
    if *b <= *a || end <= *b {
        return Err(format!("a sweep ascends, and {a}, {b}, {end} do not"));
    }
    let (step, ratio) = (b - a, b / a);
    let even = begin.windows(2).all(|w| w[0] + step == w[1]) && (end - b).is_multiple_of(step);
    let plus = even.then(|| (1..(end - b) / step).map(|k| b + k * step).collect::<Vec<_>>());
    let times = begin.windows(2).all(|w| w[0] * ratio == w[1]) && ratio > 1;
    let powers = || std::iter::successors(Some(b * ratio), |n| n.checked_mul(ratio));
    let reached = times && powers().take_while(|n| *n <= end).last() == Some(end);
    let powers = reached.then(|| powers().take_while(|n| *n < end).collect::<Vec<_>>());
    match (plus, powers) {
        (Some(plus), Some(powers)) if plus != powers => {
            Err(format!("{a},{b},.. may add {step} or multiply by {ratio}: give a third number"))
        }
        (Some(found), _) | (_, Some(found)) => Ok(found),
        (None, None) => Err(format!("the progression that ends with {a},{b} does not reach {end}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_go_on_as_the_numbers_began() {
        let numbers = |text: &str| parse(text).unwrap().0;
        assert_eq!(numbers("ranks=1,2,4,..,16,24"), [1, 2, 4, 8, 16, 24]);
        assert_eq!(numbers("ranks=4,6,..,12"), [4, 6, 8, 10, 12]);
        assert_eq!(numbers("ranks=3,12,48,..,192"), [3, 12, 48, 192]);
        assert_eq!(numbers("ranks=4"), [4]);
        assert_eq!(numbers("ranks=1,2,4,..,65536").len(), 17);
        let wrong = |text: &str| parse(text).unwrap_err();
        assert!(wrong("ranks=1,2,..,64").contains("give a third number"));
        assert!(wrong("ranks=1,2,4,..,100").contains("does not reach 100"));
        assert!(wrong("ranks=1,..,8").contains("at least two"));
        assert!(wrong("ranks=4,2").contains("ascends"));
        assert!(wrong("p=1,2").contains("is no sweep"));
        assert!(wrong("ranks=1,2,4,..").contains("is no sweep"));
        assert!(wrong("ranks=0").contains("no number of ranks"));
    }
}
