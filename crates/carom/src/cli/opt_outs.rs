//! `carom opt-outs`: who wants no texts.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use message_text::E164;

use super::node::{NodeArgs, clock};
use crate::control::{OptOutEntry, Request};

/// Lines of a list at most: they go in one request, and into the store in one transaction.
const MOST: usize = 200_000;
/// Columns that an import knows.
const COLUMNS: [&str; 3] = ["number", "business", "topic"];

/// Arguments of `carom opt-outs`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct OptOutsArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Who wants no texts, newest first; country and last two digits, where they are known.
    List(ListArgs),
    /// A number gets no texts from now on.
    Add(OneArgs),
    /// A number may get texts again.
    Remove(OneArgs),
    /// Take the present `opt_out_key` for that of the list, where that one is lost: who is on the
    /// list is then found no more, and is to be imported anew.
    AcceptKey {
        /// X of [business.X]; left out, all whose key is another.
        #[arg(long, value_name = "X")]
        business: Option<String>,
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Take opt-outs from a CSV file, all or none.
    Import {
        /// Its first line names the columns: `number`, and if wanted `business` and `topic`.
        file: PathBuf,
        #[command(flatten)]
        of: OfArgs,
        /// ISO code of the country that national numbers are read in.
        #[arg(long, value_name = "CODE")]
        country: Option<String>,
        #[command(flatten)]
        node: NodeArgs,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// X of [business.X]; left out, all.
    #[arg(long, value_name = "X")]
    business: Option<String>,
    /// How many to list.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, clap::Args)]
struct OneArgs {
    /// The number, such as +447700900123.
    number: String,
    #[command(flatten)]
    of: OfArgs,
    #[command(flatten)]
    node: NodeArgs,
}

/// Whose texts, and of what.
#[derive(Debug, clap::Args)]
struct OfArgs {
    /// X of [business.X]; left out, all.
    #[arg(long, value_name = "X")]
    business: Option<String>,
    /// The intent whose texts are meant; left out, any.
    #[arg(long)]
    topic: Option<String>,
}

impl OptOutsArgs {
    /// `carom opt-outs [list|add|remove|accept-key|import]`.
    ///
    /// # Errors
    /// No node runs, its store is down, or something that was given is not understood.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => self.list.run(),
            Some(Command::List(list)) => list.run(),
            Some(Command::Add(one)) => {
                let entries = vec![entry(one.number, one.of)];
                let via = "operator".to_owned();
                one.node.print(&Request::AddOptOuts { entries, via })
            }
            Some(Command::Remove(one)) => {
                let entry = entry(one.number, one.of);
                one.node.print(&Request::RemoveOptOut { entry })
            }
            Some(Command::AcceptKey { business, node }) => {
                node.print(&Request::AcceptOptOutKey { business })
            }
            Some(Command::Import { file, of, country, node }) => {
                let name = file.display();
                let text = fs::read_to_string(&file).with_context(|| format!("{name}"))?;
                let entries = read(&text, &of, country.as_deref().unwrap_or(""))
                    .with_context(|| format!("{name}: nothing was imported"))?;
                let (count, via) = (entries.len(), "import".to_owned());
                let told = node.data(&Request::AddOptOuts { entries, via });
                told.with_context(|| format!("{name}: nothing was imported"))?;
                println!("{count} imported");
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl ListArgs {
    fn run(self) -> anyhow::Result<ExitCode> {
        let asked = Request::OptOuts { business: self.business, limit: self.limit };
        let value = self.node.data(&asked)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&value)?);
            return Ok(ExitCode::SUCCESS);
        }
        for one in value.as_array().into_iter().flatten() {
            let text = |key: &str| one[key].as_str().filter(|text| !text.is_empty());
            let lost = match one["lost_ms"].is_null() {
                true => "",
                false => "  under a key that is lost: not found",
            };
            println!(
                "{}  {:8}  {}  {}  by {}{lost}",
                clock(one["since_ms"].as_i64().unwrap_or_default()),
                text("to").unwrap_or("-"),
                text("brand").unwrap_or("-"),
                text("topic").unwrap_or("any topic"),
                text("via").unwrap_or("-"),
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn entry(number: String, of: OfArgs) -> OptOutEntry {
    OptOutEntry { number, business: of.business, topic: of.topic, line: None }
}

/// Entries of a CSV text; what a line leaves open is that of the command line.
fn read(text: &str, of: &OfArgs, country: &str) -> anyhow::Result<Vec<OptOutEntry>> {
    let head = text.lines().next().unwrap_or_default();
    let delimiter = if head.contains(';') { b';' } else { b',' };
    let text = text.trim_start_matches('\u{feff}');
    let mut builder = csv::ReaderBuilder::new();
    let builder = builder.delimiter(delimiter).trim(csv::Trim::All);
    let mut lines = builder.from_reader(text.as_bytes());
    let names: Vec<String> =
        lines.headers().context("line 1")?.iter().map(str::to_ascii_lowercase).collect();
    if let Some(name) = names.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        bail!("line 1: no column is called `{name}`; known: {}", COLUMNS.join(", "));
    }
    let column = |name: &str| names.iter().position(|known| known == name);
    let number = column("number").context("line 1: the first line names no column `number`")?;
    let mut entries = Vec::new();
    for record in lines.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).filter(|c| !c.is_empty());
        let raw = cell(Some(number)).unwrap_or_default();
        let parsed = E164::parse(raw, country)
            .map_err(|why| anyhow::anyhow!("line {line}, column `number`: {why}"))?;
        entries.push(OptOutEntry {
            number: parsed.to_string(),
            business: cell(column("business")).map(str::to_owned).or_else(|| of.business.clone()),
            topic: cell(column("topic")).map(str::to_owned).or_else(|| of.topic.clone()),
            line: Some(line),
        });
        if entries.len() > MOST {
            bail!("line {line}: more than {MOST} entries at once: split the file");
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: OfArgs = OfArgs { business: None, topic: None };

    #[test]
    fn a_list_is_read_whole_or_refused_with_line_and_column() {
        let of = OfArgs { business: Some("retail".into()), topic: None };
        let text = "\u{feff}Number;Topic\r\n\"07700 900123\";orders\r\n+33612345678;\r\n";
        let entries = read(text, &of, "GB").unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|e| (e.number.as_str(), e.business.as_deref(), e.topic.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("+447700900123", Some("retail"), Some("orders")),
                ("+33612345678", Some("retail"), None)
            ]
        );
        for (text, why) in [
            ("phone\n+447700900123\n", "line 1: no column is called `phone`"),
            ("topic\norders\n", "line 1: the first line names no column `number`"),
            ("number\n+447700900123\n07700900123\n", "line 3, column `number`: not a valid number"),
            ("number,topic\n+447700900123\n", "found record with 1 fields"),
            ("number\n12\n", "line 2, column `number`: a short number"),
        ] {
            let told = format!("{:#}", read(text, &OF, "").unwrap_err());
            assert!(told.contains(why), "{told}");
        }
    }
}
