//! `carom graph`: a flow as a drawing.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use deflect_actions::store::Cell;
use ivr_runtime::graph::{Visits, dot, draw, mermaid, svg};

use super::{ConfigArg, by_day};
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
    /// The flow: its file, or its name in the configuration; left out, the configuration's only flow.
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
        let config = self.config.config.as_deref();
        let files = super::flows_meant(config, self.flow.as_slice())?;
        let (snapshot, report) = config::check(config, &files);
        let Some(snapshot) = snapshot else { bail!("the flow has errors:\n{report}") };
        let [flow] = snapshot.flows.as_slice() else {
            let names = snapshot.flows.iter().map(|flow| format!("`{}`", flow.name));
            bail!("there are several flows; name one: {}", names.collect::<Vec<_>>().join(", "));
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
    // Of steps that are deleted, too.
    let range = by_day::range(wall_ms(), i64::from(days) * DAY_MS);
    let report = store.report("step_visits", &range).await?;
    let mut visits: BTreeMap<String, Visits> = BTreeMap::new();
    for row in &report.rows {
        let [Cell::Text(of), Cell::Text(step), Cell::Text(exit), Cell::Number(n)] = &row[..] else {
            continue;
        };
        if of == flow {
            let n = u64::try_from(*n).unwrap_or(0);
            let step = visits.entry(step.clone()).or_default();
            step.visits += n;
            step.hang_ups += if exit == "hangup" { n } else { 0 };
        }
    }
    Ok(visits)
}
