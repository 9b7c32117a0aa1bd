//! Why a command did not succeed, and whose fault that is.

use crate::check::Fault;
use crate::data::DataError;
use crate::expr::ExprError;
use crate::planned::PlanningError;
use crate::problem::Diagnostic;
use crate::runtime::RunError;
use crate::runtime::comm::exit_code;
use adjoin_passes::error::PlanError;

/// A command that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The problem is at fault, and where.
    #[error(transparent)]
    Problem(#[from] Box<Diagnostic>),
    /// The user is at fault elsewhere.
    #[error("{0}")]
    User(String),
    /// Nothing can be planned.
    #[error(transparent)]
    Planning(#[from] PlanningError),
    /// Nothing could be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Operators do not do what they claim.
    #[error("{} {} wrong", .0.len(), if .0.len() == 1 { "operator is" } else { "claims are" })]
    Faults(Vec<Fault>),
    /// A rank has failed and has said why; its exit code.
    #[error("a rank has failed")]
    Said(u8),
    /// We are at fault.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Failure {
    /// The exit code: 2 for the user's errors, 1 for ours.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Problem(_) | Failure::User(_) | Failure::Faults(_) => 2,
            Failure::Planning(error) => match error {
                PlanningError::Expression(_)
                | PlanningError::Plan(
                    PlanError::Impossible(_) | PlanError::Pinned(_) | PlanError::TooLarge(_),
                ) => 2,
                PlanningError::Plan(PlanError::Broken { .. } | PlanError::Refuted(_)) => 1,
            },
            Failure::Run(error) => match error {
                RunError::Failed { message, .. } => exit_code(message),
                RunError::Launcher(_) | RunError::Unfit(_) => 2,
                RunError::Comm(_) | RunError::Unbindable(_) | RunError::Unknown { .. } => 1,
            },
            Failure::Said(code) => *code,
            Failure::Internal(_) => 1,
        }
    }

    /// What the user reads, ending in a newline.
    pub fn render(&self) -> String {
        match self {
            Failure::Problem(diagnostic) => diagnostic.render(),
            Failure::Faults(faults) => {
                let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
                lines.join("\n") + "\n"
            }
            Failure::Said(_) => String::new(),
            other => format!("adjoin: {other}\n"),
        }
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Failure::Problem(Box::new(diagnostic))
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Failure::User(error.to_string())
    }
}

impl From<ExprError> for Failure {
    fn from(error: ExprError) -> Self {
        Failure::Planning(error.into())
    }
}
