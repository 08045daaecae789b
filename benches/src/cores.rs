//! Which core runs what.

use rustix::thread::{CpuSet, sched_setaffinity};

/// Moves the calling thread, and what it starts from now on, to one core.
///
/// # Errors
/// The core is not ours to use.
pub fn move_to(core: usize) -> std::io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}
