//! From the configuration and its flows to what texts are sent by.

use std::sync::Arc;

use deflect_actions::{
    provider::{
        Provider, bandwidth::Bandwidth, gateway::Gateway, smpp::Smpp, telnyx::Telnyx,
        twilio::Twilio, vonage::Vonage, whatsapp::WhatsApp,
    },
    text::{TextConfig, TextLimits},
};
use ivr_runtime::{flow::model::Flow, hours::Schedule};

use super::{Config, ProviderKind};

/// What the text service sends by.
pub(super) fn config(config: &Config, flows: &[Arc<Flow>]) -> TextConfig {
    let limits = &config.limits;
    let public_url = config.http.public_url.clone();
    let help = config.businesses.iter().filter(|business| !business.help_text.is_empty());
    let help = help.map(|business| (business.key.clone(), business.help_text.clone()));
    let replies = config.businesses.iter().filter(|business| !business.replies.is_empty());
    let replies = replies.map(|business| (business.key.clone(), business.replies.clone()));
    let words = config.businesses.iter().map(|it| (it.key.clone(), it.own_words.clone()));
    TextConfig {
        providers: config
            .providers
            .iter()
            .filter_map(|named| Some((named.name.clone(), provider(named, config)?)))
            .collect(),
        senders: config.senders.clone(),
        limits: TextLimits {
            caller_hour: limits.texts_per_caller_hour,
            caller_day: limits.texts_per_caller_day,
            prefix_hour: limits.texts_per_prefix_hour,
            prefix_digits: limits.prefix_digits,
            line_minute: limits.texts_per_line_minute,
            country_hour: limits.texts_per_country_hour,
            client_minute: limits.texts_per_client_minute,
            spend_day: limits.spend_per_day,
        },
        countries: limits.countries.clone(),
        own_numbers: own_numbers(config, flows),
        shared_callers: limits.shared_callers.clone(),
        currency: limits.currency.clone(),
        public_url,
        risk: limits.risk.clone(),
        line_types: limits.line_types.clone(),
        help: help.collect(),
        replies: replies.collect(),
        words: words.collect(),
    }
}

/// Every number that the configuration names as one of its lines; that of a call is known from
/// the call, and those of the senders from the senders.
fn own_numbers(config: &Config, flows: &[Arc<Flow>]) -> Vec<String> {
    let lines = flows.iter().flat_map(|flow| &flow.numbers);
    let of_trunks = config.trunks.iter().flat_map(|trunk| trunk.number_countries.keys());
    let hours = flows.iter().flat_map(|flow| &flow.hours);
    let of_hours = hours.filter_map(|hours| match &hours.schedule {
        Schedule::ByCalledNumber(weeks) => Some(weeks.keys()),
        Schedule::Week(_) => None,
    });
    let mut own: Vec<_> = lines.chain(of_trunks).chain(of_hours.flatten()).cloned().collect();
    own.sort();
    own.dedup();
    own
}

/// `None`: it carries no texts.
fn provider(provider: &super::Provider, config: &Config) -> Option<Provider> {
    let base = config.http.public_url.as_ref();
    let segment = provider.entrance.segment();
    let hook =
        |kind: &str| base.map(|base| format!("{base}/webhooks/{kind}/{}{segment}", provider.name));
    Some(match &provider.kind {
        ProviderKind::Liveperson { .. } | ProviderKind::Khoros { .. } => return None,
        ProviderKind::Sandbox => Provider::Sandbox,
        ProviderKind::Twilio { account, secret, url } => {
            let callback = hook("twilio").map(|hook| format!("{hook}/status"));
            let (account, secret) = (account.reveal(), secret.reveal());
            Provider::Twilio(Twilio::new(account, secret, url.as_deref(), callback))
        }
        ProviderKind::Telnyx { secret, public_key, profile, url } => {
            let (secret, hook) = (secret.reveal(), hook("telnyx"));
            let telnyx = Telnyx::new(secret, *public_key, url.as_deref(), hook);
            Provider::Telnyx(telnyx.with_profile(profile.clone()))
        }
        ProviderKind::WhatsApp { secret, app_secret, verify_token, url } => {
            let (secret, app_secret) = (secret.reveal(), app_secret.reveal());
            let verify_token = verify_token.reveal();
            Provider::WhatsApp(WhatsApp::new(secret, app_secret, verify_token, url.as_deref()))
        }
        ProviderKind::Bandwidth { account, url } => {
            Provider::Bandwidth(Bandwidth::new(account.clone(), url.as_deref()))
        }
        ProviderKind::Vonage { account, secret, app_secret, signature, url } => {
            let (signing, hook) = ((*signature, app_secret.reveal()), hook("vonage"));
            let (key, secret) = (account.reveal(), secret.reveal());
            Provider::Vonage(Vonage::new(key, secret, signing, url.as_deref(), hook))
        }
        ProviderKind::Smpp(settings) => Provider::Smpp(Smpp::new(settings.clone())),
        ProviderKind::Http(description) => {
            Provider::Gateway(Box::new(Gateway::new((**description).clone())))
        }
    })
}
