//! What commands that list things have in common.

use std::process::ExitCode;

use serde_json::Value;

use super::node::NodeArgs;
use crate::control::Request;

/// How much to list, and how.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// How many to list.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArgs,
}

impl ListArgs {
    /// Asks the node for so many, and prints each, or the answer as it is.
    ///
    /// # Errors
    /// No node runs, or its store is down.
    pub fn run(
        self,
        request: impl FnOnce(u32) -> Request,
        print: impl Fn(&Value),
    ) -> anyhow::Result<ExitCode> {
        let value = self.node.data(&request(self.limit))?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&value)?);
        } else {
            value.as_array().into_iter().flatten().for_each(print);
        }
        Ok(ExitCode::SUCCESS)
    }
}
