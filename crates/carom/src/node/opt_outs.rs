//! Who wants no texts, and who is to be forgotten, by the operator's word.

use std::{fs, path::Path};

use deflect_actions::{
    keys::{Keys, opt_out_check},
    store::{Erased, OptOutOrder, StoreError, unknown_opt_out_keys},
};
use ivr_runtime::diagnose::{self, Code, Finding, Notes, Span};
use message_text::E164;
use serde_json::json;

use super::desk::{Desk, data};
use crate::{
    config::{Config, SecretRef},
    control::{OptOutEntry, Reply},
    switchboard::Ask,
};

impl Desk {
    pub(super) async fn opt_outs(&self, business: Option<&str>, limit: u32) -> Reply {
        let brand = match business.map(|name| self.businesses(Some(name))) {
            None => None,
            Some(Err(why)) => return Reply::Error(why),
            Some(Ok(_)) => business.map(|name| self.services.store.keys().brand(name).to_owned()),
        };
        match self.services.store.opt_outs(brand.as_deref(), limit).await {
            Ok(list) => {
                let views = list.iter().map(|one| {
                    json!({
                        "brand": one.brand,
                        "topic": one.topic,
                        "via": one.via,
                        "since_ms": one.since_ms,
                        "to": one.to_masked,
                        "lost_ms": one.lost_ms,
                    })
                });
                data(&views.collect::<Vec<_>>())
            }
            Err(error) => Reply::Error(format!("the store does not tell: {error}")),
        }
    }

    /// All of them or none.
    pub(super) async fn add_opt_outs(
        &self,
        entries: Vec<OptOutEntry>,
        via: &str,
        who: &str,
    ) -> Reply {
        let what = format!("opt-out {}", if via == "operator" { "add" } else { via });
        let detail = match entries.as_slice() {
            [one] => scope(one),
            _ => format!("{} entries", entries.len()),
        };
        let (store, keys) = (&self.services.store, self.services.store.keys().clone());
        // A hash of each: of many that takes its time.
        let hashed = tokio::task::spawn_blocking(move || {
            let all: Result<Vec<_>, String> =
                entries.iter().map(|entry| orders(&keys, entry)).collect();
            all.map(|all| (all.len(), all.concat()))
        });
        let (count, orders) = match hashed.await {
            Ok(Ok(checked)) => checked,
            Ok(Err(why)) => return Reply::Error(why),
            Err(error) => return Reply::Error(format!("nothing was recorded: {error}")),
        };
        match store.opt_out_all(orders, via, (who, &what, &detail)).await {
            Ok(()) => Reply::Done(format!("{count} recorded")),
            Err(error @ StoreError::Unfinished(_)) => Reply::Error(error.to_string()),
            Err(error) => Reply::Error(format!("nothing was recorded: {error}")),
        }
    }

    pub(super) async fn remove_opt_out(&self, entry: &OptOutEntry, who: &str) -> Reply {
        let store = &self.services.store;
        let orders = match orders(store.keys(), entry) {
            Ok(orders) => orders,
            Err(why) => return Reply::Error(why),
        };
        let any_topic = entry.topic.is_none();
        let audited = (who, "opt-out remove", scope(entry));
        let by = (audited.0, audited.1, audited.2.as_str());
        match store.opt_in_all(orders, any_topic, by).await {
            Ok(0) => Reply::Error("there is no such opt-out".into()),
            Ok(ended) => Reply::Done(format!("{ended} taken back")),
            Err(error) => Reply::Error(format!("nothing was taken back: {error}")),
        }
    }

    pub(super) async fn accept_opt_out_key(&self, business: Option<&str>, who: &str) -> Reply {
        let lost = match self.businesses(business) {
            Ok(all) => all,
            Err(why) => return Reply::Error(why),
        };
        let store = &self.services.store;
        let lost: Vec<_> =
            lost.into_iter().filter(|name| store.is_opt_out_list_lost(name)).collect();
        for name in &lost {
            if let Err(error) = store.accept_opt_out_key(name, who).await {
                return Reply::Error(format!("not accepted: {error}"));
            }
        }
        match lost.as_slice() {
            [] => Reply::Error("each list was written with the key that it has".into()),
            names => Reply::Done(format!(
                "accepted for {}: what was written with another key is not found, import it anew",
                names.join(", ")
            )),
        }
    }

