//! From the configuration and its flows to what texts are sent by.

use std::sync::Arc;

use deflect_actions::{
    provider::{self, twilio::Twilio},
    text::{TextConfig, TextLimits},
};
use ivr_runtime::flow::model::Flow;

use super::{Config, ProviderKind};

/// What the text service sends by.
pub(super) fn config(config: &Config, flows: &[Arc<Flow>]) -> TextConfig {
    let limits = &config.limits;
    let public_url = config.http.public_url.clone();
    let lines = flows.iter().flat_map(|flow| flow.numbers.iter().cloned());
    let senders = config.senders.iter().map(|sender| sender.from.clone());
    let help = config.businesses.iter().filter_map(|business| {
        let text = business.help_text.values().next()?;
        Some((business.key.clone(), text.clone()))
    });
    TextConfig {
        providers: config.providers.iter().map(|p| (p.name.clone(), provider(p, config))).collect(),
        senders: config.senders.clone(),
        limits: TextLimits {
            caller_hour: limits.texts_per_caller_hour,
            caller_day: limits.texts_per_caller_day,
            prefix_hour: limits.texts_per_prefix_hour,
            prefix_digits: limits.prefix_digits,
            line_minute: limits.texts_per_line_minute,
            ..TextLimits::default()
        },
        countries: countries(config),
        own_numbers: lines.chain(senders).collect(),
        public_url,
        help: help.collect(),
    }
}

/// Countries that may be texted: those named, else the trunks'.
fn countries(config: &Config) -> Vec<String> {
    if !config.limits.countries.is_empty() {
        return config.limits.countries.clone();
    }
    let trunks = config.trunks.iter();
    let mut countries: Vec<String> = trunks
        .flat_map(|trunk| trunk.number_countries.values().chain([&trunk.country]).cloned())
        .collect();
    countries.sort();
    countries.dedup();
    countries
}

fn provider(provider: &super::Provider, config: &Config) -> provider::Provider {
    match &provider.kind {
        ProviderKind::Sandbox => provider::Provider::Sandbox,
        ProviderKind::Twilio { account, secret, url } => {
            let callback = config.http.public_url.as_ref();
            let callback =
                callback.map(|base| format!("{base}/webhooks/twilio/{}/status", provider.name));
            let (account, secret) = (account.reveal(), secret.reveal());
            provider::Provider::Twilio(Twilio::new(account, secret, url.as_deref(), callback))
        }
    }
}
