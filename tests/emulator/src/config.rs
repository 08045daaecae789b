//! The tables of `carom.toml` that use the emulator.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::signature::KeyPair;

use crate::{
    ACCOUNT, BANDWIDTH_ACCOUNT, HOOK_SECRET, OURS, PHONE_ID, PLIVO_ACCOUNT, TOKEN, VERIFY_TOKEN,
    personality::telnyx_pair, smpp::PASSWORD,
};

const TABLES: &str = include_str!("tables.toml");

/// The secrets that [`tables`] names, by the variables of the environment that they stand in.
pub const SECRETS: [(&str, &str); 5] = [
    ("EMULATOR_TOKEN", TOKEN),
    ("EMULATOR_HOOKS", HOOK_SECRET),
    ("EMULATOR_VERIFY", VERIFY_TOKEN),
    ("EMULATOR_PASSWORD", PASSWORD),
    ("EMULATOR_NAME", "hooks:hook-s3cret"),
];

/// The tables of `carom.toml` that use an emulator which listens there.
#[must_use]
pub fn tables(http: SocketAddr, smpp: SocketAddr) -> String {
    let known = [
        ("{http}", http.to_string()),
        ("{smpp}", smpp.to_string()),
        ("{account}", ACCOUNT.to_owned()),
        ("{bandwidth}", BANDWIDTH_ACCOUNT.to_owned()),
        ("{plivo}", PLIVO_ACCOUNT.to_owned()),
        ("{ours}", OURS.to_owned()),
        ("{phone_id}", PHONE_ID.to_owned()),
        ("{public_key}", STANDARD.encode(telnyx_pair().public_key())),
    ];
    let tables =
        known.iter().fold(TABLES.to_owned(), |text, (name, value)| text.replace(name, value));
    let export = |(name, value): (&str, &str)| format!("#   export {name}={value}\n");
    let secrets: String = SECRETS.into_iter().map(export).collect();
    format!("# The secrets of the emulator, which are good for nothing else:\n{secrets}\n{tables}")
}
