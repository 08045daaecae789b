//! The codes that providers refuse by, and their words.

use serde_json::{Value, json};

use super::{B, G, P, Personality, Smpp, T, Twilio, V, W};
use crate::Magic;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Of the answer.
    pub status: u16,
    /// The provider's own.
    pub code: i64,
    /// Said to people.
    pub words: String,
    /// The field that is wrong.
    pub field: Option<&'static str>,
}

impl Refusal {
    pub fn of(status: u16, code: i64, words: &str) -> Self {
        Self { status, code, words: words.to_owned(), field: None }
    }

    pub fn field(status: u16, code: i64, field: &'static str, words: &str) -> Self {
        Self { field: Some(field), ..Self::of(status, code, words) }
    }
}

impl Personality {
    /// How it refuses a message for this reason.
    pub(crate) fn refuses(self, magic: Magic) -> Refusal {
        let (status, code) = self.code(magic);
        let field = match magic {
            Magic::Invalid | Magic::Unroutable => Some("to"),
            Magic::Config | Magic::Country => Some("from"),
            _ => None,
        };
        Refusal { field, ..Refusal::of(status, code, self.words(code, magic)) }
    }

    /// The body of a refusal.
    pub(crate) fn error(self, refusal: &Refusal) -> Value {
        let Refusal { status, code, words, field } = refusal;
        match self {
            Twilio => json!({
                "code": code, "message": words, "status": status,
                "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
            }),
            T => {
                let mut error =
                    json!({ "code": code.to_string(), "title": words, "detail": words });
                if let Some(field) = field {
                    error["source"] = json!({ "pointer": format!("/{field}") });
                }
                json!({ "errors": [error] })
            }
            W => json!({ "error": {
                "message": format!("(#{code}) {words}"), "type": "OAuthException", "code": code,
                "error_data": { "messaging_product": "whatsapp", "details": words },
                "fbtrace_id": "AaBbCcDdEeFf",
            }}),
            B => {
                let kind = match status {
                    400 => "request-validation",
                    401 => "unauthorized",
                    403 => "forbidden",
                    404 => "not-found",
                    415 => "unsupported-media-type",
                    429 => "max-message-queue-size-exceeded",
                    _ => "internal-server-error",
                };
                let mut error = json!({ "type": kind, "description": words });
                if *status == 400 {
                    let name = if *field == Some("to") { "to[0]" } else { field.unwrap_or("from") };
                    error["fieldErrors"] = json!([{ "fieldName": name, "description": words }]);
                }
                error
            }
            V => {
                let part = json!({ "status": code.to_string(), "error-text": words });
                json!({ "message-count": "1", "messages": [part] })
            }
            G => super::gateway::error(refusal),
            P => json!({ "api_id": "a", "error": words }),
            Smpp => Value::Null,
        }
    }

