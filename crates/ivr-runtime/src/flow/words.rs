//! What the words of a message must hold, whoever writes them: its link once, who it is from, and
//! how to get no more of them where that is not plain.

use super::Sender;

/// Characters of a name that texts come from.
const LONGEST_NAME: usize = 11;
/// By which a text says how to get no more of them.
const OPT_OUT: [&str; 7] =
    ["stop", "opt out", "opt-out", "unsubscribe", "baja", "désabonn", "abmeld"];

/// What a message must hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// Whether it leads somewhere: then `{link}` stands in it once.
    pub leads: bool,
    /// Who it is from.
    pub brand: Option<&'a str>,
    /// A sender it may come from that nobody can answer.
    pub one_way: Option<&'a Sender>,
    /// It is more than the link that its reader asked for by a key a moment ago (requirements
    /// §4.5).
    pub unasked: bool,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// It.
    pub why: String,
    /// What would be right.
    pub help: String,
}

/// What is wrong with the words of a message; `{link}` and `{brand}` still stand in them.
#[must_use]
pub fn faults(text: &str, expected: &Expected<'_>) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut note = |why: String, help: String| found.push(Fault { why, help });
    let links = text.matches("{link}").count();
    if links != 1 && expected.leads {
        let why = format!("the message holds `{{link}}` {links} times; it takes it once");
        note(why, "the link is put where `{link}` stands".to_owned());
    }
    if let Some(brand) = expected.brand
        && !text.contains("{brand}")
        && !text.to_lowercase().contains(&brand.to_lowercase())
    {
        let why = format!("the message does not say that it is from {brand}");
        note(why, format!("begin it with `{brand}: …`"));
    }
    if let Some(sender) = expected.one_way
        && !names_a_way_out(text)
    {
        // Nobody can answer it by STOP (requirements §4.3).
        let (name, from) = (&sender.name, &sender.from);
        let why = format!(
            "the message may come from `{from}` (`[sender.{name}]`), which nobody can answer, and \
             does not say how else to opt out"
        );
        let help = "say it with a number or an address, such as `Opt out: call 020 7946 0018`";
        note(why, help.to_owned());
    }
    if expected.one_way.is_none() && expected.unasked && !text.to_uppercase().contains("STOP") {
        let why = "the message does not say how to opt out".to_owned();
        note(why, "end it with `Reply STOP to opt out.`".to_owned());
    }
    found
}

/// The first of these senders that is a name: texts from it can't be answered.
#[must_use]
pub fn one_way<'a>(senders: &'a [Sender], via: &[String]) -> Option<&'a Sender> {
    let is_name = |sender: &&Sender| {
        sender.channel == "sms"
            && sender.from.len() <= LONGEST_NAME
            && sender.from.chars().any(|c| c.is_ascii_alphabetic())
    };
    let used = |sender: &&Sender| via.contains(&sender.name);
    senders.iter().filter(is_name).find(used)
}

/// An opt-out word in one of our languages, and somewhere to say it: a number, or an address
/// that is not the link of the message.
fn names_a_way_out(text: &str) -> bool {
    let lower = text.to_lowercase();
    let word = OPT_OUT.iter().any(|word| lower.contains(word));
    let digits = lower.chars().filter(char::is_ascii_digit).count();
    word && (digits >= 3 || lower.contains("://") || lower.contains('@') || lower.contains("www."))
}
