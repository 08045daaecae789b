//! The texts of the last day, by all that they are counted by.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use message_text::E164;
use uuid::Uuid;

use super::{
    DAY_MS, Many, Rule,
    counted::Counted,
    opened::{RIPE_MS, TEXTS},
};
use crate::{
    store::{Charge, SentText, Store},
    text::TextConfig,
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
/// Shares of the day's money that are told, in percent.
const ALARMS: [u8; 3] = [50, 80, 100];
/// The guard of opened links looks back so far, ms.
const OPEN_MS: i64 = 150 * MINUTE_MS;
/// A prefix leaves so many digits of a number unsaid at least.
const UNSAID: usize = 3;

/// A message's id: a UUIDv7, so that ids are in order of time.
pub(super) type Id = u128;

/// Texts, each once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    by_id: BTreeMap<Id, Text>,
    counted: Counted,
    /// Digits in which numbers of one prefix agree.
    digits: u8,
    /// What they cost, in millionths.
    spent: i64,
    /// The share of the day's money, in percent, that was told last; 0: none.
    alarmed: u8,
    /// A text was taken back that may have been committed all the same.
    doubts: bool,
}

/// What texts are counted by.
#[derive(Debug, Clone, Copy, Hash)]
enum By {
    Caller,
    Number,
    Prefix,
    Line,
    Country,
    Client,
    /// Callers of a line without a number.
    Nobody,
    /// Numbers that begin alike, by the answers to their texts.
    Answered,
}

/// What caller and number of a text were known by under the previous epoch's secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    pub caller: Option<&'a str>,
    pub number: &'a str,
    /// Many people call from the caller's number.
    pub many: Option<Many>,
}

/// What is needed to forget a text, or to count it by another prefix.
#[derive(Debug, Clone)]
struct Text {
    /// Hashes of number, and of caller, where there is one.
    persons: Box<[u64]>,
    /// Hashes of line, country and client, where there is one.
    groups: Box<[u64]>,
    /// E.164, where it is not erased yet.
    to: Option<Box<str>>,
    /// What numbers like that one are counted by.
    alike: By,
    cost: i64,
}

/// An answer to somebody's text: it costs as a text does, and was asked for by nobody's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// A UUIDv7 of its own.
    pub id: String,
    /// Country of the number.
    pub region: String,
    /// In millionths.
    pub cost: i64,
}

impl Texts {
    /// Counts in what the outbox has, and forgets what is older than a day.
    pub fn take_in(&mut self, news: &[SentText], store: &Store, config: &TextConfig, now: i64) {
        self.count_by(config.limits.prefix_digits);
        for text in news {
            let Some(id) = id_of(&text.charge.message_id) else { continue };
            if self.by_id.contains_key(&id) {
                self.take_charge(id, &text.charge, config);
                continue;
            }
            let sealed = text.dest_enc.as_ref();
            let to =
                sealed.and_then(|it| store.keys().seal().open(&text.charge.message_id, it).ok());
            self.insert(id, text, to, config);
        }
        let old = last_id_of(now - DAY_MS);
        while let Some((&id, _)) = self.by_id.first_key_value().filter(|(id, _)| **id <= old) {
            self.remove(id);
        }
    }

    /// Learns what texts cost; the ids of those that are not counted yet.
    pub fn take_charges(&mut self, charges: Vec<Charge>, config: &TextConfig) -> Vec<String> {
        let mut unknown = Vec::new();
        for charge in charges {
            let Some(id) = id_of(&charge.message_id) else { continue };
            if self.by_id.contains_key(&id) {
                self.take_charge(id, &charge, config);
            } else {
                unknown.push(charge.message_id);
            }
        }
        unknown
    }

    /// A text's sender may be another than was thought, and its price told by now.
    fn take_charge(&mut self, id: Id, charge: &Charge, config: &TextConfig) {
        if charge.sender.is_some() || charge.price_micros.is_some() {
            self.costs(id, config.cost(charge));
        }
    }

    /// Counts a text in, or names the limit that forbids it; and the share of the day's money that
    /// is to be told.
    pub fn take(
        &mut self,
        text: &SentText,
        config: &TextConfig,
        to: &E164,
        before: Before<'_>,
        now: i64,
    ) -> (Option<Rule>, Option<u8>) {
        self.count_by(config.limits.prefix_digits);
        let mut bites = self.bites(text, config, to, before, now);
        let cost = self.spent + config.cost(&text.charge);
        bites = bites.or_else(|| spent_up(config, cost));
        if let (None, Some(id)) = (&bites, id_of(&text.charge.message_id)) {
            self.insert(id, text, Some(to.as_str().to_owned()), config);
        }
        (bites, self.alarm(config, cost))
    }

    /// Counts an answer in, or names the limit that forbids it; and the share of the day's money
    /// that is to be told. Limits of callers and lines are not for it.
    pub fn take_answer(
        &mut self,
        answer: &Answer,
        config: &TextConfig,
        to: &E164,
        now: i64,
    ) -> (Option<Rule>, Option<u8>) {
        self.count_by(config.limits.prefix_digits);
        let cost = self.spent + answer.cost;
        let bites = self
            .bites_prefix(config, to, now)
            .or_else(|| self.bites_country(config, to.region(), now))
            .or_else(|| spent_up(config, cost));
        if bites.is_none() {
            self.insert_answer(answer, Some(to));
        }
        (bites, self.alarm(config, cost))
    }

