//! What was measured of a machine: seconds by what took them.
//!
//! Whoever else uses a machine makes things longer, for moments or for minutes.
//! So readings may be taken in several sittings, with time between them: what counts is the first
//! quartile of all that were ever taken of a thing.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a machine was seen to take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Readings(BTreeMap<String, Vec<f64>>);

impl Readings {
    /// Those that a text holds, which [`Readings::text`] wrote.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// All of them.
    pub fn text(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// Notes what something took, several times; what it takes by all that is known.
    pub(super) fn note(&mut self, what: String, seconds: &[f64]) -> f64 {
        let all = self.0.entry(what).or_default();
        all.extend(seconds);
        quartile(&mut all.clone())
    }
}

/// The first quartile of some times.
pub fn quartile(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 4).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_quartile_of_all_sittings_counts() {
        let mut readings = Readings::default();
        let mut note = |seconds: &[f64]| readings.note("a sum of 8 bytes".into(), seconds);
        assert_eq!(note(&[3.0, 2.0, 5.0, 4.0]), 3.0);
        assert_eq!(note(&[1.0, 1.0]), 1.0);
        assert_eq!(note(&[9.0, 9.0]), 2.0);
        assert_eq!(Readings::parse(&readings.text()), Ok(readings));
        assert!(Readings::parse("a = 'b'").is_err());
        assert_eq!(quartile(&mut []), 0.0);
    }
}
