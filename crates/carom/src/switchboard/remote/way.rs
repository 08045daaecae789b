//! From what a flow offers to its text: which keys a caller would press.

use std::collections::{BTreeSet, VecDeque};

use deflect_actions::{provider::Channel, text::TextConfig};
use ivr_runtime::{
    flow::model::{Does, Flow, Go, Menu, Offer, StepId},
    key::Key,
};

/// Keys pressed at most.
const LONGEST: usize = 4;

/// A prompt that offers, and the keys from there to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub at: StepId,
    pub keys: Vec<Key>,
    pub channel: Channel,
    /// The step that sends it.
    pub text: StepId,
}

/// The ways of a flow to its texts for callers with `intent` in `region`, in file order: by its
/// offers, or where it has none by its menus.
pub(super) fn ways(
    flow: &Flow,
    intent: Option<&str>,
    texts: &TextConfig,
    region: &str,
) -> Vec<Way> {
    let (mut by_offers, mut by_menus) = (Vec::new(), Vec::new());
    for (id, step) in (0..).map(StepId).zip(&flow.steps) {
        match &step.does {
            // In a queue it is made to somebody who waits.
            Does::Offer(offer) if serves(flow, offer, intent) && offer.stage != "in-queue" => {
                by_offers.extend(texts_after(
                    flow,
                    id,
                    &offer.menu,
                    &offer.accept,
                    intent,
                    texts,
                    region,
                ));
            }
            Does::Menu(menu) => {
                let keys: Vec<Key> = menu.press.keys().copied().collect();
                by_menus.extend(texts_after(flow, id, menu, &keys, intent, texts, region));
            }
            _ => {}
        }
    }
    let offers = flow.steps.iter().any(|step| matches!(step.does, Does::Offer(_)));
    if offers { by_offers } else { by_menus }
}

/// Whether its link is for the intent; without one, for any.
fn serves(flow: &Flow, offer: &Offer, intent: Option<&str>) -> bool {
    let link = flow.links.get(usize::from(offer.link.0));
    let Some((link, intent)) = link.zip(intent) else { return link.is_some() };
    link.intents.is_empty() || link.intents.iter().any(|known| known == "any" || known == intent)
}

fn texts_after(
    flow: &Flow,
    at: StepId,
    menu: &Menu,
    keys: &[Key],
    intent: Option<&str>,
    texts: &TextConfig,
    region: &str,
) -> Vec<Way> {
    let mut found: Vec<Way> = Vec::new();
    let mut seen = BTreeSet::new();
    let first = keys.iter().filter_map(|key| Some((*menu.press.get(key)?, vec![*key])));
    let mut open: VecDeque<(Go, Vec<Key>)> = first.collect();
    while let Some((go, keys)) = open.pop_front() {
        let Go::Step(id) = go else { continue };
        let Some(step) = flow.steps.get(usize::from(id.0)) else { continue };
        if keys.len() > LONGEST || !seen.insert(id.0) {
            continue;
        }
        match &step.does {
            Does::Text(text) => {
                let known = |channel: &Channel| found.iter().any(|way| way.channel == *channel);
                let via = flow.carriers(&text.via, intent);
                if let Some(channel) = channel_of(&via, texts, region).filter(|it| !known(it)) {
                    found.push(Way { at, keys, channel, text: id });
                }
            }
            Does::Menu(menu) => {
                open.extend(
                    menu.press.iter().map(|(key, go)| (*go, [&keys[..], &[*key]].concat())),
                );
            }
            Does::Set { then, .. } | Does::Say { then, .. } => open.push_back((*then, keys)),
            _ => {}
        }
    }
    found
}

/// That of the first sender that would carry it.
fn channel_of(via: &[String], texts: &TextConfig, region: &str) -> Option<Channel> {
    let named = via.iter().filter_map(|name| texts.senders.iter().find(|it| it.name == *name));
    named.into_iter().find(|it| it.regions.iter().any(|own| own == region)).map(|it| it.channel)
}
