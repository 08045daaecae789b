//! The subcommands that need no running node.

mod prompts;

pub use prompts::PromptsArgs;
