//! `carom erase`: a person is forgotten.

use std::process::ExitCode;

use anyhow::bail;

use super::node::NodeArgs;
use crate::control::Request;

/// Arguments of `carom erase`.
#[derive(Debug, clap::Args)]
pub struct EraseArgs {
    /// The number, such as +447700900123.
    number: String,
    /// X of [business.X]; left out, all.
    #[arg(long, value_name = "X")]
    business: Option<String>,
    /// Ask nothing.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    node: NodeArgs,
}

impl EraseArgs {
    /// `carom erase NUMBER`.
    ///
    /// # Errors
    /// It is not confirmed, no node runs, or its store is down.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let question = "Forget this number? Nothing of it can be read, or called back, any more.";
        if !self.yes && !super::confirmed(question)? {
            bail!("nothing was erased");
        }
        self.node.print(&Request::Erase { number: self.number, business: self.business })
    }
}
