//! `[limits]`: protection of the message bill and of the box.

use deflect_actions::text::RiskCheck;
use ivr_runtime::diagnose::Code;
use message_text::E164;

use super::read::Table;

/// What a node takes on at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub calls: u32,
    /// New calls per second.
    pub new_calls_per_second: u32,
    /// Countries whose numbers may be texted, ISO codes; left out, those of the trunks.
    pub countries: Vec<String>,
    /// Countries whose numbers may be called back; left out, those that may be texted.
    pub callback_countries: Vec<String>,
    /// Texts to one number in an hour.
    pub texts_per_caller_hour: u32,
    /// Texts to one number in a day.
    pub texts_per_caller_day: u32,
    /// Texts to numbers that begin alike, in an hour.
    pub texts_per_prefix_hour: u32,
    /// Digits in which such numbers agree.
    pub prefix_digits: u8,
    /// Texts of one line in a minute.
    pub texts_per_line_minute: u32,
    /// Texts to numbers of one country in an hour; `None`: any number.
    pub texts_per_country_hour: Option<u32>,
    /// Texts that one token orders in a minute.
    pub texts_per_client_minute: u32,
    /// What the texts of a day may cost, in millionths of [`Self::currency`].
    pub spend_per_day: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Numbers that many people call from, E.164.
    pub shared_callers: Vec<String>,
    /// Callbacks of all lines in an hour.
    pub callbacks_per_hour: u32,
    /// Callbacks to one number in an hour.
    pub callbacks_per_caller_hour: u32,
    /// Callbacks to one number in a day.
    pub callbacks_per_caller_day: u32,
    /// Who says how risky a number is.
    pub risk: Option<RiskCheck>,
    /// The provider that says which numbers are landlines.
    pub line_types: Option<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 500,
            new_calls_per_second: 50,
            countries: Vec::new(),
            callback_countries: Vec::new(),
            texts_per_caller_hour: 2,
            texts_per_caller_day: 4,
            texts_per_prefix_hour: 60,
            prefix_digits: 7,
            texts_per_line_minute: 120,
            texts_per_country_hour: None,
            texts_per_client_minute: 120,
            spend_per_day: None,
            currency: None,
            shared_callers: Vec::new(),
            callbacks_per_hour: 30,
            callbacks_per_caller_hour: 2,
            callbacks_per_caller_day: 4,
            risk: None,
            line_types: None,
        }
    }
}

/// More digits would name a person (requirements §4.7).
const LONGEST_PREFIX: u32 = 8;
const MANY: u32 = 1_000_000;
/// Twilio calls scores from 75 on high.
const REFUSE_FROM: u32 = 75;

/// What providers can say of numbers, by their names.
#[derive(Debug, Default)]
pub(super) struct Knowing<'a> {
    /// All providers.
    pub names: Vec<&'a str>,
    /// Those that score numbers.
    pub scorers: Vec<&'a str>,
    /// Those that know kinds of lines.
    pub lines: Vec<&'a str>,
}

pub(super) fn read(table: &Table<'_>, knowing: &Knowing<'_>) -> Limits {
    let mut limits = Limits::default();
    let set = |table: &Table<'_>, key: &'static str, at: &mut u32| {
        if let Some(number) = table.number(key, 1..=MANY) {
            *at = number;
        }
    };
    set(table, "calls", &mut limits.calls);
    set(table, "new_calls_per_second", &mut limits.new_calls_per_second);
    limits.countries = table.countries("countries").unwrap_or_default();
    limits.callback_countries = table.countries("callback_countries").unwrap_or_default();
    if let Some(caller) = table.table("texts_per_caller") {
        set(&caller, "per_hour", &mut limits.texts_per_caller_hour);
        set(&caller, "per_day", &mut limits.texts_per_caller_day);
        caller.finish();
    }
    if let Some(prefix) = table.table("texts_per_prefix") {
        set(&prefix, "per_hour", &mut limits.texts_per_prefix_hour);
        if let Some(digits) = prefix.number("prefix_digits", 1..=LONGEST_PREFIX) {
            limits.prefix_digits = digits as u8;
        }
        prefix.finish();
    }
    if let Some(line) = table.table("texts_per_line") {
        set(&line, "per_minute", &mut limits.texts_per_line_minute);
        line.finish();
    }
    if let Some(country) = table.table("texts_per_country") {
        limits.texts_per_country_hour = country.number("per_hour", 1..=MANY);
        country.finish();
    }
    if let Some(client) = table.table("texts_per_client") {
        set(&client, "per_minute", &mut limits.texts_per_client_minute);
        client.finish();
    }
    if let Some(spend) = table.table("spend_per_day") {
        limits.spend_per_day = spend.required("amount", |t| t.decimal("amount")).map(micros);
        let currency = spend.required("currency", |t| t.text("currency"));
        let code = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
        limits.currency = currency.as_ref().map(|currency| currency.value.clone());
        if currency.is_some_and(|currency| !code(&currency.value)) {
            spend.note(Code::E00, "currency", "a currency has three letters", "such as `GBP`");
        }
        if limits.spend_per_day.is_some_and(|amount| amount <= 0) {
            spend.note(Code::E00, "amount", "`amount` leaves no money for any text", "");
        }
        spend.finish();
    }
    set(table, "callbacks_per_hour", &mut limits.callbacks_per_hour);
    if let Some(caller) = table.table("callbacks_per_caller") {
        set(&caller, "per_hour", &mut limits.callbacks_per_caller_hour);
        set(&caller, "per_day", &mut limits.callbacks_per_caller_day);
        caller.finish();
    }
    for number in table.texts("shared_callers").unwrap_or_default() {
        match number.value.parse::<E164>() {
            Ok(number) => limits.shared_callers.push(number.as_str().to_owned()),
            Err(_) => {
                let message = format!("`shared_callers`: `{}` is no number", number.value);
                let help = "write it as +442079460018";
                table.notes().note(Code::E00, number.span, message, help);
            }
        }
    }
    if let Some(risk) = table.table("risk") {
        let provider =
            risk.required("provider", |t| t.reference("provider", "provider", &knowing.names));
        let provider = provider.filter(|named| {
            let scores = knowing.scorers.contains(&named.value.as_str());
            if !scores {
                let message = format!("`[provider.{}]` scores no numbers", named.value);
                risk.note(Code::E00, "provider", message, "one of kind `twilio` does");
            }
            scores
        });
        let refuse_from = risk.number("refuse_from", 1..=100).unwrap_or(REFUSE_FROM);
        limits.risk = provider.map(|provider| RiskCheck {
            provider: provider.value,
            refuse_from: u8::try_from(refuse_from).unwrap_or(u8::MAX),
        });
        risk.finish();
    }
    if let Some(named) = table.reference("line_types", "provider", &knowing.names) {
        if knowing.lines.contains(&named.value.as_str()) {
            limits.line_types = Some(named.value);
        } else {
            let message = format!("`[provider.{}]` knows no kinds of lines", named.value);
            let help = "one of kind `twilio` or `telnyx` does, and `http` with a `line_url`";
            table.note(Code::E00, "line_types", message, help);
        }
    }
    limits
}

/// An amount in millionths.
pub(super) fn micros(amount: f64) -> i64 {
    (amount * 1_000_000.0).round() as i64
}