    fn words(self, code: i64, magic: Magic) -> &'static str {
        match (self, code) {
            (Twilio, 20_003) => "Authenticate",
            (Twilio, 20_429) => "Too many requests",
            (Twilio, 21_408) => "Permission to send an SMS has not been enabled for the region",
            (Twilio, 21_610) => "Attempt to send to unsubscribed recipient",
            (Twilio, 21_612) => "The 'To' number is not reachable with this 'From' number",
            (Twilio, 21_614) => "'To' number is not a valid mobile number",
            (W, 190) => "Access token has expired",
            (W, 130_429) => "Rate limit hit",
            (W, 131_026) => "Message undeliverable",
            (W, 131_042) => "Business eligibility payment issue",
            (W, 131_050) => "User has stopped marketing messages from this business",
            (W, 132_001) => "Template name does not exist in the translation",
            _ => match magic {
                Magic::Invalid => "the number is not valid",
                Magic::Landline => "the number takes no texts",
                Magic::OptedOut => "the recipient has opted out",
                Magic::RateLimited | Magic::Busy => "too many requests",
                Magic::Config => "the sender is not valid",
                Magic::Blocked => "taken for spam",
                Magic::Funds => "no credit is left",
                Magic::Auth => "the credentials are wrong",
                Magic::Country => "the country is not enabled",
                Magic::Unroutable => "no route to that number",
                _ => "something went wrong",
            },
        }
    }

    /// Whether it says so in its answer, and not only in a receipt.
    #[must_use]
    pub fn refuses_at_once(self, magic: Magic) -> bool {
        match self {
            T | W | G => true,
            Twilio => !matches!(magic, Magic::Blocked | Magic::Funds),
            B => !matches!(magic, Magic::Landline | Magic::OptedOut | Magic::Blocked),
            V => magic != Magic::OptedOut,
            P => !matches!(
                magic,
                Magic::Landline
                    | Magic::OptedOut
                    | Magic::Config
                    | Magic::Country
                    | Magic::Blocked
                    | Magic::Funds
            ),
            Smpp => !matches!(magic, Magic::Landline | Magic::OptedOut | Magic::Blocked),
        }
    }

    /// The code of a receipt that says so.
    pub(crate) fn told(self, magic: Magic) -> i64 {
        match (self, magic) {
            (Twilio, Magic::Landline) => 30_006,
            (Twilio, Magic::Invalid) => 30_005,
            (Twilio, Magic::HandsetOff) => 30_003,
            (T, Magic::HandsetOff) => 40_006,
            (B, Magic::HandsetOff) => 4_702,
            // Not the codes of its answers.
            (V, Magic::OptedOut) => 9,
            (V, Magic::Blocked) => 6,
            (V, Magic::HandsetOff) => 2,
            (V, _) => 3,
            (W, Magic::HandsetOff) => self.code(Magic::Landline).1,
            (P, Magic::HandsetOff) => 20,
            (G | Smpp, Magic::HandsetOff) => 0,
            _ => self.code(magic).1,
        }
    }

    /// The status of its answer, and its code; one that only receipts tell has the status 0.
    #[must_use]
    pub fn code(self, magic: Magic) -> (u16, i64) {
        match (self, magic) {
            (Twilio, Magic::Country) => (400, 21_408),
            (Twilio, Magic::Unroutable) => (400, 21_612),
            (_, Magic::Country) => self.code(Magic::Config),
            (_, Magic::Unroutable) => self.code(Magic::Invalid),
            (Twilio, Magic::Invalid) => (400, 21_211),
            (Twilio, Magic::Landline) => (400, 21_614),
            (Twilio, Magic::OptedOut) => (400, 21_610),
            (Twilio, Magic::RateLimited) => (429, 20_429),
            (Twilio, Magic::Config) => (400, 21_606),
            (Twilio, Magic::Blocked) => (0, 30_007),
            (Twilio, Magic::Funds) => (0, 30_002),
            (Twilio, Magic::Auth) => (401, 20_003),
            (Twilio, Magic::Down) => (503, 20_503),
            (B, Magic::Invalid) => (400, 4_720),
            (B, Magic::Landline) => (0, 4_700),
            (B, Magic::OptedOut) => (0, 4_775),
            (B, Magic::RateLimited) => (429, 4_000),
            (B, Magic::Config) => (400, 4_773),
            (B, Magic::Blocked) => (0, 4_770),
            (B, Magic::Funds) => (403, 4_000),
            (B, Magic::Auth) => (401, 4_000),
            (B, Magic::Down) => (500, 5_106),
            // Its status is always 200.
            (V, Magic::Invalid) => (200, 6),
            (V, Magic::Landline) => (200, 33),
            (V, Magic::OptedOut | Magic::Funds) => (200, 9),
            (V, Magic::RateLimited) => (200, 1),
            (V, Magic::Config) => (200, 15),
            (V, Magic::Blocked) => (200, 7),
            (V, Magic::Auth) => (200, 4),
            (V, Magic::Down) => (200, 5),
            (G, Magic::Invalid) => (460, 0),
            (G, Magic::Landline) => (200, 7),
            (G, Magic::OptedOut) => (200, 8),
            (G, Magic::RateLimited) => (429, 0),
            (G, Magic::Config) => (404, 0),
            (G, Magic::Blocked) => (200, 9),
            (G, Magic::Funds) => (402, 0),
            (G, Magic::Auth) => (401, 0),
            (G, Magic::Down) => (502, 0),
            (P, Magic::Invalid) => (400, 50),
            (P, Magic::RateLimited) => (429, 0),
            (P, Magic::Auth) => (401, 0),
            (P, Magic::Down) => (500, 20),
            (P, Magic::Landline) => (0, 50),
            (P, Magic::Config) => (0, 40),
            (P, Magic::Blocked) => (0, 30),
            (P, Magic::OptedOut) => (0, 200),
            (P, Magic::Funds) => (0, 900),
            (T, Magic::Invalid) => (400, 10_002),
            (T, Magic::Landline) => (400, 40_001),
            (T, Magic::OptedOut) => (400, 40_300),
            (T, Magic::RateLimited) => (429, 10_011),
            (T, Magic::Config) => (400, 40_305),
            (T, Magic::Blocked) => (400, 40_002),
            (T, Magic::Funds) => (402, 20_100),
            (T, Magic::Auth) => (401, 10_009),
            (T, Magic::Down) => (503, 0),
            (W, Magic::Invalid) => (400, 131_009),
            (W, Magic::Landline) => (400, 131_026),
            (W, Magic::OptedOut) => (400, 131_050),
            (W, Magic::RateLimited) => (400, 130_429),
            (W, Magic::Config) => (404, 132_001),
            (W, Magic::Blocked) => (400, 131_049),
            (W, Magic::Funds) => (400, 131_042),
            (W, Magic::Auth) => (401, 190),
            (W, Magic::Down) => (500, 131_000),
            // Statuses of a command (SMPP 3.4 §5.1.3).
            (Smpp, Magic::Invalid) => (0, 0x0b),
            (Smpp, Magic::RateLimited) => (0, 0x58),
            (Smpp, Magic::Config) => (0, 0x0a),
            (Smpp, Magic::Auth) => (0, 0x0e),
            (Smpp, Magic::Funds) => (0, 0x45),
            (Smpp, _) => (0, 0x08),
            // No other magic refuses.
            (_, _) => (500, 0),
        }
    }
}
