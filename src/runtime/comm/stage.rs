//! Whether a prepared operation is idle, started or failed, and what that allows.

use super::CommError;

/// After a failure other ranks may still read this rank's staging, so that it is never lent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    Started,
    Failed,
}

impl Stage {
    pub(super) fn start(&mut self) -> Result<(), CommError> {
        if *self == Stage::Started {
            return Err(CommError::Order { call: "start" });
        }
        Ok(())
    }

    pub(super) fn wait(self) -> Result<(), CommError> {
        match self {
            Stage::Started => Ok(()),
            Stage::Idle | Stage::Failed => Err(CommError::Order { call: "wait" }),
        }
    }
}
