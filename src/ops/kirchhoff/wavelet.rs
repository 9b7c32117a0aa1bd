//! The wavelet as the wave equation asks for: `W √(i ω)` in two dims, `-i ω W` in three.

use crate::data::{Region, Source};
use crate::ops::OperatorError;
use num_complex::Complex64;
use std::f64::consts::TAU;

/// The filtered wavelet; the first two samples of time say its step.
pub(super) fn filtered(wav: &Source, t: &Source, dims: usize) -> Result<Source, OperatorError> {
    let n = wav.len();
    let data = |error: crate::data::DataError| OperatorError(format!("{}: {error}", super::KIND));
    let double = crate::Dtype::F64;
    let both = [t.slice(0..2).map_err(data)?.cast(double), wav.cast(double)];
    let both = both.into_iter().collect::<Result<Vec<_>, _>>().map_err(data)?;
    let both = Source::concat(0, both).map_err(data)?;
    Ok(both.derived([n], move |given: &[Complex64], region: &Region| {
        let whole = filter(&given[2..], (given[1] - given[0]).re, dims);
        whole[region.start()[0]..][..region.dims()[0]].to_vec()
    }))
}

fn filter(wav: &[Complex64], dt: f64, dims: usize) -> Vec<Complex64> {
    let n = wav.len();
    let turn = |j: usize, k: usize| Complex64::cis(TAU * ((j * k) % n) as f64 / n as f64);
    let spectrum = (0..=n / 2).map(|k| {
        let value: Complex64 = wav.iter().enumerate().map(|(j, w)| w * turn(j, k).conj()).sum();
        let omega = Complex64::new(0.0, TAU * k as f64 / (n as f64 * dt));
        value * if dims == 2 { omega.sqrt() } else { -omega }
    });
    let spectrum: Vec<Complex64> = spectrum.collect();
    let sample = |j: usize| {
        let waves = spectrum.iter().enumerate().map(|(k, value)| {
            let twice = if k == 0 || 2 * k == n { 1.0 } else { 2.0 };
            twice * (value * turn(j, k)).re
        });
        Complex64::from(waves.sum::<f64>() / n as f64)
    };
    (0..n).map(sample).collect()
}
