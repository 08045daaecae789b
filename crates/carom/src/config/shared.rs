//! What the flows are told of `carom.toml`.

use std::collections::BTreeMap;

use deflect_actions::text::Sender;
use ivr_runtime::flow::{self, Shared};
use message_text::Alphabet;

use super::{CallerId, Config, ProviderKind};

/// What the flows are told of `carom.toml`.
pub(super) fn shared(config: &Config) -> Shared {
    let senders = config.senders.iter().map(|sender| of_texts(sender, &config.providers));
    let businesses = config.businesses.iter().map(|business| flow::Business {
        key: business.key.clone(),
        brand: business.brand.clone(),
    });
    Shared {
        broken: Vec::new(),
        targets: config.targets.clone(),
        hours: config.hours.clone(),
        senders: senders.collect(),
        sources: config.sources.iter().map(|source| source.name.clone()).collect(),
        systems: config.systems.iter().map(of_requests).collect(),
        signals: config.sources.iter().filter_map(|source| source.kind.signal()).collect(),
        providers: config.providers.iter().map(of_links).collect(),
        public_url: config.http.public_url.clone(),
        businesses: businesses.collect(),
        fallback: Some(config.fallback.clone()),
        calls_back: config.trunks.iter().any(|trunk| trunk.outbound.is_some()),
        confirms: config.trunks.iter().any(|trunk| trunk.caller_id == CallerId::Confirm),
        sockets: config.listeners.iter().map(super::Listener::socket).collect(),
        countries: config.limits.countries.clone(),
        sub_files: BTreeMap::new(),
        holiday_files: BTreeMap::new(),
    }
}

/// A sender as texts name it.
pub(super) fn of_texts(sender: &Sender, providers: &[super::Provider]) -> flow::Sender {
    let provider = providers.iter().find(|provider| provider.name == sender.provider);
    let alphabet = match provider.map(|provider| &provider.kind) {
        Some(ProviderKind::Smpp(settings)) => settings.alphabet,
        _ => Alphabet::default(),
    };
    flow::Sender {
        alphabet,
        name: sender.name.clone(),
        from: sender.from.clone(),
        regions: sender.regions.clone(),
        channel: sender.channel.as_str().to_owned(),
        media: sender.media,
        business: sender.business.clone(),
    }
}

/// A system as lookups and actions name it.
fn of_requests(named: &super::NamedSystem) -> flow::System {
    flow::System {
        name: named.name.clone(),
        url: named.url.clone(),
        has_tokens: named.system.has_tokens(),
    }
}

/// A provider as links name it.
fn of_links(provider: &super::Provider) -> (String, String) {
    let kind = match provider.kind {
        ProviderKind::Liveperson { .. } => "liveperson",
        ProviderKind::Khoros { .. } => "khoros",
        // The others carry texts.
        _ => "",
    };
    (provider.name.clone(), kind.to_owned())
}
