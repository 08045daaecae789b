//! From links to the services behind them.

use deflect_actions::destination::{Base, DIRECTORY, Destination, Khoros, Liveperson, Pointers};
use ivr_runtime::flow::model::{Account, Link, LinkKind};

use super::{Config, ProviderKind, Snapshot};

/// A link as it is now, of the flow of that name.
pub fn link<'a>(snapshot: &'a Snapshot, flow: &str, name: &str) -> Option<&'a Link> {
    let flow = snapshot.flows.iter().find(|served| served.name == flow)?;
    flow.links.iter().find(|link| link.name == name)
}

/// Who is asked or invites; `None`: nobody.
pub fn destination(config: &Config, link: &Link) -> Option<Destination> {
    Some(match &link.kind {
        LinkKind::Http { available_at, url_at, valid_at, .. } => Destination::Http(Pointers {
            available: available_at.clone(),
            url: url_at.clone(),
            valid: valid_at.clone(),
        }),
        LinkKind::LivepersonIvr(_, account) => {
            Destination::LivepersonIvr(liveperson(config, account)?)
        }
        LinkKind::LivepersonC2m(_, account) => Destination::LivepersonC2m {
            skill: account.skill.clone().unwrap_or_default(),
            handoff: account.handoff.clone().unwrap_or_else(|| link.name.clone()),
            account: liveperson(config, account)?,
        },
        LinkKind::KhorosFlow(account) => Destination::Khoros {
            event: account.event.clone().unwrap_or_default(),
            account: khoros(config, account)?,
        },
        LinkKind::Static
        | LinkKind::Signed
        | LinkKind::Telegram
        | LinkKind::Messenger
        | LinkKind::Whatsapp
        | LinkKind::Apple => return None,
    })
}

/// A provider on its own, which no link leads to; `None`: there is nothing to ask it.
pub fn destination_of_provider(config: &Config, name: &str) -> Option<Destination> {
    let of = Account { provider: name.to_owned(), ..Account::default() };
    liveperson(config, &of).map(Destination::LivepersonIvr).or_else(|| {
        Some(Destination::Khoros { account: khoros(config, &of)?, event: String::new() })
    })
}

fn liveperson(config: &Config, of: &Account) -> Option<Liveperson> {
    let ProviderKind::Liveperson { account, keys, url } = &config.provider(&of.provider)?.kind
    else {
        return None;
    };
    let own = of.account.clone();
    Some(Liveperson {
        account: own.unwrap_or_else(|| account.reveal().to_owned()),
        keys: keys.keys(),
        base: url.clone().map_or_else(|| Base::Directory(DIRECTORY.to_owned()), Base::At),
    })
}

/// The channel and the number, page or project that writes stand in `account`.
fn khoros(config: &Config, of: &Account) -> Option<Khoros> {
    let ProviderKind::Khoros { account, secret, url } = &config.provider(&of.provider)?.kind else {
        return None;
    };
    let named = of.account.as_deref().or(account.as_ref().map(|account| account.reveal()))?;
    let (channel, external_id) = named.split_once(':')?;
    Some(Khoros {
        url: url.clone(),
        key: secret.reveal().to_owned(),
        channel: channel.to_owned(),
        external_id: external_id.to_owned(),
    })
}
