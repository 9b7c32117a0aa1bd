//! Local nodes against naive loops, for all types, beside their arguments and over them.

use super::{Arg, Functions, LocalNode};
use crate::elements::{Slice, SliceMut};
use crate::runtime::memory::Memory;
use adjoin_passes::Dtype;
use adjoin_passes::calls::View;
use adjoin_passes::ir::{Map, Op, Reduction, SlotId};
use num_complex::Complex64;

/// Small integers, so that every order of operations gives the same bits.
fn numbers(seed: usize, len: usize, dtype: Dtype) -> Vec<Complex64> {
    let part = |i: usize| ((i * 7 + seed * 5) % 11) as f64 - 5.0;
    let imaginary = |i| if dtype.is_complex() { part(i + 3) } else { 0.0 };
    (0..len).map(|i| Complex64::new(part(i), imaginary(i))).collect()
}

fn memory(values: &[Complex64], dtype: Dtype) -> Memory {
    let mut memory = Memory::elements(dtype, values.len()).unwrap();
    super::typed::narrow(values, &mut memory.slice_mut(dtype, values.len()), 0);
    memory
}

fn view(buffer: usize, dims: &[usize], dtype: Dtype) -> View {
    View {
        buffer,
        offset: 0,
        dtype,
        dims: dims.to_vec(),
        held: dims.iter().map(|&n| 0..n).collect(),
    }
}

fn values(memory: &Memory, view: &View) -> Vec<Complex64> {
    let slice = memory.slice(view.dtype, view.len());
    (0..view.len()).map(|i| super::typed::get(slice, i)).collect()
}

/// Runs a node with its result beside its arguments, or over one of them.
fn run_at(
    op: &Op,
    args: &[(View, Vec<Complex64>)],
    out: &View,
    over: Option<usize>,
) -> Vec<Complex64> {
    let mut views: Vec<View> = args.iter().map(|(view, _)| view.clone()).collect();
    for (k, view) in views.iter_mut().enumerate() {
        view.buffer = if over == Some(k) { 0 } else { k + 1 };
    }
    let out = View { buffer: 0, ..out.clone() };
    let memories: Vec<_> = args.iter().map(|(view, x)| memory(x, view.dtype)).collect();
    let mut y = match over {
        Some(k) => memories[k].clone(),
        None => Memory::elements(out.dtype, out.len()).unwrap(),
    };
    let slices: Vec<Arg<'_>> = views
        .iter()
        .zip(&memories)
        .map(|(view, m)| (view.buffer != 0).then(|| m.slice(view.dtype, view.len())))
        .collect();
    let mut node = LocalNode::new(op, &views, &out, &Functions::new()).unwrap();
    node.run(&slices, y.slice_mut(out.dtype, out.len())).unwrap();
    values(&y, &out)
}

fn run(op: &Op, args: &[(View, Vec<Complex64>)], out: &View) -> Vec<Complex64> {
    run_at(op, args, out, None)
}

fn arg(seed: usize, dims: &[usize], dtype: Dtype) -> (View, Vec<Complex64>) {
    let view = view(0, dims, dtype);
    let x = numbers(seed, view.len(), dtype);
    (view, x)
}

fn scalar(value: f64, dtype: Dtype) -> (View, Vec<Complex64>) {
    (view(0, &[], dtype), vec![value.into()])
}

/// Each pair of types of argument and result, with the elements of the result rounded to it.
fn pairs() -> impl Iterator<Item = (Dtype, Dtype)> {
    Dtype::ALL.into_iter().flat_map(|a| Dtype::ALL.map(|b| (a, b)))
}

fn rounded(x: &[Complex64], dtype: Dtype) -> Vec<Complex64> {
    let m = memory(x, dtype);
    values(&m, &view(0, &[x.len()], dtype))
}

/// Longer than what is computed at a time, and no multiple of it.
const N: usize = 603;

