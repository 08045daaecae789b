//! `carom providers`: whether a provider knows us and can reach us.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use deflect_actions::provider::{Checked, Class, Provider, Reached, SendError, reach_webhook};
use deflect_actions::text::TextConfig;

use super::{link_providers, root::ConfigArg};

/// An answer comes within this time.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// Arguments of `carom providers`.
#[derive(Debug, clap::Args)]
pub struct ProvidersArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Ask a provider whether it knows us, and whether our webhook or the pages of its links answer;
    /// nobody is texted.
    Check {
        /// X of [provider.X]; left out, all.
        name: Option<String>,
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl ProvidersArgs {
    /// `carom providers`.
    ///
    /// # Errors
    /// The configuration has errors, or no such provider.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Command::Check { name, config } = self.command;
        let snapshot = super::load(config.config.as_deref())?;
        let named = |known: &str| name.as_ref().is_none_or(|name| name == known);
        let of_links = snapshot.config.providers.iter().filter(|it| it.kind.is_for_links());
        let of_links: Vec<_> = of_links.filter(|provider| named(&provider.name)).collect();
        let names: Vec<_> = snapshot.texts.providers.keys().filter(|name| named(name)).collect();
        if let (true, Some(name)) = (names.is_empty() && of_links.is_empty(), &name) {
            bail!("there is no `[provider.{name}]`");
        }
        let runtime = tokio::runtime::Runtime::new().context("starting")?;
        let mut well = true;
        for name in names {
            let mut all = snapshot.config.providers.iter();
            let found = all.find(|provider| provider.name == *name);
            let segment = found.map_or_else(String::new, |it| it.entrance.segment());
            well &= runtime.block_on(check(name, &segment, &snapshot.texts));
        }
        for provider in of_links {
            well &= runtime.block_on(link_providers::check(&provider.name, &snapshot));
        }
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Prints what is found of a provider; whether all is well.
async fn check(name: &str, segment: &str, texts: &TextConfig) -> bool {
    let provider = &texts.providers[name];
    let sender = texts.senders.iter().find(|sender| sender.provider == name);
    let checked = provider.check(sender.map(|sender| sender.from.as_str()), LIMIT).await;
    let known = match checked {
        Ok(Checked::Right) => {
            println!("{name}: the credentials are right");
            true
        }
        Ok(Checked::NotAskable) => {
            println!("{name}: cannot be asked without sending a text");
            true
        }
        Err(SendError::Definite(why) | SendError::Ambiguous(why)) => {
            let what = match why.class {
                Class::Auth => "it does not know us",
                Class::ProviderDown => "it is not reached",
                _ => "it does not answer as it should",
            };
            println!("{name}: {what}: {why}");
            false
        }
    };
    known & webhook((name, segment), provider, texts.public_url.as_deref()).await
}

/// `segment` is the secret one of its path: it is asked at, and not shown.
async fn webhook(
    (name, segment): (&str, &str),
    provider: &Provider,
    public_url: Option<&str>,
) -> bool {
    let Some(tail) = provider.webhook() else { return true };
    let Some(base) = public_url else {
        println!("{name}: no receipts, for there is no `[http] public_url`");
        return true;
    };
    let address = |segment| format!("{base}/webhooks/{}/{name}{segment}{tail}", provider.kind());
    let shown = address(if segment.is_empty() { "" } else { "/…" });
    let (told, well) = match reach_webhook(&address(segment), LIMIT).await {
        Reached::Us => ("a node answers there and refuses what is not signed".to_owned(), true),
        Reached::Other(404) => {
            ("something answers there, but knows no such webhook (404)".to_owned(), false)
        }
        Reached::Other(status) => (format!("something else answers there ({status})"), false),
        Reached::Nobody => ("nobody answers there, seen from this machine".to_owned(), false),
    };
    println!("{name}: webhook {shown}: {told}");
    well
}
