//! More ranks on a machine than cores: those that wait must give way to those that work.
//!
//! Open MPI does so by itself only where its launcher was told how many cores there are.

use std::{env, fs};

/// What Open MPI reads when it is initialised.
const YIELD: &str = "OMPI_MCA_mpi_yield_when_idle";

/// Asks Open MPI, before it is initialised, to give way if ranks are crowded; what the user has
/// asked for stays.
pub(super) fn give_way() {
    let ranks = env::var("OMPI_COMM_WORLD_LOCAL_SIZE").ok().and_then(|n| n.parse().ok());
    let online = fs::read_to_string("/sys/devices/system/cpu/online").ok();
    if is_crowded(ranks, online.as_deref()) && env::var_os(YIELD).is_none() {
        // SAFETY: code in Rust reads the environment under the lock that this takes, and a host
        // program with threads that do not has initialised MPI by itself.
        unsafe { env::set_var(YIELD, "1") }
    }
}

/// Whether there are more ranks than cores; not if one of them is unknown.
fn is_crowded(ranks: Option<usize>, online: Option<&str>) -> bool {
    ranks.zip(online.and_then(cores)).is_some_and(|(ranks, cores)| ranks > cores)
}

/// How many cores a list such as `0-3,8` has.
fn cores(list: &str) -> Option<usize> {
    let number = |text: &str| text.parse::<usize>().ok();
    let count = |range: &str| match range.split_once('-') {
        None => number(range).map(|_| 1),
        Some((first, last)) => (number(last)? + 1).checked_sub(number(first)?),
    };
    list.trim().split(',').map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_counted() {
        let found = ["0", "0-1\n", "0-3,8", "2-3,5-5", "", "x", "3-1"].map(cores);
        assert_eq!(found, [Some(1), Some(2), Some(5), Some(3), None, None, None]);
    }

    #[test]
    fn what_is_not_known_is_not_crowded() {
        assert!(is_crowded(Some(3), Some("0-1")));
        assert!(!is_crowded(Some(2), Some("0-1")));
        assert!(!is_crowded(None, Some("0")));
        assert!(!is_crowded(Some(9), None));
    }
}
