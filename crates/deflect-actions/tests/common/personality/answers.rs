//! What providers answer.

use serde_json::{Value, json};

use super::{B, G, P, Personality, T, V, W};
use crate::common::emulator::Magic;

impl Personality {
    pub fn accepts(self, n: usize, body: &Value) -> (u16, Value) {
        let id = self.id(n);
        match self {
            T => (
                200,
                json!({ "data": {
                    "id": id, "parts": 1, "cost": null, "errors": [],
                    "to": [{ "phone_number": body["to"], "status": "queued", "line_type": "Wireless" }],
                }}),
            ),
            W => (
                200,
                json!({
                    "messaging_product": "whatsapp",
                    "contacts": [{ "input": body["to"], "wa_id": body["to"] }],
                    "messages": [{ "id": id }],
                }),
            ),
            B => (202, json!({ "id": id, "segmentCount": 1, "tag": body["tag"] })),
            V => {
                let part = json!({
                    "to": body["to"], "message-id": id, "status": "0", "message-price": "0.0333",
                });
                (200, json!({ "message-count": "1", "messages": [part] }))
            }
            G => (200, json!({ "result": { "id": n } })),
            P => (
                202,
                json!({ "api_id": "a", "message": "message(s) queued", "message_uuid": [id] }),
            ),
        }
    }

    pub fn refuses(self, magic: Magic) -> (u16, Value) {
        let (status, code) = self.code(magic);
        let body = match self {
            T => json!({ "errors": [{ "code": code.to_string(), "title": "No", "detail": "no" }] }),
            W => json!({ "error": {
                "message": "(#1) No", "type": "OAuthException", "code": code,
                "error_data": { "messaging_product": "whatsapp", "details": "no" },
            }}),
            B => {
                let field = if magic == Magic::Invalid { "to[0]" } else { "from" };
                json!({
                    "type": "request-validation", "description": "no",
                    "fieldErrors": [{ "fieldName": field, "description": "no" }],
                })
            }
            V => {
                let part = json!({ "status": code.to_string(), "error-text": "no" });
                json!({ "message-count": "1", "messages": [part] })
            }
            G => json!({ "error": "no" }),
            P => json!({ "api_id": "a", "error": "no" }),
        };
        (status, body)
    }

    /// Whether it says so in its answer, and not only in a receipt.
    pub fn refuses_at_once(self, magic: Magic) -> bool {
        match self {
            T | W | G => true,
            B => !matches!(magic, Magic::Landline | Magic::OptedOut | Magic::Blocked),
            V => magic != Magic::OptedOut,
            P => !matches!(
                magic,
                Magic::Landline | Magic::OptedOut | Magic::Config | Magic::Blocked | Magic::Funds
            ),
        }
    }

    /// The status of its answer, and its code.
    pub(super) fn code(self, magic: Magic) -> (u16, i64) {
        match (self, magic) {
            (B, Magic::Invalid) => (400, 4_720),
            (B, Magic::Landline) => (400, 4_700),
            (B, Magic::OptedOut) => (400, 4_775),
            (B, Magic::RateLimited) => (429, 4_000),
            (B, Magic::Config) => (400, 4_773),
            (B, Magic::Blocked) => (400, 4_770),
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
            (G, Magic::Landline) => (461, 0),
            (G, Magic::OptedOut) => (462, 0),
            (G, Magic::RateLimited) => (429, 0),
            (G, Magic::Config) => (404, 0),
            (G, Magic::Blocked) => (463, 0),
            (G, Magic::Funds) => (402, 0),
            (G, Magic::Auth) => (401, 0),
            (G, Magic::Down) => (502, 0),
            // What its answers do not tell is a code of its receipts.
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
            (W, Magic::Invalid) => (400, 131_009),
            (W, Magic::Landline) => (400, 131_026),
            (W, Magic::OptedOut) => (400, 131_050),
            (W, Magic::RateLimited) => (400, 130_429),
            (W, Magic::Config) => (404, 132_001),
            (W, Magic::Blocked) => (400, 131_049),
            (W, Magic::Funds) => (400, 131_042),
            (W, Magic::Auth) => (401, 190),
            (T, Magic::Down) => (503, 0),
            (W, Magic::Down) => (500, 131_000),
            (_, Magic::Hangs | Magic::TakesAndResets | Magic::Garbage) => unreachable!(),
        }
    }
}
