//! `carom new flow`: a flow to begin with, and its tests.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use message_text::E164;

use super::{ConfigArg, flows::alone};
use crate::{
    config::{self, flow_files},
    templates::{Choices, TEMPLATES, Template},
};

/// Arguments of `carom new`.
#[derive(Debug, clap::Args)]
pub struct NewArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A flow for a usual reason to call, with its tests, to be changed.
    #[command(after_help = templates())]
    Flow(FlowArgs),
}

#[derive(Debug, clap::Args)]
struct FlowArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// What callers want.
    #[arg(value_parser = TEMPLATES.map(|template| template.name))]
    template: String,
    /// Name of the flow; left out, from what callers want.
    #[arg(long)]
    name: Option<String>,
    /// A called number such as +442079460018; several are given one by one; left out, the flow
    /// takes every call that no other does.
    #[arg(long, value_name = "NUMBER", value_parser = called)]
    number: Vec<String>,
    /// The target where a person is; left out, that of [fallback].
    #[arg(long, value_name = "TARGET")]
    human: Option<String>,
    /// The business whose line it is; left out, the only one.
    #[arg(long, value_name = "BUSINESS")]
    business: Option<String>,
    /// Where links and lookups lead.
    #[arg(long, value_name = "URL", default_value = "https://www.example.com")]
    site: String,
    /// The flow file; left out, one in the configuration's folder of flows.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl NewArgs {
    /// `carom new flow`.
    ///
    /// # Errors
    /// The configuration can't be read, or a file is there already.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Flow(flow) => flow.run(),
        }
    }
}

impl FlowArgs {
    fn run(self) -> anyhow::Result<ExitCode> {
        let config = alone(self.config.config.as_deref())?;
        let template = TEMPLATES.iter().find(|template| template.name == self.template);
        let template = template.context("there is no such template")?;
        let plain =
            |text: &str| !text.contains(['"', '\\', '{', '}']) && !text.contains(char::is_control);
        ensure!(plain(&self.site), "`{}` is no address", self.site);
        let human = self.human.unwrap_or_else(|| config.fallback.clone());
        if !config.targets.iter().any(|target| target.name.value == human) {
            bail!("there is no `[target.{human}]` in the configuration");
        }
        let business = match (self.business.as_deref(), config.businesses.as_slice()) {
            (Some(key), all) => all
                .iter()
                .find(|business| business.key == key)
                .with_context(|| format!("there is no `[business.{key}]` in the configuration"))?,
            (None, [only]) => only,
            (None, all) => {
                let keys: Vec<_> = all.iter().map(|business| business.key.as_str()).collect();
                bail!("whose line is it? write `--business` and one of {}", keys.join(", "))
            }
        };
        let brand = Some(business.brand.clone()).filter(|brand| plain(brand));
        let brand = brand.context("the brand can't stand in a text")?;
        let is_default = self.number.is_empty();
        let is_served = self.file.is_none();
        let choices = Choices {
            name: self.name.unwrap_or_else(|| title(template)),
            numbers: self.number,
            human,
            business: (config.businesses.len() > 1).then(|| business.key.clone()),
            brand,
            site: self.site.trim_end_matches('/').to_owned(),
        };
        let file = match (self.file, &config.flows_dir) {
            (Some(file), _) => file,
            (None, Some(folder)) => folder.join(format!("{}.toml", template.name)),
            (None, None) => bail!("this configuration has no folder of flows: write `--file FILE`"),
        };
        ensure!(
            file.extension().is_some_and(|extension| extension == "toml"),
            "{} is no name of a flow file: it ends in `.toml`",
            file.display()
        );
        let tests = file.with_extension("flowtest.toml");
        ensure!(!tests.exists(), "{} is there already", tests.display());
        ensure!(!file.exists(), "{} is there already", file.display());
        if is_served {
            refuse_taken(self.config.config.as_deref(), is_default, &choices.numbers)?;
        }
        write(&file, &template.flow(&choices))?;
        write(&tests, &template.tests(&choices))?;
        println!("wrote {} and {}", file.display(), tests.display());
        let with = self
            .config
            .config
            .map_or_else(String::new, |config| format!(" -c {}", config.display()));
        println!(
            "now change the words and addresses to your own; `carom check{with}` and \
                  `carom test{with}` say whether all is well"
        );
        if let Some(folder) = &config.flows_dir
            && file.parent() != Some(folder)
            && !flow_files(folder).contains(&file)
        {
            println!("it is served from {} only", folder.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A number as a flow file has it (E08).
fn called(text: &str) -> Result<String, String> {
    let form = "write it as +442079460018: no spaces, with the country";
    match text.parse::<E164>() {
        Ok(number) if number.as_str() == text => Ok(number.to_string()),
        Ok(_) => Err(form.to_owned()),
        Err(why) => Err(format!("{why}; {form}")),
    }
}

/// Two flows for the same calls would keep each other from being served.
fn refuse_taken(config: Option<&Path>, is_default: bool, numbers: &[String]) -> anyhow::Result<()> {
    let (Some(snapshot), _) = config::check(config, &[]) else { return Ok(()) };
    if let Some(flow) = snapshot.flows.iter().find(|flow| flow.default && is_default) {
        bail!(
            "the flow `{}` takes every call that no other does: give this one the number that is \
             called, as `--number +442079460018`",
            flow.name
        );
    }
    for flow in &snapshot.flows {
        if let Some(number) = numbers.iter().find(|number| flow.numbers.contains(number)) {
            bail!("{number} is the number of the flow `{}` already", flow.name);
        }
    }
    Ok(())
}

/// `Password reset`.
fn title(template: &Template) -> String {
    let words = template.name.replace('-', " ");
    let (first, rest) = words.split_at(1);
    first.to_uppercase() + rest
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let made = fs::OpenOptions::new().write(true).create_new(true).open(file);
    let mut made = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{} is there already", file.display());
        }
        made => made.with_context(|| file.display().to_string())?,
    };
    made.write_all(text.as_bytes()).with_context(|| file.display().to_string())
}

fn templates() -> String {
    let lines =
        TEMPLATES.iter().map(|template| format!("  {:15} {}", template.name, template.about));
    format!("Templates:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
