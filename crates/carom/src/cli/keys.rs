//! `carom rotate-key`: what the store keeps encrypted, under a new key.

use std::process::ExitCode;

use super::node::NodeArgs;
use crate::control::Request;

/// Arguments of `carom rotate-key`.
#[derive(Debug, clap::Args)]
pub struct RotateKeyArgs {
    /// Make no new key: encrypt anew under the first of those that [store] aead_key holds.
    #[arg(long)]
    reencrypt: bool,
    #[command(flatten)]
    node: NodeArgs,
}

impl RotateKeyArgs {
    /// `carom rotate-key`.
    ///
    /// # Errors
    /// No node runs, several do, or its store or the key's file fail.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        self.node.print(&Request::RotateKey { new_key: !self.reencrypt })
    }
}
