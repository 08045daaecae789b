//! `carom report`: what the store says of callers and of people on the digital side, past the node.

use std::process::ExitCode;

use deflect_actions::store::{Cell, Report, Store};
use serde_json::{Map, Value};

use super::{by_day, root::ConfigArg};
use crate::node::clock::wall_ms;

const DAY_MS: i64 = 86_400_000;
const PRESSES: &str = "presses";

/// Arguments of `carom report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// `engaged`: who used the digital side and did not call afterwards; `destinations`: how far
    /// people got at each; `waited`: who left the line with or without opening the link that was
    /// texted to them there; `channels`: calls of each day beside what other channels counted;
    /// `senders`: how much of each sender's texts arrived, and was taken for spam; `presses`: keys
    /// that callers pressed until an answer began; `steps`: how often each step was left by which
    /// exit, by flow, also of calls whose steps are deleted.
    #[arg(value_parser = [
        "engaged", "destinations", "waited", "channels", "senders", PRESSES, "steps",
    ])]
    what: String,
    /// So many days back.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
    /// Days within which a call counts as one after all; younger ones are left out.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    window_days: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ReportArgs {
    /// `carom report WHAT`.
    ///
    /// # Errors
    /// The configuration has errors, or its store does not answer.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let snapshot = super::load(self.config.config.as_deref())?;
        let range = self.range(wall_ms());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The pool of the database lives in the runtime.
        let report = runtime.block_on(async {
            let store = super::past::store(&snapshot.config)?;
            let report = match self.what.as_str() {
                PRESSES => {
                    let flows = snapshot.flows.iter().map(|flow| flow.name.as_str());
                    by_flow(&store, "presses_to_answer", &range, flows).await?
                }
                "steps" => store.report("step_visits", &range).await?,
                what => store.report(what, &range).await?,
            };
            Ok::<_, anyhow::Error>(report)
        })?;
        if self.what == "channels" {
            let days = by_day::days(&report);
            if self.json {
                println!("{}", serde_json::to_string_pretty(&by_day::json(&days))?);
            } else {
                print!("{}", by_day::table(&days));
            }
            return Ok(ExitCode::SUCCESS);
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&json(&report))?);
            return Ok(ExitCode::SUCCESS);
        }
        if report.rows.is_empty() {
            println!(
                "{}",
                if self.judges() {
                    "nothing of these days is old enough to judge"
                } else {
                    "nobody"
                }
            );
        }
        for row in &report.rows {
            let told = report.columns.iter().zip(row).map(|(name, cell)| match cell {
                Cell::Text(text) => format!("{text:18}"),
                Cell::Number(number) => format!("{name} {number}"),
                Cell::Share(share) => format!("{name} {share:.1}"),
                Cell::Null => format!("{name} -"),
            });
            println!("{}", told.collect::<Vec<_>>().join("  "));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Whether later calls of the same people matter.
    fn judges(&self) -> bool {
        matches!(self.what.as_str(), "engaged" | "destinations")
    }

    /// From, to and, where later calls matter, the window; for whole days, the days too.
    fn range(&self, now_ms: i64) -> Vec<Cell> {
        let days_ms = i64::from(self.days) * DAY_MS;
        if matches!(self.what.as_str(), "channels" | "steps") {
            return by_day::range(now_ms, days_ms);
        }
        let range = if self.judges() {
            let window_ms = i64::from(self.window_days) * DAY_MS;
            let until_ms = now_ms - window_ms;
            vec![until_ms - days_ms, until_ms, window_ms]
        } else {
            vec![now_ms - days_ms, now_ms]
        };
        range.into_iter().map(Cell::Number).collect()
    }
}

/// What a query says of each flow, its name before it.
async fn by_flow<'a>(
    store: &Store,
    query: &str,
    range: &[Cell],
    flows: impl Iterator<Item = &'a str>,
) -> anyhow::Result<Report> {
    let mut all = Report::default();
    for flow in flows {
        let flow = Cell::Text(flow.to_owned());
        let parameters = [range, std::slice::from_ref(&flow)].concat();
        let Report { columns, rows } = store.report(query, &parameters).await?;
        if !columns.is_empty() {
            all.columns = [vec!["flow".to_owned()], columns].concat();
        }
        all.rows.extend(rows.into_iter().map(|row| [vec![flow.clone()], row].concat()));
    }
    Ok(all)
}

fn json(report: &Report) -> Vec<Value> {
    let object = |row: &Vec<Cell>| {
        let pairs = report.columns.iter().zip(row).map(|(name, cell)| {
            let value = match cell.clone() {
                Cell::Null => Value::Null,
                Cell::Number(number) => number.into(),
                Cell::Share(share) => share.into(),
                Cell::Text(text) => text.into(),
            };
            (name.clone(), value)
        });
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    report.rows.iter().map(object).collect()
}
