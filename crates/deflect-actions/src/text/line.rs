//! Whether a number takes texts, where its digits do not tell: in North America landlines and mobiles
//! look alike (requirements §4.2). A provider that says nothing in time changes nothing: the text is
//! sent, and what becomes of it tells.

use message_text::{E164, LineType};

use super::{
    TextConfig,
    told::{ANSWER, Told},
};
use crate::store::{LINE_TYPE, Store};

/// Kind of its rows, of which those with 0 take no texts.
pub(super) const KIND: &str = LINE_TYPE;

/// Whether somebody knows that no text reaches the number.
pub(super) async fn takes_none(
    lines: &Told,
    store: &Store,
    config: &TextConfig,
    (to, dest_key): (&E164, &str),
) -> bool {
    let Some(provider) = config.line_types.as_ref().and_then(|name| config.providers.get(name))
    else {
        return false;
    };
    if to.line_type() != LineType::FixedOrMobile {
        return false;
    }
    let asked = async {
        let takes = provider.takes_texts(to, ANSWER).await;
        let result = match takes {
            Some(true) => "textable",
            Some(false) => "not_textable",
            None => "unknown",
        };
        metrics::counter!("carom_line_lookups_total", "result" => result).increment(1);
        takes.map(u8::from)
    };
    lines.of(store, dest_key, asked).await == Some(0)
}
