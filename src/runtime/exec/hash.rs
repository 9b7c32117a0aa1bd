//! A hash of what all ranks must agree on before they communicate.

use adjoin_passes::calls::{Call, Calls, Kind};
use adjoin_passes::ir::Plan;
use std::io::{self, Write};

/// FNV-1a, whose value does not depend on the machine.
struct Fnv(u64);

impl Write for Fnv {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The plan, and of the calls the order of all transfers and whether each collective is waited for
/// at once; messages match whoever waits for them first.
pub(super) fn global(plan: &Plan, calls: &Calls) -> Result<u64, String> {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    serde_json::to_writer(&mut hash, plan).map_err(|error| error.to_string())?;
    let write = |error: io::Error| error.to_string();
    write!(hash, "{}", calls.groups.len()).map_err(write)?;
    for block in &calls.blocks {
        write!(hash, "{:?}", block.name).map_err(write)?;
        for (k, call) in block.calls.iter().enumerate() {
            match call {
                Call::Start { id, transfer } => {
                    let t = transfer;
                    let at_once = t.kind != Kind::Exchange && waits_next(&block.calls, k, *id);
                    write!(hash, "{:?}", (t.kind, t.group, t.tag, t.add, at_once))
                        .map_err(write)?;
                }
                Call::Wait { id } => write!(hash, "wait {id}").map_err(write)?,
                Call::Kernel(_) | Call::Local { .. } | Call::Region { .. } | Call::Copy { .. } => {}
            }
        }
    }
    Ok(hash.0)
}

/// Whether the call after this start is its wait.
pub(super) fn waits_next(calls: &[Call], start: usize, id: u32) -> bool {
    calls.get(start + 1) == Some(&Call::Wait { id })
}