    /// Counts in what the store has of answers; the number of one that another node gave is not known.
    pub fn take_in_answers(&mut self, answers: &[Answer]) {
        for answer in answers {
            if id_of(&answer.id).is_some_and(|id| !self.by_id.contains_key(&id)) {
                self.insert_answer(answer, None);
            }
        }
    }

    fn insert_answer(&mut self, answer: &Answer, to: Option<&E164>) {
        let Some(id) = id_of(&answer.id) else { return };
        self.put(
            id,
            Text {
                persons: Box::default(),
                groups: Box::new([hash(By::Country, &answer.region)]),
                to: to.map(|to| to.as_str().into()),
                alike: By::Answered,
                cost: answer.cost,
            },
        );
    }

    /// What a text costs, in millionths.
    pub fn charged(&mut self, message_id: &str, micros: i64) {
        if let Some(id) = id_of(message_id) {
            self.costs(id, micros);
        }
    }

    fn costs(&mut self, id: Id, micros: i64) {
        if let Some(text) = self.by_id.get_mut(&id) {
            self.spent += micros - std::mem::replace(&mut text.cost, micros);
        }
    }

    /// Forgets a text; whether it was committed is asked of the outbox.
    pub fn release(&mut self, message_id: &str) {
        if let Some(id) = id_of(message_id) {
            self.remove(id);
        }
        self.doubts = true;
    }

    /// The outbox is to be asked about texts of our own.
    pub fn doubt(&mut self) {
        self.doubts = true;
    }

    /// Whether a text was taken back that may have been committed all the same.
    pub fn has_doubts(&self) -> bool {
        self.doubts
    }

    /// Whether the outbox must be asked about texts of our own; asked once.
    pub fn take_doubts(&mut self) -> bool {
        std::mem::take(&mut self.doubts)
    }

    /// Names the numbers that begin like `to`.
    pub fn prefix_of(to: &E164, config: &TextConfig) -> u64 {
        hash(By::Prefix, prefix(to.as_str(), config.limits.prefix_digits))
    }

    /// Ids of texts to numbers with a prefix, oldest first, as far as the guard looks back; none
    /// where too few are old enough for it to say anything.
    pub fn alike(&self, prefix: u64, now: i64) -> Vec<Id> {
        let first = first_id_after(now - OPEN_MS);
        let since = |from| self.counted.count_of_many(prefix, from);
        let ripe = since(first) - since(first_id_after(now - RIPE_MS));
        if ripe > TEXTS { self.counted.ids_of_many(prefix, first) } else { Vec::new() }
    }

    fn bites(
        &self,
        new: &SentText,
        config: &TextConfig,
        to: &E164,
        before: Before<'_>,
        now: i64,
    ) -> Option<Rule> {
        let limits = &config.limits;
        let rule = |rule, scope, key: &str| Some(Rule { rule, scope, key: key.to_owned() });
        let reached = |by, key: &str, age, most: u32| {
            let count = self.counted.count_of_many(hash(by, key), first_id_after(now - age));
            count >= most as usize
        };
        // A later text has the caller, or the number, of an earlier one when its key, or its key
        // under the previous epoch's secret, is the earlier one's.
        let too_many = |by, key: &str, before: Option<&str>| {
            let before = before.filter(|before| *before != key);
            let reached = |age, most: u32| {
                let most = most as usize;
                let of = |key| self.counted.count(hash(by, key), first_id_after(now - age), most);
                of(key) + before.map_or(0, of) >= most
            };
            reached(HOUR_MS, limits.caller_hour) || reached(DAY_MS, limits.caller_day)
        };
        // As many an hour as a line sends a minute.
        let joint = limits.line_minute as usize;
        let of_many = |key: &str| {
            self.counted.count(hash(By::Caller, key), first_id_after(now - HOUR_MS), joint)
        };
        let by_caller = |key: &&String| match before.many {
            Some(Many::Free) => false,
            Some(Many::Together) => of_many(key) >= joint,
            None => too_many(By::Caller, key, before.caller),
        };
        if let Some(caller) = new.caller_key.as_ref().filter(by_caller) {
            return rule("texts_per_caller", "caller", caller);
        }
        if new.is_nobodys() && reached(By::Nobody, &new.line, HOUR_MS, limits.line_minute) {
            return rule("texts_per_caller", "line", &new.line);
        }
        if too_many(By::Number, &new.dest_key, Some(before.number)) {
            return rule("texts_per_caller", "destination", &new.dest_key);
        }
        if let Some(rule) = self.bites_prefix(config, to, now) {
            return Some(rule);
        }
        if reached(By::Line, &new.line, MINUTE_MS, limits.line_minute) {
            return rule("texts_per_line", "line", &new.line);
        }
        if let Some(rule) = self.bites_country(config, &new.region, now) {
            return Some(rule);
        }
        let of_client = |name: &&String| reached(By::Client, name, MINUTE_MS, limits.client_minute);
        if let Some(name) = new.client.as_ref().filter(of_client) {
            return rule("texts_per_client", "client", name);
        }
        None
    }

