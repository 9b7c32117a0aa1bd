//! Why a plan could not be made.

use thiserror::Error;

/// An error of the compiler.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// What the user asked for cannot be planned.
    #[error("{0}")]
    Impossible(String),
    /// A placement that the user demands is impossible.
    #[error("{0}")]
    Pinned(String),
    /// Nothing fits into the memory of the machine.
    #[error("nothing fits into memory: {0}")]
    TooLarge(String),
    /// A pass broke a rule of the verifier: our bug.
    #[error("internal error: pass {pass} breaks the rule `{rule}`: {message}\n{plan}")]
    Broken {
        /// The pass.
        pass: &'static str,
        /// The rule.
        rule: &'static str,
        /// What is wrong.
        message: String,
        /// The plan with a note under the line at fault.
        plan: String,
    },
    /// The certificate refuted the plan: our bug.
    #[error("internal error: the plan does not compute its expression: {0}")]
    Refuted(String),
}
