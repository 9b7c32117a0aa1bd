//! Operators: reference values × splits, forward and adjoint; dot tests, batches, wider vectors,
//! laws.

mod support;

use adjoin::Dtype;
use adjoin::ops::{Operator, registry};
use adjoin_passes::signature::{Linearity, Typing};
use num_complex::Complex64;
use support::reference;
use support::tiles::{Vector, Way, apply, dot, error, splits, values};

fn whole(operator: &dyn Operator) -> Vec<usize> {
    vec![1; operator.signature().rule.factors.len()]
}

#[test]
fn reference_values_on_every_split() {
    let (cases, all) = (reference::operators(), reference::all());
    for name in registry::operators() {
        assert!(all.is_empty() || all.iter().any(|case| case.operator == name), "{name}");
    }
    let mut count = 0;
    for case in cases {
        let operator = case.operator();
        let signature = operator.signature();
        assert_eq!(
            (&signature.domain[0], &signature.range[0]),
            (&case.dims, &case.dimsd),
            "{}",
            case.id
        );
        assert_eq!(signature.types(case.x_dtype), (case.x_dtype, case.y_dtype), "{}", case.id);
        let (x, y, u, v) = (case.array("x"), case.array("y"), case.array("u"), case.array("v"));
        for pieces in splits(signature) {
            for (way, input, want) in [(Way::Forward, &x, &y), (Way::Adjoint, &u, &v)] {
                let found = apply(&*operator, way, case.x_dtype, &pieces, None, input);
                let error = error(&found, want);
                assert!(error <= case.rtol, "{} {way:?} {pieces:?}: {error:.1e}", case.id);
            }
        }
        count += 1;
    }
    println!("{count} cases");
}

/// `⟨Ax, u⟩ = ⟨x, Aᴴu⟩`, their real parts for real-linear operators.
fn check_dots(name: &str, operator: &dyn Operator, vector: Dtype, tolerance: f64) {
    let signature = operator.signature();
    let (domain, range) = signature.types(vector);
    let (x, u) = (values(1, signature.columns(), domain), values(2, signature.rows(), range));
    let pieces = whole(operator);
    let y = apply(operator, Way::Forward, vector, &pieces, None, &x);
    let v = apply(operator, Way::Adjoint, vector, &pieces, None, &u);
    let (mut left, mut right) = (dot(&y, &u), dot(&x, &v));
    if signature.linearity == Linearity::Real {
        (left, right) = (left.re.into(), right.re.into());
    }
    let scale = dot(&y, &y).re.sqrt() * dot(&u, &u).re.sqrt() + 1e-30;
    assert!((left - right).norm() <= tolerance * scale, "{name}: {left} is not {right}");
}

#[test]
fn dot_tests_in_the_precision_of_the_vectors() {
    for case in reference::operators() {
        let operator = case.operator();
        for vector in Dtype::ALL {
            let double = operator.signature().types(vector).0.is_double();
            check_dots(&case.id, &*operator, vector, if double { 1e-13 } else { 1e-5 });
        }
    }
}

#[test]
fn real_operators_act_on_real_and_imaginary_parts() {
    for case in reference::operators() {
        let operator = case.operator();
        let signature = operator.signature();
        if signature.dtype.is_complex() || signature.typing != Typing::Same {
            continue;
        }
        let n = signature.columns();
        let (re, im) = (values(3, n, Dtype::F64), values(4, n, Dtype::F64));
        let x: Vector = re.iter().zip(&im).map(|(a, b)| a + Complex64::I * b).collect();
        for pieces in splits(signature).into_iter().take(6) {
            let run =
                |vector, x: &[Complex64]| apply(&*operator, Way::Forward, vector, &pieces, None, x);
            let want: Vector = run(Dtype::F64, &re)
                .iter()
                .zip(run(Dtype::F64, &im))
                .map(|(a, b)| a + Complex64::I * b)
                .collect();
            assert!(error(&run(Dtype::C128, &x), &want) < 1e-12, "{} {pieces:?}", case.id);
        }
    }
}

#[test]
fn operators_act_on_each_column_of_a_batch() {
    const BATCH: usize = 3;
    for case in reference::operators() {
        let operator = case.operator();
        let signature = operator.signature();
        for (way, n, dtype) in [
            (Way::Forward, signature.columns(), case.x_dtype),
            (Way::Adjoint, signature.rows(), case.y_dtype),
        ] {
            let columns: Vec<Vector> = (0..BATCH).map(|b| values(b as u64, n, dtype)).collect();
            let joined = join(&columns);
            for pieces in splits(signature) {
                let run = |batch, x: &[Complex64]| {
                    apply(&*operator, way, case.x_dtype, &pieces, batch, x)
                };
                let want: Vec<Vector> = columns.iter().map(|x| run(None, x)).collect();
                let found = run(Some(BATCH), &joined);
                let tolerance = if case.x_dtype.is_double() { 1e-12 } else { 1e-5 };
                let error = error(&found, &join(&want));
                assert!(error < tolerance, "{} {way:?} {pieces:?}: {error:.1e}", case.id);
            }
        }
    }
}

/// Columns side by side, the batch last.
fn join(columns: &[Vector]) -> Vector {
    (0..columns[0].len()).flat_map(|i| columns.iter().map(move |c| c[i])).collect()
}

#[test]
fn declared_laws_hold() {
    for case in reference::operators() {
        let operator = case.operator();
        check_laws(&case.id, &*operator, case.x_dtype);
    }
}

fn check_laws(name: &str, operator: &dyn Operator, vector: Dtype) {
    let signature = operator.signature();
    let (domain, range) = signature.types(vector);
    let (x, u) = (values(5, signature.columns(), domain), values(6, signature.rows(), range));
    let run = |way, x: &[Complex64]| apply(operator, way, vector, &whole(operator), None, x);
    let close = |a: &[Complex64], b: &[Complex64], law: &str| {
        let tolerance = if vector.is_double() { 1e-12 } else { 1e-5 };
        assert!(error(a, b) < tolerance, "{name} is not {law}");
    };
    let (y, v, laws) = (run(Way::Forward, &x), run(Way::Adjoint, &u), signature.laws);
    let twice = run(Way::Adjoint, &y);
    if laws.isometry {
        close(&twice, &x, "an isometry");
    }
    if laws.co_isometry {
        close(&run(Way::Forward, &v), &u, "a co-isometry");
    }
    if laws.self_adjoint {
        close(&run(Way::Forward, &u), &v, "self-adjoint");
    }
    if laws.projection {
        close(&twice, &y, "a projection");
    }
    if laws.identity {
        close(&y, &x, "the identity");
    }
    if laws.zero {
        close(&y, &vec![Complex64::ZERO; y.len()], "zero");
    }
    if laws.permutation {
        let sorted = |v: &[Complex64]| {
            let mut v: Vec<_> = v.iter().map(|v| (v.re, v.im)).collect();
            v.sort_by(|a, b| a.partial_cmp(b).unwrap());
            v
        };
        assert_eq!(sorted(&y), sorted(&x), "{name} is not a permutation");
    }
    if laws.diagonal {
        assert_eq!(signature.domain, signature.range);
        let mut point = vec![Complex64::ZERO; x.len()];
        point[x.len() / 2] = Complex64::ONE;
        let made = run(Way::Forward, &point);
        let elsewhere = made.iter().enumerate().filter(|(i, _)| *i != x.len() / 2);
        assert!(
            elsewhere.into_iter().all(|(_, v)| *v == Complex64::ZERO),
            "{name} is not diagonal"
        );
    }
}
