//! `carom graph`: a flow as a drawing.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use deflect_actions::store::Cell;
use ivr_runtime::graph::{Visits, dot, draw, mermaid, svg};

use super::ConfigArg;
use crate::{
    config::{self, Config},
    node::clock::wall_ms,
};

const DAY_MS: i64 = 86_400_000;

/// Arguments of `carom graph`.
#[derive(Debug, clap::Args)]
pub struct GraphArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The flow file; left out, the configuration's only flow.
    flow: Option<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
    /// Lays over it how often each step was entered, and left by hanging up, as the store of the
    /// configuration has it.
    #[arg(long)]
    with_store: bool,
    /// … in so many days up to now.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A flowchart for Markdown pages.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture that any browser shows.
    Svg,
}

impl GraphArgs {
    /// Prints the drawing.
    ///
    /// # Errors
    /// A flow with errors, several flows and none named, a store that can't be read.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let files: Vec<PathBuf> = self.flow.iter().cloned().collect();
        let (snapshot, report) = config::check(self.config.config.as_deref(), &files);
        let Some(snapshot) = snapshot else { bail!("the flow has errors:\n{report}") };
        let [flow] = snapshot.flows.as_slice() else {
            let files = snapshot.sources.iter().map(|source| source.file.display().to_string());
            bail!("there are several flows; name one: {}", files.collect::<Vec<_>>().join(", "));
        };
        let visits = match self.with_store {
            true => super::run::runtime()?
                .block_on(visits(&snapshot.config, &flow.name, self.days))
                .context("[store]")?,
            false => BTreeMap::new(),
        };
        let drawing = draw(flow, &visits);
        let text = match self.format {
            Format::Mermaid => mermaid(&drawing),
            Format::Dot => dot(&drawing),
            Format::Svg => svg(&drawing),
        };
        print!("{text}");
        Ok(ExitCode::SUCCESS)
    }
}

async fn visits(
    config: &Config,
    flow: &str,
    days: u16,
) -> anyhow::Result<BTreeMap<String, Visits>> {
    let store = super::past::store(config)?;
    let now_ms = wall_ms();
    let since_ms = now_ms - i64::from(days) * DAY_MS;
    let range = [Cell::Number(since_ms), Cell::Number(now_ms), Cell::Text(flow.to_owned())];
    let report = store.report("drop_off", &range).await?;
    let count = |row: usize, column: &str| match report.cell(row, column) {
        Some(Cell::Number(number)) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    };
    let rows = (0..report.rows.len()).filter_map(|row| match report.cell(row, "step") {
        Some(Cell::Text(step)) => {
            let (visits, hang_ups) = (count(row, "visits"), count(row, "hangups"));
            Some((step.clone(), Visits { visits, hang_ups }))
        }
        _ => None,
    });
    Ok(rows.collect())
}
