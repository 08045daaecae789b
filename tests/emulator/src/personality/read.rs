//! What a request for a message says, and what is wrong with it.

use message_text::E164;
use serde_json::Value;

use super::{B, G, P, Personality, Refusal, Smpp, T, Twilio, V, W, whatsapp};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// With `+`.
    pub to: String,
    pub from: String,
    pub text: String,
    pub callback: Option<String>,
    pub reference: Option<String>,
}

impl Personality {
    /// What the body of a request to `path` asks for; what is missing is empty.
    pub(crate) fn read(self, body: &Value, path: &str) -> Draft {
        let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let maybe = |name: &str| body[name].as_str().map(str::to_owned);
        let draft = |to: String, from: &str, text: String, callback: &str, reference: &str| Draft {
            to,
            from: field(from),
            text,
            callback: maybe(callback),
            reference: maybe(reference),
        };
        let mut draft = match self {
            Twilio => {
                let text = maybe("Body").unwrap_or_else(|| field("ContentSid"));
                draft(field("To"), "From", text, "StatusCallback", "")
            }
            T => draft(field("to"), "from", field("text"), "webhook_url", ""),
            W => {
                let text = body["text"]["body"].as_str().or(body["template"]["name"].as_str());
                let text = text.unwrap_or_default().to_owned();
                let mut draft = draft(field("to"), "", text, "", "biz_opaque_callback_data");
                draft.from = path.rsplit('/').nth(1).unwrap_or_default().to_owned();
                draft
            }
            B => {
                let to = body["to"][0].as_str().unwrap_or_default().to_owned();
                draft(to, "from", field("text"), "", "tag")
            }
            V => draft(field("to"), "from", field("text"), "callback", "client-ref"),
            G | Smpp => draft(field("to"), "from", field("text"), "", "ref"),
            P => draft(field("dst"), "src", field("text"), "url", ""),
        };
        if draft.from.is_empty() && self == Twilio {
            draft.from = field("MessagingServiceSid");
        }
        let bare = draft.to.strip_prefix("whatsapp:").unwrap_or(&draft.to);
        let digits = bare.trim_start_matches('+');
        draft.to = if digits.is_empty() { String::new() } else { format!("+{digits}") };
        if draft.reference.is_none() {
            // It stands in the address that receipts go to.
            let query = draft.callback.as_deref().and_then(|url| url.split_once('?'));
            let mut pairs = query.into_iter().flat_map(|(_, query)| query.split('&'));
            draft.reference =
                pairs.find_map(|pair| pair.strip_prefix("message=")).map(str::to_owned);
        }
        draft
    }

    /// What is wrong with a request, field by field.
    pub(crate) fn objects_to(self, draft: &Draft, body: &Value, open: bool) -> Option<Refusal> {
        let is_number = draft.to.parse::<E164>().is_ok() || draft.to.starts_with("+1500555");
        match self {
            Twilio => super::twilio::objects_to(draft, body, is_number),
            W => whatsapp::objects_to(draft, body, open),
            T => {
                let of = [("to", &draft.to), ("from", &draft.from), ("text", &draft.text)];
                let missing = of.into_iter().find(|(_, value)| value.is_empty());
                let missing = missing.map(|(name, _)| {
                    Refusal::field(400, 10_004, name, "Missing required parameter")
                });
                let refusal = missing.or_else(|| {
                    let words = "Invalid phone number";
                    (!is_number).then(|| Refusal::field(400, 10_002, "to", words))
                });
                // A name belongs to no profile by itself.
                let is_name = draft.from.contains(|c: char| c.is_alphabetic());
                let nobody_s = is_name && body["messaging_profile_id"].as_str().is_none();
                refusal.or_else(|| {
                    nobody_s.then(|| Refusal::field(400, 40_305, "from", "Invalid 'from' address"))
                })
            }
            B => {
                let empty = |name, value: &str| value.is_empty().then_some(name);
                let application = body["applicationId"].as_str().unwrap_or_default();
                let field = empty("to", &draft.to)
                    .or((!is_number).then_some("to"))
                    .or(empty("from", &draft.from))
                    .or(empty("text", &draft.text))
                    .or(empty("applicationId", application))
                    .or((draft.text.chars().count() > 2_048).then_some("text"));
                field.map(|name| Refusal::field(400, 0, name, "is missing, or no valid value"))
            }
            V => {
                let missing = draft.to.is_empty() || draft.from.is_empty() || draft.text.is_empty();
                let missing = missing.then(|| Refusal::of(200, 2, "Missing mandatory params"));
                missing.or_else(|| (!is_number).then(|| Refusal::of(200, 3, "Invalid to param")))
            }
            G => (!is_number).then(|| Refusal::of(460, 0, "no number")),
            P => {
                let of = [("dst", &draft.to), ("src", &draft.from), ("text", &draft.text)];
                let missing = of.into_iter().find(|(_, value)| value.is_empty());
                let missing = missing.map(|(name, _)| {
                    Refusal::field(400, 0, name, &format!("{name} parameter is required"))
                });
                missing.or_else(|| (!is_number).then(|| Refusal::of(400, 0, "dst is not valid")))
            }
            Smpp => (!is_number).then(|| Refusal::of(0, 0x0b, "")),
        }
    }
}
