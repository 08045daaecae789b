//! `carom.toml`: everything that is not a flow, read once into types that hold no bad value.
//!
//! One section per file. Keys, units and defaults: docs/configuration.md.

mod business;
mod control;
mod costs;
mod countries;
mod destinations;
mod entry;
mod flow_files;
mod hooks;
mod http;
mod index;
mod limits;
mod listener;
mod load;
mod media;
mod named;
mod net;
mod online;
mod own;
mod parse;
mod privacy;
mod prompts;
mod provider;
mod read;
mod report;
mod secret;
mod sender;
mod shared;
mod source;
mod store;
mod system;
#[cfg(test)]
mod tests;
mod texts;
mod trunk;
mod voice;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use deflect_actions::{hooks::Hook, text::Sender};
use ivr_runtime::{diagnose::Asked, flow::tables::TargetDraft, hours::Hours};
use message_text::E164;

pub use business::Business;
pub use control::Control;
pub use destinations::{destination, destination_of_provider, link};
pub use entry::Entry;
pub use flow_files::{FlowSource, flow_files, sub_files};
pub use http::{Http, Proof, Scope, Token};
pub use limits::Limits;
pub use listener::{DAY_MS, Listener, Shown, Transport};
pub use load::{Snapshot, check, check_served};
pub use media::{Codec, InBandDtmf, Media, PortRange, Srtp};
pub use named::flows_meant;
pub use net::{Net, NetError};
pub use online::ask_destinations;
pub use privacy::Privacy;
pub use prompts::{Prompts, transcript_beside};
pub use provider::{Entrance, OauthKeys, Provider, ProviderKind};
pub use report::CheckReport;
pub use secret::{Secret, SecretError, SecretRef};
pub use source::{Source, SourceKind};
pub use store::Store;
pub use system::NamedSystem;
pub use trunk::{CalledHeader, CallerHeader, CallerId, Outbound, Trunk, TrunkTransport};
pub use voice::Tts;

/// What the reader of `carom.toml` asks of a text, whatever is wrong with it.
#[must_use]
pub fn asked(text: &str) -> Vec<Asked> {
    parse::asked(text)
}

/// `carom.toml`, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file; `None`: the built-in configuration.
    pub file: Option<PathBuf>,
    /// Folder of flow files; `None`: the sample flow that is part of the program.
    pub flows_dir: Option<PathBuf>,
    /// Folder of prompt sets, over the built-in one; `None`: only the set that is part of the program.
    pub prompts_dir: Option<PathBuf>,
    /// How texts of flows are spoken.
    pub tts: Tts,
    /// SIP sockets, at least one.
    pub listeners: Vec<Listener>,
    /// Where calls come from, at least one.
    pub trunks: Vec<Trunk>,
    /// RTP.
    pub media: Media,
    /// `[target.X]`, in file order; each flow looks up the names in them.
    pub targets: Vec<TargetDraft>,
    /// `[hours.X]`, in file order.
    pub hours: Vec<Hours>,
    /// `[source.X]`, in file order; those of flows after them.
    pub sources: Vec<Source>,
    /// `[system.X]`, in file order.
    pub systems: Vec<NamedSystem>,
    /// `[fallback] target`: the last resort of every call, by name.
    pub fallback: String,
    /// Businesses, at least one.
    pub businesses: Vec<Business>,
    /// Message providers.
    pub providers: Vec<Provider>,
    /// Message senders in order of preference; those of flows after them.
    pub senders: Vec<Sender>,
    /// The database.
    pub store: Store,
    /// Tracked places that lead people on before they call, in file order.
    pub entries: Vec<Entry>,
    /// The HTTP server.
    pub http: Http,
    /// The control socket.
    pub control: Control,
    /// Limits.
    pub limits: Limits,
    /// Lifetimes.
    pub privacy: Privacy,
}

impl Config {
    /// The trunk that may call from `addr`; the narrowest range counts.
    pub fn trunk_at(&self, addr: IpAddr) -> Option<&Trunk> {
        let width = |trunk: &&Trunk| {
            let nets = trunk.sources.iter().filter(|net| net.contains(addr));
            nets.map(|net| net.prefix()).max()
        };
        self.trunks.iter().filter(|t| t.may_call_from(addr)).max_by_key(width)
    }

    /// A provider by name.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// The country in which numbers of a call to `called` are read where no trunk brings it: the one that
    /// a trunk names for it, else its own, else the first trunk's.
    pub fn country_of(&self, called: &str) -> String {
        let first = self.trunks.first().map_or("GB", |trunk| trunk.country.as_str());
        let told = self.trunks.iter().find_map(|trunk| trunk.number_countries.get(called));
        // Some numbers are of no country.
        let own = || {
            let region = E164::parse(called, first).ok()?.region().to_owned();
            (region.len() == 2).then_some(region)
        };
        told.cloned().or_else(own).unwrap_or_else(|| first.to_owned())
    }

    /// The business of a flow: the named one, or the only one.
    pub fn business(&self, key: Option<&str>) -> Option<&Business> {
        match key {
            Some(key) => self.businesses.iter().find(|business| business.key == key),
            None => self.businesses.first(),
        }
    }

    /// Our certificates: those of the listeners, and the HTTP side's.
    pub fn certificates(&self) -> impl Iterator<Item = Shown<'_>> {
        self.listeners.iter().filter_map(Listener::certificate).chain(self.http.certificate())
    }

    /// All webhooks that are told of events: those of `[http]`, and those of replies.
    pub fn hooks(&self) -> Vec<Hook> {
        let replies = self.businesses.iter().flat_map(|business| &business.replies);
        let mut hooks = self.http.webhooks.clone();
        for reply in replies {
            if !hooks.contains(&reply.hook) {
                hooks.push(reply.hook.clone());
            }
        }
        hooks
    }

    /// Address that RTP sockets are bound to.
    pub fn media_bind(&self) -> IpAddr {
        self.media.bind.unwrap_or(self.listeners[0].bind.ip())
    }

    /// What relative paths of the file are relative to.
    pub fn base(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }
}
