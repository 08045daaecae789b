//! Which core runs what.

use rustix::thread::{CpuSet, sched_setaffinity};

/// Moves the calling thread, and what it starts from now on, to these cores.
///
/// # Errors
/// They are not ours to use.
pub fn move_to(cores: &[usize]) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    Ok(sched_setaffinity(None, &set)?)
}
