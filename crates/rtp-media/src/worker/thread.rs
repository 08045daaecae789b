//! How the system runs a worker's thread: wishes, all of them.

use rustix::thread::{CpuSet, sched_setaffinity};

/// Above all ordinary threads, below whatever else is real-time.
const PRIORITY: libc::c_int = 1;

/// Binds the calling thread to a core. One that is not ours to use leaves it where it is.
pub(super) fn pin_to(core: usize) {
    let mut cores = CpuSet::new();
    if core < CpuSet::MAX_CPU {
        cores.set(core);
        let _ = sched_setaffinity(None, &cores);
    }
}

/// Puts the calling thread before all ordinary ones (`SCHED_RR`, which threads started from it do
/// not inherit); whether the system allows it. It needs `CAP_SYS_NICE` or an `RLIMIT_RTPRIO` of 1.
///
/// A worker sleeps after each turn that found anything, and the kernel leaves ordinary threads a share of the core
/// whatever it does (`sched_rt_runtime_us`).
pub(super) fn run_in_real_time() -> bool {
    // SAFETY: zero is a valid value of each of its integers.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = PRIORITY;
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 is the calling thread; the parameters outlive the call.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
}
