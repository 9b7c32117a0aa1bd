//! Plans as text: the one of the design, and what a broken rule says of it.

use crate::text::parse;
use crate::verify::verify;

const PLAN: &str = "\
mesh r=2 c=2 (4 ranks)
let A[0] = (i) <- (j)           : f64[1024/r, 4096/c]
let A[1] = (i) <- (j)           : f64[3072/r, 4096/c]
%0 = input x                    : f64[4096/c]
%1 = apply A[0] %0              : f64[1024/r] +c
%2 = apply A[1] %0              : f64[3072/r] +c
%3, %4 = all_reduce c %1 %2     : f64[1024/r], f64[3072/r]
%5 = apply A[0].H %3            : f64[4096/c] +r
%6 = apply A[1].H %4            : f64[4096/c] +r
%7 = add %5 %6                  : f64[4096/c] +r
%8 = all_reduce r %7            : f64[4096/c]
return %8
comm 2 calls, 32 KiB per rank
";

#[test]
fn the_plan_of_the_design_passes() {
    assert_eq!(verify(&parse(PLAN).unwrap()), Ok(()));
}

#[test]
fn a_violation_names_the_rule_the_place_and_the_value() {
    let says = |from: &str, to: &str| {
        let plan = parse(&PLAN.replace(from, to)).unwrap();
        verify(&plan).unwrap_err().to_string()
    };
    assert_eq!(
        says("[1024/r] +c", "[1024/r]"),
        "rule apply-pending, block 0, node 1: \
         A[0] makes %1 (f64[1024/r]) a pending sum over [c]"
    );
    assert_eq!(
        says("all_reduce r %7            : f64[4096/c]", "neg %7 : f64[4096/c] +r"),
        "rule outputs, block 0: output %8 (f64[4096/c] +r) is not settled"
    );
    assert_eq!(
        says("add %5 %6", "add %5 %0"),
        "rule elementwise-place, block 0, node 6: \
         %5 (f64[4096/c] +r) and %0 (f64[4096/c]) should be placed alike"
    );
}
