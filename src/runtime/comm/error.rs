//! What can go wrong between ranks.

/// How the message of a rank begins that has panicked.
pub(crate) const PANICKED: &str = "it panicked";

/// The exit code after a rank has failed with this message: a panic is a fault of the program.
pub(crate) fn exit_code(message: &str) -> u8 {
    if message.contains(PANICKED) { 1 } else { 2 }
}

/// An error of a communicator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommError {
    /// A rank called `fail` or panicked.
    #[error("rank {rank} failed: {message}")]
    Failed {
        /// The rank in the world.
        rank: usize,
        /// What it said.
        message: String,
    },
    /// An operation that no communicator of this size can do.
    #[error("rank {rank} cannot prepare {operation}: {reason}")]
    Invalid {
        /// The rank that asked for it.
        rank: usize,
        /// The operation's name.
        operation: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Ranks prepared different operations at the same place of their programs.
    #[error("rank {rank} asked for {theirs} where rank {against} asked for {ours}")]
    Mismatch {
        /// The first rank that differs.
        rank: usize,
        /// The rank that it is compared with.
        against: usize,
        /// What `rank` asked for.
        theirs: String,
        /// What `against` asked for.
        ours: String,
    },
    /// A message is longer or shorter than its receiver expects.
    #[error(
        "rank {from} sent {sent} bytes with tag {tag}, and rank {to} expected {expected} bytes"
    )]
    Length {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
        /// The message's tag.
        tag: u32,
        /// Bytes sent.
        sent: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// One side of a pair of ranks is too far ahead of the other.
    #[error(
        "more than {depth} messages from rank {from} to rank {to} with tag {tag} are under way"
    )]
    Full {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
        /// The messages' tag.
        tag: u32,
        /// How many of them may be under way.
        depth: usize,
    },
    /// `start` while started, or `wait` while not.
    #[error("{call} is out of order: an operation is started, then waited for")]
    Order {
        /// The call at fault.
        call: &'static str,
    },
    /// Ranks were meant to hold the same value.
    #[error("rank {rank} disagrees with rank 0")]
    Disagree {
        /// The first rank that differs.
        rank: usize,
    },
    /// A communication library reported an error.
    #[error("{call} failed with code {code}: {text}")]
    Library {
        /// The library's function.
        call: &'static str,
        /// Its return code.
        code: i32,
        /// The library's text for the code.
        text: String,
    },
    /// The communication library cannot be used from here.
    #[error("{0}")]
    Unusable(&'static str),
}
