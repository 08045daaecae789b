//! `[control]`: how the running node is reached from the command line.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use ivr_runtime::diagnose::{self, Notes};

use super::read::Table;

/// The control socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// A Unix socket, made with mode 0600.
    pub socket: PathBuf,
    /// A draining node ends its last calls after this long; zero: at once.
    pub drain_deadline: Duration,
}

impl Control {
    /// The defaults, under the folder `base`.
    pub(super) fn at(base: &Path) -> Self {
        Self { socket: base.join("var/control.sock"), drain_deadline: Duration::from_secs(3_600) }
    }

    /// The socket that the text of a `carom.toml` names, whatever else is wrong with it.
    pub(super) fn socket_in(text: &str, base: &Path) -> PathBuf {
        let tree = diagnose::tree(text, &Notes::default());
        let control =
            tree.get_ref().get("control").and_then(|control| control.get_ref().as_table());
        let socket = control.and_then(|table| table.get("socket")?.get_ref().as_str());
        socket.map_or_else(|| Self::at(base).socket, |socket| base.join(socket))
    }
}

pub(super) fn read(table: &Table<'_>) -> Control {
    let default = Control::at(table.base());
    let drain_deadline = table.duration("drain_deadline_minutes", 60, 0..=1_440);
    Control {
        socket: table.path("socket").unwrap_or(default.socket),
        drain_deadline: drain_deadline.unwrap_or(default.drain_deadline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_found_in_a_file_with_errors() {
        let socket = |text| Control::socket_in(text, Path::new("/etc/carom"));
        let named = "nonsense = 1\n[control]\nsocket = \"run/x.sock\"\n[media]\nports = ";
        assert_eq!(socket(named), Path::new("/etc/carom/run/x.sock"));
        assert_eq!(socket("[control]\nsocket = 7"), Path::new("/etc/carom/var/control.sock"));
        assert_eq!(socket(""), Path::new("/etc/carom/var/control.sock"));
    }
}
