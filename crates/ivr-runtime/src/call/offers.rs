//! Who hears an offer: hold-out, ramp, and every reason for which one is not made.

use super::{
    facts::{Facts, NO_TEXTS},
    io::Hidden,
};
use crate::{
    flow::{
        model::{Does, Flow, Go, LinkId, Offer, RuleId, Text, Wait},
        rules::{self, Truth},
    },
    step::{
        check,
        number::{self, Wanted},
    },
};

const DAY_MS: i64 = 86_400_000;
/// Who declined within so many days hears one offer a call at most, whatever the flow says (IC-16).
const ONCE_A_CALL_DAYS: i64 = 7;
/// Steps between the key that accepts and the text that are looked through.
const LOOK_AHEAD: usize = 4;
/// Seeds that are looked at for one that is alike.
const SEEDS: u64 = 5_000;
/// … and for one on one side of every share.
const SEEDS_OF_SHARES: u64 = 1_000_000;

/// Why an offer is not spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Suppressed {
    /// The caller is in the control group.
    Holdout,
    /// Nobody is texted: who wants no texts can't be told.
    NoTexts,
    /// The last text to this caller failed; the next thing they get is a person.
    FailedPromise,
    /// No number to send to.
    Withheld,
    /// A number that no text reaches.
    NotTextable,
    /// The number is to be confirmed, and the texts behind the offer ask nobody.
    NotConfirmed,
    /// The caller chose the phone instead of an offer, in this call (IC-01).
    ChosePhone,
    /// The caller declined within `ask_again_days` (IC-16).
    DeclinedBefore,
    /// The caller was deflected within `ask_again_days` and calls again (IC-09).
    Returning,
    /// `needs_intent`, and none is known.
    NoIntent,
    /// A rule of `only_if` or `never_if`, e.g. `only_if:textable`, `unknown:long_wait`.
    Rule(String),
    /// Outside the ramp.
    Share,
    /// A field of the link is not known, or not for this caller, and there is no other link.
    Link(&'static str),
    /// The topic needs a picture, and no sender behind the offer carries one (EX-26).
    NoMedia,
    /// Nobody is there, or nobody knows (LP-02); its checks fail (EX-05).
    Destination(&'static str),
}

impl Suppressed {
    /// `offer.reason`.
    pub fn reason(&self) -> String {
        let word = match self {
            Self::Holdout => "holdout",
            Self::NoTexts => NO_TEXTS,
            Self::FailedPromise => "failed_promise",
            Self::Withheld => "withheld",
            Self::NotTextable => "not_textable",
            Self::NotConfirmed => number::NOT_CONFIRMED,
            Self::ChosePhone => "chose_phone",
            Self::DeclinedBefore => "declined_before",
            Self::Returning => "returning",
            Self::NoIntent => "no_intent",
            Self::Rule(rule) => rule,
            Self::Share => "share",
            Self::NoMedia => "no_media",
            Self::Link(why) | Self::Destination(why) => why,
        };
        word.into()
    }
}

/// Whether this caller is in the control group; the same for every call of theirs.
pub(crate) fn is_holdout(flow: &Flow, facts: &Facts) -> bool {
    percentile(facts.caller_seed, "holdout") < u64::from(flow.holdout_percent)
}

/// The first reason against making `offer` now; `typed` is the number that the caller typed for texts.
pub(crate) fn suppressed(
    flow: &Flow,
    step: &str,
    offer: &Offer,
    facts: &Facts,
    typed: Option<&Hidden>,
    now_ms: i64,
) -> Option<Suppressed> {
    let checks: [&dyn Fn() -> Option<Suppressed>; 9] = [
        &|| is_holdout(flow, facts).then_some(Suppressed::Holdout),
        &|| facts.no_texts.then_some(Suppressed::NoTexts),
        &|| chose_phone(flow, step, offer, facts).then_some(Suppressed::ChosePhone),
        &|| caller_is_unfit(flow, offer, facts, typed, now_ms),
        &|| (offer.needs_intent && facts.intent.is_none()).then_some(Suppressed::NoIntent),
        &|| no_sender_carries(flow, offer, facts).then_some(Suppressed::NoMedia),
        &|| against_rules(flow, offer, facts, now_ms),
        &|| {
            let outside = percentile(facts.caller_seed, step) >= u64::from(offer.share.at(now_ms));
            outside.then_some(Suppressed::Share)
        },
        &|| match check::resolve(flow, facts, facts.level_of(typed), offer.link) {
            Err(why) => Some(Suppressed::Link(why)),
            Ok((id, _)) => {
                let down = is_down(flow, facts, id);
                down.then_some(Suppressed::Destination("destination_down"))
            }
        },
    ];
    checks.iter().find_map(|check| check())
}

/// Whether the destination of a link fails its checks.
pub(crate) fn is_down(flow: &Flow, facts: &Facts, id: LinkId) -> bool {
    check::link(flow, id).is_some_and(|link| facts.links_down.contains(&link.name))
}

/// Whoever chose the phone in this call is not asked again, unless the flow says so: by `again`, or
/// once by a `wait` that names the offer.
fn chose_phone(flow: &Flow, step: &str, offer: &Offer, facts: &Facts) -> bool {
    let named = |wait: &Wait| {
        let id = wait.offer.map(|id| usize::from(id.0));
        id.and_then(|id| flow.steps.get(id)).is_some_and(|known| known.name == step)
    };
    let in_line =
        || flow.steps.iter().any(|step| matches!(&step.does, Does::Wait(wait) if named(wait)));
    let here = facts.chose_phone_at.iter().any(|at| at == step);
    !offer.again && !facts.chose_phone_at.is_empty() && (here || !in_line())
}

/// Reasons that lie in the caller: history and number.
fn caller_is_unfit(
    flow: &Flow,
    offer: &Offer,
    facts: &Facts,
    typed: Option<&Hidden>,
    now_ms: i64,
) -> Option<Suppressed> {
    let since_ms = now_ms - i64::from(flow.ask_again_days) * DAY_MS;
    if let Some(history) = &facts.history {
        if history.failed_promise {
            return Some(Suppressed::FailedPromise);
        }
        let lately_ms = now_ms - ONCE_A_CALL_DAYS * DAY_MS;
        let since_ms = if facts.offered { since_ms.min(lately_ms) } else { since_ms };
        if history.declined_ms.is_some_and(|at_ms| at_ms > since_ms) {
            return Some(Suppressed::DeclinedBefore);
        }
        if history.deflected_ms.iter().any(|at_ms| *at_ms > since_ms) {
            return Some(Suppressed::Returning);
        }
    }
    let not_confirmed =
        |text: &Text| number::wanted(text, facts, typed) == Wanted::None(number::NOT_CONFIRMED);
    let mut texts = texts_behind(flow, offer).peekable();
    if texts.peek().is_some() && texts.all(not_confirmed) {
        return Some(Suppressed::NotConfirmed);
    }
    match (&facts.caller, facts.withheld, facts.can_receive_text) {
        _ if asks_for_a_number(flow, offer) => None,
        (None, _, _) | (_, true, _) => Some(Suppressed::Withheld),
        (Some(_), false, Some(false)) => Some(Suppressed::NotTextable),
        (Some(_), false, Some(true) | None) => None,
    }
}

/// The key that accepts leads to a text whose step says that it asks for a mobile number.
fn asks_for_a_number(flow: &Flow, offer: &Offer) -> bool {
    texts_behind(flow, offer).any(|text| text.ask.as_ref().is_some_and(|ask| ask.written))
}

/// The topic needs a picture, and the key that accepts leads to texts that carry none.
fn no_sender_carries(flow: &Flow, offer: &Offer, facts: &Facts) -> bool {
    let intent = facts.intent.as_deref();
    if !flow.needs_media(intent) {
        return false;
    }
    let mut texts = texts_behind(flow, offer).peekable();
    texts.peek().is_some() && texts.all(|text| flow.carriers(&text.via, intent).is_empty())
}

/// The texts that the keys that accept lead to, at once, through `set` steps or through a menu of
/// channels.
fn texts_behind<'a>(flow: &'a Flow, offer: &Offer) -> impl Iterator<Item = &'a Text> {
    let mut open: Vec<(Go, usize)> = offer
        .accept
        .iter()
        .filter_map(|key| offer.menu.press.get(key))
        .map(|go| (*go, LOOK_AHEAD))
        .collect();
    std::iter::from_fn(move || {
        while let Some((go, left)) = open.pop() {
            let (Go::Step(id), Some(left)) = (go, left.checked_sub(1)) else { continue };
            match flow.steps.get(usize::from(id.0)).map(|step| &step.does) {
                Some(Does::Text(text)) => return Some(text),
                Some(Does::Set { then, .. }) => open.push((*then, left)),
                Some(Does::Menu(menu)) => open.extend(menu.press.values().map(|go| (*go, left))),
                _ => {}
            }
        }
        None
    })
}

