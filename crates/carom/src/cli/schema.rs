//! `carom schema`: JSON Schema for editors.

use std::process::ExitCode;

use crate::schema::{Kind, schema};

/// Arguments of `carom schema`.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// Which files it is for.
    #[arg(value_enum)]
    kind: Kind,
}

impl SchemaArgs {
    /// Prints the schema.
    ///
    /// # Errors
    /// None.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        println!("{:#}", schema(self.kind));
        Ok(ExitCode::SUCCESS)
    }
}