#[test]
fn elementwise_nodes_are_their_formulas_for_all_types() {
    type Formula = fn(&[Complex64]) -> Complex64;
    let cases: [(Op, usize, Formula); 9] = [
        (Op::Add, 1, |v| v[0]),
        (Op::Add, 2, |v| v[0] + v[1]),
        (Op::Add, 4, |v| v[0] + v[1] + v[2] + v[3]),
        (Op::Sub, 2, |v| v[0] - v[1]),
        (Op::Neg, 1, |v| -v[0]),
        (Op::Conj, 1, |v| v[0].conj()),
        (Op::Scale, 2, |v| v[0] * v[1]),
        (Op::Axpy, 3, |v| v[0] * v[1] + v[2]),
        (Op::Map(Map::Mul), 2, |v| v[0] * v[1]),
    ];
    for (op, count, formula) in cases {
        for (dtype, result) in pairs() {
            let weak = matches!(op, Op::Scale | Op::Axpy);
            let mut args: Vec<_> = (0..count).map(|k| arg(k, &[N], dtype)).collect();
            if weak {
                args[0] = scalar(3.0, Dtype::F64);
            }
            let element = |k: usize, i: usize| args[k].1[i % args[k].1.len()];
            let row = |i| (0..count).map(|k| element(k, i)).collect::<Vec<_>>();
            let expected = rounded(&(0..N).map(|i| formula(&row(i))).collect::<Vec<_>>(), result);
            let out = view(0, &[N], result);
            assert_eq!(run(&op, &args, &out), expected, "{op:?} {dtype} {result}");
            for over in usize::from(weak)..count {
                if dtype == result {
                    let there = run_at(&op, &args, &out, Some(over));
                    assert_eq!(there, expected, "{op:?} {dtype} over {over}");
                }
            }
        }
    }
}

#[test]
fn results_over_an_argument_have_the_same_bits() {
    for dtype in Dtype::ALL {
        let args: Vec<_> = (0..4)
            .map(|k| {
                let (view, x) = arg(k, &[N], dtype);
                (view, rounded(&x.iter().map(|x| x / 7.3).collect::<Vec<_>>(), dtype))
            })
            .collect();
        let out = view(0, &[N], dtype);
        let axpy = [scalar(0.37, Dtype::F64), args[0].clone(), args[1].clone()];
        for (op, args) in [(Op::Add, &args[..]), (Op::Add, &args[..2]), (Op::Axpy, &axpy)] {
            let beside = run(&op, args, &out);
            for over in usize::from(op == Op::Axpy)..args.len() {
                assert_eq!(run_at(&op, args, &out, Some(over)), beside, "{op:?} {dtype} {over}");
            }
        }
    }
}

#[test]
fn columns_have_a_number_each() {
    for dtype in Dtype::ALL {
        let a = (view(0, &[3], Dtype::C128), numbers(1, 3, dtype));
        let (x, z) = (arg(2, &[200, 3], dtype), arg(3, &[200, 3], dtype));
        let out = view(0, &[200, 3], dtype);
        let expected: Vec<_> = (0..600).map(|i| a.1[i % 3] * x.1[i] + z.1[i]).collect();
        assert_eq!(run(&Op::Axpy, &[a.clone(), x.clone(), z], &out), expected);
        let scaled: Vec<_> = (0..600).map(|i| a.1[i % 3] * x.1[i]).collect();
        assert_eq!(run(&Op::Scale, &[a.clone(), x.clone()], &out), scaled);
        assert_eq!(run_at(&Op::Scale, &[a, x], &out, Some(1)), scaled);
    }
}

#[test]
fn casts_and_constants() {
    for (dtype, result) in pairs() {
        let x = arg(1, &[N], dtype);
        let out = view(0, &[N], result);
        assert_eq!(run(&Op::Cast, std::slice::from_ref(&x), &out), rounded(&x.1, result));
        assert_eq!(run(&Op::Zero, &[], &out), vec![Complex64::ZERO; N]);
        let slots = arg(4, &[3], Dtype::C128);
        let expected = rounded(&vec![slots.1[2]; N], result);
        assert_eq!(run(&Op::Slot(SlotId(2)), &[slots], &out), expected);
    }
}

