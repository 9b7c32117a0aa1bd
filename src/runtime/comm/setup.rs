//! One-shot helpers for set-up, built on `prepare`; all of them are collective.

use super::{Comm, CommError, Elem, Operation, ReduceOp};

/// Bytes of a length or of a hash.
const WORD: usize = 8;

impl dyn Comm + '_ {
    /// Combines a few numbers of all ranks in place.
    pub fn all_reduce(&self, values: &mut [f64], op: ReduceOp) -> Result<(), CommError> {
        let operation = Operation::AllReduce { count: values.len(), elem: Elem::F64, op };
        let mut call = self.prepare(operation)?;
        call.send_as().copy_from_slice(values);
        call.run()?;
        values.copy_from_slice(call.recv_as());
        Ok(())
    }

    /// Gives the root's bytes to all ranks, which need not know how many there are.
    pub fn broadcast_bytes(&self, root: usize, bytes: &mut Vec<u8>) -> Result<(), CommError> {
        let mut count = (bytes.len() as u64).to_le_bytes().to_vec();
        self.broadcast_exactly(root, &mut count)?;
        bytes.resize(word(&count) as usize, 0);
        self.broadcast_exactly(root, bytes)
    }

    fn broadcast_exactly(&self, root: usize, bytes: &mut [u8]) -> Result<(), CommError> {
        let operation = Operation::Broadcast { count: bytes.len(), elem: Elem::U8, root };
        let mut call = self.prepare(operation)?;
        if self.rank() == root {
            call.send().copy_from_slice(bytes);
        }
        call.run()?;
        bytes.copy_from_slice(call.recv());
        Ok(())
    }

    /// The bytes of each rank, on all ranks.
    pub fn all_gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CommError> {
        let counts = self.lengths(bytes)?;
        let mut call =
            self.prepare(Operation::AllGather { counts: counts.clone(), elem: Elem::U8 })?;
        call.send().copy_from_slice(bytes);
        call.run()?;
        Ok(cut(call.recv(), &counts))
    }

    /// The bytes of each rank, on the root; nothing on the others.
    pub fn gather_bytes(&self, root: usize, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CommError> {
        let lengths = self.lengths(bytes)?;
        let mut send = vec![0; self.size()];
        *send.get_mut(root).ok_or_else(|| self.no_root(root))? = bytes.len();
        let here = self.rank() == root;
        let recv = if here { lengths.clone() } else { vec![0; self.size()] };
        let mut call = self.prepare(Operation::AllToAll { send, recv, elem: Elem::U8 })?;
        call.send().copy_from_slice(bytes);
        call.run()?;
        Ok(if here { cut(call.recv(), &lengths) } else { Vec::new() })
    }

    /// Checks that all ranks hold the same hash, and names the first that differs from rank 0.
    pub fn agree(&self, hash: u64) -> Result<(), CommError> {
        let words = self.all_words(hash)?;
        match words.iter().position(|&word| word != words[0]) {
            None => Ok(()),
            Some(rank) => Err(CommError::Disagree { rank }),
        }
    }

    fn lengths(&self, bytes: &[u8]) -> Result<Vec<usize>, CommError> {
        let words = self.all_words(bytes.len() as u64)?;
        Ok(words.into_iter().map(|length| length as usize).collect())
    }

    fn all_words(&self, mine: u64) -> Result<Vec<u64>, CommError> {
        let counts = vec![WORD; self.size()];
        let mut call = self.prepare(Operation::AllGather { counts, elem: Elem::U8 })?;
        call.send().copy_from_slice(&mine.to_le_bytes());
        call.run()?;
        Ok(call.recv().chunks_exact(WORD).map(word).collect())
    }

    fn no_root(&self, root: usize) -> CommError {
        let reason =
            format!("its root is rank {root}, and the communicator has {} ranks", self.size());
        CommError::Invalid { rank: self.rank(), operation: "gather", reason }
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("a word has eight bytes"))
}

fn cut(bytes: &[u8], counts: &[usize]) -> Vec<Vec<u8>> {
    super::operation::ranges(counts, 1).into_iter().map(|range| bytes[range].to_vec()).collect()
}