/// `only_if` wants true, `never_if` wants false; unknown is against both.
fn against_rules(flow: &Flow, offer: &Offer, facts: &Facts, now_ms: i64) -> Option<Suppressed> {
    let against = |list: &[RuleId], wanted: Truth, key: &str| {
        list.iter().find_map(|rule| {
            let (truth, unknown) = judge(flow, facts, now_ms, *rule);
            match truth {
                Truth::Unknown => Some(Suppressed::Rule(format!("unknown:{unknown}"))),
                truth if truth != wanted => Some(Suppressed::Rule(format!("{key}:{unknown}"))),
                Truth::True | Truth::False => None,
            }
        })
    };
    against(&offer.only_if, Truth::True, "only_if")
        .or_else(|| against(&offer.never_if, Truth::False, "never_if"))
}

/// The truth of a rule, with its name.
pub(crate) fn judge(flow: &Flow, facts: &Facts, now_ms: i64, rule: RuleId) -> (Truth, String) {
    let name = flow.rules.get(usize::from(rule.0)).map_or("", |rule| rule.name.as_str());
    (rules::evaluate(flow, facts, now_ms, rule), name.to_owned())
}

/// Another seed that this flow takes alike: the control group, and each ramp.
pub(crate) fn seed_alike(flow: &Flow, seed: u64) -> u64 {
    let offers = flow.steps.iter().filter_map(|step| match &step.does {
        Does::Offer(offer) => Some((step.name.as_str(), &offer.share.0)),
        _ => None,
    });
    let shares = offers.flat_map(|(name, shares)| {
        shares.iter().map(move |(_, percent)| (name, u64::from(*percent)))
    });
    let holdout = [("holdout", u64::from(flow.holdout_percent))];
    let inside = |seed, salt, share| percentile(seed, salt) < share;
    let arms: Vec<_> = holdout
        .into_iter()
        .chain(shares)
        .map(|(salt, share)| (salt, share, inside(seed, salt, share)))
        .collect();
    // The first arm that differs ends the look at a seed.
    let alike =
        |other: &u64| arms.iter().all(|(salt, share, was)| inside(*other, salt, *share) == *was);
    (0..SEEDS).find(alike).unwrap_or(0)
}

