//! Machine models: built-in ones, those in TOML files, and the measurement of this machine.

mod calibrate;

pub use adjoin_passes::machine::{Flops, Kernel, Link, Machine, Memory, Shares};
pub use calibrate::{calibrate, crowd};

use std::path::Path;

/// The models that come with adjoin: their names, and their files.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("cpu-cluster", include_str!("../../machines/cpu_cluster.toml")),
    ("gpu-node", include_str!("../../machines/gpu_node.toml")),
    ("gpu-cluster", include_str!("../../machines/gpu_cluster.toml")),
];

/// Why there is no such machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// The file cannot be read.
    #[error("cannot read the machine {path}: {reason}")]
    File {
        /// What was asked for.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The file is no machine.
    #[error("{path} is no machine: {reason}")]
    Content {
        /// What was asked for.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// A built-in model by its name, or the one in a file.
pub fn named(name: &str) -> Result<Machine, MachineError> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return parse(name, text);
    }
    let text = std::fs::read_to_string(Path::new(name)).map_err(|error| {
        let known: Vec<_> = BUILT_IN.iter().map(|(known, _)| *known).collect();
        let reason = format!("{error}; built in are {}", known.join(", "));
        MachineError::File { path: name.into(), reason }
    })?;
    parse(name, &text)
}

/// The model that a text in TOML describes; `path` is what errors call it.
pub fn parse(path: &str, text: &str) -> Result<Machine, MachineError> {
    let wrong = |reason: String| MachineError::Content { path: path.into(), reason };
    let machine: Machine =
        toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
    machine.check().map_err(wrong)?;
    Ok(machine)
}

/// The text of a model, which [`parse`] reads back.
pub fn text(machine: &Machine) -> String {
    toml::to_string_pretty(machine).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_models_are_sound_and_can_be_written() {
        for (name, _) in BUILT_IN {
            let machine = named(name).unwrap();
            assert_eq!(parse("again", &text(&machine)), Ok(machine));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |text: &str| parse("m.toml", text).unwrap_err().to_string();
        let good = text(&Machine::default());
        let slow = good.replace("bandwidth = 25000000000.0", "bandwidth = -1.0");
        assert_eq!(
            message(&slow),
            "m.toml is no machine: memory.bandwidth = -1 is no positive number"
        );
        assert!(message(&good.replace("launch", "lunch")).contains("lunch"));
        let missing = named("nowhere.toml").unwrap_err().to_string();
        assert!(missing.contains("nowhere.toml") && missing.contains("gpu-node"), "{missing}");
    }
}
