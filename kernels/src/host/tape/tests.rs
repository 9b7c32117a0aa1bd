//! Steps on a tape beside the kernels that they are.

mod checks {
    use super::super::*;
    use crate::host::dot::{self, BLOCK};
    use crate::host::testing::values;
    use crate::host::{Acc, vector};

    /// Runs steps on arrays of `n` elements, and a room for a tile after them; returns the arrays,
    /// and the sums of each inner product.
    fn ran<S: Scalar>(steps: &[Step], a: S, arrays: &[Vec<S>]) -> (Vec<Vec<S>>, Vec<Complex<f64>>) {
        let n = arrays[0].len();
        let mut arrays = arrays.to_vec();
        let (near, mut room) = (arrays.len(), Tile::EMPTY);
        let stride = size_of::<S>();
        let far = arrays.iter_mut().map(|x| Place { start: x.as_mut_ptr().cast(), stride });
        let mut places: Vec<Place> = far.collect();
        places.push(Place { start: room.start(), stride: 0 });
        let mut made: Vec<Vec<Complex<f64>>> = Vec::new();
        for step in steps {
            if let Step::Dot { real, .. } = step {
                made.push(vec![Complex::ZERO; dot::blocks::<S>(n, *real)]);
            }
        }
        let mut sums = vec![Sum::EMPTY; made.len()];
        sums.iter_mut().zip(&mut made).for_each(|(sum, to)| sum.set_next(to.as_mut_ptr()));
        let tape = Tape::new(steps, |place| place == near);
        // SAFETY: the places and the sums are as long as they must be, and only used here.
        unsafe { tape.run::<S>(&[a.to_c128()], &places, n, &mut sums) };
        (arrays, made.iter().map(|sums| dot::total(sums)).collect())
    }

    fn sizes<S>() -> Vec<usize> {
        let tile = TILE / size_of::<S>();
        let edges = [0, 1, 16, tile, 2 * tile, BLOCK / 2, BLOCK, 2 * BLOCK, 3 * BLOCK + tile];
        edges.iter().flat_map(|&n| n.saturating_sub(1)..n + 2).collect()
    }

    /// Each step by itself, from two arrays to a third one or over an argument.
    pub fn steps_have_the_bits_of_kernels<S: Scalar>() {
        for n in sizes::<S>() {
            let arrays: Vec<Vec<S>> = (1..5).map(|seed| values(seed, n)).collect();
            let [x, z, ..] = &arrays[..] else { unreachable!() };
            let some = values(9, 1)[0];
            for (a, y) in [(some, 2), (some, 0), (some, 1), (S::ZERO, 2), (S::ZERO, 0)] {
                let check = |step: Step, kernel: &dyn Fn(&mut [S])| {
                    let mut want = arrays[y].clone();
                    kernel(&mut want);
                    let (made, _) = ran(&[step], a, &arrays);
                    assert_eq!(made[y], want, "{step:?} of {n}");
                    let others = (0..4).filter(|&k| k != y);
                    others.for_each(|k| assert_eq!(made[k], arrays[k], "{step:?} of {n}"));
                };
                let set = Acc::Set;
                check(Step::Weigh { conj: false, d: 0, x: 1, y }, &|y| vector::mul(x, z, y, set));
                check(Step::Weigh { conj: true, d: 0, x: 1, y }, &|y| {
                    vector::mul_conj(x, z, y, set);
                });
                check(Step::Scale { a: 0, x: 0, y }, &|y| vector::scale(a, x, y, set));
                check(Step::Axpy { a: 0, x: 0, z: 1, y }, &|y| {
                    if a == S::ZERO {
                        vector::copy(z, y, set);
                    } else {
                        vector::axpy(a, x, z, y, set);
                    }
                });
                check(Step::Add { x: 0, z: 1, y }, &|y| vector::add(x, z, y, set));
                check(Step::Sub { x: 0, z: 1, y }, &|y| vector::sub(x, z, y, set));
            }
        }
    }

    /// Updates whose results other steps use, some of them through a room, and sums of them.
    pub fn steps_follow_each_other<S: Scalar>() {
        let near = 3;
        let steps = [
            Step::Weigh { conj: true, d: 0, x: 1, y: near },
            Step::Dot { real: false, x: near, y: 2, sum: 0 },
            Step::Axpy { a: 0, x: near, z: 2, y: 2 },
            Step::Dot { real: true, x: 1, y: 2, sum: 1 },
            Step::Sub { x: 1, z: 2, y: near },
            Step::Dot { real: false, x: 0, y: near, sum: 2 },
            Step::Axpy { a: 0, x: near, z: 2, y: 1 },
            Step::Dot { real: false, x: near, y: near, sum: 3 },
        ];
        let set = Acc::Set;
        for n in sizes::<S>() {
            for a in [values(9, 1)[0], S::ZERO] {
                let arrays: Vec<Vec<S>> = (1..4).map(|seed| values(seed, n)).collect();
                let (made, sums) = ran(&steps, a, &arrays);
                let [d, mut x, mut y] = <[Vec<S>; 3]>::try_from(arrays).unwrap();
                let mut near = vec![S::ZERO; n];
                vector::mul_conj(&d, &x, &mut near, set);
                let mut want = vec![dot::dot(&near, &y)];
                if a != S::ZERO {
                    vector::axpy_onto(a, &near, &mut y);
                }
                want.push(dot::dot_re(&x, &y).into());
                vector::sub(&x, &y, &mut near, set);
                want.push(dot::dot(&d, &near));
                if a == S::ZERO {
                    x.copy_from_slice(&y);
                } else {
                    vector::axpy(a, &near, &y, &mut x, set);
                }
                want.push(dot::dot(&near, &near));
                assert_eq!((&made, &sums), (&vec![d, x, y], &want), "{n} elements");
            }
        }
    }
}

mod all {
    crate::host::testing::each_type!(steps_have_the_bits_of_kernels steps_follow_each_other);
}
