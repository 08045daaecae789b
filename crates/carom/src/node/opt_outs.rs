//! Who wants no texts, and who is to be forgotten, by the operator's word.

use deflect_actions::store::Erased;
use message_text::E164;
use serde_json::json;

use super::{run::Node, serve::data};
use crate::control::{OptOutEntry, Reply};

const OPERATOR: &str = "operator";

/// An entry that names what is there.
struct Checked<'a> {
    number: E164,
    businesses: Vec<&'a str>,
    topic: Option<&'a str>,
}

impl Node {
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
                    })
                });
                data(&views.collect::<Vec<_>>())
            }
            Err(error) => Reply::Error(format!("the store does not tell: {error}")),
        }
    }

    pub(super) async fn add_opt_outs(
        &self,
        entries: &[OptOutEntry],
        via: &str,
        dry: bool,
    ) -> Reply {
        let checked: Result<Vec<_>, _> = entries.iter().map(|entry| self.checked(entry)).collect();
        let checked = match checked {
            Ok(checked) => checked,
            Err(why) => return Reply::Error(why),
        };
        if dry {
            return Reply::Done("they could be added".into());
        }
        let store = &self.services.store;
        for one in &checked {
            for business in &one.businesses {
                let added = store.opt_out(business, &one.number, one.topic.unwrap_or(""), via);
                if let Err(error) = added.await {
                    return Reply::Error(format!("not all recorded: {error}"));
                }
            }
        }
        let what = format!("opt-out {}", if via == OPERATOR { "add" } else { via });
        let detail = match entries {
            [one] => scope(one),
            _ => format!("{} entries", entries.len()),
        };
        match store.audit(OPERATOR, &what, &detail).await {
            Ok(()) => Reply::Done(format!("{} recorded", checked.len())),
            Err(error) => Reply::Error(format!("recorded, but not audited: {error}")),
        }
    }

    pub(super) async fn remove_opt_out(&self, entry: &OptOutEntry) -> Reply {
        let one = match self.checked(entry) {
            Ok(one) => one,
            Err(why) => return Reply::Error(why),
        };
        let (store, mut ended) = (&self.services.store, 0);
        for business in &one.businesses {
            match store.opt_in(business, &one.number, one.topic).await {
                Ok(n) => ended += n,
                Err(error) => return Reply::Error(format!("not all recorded: {error}")),
            }
        }
        if ended == 0 {
            return Reply::Error("there is no such opt-out".into());
        }
        match store.audit(OPERATOR, "opt-out remove", &scope(entry)).await {
            Ok(()) => Reply::Done(format!("{ended} taken back")),
            Err(error) => Reply::Error(format!("taken back, but not audited: {error}")),
        }
    }

    /// Blanks what is known of a number; its opt-outs stay.
    pub(super) async fn erase(&self, number: &str, business: Option<&str>) -> Reply {
        let (number, businesses) = match (parsed(number), self.businesses(business)) {
            (Ok(number), Ok(businesses)) => (number, businesses),
            (Err(why), _) | (_, Err(why)) => return Reply::Error(why),
        };
        let (store, mut all) = (&self.services.store, Erased::default());
        for business in businesses {
            match store.erase_number(business, &number).await {
                Ok(one) => {
                    all.calls += one.calls;
                    all.messages += one.messages;
                    all.links += one.links;
                    all.callbacks += one.callbacks;
                    all.voicemails += one.voicemails;
                    all.contacts += one.contacts;
                }
                Err(error) => return Reply::Error(format!("not all erased: {error}")),
            }
        }
        let detail = format!("{} {}", business.unwrap_or("*"), number.region());
        if let Err(error) = store.audit(OPERATOR, "erase", &detail).await {
            return Reply::Error(format!("erased, but not audited: {error}"));
        }
        let Erased { calls, messages, links, callbacks, voicemails, contacts } = all;
        Reply::Done(format!(
            "erased from {calls} call(s), {messages} message(s), {links} link(s), {callbacks} \
             callback(s), {voicemails} voicemail(s), {contacts} contact(s); opt-outs are kept"
        ))
    }

    fn checked<'a>(&'a self, entry: &'a OptOutEntry) -> Result<Checked<'a>, String> {
        let businesses = self.businesses(entry.business.as_deref())?;
        let topic = entry.topic.as_deref();
        Ok(Checked { number: parsed(&entry.number)?, businesses, topic })
    }

    fn businesses<'a>(&'a self, name: Option<&'a str>) -> Result<Vec<&'a str>, String> {
        let mut known = self.services.store.keys().businesses();
        match name {
            None => Ok(known.collect()),
            Some(name) if known.any(|known| known == name) => Ok(vec![name]),
            Some(name) => Err(format!("there is no `[business.{name}]`")),
        }
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