#[test]
fn dots_conjugate_the_first_argument() {
    for (one, two) in pairs() {
        for columns in [1, 3] {
            let dims: &[usize] = if columns == 1 { &[N] } else { &[N, 3] };
            let (x, z) = (arg(1, dims, one), arg(2, dims, two));
            let mut sums = vec![Complex64::ZERO; columns];
            for i in 0..x.1.len() {
                sums[i % columns] += x.1[i].conj() * z.1[i];
            }
            let count = usize::from(columns > 1);
            let shape = vec![columns; count];
            let args = [x, z];
            let op = Op::Dot { columns: count, real: false };
            assert_eq!(run(&op, &args, &view(0, &shape, Dtype::C128)), sums, "{one} {two}");
            let real: Vec<_> = sums.iter().map(|s| s.re.into()).collect();
            let op = Op::Dot { columns: count, real: true };
            assert_eq!(run(&op, &args, &view(0, &shape, Dtype::F64)), real, "{one} {two}");
        }
    }
}

#[test]
fn bases_are_combined_and_projected_on() {
    for (dtype, result) in pairs() {
        let (rows, n) = (11, 40);
        let basis = arg(1, &[rows, n], dtype);
        let h = arg(2, &[rows], if dtype.is_complex() { Dtype::C128 } else { Dtype::F64 });
        let sum = |i: usize| (0..rows).map(|k| h.1[k] * basis.1[k * n + i]).sum();
        let expected = rounded(&(0..n).map(sum).collect::<Vec<_>>(), result);
        let out = view(0, &[n], result);
        assert_eq!(run(&Op::Combine, &[h.clone(), basis.clone()], &out), expected);
        let x = arg(3, &[n], result);
        let dot = |k: usize| (0..n).map(|i| basis.1[k * n + i].conj() * x.1[i]).sum();
        let expected: Vec<_> = (0..rows).map(dot).collect();
        let out = view(0, &[rows], Dtype::C128);
        assert_eq!(run(&Op::Dots, &[basis.clone(), x.clone()], &out), expected);
        let k = scalar(4.0, Dtype::F64);
        let row = basis.1[4 * n..5 * n].to_vec();
        let taken = run(&Op::Take, &[basis.clone(), k.clone()], &view(0, &[n], dtype));
        assert_eq!(taken, row);
        let mut put = basis.1.clone();
        put[4 * n..5 * n].copy_from_slice(&rounded(&x.1, dtype));
        let args = [basis, k, x];
        let out = view(0, &[rows, n], dtype);
        assert_eq!(run(&Op::Put, &args, &out), put);
        assert_eq!(run_at(&Op::Put, &args, &out, Some(0)), put);
    }
}

fn map(map: Map, args: &[f64]) -> f64 {
    let args: Vec<_> = args.iter().map(|&x| scalar(x, Dtype::F64)).collect();
    run(&Op::Map(map), &args, &view(0, &[], Dtype::F64))[0].re
}

#[test]
fn maps_of_numbers() {
    assert_eq!([map(Map::Div, &[3.0, 2.0]), map(Map::Div, &[3.0, 0.0])], [1.5, 0.0]);
    assert_eq!([map(Map::Sqrt, &[9.0]), map(Map::Abs, &[-2.0])], [3.0, 2.0]);
    assert!(map(Map::Sqrt, &[-1.0]).is_nan());
    assert_eq!([map(Map::Max, &[1.0, 2.0]), map(Map::Min, &[1.0, 2.0])], [2.0, 1.0]);
    assert!(map(Map::Max, &[f64::NAN, 2.0]).is_nan());
    assert_eq!([map(Map::Less, &[1.0, 2.0]), map(Map::Less, &[2.0, 2.0])], [1.0, 0.0]);
    assert_eq!(map(Map::Select, &[1.0, 5.0, 6.0]), 5.0);
    assert_eq!(map(Map::Select, &[0.0, 5.0, 6.0]), 6.0);
    assert_eq!([map(Map::Soft, &[-3.0, 1.0]), map(Map::Soft, &[0.5, 1.0])], [-2.0, 0.0]);
    assert_eq!([map(Map::Hard, &[-3.0, 1.0]), map(Map::Hard, &[0.5, 1.0])], [-3.0, 0.0]);
    assert_eq!(map(Map::Clip, &[7.0, 0.0, 5.0]), 5.0);
    assert_eq!(map(Map::Clip, &[-7.0, 0.0, 5.0]), 0.0);
}

