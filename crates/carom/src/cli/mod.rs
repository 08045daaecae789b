//! The subcommands that need no running node.

mod check;
mod prompts;

pub use check::CheckArgs;
pub use prompts::PromptsArgs;
