//! Providers of messages on loopback, for tests, benchmarks and tries without an account.
//!
//! An [`Emulator`] is one process with a [`Personality`] for each provider: one HTTP port for all that
//! speak HTTP, told apart by their paths, and one port for SMPP. It answers as they answer, refuses as
//! they refuse, and tells what became of a message by webhooks that are signed as theirs are. What
//! befalls a message is chosen by the end of its number ([`Magic`]) or told by the test ([`Does`]).
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]
#![expect(clippy::disallowed_methods, reason = "providers live by the real clock")]

mod account;
pub mod config;
mod does;
mod emulator;
pub mod http;
mod magic;
mod message;
pub mod personality;
mod poster;
pub mod smpp;
mod tell;
mod twilio;

pub use account::Account;
pub use does::Does;
pub use emulator::Emulator;
pub use http::Request;
pub use magic::Magic;
pub use message::Message;
pub use personality::{Event, Hook, Personality, Says};
pub use tell::{How, Tell};
pub use twilio::{Form, Twilio};

/// The account at Twilio.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// The token, key or password of every account.
pub const TOKEN: &str = "s3cret-t0ken-of-the-provider";
/// The secret that webhooks are signed with, where it is another than the token.
pub const HOOK_SECRET: &str = "hook-s3cret";
/// What Meta says when it asks whether an address is ours.
pub const VERIFY_TOKEN: &str = "verify-me";
/// Our number at those who carry SMS.
pub const OURS: &str = "+447400123460";
/// Our sender at WhatsApp.
pub const PHONE_ID: &str = "106540352242922";
/// Our account at Bandwidth, whose user is `api`.
pub const BANDWIDTH_ACCOUNT: &str = "9900000";
/// Our account at Plivo.
pub const PLIVO_ACCOUNT: &str = "MAXXXXXXXXXXXXXXXXXX";
/// The public address that webhooks go to unless told otherwise.
pub const PUBLIC_URL: &str = "https://carom.example";

/// Now, milliseconds UTC.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
