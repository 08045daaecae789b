//! `carom providers check` of those that links lead to: whether they are reached and know us, and
//! whether the pages by which their links are known to work are well. Nobody is written to.

use deflect_actions::{
    Clock,
    destination::{Availability, CERTIFICATE_MS, Context, Destination, Destinations, probe},
};
use ivr_runtime::flow::model::{Account, Flow, Link, LinkKind};

use super::providers::LIMIT;
use crate::config::{Snapshot, destination, destination_of_provider};

/// A number that is nobody's: Ofcom keeps it for films. One service answers of a number only.
const NOBODY: &str = "+447700900000";
const DAY_MS: i64 = 86_400_000;

/// Prints what is found of a provider; whether all is well.
pub(super) async fn check(name: &str, snapshot: &Snapshot) -> bool {
    let of = |link: &&Link| account(&link.kind).is_some_and(|account| account.provider == name);
    let mut links: Vec<(&Flow, &Link)> = Vec::new();
    for flow in &snapshot.flows {
        links.extend(flow.links.iter().filter(of).map(|link| (flow.as_ref(), link)));
    }
    let mut well = true;
    let alone = destination_of_provider(&snapshot.config, name).filter(|_| links.is_empty());
    if let Some(destination) = alone {
        well &= ask(name, &destination, None).await;
    }
    for (flow, link) in links {
        if let Some(asked) = destination(&snapshot.config, link) {
            well &= ask(name, &asked, Some((flow, link))).await;
        }
        if let Some(url) = &link.check_url {
            well &= page(name, &link.name, url).await;
        }
    }
    well
}

/// The account of a link of such a provider.
fn account(kind: &LinkKind) -> Option<&Account> {
    match kind {
        LinkKind::LivepersonIvr(_, account)
        | LinkKind::LivepersonC2m(_, account)
        | LinkKind::KhorosFlow(account) => Some(account),
        LinkKind::Static
        | LinkKind::Signed
        | LinkKind::Http { .. }
        | LinkKind::Telegram
        | LinkKind::Messenger
        | LinkKind::Whatsapp
        | LinkKind::Apple => None,
    }
}

async fn ask(name: &str, destination: &Destination, link: Option<(&Flow, &Link)>) -> bool {
    let what = link.map_or_else(|| name.to_owned(), |(_, link)| format!("{name}: {}", link.name));
    if let Destination::Khoros { account, .. } = destination {
        let probe = probe(account.address(), LIMIT).await;
        let Some(_) = probe.status else {
            println!("{what}: {} is not reached: {}", account.address(), probe.note.unwrap_or(""));
            return false;
        };
        println!("{what}: {} is reached; its key shows only when it writes", account.address());
        return true;
    }
    let language = link.and_then(|(flow, _)| flow.languages.first().cloned());
    let context = Context {
        call_id: "check".to_owned(),
        caller: Some(NOBODY.to_owned()),
        called: link.and_then(|(flow, _)| flow.numbers.first().cloned()).unwrap_or_default(),
        language: language.unwrap_or_default(),
        ..Context::default()
    };
    let link = link.map_or("", |(_, link)| link.name.as_str());
    let answer = Destinations::default().check(link, destination, "", &context, LIMIT).await;
    match answer {
        Availability::Available(_) => {
            println!("{what}: the credentials are right, and somebody is there");
            true
        }
        Availability::NotAvailable => {
            println!("{what}: the credentials are right; nobody is there now");
            true
        }
        Availability::Unknown(why) if ["status_401", "status_403"].contains(&why.as_str()) => {
            println!("{what}: it does not know us: {why}");
            false
        }
        Availability::Unknown(why) => {
            println!("{what}: it is not reached, or does not answer as it should: {why}");
            false
        }
    }
}

/// The page by which a link is known to work.
async fn page(name: &str, link: &str, url: &str) -> bool {
    let probe = probe(url, LIMIT).await;
    let left = probe.cert_until_ms.map(|until| until - Clock::default().now_ms());
    let ends_soon = left.is_some_and(|left| left < CERTIFICATE_MS);
    let told = match probe.status {
        Some(status) => format!("answers {status}"),
        None => format!("does not answer: {}", probe.note.unwrap_or("unknown")),
    };
    let certificate =
        left.map(|left| format!("; its certificate ends in {} days", left.div_euclid(DAY_MS)));
    println!("{name}: {link}: {url} {told}{}", certificate.unwrap_or_default());
    probe.ok && !ends_soon
}
