//! The run time: what executes a lowered plan on real ranks.

pub mod comm;
