//! Machine models: built-in ones, those in TOML files, and the measurement of this machine.

mod calibrate;

pub use adjoin_passes::machine::{Flops, Kernel, Link, Machine, Memory, Shares};
pub use calibrate::{Effort, Readings, calibrate, crowd, quartile};

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
    use adjoin_passes::signature::Class;

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

    /// Two cores that share their memory, and classes of which something was measured.
    const NODE: &str = r#"
        name = "a node"
        launch = 1e-7
        step = 2e-8
        cores = 2
        flops = { single = 4e10, double = 2e10 }
        memory = [{ within = 1e6, bandwidth = 1e11 }, { bandwidth = 2e10, total = 3e10 }]
        links = [{ latency = 1e-6, crowded = 4e-6, bandwidth = 5e9 }]
        [kernels.stencil.across]
        single = 0.75
        memory = [1.0, 0.25]
        [kernels.gather]
    "#;

    #[test]
    fn a_measured_node_is_read_and_written() {
        let node = parse("node.toml", NODE).unwrap();
        assert_eq!((node.step, node.cores, node.links[0].crowded), (2e-8, Some(2), 4e-6));
        assert_eq!([node.memory[0].total, node.memory[1].total], [None, Some(3e10)]);
        let across = Shares { single: 0.75, double: 1.0, memory: vec![1.0, 0.25] };
        let stencil = Kernel { along: Shares::default(), across };
        let kernels = [(Class::Stencil, stencil), (Class::Gather, Kernel::default())];
        assert_eq!(node.kernels, kernels.into());
        assert_eq!(parse("again", &text(&node)), Ok(node));
    }

    /// A file without what only measured nodes say is written without it, too.
    #[test]
    fn what_a_file_does_not_say_is_plain() {
        let plain = r#"
            name = "plain"
            launch = 1e-7
            flops = { single = 4e10, double = 2e10 }
            memory = [{ bandwidth = 2.5e10 }]
            links = [{ latency = 2e-6, bandwidth = 5e9 }]
        "#;
        let plain = parse("plain.toml", plain).unwrap();
        let source = Machine::default().source;
        assert_eq!(
            Machine { name: Machine::default().name, source, ..plain.clone() },
            Machine::default()
        );
        let written = text(&plain);
        let new = ["step", "cores", "total", "crowded", "kernels"];
        assert!(new.iter().all(|field| !written.contains(field)), "{written}");
        assert_eq!((plain.crowd(), plain.among(64).crowd()), (1.0, 1.0));
    }

    #[test]
    fn what_is_wrong_of_a_measured_node_is_named() {
        let message = |good: &str, wrong: &str| {
            assert!(NODE.contains(good), "{good}");
            parse("m.toml", &NODE.replace(good, wrong)).unwrap_err().to_string()
        };
        let whole = [
            ("step = 2e-8", "step = -2e-8", "step = -0.00000002 is no time"),
            ("cores = 2", "cores = 0", "cores = 0 are none"),
            ("total = 3e10", "total = 0", "memory.total = 0 is no positive number"),
            ("crowded = 4e-6", "crowded = -1", "links.crowded = -1 is no time"),
            ("single = 0.75", "single = -0.75", "kernels.stencil has -0.75, which is no share"),
            ("[1.0, 0.25]", "[1.0, 0.0]", "kernels.stencil has 0, which is no share"),
            ("[1.0, 0.25]", "[nan]", "kernels.stencil has NaN, which is no share"),
        ];
        for (good, wrong, reason) in whole {
            assert_eq!(message(good, wrong), format!("m.toml is no machine: {reason}"));
        }
        let quoted = [
            ("kernels.gather", "kernels.stencils", "unknown variant `stencils`"),
            ("stencil.across", "stencil.sideways", "unknown field `sideways`"),
            ("single = 0.75", "triple = 0.75", "unknown field `triple`"),
            ("cores = 2", "cores = 2.5", "cores = 2.5"),
            ("crowded", "crowd", "unknown field `crowd`"),
            ("total", "sum", "unknown field `sum`"),
        ];
        for (good, wrong, part) in quoted {
            let message = message(good, wrong);
            assert!(message.contains(part) && message.contains(wrong), "{message}");
        }
    }
}
