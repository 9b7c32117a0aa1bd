//! Every kind of transfer, in plans written by hand.

use crate::backends::{On, Parts};
use crate::cases::array;
use adjoin::Dtype;
use adjoin::data::Array;
use adjoin::runtime::sim::{Given, simulate};
use adjoin::runtime::{Functions, World};
use adjoin_passes::{Plan, text};

fn plan(source: &str) -> Plan {
    text::parse(source).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a plan everywhere, and returns its outputs.
fn everywhere(plan: &Plan, given: &Given) -> Vec<Array> {
    let functions = Functions::new();
    let sim = simulate(plan, &[], &functions, given, "").unwrap_or_else(|e| panic!("{e}\n{plan}"));
    let parts = Parts { plan, operators: &[], functions: &functions, given };
    let world = World::threads(plan.mesh.ranks());
    for on in [On::Host, On::Shadow(1), On::Shadow(2)] {
        let got = parts.run(&world, "", on).unwrap_or_else(|e| panic!("{on:?}: {e}\n{plan}"));
        assert_eq!(got, sim, "{on:?}\n{plan}");
    }
    sim.outputs
}

#[test]
fn vectors_are_gathered_scattered_and_summed() {
    for dtype in Dtype::ALL {
        for ranks in [2, 3, 4, 7] {
            let source = format!(
                "
mesh p={ranks}
%0 = input x : f64[5/p]
%1 = all_gather p %0 : f64[5]
%2 = pad p %0 : f64[5] +p
%3 = reduce_scatter p %2 : f64[5/p]
%4 = all_reduce p %2 : f64[5]
%5 = slice %4 : f64[5/p]
%6 = partial p %1 : f64[5] +p
%7 = all_reduce p %6 : f64[5]
%8 = halo %0 : f64[5/p~2:1]
return %1 %3 %4 %5 %7 %8
"
            );
            let plan = plan(&source.replace("f64", &dtype.to_string()));
            let x = array(1, &[5], dtype);
            let outputs = everywhere(&plan, &Given::new().input("x", x.clone()));
            assert!(outputs.iter().all(|y| *y == x), "{dtype} {ranks}: {outputs:?}");
        }
    }
}

#[test]
fn matrices_are_redistributed() {
    for dtype in Dtype::ALL {
        let source = "
mesh r=2 c=3
cut q = 7 weights 1 9 1 1 1 1 1
%0 = input x : f64[7/r, 5/c]
%1 = all_gather c %0 : f64[7/r, 5]
%2 = all_to_all r %1 : f64[7, 5/r]
%3 = exchange %0 : f64[7/c, 5/r]
%4 = exchange %1 : f64[7/r@q, 5]
%5 = all_gather r %4 : f64[7, 5]
%6 = all_gather r %0 : f64[7, 5/c]
%7 = halo %0 : f64[7/r~1:1, 5/c~1:0]
return %1 %2 %3 %4 %5 %6 %7
";
        let plan = plan(&source.replace("f64", &dtype.to_string()));
        let x = array(2, &[7, 5], dtype);
        let outputs = everywhere(&plan, &Given::new().input("x", x.clone()));
        assert!(outputs.iter().all(|y| *y == x), "{dtype}: {outputs:?}");
    }
}

#[test]
fn shapes_change_and_parts_are_joined() {
    let source = "
mesh p=3
%0 = input x : f64[4, 3]
%1 = input y : f64[5]
%2 = reshape %0 : f64[12]
%3 = concat %2 %1 : f64[17]
%4 = part 12 %3 : f64[5]
%5 = part 0 %3 : f64[12]
%6 = reshape %5 : f64[4, 3]
return %6 %4
";
    let (x, y) = (array(1, &[4, 3], Dtype::F64), array(2, &[5], Dtype::F64));
    let given = Given::new().input("x", x.clone()).input("y", y.clone());
    assert_eq!(everywhere(&plan(source), &given), [x, y]);
}

#[test]
fn dots_and_largest_elements_are_the_same_everywhere() {
    let source = "
mesh p=4
%0 = input x : f64[6/p]
%1 = dot %0 %0 : f64[] +p
%2 = all_reduce p %1 : f64[]
%3 = reduce max %0 : f64[]
%4 = reduce arg_max %0 : f64[]
%5 = one_hot %4 : f64[6/p]
return %2 %3 %4 %5
";
    let x: Array = vec![1.0, -2.0, 5.0, 0.0, -5.0, 3.0].into();
    let outputs = everywhere(&plan(source), &Given::new().input("x", x));
    let outputs: Vec<_> = outputs.iter().map(|y| y.as_slice::<f64>().unwrap().to_vec()).collect();
    let hot = vec![0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    assert_eq!(outputs, [vec![64.0], vec![5.0], vec![2.0], hot]);
}

#[test]
fn a_reduction_may_carry_numbers_of_both_kinds() {
    let source = "
mesh p=3
%0 = input x : c128[7/p]
%1 = input y : f64[7/p]
%2 = dot %0 %0 : c128[] +p
%3 = dot real %1 %1 : f64[] +p
%4, %5 = all_reduce p %2 %3 : c128[], f64[]
return %4 %5
";
    let given = Given::new().input("x", array(1, &[7], Dtype::C128));
    let given = given.input("y", array(1, &[7], Dtype::F64));
    let outputs = everywhere(&plan(source), &given);
    let norm = |x: &Array| -> f64 {
        let x: Vec<num_complex::Complex64> =
            x.clone().cast(Dtype::C128).unwrap().into_vec().unwrap();
        x.iter().map(num_complex::Complex::norm_sqr).sum()
    };
    let [x, y] = [Dtype::C128, Dtype::F64].map(|dtype| norm(&array(1, &[7], dtype)));
    assert_eq!(outputs[0].as_slice::<num_complex::Complex64>().unwrap(), [x.into()]);
    assert_eq!(outputs[1].as_slice::<f64>().unwrap(), [y]);
}
