//! Split halos.

use super::Draft;
use crate::examples::read;
use crate::ir::{LeafId, Over, Region, SplitHalo};

/// A chain of two stencils after a halo, with other work between them and after.
fn chain() -> Draft {
    let plan = read(
        "mesh p=3 (3 ranks)
        let S = (i) <- (i~1:1) : f64[30/p]
        %0 = input x : f64[30/p]
        %1 = input y : f64[30/p]
        split
        %2 = halo %0 : f64[30/p~2:2]
        %3 = apply S %2 : f64[30/p~1:1]
        %4 = neg %1 : f64[30/p]
        %5 = apply S.H %3 : f64[30/p]
        end
        %6 = add %5 %4 : f64[30/p]
        %7 = neg %4 : f64[30/p]
        %8 = dot %6 %6 : f64[] +p
        %9 = all_reduce p %8 : f64[]
        return %7 %9",
    );
    Draft { plan, cuts: Vec::new() }
}

fn breaks(rule: &str, edit: impl FnOnce(&mut Draft)) {
    let mut draft = chain();
    edit(&mut draft);
    draft.breaks(rule);
}

#[test]
fn a_halo_and_what_can_follow_it() {
    chain().passes();
    for (first, last) in [(2, 4), (2, 6), (2, 2), (1, 5), (3, 5), (2, 9), (5, 2)] {
        breaks("split-halos", |d| d.block().splits = vec![SplitHalo { first, last }]);
    }
    let mut draft = chain();
    draft.block().splits = vec![SplitHalo { first: 2, last: 3 }];
    draft.passes();
}

#[test]
fn halos_are_split_one_after_the_other_and_in_no_region() {
    breaks("split-halos", |d| d.block().splits.push(SplitHalo { first: 2, last: 3 }));
    breaks("split-halos", |d| {
        d.block().regions.push(Region { over: Over::Elements, first: 4, last: 4 });
    });
}

#[test]
fn a_region_is_one_stencil_and_its_adjoint() {
    let until = |last: u32| {
        move |d: &mut Draft| {
            d.block().nodes.swap(4, 5);
            d.block().regions = vec![Region { over: Over::Panels(LeafId(0)), first: 3, last: 4 }];
            d.block().splits = vec![SplitHalo { first: 2, last }];
        }
    };
    let mut draft = chain();
    until(4)(&mut draft);
    draft.passes();
    // The split halo ends with the region or after it.
    breaks("split-halos", until(3));
}

#[test]
fn nobody_writes_where_a_rim_still_reads() {
    let mut draft = chain();
    draft.block().buffers = Some((0..10).collect());
    draft.passes();
    // Ghosts come around what they belong to.
    draft.block().buffers = Some(vec![0, 1, 0, 3, 4, 5, 6, 7, 8, 9]);
    draft.passes();
    for (value, buffer) in [(3, 0), (4, 1), (5, 2), (4, 0)] {
        breaks("split-buffers", |d| {
            let mut buffers: Vec<_> = (0..10).collect();
            buffers[value] = buffer;
            d.block().buffers = Some(buffers);
        });
    }
}
