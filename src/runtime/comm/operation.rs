//! What can be prepared: an operation with its counts, and what they must satisfy.
//!
//! | operation | `send` of a rank | `recv` of a rank |
//! |---|---|---|
//! | `all_reduce` | `count` | `count` |
//! | `reduce` | `count` | `count` at the root, else nothing |
//! | `broadcast` | `count` at the root, else nothing | `count` |
//! | `reduce_scatter` | the sum of `counts` | `counts[rank]` |
//! | `all_gather` | `counts[rank]` | the sum of `counts` |
//! | `all_to_all` | the sum of `send` | the sum of `recv` |
//! | `exchange` | the counts of `sends` | the counts of `recvs` |

use super::CommError;

/// The largest tag that every back end can carry.
pub const LARGEST_TAG: u32 = 32_767;

/// The type of what is communicated; complex numbers travel as twice as many reals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Elem {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// Bytes, which can be moved and not reduced.
    U8,
    /// So many numbers in double precision and then so many in single precision, which are only
    /// added, each in its own precision.
    Both {
        /// Those in double precision.
        double: usize,
        /// Those in single precision.
        single: usize,
    },
}

impl Elem {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Elem::F32 => 4,
            Elem::F64 => 8,
            Elem::U8 => 1,
            Elem::Both { double, single } => 8 * double + 4 * single,
        }
    }
}

/// How elements of different ranks are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReduceOp {
    /// Their sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// One message of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// The rank at the other end.
    pub peer: usize,
    /// Tells messages between the same ranks apart; at most [`LARGEST_TAG`].
    pub tag: u32,
    /// Elements.
    pub count: usize,
}

/// A communication call as one rank sees it; counts are in elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Combines the arrays of all ranks, for all.
    AllReduce {
        /// Elements on each rank.
        count: usize,
        /// Their type.
        elem: Elem,
        /// How they are combined.
        op: ReduceOp,
    },
    /// Combines the arrays of all ranks, for one.
    Reduce {
        /// Elements on each rank.
        count: usize,
        /// Their type.
        elem: Elem,
        /// How they are combined.
        op: ReduceOp,
        /// The rank that gets the result.
        root: usize,
    },
    /// Gives one rank's array to all.
    Broadcast {
        /// Elements.
        count: usize,
        /// Their type.
        elem: Elem,
        /// The rank that has the array.
        root: usize,
    },
    /// Combines the arrays of all ranks, one consecutive part for each.
    ReduceScatter {
        /// Elements that each rank gets, the same list on all ranks.
        counts: Vec<usize>,
        /// Their type.
        elem: Elem,
        /// How they are combined.
        op: ReduceOp,
    },
    /// Puts the arrays of all ranks one after another, for all.
    AllGather {
        /// Elements that each rank gives, the same list on all ranks.
        counts: Vec<usize>,
        /// Their type.
        elem: Elem,
    },
    /// Moves a part from each rank to each rank.
    AllToAll {
        /// Elements for each rank, one part after another.
        send: Vec<usize>,
        /// Elements from each rank, one part after another.
        recv: Vec<usize>,
        /// Their type.
        elem: Elem,
    },
    /// Sends and receives a list of messages.
    Exchange {
        /// Messages to send, packed one after another.
        sends: Vec<Message>,
        /// Messages to receive, one after another.
        recvs: Vec<Message>,
        /// The type of all of them.
        elem: Elem,
    },
}

