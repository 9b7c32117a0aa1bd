use super::*;
use crate::examples::after;
use insta::assert_snapshot;

/// Where the values of a plan lie.
fn stores(before: &str) -> String {
    let plan = crate::text::print(&after(&PlanBuffers, before));
    plan.lines().filter(|l| l.starts_with("store")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_dead_make_room_and_the_living_do_not() {
    let stored = stores(
        "mesh 1 rank
        let A = (i) <- (j) : f64[3, 3]
        %0 = input x : f64[3]
        %1 = apply A %0 : f64[3]
        %2 = apply A %1 : f64[3]
        %3 = apply A %2 : f64[3]
        %4 = sub %3 %0 : f64[3]
        return %4 %2",
    );
    assert_snapshot!(stored, @"
    store 0 = %0
    store 1 = %1 %3 %4
    store 2 = %2
    ");
}

#[test]
fn an_input_holds_its_buffer_from_the_beginning() {
    let stored = stores(
        "mesh 1 rank
        let A = (i) <- (j) : f64[3, 3]
        %0 = input x : f64[3]
        %1 = apply A %0 : f64[3]
        %2 = input y : f64[3]
        return %1 %2",
    );
    assert_snapshot!(stored, @"
    store 0 = %0
    store 1 = %2
    store 2 = %1
    ");
}

#[test]
fn elements_are_made_where_others_were_read() {
    let stored = stores(
        "mesh 1 rank
        let D = (i) <- (i) diagonal : f64[3]
        slot a : f64
        state x : f64[3]
        %0 = get x : f64[3]
        %1 = slot a : f64[]
        %2 = apply D %0 : f64[3]
        %3 = input y : f64[3]
        region
        %4 = axpy %1 %2 %3 : f64[3]
        %5 = apply D.H %4 : f64[3]
        %6 = apply D %4 : f64[3]
        %7 = add %5 %6 : f64[3]
        end
        return %7 %4",
    );
    assert_snapshot!(stored, @"
    store 0 = %0
    store 1 = %3 %7
    store 2 = %1
    store 3 = %2 %4
    store 4 = %5
    store 5 = %6
    ");
}

#[test]
fn a_state_is_updated_where_it_lies() {
    let stored = stores(
        "mesh 1 rank
        slot a : f64
        state x : f64[3]
        %0 = get x : f64[3]
        %1 = input d : f64[3]
        %2 = slot a : f64[]
        %3 = axpy %2 %1 %0 : f64[3]
        set x %3",
    );
    assert_snapshot!(stored, @"
    store 0 = %0 %3
    store 1 = %1
    store 2 = %2
    ");
}

#[test]
fn a_state_whose_old_value_is_still_needed_is_not() {
    let stored = stores(
        "mesh 1 rank
        let A = (i) <- (j) : f64[3, 3]
        state x : f64[3]
        %0 = get x : f64[3]
        %1 = apply A %0 : f64[3]
        %2 = add %0 %1 : f64[3]
        set x %1
        return %2",
    );
    assert_snapshot!(stored, @"
    store 0 = %0
    store 1 = %1
    store 2 = %2
    ");
}

#[test]
fn states_that_change_places_are_copied_first() {
    let stored = stores(
        "mesh 1 rank
        state a : f64[3]
        state b : f64[3]
        %0 = get a : f64[3]
        %1 = get b : f64[3]
        set a %1
        set b %0",
    );
    assert_snapshot!(stored, @"
    store 2 = %0
    store 3 = %1
    ");
}

#[test]
fn one_value_may_become_two_states() {
    let stored = stores(
        "mesh 1 rank
        state r : f64[3]
        state p : f64[3]
        %0 = get p : f64[3]
        %1 = neg %0 : f64[3]
        set r %1
        set p %1",
    );
    assert_snapshot!(stored, @"
    store 0 = %1
    store 1 = %0
    ");
}

#[test]
fn other_element_types_have_other_buffers() {
    let stored = stores(
        "mesh 1 rank
        %0 = input x : f64[3]
        %1 = cast %0 : f32[3]
        %2 = neg %1 : f32[3]
        %3 = cast %2 : f64[3]
        %4 = reshape %3 : f64[1, 3]
        return %4",
    );
    assert_snapshot!(stored, @"
    store 0 = %0 %3 %4
    store 1 = %1 %2
    ");
}

#[test]
fn operands_of_one_reduction_keep_their_own_buffers() {
    let stored = stores(
        "mesh p=2 (2 ranks)
        %0 = input x : f64[5/p]
        %1 = dot %0 %0 : f64[] +p
        %2 = neg %1 : f64[] +p
        %3, %4 = all_reduce p %1 %2 : f64[], f64[]
        return %3 %4",
    );
    assert_snapshot!(stored, @"
    store 0 = %0 %2 %4
    store 1 = %1 %3
    ");
}

#[test]
fn what_leaves_stays_until_it_has_left() {
    let plan = "mesh p=2 (2 ranks)
        let B = (i) <- (j) : f64[8, 8]
        %0 = input x : f64[8/p]
        %1 = input y : f64[8]
        %2 = neg %0 : f64[8/p]
        %3 = halo %2 : f64[8/p~1:1]
        %4 = neg %2 : f64[8/p]
        %5 = apply B %1 : f64[8]
        %6 = slice %3 : f64[8/p]
        return %4 %5 %6";
    // The halo is on until %6: nobody may write over %2.
    assert_snapshot!(stores(plan), @"
    store 0 = %0 %2 %6
    store 1 = %1
    store 2 = %3
    store 3 = %4
    store 4 = %5
    ");
    // It has ended before %5 if somebody needs it at once.
    let at_once = plan
        .replace("%6 = slice %3 : f64[8/p]", "%6 = apply B %1 : f64[8]")
        .replace("%5 = apply B %1 : f64[8]\n", "%5 = neg %2 : f64[8/p]\n")
        .replace("%4 = neg %2", "%4 = slice %3");
    assert_snapshot!(stores(&at_once), @"
    store 0 = %0 %2 %3 %5
    store 1 = %1
    store 2 = %4
    store 3 = %6
    ");
}

#[test]
fn ghosts_lie_around_what_they_belong_to() {
    // The sum of ghosts ends where its argument is, and the last halo around a state.
    let plan = "mesh p=3 (3 ranks)
        let S = (i, j) <- (i~1:2, j) : f64[7/p, 4]
        state x : f64[7/p, 4]
        %0 = get x : f64[7/p, 4]
        %1 = halo %0 : f64[7/p~1:2, 4]
        %2 = apply S %1 : f64[7/p, 4]
        %3 = apply S.H %2 : f64[7/p~+1:2, 4]
        %4 = halo_sum %3 : f64[7/p, 4]
        %5 = add %0 %4 : f64[7/p, 4]
        %6 = halo %5 : f64[7/p~1:2, 4]
        %7 = apply S %6 : f64[7/p, 4]
        set x %5
        return %7";
    assert_snapshot!(stores(plan), @"
    store 0 = %0 %1 %5 %6
    store 1 = %2 %7
    store 2 = %3 %4
    ");
}

#[test]
fn nobody_writes_where_ghosts_lie_around() {
    // %2 is needed after %0, and %0 after %2.
    let plan = "mesh p=2 (2 ranks)
        let S = (i) <- (i~1:1) : f64[6/p]
        %0 = input x : f64[6/p]
        %1 = halo %0 : f64[6/p~1:1]
        %2 = neg %0 : f64[6/p]
        %3 = apply S %1 : f64[6/p]
        %4 = input y : f64[6/p]
        %5 = halo %4 : f64[6/p~1:1]
        %6 = neg %5 : f64[6/p~1:1]
        %7 = apply S %6 : f64[6/p]
        %8 = add %4 %7 : f64[6/p]
        return %2 %3 %8";
    assert_snapshot!(stores(plan), @"
    store 0 = %0 %3
    store 1 = %4 %5 %8
    store 2 = %1 %6
    store 3 = %2
    store 4 = %7
    ");
}

#[test]
fn ghosts_of_other_dims_than_the_first_are_apart() {
    let plan = "mesh r=2 c=2 (4 ranks)
        let S = (i, j) <- (i~1:1, j~1:1) : f64[6/r, 4/c]
        %0 = input x : f64[6/r, 4/c]
        %1 = halo %0 : f64[6/r~1:1, 4/c~1:1]
        %2 = apply S %1 : f64[6/r, 4/c]
        return %2";
    assert_snapshot!(stores(plan), @"
    store 0 = %0 %2
    store 1 = %1
    ");
}

#[test]
fn what_has_room_keeps_its_shape() {
    let plan = "mesh p=2 (2 ranks)
        let S = (i, j) <- (i~1:1, j) : f64[6/p, 2]
        %0 = input x : f64[12/p]
        %1 = reshape %0 : f64[6/p, 2]
        %2 = halo %1 : f64[6/p~1:1, 2]
        %3 = apply S %2 : f64[6/p, 2]
        %4 = input y : f64[6/p, 2]
        %5 = halo %4 : f64[6/p~1:1, 2]
        %6 = apply S %5 : f64[6/p, 2]
        %7 = reshape %4 : f64[12/p]
        return %3 %6 %7";
    assert_snapshot!(stores(plan), @"
    store 0 = %0 %1 %3
    store 1 = %4 %5
    store 2 = %2 %6
    store 3 = %7
    ");
}