#[test]
fn numbers_apply_to_every_element_of_a_map() {
    for dtype in Dtype::ALL {
        let x = arg(1, &[N], dtype);
        let t = scalar(2.0, Dtype::F64);
        let shrink =
            |x: &Complex64| if x.norm() <= 2.0 { 0.0.into() } else { x * (1.0 - 2.0 / x.norm()) };
        let expected: Vec<Complex64> = x.1.iter().map(shrink).collect();
        let got = run(&Op::Map(Map::Soft), &[x, t], &view(0, &[N], dtype));
        assert!(got.iter().zip(&expected).all(|(a, b)| (a - b).norm() < 1e-5), "{dtype}");
    }
}

#[test]
fn the_largest_element_is_the_first_of_equals() {
    let x = vec![1.0, -4.0, 4.0, 2.0].into_iter().map(Complex64::from).collect::<Vec<_>>();
    let held = View { held: std::iter::once(6..10).collect(), ..view(0, &[12], Dtype::F64) };
    let pair = view(0, &[2], Dtype::F64);
    let best = |x: &[Complex64], held: &View| {
        run(&Op::Reduce(Reduction::Max), &[(held.clone(), x.to_vec())], &pair)
    };
    let mine = best(&x, &held);
    assert_eq!(mine, [4.0.into(), Complex64::from(7.0)]);
    let nothing = View { held: std::iter::once(10..10).collect(), ..held };
    let all = [mine, best(&[], &nothing), vec![4.0.into(), 3.0.into()]].concat();
    let all = (view(0, &[6], Dtype::F64), all);
    for (reduction, expected) in [(Reduction::Max, 4.0), (Reduction::ArgMax, 3.0)] {
        let args = [all.clone(), all.clone()];
        let value = run(&Op::Reduce(reduction), &args, &view(0, &[], Dtype::F64));
        assert_eq!(value, [Complex64::from(expected)]);
    }
}

#[test]
fn unit_vectors_are_split_like_others() {
    let held = View { held: vec![1..3, 2..4], ..view(0, &[4, 5], Dtype::C64) };
    let at = |k: f64| run(&Op::OneHot, &[scalar(k, Dtype::F64)], &held);
    assert_eq!(at(13.0), [0., 0., 0., 1.].map(Complex64::from));
    assert_eq!(at(7.0), [1., 0., 0., 0.].map(Complex64::from));
    assert_eq!(at(9.0), [Complex64::ZERO; 4]);
}

#[test]
fn named_functions_are_found_or_missed() {
    let functions = Functions::new().element("double", |v| v[0] * 2.0).whole("last", |args, y| {
        match (args[0], y) {
            (Slice::F64(x), SliceMut::F64(y)) => {
                y.fill(*x.last().ok_or("nothing is there")?);
                Ok(())
            }
            _ => Err("it needs double precision".into()),
        }
    });
    let (x, out) = (view(1, &[2], Dtype::F64), view(0, &[2], Dtype::F64));
    let mut y = [0.0; 2];
    for (op, expected) in
        [(Op::Map(Map::Named("double".into())), [2.0, 6.0]), (Op::Call("last".into()), [3.0, 3.0])]
    {
        let mut node = LocalNode::new(&op, std::slice::from_ref(&x), &out, &functions).unwrap();
        node.run(&[Some(Slice::F64(&[1.0, 3.0]))], SliceMut::F64(&mut y)).unwrap();
        assert_eq!(y, expected);
    }
    let missing = LocalNode::new(&Op::Call("first".into()), &[x], &out, &functions);
    let error = missing.err().unwrap();
    assert_eq!(error, "no function first of whole values is registered");
}