impl Operation {
    /// The name that plans use.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::AllReduce { .. } => "all_reduce",
            Operation::Reduce { .. } => "reduce",
            Operation::Broadcast { .. } => "broadcast",
            Operation::ReduceScatter { .. } => "reduce_scatter",
            Operation::AllGather { .. } => "all_gather",
            Operation::AllToAll { .. } => "all_to_all",
            Operation::Exchange { .. } => "exchange",
        }
    }

    /// The type of its elements.
    pub fn elem(&self) -> Elem {
        match *self {
            Operation::AllReduce { elem, .. }
            | Operation::Reduce { elem, .. }
            | Operation::Broadcast { elem, .. }
            | Operation::ReduceScatter { elem, .. }
            | Operation::AllGather { elem, .. }
            | Operation::AllToAll { elem, .. }
            | Operation::Exchange { elem, .. } => elem,
        }
    }

    /// How it combines elements, if it does.
    pub fn reduce_op(&self) -> Option<ReduceOp> {
        match *self {
            Operation::AllReduce { op, .. }
            | Operation::Reduce { op, .. }
            | Operation::ReduceScatter { op, .. } => Some(op),
            Operation::Broadcast { .. }
            | Operation::AllGather { .. }
            | Operation::AllToAll { .. }
            | Operation::Exchange { .. } => None,
        }
    }

    /// Elements that `rank` packs.
    pub fn send_count(&self, rank: usize) -> usize {
        match self {
            Operation::AllReduce { count, .. } | Operation::Reduce { count, .. } => *count,
            Operation::Broadcast { count, root, .. } => count_at(rank == *root, *count),
            Operation::ReduceScatter { counts, .. } => counts.iter().sum(),
            Operation::AllGather { counts, .. } => counts[rank],
            Operation::AllToAll { send, .. } => send.iter().sum(),
            Operation::Exchange { sends, .. } => sends.iter().map(|m| m.count).sum(),
        }
    }

    /// Elements that `rank` unpacks.
    pub fn recv_count(&self, rank: usize) -> usize {
        match self {
            Operation::AllReduce { count, .. } | Operation::Broadcast { count, .. } => *count,
            Operation::Reduce { count, root, .. } => count_at(rank == *root, *count),
            Operation::ReduceScatter { counts, .. } => counts[rank],
            Operation::AllGather { counts, .. } => counts.iter().sum(),
            Operation::AllToAll { recv, .. } => recv.iter().sum(),
            Operation::Exchange { recvs, .. } => recvs.iter().map(|m| m.count).sum(),
        }
    }

    /// Bytes that one start on `rank` counts.
    pub fn payload(&self, rank: usize) -> usize {
        let received = self.recv_count(rank);
        let count = match self {
            Operation::Exchange { .. } => received,
            Operation::AllReduce { .. }
            | Operation::Reduce { .. }
            | Operation::Broadcast { .. }
            | Operation::ReduceScatter { .. }
            | Operation::AllGather { .. }
            | Operation::AllToAll { .. } => received.max(self.send_count(rank)),
        };
        count * self.elem().size()
    }

    /// Whether `rank` of `size` can do it; what other ranks ask for is not looked at.
    pub fn check(&self, rank: usize, size: usize) -> Result<(), CommError> {
        let invalid = |reason| CommError::Invalid { rank, operation: self.name(), reason };
        if self.reduce_op().is_some() && self.elem() == Elem::U8 {
            return Err(invalid("bytes cannot be combined".into()));
        }
        if matches!(self.elem(), Elem::Both { .. }) && self.reduce_op() != Some(ReduceOp::Sum) {
            return Err(invalid("numbers of both precisions are only added".into()));
        }
        match self {
            Operation::AllReduce { .. } => Ok(()),
            Operation::Reduce { root, .. } | Operation::Broadcast { root, .. } => {
                check_rank("its root", *root, size)
            }
            Operation::ReduceScatter { counts, .. } | Operation::AllGather { counts, .. } => {
                check_counts(counts, size)
            }
            Operation::AllToAll { send, recv, .. } => {
                check_counts(send, size).and_then(|()| check_counts(recv, size))
            }
            Operation::Exchange { sends, recvs, .. } => {
                sends.iter().chain(recvs).try_for_each(|message| check_message(message, size))
            }
        }
        .map_err(invalid)
    }
}

fn count_at(here: bool, count: usize) -> usize {
    if here { count } else { 0 }
}

fn check_rank(what: &str, rank: usize, size: usize) -> Result<(), String> {
    if rank < size {
        return Ok(());
    }
    Err(format!("{what} is rank {rank}, and the communicator has {size} ranks"))
}

fn check_counts(counts: &[usize], size: usize) -> Result<(), String> {
    if counts.len() == size {
        return Ok(());
    }
    Err(format!("it has {} counts, and the communicator has {size} ranks", counts.len()))
}

fn check_message(message: &Message, size: usize) -> Result<(), String> {
    check_rank("a peer", message.peer, size)?;
    if message.tag <= LARGEST_TAG {
        return Ok(());
    }
    Err(format!("tag {} is above {LARGEST_TAG}", message.tag))
}

/// Byte ranges of consecutive parts of `counts` elements of `size` bytes.
pub(super) fn ranges(counts: &[usize], size: usize) -> Vec<std::ops::Range<usize>> {
    let mut end = 0;
    let part = |count: &usize| {
        let start = end;
        end += count * size;
        start..end
    };
    counts.iter().map(part).collect()
}