/// A seed of a caller who is in the control group of `flow`, or not, and who is inside the `share`
/// of all its offers at `now_ms`, or outside of all that leave somebody out. `None`: there is no
/// such caller, or none was found.
#[must_use]
pub fn seed_of(flow: &Flow, is_holdout: bool, inside: bool, now_ms: i64) -> Option<u64> {
    let shares = flow.steps.iter().filter_map(|step| match &step.does {
        Does::Offer(offer) => Some((step.name.as_str(), u64::from(offer.share.at(now_ms)))),
        _ => None,
    });
    let shares: Vec<(&str, u64)> = shares.filter(|(_, share)| *share < 100).collect();
    if !inside && shares.is_empty() {
        return None;
    }
    // Nobody is inside of nothing.
    let side = |seed, step: &str, share| (percentile(seed, step) < share) == (inside && share > 0);
    let holdout = u64::from(flow.holdout_percent);
    let fits = |seed: &u64| {
        (percentile(*seed, "holdout") < holdout) == is_holdout
            && shares.iter().all(|(step, share)| side(*seed, step, *share))
    };
    (0..SEEDS_OF_SHARES).find(fits)
}

/// 0–99, evenly spread over callers and independent from one `salt` to another.
fn percentile(seed: u64, salt: &str) -> u64 {
    // FNV-1a over the salt, then the finaliser of SplitMix64: stable over releases and machines.
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let mut z = salt.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, fnv);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_keeps_a_percentile_and_salts_are_independent() {
        let mut both = 0;
        for seed in 0..10_000u64 {
            assert_eq!(percentile(seed, "a"), percentile(seed, "a"));
            both += u32::from(percentile(seed, "a") < 10 && percentile(seed, "b") < 10);
        }
        assert!((60..140).contains(&both), "1 % expected, {both} of 10,000");
    }
}
