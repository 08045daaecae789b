//! `[control]`: how the running node is reached from the command line.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::read::Table;

/// The control socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// A Unix socket, made with mode 0600.
    pub socket: PathBuf,
    /// A draining node ends its last calls after this long.
    pub drain_deadline: Duration,
}

impl Control {
    /// The defaults, under the folder `base`.
    pub(super) fn at(base: &Path) -> Self {
        Self { socket: base.join("var/control.sock"), drain_deadline: Duration::from_secs(3_600) }
    }
}

pub(super) fn read(table: &Table<'_>) -> Control {
    let default = Control::at(table.base());
    let drain_deadline = table.duration("drain_deadline_minutes", 60, 1..=1_440);
    Control {
        socket: table.path("socket").unwrap_or(default.socket),
        drain_deadline: drain_deadline.unwrap_or(default.drain_deadline),
    }
}
