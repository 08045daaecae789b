//! The full service line of `config/full`, with what its flow takes from its `carom.toml`.

use ivr_runtime::{
    diagnose::Text,
    flow::{Business, Sender, Shared, tables::TargetDraft},
    hours::{Hours, Schedule, Week, parse_spans},
};
use toml::{Table, Value};

pub const FLOW: &str = include_str!("../../../../config/full/flows/full.toml");
const CONFIG: &str = include_str!("../../../../config/full/carom.toml");
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// As the configuration says; a trunk of it carries callbacks.
pub fn shared() -> Shared {
    let config: Table = CONFIG.parse().expect("config/full/carom.toml is TOML");
    let targets = entries(&config, "target").map(|(name, of)| TargetDraft {
        name: Text { value: name.clone(), span: 0..0 },
        addresses: vec![word(of, "sip")],
        ..TargetDraft::default()
    });
    let hours = entries(&config, "hours").map(|(name, of)| {
        let days = DAYS.map(|day| {
            let weekday = of.get("mon-fri").filter(|_| !["sat", "sun"].contains(&day));
            let spans = of.get(day).or(weekday).and_then(Value::as_str).unwrap_or("");
            if spans.is_empty() { Vec::new() } else { parse_spans(spans).expect("spans") }
        });
        let week = Week { zone: word(of, "zone"), days, holidays: Default::default() };
        Hours { name: name.clone(), schedule: Schedule::Week(week) }
    });
    let senders = entries(&config, "sender").map(|(name, of)| Sender {
        name: name.clone(),
        from: word(of, "from"),
        regions: words(of, "regions"),
        channel: word(of, "channel"),
        media: word(of, "channel") == "whatsapp",
        alphabet: Default::default(),
        business: None,
    });
    let businesses = entries(&config, "business")
        .map(|(key, of)| Business { key: key.clone(), brand: word(of, "brand") });
    Shared {
        targets: targets.collect(),
        hours: hours.collect(),
        senders: senders.collect(),
        providers: entries(&config, "provider")
            .map(|(name, of)| (name.clone(), word(of, "kind")))
            .collect(),
        public_url: Some(word(&config["http"], "public_url")),
        sources: entries(&config, "source").map(|(name, _)| name.clone()).collect(),
        businesses: businesses.collect(),
        fallback: Some(word(&config["fallback"], "target")),
        calls_back: true,
        countries: words(&config["limits"], "countries"),
        ..Shared::default()
    }
}

fn entries<'a>(config: &'a Table, kind: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    config[kind].as_table().expect("a table").iter()
}

fn word(of: &Value, key: &str) -> String {
    of[key].as_str().expect("a text").to_owned()
}

fn words(of: &Value, key: &str) -> Vec<String> {
    let all = of[key].as_array().expect("a list").iter();
    all.map(|one| one.as_str().expect("a text").to_owned()).collect()
}
