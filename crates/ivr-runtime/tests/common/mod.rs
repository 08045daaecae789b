//! What flows of the tests take from a configuration.

use ivr_runtime::{
    diagnose::Text,
    flow::{PromptFacts, PromptIndex, Shared, tables::TargetDraft},
    hours::{Hours, Schedule, Week, parse_spans},
};

/// Every prompt is there, and lasts four seconds.
pub struct Sounds;

impl PromptIndex for Sounds {
    fn in_folder(&self, _: &str, _: &str) -> Option<std::collections::BTreeSet<String>> {
        None
    }

    fn has(&self, _language: &str, _name: &str) -> Option<PromptFacts> {
        Some(PromptFacts { len_ms: 4_000, rate: 8_000, channels: 1 })
    }
}

/// Office hours, and a PBX that takes what nobody else takes.
pub fn shipped_shared() -> Shared {
    let day = parse_spans("08:00-20:00").expect("spans");
    let mut days: [_; 7] = std::array::from_fn(|_| day.clone());
    days[6].clear();
    let week = Week { zone: "Europe/London".into(), days, holidays: Default::default() };
    let hours = vec![Hours { name: "office".into(), schedule: Schedule::Week(week) }];
    let exchange = TargetDraft {
        name: Text { value: "exchange".into(), span: 0..0 },
        addresses: vec!["sip:main@192.0.2.9".into()],
        ..TargetDraft::default()
    };
    let fallback = Some("exchange".into());
    let sources = vec!["queue".into()];
    let public_url = Some("https://c.example.com".into());
    Shared {
        hours,
        sources,
        targets: vec![exchange],
        fallback,
        public_url,
        calls_back: true,
        ..Shared::default()
    }
}