    /// Blanks what is known of a number; its opt-outs stay.
    pub(super) async fn erase(&self, number: &str, business: Option<&str>, who: &str) -> Reply {
        let (number, businesses) = match (parsed(number), self.businesses(business)) {
            (Ok(number), Ok(businesses)) => (number, businesses),
            (Err(why), _) | (_, Err(why)) => return Reply::Error(why),
        };
        // Nothing of it is shown from memory; calls are found in the store.
        let _ = self.ask(Ask::ForgetEnded).await;
        let (store, mut all) = (&self.services.store, Erased::default());
        let detail = format!("{} {}", business.unwrap_or("*"), number.region());
        for business in businesses {
            match store.erase_number(business, &number).await {
                Ok(one) => {
                    all.calls += one.calls;
                    all.messages += one.messages;
                    all.links += one.links;
                    all.callbacks += one.callbacks;
                    all.voicemails += one.voicemails;
                    all.contacts += one.contacts;
                    all.events += one.events;
                }
                Err(error) => {
                    // What was erased before it stays so, and is audited.
                    let told = format!("not all erased: {error}");
                    let unfinished = format!("{detail} unfinished");
                    return match self.audited(who, "erase", &unfinished, told).await {
                        Reply::Done(told) => Reply::Error(told),
                        other => other,
                    };
                }
            }
        }
        let Erased { calls, messages, links, callbacks, voicemails, contacts, events } = all;
        let told = format!(
            "erased from {calls} call(s), {messages} message(s), {links} link(s), {callbacks} \
             callback(s), {voicemails} voicemail(s), {contacts} contact(s), {events} text(s) of \
             theirs; opt-outs are kept"
        );
        self.audited(who, "erase", &detail, told).await
    }

    fn businesses<'a>(&'a self, name: Option<&'a str>) -> Result<Vec<&'a str>, String> {
        businesses(self.services.store.keys(), name)
    }
}

/// E18 of each business whose opt-out list was written with another key than it has now. What is not
/// there yet, the database or a key, is no fault; PostgreSQL is asked where `online`.
pub async fn lists_of_other_keys(path: &str, config: &Config, online: bool) -> Vec<Finding> {
    let url = config.store.url.reveal();
    let file = url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    if file.map_or(!online, |file| !Path::new(file).is_file()) {
        return Vec::new();
    }
    let keys = config.businesses.iter().filter_map(|business| {
        let key = match &business.opt_out_key {
            SecretRef::File(path) => fs::read(path).ok()?.trim_ascii_end().to_vec(),
            SecretRef::Env(_) => business.opt_out_key.resolve().ok()?.reveal().as_bytes().to_vec(),
        };
        Some((business.key.clone(), opt_out_check(&key, &business.brand)))
    });
    let keys: Vec<_> = keys.collect();
    if keys.is_empty() {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    let notes = Notes::default();
    match unknown_opt_out_keys(url, &keys).await {
        Ok(unknown) => {
            let help = "restore it and start anew; if the key is lost, start with the present one, then `carom opt-outs accept-key`, and import the list anew";
            for name in unknown {
                let message = format!(
                    "the opt-out list of `[business.{name}]` was written with another `opt_out_key` or `brand`: \
                     nobody on it would be found, and so nobody is texted"
                );
                notes.note(Code::E18, key_of(&text, &name), message, help);
            }
        }
        Err(error) => {
            let message = format!("the opt-out list can't be read: {error}");
            notes.note(Code::E18, place_of(&text, &["store"]), message, "");
        }
    }
    diagnose::findings(notes.into_problems(), path, &text)
}

/// Where the key of a business stands, else its brand, else its table.
fn key_of(text: &str, business: &str) -> Span {
    let table = ["business", business];
    let found = ["opt_out_key", "brand"].into_iter().map(|key| [table[0], table[1], key]);
    let mut places = found.map(|path| place_of(text, &path)).filter(|place| !place.is_empty());
    places.next().unwrap_or_else(|| place_of(text, &table))
}

/// Where a key stands in a file; its beginning where there is no such key.
fn place_of(text: &str, path: &[&str]) -> Span {
    let tree = diagnose::tree(text, &Notes::default());
    let (mut table, mut place) = (Some(tree.get_ref()), 0..0);
    for name in path {
        let Some((key, value)) = table.and_then(|table| table.get_key_value(*name)) else {
            return 0..0;
        };
        (table, place) = (value.get_ref().as_table(), key.span());
    }
    place
}

/// What an entry means, by business.
fn orders(keys: &Keys, entry: &OptOutEntry) -> Result<Vec<OptOutOrder>, String> {
    let at = |why: String| match entry.line {
        Some(line) => format!("line {line}: {why}"),
        None => why,
    };
    let businesses = businesses(keys, entry.business.as_deref()).map_err(at)?;
    let number = parsed(&entry.number).map_err(at)?;
    let topic = entry.topic.as_deref().unwrap_or_default();
    let order = |business| OptOutOrder::new(keys, business, &number, topic);
    Ok(businesses.into_iter().map(order).collect())
}

fn businesses<'a>(keys: &'a Keys, name: Option<&'a str>) -> Result<Vec<&'a str>, String> {
    let mut known = keys.businesses();
    match name {
        None => Ok(known.collect()),
        Some(name) if known.any(|known| known == name) => Ok(vec![name]),
        Some(name) => Err(format!("there is no `[business.{name}]`")),
    }
}

fn parsed(number: &str) -> Result<E164, String> {
    // Not repeated: it may stand in a log of the terminal.
    number.parse().map_err(|why| format!("not a number such as +447700900123: {why}"))
}

/// Whose it was is not audited: the opt-out itself is kept under a hash.
fn scope(entry: &OptOutEntry) -> String {
    let business = entry.business.as_deref().unwrap_or("*");
    format!("{business} {}", entry.topic.as_deref().unwrap_or_default())
}