    fn bites_prefix(&self, config: &TextConfig, to: &E164, now: i64) -> Option<Rule> {
        let prefix = prefix(to.as_str(), config.limits.prefix_digits);
        let since = first_id_after(now - HOUR_MS);
        let of = |by| self.counted.count_of_many(hash(by, prefix), since);
        let reached = of(By::Prefix) + of(By::Answered) >= config.limits.prefix_hour as usize;
        let rule = || Rule { rule: "texts_per_prefix", scope: "prefix", key: prefix.to_owned() };
        reached.then(rule)
    }

    fn bites_country(&self, config: &TextConfig, region: &str, now: i64) -> Option<Rule> {
        let since = first_id_after(now - HOUR_MS);
        let count = self.counted.count_of_many(hash(By::Country, region), since);
        let reached = config.limits.country_hour.is_some_and(|most| count >= most as usize);
        let rule = || Rule { rule: "texts_per_country", scope: "country", key: region.to_owned() };
        reached.then(rule)
    }

    /// The share that was passed since it was last told.
    fn alarm(&mut self, config: &TextConfig, spent: i64) -> Option<u8> {
        let most = config.limits.spend_day?;
        let passed = |percent: &&u8| spent.saturating_mul(100) >= most * i64::from(**percent);
        let now = ALARMS.iter().rev().find(passed).copied().unwrap_or(0);
        let before = std::mem::replace(&mut self.alarmed, now);
        (now > before).then_some(now)
    }

    fn insert(&mut self, id: Id, text: &SentText, to: Option<String>, config: &TextConfig) {
        let client = text.client.as_ref().map(|name| hash(By::Client, name));
        let caller = text.caller_key.as_ref().map(|key| hash(By::Caller, key));
        let persons = [hash(By::Number, &text.dest_key)];
        let groups = [hash(By::Line, &text.line), hash(By::Country, &text.region)];
        let nobody = text.is_nobodys().then(|| hash(By::Nobody, &text.line));
        let text = Text {
            persons: persons.into_iter().chain(caller).collect(),
            groups: groups.into_iter().chain(client).chain(nobody).collect(),
            to: to.map(String::into_boxed_str),
            alike: By::Prefix,
            cost: config.cost(&text.charge),
        };
        self.put(id, text);
    }

    fn put(&mut self, id: Id, text: Text) {
        text.persons.iter().for_each(|person| self.counted.insert(*person, id));
        for group in text.groups.iter().copied().chain(of_prefix(&text, self.digits)) {
            self.counted.insert_of_many(group, id);
        }
        self.spent += text.cost;
        self.by_id.insert(id, text);
    }

    fn remove(&mut self, id: Id) {
        let Some(text) = self.by_id.remove(&id) else { return };
        text.persons.iter().for_each(|person| self.counted.remove(*person, id));
        for group in text.groups.iter().copied().chain(of_prefix(&text, self.digits)) {
            self.counted.remove_of_many(group, id);
        }
        self.spent -= text.cost;
    }

    /// A reload may count by longer or shorter prefixes.
    fn count_by(&mut self, digits: u8) {
        let before = std::mem::replace(&mut self.digits, digits);
        if before == digits {
            return;
        }
        for (id, text) in &self.by_id {
            if let Some(group) = of_prefix(text, before) {
                self.counted.remove_of_many(group, *id);
            }
            if let Some(group) = of_prefix(text, digits) {
                self.counted.insert_of_many(group, *id);
            }
        }
    }
}

fn of_prefix(text: &Text, digits: u8) -> Option<u64> {
    Some(hash(text.alike, prefix(text.to.as_ref()?, digits)))
}

/// The day's money is spent.
fn spent_up(config: &TextConfig, cost: i64) -> Option<Rule> {
    let is_spent = config.limits.spend_day.is_some_and(|most| cost > most);
    is_spent.then(|| Rule { rule: "spend_per_day", scope: "all", key: "day".to_owned() })
}

/// How a number, E.164, begins: as many digits, and never nearly all of it.
pub(super) fn prefix(number: &str, digits: u8) -> &str {
    let most = number.len().saturating_sub(UNSAID);
    number.get(..most.min(usize::from(digits) + 1)).unwrap_or(number)
}

/// The first id after a moment.
pub(super) fn first_id_after(at_ms: i64) -> Id {
    last_id_of(at_ms) + 1
}

/// The last id of a moment.
fn last_id_of(at_ms: i64) -> Id {
    let at = u64::try_from(at_ms.max(0)).unwrap_or(0) & 0xffff_ffff_ffff;
    ((u128::from(at) + 1) << 80) - 1
}

fn id_of(message_id: &str) -> Option<Id> {
    Uuid::try_parse(message_id).ok().map(|id| id.as_u128())
}

fn hash(by: By, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (by, text).hash(&mut hasher);
    hasher.finish()
}
