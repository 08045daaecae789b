//! The subcommands that need no running node.
