//! A plan that was saved and reviewed: it is the one that would run, or the first difference.

use super::Failure;
use crate::planned::Planned;
use adjoin_passes::text::parse;
use adjoin_passes::{Mesh, Plan};
use std::path::Path;

/// A plan as it was written.
pub(super) struct Saved {
    name: String,
    text: String,
    plan: Plan,
}

impl Saved {
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::User(format!("cannot read {name}: {error}")))?;
        let plan = parse(&text)
            .map_err(|error| Failure::User(format!("{name} is not a plan: {error}")))?;
        Ok(Saved { name, text, plan })
    }

    /// The mesh that it is for.
    pub fn mesh(&self) -> &Mesh {
        &self.plan.mesh
    }

    /// An error unless it is the given plan, line by line.
    pub fn check(&self, planned: &Planned) -> Result<(), Failure> {
        let made = planned.to_string();
        let (mut saved, mut made) = (self.text.trim_end().lines(), made.trim_end().lines());
        for line in 1.. {
            let (was, is) = (saved.next(), made.next());
            if was.is_none() && is.is_none() {
                break;
            }
            if was.map(str::trim_end) != is.map(str::trim_end) {
                let shown = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
                return Err(Failure::User(format!(
                    "{}:{line}: this problem has another plan now\n  reviewed: {}\n  now:      {}",
                    self.name,
                    shown(was),
                    shown(is)
                )));
            }
        }
        Ok(())
    }
}
