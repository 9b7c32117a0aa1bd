//! The plan after each pass, with what the pass has changed.
//!
//! Values are renumbered by every pass, so lines are compared without their numbers.

use super::markup::{Blocks, line};
use super::{escaped, fold};
use crate::planned::Planned;
use std::fmt::Write as _;

/// All stages, each beside the one before.
pub(super) fn all(out: &mut String, planned: &Planned) {
    out.push_str(
        "<p><label><input type=\"checkbox\" id=\"changes\"/> only what changed</label></p>\n",
    );
    let mut before = planned.source().to_string();
    fold(out, "lowering", false, |out| {
        let all: Vec<_> = before.trim_end().lines().map(|l| (Change::Same, l)).collect();
        show(out, &all, ("s0.", "s0."));
    });
    let last = planned.trace().len();
    for (k, (pass, plan)) in planned.trace().iter().enumerate() {
        let after = plan.to_string();
        let changes = compare(before.trim_end(), after.trim_end());
        let of = |kind| changes.iter().filter(|(change, _)| *change == kind).count();
        let open = if *pass == "insert-collectives" { " open=\"open\"" } else { "" };
        let (new, gone) = (of(Change::New), of(Change::Gone));
        let count = match (new, gone) {
            (0, 0) => "<span class=\"soft\">memory only</span>".to_owned(),
            _ => format!("<span class=\"plus\">+{new}</span> <span class=\"minus\">−{gone}</span>"),
        };
        let _ = writeln!(out, "<details{open}><summary>{} {count}</summary>", escaped(pass));
        let name = |k: usize| if k == last { String::new() } else { format!("s{k}.") };
        show(out, &changes, (&name(k), &name(k + 1)));
        out.push_str("</details>\n");
        before = after;
    }
}

fn show(out: &mut String, lines: &[(Change, &str)], (old, new): (&str, &str)) {
    let (mut gone, mut here) = (Blocks::default(), Blocks::default());
    out.push_str("<div class=\"pane\"><pre class=\"plan diff\">");
    for (change, text) in lines {
        let (class, stage, block) = match change {
            Change::Same => {
                gone.of(text);
                ("same", new, here.of(text))
            }
            Change::New => ("new", new, here.of(text)),
            Change::Gone => ("gone", old, gone.of(text)),
        };
        let _ = write!(out, "<span class=\"{class}\">{}</span>", line(text, stage, block));
    }
    out.push_str("</pre></div>\n");
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Same,
    New,
    Gone,
}

/// The lines of two plans in one order; those that both have are said as the second has them.
fn compare<'a>(before: &'a str, after: &'a str) -> Vec<(Change, &'a str)> {
    let old: Vec<_> = before.lines().map(|l| (plain(l), l)).collect();
    let new: Vec<_> = after.lines().map(|l| (plain(l), l)).collect();
    let head = old.iter().zip(&new).take_while(|(a, b)| a.0 == b.0).count();
    let (tail_old, tail_new) = (&old[head..], &new[head..]);
    let tail = tail_old.iter().rev().zip(tail_new.iter().rev());
    let tail = tail.take_while(|(a, b)| a.0 == b.0).count();
    let mut out: Vec<_> = new[..head].iter().map(|(_, l)| (Change::Same, *l)).collect();
    out.extend(middle(&tail_old[..tail_old.len() - tail], &tail_new[..tail_new.len() - tail]));
    out.extend(new[new.len() - tail..].iter().map(|(_, l)| (Change::Same, *l)));
    out
}

/// A line without the numbers of values, and without the spaces that align it.
fn plain(line: &str) -> String {
    let mut out = String::new();
    for word in line.split(' ').filter(|w| !w.is_empty()) {
        let value = word.starts_with('%');
        out.push_str(if value { "%" } else { word });
        out.push(' ');
    }
    out
}

/// By a longest common subsequence.
fn middle<'a>(old: &[(String, &'a str)], new: &[(String, &'a str)]) -> Vec<(Change, &'a str)> {
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i].0 == new[j].0 {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i].0 == new[j].0 {
            out.push((Change::Same, new[j].1));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            out.push((Change::Gone, old[i].1));
            i += 1;
        } else {
            out.push((Change::New, new[j].1));
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_values_are_no_change() {
        let before = "%0 = input x : f64[4]\n%1 = neg %0 : f64[4]\nreturn %1";
        let after = "%0 = input x : f64[4]\n%1 = conj %0 : f64[4]\n%2 = neg %1 : f64[4]\nreturn %2";
        let found: Vec<_> = compare(before, after).iter().map(|(change, _)| *change).collect();
        assert_eq!(found, [Change::Same, Change::New, Change::Same, Change::Same]);
        let gone = compare(after, before);
        assert_eq!(gone[1], (Change::Gone, "%1 = conj %0 : f64[4]"));
        assert_eq!(gone[2], (Change::Same, "%1 = neg %0 : f64[4]"));
    }
}
