//! The finite field GF(p²) with p = 2⁶¹ − 1, in which certificates compute.
//!
//! As p ≡ 3 (mod 4), −1 has no square root in GF(p), and GF(p²) = GF(p)\[i\].
//! Conjugation is the Frobenius map z ↦ zᵖ, so sums, products and conjugates obey the laws of
//! complex numbers exactly.
//! Elements of norm one form a group of order p + 1 = 2⁶¹: it holds a root of unity of every
//! power-of-two order, hence discrete Fourier transforms.

/// The modulus.
pub const P: u64 = (1 << 61) - 1;

/// An element a + bi.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gf {
    /// The real part.
    pub re: u64,
    /// The imaginary part.
    pub im: u64,
}

fn reduce(x: u128) -> u64 {
    let folded = (x & u128::from(P)) as u64 + (x >> 61) as u64;
    if folded >= P { folded - P } else { folded }
}

fn add(a: u64, b: u64) -> u64 {
    reduce(u128::from(a) + u128::from(b))
}

fn sub(a: u64, b: u64) -> u64 {
    add(a, P - b)
}

fn mul(a: u64, b: u64) -> u64 {
    reduce(u128::from(a) * u128::from(b))
}

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut out = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            out = mul(out, base);
        }
        base = mul(base, base);
        exponent >>= 1;
    }
    out
}

impl Gf {
    /// Zero.
    pub const ZERO: Gf = Gf { re: 0, im: 0 };
    /// One.
    pub const ONE: Gf = Gf { re: 1, im: 0 };

    /// An element of GF(p).
    pub fn real(re: u64) -> Self {
        Gf { re: re % P, im: 0 }
    }

    /// The conjugate.
    pub fn conj(self) -> Self {
        Gf { re: self.re, im: sub(0, self.im) }
    }

    /// The element without its imaginary part.
    pub fn re(self) -> Self {
        Gf { re: self.re, im: 0 }
    }

    /// z z̄, in GF(p).
    pub fn norm(self) -> u64 {
        add(mul(self.re, self.re), mul(self.im, self.im))
    }

    /// The inverse; zero for zero.
    pub fn inverse(self) -> Self {
        let inverse = power(self.norm(), P - 2);
        let c = self.conj();
        Gf { re: mul(c.re, inverse), im: mul(c.im, inverse) }
    }

    /// A power.
    pub fn pow(self, mut exponent: u64) -> Self {
        let (mut base, mut out) = (self, Gf::ONE);
        while exponent > 0 {
            if exponent & 1 == 1 {
                out = out * base;
            }
            base = base * base;
            exponent >>= 1;
        }
        out
    }

    /// A root of unity of order 2^`log`, of norm one.
    pub fn root(log: u32) -> Self {
        let mut seed = 2;
        loop {
            let unit = Gf { re: seed, im: 1 }.unit();
            let half = unit.pow(1 << 60);
            if half != Gf::ONE {
                return unit.pow(1 << (61 - log));
            }
            seed += 1;
        }
    }

    /// z / z̄, of norm one; one for zero.
    pub fn unit(self) -> Self {
        if self == Gf::ZERO { Gf::ONE } else { self * self.conj().inverse() }
    }
}

impl std::ops::Add for Gf {
    type Output = Gf;
    fn add(self, o: Gf) -> Gf {
        Gf { re: add(self.re, o.re), im: add(self.im, o.im) }
    }
}

impl std::ops::Sub for Gf {
    type Output = Gf;
    fn sub(self, o: Gf) -> Gf {
        Gf { re: sub(self.re, o.re), im: sub(self.im, o.im) }
    }
}

impl std::ops::Mul for Gf {
    type Output = Gf;
    fn mul(self, o: Gf) -> Gf {
        Gf {
            re: sub(mul(self.re, o.re), mul(self.im, o.im)),
            im: add(mul(self.re, o.im), mul(self.im, o.re)),
        }
    }
}

impl std::ops::Neg for Gf {
    type Output = Gf;
    fn neg(self) -> Gf {
        Gf::ZERO - self
    }
}

/// A hash of some words, well mixed: the source of all random elements.
/// The same words give the same element on every rank.
pub fn hash(words: &[u64]) -> u64 {
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |h, &w| {
        let mut z = (h ^ w).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A random element, real or not, determined by the words.
pub fn random(words: &[u64], complex: bool) -> Gf {
    let h = hash(words);
    Gf { re: h % P, im: if complex { hash(&[h]) % P } else { 0 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conjugation_is_the_frobenius_map() {
        for k in 0..5 {
            let z = random(&[k], true);
            assert_eq!(z.pow(P), z.conj());
            assert_eq!(z * z.inverse(), Gf::ONE);
            assert_eq!(z.unit().norm(), 1);
        }
    }

    #[test]
    fn fourier_transforms_of_powers_of_two_are_unitary() {
        for log in 0..5 {
            let n = 1 << log;
            let w = Gf::root(log);
            assert_eq!(w.pow(n), Gf::ONE);
            for a in 0..n {
                for b in 0..n {
                    let product =
                        (0..n).fold(Gf::ZERO, |s, k| s + w.pow(a * k).conj() * w.pow(b * k));
                    let expected = if a == b { Gf::real(n) } else { Gf::ZERO };
                    assert_eq!(product, expected, "n {n}");
                }
            }
        }
    }
}
