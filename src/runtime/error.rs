//! Why a program could not be bound or run.

use super::comm::CommError;

/// An error of the run time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A rank could not go on, and all ranks have stopped; they all get the same text.
    #[error("rank {rank} failed: {message}")]
    Failed {
        /// The rank.
        rank: usize,
        /// What it was doing, and what went wrong.
        message: String,
    },
    /// Ranks could not communicate.
    #[error(transparent)]
    Comm(CommError),
    /// A plan that does not belong to this world or to these operators; all ranks see it alike.
    #[error("{0}")]
    Unbindable(String),
    /// The program has no slot, block, input, state, output or control of this name.
    #[error("the program has no {what} {name}; it has {known}")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A value that does not fit the place it is meant for.
    #[error("{0}")]
    Unfit(String),
    /// What started this process announces other ranks than there are.
    #[error("{0}")]
    Launcher(String),
}

impl RunError {
    /// Whether every rank finds the same by itself, so that nobody need be told.
    pub fn is_alike(&self) -> bool {
        match self {
            RunError::Failed { .. } | RunError::Comm(_) => false,
            RunError::Unbindable(_)
            | RunError::Unknown { .. }
            | RunError::Unfit(_)
            | RunError::Launcher(_) => true,
        }
    }

    /// Nothing of a kind has this name.
    pub(crate) fn unknown<'a>(
        what: &'static str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        RunError::Unknown { what, name: format!("`{name}`"), known }
    }
}

impl From<CommError> for RunError {
    fn from(error: CommError) -> Self {
        match error {
            CommError::Failed { rank, message } => RunError::Failed { rank, message },
            CommError::Invalid { .. }
            | CommError::Mismatch { .. }
            | CommError::Length { .. }
            | CommError::Full { .. }
            | CommError::Order { .. }
            | CommError::Disagree { .. }
            | CommError::Library { .. }
            | CommError::Unusable(_) => RunError::Comm(error),
        }
    }
}
