//! `carom text`: a text of the operator's own, after a question.

use std::process::ExitCode;

use anyhow::bail;

use super::node::NodeArgs;
use crate::control::{Request, TextOrdered};

/// Arguments of `carom text`.
#[derive(Debug, clap::Args)]
pub struct TextArgs {
    /// The phone: a number such as +447700900123.
    to: String,
    /// The text.
    text: String,
    /// X of [sender.X]; more than one in the order tried; left out, all.
    #[arg(long, value_name = "SENDER")]
    via: Vec<String>,
    /// Ask nothing.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    node: NodeArgs,
}

impl TextArgs {
    /// `carom text`.
    ///
    /// # Errors
    /// It is not confirmed, not sent, or no node runs.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let via = if self.via.is_empty() { "any sender".into() } else { self.via.join(", ") };
        let question = format!("Send this text to {} by {via}? It costs money.", self.to);
        if !self.yes && !super::confirmed(&question)? {
            bail!("nothing was sent");
        }
        let ordered = TextOrdered { to: self.to, text: self.text, via: self.via };
        self.node.print(&Request::Text(ordered))
    }
}
