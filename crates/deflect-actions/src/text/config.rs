//! By whom, to whom and how often.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use message_text::{E164, Segments, segments};

use super::{OwnWords, RiskCheck, TextOrder};
use crate::{
    hooks::Hook,
    provider::{Channel, Provider, Template},
    store::Charge,
};

/// What a service sends by.
#[derive(Debug, Clone, Default)]
pub struct TextConfig {
    /// `[provider.X]`, by name.
    pub providers: BTreeMap<String, Provider>,
    /// `[sender.X]`, in file order.
    pub senders: Vec<Sender>,
    /// `[limits]`.
    pub limits: TextLimits,
    /// Who says how risky a number is; `None`: nobody is asked.
    pub risk: Option<RiskCheck>,
    /// The `X` of a `[provider.X]` that is asked of numbers whose digits do not tell whether they
    /// take texts; `None`: nobody is.
    pub line_types: Option<String>,
    /// Countries whose numbers may be texted; empty: those of the senders.
    pub countries: Vec<String>,
    /// Our own numbers (lines, senders), E.164: never texted.
    pub own_numbers: Vec<String>,
    /// Numbers that many people call from, E.164: no limit per caller holds for them.
    pub shared_callers: Vec<String>,
    /// Currency of [`TextLimits::spend_day`] and of the senders' prices (ISO 4217); `None`: nothing
    /// is spent by it, and what a provider tells is taken as it comes.
    pub currency: Option<String>,
    /// `[http] public_url`, without a slash at its end: what providers sign with.
    pub public_url: Option<String>,
    /// What people may answer to texts, by business.
    pub replies: BTreeMap<String, Vec<Reply>>,
    /// Words that mean STOP and HELP to a business alone.
    pub words: BTreeMap<String, OwnWords>,
    /// Answer to HELP, by business and language; `""` is for all languages.
    pub help: BTreeMap<String, BTreeMap<String, String>>,
}

/// Words that people answer to a text, and who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Words that mean the same, lower case, without punctuation.
    pub words: Vec<String>,
    /// Who is told, once.
    pub hook: Hook,
    /// What the person is answered, by language; `""` is for all; empty: nothing.
    pub answer: BTreeMap<String, String>,
}

/// A number or id that messages are sent from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The `X` of `[sender.X]`, as flows name it.
    pub name: String,
    /// The `X` of its `[provider.X]`.
    pub provider: String,
    /// The number or id.
    pub from: String,
    /// Whose it is: only texts of that business come from it, and STOP and HELP to it are about
    /// that brand; `None`: of all.
    pub business: Option<String>,
    /// Countries it serves, ISO codes.
    pub regions: Vec<String>,
    /// The provider itself answers STOP and HELP; `None`: as it usually does.
    pub auto_reply: Option<bool>,
    /// Messages per second; `None`: the provider's limit.
    pub per_second: Option<u32>,
    /// How its messages reach their people.
    pub channel: Channel,
    /// Its channel carries pictures.
    pub media: bool,
    /// What it sends in place of texts.
    pub template: Option<Template>,
    /// Price of one part of a text, in millionths of the currency of [`TextLimits::spend_day`];
    /// `None`: only the provider tells.
    pub price_micros: Option<i64>,
    /// The flow that brings it for itself: no text comes from it that does not name it. `None`: it
    /// is there for all.
    pub flow: Option<String>,
}

/// How many texts at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    /// To one number in an hour.
    pub caller_hour: u32,
    /// To one number in a day.
    pub caller_day: u32,
    /// To numbers that begin alike, in an hour.
    pub prefix_hour: u32,
    /// Digits in which such numbers agree.
    pub prefix_digits: u8,
    /// Of one line in a minute.
    pub line_minute: u32,
    /// To numbers of one country in an hour; `None`: any.
    pub country_hour: Option<u32>,
    /// Ordered by one token in a minute.
    pub client_minute: u32,
    /// What the texts of a day may cost, in millionths; `None`: anything.
    pub spend_day: Option<i64>,
}

impl Sender {
    /// What so many parts of a text cost, in millionths; `None`: nobody said.
    pub(super) fn price_of(&self, segments: i64) -> Option<i64> {
        Some(self.price_micros?.saturating_mul(segments))
    }
}

impl Default for TextLimits {
    fn default() -> Self {
        Self {
            caller_hour: 2,
            caller_day: 4,
            prefix_hour: 60,
            prefix_digits: 7,
            line_minute: 120,
            country_hour: None,
            client_minute: 120,
            spend_day: None,
        }
    }
}

impl TextConfig {
    /// The senders of `business`, and those of all, that serve `region`, in the order of `via`;
    /// `via` empty means all but those that flows have for themselves.
    pub(super) fn senders_for<'a>(
        &'a self,
        business: &str,
        region: &str,
        via: &[String],
    ) -> Vec<(&'a Sender, &'a Provider)> {
        let serves = |sender: &&Sender| {
            sender.business.as_deref().is_none_or(|own| own == business)
                && sender.regions.iter().any(|served| served == region)
        };
        let named = |name: &String| self.senders.iter().find(|sender| sender.name == *name);
        let with_provider = |sender: &'a Sender| {
            self.providers.get(&sender.provider).map(|provider| (sender, provider))
        };
        if via.is_empty() {
            let shared = self.senders.iter().filter(|sender| sender.flow.is_none());
            shared.filter(serves).filter_map(with_provider).collect()
        } else {
            via.iter().filter_map(named).filter(serves).filter_map(with_provider).collect()
        }
    }

    /// How many SMS a text to `to` is by the sender that is tried first, and how many at most by any.
    pub(super) fn segments(&self, order: &TextOrder, to: &E164) -> (Segments, usize) {
        let senders = self.senders_for(&order.call.business, to.region(), &order.via);
        let mut each = senders.iter().map(|(_, provider)| provider.segments(&order.text));
        let first = each.next().unwrap_or_else(|| segments(&order.text));
        (first, each.map(|other| other.count).fold(first.count, usize::max))
    }

    /// What an order of so many parts will cost by the sender that is tried first, in millionths.
    pub(super) fn price(&self, order: &TextOrder, to: &E164, parts: i64) -> i64 {
        let senders = self.senders_for(&order.call.business, to.region(), &order.via);
        let first = senders.first().and_then(|(sender, _)| sender.price_of(parts));
        first.unwrap_or(0)
    }

    /// What a stored text cost: as its provider says, else by its sender's price.
    pub(super) fn cost(&self, text: &Charge) -> i64 {
        let by = |name: &String| self.senders.iter().find(|sender| sender.name == *name);
        let price = || text.sender.as_ref().and_then(by)?.price_of(text.segments);
        text.price_micros.map(i64::abs).or_else(price).unwrap_or(0)
    }

    /// A price of a provider, unless it is of another currency than ours: that is told once, and the
    /// sender's price counts.
    pub(super) fn price_told(
        &self,
        provider: &str,
        (micros, currency): (Option<i64>, Option<&str>),
    ) -> Option<i64> {
        static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let (Some(ours), Some(theirs), Some(_)) = (&self.currency, currency, micros) else {
            return micros;
        };
        if ours == theirs {
            return micros;
        }
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(provider.to_owned()) {
            tracing::error!(
                provider,
                theirs,
                ours,
                "prices of another currency than that of `spend_per_day` count nothing: give the \
                 senders a `price`"
            );
        }
        None
    }

    /// Whether numbers of `region` may be texted.
    pub(super) fn allows(&self, region: &str) -> bool {
        self.countries.is_empty() || self.countries.iter().any(|country| country == region)
    }
}
